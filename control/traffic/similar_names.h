/* Served names that somebody may have meant who asked for one that is unknown: a typing error or two away, or the same
 * with a label more or less in front. Pure. */
#ifndef PM_SIMILAR_NAMES_H
#define PM_SIMILAR_NAMES_H

#include <stddef.h>

#include "control/state/names.h"

enum { SIMILAR_SHOWN_MAX = 3, SIMILAR_DISTANCE_MAX = 2, SIMILAR_LOOKED_MAX = 100000 };

struct similar_names {
	size_t count;                                /* how many there are */
	size_t shown;                                /* how many of them stand here, the nearest ones */
	const struct name *names[SIMILAR_SHOWN_MAX]; /* the nearest first */
	unsigned distances[SIMILAR_SHOWN_MAX];
};

/* Looks at SIMILAR_LOOKED_MAX names at most, in no order: that takes some tens of milliseconds. */
void similar_names_find(const struct names *names, const struct hostname *wanted, struct similar_names *similar);

/* How many letters have to be put in, left out, changed, or swapped with the next one to make one of the other, as far
 * as `max`; above that max + 1. */
unsigned similar_distance(const struct hostname *a, const struct hostname *b, unsigned max);

#endif
