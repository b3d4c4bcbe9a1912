/* api_traffic: the calls about connections and decisions, from the request to the answer, with and without a dataplane.
 */
#include "traffic_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/observe/journal.h"
#include "control_fixture.h"

static struct api_reply reply;

static int setup(void **state)
{
	traffic_begin("");
	return 0;
}

static int setup_alone(void **state)
{
	traffic_begin_alone("");
	return 0;
}

static int teardown(void **state)
{
	api_reply_free(&reply);
	traffic_end();
	return 0;
}

static const json_t *is(unsigned status)
{
	if (reply.status != status)
		fail_msg("status %u: %s", reply.status, reply.json ? json_dumps(reply.json, 0) : "");
	return reply.json;
}

static void refused(unsigned status, const char *part, const char *method, const char *path, const char *body)
{
	reply = traffic_call(method, path, body);
	if (reply.status != status || !strstr(traffic_text(reply.json, "detail"), part))
		fail_msg("%s %s: %u %s", method, path, reply.status,
		         reply.json ? traffic_text(reply.json, "detail") : "later");
	api_reply_free(&reply);
}

static const struct journal_entry *last_event(void)
{
	return journal_find(traffic.control.journal, journal_last(traffic.control.journal));
}

/* ---- connections ---- */

static void connections_are_listed(void **state)
{
	uint32_t query;
	reply = traffic_call("GET", "/api/v1/connections?cluster=ose1&min_age=90&limit=1", NULL);
	assert_non_null(reply.later);
	const struct message *asked = traffic_asked(MESSAGE_CONNECTIONS, 0, &query);
	assert_int_equal(asked->connections.min_age, 90000);
	assert_int_equal(asked->connections.states, (1 << RECORD_LINGERING) - 1); /* the last one */
	struct record older = traffic_connection(1, "app1.ch"), younger = traffic_connection(2, "app1.ch");
	older.connection.age = 200000;
	younger.connection.age = 100000;
	traffic_answer(0, query, younger);
	traffic_answer(1, query, older);
	traffic_end_query(0, query, 1, 0);
	traffic_end_query(1, query, 1, 0);
	reply = traffic_await(reply);
	const json_t *json = is(200);
	assert_int_equal(traffic_number(json, "total"), 2);
	assert_int_equal(json_array_size(json_object_get(json, "connections")), 1);
	assert_int_equal(traffic_number(json, "connections.0.id"), 1);
	assert_int_equal(traffic_number(json, "by_route.0.count"), 2);
	assert_int_equal(reply.revision, traffic.control.state.revision);
}

static void wrong_queries_of_connections(void **state)
{
	refused(404, "no cluster", "GET", "/api/v1/connections?cluster=nix", NULL);
	refused(400, "query.min_age", "GET", "/api/v1/connections?min_age=soon", NULL);
	refused(400, "query.min_age", "GET", "/api/v1/connections?min_age=0", NULL);
	refused(400, "limit must be a number from 0 to 1000", "GET", "/api/v1/connections?limit=1001", NULL);
	refused(400, "limit", "GET", "/api/v1/connections?limit=x", NULL);
	refused(400, "query.client", "GET", "/api/v1/connections?client=\xff", NULL);
	refused(400, "query parameter", "GET", "/api/v1/connections?routes=a", NULL);
	refused(400, "state must be one of", "GET", "/api/v1/connections?state=open", NULL);
	assert_null(fake_link_message(MESSAGE_CONNECTIONS, 0));
}

static void those_of_a_state(void **state)
{
	uint32_t query;
	reply = traffic_call("GET", "/api/v1/connections?state=lingering", NULL);
	assert_int_equal(traffic_asked(MESSAGE_CONNECTIONS, 0, &query)->connections.states, 1 << RECORD_LINGERING);
	traffic_end_query(0, query, 0, 0);
	traffic_end_query(1, query, 0, 0);
	reply = traffic_await(reply);
	assert_int_equal(traffic_number(is(200), "total"), 0);
}

static void a_silent_dataplane_is_said(void **state)
{
	reply = traffic_await(traffic_call("GET", "/api/v1/connections", NULL));
	assert_non_null(strstr(traffic_text(is(503), "detail"),
	                       "cannot be listed: worker 0 of the dataplane has not answered within 2 s"));
}

static void connections_are_closed(void **state)
{
	uint32_t query;
	reply = traffic_call("POST", "/api/v1/connections/close?reason=moving",
	                     "{'cluster': 'ose2', 'client': '192.0.2.0/24'}");
	assert_non_null(reply.later);
	assert_int_equal(traffic_asked(MESSAGE_CONNECTIONS, 0, &query)->connections.action, CONNECTIONS_CLOSE);
	assert_int_equal(traffic_asked(MESSAGE_CONNECTIONS, 0, &query)->connections.states, 0);
	traffic_end_query(0, query, 3, 2);
	traffic_end_query(1, query, 1, 1);
	reply = traffic_await(reply);
	const json_t *json = is(200);
	assert_int_equal(traffic_number(json, "closed"), 3);
	assert_string_equal(traffic_text(json, "changed"), "true");
	assert_string_equal(last_event()->kind, "connections_closed");
	assert_string_equal(last_event()->who, "loopback@127.0.0.1");
	assert_string_equal(last_event()->reason, "moving");
	assert_string_equal(last_event()->cluster, "ose2");
	assert_string_equal(last_event()->text, "3 connections closed (cluster ose2, client 192.0.2.0/24)");
}

static void a_dry_run_closes_nothing(void **state)
{
	uint32_t query;
	uint64_t before = journal_last(traffic.control.journal);
	reply = traffic_call("POST", "/api/v1/connections/close?dry_run=true", "{'cluster': 'ose1'}");
	assert_int_equal(traffic_asked(MESSAGE_CONNECTIONS, 0, &query)->connections.action, CONNECTIONS_LIST);
	struct record live = traffic_connection(1, "app1.ch"), lingering = traffic_connection(2, "app1.ch");
	lingering.connection.state = RECORD_LINGERING;
	traffic_answer(0, query, live);
	traffic_answer(0, query, lingering);
	traffic_end_query(0, query, 2, 0);
	traffic_end_query(1, query, 0, 0);
	reply = traffic_await(reply);
	assert_int_equal(traffic_number(is(200), "closed"), 1);
	assert_string_equal(traffic_text(reply.json, "dry_run"), "true");
	assert_int_equal(journal_last(traffic.control.journal), before);
}

static void what_was_closed_is_told_also_when_a_worker_is_silent(void **state)
{
	uint32_t query;
	reply = traffic_call("POST", "/api/v1/connections/close", "{'ids': [7]}");
	assert_int_equal(traffic_asked(MESSAGE_CONNECTIONS, 0, &query)->connections.id, 7);
	traffic_end_query(0, query, 1, 1);
	reply = traffic_await(reply);
	assert_non_null(
	    strstr(traffic_text(is(503), "detail"), "1 connections are closed, but perhaps not all: worker 1"));
	assert_int_equal(last_event()->level, JOURNAL_WARNING);
	assert_non_null(
	    strstr(last_event()->text, "1 connection closed (1 single one); not all of it is known: worker 1"));
}

static void closing_needs_a_filter(void **state)
{
	refused(400, "which connections?", "POST", "/api/v1/connections/close", "{}");
	refused(400, "$.ids", "POST", "/api/v1/connections/close", "{'ids': []}");
	refused(400, "unknown field \"all\"", "POST", "/api/v1/connections/close", "{'all': true}");
	refused(404, "no route", "POST", "/api/v1/connections/close", "{'route': 'nix.ch'}");
	refused(400, "", "POST", "/api/v1/connections/close", "nothing");
	assert_null(fake_link_message(MESSAGE_CONNECTIONS, 0));
}

/* ---- unknown names ---- */

static void refuse(const char *name, enum record_why why, unsigned listener)
{
	struct record record = traffic_connection(1, name);
	record.type = RECORD_REFUSED;
	record.connection.why = (uint8_t)why;
	record.connection.listener = (uint16_t)listener;
	fake_link_record(0, &record);
}

static void unknown_names_are_shown(void **state)
{
	uint64_t taken = traffic.control.records.taken;
	refuse("first.ch", RECORD_UNKNOWN_NAME, 0);
	refuse("Second.ch", RECORD_NOT_SERVED, 1);
	refuse("", RECORD_TIMEOUT, 0);
	TRAFFIC_AWAIT(traffic.control.records.taken == taken + 3);
	reply = traffic_call("GET", "/api/v1/unknown?limit=2", NULL);
	const json_t *json = is(200);
	assert_int_equal(traffic_number(json, "total"), 3);
	assert_int_equal(traffic_number(json, "left_out"), 0);
	assert_int_equal(json_array_size(json_object_get(json, "names")), 2);
	assert_string_equal(traffic_text(json, "names.0.name"), "null");
	assert_string_equal(traffic_text(json, "names.0.reason"), "timeout");
	assert_string_equal(traffic_text(json, "names.1.name"), "Second.ch");
	assert_string_equal(traffic_text(json, "names.1.listener"), "https");
	assert_string_equal(traffic_text(json, "names.1.last_client"), "192.0.2.7");
	assert_int_equal(traffic_number(json, "names.1.count"), 1);
	api_reply_free(&reply);
	reply = traffic_call("GET", "/api/v1/unknown?search=SECOND", NULL);
	assert_int_equal(traffic_number(is(200), "total"), 1);
}

/* ---- explain ---- */

static void explain_asks_the_workers(void **state)
{
	uint32_t query;
	reply = traffic_call("GET", "/api/v1/explain?host=APP9.ch.&from=192.0.2.9&listener=http", NULL);
	const struct message *message = traffic_asked(MESSAGE_EXPLAIN, 0, &query);
	assert_string_equal(message->explain.name.text, "app9.ch");
	struct record decision = {.type = RECORD_EXPLAIN};
	decision.explain =
	    (struct record_explain){.decision = DECISION_UNKNOWN, .cluster = CLUSTER_NONE, .host = SLOT_NONE};
	for (unsigned worker = 0; worker < FAKE_WORKERS; worker++) {
		traffic_answer(worker, query, decision);
		traffic_end_query(worker, query, 0, 0);
	}
	reply = traffic_await(reply);
	assert_string_equal(traffic_text(is(200), "decision"), "unknown_name");
	assert_string_equal(traffic_text(reply.json, "from"), "192.0.2.9");
	assert_string_equal(traffic_text(reply.json, "host"), "app9.ch");
}

static void one_worker_is_enough_to_explain(void **state)
{
	uint32_t query;
	reply = traffic_call("GET", "/api/v1/explain?host=app9.ch", NULL);
	traffic_asked(MESSAGE_EXPLAIN, 0, &query);
	struct record decision = {.type = RECORD_EXPLAIN};
	decision.explain =
	    (struct record_explain){.decision = DECISION_UNKNOWN, .cluster = CLUSTER_NONE, .host = SLOT_NONE};
	traffic_answer(1, query, decision);
	traffic_end_query(1, query, 0, 0);
	reply = traffic_await(reply);
	assert_int_equal(traffic_number(is(200), "worker"), 1);
}

static void wrong_questions(void **state)
{
	refused(400, "host is missing", "GET", "/api/v1/explain", NULL);
	refused(400, "no host name", "GET", "/api/v1/explain?host=a_b c", NULL);
	refused(400, "no host name", "GET", "/api/v1/explain?host=*.wild.ch", NULL);
	refused(400, "from: \"x\"", "GET", "/api/v1/explain?host=a.ch&from=x", NULL);
	refused(404, "no listener \"x\"", "GET", "/api/v1/explain?host=a.ch&listener=x", NULL);
}

static void without_a_dataplane(void **state)
{
	refused(503, "no dataplane is ready", "GET", "/api/v1/connections", NULL);
	refused(503, "nothing was closed: no dataplane is ready", "POST", "/api/v1/connections/close",
	        "{'cluster': 'ose1'}");
	refused(503,
	        "no dataplane is ready, so nobody decides; by control's state listener http would take app1.ch to ose1",
	        "GET", "/api/v1/explain?host=app1.ch", NULL);
	reply = traffic_call("GET", "/api/v1/unknown", NULL);
	assert_int_equal(traffic_number(is(200), "total"), 0);
}

static void an_end_of_the_dataplane_is_an_answer(void **state)
{
	reply = traffic_call("GET", "/api/v1/connections", NULL);
	assert_non_null(reply.later);
	fake_link.handler.restart(fake_link.handler.context);
	reply = traffic_await(reply);
	assert_non_null(strstr(traffic_text(is(503), "detail"), "the dataplane has ended"));
}

/* ---- probes ---- */

/* A cluster whose router hosts are nobody on loopback addresses. */
static void put_cluster(void)
{
	assert_true(
	    control_put(&traffic.control,
	                fixture_cluster("{'name': 'new', 'source': 'static', 'state': 'staged', 'hosts': [{'name': "
	                                "'r2', 'address': '192.0.2.2', 'http_port': 9, 'https_port': 0}, {'name': "
	                                "'r1', 'address': '192.0.2.1', 'http_port': 9, 'https_port': 9}]}"),
	                0, &fixture_actor));
	struct cluster_spec *spec = state_cluster(&traffic.control.state, "new")->spec;
	assert_true(address_parse("127.0.0.2", &spec->hosts[0].address));
	assert_true(address_parse("127.0.0.1", &spec->hosts[1].address));
}

static void a_probe_of_each_router_host(void **state)
{
	put_cluster();
	reply = traffic_call("POST", "/api/v1/clusters/new/probe?reason=test", "{'host': 'app1.ch', 'https': true}");
	reply = traffic_await(reply);
	const json_t *json = is(200);
	assert_int_equal(json_array_size(json_object_get(json, "results")), 2);
	assert_string_equal(traffic_text(json, "results.0.host"), "r1");
	assert_string_equal(traffic_text(json, "results.0.error"), "the connect was refused");
	assert_string_equal(traffic_text(json, "results.0.ok"), "false");
	assert_string_equal(traffic_text(json, "results.0.certificate"), "null");
	assert_string_equal(traffic_text(json, "results.0.status"), "null");
	assert_int_equal(traffic_number(json, "results.0.port"), 9);
	assert_string_equal(traffic_text(json, "results.1.error"), "it has no port for https");
	assert_string_equal(last_event()->kind, "probed");
	assert_string_equal(last_event()->reason, "test");
	assert_string_equal(last_event()->text,
	                    "probed cluster new for app1.ch over https: 0 of 2 router hosts answered well");
}

static void a_probe_of_one_and_a_dry_run_of_none(void **state)
{
	put_cluster();
	reply =
	    traffic_await(traffic_call("POST", "/api/v1/clusters/new/probe", "{'host': 'app1.ch', 'router': 'r2'}"));
	assert_int_equal(json_array_size(json_object_get(is(200), "results")), 1);
	assert_string_equal(traffic_text(reply.json, "results.0.https"), "false");
	api_reply_free(&reply);
	reply = traffic_call("POST", "/api/v1/clusters/new/probe?dry_run=true", "{'host': 'app1.ch'}");
	assert_int_equal(json_array_size(json_object_get(is(200), "results")), 0);
}

static void wrong_probes(void **state)
{
	refused(404, "no cluster", "POST", "/api/v1/clusters/nix/probe", "{'host': 'a.ch'}");
	refused(400, "$.host", "POST", "/api/v1/clusters/ose1/probe", "{}");
	refused(400, "$.host", "POST", "/api/v1/clusters/ose1/probe", "{'host': '*.wild.ch'}");
	refused(400, "$.path", "POST", "/api/v1/clusters/ose1/probe", "{'host': 'a.ch', 'path': 'x'}");
	refused(400, "$.path", "POST", "/api/v1/clusters/ose1/probe", "{'host': 'a.ch', 'path': '/\\r\\nX: y'}");
	refused(400, "unknown field \"address\"", "POST", "/api/v1/clusters/ose1/probe",
	        "{'host': 'a.ch', 'address': '192.0.2.1'}");
	refused(404, "no router host \"r9\"", "POST", "/api/v1/clusters/ose1/probe",
	        "{'host': 'a.ch', 'router': 'r9'}");
	assert_true(
	    control_put(&traffic.control, fixture_cluster("{'name': 'empty', 'source': 'static'}"), 0, &fixture_actor));
	refused(409, "no router host to probe", "POST", "/api/v1/clusters/empty/probe", "{'host': 'a.ch'}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(connections_are_listed, setup, teardown),
	    cmocka_unit_test_setup_teardown(wrong_queries_of_connections, setup, teardown),
	    cmocka_unit_test_setup_teardown(those_of_a_state, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_silent_dataplane_is_said, setup, teardown),
	    cmocka_unit_test_setup_teardown(connections_are_closed, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_dry_run_closes_nothing, setup, teardown),
	    cmocka_unit_test_setup_teardown(what_was_closed_is_told_also_when_a_worker_is_silent, setup, teardown),
	    cmocka_unit_test_setup_teardown(closing_needs_a_filter, setup, teardown),
	    cmocka_unit_test_setup_teardown(unknown_names_are_shown, setup, teardown),
	    cmocka_unit_test_setup_teardown(explain_asks_the_workers, setup, teardown),
	    cmocka_unit_test_setup_teardown(one_worker_is_enough_to_explain, setup, teardown),
	    cmocka_unit_test_setup_teardown(wrong_questions, setup, teardown),
	    cmocka_unit_test_setup_teardown(without_a_dataplane, setup_alone, teardown),
	    cmocka_unit_test_setup_teardown(an_end_of_the_dataplane_is_an_answer, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_probe_of_each_router_host, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_probe_of_one_and_a_dry_run_of_none, setup, teardown),
	    cmocka_unit_test_setup_teardown(wrong_probes, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
