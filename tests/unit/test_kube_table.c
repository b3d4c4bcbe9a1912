/* kube_table: order, changes together, namesakes, lists of a scope, and random changes against a simple model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/kube/kube_table.h"
#include "tests/unit/seeded_random.h"

struct record {
	char uid[64];
	char space[8], name[16];
	int value;
};

static bool same_name(const void *a, const void *b)
{
	const struct record *x = a, *y = b;
	return strcmp(x->space, y->space) == 0 && strcmp(x->name, y->name) == 0;
}

/* Collides on purpose. */
static uint64_t name_hash(const void *record)
{
	return (uint64_t)((const struct record *)record)->name[0];
}

static bool in_scope(const void *record, const char *scope)
{
	return strcmp(((const struct record *)record)->space, scope) == 0;
}

static const struct kube_record_kind kind = {sizeof(struct record), same_name, name_hash, in_scope};

static struct record make(const char *uid, const char *space, const char *name, int value)
{
	struct record record = {.value = value};
	snprintf(record.uid, sizeof(record.uid), "%s", uid);
	snprintf(record.space, sizeof(record.space), "%s", space);
	snprintf(record.name, sizeof(record.name), "%s", name);
	return record;
}

static bool put(struct kube_table *table, const char *uid, const char *space, const char *name, int value)
{
	struct record record = make(uid, space, name, value);
	return kube_table_put(table, &record);
}

static const void *record_at(const struct kube_table *table, size_t i)
{
	return kube_table_records(table)->bytes + i * sizeof(struct record);
}

static const char *shown(const struct kube_table *table)
{
	static char text[4096];
	text[0] = '\0';
	for (size_t i = 0; i < kube_table_count(table, NULL); i++) {
		const struct record *record = record_at(table, i);
		size_t len = strlen(text);
		snprintf(text + len, sizeof(text) - len, "%s=%s/%s:%d ", record->uid, record->space, record->name,
		         record->value);
	}
	return text;
}

static void changes(void **state)
{
	struct kube_table *table = kube_table_create(&kind);
	assert_false(kube_table_apply(table));
	assert_true(put(table, "m", "s", "a", 1));
	assert_true(put(table, "c", "s", "b", 2));
	assert_true(put(table, "z", "s", "c", 3));
	assert_string_equal(shown(table), "");
	assert_int_equal(((const struct record *)kube_table_find(table, "c"))->value, 2);
	assert_true(kube_table_apply(table));
	assert_false(kube_table_apply(table));
	assert_string_equal(shown(table), "c=s/b:2 m=s/a:1 z=s/c:3 ");
	assert_false(put(table, "c", "s", "b", 2)); /* says nothing new */
	assert_false(kube_table_remove(table, "x"));
	assert_false(kube_table_apply(table));
	assert_true(put(table, "c", "s", "b", 5));
	assert_true(put(table, "c", "s", "b", 6));
	assert_true(kube_table_remove(table, "m"));
	assert_false(kube_table_remove(table, "m"));
	assert_null(kube_table_find(table, "m"));
	assert_true(put(table, "d", "s", "d", 7));
	assert_true(kube_table_apply(table));
	assert_string_equal(shown(table), "c=s/b:6 d=s/d:7 z=s/c:3 ");
	/* Made and gone between two reports. */
	assert_true(put(table, "e", "s", "e", 7));
	assert_true(kube_table_remove(table, "e"));
	assert_true(kube_table_remove(table, ((const struct record *)record_at(table, 1))->uid));
	kube_table_apply(table);
	assert_string_equal(shown(table), "c=s/b:6 z=s/c:3 ");
	kube_table_free(table);
}

/* The same name under another uid: the deletion of the first one was missed. */
static void namesakes(void **state)
{
	struct kube_table *table = kube_table_create(&kind);
	put(table, "a", "s", "web", 1);
	put(table, "b", "t", "web", 2);
	put(table, "c", "s", "wap", 3);
	kube_table_apply(table);
	put(table, "d", "s", "web", 4);
	kube_table_apply(table);
	assert_string_equal(shown(table), "b=t/web:2 c=s/wap:3 d=s/web:4 ");
	/* Also when its deletion comes along, in whichever order, and when both are new. */
	put(table, "e", "s", "web", 5);
	kube_table_remove(table, "d");
	kube_table_apply(table);
	assert_string_equal(shown(table), "b=t/web:2 c=s/wap:3 e=s/web:5 ");
	kube_table_remove(table, "e");
	put(table, "f", "s", "web", 6);
	put(table, "g", "s", "web", 7);
	kube_table_apply(table);
	assert_string_equal(shown(table), "b=t/web:2 c=s/wap:3 g=s/web:7 ");
	kube_table_free(table);
}

static void replace(struct kube_table *table, const char *const *uids, const char *space, const char *scope,
                    bool keep_unnamed)
{
	struct kube_records list = {0};
	for (int i = 0; uids[i]; i++) {
		struct record record = make(uids[i], space, uids[i], 100 + i);
		kube_records_add(&list, &kind, &record);
	}
	kube_table_replace(table, &list, scope, keep_unnamed);
	assert_null(list.bytes);
}

static void lists(void **state)
{
	struct kube_table *table = kube_table_create(&kind);
	replace(table, (const char *const[]){"z", "a", "m", NULL}, "s", NULL, false);
	assert_string_equal(shown(table), "a=s/a:101 m=s/m:102 z=s/z:100 ");
	/* Of another scope: what is there stays. */
	replace(table, (const char *const[]){"b", "y", NULL}, "t", "t", false);
	assert_string_equal(shown(table), "a=s/a:101 b=t/b:100 m=s/m:102 y=t/y:101 z=s/z:100 ");
	assert_int_equal(kube_table_count(table, "t"), 2);
	assert_int_equal(kube_table_count(table, NULL), 5);
	/* What it does not name is gone, unless it had objects that could not be read. */
	replace(table, (const char *const[]){"c", NULL}, "t", "t", true);
	assert_string_equal(shown(table), "a=s/a:101 b=t/b:100 c=t/c:100 m=s/m:102 y=t/y:101 z=s/z:100 ");
	replace(table, (const char *const[]){"c", NULL}, "t", "t", false);
	assert_string_equal(shown(table), "a=s/a:101 c=t/c:100 m=s/m:102 z=s/z:100 ");
	/* Twice in a list: the last one. Changes before the list do not outlive it. */
	put(table, "k", "s", "k", 1);
	replace(table, (const char *const[]){"m", "m", "c", "m", NULL}, "s", NULL, false);
	assert_string_equal(shown(table), "c=s/c:102 m=s/m:103 ");
	replace(table, (const char *const[]){NULL}, "s", NULL, false);
	assert_string_equal(shown(table), "");
	kube_table_free(table);
}

enum { UIDS = 600, ROUNDS = 40 };

/* Any changes, also more than are kept waiting, end where a plain array by uid ends. */
static void random_changes(void **state)
{
	struct seeded_random random = {11};
	struct kube_table *table = kube_table_create(&kind);
	static struct record model[UIDS];
	bool there[UIDS] = {false};
	for (unsigned round = 0; round < ROUNDS; round++) {
		unsigned count = (unsigned)(random_next(&random) % 500);
		for (unsigned i = 0; i < count; i++) {
			unsigned n = (unsigned)(random_next(&random) % UIDS);
			char uid[16];
			snprintf(uid, sizeof(uid), "%08x", n * 2654435761u);
			if (random_next(&random) % 3 == 0) {
				assert_int_equal(kube_table_remove(table, uid), there[n]);
				there[n] = false;
				continue;
			}
			model[n] = make(uid, "s", uid, (int)(random_next(&random) % 5));
			kube_table_put(table, &model[n]);
			there[n] = true;
		}
		kube_table_apply(table);
		size_t expected = 0;
		for (unsigned n = 0; n < UIDS; n++) {
			if (!there[n])
				continue;
			expected++;
			assert_memory_equal(kube_table_find(table, model[n].uid), &model[n], sizeof(struct record));
		}
		assert_int_equal(kube_table_count(table, NULL), expected);
		for (size_t i = 1; i < expected; i++)
			assert_true(strcmp(record_at(table, i - 1), record_at(table, i)) < 0);
	}
	kube_table_free(table);
}

static void large_list(void **state)
{
	struct kube_table *table = kube_table_create(&kind);
	struct kube_records list = {0};
	for (unsigned i = 0; i < 20000; i++) {
		char uid[16];
		snprintf(uid, sizeof(uid), "%08x", i * 2654435761u);
		struct record record = make(uid, "s", uid, (int)i);
		kube_records_add(&list, &kind, &record);
	}
	kube_table_replace(table, &list, NULL, false);
	assert_int_equal(kube_table_count(table, NULL), 20000);
	for (unsigned i = 0; i < 20000; i++) {
		char uid[16];
		snprintf(uid, sizeof(uid), "%08x", i * 2654435761u);
		assert_int_equal(((const struct record *)kube_table_find(table, uid))->value, i);
	}
	kube_table_free(table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(changes),        cmocka_unit_test(namesakes),  cmocka_unit_test(lists),
	    cmocka_unit_test(random_changes), cmocka_unit_test(large_list),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
