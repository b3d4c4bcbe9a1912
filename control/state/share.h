/* What part of a route's new connections goes to each cluster: planned, by the weights alone, and effective, by the
 * clusters that have a usable router host. In hundredths of a percent. Pure: reads the state, changes nothing. */
#ifndef PM_SHARE_H
#define PM_SHARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/state/hundredths.h"
#include "control/state/names.h"
#include "control/state/weight.h"

struct state;

/* Parts of `whole` in the proportion of the weights: their sum is `whole`, each is less than 1 away from its exact
 * value (largest remainder; of equal remainders the first). All 0 if all weights are. */
void share_split(const uint32_t *weights, unsigned count, uint32_t whole, uint32_t *parts);

/* The router hosts of a cluster that get new connections now. */
struct share_hosts {
	uint16_t http, https; /* with a port for these */
};

/* Of every cluster, by index; 0 where there is none. */
struct share_view {
	const struct state *state;
	struct share_hosts hosts[CLUSTERS_MAX];
};
void share_view_make(struct share_view *view, const struct state *state);

/* Of one pair. */
struct share {
	struct weight weight;
	uint16_t planned;
	uint16_t effective;   /* of clusters that have a usable router host for a listener on which they serve it */
	uint16_t http, https; /* effective, of these listeners alone */
	uint16_t hosts;       /* usable ones */
};

struct shares {
	bool serves_http, serves_https;  /* a cluster with a weight serves it there */
	bool differ;                     /* http and https have other shares */
	bool unserved;                   /* no connection gets anywhere */
	struct share pair[CLUSTERS_MAX]; /* as in name->pairs; all 0 of those that are not present */
};
void share_of(const struct share_view *view, const struct name *name, struct shares *shares);

#endif
