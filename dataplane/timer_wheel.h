/* One timer for each of a fixed number of objects, named by index: a hierarchical wheel with ticks of 1 ms, three
 * levels of 256 slots, fixed memory. Setting, moving and stopping a timer is O(1). */
#ifndef PM_TIMER_WHEEL_H
#define PM_TIMER_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

enum { TIMER_LEVELS = 3, TIMER_SLOTS = 256, TIMER_NONE = 0xffffffff };

struct timer_node {
	uint32_t next, previous; /* node numbers; a node that is its own next is stopped */
	uint32_t deadline;       /* ms, wraps */
};

struct timer_wheel {
	struct timer_node *nodes; /* objects, then one list head for each slot */
	uint32_t capacity;
	uint32_t now; /* ms: everything up to here has expired */
};

/* False: out of memory. `now` in ms, wraps. */
bool timer_wheel_init(struct timer_wheel *wheel, uint32_t capacity, uint32_t now);
void timer_wheel_free(struct timer_wheel *wheel);

/* (Re)starts the timer of `index` to expire `delay` ms after wheel->now (0 counts as 1). Delays above 2^24 - 2^16 ms
 * (4.6 h) are cut to that: the owner looks at its own deadline on expiry. */
void timer_wheel_set(struct timer_wheel *wheel, uint32_t index, uint32_t delay);
void timer_wheel_stop(struct timer_wheel *wheel, uint32_t index);

/* The next object whose timer has expired by `now`, stopped by this; TIMER_NONE when there is none left, and only
 * then has wheel->now reached `now`. */
uint32_t timer_wheel_expire(struct timer_wheel *wheel, uint32_t now);

#endif
