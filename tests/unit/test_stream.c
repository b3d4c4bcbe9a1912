/* What is said through WebSockets: hello, ticks, events, routes, errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/control.h"
#include "control/observe/history.h"
#include "control/observe/journal.h"
#include "control/observe/sampler.h"
#include "control/observe/stats_json.h"
#include "control/observe/stream.h"
#include "control/traffic/unknown_names.h"
#include "control_fixture.h"
#include "fake_checker.h"
#include "fake_link.h"
#include "fake_websocket.h"

enum { T0 = 1700000000, LAST = HISTORY_POINTS - 1 };

static char directory[64];
static struct event_loop *loop;
static struct config *config;
static struct control control;
static struct stream *stream;

static int setup(void **state)
{
	snprintf(directory, sizeof(directory), "/tmp/pm-stream-XXXXXX");
	assert_non_null(mkdtemp(directory));
	fake_link_reset(16, 16, 16);
	loop = event_loop_create();
	config = fixture_config(directory, directory, "'clusters': [" FIXTURE_OSE1 ", " FIXTURE_OSE2 "]");
	assert_true(control_init(&control, config, loop));
	control.websockets = websockets_create(&control);
	control_start(&control);
	stream = stream_create(&control);
	assert_null(fake_link_appear());
	for (int turn = 0; control.applied < control.state.revision; turn++) {
		assert_true(turn < 5000);
		event_loop_turn(loop, 2);
	}
	return 0;
}

static int teardown(void **state)
{
	char command[128];
	stream_destroy(stream);
	control_stop(&control);
	websockets_destroy(control.websockets);
	config_free(config);
	event_loop_destroy(loop);
	fake_link_free();
	assert_int_equal(fake_websocket_texts(), 0);
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	return system(command);
}

static struct websocket_client *open_client(void)
{
	return fake_websocket_open(control.websockets, ROLE_VIEWER, "anna");
}

static void say(struct websocket_client *client, const char *text)
{
	fake_websocket_say(control.websockets, client, text);
}

static struct shared_host_counters *host_counters(void)
{
	const struct cluster *cluster = state_cluster(&control.state, "ose1");
	return &shared_hosts_of(
	    shared_worker_at(fake_link.shared, 0))[slots_find(&control.hosts, cluster->spec->hosts[0].id)];
}

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));
	return text ? text : "";
}

static json_int_t number_of(const json_t *object, const char *name)
{
	assert_true(json_is_integer(json_object_get(object, name)));
	return json_integer_value(json_object_get(object, name));
}

static void hello_has_the_past_and_the_first_tick_follows(void **state)
{
	sampler_take(control.sampler, T0);
	shared_set(&host_counters()->active, 5);
	sampler_take(control.sampler, T0 + 1);
	struct websocket_client *client = open_client();
	assert_int_equal(client->sent, 2);
	json_t *hello = fake_websocket_sent(client, 0, "hello");
	assert_string_equal(text_of(hello, "role"), "viewer");
	assert_string_equal(text_of(hello, "user"), "anna");
	assert_string_equal(text_of(hello, "at"), "2023-11-14T22:13:21.000Z");
	assert_int_equal(number_of(hello, "interval_ms"), 1000);
	assert_int_equal(number_of(hello, "revision"), 1);
	assert_int_equal(json_array_size(json_object_get(hello, "times")), HISTORY_POINTS);
	json_t *host = json_object_get(json_object_get(hello, "hosts"), "ose1/203.0.113.11:80");
	assert_int_equal(json_integer_value(json_array_get(json_object_get(host, "active"), LAST)), 5);
	assert_int_equal(json_array_size(json_object_get(host, "refused")), HISTORY_POINTS);
	assert_int_equal(json_object_size(json_object_get(hello, "clusters")), 2);
	assert_int_equal(json_array_size(json_object_get(json_object_get(hello, "totals"), "bytes_in")), 120);
	assert_true(json_array_size(json_object_get(hello, "events")) > 0);
	json_decref(hello);
	json_t *tick = fake_websocket_sent(client, 0, "tick");
	assert_int_equal(number_of(tick, "at"), (T0 + 1) * 1000LL);
	json_decref(tick);
}

static void a_tick_is_what_the_statistics_say(void **state)
{
	struct websocket_client *first = open_client(), *second = open_client();
	assert_int_equal(first->sent, 1); /* no second was sampled yet */
	sampler_take(control.sampler, T0);
	shared_set(&host_counters()->active, 5);
	shared_set(&host_counters()->total, 7);
	sampler_take(control.sampler, T0 + 1);
	json_t *tick = fake_websocket_sent(first, 2, "tick"), *other = fake_websocket_sent(second, 2, "tick");
	assert_true(json_equal(tick, other));
	assert_int_equal(number_of(tick, "at"), stats_at(&control));
	assert_int_equal(number_of(tick, "applied_revision"), 1);
	assert_string_equal(text_of(tick, "dataplane"), "ready");
	json_t *totals = stats_totals(&control);
	const char *name;
	json_t *value;
	json_object_foreach(json_object_get(tick, "totals"), name, value)
	    assert_true(json_equal(value, json_array_get(json_object_get(totals, name), LAST)));
	json_decref(totals);
	json_t *cluster = json_array_get(json_object_get(tick, "clusters"), 0);
	assert_string_equal(text_of(cluster, "name"), "ose1");
	assert_string_equal(text_of(cluster, "state"), "active");
	assert_int_equal(number_of(cluster, "hosts"), 2);
	assert_int_equal(number_of(cluster, "routes"), 2);
	assert_int_equal(number_of(cluster, "new"), 7);
	assert_true(json_is_null(json_object_get(cluster, "drain")));
	json_t *host = json_array_get(json_object_get(tick, "hosts"), 0);
	assert_string_equal(text_of(host, "id"), "ose1/203.0.113.11:80");
	assert_string_equal(text_of(host, "health"), "unknown");
	assert_string_equal(text_of(host, "admin"), "enabled");
	assert_int_equal(number_of(host, "active"), 5);
	assert_int_equal(number_of(host, "new"), 7);
	assert_int_equal(number_of(host, "total"), 7);
	assert_true(json_is_false(json_object_get(host, "elected")));
	json_decref(tick);
	json_decref(other);
}

static void a_tick_counts_refusals_and_their_names(void **state)
{
	struct websocket_client *client = open_client();
	const struct record_connection nameless = {.why = RECORD_UNKNOWN_NAME};
	for (int i = 0; i < 3; i++)
		unknown_names_take(control.unknown_names, &nameless, i < 2 ? "http" : "https", T0 * 1000LL);
	sampler_take(control.sampler, T0);
	json_t *tick = fake_websocket_sent(client, 1, "tick");
	assert_int_equal(number_of(tick, "unknown"), 3);
	assert_int_equal(number_of(tick, "unknown_names"), 2);
	json_decref(tick);
}

static void without_clients_nothing_is_made(void **state)
{
	struct websocket_client *client = open_client();
	fake_websocket_close(control.websockets, client);
	sampler_take(control.sampler, T0);
	journal_add(control.journal, &(struct journal_entry){.kind = "note", .object = "control", .text = "x"});
	assert_int_equal(fake_websocket_texts(), 0);
}

static void events_come_at_once(void **state)
{
	struct websocket_client *client = open_client();
	journal_add(control.journal, &(struct journal_entry){
	                                 .kind = "note", .object = "control", .text = "<img src=x onerror=alert(1)>"});
	json_t *message = fake_websocket_sent(client, 1, "event"), *event = json_object_get(message, "event");
	assert_string_equal(text_of(event, "kind"), "note");
	assert_string_equal(text_of(event, "text"), "<img src=x onerror=alert(1)>");
	assert_int_equal(number_of(event, "id"), journal_last(control.journal));
	json_decref(message);
	struct websocket_client *late = open_client();
	json_t *hello = fake_websocket_sent(late, 0, "hello");
	event = json_array_get(json_object_get(hello, "events"), 0);
	assert_int_equal(number_of(event, "id"), journal_last(control.journal));
	json_decref(hello);
}

static void a_route_comes_whole_and_then_by_points(void **state)
{
	sampler_take(control.sampler, T0);
	struct websocket_client *client = open_client(), *other = open_client();
	unsigned before = client->sent, others = other->sent;
	say(client, "{\"subscribe\": \"app1.ch\"}");
	json_t *message = fake_websocket_sent(client, before, "route");
	assert_string_equal(text_of(message, "host"), "app1.ch");
	assert_string_equal(text_of(json_object_get(message, "route"), "host"), "app1.ch");
	json_t *stats = json_object_get(message, "stats");
	assert_int_equal(json_array_size(json_object_get(stats, "times")), HISTORY_POINTS);
	assert_int_equal(json_object_size(json_object_get(stats, "clusters")), 2);
	json_decref(message);

	before = client->sent;
	sampler_take(control.sampler, T0 + 1);
	message = fake_websocket_sent(client, before, "route");
	assert_null(json_object_get(message, "stats"));
	assert_int_equal(number_of(message, "at"), (T0 + 1) * 1000LL);
	json_t *point = json_object_get(json_object_get(message, "point"), "ose1");
	assert_int_equal(number_of(point, "active"), 0);
	assert_int_equal(number_of(point, "new"), 0);
	json_decref(message);
	assert_null(fake_websocket_sent(other, others, "route"));

	say(client, "{\"unsubscribe\": \"app1.ch\"}");
	before = client->sent;
	sampler_take(control.sampler, T0 + 2);
	assert_null(fake_websocket_sent(client, before, "route"));
}

static void a_route_that_is_not_there_is_null(void **state)
{
	sampler_take(control.sampler, T0);
	struct websocket_client *client = open_client();
	say(client, "{\"subscribe\": \"none.ch\"}");
	json_t *message = fake_websocket_sent(client, 0, "route");
	assert_true(json_is_null(json_object_get(message, "route")));
	json_decref(message);
	unsigned before = client->sent;
	sampler_take(control.sampler, T0 + 1);
	message = fake_websocket_sent(client, before, "route");
	assert_true(json_is_null(json_object_get(message, "route")));
	json_decref(message);
}

static void assert_error(struct websocket_client *client, const char *text, const char *part)
{
	unsigned before = client->sent;
	say(client, text);
	json_t *message = fake_websocket_sent(client, before, "error");
	assert_non_null(message);
	assert_non_null(strstr(text_of(message, "detail"), part));
	json_decref(message);
}

static void what_is_not_understood_is_answered(void **state)
{
	static const char *const wrong[] = {
	    "",
	    "x",
	    "[]",
	    "{}",
	    "null",
	    "{\"subscribe\": 1}",
	    "{\"subscribe\": \"a.ch\", \"x\": 1}",
	    "{\"subscribe\": \"a.ch\", \"unsubscribe\": \"a.ch\"}",
	    "{\"set\": 1}",
	    "\"subscribe\"",
	};
	struct websocket_client *client = open_client();
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_error(client, wrong[i], "expected");
	assert_error(client, "{\"subscribe\": \"not a name\"}", "not a host name");
	assert_error(client, "{\"unsubscribe\": \"app1.ch\"}", "not subscribed");
}

static void eight_routes_and_no_more(void **state)
{
	char text[64];
	struct websocket_client *client = open_client();
	for (int i = 0; i < STREAM_ROUTES_MAX; i++) {
		snprintf(text, sizeof(text), "{\"subscribe\": \"app%d.ch\"}", i);
		say(client, text);
	}
	say(client, "{\"subscribe\": \"app0.ch\"}"); /* again */
	assert_null(fake_websocket_sent(client, 0, "error"));
	assert_error(client, "{\"subscribe\": \"more.ch\"}", "at most 8");
	say(client, "{\"unsubscribe\": \"app3.ch\"}");
	unsigned before = client->sent;
	say(client, "{\"subscribe\": \"more.ch\"}");
	assert_null(fake_websocket_sent(client, before, "error"));
}

static void clients_leave_nothing_behind(void **state)
{
	struct websocket_client *clients[100];
	for (int i = 0; i < 100; i++) {
		clients[i] = open_client();
		say(clients[i], i % 2 ? "{\"subscribe\": \"app1.ch\"}" : "{\"subscribe\": \"other.ch\"}");
	}
	sampler_take(control.sampler, T0);
	for (int i = 0; i < 100; i += 3)
		fake_websocket_close(control.websockets, clients[i]);
	sampler_take(control.sampler, T0 + 1);
	json_t *message = fake_websocket_sent(clients[1], 3, "route");
	assert_string_equal(text_of(message, "host"), "app1.ch");
	json_decref(message);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(hello_has_the_past_and_the_first_tick_follows, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_tick_is_what_the_statistics_say, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_tick_counts_refusals_and_their_names, setup, teardown),
	    cmocka_unit_test_setup_teardown(without_clients_nothing_is_made, setup, teardown),
	    cmocka_unit_test_setup_teardown(events_come_at_once, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_route_comes_whole_and_then_by_points, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_route_that_is_not_there_is_null, setup, teardown),
	    cmocka_unit_test_setup_teardown(what_is_not_understood_is_answered, setup, teardown),
	    cmocka_unit_test_setup_teardown(eight_routes_and_no_more, setup, teardown),
	    cmocka_unit_test_setup_teardown(clients_leave_nothing_behind, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
