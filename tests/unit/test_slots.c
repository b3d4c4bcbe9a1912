/* slots: who gets which slot, when one is given to another, and a directory that survives its owner. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "control/feed/slots.h"

enum { COUNT = 4 };

static struct shared_directory_entry entries[COUNT];
static struct slot_usage usages[COUNT];
static struct slots slots;

static struct slot_usage usage_of(void *context, uint32_t slot)
{
	return usages[slot];
}

static void attach(void)
{
	slots_init(&slots, entries, COUNT, usage_of, NULL);
}

static int setup(void **state)
{
	memset(entries, 0, sizeof(entries));
	memset(usages, 0, sizeof(usages));
	attach();
	return 0;
}

static int teardown(void **state)
{
	slots_free(&slots);
	return 0;
}

static void reattach(void)
{
	slots_free(&slots);
	attach();
}

static void an_object_keeps_its_slot(void **state)
{
	slots_begin(&slots, 1, 0);
	uint32_t a = slots_take(&slots, 100), b = slots_take(&slots, 200);
	assert_int_not_equal(a, b);
	assert_int_equal(slots_take(&slots, 100), a);
	assert_int_equal(slots_find(&slots, 200), b);
	assert_int_equal(slots_find(&slots, 300), SLOT_NONE);
	uint32_t generation = entries[a].generation;
	slots_begin(&slots, 2, 1);
	assert_int_equal(slots_take(&slots, 100), a);
	assert_int_equal(entries[a].generation, generation);
}

static void it_survives_its_owner(void **state)
{
	slots_begin(&slots, 1, 0);
	uint32_t a = slots_take(&slots, 100), b = slots_take(&slots, 200);
	uint32_t generation = entries[b].generation;
	reattach();
	slots_begin(&slots, 1, 0);
	assert_int_equal(slots_take(&slots, 200), b);
	assert_int_equal(slots_take(&slots, 100), a);
	assert_int_equal(entries[b].generation, generation);
	assert_true(slots_take(&slots, 300) != a && slots_take(&slots, 300) != b);
}

static void fill(uint64_t revision, uint64_t applied)
{
	slots_begin(&slots, revision, applied);
	for (uint64_t id = 1; id <= COUNT; id++)
		assert_int_not_equal(slots_take(&slots, id * 100), SLOT_NONE);
}

static void a_full_directory_gives_nothing(void **state)
{
	fill(1, 0);
	assert_int_equal(slots_take(&slots, 900), SLOT_NONE);
	slots_begin(&slots, 2, 1); /* all are still in the applied table */
	assert_int_equal(slots_take(&slots, 900), SLOT_NONE);
}

static void a_slot_is_given_away_when_no_worker_has_it(void **state)
{
	fill(1, 0);
	uint32_t gone = slots_find(&slots, 300), generation = entries[gone].generation;
	usages[gone] = (struct slot_usage){.active = 1, .total = 50, .refused = 3};

	/* Table 2 is without 300, but nobody has applied it yet. */
	slots_begin(&slots, 2, 1);
	slots_take(&slots, 100), slots_take(&slots, 200), slots_take(&slots, 400);
	assert_int_equal(slots_take(&slots, 900), SLOT_NONE);

	/* It is applied, but a connection is left. */
	slots_begin(&slots, 2, 2);
	assert_int_equal(slots_take(&slots, 900), SLOT_NONE);

	usages[gone].active = 0;
	slots_begin(&slots, 2, 2);
	assert_int_equal(slots_take(&slots, 900), gone);
	assert_int_equal(entries[gone].generation, generation + 1);
	assert_int_equal(slots_find(&slots, 300), SLOT_NONE);
	/* Its counters begin at 0 again. */
	usages[gone].total += 5;
	struct slot_usage usage = slots_usage(&slots, gone);
	assert_int_equal(usage.total, 5);
	assert_int_equal(usage.refused, 0);
	/* And still so for the next control. */
	reattach();
	assert_int_equal(slots_find(&slots, 900), gone);
	assert_int_equal(slots_usage(&slots, gone).total, 5);
}

/* An update has what the table before had, but for what is released. */
static void an_update_keeps_what_is_not_released(void **state)
{
	fill(1, 0);
	uint32_t released = slots_find(&slots, 200);
	for (uint64_t revision = 2; revision < 6; revision++) {
		slots_update(&slots, revision, revision - 1);
		assert_int_equal(slots_take(&slots, 900), SLOT_NONE);
	}
	slots_update(&slots, 6, 5);
	slots_release(&slots, 200);
	slots_release(&slots, 300);
	slots_release(&slots, 777);                               /* unknown */
	assert_int_not_equal(slots_take(&slots, 300), SLOT_NONE); /* only changed */
	assert_int_equal(slots_take(&slots, 900), SLOT_NONE);     /* table 5 had it, and is applied */
	slots_update(&slots, 7, 6);
	assert_int_equal(slots_take(&slots, 900), released);
	slots_begin(&slots, 8, 7); /* a whole table: all others are out */
	assert_int_equal(slots_take(&slots, 901), SLOT_NONE);
	slots_begin(&slots, 9, 8);
	assert_int_not_equal(slots_take(&slots, 901), SLOT_NONE);
}

static void after_a_restart_nothing_is_given_away_before_the_first_table_is_applied(void **state)
{
	fill(1, 0);
	reattach();
	slots_begin(&slots, 7, 0);
	assert_int_equal(slots_take(&slots, 900), SLOT_NONE);
	slots_begin(&slots, 7, 7);
	assert_int_not_equal(slots_take(&slots, 900), SLOT_NONE);
}

static void one_that_returns_finds_its_counters(void **state)
{
	slots_begin(&slots, 1, 0);
	uint32_t a = slots_take(&slots, 100);
	usages[a].total = 12;
	slots_begin(&slots, 2, 1);
	assert_int_not_equal(slots_take(&slots, 200), a);
	slots_begin(&slots, 3, 2);
	assert_int_equal(slots_take(&slots, 100), a);
	assert_int_equal(slots_usage(&slots, a).total, 12);
}

/* Killed between two stores: the entry belongs to nobody, its slot is given away only when it is idle. */
static void torn_entries(void **state)
{
	fill(1, 0);
	uint32_t torn = slots_find(&slots, 200);
	uint8_t good[sizeof(entries[0])];
	memcpy(good, &entries[torn], sizeof(good));
	for (size_t byte = 0; byte < sizeof(good); byte++) {
		memcpy(&entries[torn], good, sizeof(good));
		((uint8_t *)&entries[torn])[byte] ^= 0xff;
		reattach();
		assert_int_equal(slots_find(&slots, 200), SLOT_NONE);
		usages[torn].active = 1;
		slots_begin(&slots, 2, 2);
		assert_int_equal(slots_find(&slots, 100), 0);
		slots_take(&slots, 100), slots_take(&slots, 300), slots_take(&slots, 400);
		assert_int_equal(slots_take(&slots, 900), SLOT_NONE);
		usages[torn].active = 0;
		slots_begin(&slots, 3, 3);
		slots_take(&slots, 100), slots_take(&slots, 300), slots_take(&slots, 400);
		assert_int_equal(slots_take(&slots, 900), torn);
	}
}

static void an_empty_directory(void **state)
{
	struct slots none;
	slots_init(&none, NULL, 0, usage_of, NULL);
	slots_begin(&none, 1, 1);
	assert_int_equal(slots_take(&none, 5), SLOT_NONE);
	slots_free(&none);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(an_object_keeps_its_slot, setup, teardown),
	    cmocka_unit_test_setup_teardown(it_survives_its_owner, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_full_directory_gives_nothing, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_slot_is_given_away_when_no_worker_has_it, setup, teardown),
	    cmocka_unit_test_setup_teardown(an_update_keeps_what_is_not_released, setup, teardown),
	    cmocka_unit_test_setup_teardown(after_a_restart_nothing_is_given_away_before_the_first_table_is_applied,
	                                    setup, teardown),
	    cmocka_unit_test_setup_teardown(one_that_returns_finds_its_counters, setup, teardown),
	    cmocka_unit_test_setup_teardown(torn_entries, setup, teardown),
	    cmocka_unit_test(an_empty_directory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
