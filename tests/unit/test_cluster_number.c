/* cluster_number: no number of a cluster becomes another one's, who comes back has the old one; read and written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "control/state/cluster_number.h"

static struct cluster_trace traces[CLUSTERS_MAX];

static int setup(void **state)
{
	for (unsigned i = 0; i < CLUSTERS_MAX; i++)
		traces[i] = (struct cluster_trace){0};
	return 0;
}

static uint16_t pick(uint64_t taken, const char *name)
{
	return cluster_number_pick(traces, taken, name);
}

static void new_places_first(void **state)
{
	assert_int_equal(pick(0, "a"), 0);
	assert_int_equal(pick(0x7, "a"), 3);
	assert_int_equal(pick(UINT64_MAX >> 1, "a"), 63);
	assert_int_equal(pick(UINT64_MAX, "a"), CLUSTER_NONE);
	cluster_trace_leave(traces, "old", 0, 7);
	assert_int_equal(pick(0, "a"), 1);
	assert_int_equal(pick(0x2, "a"), 2);
	assert_int_equal(pick(0, ""), 1);
}

static void who_comes_back_has_its_number(void **state)
{
	cluster_trace_leave(traces, "old", 2 * CLUSTERS_MAX + 5, 7);
	assert_int_equal(pick(0, "old"), 2 * CLUSTERS_MAX + 5);
	assert_int_equal(pick(1 << 5, "old"), 0);
}

static void a_place_has_a_new_number_each_time(void **state)
{
	char name[20];
	for (uint16_t i = 0; i < CLUSTERS_MAX; i++) {
		snprintf(name, sizeof(name), "c%u", i);
		cluster_trace_leave(traces, name, i, i == 9 ? 3 : 10u + i);
	}
	assert_int_equal(pick(0, "new"), CLUSTERS_MAX + 9); /* it was left the longest ago */
	assert_int_equal(pick(1 << 9, "new"), CLUSTERS_MAX);
	cluster_trace_leave(traces, "new", CLUSTERS_MAX + 9, 4);
	assert_int_equal(pick(0, "newer"), 2 * CLUSTERS_MAX + 9);
	assert_int_equal(pick(0, "c9"), 2 * CLUSTERS_MAX + 9); /* too late */
	/* In the end they begin again, and none is CLUSTER_NONE. */
	cluster_trace_leave(traces, "last", CLUSTER_NUMBERS - CLUSTERS_MAX + 9, 4);
	assert_int_equal(pick(0, "newer"), 9);
	assert_int_equal(cluster_place(CLUSTER_NUMBERS - CLUSTERS_MAX + 9), 9);
}

static void read_and_written(void **state)
{
	struct cluster_trace again[CLUSTERS_MAX] = {0};
	struct json_faults faults = {0};
	struct reader reader;
	assert_null(cluster_traces_write(traces));
	cluster_trace_leave(traces, "old", CLUSTERS_MAX + 5, 7);
	cluster_trace_leave(traces, "older", 63, 1);
	json_t *object = json_pack("{s:o}", "removed", cluster_traces_write(traces));
	reader_open(&reader, object, &faults, "$");
	cluster_traces_read(&reader, again);
	assert_int_equal(faults.count, 0);
	assert_string_equal(again[5].name, "old");
	assert_int_equal(again[5].number, CLUSTERS_MAX + 5);
	assert_int_equal(again[5].revision, 7);
	assert_string_equal(again[63].name, "older");
	json_decref(object);
}

static void what_is_no_trace_is_left_out(void **state)
{
	static const char *const texts[] = {
	    "{\"removed\":[{}, 5, null, {\"name\":\"a\",\"index\":65472,\"revision\":1}]}",
	    "{\"removed\":[{\"name\":\"a\",\"index\":-1,\"revision\":1}, {\"name\":\"\",\"index\":1,\"revision\":1}]}",
	    "{\"removed\":[{\"name\":\"a b\",\"index\":1,\"revision\":1}]}",
	    "{\"removed\":[{\"name\":\"a\",\"index\":1,\"revision\":-1}]}",
	    "{\"removed\":[{\"index\":1,\"revision\":1}, {\"name\":7,\"index\":1,\"revision\":1}]}",
	    "{\"removed\":{}}",
	    "{}",
	};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct json_faults faults = {0};
		struct reader reader;
		json_t *object = json_loads(texts[i], 0, NULL);
		assert_non_null(object);
		reader_open(&reader, object, &faults, "$");
		cluster_traces_read(&reader, traces);
		assert_null(cluster_traces_write(traces));
		json_faults_free(&faults);
		json_decref(object);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(new_places_first, setup),
	    cmocka_unit_test_setup(who_comes_back_has_its_number, setup),
	    cmocka_unit_test_setup(a_place_has_a_new_number_each_time, setup),
	    cmocka_unit_test_setup(read_and_written, setup),
	    cmocka_unit_test_setup(what_is_no_trace_is_left_out, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
