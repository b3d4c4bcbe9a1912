/* Queries of control that a worker answers by records, a little between two bursts: which connections it has (and their
 * end, if that is asked for), and what it would decide for a name. See common/message.h for the protocol. */
#ifndef PM_QUERY_H
#define PM_QUERY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/message.h"
#include "common/record.h"

/* Where a MESSAGE_CONNECTIONS is: in the array of flows. */
struct query_walk {
	struct message_connections filter;
	uint32_t next, end; /* flows to look at: [next, end) */
	uint32_t listed;
	uint64_t matched, closed;
};

/* Where a MESSAGE_EXPLAIN is. What was decided stands here; router hosts are read while their records are made. */
struct query_explanation {
	struct message_explain ask;
	bool decided;
	struct record_explain decision;
	struct record_explain_share shares[ROUTE_CLUSTERS_MAX];
	unsigned told;        /* of the decision and its shares */
	unsigned share, host; /* the next router host: place in the cluster of this share */
};

struct query {
	uint64_t start; /* of control that asks */
	uint32_t number;
	uint16_t type; /* MESSAGE_CONNECTIONS or MESSAGE_EXPLAIN */
	union {
		struct query_walk walk;
		struct query_explanation explanation;
	};
};

struct queries {
	/* In the order of their arrival. The first QUERIES_AT_ONCE are worked on, in turn. */
	struct query list[QUERIES_AT_ONCE + QUERIES_WAITING];
	unsigned count;
	unsigned turn;
	uint64_t stepped_us;   /* the last step, whether there was something to do or not */
	uint64_t distrusts_us; /* until then orders to close are refused, which may be old */
};

struct worker;

/* A MESSAGE_CONNECTIONS or MESSAGE_EXPLAIN that was checked: queued, or refused. Refused are also orders to close that
 * may have waited while the worker stood still: control has given up on them, and has said that they were not obeyed.
 */
void queries_take(struct worker *worker, const struct message *message);
/* With every tick: works on one of them for less than 20 us. False: there is none. */
bool queries_step(struct worker *worker);
/* Forgets all, unanswered: who asked has gone. */
void queries_drop(struct worker *worker);

#endif
