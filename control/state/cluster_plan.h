/* What a change of a cluster would do to its routes: their shares before and after, which would be left without any
 * cluster, and how many connections are on it. Reads the state, changes nothing. */
#ifndef PM_CLUSTER_PLAN_H
#define PM_CLUSTER_PLAN_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/state/cluster.h"

struct cluster;
struct control;

enum { PLAN_CHANGES_MAX = 1000, PLAN_NAMED_MAX = 10, PLAN_NAMED_TEXT_MAX = 400 };

struct cluster_plan {
	size_t routes;                   /* of the cluster, before or after */
	size_t changed;                  /* with other shares */
	size_t red;                      /* that had a share somewhere and would have none; also, of the removal of a
	                                  * draining or offline cluster, those that nobody would serve */
	uint64_t active;                 /* connections on the cluster */
	char named[PLAN_NAMED_TEXT_MAX]; /* the first PLAN_NAMED_MAX red ones, for people */
	bool needs_force;                /* the cluster would get nothing any more, and leave red ones behind */
	json_t *json;                    /* {"routes","changed","red","active","changes":[...]}, and "more" if not all
	                                  * changes are listed; a new reference */
};

/* `cluster`: as it is, NULL if it is new. `then`: what it would be, NULL if it would be gone; its routes count unless
 * it is watched. An active cluster that would keep no router host that gets new connections counts as drained. */
void cluster_plan_make(struct cluster_plan *plan, struct control *control, const struct cluster *cluster,
                       const struct cluster_spec *then);
/* Adds to the plan's JSON what of the cluster itself would be another: "differs", lines for people. */
void cluster_plan_tell(struct cluster_plan *plan, const struct cluster *cluster, const struct cluster_spec *then);
/* The last router host that gets new connections goes out; the cluster stays. */
void cluster_plan_without_hosts(struct cluster_plan *plan, struct control *control, const struct cluster *cluster);

#endif
