/* health: each rule with a simulated clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "control/health/health.h"

static const struct health_spec spec = {
    .port = 1936, .path = "/", .interval = 5000, .timeout = 2000, .rise = 2, .fall = 2};

enum { START = 1000000 };

/* A check that begins at `now` and ends at once. */
static bool check_at(struct health *health, enum check_kind kind, uint64_t now)
{
	health_begin(health, &spec, now, 0);
	return health_result(health, &spec, (struct check_result){kind, 0}, now, (int64_t)now);
}

static struct health up_host(void)
{
	struct health health;
	health_init(&health, START);
	assert_true(check_at(&health, CHECK_OK, START));
	assert_int_equal(health.state, HEALTH_UP);
	return health;
}

static void new_host_is_due_at_once_and_one_success_is_enough(void **state)
{
	struct health health;
	health_init(&health, START);
	assert_int_equal(health.state, HEALTH_UNKNOWN);
	assert_true(health_due(&health, START));
	health_begin(&health, &spec, START, 0);
	assert_false(health_due(&health, START + 100000));
	assert_true(health_result(&health, &spec, (struct check_result){CHECK_OK, 200}, START + 5, 42));
	assert_int_equal(health.state, HEALTH_UP);
	assert_int_equal(health.changed_at, 42);
	assert_int_equal(health.checked_at, 42);
}

static void new_host_that_fails_stays_unknown(void **state)
{
	struct health health;
	health_init(&health, START);
	for (int i = 0; i < 5; i++)
		assert_false(check_at(&health, CHECK_REFUSED, START + (uint64_t)i * 5000));
	assert_int_equal(health.state, HEALTH_UNKNOWN);
	assert_int_equal(health.last.kind, CHECK_REFUSED);
	assert_true(check_at(&health, CHECK_OK, START + 50000));
	assert_int_equal(health.state, HEALTH_UP);
}

static void interval_is_spread_within_ten_percent(void **state)
{
	uint64_t least = UINT64_MAX, most = 0;
	for (uint32_t random = 0; random < 1000; random++) {
		struct health health;
		health_init(&health, START);
		health_begin(&health, &spec, START, random * 7919);
		least = health.next_at < least ? health.next_at : least;
		most = health.next_at > most ? health.next_at : most;
	}
	assert_int_equal(most, START + 4900);
	assert_int_equal(least, START + 4500);
	struct health_spec tiny = spec;
	struct health health;
	tiny.interval = 5;
	health_init(&health, START);
	health_begin(&health, &tiny, START, 77);
	assert_int_equal(health.next_at, START + 5);
}

static void refused_is_down_at_once(void **state)
{
	struct health health = up_host();
	assert_true(check_at(&health, CHECK_REFUSED, START + 5000));
	assert_int_equal(health.state, HEALTH_DOWN);
}

static void other_failures_count_and_the_next_check_comes_after_a_second(void **state)
{
	static const enum check_kind kinds[] = {CHECK_STATUS,          CHECK_REDIRECT,       CHECK_UNREACHABLE,
	                                        CHECK_CONNECT_TIMEOUT, CHECK_ANSWER_TIMEOUT, CHECK_NOT_HTTP,
	                                        CHECK_INCOMPLETE,      CHECK_RESET,          CHECK_TOO_LARGE};
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct health health = up_host();
		assert_false(check_at(&health, kinds[i], START + 5000));
		assert_int_equal(health.state, HEALTH_UP);
		assert_int_equal(health.next_at, START + 6000);
		assert_true(check_at(&health, kinds[i], START + 6000));
		assert_int_equal(health.state, HEALTH_DOWN);
		assert_int_equal(health.last.kind, kinds[i]);
		assert_int_equal(health.next_at, START + 10900);
	}
}

static void a_success_between_failures_begins_the_count_again(void **state)
{
	struct health health = up_host();
	for (uint64_t now = START; now < START + 50000; now += 2000) {
		assert_false(check_at(&health, CHECK_STATUS, now));
		assert_false(check_at(&health, CHECK_OK, now + 1000));
	}
	assert_int_equal(health.state, HEALTH_UP);
}

static void down_needs_two_successes_in_a_row(void **state)
{
	struct health health = up_host();
	check_at(&health, CHECK_REFUSED, START + 5000);
	assert_false(check_at(&health, CHECK_OK, START + 10000));
	assert_false(check_at(&health, CHECK_STATUS, START + 15000));
	assert_int_equal(health.next_at, START + 16000);
	assert_false(check_at(&health, CHECK_OK, START + 20000));
	assert_true(check_at(&health, CHECK_OK, START + 25000));
	assert_int_equal(health.state, HEALTH_UP);
}

static void a_check_that_could_not_be_made_changes_nothing(void **state)
{
	struct health health = up_host();
	for (int i = 0; i < 10; i++)
		assert_false(check_at(&health, CHECK_FAILED, START + 5000 + (uint64_t)i));
	assert_int_equal(health.state, HEALTH_UP);
	assert_int_equal(health.last.kind, CHECK_OK);
	assert_true(health.next_at <= START + 5000 + 9 + 1000);
}

static void a_time_out_that_comes_too_late_changes_nothing(void **state)
{
	struct health health = up_host();
	for (uint64_t now = START + 5000; now < START + 500000; now += 60000) {
		health_begin(&health, &spec, now, 0); /* and we are stopped for a minute */
		assert_false(
		    health_result(&health, &spec, (struct check_result){CHECK_ANSWER_TIMEOUT, 0}, now + 60000, 1));
	}
	assert_int_equal(health.state, HEALTH_UP);
	assert_int_equal(health.last.kind, CHECK_OK);
	health_begin(&health, &spec, START + 600000, 0);
	health_result(&health, &spec, (struct check_result){CHECK_ANSWER_TIMEOUT, 0}, START + 602001, 1);
	assert_int_equal(health.last.kind, CHECK_ANSWER_TIMEOUT);
}

static void stale_up_is_kept_until_checks_say_otherwise(void **state)
{
	struct health health;
	health_restore(&health, HEALTH_UP, (struct check_result){CHECK_OK, 200}, 7, START);
	assert_true(health.stale && health_due(&health, START));
	assert_int_equal(health.state, HEALTH_UP);
	assert_int_equal(health.changed_at, 7);
	assert_true(check_at(&health, CHECK_OK, START)); /* known again: worth telling */
	assert_false(health.stale);
	assert_int_equal(health.changed_at, 7);

	health_restore(&health, HEALTH_UP, (struct check_result){CHECK_OK, 200}, 7, START);
	assert_false(check_at(&health, CHECK_ANSWER_TIMEOUT, START));
	assert_int_equal(health.state, HEALTH_UP);
	assert_true(check_at(&health, CHECK_ANSWER_TIMEOUT, START + 1000));
	assert_int_equal(health.state, HEALTH_DOWN);

	health_restore(&health, HEALTH_UP, (struct check_result){CHECK_OK, 200}, 7, START);
	assert_true(check_at(&health, CHECK_REFUSED, START));
	assert_int_equal(health.state, HEALTH_DOWN);
}

static void stale_down_needs_one_success(void **state)
{
	struct health health;
	health_restore(&health, HEALTH_DOWN, (struct check_result){CHECK_REFUSED, 0}, 7, START);
	assert_true(check_at(&health, CHECK_OK, START));
	assert_int_equal(health.state, HEALTH_UP);
	health_restore(&health, HEALTH_DOWN, (struct check_result){CHECK_REFUSED, 0}, 7, START);
	assert_true(check_at(&health, CHECK_REFUSED, START));
	assert_false(health.stale);
	assert_false(check_at(&health, CHECK_OK, START + 5000));
	assert_int_equal(health.state, HEALTH_DOWN);
}

static void failing_traffic_takes_out_only_with_others_up(void **state)
{
	struct health health = up_host();
	assert_false(health_traffic_fails(&health, false, START + 100, 5));
	assert_int_equal(health.state, HEALTH_UP);
	assert_true(health_due(&health, START + 100));
	health = up_host();
	assert_true(health_traffic_fails(&health, true, START + 100, 5));
	assert_int_equal(health.state, HEALTH_DOWN);
	assert_int_equal(health.last.kind, CHECK_TRAFFIC);
	assert_true(health_due(&health, START + 100));
	assert_false(health_traffic_fails(&health, true, START + 200, 6));
}

static void a_success_after_failing_traffic_is_announced(void **state)
{
	struct health health = up_host();
	health_traffic_fails(&health, false, START + 100, 5);
	assert_false(health.announce);
	check_at(&health, CHECK_OK, START + 100);
	assert_true(health.announce);
	health.announce = false;
	check_at(&health, CHECK_OK, START + 5100);
	assert_false(health.announce);
}

static void failing_traffic_during_a_check_asks_for_another_one(void **state)
{
	struct health health = up_host();
	health_begin(&health, &spec, START + 5000, 0);
	health_traffic_fails(&health, false, START + 5001, 5);
	assert_false(health_due(&health, START + 5001));
	health_result(&health, &spec, (struct check_result){CHECK_OK, 200}, START + 5002, 6);
	assert_true(health_due(&health, START + 5002));
	health_begin(&health, &spec, START + 5002, 0);
	health_result(&health, &spec, (struct check_result){CHECK_OK, 200}, START + 5003, 6);
	assert_false(health_due(&health, START + 5003));
}

/* From the last good check of a host that goes silent: next check, time-out, 1 s, time-out. */
static void a_silent_host_is_out_within_twelve_seconds(void **state)
{
	struct health health = up_host();
	uint64_t now = health.next_at;
	for (;;) {
		health_begin(&health, &spec, now, 0);
		now += spec.timeout;
		if (health_result(&health, &spec, (struct check_result){CHECK_CONNECT_TIMEOUT, 0}, now, 1))
			break;
		now = health.next_at;
	}
	assert_true(now - START <= 12000);
}

static void the_last_changes_are_remembered(void **state)
{
	struct health health = up_host();
	uint64_t now = START;
	for (int i = 0; i < 2 * HEALTH_CHANGES_MAX; i++) {
		now += 10000;
		check_at(&health, i % 2 ? CHECK_OK : CHECK_REFUSED, now);
		if (i % 2)
			check_at(&health, CHECK_OK, ++now); /* rise 2 */
	}
	assert_int_equal(health.change_count, HEALTH_CHANGES_MAX);
	assert_int_equal(health.changes[0].state, HEALTH_UP);
	assert_int_equal(health.changes[0].at, (int64_t)now);
	assert_int_equal(health.changes[0].why.kind, CHECK_OK);
	assert_int_equal(health.changes[1].state, HEALTH_DOWN);
	assert_int_equal(health.changes[1].why.kind, CHECK_REFUSED);
	for (unsigned i = 1; i < HEALTH_CHANGES_MAX; i++)
		assert_true(health.changes[i].at < health.changes[i - 1].at);
	/* What was saved comes behind; there is no room for more. */
	health_add_earlier(&health, &(struct health_change){.at = 1});
	assert_int_equal(health.change_count, HEALTH_CHANGES_MAX);
	struct health fresh;
	health_init(&fresh, START);
	health_add_earlier(&fresh, &(struct health_change){.at = 1, .state = HEALTH_DOWN});
	check_at(&fresh, CHECK_OK, START);
	assert_int_equal(fresh.change_count, 2);
	assert_int_equal(fresh.changes[1].at, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(new_host_is_due_at_once_and_one_success_is_enough),
	    cmocka_unit_test(new_host_that_fails_stays_unknown),
	    cmocka_unit_test(interval_is_spread_within_ten_percent),
	    cmocka_unit_test(refused_is_down_at_once),
	    cmocka_unit_test(other_failures_count_and_the_next_check_comes_after_a_second),
	    cmocka_unit_test(a_success_between_failures_begins_the_count_again),
	    cmocka_unit_test(down_needs_two_successes_in_a_row),
	    cmocka_unit_test(a_check_that_could_not_be_made_changes_nothing),
	    cmocka_unit_test(a_time_out_that_comes_too_late_changes_nothing),
	    cmocka_unit_test(stale_up_is_kept_until_checks_say_otherwise),
	    cmocka_unit_test(stale_down_needs_one_success),
	    cmocka_unit_test(failing_traffic_takes_out_only_with_others_up),
	    cmocka_unit_test(a_success_after_failing_traffic_is_announced),
	    cmocka_unit_test(failing_traffic_during_a_check_asks_for_another_one),
	    cmocka_unit_test(a_silent_host_is_out_within_twelve_seconds),
	    cmocka_unit_test(the_last_changes_are_remembered),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
