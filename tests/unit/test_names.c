/* names: found, counted, remembered as changed, freed when told, in thousands and at random. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/state/names.h"
#include "seeded_random.h"

static struct names names;

static int teardown(void **state)
{
	names_free(&names);
	return 0;
}

static struct hostname host(const char *text)
{
	struct hostname name;
	bool wildcard;
	assert_true(name_parse(text, &name, &wildcard));
	return name;
}

static struct name *add(const char *text)
{
	struct hostname name = host(text);
	return names_add(&names, &name, false);
}

static void serve(struct name *name, uint16_t cluster, bool present)
{
	names_pair_set_present(&names, name, names_pair_add(&names, name, cluster), present);
}

static void found_by_name(void **state)
{
	struct name *app = add("app.ch");
	struct hostname name = host("app.ch");
	assert_ptr_equal(add("app.ch"), app);
	assert_ptr_equal(names_find_host(&names, &name, false), app);
	assert_null(names_find_host(&names, &name, true));
	assert_ptr_equal(names_find(&names, app->id), app);
	assert_int_not_equal(names_add(&names, &name, true)->id, app->id);
}

static void pairs_stand_by_cluster_and_are_counted(void **state)
{
	struct name *app = add("app.ch"), *web = add("web.ch");
	serve(app, 3, true);
	serve(app, 1, true);
	serve(app, 2, false); /* an override for a name that is not there */
	serve(web, 3, true);
	assert_int_equal(app->pair_count, 3);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(app->pairs[i].cluster, i + 1);
	assert_int_equal(names.count, 2);
	assert_int_equal(names.pair_count, 3);
	assert_int_equal(names.of_cluster[3], 2);
	serve(app, 3, false);
	names_pair_remove(&names, app, 1);
	names_pair_remove(&names, app, 7);
	assert_int_equal(names.count, 1);
	assert_int_equal(names.pair_count, 1);
	assert_int_equal(names.of_cluster[1], 0);
	assert_int_equal(names.of_cluster[3], 1);
	assert_false(names_is_served(app));
	assert_null(names_pair(app, 1));
	assert_int_equal(app->pair_count, 2);
}

static void changes_are_remembered_once(void **state)
{
	struct name *app = add("app.ch");
	serve(app, 0, true);
	names_touch(&names, app);
	assert_int_equal(names.dirty_count, 1);
	assert_ptr_equal(names.dirty[0], app);
	names_clean(&names);
	assert_int_equal(names.dirty_count, 0);
	names_touch(&names, app);
	assert_int_equal(names.dirty_count, 1);
}

static void a_published_name_stays_until_its_end_is_told(void **state)
{
	static const uint64_t pairs[] = {77, 78};
	struct name *app = add("app.ch");
	uint64_t id = app->id;
	serve(app, 0, true);
	names_publish(&names, app, pairs, 2, 1);
	assert_int_equal(names.published_count, 1);
	assert_int_equal(names.uncounted, 1);
	assert_int_equal(app->published_pairs[1], 78);
	names_clean(&names);
	names_pair_remove(&names, app, 0);
	names_clean(&names);
	assert_ptr_equal(names_find(&names, id), app);
	names_touch(&names, app);
	names_publish(&names, app, NULL, 0, 0);
	names_clean(&names);
	assert_null(names_find(&names, id));
	assert_int_equal(names.published_count + names.uncounted + names.total, 0);
}

static void what_found_no_room_is_touched(void **state)
{
	static const uint64_t pairs[] = {77};
	struct name *full = add("full.ch"), *half = add("half.ch"), *none = add("none.ch");
	serve(full, 0, true), serve(half, 0, true), serve(none, 0, true);
	add("unserved.ch");
	names_publish(&names, full, pairs, 1, 0);
	names_publish(&names, half, pairs, 1, 1);
	names_clean(&names);
	names_touch_left_out(&names);
	assert_int_equal(names.dirty_count, 2);
	assert_true(half->dirty && none->dirty && !full->dirty);
}

static void warnings(void **state)
{
	struct pair *pair = names_pair_add(&names, add("app.ch"), 0);
	assert_false(names_pair_warn(pair, NULL));
	assert_true(names_pair_warn(pair, "odd"));
	assert_false(names_pair_warn(pair, "odd"));
	assert_true(names_pair_warn(pair, "odder"));
	assert_string_equal(pair->warning, "odder");
	assert_true(names_pair_warn(pair, NULL));
}

static void ordered_by_name(void **state)
{
	static const char *const texts[] = {"b.ch", "a.ch", "c.ch", "unserved.ch"};
	size_t count;
	for (unsigned i = 0; i < 4; i++)
		serve(add(texts[i]), 0, i < 3);
	struct hostname wild = host("a.ch");
	serve(names_add(&names, &wild, true), 0, true);
	struct name *const *ordered = names_ordered(&names, &count);
	assert_int_equal(count, 4);
	assert_string_equal(ordered[0]->host.text, "a.ch");
	assert_true(!ordered[0]->wildcard && ordered[1]->wildcard);
	assert_string_equal(ordered[3]->host.text, "c.ch");
}

enum { MANY = 3000, CLUSTERS = 3 };

/* Random changes against a plain array. */
static void many(void **state)
{
	static bool model[MANY][CLUSTERS];
	struct seeded_random random = {.state = 3};
	for (unsigned round = 0; round < 20000; round++) {
		char text[32];
		unsigned i = random_next(&random) % MANY;
		uint16_t cluster = (uint16_t)(random_next(&random) % CLUSTERS);
		snprintf(text, sizeof(text), "app%u.ch", i);
		model[i][cluster] = random_next(&random) % 3 > 0;
		struct name *name = add(text);
		if (model[i][cluster])
			serve(name, cluster, true);
		else
			names_pair_remove(&names, name, cluster);
		if (round % 1000 == 0)
			names_clean(&names);
	}
	names_clean(&names);
	size_t pairs = 0, served = 0, seen = 0;
	for (unsigned i = 0; i < MANY; i++) {
		char text[32];
		snprintf(text, sizeof(text), "app%u.ch", i);
		struct hostname wanted = host(text);
		struct name *name = names_find_host(&names, &wanted, false);
		bool any = model[i][0] || model[i][1] || model[i][2];
		assert_int_equal(name != NULL, any);
		for (uint16_t j = 0; j < CLUSTERS; j++) {
			assert_int_equal(name && names_pair(name, j), model[i][j]);
			pairs += model[i][j];
		}
		served += any;
	}
	assert_int_equal(names.pair_count, pairs);
	assert_int_equal(names.count, served);
	for (struct name *name = names_next(&names, NULL); name; name = names_next(&names, name))
		seen++;
	assert_int_equal(seen, served);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(found_by_name, teardown),
	    cmocka_unit_test_teardown(pairs_stand_by_cluster_and_are_counted, teardown),
	    cmocka_unit_test_teardown(changes_are_remembered_once, teardown),
	    cmocka_unit_test_teardown(a_published_name_stays_until_its_end_is_told, teardown),
	    cmocka_unit_test_teardown(what_found_no_room_is_touched, teardown),
	    cmocka_unit_test_teardown(warnings, teardown),
	    cmocka_unit_test_teardown(ordered_by_name, teardown),
	    cmocka_unit_test_teardown(many, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
