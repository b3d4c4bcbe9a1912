/* What passes between control and the dataplane: tables and what the workers say about them, counters, events. The way
 * of a message is feed.h's and dataplane_link.h's. */
#ifndef PM_CONTROL_FEED_H
#define PM_CONTROL_FEED_H

struct control;

/* Sets up the timer, before anything else. */
void control_feed_init(struct control *control);
/* Looks for the dataplane. */
void control_feed_start(struct control *control);
void control_feed_stop(struct control *control);
/* The workers are told what is new, soon. */
void control_feed_wake(struct control *control);

#endif
