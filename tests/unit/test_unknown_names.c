/* unknown_names: what makes an entry, the order, and the bounds: of all, and of one source network. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/traffic/unknown_names.h"

static struct unknown_names *names;

static int setup(void **state)
{
	names = unknown_names_create();
	return 0;
}

static int teardown(void **state)
{
	unknown_names_free(names);
	return 0;
}

static void take(const char *name, enum record_why why, const char *listener, const char *client, int64_t at)
{
	struct record_connection connection = {.why = (uint8_t)why};
	connection.name.len = (uint8_t)strlen(name);
	strcpy(connection.name.text, name);
	assert_true(address_parse(client, &connection.client));
	unknown_names_take(names, &connection, listener, at);
}

static const struct unknown_name *nth(size_t n)
{
	static struct unknown_name copy;
	size_t count;
	const struct unknown_name **sorted = unknown_names_sorted(names, &count);
	assert_true(n < count);
	copy = *sorted[n];
	free(sorted);
	return &copy;
}

static bool has(const char *name)
{
	size_t count;
	const struct unknown_name **sorted = unknown_names_sorted(names, &count);
	bool found = false;
	for (size_t i = 0; i < count; i++)
		found |= strcmp(sorted[i]->name.text, name) == 0;
	free(sorted);
	return found;
}

static void a_name_a_reason_and_a_listener_make_an_entry(void **state)
{
	take("a.ch", RECORD_UNKNOWN_NAME, "http", "192.0.2.1", 1000);
	take("a.ch", RECORD_UNKNOWN_NAME, "http", "192.0.2.2", 2000);
	take("a.ch", RECORD_UNHEALTHY, "http", "192.0.2.1", 3000);
	take("a.ch", RECORD_UNKNOWN_NAME, "https", "192.0.2.1", 4000);
	take("", RECORD_MALFORMED, "http", "192.0.2.1", 5000);
	assert_int_equal(unknown_names_count(names), 4);
	assert_int_equal(unknown_names_total(names), 5);
	assert_int_equal(unknown_names_left_out(names), 0);
	assert_int_equal(nth(0)->name.len, 0);
	assert_int_equal(nth(0)->why, RECORD_MALFORMED);
	assert_string_equal(nth(1)->listener, "https");
	assert_int_equal(nth(3)->count, 2);
	assert_int_equal(nth(3)->first_at, 1000);
	assert_int_equal(nth(3)->last_at, 2000);
	struct address client;
	address_parse("192.0.2.2", &client);
	assert_true(address_equal(&nth(3)->last_client, &client));
}

static void the_newest_come_first_also_when_they_are_old_names(void **state)
{
	take("a.ch", RECORD_UNKNOWN_NAME, "http", "192.0.2.1", 1);
	take("b.ch", RECORD_UNKNOWN_NAME, "http", "192.0.2.1", 2);
	take("a.ch", RECORD_UNKNOWN_NAME, "http", "192.0.2.1", 3);
	assert_string_equal(nth(0)->name.text, "a.ch");
	assert_string_equal(nth(1)->name.text, "b.ch");
}

static void one_network_pushes_out_only_its_own(void **state)
{
	char name[32];
	take("forgotten.ch", RECORD_UNKNOWN_NAME, "http", "198.51.100.1", 1);
	take("forgotten.ch", RECORD_UNKNOWN_NAME, "http", "198.51.100.1", 1);
	for (int i = 0; i < 5000; i++) {
		char client[32];
		snprintf(name, sizeof(name), "guess-%d.ch", i);
		snprintf(client, sizeof(client), "192.0.2.%d", i % 256);
		take(name, RECORD_UNKNOWN_NAME, "http", client, 2 + i);
	}
	assert_int_equal(unknown_names_count(names), UNKNOWN_NAMES_OF_SOURCE + 1);
	assert_int_equal(unknown_names_left_out(names), 5000 - UNKNOWN_NAMES_OF_SOURCE);
	assert_true(has("forgotten.ch"));
	assert_true(has("guess-4999.ch"));
	assert_true(has("guess-4900.ch"));
	assert_false(has("guess-4899.ch"));
}

static void an_ipv6_network_is_a_64(void **state)
{
	char name[32];
	for (int i = 0; i < 2 * UNKNOWN_NAMES_OF_SOURCE; i++) {
		snprintf(name, sizeof(name), "guess-%d.ch", i);
		take(name, RECORD_UNKNOWN_NAME, "http", i % 2 ? "2001:db8:0:1::7" : "2001:db8:0:1:ffff::8", i);
	}
	assert_int_equal(unknown_names_count(names), UNKNOWN_NAMES_OF_SOURCE);
	take("other.ch", RECORD_UNKNOWN_NAME, "http", "2001:db8:0:2::7", 1000);
	assert_int_equal(unknown_names_count(names), UNKNOWN_NAMES_OF_SOURCE + 1);
}

static void all_together_are_bounded_and_the_counts_add_up(void **state)
{
	size_t count;
	uint64_t sum = 0;
	char name[32], client[32];
	for (int i = 0; i < 3 * UNKNOWN_NAMES_MAX; i++) {
		snprintf(name, sizeof(name), "n%d.ch", i);
		snprintf(client, sizeof(client), "10.%d.%d.1", i / 256, i % 256);
		take(name, RECORD_UNKNOWN_NAME, "http", client, i);
		take("often.ch", RECORD_UNKNOWN_NAME, "http", "192.0.2.1", i);
	}
	const struct unknown_name **sorted = unknown_names_sorted(names, &count);
	assert_int_equal(count, UNKNOWN_NAMES_MAX);
	for (size_t i = 0; i < count; i++)
		sum += sorted[i]->count;
	free(sorted);
	assert_int_equal(sum + unknown_names_left_out(names), unknown_names_total(names));
	assert_int_equal(unknown_names_total(names), 6 * UNKNOWN_NAMES_MAX);
	assert_int_equal(nth(0)->count, 3 * UNKNOWN_NAMES_MAX);
	assert_false(has("n0.ch"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_name_a_reason_and_a_listener_make_an_entry, setup, teardown),
	    cmocka_unit_test_setup_teardown(the_newest_come_first_also_when_they_are_old_names, setup, teardown),
	    cmocka_unit_test_setup_teardown(one_network_pushes_out_only_its_own, setup, teardown),
	    cmocka_unit_test_setup_teardown(an_ipv6_network_is_a_64, setup, teardown),
	    cmocka_unit_test_setup_teardown(all_together_are_bounded_and_the_counts_add_up, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
