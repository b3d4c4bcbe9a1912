/* Points by second: what is known, what is 0, what is forgotten, and the file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/observe/history.h"

enum { LAST = HISTORY_POINTS - 1, T0 = 1700000000 };

static struct history *history;

static int setup(void **state)
{
	history = history_create();
	return 0;
}

static int teardown(void **state)
{
	history_free(history);
	return 0;
}

static void set(enum history_kind kind, uint64_t id, uint64_t active, uint64_t fresh, uint64_t refused)
{
	if (kind == HISTORY_PAIR)
		history_set_pair(history, id, id / 2, active, fresh);
	else
		history_set(history, kind, id, (const uint64_t[]){active, fresh, refused, 0});
}

static int64_t value(enum history_kind kind, uint64_t id, enum history_value value, unsigned i)
{
	return history_value(history, kind, id, value, i);
}

static void nothing_is_known_at_first(void **state)
{
	assert_int_equal(history_second(history), 0);
	for (unsigned i = 0; i < HISTORY_POINTS; i++) {
		assert_int_equal(history_total(history, TOTAL_HEALTHY, i), HISTORY_NONE);
		assert_int_equal(value(HISTORY_HOST, 1, VALUE_ACTIVE, i), HISTORY_NONE);
	}
}

static void the_last_point_is_the_last_second(void **state)
{
	for (int i = 0; i < 200; i++) {
		history_begin(history, T0 + i, HISTORY_FULL);
		history_set_total(history, TOTAL_NEW, (uint64_t)i);
		set(HISTORY_HOST, 7, 1000 + (uint64_t)i, (uint64_t)i, 0);
	}
	assert_int_equal(history_second(history), T0 + 199);
	for (unsigned i = 0; i < HISTORY_POINTS; i++) {
		assert_int_equal(history_total(history, TOTAL_NEW, i), 80 + i);
		assert_int_equal(value(HISTORY_HOST, 7, VALUE_ACTIVE, i), 1080 + i);
		assert_int_equal(value(HISTORY_HOST, 7, VALUE_REFUSED, i), 0);
	}
}

static void missed_seconds_are_not_known(void **state)
{
	history_begin(history, T0, HISTORY_FULL);
	set(HISTORY_CLUSTER, 1, 3, 2, 1);
	history_begin(history, T0 + 3, HISTORY_FULL);
	set(HISTORY_CLUSTER, 1, 5, 4, 3);
	assert_int_equal(value(HISTORY_CLUSTER, 1, VALUE_ACTIVE, LAST - 3), 3);
	assert_int_equal(value(HISTORY_CLUSTER, 1, VALUE_ACTIVE, LAST - 2), HISTORY_NONE);
	assert_int_equal(value(HISTORY_CLUSTER, 1, VALUE_ACTIVE, LAST - 1), HISTORY_NONE);
	assert_int_equal(history_total(history, TOTAL_HEALTHY, LAST - 1), HISTORY_NONE);
	assert_int_equal(value(HISTORY_CLUSTER, 1, VALUE_REFUSED, LAST), 3);
	assert_int_equal(value(HISTORY_CLUSTER, 1, VALUE_ACTIVE, LAST - 4), HISTORY_NONE);
}

static void what_is_known_depends_on_the_second(void **state)
{
	static const struct {
		enum history_column column;
		int64_t healthy, active, fresh;
	} cases[] = {
	    {HISTORY_MISSED, -1, -1, -1}, {HISTORY_BLIND, 0, -1, -1}, {HISTORY_ABSENT, 0, 0, 0},
	    {HISTORY_FIRST, 0, 0, -1},    {HISTORY_FULL, 0, 0, 0},
	};
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		history_begin(history, T0 + i, cases[i].column);
		assert_int_equal(history_last_column(history), cases[i].column);
		assert_int_equal(history_total(history, TOTAL_HEALTHY, LAST), cases[i].healthy);
		assert_int_equal(history_total(history, TOTAL_ACTIVE, LAST), cases[i].active);
		assert_int_equal(history_total(history, TOTAL_BYTES_IN, LAST), cases[i].fresh);
		assert_int_equal(value(HISTORY_PAIR, 9, VALUE_ACTIVE, LAST), cases[i].active);
		assert_int_equal(value(HISTORY_PAIR, 9, VALUE_NEW, LAST), cases[i].fresh);
	}
}

static void an_object_without_connections_needs_no_room(void **state)
{
	history_begin(history, T0, HISTORY_FULL);
	set(HISTORY_PAIR, 5, 0, 0, 9);
	assert_int_equal(history_count(history, HISTORY_PAIR), 0);
	set(HISTORY_PAIR, 5, 0, 2, 0);
	assert_int_equal(history_count(history, HISTORY_PAIR), 1);
	for (int i = 1; i < HISTORY_POINTS; i++)
		history_begin(history, T0 + i, HISTORY_FULL);
	assert_int_equal(history_count(history, HISTORY_PAIR), 1);
	assert_int_equal(value(HISTORY_PAIR, 5, VALUE_NEW, 0), 2);
	history_begin(history, T0 + HISTORY_POINTS, HISTORY_FULL);
	assert_int_equal(history_count(history, HISTORY_PAIR), 0);
	assert_int_equal(value(HISTORY_PAIR, 5, VALUE_NEW, 0), 0);
}

static void recent_is_the_sum_of_the_points(void **state)
{
	for (int i = 0; i < HISTORY_POINTS + 10; i++) {
		history_begin(history, T0 + i, HISTORY_FULL);
		set(HISTORY_PAIR, 5, 1, 3, 0);
	}
	assert_int_equal(history_pair_recent(history, 5), 3 * HISTORY_POINTS);
	assert_int_equal(history_pair_recent(history, 6), 0);
	history_begin(history, T0 + HISTORY_POINTS + 20, HISTORY_FULL);
	assert_int_equal(history_pair_recent(history, 5), 3 * (HISTORY_POINTS - 11));
}

static void pairs_without_room_are_counted_and_not_shown_as_idle(void **state)
{
	history_begin(history, T0, HISTORY_FULL);
	for (uint64_t id = 1; id <= HISTORY_PAIRS_MAX + 3; id++)
		set(HISTORY_PAIR, id, 1, 1, 0);
	assert_int_equal(history_count(history, HISTORY_PAIR), HISTORY_PAIRS_MAX);
	assert_int_equal(history_left_out(history), 3);
	assert_int_equal(value(HISTORY_PAIR, 1, VALUE_NEW, LAST), 1);
	assert_int_equal(value(HISTORY_PAIR, HISTORY_PAIRS_MAX + 1, VALUE_NEW, LAST), HISTORY_NONE);
	history_begin(history, T0 + 1, HISTORY_FULL);
	assert_int_equal(history_left_out(history), 0);
	assert_int_equal(value(HISTORY_PAIR, HISTORY_PAIRS_MAX + 1, VALUE_NEW, LAST), HISTORY_NONE);
	for (int i = 2; i <= HISTORY_POINTS; i++)
		history_begin(history, T0 + i, HISTORY_FULL);
	assert_int_equal(history_count(history, HISTORY_PAIR), 0);
	assert_int_equal(value(HISTORY_PAIR, HISTORY_PAIRS_MAX + 1, VALUE_NEW, LAST), 0);
}

static void totals_follow_from_the_last_one(void **state)
{
	history_begin(history, T0, HISTORY_FIRST);
	history_set(history, HISTORY_HOST, 4, (const uint64_t[]){0, 0, 0, 1ULL << 40});
	for (unsigned i = 1; i < 5; i++) {
		history_begin(history, T0 + i, HISTORY_FULL);
		history_set(history, HISTORY_HOST, 4, (const uint64_t[]){0, i, 0, (1ULL << 40) + i * (i + 1) / 2});
	}
	assert_int_equal(value(HISTORY_HOST, 4, VALUE_TOTAL, LAST), (1ULL << 40) + 10);
	assert_int_equal(value(HISTORY_HOST, 4, VALUE_TOTAL, LAST - 2), (1ULL << 40) + 3);
	assert_int_equal(value(HISTORY_HOST, 4, VALUE_TOTAL, LAST - 4), 1ULL << 40);
	assert_int_equal(value(HISTORY_HOST, 4, VALUE_TOTAL, LAST - 5), HISTORY_NONE);
	/* The dataplane was gone: what was before is not comparable. */
	history_begin(history, T0 + 5, HISTORY_ABSENT);
	assert_int_equal(value(HISTORY_HOST, 4, VALUE_TOTAL, LAST), 0);
	assert_int_equal(value(HISTORY_HOST, 4, VALUE_TOTAL, LAST - 1), HISTORY_NONE);
	assert_int_equal(value(HISTORY_HOST, 4, VALUE_NEW, LAST - 1), 4);
}

static void routes_with_connections_are_listed_once(void **state)
{
	size_t count;
	history_begin(history, T0, HISTORY_FULL);
	for (uint64_t id = 1; id < 8; id++) /* routes 0 (unknown), 1, 1, 2, 2, 3, 3 */
		set(HISTORY_PAIR, id, 1, 0, 0);
	uint64_t *names = history_names(history, &count);
	assert_int_equal(count, 3);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(names[i], i + 1);
	free(names);
}

static void huge_values_do_not_wrap(void **state)
{
	history_begin(history, T0, HISTORY_FULL);
	set(HISTORY_HOST, 1, UINT64_MAX, 1ULL << 32, 0);
	assert_int_equal(value(HISTORY_HOST, 1, VALUE_ACTIVE, LAST), UINT32_MAX);
	assert_int_equal(value(HISTORY_HOST, 1, VALUE_NEW, LAST), UINT32_MAX);
}

static void a_clock_set_back_begins_anew(void **state)
{
	history_begin(history, T0, HISTORY_FULL);
	set(HISTORY_PAIR, 1, 1, 1, 0);
	history_begin(history, T0 - 10, HISTORY_FULL);
	assert_int_equal(history_count(history, HISTORY_PAIR), 0);
	assert_int_equal(history_total(history, TOTAL_NEW, LAST), 0);
	assert_int_equal(history_total(history, TOTAL_NEW, LAST - 1), HISTORY_NONE);
	history_begin(history, T0 + 100000, HISTORY_FULL);
	assert_int_equal(history_total(history, TOTAL_NEW, LAST - 1), HISTORY_NONE);
}

static char path[] = "/tmp/pm-history-test";

static void the_file_brings_everything_back(void **state)
{
	for (int i = 0; i < 50; i++) {
		history_begin(history, T0 + i, i == 20 ? HISTORY_BLIND : HISTORY_FULL);
		history_set_total(history, TOTAL_BYTES_IN, 1ULL << 40);
		for (uint64_t id = 1; id <= 9; id++) {
			set(HISTORY_PAIR, id * 8192, id, (uint64_t)i, 0); /* all in one bucket */
			set(HISTORY_HOST, id, id, (uint64_t)i, 1);
		}
	}
	assert_true(history_save(history, path));
	history_free(history);
	history = history_create();
	assert_true(history_load(history, path));
	assert_false(history_load(history, path)); /* only an empty one */
	assert_int_equal(history_second(history), T0 + 49);
	assert_int_equal(history_count(history, HISTORY_PAIR), 9);
	assert_int_equal(history_total(history, TOTAL_BYTES_IN, LAST), 1ULL << 40);
	assert_int_equal(value(HISTORY_PAIR, 9 * 8192, VALUE_NEW, LAST - 1), 48);
	assert_int_equal(value(HISTORY_HOST, 3, VALUE_REFUSED, LAST), 1);
	assert_int_equal(value(HISTORY_HOST, 3, VALUE_ACTIVE, LAST - 29), HISTORY_NONE);
	assert_int_equal(history_pair_recent(history, 8192), 49 * 50 / 2);
	unlink(path);
}

static void broken_files_are_left_alone(void **state)
{
	assert_false(history_load(history, path));
	history_begin(history, T0, HISTORY_FULL);
	set(HISTORY_PAIR, 1, 1, 1, 0);
	assert_true(history_save(history, path));
	FILE *file = fopen(path, "r");
	char bytes[65536];
	size_t len = fread(bytes, 1, sizeof(bytes), file);
	fclose(file);
	assert_true(len > 100 && len < sizeof(bytes));
	for (size_t cut = 0; cut < len; cut += 97) {
		struct history *other = history_create();
		file = fopen(path, "w");
		fwrite(bytes, 1, cut, file);
		fclose(file);
		assert_false(history_load(other, path));
		file = fopen(path, "w");
		bytes[cut] ^= 1;
		fwrite(bytes, 1, len, file);
		bytes[cut] ^= 1;
		fclose(file);
		/* The second stands outside the checksum. */
		if (cut < 24 || cut >= 32)
			assert_false(history_load(other, path));
		history_free(other);
	}
	unlink(path);
	assert_false(history_save(history, "/proc/pm-none/x"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(nothing_is_known_at_first, setup, teardown),
	    cmocka_unit_test_setup_teardown(the_last_point_is_the_last_second, setup, teardown),
	    cmocka_unit_test_setup_teardown(missed_seconds_are_not_known, setup, teardown),
	    cmocka_unit_test_setup_teardown(what_is_known_depends_on_the_second, setup, teardown),
	    cmocka_unit_test_setup_teardown(an_object_without_connections_needs_no_room, setup, teardown),
	    cmocka_unit_test_setup_teardown(recent_is_the_sum_of_the_points, setup, teardown),
	    cmocka_unit_test_setup_teardown(pairs_without_room_are_counted_and_not_shown_as_idle, setup, teardown),
	    cmocka_unit_test_setup_teardown(totals_follow_from_the_last_one, setup, teardown),
	    cmocka_unit_test_setup_teardown(routes_with_connections_are_listed_once, setup, teardown),
	    cmocka_unit_test_setup_teardown(huge_values_do_not_wrap, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_clock_set_back_begins_anew, setup, teardown),
	    cmocka_unit_test_setup_teardown(the_file_brings_everything_back, setup, teardown),
	    cmocka_unit_test_setup_teardown(broken_files_are_left_alone, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
