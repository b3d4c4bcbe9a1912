/* connection_filter: what names which connections, and every refusal with its status. */
#include "traffic_fixture.h"

#include <stdlib.h>
#include <string.h>

#include "control/traffic/connection_filter.h"

static struct connection_filter filter;

static int setup(void **state)
{
	traffic_begin("");
	return 0;
}

static int teardown(void **state)
{
	connection_filter_free(&filter);
	traffic_end();
	return 0;
}

static json_t *object(const char *text)
{
	char *copy = strdup(text);
	for (char *c = copy; *c != '\0'; c++)
		if (*c == '\'')
			*c = '"';
	json_t *json = json_loads(copy, 0, NULL);
	assert_non_null(json);
	free(copy);
	return json;
}

static void read_filter(const char *text)
{
	struct api_reply reply;
	json_t *json = object(text);
	connection_filter_free(&filter);
	if (!connection_filter_read(&filter, &traffic.control, json, "$", true, &reply))
		fail_msg("%s: %s", text, traffic_text(reply.json, "detail"));
	json_decref(json);
}

static void refused(const char *text, unsigned status, const char *part)
{
	struct api_reply reply;
	json_t *json = object(text);
	assert_false(connection_filter_read(&filter, &traffic.control, json, "$", true, &reply));
	const char *detail = traffic_text(reply.json, "detail");
	if (reply.status != status || !strstr(detail, part))
		fail_msg("%s: %u %s", text, reply.status, detail);
	api_reply_free(&reply);
	json_decref(json);
}

static void all_fields_together(void **state)
{
	const struct cluster *ose1 = state_cluster(&traffic.control.state, "ose1");
	read_filter(
	    "{'cluster': 'ose1', 'host': 'r2', 'route': '*.wild.ch', 'client': '192.0.2.0/24', 'min_age': '2h'}");
	assert_string_equal(filter.filter.cluster, "ose1");
	assert_true(filter.filter.host == ose1->spec->hosts[1].id);
	assert_string_equal(filter.route, "*.wild.ch");
	assert_int_equal(filter.filter.client.length, 120);
	assert_int_equal(filter.filter.min_age, 7200000);
	assert_int_equal(filter.field_count, 5);
	assert_string_equal(filter.text,
	                    "cluster ose1, router host r2, route *.wild.ch, client 192.0.2.0/24, older than 2h");
}

static void nothing_at_all(void **state)
{
	read_filter("{}");
	assert_int_equal(filter.field_count, 0);
	assert_null(filter.filter.cluster);
	assert_true(filter.filter.host == 0 && filter.filter.route == 0);
	assert_int_equal(filter.filter.client.length, 0);
}

static void a_router_host_by_name_address_or_id(void **state)
{
	static const char *const forms[] = {
	    "{'host': 'ose1/r1'}", "{'host': 'ose1/203.0.113.11'}", "{'host': 'ose1/203.0.113.11:80'}",
	    "{'cluster': 'ose1', 'host': 'ose1/r1'}", "{'cluster': 'ose1', 'host': '203.0.113.11:80'}"};
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		read_filter(forms[i]);
		assert_true(filter.filter.host == state_cluster(&traffic.control.state, "ose1")->spec->hosts[0].id);
		assert_string_equal(filter.filter.cluster, "ose1");
	}
}

static void ids_are_sorted_and_single(void **state)
{
	read_filter("{'ids': [9, 3, 9, 9007199254740991]}");
	assert_int_equal(filter.filter.id_count, 3);
	assert_true(filter.filter.ids[0] == 3 && filter.filter.ids[1] == 9);
	assert_true(filter.filter.ids[2] == 9007199254740991);
	assert_string_equal(filter.text, "3 single ones");
}

static void a_long_age_stays_the_longest(void **state)
{
	read_filter("{'min_age': '30d'}");
	assert_int_equal(filter.filter.min_age, 30u * 24 * 3600 * 1000);
}

static void refusals(void **state)
{
	refused("{'cluster': 'nix'}", 404, "there is no cluster \"nix\"");
	refused("{'host': 'r1'}", 400, "belongs to no cluster");
	refused("{'host': 'nix/r1'}", 404, "there is no cluster \"nix\"");
	refused("{'host': 'ose1/r9'}", 404, "cluster ose1 has no router host \"r9\"");
	refused("{'cluster': 'ose2', 'host': 'ose1/r1'}", 404, "cluster ose2 has no router host");
	refused("{'route': 'nix.ch'}", 404, "there is no route \"nix.ch\"");
	refused("{'route': 'a b'}", 400, "$.route: \"a b\" is none");
	refused("{'client': '10.0.0.1/8'}", 400, "$.client");
	refused("{'client': 7}", 400, "$.client");
	refused("{'min_age': 'soon'}", 400, "$.min_age");
	refused("{'age': 7}", 400, "unknown field \"age\"");
	refused("{'ids': []}", 400, "is empty");
	refused("{'ids': [1, 'x']}", 400, "element 1 is none");
	refused("{'ids': [-1]}", 400, "element 0 is none");
	refused("{'ids': [1], 'cluster': 'ose1'}", 400, "stands beside other fields");
	/* What is wrong in form is said first. */
	refused("{'cluster': 'nix', 'min_age': 'soon'}", 400, "$.min_age");
}

static void two_hosts_of_one_name(void **state)
{
	struct cluster_spec *spec = state_cluster(&traffic.control.state, "ose1")->spec;
	strcpy(spec->hosts[1].name, "r1");
	refused("{'host': 'ose1/r1'}", 409, "\"r1\" stands for 2 router hosts");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(all_fields_together, setup, teardown),
	    cmocka_unit_test_setup_teardown(nothing_at_all, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_router_host_by_name_address_or_id, setup, teardown),
	    cmocka_unit_test_setup_teardown(ids_are_sorted_and_single, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_long_age_stays_the_longest, setup, teardown),
	    cmocka_unit_test_setup_teardown(refusals, setup, teardown),
	    cmocka_unit_test_setup_teardown(two_hosts_of_one_name, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
