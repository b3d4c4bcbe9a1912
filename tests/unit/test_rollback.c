/* rollback: kept by the name, saved and read again; what is not right is left out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "control/state/names.h"
#include "control/state/rollback.h"

static struct names names, again;

static int teardown(void **state)
{
	names_free(&names);
	names_free(&again);
	return 0;
}

static struct name *find(struct names *in, const char *text, bool adds)
{
	struct hostname host;
	bool wildcard;
	assert_true(name_parse(text, &host, &wildcard));
	return adds ? names_add(in, &host, wildcard) : names_find_host(in, &host, wildcard);
}

static struct name *add(const char *text, int weight0, int weight1, bool parked1)
{
	struct name *name = find(&names, text, true);
	names_pair_override(&names, name, names_pair_add(&names, name, 0), weight0);
	names_pair_override(&names, name, names_pair_add(&names, name, 1), weight1);
	names_pair(name, 1)->parked = parked1;
	return name;
}

static void assert_entry(const struct rollback *rollback, unsigned i, uint16_t cluster, int weight, bool parked)
{
	assert_true(i < rollback->count);
	assert_int_equal(rollback->entries[i].cluster, cluster);
	assert_int_equal(rollback->entries[i].weight, weight);
	assert_int_equal(rollback->entries[i].parked, parked);
}

static void read_again(json_t *array, uint64_t clusters)
{
	struct json_faults faults = {0};
	struct reader reader;
	json_t *object = json_pack("{s:o*}", "rollbacks", array);
	reader_open(&reader, object, &faults, "$");
	rollback_read(&reader, &again, clusters);
	assert_int_equal(faults.count, 0);
	json_decref(object);
}

/* The array that is saved; NULL: nothing. */
static json_t *saved(void)
{
	struct json_text text = {0};
	struct rollback_gathered gathered = {0};
	for (const struct name *name = names_next(&names, NULL); name; name = names_next(&names, name))
		rollback_gather(&gathered, name);
	json_text_put(&text, "{\"first\":1");
	rollback_write(&text, &gathered);
	rollback_forget_gathered(&gathered);
	json_text_put(&text, "}");
	json_t *object = json_loadb(text.bytes, text.len, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(object);
	json_t *array = json_incref(json_object_get(object, "rollbacks"));
	json_decref(object);
	json_text_free(&text);
	return array;
}

static void saved_and_read(void **state)
{
	const struct actor anna = {"anna@192.0.2.1", "CHG1"}, otto = {"otto@192.0.2.2", NULL};
	struct name *app = add("app.ch", 7550, -1, true), *web = add("*.web.ch", 0, 10000, false);
	struct name *old = add("old.ch", -1, -1, false);
	struct rollback_change *change = rollback_change_create(5, 1700000000000, &anna);
	app->rollback = rollback_make(app, change);
	web->rollback = rollback_make(web, change);
	rollback_change_release(change);
	change = rollback_change_create(4, 1600000000000, &otto);
	old->rollback = rollback_make(old, change);
	rollback_change_release(change);
	json_t *array = saved();
	assert_int_equal(json_array_size(array), 2);
	read_again(array, 3);
	const struct rollback *rollback = find(&again, "app.ch", false)->rollback;
	assert_entry(rollback, 0, 0, 7550, false);
	assert_entry(rollback, 1, 1, -1, true);
	assert_int_equal(rollback->change->revision, 5);
	assert_int_equal(rollback->change->at, 1700000000000);
	assert_string_equal(rollback->change->by, "anna@192.0.2.1");
	assert_string_equal(rollback->change->reason, "CHG1");
	assert_ptr_equal(find(&again, "*.web.ch", false)->rollback->change, rollback->change);
	assert_entry(find(&again, "*.web.ch", false)->rollback, 1, 1, 10000, false);
	rollback = find(&again, "old.ch", false)->rollback;
	assert_null(rollback->change->reason);
	assert_entry(rollback, 0, 0, -1, false);
}

static void nothing_to_save(void **state)
{
	add("app.ch", 1, 2, false);
	assert_null(saved());
	read_again(NULL, 3);
	assert_int_equal(again.total, 0);
}

/* Saving leaves nothing behind: the second time says the same. */
static void saved_twice(void **state)
{
	const struct actor odd = {"\xff\"anna\"", "a \"reason\""};
	struct rollback_change *change = rollback_change_create(5, 1, &odd);
	for (unsigned i = 0; i < 3; i++) {
		static const char *const texts[] = {"a.ch", "b.ch", "*.c.ch"};
		struct name *name = add(texts[i], (int)i, -1, false);
		name->rollback = rollback_make(name, change);
	}
	rollback_change_release(change);
	json_t *first = saved(), *second = saved();
	assert_true(json_equal(first, second));
	assert_int_equal(json_array_size(first), 1);
	const json_t *only = json_array_get(first, 0);
	assert_int_equal(json_object_size(json_object_get(only, "routes")), 3);
	assert_string_equal(json_string_value(json_object_get(only, "by")), "?\"anna\"");
	assert_string_equal(json_string_value(json_object_get(only, "reason")), "a \"reason\"");
	json_decref(first);
	json_decref(second);
}

static void a_cluster_that_is_gone(void **state)
{
	const struct actor anna = {"anna", NULL};
	struct name *app = add("app.ch", 100, 200, false);
	struct rollback_change *change = rollback_change_create(5, 1, &anna);
	app->rollback = rollback_make(app, change);
	rollback_change_release(change);
	read_again(saved(), 2); /* cluster 1 alone is there */
	assert_int_equal(find(&again, "app.ch", false)->rollback->count, 1);
	assert_entry(find(&again, "app.ch", false)->rollback, 0, 1, 200, false);
	rollback_forget_cluster(app, 0);
	rollback_forget_cluster(app, 7);
	assert_int_equal(app->rollback->count, 1);
	assert_entry(app->rollback, 0, 1, 200, false);
	rollback_forget_cluster(find(&names, "other.ch", true), 0);
	rollback_forget_cluster(app, 1); /* the last one */
	assert_null(app->rollback);
}

static void wrong_ones_are_left_out(void **state)
{
	static const char *const texts[] = {
	    "[{\"revision\":1,\"at\":1,\"by\":\"a\",\"routes\":{\"a..b\":\"0=1\",\"a.ch\":\"0\",\"b.ch\":\"0=x\","
	    "\"c.ch\":\"64=1\",\"d.ch\":\"0=101\",\"e.ch\":\"0=1q\",\"f.ch\":5,\"g.ch\":\"0=-1\",\"h.ch\":\"\","
	    "\"good.ch\":\"0=1\"}}]",
	    "[{\"revision\":1}]",
	    "[5]",
	    "{}",
	    "[{\"revision\":\"1\",\"at\":1,\"by\":\"a\",\"routes\":{\"h.ch\":\"0=1\"}}]",
	};
	for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		json_t *array = json_loads(texts[i], 0, NULL);
		assert_non_null(array);
		read_again(array, UINT64_MAX);
	}
	assert_int_equal(again.total, 1);
	assert_entry(find(&again, "good.ch", false)->rollback, 0, 0, 100, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(saved_and_read, teardown),
	    cmocka_unit_test_teardown(saved_twice, teardown),
	    cmocka_unit_test_teardown(nothing_to_save, teardown),
	    cmocka_unit_test_teardown(a_cluster_that_is_gone, teardown),
	    cmocka_unit_test_teardown(wrong_ones_are_left_out, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
