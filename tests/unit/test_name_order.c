/* name_order: right after every kind of change, few and many at once, against a sorted copy. */
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

static void serve(const char *text, bool present)
{
	struct hostname host;
	bool wildcard;
	assert_true(name_parse(text, &host, &wildcard));
	struct name *name = names_add(&names, &host, wildcard);
	if (present)
		names_pair_set_present(&names, name, names_pair_add(&names, name, 0), true);
	else
		names_pair_remove(&names, name, 0);
}

/* The list is what these texts say, apart by spaces. */
static void assert_order(const char *wanted)
{
	size_t count;
	char text[ROUTE_TEXT_MAX], all[1000] = "";
	struct name *const *list = names_ordered(&names, &count);
	for (size_t i = 0; i < count; i++) {
		strcat(all, i > 0 ? " " : "");
		strcat(all, name_format(&list[i]->host, list[i]->wildcard, text));
	}
	assert_string_equal(all, wanted);
}

static void by_name(void **state)
{
	assert_order("");
	serve("b.ch", true), serve("*.a.ch", true), serve("a.ch", true), serve("none.ch", false);
	assert_order("a.ch *.a.ch b.ch");
	serve("c.ch", true), serve("a.ch", false), serve("0.ch", true);
	assert_order("0.ch *.a.ch b.ch c.ch");
}

static void gone_and_back_between_two_looks(void **state)
{
	serve("a.ch", true), serve("b.ch", true);
	assert_order("a.ch b.ch");
	serve("a.ch", false), serve("a.ch", true);
	serve("c.ch", true), serve("c.ch", false);
	assert_order("a.ch b.ch");
}

static void what_is_freed_is_out(void **state)
{
	serve("a.ch", true), serve("b.ch", true);
	assert_order("a.ch b.ch");
	serve("a.ch", false);
	names_clean(&names); /* frees it */
	serve("c.ch", true);
	assert_order("b.ch c.ch");
	serve("b.ch", false), serve("c.ch", false);
	names_clean(&names);
	assert_order("");
}

enum { MANY = 2000, ROUNDS = 300 };

static void many(void **state)
{
	static bool served[MANY];
	struct seeded_random random = {.state = 11};
	for (unsigned round = 0; round < ROUNDS; round++) {
		unsigned changes = round % 10 == 0 ? MANY : (unsigned)(random_next(&random) % 20);
		for (unsigned i = 0; i < changes; i++) {
			char text[32];
			unsigned app = (unsigned)(random_next(&random) % MANY);
			served[app] = random_next(&random) % 2;
			snprintf(text, sizeof(text), "app%u.ch", app);
			serve(text, served[app]);
		}
		if (round % 3 == 0)
			names_clean(&names);
		size_t count, wanted = 0;
		struct name *const *list = names_ordered(&names, &count);
		for (unsigned i = 0; i < MANY; i++)
			wanted += served[i];
		assert_int_equal(count, wanted);
		for (size_t i = 0; i < count; i++) {
			assert_true(served[atoi(list[i]->host.text + 3)]);
			assert_true(i == 0 || names_compare(list[i - 1], list[i]) < 0);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(by_name, teardown),
	    cmocka_unit_test_teardown(gone_and_back_between_two_looks, teardown),
	    cmocka_unit_test_teardown(what_is_freed_is_out, teardown),
	    cmocka_unit_test_teardown(many, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
