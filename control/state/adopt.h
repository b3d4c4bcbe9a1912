/* What the API of a watched cluster shows, or what a plugin pushes, becomes what the cluster serves: host names and
 * router hosts, less what is too much at once to be believed (hold.h), and with parking and conflicts (claims.h) for
 * what is new. Time comes in as a value. */
#ifndef PM_ADOPT_H
#define PM_ADOPT_H

#include <stdbool.h>
#include <stdint.h>

#include "control/kube/observed.h"
#include "control/state/state.h"

struct adopt_clock {
	uint64_t now;    /* monotonic ms */
	int64_t unix_ms; /* for people, and for what outlives control */
};

/* Makes the state what the API shows. `list`: it was a complete list, not only events; held deletions age by these.
 * `config`: addresses of ours are no router hosts. True if anything changed; the state's revision is one up then. */
bool adopt_observed(struct state *state, struct cluster *cluster, const struct config *config,
                    const struct observed *observed, bool list, const struct adopt_clock *clock);

/* Adds to a push, which has been read and checked, what of the cluster is held. False: its new routes were left out,
 * because there is no room for them beside the held ones; with at least one fault. */
bool adopt_push(struct state *state, struct cluster *cluster, struct cluster_spec *push, const struct config *config,
                const struct adopt_clock *clock, struct json_faults *faults);

/* The operator confirms: what a watched cluster has of held routes and hosts goes. Returns how much that was. The
 * revision is one up if it was anything. */
size_t adopt_confirm(struct state *state, struct cluster *cluster, const struct adopt_clock *clock);

/* The same for a push cluster: what its spec is then. */
struct cluster_spec *adopt_without_held(const struct cluster_spec *spec);

/* How many held routes and router hosts the cluster has. */
size_t adopt_held(const struct state *state, const struct cluster *cluster);

/* Takes out the hosts without pods for which `idle` says that no connection is left. True if any went. */
bool adopt_reap_hosts(struct state *state, struct cluster *cluster,
                      bool (*idle)(void *context, const struct host_spec *host), void *context,
                      const struct adopt_clock *clock);

#endif
