/* check_now: the answer comes when every host has had a result of its own, or when it takes too long. */
#include "control/health/check_now.h"
#include "control_fixture.h"
#include "fake_checker.h"
#include "traffic_fixture.h"

static int setup(void **state)
{
	traffic_begin_alone("");
	return 0;
}

static int teardown(void **state)
{
	traffic_end();
	return 0;
}

static struct api_reply got; /* the last answer */

static void answered(void *context, struct api_reply reply)
{
	api_reply_free(&got);
	got = reply;
}

static void begin(const char *cluster)
{
	api_reply_free(&got);
	api_later_await(check_now_begin(&traffic.control, state_cluster(&traffic.control.state, cluster)), answered,
	                NULL);
}

static void all_results(void **state)
{
	begin("ose1");
	TRAFFIC_AWAIT(fake_checker_running("203.0.113.11") && fake_checker_running("203.0.113.12"));
	assert_null(fake_checker_running("203.0.113.21")); /* of another cluster */
	fake_checker_finish("203.0.113.11", CHECK_OK, 200);
	traffic_turns(5);
	assert_int_equal(got.status, 0);
	fake_checker_finish("203.0.113.12", CHECK_REFUSED, 0);
	traffic_turns(5);
	assert_int_equal(got.status, 200);
	assert_int_equal(traffic_number(got.json, "healthy_hosts"), 1);
	assert_string_equal(traffic_text(got.json, "name"), "ose1");
	assert_int_equal(traffic_number(got.json, "revision"), 1);
	api_reply_free(&got);
}

static void a_check_that_runs_already_does_not_count(void **state)
{
	begin("ose2");
	TRAFFIC_AWAIT(fake_checker_running("203.0.113.21"));
	begin("ose2"); /* for the first one the check that runs is enough, for this one it is not */
	fake_checker_finish("203.0.113.21", CHECK_OK, 200);
	traffic_turns(2);
	api_reply_free(&got);
	TRAFFIC_AWAIT(fake_checker_running("203.0.113.21"));
	fake_checker_finish("203.0.113.21", CHECK_OK, 200);
	TRAFFIC_AWAIT(got.status == 200);
	api_reply_free(&got);
}

static void it_does_not_wait_for_ever(void **state)
{
	uint64_t begun_at = clock_monotonic_ms();
	begin("ose1");
	TRAFFIC_AWAIT(got.status != 0);
	assert_in_range(clock_monotonic_ms() - begun_at, CHECK_NOW_MS - 50, CHECK_NOW_MS + 2000);
	assert_int_equal(got.status, 200);
	api_reply_free(&got);
}

static void a_cluster_that_goes(void **state)
{
	begin("ose1");
	control_delete(&traffic.control, "ose1", &fixture_actor);
	check_now_look(&traffic.control);
	traffic_turns(2);
	TRAFFIC_AWAIT(got.status != 0);
	assert_int_equal(got.status, 404);
	api_reply_free(&got);
}

static void not_too_many(void **state)
{
	const struct cluster *cluster = state_cluster(&traffic.control.state, "ose1");
	struct api_later *later[CHECK_WAITS_MAX];
	for (unsigned i = 0; i < CHECK_WAITS_MAX; i++) {
		later[i] = check_now_begin(&traffic.control, cluster);
		assert_non_null(later[i]);
		api_later_await(later[i], answered, NULL);
		api_later_forget(later[i]);
	}
	assert_null(check_now_begin(&traffic.control, cluster));
	/* The end of control answers to nobody. */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(all_results),
	    TEST(a_check_that_runs_already_does_not_count),
	    TEST(it_does_not_wait_for_ever),
	    TEST(a_cluster_that_goes),
	    TEST(not_too_many),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
