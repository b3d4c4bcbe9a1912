/* adopt: what an API shows becomes what a cluster serves, with what is held back, on a simulated clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/state/adopt.h"
#include "control/state/weight.h"
#include "control_fixture.h"

enum { SHOWN_MAX = 100 };

/* What the API of a cluster shows. */
static struct observed_route routes[SHOWN_MAX];
static struct observed_router routers[SHOWN_MAX];
static struct observed shown;
static struct state state;
static struct config *config;
static struct adopt_clock now;

static int setup(void **unused)
{
	config = fixture_config("/run/x", "/var/x", NULL);
	state_put(
	    &state,
	    fixture_cluster("{'name': 'a', 'source': 'watch', 'hold_minutes': 10, 'watch': {'server': 'https://a'}}"),
	    0, 0);
	now = (struct adopt_clock){1000000, 1700000000000};
	shown = (struct observed){.routes = routes, .routers = routers};
	memset(routes, 0, sizeof(routes));
	memset(routers, 0, sizeof(routers));
	return 0;
}

static int teardown(void **unused)
{
	state_free(&state);
	config_free(config);
	return 0;
}

static void pass(int64_t seconds)
{
	now.now += (uint64_t)seconds * 1000;
	now.unix_ms += seconds * 1000;
}

static struct observed_route *show_route(unsigned number)
{
	struct observed_route *route = &routes[shown.route_count++];
	char text[32];
	bool wildcard;
	*route = (struct observed_route){.http = true, .created = 1000 + number};
	snprintf(text, sizeof(text), "app%u.ch", number);
	snprintf(route->uid, sizeof(route->uid), "uid-%05u", number);
	snprintf(route->name, sizeof(route->name), "app%u", number);
	strcpy(route->namespace, "shop");
	name_parse(text, &route->host, &wildcard);
	return route;
}

static void show_routes(unsigned from, unsigned to)
{
	shown.route_count = 0;
	for (unsigned i = from; i < to; i++)
		show_route(i);
}

static struct observed_router *show_router(const char *address)
{
	struct observed_router *router = &routers[shown.router_count++];
	*router = (struct observed_router){.http_port = 80, .https_port = 443, .stats_port = 1936, .ready = true};
	snprintf(router->uid, sizeof(router->uid), "pod-%zu", shown.router_count);
	snprintf(router->node, sizeof(router->node), "w%zu", shown.router_count);
	address_parse(address, &router->address);
	return router;
}

static struct cluster *cluster(void)
{
	return state.clusters[0];
}

static bool adopt(bool list)
{
	return adopt_observed(&state, cluster(), config, &shown, list, &now);
}

static size_t present(void)
{
	return state.names.of_cluster[0];
}

static struct name *name_of(unsigned number)
{
	char text[32];
	struct hostname host;
	bool wildcard;
	snprintf(text, sizeof(text), "app%u.ch", number);
	name_parse(text, &host, &wildcard);
	return names_find_host(&state.names, &host, wildcard);
}

static struct pair *pair_of(unsigned number)
{
	struct name *name = name_of(number);
	return name ? names_pair(name, 0) : NULL;
}

static struct host_spec *host_at(const char *text)
{
	struct address address;
	address_parse(text, &address);
	for (size_t i = 0; i < cluster()->spec->host_count; i++)
		if (address_equal(&cluster()->spec->hosts[i].address, &address))
			return &cluster()->spec->hosts[i];
	return NULL;
}

static void all_up(void)
{
	for (size_t i = 0; i < cluster()->spec->host_count; i++)
		cluster()->health[i].state = HEALTH_UP;
}

/* ---- routes ---- */

static void routes_come_change_and_go(void **unused)
{
	show_routes(0, 3);
	assert_true(adopt(true));
	assert_int_equal(present(), 3);
	assert_int_equal(state.revision, 2);
	assert_true(cluster()->current && cluster()->known && cluster()->unsaved);
	names_clean(&state.names);
	assert_false(adopt(true));
	assert_int_equal(state.revision, 2);
	assert_int_equal(state.names.dirty_count, 0);

	routes[1].weight_given = true;
	routes[1].weight = 20;
	assert_true(adopt(false));
	assert_int_equal(state.names.dirty_count, 1); /* nothing else */
	assert_int_equal(weight_of(cluster()->spec, pair_of(1)).value, 20 * HUNDREDTHS);

	show_routes(1, 3);
	assert_true(adopt(false));
	assert_null(pair_of(0));
	assert_int_equal(present(), 2);
}

static void several_routes_of_one_host(void **unused)
{
	show_route(7)->weight_given = true;
	routes[0].weight = 40;
	struct observed_route *older = show_route(7);
	strcpy(older->uid, "uid-older");
	strcpy(older->name, "old");
	older->created = 1;
	older->http = false;
	older->https = true;
	adopt(true);
	assert_true(pair_of(7)->http && pair_of(7)->https);
	assert_false(pair_of(7)->weight_given); /* the oldest says nothing */
	assert_non_null(strstr(pair_of(7)->warning, "shop/app7 has weight 40, but shop/old"));
	shown.route_count = 1; /* one path less: the host stays */
	adopt(false);
	assert_true(pair_of(7)->http && !pair_of(7)->https);
	assert_int_equal(pair_of(7)->weight, 40);
	assert_null(pair_of(7)->warning);
}

static void an_override_outlives_the_route(void **unused)
{
	show_routes(0, 2);
	adopt(true);
	names_pair_override(&state.names, name_of(0), pair_of(0), 5 * HUNDREDTHS);
	show_routes(1, 2);
	adopt(true);
	assert_false(pair_of(0)->present);
	show_routes(0, 2);
	adopt(true);
	assert_int_equal(weight_of(cluster()->spec, pair_of(0)).value, 5 * HUNDREDTHS);
}

static void an_empty_list_is_held_until_it_is_confirmed(void **unused)
{
	show_routes(0, 8);
	adopt(true);
	shown.route_count = 0;
	assert_true(adopt(true));
	assert_int_equal(present(), 8);
	assert_int_equal(pair_of(3)->hold.reason, HOLD_ALL);
	for (int i = 0; i < 30; i++) {
		pass(1200);
		assert_false(adopt(true)); /* not by itself */
	}
	assert_int_equal(adopt_held(&state, cluster()), 8);
	assert_int_equal(adopt_confirm(&state, cluster(), &now), 8);
	assert_int_equal(present(), 0);
}

static void what_is_back_is_not_held(void **unused)
{
	show_routes(0, 8);
	adopt(true);
	shown.route_count = 0;
	adopt(true);
	show_routes(0, 3);
	adopt(true);
	assert_int_equal(present(), 8);
	assert_int_equal(adopt_held(&state, cluster()), 5);
}

static void too_many_are_held_until_lists_have_said_so_for_long(void **unused)
{
	show_routes(0, 60);
	adopt(true);
	show_routes(24, 60); /* 40 % */
	adopt(true);
	assert_int_equal(present(), 60);
	assert_int_equal(adopt_held(&state, cluster()), 24);
	assert_int_equal(pair_of(0)->hold.reason, HOLD_MANY);
	pass(599);
	adopt(true);
	assert_int_equal(present(), 60);
	pass(1);
	adopt(false); /* events say nothing about it */
	assert_int_equal(present(), 60);
	adopt(true);
	assert_int_equal(present(), 36);
	assert_int_equal(adopt_held(&state, cluster()), 0);
}

static void a_burst_of_deletions_stops_at_the_limit(void **unused)
{
	show_routes(0, 60);
	adopt(true);
	for (unsigned i = 1; i <= 30; i++) {
		show_routes(i, 60);
		adopt(false);
		pass(1);
	}
	assert_int_equal(60 - present(), 18); /* 30 % */
	assert_int_equal(adopt_held(&state, cluster()), 12);
}

static void slow_deletions_are_believed(void **unused)
{
	show_routes(0, 60);
	adopt(true);
	for (unsigned i = 1; i < 60; i++) {
		show_routes(i, 60);
		adopt(false);
		pass(30);
	}
	assert_int_equal(present(), 1);
}

static void parked_routes_are_not_held(void **unused)
{
	state_put(&state, fixture_cluster("{'name': 'b', 'source': 'watch', 'watch': {'server': 'https://b'}}"), 0, 0);
	show_routes(0, 60);
	adopt_observed(&state, state.clusters[1], config, &shown, true, &now);
	adopt(true);
	assert_true(pair_of(0)->parked);
	shown.route_count = 0;
	adopt(true);
	assert_int_equal(present(), 0);
	assert_int_equal(state.names.of_cluster[1], 60);
}

static void a_route_that_changes_its_namespace_is_a_newcomer(void **unused)
{
	state_put(&state, fixture_cluster("{'name': 'b', 'source': 'watch', 'watch': {'server': 'https://b'}}"), 0, 0);
	show_routes(0, 1);
	adopt_observed(&state, state.clusters[1], config, &shown, true, &now);
	routes[0].weight_given = true;
	routes[0].weight = 50;
	adopt(true);
	assert_int_equal(weight_of(cluster()->spec, pair_of(0)).value, 50 * HUNDREDTHS);
	strcpy(routes[0].namespace, "mallory");
	adopt(false);
	assert_int_equal(weight_of(cluster()->spec, pair_of(0)).bar, WEIGHT_CONFLICT);
	strcpy(routes[0].namespace, "shop");
	adopt(false);
	assert_int_equal(weight_of(cluster()->spec, pair_of(0)).value, 50 * HUNDREDTHS);
}

/* ---- router hosts ---- */

static void pods_become_hosts(void **unused)
{
	show_router("203.0.113.11");
	show_router("203.0.113.12")->ready = false;
	show_router("203.0.113.13")->proxy_protocol = true;
	show_router("198.51.100.10"); /* a listener */
	adopt(true);
	assert_int_equal(cluster()->spec->host_count, 3);
	assert_int_equal(host_at("203.0.113.11")->state, HOST_ACTIVE);
	assert_int_equal(host_at("203.0.113.12")->state, HOST_DRAINING);
	assert_int_equal(host_at("203.0.113.13")->state, HOST_MISCONFIGURED);
	assert_string_equal(host_at("203.0.113.11")->name, "w1");
}

static bool always(void *context, const struct host_spec *host)
{
	return true;
}

static bool never(void *context, const struct host_spec *host)
{
	return false;
}

static void a_host_without_pods_goes_with_its_last_connection(void **unused)
{
	show_router("203.0.113.11"), show_router("203.0.113.12"), show_router("203.0.113.13");
	adopt(true);
	uint64_t id = host_at("203.0.113.13")->id;
	shown.router_count = 2;
	assert_true(adopt(false));
	assert_int_equal(host_at("203.0.113.13")->state, HOST_GONE);
	assert_false(adopt_reap_hosts(&state, cluster(), never, NULL, &now));
	assert_true(adopt_reap_hosts(&state, cluster(), always, NULL, &now));
	assert_null(host_at("203.0.113.13"));
	/* A new pod at the old address before that: the same host. */
	shown.router_count = 1;
	adopt(false);
	assert_int_equal(host_at("203.0.113.12")->state, HOST_GONE);
	shown.router_count = 3;
	strcpy(routers[1].uid, "another");
	adopt(false);
	assert_int_equal(host_at("203.0.113.12")->state, HOST_ACTIVE);
	assert_int_equal(host_at("203.0.113.13")->id, id);
}

static void no_pods_at_all_are_not_believed(void **unused)
{
	show_router("203.0.113.11");
	adopt(true);
	shown.router_count = 0;
	adopt(true);
	assert_int_equal(host_at("203.0.113.11")->state, HOST_ACTIVE);
	assert_int_equal(host_at("203.0.113.11")->hold.reason, HOLD_ALL);
	shown.router_count = 1;
	adopt(true);
	assert_int_equal(host_at("203.0.113.11")->hold.reason, HOLD_NONE);
	shown.router_count = 0;
	adopt(true);
	assert_int_equal(adopt_confirm(&state, cluster(), &now), 1);
	assert_int_equal(host_at("203.0.113.11")->state, HOST_GONE);
}

static void most_hosts_are_held_only_while_they_pass_their_check(void **unused)
{
	show_router("203.0.113.11"), show_router("203.0.113.12"), show_router("203.0.113.13");
	adopt(true);
	all_up();
	shown.router_count = 1;
	adopt(true);
	assert_int_equal(adopt_held(&state, cluster()), 2);
	assert_int_equal(host_at("203.0.113.12")->state, HOST_ACTIVE);
	shown.router_count = 3;
	adopt(true);
	cluster()->health[1].state = HEALTH_DOWN;
	cluster()->health[2].state = HEALTH_DOWN;
	cluster()->health[0].state = HEALTH_DOWN;
	shown.router_count = 1;
	adopt(true);
	assert_int_equal(adopt_held(&state, cluster()), 0);
	assert_int_equal(host_at("203.0.113.12")->state, HOST_GONE);
}

/* ---- pushes ---- */

static void pushes_are_held_too(void **unused)
{
	struct cluster_spec *first = fixture_cluster(
	    "{'name': 'p', 'source': 'push', 'hosts': [{'name': 'r1', 'address': '203.0.113.31'}], 'routes': [{'host': "
	    "'a.ch', 'weight': 3}, {'host': 'b.ch'}]}");
	state_put(&state, first, 1, 0);
	struct cluster *pushed = state_cluster(&state, "p");
	struct json_faults faults = {0};
	struct cluster_spec *empty = fixture_cluster("{'name': 'p', 'source': 'push'}");
	assert_true(adopt_push(&state, pushed, empty, config, &now, &faults));
	assert_int_equal(empty->route_count, 2);
	assert_int_equal(empty->host_count, 1);
	state_put(&state, empty, 2, 0);
	pushed = state_cluster(&state, "p");
	assert_int_equal(adopt_held(&state, pushed), 3);
	struct cluster_spec *rest = adopt_without_held(pushed->spec);
	assert_int_equal(rest->host_count + rest->route_count, 0);
	cluster_free(rest);
	/* Back again. */
	struct cluster_spec *again = fixture_cluster(
	    "{'name': 'p', 'source': 'push', 'hosts': [{'name': 'r1', 'address': '203.0.113.31'}], 'routes': [{'host': "
	    "'a.ch', 'weight': 3}, {'host': 'b.ch'}]}");
	assert_true(adopt_push(&state, pushed, again, config, &now, &faults));
	assert_int_equal(again->route_count, 2);
	state_put(&state, again, 3, 0);
	assert_int_equal(adopt_held(&state, state_cluster(&state, "p")), 0);
}

static struct cluster_spec *push_of(unsigned from, unsigned to)
{
	char text[2000], *at = text;
	at += sprintf(
	    at, "{'name': 'p', 'source': 'push', 'hosts': [{'name': 'r1', 'address': '203.0.113.31'}], 'routes': [");
	for (unsigned i = from; i < to; i++)
		at += sprintf(at, "%s{'host': 'app%u.ch'}", i > from ? ", " : "", i);
	strcpy(at, "]}");
	return fixture_cluster(text);
}

/* Of a push: returns whether it found room, and what the cluster has then. */
static bool push(unsigned from, unsigned to, size_t *count)
{
	struct json_faults faults = {0};
	struct cluster_spec *spec = push_of(from, to);
	assert_true(state_check(&state, spec, config, &faults));
	bool fits = adopt_push(&state, state_cluster(&state, "p"), spec, config, &now, &faults);
	assert_int_equal(faults.count, !fits);
	if (!fits)
		assert_string_equal(faults.list[0].path, "$.routes");
	json_faults_free(&faults);
	*count = spec->route_count;
	state_put(&state, spec, 1, 0);
	return fits;
}

static void what_is_held_leaves_new_routes_out(void **unused)
{
	size_t count;
	config->limits.routes = 30;
	state_put(&state, push_of(0, 0), 1, 0);
	assert_true(push(0, 20, &count));
	for (unsigned i = 0; i < 3; i++) {
		assert_false(push(19, 40, &count)); /* app19.ch stays, 19 are held, 20 are new */
		assert_int_equal(count, 20);
		assert_int_equal(state.names.count, 20);
		assert_int_equal(adopt_held(&state, state_cluster(&state, "p")), 19);
	}
	assert_true(push(10, 30, &count)); /* 10 are back */
	assert_int_equal(count, 30);
	assert_false(push(30, 50, &count));
	assert_int_equal(adopt_held(&state, state_cluster(&state, "p")), 30);
	/* Confirmed, there is room. */
	state_put(&state, adopt_without_held(state_cluster(&state, "p")->spec), 1, 0);
	assert_true(push(30, 50, &count));
	assert_int_equal(count, 20);
}

/* Nobody confirms: what is held goes by itself, and so the push finds room. */
static void held_routes_make_room_in_time(void **unused)
{
	size_t count;
	config->limits.routes = 30;
	state_put(&state, push_of(0, 0), 1, 0);
	assert_true(push(0, 20, &count));
	assert_false(push(19, 40, &count));
	pass(600);
	assert_true(push(19, 40, &count));
	assert_int_equal(count, 21);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(routes_come_change_and_go),
	    TEST(several_routes_of_one_host),
	    TEST(an_override_outlives_the_route),
	    TEST(an_empty_list_is_held_until_it_is_confirmed),
	    TEST(what_is_back_is_not_held),
	    TEST(too_many_are_held_until_lists_have_said_so_for_long),
	    TEST(a_burst_of_deletions_stops_at_the_limit),
	    TEST(slow_deletions_are_believed),
	    TEST(parked_routes_are_not_held),
	    TEST(a_route_that_changes_its_namespace_is_a_newcomer),
	    TEST(pods_become_hosts),
	    TEST(a_host_without_pods_goes_with_its_last_connection),
	    TEST(no_pods_at_all_are_not_believed),
	    TEST(most_hosts_are_held_only_while_they_pass_their_check),
	    TEST(pushes_are_held_too),
	    TEST(what_is_held_leaves_new_routes_out),
	    TEST(held_routes_make_room_in_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
