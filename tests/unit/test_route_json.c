/* route_json: what is shown of a route. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/control.h"
#include "control/state/override.h"
#include "control/api/route_json.h"
#include "control_fixture.h"
#include "fake_link.h"

static char directory[] = "/tmp/pm-test-route-json-XXXXXX";
static struct event_loop *loop;
static struct config *config;
static struct control control;

static void remove_state(void)
{
	fixture_empty(directory);
}

static int setup(void **state)
{
	remove_state();
	fake_link_reset(16, 16, 16);
	loop = event_loop_create();
	config = fixture_config(directory, directory, "'clusters': [" FIXTURE_OSE1 ", " FIXTURE_OSE2 "]");
	if (!control_init(&control, config, loop))
		return -1;
	control_start(&control);
	return 0;
}

static int teardown(void **state)
{
	control_stop(&control);
	config_free(config);
	event_loop_destroy(loop);
	fake_link_free();
	return 0;
}

static struct name *find(const char *text)
{
	struct hostname host;
	bool wildcard;
	assert_true(name_parse(text, &host, &wildcard));
	return names_find_host(&control.state.names, &host, wildcard);
}

static json_t *show(const char *text)
{
	struct share_view view;
	share_view_make(&view, &control.state);
	return route_json(&control, &view, find(text));
}

static const json_t *cluster_of(const json_t *route, size_t i)
{
	return json_array_get(json_object_get(route, "clusters"), i);
}

static void assert_text(const json_t *object, const char *field, const char *wanted)
{
	assert_non_null(json_object_get(object, field));
	assert_string_equal(json_string_value(json_object_get(object, field)), wanted);
}

static void assert_number(const json_t *object, const char *field, double wanted)
{
	assert_true(json_is_number(json_object_get(object, field)));
	assert_true(json_number_value(json_object_get(object, field)) == wanted);
}

static void a_route(void **state)
{
	json_t *route = show("app1.ch");
	assert_text(route, "host", "app1.ch");
	assert_number(route, "active", 0);
	assert_number(route, "recent", 0);
	const json_t *first = cluster_of(route, 0), *second = cluster_of(route, 1);
	assert_text(first, "cluster", "ose1");
	assert_number(first, "weight", 10);
	assert_text(first, "weight_origin", "static");
	assert_number(first, "planned_share", 11.11);
	assert_number(first, "effective_share", 0);
	assert_true(json_is_null(json_object_get(first, "real_share")));
	assert_number(first, "healthy_hosts", 0);
	assert_text(second, "cluster", "ose2");
	assert_number(second, "weight", 80);
	assert_text(second, "weight_origin", "default");
	assert_number(second, "planned_share", 88.89);
	assert_true(json_is_false(json_object_get(second, "http")));
	assert_null(json_object_get(first, "effective_share_http"));
	json_decref(route);
}

static void shares_by_listener_where_they_differ(void **state)
{
	control.state.clusters[0]->health[0].state = control.state.clusters[1]->health[0].state = HEALTH_UP;
	json_t *route = show("app1.ch");
	assert_number(cluster_of(route, 0), "effective_share", 11.11);
	assert_number(cluster_of(route, 0), "effective_share_http", 100);
	assert_number(cluster_of(route, 1), "effective_share_http", 0);
	assert_number(cluster_of(route, 1), "effective_share_https", 88.89);
	assert_number(cluster_of(route, 0), "healthy_hosts", 1);
	json_decref(route);
}

static void under_an_override(void **state)
{
	assert_true(control_override(&control, find("app1.ch"), 0, 3325, &fixture_actor));
	json_t *route = show("app1.ch");
	assert_number(cluster_of(route, 0), "weight", 33.25);
	assert_text(cluster_of(route, 0), "weight_origin", "override");
	assert_number(cluster_of(route, 0), "weight_of_cluster", 10);
	json_decref(route);
}

static void behind_a_bar(void **state)
{
	control.state.clusters[0]->spec->state = CLUSTER_STAGED;
	json_t *route = show("app1.ch");
	assert_number(cluster_of(route, 0), "weight", 0);
	assert_number(cluster_of(route, 0), "weight_given", 10);
	assert_text(cluster_of(route, 0), "why", "the cluster is staged");
	assert_number(cluster_of(route, 1), "planned_share", 100);
	json_decref(route);
}

static void connections(void **state)
{
	assert_null(fake_link_appear());
	while (!control_applied(&control, 1))
		event_loop_turn(loop, 5);
	uint64_t slot = 0;
	for (unsigned i = 0; fake_link_message(MESSAGE_ROUTE, i); i++)
		if (!fake_link_message(MESSAGE_ROUTE, i)->route.wildcard)
			slot = fake_link_message(MESSAGE_ROUTE, i)->route.shares[1].pair;
	struct shared_worker *worker = shared_worker_at(fake_link.shared, 1);
	shared_set(&shared_pairs_of(fake_link.shared, worker)[slot].total, 80);
	shared_set(&shared_pairs_of(fake_link.shared, worker)[slot].active, 7);
	json_t *route = show("app1.ch");
	assert_number(route, "active", 7);
	assert_number(cluster_of(route, 0), "total", 0);
	assert_number(cluster_of(route, 1), "total", 80);
	assert_number(cluster_of(route, 1), "active", 7);
	json_decref(route);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(a_route),     TEST(shares_by_listener_where_they_differ), TEST(under_an_override), TEST(behind_a_bar),
	    TEST(connections),
	};
	if (!mkdtemp(directory))
		return 1;
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	remove_state();
	rmdir(directory);
	return failed;
}
