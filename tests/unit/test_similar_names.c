/* similar_names: distances, names above and below, the nearest first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "control/traffic/similar_names.h"

static struct hostname host(const char *text)
{
	struct hostname name;
	assert_true(hostname_set(&name, (const uint8_t *)text, strlen(text)));
	return name;
}

static unsigned distance(const char *a, const char *b, unsigned max)
{
	struct hostname x = host(a), y = host(b);
	unsigned result = similar_distance(&x, &y, max);
	assert_int_equal(result, similar_distance(&y, &x, max));
	return result;
}

static void distances(void **state)
{
	assert_int_equal(distance("app1.ch", "app1.ch", 2), 0);
	assert_int_equal(distance("app1.ch", "app2.ch", 2), 1);
	assert_int_equal(distance("app1.ch", "ap1.ch", 2), 1);
	assert_int_equal(distance("app1.ch", "aapp1.ch", 2), 1);
	assert_int_equal(distance("app1.ch", "papp1.ch", 2), 1);
	assert_int_equal(distance("app1.ch", "apps1.ch", 2), 1);
	assert_int_equal(distance("app1.ch", "app1.hc", 2), 1); /* two letters swapped */
	assert_int_equal(distance("app1.ch", "apq2.ch", 2), 2);
	assert_int_equal(distance("app1.ch", "bqq2.ch", 2), 3); /* more than 2 */
	assert_int_equal(distance("a.ch", "abcdef.ch", 2), 3);
	assert_int_equal(distance("abc", "cba", 5), 2);
	assert_int_equal(distance("a", "b", 1), 1);
	assert_int_equal(distance("kitten.ch", "sitting.ch", 5), 3);
}

static void longest_names(void **state)
{
	char text[254];
	for (int i = 0; i < 253; i++)
		text[i] = i % 60 == 59 ? '.' : 'a';
	text[253] = '\0';
	char other[254];
	strcpy(other, text);
	other[0] = 'b';
	other[252] = 'b';
	assert_int_equal(distance(text, other, 2), 2);
	assert_int_equal(distance(text, text, 2), 0);
}

static void add(struct names *names, const char *text, bool wildcard)
{
	struct hostname name = host(text);
	struct name *added = names_add(names, &name, wildcard);
	struct pair *pair = names_pair_add(names, added, 0);
	names_pair_set_present(names, added, pair, true);
}

static void finds_the_nearest(void **state)
{
	struct names names = {0};
	struct similar_names similar;
	struct hostname wanted = host("app1.ch"), nothing = host("nothing.example");
	add(&names, "www.app1.ch", false);
	add(&names, "app2.ch", false);
	add(&names, "apq2.ch", false);
	add(&names, "aqqq.ch", false);
	add(&names, "other.ch", false);
	add(&names, "ch", false);
	add(&names, "app1.ch", true); /* *.app1.ch */
	similar_names_find(&names, &wanted, &similar);
	assert_int_equal(similar.count, 4);
	assert_int_equal(similar.shown, 3);
	assert_string_equal(similar.names[0]->host.text, "app1.ch");
	assert_true(similar.names[0]->wildcard);
	assert_string_equal(similar.names[1]->host.text, "app2.ch");
	similar_names_find(&names, &nothing, &similar);
	assert_int_equal(similar.count, 0);
	names_free(&names);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(distances),
	    cmocka_unit_test(longest_names),
	    cmocka_unit_test(finds_the_nearest),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
