/* Checks of all router hosts of a cluster at once, for somebody who waits for their results. One thread. */
#ifndef PM_CHECK_NOW_H
#define PM_CHECK_NOW_H

#include "control/event_loop.h"

struct api_later;
struct cluster;
struct control;
struct check_wait;

enum { CHECK_NOW_MS = 5000, CHECK_WAITS_MAX = 64 };

/* All zero to begin with. */
struct check_waits {
	struct event_timer timer;
	unsigned count;
	struct check_wait *first; /* owned */
};

void check_now_init(struct control *control);
/* Checks begin now; when each host has had its result, or after CHECK_NOW_MS, the cluster is shown as by GET status.
 * NULL: CHECK_WAITS_MAX others wait. */
struct api_later *check_now_begin(struct control *control, const struct cluster *cluster);
/* A check has ended, or hosts are others. */
void check_now_look(struct control *control);
void check_now_stop(struct control *control);

#endif
