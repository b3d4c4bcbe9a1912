/* table: what of the state stands in messages, slots and what finds none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "control/feed/table.h"
#include "control_fixture.h"

enum { HOSTS = 4, PAIRS = 8 };

static struct shared_directory_entry host_entries[HOSTS], pair_entries[PAIRS];
static struct slots hosts, pairs;
static struct state state;
static struct config *config;

static struct slot_usage no_usage(void *context, uint32_t slot)
{
	return (struct slot_usage){0};
}

static int setup(void **unused)
{
	memset(host_entries, 0, sizeof(host_entries));
	memset(pair_entries, 0, sizeof(pair_entries));
	slots_init(&hosts, host_entries, HOSTS, no_usage, NULL);
	slots_init(&pairs, pair_entries, PAIRS, no_usage, NULL);
	config = fixture_config("/run/x", "/var/x", NULL);
	state_put(&state, fixture_cluster(FIXTURE_OSE1), 0, 0);
	state_put(&state, fixture_cluster(FIXTURE_OSE2), 0, 0);
	return 0;
}

static int teardown(void **unused)
{
	slots_free(&hosts);
	slots_free(&pairs);
	state_free(&state);
	config_free(config);
	return 0;
}

static const struct message_route *route(const struct table *table, const char *name)
{
	for (size_t i = 0; i < table->route_count; i++)
		if (strcmp(table->routes[i].name.text, name) == 0)
			return &table->routes[i];
	return NULL;
}

static void everything_is_there(void **unused)
{
	state.clusters[0]->health[1].state = HEALTH_UP;
	struct table *table = table_build(&state, config, &hosts, &pairs, 100, 0);
	assert_int_equal(table->revision, 2);
	assert_int_equal(table->host_count, 3);
	unsigned healthy = 0;
	for (size_t i = 0; i < 3; i++) {
		const struct message_host *host = &table->hosts[i].message;
		assert_int_equal(host->slot, i);
		assert_int_equal(host->generation, 1);
		assert_int_equal(host->http_port, 80);
		assert_int_equal(host->https_port, 443);
		assert_int_equal(host->cluster, address_v4(&host->address) >> 24 == 21);
		healthy += host->healthy;
	}
	assert_int_equal(healthy, 1);

	assert_int_equal(table->route_count, 2);
	assert_true(table->routes[0].id < table->routes[1].id);
	const struct message_route *app1 = route(table, "app1.ch");
	assert_int_equal(app1->share_count, 2);
	assert_int_equal(app1->shares[0].cluster, 0);
	assert_int_equal(app1->shares[0].weight, 1000);
	assert_true(app1->shares[0].http && app1->shares[0].https);
	assert_int_equal(app1->shares[1].cluster, 1);
	assert_int_equal(app1->shares[1].weight, 8000);
	assert_true(!app1->shares[1].http && app1->shares[1].https);
	assert_int_not_equal(app1->shares[0].pair, app1->shares[1].pair);
	const struct message_route *wild = route(table, "wild.ch");
	assert_true(wild->wildcard && wild->share_count == 1 && wild->shares[0].weight == 10000);

	assert_int_equal(table->listener_count, 2);
	assert_int_equal(table->listeners[0].cluster, CLUSTER_NONE);
	assert_int_equal(table->listeners[0].pair, SLOT_NONE);
	assert_int_equal(table->listeners[1].cluster, 1);
	assert_int_not_equal(table->listeners[1].pair, SLOT_NONE);
	assert_int_equal(table->hosts_left_out + table->pairs_left_out + table->routes_left_out, 0);
	table_free(table);
}

/* Clusters that others had the places of before. */
static void clusters_have_their_numbers(void **unused)
{
	state.clusters[0]->number = 3 * CLUSTERS_MAX;
	state.clusters[1]->number = CLUSTERS_MAX + 1;
	struct table *table = table_build(&state, config, &hosts, &pairs, 100, 0);
	for (size_t i = 0; i < 3; i++) {
		const struct message_host *host = &table->hosts[i].message;
		bool second = address_v4(&host->address) >> 24 == 21;
		assert_int_equal(host->cluster, second ? CLUSTERS_MAX + 1 : 3 * CLUSTERS_MAX);
	}
	assert_int_equal(route(table, "app1.ch")->shares[0].cluster, 3 * CLUSTERS_MAX);
	assert_int_equal(route(table, "app1.ch")->shares[1].cluster, CLUSTERS_MAX + 1);
	assert_int_equal(table->listeners[1].cluster, CLUSTERS_MAX + 1);
	table_free(table);
}

static void built_twice_it_is_the_same(void **unused)
{
	struct table *a = table_build(&state, config, &hosts, &pairs, 100, 0);
	struct table *b = table_build(&state, config, &hosts, &pairs, 100, 2);
	assert_memory_equal(a->hosts, b->hosts, a->host_count * sizeof(*a->hosts));
	assert_memory_equal(a->routes, b->routes, a->route_count * sizeof(*a->routes));
	assert_memory_equal(a->listeners, b->listeners, sizeof(a->listeners));
	table_free(a);
	table_free(b);
}

static void a_missing_default_cluster_rejects(void **unused)
{
	state_delete(&state, "ose2");
	struct table *table = table_build(&state, config, &hosts, &pairs, 100, 0);
	assert_int_equal(table->listeners[1].cluster, CLUSTER_NONE);
	assert_int_equal(table->listeners[1].pair, SLOT_NONE);
	assert_int_equal(route(table, "app1.ch")->share_count, 1);
	table_free(table);
}

static void what_finds_no_room_is_counted(void **unused)
{
	state_put(&state,
	          fixture_cluster(
	              "{'name': 'big', 'source': 'static', 'hosts': [{'name': 'a', 'address': '192.0.2.1'}, {'name': "
	              "'b', 'address': '192.0.2.2'}, {'name': 'c', 'address': '192.0.2.3'}], 'routes': [{'host': "
	              "'a.ch'}, {'host': 'b.ch'}, {'host': 'c.ch'}, {'host': 'd.ch'}, {'host': 'e.ch'}, {'host': "
	              "'f.ch'}]}"),
	          0, 0);
	struct table *table = table_build(&state, config, &hosts, &pairs, 7, 0);
	assert_int_equal(table->host_count, HOSTS);
	assert_int_equal(table->hosts_left_out, 2);
	assert_int_equal(table->route_count, 7);
	assert_int_equal(table->routes_left_out, 1);
	assert_int_equal(table->pairs_left_out, 1); /* 8 pairs of 7 routes have slots; the default cluster's has none */
	table_free(table);
	table = table_build(&state, config, &hosts, &pairs, 8, 0);
	assert_int_equal(table->routes_left_out, 0);
	assert_int_equal(table->pairs_left_out, 2);
	table_free(table);
}

static void announcements_are_made_once(void **unused)
{
	state.clusters[1]->health[0].announce = true;
	struct table *table = table_build(&state, config, &hosts, &pairs, 100, 0);
	unsigned announced = 0;
	for (size_t i = 0; i < table->host_count; i++)
		announced += table->hosts[i].announce;
	assert_int_equal(announced, 1);
	assert_false(state.clusters[1]->health[0].announce);
	table_free(table);
}

static struct table *update(uint32_t routes_max)
{
	return table_update(&state, config, &hosts, &pairs, routes_max, 0);
}

static void an_update_has_only_what_changed(void **unused)
{
	table_free(table_build(&state, config, &hosts, &pairs, 100, 0));
	struct table *table = update(100);
	assert_true(table->partial);
	assert_int_equal(table->route_count + table->gone_count, 0);
	assert_int_equal(table->host_count, 3);
	table_free(table);
	struct cluster_spec *spec =
	    fixture_cluster("{'name': 'ose1', 'source': 'static', 'routes': [{'host': 'app1.ch', "
	                    "'weight': 11}, {'host': 'new.ch'}]}");
	state_put(&state, spec, 0, 0);
	table = update(100);
	assert_int_equal(table->route_count, 2);
	assert_int_equal(route(table, "app1.ch")->shares[0].weight, 1100);
	assert_int_equal(route(table, "app1.ch")->share_count, 2);
	assert_non_null(route(table, "new.ch"));
	assert_int_equal(table->gone_count, 1);
	assert_string_equal(table->gone[0].name.text, "wild.ch");
	assert_true(table->gone[0].wildcard);
	assert_int_equal(table->host_count, 1);
	table_free(table);
	table = update(100);
	assert_int_equal(table->route_count + table->gone_count, 0);
	table_free(table);
}

/* The slots of pairs that were not told again are still theirs. */
static void counters_outlive_updates(void **unused)
{
	table_free(table_build(&state, config, &hosts, &pairs, 100, 0));
	struct table *table;
	for (unsigned i = 0; i < 20; i++) {
		char text[200];
		snprintf(text, sizeof(text), "{'name': 'c', 'source': 'static', 'routes': [{'host': 'n%u.ch'}]}", i);
		state_put(&state, fixture_cluster(text), 0, 0);
		table = table_update(&state, config, &hosts, &pairs, 100, state.revision - 1);
		assert_int_equal(table->pairs_left_out, 0);
		table_free(table);
	}
	table = table_build(&state, config, &hosts, &pairs, 100, state.revision - 1);
	const struct message_route *app1 = route(table, "app1.ch"), *wild = route(table, "wild.ch");
	assert_int_not_equal(app1->shares[0].pair, app1->shares[1].pair);
	assert_int_not_equal(app1->shares[0].pair, wild->shares[0].pair);
	assert_int_equal(pair_entries[app1->shares[0].pair].generation, 1);
	assert_int_equal(pair_entries[wild->shares[0].pair].generation, 1);
	table_free(table);
}

static void what_goes_makes_room_in_an_update(void **unused)
{
	table_free(table_build(&state, config, &hosts, &pairs, 2, 0));
	state_put(&state, fixture_cluster("{'name': 'c', 'source': 'static', 'routes': [{'host': 'new.ch'}]}"), 0, 0);
	struct table *table = update(2);
	assert_int_equal(table->route_count, 0);
	assert_int_equal(table->routes_left_out, 1);
	table_free(table);
	state_put(&state, fixture_cluster("{'name': 'ose1', 'source': 'static', 'routes': [{'host': 'app1.ch'}]}"), 0,
	          0);
	names_touch_left_out(&state.names);
	table = update(2);
	assert_int_equal(table->gone_count, 1);
	assert_non_null(route(table, "new.ch"));
	assert_int_equal(table->routes_left_out, 0);
	table_free(table);
}

static void a_cluster_that_is_not_active_gets_nothing(void **unused)
{
	state.clusters[1]->spec->state = CLUSTER_DRAINING;
	struct table *table = table_build(&state, config, &hosts, &pairs, 100, 0);
	assert_int_equal(route(table, "app1.ch")->shares[0].weight, 1000);
	assert_int_equal(route(table, "app1.ch")->shares[1].weight, 0);
	assert_int_equal(table->listeners[1].cluster, CLUSTER_NONE);
	table_free(table);
}

static unsigned healthy(void)
{
	struct table *table = table_build(&state, config, &hosts, &pairs, 100, 0);
	unsigned count = 0;
	for (size_t i = 0; i < table->host_count; i++)
		count += table->hosts[i].message.healthy;
	table_free(table);
	return count;
}

static void hosts_whose_pods_are_not_ready(void **unused)
{
	struct host_spec *of_ose1 = state.clusters[0]->spec->hosts;
	state.clusters[0]->health[0].state = state.clusters[0]->health[1].state = HEALTH_UP;
	assert_int_equal(healthy(), 2);
	of_ose1[0].state = HOST_DRAINING;
	assert_int_equal(healthy(), 1);
	of_ose1[1].state = HOST_DRAINING; /* all of them: the check decides */
	assert_int_equal(healthy(), 2);
	of_ose1[0].state = HOST_MISCONFIGURED;
	of_ose1[1].state = HOST_GONE;
	assert_int_equal(healthy(), 0);
	of_ose1[1].hold.reason = HOLD_ALL;
	assert_int_equal(healthy(), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(everything_is_there, setup, teardown),
	    cmocka_unit_test_setup_teardown(clusters_have_their_numbers, setup, teardown),
	    cmocka_unit_test_setup_teardown(built_twice_it_is_the_same, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_missing_default_cluster_rejects, setup, teardown),
	    cmocka_unit_test_setup_teardown(what_finds_no_room_is_counted, setup, teardown),
	    cmocka_unit_test_setup_teardown(announcements_are_made_once, setup, teardown),
	    cmocka_unit_test_setup_teardown(an_update_has_only_what_changed, setup, teardown),
	    cmocka_unit_test_setup_teardown(counters_outlive_updates, setup, teardown),
	    cmocka_unit_test_setup_teardown(what_goes_makes_room_in_an_update, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_cluster_that_is_not_active_gets_nothing, setup, teardown),
	    cmocka_unit_test_setup_teardown(hosts_whose_pods_are_not_ready, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
