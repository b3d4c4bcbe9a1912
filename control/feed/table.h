/* What the workers are to know, taken from the state at one moment: hosts, routes and default clusters with their
 * slots. Immutable once built. Either whole, for a resync, or with those routes alone that have changed since the table
 * before. */
#ifndef PM_TABLE_H
#define PM_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/config.h"
#include "common/message.h"
#include "control/feed/slots.h"
#include "control/state/state.h"

struct table_host {
	struct message_host message;
	bool announce; /* to be sent even if nothing changed */
};

struct table {
	uint64_t revision; /* of the state */
	bool partial;      /* `routes` has only what may have changed, `gone` what is there no more */
	size_t host_count, route_count;
	unsigned listener_count;
	struct table_host *hosts; /* sorted by slot */
	struct message_route *routes;
	size_t gone_count;
	struct message_route_gone *gone;
	struct message_listener listeners[LISTENERS_MAX];
	/* What found no room in the dataplane: no free slot, or more routes than it was started for. */
	size_t hosts_left_out, pairs_left_out, routes_left_out;
};

/* True if router host `i` of the cluster may get new connections: it is healthy, the operator allows it, and its pods
 * or the lack of others do, too it. */
bool table_elects(const struct cluster *cluster, size_t i);

/* `applied`: the revision that all workers have applied, for slots_begin. `routes_max`: what the dataplane takes.
 * Resets the hosts' `announce`. Never NULL. */
struct table *table_build(struct state *state, const struct config *config, struct slots *hosts, struct slots *pairs,
                          uint32_t routes_max, uint64_t applied);
/* A partial one: what has changed since the table before, which was built from the same state. */
struct table *table_update(struct state *state, const struct config *config, struct slots *hosts, struct slots *pairs,
                           uint32_t routes_max, uint64_t applied);
/* Frees the routes, which are not needed when their messages are made. */
void table_forget_routes(struct table *table);
void table_free(struct table *table);

#endif
