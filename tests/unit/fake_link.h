/* A dataplane that is only memory, for tests of control: implements control/dataplane_link.h. Its workers take
 * messages, check them as real ones do, and acknowledge. */
#ifndef PM_FAKE_LINK_H
#define PM_FAKE_LINK_H

#include <stdbool.h>

#include "common/message.h"
#include "common/record.h"
#include "common/shared.h"
#include "control/feed/dataplane_link.h"

enum { FAKE_WORKERS = 2, FAKE_MESSAGES_MAX = 4096, FAKE_EVENTS_MAX = 16, FAKE_RECORDS_MAX = 256 };

struct fake_worker {
	unsigned count; /* messages taken since fake_link_forget */
	struct message messages[FAKE_MESSAGES_MAX];
	uint32_t next_sequence;
	unsigned faults; /* broken, out of sequence, or of another start */
	unsigned event_count;
	struct event events[FAKE_EVENTS_MAX];
	unsigned record_count;
	struct record records[FAKE_RECORDS_MAX];
};

struct fake_link {
	struct shared_header *shared;
	struct fake_worker workers[FAKE_WORKERS];
	unsigned room;    /* messages that a ring takes per call */
	bool acknowledge; /* ends are applied at once */
	bool unread;      /* something is left in a ring */
	pid_t pid;        /* of the dataplane; 0: one that nobody signals */
	enum link_state state;
	struct link_handler handler;
};

extern struct fake_link fake_link;

/* A fresh dataplane with that many slots; nobody is attached to it. */
void fake_link_reset(uint32_t hosts_max, uint32_t pairs_max, uint32_t routes_max);
void fake_link_free(void);
/* Attaches the control that has called dataplane_link_create. Returns what its `ready` returned. */
const char *fake_link_appear(void);
void fake_link_forget(void);
/* The n-th message of this type that worker 0 took, or NULL. */
const struct message *fake_link_message(enum message_type type, unsigned n);
/* The worker's ring of records takes it; version and time are filled in. */
void fake_link_record(unsigned worker, const struct record *record);
void fake_link_event(unsigned worker, enum event_type type, uint32_t slot, uint32_t generation);

#endif
