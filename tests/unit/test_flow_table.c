/* flow_table.c: what was added is found under its hash and nothing else is, up to the promised load. */
#include "dataplane/flow_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "seeded_random.h"

static bool has(const struct flow_table *table, uint64_t hash, flow_ref ref)
{
	flow_ref refs[2 * FLOW_TABLE_WAYS];
	unsigned found = flow_table_candidates(table, hash, refs), times = 0;
	for (unsigned i = 0; i < found; i++)
		times += refs[i] == ref;
	assert_in_range(times, 0, 1);
	return times;
}

/* A hash with these buckets (of a small table). */
static uint64_t hash_of(uint32_t first, uint32_t second)
{
	return (uint64_t)0x1234 << 48 | (uint64_t)second << 32 | first;
}

static void a_bucket_is_one_cache_line(void **state)
{
	assert_int_equal(sizeof(struct flow_bucket), 64);
}

static void an_empty_table_has_nothing(void **state)
{
	struct flow_table table;
	flow_ref refs[2 * FLOW_TABLE_WAYS];
	assert_true(flow_table_init(&table, 2));
	for (uint64_t hash = 0; hash < 1000; hash++)
		assert_int_equal(flow_table_candidates(&table, hash * 0x9e3779b97f4a7c15, refs), 0);
	flow_table_free(&table);
}

static void both_sides_of_a_flow_are_kept_apart(void **state)
{
	struct flow_table table;
	assert_true(flow_table_init(&table, 64));
	assert_true(flow_table_add(&table, 0x1234567890abcdef, 5 << 1));
	assert_true(flow_table_add(&table, 0xfedcba0987654321, 5 << 1 | 1));
	assert_true(has(&table, 0x1234567890abcdef, 5 << 1));
	assert_false(has(&table, 0x1234567890abcdef, 5 << 1 | 1));
	flow_table_remove(&table, 0x1234567890abcdef, 5 << 1);
	assert_false(has(&table, 0x1234567890abcdef, 5 << 1));
	assert_true(has(&table, 0xfedcba0987654321, 5 << 1 | 1));
	flow_table_remove(&table, 0x1234567890abcdef, 5 << 1); /* again: nothing happens */
	flow_table_free(&table);
}

/* Keys with one hash, all of them candidates; the caller tells them apart. */
static void equal_hashes_share_their_buckets(void **state)
{
	struct flow_table table;
	assert_true(flow_table_init(&table, 64));
	uint64_t same = hash_of(3, 9);
	for (flow_ref ref = 0; ref < 16; ref++)
		assert_true(flow_table_add(&table, same, ref));
	assert_false(flow_table_add(&table, same, 16)); /* both buckets are full */
	for (flow_ref ref = 0; ref < 16; ref++)
		assert_true(has(&table, same, ref));
	flow_table_remove(&table, same, 11);
	assert_false(has(&table, same, 11));
	assert_true(flow_table_add(&table, same, 16));
	assert_true(has(&table, same, 16));
	flow_table_free(&table);
}

static void one_bucket_for_both_choices_is_searched_once(void **state)
{
	struct flow_table table;
	assert_true(flow_table_init(&table, 64));
	uint64_t same = hash_of(6, 6);
	assert_int_equal(flow_bucket_first(&table, same), flow_bucket_second(&table, same));
	for (flow_ref ref = 0; ref < 8; ref++)
		assert_true(flow_table_add(&table, same, ref));
	assert_false(flow_table_add(&table, same, 8));
	for (flow_ref ref = 0; ref < 8; ref++)
		assert_true(has(&table, same, ref));
	flow_table_free(&table);
}

/* The emptier bucket is taken, so that a full first one refuses nothing. */
static void the_emptier_bucket_is_taken(void **state)
{
	struct flow_table table;
	assert_true(flow_table_init(&table, 64));
	for (flow_ref ref = 0; ref < 8; ref++)
		assert_true(flow_table_add(&table, hash_of(1, 1), ref));
	uint64_t hash = hash_of(1, 2);
	for (flow_ref ref = 8; ref < 14; ref++)
		assert_true(flow_table_add(&table, hash, ref));
	for (flow_ref ref = 8; ref < 14; ref++)
		assert_true(has(&table, hash, ref));
	flow_table_free(&table);
}

/* As many keys as were asked for always fit: removed and added again at random, at full count. */
static void the_promised_keys_fit(void **state)
{
	enum { KEYS = 8192, ROUNDS = 400000 };
	struct seeded_random random = {9};
	struct flow_table table;
	static uint64_t hashes[KEYS];
	assert_true(flow_table_init(&table, KEYS));
	for (flow_ref ref = 0; ref < KEYS; ref++) {
		hashes[ref] = random_next(&random) << 40 ^ random_next(&random);
		assert_true(flow_table_add(&table, hashes[ref], ref));
	}
	for (unsigned round = 0; round < ROUNDS; round++) {
		flow_ref ref = (flow_ref)(random_next(&random) % KEYS);
		flow_table_remove(&table, hashes[ref], ref);
		assert_false(has(&table, hashes[ref], ref));
		hashes[ref] = random_next(&random) << 40 ^ random_next(&random);
		assert_true(flow_table_add(&table, hashes[ref], ref));
	}
	for (flow_ref ref = 0; ref < KEYS; ref++)
		assert_true(has(&table, hashes[ref], ref));
	for (flow_ref ref = 0; ref < KEYS; ref++)
		flow_table_remove(&table, hashes[ref], ref);
	for (uint32_t i = 0; i <= table.mask; i++)
		for (unsigned way = 0; way < FLOW_TABLE_WAYS; way++)
			assert_int_equal(table.buckets[i].refs[way], FLOW_TABLE_EMPTY);
	flow_table_free(&table);
}

/* The tag sorts out most strangers of a bucket before their key is looked at. */
static void strangers_are_few(void **state)
{
	enum { KEYS = 4096, LOOKUPS = 100000 };
	struct seeded_random random = {10};
	struct flow_table table;
	assert_true(flow_table_init(&table, KEYS));
	for (flow_ref ref = 0; ref < KEYS; ref++)
		assert_true(flow_table_add(&table, random_next(&random) << 40 ^ random_next(&random), ref));
	unsigned strangers = 0;
	for (unsigned i = 0; i < LOOKUPS; i++) {
		flow_ref refs[2 * FLOW_TABLE_WAYS];
		strangers += flow_table_candidates(&table, random_next(&random) << 40 ^ random_next(&random), refs);
	}
	assert_in_range(strangers, 0, LOOKUPS / 500);
	flow_table_free(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_bucket_is_one_cache_line),
	    cmocka_unit_test(an_empty_table_has_nothing),
	    cmocka_unit_test(both_sides_of_a_flow_are_kept_apart),
	    cmocka_unit_test(equal_hashes_share_their_buckets),
	    cmocka_unit_test(one_bucket_for_both_choices_is_searched_once),
	    cmocka_unit_test(the_emptier_bucket_is_taken),
	    cmocka_unit_test(the_promised_keys_fit),
	    cmocka_unit_test(strangers_are_few),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
