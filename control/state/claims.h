/* Who may serve a host name that several clusters have: parking and conflicts of namespaces. Pure but for log lines.
 *
 * - A name that is new on a watched cluster is parked (gets no connection) if the cluster parks new routes, the Route
 *   has no weight of its own, and another cluster serves the name with a weight above 0.
 * - If another cluster serves it from a different namespace, the newcomer is in conflict: no connection, whatever its
 *   weight, until the operator sets one. Else any team on a new cluster could take another team's traffic.
 * - On the first list of a cluster that was in the configuration at the very first start nothing is parked, and of two
 *   such lists the older Route owns the name, so that their order does not matter.
 * - Both end for good when no other cluster is left that serves the name.
 * - A cluster that was staged takes no name over by becoming active: what others serve is parked then, too.
 *
 * Whose pair is changed here, its cluster is marked as unsaved: it is often another one than that of the change. */
#ifndef PM_CLAIMS_H
#define PM_CLAIMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/state/names.h"

struct cluster;
struct state;

/* The name is new on the cluster, or its Route is of another namespace than before. Sets `parked` and `conflict`. */
void claims_judge(struct state *state, struct name *name, uint16_t cluster);
/* Another cluster has lost the name, or what it says has changed: ends what has no reason any more. True if that was
 * anything. */
bool claims_settle(struct state *state, struct name *name);
/* The same of all names. */
bool claims_settle_all(struct state *state);
/* The pair may have got a weight of its own, or an override: that ends its parking for good. */
void claims_weighed(struct state *state, struct pair *pair);
/* The cluster is about to leave the state staged: parks what another cluster serves and what has no weight of its own,
 * unless it is watched and does not park routes. Returns those names; free the array. */
struct name **claims_park(struct state *state, const struct cluster *cluster, size_t *count);
/* It stays staged after all. */
void claims_unpark(const struct cluster *cluster, struct name *const *parked, size_t count);
/* Would claims_park park it? */
bool claims_would_park(const struct state *state, const struct cluster *cluster, const struct name *name,
                       const struct pair *pair);
/* The pair that would take over the name if the one of cluster `without` went, being parked or in conflict now; NULL:
 * none, or somebody serves the name. */
const struct pair *claims_heir(const struct name *name, uint16_t without);
/* A change is complete: says how many routes were not named in the log, which names only so many. */
void claims_told(struct state *state);

#endif
