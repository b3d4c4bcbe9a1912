/* Unit tests of tsc_clock.c: a counter whose frequency is not what was believed. */
#include "dataplane/tsc_clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

enum { SECOND = 1000000 };

static const uint64_t believed_hz = 2600000000, real_hz = 2596120163;
static const uint64_t tsc0 = 77777777777777, us0 = 5000000000;

/* The counter when CLOCK_MONOTONIC says `us`. */
static uint64_t tsc_at(uint64_t us, uint64_t hz)
{
	return tsc0 + (uint64_t)((unsigned __int128)(us - us0) * hz / SECOND);
}

static int64_t wrong_by(const struct tsc_clock *clock, uint64_t us, uint64_t hz)
{
	return (int64_t)(tsc_clock_us(clock, tsc_at(us, hz)) - us);
}

static void begins_with_what_is_believed(void **state)
{
	struct tsc_clock clock;
	tsc_clock_start(&clock, tsc0, us0, believed_hz);
	assert_int_equal(tsc_clock_us(&clock, tsc0), us0);
	assert_in_range(tsc_clock_us(&clock, tsc0 + 2 * believed_hz), us0 + 2 * SECOND - 10, us0 + 2 * SECOND);
}

/* A day with a look each second; `hz` of the real counter. Never backwards, and right from the third second on. */
static void follow_for_a_day(uint64_t hz)
{
	struct tsc_clock clock;
	tsc_clock_start(&clock, tsc0, us0, believed_hz);
	uint64_t before = us0;
	for (uint64_t us = us0 + SECOND; us <= us0 + 86400ULL * SECOND; us += SECOND) {
		uint64_t now = tsc_clock_us(&clock, tsc_at(us, hz));
		assert_true(now > before);
		before = now;
		if (us >= us0 + 3 * SECOND)
			assert_true(llabs(wrong_by(&clock, us, hz)) <= 5);
		tsc_clock_follow(&clock, tsc_at(us, hz), us);
		assert_int_equal(tsc_clock_us(&clock, tsc_at(us, hz)), now);
	}
}

static void slower_and_faster_than_believed(void **state)
{
	follow_for_a_day(real_hz);
	follow_for_a_day(2 * believed_hz - real_hz);
	follow_for_a_day(believed_hz);
}

static void what_was_ahead_slows_down(void **state)
{
	struct tsc_clock clock;
	tsc_clock_start(&clock, tsc0, us0 + 3 * SECOND, real_hz); /* 3 s ahead */
	uint64_t before = 0;
	for (unsigned second = 1; second <= 12; second++) {
		for (unsigned part = 0; part < 4; part++) {
			uint64_t now = tsc_clock_us(&clock, tsc_at(us0 + second * SECOND + part * SECOND / 4, real_hz));
			assert_true(now > before);
			before = now;
		}
		tsc_clock_follow(&clock, tsc_at(us0 + second * SECOND + SECOND * 3 / 4, real_hz),
		                 us0 + second * SECOND + SECOND * 3 / 4);
	}
	assert_true(llabs(wrong_by(&clock, us0 + 13 * SECOND, real_hz)) <= 5);
}

static void what_is_far_behind_jumps(void **state)
{
	struct tsc_clock clock;
	tsc_clock_start(&clock, tsc0, us0, real_hz);
	/* The counter stood still for an hour. */
	tsc_clock_follow(&clock, tsc0 + real_hz, us0 + 3601ULL * SECOND);
	assert_int_equal(tsc_clock_us(&clock, tsc0 + real_hz), us0 + 3601ULL * SECOND);
	assert_in_range(tsc_clock_us(&clock, tsc0 + 2 * real_hz), us0 + 3602ULL * SECOND - 10, us0 + 3602ULL * SECOND);
}

static void two_looks_at_once_change_nothing(void **state)
{
	struct tsc_clock clock;
	tsc_clock_start(&clock, tsc0, us0, real_hz);
	tsc_clock_follow(&clock, tsc0, us0 + 5);
	tsc_clock_follow(&clock, tsc0 + 5, us0);
	assert_in_range(tsc_clock_us(&clock, tsc0 + real_hz), us0 + SECOND - 10, us0 + SECOND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(begins_with_what_is_believed),     cmocka_unit_test(slower_and_faster_than_believed),
	    cmocka_unit_test(what_was_ahead_slows_down),        cmocka_unit_test(what_is_far_behind_jumps),
	    cmocka_unit_test(two_looks_at_once_change_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
