/* The event loop: see the header. Timers are few (a list is searched each turn). */
#include "control/event_loop.h"

#include <limits.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

struct event_loop {
	int epoll;
	bool stopped;
	struct event_timer *timers;
};

uint64_t clock_monotonic_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

int64_t clock_unix_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct event_loop *event_loop_create(void)
{
	struct event_loop *loop = calloc(1, sizeof(*loop));
	if (!loop)
		abort();
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll >= 0)
		return loop;
	free(loop);
	return NULL;
}

void event_loop_destroy(struct event_loop *loop)
{
	if (!loop)
		return;
	close(loop->epoll);
	free(loop);
}

static bool control(struct event_loop *loop, int operation, struct event_fd *source, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = source};
	return epoll_ctl(loop->epoll, operation, source->fd, &event) == 0;
}

bool event_loop_add(struct event_loop *loop, struct event_fd *source, uint32_t events)
{
	return control(loop, EPOLL_CTL_ADD, source, events);
}

bool event_loop_change(struct event_loop *loop, struct event_fd *source, uint32_t events)
{
	return control(loop, EPOLL_CTL_MOD, source, events);
}

void event_loop_remove(struct event_loop *loop, struct event_fd *source)
{
	control(loop, EPOLL_CTL_DEL, source, 0);
}

void event_timer_cancel(struct event_loop *loop, struct event_timer *timer)
{
	if (!timer->armed)
		return;
	struct event_timer **link = &loop->timers;
	while (*link != timer)
		link = &(*link)->next;
	*link = timer->next;
	timer->armed = false;
}

void event_timer_set(struct event_loop *loop, struct event_timer *timer, uint64_t at)
{
	timer->at = at;
	if (timer->armed)
		return;
	timer->armed = true;
	timer->next = loop->timers;
	loop->timers = timer;
}

/* The armed timer that fires first, or NULL. */
static struct event_timer *first_timer(const struct event_loop *loop)
{
	struct event_timer *first = loop->timers;
	for (struct event_timer *timer = first; timer; timer = timer->next)
		if (timer->at < first->at)
			first = timer;
	return first;
}

static int wait_ms(const struct event_loop *loop, int limit_ms)
{
	const struct event_timer *first = first_timer(loop);
	if (!first)
		return limit_ms;
	uint64_t now = clock_monotonic_ms();
	uint64_t left = first->at > now ? first->at - now : 0;
	uint64_t limit = limit_ms < 0 ? INT_MAX : (uint64_t)limit_ms;
	return (int)(left < limit ? left : limit);
}

/* Those due now; one that sets itself again for now waits for the next turn. */
static void fire_timers(struct event_loop *loop)
{
	uint64_t now = clock_monotonic_ms();
	unsigned left = 0;
	for (const struct event_timer *timer = loop->timers; timer; timer = timer->next)
		left += timer->at <= now;
	for (; left > 0; left--) {
		struct event_timer *timer = first_timer(loop);
		if (!timer || timer->at > now)
			return;
		event_timer_cancel(loop, timer);
		timer->fire(timer->context);
	}
}

void event_loop_turn(struct event_loop *loop, int limit_ms)
{
	/* One event at a time: a callback may remove any source, also one that is ready too. */
	struct epoll_event event;
	if (epoll_wait(loop->epoll, &event, 1, wait_ms(loop, limit_ms)) == 1) {
		struct event_fd *source = event.data.ptr;
		source->ready(source->context, event.events);
	}
	fire_timers(loop);
}

void event_loop_run(struct event_loop *loop)
{
	while (!loop->stopped)
		event_loop_turn(loop, -1);
}

void event_loop_stop(struct event_loop *loop)
{
	loop->stopped = true;
}
