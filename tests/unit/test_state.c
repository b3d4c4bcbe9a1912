/* state: changes, limits, what survives a change, the saved form. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/state/cluster_json.h"
#include "control/state/state.h"

static struct cluster_spec *spec_of(const char *format, ...)
{
	char *text;
	va_list args;
	struct json_faults faults = {0};
	va_start(args, format);
	assert_true(vasprintf(&text, format, args) > 0);
	va_end(args);
	json_t *value = json_loads(text, 0, NULL);
	assert_non_null(value);
	struct cluster_spec *spec = cluster_read(value, NULL, &faults, "$");
	if (!spec)
		print_error("%s %s\n", faults.list[0].path, faults.list[0].reason);
	assert_non_null(spec);
	json_decref(value);
	free(text);
	return spec;
}

#define TWO_HOSTS                                                                                                      \
	"\"hosts\":[{\"name\":\"r1\",\"address\":\"203.0.113.11\"},{\"name\":\"r2\",\"address\":\"203.0.113.12\"}]"

static struct cluster_spec *ose1(void)
{
	return spec_of("{\"name\":\"ose1\",\"source\":\"static\"," TWO_HOSTS
	               ",\"routes\":[{\"host\":\"app1.ch\",\"weight\":10},{\"host\":\"only1.ch\"}]}");
}

static struct cluster_spec *ose2(void)
{
	return spec_of(
	    "{\"name\":\"ose2\",\"source\":\"push\",\"key\":\"K2\","
	    "\"hosts\":[{\"name\":\"r1\",\"address\":\"203.0.113.21\"}],\"routes\":[{\"host\":\"app1.ch\"}]}");
}

static struct health *health_of(struct state *state, const char *cluster, const char *name)
{
	struct cluster *found = state_cluster(state, cluster), *owner;
	struct host_spec *host;
	for (size_t i = 0; i < found->spec->host_count; i++) {
		if (strcmp(found->spec->hosts[i].name, name) != 0)
			continue;
		struct health *health = state_host(state, found->spec->hosts[i].id, &owner, &host);
		assert_ptr_equal(owner, found);
		assert_ptr_equal(host, &found->spec->hosts[i]);
		return health;
	}
	return NULL;
}

static void put_find_delete(void **unused)
{
	struct state state = {0};
	struct cluster *cluster;
	struct host_spec *host;
	state_put(&state, ose1(), 0, 100);
	state_put(&state, ose2(), 5, 100);
	assert_int_equal(state.revision, 2);
	assert_int_equal(state.host_count, 3);
	assert_int_equal(state_cluster(&state, "ose1")->index, 0);
	assert_int_equal(state_cluster(&state, "ose2")->index, 1);
	assert_null(state_cluster(&state, "ose"));
	assert_ptr_equal(state_cluster_by_key(&state, "K2"), state_cluster(&state, "ose2"));
	assert_null(state_cluster_by_key(&state, ""));
	assert_null(state_host(&state, 12345, &cluster, &host));
	assert_non_null(health_of(&state, "ose1", "r2"));
	state_delete(&state, "ose1");
	assert_int_equal(state.revision, 3);
	assert_int_equal(state.host_count, 1);
	assert_null(state_cluster(&state, "ose1"));
	state_delete(&state, "ose1");
	assert_int_equal(state.revision, 3);
	/* The others keep their number; a new one gets one of its own. */
	assert_int_equal(state_cluster(&state, "ose2")->index, 1);
	state_put(&state, spec_of("{\"name\":\"ose9\",\"source\":\"static\"}"), 0, 100);
	assert_int_equal(state_cluster(&state, "ose9")->number, 2);
	assert_null(state_cluster_numbered(&state, 0));
	state_put(&state, ose1(), 0, 100);
	assert_int_equal(state_cluster(&state, "ose1")->number, 0);
	assert_ptr_equal(state_cluster_numbered(&state, 0), state_cluster(&state, "ose1"));
	assert_null(state_cluster_numbered(&state, CLUSTER_NONE));
	state_free(&state);
}

static struct cluster_spec *numbered(int i)
{
	return spec_of("{\"name\":\"c%d\",\"source\":\"static\",\"hosts\":[{\"name\":\"r\",\"address\":"
	               "\"203.0.113.%d\"}],\"routes\":[{\"host\":\"c%d.ch\"}]}",
	               i, i, i);
}

/* Also when there are as many as there can be, and over the saved form. */
static void a_number_is_never_anothers(void **unused)
{
	struct state state = {0}, again = {0};
	struct json_faults faults = {0};
	struct cluster *cluster;
	struct host_spec *host;
	for (int i = 0; i < CLUSTERS_MAX; i++)
		state_put(&state, numbered(i), 0, 100);
	state_delete(&state, "c7");
	state_put(&state, numbered(100), 0, 100);
	cluster = state_cluster(&state, "c100");
	assert_int_equal(cluster->number, CLUSTERS_MAX + 7);
	assert_int_equal(cluster->index, 7);
	assert_null(state_cluster_numbered(&state, 7));
	assert_ptr_equal(state_cluster_numbered(&state, CLUSTERS_MAX + 7), cluster);
	assert_non_null(state_host(&state, cluster->spec->hosts[0].id, &cluster, &host));
	assert_string_equal(cluster->spec->name, "c100");
	assert_int_equal(state.names.of_cluster[7], 1);
	state_delete(&state, "c9");
	json_t *saved = state_write(&state, NULL);
	assert_true(state_read(&again, saved, "$", 100, &faults));
	assert_int_equal(state_cluster(&again, "c100")->number, CLUSTERS_MAX + 7);
	assert_int_equal(again.names.of_cluster[7], 1);
	assert_int_equal(state_number(&again, "c9"), 9);
	assert_int_equal(state_number(&again, "c101"), CLUSTERS_MAX + 9);
	json_decref(saved);
	state_free(&state);
	state_free(&again);
}

static void hosts_keep_their_health(void **unused)
{
	struct state state = {0};
	state_put(&state, ose1(), 0, 100);
	health_of(&state, "ose1", "r2")->state = HEALTH_UP;
	/* Another name, another place in the list, one more: the address counts. */
	state_put(
	    &state,
	    spec_of(
	        "{\"name\":\"ose1\",\"source\":\"static\",\"hosts\":[{\"name\":\"new\",\"address\":\"203.0.113.13\"},"
	        "{\"name\":\"r2b\",\"address\":\"203.0.113.12\"}]}"),
	    0, 200);
	assert_int_equal(health_of(&state, "ose1", "r2b")->state, HEALTH_UP);
	assert_int_equal(health_of(&state, "ose1", "new")->state, HEALTH_UNKNOWN);
	assert_int_equal(health_of(&state, "ose1", "new")->next_at, 200);
	assert_int_equal(health_of(&state, "ose1", "r2b")->next_at, 100);
	/* What is checked has changed: checked at once. */
	state_put(&state,
	          spec_of("{\"name\":\"ose1\",\"source\":\"static\",\"health\":{\"path\":\"/x\"}," TWO_HOSTS "}"), 0,
	          300);
	assert_int_equal(health_of(&state, "ose1", "r2")->state, HEALTH_UP);
	assert_int_equal(health_of(&state, "ose1", "r2")->next_at, 300);
	state_free(&state);
}

static void others_up(void **unused)
{
	struct state state = {0};
	state_put(&state, ose1(), 0, 100);
	struct health *r1 = health_of(&state, "ose1", "r1"), *r2 = health_of(&state, "ose1", "r2");
	struct cluster *cluster = state_cluster(&state, "ose1");
	r1->state = HEALTH_UP;
	assert_false(state_others_up(cluster, r1));
	r2->state = HEALTH_UP;
	assert_true(state_others_up(cluster, r1));
	/* One that the operator has taken out is no help. */
	struct host_setting out = {.id = cluster->spec->hosts[r2 - cluster->health].id, .mode = HOST_MODE_DISABLED};
	host_modes_set(&cluster->modes, &out);
	assert_false(state_others_up(cluster, r1));
	state_free(&state);
}

static struct config limits(uint32_t hosts, uint32_t routes, uint32_t pairs)
{
	struct config config = {0};
	config.limits.hosts = hosts;
	config.limits.routes = routes;
	config.limits.pairs = pairs;
	return config;
}

static void assert_check(const struct state *state, struct cluster_spec *spec, struct config config, const char *path,
                         const char *reason)
{
	struct json_faults faults = {0};
	bool good = state_check(state, spec, &config, &faults);
	assert_int_equal(good, path == NULL);
	assert_int_equal(faults.count, path != NULL);
	if (path) {
		assert_string_equal(faults.list[0].path, path);
		assert_string_equal(faults.list[0].reason, reason);
	}
	json_faults_free(&faults);
	cluster_free(spec);
}

static void limits_count_all_clusters_but_the_replaced_one(void **unused)
{
	struct state state = {0};
	state_put(&state, ose1(), 0, 100);
	assert_check(&state, ose1(), limits(2, 2, 2), NULL, NULL);
	assert_check(&state, ose2(), limits(3, 2, 3), NULL, NULL);
	assert_check(&state, ose2(), limits(2, 2, 3), "$.hosts", "would make 3 router hosts in all");
	assert_check(&state, ose2(), limits(3, 1, 3), "$.routes", "would make 2 host names in all");
	assert_check(&state, ose2(), limits(3, 2, 2), "$.routes", "would make 3 pairs of host name and cluster in all");
	state_free(&state);
}

static void keys_are_unique(void **unused)
{
	struct state state = {0};
	state_put(&state, ose2(), 0, 100);
	assert_check(&state, ose2(), limits(9, 9, 9), NULL, NULL);
	assert_check(&state, spec_of("{\"name\":\"other\",\"source\":\"push\",\"key\":\"K2\"}"), limits(9, 9, 9),
	             "$.key", "\"K2\" is the key of cluster ose2");
	state_free(&state);
}

static void our_own_addresses_are_no_router_hosts(void **unused)
{
	struct state state = {0};
	struct config config = limits(9, 9, 9);
	config.listener_count = 1;
	config.listeners[0].address_count = 1;
	address_parse("203.0.113.11", &config.listeners[0].addresses[0]);
	assert_check(&state, ose1(), config, "$.hosts[0].address", "belongs to a listener or to the source pool");
	config.listener_count = 0;
	config.pool.prefix_count = 1;
	prefix_parse("203.0.113.12/32", &config.pool.prefixes[0]);
	assert_check(&state, ose1(), config, "$.hosts[1].address", "belongs to a listener or to the source pool");
}

static void names_and_clusters_are_bounded(void **unused)
{
	struct state state = {0};
	for (int i = 0; i < CLUSTERS_MAX; i++) {
		struct cluster_spec *spec =
		    spec_of("{\"name\":\"c%d\",\"source\":\"static\",\"routes\":[{\"host\":\"%s\"}]}", i,
		            i < ROUTE_CLUSTERS_MAX ? "app1.ch" : "app2.ch");
		if (i >= 2 * ROUTE_CLUSTERS_MAX)
			spec->route_count = 0;
		state_put(&state, spec, 0, 100);
	}
	assert_check(&state,
	             spec_of("{\"name\":\"c40\",\"source\":\"static\",\"routes\":[{\"host\":\"x.ch\"},{\"host\":"
	                     "\"app1.ch\"}]}"),
	             limits(9, 9, 99), "$.routes[1]", "is a name that 16 other clusters have");
	assert_check(&state, spec_of("{\"name\":\"c3\",\"source\":\"static\",\"routes\":[{\"host\":\"app1.ch\"}]}"),
	             limits(9, 9, 99), NULL, NULL);
	assert_check(&state, spec_of("{\"name\":\"more\",\"source\":\"static\"}"), limits(9, 9, 99), "$",
	             "is one cluster too many");
	state_free(&state);
}

static void routes_are_sorted_by_name_then_cluster(void **unused)
{
	struct state state = {0};
	size_t count;
	state_put(&state, ose1(), 0, 100);
	state_put(&state, ose2(), 0, 100);
	struct name *const *names = names_ordered(&state.names, &count);
	assert_int_equal(count, 2);
	assert_string_equal(names[0]->host.text, "app1.ch");
	assert_int_equal(names[0]->pair_count, 2);
	assert_int_equal(names[0]->pairs[0].cluster, 0);
	assert_int_equal(names[0]->pairs[1].cluster, 1);
	assert_string_equal(names[1]->host.text, "only1.ch");
	state_free(&state);
}

static void saved_and_read_again(void **unused)
{
	struct state state = {0}, again = {0};
	struct json_faults faults = {0};
	state_put(&state, spec_of("{\"name\":\"gone\",\"source\":\"static\"}"), 0, 100);
	state_put(&state, ose1(), 0, 100);
	state_put(&state, ose2(), 77, 100);
	state_delete(&state, "gone");
	json_t *saved = state_write(&state, NULL);
	assert_true(state_read(&again, saved, "$", 500, &faults));
	assert_int_equal(again.revision, 4);
	assert_int_equal(state_cluster(&again, "ose1")->index, 1);
	assert_int_equal(state_cluster(&again, "ose2")->index, 2);
	assert_int_equal(state_number(&again, "gone"), 0);
	assert_int_equal(state_number(&again, "new"), 3);
	assert_int_equal(state_cluster(&again, "ose2")->pushed_at, 77);
	assert_true(cluster_equal(state_cluster(&again, "ose1")->spec, state_cluster(&state, "ose1")->spec));
	assert_int_equal(health_of(&again, "ose1", "r1")->next_at, 500);
	json_t *saved_again = state_write(&again, NULL);
	assert_true(json_equal(saved, saved_again));
	json_decref(saved);
	json_decref(saved_again);
	state_free(&state);
	state_free(&again);
}

static void a_change_is_written_as_it_will_be(void **unused)
{
	struct state state = {0};
	state_put(&state, ose1(), 0, 100);
	struct cluster_spec *two = ose2(), *one = spec_of("{\"name\":\"ose1\",\"source\":\"static\"}");
	const struct state_change changes[] = {
	    {.name = "ose2", .spec = two, .pushed_at = 9}, {.name = "ose1", .spec = one}, {.name = "ose2"}};
	json_t *before[3];
	for (int i = 0; i < 3; i++) {
		json_t *now = state_write(&state, NULL);
		before[i] = state_write(&state, &changes[i]);
		assert_false(json_equal(now, before[i]));
		json_decref(now);
		if (changes[i].spec)
			state_put(&state, i == 0 ? two : one, changes[i].pushed_at, 100);
		else
			state_delete(&state, changes[i].name);
		json_t *after = state_write(&state, NULL);
		assert_int_equal(json_array_size(json_object_get(after, "removed")), i == 2);
		if (i == 2)
			assert_true(
			    json_equal(json_object_get(before[i], "removed"), json_object_get(after, "removed")));
		assert_int_equal(json_integer_value(json_object_get(before[i], "revision")), state.revision);
		assert_int_equal(json_array_size(json_object_get(before[i], "clusters")),
		                 json_array_size(json_object_get(after, "clusters")));
		json_decref(after);
		json_decref(before[i]);
	}
	state_free(&state);
}

static void broken_saved_forms_are_refused(void **unused)
{
	static const char *const texts[] = {
	    "[]",
	    "{}",
	    "{\"revision\":1}",
	    "{\"revision\":-1,\"clusters\":[]}",
	    "{\"revision\":1,\"clusters\":[{\"index\":0}]}",
	    "{\"revision\":1,\"clusters\":[{\"index\":65472,\"cluster\":{\"name\":\"a\",\"source\":\"static\"}}]}",
	    "{\"revision\":1,\"clusters\":[{\"cluster\":{\"name\":\"a\",\"source\":\"static\"}}]}",
	    "{\"revision\":1,\"clusters\":[{\"index\":0,\"cluster\":{\"name\":\"a\",\"source\":\"static\"}},"
	    "{\"index\":0,\"cluster\":{\"name\":\"b\",\"source\":\"static\"}}]}",
	    "{\"revision\":1,\"clusters\":[{\"index\":0,\"cluster\":{\"name\":\"a\",\"source\":\"static\"}},"
	    "{\"index\":64,\"cluster\":{\"name\":\"b\",\"source\":\"static\"}}]}",
	    "{\"revision\":1,\"clusters\":[{\"index\":0,\"cluster\":{\"name\":\"a\",\"source\":\"static\"}},"
	    "{\"index\":1,\"cluster\":{\"name\":\"a\",\"source\":\"static\"}}]}",
	};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct state state = {0};
		struct json_faults faults = {0};
		json_t *value = json_loads(texts[i], 0, NULL);
		assert_non_null(value);
		assert_false(state_read(&state, value, "$", 0, &faults));
		assert_true(faults.count > 0);
		assert_int_equal(state.host_count, 0);
		assert_null(state.clusters[0]);
		json_faults_free(&faults);
		json_decref(value);
	}
}

static void health_is_saved_apart(void **unused)
{
	struct state state = {0}, again = {0};
	state_put(&state, ose1(), 0, 100);
	state_put(&again, ose1(), 0, 100);
	*health_of(&state, "ose1", "r1") =
	    (struct health){.state = HEALTH_UP,
	                    .last = {CHECK_OK, 200},
	                    .changed_at = 9,
	                    .change_count = 2,
	                    .changes = {{9, HEALTH_UP, {CHECK_OK, 200}}, {8, HEALTH_DOWN, {CHECK_STATUS, 503}}}};
	*health_of(&state, "ose1", "r2") = (struct health){.state = HEALTH_DOWN, .last = {CHECK_STATUS, 503}};
	json_t *saved = state_write_health(&state);
	state_read_health(&again, saved, 700);
	const struct health *r1 = health_of(&again, "ose1", "r1"), *r2 = health_of(&again, "ose1", "r2");
	assert_true(r1->state == HEALTH_UP && r1->stale && r1->changed_at == 9 && r1->next_at == 700);
	assert_int_equal(r1->change_count, 2);
	assert_true(r1->changes[0].at == 9 && r1->changes[1].at == 8 && r1->changes[1].state == HEALTH_DOWN);
	assert_int_equal(r1->changes[1].why.detail, 503);
	assert_true(r2->state == HEALTH_DOWN && r2->stale && r2->last.kind == CHECK_STATUS && r2->last.detail == 503);
	json_decref(saved);
	json_t *nonsense = json_pack("{s:i, s:{s:s}}", "0", 1, "a318c72106032572", "state", "up");
	state_read_health(&again, nonsense, 800);
	assert_int_equal(health_of(&again, "ose1", "r1")->next_at, 700);
	json_decref(nonsense);
	state_free(&state);
	state_free(&again);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(put_find_delete),
	    cmocka_unit_test(a_number_is_never_anothers),
	    cmocka_unit_test(hosts_keep_their_health),
	    cmocka_unit_test(others_up),
	    cmocka_unit_test(limits_count_all_clusters_but_the_replaced_one),
	    cmocka_unit_test(keys_are_unique),
	    cmocka_unit_test(our_own_addresses_are_no_router_hosts),
	    cmocka_unit_test(names_and_clusters_are_bounded),
	    cmocka_unit_test(routes_are_sorted_by_name_then_cluster),
	    cmocka_unit_test(saved_and_read_again),
	    cmocka_unit_test(a_change_is_written_as_it_will_be),
	    cmocka_unit_test(broken_saved_forms_are_refused),
	    cmocka_unit_test(health_is_saved_apart),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
