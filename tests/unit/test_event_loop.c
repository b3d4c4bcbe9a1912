/* event_loop: descriptors, timers in order, removal from inside a callback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "control/event_loop.h"

static struct event_loop *loop;
static char order[20];
static unsigned order_len;

struct named_timer {
	struct event_timer timer;
	char name;
};

static void note(void *context)
{
	order[order_len++] = ((struct named_timer *)context)->name;
	order[order_len] = '\0';
}

static int setup(void **state)
{
	loop = event_loop_create();
	order_len = 0;
	order[0] = '\0';
	return loop ? 0 : -1;
}

static int teardown(void **state)
{
	event_loop_destroy(loop);
	return 0;
}

static struct named_timer named(char name)
{
	return (struct named_timer){.name = name, .timer = {.fire = note}};
}

static void timers_fire_in_their_order(void **state)
{
	struct named_timer a = named('a'), b = named('b'), c = named('c'), d = named('d');
	a.timer.context = &a, b.timer.context = &b, c.timer.context = &c, d.timer.context = &d;
	uint64_t now = clock_monotonic_ms();
	event_timer_set(loop, &b.timer, now + 4);
	event_timer_set(loop, &d.timer, now + 8);
	event_timer_set(loop, &a.timer, now + 100000);
	event_timer_set(loop, &a.timer, now); /* earlier after all */
	event_timer_set(loop, &c.timer, now + 2);
	event_timer_cancel(loop, &c.timer);
	event_timer_cancel(loop, &c.timer);
	while (order_len < 3)
		event_loop_turn(loop, -1);
	assert_string_equal(order, "abd");
	assert_true(clock_monotonic_ms() >= now + 8);
	assert_false(d.timer.armed);
	event_loop_turn(loop, 0);
	assert_int_equal(order_len, 3);
}

static void set_again(void *context)
{
	struct named_timer *named = context;
	note(named);
	event_timer_set(loop, &named->timer, 0);
}

static void a_timer_that_sets_itself_again_does_not_starve_the_loop(void **state)
{
	struct named_timer a = named('a');
	a.timer.context = &a;
	a.timer.fire = set_again;
	event_timer_set(loop, &a.timer, 0);
	event_loop_turn(loop, 0);
	event_loop_turn(loop, 0);
	assert_string_equal(order, "aa");
	event_timer_cancel(loop, &a.timer);
}

struct source {
	struct event_fd fd;
	struct source *other;
	unsigned calls;
};

static void remove_other(void *context, uint32_t events)
{
	struct source *source = context;
	eventfd_t value;
	assert_true(events & EPOLLIN);
	eventfd_read(source->fd.fd, &value);
	source->calls++;
	event_loop_remove(loop, &source->other->fd);
}

static void a_removed_source_is_not_called(void **state)
{
	struct source a = {0}, b = {0};
	a = (struct source){.fd = {.fd = eventfd(1, EFD_NONBLOCK), .ready = remove_other, .context = &a}, .other = &b};
	b = (struct source){.fd = {.fd = eventfd(1, EFD_NONBLOCK), .ready = remove_other, .context = &b}, .other = &a};
	assert_true(event_loop_add(loop, &a.fd, EPOLLIN));
	assert_true(event_loop_add(loop, &b.fd, EPOLLIN));
	for (int i = 0; i < 4; i++)
		event_loop_turn(loop, 0);
	assert_int_equal(a.calls + b.calls, 1);
	close(a.fd.fd);
	close(b.fd.fd);
}

static void writable(void *context, uint32_t events)
{
	assert_true(events & EPOLLOUT);
	event_loop_stop(loop);
}

static void what_is_waited_for_can_change(void **state)
{
	struct event_fd source = {.fd = eventfd(0, EFD_NONBLOCK), .ready = writable};
	assert_true(event_loop_add(loop, &source, EPOLLIN));
	event_loop_turn(loop, 0);
	assert_true(event_loop_change(loop, &source, EPOLLOUT));
	event_loop_run(loop);
	close(source.fd);
	assert_false(event_loop_add(loop, &source, EPOLLIN));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(timers_fire_in_their_order, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_timer_that_sets_itself_again_does_not_starve_the_loop, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_removed_source_is_not_called, setup, teardown),
	    cmocka_unit_test_setup_teardown(what_is_waited_for_can_change, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
