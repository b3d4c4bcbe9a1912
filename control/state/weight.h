/* The weight that counts for a host name on a cluster, where it comes from, and why it is 0. Pure. */
#ifndef PM_WEIGHT_H
#define PM_WEIGHT_H

#include <stdint.h>

#include "control/state/cluster.h"
#include "control/state/hundredths.h"
#include "control/state/names.h"

enum weight_origin { WEIGHT_OVERRIDE, WEIGHT_ANNOTATION, WEIGHT_PUSH, WEIGHT_STATIC, WEIGHT_DEFAULT };

/* Why a name gets no connection on the cluster, whatever its weight is. */
enum weight_bar { WEIGHT_FREE, WEIGHT_NOT_ACTIVE, WEIGHT_CONFLICT, WEIGHT_PARKED };

struct weight {
	uint16_t value; /* in hundredths, 0 to HUNDREDTHS_ALL: what counts; 0 behind a bar */
	uint16_t given; /* what it would be without the bar */
	enum weight_origin origin;
	enum weight_bar bar;
};

/* The first that applies: cluster not active (0), the operator's override, conflict (0), the cluster's own word
 * (annotation, push, static), parked (0), the cluster's default. */
struct weight weight_of(const struct cluster_spec *cluster, const struct pair *pair);

const char *weight_origin_name(enum weight_origin origin);
enum { WEIGHT_WHY_MAX = 160 };
/* "the cluster is staged"; "" without a bar. */
const char *weight_why(struct weight weight, const struct cluster_spec *cluster, char text[static WEIGHT_WHY_MAX]);

#endif
