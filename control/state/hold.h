/* When an API or a plugin takes away so much at once that it is more likely to be wrong than right. Pure: numbers and
 * time come in as values. What is held goes on serving; health checks decide about its traffic.
 *
 * (a) HOLD_ALL: nothing would be left of the cluster's routes, or of its router hosts.
 * (b) HOLD_MANY: what goes, together with what went in the last HOLD_WINDOW_S seconds, is more than 30 % of the routes
 *     with a weight above 0 and at least 10 of them; or more than half of the router hosts and at least 2 that still
 *     pass their check. */
#ifndef PM_HOLD_H
#define PM_HOLD_H

#include <stddef.h>
#include <stdint.h>

#include "control/state/cluster.h"

enum {
	HOLD_WINDOW_S = 60,
	HOLD_ROUTES_MIN = 10,
	HOLD_ROUTES_PERCENT = 30,
	HOLD_HOSTS_MIN = 2,
	HOLD_HOSTS_PERCENT = 50,
};

/* How many have gone in each of the last seconds. All zero to begin with. */
struct hold_window {
	int64_t seconds[HOLD_WINDOW_S];
	size_t counts[HOLD_WINDOW_S];
};

void hold_window_add(struct hold_window *window, int64_t now_ms, size_t count);
size_t hold_window_sum(const struct hold_window *window, int64_t now_ms);

/* Of what is not held yet. */
struct hold_question {
	size_t staying;        /* will still be there, new ones included */
	size_t going;          /* would go now */
	size_t going_to_serve; /* of these: would get connections if the cluster were active */
	size_t counted;        /* are there now and count for (b), those that would go included */
	size_t counted_going;  /* of these: would go now */
	size_t counted_gone;   /* have gone in the window */
};

/* HOLD_ALL: all that would go is held. HOLD_MANY: what counts of it. HOLD_NONE: it goes. */
enum hold_reason hold_routes(const struct hold_question *question);
enum hold_reason hold_hosts(const struct hold_question *question);

/* A complete list, or a push, is without the held object again. True: it has been so for `minutes` (0: never), the
 * object goes. */
bool hold_listed(struct hold *hold, uint16_t minutes, int64_t now_ms);

#endif
