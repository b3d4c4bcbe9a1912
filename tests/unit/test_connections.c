/* connections: the oldest ones whatever the order in which they come, and the summary by route. */
#include "traffic_fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include "control/traffic/connections.h"

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

static void add(struct connections *connections, uint64_t id, const char *name, uint32_t age_ms, uint64_t at_us,
                uint32_t pair)
{
	struct record record = traffic_connection(id, name);
	record.at_us = at_us;
	record.connection.age = age_ms;
	record.connection.pair = pair;
	connections_add(connections, &record);
}

static void the_oldest_are_shown_in_order(void **state)
{
	struct connections *connections = connections_create(&traffic.control, 3);
	/* Ages at different moments: 5 was born first. */
	static const uint32_t ages[] = {1000, 9000, 3000, 20000, 10500, 5000};
	for (unsigned i = 0; i < 6; i++)
		add(connections, i + 1, "app1.ch", ages[i], 100000000 + (i == 4 ? 0 : 10000000), SLOT_NONE);
	json_t *json = connections_json(connections, 10);
	assert_int_equal(traffic_number(json, "total"), 10);
	assert_int_equal(traffic_number(json, "left_out"), 4);
	assert_int_equal(traffic_number(json, "oldest_seconds"), 20);
	assert_int_equal(json_array_size(json_object_get(json, "connections")), 3);
	assert_int_equal(traffic_number(json, "connections.0.id"), 5);
	assert_int_equal(traffic_number(json, "connections.1.id"), 4);
	assert_int_equal(traffic_number(json, "connections.2.id"), 2);
	json_decref(json);
	connections_free(connections);
}

static void many_in_any_order(void **state)
{
	struct connections *connections = connections_create(&traffic.control, 100);
	uint32_t age = 1;
	for (unsigned i = 0; i < 5000; i++) {
		age = (age * 48271u) % 65537u;
		add(connections, age, "app1.ch", age * 10, 1000000000, SLOT_NONE);
	}
	json_t *json = connections_json(connections, 5000);
	long long before = 1LL << 40;
	char path[40];
	for (unsigned i = 0; i < 100; i++) {
		snprintf(path, sizeof(path), "connections.%u.id", i);
		assert_true(traffic_number(json, path) <= before);
		before = traffic_number(json, path);
	}
	assert_int_equal(traffic_number(json, "left_out"), 0);
	json_decref(json);
	connections_free(connections);
}

static void what_a_connection_shows(void **state)
{
	struct connections *connections = connections_create(&traffic.control, 10);
	struct record record = traffic_connection(7, "x.wild.ch");
	record.at_us = 1000000;
	record.connection.age = 61500;
	record.connection.idle = 2999;
	record.connection.bytes_in = 10;
	record.connection.bytes_out = 1ULL << 40;
	record.connection.pair = traffic_pair_slot("*.wild.ch", "ose1");
	connections_add(connections, &record);
	struct record head = {.type = RECORD_LISTED,
	                      .connection = {.id = 8, .cluster = CLUSTER_NONE, .pair = SLOT_NONE}};
	head.connection.host = SLOT_NONE;
	address_parse("2001:db8::7", &head.connection.client);
	head.connection.client_port = 5;
	head.connection.listener = 1;
	head.at_us = 2000000;
	connections_add(connections, &head);
	json_t *json = connections_json(connections, 2);
	assert_string_equal(traffic_text(json, "connections.0.client"), "192.0.2.7:40000");
	assert_string_equal(traffic_text(json, "connections.0.listener"), "http");
	assert_string_equal(traffic_text(json, "connections.0.name"), "x.wild.ch");
	assert_string_equal(traffic_text(json, "connections.0.route"), "*.wild.ch");
	assert_string_equal(traffic_text(json, "connections.0.cluster"), "ose1");
	assert_string_equal(traffic_text(json, "connections.0.host"), "r1");
	assert_string_equal(traffic_text(json, "connections.0.router"), "203.0.113.11:80");
	assert_string_equal(traffic_text(json, "connections.0.state"), "spliced");
	assert_int_equal(traffic_number(json, "connections.0.age_seconds"), 61);
	assert_int_equal(traffic_number(json, "connections.0.idle_seconds"), 2);
	assert_int_equal(traffic_number(json, "connections.0.bytes_out"), 1LL << 40);
	assert_string_equal(traffic_text(json, "connections.1.client"), "[2001:db8::7]:5");
	assert_string_equal(traffic_text(json, "connections.1.listener"), "https");
	assert_string_equal(traffic_text(json, "connections.1.state"), "head");
	assert_string_equal(traffic_text(json, "connections.1.name"), "null");
	assert_string_equal(traffic_text(json, "connections.1.cluster"), "null");
	assert_string_equal(traffic_text(json, "connections.1.router"), "null");
	json_decref(json);
	connections_free(connections);
}

static void counted_by_route(void **state)
{
	struct connections *connections = connections_create(&traffic.control, 0);
	uint32_t app1 = traffic_pair_slot("app1.ch", "ose1"), wild = traffic_pair_slot("*.wild.ch", "ose1");
	for (unsigned i = 0; i < 10; i++)
		add(connections, i + 1, "app1.ch", 1000 * i, 50000000, app1);
	for (unsigned i = 0; i < 20; i++)
		add(connections, i + 100, i % 2 ? "a.wild.ch" : "b.wild.ch", 100, 50000000, wild);
	json_t *json = connections_json(connections, 30);
	assert_int_equal(json_array_size(json_object_get(json, "connections")), 0);
	assert_int_equal(json_array_size(json_object_get(json, "by_route")), 2);
	assert_string_equal(traffic_text(json, "by_route.0.route"), "*.wild.ch");
	assert_int_equal(traffic_number(json, "by_route.0.count"), 20);
	assert_int_equal(traffic_number(json, "by_route.0.oldest_seconds"), 0);
	assert_string_equal(traffic_text(json, "by_route.1.route"), "app1.ch");
	assert_string_equal(traffic_text(json, "by_route.1.cluster"), "ose1");
	assert_int_equal(traffic_number(json, "by_route.1.oldest_seconds"), 9);
	json_decref(json);
	connections_free(connections);
}

static void only_the_largest_routes_are_shown(void **state)
{
	struct connections *connections = connections_create(&traffic.control, 0);
	for (unsigned i = 0; i < 5000; i++)
		for (unsigned j = 0; j < 1 + (i == 4321); j++)
			add(connections, i + 1, "gone.ch", i, 50000000, i);
	json_t *json = connections_json(connections, 5001);
	assert_int_equal(json_array_size(json_object_get(json, "by_route")), CONNECTIONS_ROUTES_MAX);
	assert_int_equal(traffic_number(json, "by_route.0.count"), 2);
	assert_int_equal(traffic_number(json, "by_route.1.oldest_seconds"), 4);
	json_decref(json);
	connections_free(connections);
}

static void none_at_all(void **state)
{
	struct connections *connections = connections_create(&traffic.control, 10);
	json_t *json = connections_json(connections, 0);
	assert_int_equal(traffic_number(json, "total"), 0);
	assert_int_equal(json_array_size(json_object_get(json, "by_route")), 0);
	json_decref(json);
	connections_free(connections);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(the_oldest_are_shown_in_order, setup, teardown),
	    cmocka_unit_test_setup_teardown(many_in_any_order, setup, teardown),
	    cmocka_unit_test_setup_teardown(what_a_connection_shows, setup, teardown),
	    cmocka_unit_test_setup_teardown(counted_by_route, setup, teardown),
	    cmocka_unit_test_setup_teardown(only_the_largest_routes_are_shown, setup, teardown),
	    cmocka_unit_test_setup_teardown(none_at_all, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
