/* The one event loop of control: file descriptors (epoll) and timers, all in one thread. Knows nothing of what it
 * waits for. */
#ifndef PM_EVENT_LOOP_H
#define PM_EVENT_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct event_loop;

/* Something to wait for on `fd`; the owner's memory, unchanged while it is added. */
struct event_fd {
	int fd;
	void (*ready)(void *context, uint32_t events); /* EPOLLIN, EPOLLOUT, ... */
	void *context;
};

/* Fires once, at or after `at`. The owner's memory. */
struct event_timer {
	void (*fire)(void *context);
	void *context;
	uint64_t at; /* monotonic ms */
	bool armed;
	struct event_timer *next;
};

/* NULL: errno. */
struct event_loop *event_loop_create(void);
void event_loop_destroy(struct event_loop *loop);

/* Waits for `events`; level-triggered. False: errno. */
bool event_loop_add(struct event_loop *loop, struct event_fd *source, uint32_t events);
bool event_loop_change(struct event_loop *loop, struct event_fd *source, uint32_t events);
/* Safe from inside any callback; the source is not called again. */
void event_loop_remove(struct event_loop *loop, struct event_fd *source);

/* Arms (again) or disarms. A time that has passed fires in the next turn. */
void event_timer_set(struct event_loop *loop, struct event_timer *timer, uint64_t at);
void event_timer_cancel(struct event_loop *loop, struct event_timer *timer);

/* Runs until event_loop_stop. */
void event_loop_run(struct event_loop *loop);
/* One turn: waits at most `limit_ms` (-1: without limit) for a descriptor or a timer. */
void event_loop_turn(struct event_loop *loop, int limit_ms);
void event_loop_stop(struct event_loop *loop);

/* Monotonic milliseconds, as of now. */
uint64_t clock_monotonic_ms(void);
/* Unix time in milliseconds. */
int64_t clock_unix_ms(void);

#endif
