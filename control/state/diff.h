/* What is different between two clusters, route by route, seen by somebody who wants to move users from one to the
 * other. Pure: reads the state, changes nothing. */
#ifndef PM_DIFF_H
#define PM_DIFF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/state/share.h"

struct cluster;

enum diff_level { DIFF_SAME, DIFF_YELLOW, DIFF_RED };

enum diff_kind {
	DIFF_MISSING,      /* only on the first: red if it gets connections there */
	DIFF_NOT_ADMITTED, /* the same, and the second cluster's router says why */
	DIFF_CONFLICT,     /* of another namespace */
	DIFF_TERMINATION,  /* TLS ends elsewhere, or it is served on other listeners */
	DIFF_NO_HOST,      /* the second has no router host that could take it */
	DIFF_PARKED,
	DIFF_FLAGS,  /* what becomes of plain HTTP, namespaces */
	DIFF_WEIGHT, /* the clusters themselves say different weights */
	DIFF_ONLY_ON_TO,
	diff_kind_count,
};

enum { DIFF_DETAIL_MAX = 320 };

struct diff_finding {
	enum diff_kind kind;
	enum diff_level level;
	char detail[DIFF_DETAIL_MAX]; /* for people */
};

/* Of one route; the worst first. */
struct diff {
	enum diff_level level;
	unsigned count;
	struct diff_finding findings[diff_kind_count];
};

/* "not_admitted" */
const char *diff_kind_name(enum diff_kind kind);

/* `rejection`: why a Route of the second cluster that asks for the name serves nothing; NULL: nothing is known. One of
 * the clusters must have the route. */
void diff_route(struct diff *diff, const struct share_view *view, const struct name *name, const struct cluster *from,
                const struct cluster *to, const char *rejection);

#endif
