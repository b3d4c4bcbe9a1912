/* diff: every kind of difference, its level, and what is none. */
#include <string.h>

#include "control/state/diff.h"
#include "route_fixture.h"

static struct diff diff;
static struct pair *a, *b;

static int setup(void **state)
{
	fixture_setup(state);
	fixture_put("{'name':'ose1','source':'static','hosts':[{'name':'r1','address':'203.0.113.11'}],"
	            "'routes':[{'host':'app.ch'},{'host':'only1.ch'},{'host':'idle1.ch','weight':0}]}");
	fixture_put("{'name':'ose2','source':'static','hosts':[{'name':'r1','address':'203.0.113.21'}],"
	            "'routes':[{'host':'app.ch'},{'host':'only2.ch'}]}");
	fixture_health("ose1", HEALTH_UP);
	fixture_health("ose2", HEALTH_UP);
	a = fixture_pair("app.ch", "ose1");
	b = fixture_pair("app.ch", "ose2");
	return 0;
}

static void compare(const char *route, const char *rejection)
{
	struct share_view view;
	const struct state *state = &fixture_control.state;
	share_view_make(&view, state);
	diff_route(&diff, &view, fixture_route(route), state_cluster(state, "ose1"), state_cluster(state, "ose2"),
	           rejection);
}

static void assert_finding(unsigned i, enum diff_level level, const char *kind, const char *detail)
{
	assert_true(i < diff.count);
	assert_string_equal(diff_kind_name(diff.findings[i].kind), kind);
	assert_int_equal(diff.findings[i].level, level);
	if (!strstr(diff.findings[i].detail, detail))
		print_error("%s\n", diff.findings[i].detail);
	assert_non_null(strstr(diff.findings[i].detail, detail));
	assert_true(diff.level >= level);
}

static void assert_only(enum diff_level level, const char *kind, const char *detail)
{
	compare("app.ch", NULL);
	assert_int_equal(diff.count, 1);
	assert_int_equal(diff.level, level);
	assert_finding(0, level, kind, detail);
}

static void none(void **state)
{
	compare("app.ch", NULL);
	assert_int_equal(diff.count, 0);
	assert_int_equal(diff.level, DIFF_SAME);
}

static void on_one_alone(void **state)
{
	compare("only1.ch", NULL);
	assert_int_equal(diff.count, 1);
	assert_finding(0, DIFF_RED, "missing", "cluster ose2 does not have it");
	compare("idle1.ch", NULL);
	assert_int_equal(diff.level, DIFF_YELLOW);
	assert_finding(0, DIFF_YELLOW, "missing", "gets no connections on ose1 either");
	compare("only1.ch", "not admitted by router default: HostAlreadyClaimed: x");
	assert_finding(0, DIFF_RED, "not_admitted",
	               "serves nothing: not admitted by router default: HostAlreadyClaimed");
	compare("only2.ch", NULL);
	assert_finding(0, DIFF_YELLOW, "only_on_to", "cluster ose1 does not have it");
}

static void termination(void **state)
{
	a->termination = TERMINATION_EDGE;
	compare("app.ch", NULL);
	assert_int_equal(diff.count, 0); /* of the other it is not known */
	b->termination = TERMINATION_REENCRYPT;
	assert_only(DIFF_RED, "termination", "TLS termination: ose2 reencrypt, ose1 edge");
	b->termination = TERMINATION_EDGE;
	b->insecure = INSECURE_REDIRECT;
	assert_only(DIFF_YELLOW, "flags", "insecureEdgeTerminationPolicy: ose2 Redirect, ose1 None");
	b->insecure = INSECURE_NONE;
	b->http = false;
	assert_only(DIFF_RED, "termination", "ose2 serves it on https, ose1 on http and https");
}

static void namespaces_and_conflicts(void **state)
{
	strcpy(a->namespace, "shop");
	strcpy(b->namespace, "mall");
	assert_only(DIFF_YELLOW, "flags", "namespace: ose2 mall, ose1 shop");
	b->conflict = true;
	assert_only(DIFF_RED, "conflict", "in conflict: of namespace mall");
}

static void hosts(void **state)
{
	fixture_health("ose2", HEALTH_DOWN);
	assert_only(DIFF_RED, "no_healthy_host", "cluster ose2 has no healthy router host for http and https");
	b->https = a->https = false;
	assert_only(DIFF_RED, "no_healthy_host", "for http");
}

static void parked_and_weights(void **state)
{
	b->parked = true;
	assert_only(DIFF_YELLOW, "parked", "parked until");
	b->weight_given = true;
	b->weight = 20;
	assert_only(DIFF_YELLOW, "weight", "ose2 20, ose1 none of its own");
	a->weight_given = true;
	a->weight = 20;
	b->overridden = true;
	compare("app.ch", NULL);
	assert_int_equal(diff.count, 0);
}

static void the_worst_first(void **state)
{
	b->parked = true;
	b->http = false;
	fixture_health("ose2", HEALTH_DOWN);
	compare("app.ch", NULL);
	assert_int_equal(diff.count, 3);
	assert_finding(0, DIFF_RED, "termination", "");
	assert_finding(1, DIFF_RED, "no_healthy_host", "for https");
	assert_finding(2, DIFF_YELLOW, "parked", "");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
	    TEST(none),  TEST(on_one_alone),       TEST(termination),     TEST(namespaces_and_conflicts),
	    TEST(hosts), TEST(parked_and_weights), TEST(the_worst_first),
	};
	return fixture_run_tests(tests, sizeof(tests) / sizeof(tests[0]));
}
