/* hold: every limit from both sides, with a simulated clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "control/state/hold.h"

static void the_window_is_sixty_seconds(void **state)
{
	struct hold_window window = {0};
	int64_t now = 1700000000000;
	assert_int_equal(hold_window_sum(&window, now), 0);
	hold_window_add(&window, now, 3);
	hold_window_add(&window, now + 500, 2);
	hold_window_add(&window, now + 30000, 10);
	assert_int_equal(hold_window_sum(&window, now + 30000), 15);
	assert_int_equal(hold_window_sum(&window, now + 59000), 15);
	assert_int_equal(hold_window_sum(&window, now + 60000), 10);
	assert_int_equal(hold_window_sum(&window, now + 90000), 0);
	hold_window_add(&window, now + 120000, 1); /* the place of the first */
	assert_int_equal(hold_window_sum(&window, now + 120000), 1);
	assert_int_equal(hold_window_sum(&window, now), 0); /* a clock that was set back */
}

static void assert_routes(enum hold_reason reason, struct hold_question question)
{
	assert_int_equal(hold_routes(&question), reason);
}

static void nothing_would_be_left(void **state)
{
	assert_routes(HOLD_ALL, (struct hold_question){.staying = 0, .going = 8, .going_to_serve = 8});
	assert_routes(HOLD_ALL, (struct hold_question){.staying = 0, .going = 1, .going_to_serve = 1});
	assert_routes(HOLD_NONE, (struct hold_question){.staying = 1, .going = 7, .going_to_serve = 7});
	assert_routes(HOLD_NONE, (struct hold_question){.staying = 0, .going = 60, .going_to_serve = 0}); /* parked */
	assert_routes(HOLD_NONE, (struct hold_question){.staying = 0});
}

static struct hold_question of(size_t counted, size_t going, size_t gone)
{
	return (struct hold_question){.staying = counted + 1 - going,
	                              .going = going,
	                              .going_to_serve = going,
	                              .counted = counted,
	                              .counted_going = going,
	                              .counted_gone = gone};
}

static void many_routes(void **state)
{
	assert_routes(HOLD_NONE, of(60, 18, 0)); /* exactly 30 % */
	assert_routes(HOLD_MANY, of(60, 19, 0));
	assert_routes(HOLD_NONE, of(10, 9, 0)); /* fewer than 10 */
	assert_routes(HOLD_MANY, of(11, 10, 0));
	assert_routes(HOLD_NONE, of(100, 0, 0));
}

static void a_burst_counts_as_one(void **state)
{
	assert_routes(HOLD_NONE, of(42, 0, 18));
	assert_routes(HOLD_MANY, of(42, 1, 18));
	assert_routes(HOLD_NONE, of(43, 1, 17));
	assert_routes(HOLD_MANY, of(3, 1, 9));
	assert_routes(HOLD_NONE, of(4, 1, 8));
}

static void hosts(void **state)
{
	struct hold_question question = of(4, 2, 0);
	assert_int_equal(hold_hosts(&question), HOLD_NONE); /* exactly half */
	question = of(4, 3, 0);
	assert_int_equal(hold_hosts(&question), HOLD_MANY);
	question = of(3, 2, 0);
	assert_int_equal(hold_hosts(&question), HOLD_MANY);
	question = of(1, 1, 0);
	assert_int_equal(hold_hosts(&question), HOLD_NONE); /* fewer than 2 */
	question = of(2, 1, 1);
	assert_int_equal(hold_hosts(&question), HOLD_MANY);
	question.staying = 0;
	assert_int_equal(hold_hosts(&question), HOLD_ALL);
}

static void lists_that_say_the_same_for_long_enough(void **state)
{
	struct hold hold = {.reason = HOLD_MANY, .since = 1000};
	assert_false(hold_listed(&hold, 10, 5000));
	assert_int_equal(hold.listed, 5000);
	assert_false(hold_listed(&hold, 10, 604999));
	assert_true(hold_listed(&hold, 10, 605000));
	assert_false(hold_listed(&hold, 0, 605000));
	hold.reason = HOLD_ALL;
	assert_false(hold_listed(&hold, 10, 99999999));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_window_is_sixty_seconds),
	    cmocka_unit_test(nothing_would_be_left),
	    cmocka_unit_test(many_routes),
	    cmocka_unit_test(a_burst_counts_as_one),
	    cmocka_unit_test(hosts),
	    cmocka_unit_test(lists_that_say_the_same_for_long_enough),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
