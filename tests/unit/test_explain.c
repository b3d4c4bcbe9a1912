/* explain.c: the explanation says what the election does, with its numbers, and changes nothing. */
#include "exchange.h"

static struct message explain_message(const char *name, uint16_t listener)
{
	struct message message = plain_message(MESSAGE_EXPLAIN);
	message.explain.query = 5;
	message.explain.listener = listener;
	message.explain.client = ip("198.18.0.1");
	if (name[0])
		assert_true(hostname_set(&message.explain.name, (const uint8_t *)name, strlen(name)));
	return message;
}

/* Asks, waits for the end, and returns the decision; shares and router hosts are read next. */
static const struct record_explain *explain(struct exchange *x, const char *name, uint16_t listener)
{
	x->record_read = x->record_count = 0;
	x->record_room = EXCHANGE_RECORDS;
	tell(x, explain_message(name, listener));
	for (unsigned i = 0; x->worker->queries.count > 0; i++) {
		assert_true(i < 1000);
		worker_tick(x->worker, x->now_us += 200);
	}
	const struct record *record = expect_record(x, RECORD_EXPLAIN);
	assert_int_equal(record->query, 5);
	assert_int_equal(record->start, x->start);
	return &record->explain;
}

static const struct record_explain_share *next_share(struct exchange *x)
{
	return &expect_record(x, RECORD_EXPLAIN_SHARE)->share;
}

static const struct record_explain_host *next_host(struct exchange *x)
{
	return &expect_record(x, RECORD_EXPLAIN_HOST)->host;
}

static void expect_explained(struct exchange *x)
{
	const struct record *record = expect_record(x, RECORD_QUERY_END);
	assert_int_equal(record->end.refused, 0);
	assert_int_equal(record->query, 5);
	expect_no_record(x);
}

static void tell_route(struct exchange *x, const char *name, unsigned count, const struct message_share *shares)
{
	tell(x, route_message(50, name, count, shares));
	tell_end(x, MESSAGE_BATCH_END);
}

/* ---- with its numbers ---- */

static void a_route_of_two_clusters(void **state)
{
	struct exchange *x = exchange_begin(state);
	const struct record_explain *r = explain(x, APP_NAME, 0);
	assert_int_equal(r->decision, DECISION_ELECTED);
	assert_string_equal(r->route.text, APP_NAME);
	assert_int_equal(r->route_id, 2);
	assert_int_equal(r->wildcard, 0);
	assert_int_equal(r->by_default, 0);
	assert_int_equal(r->share_count, 2);
	assert_int_equal(r->cluster, 1); /* 80 of 90 */
	assert_int_equal(r->host, 2);
	assert_int_equal(r->host_generation, 1);
	for (unsigned i = 0; i < 2; i++) {
		const struct record_explain_share *share = next_share(x);
		assert_int_equal(share->cluster, i);
		assert_int_equal(share->pair, 1 + i);
		assert_int_equal(share->weight, i ? 8000 : 1000);
		assert_int_equal(share->credit, 0);
		assert_true(share->served && share->usable);
		assert_int_equal(share->elected, i == 1);
	}
	for (unsigned slot = 0; slot < EXCHANGE_HOSTS; slot++) {
		const struct record_explain_host *host = next_host(x);
		struct address address = exchange_host(slot);
		assert_int_equal(host->slot, slot);
		assert_int_equal(host->cluster, slot / 2);
		assert_int_equal(host->generation, 1);
		assert_int_equal(host->port, 80);
		assert_true(address_equal(&host->address, &address));
		assert_true(host->healthy && host->usable && !host->suspected);
		assert_int_equal(host->elected, slot == 2);
		assert_int_equal(host->active, 0);
	}
	expect_explained(x);
	exchange_end(x);
}

static void credits_and_active_connections_are_told(void **state)
{
	struct exchange *x = exchange_begin(state);
	for (unsigned i = 0; i < 3; i++)
		conn_elect(x, (uint16_t)(40000 + i), APP_NAME);
	explain(x, APP_NAME, 0);
	assert_int_equal(next_share(x)->credit, 3000);
	assert_int_equal(next_share(x)->credit, -3000);
	static const uint64_t active[] = {0, 0, 2, 1};
	for (unsigned slot = 0; slot < EXCHANGE_HOSTS; slot++)
		assert_int_equal(next_host(x)->active, active[slot]);
	expect_explained(x);
	exchange_end(x);
}

/* ---- the same as the election, which it leaves as it is ---- */

static void what_is_explained_is_what_happens(void **state)
{
	struct exchange *x = exchange_begin(state);
	uint32_t random = 1;
	for (unsigned i = 0; i < 300; i++) {
		random = random * 1664525 + 1013904223;
		if (random >> 28 == 0)
			tell_host(x, random >> 20 & 3, random >> 22 & 1);
		if (random >> 28 == 1)
			host_suspect(x->worker, random >> 20 & 3);
		pass_ms(x, random >> 8 & 255);
		for (unsigned again = 0; again < 3; again++) /* asking again changes nothing */
			explain(x, APP_NAME, 0);
		x->sent_first = x->sent_count = 0; /* of the connections before */
		const struct record_explain r = x->records[0].explain;
		if (r.decision != DECISION_ELECTED) {
			tell_host(x, random >> 24 & 3, true);
			continue;
		}
		assert_int_equal(conn_elect(x, (uint16_t)(20000 + i), APP_NAME), r.host);
		assert_int_equal(flow_young(x->worker, conn_flow(x->conns))->cluster, r.cluster);
		if (random >> 31)
			client_sends(x->conns, "R 101 win 0");
	}
	x->sent_first = x->sent_count = 0;
	exchange_end(x);
}

static void nothing_changes(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct tables *tables = &x->worker->tables;
	for (unsigned i = 0; i < 5; i++)
		conn_elect(x, (uint16_t)(40000 + i), APP_NAME);
	host_suspect(x->worker, 2);
	host_suspect(x->worker, 3);
	pass_ms(x, 1500); /* a trial is due */
	x->sent_first = x->sent_count = 0;
	struct pair_credit credits[16];
	struct host_health health[16];
	struct table_cluster clusters[2];
	memcpy(credits, tables->credits, sizeof(credits));
	memcpy(health, x->worker->health, sizeof(health));
	memcpy(clusters, tables->active->clusters, sizeof(clusters));
	explain(x, APP_NAME, 0);
	explain(x, APP_NAME, 1);
	explain(x, "a." WILD_NAME, 0);
	explain(x, "nobody.test", 0);
	assert_memory_equal(credits, tables->credits, sizeof(credits));
	assert_memory_equal(health, x->worker->health, sizeof(health));
	assert_memory_equal(clusters, tables->active->clusters, sizeof(clusters));
	x->sent_first = x->sent_count = 0;
	exchange_end(x);
}

/* ---- no router host ---- */

static void names_that_nobody_has(void **state)
{
	struct exchange *x = exchange_begin(state);
	static const char *const names[] = {"nobody.test", "", WILD_NAME, ("a.b." WILD_NAME)};
	for (unsigned i = 0; i < 4; i++) {
		const struct record_explain *r = explain(x, names[i], 0);
		assert_int_equal(r->decision, DECISION_UNKNOWN);
		assert_int_equal(r->cluster, CLUSTER_NONE);
		assert_int_equal(r->host, SLOT_NONE);
		assert_int_equal(r->share_count, 0);
		assert_int_equal(r->route.len, 0);
		expect_explained(x);
	}
	exchange_end(x);
}

static void a_wildcard(void **state)
{
	struct exchange *x = exchange_begin(state);
	const struct record_explain *r = explain(x, "a." WILD_NAME, 1);
	assert_int_equal(r->decision, DECISION_ELECTED);
	assert_int_equal(r->wildcard, 1);
	assert_string_equal(r->route.text, WILD_NAME);
	next_share(x);
	assert_int_equal(next_host(x)->port, 443);
	exchange_end(x);
}

static void the_default_cluster(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct message message = plain_message(MESSAGE_LISTENER);
	message.listener = (struct message_listener){.listener = 1, .cluster = 1, .pair = 7};
	tell(x, message);
	tell_end(x, MESSAGE_BATCH_END);
	const struct record_explain *r = explain(x, "nobody.test", 1);
	assert_int_equal(r->decision, DECISION_ELECTED);
	assert_int_equal(r->by_default, 1);
	assert_int_equal(r->cluster, 1);
	assert_int_equal(r->route_id, 0);
	assert_int_equal(r->route.len, 0);
	assert_int_equal(next_share(x)->pair, 7);
	assert_int_equal(explain(x, "nobody.test", 0)->decision, DECISION_UNKNOWN);
	exchange_end(x);
}

static void not_on_this_listener(void **state)
{
	struct exchange *x = exchange_begin(state);
	assert_int_equal(explain(x, SECURE_NAME, 0)->decision, DECISION_NOT_SERVED);
	const struct record_explain_share *share = next_share(x);
	assert_int_equal(share->served, 0);
	assert_int_equal(share->usable, 0);
	assert_int_equal(share->elected, 0);
	assert_int_equal(next_host(x)->usable, 1); /* for other names */
	assert_int_equal(next_host(x)->elected, 0);
	expect_explained(x);
	assert_int_equal(explain(x, SECURE_NAME, 1)->decision, DECISION_ELECTED);
	exchange_end(x);
}

static void nobody_is_healthy(void **state)
{
	struct exchange *x = exchange_begin(state);
	tell_host(x, 0, false);
	struct message message = host_message(1, true);
	message.host.http_port = 0; /* not for this listener */
	tell(x, message);
	tell_end(x, MESSAGE_BATCH_END);
	assert_int_equal(explain(x, ONE_NAME, 0)->decision, DECISION_UNHEALTHY);
	const struct record_explain_share *share = next_share(x);
	assert_true(share->served && !share->usable && !share->elected);
	const struct record_explain_host *host = next_host(x);
	assert_true(!host->healthy && !host->usable);
	host = next_host(x);
	assert_true(host->healthy && !host->usable);
	assert_int_equal(host->port, 0);
	expect_explained(x);
	exchange_end(x);
}

static void a_cluster_of_weight_0_takes_nothing(void **state)
{
	struct exchange *x = exchange_begin(state);
	const struct message_share shares[] = {
	    {.pair = 1, .cluster = 0, .weight = 0, .http = 1},
	    {.pair = 2, .cluster = 1, .weight = 10000, .http = 1},
	};
	tell_route(x, APP_NAME, 2, shares);
	assert_int_equal(explain(x, APP_NAME, 0)->cluster, 1);
	const struct record_explain_share *share = next_share(x);
	assert_true(share->served && !share->usable);
	tell_host(x, 2, false);
	tell_host(x, 3, false);
	assert_int_equal(explain(x, APP_NAME, 0)->decision, DECISION_UNHEALTHY);
	exchange_end(x);
}

static void suspicion_is_told(void **state)
{
	struct exchange *x = exchange_begin(state);
	host_suspect(x->worker, 0);
	assert_int_equal(explain(x, ONE_NAME, 0)->host, 1);
	next_share(x);
	const struct record_explain_host *host = next_host(x);
	assert_true(host->suspected && host->usable && !host->elected);
	assert_true(next_host(x)->elected);
	exchange_end(x);
}

/* ---- bounds ---- */

static void no_such_listener(void **state)
{
	struct exchange *x = exchange_begin(state);
	tell(x, explain_message(ONE_NAME, 2));
	assert_int_equal(expect_record(x, RECORD_QUERY_END)->end.refused, 1);
	expect_no_record(x);
	assert_int_equal(x->worker->queries.count, 0);
	exchange_end(x);
}

static struct exchange *begin_large(void **state)
{
	struct exchange *x = *state;
	struct message_share shares[ROUTE_CLUSTERS_MAX];
	x->config.limits.hosts = ROUTE_CLUSTERS_MAX * CLUSTER_HOSTS_MAX;
	x->config.limits.pairs = 64;
	exchange_create(x);
	tell(x, plain_message(MESSAGE_SYNC_BEGIN));
	for (unsigned slot = 0; slot < x->config.limits.hosts; slot++) {
		struct message message = host_message(slot, true);
		message.host.cluster = (uint16_t)(slot % ROUTE_CLUSTERS_MAX);
		tell(x, message);
	}
	for (unsigned i = 0; i < ROUTE_CLUSTERS_MAX; i++)
		shares[i] = (struct message_share){.pair = i, .cluster = (uint16_t)i, .weight = 100, .http = 1};
	tell(x, route_message(1, APP_NAME, ROUTE_CLUSTERS_MAX, shares));
	tell_end(x, MESSAGE_SYNC_END);
	return x;
}

/* 16 clusters of 256 router hosts: a part of them in each step, each once. */
static void many_router_hosts_take_many_steps(void **state)
{
	static bool seen[ROUTE_CLUSTERS_MAX * CLUSTER_HOSTS_MAX];
	struct exchange *x = begin_large(state);
	unsigned hosts = 0, steps = 0;
	tell(x, explain_message(APP_NAME, 0));
	while (x->worker->queries.count > 0) {
		worker_tick(x->worker, x->now_us += 200);
		assert_true(x->record_count <= 64 && ++steps < 100);
		for (unsigned i = 0; i < x->record_count; i++) {
			if (x->records[i].type != RECORD_EXPLAIN_HOST)
				continue;
			hosts++;
			assert_false(seen[x->records[i].host.slot]);
			seen[x->records[i].host.slot] = true;
		}
		x->record_count = 0;
		x->record_room = EXCHANGE_RECORDS;
	}
	assert_int_equal(hosts, ROUTE_CLUSTERS_MAX * CLUSTER_HOSTS_MAX);
	assert_int_equal(steps, (hosts + 17) / 64 + 1);
	exchange_end(x);
}

/* The decision stands, whatever the tables become while it is told, and a ring without room is waited for. */
static void it_is_decided_once(void **state)
{
	struct exchange *x = begin_large(state);
	tell(x, explain_message(APP_NAME, 0));
	x->record_room = 3;
	worker_tick(x->worker, x->now_us += 200);
	const struct record_explain decision = expect_record(x, RECORD_EXPLAIN)->explain;
	assert_int_equal(decision.decision, DECISION_ELECTED);
	struct message gone = plain_message(MESSAGE_HOST_GONE);
	gone.host_gone = (struct message_host_gone){.slot = decision.host, .generation = 1};
	tell(x, gone);
	tell_end(x, MESSAGE_BATCH_END);
	for (unsigned i = 0; i < 20; i++)
		worker_tick(x->worker, x->now_us += 200);
	x->record_room = 500;
	for (unsigned i = 0; i < 20; i++)
		worker_tick(x->worker, x->now_us += 200);
	for (unsigned i = 0; i < ROUTE_CLUSTERS_MAX; i++) {
		const struct record_explain_share *share = next_share(x);
		assert_int_equal(share->cluster, i);
		assert_int_equal(share->elected, i == decision.cluster);
	}
	for (unsigned i = 0; i < CLUSTER_HOSTS_MAX - 1; i++)
		assert_int_not_equal(next_host(x)->slot, decision.host);
	tell(x, plain_message(MESSAGE_SYNC_BEGIN)); /* and all the others */
	tell_end(x, MESSAGE_SYNC_END);
	x->record_read = x->record_count = 0;
	x->record_room = EXCHANGE_RECORDS;
	for (unsigned i = 0; i < 3; i++)
		worker_tick(x->worker, x->now_us += 200);
	expect_explained(x);
	exchange_end(x);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, exchange_setup, exchange_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_route_of_two_clusters),
	    TEST(credits_and_active_connections_are_told),
	    TEST(what_is_explained_is_what_happens),
	    TEST(nothing_changes),
	    TEST(names_that_nobody_has),
	    TEST(a_wildcard),
	    TEST(the_default_cluster),
	    TEST(not_on_this_listener),
	    TEST(nobody_is_healthy),
	    TEST(a_cluster_of_weight_0_takes_nothing),
	    TEST(suspicion_is_told),
	    TEST(no_such_listener),
	    TEST(many_router_hosts_take_many_steps),
	    TEST(it_is_decided_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
