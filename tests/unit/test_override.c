/* override: many at once are one revision, what was before comes back exactly, and what cannot be saved is undone. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "control/state/override.h"
#include "control/state/weight.h"
#include "control_fixture.h"
#include "route_fixture.h"

static const struct journal_entry entry = {.kind = "shifted", .object = "route", .text = "a test"};

static struct override of(const char *route, const char *cluster, int32_t weight)
{
	return (struct override){.name = fixture_route(route),
	                         .cluster = state_cluster(&fixture_control.state, cluster)->index,
	                         .weight = weight};
}

/* -1: none */
static int now(const char *route, const char *cluster)
{
	const struct pair *pair = fixture_pair(route, cluster);
	return pair && pair->overridden ? pair->override : -1;
}

static void set(const struct override *list, size_t count)
{
	assert_true(control_override_all(&fixture_control, list, count, &entry, &fixture_actor));
}

static void roll_back(const char *route)
{
	assert_non_null(fixture_route(route)->rollback);
	assert_true(control_rollback(&fixture_control, fixture_route(route), &fixture_actor));
	assert_null(fixture_route(route)->rollback);
}

static void many_are_one_revision(void **state)
{
	const struct override list[] = {of("app1.ch", "ose1", 100), of("app1.ch", "ose2", 9900),
	                                of("*.wild.ch", "ose1", 5000)};
	set(list, 3);
	assert_int_equal(fixture_control.state.revision, 2);
	fixture_journal("shifted", "a test", fixture_actor.reason);
	assert_int_equal(now("app1.ch", "ose1"), 100);
	assert_int_equal(now("app1.ch", "ose2"), 9900);
	assert_int_equal(now("*.wild.ch", "ose1"), 5000);
	assert_ptr_equal(fixture_route("app1.ch")->rollback->change, fixture_route("*.wild.ch")->rollback->change);
	assert_false(override_changes(list, 3));
	set(list, 3);
	assert_int_equal(fixture_control.state.revision, 2);
}

static void a_route_that_does_not_change_keeps_its_rollback(void **state)
{
	const struct override first[] = {of("app1.ch", "ose1", 100)};
	const struct override both[] = {of("app1.ch", "ose1", 100), of("*.wild.ch", "ose1", 5000)};
	set(first, 1);
	set(both, 2);
	assert_int_equal(fixture_route("app1.ch")->rollback->change->revision, 2);
	assert_int_equal(fixture_route("*.wild.ch")->rollback->change->revision, 3);
	roll_back("app1.ch");
	assert_int_equal(now("app1.ch", "ose1"), -1);
	assert_int_equal(now("*.wild.ch", "ose1"), 5000);
}

static void taken_back_over_a_restart(void **state)
{
	const struct override before[] = {of("app1.ch", "ose2", 1234)};
	const struct override then[] = {of("app1.ch", "ose1", 5000), of("app1.ch", "ose2", 5000)};
	set(before, 1);
	set(then, 2);
	fixture_restart();
	assert_int_equal(now("app1.ch", "ose1"), 5000);
	roll_back("app1.ch");
	assert_int_equal(now("app1.ch", "ose1"), -1);
	assert_int_equal(now("app1.ch", "ose2"), 1234);
	fixture_restart();
	assert_null(fixture_route("app1.ch")->rollback);
	assert_int_equal(now("app1.ch", "ose2"), 1234);
}

/* Without this, taking back the first percent would give the newcomer its default weight. */
static void what_was_parked_is_parked_again(void **state)
{
	struct pair *pair = fixture_pair("app1.ch", "ose2");
	pair->parked = true;
	const struct override list[] = {of("app1.ch", "ose1", 9900), of("app1.ch", "ose2", 100)};
	set(list, 2);
	assert_false(fixture_pair("app1.ch", "ose2")->parked);
	roll_back("app1.ch");
	assert_true(fixture_pair("app1.ch", "ose2")->parked);
	assert_int_equal(now("app1.ch", "ose2"), -1);
	const struct cluster *cluster = state_cluster(&fixture_control.state, "ose2");
	assert_int_equal(weight_of(cluster->spec, fixture_pair("app1.ch", "ose2")).value, 0);
	fixture_restart();
	assert_true(fixture_pair("app1.ch", "ose2")->parked);
}

/* For good, also over a kill. */
static void an_override_ends_the_parking(void **state)
{
	fixture_put("{'name':'ose3','source':'static','state':'staged','routes':[{'host':'app1.ch'}]}");
	fixture_written(true, "POST", "/api/v1/clusters/ose3/activate", NULL);
	assert_true(fixture_pair("app1.ch", "ose3")->parked);
	const struct override list[] = {of("app1.ch", "ose3", 100)};
	set(list, 1);
	assert_false(fixture_pair("app1.ch", "ose3")->parked);
	fixture_saved();
	fixture_restart();
	const struct override none[] = {of("app1.ch", "ose3", -1)};
	set(none, 1);
	const struct cluster *cluster = state_cluster(&fixture_control.state, "ose3");
	assert_int_equal(weight_of(cluster->spec, fixture_pair("app1.ch", "ose3")).value, 10000);
	char path[CONTROL_PATH_MAX + 32];
	snprintf(path, sizeof(path), "%s/watch-ose3.state", fixture_control.config->paths.state);
	assert_int_not_equal(access(path, F_OK), 0); /* that is for watched clusters */
}

static void the_cluster_is_gone_meanwhile(void **state)
{
	const struct override before[] = {of("app1.ch", "ose2", 1234)}, then[] = {of("app1.ch", "ose2", 1)};
	set(before, 1);
	set(then, 1);
	assert_true(control_delete(&fixture_control, "ose2", &fixture_actor));
	fixture_put("{'name':'ose9','source':'static','routes':[{'host':'app1.ch'}]}");
	roll_back("app1.ch");
	assert_int_equal(now("app1.ch", "ose9"), -1);
	assert_int_equal(now("app1.ch", "ose1"), -1);
}

/* Then there is nothing to take back: it would say "changed" for ever. */
static void a_rollback_of_clusters_that_are_gone(void **state)
{
	const struct override list[] = {of("*.wild.ch", "ose1", 5000)};
	set(list, 1);
	assert_non_null(fixture_route("*.wild.ch")->rollback);
	fixture_put("{'name':'ose3','source':'static','routes':[{'host':'*.wild.ch'}]}");
	assert_true(control_delete(&fixture_control, "ose1", &fixture_actor));
	assert_null(fixture_route("*.wild.ch")->rollback);
	fixture_restart();
	assert_null(fixture_route("*.wild.ch")->rollback);
}

static void a_route_that_is_gone(void **state)
{
	const struct override list[] = {of("app1.ch", "ose1", 100)}, none[] = {of("app1.ch", "ose1", -1)};
	set(list, 1);
	fixture_put("{'name':'ose1','source':'static'}");
	fixture_put("{'name':'ose2','source':'static'}");
	assert_int_equal(now("app1.ch", "ose1"), 100);
	set(none, 1);
	assert_int_equal(fixture_route("app1.ch") ? fixture_route("app1.ch")->pair_count : 0, 0);
}

static void what_cannot_be_saved_is_undone(void **state)
{
	struct rlimit limit, none;
	const struct override before[] = {of("app1.ch", "ose2", 1234)};
	const struct override then[] = {of("app1.ch", "ose1", 5), of("app1.ch", "ose2", 5), of("*.wild.ch", "ose2", 7)};
	set(before, 1);
	const struct rollback *rollback = fixture_route("app1.ch")->rollback;
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &limit);
	none = limit;
	none.rlim_cur = 0;
	setrlimit(RLIMIT_FSIZE, &none);
	bool saved = control_override_all(&fixture_control, then, 3, &entry, &fixture_actor);
	bool back = control_rollback(&fixture_control, fixture_route("app1.ch"), &fixture_actor);
	setrlimit(RLIMIT_FSIZE, &limit);
	assert_false(saved || back);
	assert_int_equal(fixture_control.state.revision, 2);
	assert_int_equal(now("app1.ch", "ose1"), -1);
	assert_int_equal(now("app1.ch", "ose2"), 1234);
	assert_ptr_equal(fixture_route("app1.ch")->rollback, rollback);
	assert_null(fixture_pair("*.wild.ch", "ose2"));
	assert_null(fixture_route("*.wild.ch")->rollback);
}

static void one_weight(void **state)
{
	struct name *name = fixture_route("app1.ch");
	assert_true(control_override(&fixture_control, name, 0, 50, &fixture_actor));
	fixture_journal("weight_set", "route app1.ch on cluster ose1: weight 0.5 (was its own)", fixture_actor.reason);
	assert_true(control_override(&fixture_control, name, 0, -1, &fixture_actor));
	fixture_journal("weight_removed", "route app1.ch on cluster ose1: weight its own (was 0.5)",
	                fixture_actor.reason);
	roll_back("app1.ch");
	assert_int_equal(now("app1.ch", "ose1"), 50);
	fixture_journal("rolled_back", "route app1.ch: weights as before revision 3", fixture_actor.reason);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
	    TEST(many_are_one_revision),
	    TEST(a_route_that_does_not_change_keeps_its_rollback),
	    TEST(taken_back_over_a_restart),
	    TEST(what_was_parked_is_parked_again),
	    TEST(an_override_ends_the_parking),
	    TEST(the_cluster_is_gone_meanwhile),
	    TEST(a_route_that_is_gone),
	    TEST(what_cannot_be_saved_is_undone),
	    TEST(one_weight),
	    TEST(a_rollback_of_clusters_that_are_gone),
	};
	return fixture_run_tests(tests, sizeof(tests) / sizeof(tests[0]));
}
