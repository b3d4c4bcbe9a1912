/* explain, explain_view, explain_say: the workers' answers joined with control's view, and the sentence that is made.
 */
#include "traffic_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/traffic/explain.h"
#include "control/health/health.h"
#include "control_fixture.h"

static struct explain *explain;
static json_t *answer;

static int setup(void **state)
{
	traffic_begin("");
	return 0;
}

static int teardown(void **state)
{
	json_decref(answer);
	answer = NULL;
	if (explain)
		explain_free(explain);
	explain = NULL;
	traffic_end();
	return 0;
}

static struct cluster *cluster_of(const char *name)
{
	return state_cluster(&traffic.control.state, name);
}

static struct hostname host_name(const char *text)
{
	struct hostname name = {0};
	if (text[0] != '\0')
		assert_true(hostname_set(&name, (const uint8_t *)text, strlen(text)));
	return name;
}

static void ask(const char *name, unsigned listener)
{
	const struct explain_question question = {.name = host_name(name), .listener = (uint16_t)listener};
	if (explain)
		explain_free(explain);
	explain = explain_create(&traffic.control, &question);
}

static void decide(unsigned worker, enum record_decision decision, const char *route, bool wildcard, bool by_default)
{
	struct record record = {.type = RECORD_EXPLAIN};
	record.explain = (struct record_explain){.decision = (uint8_t)decision,
	                                         .wildcard = wildcard,
	                                         .by_default = by_default,
	                                         .route = host_name(route),
	                                         .cluster = CLUSTER_NONE,
	                                         .host = SLOT_NONE};
	explain_add(explain, worker, &record);
}

static void add_share(unsigned worker, const char *cluster, unsigned weight, bool served, bool usable, bool elected)
{
	struct record record = {.type = RECORD_EXPLAIN_SHARE};
	record.share = (struct record_explain_share){.pair = SLOT_NONE,
	                                             .cluster = cluster_of(cluster)->number,
	                                             .weight = (uint16_t)weight,
	                                             .credit = -3,
	                                             .served = served,
	                                             .usable = usable,
	                                             .elected = elected};
	explain_add(explain, worker, &record);
}

static void add_host(unsigned worker, const char *cluster, unsigned host, uint64_t active, bool usable, bool elected,
                     bool suspected)
{
	uint32_t slot = traffic_host_slot(cluster, host);
	struct record record = {.type = RECORD_EXPLAIN_HOST};
	record.host = (struct record_explain_host){.address = cluster_of(cluster)->spec->hosts[host].address,
	                                           .slot = slot,
	                                           .generation = traffic.control.hosts.entries[slot].generation,
	                                           .cluster = cluster_of(cluster)->number,
	                                           .port = 80,
	                                           .healthy = usable,
	                                           .usable = usable,
	                                           .elected = elected,
	                                           .suspected = suspected,
	                                           .active = active};
	explain_add(explain, worker, &record);
}

static void says(const char *text)
{
	json_decref(answer);
	answer = explain_json(explain);
	assert_non_null(answer);
	assert_string_equal(traffic_text(answer, "text"), text);
}

static void elected_among_two_clusters(void **state)
{
	ask("app1.ch", 0);
	decide(0, DECISION_ELECTED, "app1.ch", false, false);
	add_share(0, "ose1", 1000, true, true, false);
	add_share(0, "ose2", 8000, true, true, true);
	add_host(0, "ose1", 0, 0, true, false, false);
	add_host(0, "ose1", 1, 0, true, false, false);
	add_host(0, "ose2", 0, 3, true, true, false);
	says("app1.ch goes to cluster ose2 (weight 80 of 90), router host r1 (203.0.113.21): 3 active connections, the "
	     "only "
	     "usable one of the cluster");
	assert_string_equal(traffic_text(answer, "decision"), "elected");
	assert_string_equal(traffic_text(answer, "route"), "app1.ch");
	assert_string_equal(traffic_text(answer, "listener"), "http");
	assert_string_equal(traffic_text(answer, "from"), "null");
	assert_int_equal(traffic_number(answer, "worker"), 0);
	assert_int_equal(traffic_number(answer, "clusters.1.weight"), 80);
	assert_string_equal(traffic_text(answer, "clusters.0.weight_origin"), "static");
	assert_string_equal(traffic_text(answer, "clusters.1.weight_origin"), "default");
	assert_string_equal(traffic_text(answer, "clusters.1.turn"), "true");
	assert_string_equal(traffic_text(answer, "clusters.1.why"), "null");
	assert_int_equal(traffic_number(answer, "clusters.0.credit"), -3);
	assert_string_equal(traffic_text(answer, "hosts.2.name"), "r1");
	assert_int_equal(traffic_number(answer, "hosts.2.active"), 3);
	assert_string_equal(traffic_text(answer, "elected.cluster"), "ose2");
	assert_string_equal(traffic_text(answer, "elected.address"), "203.0.113.21");
}

static void the_fewest_and_as_few(void **state)
{
	ask("x.wild.ch", 0);
	decide(0, DECISION_ELECTED, "wild.ch", true, false);
	add_share(0, "ose1", 10000, true, true, true);
	add_host(0, "ose1", 0, 1, true, true, false);
	add_host(0, "ose1", 1, 2, true, false, false);
	says("x.wild.ch (route *.wild.ch) goes to cluster ose1 (weight 100), router host r1 (203.0.113.11): 1 active "
	     "connection, the fewest of 2");
	ask("x.wild.ch", 0);
	decide(0, DECISION_ELECTED, "wild.ch", true, false);
	add_share(0, "ose1", 10000, true, true, true);
	add_host(0, "ose1", 0, 0, true, false, false);
	add_host(0, "ose1", 1, 0, true, true, false);
	says("x.wild.ch (route *.wild.ch) goes to cluster ose1 (weight 100), router host r2 (203.0.113.12): no active "
	     "connection, as few as 1 other of 2, and it is its turn");
	ask("x.wild.ch", 0);
	decide(0, DECISION_ELECTED, "wild.ch", true, false);
	add_share(0, "ose1", 10000, true, true, true);
	add_host(0, "ose1", 0, 0, true, false, true);
	add_host(0, "ose1", 1, 5, true, true, false);
	says("x.wild.ch (route *.wild.ch) goes to cluster ose1 (weight 100), router host r2 (203.0.113.12): 5 active "
	     "connections, because those with fewer are suspected or wait for their turn to be tried");
	assert_non_null(strstr(traffic_text(answer, "hosts.0.why"), "suspected: it did not answer a connect"));
}

static void by_default(void **state)
{
	ask("nobody.ch", 1);
	decide(0, DECISION_ELECTED, "", false, true);
	add_share(0, "ose2", 100, true, true, true);
	add_host(0, "ose2", 0, 0, true, true, false);
	says("nobody.ch goes to cluster ose2, the default of listener https, because no route has the name, router "
	     "host r1 "
	     "(203.0.113.21): no active connection, the only usable one of the cluster");
	assert_string_equal(traffic_text(answer, "route"), "default cluster ose2");
	assert_string_equal(traffic_text(answer, "clusters.0.weight_origin"), "null");
	ask("", 1);
	decide(0, DECISION_ELECTED, "", false, true);
	add_share(0, "ose2", 100, true, true, true);
	says("a connection without a name goes to cluster ose2, the default of listener https");
}

static void unknown_names(void **state)
{
	ask("app2.ch", 0);
	decide(0, DECISION_UNKNOWN, "", false, false);
	says("the name is not known: no cluster has a route for app2.ch, and listener http has no default cluster; 1 "
	     "name is "
	     "similar: app1.ch; clients get status 404");
	assert_string_equal(traffic_text(answer, "route"), "null");
	assert_string_equal(traffic_text(answer, "elected"), "null");
	ask("", 0);
	decide(0, DECISION_UNKNOWN, "", false, false);
	says("a connection without a name is refused: listener http has no default cluster; clients get status 404");
	strcpy(traffic.config->listeners[1].default_cluster, "nix");
	ask("entirely.different", 1);
	decide(0, DECISION_UNKNOWN, "", false, false);
	says("the name is not known: no cluster has a route for entirely.different, and the default cluster nix of "
	     "listener "
	     "https does not exist; clients get the TLS alert unrecognized_name");
	ask("app1.ch", 0);
	decide(0, DECISION_UNKNOWN, "", false, false);
	says(
	    "the name app1.ch is new: the workers do not know it yet, or have no room (see limits.routes); clients get "
	    "status 404");
}

static void not_served_on_the_listener(void **state)
{
	ask("app1.ch", 0);
	decide(0, DECISION_NOT_SERVED, "app1.ch", false, false);
	add_share(0, "ose2", 8000, false, false, false);
	says("app1.ch is not served on listener http: ose2 has it with TLS alone; clients get status 503");
	assert_string_equal(traffic_text(answer, "clusters.0.why"), "it is not served on listener http there");
}

static void nothing_healthy(void **state)
{
	struct cluster *ose1 = cluster_of("ose1");
	ose1->health[0].state = HEALTH_DOWN;
	ose1->health[0].last = (struct check_result){CHECK_REFUSED, 0};
	struct host_setting setting = {.id = ose1->spec->hosts[1].id, .mode = HOST_MODE_DRAINING};
	strcpy(setting.drain.by, "anna@192.0.2.9");
	strcpy(setting.drain.reason, "kernel");
	setting.host = ose1->spec->hosts[1];
	assert_true(host_modes_set(&ose1->modes, &setting));
	ask("app1.ch", 0);
	decide(0, DECISION_UNHEALTHY, "app1.ch", false, false);
	add_share(0, "ose1", 1000, true, false, false);
	add_share(0, "ose2", 8000, false, false, false);
	add_host(0, "ose1", 0, 0, false, false, false);
	add_host(0, "ose1", 1, 0, false, false, false);
	says("nothing healthy: app1.ch would go to ose1 (r1 (203.0.113.11) down: connection refused, r2 (203.0.113.12) "
	     "draining "
	     "by anna@192.0.2.9 (kernel)); ose2 (not at all: it is not served on listener http there); clients get "
	     "status "
	     "503");
	assert_string_equal(traffic_text(answer, "hosts.1.why"), "draining by anna@192.0.2.9 (kernel)");
	assert_string_equal(traffic_text(answer, "hosts.0.healthy"), "false");
	assert_string_equal(traffic_text(answer, "hosts.1.healthy"), "true");
}

static void weights_that_let_nothing_through(void **state)
{
	struct hostname app1 = host_name("app1.ch");
	struct name *name = names_find_host(&traffic.control.state.names, &app1, false);
	struct pair *first = names_pair(name, cluster_of("ose1")->index);
	struct pair *second = names_pair(name, cluster_of("ose2")->index);
	first->parked = true;
	first->weight_given = false;
	second->conflict = true;
	ask("app1.ch", 1);
	decide(0, DECISION_UNHEALTHY, "app1.ch", false, false);
	add_share(0, "ose1", 0, true, false, false);
	add_share(0, "ose2", 0, true, false, false);
	says("app1.ch goes nowhere: ose1: parked: another cluster served this name first; give it a weight to let it "
	     "serve; "
	     "ose2: conflict: another cluster serves this name from a different namespace; set a weight through the "
	     "API to "
	     "allow it; clients get the TLS alert internal_error");
	second->conflict = false;
	assert_true(names_pair(name, cluster_of("ose2")->index) != NULL);
	names_pair_override(&traffic.control.state.names, name, second, 0);
	cluster_of("ose1")->spec->state = CLUSTER_STAGED;
	says("app1.ch goes nowhere: ose1: the cluster is staged; ose2: its weight is 0, by override; clients get the "
	     "TLS "
	     "alert internal_error");
}

static void each_worker_has_its_own_turn(void **state)
{
	ask("app1.ch", 0);
	for (unsigned worker = 0; worker < FAKE_WORKERS; worker++) {
		struct record record = {.type = RECORD_EXPLAIN};
		const char *elected = worker == 0 ? "ose1" : "ose2";
		record.explain = (struct record_explain){.decision = DECISION_ELECTED,
		                                         .route = host_name("app1.ch"),
		                                         .cluster = cluster_of(elected)->number,
		                                         .host = traffic_host_slot(elected, 0)};
		explain_add(explain, worker, &record);
		add_share(worker, "ose1", 1000, true, true, worker == 0);
		add_share(worker, "ose2", 8000, true, true, worker == 1);
		add_host(worker, "ose1", 0, 0, true, worker == 0, false);
		add_host(worker, "ose2", 0, 0, true, worker == 1, false);
	}
	says("app1.ch goes to cluster ose1 (weight 10 of 90), router host r1 (203.0.113.11): no active connection, the "
	     "only "
	     "usable one of the cluster; so says worker 0, and 1 of 2 would decide otherwise, each at its own turn");
	assert_string_equal(traffic_text(answer, "workers.0.elected.cluster"), "ose1");
	assert_string_equal(traffic_text(answer, "workers.1.elected.cluster"), "ose2");
}

static void the_first_worker_that_has_answered_speaks(void **state)
{
	ask("app1.ch", 0);
	assert_null(explain_json(explain));
	decide(1, DECISION_UNKNOWN, "", false, false);
	json_decref(answer);
	answer = explain_json(explain);
	assert_int_equal(traffic_number(answer, "worker"), 1);
	assert_int_equal(json_array_size(json_object_get(answer, "workers")), 1);
}

static void what_has_gone_meanwhile(void **state)
{
	ask("app1.ch", 0);
	decide(0, DECISION_ELECTED, "app1.ch", false, false);
	add_share(0, "ose1", 1000, true, false, false);
	add_share(0, "ose2", 8000, true, true, true);
	add_host(0, "ose2", 0, 0, true, true, false);
	assert_true(control_delete(&traffic.control, "ose2", &fixture_actor));
	says("app1.ch goes to cluster (removed) (weight 80, the only one that can take it), router host 203.0.113.21: "
	     "no "
	     "active connection, the only usable one of the cluster");
	assert_string_equal(traffic_text(answer, "clusters.1.why"), "the cluster has been removed");
	assert_string_equal(traffic_text(answer, "hosts.0.why"), "it has been removed");
	assert_string_equal(traffic_text(answer, "hosts.0.name"), "null");
}

static void the_listener_on_which_it_is_served(void **state)
{
	const struct hostname unknown = host_name("nobody.ch"), app1 = host_name("app1.ch");
	const struct hostname wild = host_name("a.wild.ch");
	assert_int_equal(explain_listener(&traffic.control, &unknown), 0);
	assert_int_equal(explain_listener(&traffic.control, &app1), 0);
	assert_int_equal(explain_listener(&traffic.control, &wild), 0);
	struct cluster_spec *tls =
	    fixture_cluster("{'name': 'ose3', 'source': 'static', 'routes': [{'host': "
	                    "'secure.ch', 'http': false}, {'host': '*.tls.ch', 'http': false}]}");
	assert_true(control_put(&traffic.control, tls, 0, &fixture_actor));
	const struct hostname secure = host_name("secure.ch"), below = host_name("a.tls.ch");
	assert_int_equal(explain_listener(&traffic.control, &secure), 1);
	assert_int_equal(explain_listener(&traffic.control, &below), 1);
}

static void what_control_alone_can_say(void **state)
{
	char text[EXPLAIN_TEXT_MAX];
	struct explain_question question = {.name = host_name("app1.ch")};
	cluster_of("ose1")->health[0].state = HEALTH_DOWN;
	assert_string_equal(
	    explain_alone(&traffic.control, &question, text),
	    "by control's state listener http would take app1.ch to ose1 (weight 10, 1 of 2 router hosts "
	    "good), ose2 (weight 80, not on this listener, 1 of 1 router hosts good)");
	question.name = host_name("nobody.ch");
	assert_string_equal(explain_alone(&traffic.control, &question, text),
	                    "control knows no route for nobody.ch, and the default cluster of listener http is none");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(elected_among_two_clusters, setup, teardown),
	    cmocka_unit_test_setup_teardown(the_fewest_and_as_few, setup, teardown),
	    cmocka_unit_test_setup_teardown(by_default, setup, teardown),
	    cmocka_unit_test_setup_teardown(unknown_names, setup, teardown),
	    cmocka_unit_test_setup_teardown(not_served_on_the_listener, setup, teardown),
	    cmocka_unit_test_setup_teardown(nothing_healthy, setup, teardown),
	    cmocka_unit_test_setup_teardown(weights_that_let_nothing_through, setup, teardown),
	    cmocka_unit_test_setup_teardown(each_worker_has_its_own_turn, setup, teardown),
	    cmocka_unit_test_setup_teardown(the_first_worker_that_has_answered_speaks, setup, teardown),
	    cmocka_unit_test_setup_teardown(what_has_gone_meanwhile, setup, teardown),
	    cmocka_unit_test_setup_teardown(the_listener_on_which_it_is_served, setup, teardown),
	    cmocka_unit_test_setup_teardown(what_control_alone_can_say, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
