/* Statistics and events as the admin API answers them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/api/api.h"
#include "control/control.h"
#include "control/observe/history.h"
#include "control/observe/journal.h"
#include "control/observe/sampler.h"
#include "control_fixture.h"
#include "fake_checker.h"
#include "fake_link.h"

enum { T0 = 1700000000, LAST = HISTORY_POINTS - 1 };

static char directory[64];
static struct event_loop *loop;
static struct config *config;
static struct control control;

static int setup(void **state)
{
	snprintf(directory, sizeof(directory), "/tmp/pm-api-stats-XXXXXX");
	assert_non_null(mkdtemp(directory));
	fake_link_reset(16, 16, 16);
	loop = event_loop_create();
	config = fixture_config(directory, directory, "'clusters': [" FIXTURE_OSE1 ", " FIXTURE_OSE2 "]");
	assert_true(control_init(&control, config, loop));
	control_start(&control);
	return 0;
}

static int teardown(void **state)
{
	char command[128];
	control_stop(&control);
	config_free(config);
	event_loop_destroy(loop);
	fake_link_free();
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	return system(command);
}

/* Takes what stands behind the ? off the path. */
static void split_queries(struct api_request *request, char *path)
{
	char *query = strchr(path, '?');
	request->path = path;
	while (query) {
		*query++ = '\0';
		char *next = strchr(query, '&'), *value = strchr(query, '=');
		if (value)
			*value++ = '\0';
		if (next)
			*next = '\0';
		request->queries[request->query_count++] = (struct api_query){query, value ? value : ""};
		query = next;
	}
}

static json_t *get(unsigned status, const char *path)
{
	struct api_reply reply;
	char *address = strdup(path);
	struct api_request request = {.method = "GET"};
	split_queries(&request, address);
	assert_true(address_parse("127.0.0.1", &request.peer));
	if (api_accept(&control, &request, &reply))
		reply = api_handle(&control, &request);
	assert_int_equal(reply.status, status);
	free(address);
	return reply.json;
}

/* "totals.new" */
static json_t *field(json_t *object, const char *path)
{
	char name[100];
	for (const char *at = path; at;) {
		size_t len = strcspn(at, ".");
		snprintf(name, sizeof(name), "%.*s", (int)len, at);
		object = json_object_get(object, name);
		at = at[len] == '.' ? at + len + 1 : NULL;
	}
	return object;
}

static json_t *point(json_t *object, const char *path, size_t i)
{
	json_t *array = field(object, path);
	assert_int_equal(json_array_size(array), HISTORY_POINTS);
	return json_array_get(array, i);
}

/* Two seconds with a dataplane: the second one with 3 connections to r1 of ose1, by app1.ch. */
static void two_seconds(void)
{
	assert_null(fake_link_appear());
	for (int turn = 0; control.applied < control.state.revision; turn++) {
		assert_true(turn < 5000);
		event_loop_turn(loop, 2);
	}
	struct shared_worker *worker = shared_worker_at(fake_link.shared, 0);
	const struct cluster *cluster = state_cluster(&control.state, "ose1");
	struct hostname host;
	bool wildcard;
	assert_true(name_parse("app1.ch", &host, &wildcard));
	uint32_t host_slot = slots_find(&control.hosts, cluster->spec->hosts[0].id);
	uint32_t pair_slot = slots_find(&control.pairs, cluster_pair_id(cluster_name_id(&host, wildcard), "ose1"));
	shared_set(&shared_hosts_of(worker)[host_slot].total, 40);
	sampler_take(control.sampler, T0);
	shared_set(&shared_hosts_of(worker)[host_slot].total, 43);
	shared_set(&shared_hosts_of(worker)[host_slot].active, 2);
	shared_set(&shared_pairs_of(fake_link.shared, worker)[pair_slot].total, 3);
	shared_set(&worker->counters[counter_connections_spliced], 3);
	sampler_take(control.sampler, T0 + 1);
}

static void totals_have_120_points(void **state)
{
	two_seconds();
	json_t *stats = get(200, "/api/v1/stats");
	assert_string_equal(json_string_value(field(stats, "at")), "2023-11-14T22:13:21.000Z");
	assert_int_equal(json_integer_value(field(stats, "interval_ms")), 1000);
	assert_int_equal(json_integer_value(field(stats, "points")), 120);
	assert_int_equal(json_integer_value(point(stats, "times", LAST)), (T0 + 1) * 1000LL);
	assert_int_equal(json_integer_value(point(stats, "times", 0)), (T0 + 1 - LAST) * 1000LL);
	assert_int_equal(json_integer_value(point(stats, "totals.new", LAST)), 3);
	assert_int_equal(json_integer_value(point(stats, "totals.active", LAST)), 2);
	assert_int_equal(json_integer_value(point(stats, "totals.unhealthy_hosts", LAST)), 3);
	assert_true(json_is_null(point(stats, "totals.new", LAST - 1)));
	assert_int_equal(json_integer_value(point(stats, "totals.active", LAST - 1)), 0);
	assert_true(json_is_null(point(stats, "totals.healthy_hosts", LAST - 2)));
	assert_int_equal(json_array_size(field(stats, "totals.refused")), 120);
	assert_int_equal(json_array_size(field(stats, "totals.bytes_in")), 120);
	assert_int_equal(json_array_size(field(stats, "totals.bytes_out")), 120);
	json_decref(stats);
}

static void clusters_hosts_and_routes_have_their_own(void **state)
{
	two_seconds();
	json_t *stats = get(200, "/api/v1/stats/clusters/ose1");
	assert_int_equal(json_integer_value(point(stats, "new", LAST)), 3);
	assert_null(field(stats, "refused"));
	json_decref(stats);
	static const char *const names[] = {"r1", "203.0.113.11", "203.0.113.11:80"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char path[100];
		snprintf(path, sizeof(path), "/api/v1/stats/hosts/ose1/%s", names[i]);
		stats = get(200, path);
		assert_int_equal(json_integer_value(point(stats, "active", LAST)), 2);
		assert_int_equal(json_integer_value(point(stats, "refused", LAST)), 0);
		assert_int_equal(json_integer_value(point(stats, "total", LAST)), 43);
		assert_int_equal(json_integer_value(point(stats, "total", LAST - 1)), 40);
		assert_true(json_is_null(point(stats, "total", LAST - 2)));
		json_decref(stats);
	}
	stats = get(200, "/api/v1/stats/routes/app1.ch");
	json_t *ose1 = field(stats, "clusters.ose1"), *ose2 = field(stats, "clusters.ose2");
	assert_int_equal(json_integer_value(point(ose1, "new", LAST)), 3);
	assert_int_equal(json_integer_value(point(ose2, "new", LAST)), 0);
	assert_int_equal(json_integer_value(point(ose2, "active", LAST)), 0);
	assert_true(json_is_null(point(ose2, "new", LAST - 1)));
	json_decref(stats);
	json_decref(get(404, "/api/v1/stats/clusters/none"));
	json_decref(get(404, "/api/v1/stats/hosts/ose1/none"));
	json_decref(get(404, "/api/v1/stats/routes/none.ch"));
	json_decref(get(404, "/api/v1/stats/routes/not_a_name"));
	json_decref(get(400, "/api/v1/stats?limit=1"));
}

/* ---- events ---- */

static void add(const char *kind, const char *object, const char *cluster, const char *name, const char *text)
{
	journal_add(control.journal, &(struct journal_entry){.kind = kind,
	                                                     .object = object,
	                                                     .cluster = cluster,
	                                                     .name = name,
	                                                     .who = "anna@192.0.2.7",
	                                                     .text = text});
}

/* The ids that an address answers with, "5 4 1". */
static void assert_events(const char *path, uint64_t base, const char *wanted)
{
	char found[200] = "";
	json_t *answer = get(200, path), *event;
	size_t i;
	json_array_foreach(field(answer, "events"), i, event)
	    snprintf(found + strlen(found), sizeof(found) - strlen(found), "%s%llu", i > 0 ? " " : "",
	             (unsigned long long)(json_integer_value(json_object_get(event, "id")) - (json_int_t)base));
	assert_string_equal(found, wanted);
	json_decref(answer);
}

static void events_are_filtered(void **state)
{
	char path[100];
	uint64_t base = journal_last(control.journal);
	add("weight_set", "route", "ose1", "app1.ch", "weight 10");
	add("host_down", "host", "ose1", "r1", "refused");
	add("weight_set", "route", "ose2", "app9.ch", "weight 20");
	add("host_down", "host", "ose2", "r1", "<img src=x>");
	snprintf(path, sizeof(path), "/api/v1/events?since=%llu", (unsigned long long)base);
	assert_events(path, base, "4 3 2 1");
	snprintf(path, sizeof(path), "/api/v1/events?since=%llu&limit=1", (unsigned long long)base + 1);
	assert_events(path, base, "4");
	assert_events("/api/v1/events?limit=2", base, "4 3");
	assert_events("/api/v1/events?kind=host_down", base, "4 2");
	assert_events("/api/v1/events?object=host", base, "4 2");
	assert_events("/api/v1/events?object=app1.ch", base, "1");
	assert_events("/api/v1/events?object=ose2/r1", base, "4");
	assert_events("/api/v1/events?object=r1", base, "4 2");
	assert_events("/api/v1/events?search=WEIGHT", base, "3 1");
	assert_events("/api/v1/events?search=anna&kind=host_down&object=ose1", base, "2");
	assert_events("/api/v1/events?search=nothing", base, "");
	snprintf(path, sizeof(path), "/api/v1/events?since=%llu", (unsigned long long)base + 4);
	assert_events(path, base, "");
	json_decref(get(400, "/api/v1/events?since=x"));
	json_decref(get(400, "/api/v1/events?since="));
	json_decref(get(400, "/api/v1/events?limit=10001"));
}

static void an_event_says_all_that_is_known(void **state)
{
	journal_add(control.journal, &(struct journal_entry){.kind = "weight_set",
	                                                     .level = JOURNAL_WARNING,
	                                                     .object = "route",
	                                                     .name = "app1.ch",
	                                                     .reason = "move",
	                                                     .revision = 9,
	                                                     .text = "weight 10"});
	json_t *answer = get(200, "/api/v1/events?limit=1");
	json_t *event = json_array_get(field(answer, "events"), 0);
	assert_string_equal(json_string_value(field(event, "kind")), "weight_set");
	assert_string_equal(json_string_value(field(event, "level")), "warning");
	assert_string_equal(json_string_value(field(event, "who")), "control");
	assert_string_equal(json_string_value(field(event, "object.kind")), "route");
	assert_string_equal(json_string_value(field(event, "object.name")), "app1.ch");
	assert_null(field(event, "object.cluster"));
	assert_string_equal(json_string_value(field(event, "reason")), "move");
	assert_int_equal(json_integer_value(field(event, "revision")), 9);
	assert_int_equal(json_integer_value(field(answer, "last")), journal_last(control.journal));
	assert_int_equal(json_integer_value(field(answer, "oldest")), 1);
	json_decref(answer);
	add("note", "control", NULL, NULL, "x");
	answer = get(200, "/api/v1/events?limit=1");
	event = json_array_get(field(answer, "events"), 0);
	assert_true(json_is_null(field(event, "reason")));
	assert_true(json_is_null(field(event, "revision")));
	json_decref(answer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(totals_have_120_points, setup, teardown),
	    cmocka_unit_test_setup_teardown(clusters_hosts_and_routes_have_their_own, setup, teardown),
	    cmocka_unit_test_setup_teardown(events_are_filtered, setup, teardown),
	    cmocka_unit_test_setup_teardown(an_event_says_all_that_is_known, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
