/* api_diff: what is counted and listed, filters, pages, and wrong questions. */
#include <stdio.h>
#include <string.h>

#include "route_fixture.h"

#define DIFF "/api/v1/diff?from=ose1&to=ose2"

static int setup(void **state)
{
	fixture_setup(state);
	fixture_put(
	    "{'name':'ose1','source':'static','hosts':[{'name':'r1','address':'203.0.113.11'}],"
	    "'routes':[{'host':'a.ch'},{'host':'b.ch'},{'host':'c.ch','weight':5},{'host':'d.ch','https':false}]}");
	fixture_put("{'name':'ose2','source':'static','hosts':[{'name':'r1','address':'203.0.113.21'}],"
	            "'routes':[{'host':'a.ch'},{'host':'c.ch'},{'host':'d.ch','weight':7},{'host':'*.e.ch'}]}");
	fixture_health("ose1", HEALTH_UP);
	fixture_health("ose2", HEALTH_UP);
	return 0;
}

static void assert_counts(int red, int yellow, int same)
{
	assert_true(fixture_number("red") == red);
	assert_true(fixture_number("yellow") == yellow);
	assert_true(fixture_number("same") == same);
}

static void all_differences(void **state)
{
	assert_int_equal(fixture_ask(200, "GET", DIFF, NULL), 5);
	assert_counts(2, 2, 1);
	assert_string_equal(fixture_text("from"), "ose1");
	assert_string_equal(fixture_text("to"), "ose2");
	assert_string_equal(fixture_text("differences[0].host"), "b.ch");
	assert_string_equal(fixture_text("differences[0].kind"), "missing");
	assert_string_equal(fixture_text("differences[0].level"), "red");
	assert_string_equal(fixture_text("differences[1].host"), "d.ch");
	assert_string_equal(fixture_text("differences[1].kind"), "termination");
	assert_string_equal(fixture_text("differences[2].host"), "c.ch");
	assert_string_equal(fixture_text("differences[2].kind"), "weight");
	assert_string_equal(fixture_text("differences[3].host"), "d.ch");
	assert_string_equal(fixture_text("differences[3].kind"), "weight");
	assert_string_equal(fixture_text("differences[4].host"), "*.e.ch");
	assert_string_equal(fixture_text("differences[4].kind"), "only_on_to");
	assert_true(fixture_number("revision") == fixture_control.state.revision);
}

static void pages_and_filters(void **state)
{
	assert_int_equal(fixture_ask(200, "GET", DIFF "&limit=1&offset=2", NULL), 5);
	assert_int_equal(json_array_size(fixture_at("differences")), 1);
	assert_string_equal(fixture_text("differences[0].host"), "c.ch");
	assert_counts(2, 2, 1); /* of all pages */
	for (int offset = 0; offset < 5; offset++) {
		char path[100];
		snprintf(path, sizeof(path), DIFF "&limit=2&offset=%d", offset);
		assert_int_equal(fixture_ask(200, "GET", path, NULL), 5);
		assert_int_equal(json_array_size(fixture_at("differences")), offset == 4 ? 1 : 2);
		assert_string_equal(fixture_text("differences[0].level"), offset < 2 ? "red" : "yellow");
	}
	assert_int_equal(fixture_ask(200, "GET", DIFF "&search=*.E", NULL), 1);
	assert_counts(0, 1, 0);
	strcpy(fixture_pair("b.ch", "ose1")->namespace, "shop");
	strcpy(fixture_pair("d.ch", "ose2")->namespace, "shop");
	fixture_ask(200, "GET", DIFF "&namespace=shop", NULL);
	assert_counts(2, 0, 0);
	assert_int_equal(fixture_ask(200, "GET", DIFF "&namespace=nix", NULL), 0);
}

static void what_belongs_to_a_cluster(void **state)
{
	strcpy(fixture_pair("b.ch", "ose1")->namespace, "openshift-console");
	fixture_ask(200, "GET", DIFF, NULL);
	assert_counts(1, 2, 1);
	fixture_ask(200, "GET", DIFF "&namespace=openshift-console", NULL);
	assert_counts(1, 0, 0);
}

static void wrong_questions(void **state)
{
	fixture_refused(400, "query parameter from is missing", "GET", "/api/v1/diff?to=ose2", NULL);
	fixture_refused(400, "query parameter to is missing", "GET", "/api/v1/diff?from=ose2", NULL);
	fixture_refused(400, "the same cluster", "GET", "/api/v1/diff?from=ose2&to=ose2", NULL);
	fixture_refused(404, "there is no cluster \"nix\"", "GET", "/api/v1/diff?from=nix&to=ose2", NULL);
	fixture_refused(404, "there is no cluster \"nix\"", "GET", "/api/v1/diff?from=ose2&to=nix", NULL);
	fixture_refused(400, "offset", "GET", DIFF "&offset=x", NULL);
	fixture_refused(405, "takes GET", "POST", "/api/v1/diff", "{}");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
	    TEST(all_differences),
	    TEST(pages_and_filters),
	    TEST(what_belongs_to_a_cluster),
	    TEST(wrong_questions),
	};
	return fixture_run_tests(tests, sizeof(tests) / sizeof(tests[0]));
}
