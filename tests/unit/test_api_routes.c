/* api_routes: lists and single routes, weights: each call, each refusal, and that the same again changes nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/control.h"
#include "control/state/override.h"
#include "route_fixture.h"

#define WEIGHT "/api/v1/routes/app1.ch/clusters/ose1/weight"

static const struct pair *app1_on_ose1(void)
{
	const struct name *name = fixture_route("app1.ch");
	return name ? names_pair(name, state_cluster(&fixture_control.state, "ose1")->index) : NULL;
}

static void lists(void **state)
{
	assert_int_equal(fixture_ask(200, "GET", "/api/v1/routes", NULL), 2);
	assert_string_equal(fixture_text("routes[0].host"), "app1.ch");
	assert_int_equal(fixture_ask(200, "GET", "/api/v1/routes?limit=1&offset=1", NULL), 2);
	assert_string_equal(fixture_text("routes[0].host"), "*.wild.ch");
	assert_int_equal(fixture_ask(200, "GET", "/api/v1/routes?search=WILD", NULL), 1);
	assert_int_equal(fixture_ask(200, "GET", "/api/v1/routes?cluster=ose2", NULL), 1);
	assert_int_equal(fixture_ask(200, "GET", "/api/v1/routes?state=override", NULL), 0);
	assert_int_equal(fixture_ask(200, "GET", "/api/v1/routes?namespace=shop", NULL), 0);
	assert_int_equal(fixture_ask(200, "GET", "/api/v1/routes?sort=active", NULL), 2);
	assert_int_equal(fixture_ask(200, "GET", "/api/v1/routes?sort=recent", NULL), 2);
}

static void wrong_lists(void **state)
{
	fixture_refused(404, "there is no cluster \"nix\"", "GET", "/api/v1/routes?cluster=nix", NULL);
	fixture_refused(400, "state must be one of parked, conflict, override, unserved, held", "GET",
	                "/api/v1/routes?state=odd", NULL);
	fixture_refused(400, "state must be one of", "GET", "/api/v1/routes?state=", NULL);
	fixture_refused(400, "sort must be one of name, active, recent", "GET", "/api/v1/routes?sort=x", NULL);
	fixture_refused(400, "limit must be", "GET", "/api/v1/routes?limit=10001", NULL);
	fixture_refused(400, "query parameter \"serach\" is not known here", "GET", "/api/v1/routes?serach=x", NULL);
}

static void one_route(void **state)
{
	fixture_ask(200, "GET", "/api/v1/routes/app1.ch", NULL);
	assert_string_equal(fixture_text("route.host"), "app1.ch");
	assert_true(fixture_number("route.clusters[0].planned_share") == 11.11);
	assert_true(json_is_null(fixture_at("route.rollback")));
	fixture_ask(200, "GET", "/api/v1/routes/*.wild.ch", NULL);
	assert_string_equal(fixture_text("route.host"), "*.wild.ch");
	fixture_refused(404, "there is no route \"nix.ch\"", "GET", "/api/v1/routes/nix.ch", NULL);
	fixture_refused(404, "there is no route \"a b\"", "GET", "/api/v1/routes/a b", NULL);
}

static void weights(void **state)
{
	fixture_written(true, "PUT", WEIGHT, "{'weight':33.25}");
	assert_true(app1_on_ose1()->overridden && app1_on_ose1()->override == 3325);
	fixture_written(false, "PUT", WEIGHT, "{'weight':33.25}");
	/* It survives that the route goes and comes back. */
	fixture_written(true, "PUT", "/api/v1/clusters/ose1", "{'source':'static'}");
	assert_true(!app1_on_ose1()->present && app1_on_ose1()->override == 3325);
	fixture_written(true, "PUT", "/api/v1/clusters/ose1", "{'source':'static','routes':[{'host':'APP1.ch'}]}");
	assert_true(app1_on_ose1()->present && app1_on_ose1()->override == 3325);
	fixture_written(true, "DELETE", WEIGHT, NULL);
	assert_false(app1_on_ose1()->overridden);
	fixture_written(false, "DELETE", WEIGHT, NULL);
	/* The last word on a route that is gone. */
	fixture_written(true, "PUT", WEIGHT, "{'weight':0}");
	fixture_written(true, "PUT", "/api/v1/clusters/ose1", "{'source':'static'}");
	fixture_written(true, "DELETE", WEIGHT, NULL);
	assert_null(app1_on_ose1());
	fixture_refused(404, "cluster ose1 has no route", "DELETE", WEIGHT, NULL);
}

static void wrong_weights(void **state)
{
	fixture_refused(400, "$.weight: is missing", "PUT", WEIGHT, "{}");
	fixture_refused(400, "$.weight: 101 is out of range", "PUT", WEIGHT, "{'weight':101}");
	fixture_refused(400, "$.weight: 1.234 has more than 2 decimals", "PUT", WEIGHT, "{'weight':1.234}");
	fixture_refused(400, "$.weight: is a string", "PUT", WEIGHT, "{'weight':'1'}");
	fixture_refused(400, "unknown field", "PUT", WEIGHT, "{'weight':1,'wait':2}");
	fixture_refused(404, "cluster ose1 has no route \"nix.ch\"", "PUT",
	                "/api/v1/routes/nix.ch/clusters/ose1/weight", "{'weight':1}");
	fixture_refused(404, "cluster ose1 has no route \"a b\"", "PUT", "/api/v1/routes/a b/clusters/ose1/weight",
	                "{'weight':1}");
	fixture_refused(404, "there is no cluster \"nix\"", "PUT", "/api/v1/routes/app1.ch/clusters/nix/weight",
	                "{'weight':1}");
	fixture_refused(405, "takes PUT, DELETE", "GET", WEIGHT, NULL);
}

static void dry_runs(void **state)
{
	fixture_planned(true, "PUT", WEIGHT "?dry_run=true", "{'weight':5}");
	assert_false(app1_on_ose1()->overridden);
	fixture_planned(false, "DELETE", WEIGHT "?dry_run=true", NULL);
	fixture_written(true, "PUT", WEIGHT, "{'weight':5}");
	fixture_planned(false, "PUT", WEIGHT "?dry_run=true", "{'weight':5}");
	fixture_planned(true, "DELETE", WEIGHT "?dry_run=true", NULL);
	assert_true(app1_on_ose1()->overridden);
}

static void by_revision(void **state)
{
	fixture_if_match = "\"7\"";
	fixture_refused(412, "the revision is 1 now", "PUT", WEIGHT, "{'weight':5}");
	fixture_if_match = "\"1\"";
	fixture_written(true, "PUT", WEIGHT, "{'weight':5}");
	fixture_refused(412, "the revision is 2 now", "PUT", WEIGHT, "{'weight':6}");
}

static void the_journal(void **state)
{
	fixture_written(true, "PUT", WEIGHT "?reason=CHG7", "{'weight':5}");
	fixture_journal("weight_set", "route app1.ch on cluster ose1: weight 5 (was its own)", "CHG7");
	fixture_written(true, "DELETE", WEIGHT, NULL);
	fixture_journal("weight_removed", "route app1.ch on cluster ose1: weight its own (was 5)", NULL);
	/* No JSON could hold it: neither the way back in the state file nor the route's own. */
	fixture_refused(400, "reason must be UTF-8", "PUT", WEIGHT "?reason=\xff", "{'weight':5}");
	fixture_written(true, "PUT", WEIGHT "?reason=\xc3\xbc", "{'weight':5}");
	assert_non_null(fixture_route("app1.ch")->rollback);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
	    TEST(lists),         TEST(wrong_lists), TEST(one_route),   TEST(weights),
	    TEST(wrong_weights), TEST(dry_runs),    TEST(by_revision), TEST(the_journal),
	};
	return fixture_run_tests(tests, sizeof(tests) / sizeof(tests[0]));
}
