/* Weights and their origins: see the header. */
#include "control/state/weight.h"

#include <stdio.h>

static enum weight_origin own_origin(const struct cluster_spec *cluster)
{
	static const enum weight_origin origins[] = {
	    [SOURCE_STATIC] = WEIGHT_STATIC, [SOURCE_PUSH] = WEIGHT_PUSH, [SOURCE_WATCH] = WEIGHT_ANNOTATION};
	return origins[cluster->source];
}

static enum weight_bar bar_of(const struct cluster_spec *cluster, const struct pair *pair)
{
	if (cluster->state != CLUSTER_ACTIVE)
		return WEIGHT_NOT_ACTIVE;
	if (pair->overridden)
		return WEIGHT_FREE;
	if (pair->conflict)
		return WEIGHT_CONFLICT;
	return pair->parked && !pair->weight_given ? WEIGHT_PARKED : WEIGHT_FREE;
}

struct weight weight_of(const struct cluster_spec *cluster, const struct pair *pair)
{
	struct weight weight = {.given = cluster->default_weight * HUNDREDTHS, .origin = WEIGHT_DEFAULT};
	if (pair->overridden) {
		weight.given = pair->override;
		weight.origin = WEIGHT_OVERRIDE;
	} else if (pair->weight_given) {
		weight.given = pair->weight * HUNDREDTHS;
		weight.origin = own_origin(cluster);
	}
	weight.bar = bar_of(cluster, pair);
	weight.value = weight.bar == WEIGHT_FREE ? weight.given : 0;
	return weight;
}

const char *weight_origin_name(enum weight_origin origin)
{
	static const char *const names[] = {"override", "annotation", "push", "static", "default"};
	return names[origin];
}

const char *weight_why(struct weight weight, const struct cluster_spec *cluster, char text[static WEIGHT_WHY_MAX])
{
	static const char *const texts[] = {
	    [WEIGHT_FREE] = "",
	    [WEIGHT_CONFLICT] = "conflict: another cluster serves this name from a different namespace; set a weight "
	                        "through the API to allow it",
	    [WEIGHT_PARKED] = "parked: another cluster served this name first; give it a weight to let it serve",
	};
	if (weight.bar == WEIGHT_NOT_ACTIVE)
		snprintf(text, WEIGHT_WHY_MAX, "the cluster is %s", cluster_state_name(cluster->state));
	else
		snprintf(text, WEIGHT_WHY_MAX, "%s", texts[weight.bar]);
	return text;
}
