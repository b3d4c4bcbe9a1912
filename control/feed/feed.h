/* Keeps the workers fed: announces a start, sends tables as messages, each to all workers and as fast as their rings
 * take them, and knows what they have applied. A full ring makes the feed wait, never the loop. No DPDK: the rings are
 * behind `send`, the shared memory comes in as a pointer. */
#ifndef PM_FEED_H
#define PM_FEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/shared.h"
#include "control/feed/publish.h"

struct feed {
	struct shared_header *shared;
	/* Puts up to `count` messages into the worker's ring; returns how many it took. */
	unsigned (*send)(void *context, unsigned worker, const struct message *messages, unsigned count);
	void *context;

	uint64_t start;           /* this control's start number */
	uint32_t next_sequence;   /* the same for all workers: all get the same messages */
	struct table *table;      /* the last one turned into messages, without its routes, owned; NULL: none yet */
	bool resync;              /* the next table goes out whole */
	struct message_list list; /* sealed, being sent */
	size_t sent[WORKERS_MAX];
	struct message_list waiting; /* commands for behind the next resync, not sealed */
	unsigned commands;           /* in `list` since all of it was in the rings last */
	bool has_log;
	struct message log; /* the last MESSAGE_LOG */
};

enum {
	FEED_WHY_MAX = 200,
	FEED_COMMANDS_MAX = 64, /* commands that are on their way into the rings, or wait for a resync */
};

/* Is the zone of `size` bytes what this build understands? False: `why` says what differs. */
bool feed_shared_valid(const struct shared_header *shared, size_t size, char why[static FEED_WHY_MAX]);

/* Announces `start`, which must differ from that of every other control before, and is not 0. */
void feed_begin(struct feed *feed, struct shared_header *shared, uint64_t start,
                unsigned (*send)(void *context, unsigned worker, const struct message *messages, unsigned count),
                void *context);
void feed_end(struct feed *feed);

/* True if all messages so far are in the rings: only then a table may be given. */
bool feed_idle(const struct feed *feed);
/* True if the next table has to be whole: there was none yet, or the workers want everything again. */
bool feed_wants_all(const struct feed *feed);
/* Gives the next table, owned by the feed from here on, and sends what the rings take: a whole one as a resync, a
 * partial one as batches. */
void feed_table(struct feed *feed, struct table *table);
/* Gives a command (MESSAGE_LOG, MESSAGE_CONNECTIONS, MESSAGE_EXPLAIN: `type` and body set, reserved bytes 0), copied,
 * for all workers. May be called from the loop's thread at any time between feed_begin and feed_end, also while tables
 * are on their way: it takes its place behind all that was given before, in one sequence with it, and at once goes into
 * the rings that have room. Before the first table, and while the workers want everything again, it waits for the end
 * of that resync. The last MESSAGE_LOG is repeated behind every resync.
 *
 * False: FEED_COMMANDS_MAX are waiting already; nothing was done, and the caller may try again later. True does not say
 * that an answer will come: a worker that has lost a message leaves all out until its resync. */
bool feed_command(struct feed *feed, const struct message *message);
/* Sends more of what is left. */
void feed_pump(struct feed *feed);

/* The lowest revision applied by all workers since feed_begin; 0: none yet. */
uint64_t feed_applied(const struct feed *feed);
/* The same of one worker. */
uint64_t feed_worker_applied(const struct feed *feed, unsigned worker);

#endif
