/* tombstones.c: a birth is remembered for its whole life and no live one is ever dropped. */
#include "dataplane/tombstones.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "dataplane/cookie.h"
#include "seeded_random.h"

enum { LIFE = COOKIE_LIFE_MS };

static struct tombstones stones_for(uint32_t capacity)
{
	struct tombstones stones;
	assert_true(tombstones_init(&stones, capacity));
	return stones;
}

static void an_entry_takes_sixteen_bytes(void **state)
{
	assert_int_equal(sizeof(struct tombstone), 16);
}

/* A cookie that is made at the very beginning of an epoch is valid for all of this and the next. */
static void it_lives_as_long_as_a_cookie(void **state)
{
	static const uint32_t births[] = {0, 1000, 0xffffffff, 0xffffffff - LIFE / 2};
	assert_int_equal(LIFE, 16000);
	for (unsigned i = 0; i < 4; i++) {
		struct tombstones stones = stones_for(4);
		assert_false(tombstones_has(&stones, 42));
		tombstones_add(&stones, 42, births[i]);
		for (uint32_t age = 0; age <= LIFE; age += 500) {
			tombstones_expire(&stones, births[i] + age, LIFE);
			assert_true(tombstones_has(&stones, 42));
		}
		tombstones_expire(&stones, births[i] + LIFE + 1, LIFE);
		assert_false(tombstones_has(&stones, 42));
		assert_int_equal(stones.count, 0);
		tombstones_free(&stones);
	}
}

static void full_is_full_until_the_oldest_ends(void **state)
{
	struct tombstones stones = stones_for(3);
	for (uint32_t i = 0; i < 3; i++) {
		assert_false(tombstones_full(&stones));
		tombstones_add(&stones, 100 + i, i * 10);
	}
	assert_true(tombstones_full(&stones));
	tombstones_expire(&stones, LIFE, LIFE);
	assert_true(tombstones_full(&stones));
	tombstones_expire(&stones, LIFE + 10, LIFE); /* the first alone: the second is exactly LIFE old */
	assert_false(tombstones_full(&stones));
	assert_false(tombstones_has(&stones, 100));
	assert_true(tombstones_has(&stones, 101));
	tombstones_add(&stones, 103, LIFE + 10);
	assert_true(tombstones_full(&stones));
	assert_true(tombstones_has(&stones, 101));
	assert_true(tombstones_has(&stones, 102));
	assert_true(tombstones_has(&stones, 103));
	tombstones_free(&stones);
}

/* All in one bucket, the oldest at the end of the chain. */
static void colliding_hashes_are_told_apart(void **state)
{
	struct tombstones stones = stones_for(5);
	for (uint32_t i = 0; i < 5; i++)
		tombstones_add(&stones, (uint64_t)i << 40 | 3, i);
	for (uint32_t i = 0; i < 5; i++) {
		for (uint32_t j = 0; j < 5; j++)
			assert_int_equal(tombstones_has(&stones, (uint64_t)j << 40 | 3), j >= i);
		tombstones_expire(&stones, LIFE + 1 + i, LIFE);
	}
	assert_int_equal(stones.count, 0);
	tombstones_free(&stones);
}

static void one_entry_is_enough_of_a_table(void **state)
{
	struct tombstones stones = stones_for(1);
	for (uint32_t i = 0; i < 10; i++) {
		tombstones_expire(&stones, i * 20000, LIFE);
		assert_false(tombstones_full(&stones));
		tombstones_add(&stones, i, i * 20000);
		assert_true(tombstones_full(&stones));
		assert_true(tombstones_has(&stones, i));
		assert_false(tombstones_has(&stones, i + 1));
	}
	tombstones_free(&stones);
}

/* Against a plain list over a clock that wraps. */
static void random_use_matches_a_plain_list(void **state)
{
	enum { CAPACITY = 200, BIRTHS = 60000 };
	struct tombstones stones = stones_for(CAPACITY);
	struct seeded_random random = {5};
	static struct {
		uint64_t hash;
		uint32_t born;
	} list[BIRTHS];
	uint32_t first = 0, count = 0, now = 0u - 1000000u;
	unsigned refused = 0;
	while (count < BIRTHS) {
		now += (uint32_t)(random_next(&random) % 180);
		tombstones_expire(&stones, now, LIFE);
		while (first < count && now - list[first].born > LIFE)
			first++;
		assert_int_equal(stones.count, count - first);
		assert_int_equal(tombstones_full(&stones), count - first == CAPACITY);
		if (count - first == CAPACITY) {
			refused++;
		} else {
			list[count].hash = random_next(&random) % 512 << 32 | (random_next(&random) & 0x33);
			list[count].born = now;
			tombstones_add(&stones, list[count].hash, now);
			count++;
		}
		uint64_t sought = list[random_next(&random) % count].hash;
		bool expected = false;
		for (uint32_t i = first; i < count; i++)
			expected |= list[i].hash == sought;
		assert_int_equal(tombstones_has(&stones, sought), expected);
	}
	assert_true(refused > 0);
	assert_true(now < 0x80000000); /* it did wrap */
	tombstones_free(&stones);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_entry_takes_sixteen_bytes),       cmocka_unit_test(it_lives_as_long_as_a_cookie),
	    cmocka_unit_test(full_is_full_until_the_oldest_ends), cmocka_unit_test(colliding_hashes_are_told_apart),
	    cmocka_unit_test(one_entry_is_enough_of_a_table),     cmocka_unit_test(random_use_matches_a_plain_list),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
