/* timer_wheel.c: the wheel against a list of deadlines that is searched each millisecond. */
#include "dataplane/timer_wheel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "seeded_random.h"

enum { OBJECTS = 60, DELAY_LIMIT = (1 << 24) - (1 << 16) };

/* What the wheel should do. */
struct model {
	bool set[OBJECTS];
	uint32_t deadline[OBJECTS];
};

static struct timer_wheel wheel_at(uint32_t now)
{
	struct timer_wheel wheel;
	assert_true(timer_wheel_init(&wheel, OBJECTS, now));
	return wheel;
}

static void expect_expiry(struct timer_wheel *wheel, uint32_t index, uint32_t at)
{
	assert_int_equal(timer_wheel_expire(wheel, at - 1), TIMER_NONE);
	assert_int_equal(timer_wheel_expire(wheel, at), index);
	assert_int_equal(timer_wheel_expire(wheel, at), TIMER_NONE);
}

static void nothing_set_nothing_expires(void **state)
{
	struct timer_wheel wheel = wheel_at(0);
	assert_int_equal(timer_wheel_expire(&wheel, 0), TIMER_NONE);
	assert_int_equal(timer_wheel_expire(&wheel, 200000), TIMER_NONE);
	assert_int_equal(wheel.now, 200000);
	timer_wheel_free(&wheel);
}

/* At the borders of the levels, and with the clock at the borders of its slots. */
static void it_expires_on_the_millisecond(void **state)
{
	static const uint32_t delays[] = {1,          2,     255,   256,   257,    511,    512,      65535,
	                                  65536,      65537, 65791, 65792, 131071, 131072, 16000000, DELAY_LIMIT - 1,
	                                  DELAY_LIMIT};
	static const uint32_t starts[] = {0, 1, 255, 256, 65535, 65536, 0xfffffeff, 0xffffff00, 0xffffffff, 0xff010001};
	for (unsigned s = 0; s < sizeof(starts) / sizeof(starts[0]); s++) {
		for (unsigned d = 0; d < sizeof(delays) / sizeof(delays[0]) - (s > 3 ? 3 : 0); d++) {
			struct timer_wheel wheel = wheel_at(starts[s]);
			timer_wheel_set(&wheel, 7, delays[d]);
			expect_expiry(&wheel, 7, starts[s] + delays[d]);
			timer_wheel_free(&wheel);
		}
	}
}

static void zero_counts_as_one(void **state)
{
	struct timer_wheel wheel = wheel_at(1000);
	timer_wheel_set(&wheel, 0, 0);
	expect_expiry(&wheel, 0, 1001);
	timer_wheel_free(&wheel);
}

static void long_delays_are_cut(void **state)
{
	struct timer_wheel wheel = wheel_at(5);
	timer_wheel_set(&wheel, 0, UINT32_MAX);
	expect_expiry(&wheel, 0, 5 + DELAY_LIMIT);
	timer_wheel_free(&wheel);
}

static void setting_again_moves_and_stopping_stops(void **state)
{
	struct timer_wheel wheel = wheel_at(0);
	timer_wheel_set(&wheel, 1, 100);
	timer_wheel_set(&wheel, 1, 50);
	timer_wheel_set(&wheel, 2, 50);
	timer_wheel_set(&wheel, 2, 70000);
	timer_wheel_set(&wheel, 3, 60);
	timer_wheel_stop(&wheel, 3);
	timer_wheel_stop(&wheel, 3);
	timer_wheel_stop(&wheel, 4);
	expect_expiry(&wheel, 1, 50);
	expect_expiry(&wheel, 2, 70000);
	assert_int_equal(timer_wheel_expire(&wheel, 200000), TIMER_NONE);
	timer_wheel_free(&wheel);
}

/* A late call gets all of them, one by one, in the order of their time; one that is stopped in between is not among
 * them, and one that is set in between and is due also comes. */
static void a_late_call_catches_up(void **state)
{
	struct timer_wheel wheel = wheel_at(0xfffffff0);
	timer_wheel_set(&wheel, 0, 300);
	timer_wheel_set(&wheel, 1, 5);
	timer_wheel_set(&wheel, 2, 5);
	timer_wheel_set(&wheel, 3, 90);
	timer_wheel_set(&wheel, 4, 1000);
	uint32_t late = 0xfffffff0 + 999;
	assert_int_equal(timer_wheel_expire(&wheel, late), 1);
	assert_int_equal(wheel.now, 0xfffffff5);
	timer_wheel_stop(&wheel, 2);
	timer_wheel_set(&wheel, 5, 20);
	assert_int_equal(timer_wheel_expire(&wheel, late), 5);
	assert_int_equal(timer_wheel_expire(&wheel, late), 3);
	timer_wheel_set(&wheel, 3, 10000);
	assert_int_equal(timer_wheel_expire(&wheel, late), 0);
	assert_int_equal(timer_wheel_expire(&wheel, late), TIMER_NONE);
	assert_int_equal(timer_wheel_expire(&wheel, late + 1), 4);
	timer_wheel_free(&wheel);
}

/* A worker takes only so many in a tick: the rest is still there in the same millisecond and in the next. */
static void the_rest_of_a_slot_waits(void **state)
{
	struct timer_wheel wheel = wheel_at(10);
	bool seen[OBJECTS] = {false};
	for (uint32_t i = 0; i < OBJECTS; i++)
		timer_wheel_set(&wheel, i, 256);
	for (uint32_t i = 0; i < OBJECTS; i++) {
		uint32_t index = timer_wheel_expire(&wheel, 266 + i / 20);
		assert_in_range(index, 0, OBJECTS - 1);
		assert_false(seen[index]);
		seen[index] = true;
	}
	assert_int_equal(timer_wheel_expire(&wheel, 300), TIMER_NONE);
	timer_wheel_free(&wheel);
}

static uint32_t random_delay(struct seeded_random *random)
{
	static const uint32_t masks[] = {0x3, 0xff, 0x3ff, 0xffff, 0x3ffff, 0x1fffff};
	return (uint32_t)random_next(random) & masks[random_next(random) % 6];
}

static void check_expired(struct timer_wheel *wheel, struct model *model, uint32_t now)
{
	uint32_t index;
	while ((index = timer_wheel_expire(wheel, now)) != TIMER_NONE) {
		assert_in_range(index, 0, OBJECTS - 1);
		assert_true(model->set[index]);
		assert_int_equal(model->deadline[index], wheel->now);
		model->set[index] = false;
	}
	assert_int_equal(wheel->now, now);
	for (uint32_t i = 0; i < OBJECTS; i++)
		assert_false(model->set[i] && (int32_t)(model->deadline[i] - now) <= 0);
}

static void random_operation(struct timer_wheel *wheel, struct model *model, struct seeded_random *random)
{
	uint32_t i = (uint32_t)(random_next(random) % OBJECTS);
	if (random_next(random) % 4 == 0) {
		timer_wheel_stop(wheel, i);
		model->set[i] = false;
		return;
	}
	uint32_t delay = random_delay(random);
	timer_wheel_set(wheel, i, delay);
	model->set[i] = true;
	model->deadline[i] = wheel->now + (delay ? delay : 1);
}

static void random_use_matches_a_plain_list(void **state)
{
	for (uint64_t seed = 1; seed <= 8; seed++) {
		struct seeded_random random = {seed};
		struct model model = {0};
		/* The clock wraps in every run, and crosses borders of all levels. */
		uint32_t now = 0u - 3000000u;
		struct timer_wheel wheel = wheel_at(now);
		for (unsigned round = 0; round < 40000; round++) {
			for (uint64_t n = random_next(&random) % 4; n > 0; n--)
				random_operation(&wheel, &model, &random);
			bool jump = random_next(&random) % 50 == 0;
			now += jump ? (uint32_t)(random_next(&random) % 20000) : (uint32_t)(random_next(&random) % 3);
			check_expired(&wheel, &model, now);
		}
		assert_true(now < 0x40000000); /* it did wrap */
		timer_wheel_free(&wheel);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nothing_set_nothing_expires),
	    cmocka_unit_test(it_expires_on_the_millisecond),
	    cmocka_unit_test(zero_counts_as_one),
	    cmocka_unit_test(long_delays_are_cut),
	    cmocka_unit_test(setting_again_moves_and_stopping_stops),
	    cmocka_unit_test(a_late_call_catches_up),
	    cmocka_unit_test(the_rest_of_a_slot_waits),
	    cmocka_unit_test(random_use_matches_a_plain_list),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
