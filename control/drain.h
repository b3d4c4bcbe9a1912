/* Drains of router hosts and clusters, watched to their end: when no connection is left it is told, and what is left at
 * the deadline is closed. Deadlines are in the saved state, so they outlive control. Knows no HTTP. One thread. */
#ifndef PM_DRAIN_H
#define PM_DRAIN_H

#include <stdint.h>

struct control;

enum { DRAIN_TEXT_MAX = 32 };

/* Sets up the timer, before anything else. */
void drains_init(struct control *control);
/* Something drains (differently) now. */
void drains_wake(struct control *control);
void drains_stop(struct control *control);

/* "2h30m", "90s": a number of ms for people. */
const char *drain_span(uint64_t ms, char text[static DRAIN_TEXT_MAX]);

#endif
