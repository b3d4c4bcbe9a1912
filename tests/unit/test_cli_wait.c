/* cli/wait: until it is empty, until the time is over, until somebody calls it off; until it is applied. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "cli_server.h"

static const char done[] = "{\"revision\": 8, \"changed\": true, \"applied\": true}";
static const char draining[] = "{\"name\": \"v1\", \"state\": \"draining\", \"drain\": {\"drained_at\": null}}";
static const char two_left[] = "{\"total\": 2, \"oldest_seconds\": 3700, \"by_route\": [{\"route\": \"a.ch\", "
                               "\"cluster\": \"v1\", \"count\": 2}]}";
static const char none_left[] = "{\"total\": 0, \"by_route\": []}";

static int setup(void **state)
{
	cli_server_reset();
	cli_server_say("POST", "/api/v1/clusters/v1/drain", 200, done, 0);
	return 0;
}

static void a_drain_ends_with_its_last_connection(void **state)
{
	cli_server_say("GET", "/api/v1/clusters/v1/status", 200, draining, 0);
	cli_server_say("GET", "/api/v1/connections?limit=1&cluster=v1", 200, two_left, 1);
	cli_server_say("GET", "/api/v1/connections?limit=1&cluster=v1", 200, none_left, 0);
	struct cli_result result = cli_result_of("cluster", "drain", "v1", "--timeout", "30m", "--wait", NULL);
	assert_int_equal(result.status, 0);
	assert_non_null(strstr(result.out, "v1: 2 connections left, oldest 1h01m, closed in 30m00s: a.ch 2\n"));
	assert_non_null(strstr(result.out, "v1: 0 connections left\n"));
	cli_result_free(&result);
}

static void connections_that_were_closed_are_a_timeout(void **state)
{
	cli_server_say("GET", "/api/v1/clusters/v1/status", 200, draining, 1);
	cli_server_say("GET", "/api/v1/clusters/v1/status", 200,
	               "{\"state\": \"draining\", \"drain\": {\"deadline\": \"2026-01-31T09:00:00.000Z\", "
	               "\"drained_at\": \"2026-01-31T09:00:00.010Z\"}}",
	               0);
	cli_server_say("GET", "/api/v1/connections?limit=1&cluster=v1", 200, two_left, 1);
	cli_server_say("GET", "/api/v1/connections?limit=1&cluster=v1", 200, none_left, 0);
	cli_expect(2, NULL, "the time was over: the connections that were left (2) were closed", "cluster", "drain",
	           "v1", "--timeout", "1h", "--wait", NULL);
}

static void connections_that_ended_in_time_are_not(void **state)
{
	cli_server_say("GET", "/api/v1/clusters/v1/status", 200, draining, 1);
	cli_server_say("GET", "/api/v1/clusters/v1/status", 200,
	               "{\"state\": \"draining\", \"drain\": {\"deadline\": \"2026-01-31T09:00:00.000Z\", "
	               "\"drained_at\": \"2026-01-31T08:59:59.999Z\"}}",
	               0);
	cli_server_say("GET", "/api/v1/connections?limit=1&cluster=v1", 200, two_left, 1);
	cli_server_say("GET", "/api/v1/connections?limit=1&cluster=v1", 200, none_left, 0);
	cli_expect(0, NULL, "", "cluster", "drain", "v1", "--timeout", "1h", "--wait", NULL);
}

static void a_drain_that_is_called_off_is_a_failure(void **state)
{
	cli_server_say("POST", "/api/v1/hosts/v1/r1/drain", 200, done, 0);
	cli_server_say("GET", "/api/v1/hosts/v1/r1", 200, "{\"host\": {\"admin\": \"enabled\"}}", 0);
	cli_expect(1, NULL, "v1/r1 is enabled again: somebody has called the drain off", "host", "drain", "v1/r1",
	           "--wait", NULL);
}

static void a_silent_control_is_waited_for(void **state)
{
	cli_server_say("GET", "/api/v1/clusters/v1/status", 200, draining, 0);
	cli_server_say("GET", "/api/v1/connections?limit=1&cluster=v1", 503, "{\"detail\": \"no dataplane\"}", 1);
	cli_server_say("GET", "/api/v1/connections?limit=1&cluster=v1", 200, none_left, 0);
	cli_expect(0, "the dataplane does not answer; waiting for it", "", "cluster", "drain", "v1", "--wait", NULL);
}

static void with_json_progress_goes_to_stderr(void **state)
{
	cli_server_say("GET", "/api/v1/clusters/v1/status", 200, draining, 0);
	cli_server_say("GET", "/api/v1/connections?limit=1&cluster=v1", 200, none_left, 0);
	struct cli_result result = cli_result_of("cluster", "drain", "v1", "--wait", "--json", NULL);
	assert_int_equal(result.status, 0);
	assert_memory_equal(result.out, done, strlen(done));
	assert_string_equal(result.out + strlen(done), "\n");
	assert_non_null(strstr(result.err, "0 connections left"));
	cli_result_free(&result);
}

static void a_plan_waits_for_nothing(void **state)
{
	cli_server_reset();
	cli_server_say("POST", "/api/v1/clusters/v1/drain", 200,
	               "{\"revision\": 7, \"changed\": true, \"dry_run\": true}", 0);
	cli_expect(0, "nothing was done", "", "cluster", "drain", "v1", "--plan", "--wait", NULL);
	assert_int_equal(cli_server_calls(), 1);
}

static void a_change_is_waited_for_until_it_is_applied(void **state)
{
	cli_server_say("POST", "/api/v1/routes/a.ch/rollback", 200,
	               "{\"revision\": 8, \"changed\": true, \"applied\": false}", 0);
	cli_server_say("GET", "/api/v1/status", 200, "{\"applied_revision\": 7, \"dataplane\": {\"state\": \"ready\"}}",
	               1);
	cli_server_say("GET", "/api/v1/status", 200, "{\"applied_revision\": 8, \"dataplane\": {\"state\": \"ready\"}}",
	               0);
	cli_expect(0, "Done, revision 8", "", "rollback", "a.ch", "--wait", NULL);
	assert_int_equal(cli_server_calls(), 3);
}

static int start(void **state)
{
	cli_server_start();
	return 0;
}

static int stop(void **state)
{
	cli_server_stop();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(a_drain_ends_with_its_last_connection, setup),
	    cmocka_unit_test_setup(connections_that_were_closed_are_a_timeout, setup),
	    cmocka_unit_test_setup(connections_that_ended_in_time_are_not, setup),
	    cmocka_unit_test_setup(a_drain_that_is_called_off_is_a_failure, setup),
	    cmocka_unit_test_setup(a_silent_control_is_waited_for, setup),
	    cmocka_unit_test_setup(with_json_progress_goes_to_stderr, setup),
	    cmocka_unit_test_setup(a_plan_waits_for_nothing, setup),
	    cmocka_unit_test_setup(a_change_is_waited_for_until_it_is_applied, setup),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
