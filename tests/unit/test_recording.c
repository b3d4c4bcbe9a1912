/* recording.c: what is told of connections that ended and of names that were refused. What queries are told is tested
 * in test_query.c. */
#include "exchange.h"

enum { GB = 1000000000 };

static struct exchange *begin_logged(void **state)
{
	struct exchange *x = exchange_begin(state);
	tell_log(x, 1, 1000);
	return x;
}

/* From spliced, with nothing said since. */
static void end_by_fin(struct conn *c)
{
	client_sends(c, "F. 101 ack 1 win 500");
	expect_router(c, "F. 101 ack 1 win 500 fwd");
	router_sends(c, "F. 1 ack 102 win 400");
	expect_client(c, "F. 1 ack 102 win 400 fwd");
	client_sends(c, ". 102 ack 2 win 500");
	expect_router(c, ". 102 ack 2 win 500 fwd");
	expect_state(c, FLOW_LINGERING);
}

static void end_by_rst(struct conn *c)
{
	client_sends(c, "R 101 win 0");
	expect_router(c, "R 101 win 0 fwd");
	expect_state(c, FLOW_LINGERING);
}

static const struct record_connection *expect_ended(struct exchange *x, enum record_why why)
{
	const struct record *record = expect_record(x, RECORD_ENDED);
	assert_int_equal(record->connection.why, why);
	assert_int_equal(record->query, 0);
	assert_int_equal(record->start, 0);
	assert_int_equal(record->at_us, x->now_us);
	return &record->connection;
}

/* A request for this name, over HTTP; the answer is taken. */
static struct conn *refused(struct exchange *x, uint16_t client_port, const char *name)
{
	struct conn *c = conn_new(x, client_port);
	conn_handshake(c);
	request_write((char *)c->own_say, name, REQUEST_LEN);
	c->say = c->own_say;
	client_sends(c, "P. 1:101 ack 1 win 500");
	exchange_take(x);
	expect_state(c, FLOW_ANSWER);
	return c;
}

/* ---- ends ---- */

static void nothing_is_recorded_unless_control_says_so(void **state)
{
	struct exchange *x = exchange_begin(state);
	end_by_fin(conn_spliced(x, 40000));
	refused(x, 40001, "nobody.test");
	expect_no_record(x);
	tell_log(x, 1, 1);
	end_by_fin(conn_spliced(x, 40002));
	expect_ended(x, RECORD_FIN);
	tell_log(x, 0, 0);
	end_by_fin(conn_spliced(x, 40003));
	refused(x, 40004, "nobody.test");
	expect_no_record(x);
	expect_count(x, counter_record_lost, 0);
	exchange_end(x);
}

static void everything_that_is_told(void **state)
{
	struct exchange *x = begin_logged(state);
	struct conn *c = conn_new(x, 40000);
	conn_handshake(c);
	pass_ms(x, 7);
	client_sends(c, "P. 1:101 ack 1 win 500");
	unsigned slot = expect_syn(c);
	pass_ms(x, 3);
	router_sends(c, "S. 0 ack 1 win 65535 mss 1460 sackok ws 7");
	expect_router(c, "P. 1:101 ack 1 win 500");
	router_sends(c, ". 1 ack 101 win 400");
	exchange_take(x);
	router_sends(c, "P. 1:1001 ack 101 win 400");
	expect_client(c, "P. 1:1001 ack 101 win 400 fwd");
	pass_ms(x, 40);
	client_sends(c, "F. 101 ack 1001 win 500");
	expect_router(c, "F. 101 ack 1001 win 500 fwd");
	router_sends(c, "F. 1001 ack 102 win 400");
	expect_client(c, "F. 1001 ack 102 win 400 fwd");
	client_sends(c, ". 102 ack 1002 win 500");
	expect_router(c, ". 102 ack 1002 win 500 fwd");
	const struct record_connection *r = expect_ended(x, RECORD_FIN);
	struct address router = exchange_host(slot);
	assert_true(r->id > 0 && r->id < 1ULL << 53);
	assert_true(address_equal(&r->client, &c->client));
	assert_true(address_equal(&r->router, &router));
	assert_int_equal(r->client_port, 40000);
	assert_int_equal(r->router_port, 80);
	assert_int_equal(r->local_port, c->local_port);
	assert_int_equal(r->listener, 0);
	assert_int_equal(r->cluster, 0);
	assert_int_equal(r->state, RECORD_SPLICED);
	assert_int_equal(r->pair, 0);
	assert_int_equal(r->host, slot);
	assert_int_equal(r->host_generation, 1);
	assert_int_equal(r->age, 50);
	assert_int_equal(r->head, 7);
	assert_int_equal(r->connect, 3);
	assert_int_equal(r->idle, 0);
	assert_int_equal(r->attempts, 1);
	assert_int_equal(r->bytes_in, 100);
	assert_int_equal(r->bytes_out, 1000);
	assert_string_equal(r->name.text, ONE_NAME);
	assert_int_equal(r->name.len, strlen(ONE_NAME));
	pass_ms(x, 3000);
	expect_no_record(x); /* once */
	exchange_end(x);
}

static void every_way_to_end(void **state)
{
	struct exchange *x = begin_logged(state);
	struct conn *c = conn_spliced(x, 40000);
	end_by_rst(c);
	expect_ended(x, RECORD_RST);
	c = conn_spliced(x, 40001);
	router_sends(c, "R 1 win 0");
	expect_client(c, "R 1 win 0 fwd");
	expect_ended(x, RECORD_RST);
	x->config.timeouts.idle = 5000;
	conn_spliced(x, 40002);
	pass_ms(x, 5000);
	exchange_take(x);
	exchange_take(x);
	assert_int_equal(expect_ended(x, RECORD_IDLE)->idle, 5000);
	conn_spliced(x, 40003);
	shared_set(&x->shared->vip_held[0], 0);
	pass_ms(x, 3001);
	exchange_take(x);
	expect_ended(x, RECORD_VIP_LOST);
	shared_set(&x->shared->vip_held[0], 1);
	pass_ms(x, 1);
	conn_spliced(x, 40004);
	exchange_end(x);
	expect_ended(x, RECORD_SHUTDOWN);
	expect_no_record(x);
}

/* Joined, not spliced: that it never was is told by its state. */
static void ends_while_joining(void **state)
{
	struct exchange *x = begin_logged(state);
	struct conn *c = conn_new(x, 40000);
	conn_join(c);
	client_sends(c, "R 101 win 0");
	expect_router(c, "R 101 win 0 fwd");
	const struct record_connection *r = expect_ended(x, RECORD_RST);
	assert_int_equal(r->state, RECORD_JOINING);
	assert_int_equal(r->bytes_in, 100);
	assert_int_equal(r->bytes_out, 0);
	assert_string_equal(r->name.text, ONE_NAME);
	c = conn_new(x, 40001);
	conn_handshake(c);
	client_sends(c, "P. 1:51 ack 1 win 500");
	exchange_take(x);
	client_sends(c, "P. 51:101 ack 1 win 500");
	expect_syn(c);
	router_sends(c, "S. 0 ack 1 win 65535 mss 1460 sackok ws 7");
	x->sent_first = x->sent_count = 0;
	pass_ms(x, JOIN_LIMIT_MS);
	x->sent_first = x->sent_count = 0;
	expect_count(x, counter_ended_join, 1);
	assert_int_equal(expect_ended(x, RECORD_JOIN)->state, RECORD_JOINING);
	expect_no_record(x);
	exchange_end(x);
}

/* Nothing of them went to a router host. */
static void young_ones_end_in_silence(void **state)
{
	struct exchange *x = begin_logged(state);
	struct conn *c = conn_new(x, 40000);
	conn_handshake(c);
	client_sends(c, "R 1 win 0");
	c = conn_new(x, 40001);
	conn_request(c);
	client_sends(c, "R 101 win 0");
	conn_handshake(conn_new(x, 40002));
	exchange_end(x);
	expect_no_record(x);
}

static void each_nth(void **state)
{
	struct exchange *x = exchange_begin(state);
	tell_log(x, 3, 0);
	for (unsigned i = 0; i < 10; i++) {
		end_by_rst(conn_spliced(x, (uint16_t)(40000 + i)));
		tell_everything(x);
		tell_log(x, 3, 0); /* said again with a resync: nothing new */
	}
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(expect_ended(x, RECORD_RST)->client_port, 40002 + 3 * i);
	expect_no_record(x);
	exchange_end(x);
}

static void a_retry_counts_its_attempts(void **state)
{
	struct exchange *x = begin_logged(state);
	struct conn *c = conn_new(x, 40000);
	conn_request(c);
	router_sends(c, "R. 0 ack 1 win 0");
	unsigned second = expect_syn(c);
	router_sends(c, "S. 0 ack 1 win 65535 mss 1460 sackok ws 7");
	expect_router(c, "P. 1:101 ack 1 win 500");
	router_sends(c, ". 1 ack 101 win 400");
	exchange_take(x);
	end_by_rst(c);
	const struct record_connection *r = expect_ended(x, RECORD_RST);
	assert_int_equal(r->attempts, 2);
	assert_int_equal(r->host, second);
	exchange_end(x);
}

static void each_connection_has_its_id(void **state)
{
	struct exchange *x = begin_logged(state);
	uint64_t ids[64];
	for (unsigned i = 0; i < 64; i++) {
		struct conn *c = conn_spliced(x, (uint16_t)(40000 + i));
		if (i % 2)
			pass_ms(x, RST_LINGER_MS); /* the next one gets the place of one before */
		end_by_rst(c);
		ids[i] = expect_ended(x, RECORD_RST)->id;
		for (unsigned k = 0; k < i; k++)
			assert_true(ids[i] != ids[k]);
	}
	exchange_end(x);
}

/* The worker's number is in it. */
static void ids_differ_between_workers(void **state)
{
	struct exchange *x = *state;
	x->index = 3;
	x->count = 4;
	exchange_start(x);
	tell_log(x, 1, 0);
	for (uint16_t port = 40000;; port++) {
		struct conn *c = conn_new(x, port);
		client_sends(c, "S 0 win 64240 mss 1460 sackok ws 7");
		if (x->sent_count == 0)
			continue; /* another worker's */
		x->sent_first = x->sent_count = 0;
		c = conn_new(x, port);
		conn_splice(c);
		end_by_rst(c);
		break;
	}
	assert_int_equal(expect_ended(x, RECORD_RST)->id & 63, 3);
	exchange_end(x);
}

/* ---- bytes ---- */

/* What was lost and comes again counts once; a FIN and the probes of a window of 0 do not count. */
static void bytes_count_once(void **state)
{
	struct exchange *x = begin_logged(state);
	struct conn *c = conn_spliced(x, 40000);
	for (unsigned i = 0; i < 3; i++) {
		router_sends(c, "P. 1:1001 ack 101 win 400");
		expect_client(c, "P. 1:1001 ack 101 win 400 fwd");
		router_sends(c, "P. 501:1301 ack 101 win 400");
		expect_client(c, "P. 501:1301 ack 101 win 400 fwd");
	}
	client_sends(c, ". 100 ack 1301 win 0"); /* a keepalive probe */
	expect_router(c, ". 100 ack 1301 win 0 fwd");
	router_sends(c, ". 1301:1302 ack 101 win 400"); /* into the closed window */
	expect_client(c, ". 1301:1302 ack 101 win 400 fwd");
	for (unsigned i = 0; i < 2; i++) {
		client_sends(c, "FP. 101:151 ack 1301 win 0");
		expect_router(c, "FP. 101:151 ack 1301 win 0 fwd");
	}
	pass_ms(x, 60000);
	x->sent_first = x->sent_count = 0;
	const struct record_connection *r = expect_ended(x, RECORD_IDLE);
	assert_int_equal(r->bytes_in, 150);
	assert_int_equal(r->bytes_out, 1300);
	exchange_end(x);
}

/* A number far behind the window, as a forger would send it, is forwarded unchecked and does not count. */
static void numbers_behind_the_window_do_not_count(void **state)
{
	struct exchange *x = begin_logged(state);
	struct conn *c = conn_spliced(x, 40000);
	router_sends(c, "P. 1:1001 ack 101 win 400");
	expect_client(c, "P. 1:1001 ack 101 win 400 fwd");
	client_sends(c, ". 101 ack 1001 win 500");
	expect_router(c, ". 101 ack 1001 win 500 fwd");
	router_sends(c, "P. 1000000001:1000000011 ack 101 win 400");
	exchange_take(x);
	end_by_rst(c);
	const struct record_connection *r = expect_ended(x, RECORD_RST);
	assert_int_equal(r->bytes_out, 1000 + (500 << 7));
	exchange_end(x);
}

/* To `to` (counted in bytes from the beginning) in jumps that no window forbids: holes are the endpoints' business. */
static void flood(struct conn *c, enum side side, uint64_t from, uint64_t to)
{
	char text[120];
	while (from < to) {
		from = to - from > GB ? from + GB : to;
		uint64_t seq = (side == SIDE_CLIENT ? 101 : 1) + from - 10;
		if (side == SIDE_CLIENT) {
			snprintf(text, sizeof(text), ". %u:%u ack 1 win 500", (uint32_t)seq, (uint32_t)seq + 10);
			client_sends(c, text);
			exchange_take(c->x);
			snprintf(text, sizeof(text), ". 1 ack %u win 400", (uint32_t)seq + 10);
			router_sends(c, text);
		} else {
			snprintf(text, sizeof(text), ". %u:%u ack 101 win 400", (uint32_t)seq, (uint32_t)seq + 10);
			router_sends(c, text);
			exchange_take(c->x);
			snprintf(text, sizeof(text), ". 101 ack %u win 500", (uint32_t)seq + 10);
			client_sends(c, text);
		}
		exchange_take(c->x);
	}
}

static void bytes_beyond_4_gb(void **state)
{
	static const uint64_t amounts[] = {10, (1ULL << 32) - 1, 1ULL << 32, (1ULL << 32) + 1, 9876543210, 40000000000};
	struct exchange *x = begin_logged(state);
	x->config.timeouts.idle = 1000;
	for (unsigned i = 0; i < sizeof(amounts) / sizeof(amounts[0]); i++) {
		struct conn *c = conn_spliced(x, (uint16_t)(40000 + 2 * i));
		flood(c, SIDE_ROUTER, 0, amounts[i]);
		pass_ms(x, 1000);
		x->sent_first = x->sent_count = 0;
		const struct record_connection *r = expect_ended(x, RECORD_IDLE);
		assert_int_equal(r->bytes_out, amounts[i]);
		assert_int_equal(r->bytes_in, 100);
		c = conn_spliced(x, (uint16_t)(40001 + 2 * i));
		flood(c, SIDE_CLIENT, 0, amounts[i]);
		pass_ms(x, 1000);
		x->sent_first = x->sent_count = 0;
		r = expect_ended(x, RECORD_IDLE);
		assert_int_equal(r->bytes_in, 100 + amounts[i]);
		assert_int_equal(r->bytes_out, 0);
	}
	exchange_end(x);
}

/* The first bytes of both sides already pass 2^32, some of them before the splice. */
static void numbers_wrap_at_the_beginning(void **state)
{
	struct exchange *x = begin_logged(state);
	for (uint32_t before = 0; before < 110; before += 10) {
		struct conn *c = conn_new(x, (uint16_t)(40000 + before));
		c->client_isn = c->router_isn = 0 - before - 1;
		conn_splice(c);
		router_sends(c, "P. 1:101 ack 101 win 400");
		expect_client(c, "P. 1:101 ack 101 win 400 fwd");
		end_by_rst(c);
		const struct record_connection *r = expect_ended(x, RECORD_RST);
		assert_int_equal(r->bytes_in, 100);
		assert_int_equal(r->bytes_out, 100);
	}
	exchange_end(x);
}

/* ---- refusals ---- */

static const struct record_connection *expect_refused(struct exchange *x, enum record_why why)
{
	const struct record *record = expect_record(x, RECORD_REFUSED);
	assert_int_equal(record->connection.why, why);
	assert_int_equal(record->connection.state, RECORD_ANSWER);
	return &record->connection;
}

static void every_answer_is_recorded(void **state)
{
	struct exchange *x = begin_logged(state);
	refused(x, 40000, "nobody.test");
	const struct record_connection *r = expect_refused(x, RECORD_UNKNOWN_NAME);
	assert_string_equal(r->name.text, "nobody.test");
	assert_int_equal(r->client_port, 40000);
	assert_int_equal(r->cluster, CLUSTER_NONE);
	assert_int_equal(r->host, SLOT_NONE);
	assert_int_equal(r->pair, SLOT_NONE);
	assert_int_equal(r->attempts, 0);
	assert_int_equal(r->bytes_in, REQUEST_LEN);
	assert_int_equal(r->bytes_out, 0);
	refused(x, 40001, SECURE_NAME);
	expect_refused(x, RECORD_NOT_SERVED);
	tell_host(x, 0, false);
	tell_host(x, 1, false);
	refused(x, 40002, ONE_NAME);
	assert_string_equal(expect_refused(x, RECORD_UNHEALTHY)->name.text, ONE_NAME);
	struct conn *c = conn_new(x, 40003);
	conn_handshake(c);
	c->say = (const uint8_t *)"GET / HTTP/1.0\r\n\r\n";
	c->say_len = 18;
	client_sends(c, "P. 1:19 ack 1 win 500");
	exchange_take(x);
	assert_int_equal(expect_refused(x, RECORD_NO_NAME)->name.len, 0);
	c = conn_new(x, 40004);
	conn_handshake(c);
	c->say = (const uint8_t *)"\x01\x02\x03\x04 / \x05";
	c->say_len = 8;
	client_sends(c, "P. 1:9 ack 1 win 500");
	exchange_take(x);
	assert_int_equal(expect_refused(x, RECORD_MALFORMED)->name.len, 0);
	c = conn_new(x, 40005);
	conn_handshake(c);
	client_sends(c, "P. 1:51 ack 1 win 500");
	exchange_take(x);
	pass_ms(x, 10000);
	x->sent_first = x->sent_count = 0;
	expect_refused(x, RECORD_TIMEOUT);
	expect_no_record(x);
	exchange_end(x);
}

static void failed_connects_name_the_last_router_host(void **state)
{
	struct exchange *x = begin_logged(state);
	struct conn *c = conn_new(x, 40000);
	conn_request(c);
	router_sends(c, "R. 0 ack 1 win 0");
	unsigned second = expect_syn(c);
	router_sends(c, "R. 0 ack 1 win 0");
	exchange_take(x);
	const struct record_connection *r = expect_refused(x, RECORD_CONNECT_FAILED);
	struct address router = exchange_host(second);
	assert_int_equal(r->attempts, 2);
	assert_int_equal(r->host, second);
	assert_int_equal(r->cluster, 0);
	assert_true(address_equal(&r->router, &router));
	assert_int_equal(r->local_port, 0);
	assert_string_equal(r->name.text, ONE_NAME);
	expect_no_record(x);
	exchange_end(x);
}

static void silence_is_not_recorded(void **state)
{
	struct exchange *x = begin_logged(state);
	conn_handshake(conn_new(x, 40000));
	pass_ms(x, 10000);
	x->sent_first = x->sent_count = 0;
	expect_count(x, counter_closed_silent, 1);
	expect_no_record(x);
	exchange_end(x);
}

static void refusals_are_bounded_per_second(void **state)
{
	struct exchange *x = exchange_begin(state);
	tell_log(x, 0, 5);
	uint16_t port = 20000;
	for (unsigned i = 0; i < 20; i++)
		refused(x, port++, "nobody.test");
	assert_int_equal(x->record_count, 5);
	pass_ms(x, 199);
	x->sent_first = x->sent_count = 0;
	refused(x, port++, "nobody.test");
	assert_int_equal(x->record_count, 5);
	pass_ms(x, 1);
	x->sent_first = x->sent_count = 0;
	refused(x, port++, "nobody.test");
	refused(x, port++, "nobody.test");
	assert_int_equal(x->record_count, 6);
	pass_ms(x, 15000); /* not more than one second's */
	x->sent_first = x->sent_count = 0;
	for (unsigned i = 0; i < 20; i++)
		refused(x, port++, "nobody.test");
	assert_int_equal(x->record_count, 11);
	expect_count(x, counter_record_lost, 0);
	exchange_end(x);
}

static void what_a_full_ring_does_not_take_is_counted(void **state)
{
	struct exchange *x = begin_logged(state);
	x->record_room = 1;
	for (unsigned i = 0; i < 3; i++)
		end_by_rst(conn_spliced(x, (uint16_t)(40000 + i)));
	refused(x, 40010, "nobody.test");
	assert_int_equal(expect_ended(x, RECORD_RST)->client_port, 40000);
	expect_no_record(x);
	expect_count(x, counter_record_lost, 3);
	exchange_end(x);
}

/* ---- who says so ---- */

static void the_log_is_a_command_of_the_announced_start(void **state)
{
	struct exchange *x = exchange_begin(state);
	x->start = 76; /* an older control */
	tell_log(x, 1, 0);
	x->start = 77;
	x->sequence--;
	end_by_rst(conn_spliced(x, 40000));
	expect_no_record(x);
	expect_count(x, counter_message_discarded, 1);
	tell(x, plain_message(MESSAGE_SYNC_BEGIN));
	tell_log(x, 1, 0); /* in the middle of a resync, at once */
	end_by_rst(conn_spliced(x, 40001));
	expect_ended(x, RECORD_RST);
	shared_set(&x->shared->control_start, 78); /* a new control says nothing about it yet */
	x->start = 78;
	tell_everything(x);
	end_by_rst(conn_spliced(x, 40002));
	expect_ended(x, RECORD_RST);
	exchange_end(x);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, exchange_setup, exchange_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(nothing_is_recorded_unless_control_says_so),
	    TEST(everything_that_is_told),
	    TEST(every_way_to_end),
	    TEST(ends_while_joining),
	    TEST(young_ones_end_in_silence),
	    TEST(each_nth),
	    TEST(a_retry_counts_its_attempts),
	    TEST(each_connection_has_its_id),
	    TEST(ids_differ_between_workers),
	    TEST(bytes_count_once),
	    TEST(numbers_behind_the_window_do_not_count),
	    TEST(bytes_beyond_4_gb),
	    TEST(numbers_wrap_at_the_beginning),
	    TEST(every_answer_is_recorded),
	    TEST(failed_connects_name_the_last_router_host),
	    TEST(silence_is_not_recorded),
	    TEST(refusals_are_bounded_per_second),
	    TEST(what_a_full_ring_does_not_take_is_counted),
	    TEST(the_log_is_a_command_of_the_announced_start),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
