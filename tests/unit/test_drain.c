/* drain: what drains is told when it is empty, what is left at the deadline is closed, and both outlive control. */
#include "control/drain.h"
#include "control/control.h"
#include "control/observe/journal.h"
#include "control_fixture.h"
#include "fake_checker.h"
#include "traffic_fixture.h"

#include <string.h>

static int setup(void **state)
{
	traffic_begin("");
	return 0;
}

static int teardown(void **state)
{
	traffic_end();
	return 0;
}

static struct cluster *ose1(void)
{
	return state_cluster(&traffic.control.state, "ose1");
}

/* Connections of router host r1 of ose1, half of them on each worker. */
static void connections(uint64_t count)
{
	uint32_t slot = traffic_host_slot("ose1", 0);
	for (unsigned i = 0; i < FAKE_WORKERS; i++)
		shared_set(&shared_hosts_of(shared_worker_at(fake_link.shared, i))[slot].active,
		           i == 0 ? count / 2 : count - count / 2);
}

static void drain_host(enum host_mode mode, uint64_t timeout, bool close)
{
	struct host_setting setting = {.id = ose1()->spec->hosts[0].id,
	                               .mode = mode,
	                               .host = ose1()->spec->hosts[0],
	                               .drain = drain_begin(clock_unix_ms(), timeout, close, &fixture_actor)};
	assert_true(control_host_mode(&traffic.control, ose1(), &setting, &fixture_actor));
}

static void drain_cluster(enum cluster_state to, uint64_t timeout, bool close)
{
	struct cluster_settings settings = control_settings(ose1());
	settings.state = to;
	settings.drain_timeout = timeout;
	settings.closes = close;
	assert_true(control_patch(&traffic.control, ose1(), &settings, &fixture_actor));
}

/* The last entry of this kind; NULL: none. */
static const char *told(const char *kind)
{
	const struct journal *journal = traffic.control.journal;
	for (uint64_t id = journal_last(journal); id >= 1 && id >= journal_oldest(journal); id--)
		if (strcmp(journal_find(journal, id)->kind, kind) == 0)
			return journal_find(journal, id)->text;
	return NULL;
}

static void an_empty_host_is_drained_when_the_workers_know(void **state)
{
	fake_link.acknowledge = false;
	drain_host(HOST_MODE_DRAINING, 0, false);
	traffic_turns(400); /* longer than it looks again */
	assert_null(told("host_drained"));
	fake_link.acknowledge = true;
	traffic.control.feed.resync = traffic.control.table_stale = true;
	TRAFFIC_AWAIT(told("host_drained"));
	assert_string_equal(told("host_drained"), "router host ose1/r1 is drained: no connection is left");
	assert_true(ose1()->modes.list[0].drain.ended > 0);
	assert_null(fake_link_message(MESSAGE_CONNECTIONS, 0));
}

static void without_a_deadline_it_waits(void **state)
{
	connections(3);
	drain_host(HOST_MODE_DRAINING, 0, false);
	TRAFFIC_AWAIT(control_applied(&traffic.control, traffic.control.state.revision));
	traffic_turns(300);
	assert_null(told("host_drained"));
	assert_null(fake_link_message(MESSAGE_CONNECTIONS, 0));
	connections(0);
	TRAFFIC_AWAIT(told("host_drained"));
}

static void at_the_deadline_the_rest_is_closed(void **state)
{
	uint32_t query;
	connections(3);
	drain_host(HOST_MODE_DRAINING, 1000, false);
	const struct message *asked = traffic_asked(MESSAGE_CONNECTIONS, 0, &query);
	assert_int_equal(asked->connections.action, CONNECTIONS_CLOSE);
	assert_int_equal(asked->connections.host, traffic_host_slot("ose1", 0));
	assert_string_equal(told("host_drain_timeout"),
	                    "router host ose1/r1 has 3 connections left after 1s: they are closed");
	for (unsigned i = 0; i < FAKE_WORKERS; i++)
		traffic_end_query(i, query, 1, 1);
	/* One came through: again. */
	connections(1);
	fake_link_forget();
	traffic_asked(MESSAGE_CONNECTIONS, 0, &query);
	connections(0);
	TRAFFIC_AWAIT(told("host_drained"));
	assert_string_equal(told("host_drained"),
	                    "router host ose1/r1 is drained: no connection is left, the last ones were closed");
}

static void disabled_and_closed_at_once(void **state)
{
	uint32_t query;
	connections(2);
	drain_host(HOST_MODE_DISABLED, 0, true);
	traffic_asked(MESSAGE_CONNECTIONS, 0, &query);
	assert_null(told("host_drain_timeout"));
	assert_non_null(strstr(told("host_disabled"), "its connections are closed"));
	connections(0);
	TRAFFIC_AWAIT(told("host_drained"));
}

static void a_cluster_drains_as_a_whole(void **state)
{
	uint32_t query;
	connections(2);
	drain_cluster(CLUSTER_DRAINING, 1000, false);
	const struct message *asked = traffic_asked(MESSAGE_CONNECTIONS, 0, &query);
	assert_int_equal(asked->connections.cluster, ose1()->number);
	assert_int_equal(asked->connections.host, SLOT_NONE);
	assert_string_equal(told("cluster_drain_timeout"),
	                    "cluster ose1 has 2 connections left after 1s: they are closed");
	connections(0);
	TRAFFIC_AWAIT(told("cluster_drained"));
	assert_string_equal(told("cluster_drained"),
	                    "cluster ose1 is drained: no connection is left, the last ones were closed");
	/* Enabled again: nothing drains. */
	drain_cluster(CLUSTER_ACTIVE, 0, false);
	assert_int_equal(ose1()->drain.since, 0);
}

static void router_hosts_of_a_cluster_that_is_closed_are_not_closed_once_more(void **state)
{
	uint32_t query;
	connections(2);
	drain_host(HOST_MODE_DISABLED, 0, true);
	traffic_asked(MESSAGE_CONNECTIONS, 0, &query);
	drain_cluster(CLUSTER_OFFLINE, 0, true);
	const struct message *asked = traffic_asked(MESSAGE_CONNECTIONS, 1, &query);
	assert_int_equal(asked->connections.host, SLOT_NONE);
	for (unsigned i = 2; i < 4; i++) { /* again, a second after the other */
		asked = traffic_asked(MESSAGE_CONNECTIONS, i, &query);
		assert_int_equal(asked->connections.cluster, ose1()->number);
		assert_int_equal(asked->connections.host, SLOT_NONE);
	}
	/* The cluster alone is active again: the router host still ends. */
	drain_cluster(CLUSTER_ACTIVE, 0, false);
	asked = traffic_asked(MESSAGE_CONNECTIONS, 4, &query);
	assert_int_equal(asked->connections.host, traffic_host_slot("ose1", 0));
	connections(0);
	TRAFFIC_AWAIT(told("host_drained"));
}

static void restart(void)
{
	control_stop(&traffic.control);
	assert_true(control_init(&traffic.control, traffic.config, traffic.loop));
	control_start(&traffic.control);
	assert_null(fake_link_appear());
}

static void deadlines_outlive_control(void **state)
{
	uint32_t query;
	connections(2);
	drain_host(HOST_MODE_DRAINING, 1500, false);
	int64_t deadline = ose1()->modes.list[0].drain.deadline;
	restart();
	assert_int_equal(ose1()->modes.list[0].drain.deadline, deadline);
	TRAFFIC_AWAIT(control_applied(&traffic.control, traffic.control.state.revision));
	fake_link_forget();
	traffic_asked(MESSAGE_CONNECTIONS, 0, &query);
	assert_true(clock_unix_ms() >= deadline);
	connections(0);
	TRAFFIC_AWAIT(told("host_drained"));
	/* What was told is not told again. */
	uint64_t last = journal_last(traffic.control.journal);
	restart();
	TRAFFIC_AWAIT(control_applied(&traffic.control, traffic.control.state.revision));
	traffic_turns(300);
	const struct journal *journal = traffic.control.journal;
	for (uint64_t id = last + 1; id <= journal_last(journal); id++)
		assert_string_not_equal(journal_find(journal, id)->kind, "host_drained");
	assert_true(ose1()->modes.list[0].drain.ended > 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(an_empty_host_is_drained_when_the_workers_know),
	    TEST(without_a_deadline_it_waits),
	    TEST(at_the_deadline_the_rest_is_closed),
	    TEST(disabled_and_closed_at_once),
	    TEST(a_cluster_drains_as_a_whole),
	    TEST(router_hosts_of_a_cluster_that_is_closed_are_not_closed_once_more),
	    TEST(deadlines_outlive_control),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
