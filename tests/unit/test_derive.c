/* derive: Routes of one name together, pods of one address together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/kube/derive.h"
#include "seeded_random.h"

enum { ROUTES = 4000, NAMES = 1000 };

static struct observed_route routes[ROUTES];
static struct observed_router routers[300];
static struct observed shown;

static int setup(void **state)
{
	memset(routes, 0, sizeof(routes));
	memset(routers, 0, sizeof(routers));
	shown = (struct observed){.routes = routes, .routers = routers};
	return 0;
}

static struct observed_route *show(const char *host, const char *uid, int64_t created, int weight)
{
	struct observed_route *route = &routes[shown.route_count++];
	*route = (struct observed_route){.created = created, .weight_given = weight >= 0, .http = true};
	route->weight = weight >= 0 ? (uint8_t)weight : 0;
	snprintf(route->uid, sizeof(route->uid), "%s", uid);
	snprintf(route->name, sizeof(route->name), "n-%s", uid);
	strcpy(route->namespace, "shop");
	assert_true(name_parse(host, &route->host, &route->wildcard));
	return route;
}

/* Of the only name that is shown. */
static struct derived_route derived(void)
{
	size_t count;
	struct derived_route *list = derive_routes(&shown, &count), first = list[0];
	assert_int_equal(count, 1);
	free(list);
	return first;
}

static void the_oldest_counts(void **state)
{
	show("app.ch", "b", 5, 10);
	show("app.ch", "c", 3, 20);
	show("app.ch", "a", 5, 30)->https = true;
	struct derived_route route = derived();
	assert_string_equal(route.first->uid, "c");
	assert_true(route.http && route.https);
	routes[1].created = 5;
	assert_string_equal(derived().first->uid, "a"); /* as old: by uid */
}

static void different_weights_are_told(void **state)
{
	char text[DERIVE_WARNING_MAX];
	show("app.ch", "a", 1, 10);
	show("app.ch", "b", 2, 10);
	struct derived_route route = derived();
	assert_false(derive_warning(&route, text));
	routes[1].weight = 11;
	route = derived();
	assert_true(derive_warning(&route, text));
	assert_string_equal(text,
	                    "Route shop/n-b has weight 11, but shop/n-a, the oldest with this host, has weight 10, "
	                    "which counts");
	routes[0].weight_given = false;
	strcpy(routes[0].warning, "odd annotation");
	route = derived();
	assert_true(derive_warning(&route, text));
	assert_non_null(strstr(text, "has no weight, which counts; odd annotation"));
}

static void wildcards_are_names_of_their_own(void **state)
{
	size_t count;
	show("w.ch", "a", 1, -1);
	show("*.w.ch", "b", 1, -1);
	free(derive_routes(&shown, &count));
	assert_int_equal(count, 2);
}

static void any_difference_is_another_print(void **state)
{
	show("app.ch", "a", 1, 10);
	show("app.ch", "b", 2, 10);
	uint64_t print = derived().print;
	assert_int_not_equal(print, 0);
	struct observed_route swap = routes[0];
	routes[0] = routes[1];
	routes[1] = swap;
	assert_true(derived().print == print);
#define DIFFERS(change)                                                                                                \
	do {                                                                                                           \
		struct observed_route before = routes[0];                                                              \
		change;                                                                                                \
		assert_true(derived().print != print);                                                                 \
		routes[0] = before;                                                                                    \
	} while (0)
	DIFFERS(routes[0].weight = 11);
	DIFFERS(routes[0].weight_given = false);
	DIFFERS(routes[0].http = false);
	DIFFERS(routes[0].https = true);
	DIFFERS(routes[0].termination = TERMINATION_EDGE);
	DIFFERS(routes[0].insecure = INSECURE_ALLOW);
	DIFFERS(routes[0].created = 7);
	DIFFERS(strcpy(routes[0].namespace, "shoq"));
	DIFFERS(strcpy(routes[0].uid, "z"));
	DIFFERS(strcpy(routes[0].warning, "odd"));
	assert_true(derived().print == print);
}

static void many_are_ordered_by_id(void **state)
{
	struct seeded_random random = {.state = 9};
	static bool named[NAMES];
	size_t count, names = 0;
	for (unsigned i = 0; i < ROUTES; i++) {
		char host[32], uid[32];
		unsigned number = random_next(&random) % NAMES;
		names += !named[number];
		named[number] = true;
		snprintf(host, sizeof(host), "app%u.ch", number);
		snprintf(uid, sizeof(uid), "uid-%u", i);
		show(host, uid, 1, -1);
	}
	struct derived_route *list = derive_routes(&shown, &count);
	assert_int_equal(count, names);
	for (size_t i = 0; i < count; i++) {
		assert_true(i == 0 || list[i - 1].id < list[i].id);
		assert_true(list[i].id == cluster_name_id(&list[i].first->host, list[i].first->wildcard));
	}
	free(list);
}

static void nothing_is_nothing(void **state)
{
	size_t count;
	free(derive_routes(&shown, &count));
	assert_int_equal(count, 0);
	free(derive_hosts(&shown, "a", &count));
	assert_int_equal(count, 0);
}

/* ---- router hosts ---- */

static struct observed_router *show_router(const char *address, const char *node)
{
	struct observed_router *router = &routers[shown.router_count++];
	*router = (struct observed_router){.http_port = 80, .https_port = 443, .stats_port = 1936, .ready = true};
	snprintf(router->name, sizeof(router->name), "pod-%zu", shown.router_count);
	snprintf(router->node, sizeof(router->node), "%s", node);
	assert_true(address_parse(address, &router->address));
	return router;
}

static struct host_spec derived_host(void)
{
	size_t count;
	struct host_spec *hosts = derive_hosts(&shown, "a", &count), first = hosts[0];
	assert_int_equal(count, 1);
	free(hosts);
	return first;
}

static void pods_of_one_address_are_counted(void **state)
{
	show_router("192.0.2.1", "w1")->terminating = true;
	assert_int_equal(derived_host().state, HOST_DRAINING);
	show_router("192.0.2.1", "w1");
	struct host_spec host = derived_host();
	assert_int_equal(host.pods, 2);
	assert_int_equal(host.state, HOST_ACTIVE);
	assert_int_equal(host.check_port, 1936);
	assert_string_equal(host.name, "w1");
	routers[1].ready = false;
	assert_int_equal(derived_host().state, HOST_DRAINING);
	routers[1].proxy_protocol = true;
	assert_int_equal(derived_host().state, HOST_MISCONFIGURED);
}

static void a_terminating_pod_with_proxy_does_not_spoil_its_successor(void **state)
{
	show_router("192.0.2.1", "w1")->terminating = true;
	routers[0].proxy_protocol = true;
	show_router("192.0.2.1", "w1");
	assert_int_equal(derived_host().state, HOST_ACTIVE);
}

static void labels_become_names(void **state)
{
	show_router("192.0.2.1", "-node/1 \xc3\xa9");
	assert_true(cluster_name_valid(derived_host().name));
	memset(routers[0].node, 'n', 100);
	assert_int_equal(strlen(derived_host().name), CLUSTER_NAME_MAX);
	routers[0].node[0] = '\0';
	assert_string_equal(derived_host().name, "pod-1");
	routers[0].name[0] = '\0';
	assert_string_equal(derived_host().name, "router");
}

static void what_cannot_be_reached_is_left_out(void **state)
{
	size_t count;
	show_router("2001:db8::1", "w1");
	show_router("0.0.0.0", "w2");
	show_router("192.0.2.1", "w3")->http_port = 0;
	routers[2].https_port = 0;
	free(derive_hosts(&shown, "a", &count));
	assert_int_equal(count, 0);
}

static void not_more_than_there_is_room_for(void **state)
{
	size_t count;
	for (unsigned i = 0; i < 300; i++) {
		char address[20];
		snprintf(address, sizeof(address), "192.0.%u.%u", 2 + i / 200, 1 + i % 200);
		show_router(address, "w");
	}
	free(derive_hosts(&shown, "a", &count));
	assert_int_equal(count, CLUSTER_HOSTS_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(the_oldest_counts, setup),
	    cmocka_unit_test_setup(different_weights_are_told, setup),
	    cmocka_unit_test_setup(wildcards_are_names_of_their_own, setup),
	    cmocka_unit_test_setup(any_difference_is_another_print, setup),
	    cmocka_unit_test_setup(many_are_ordered_by_id, setup),
	    cmocka_unit_test_setup(nothing_is_nothing, setup),
	    cmocka_unit_test_setup(pods_of_one_address_are_counted, setup),
	    cmocka_unit_test_setup(a_terminating_pod_with_proxy_does_not_spoil_its_successor, setup),
	    cmocka_unit_test_setup(labels_become_names, setup),
	    cmocka_unit_test_setup(what_cannot_be_reached_is_left_out, setup),
	    cmocka_unit_test_setup(not_more_than_there_is_room_for, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
