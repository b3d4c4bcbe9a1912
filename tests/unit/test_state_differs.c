/* state_differs: each difference is one line that people understand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "control/state/state_differs.h"

static json_t *document(const char *entries)
{
	char text[2000];
	snprintf(text, sizeof(text), "{'clusters': [%s]}", entries);
	for (char *c = text; *c != '\0'; c++)
		if (*c == '\'')
			*c = '"';
	json_t *value = json_loads(text, 0, NULL);
	assert_non_null(value);
	return value;
}

/* The lines are these, apart by |. */
static void assert_lines(const char *now_text, const char *then_text, const char *wanted)
{
	char all[2000] = "";
	json_t *now = document(now_text), *then = document(then_text), *lines = state_differs(now, then);
	for (size_t i = 0; i < json_array_size(lines); i++) {
		strcat(all, i > 0 ? "|" : "");
		strcat(all, json_string_value(json_array_get(lines, i)));
	}
	assert_string_equal(all, wanted);
	json_decref(lines);
	json_decref(now);
	json_decref(then);
}

#define CLUSTER(name, more) "{'cluster': {'name': '" name "', 'source': 'static'" more "}}"
#define FACTS(more)         "{'cluster': {'name': 'a', 'source': 'static'}" more "}"
#define PUSHED(more)        "{'cluster': {'name': 'a', 'source': 'push'" more "}}"

static void clusters(void **state)
{
	assert_lines("", "", "");
	assert_lines(CLUSTER("a", ""), CLUSTER("a", ""), "");
	assert_lines(CLUSTER("a", "") ", " CLUSTER("b", ""), CLUSTER("b", "") ", " CLUSTER("c", ""),
	             "cluster a would be gone|cluster c would be there again");
	/* Where it stands in the list says nothing. */
	assert_lines(CLUSTER("a", "") ", " CLUSTER("b", ""), CLUSTER("b", "") ", " CLUSTER("a", ""), "");
}

static void settings(void **state)
{
	assert_lines(CLUSTER("a", ", 'state': 'active', 'health': {'port': 1, 'path': '/x'}"),
	             CLUSTER("a", ", 'state': 'draining', 'health': {'port': 2, 'path': '/x'}"),
	             "cluster a: state \"active\" -> \"draining\"|cluster a: health.port 1 -> 2");
	assert_lines(CLUSTER("a", ", 'key': 'k'"), CLUSTER("a", ""), "cluster a: key \"k\" -> nothing");
	assert_lines(CLUSTER("a", ""), CLUSTER("a", ", 'key': 'k'"), "cluster a: key nothing -> \"k\"");
}

static void hosts_and_routes(void **state)
{
	assert_lines(
	    CLUSTER("a",
	            ", 'hosts': [{'name': 'r', 'address': '192.0.2.1'}], 'routes': [{'host': 'x.ch', 'weight': 1}]"),
	    CLUSTER("a",
	            ", 'hosts': [{'name': 'r', 'address': '192.0.2.2'}], 'routes': [{'host': 'x.ch', 'weight': 2}]"),
	    "cluster a: router host r (192.0.2.1) would be gone|"
	    "cluster a: router host r (192.0.2.2) would be there|"
	    "cluster a: route x.ch: {\"host\":\"x.ch\",\"weight\":1} -> {\"host\":\"x.ch\",\"weight\":2}");
	/* What was pushed stays. */
	assert_lines(PUSHED(", 'routes': [{'host': 'x.ch'}]"), PUSHED(", 'routes': []"), "");
}

static void what_the_operator_said(void **state)
{
	assert_lines(FACTS(", 'overrides': {'x.ch': 10, 'y.ch': 1.5}, 'parked': ['p.ch']"),
	             FACTS(", 'overrides': {'x.ch': 20, 'z.ch': 3}"),
	             "cluster a: weight of route x.ch: 10 -> 20|cluster a: weight of route y.ch would be gone|"
	             "cluster a: weight of route z.ch would be 3|cluster a: parking of route p.ch would be gone");
	assert_lines(FACTS(", 'host_modes': [{'name': 'r', 'address': '192.0.2.1', 'mode': 'disabled'}]"), FACTS(""),
	             "cluster a: router host r (192.0.2.1): disabled -> enabled");
	assert_lines(FACTS(""), FACTS(", 'host_modes': [{'name': 'r', 'address': '192.0.2.1', 'mode': 'draining'}]"),
	             "cluster a: router host r (192.0.2.1): enabled -> draining");
}

static void only_so_many(void **state)
{
	json_t *now = document(FACTS("")), *then = document(FACTS(""));
	json_t *overrides = json_object();
	for (int i = 0; i < STATE_DIFFERS_MAX + 7; i++) {
		char host[32];
		snprintf(host, sizeof(host), "h%d.ch", i);
		json_object_set_new(overrides, host, json_integer(1));
	}
	json_object_set_new(json_array_get(json_object_get(then, "clusters"), 0), "overrides", overrides);
	json_t *lines = state_differs(now, then);
	assert_int_equal(json_array_size(lines), STATE_DIFFERS_MAX + 1);
	assert_string_equal(json_string_value(json_array_get(lines, STATE_DIFFERS_MAX)), "... and 7 more");
	json_decref(lines);
	json_decref(now);
	json_decref(then);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(clusters), cmocka_unit_test(settings),
	                                   cmocka_unit_test(hosts_and_routes), cmocka_unit_test(what_the_operator_said),
	                                   cmocka_unit_test(only_so_many)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
