/* query.c: which connections are listed and closed, in which steps, and what becomes of queries that wait. */
#include "exchange.h"

#include "common/bytes.h"

static struct message query_message(uint32_t number, uint8_t action)
{
	struct message message = plain_message(MESSAGE_CONNECTIONS);
	message.connections = (struct message_connections){
	    .query = number,
	    .action = action,
	    .cluster = CLUSTER_NONE,
	    .pair = SLOT_NONE,
	    .host = SLOT_NONE,
	    .limit = UINT32_MAX,
	};
	return message;
}

static void forget_sent(struct exchange *x)
{
	x->sent_first = x->sent_count = 0;
}

/* Until nothing is left to do; returns how many steps that took. */
static unsigned finish(struct exchange *x)
{
	unsigned steps = 0;
	while (x->worker->queries.count > 0) {
		worker_tick(x->worker, x->now_us += 200);
		assert_true(++steps < 10000);
	}
	return steps;
}

static const struct record_query_end *expect_end(struct exchange *x, uint32_t query, uint64_t matched, uint64_t closed)
{
	const struct record *record = expect_record(x, RECORD_QUERY_END);
	assert_int_equal(record->query, query);
	assert_int_equal(record->start, x->start);
	assert_int_equal(record->end.matched, matched);
	assert_int_equal(record->end.closed, closed);
	return &record->end;
}

static const struct record_connection *expect_listed(struct exchange *x, uint32_t query)
{
	const struct record *record = expect_record(x, RECORD_LISTED);
	assert_int_equal(record->query, query);
	assert_int_equal(record->start, x->start);
	assert_int_equal(record->connection.why, RECORD_OPEN);
	return &record->connection;
}

/* The connections that fit, by their clients' ports, which are all that is asked for: "40000 40002". */
static void fit(struct exchange *x, struct message message, const char *ports)
{
	char found[200] = "";
	x->record_read = x->record_count = 0;
	tell(x, message);
	finish(x);
	for (uint32_t port = 40000; port < 40100; port++)
		for (unsigned i = 0; i + 1 < x->record_count; i++)
			if (x->records[i].connection.client_port == port)
				snprintf(found + strlen(found), sizeof(found) - strlen(found), "%s%u",
				         *found ? " " : "", port);
	assert_string_equal(found, ports);
	assert_int_equal(x->records[x->record_count - 1].type, RECORD_QUERY_END);
	assert_int_equal(x->records[x->record_count - 1].end.matched, x->record_count - 1);
}

static struct conn *connected(struct exchange *x, uint16_t port, const char *address, const char *name)
{
	struct conn *c = conn_new(x, port);
	c->client = ip(address);
	request_write((char *)c->own_say, name, REQUEST_LEN);
	c->say = c->own_say;
	conn_splice(c);
	return c;
}

/* ---- lists ---- */

static void nothing_is_there(void **state)
{
	struct exchange *x = exchange_begin(state);
	tell(x, query_message(1, CONNECTIONS_LIST));
	finish(x);
	assert_int_equal(expect_end(x, 1, 0, 0)->refused, 0);
	expect_no_record(x);
	exchange_end(x);
}

static void every_state(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c[6];
	for (unsigned i = 0; i < 6; i++)
		c[i] = conn_new(x, (uint16_t)(40000 + i));
	conn_handshake(c[0]);
	conn_handshake(c[1]);
	request_write((char *)c[1]->own_say, "nobody.test", REQUEST_LEN);
	c[1]->say = c[1]->own_say;
	client_sends(c[1], "P. 1:101 ack 1 win 500");
	uint16_t answer = (uint16_t)(exchange_take(x).len - 54);
	conn_request(c[2]);
	conn_join(c[3]);
	conn_splice(c[4]);
	conn_splice(c[5]);
	client_sends(c[5], "R 101 win 0");
	forget_sent(x);
	tell(x, query_message(7, CONNECTIONS_LIST));
	finish(x);
	static const struct {
		enum record_state state;
		const char *name;
		unsigned in, attempts;
	} expected[] = {
	    {RECORD_HEAD, "", 0, 0},
	    {RECORD_ANSWER, "nobody.test", 100, 0},
	    {RECORD_CONNECTING, ONE_NAME, 100, 1},
	    {RECORD_JOINING, ONE_NAME, 100, 1},
	    {RECORD_SPLICED, ONE_NAME, 100, 1},
	    {RECORD_LINGERING, ONE_NAME, 100, 1},
	};
	for (unsigned i = 0; i < 6; i++) {
		const struct record_connection *r = expect_listed(x, 7);
		assert_int_equal(r->client_port, 40000 + i);
		assert_int_equal(r->state, expected[i].state);
		assert_string_equal(r->name.text, expected[i].name);
		assert_int_equal(r->bytes_in, expected[i].in);
		assert_int_equal(r->bytes_out, i == 1 ? answer : 0);
		assert_int_equal(r->attempts, expected[i].attempts);
		assert_int_equal(r->cluster, i < 2 ? CLUSTER_NONE : 0);
		assert_int_equal(r->local_port != 0, i >= 2);
	}
	expect_end(x, 7, 6, 0);
	struct message m = query_message(8, CONNECTIONS_LIST);
	m.connections.states = (uint8_t) ~(1 << RECORD_LINGERING) & ((1 << record_state_count) - 1);
	fit(x, m, "40000 40001 40002 40003 40004");
	m.connections.states = 1 << RECORD_LINGERING;
	fit(x, m, "40005");
	m.connections.states = 1 << RECORD_HEAD | 1 << RECORD_JOINING;
	fit(x, m, "40000 40003");
	exchange_end(x);
}

/* A place whose flow ended before its splice does not show the one before it. */
static void a_place_forgets_its_last_flow(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = connected(x, 40000, "198.51.100.2", APP_NAME);
	client_sends(c, "R 101 win 0");
	forget_sent(x);
	pass_ms(x, RST_LINGER_MS);
	c = conn_new(x, 40001);
	conn_join(c);
	client_sends(c, "R 101 win 0");
	forget_sent(x);
	tell(x, query_message(1, CONNECTIONS_LIST));
	finish(x);
	const struct record_connection *r = expect_listed(x, 1);
	assert_int_equal(r->state, RECORD_LINGERING);
	assert_string_equal(r->name.text, ONE_NAME);
	assert_int_equal(r->client_port, 40001);
	assert_int_equal(r->bytes_in, 100);
	exchange_end(x);
}

static void every_filter(void **state)
{
	struct exchange *x = exchange_begin(state);
	connected(x, 40000, "198.18.0.1", ONE_NAME);
	pass_ms(x, 50);
	connected(x, 40001, "198.18.0.2", "a." WILD_NAME);
	pass_ms(x, 50);
	connected(x, 40002, "198.18.1.1", ONE_NAME);
	struct message m = query_message(1, CONNECTIONS_LIST);
	fit(x, m, "40000 40001 40002");
	m.connections.cluster = 1;
	fit(x, m, "40001");
	m.connections.cluster = 5;
	fit(x, m, "");
	m = query_message(2, CONNECTIONS_LIST);
	m.connections.pair = 0;
	fit(x, m, "40000 40002");
	m.connections.cluster = 1; /* both at once: none */
	fit(x, m, "");
	m = query_message(3, CONNECTIONS_LIST);
	m.connections.host = 1; /* the second one of the first cluster got the third connection */
	fit(x, m, "40002");
	m = query_message(4, CONNECTIONS_LIST);
	m.connections.client = ip("198.18.0.0");
	m.connections.client_length = 120;
	fit(x, m, "40000 40001");
	m.connections.client = ip("198.18.1.1");
	m.connections.client_length = 128;
	fit(x, m, "40002");
	m = query_message(5, CONNECTIONS_LIST);
	m.connections.min_age = 90;
	fit(x, m, "40000");
	m.connections.min_age = 35;
	fit(x, m, "40000 40001");
	exchange_end(x);
}

/* Connections of a cluster that is gone are not those of the one that has its place now. */
static void each_cluster_has_its_own(void **state)
{
	static const struct message_share share = {
	    .pair = 5, .cluster = CLUSTERS_MAX, .weight = 10000, .http = 1, .https = 1};
	struct exchange *x = exchange_begin(state);
	connected(x, 40000, "198.18.0.1", ONE_NAME);
	struct message m = plain_message(MESSAGE_HOST_GONE);
	for (m.host_gone = (struct message_host_gone){0, 1}; m.host_gone.slot < 2; m.host_gone.slot++)
		tell(x, m);
	m = host_message(0, true);
	m.host.generation = 2;
	m.host.cluster = CLUSTERS_MAX;
	tell(x, m);
	tell(x, route_message(1, ONE_NAME, 1, &share));
	tell_end(x, MESSAGE_BATCH_END);
	connected(x, 40001, "198.18.0.2", ONE_NAME);
	m = query_message(1, CONNECTIONS_LIST);
	m.connections.cluster = 0;
	fit(x, m, "40000");
	m.connections.cluster = CLUSTERS_MAX;
	fit(x, m, "40001");
	m.connections.action = CONNECTIONS_CLOSE;
	tell(x, m);
	finish(x);
	forget_sent(x);
	m = query_message(2, CONNECTIONS_LIST);
	m.connections.states = 1 << RECORD_SPLICED;
	fit(x, m, "40000");
	exchange_end(x);
}

static void one_by_its_id(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_spliced(x, 40000);
	conn_spliced(x, 40001);
	tell(x, query_message(1, CONNECTIONS_LIST));
	finish(x);
	struct message m = query_message(2, CONNECTIONS_LIST);
	m.connections.id = expect_listed(x, 1)->id;
	fit(x, m, "40000");
	struct message other = m;
	other.connections.id ^= 1; /* of another worker */
	fit(x, other, "");
	other.connections.id = m.connections.id | 4095ULL << 6 | 0xffffff; /* no such place */
	fit(x, other, "");
	other.connections.id = UINT64_MAX;
	fit(x, other, "");
	client_sends(c, "R 101 win 0");
	forget_sent(x);
	pass_ms(x, RST_LINGER_MS);
	fit(x, m, "");
	conn_spliced(x, 40002); /* in its place */
	fit(x, m, "");
	exchange_end(x);
}

static void at_most_the_limit_is_listed_and_all_are_counted(void **state)
{
	struct exchange *x = exchange_begin(state);
	for (unsigned i = 0; i < 5; i++)
		conn_spliced(x, (uint16_t)(40000 + i));
	struct message m = query_message(1, CONNECTIONS_LIST);
	m.connections.limit = 2;
	tell(x, m);
	finish(x);
	expect_listed(x, 1);
	expect_listed(x, 1);
	expect_end(x, 1, 5, 0);
	m = query_message(2, CONNECTIONS_LIST);
	m.connections.limit = 0;
	tell(x, m);
	finish(x);
	expect_end(x, 2, 5, 0);
	exchange_end(x);
}

/* ---- closing ---- */

/* A RST in answer to what came from nowhere, with this number. */
static void expect_reset(struct conn *c, uint32_t seq)
{
	struct sent_frame sent = exchange_take(c->x);
	assert_int_equal(sent.data[47], TCP_RST);
	assert_int_equal(get_be32(sent.data + 38), seq);
}

static void close_all(struct exchange *x)
{
	tell(x, query_message(9, CONNECTIONS_CLOSE));
	worker_tick(x->worker, x->now_us += 200);
}

static void spliced_ones_are_reset_on_both_sides(void **state)
{
	struct exchange *x = exchange_begin(state);
	tell_log(x, 1, 0);
	struct conn *c = conn_spliced(x, 40000);
	router_sends(c, "P. 1:101 ack 101 win 400");
	expect_client(c, "P. 1:101 ack 101 win 400 fwd");
	client_sends(c, ". 101 ack 101 win 500");
	expect_router(c, ". 101 ack 101 win 500 fwd");
	close_all(x);
	expect_client(c, "R 101 win 0");
	expect_router(c, "R 101 win 0");
	expect_state(c, FLOW_FREE);
	const struct record *record = expect_record(x, RECORD_ENDED);
	assert_int_equal(record->connection.why, RECORD_CLOSED);
	assert_int_equal(record->connection.bytes_out, 100);
	finish(x);
	expect_end(x, 9, 1, 1);
	expect_no_record(x);
	expect_count(x, counter_ended_closed, 1);
	exchange_end(x);
}

/* What is on its way may arrive before the RST, or not. */
static void in_the_middle_of_traffic(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_spliced(x, 40000);
	router_sends(c, "P. 1:1001 ack 101 win 400");
	expect_client(c, "P. 1:1001 ack 101 win 400 fwd");
	client_sends(c, "P. 101:201 ack 1 win 500");
	expect_router(c, "P. 101:201 ack 1 win 500 fwd");
	close_all(x);
	expect_client(c, "R 1001 win 0");
	expect_client(c, "R 1 win 0");
	expect_router(c, "R 201 win 0");
	expect_router(c, "R 101 win 0");
	finish(x);
	expect_end(x, 9, 1, 1);
	/* Later segments of both are answered. */
	client_sends(c, ". 5201 ack 6001 win 500");
	expect_client(c, "R 6001 win 0");
	router_sends(c, ". 1001 ack 201 win 400");
	expect_reset(c, c->client_isn + 201);
	exchange_end(x);
}

static void young_ones_are_reset_on_their_side(void **state)
{
	struct exchange *x = exchange_begin(state);
	tell_log(x, 1, 1);
	struct conn *head = conn_new(x, 40000), *connecting = conn_new(x, 40001), *joining = conn_new(x, 40002);
	conn_handshake(head);
	conn_request(connecting);
	conn_join(joining);
	close_all(x);
	expect_client(head, "R 1 win 0");
	expect_client(connecting, "R 1 win 0");
	expect_client(joining, "R 1 win 0");
	expect_router(joining, "R 101 win 0");
	expect_router(joining, "R 1 win 0");
	finish(x);
	assert_int_equal(expect_record(x, RECORD_ENDED)->connection.state, RECORD_JOINING);
	expect_end(x, 9, 3, 3);
	router_sends(connecting, "S. 0 ack 1 win 65535 mss 1460 sackok ws 7");
	expect_reset(connecting, connecting->client_isn + 1);
	expect_no_record(x);
	exchange_end(x);
}

static void what_has_ended_is_left_alone(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_spliced(x, 40000);
	client_sends(c, "R 101 win 0");
	forget_sent(x);
	close_all(x);
	expect_silence(x);
	finish(x);
	expect_end(x, 9, 1, 0);
	expect_state(c, FLOW_LINGERING);
	exchange_end(x);
}

static void only_what_fits_is_closed(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *one = connected(x, 40000, "198.18.0.1", ONE_NAME);
	struct conn *other = connected(x, 40001, "198.18.0.2", "a." WILD_NAME);
	struct message m = query_message(1, CONNECTIONS_CLOSE);
	m.connections.cluster = 1;
	tell(x, m);
	finish(x);
	forget_sent(x);
	expect_state(one, FLOW_SPLICED);
	expect_state(other, FLOW_FREE);
	expect_end(x, 1, 1, 1);
	exchange_end(x);
}

/* Who gave the order has been told that it was not obeyed. */
static void an_order_that_waited_while_the_worker_stood_still_is_refused(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_spliced(x, 40000);
	x->now_us += 2500000;
	tell(x, query_message(1, CONNECTIONS_CLOSE));
	assert_int_equal(expect_end(x, 1, 0, 0)->refused, 1);
	worker_tick(x->worker, x->now_us += 200);
	pass_ms(x, 50);
	tell(x, query_message(2, CONNECTIONS_CLOSE)); /* the next one in the ring */
	assert_int_equal(expect_end(x, 2, 0, 0)->refused, 1);
	tell(x, query_message(3, CONNECTIONS_LIST));
	finish(x);
	expect_listed(x, 3);
	expect_end(x, 3, 1, 0);
	expect_silence(x);
	expect_state(c, FLOW_SPLICED);
	pass_ms(x, 60);
	tell(x, query_message(4, CONNECTIONS_CLOSE));
	finish(x);
	forget_sent(x);
	assert_int_equal(expect_end(x, 4, 1, 1)->refused, 0);
	expect_state(c, FLOW_FREE);
	exchange_end(x);
}

static void an_order_that_was_begun_ends_when_the_worker_stood_still(void **state)
{
	struct exchange *x = exchange_begin(state);
	for (unsigned i = 0; i < 100; i++)
		conn_spliced(x, (uint16_t)(30000 + i));
	tell(x, query_message(1, CONNECTIONS_LIST));
	tell(x, query_message(2, CONNECTIONS_CLOSE));
	tell(x, query_message(3, CONNECTIONS_CLOSE));
	for (unsigned i = 0; i < 3; i++)
		worker_tick(x->worker, x->now_us += 200);
	uint64_t closed = x->worker->queries.list[1].walk.closed, rest = 100 - closed;
	assert_in_range(closed, 1, 99);
	forget_sent(x);
	rest -= x->worker->queries.list[2].walk.closed;
	x->record_read = x->record_count;
	worker_tick(x->worker, x->now_us += 1500000);
	assert_int_equal(x->worker->queries.count, 1);
	const struct record *record = expect_record(x, RECORD_QUERY_END);
	assert_int_equal(record->query, 3);
	assert_int_equal(record->end.refused, 1);
	assert_int_equal(expect_end(x, 2, closed, closed)->refused, 1);
	finish(x);
	expect_silence(x);
	x->record_read = x->record_count;
	pass_ms(x, 200);
	tell(x, query_message(4, CONNECTIONS_LIST));
	finish(x);
	for (unsigned i = 0; i < rest; i++)
		expect_listed(x, 4);
	expect_end(x, 4, rest, 0);
	exchange_end(x);
}

/* ---- steps ---- */

static void a_step_looks_at_a_part_of_the_flows(void **state)
{
	struct exchange *x = exchange_begin(state); /* 4,096 places */
	conn_spliced(x, 40000);
	tell(x, query_message(1, CONNECTIONS_LIST));
	expect_no_record(x); /* nothing before the first tick */
	unsigned steps = finish(x);
	assert_true(steps >= 8 && steps <= 9);
	expect_listed(x, 1);
	expect_end(x, 1, 1, 0);
	exchange_end(x);
}

static void a_step_tells_and_closes_less(void **state)
{
	struct exchange *x = *state;
	x->config.limits.connections = 512;
	x->config.limits.young = 512;
	exchange_start(x);
	for (unsigned i = 0; i < 300; i++)
		conn_spliced(x, (uint16_t)(30000 + i));
	tell(x, query_message(1, CONNECTIONS_LIST));
	unsigned most = 0, before = 0;
	while (x->worker->queries.count > 0) {
		worker_tick(x->worker, x->now_us += 200);
		most = x->record_count - before > most ? x->record_count - before : most;
		before = x->record_count;
	}
	assert_in_range(most, 50, 64);
	assert_int_equal(x->record_count, 301);
	tell(x, query_message(2, CONNECTIONS_CLOSE));
	most = 0;
	while (x->worker->queries.count > 0) {
		worker_tick(x->worker, x->now_us += 200);
		most = x->sent_count > most ? x->sent_count : most;
		forget_sent(x);
	}
	assert_in_range(most, 24, 32); /* two each */
	expect_count(x, counter_ended_closed, 300);
	exchange_end(x);
}

/* Nothing is told twice or left out while the ring has no room. */
static void a_full_ring_is_waited_for(void **state)
{
	struct exchange *x = exchange_begin(state);
	for (unsigned i = 0; i < 50; i++)
		conn_spliced(x, (uint16_t)(40000 + i));
	tell(x, query_message(1, CONNECTIONS_LIST));
	x->record_room = 0;
	for (unsigned i = 0; i < 20; i++)
		worker_tick(x->worker, x->now_us += 200);
	expect_no_record(x);
	while (x->worker->queries.count > 0) {
		x->record_room = 7;
		for (unsigned i = 0; i < 10; i++)
			worker_tick(x->worker, x->now_us += 200);
	}
	for (unsigned i = 0; i < 50; i++) {
		const struct record *record = expect_record(x, RECORD_LISTED);
		assert_int_equal(record->connection.client_port, 40000 + i);
	}
	expect_end(x, 1, 50, 0);
	expect_no_record(x);
	expect_count(x, counter_record_lost, 0);
	exchange_end(x);
}

/* ---- the queue ---- */

static void some_at_once_the_others_in_order(void **state)
{
	struct exchange *x = exchange_begin(state);
	unsigned all = QUERIES_AT_ONCE + QUERIES_WAITING;
	for (unsigned i = 1; i <= all + 2; i++)
		tell(x, query_message(i, CONNECTIONS_LIST));
	for (unsigned i = all + 1; i <= all + 2; i++) /* too many */
		assert_int_equal(expect_end(x, i, 0, 0)->refused, 1);
	expect_no_record(x);
	assert_int_equal(finish(x), all * 8);
	for (unsigned i = 1; i <= all; i++)
		assert_int_equal(expect_end(x, i, 0, 0)->refused, 0);
	tell(x, query_message(50, CONNECTIONS_LIST)); /* there is room again */
	finish(x);
	assert_int_equal(expect_end(x, 50, 0, 0)->refused, 0);
	exchange_end(x);
}

static void a_refusal_that_has_no_room_is_lost_and_counted(void **state)
{
	struct exchange *x = exchange_begin(state);
	for (unsigned i = 1; i <= QUERIES_AT_ONCE + QUERIES_WAITING; i++)
		tell(x, query_message(i, CONNECTIONS_LIST));
	x->record_room = 0;
	tell(x, query_message(90, CONNECTIONS_LIST));
	expect_count(x, counter_record_lost, 1);
	expect_no_record(x);
	exchange_end(x);
}

static void a_new_start_drops_all(void **state)
{
	struct exchange *x = exchange_begin(state);
	conn_spliced(x, 40000);
	for (unsigned i = 1; i <= 10; i++)
		tell(x, query_message(i, i % 2 ? CONNECTIONS_CLOSE : CONNECTIONS_LIST));
	tell(x, plain_message(MESSAGE_SYNC_BEGIN)); /* a resync alone changes nothing */
	assert_int_equal(x->worker->queries.count, 10);
	shared_set(&x->shared->control_start, 78);
	x->start = 78;
	tell_everything(x);
	pass_ms(x, 100);
	expect_no_record(x);
	tell(x, query_message(11, CONNECTIONS_LIST));
	finish(x);
	expect_listed(x, 11);
	expect_end(x, 11, 1, 0);
	exchange_end(x);
}

/* ---- which are believed ---- */

static void queries_stand_outside_of_batches_and_resyncs(void **state)
{
	struct exchange *x = exchange_begin(state);
	for (unsigned i = 0; i < MESSAGE_BATCH_MAX; i++)
		tell(x, host_message(0, i % 2));
	tell(x, query_message(1, CONNECTIONS_LIST)); /* not one of the batch, which is full */
	tell_end(x, MESSAGE_BATCH_END);
	finish(x);
	expect_end(x, 1, 0, 0);
	assert_int_equal(x->event_count, 0);
	tell(x, plain_message(MESSAGE_SYNC_BEGIN));
	tell(x, query_message(2, CONNECTIONS_LIST));
	finish(x);
	expect_end(x, 2, 0, 0);
	exchange_end(x);
}

static void a_gap_or_another_start_is_not_answered(void **state)
{
	struct exchange *x = exchange_begin(state);
	x->start = 76;
	tell(x, query_message(1, CONNECTIONS_LIST));
	x->start = 77;
	assert_int_equal(x->worker->queries.count, 0);
	assert_int_equal(x->event_count, 0);
	tell(x, query_message(2, CONNECTIONS_LIST)); /* one number was left out */
	assert_int_equal(x->worker->queries.count, 0);
	assert_int_equal(x->event_count, 1);
	struct message broken = query_message(3, CONNECTIONS_LIST);
	broken.connections.query = 0;
	tell_everything(x);
	tell(x, broken);
	assert_int_equal(x->worker->queries.count, 0);
	assert_int_equal(x->event_count, 2);
	expect_count(x, counter_message_discarded, 3);
	exchange_end(x);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, exchange_setup, exchange_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(nothing_is_there),
	    TEST(every_state),
	    TEST(a_place_forgets_its_last_flow),
	    TEST(every_filter),
	    TEST(each_cluster_has_its_own),
	    TEST(one_by_its_id),
	    TEST(at_most_the_limit_is_listed_and_all_are_counted),
	    TEST(spliced_ones_are_reset_on_both_sides),
	    TEST(in_the_middle_of_traffic),
	    TEST(young_ones_are_reset_on_their_side),
	    TEST(what_has_ended_is_left_alone),
	    TEST(only_what_fits_is_closed),
	    TEST(an_order_that_waited_while_the_worker_stood_still_is_refused),
	    TEST(an_order_that_was_begun_ends_when_the_worker_stood_still),
	    TEST(a_step_looks_at_a_part_of_the_flows),
	    TEST(a_step_tells_and_closes_less),
	    TEST(a_full_ring_is_waited_for),
	    TEST(some_at_once_the_others_in_order),
	    TEST(a_refusal_that_has_no_room_is_lost_and_counted),
	    TEST(a_new_start_drops_all),
	    TEST(queries_stand_outside_of_batches_and_resyncs),
	    TEST(a_gap_or_another_start_is_not_answered),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
