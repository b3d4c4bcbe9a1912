/* queries: what is asked of the workers, how their answers become one, and that every question has exactly one end. */
#include "traffic_fixture.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/control_feed.h"
#include "control/traffic/connection_names.h"
#include "control/traffic/queries.h"
#include "control_fixture.h"

/* What a question has brought. */
struct seen {
	unsigned records, ends;
	uint64_t ids;
	struct queries_result result;
};

/* Outlives a test, whose questions may end with control. */
static struct seen seen, others[3];

static void on_record(void *context, unsigned worker, const struct record *record)
{
	struct seen *own = context;
	own->records++;
	own->ids += record->connection.id;
}

static void on_done(void *context, const struct queries_result *result)
{
	struct seen *own = context;
	own->ends++;
	own->result = *result;
}

static struct queries_reader reader(struct seen *context)
{
	return (struct queries_reader){on_record, on_done, context};
}

static int setup(void **state)
{
	seen = (struct seen){0};
	memset(others, 0, sizeof(others));
	traffic_begin("");
	return 0;
}

static int teardown(void **state)
{
	traffic_end();
	return 0;
}

static void ask(const struct queries_filter *filter, struct seen *context)
{
	char why[QUERY_WHY_MAX];
	const struct queries_reader own = reader(context);
	assert_true(queries_list(&traffic.control, filter, &own, why));
}

static void answers_of_all_workers_become_one(void **state)
{
	uint32_t query;
	ask(&(struct queries_filter){0}, &seen);
	const struct message *message = traffic_asked(MESSAGE_CONNECTIONS, 0, &query);
	assert_int_equal(message->connections.action, CONNECTIONS_LIST);
	assert_int_equal(message->connections.cluster, CLUSTER_NONE);
	assert_int_equal(message->connections.pair, SLOT_NONE);
	assert_int_equal(message->connections.host, SLOT_NONE);
	assert_int_equal(message->connections.client_length, 0);
	assert_int_equal(message->connections.id, 0);
	assert_true(queries_busy(traffic.control.queries));
	traffic_answer(1, query, traffic_connection(4, "a.ch"));
	traffic_answer(0, query, traffic_connection(1, "a.ch"));
	traffic_answer(0, query, traffic_connection(2, "a.ch"));
	traffic_end_query(0, query, 7, 0);
	TRAFFIC_AWAIT(seen.records == 3);
	traffic_turns(5);
	assert_int_equal(seen.ends, 0);
	traffic_end_query(1, query, 1, 0);
	TRAFFIC_AWAIT(seen.ends == 1);
	assert_true(seen.result.complete);
	assert_int_equal(seen.ids, 7);
	assert_int_equal(seen.result.matched, 8);
	assert_int_equal(seen.result.answered, FAKE_WORKERS);
	assert_false(queries_busy(traffic.control.queries));
	assert_int_equal(fake_link.workers[0].faults + fake_link.workers[1].faults, 0);
}

static void filters_become_slots(void **state)
{
	uint32_t query;
	const struct cluster *ose2 = state_cluster(&traffic.control.state, "ose2");
	struct queries_filter filter = {.cluster = "ose2", .host = ose2->spec->hosts[0].id, .min_age = 5000};
	assert_true(prefix_parse("192.0.2.0/24", &filter.client));
	ask(&filter, &seen);
	const struct message *message = traffic_asked(MESSAGE_CONNECTIONS, 0, &query);
	assert_int_equal(message->connections.cluster, ose2->number);
	assert_int_equal(message->connections.host, traffic_host_slot("ose2", 0));
	assert_int_equal(message->connections.min_age, 5000);
	assert_int_equal(message->connections.client_length, 120);
	assert_true(address_equal(&message->connections.client, &filter.client.address));
}

/* The number of the cluster in a query for its connections. */
static uint16_t number_asked(const char *cluster)
{
	uint32_t query;
	fake_link_forget();
	ask(&(struct queries_filter){.cluster = cluster}, &others[0]);
	uint16_t number = traffic_asked(MESSAGE_CONNECTIONS, 0, &query)->connections.cluster;
	for (unsigned worker = 0; worker < FAKE_WORKERS; worker++)
		traffic_end_query(worker, query, 0, 0);
	return number;
}

static const char *cluster_shown(uint16_t number)
{
	struct connection_names names;
	struct record record = traffic_connection(1, "app1.ch");
	record.connection.cluster = number;
	connection_names(&traffic.control, &record.connection, &names);
	return names.cluster;
}

/* Connections of a removed cluster live on under its number: they are not those of the cluster that comes next. */
static void a_new_cluster_has_not_the_connections_of_a_removed_one(void **state)
{
	struct control *control = &traffic.control;
	uint16_t removed = number_asked("ose2");
	assert_string_equal(cluster_shown(removed), "ose2");
	assert_true(control_delete(control, "ose2", &fixture_actor));
	assert_true(control_put(control, fixture_cluster("{'name': 'v3', 'source': 'static'}"), 0, &fixture_actor));
	assert_int_not_equal(number_asked("v3"), removed);
	assert_null(cluster_shown(removed));
	/* But when it comes back, they are its own again. */
	assert_true(control_put(control, fixture_cluster(FIXTURE_OSE2), 0, &fixture_actor));
	assert_int_equal(number_asked("ose2"), removed);
	assert_string_equal(cluster_shown(removed), "ose2");
	assert_int_not_equal(number_asked("v3"), removed);
}

static void a_route_is_a_query_for_each_of_its_clusters(void **state)
{
	struct hostname app1;
	uint32_t first, second;
	assert_true(hostname_set(&app1, (const uint8_t *)"app1.ch", 7));
	struct queries_filter filter = {.route = cluster_name_id(&app1, false)};
	ask(&filter, &seen);
	const struct message *message = traffic_asked(MESSAGE_CONNECTIONS, 0, &first);
	assert_int_equal(message->connections.pair, traffic_pair_slot("app1.ch", "ose1"));
	message = traffic_asked(MESSAGE_CONNECTIONS, 1, &second);
	assert_int_equal(message->connections.pair, traffic_pair_slot("app1.ch", "ose2"));
	assert_null(fake_link_message(MESSAGE_CONNECTIONS, 2));
	for (unsigned worker = 0; worker < FAKE_WORKERS; worker++) {
		traffic_end_query(worker, first, 2, 0);
		traffic_end_query(worker, second, 3, 0);
	}
	TRAFFIC_AWAIT(seen.ends == 1);
	assert_int_equal(seen.result.matched, 10);
	filter.cluster = "ose2";
	fake_link_forget();
	ask(&filter, &seen);
	message = traffic_asked(MESSAGE_CONNECTIONS, 0, &first);
	assert_int_equal(message->connections.pair, traffic_pair_slot("app1.ch", "ose2"));
	assert_null(fake_link_message(MESSAGE_CONNECTIONS, 1));
}

static void what_cannot_be_ends_at_once_but_not_inside_the_call(void **state)
{
	ask(&(struct queries_filter){.cluster = "nix"}, &seen);
	ask(&(struct queries_filter){.host = 4711}, &seen);
	ask(&(struct queries_filter){.route = 4711}, &seen);
	assert_int_equal(seen.ends, 0);
	TRAFFIC_AWAIT(seen.ends == 3);
	assert_true(seen.result.complete);
	assert_int_equal(seen.result.matched, 0);
	assert_null(fake_link_message(MESSAGE_CONNECTIONS, 0));
}

static void only_some_messages_are_with_the_workers_at_once(void **state)
{
	char why[QUERY_WHY_MAX];
	const struct queries_reader own = reader(&seen);
	uint64_t ids[100];
	for (unsigned i = 0; i < 100; i++)
		ids[i] = 1000 + i;
	assert_true(queries_close(&traffic.control, &(struct queries_filter){.ids = ids, .id_count = 100}, &own, why));
	for (unsigned i = 0; i < 100; i++) {
		uint32_t query;
		const struct message *message = traffic_asked(MESSAGE_CONNECTIONS, i, &query);
		assert_int_equal(message->connections.action, CONNECTIONS_CLOSE);
		assert_int_equal(message->connections.id, ids[i]);
		assert_null(fake_link_message(MESSAGE_CONNECTIONS, i + QUERIES_AT_ONCE + QUERIES_WAITING));
		traffic_end_query(0, query, 1, i % 2);
		traffic_end_query(1, query, 0, 0);
	}
	TRAFFIC_AWAIT(seen.ends == 1);
	assert_int_equal(seen.result.matched, 100);
	assert_int_equal(seen.result.closed, 50);
}

static void a_silent_worker_ends_the_question(void **state)
{
	char why[QUERY_WHY_MAX];
	const struct queries_reader own = reader(&seen);
	uint32_t query;
	uint64_t before = clock_monotonic_ms();
	assert_true(queries_count(&traffic.control, &(struct queries_filter){0}, &own, why));
	assert_int_equal(traffic_asked(MESSAGE_CONNECTIONS, 0, &query)->connections.limit, 0);
	traffic_end_query(0, query, 5, 0);
	TRAFFIC_AWAIT(seen.ends == 1);
	assert_in_range(clock_monotonic_ms() - before, QUERY_SILENCE_MS - 100, QUERY_SILENCE_MS + 1500);
	assert_false(seen.result.complete);
	assert_string_equal(seen.result.why, "worker 1 of the dataplane has not answered within 2 s");
	assert_int_equal(seen.result.answered, 1);
	assert_int_equal(seen.result.matched, 5);
	/* It comes too late: nobody minds. */
	traffic_answer(1, query, traffic_connection(4, "a.ch"));
	traffic_end_query(1, query, 1, 0);
	traffic_turns(10);
	assert_int_equal(seen.ends, 1);
	assert_int_equal(seen.records, 0);
}

/* The loop stands still, as in a long write. */
static void stall(void)
{
	const struct timespec longer = {.tv_sec = QUERY_SILENCE_MS / 1000, .tv_nsec = 300000000};
	nanosleep(&longer, NULL);
}

static void control_that_stood_still_does_not_call_workers_silent(void **state)
{
	uint32_t query;
	ask(&(struct queries_filter){0}, &seen);
	stall(); /* before the question has left */
	traffic_asked(MESSAGE_CONNECTIONS, 0, &query);
	traffic_end_query(0, query, 1, 0);
	TRAFFIC_AWAIT(traffic.control.records.taken == 1);
	stall();
	ask(&(struct queries_filter){0}, &others[0]); /* comes first after it */
	traffic_turns(60);
	assert_int_equal(seen.ends, 0);
	traffic_end_query(1, query, 1, 0);
	TRAFFIC_AWAIT(seen.ends == 1);
	assert_true(seen.result.complete);
	assert_int_equal(seen.result.matched, 2);
	assert_int_equal(others[0].ends, 0);
}

static void a_refusal_ends_the_question(void **state)
{
	uint32_t query;
	ask(&(struct queries_filter){0}, &seen);
	traffic_asked(MESSAGE_CONNECTIONS, 0, &query);
	traffic_answer(1, query, (struct record){.type = RECORD_QUERY_END, .end.refused = 1});
	TRAFFIC_AWAIT(seen.ends == 1);
	assert_false(seen.result.complete);
	assert_string_equal(seen.result.why, "worker 1 of the dataplane has refused the question");
}

static void the_end_of_the_dataplane_ends_all(void **state)
{
	char why[QUERY_WHY_MAX];
	for (unsigned i = 0; i < 3; i++)
		ask(&(struct queries_filter){0}, &others[i]);
	fake_link.handler.restart(fake_link.handler.context);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(others[i].ends, 1);
		assert_string_equal(others[i].result.why, "the dataplane has ended");
		assert_int_equal(others[i].result.answered, 0);
	}
	const struct queries_reader own = reader(&seen);
	assert_false(queries_list(&traffic.control, &(struct queries_filter){0}, &own, why));
	assert_string_equal(why, "no dataplane is ready");
}

static void too_many_questions_are_not_taken(void **state)
{
	char why[QUERY_WHY_MAX];
	const struct queries_reader own = reader(&seen);
	for (unsigned i = 0; i < QUERIES_WAITING_MAX; i++)
		assert_true(queries_list(&traffic.control, &(struct queries_filter){0}, &own, why));
	assert_false(queries_list(&traffic.control, &(struct queries_filter){0}, &own, why));
	assert_non_null(strstr(why, "32 questions to the dataplane are waiting already"));
	traffic_turns(3);
	assert_int_equal(seen.ends, 0);
}

/* Who is told may ask again. */
struct chain {
	unsigned ends, left;
};

static void chain_done(void *context, const struct queries_result *result)
{
	char why[QUERY_WHY_MAX];
	struct chain *chain = context;
	const struct queries_reader own = {NULL, chain_done, chain};
	chain->ends++;
	if (chain->left-- > 0)
		assert_true(queries_list(&traffic.control, &(struct queries_filter){0}, &own, why));
}

static void a_question_may_follow_from_an_answer(void **state)
{
	char why[QUERY_WHY_MAX];
	struct chain chain = {.left = 3};
	const struct queries_reader own = {NULL, chain_done, &chain};
	assert_true(queries_list(&traffic.control, &(struct queries_filter){0}, &own, why));
	for (unsigned i = 0; i < 4; i++) {
		uint32_t query;
		traffic_asked(MESSAGE_CONNECTIONS, i, &query);
		traffic_answer(0, query, traffic_connection(1, "a.ch")); /* nobody reads it */
		for (unsigned worker = 0; worker < FAKE_WORKERS; worker++)
			traffic_end_query(worker, query, 0, 0);
		TRAFFIC_AWAIT(chain.ends == i + 1);
	}
}

static void explanations_are_asked_for(void **state)
{
	char why[QUERY_WHY_MAX];
	struct hostname app1;
	struct address client;
	uint32_t query;
	const struct queries_reader own = reader(&seen);
	hostname_set(&app1, (const uint8_t *)"app1.ch", 7);
	address_parse("192.0.2.7", &client);
	assert_true(queries_explain(&traffic.control, 1, &client, &app1, &own, why));
	const struct message *message = traffic_asked(MESSAGE_EXPLAIN, 0, &query);
	assert_int_equal(message->explain.listener, 1);
	assert_string_equal(message->explain.name.text, "app1.ch");
	assert_true(address_equal(&message->explain.client, &client));
	for (unsigned worker = 0; worker < FAKE_WORKERS; worker++)
		traffic_end_query(worker, query, 0, 0);
	TRAFFIC_AWAIT(seen.ends == 1);
	assert_true(seen.result.complete);
}

static void full_rings_only_delay(void **state)
{
	uint32_t query;
	fake_link.room = 0;
	ask(&(struct queries_filter){0}, &seen);
	traffic_turns(10);
	assert_null(fake_link_message(MESSAGE_CONNECTIONS, 0));
	fake_link.room = FAKE_MESSAGES_MAX;
	traffic_asked(MESSAGE_CONNECTIONS, 0, &query);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(answers_of_all_workers_become_one, setup, teardown),
	    cmocka_unit_test_setup_teardown(filters_become_slots, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_new_cluster_has_not_the_connections_of_a_removed_one, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_route_is_a_query_for_each_of_its_clusters, setup, teardown),
	    cmocka_unit_test_setup_teardown(what_cannot_be_ends_at_once_but_not_inside_the_call, setup, teardown),
	    cmocka_unit_test_setup_teardown(only_some_messages_are_with_the_workers_at_once, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_silent_worker_ends_the_question, setup, teardown),
	    cmocka_unit_test_setup_teardown(control_that_stood_still_does_not_call_workers_silent, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_refusal_ends_the_question, setup, teardown),
	    cmocka_unit_test_setup_teardown(the_end_of_the_dataplane_ends_all, setup, teardown),
	    cmocka_unit_test_setup_teardown(too_many_questions_are_not_taken, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_question_may_follow_from_an_answer, setup, teardown),
	    cmocka_unit_test_setup_teardown(explanations_are_asked_for, setup, teardown),
	    cmocka_unit_test_setup_teardown(full_rings_only_delay, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
