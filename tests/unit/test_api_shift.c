/* api_shift: shifts of one route and of many, rollbacks, each refusal, dry runs and revisions. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/state/revisions.h"
#include "route_fixture.h"

#define SHIFT    "/api/v1/routes/app1.ch/shift"
#define ROLLBACK "/api/v1/routes/app1.ch/rollback"
#define ALL      "/api/v1/clusters/ose1/shift"

static int setup(void **state)
{
	fixture_setup(state);
	fixture_put("{'name':'ose1','source':'static','hosts':[{'name':'r1','address':'203.0.113.11'}],"
	            "'routes':[{'host':'app1.ch'},{'host':'app2.ch'},{'host':'app3.ch'},{'host':'*.wild.ch'}]}");
	fixture_put("{'name':'ose2','source':'static','hosts':[{'name':'r1','address':'203.0.113.21'}],"
	            "'routes':[{'host':'app1.ch','weight':0},{'host':'app2.ch','weight':0},{'host':'*.wild.ch',"
	            "'weight':0}]}");
	fixture_health("ose1", HEALTH_UP);
	fixture_health("ose2", HEALTH_UP);
	return 0;
}

static int weight(const char *route, const char *cluster)
{
	const struct pair *pair = fixture_pair(route, cluster);
	return pair && pair->overridden ? pair->override : -1;
}

static void one_after_the_other(void **state)
{
	static const unsigned steps[] = {1, 10, 50, 100};
	char body[60];
	for (unsigned i = 0; i < 4; i++) {
		snprintf(body, sizeof(body), "{'to':'ose2','percent':%u}", steps[i]);
		fixture_planned(true, "POST", SHIFT "?dry_run=true", body);
		fixture_written(true, "POST", SHIFT, body);
		assert_int_equal(weight("app1.ch", "ose2"), steps[i] * 100);
		assert_int_equal(weight("app1.ch", "ose1"), 10000 - steps[i] * 100);
		assert_string_equal(fixture_text("plan.changes[0].level"), "green");
		assert_true(fixture_number("plan.changes[0].after[1].share") == steps[i]);
		fixture_written(false, "POST", SHIFT, body); /* the same again */
	}
	fixture_journal("shifted", "route app1.ch: ose2 100 % (was ose1 50 %, ose2 50 %)", NULL);
	fixture_written(true, "POST", SHIFT "?reason=CHG8", "{'to':'ose1','percent':0.01}");
	fixture_journal("shifted", "route app1.ch: ose1 0.01 %, ose2 99.99 % (was ose2 100 %)", "CHG8");
	assert_int_equal(weight("app1.ch", "ose1"), 1);
}

static void back_again(void **state)
{
	fixture_refused(409, "nothing to roll back", "POST", ROLLBACK, NULL);
	fixture_written(true, "PUT", "/api/v1/routes/app1.ch/clusters/ose1/weight", "{'weight':7}");
	fixture_written(true, "POST", SHIFT, "{'to':'ose2','percent':10}");
	fixture_ask(200, "GET", "/api/v1/routes/app1.ch", NULL);
	assert_true(fixture_number("route.rollback.revision") == fixture_control.state.revision);
	assert_non_null(strstr(fixture_text("route.rollback.by"), "127.0.0.1"));
	assert_true(json_is_null(fixture_at("route.rollback.reason")));
	fixture_planned(true, "POST", ROLLBACK "?dry_run=true", "{}");
	assert_true(fixture_number("plan.changes[0].after[0].weight") == 7);
	fixture_restart(); /* as it was saved */
	fixture_written(true, "POST", ROLLBACK, "{}");
	assert_int_equal(weight("app1.ch", "ose1"), 700);
	assert_int_equal(weight("app1.ch", "ose2"), -1);
	fixture_refused(409, "the last change was taken back already", "POST", ROLLBACK, "{}");
	fixture_refused(400, "takes no body but {}", "POST", ROLLBACK, "{'to':'ose1'}");
	fixture_refused(404, "there is no route", "POST", "/api/v1/routes/nix.ch/rollback", NULL);
}

static void wrong_bodies(void **state)
{
	fixture_refused(400, "$.to: is missing", "POST", SHIFT, "{'percent':1}");
	fixture_refused(400, "$.percent: is missing", "POST", SHIFT, "{'to':'ose2'}");
	fixture_refused(400, "$.percent: 101 is out of range", "POST", SHIFT, "{'to':'ose2','percent':101}");
	fixture_refused(400, "$.percent: 0.001 has more than 2 decimals", "POST", SHIFT,
	                "{'to':'ose2','percent':0.001}");
	fixture_refused(400, "$.force: is a string", "POST", SHIFT, "{'to':'ose2','percent':1,'force':'yes'}");
	fixture_refused(400, "unknown field", "POST", SHIFT, "{'to':'ose2','percent':1,'namespace':'x'}");
	fixture_refused(400, "line 1", "POST", SHIFT, "{");
	fixture_refused(404, "there is no cluster \"nix\"", "POST", SHIFT, "{'to':'nix','percent':1}");
	fixture_refused(404, "there is no route \"nix.ch\"", "POST", "/api/v1/routes/nix.ch/shift",
	                "{'to':'ose2','percent':1}");
	fixture_refused(405, "takes POST", "GET", SHIFT, NULL);
}

static void red_is_refused_unless_forced(void **state)
{
	fixture_health("ose2", HEALTH_DOWN);
	fixture_refused(409, "app1.ch: cluster ose2 has no healthy router host for http. Mend that first, or force it",
	                "POST", SHIFT, "{'to':'ose2','percent':1}");
	assert_true(fixture_number("plan.red") == 1);
	assert_string_equal(fixture_text("plan.changes[0].level"), "red");
	fixture_planned(false, "POST", SHIFT "?dry_run=true", "{'to':'ose2','percent':1}");
	assert_true(fixture_number("plan.red") == 1);
	assert_true(json_is_true(fixture_at("plan.refused")));
	assert_true(json_is_true(fixture_at("plan.forceable")));
	fixture_planned(true, "POST", SHIFT "?dry_run=true", "{'to':'ose2','percent':1,'force':true}");
	fixture_written(true, "POST", SHIFT, "{'to':'ose2','percent':1,'force':true}");
	fixture_written(false, "POST", SHIFT, "{'to':'ose2','percent':1}"); /* as it is */
}

static void the_impossible_is_refused_always(void **state)
{
	fixture_refused(409, "app3.ch: cluster ose2 does not have this route", "POST", "/api/v1/routes/app3.ch/shift",
	                "{'to':'ose2','percent':1,'force':true}");
	fixture_refused(409, "no other cluster has a weight above 0 here", "POST", "/api/v1/routes/app3.ch/shift",
	                "{'to':'ose1','percent':1,'force':true}");
}

/* Nobody has a weight but the cluster that gets less: the only other one that can takes the rest. */
static void the_rest_has_one_heir(void **state)
{
	fixture_written(true, "POST", SHIFT, "{'to':'ose1','percent':90}");
	assert_int_equal(weight("app1.ch", "ose1"), 9000);
	assert_int_equal(weight("app1.ch", "ose2"), 1000);
	assert_string_equal(fixture_text("plan.changes[0].level"), "yellow");
	assert_string_equal(fixture_text("plan.changes[0].notes[0]"),
	                    "the other 10 % go to cluster ose2, the only other one that can take them");
	fixture_health("ose2", HEALTH_DOWN);
	fixture_refused(409, "no other cluster has a weight above 0 here", "POST", "/api/v1/routes/app2.ch/shift",
	                "{'to':'ose1','percent':90}");
	fixture_health("ose2", HEALTH_UP);
	fixture_put("{'name':'ose3','source':'static','hosts':[{'name':'r1','address':'203.0.113.31'}],"
	            "'routes':[{'host':'app2.ch','weight':0}]}");
	fixture_health("ose3", HEALTH_UP);
	fixture_refused(409, "the other 10 % could go to ose2, ose3: say which by shift --to ose2 --percent 10", "POST",
	                "/api/v1/routes/app2.ch/shift", "{'to':'ose1','percent':90}");
	assert_null(fixture_at("forceable"));
	fixture_pair("app2.ch", "ose3")->http = false; /* other listeners: it is none */
	fixture_written(true, "POST", "/api/v1/routes/app2.ch/shift", "{'to':'ose1','percent':90}");
	assert_int_equal(weight("app2.ch", "ose2"), 1000);
	assert_int_equal(weight("app2.ch", "ose3"), 0);
}

static void single_weights_have_a_plan(void **state)
{
	fixture_planned(true, "PUT", "/api/v1/routes/app1.ch/clusters/ose2/weight?dry_run=true", "{'weight':25}");
	assert_int_equal((int)fixture_number("plan.routes"), 1);
	assert_int_equal(weight("app1.ch", "ose2"), -1);
	fixture_written(true, "PUT", "/api/v1/routes/app1.ch/clusters/ose2/weight", "{'weight':25}");
	assert_string_equal(fixture_text("plan.changes[0].host"), "app1.ch");
	assert_string_equal(fixture_text("plan.changes[0].level"), "green");
	assert_true(fixture_number("plan.changes[0].before[1].share") == 0);
	assert_true(fixture_number("plan.changes[0].after[1].weight") == 25);
	assert_true(fixture_number("plan.changes[0].after[1].share") == 20);
	fixture_written(true, "DELETE", "/api/v1/routes/app1.ch/clusters/ose2/weight", NULL);
	assert_true(fixture_number("plan.changes[0].after[1].share") == 0);
	fixture_planned(true, "PUT", "/api/v1/routes/app1.ch/clusters/ose1/weight?dry_run=true", "{'weight':0}");
	assert_string_equal(fixture_text("plan.changes[0].level"), "red");
	assert_non_null(strstr(fixture_text("plan.changes[0].notes[0]"), "would be left for it on http"));
}

static void a_long_plan_says_how_much_more(void **state)
{
	json_t *routes = json_array(), *first = NULL;
	for (int i = 0; i < 1003; i++) {
		char name[20];
		snprintf(name, sizeof(name), "many%d.ch", i);
		json_array_append_new(routes, json_pack("{s:s}", "host", name));
	}
	first = json_pack("{s:s, s:O}", "source", "static", "routes", routes);
	char *body = json_dumps(first, 0);
	fixture_written(true, "PUT", "/api/v1/clusters/m1", body);
	assert_int_equal((int)fixture_number("plan.more"), 3);
	fixture_written(true, "PUT", "/api/v1/clusters/m2", body);
	fixture_planned(true, "POST", "/api/v1/clusters/m1/shift?dry_run=true",
	                "{'to':'m2','percent':10,'force':true}");
	assert_int_equal((int)json_array_size(fixture_at("plan.changes")), 1000);
	assert_int_equal((int)fixture_number("plan.more"), 3);
	free(body);
	json_decref(first);
	json_decref(routes);
}

static void all_at_once(void **state)
{
	uint64_t revision = fixture_control.state.revision;
	fixture_planned(true, "POST", ALL "?dry_run=true", "{'to':'ose2','percent':10}");
	assert_true(fixture_number("plan.routes") == 3);
	fixture_written(true, "POST", ALL "?reason=CHG9", "{'to':'ose2','percent':10}");
	assert_int_equal(fixture_control.state.revision, revision + 1);
	assert_true(fixture_number("plan.routes") == 3);
	assert_true(fixture_number("plan.red") == 0);
	assert_true(fixture_number("plan.missing") == 1);
	assert_int_equal(weight("app2.ch", "ose2"), 1000);
	assert_int_equal(weight("*.wild.ch", "ose1"), 9000);
	assert_int_equal(weight("app3.ch", "ose1"), -1);
	fixture_journal("bulk_shifted", "3 routes of cluster ose1: 10 % to ose2; 0 left out", "CHG9");
	const struct revision *kept = revisions_at(fixture_control.revisions, 0);
	assert_string_equal(kept->what, "before routes of cluster ose1 were shifted to ose2, 10 %");
	assert_int_equal(kept->revision, revision);
	fixture_written(false, "POST", ALL, "{'to':'ose2','percent':10}");
	/* One of them back, the others stay. */
	fixture_written(true, "POST", ROLLBACK, NULL);
	assert_int_equal(weight("app1.ch", "ose2"), -1);
	assert_int_equal(weight("app2.ch", "ose2"), 1000);
}

/* A third cluster keeps its share; where the first one has too little to give, the route is left out by name. */
static void a_third_cluster_keeps_its_share(void **state)
{
	fixture_put("{'name':'ose3','source':'static','hosts':[{'name':'r1','address':'203.0.113.31'}],"
	            "'routes':[{'host':'app1.ch','weight':100},{'host':'app2.ch','weight':9}]}");
	fixture_put("{'name':'ose1','source':'static','hosts':[{'name':'r1','address':'203.0.113.11'}],'routes':"
	            "[{'host':'app1.ch','weight':1},{'host':'app2.ch','weight':91},{'host':'*.wild.ch'}]}");
	fixture_health("ose1", HEALTH_UP);
	fixture_health("ose3", HEALTH_UP);
	fixture_planned(true, "POST", ALL "?dry_run=true", "{'to':'ose2','percent':10}");
	assert_true(fixture_number("plan.red") == 1);
	assert_string_equal(fixture_text("plan.changes[0].host"), "app1.ch");
	assert_non_null(strstr(fixture_text("plan.changes[0].notes[0]"), "cluster ose1 has only 0.99 % to give"));
	fixture_written(true, "POST", ALL, "{'to':'ose2','percent':10}");
	assert_int_equal(weight("app1.ch", "ose2"), -1);
	assert_int_equal(weight("app2.ch", "ose1"), 8100);
	assert_int_equal(weight("app2.ch", "ose2"), 1000);
	assert_int_equal(weight("app2.ch", "ose3"), 900);
	assert_int_equal(weight("*.wild.ch", "ose2"), 1000);
	fixture_written(true, "POST", ALL, "{'to':'ose2','percent':10,'force':true}"); /* what there is */
	assert_int_equal(weight("app1.ch", "ose1"), 0);
	assert_int_equal(weight("app1.ch", "ose2"), 99);
	assert_int_equal(weight("app1.ch", "ose3"), 9901);
}

static void one_route_from_one_cluster(void **state)
{
	fixture_put("{'name':'ose3','source':'static','hosts':[{'name':'r1','address':'203.0.113.31'}],"
	            "'routes':[{'host':'app1.ch','weight':100}]}");
	fixture_health("ose3", HEALTH_UP);
	fixture_written(true, "POST", SHIFT, "{'from':'ose3','to':'ose2','percent':20}");
	assert_int_equal(weight("app1.ch", "ose1"), 5000);
	assert_int_equal(weight("app1.ch", "ose2"), 2000);
	assert_int_equal(weight("app1.ch", "ose3"), 3000);
	fixture_refused(409, "app1.ch: cluster ose3 has only 30 % to give", "POST", SHIFT,
	                "{'from':'ose3','to':'ose2','percent':60}");
	assert_true(json_is_true(fixture_at("forceable")));
	fixture_written(true, "POST", SHIFT, "{'to':'ose2','percent':60}"); /* of both */
	assert_int_equal(weight("app1.ch", "ose1"), 2500);
	fixture_refused(404, "there is no cluster \"nix\"", "POST", SHIFT, "{'from':'nix','to':'ose2','percent':1}");
	fixture_refused(400, "$.from: is the cluster that the shift is to", "POST", SHIFT,
	                "{'from':'ose2','to':'ose2','percent':1}");
	fixture_refused(400, "unknown field", "POST", ALL, "{'from':'ose1','to':'ose2','percent':1}");
}

static void some_of_them(void **state)
{
	fixture_written(true, "POST", ALL, "{'to':'ose2','percent':10,'search':'APP'}");
	assert_true(fixture_number("plan.routes") == 2);
	assert_int_equal(weight("*.wild.ch", "ose2"), -1);
	fixture_refused(404, "has none of those routes", "POST", ALL, "{'to':'ose2','percent':10,'namespace':'shop'}");
	strcpy(fixture_pair("*.wild.ch", "ose1")->namespace, "shop");
	fixture_written(true, "POST", ALL, "{'to':'ose2','percent':10,'namespace':'shop'}");
	assert_int_equal(weight("*.wild.ch", "ose2"), 1000);
	strcpy(fixture_pair("*.wild.ch", "ose1")->namespace, "openshift-console");
	fixture_refused(404, "has none of those routes", "POST", ALL,
	                "{'to':'ose2','percent':10,'namespace':'openshift-console'}");
}

static void red_ones_are_left_out(void **state)
{
	fixture_pair("app2.ch", "ose2")->http = false;
	fixture_written(true, "POST", ALL, "{'to':'ose2','percent':10}");
	assert_true(fixture_number("plan.red") == 1);
	assert_string_equal(fixture_text("plan.changes[0].host"), "app2.ch"); /* the worst first */
	assert_int_equal(weight("app2.ch", "ose2"), -1);
	assert_int_equal(weight("app1.ch", "ose2"), 1000);
	fixture_journal("bulk_shifted", "2 routes of cluster ose1: 10 % to ose2; 1 left out", NULL);
	fixture_written(true, "POST", ALL, "{'to':'ose2','percent':10,'force':true}");
	assert_int_equal(weight("app2.ch", "ose2"), 1000);
}

static void all_red(void **state)
{
	fixture_health("ose2", HEALTH_DOWN);
	fixture_refused(409, "none of the 3 routes of cluster ose1 can be shifted to ose2", "POST", ALL,
	                "{'to':'ose2','percent':10}");
	assert_true(fixture_number("plan.red") == 3);
	fixture_refused(400, "$.to: is the cluster that the shift is from", "POST", ALL, "{'to':'ose1','percent':10}");
	fixture_refused(404, "there is no cluster", "POST", "/api/v1/clusters/nix/shift", "{'to':'ose1','percent':10}");
	fixture_refused(404, "there is no cluster", "POST", ALL, "{'to':'nix','percent':10}");
}

static void by_revision(void **state)
{
	fixture_if_match = "\"99\"";
	fixture_refused(412, "If-Match is \"99\", but the revision is", "POST", SHIFT, "{'to':'ose2','percent':10}");
	fixture_refused(412, "If-Match", "POST", ALL, "{'to':'ose2','percent':10}");
	fixture_refused(412, "If-Match", "POST", ROLLBACK, NULL);
	fixture_if_match = "*";
	fixture_written(true, "POST", SHIFT, "{'to':'ose2','percent':10}");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
	    TEST(one_after_the_other),
	    TEST(back_again),
	    TEST(wrong_bodies),
	    TEST(red_is_refused_unless_forced),
	    TEST(the_impossible_is_refused_always),
	    TEST(the_rest_has_one_heir),
	    TEST(single_weights_have_a_plan),
	    TEST(a_long_plan_says_how_much_more),
	    TEST(all_at_once),
	    TEST(a_third_cluster_keeps_its_share),
	    TEST(one_route_from_one_cluster),
	    TEST(some_of_them),
	    TEST(red_ones_are_left_out),
	    TEST(all_red),
	    TEST(by_revision),
	};
	return fixture_run_tests(tests, sizeof(tests) / sizeof(tests[0]));
}
