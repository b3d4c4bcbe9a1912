/* The history in JSON: names, nulls, and that the last point is the end of all points. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/control.h"
#include "control/observe/history.h"
#include "control/observe/stats_json.h"
#include "control_fixture.h"

enum { T0 = 1700000000, LAST = HISTORY_POINTS - 1 };

static char directory[64];
static struct event_loop *loop;
static struct config *config;
static struct control control;
static const struct cluster *cluster;
static const struct host_spec *host;

/* Not started: only the state, and a history that the tests fill. */
static int setup(void **state)
{
	snprintf(directory, sizeof(directory), "/tmp/pm-stats-json-XXXXXX");
	assert_non_null(mkdtemp(directory));
	loop = event_loop_create();
	config = fixture_config(directory, directory, "'clusters': [" FIXTURE_OSE1 ", " FIXTURE_OSE2 "]");
	assert_true(control_init(&control, config, loop));
	control_start(&control);
	cluster = state_cluster(&control.state, "ose1");
	host = &cluster->spec->hosts[0];
	return 0;
}

static int teardown(void **state)
{
	char command[128];
	control_stop(&control);
	config_free(config);
	event_loop_destroy(loop);
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	return system(command);
}

static const struct name *route(void)
{
	struct hostname text;
	bool wildcard;
	assert_true(name_parse("app1.ch", &text, &wildcard));
	return names_find_host(&control.state.names, &text, wildcard);
}

/* The last of all points is what is told of the last one alone. */
static void assert_last(json_t *all, json_t *last, unsigned count)
{
	const char *name;
	json_t *points;
	assert_int_equal(json_object_size(all), count);
	assert_int_equal(json_object_size(last), count);
	json_object_foreach(all, name, points)
	{
		assert_int_equal(json_array_size(points), HISTORY_POINTS);
		assert_true(json_equal(json_array_get(points, LAST), json_object_get(last, name)));
	}
	json_decref(all);
	json_decref(last);
}

static json_t *last_of_cluster(void)
{
	json_t *object = json_object();
	stats_add_last_of_cluster(object, &control, cluster);
	return object;
}

static json_t *last_of_host(void)
{
	json_t *object = json_object();
	stats_add_last_of_host(object, &control, host);
	return object;
}

static void fill(int64_t second, enum history_column column, uint64_t value)
{
	const uint64_t values[] = {value, value + 1, value + 2, value + 3};
	history_begin(control.history, second, column);
	history_set_total(control.history, TOTAL_BYTES_OUT, value);
	history_set(control.history, HISTORY_HOST, host->id, values);
	history_set(control.history, HISTORY_CLUSTER, history_cluster_id("ose1"), values);
	history_set_pair(control.history, cluster_pair_id(route()->id, "ose1"), route()->id, value, value + 1);
}

static void the_last_point_ends_all_points(void **state)
{
	static const enum history_column columns[] = {HISTORY_FULL, HISTORY_FIRST, HISTORY_BLIND, HISTORY_ABSENT};
	for (unsigned i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
		fill(T0 + i, columns[i], columns[i] == HISTORY_FULL ? 7 : 0);
		assert_last(stats_totals(&control), stats_last_totals(&control), 7);
		assert_last(stats_of_cluster(&control, cluster), last_of_cluster(), 2);
		assert_last(stats_of_host(&control, host), last_of_host(), 4);
		json_t *all = stats_of_route(&control, route()), *last = stats_last_of_route(&control, route());
		assert_int_equal(json_object_size(all), 2);
		assert_last(json_incref(json_object_get(all, "ose1")), json_incref(json_object_get(last, "ose1")), 2);
		json_decref(all);
		json_decref(last);
	}
}

static void what_is_not_known_is_null(void **state)
{
	fill(T0, HISTORY_FULL, 7);
	json_t *last = last_of_host();
	assert_int_equal(json_integer_value(json_object_get(last, "active")), 7);
	assert_int_equal(json_integer_value(json_object_get(last, "new")), 8);
	assert_int_equal(json_integer_value(json_object_get(last, "refused")), 9);
	assert_int_equal(json_integer_value(json_object_get(last, "total")), 10);
	json_decref(last);
	fill(T0 + 1, HISTORY_FIRST, 7);
	last = last_of_host();
	assert_int_equal(json_integer_value(json_object_get(last, "active")), 7);
	assert_true(json_is_null(json_object_get(last, "new")));
	json_decref(last);
	fill(T0 + 2, HISTORY_BLIND, 0);
	last = last_of_cluster();
	assert_true(json_is_null(json_object_get(last, "active")));
	json_decref(last);
}

static void a_frame_has_times(void **state)
{
	fill(T0, HISTORY_FULL, 1);
	json_t *frame = stats_frame(&control, json_pack("{s:i}", "more", 5)), *times = json_object_get(frame, "times");
	assert_string_equal(json_string_value(json_object_get(frame, "at")), "2023-11-14T22:13:20.000Z");
	assert_int_equal(json_integer_value(json_object_get(frame, "more")), 5);
	assert_int_equal(json_array_size(times), HISTORY_POINTS);
	for (unsigned i = 0; i < HISTORY_POINTS; i++)
		assert_int_equal(json_integer_value(json_array_get(times, i)), (T0 - LAST + (int)i) * 1000LL);
	assert_int_equal(stats_at(&control), T0 * 1000LL);
	json_decref(frame);
}

static void an_event_without_object_is_of_control(void **state)
{
	const struct journal_entry entry = {.id = 3, .at = 1700000000123, .kind = "note", .text = "x"};
	json_t *event = stats_event(&entry);
	assert_string_equal(json_string_value(json_object_get(event, "at")), "2023-11-14T22:13:20.123Z");
	assert_string_equal(json_string_value(json_object_get(json_object_get(event, "object"), "kind")), "control");
	assert_string_equal(json_string_value(json_object_get(event, "level")), "info");
	assert_true(json_is_null(json_object_get(event, "revision")));
	json_decref(event);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(the_last_point_ends_all_points, setup, teardown),
	    cmocka_unit_test_setup_teardown(what_is_not_known_is_null, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_frame_has_times, setup, teardown),
	    cmocka_unit_test_setup_teardown(an_event_without_object_is_of_control, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
