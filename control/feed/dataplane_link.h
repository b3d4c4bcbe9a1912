/* The connection to the dataplane: finds it by its run file, attaches to its shared memory and rings as a DPDK
 * secondary process, and watches its life through a pidfd. Knows no message's meaning. Its .c is the only file of
 * control that touches DPDK; tests link another one.
 *
 * EAL starts once per process and may hang while the primary is stopped or dies, so it starts in a thread of its own,
 * and control replaces itself (see `restart`) when the dataplane is gone or EAL could not start. */
#ifndef PM_DATAPLANE_LINK_H
#define PM_DATAPLANE_LINK_H

#include <stdint.h>
#include <sys/types.h>

#include "common/message.h"
#include "common/record.h"
#include "common/shared.h"

struct event_loop;
struct dataplane_link;

enum link_state {
	LINK_ABSENT,       /* no run file, or no such process */
	LINK_STARTING,     /* there is a dataplane, EAL is starting or its shared memory is not there yet */
	LINK_INCOMPATIBLE, /* of another version: see dataplane_link_why */
	LINK_READY,
};

struct link_handler {
	/* Attached: `shared` is valid until the process ends, `size` bytes of it. Returns NULL, or why it cannot be
	 * used (text that lives on). */
	const char *(*ready)(void *context, struct shared_header *shared, size_t size);
	/* The process must be replaced by a new one: the dataplane died, or EAL failed. Called once. */
	void (*restart)(void *context);
	void *context;
};

/* Begins to look for the run file at `path`. */
struct dataplane_link *dataplane_link_create(struct event_loop *loop, const char *path,
                                             const struct link_handler *handler);
/* Threads of EAL live on until the process ends. */
void dataplane_link_destroy(struct dataplane_link *link);

enum link_state dataplane_link_state(const struct dataplane_link *link);
/* Of the dataplane; 0 while LINK_ABSENT. */
pid_t dataplane_link_pid(const struct dataplane_link *link);
/* Why it is not LINK_READY, for people; never NULL. */
const char *dataplane_link_why(const struct dataplane_link *link);

/* While LINK_READY: put messages into a worker's ring, take events or records out of one; all return how many went
 * through. Records come as they are: record_valid first; what a dataplane that has died left in its rings can still be
 * taken out. */
unsigned dataplane_link_send(struct dataplane_link *link, unsigned worker, const struct message *messages,
                             unsigned count);
/* True when workers 0 to `count` - 1 have taken all that was put into their rings. A worker applies what it takes
 * before it looks at anything else. */
bool dataplane_link_drained(const struct dataplane_link *link, unsigned count);
unsigned dataplane_link_receive(struct dataplane_link *link, unsigned worker, struct event *events, unsigned max);
unsigned dataplane_link_receive_records(struct dataplane_link *link, unsigned worker, struct record *records,
                                        unsigned max);

#endif
