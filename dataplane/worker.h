/* A worker: everything that one core owns, and its entry points. The core of the dataplane: frames, messages and
 * time come in, frames and events go out through struct worker_io; no DPDK, no clock and no other I/O in here, so
 * the same code runs in the shell, in the unit tests and in the simulator.
 *
 * All functions are called by the one thread that owns the worker. */
#ifndef PM_WORKER_H
#define PM_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/config.h"
#include "common/message.h"
#include "common/shared.h"
#include "common/siphash.h"
#include "dataplane/l3.h"

struct worker;
struct record;

/* A frame, from its Ethernet header on. */
struct frame {
	uint8_t *data;
	uint16_t len;
	uint16_t room; /* bytes that fit at `data` */
	uint8_t port;  /* received on; on sending: leaves by */
	bool checked;  /* the device has verified the checksums */
	void *handle;  /* the shell's (an mbuf) */
};

struct worker_io {
	void *context;
	/* An empty frame (data, room and handle set); false: none left. */
	bool (*alloc)(void *context, struct frame *frame);
	/* Takes the frame: len and port say what is sent where. Frames of one port leave in the order of the calls. */
	void (*send)(void *context, struct frame *frame);
	/* Gives the frame back unsent. */
	void (*drop)(void *context, struct frame *frame);
	/* Takes the frame to another worker. False: its ring is full, the frame is still the caller's. */
	bool (*hand_over)(void *context, struct frame *frame, unsigned worker);
	/* An event for control; false: not taken. */
	bool (*event)(void *context, const struct event *event);
	/* A record for control; false: not taken. Answers to queries (`query` is set) are offered again later. */
	bool (*record)(void *context, const struct record *record);
	/* Asks that the kernel resolve the next hop to `destination`; `managed`: and keep it resolved (router hosts).
	 * False: not taken. */
	bool (*ask)(void *context, const struct address *destination, bool managed);
};

struct worker_params {
	unsigned index, count; /* this worker, all workers */
	const struct config *config;
	struct siphash_key cookie_secret; /* the same for all workers */
	struct siphash_key table_secret;
	struct shared_header *shared; /* laid out by shared_layout; the worker's block is zero */
	const struct l3 *l3;
	struct worker_io io;
	uint64_t now_us;
};

/* Takes all memory that the worker will ever need. NULL: out of memory. */
struct worker *worker_create(const struct worker_params *params);
void worker_destroy(struct worker *worker);

enum { WORKER_BURST_MAX = 32 };

/* Frames from a port (or handed over by another worker); every one is sent, dropped, handed over or absorbed before
 * the return. `now_us`: monotonic microseconds. */
void worker_receive(struct worker *worker, struct frame *frames, unsigned count, uint64_t now_us);

/* A message from control's ring, as it came: checked here. */
void worker_message(struct worker *worker, const struct message *message, uint64_t now_us);

/* Timers. Call at least once per millisecond when that is possible; never late enough to matter when it is not.
 * Returns true if there was work. */
bool worker_tick(struct worker *worker, uint64_t now_us);

/* Another configuration of the same size (config_compare) is in force from now on: time-outs, listeners. Both live
 * until the next call has returned. */
struct vip_table;
void worker_reconfigure(struct worker *worker, const struct config *config, const struct vip_table *vips);

/* From now on no new connections: SYNs get RST (SIGTERM of the dataplane). */
void worker_refuse_new(struct worker *worker);
/* Ends every connection with a RST to both sides. */
void worker_reset_all(struct worker *worker, uint64_t now_us);

#endif
