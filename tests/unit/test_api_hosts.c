/* api_hosts: which host is meant, what is refused, and that what the operator says of a host stays said. */
#include "control/observe/history.h"
#include "control/state/host_mode.h"
#include "control/observe/journal.h"
#include "control/feed/table.h"
#include "control_fixture.h"
#include "route_fixture.h"

#include <string.h>

#define R1 "/api/v1/hosts/ose1/r1"
#define R2 "/api/v1/hosts/ose1/r2"

static const struct cluster *ose1(void)
{
	return state_cluster(&fixture_control.state, "ose1");
}

static void shown_by_any_name(void **state)
{
	static const char *const names[] = {"r1", "203.0.113.11", "203.0.113.11:80"};
	for (size_t i = 0; i < 3; i++) {
		char path[80];
		snprintf(path, sizeof(path), "/api/v1/hosts/ose1/%s", names[i]);
		fixture_ask(200, "GET", path, NULL);
		assert_string_equal(fixture_text("host.id"), "ose1/203.0.113.11:80");
		assert_string_equal(fixture_text("host.admin"), "enabled");
		assert_true(json_is_null(fixture_at("host.drain")));
		assert_true(json_is_array(fixture_at("host.history")));
		assert_true(json_is_null(fixture_at("host.new_per_second"))); /* no second was counted yet */
	}
	struct history *history = fixture_control.history;
	const uint64_t values[history_value_count] = {[VALUE_NEW] = 12};
	history_begin(history, 1000, HISTORY_FULL);
	history_set(history, HISTORY_HOST, ose1()->spec->hosts[0].id, values);
	for (int i = 0; i < 2; i++) {
		fixture_ask(200, "GET", i == 0 ? "/api/v1/hosts/ose1/r1" : "/api/v1/hosts/ose1/r2", NULL);
		assert_int_equal((int)fixture_number("host.new_per_second"), i == 0 ? 12 : 0);
	}
	fixture_ask(404, "GET", "/api/v1/hosts/ose1/r3", NULL);
	fixture_ask(404, "GET", "/api/v1/hosts/ose9/r1", NULL);
	assert_int_equal(fixture_ask(200, "GET", "/api/v1/hosts?cluster=ose2", NULL), 1);
	assert_int_equal(fixture_ask(200, "GET", "/api/v1/hosts", NULL), 3);
	fixture_ask(404, "GET", "/api/v1/hosts?cluster=ose9", NULL);
}

static void one_name_for_two_is_refused(void **state)
{
	fixture_put(
	    "{'name': 'ose1', 'source': 'static', 'hosts': [{'name': 'a', 'address': '192.0.2.1', 'http_port': 80},"
	    "{'name': 'b', 'address': '192.0.2.1', 'http_port': 81}]}");
	fixture_refused(409, "stands for 2 router hosts; name one of them: ose1/192.0.2.1:80, ose1/192.0.2.1:81",
	                "POST", "/api/v1/hosts/ose1/192.0.2.1/drain", "{'force': true}");
	fixture_written(true, "POST", "/api/v1/hosts/ose1/192.0.2.1:81/drain", "{'force': true}");
}

static void drained_and_enabled(void **state)
{
	fixture_health("ose1", HEALTH_UP);
	assert_true(table_elects(ose1(), 0));
	fixture_planned(true, "POST", R1 "/drain?dry_run=true", "{'timeout': '30m'}");
	assert_true(table_elects(ose1(), 0));
	fixture_written(true, "POST", R1 "/drain?reason=disk", "{'timeout': '30m'}");
	fixture_journal(
	    "host_drain_started",
	    "router host ose1/r1 (203.0.113.11): drains: it gets no new connections; what is left after 30m is "
	    "closed",
	    "disk");
	assert_string_equal(fixture_text("host.admin"), "draining");
	assert_string_equal(fixture_text("host.drain.reason"), "disk");
	assert_string_equal(fixture_text("host.drain.by"), "loopback@127.0.0.1");
	assert_true(json_is_string(fixture_at("host.drain.deadline")));
	assert_true(json_is_false(fixture_at("host.elected")));
	assert_false(table_elects(ose1(), 0));
	assert_true(table_elects(ose1(), 1));
	fixture_written(false, "POST", R1 "/drain", "{'timeout': 1800}"); /* the same */
	fixture_written(true, "POST", R1 "/drain", NULL);                 /* without a deadline now */
	fixture_ask(200, "GET", R1, NULL);
	assert_true(json_is_null(fixture_at("host.drain.deadline")));
	fixture_written(true, "POST", R1 "/disable", NULL);
	fixture_written(false, "POST", R1 "/disable", "{'close': false}");
	fixture_written(true, "POST", R1 "/disable", "{'close': true}");
	fixture_written(false, "POST", R1 "/disable", NULL);
	fixture_written(true, "POST", R1 "/enable", NULL);
	fixture_journal("host_enabled", "router host ose1/r1 (203.0.113.11): may get new connections again", NULL);
	fixture_written(false, "POST", R1 "/enable", NULL);
	assert_true(table_elects(ose1(), 0));
}

static void the_last_one_is_kept(void **state)
{
	fixture_health("ose1", HEALTH_UP);
	fixture_written(true, "POST", R1 "/drain", NULL);
	fixture_refused(409, "is the last router host of cluster ose1 that gets new connections", "POST", R2 "/drain",
	                NULL);
	assert_true(json_is_true(fixture_at("forceable")));
	fixture_planned(false, "POST", R2 "/disable?dry_run=true", NULL);
	assert_true(json_is_true(fixture_at("plan.refused")));
	assert_true(json_is_true(fixture_at("plan.forceable")));
	assert_string_equal(fixture_text("plan.level"), "red");
	assert_non_null(strstr(fixture_text("plan.notes[0]"), "or force it"));
	assert_int_equal((int)fixture_number("plan.red"), 1);
	assert_string_equal(fixture_text("plan.changes[0].notes[1]"),
	                    "cluster ose1 has it, but is without a router host that gets new connections");
	fixture_written(true, "POST", R2 "/drain", "{'force': true}");
	fixture_written(true, "POST", R2 "/disable", NULL); /* it is out already */
	fixture_written(true, "POST", R1 "/enable", NULL);
	fixture_written(true, "POST", R2 "/enable", NULL);
	/* Another one that is down is no other one. */
	fixture_health("ose1", HEALTH_DOWN);
	fixture_refused(409, "last router host", "POST", R1 "/drain", NULL);
	/* Without new connections there is nothing to lose. */
	fixture_written(true, "POST", "/api/v1/clusters/ose1/drain", "{'force': true}");
	fixture_written(true, "POST", R1 "/drain", NULL);
}

static void it_stays_said(void **state)
{
	fixture_health("ose1", HEALTH_UP);
	fixture_written(true, "POST", R1 "/drain?reason=disk", "{'timeout': '2h'}");
	int64_t deadline = ose1()->modes.list[0].drain.deadline;
	fixture_restart();
	assert_int_equal(ose1()->modes.count, 1);
	assert_int_equal(ose1()->modes.list[0].mode, HOST_MODE_DRAINING);
	assert_int_equal(ose1()->modes.list[0].drain.deadline, deadline);
	assert_string_equal(ose1()->modes.list[0].drain.reason, "disk");
	/* While it is absent, too. */
	fixture_put("{'name': 'ose1', 'source': 'static', 'hosts': [{'name': 'r2', 'address': '203.0.113.12'}]}");
	fixture_restart();
	fixture_ask(200, "GET", R1, NULL);
	assert_string_equal(fixture_text("host.admin"), "draining");
	fixture_ask(200, "GET", "/api/v1/clusters/ose1/status", NULL);
	assert_string_equal(fixture_text("absent_hosts[0].id"), "ose1/203.0.113.11:80");
	fixture_put(FIXTURE_OSE1);
	fixture_health("ose1", HEALTH_UP);
	assert_false(table_elects(ose1(), 0));
	fixture_written(true, "POST", R1 "/enable", NULL);
	fixture_restart();
	assert_int_equal(ose1()->modes.count, 0);
}

static void bodies_that_are_wrong(void **state)
{
	fixture_refused(400, "$.timeout: \"soon\" is none", "POST", R1 "/drain", "{'timeout': 'soon'}");
	fixture_refused(400, "unknown", "POST", R1 "/drain", "{'close': true}");
	fixture_refused(400, "unknown", "POST", R1 "/enable", "{'force': true}");
	fixture_refused(400, "is an array", "POST", R1 "/disable", "[]");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
	    TEST(shown_by_any_name),   TEST(one_name_for_two_is_refused),
	    TEST(drained_and_enabled), TEST(the_last_one_is_kept),
	    TEST(it_stays_said),       TEST(bodies_that_are_wrong),
	};
	return fixture_run_tests(tests, sizeof(tests) / sizeof(tests[0]));
}
