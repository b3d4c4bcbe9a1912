/* connection_names: names for the numbers in a record, also when things have gone. */
#include "traffic_fixture.h"

#include <string.h>

#include "control/traffic/connection_names.h"
#include "control_fixture.h"

static struct connection_names names;

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

static void look(const char *name, uint32_t pair, void (*change)(struct record_connection *))
{
	struct record record = traffic_connection(1, name);
	record.connection.pair = pair;
	if (change)
		change(&record.connection);
	connection_names(&traffic.control, &record.connection, &names);
}

static void routes_by_their_counters(void **state)
{
	look("app1.ch", traffic_pair_slot("app1.ch", "ose1"), NULL);
	assert_string_equal(names.route, "app1.ch");
	assert_string_equal(names.cluster, "ose1");
	assert_string_equal(names.listener, "http");
	assert_string_equal(names.host, "r1");
	look("a.wild.ch", traffic_pair_slot("*.wild.ch", "ose1"), NULL);
	assert_string_equal(names.route, "*.wild.ch");
	/* The slot is another one's. */
	look("a.wild.ch", traffic_pair_slot("app1.ch", "ose1"), NULL);
	assert_string_equal(names.route, "");
	look("app1.ch", 9999, NULL);
	assert_string_equal(names.route, "app1.ch");
}

static void routes_without_counters_are_the_states(void **state)
{
	look("app1.ch", SLOT_NONE, NULL);
	assert_string_equal(names.route, "app1.ch");
	look("b.wild.ch", SLOT_NONE, NULL);
	assert_string_equal(names.route, "*.wild.ch");
	look("nobody.ch", SLOT_NONE, NULL);
	assert_string_equal(names.route, "");
	look("", SLOT_NONE, NULL);
	assert_string_equal(names.route, "");
}

static void a_route_that_has_gone_keeps_its_name(void **state)
{
	uint32_t pair = traffic_pair_slot("app1.ch", "ose1");
	struct cluster_spec *without = fixture_cluster(
	    "{'name': 'ose1', 'source': 'static', 'hosts': [{'name': 'r1', 'address': '203.0.113.11'}]}");
	assert_true(control_put(&traffic.control, without, 0, &fixture_actor));
	look("app1.ch", pair, NULL);
	assert_string_equal(names.route, "app1.ch");
}

static void on_https_of_ose2(struct record_connection *connection)
{
	connection->listener = 1;
	connection->cluster = state_cluster(&traffic.control.state, "ose2")->number;
	connection->host = traffic_host_slot("ose2", 0);
}

static void the_default_cluster(void **state)
{
	uint32_t pair = slots_find(&traffic.control.pairs, cluster_default_pair_id("https", "ose2"));
	assert_int_not_equal(pair, SLOT_NONE);
	look("nobody.ch", pair, on_https_of_ose2);
	assert_string_equal(names.route, "default cluster ose2");
	assert_string_equal(names.listener, "https");
	assert_string_equal(names.cluster, "ose2");
}

static void no_cluster(struct record_connection *connection)
{
	connection->cluster = CLUSTER_NONE;
	connection->host = SLOT_NONE;
}

static void another_generation(struct record_connection *connection)
{
	connection->host_generation++;
	connection->listener = 63;
}

static void a_cluster_that_is_not_there(struct record_connection *connection)
{
	connection->cluster = 63;
}

static void what_is_not_there_has_no_name(void **state)
{
	look("app1.ch", SLOT_NONE, no_cluster);
	assert_null(names.cluster);
	assert_null(names.host);
	assert_string_equal(names.route, "");
	look("app1.ch", SLOT_NONE, another_generation);
	assert_null(names.host);
	assert_null(names.listener);
	assert_string_equal(names.cluster, "ose1");
	look("app1.ch", SLOT_NONE, a_cluster_that_is_not_there);
	assert_null(names.cluster);
}

static void endpoints(void **state)
{
	char text[ENDPOINT_TEXT_MAX];
	struct address address;
	address_parse("192.0.2.1", &address);
	assert_string_equal(endpoint_format(&address, 65535, text), "192.0.2.1:65535");
	address_parse("2001:db8:1111:2222:3333:4444:5555:6666", &address);
	assert_string_equal(endpoint_format(&address, 1, text), "[2001:db8:1111:2222:3333:4444:5555:6666]:1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(routes_by_their_counters, setup, teardown),
	    cmocka_unit_test_setup_teardown(routes_without_counters_are_the_states, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_route_that_has_gone_keeps_its_name, setup, teardown),
	    cmocka_unit_test_setup_teardown(the_default_cluster, setup, teardown),
	    cmocka_unit_test_setup_teardown(what_is_not_there_has_no_name, setup, teardown),
	    cmocka_unit_test(endpoints),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
