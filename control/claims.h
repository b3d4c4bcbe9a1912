/* Who may serve a host name that several clusters have: parking and conflicts of namespaces. Pure but for log lines.
 *
 * - A name that is new on a watched cluster is parked (gets no connection) if the cluster parks new routes, the Route
 *   has no weight of its own, and another cluster serves the name with a weight above 0.
 * - If another cluster serves it from a different namespace, the newcomer is in conflict: no connection, whatever its
 *   weight, until the operator sets one. Else any team on a new cluster could take another team's traffic.
 * - On the first list of a cluster that was in the configuration at the very first start nothing is parked, and of two
 *   such lists the older Route owns the name, so that their order does not matter.
 * - Both end for good when no other cluster is left that serves the name. */
#ifndef PM_CLAIMS_H
#define PM_CLAIMS_H

#include <stdint.h>

#include "control/names.h"

struct state;

/* The name is new on the cluster, or its Route is of another namespace than before. Sets `parked` and `conflict`. */
void claims_judge(struct state *state, struct name *name, uint16_t cluster);
/* Another cluster has lost the name, or what it says has changed: ends what has no reason any more. */
void claims_settle(struct state *state, struct name *name);
/* A change is complete: says how many routes were not named in the log, which names only so many. */
void claims_told(struct state *state);

#endif
