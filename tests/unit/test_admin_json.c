/* admin_json: what the views say, with and without a dataplane. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/api/admin_json.h"
#include "control/api/cluster_view.h"
#include "control/api/host_json.h"
#include "control_fixture.h"
#include "fake_link.h"

static char directory[] = "/tmp/pm-test-admin-XXXXXX";
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
	config = fixture_config(directory, directory,
	                        "'clusters': [" FIXTURE_OSE1 ", " FIXTURE_OSE2 ", {'name': 'ose3', 'source': 'push'}]");
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

/* "a.b[1].c" in an object. */
static const json_t *at(const json_t *value, const char *path)
{
	char name[64];
	while (*path != '\0' && value) {
		if (*path == '[') {
			value = json_array_get(value, strtoul(path + 1, NULL, 10));
			path = strchr(path, ']') + 1;
		} else {
			path += *path == '.';
			size_t len = strcspn(path, ".[");
			snprintf(name, sizeof(name), "%.*s", (int)len, path);
			value = json_object_get(value, name);
			path += len;
		}
	}
	return value;
}

static void assert_text(const json_t *value, const char *path, const char *wanted)
{
	const char *text = json_string_value(at(value, path));
	assert_non_null(text);
	assert_string_equal(text, wanted);
}

static void assert_number(const json_t *value, const char *path, json_int_t wanted)
{
	assert_true(json_is_integer(at(value, path)));
	assert_int_equal(json_integer_value(at(value, path)), wanted);
}

static void status_without_a_dataplane(void **state)
{
	json_t *status = admin_status(&control);
	assert_number(status, "control.revision", 1);
	assert_number(status, "control.pid", getpid());
	assert_text(status, "dataplane.state", "absent");
	assert_null(at(status, "dataplane.pid"));
	assert_number(status, "applied_revision", 0);
	assert_number(status, "source_pool.addresses", 16);
	assert_number(status, "source_pool.ports_per_address", 1000);
	assert_number(status, "source_pool.connections_per_router_host", 16000);
	assert_number(status, "source_pool.new_connections_per_second_per_router_host", 266);
	assert_int_equal(json_array_size(at(status, "vips")), 3);
	assert_text(status, "vips[2].address", "198.51.100.11");
	assert_number(status, "vips[2].port", 443);
	assert_true(json_is_null(at(status, "vips[2].held")));
	assert_true(json_is_null(at(status, "mbufs")));
	assert_true(json_is_true(at(status, "state_file.good")));
	assert_number(status, "counters.rx_forwarded", 0);
	assert_int_equal(json_object_size(at(status, "counters")), counter_count);
	assert_int_equal(json_array_size(at(status, "workers")), 0);
	assert_int_equal(json_array_size(at(status, "messages")), 0);
	json_decref(status);
}

static void status_with_a_dataplane(void **state)
{
	struct shared_header *shared = fake_link.shared;
	struct shared_worker *first = shared_worker_at(shared, 0), *second = shared_worker_at(shared, 1);
	vips_update(&shared->vips, config);
	shared->port_count = 1;
	shared->started_at = (uint64_t)clock_unix_ms() - 90500;
	memcpy(shared->ports[0].interface, "0123456789abcdef", 16); /* without a zero */
	shared_set(&shared->ports[0].rx_packets, 5);
	shared_set(&shared->vip_held[1], 1);
	shared_set(&first->counters[counter_rx_forwarded], 3);
	shared_set(&second->counters[counter_rx_forwarded], 4);
	shared_set(&first->counters[counter_loop_ticks_max], 30);
	shared_set(&second->counters[counter_loop_ticks_max], 20);
	shared_set(&first->mbufs_available, 90);
	shared_set(&first->mbufs_total, 100);
	assert_null(fake_link_appear());
	while (!control_applied(&control, 1))
		event_loop_turn(loop, 5);
	json_t *status = admin_status(&control);
	assert_text(status, "dataplane.state", "ready");
	assert_number(status, "dataplane.pid", 4711);
	assert_number(status, "dataplane.uptime_seconds", 90);
	assert_number(status, "applied_revision", 1);
	assert_number(status, "counters.rx_forwarded", 7);
	assert_number(status, "counters.loop_ticks_max", 30); /* a maximum is no sum */
	assert_number(status, "workers[1].counters.rx_forwarded", 4);
	assert_number(status, "workers[1].applied_revision", 1);
	assert_text(status, "ports[0].interface", "0123456789abcdef");
	assert_number(status, "ports[0].rx_packets", 5);
	assert_true(json_is_false(at(status, "vips[0].held")));
	assert_true(json_is_true(at(status, "vips[1].held")));
	assert_number(status, "mbufs.available", 90);
	assert_number(status, "mbufs.total", 100);
	json_decref(status);
}

static void status_of_another_version(void **state)
{
	fake_link.shared->version++;
	fake_link_appear();
	json_t *status = admin_status(&control);
	assert_text(status, "dataplane.state", "incompatible");
	assert_text(status, "dataplane.detail", "another version");
	json_decref(status);
}

static void messages_for_the_operator(void **state)
{
	assert_true(control_delete(&control, "ose2", &fixture_actor));
	strcpy(control.table_notice, "no room");
	json_t *status = admin_status(&control);
	assert_text(status, "messages[0]", "no room");
	assert_text(status, "messages[1]",
	            "listener https: its default cluster ose2 does not exist, so unknown names are rejected");
	json_decref(status);
}

static void clusters(void **state)
{
	control.state.clusters[0]->health[1].state = HEALTH_UP;
	control.state.clusters[2]->pushed_at = 1700000000123;
	json_t *view = cluster_views(&control);
	assert_number(view, "revision", 1);
	assert_text(view, "clusters[0].name", "ose1");
	assert_text(view, "clusters[0].source", "static");
	assert_text(view, "clusters[0].state", "active");
	assert_number(view, "clusters[0].hosts", 2);
	assert_number(view, "clusters[0].healthy_hosts", 1);
	assert_number(view, "clusters[0].routes", 2);
	assert_number(view, "clusters[1].default_weight", 80);
	assert_null(at(view, "clusters[0].key"));
	assert_text(view, "clusters[2].key", "ose3");
	assert_text(view, "clusters[2].pushed_at", "2023-11-14T22:13:20.123Z");
	json_decref(view);
}

static void hosts(void **state)
{
	struct health *health = &control.state.clusters[0]->health[0];
	health->state = HEALTH_DOWN;
	health->last = (struct check_result){CHECK_STATUS, 503};
	health->checked_at = 1000;
	json_t *view = host_list(&control, NULL, (struct api_page){0, SIZE_MAX});
	assert_number(view, "total", 3);
	assert_text(view, "hosts[0].cluster", "ose1");
	assert_text(view, "hosts[0].address", "203.0.113.11");
	assert_true(json_is_false(at(view, "hosts[0].healthy")));
	assert_text(view, "hosts[0].health.state", "down");
	assert_text(view, "hosts[0].health.result", "status");
	assert_text(view, "hosts[0].health.reason", "status 503 instead of 200");
	assert_text(view, "hosts[0].health.checked_at", "1970-01-01T00:00:01.000Z");
	assert_true(json_is_null(at(view, "hosts[0].health.changed_at")));
	assert_text(view, "hosts[1].health.state", "unknown");
	assert_number(view, "hosts[0].active", 0);
	json_decref(view);
}

static void problems(void **state)
{
	struct json_faults faults = {0};
	json_t *problem = admin_problem(404, "nowhere", NULL);
	assert_text(problem, "type", "about:blank");
	assert_text(problem, "title", "Not Found");
	assert_number(problem, "status", 404);
	assert_text(problem, "detail", "nowhere");
	assert_null(at(problem, "errors"));
	json_decref(problem);
	for (int i = 0; i < JSON_FAULTS_MAX + 3; i++)
		json_faults_add(&faults, "$.a", "b", "c");
	problem = admin_problem(400, "x", &faults);
	assert_int_equal(json_array_size(at(problem, "errors")), JSON_FAULTS_MAX);
	assert_number(problem, "more_errors", 3);
	json_decref(problem);
	json_faults_free(&faults);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(status_without_a_dataplane),
	    TEST(status_with_a_dataplane),
	    TEST(status_of_another_version),
	    TEST(messages_for_the_operator),
	    TEST(clusters),
	    TEST(hosts),
	    cmocka_unit_test(problems),
	};
	if (!mkdtemp(directory))
		return 1;
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	remove_state();
	rmdir(directory);
	return failed;
}
