/* api_cluster_state: which state may follow which, that activation moves nobody, and what the plans say. */
#include "control/control_store.h"
#include "control/state/claims.h"
#include "control/state/override.h"
#include "control/observe/journal.h"
#include "control/state/weight.h"
#include "control_fixture.h"
#include "route_fixture.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define OSE1 "/api/v1/clusters/ose1"
#define OSE3 "/api/v1/clusters/ose3"

/* A new cluster that has app1.ch as ose1 and ose2 do, and one route of its own. */
static void add_staged(void)
{
	fixture_put("{'name': 'ose3', 'source': 'static', 'state': 'staged', 'hosts': [{'name': 'r1', 'address': "
	            "'203.0.113.31'}], 'routes': [{'host': 'app1.ch'}, {'host': 'own.ch'}, {'host': '*.wild.ch', "
	            "'weight': 50}]}");
}

static unsigned weight_on(const char *route, const char *cluster)
{
	return weight_of(state_cluster(&fixture_control.state, cluster)->spec, fixture_pair(route, cluster)).value;
}

static void activation_moves_nobody(void **state)
{
	add_staged();
	fixture_planned(true, "POST", OSE3 "/activate?dry_run=true", NULL);
	assert_int_equal((int)fixture_number("plan.routes"), 3);
	assert_int_equal((int)fixture_number("plan.changed"), 2); /* own.ch, and *.wild.ch with a weight of its own */
	assert_int_equal((int)fixture_number("plan.red"), 0);
	assert_false(fixture_pair("app1.ch", "ose3")->parked);
	fixture_written(true, "POST", OSE3 "/activate?reason=CHG1", NULL);
	fixture_journal("cluster_activated",
	                "cluster ose3: active (was staged), default weight 100, new routes parked; 1 of its routes are "
	                "parked, because other clusters serve them",
	                "CHG1");
	assert_int_equal(weight_on("app1.ch", "ose3"), 0);
	assert_int_equal(weight_on("app1.ch", "ose1"), 1000);
	assert_int_equal(weight_on("own.ch", "ose3"), 10000);
	assert_int_equal(weight_on("*.wild.ch", "ose3"), 5000);
	fixture_restart();
	assert_int_equal(weight_on("app1.ch", "ose3"), 0); /* parked for good */
	fixture_written(false, "POST", OSE3 "/activate", NULL);
	fixture_written(true, "PUT", "/api/v1/routes/app1.ch/clusters/ose3/weight", "{'weight': 1}");
	assert_int_equal(weight_on("app1.ch", "ose3"), 100);
}

static void a_staged_cluster_has_one_way_out(void **state)
{
	add_staged();
	fixture_refused(409, "is staged; enable is for", "POST", OSE3 "/enable", NULL);
	fixture_refused(409, "is staged; it gets no new connections already", "POST", OSE3 "/drain", NULL);
	fixture_refused(409, "is staged", "POST", OSE3 "/offline", NULL);
	fixture_refused(409, "activate it by POST /api/v1/clusters/ose3/activate", "PUT", OSE3,
	                "{'source': 'static', 'state': 'active'}");
	fixture_written(true, "PATCH", OSE3, "{'state': 'active'}"); /* is activation, too */
	assert_int_equal(weight_on("app1.ch", "ose3"), 0);
}

static void drained_offline_and_back(void **state)
{
	fixture_planned(true, "POST", OSE1 "/drain?dry_run=true", "{'force': true}");
	assert_null(fixture_at("plan.refused"));
	assert_int_equal((int)fixture_number("plan.red"), 1); /* *.wild.ch is nowhere else */
	assert_string_equal(fixture_text("plan.changes[0].host"), "*.wild.ch");
	assert_string_equal(fixture_text("plan.changes[0].level"), "red");
	assert_string_equal(fixture_text("plan.changes[0].notes[0]"), "no cluster would be left that serves it");
	assert_string_equal(fixture_text("plan.changes[1].host"), "app1.ch");
	assert_string_equal(fixture_text("plan.changes[1].before[0].cluster"), "ose1");
	assert_true(fixture_number("plan.changes[1].before[0].share") > 11.1);
	assert_true(fixture_number("plan.changes[1].after[1].share") == 100);
	fixture_written(true, "POST", OSE1 "/drain?reason=end", "{'timeout': '2h', 'force': true}");
	fixture_journal(
	    "cluster_draining",
	    "cluster ose1: draining (was active), default weight 100, new routes parked; what is left after 2h "
	    "is closed",
	    "end");
	fixture_written(false, "POST", OSE1 "/drain", "{'timeout': 7200}");
	fixture_written(true, "POST", OSE1 "/drain", "{'timeout': '1h'}");
	fixture_ask(200, "GET", OSE1 "/status", NULL);
	assert_string_equal(fixture_text("state"), "draining");
	assert_string_equal(fixture_text("drain.by"), "loopback@127.0.0.1");
	assert_true(json_is_string(fixture_at("drain.deadline")));
	fixture_refused(409, "use enable", "POST", OSE1 "/activate", NULL);
	fixture_written(true, "POST", OSE1 "/offline", NULL);
	fixture_refused(409, "is offline", "POST", OSE1 "/drain", NULL);
	fixture_written(false, "POST", OSE1 "/offline", NULL);
	fixture_written(true, "POST", OSE1 "/offline", "{'close': true}");
	fixture_restart();
	const struct cluster *cluster = state_cluster(&fixture_control.state, "ose1");
	assert_int_equal(cluster->spec->state, CLUSTER_OFFLINE);
	assert_int_equal(cluster->drain.deadline, cluster->drain.since);
	fixture_written(true, "POST", OSE1 "/enable", NULL);
	fixture_journal("cluster_enabled", "cluster ose1: active (was offline), default weight 100, new routes parked",
	                NULL);
	fixture_written(false, "POST", OSE1 "/enable", NULL);
	fixture_ask(200, "GET", OSE1 "/status", NULL);
	assert_true(json_is_null(fixture_at("drain")));
	assert_int_equal(weight_on("app1.ch", "ose1"), 1000);
}

static void assert_plan_is_refused(const char *why)
{
	assert_true(json_is_true(fixture_at("plan.refused")));
	assert_true(json_is_true(fixture_at("plan.forceable")));
	assert_string_equal(fixture_text("plan.level"), "red");
	assert_non_null(strstr(fixture_text("plan.notes[0]"), why));
}

static void routes_without_a_cluster_need_force(void **state)
{
	static const char *const verbs[] = {"drain", "offline"};
	for (unsigned i = 0; i < 2; i++) {
		char path[100], dry[120];
		snprintf(path, sizeof(path), OSE1 "/%s", verbs[i]);
		snprintf(dry, sizeof(dry), "%s?dry_run=true", path);
		fixture_refused(409, "1 route is served nowhere else and would be left without any cluster: *.wild.ch",
		                "POST", path, NULL);
		assert_true(json_is_true(fixture_at("forceable")));
		fixture_planned(false, "POST", dry, NULL);
		assert_plan_is_refused("served nowhere else");
		assert_int_equal((int)fixture_number("plan.red"), 1);
		fixture_written(true, "POST", path, "{'force': true}");
		fixture_written(true, "POST", OSE1 "/enable", NULL);
	}
	/* With another cluster that serves it there is nothing to force. */
	fixture_put("{'name': 'ose3', 'source': 'static', 'routes': [{'host': '*.wild.ch'}]}");
	fixture_written(true, "POST", OSE1 "/drain", NULL);
}

/* The same rule, whichever way the state is set. */
static void each_way_needs_force(void **state)
{
	static const char *const others[] = {"staged", "draining", "offline"};
	for (unsigned i = 0; i < 3; i++) {
		char patch[100], put[400];
		snprintf(patch, sizeof(patch), "{'state': '%s'}", others[i]);
		snprintf(put, sizeof(put),
		         "{'source': 'static', 'state': '%s', 'hosts': [{'name': 'r1', 'address': '203.0.113.11'}], "
		         "'routes': [{'host': 'app1.ch', 'weight': 10}, {'host': '*.wild.ch'}]}",
		         others[i]);
		const struct {
			const char *method, *body;
		} ways[] = {{"PATCH", patch}, {"PUT", put}};
		for (unsigned j = 0; j < 2; j++) {
			const char *method = ways[j].method, *body = ways[j].body;
			fixture_refused(409, "left without any cluster: *.wild.ch. Serve", method, OSE1, body);
			assert_true(json_is_true(fixture_at("forceable")));
			fixture_planned(false, method, OSE1 "?dry_run=true", body);
			assert_plan_is_refused("served nowhere else");
			fixture_refused(400, "force must be true or false", method, OSE1 "?force=1", body);
			fixture_planned(true, method, OSE1 "?dry_run=true&force=true", body);
			assert_null(fixture_at("plan.refused"));
			fixture_written(true, method, OSE1 "?force=true", body);
			fixture_written(false, method, OSE1, body); /* it is so already */
			fixture_written(true, "PATCH", OSE1, "{'state': 'active'}");
		}
	}
}

#define WITH_HOSTS(hosts)                                                                                              \
	"{'source': 'static', 'hosts': [" hosts "], 'routes': [{'host': 'app1.ch', 'weight': 10}, {'host': "           \
	"'*.wild.ch'}]}"

/* A PUT that takes the last router host that gets new connections, or all but one that is down. */
static void the_last_host_needs_force(void **state)
{
	static const char other[] = WITH_HOSTS("{'name': 'r1', 'address': '203.0.113.11'}");
	fixture_health("ose1", HEALTH_UP);
	fixture_refused(409, "left without any cluster: *.wild.ch. Serve", "PUT", OSE1, WITH_HOSTS(""));
	assert_true(json_is_true(fixture_at("forceable")));
	fixture_planned(false, "PUT", OSE1 "?dry_run=true", WITH_HOSTS(""));
	assert_plan_is_refused("served nowhere else");
	assert_string_equal(fixture_text("plan.changes[0].notes[1]"),
	                    "cluster ose1 has it, but is without a router host that gets new connections");
	fixture_written(true, "POST", "/api/v1/hosts/ose1/r1/drain", NULL);
	fixture_refused(409, "left without any cluster", "PUT", OSE1, other);
	fixture_written(true, "POST", "/api/v1/hosts/ose1/r1/enable", NULL);
	fixture_written(true, "PUT", OSE1, other);
	fixture_written(true, "PUT", OSE1, WITH_HOSTS("{'name': 'new', 'address': '203.0.113.19'}"));
	fixture_health("ose1", HEALTH_UP);
	fixture_written(true, "PUT", OSE1 "?force=true", WITH_HOSTS(""));
	fixture_written(true, "PUT", OSE1, WITH_HOSTS("{'name': 'r1', 'address': '203.0.113.11'}"));
}

static void wrong_calls(void **state)
{
	fixture_refused(404, "there is no cluster", "POST", "/api/v1/clusters/nix/drain", NULL);
	fixture_refused(400, "$.timeout", "POST", OSE1 "/drain", "{'timeout': 0}");
	fixture_refused(400, "unknown", "POST", OSE1 "/drain", "{'close': true}");
	fixture_refused(400, "unknown", "POST", OSE1 "/enable", "{'timeout': 1}");
	fixture_refused(405, "takes POST", "GET", OSE1 "/drain", NULL);
}

static void removal_is_refused_while_it_hurts(void **state)
{
	fixture_refused(409, "1 route is served nowhere else and would be left without any cluster: *.wild.ch",
	                "DELETE", OSE1, NULL);
	assert_true(json_is_true(fixture_at("forceable")));
	fixture_planned(false, "DELETE", OSE1 "?dry_run=true", NULL);
	assert_plan_is_refused("served nowhere else");
	fixture_refused(400, "force must be true or false", "DELETE", OSE1 "?force=yes", NULL);
	fixture_planned(true, "DELETE", OSE1 "?dry_run=true&force=true", NULL);
	fixture_written(true, "DELETE", OSE1 "?force=true&reason=gone", NULL);
	fixture_journal("cluster_removed", "cluster ose1: removed", "gone");
	fixture_written(true, "DELETE", "/api/v1/clusters/ose2?force=true", NULL);
}

/* What its weights are while it gets no connections, or were set to before, says nothing. */
static void removal_of_a_drained_cluster_is_refused_too(void **state)
{
	fixture_written(true, "PUT", "/api/v1/routes/*.wild.ch/clusters/ose1/weight", "{'weight': 0}");
	fixture_planned(true, "DELETE", OSE1 "?dry_run=true", NULL); /* its operator wants it to have nothing */
	fixture_written(true, "DELETE", "/api/v1/routes/*.wild.ch/clusters/ose1/weight", NULL);
	static const char *const verbs[] = {"drain", "offline"};
	for (unsigned i = 0; i < 2; i++) {
		char path[100];
		snprintf(path, sizeof(path), OSE1 "/%s", verbs[i]);
		fixture_written(true, "POST", path, "{'force': true}");
		fixture_refused(409, "left without any cluster: *.wild.ch. Serve", "DELETE", OSE1, NULL);
		fixture_planned(false, "DELETE", OSE1 "?dry_run=true", NULL);
		assert_plan_is_refused("*.wild.ch");
		assert_string_equal(fixture_text("plan.changes[0].host"), "*.wild.ch");
	}
	fixture_written(true, "DELETE", OSE1 "?force=true", NULL);
}

static void a_parked_route_takes_over_after_a_removal(void **state)
{
	add_staged();
	fixture_written(true, "POST", OSE3 "/activate", NULL);
	fixture_put("{'name': 'ose1', 'source': 'static'}");
	fixture_put("{'name': 'ose2', 'source': 'static', 'routes': [{'host': 'app1.ch'}]}");
	fixture_planned(true, "DELETE", "/api/v1/clusters/ose2?dry_run=true", NULL);
	assert_int_equal((int)fixture_number("plan.red"), 0);
	assert_string_equal(fixture_text("plan.changes[0].after[0].cluster"), "ose3");
	fixture_written(true, "DELETE", "/api/v1/clusters/ose2", NULL);
	assert_int_equal(weight_on("app1.ch", "ose3"), 10000);
}

/* Activated beside ose1 and ose2; *.wild.ch has no weight of its own. */
static void add_parked(void)
{
	fixture_put("{'name': 'ose3', 'source': 'static', 'state': 'staged', 'routes': [{'host': 'app1.ch'}, {'host': "
	            "'*.wild.ch'}]}");
	fixture_written(true, "POST", OSE3 "/activate", NULL);
	assert_int_equal(weight_on("*.wild.ch", "ose3"), 0);
}

/* It serves now, as the file says, and after a kill. */
static void assert_serves_for_good(const char *route, unsigned weight)
{
	assert_int_equal(weight_on(route, "ose3"), weight);
	fixture_saved();
	fixture_restart();
	assert_int_equal(weight_on(route, "ose3"), weight);
	assert_false(fixture_pair(route, "ose3")->parked);
}

static void the_end_of_parking_is_saved(void **state)
{
	add_parked();
	fixture_written(true, "DELETE", OSE1 "?force=true", NULL);
	assert_serves_for_good("*.wild.ch", 10000);
	assert_int_equal(weight_on("app1.ch", "ose3"), 0); /* ose2 has it */
	fixture_put("{'name': 'ose2', 'source': 'static'}");
	assert_serves_for_good("app1.ch", 10000);
}

static void the_end_of_parking_by_a_push_is_saved(void **state)
{
	fixture_put("{'name': 'p', 'source': 'push'}");
	fixture_ask(201, "POST", "/api/cluster/p",
	            "{'routes': {'a': {'url': 'a.ch'}, 'b': {'url': 'b.ch'}}, 'routerHosts': {}}");
	fixture_put("{'name': 'ose3', 'source': 'static', 'state': 'staged', 'routes': [{'host': 'a.ch'}, {'host': "
	            "'b.ch'}]}");
	fixture_written(true, "POST", OSE3 "/activate", NULL);
	fixture_ask(201, "POST", "/api/cluster/p", "{'routes': {'b': {'url': 'b.ch'}}, 'routerHosts': {}}");
	assert_serves_for_good("a.ch", 10000);
	fixture_ask(201, "POST", "/api/cluster/p", "{'routes': {}, 'routerHosts': {}}");
	assert_int_equal(weight_on("b.ch", "ose3"), 0);
	fixture_written(true, "POST", "/api/v1/clusters/p/held/confirm", NULL);
	assert_serves_for_good("b.ch", 10000);
}

static void a_weight_of_its_own_ends_the_parking(void **state)
{
	add_parked();
	fixture_put("{'name': 'ose3', 'source': 'static', 'routes': [{'host': '*.wild.ch', 'weight': 50}]}");
	assert_serves_for_good("*.wild.ch", 5000);
	fixture_put("{'name': 'ose3', 'source': 'static', 'routes': [{'host': '*.wild.ch'}]}");
	assert_serves_for_good("*.wild.ch", 10000);
}

/* A control of before has saved the parking, but not its end. */
static void older_files_heal(void **state)
{
	add_parked();
	fixture_written(true, "PUT", "/api/v1/routes/app1.ch/clusters/ose3/weight", "{'weight': 1}");
	fixture_written(true, "DELETE", OSE1 "?force=true", NULL);
	fixture_pair("*.wild.ch", "ose3")->parked = true;
	fixture_pair("app1.ch", "ose3")->parked = true;
	assert_true(control_save(&fixture_control, NULL));
	fixture_restart();
	assert_false(fixture_pair("app1.ch", "ose3")->parked); /* it has an override */
	assert_serves_for_good("*.wild.ch", 10000);
}

/* A cluster that is not watched has no file of its own. */
static void what_cannot_be_saved_parks_and_unparks_nobody(void **state)
{
	char path[CONTROL_PATH_MAX + 32];
	struct rlimit limit, none;
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &limit);
	none = limit;
	none.rlim_cur = 0;
	fixture_put("{'name': 'ose3', 'source': 'static', 'state': 'staged', 'routes': [{'host': '*.wild.ch'}]}");
	struct cluster *ose3 = state_cluster(&fixture_control.state, "ose3");
	struct cluster_settings settings = control_settings(ose3);
	settings.state = CLUSTER_ACTIVE;
	setrlimit(RLIMIT_FSIZE, &none);
	bool activated = control_patch(&fixture_control, ose3, &settings, &fixture_actor);
	setrlimit(RLIMIT_FSIZE, &limit);
	assert_false(activated || fixture_pair("*.wild.ch", "ose3")->parked || ose3->unsaved);
	fixture_written(true, "POST", OSE3 "/activate", NULL);
	setrlimit(RLIMIT_FSIZE, &none);
	bool deleted = control_delete(&fixture_control, "ose1", &fixture_actor);
	bool overridden =
	    control_override(&fixture_control, fixture_route("*.wild.ch"), ose3->index, 100, &fixture_actor);
	setrlimit(RLIMIT_FSIZE, &limit);
	assert_false(deleted || overridden);
	assert_true(fixture_pair("*.wild.ch", "ose3")->parked);
	fixture_saved();
	watchers_save(&fixture_control.watchers);
	snprintf(path, sizeof(path), "%s/watch-ose3.state", fixture_control.config->paths.state);
	assert_int_not_equal(access(path, F_OK), 0);
}

static void plans_of_puts(void **state)
{
	fixture_planned(true, "PUT", "/api/v1/clusters/new?dry_run=true",
	                "{'source': 'static', 'routes': [{'host': 'app1.ch', 'weight': 90}, {'host': 'new.ch'}]}");
	assert_int_equal((int)fixture_number("plan.changed"), 2);
	assert_string_equal(fixture_text("plan.differs[0]"), "cluster new would be added: active, source static");
	assert_string_equal(fixture_text("plan.changes[0].host"), "app1.ch");
	assert_string_equal(fixture_text("plan.changes[0].level"), "yellow"); /* it has no router host */
	assert_int_equal((int)fixture_number("plan.changes[0].after[0].share"), 50);
	assert_null(state_cluster(&fixture_control.state, "new"));
	fixture_planned(true, "PUT", OSE1 "?dry_run=true",
	                "{'source': 'static', 'routes': [{'host': 'app1.ch', 'weight': 10}]}");
	assert_int_equal((int)fixture_number("plan.red"), 1);
	fixture_planned(false, "PATCH", OSE1 "?dry_run=true", "{'default_weight': 100}");
	fixture_planned(true, "PATCH", OSE1 "?dry_run=true", "{'default_weight': 50}");
	assert_int_equal((int)fixture_number("plan.changed"), 0); /* alone it has all of it still */
	assert_string_equal(fixture_text("plan.differs[0]"), "cluster ose1: default_weight 100 -> 50");
	fixture_planned(true, "POST", OSE1 "/drain?dry_run=true", "{'timeout': '2h', 'force': true}");
	assert_string_equal(fixture_text("plan.differs[0]"), "cluster ose1: state \"active\" -> \"draining\"");
	assert_string_equal(fixture_text("plan.differs[1]"), "cluster ose1: what is left after 2h is closed");
	fixture_planned(true, "POST", OSE1 "/offline?dry_run=true", "{'close': true, 'force': true}");
	assert_string_equal(fixture_text("plan.differs[1]"), "cluster ose1: its connections are closed at once");
	fixture_planned(true, "DELETE", OSE1 "?dry_run=true&force=true", NULL);
	assert_string_equal(fixture_text("plan.differs[0]"), "cluster ose1 would be removed: active, source static");
	fixture_written(true, "PATCH", OSE1, "{'default_weight': 50}");
	assert_null(fixture_at("plan.differs")); /* of a dry run only */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
	    TEST(activation_moves_nobody),
	    TEST(a_staged_cluster_has_one_way_out),
	    TEST(drained_offline_and_back),
	    TEST(wrong_calls),
	    TEST(removal_is_refused_while_it_hurts),
	    TEST(removal_of_a_drained_cluster_is_refused_too),
	    TEST(routes_without_a_cluster_need_force),
	    TEST(each_way_needs_force),
	    TEST(the_last_host_needs_force),
	    TEST(a_parked_route_takes_over_after_a_removal),
	    TEST(the_end_of_parking_is_saved),
	    TEST(the_end_of_parking_by_a_push_is_saved),
	    TEST(a_weight_of_its_own_ends_the_parking),
	    TEST(older_files_heal),
	    TEST(what_cannot_be_saved_parks_and_unparks_nobody),
	    TEST(plans_of_puts),
	};
	return fixture_run_tests(tests, sizeof(tests) / sizeof(tests[0]));
}
