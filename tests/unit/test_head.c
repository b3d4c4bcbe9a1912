/* head.c: the client's first bytes in any pieces and order, what is acknowledged and offered meanwhile, and what ends
 * the wait. The collecting itself is tested against a model in test_head_pieces.c. */
#include "exchange.h"

enum { LIMIT = 16384, SMALL_LIMIT = 2048 };

static struct conn *in_head(struct exchange *x, uint16_t client_port)
{
	struct conn *c = conn_new(x, client_port);
	conn_handshake(c);
	return c;
}

/* ---- pieces as packets ---- */

static void byte_by_byte(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = in_head(x, 40000);
	for (unsigned n = 1; n < REQUEST_LEN; n++) {
		char sent[64], expected[64];
		snprintf(sent, sizeof(sent), "P. %u:%u ack 1 win 500", n, n + 1);
		snprintf(expected, sizeof(expected), ". 1 ack %u win 128", n + 1);
		client_sends(c, sent);
		expect_client(c, expected);
	}
	/* The one that completes the head is not acknowledged by us. */
	client_sends(c, "P. 100:101 ack 1 win 500");
	expect_router(c, "S 0 win 64000 mss 1460 ws 7 sackok");
	expect_silence(x);
	expect_state(c, FLOW_CONNECTING);
	exchange_end(x);
}

static void out_of_order_and_twice(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = in_head(x, 40000);
	client_sends(c, "P. 81:101 ack 1 win 500");
	expect_client(c, ". 1 ack 1 win 128");
	client_sends(c, "P. 21:41 ack 1 win 500");
	expect_client(c, ". 1 ack 1 win 128");
	client_sends(c, "P. 21:41 ack 1 win 500");
	expect_client(c, ". 1 ack 1 win 128");
	client_sends(c, "P. 1:21 ack 1 win 500");
	expect_client(c, ". 1 ack 41 win 128");
	client_sends(c, "P. 1:41 ack 1 win 500");
	expect_client(c, ". 1 ack 41 win 128");
	client_sends(c, "P. 31:91 ack 1 win 500");
	expect_router(c, "S 0 win 64000 mss 1460 ws 7 sackok");
	exchange_end(x);
}

/* A different byte that comes later changes nothing: what was held is what is looked at and sent. */
static void the_first_byte_wins(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = in_head(x, 40000);
	char other[REQUEST_LEN + 1];
	request_write(other, APP_NAME, REQUEST_LEN);
	client_sends(c, "P. 21:41 ack 1 win 500"); /* with the name */
	expect_client(c, ". 1 ack 1 win 128");
	client_sends_bytes(c, "P. 1:81 ack 1 win 500", other);
	expect_client(c, ". 1 ack 81 win 128");
	client_sends_bytes(c, "P. 21:101 ack 1 win 500", other + 20);
	assert_in_range(expect_syn(c), 0, 1);
	assert_string_equal(flow_young(x->worker, conn_flow(c))->name.text, ONE_NAME);
	router_sends(c, "S. 0 ack 1 win 65535 mss 1460 sackok ws 7");
	expect_router(c, "P. 1:101 ack 1 win 500");
	exchange_end(x);
}

static void too_many_pieces_are_dropped(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = in_head(x, 40000);
	for (unsigned n = 0; n < YOUNG_RANGES; n++) {
		char text[64];
		snprintf(text, sizeof(text), "P. %u:%u ack 1 win 500", 11 + 10 * n, 12 + 10 * n);
		client_sends(c, text);
		expect_client(c, ". 1 ack 1 win 128");
	}
	client_sends(c, "P. 95:96 ack 1 win 500");
	expect_silence(x);
	expect_count(x, counter_drop_no_room, 1);
	client_sends(c, "P. 1:50 ack 1 win 500");
	expect_client(c, ". 1 ack 50 win 128");
	client_sends(c, "P. 50:101 ack 1 win 500");
	expect_syn(c);
	exchange_end(x);
}

static void numbers_wrap_inside_the_head(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_new(x, 40000);
	c->client_isn = 0xffffffff - 40;
	conn_handshake(c);
	client_sends(c, "P. 61:101 ack 1 win 500");
	expect_client(c, ". 1 ack 1 win 128");
	client_sends(c, "P. 1:31 ack 1 win 500");
	expect_client(c, ". 1 ack 31 win 128");
	client_sends(c, "P. 31:61 ack 1 win 500");
	expect_router(c, "S 0 win 64000 mss 1460 ws 7 sackok");
	router_sends(c, "S. 0 ack 1 win 65535 mss 1460 sackok ws 7");
	expect_router(c, "P. 1:101 ack 1 win 500");
	exchange_end(x);
}

/* ---- the limit ---- */

/* A head of `len` bytes in full segments, each acknowledged but the last. */
static struct conn *long_head(struct exchange *x, uint32_t len, const char *client_options)
{
	static char head[LIMIT + 200];
	struct conn *c = conn_new(x, 40000);
	request_write(head, ONE_NAME, len);
	c->say = (const uint8_t *)head;
	c->say_len = len;
	c->client_options = client_options;
	conn_handshake(c);
	for (uint32_t at = 0; at < len; at += 1460) {
		char text[64];
		snprintf(text, sizeof(text), "P. %u:%u ack 1 win 500", 1 + at, 1 + (len - at < 1460 ? len : at + 1460));
		client_sends(c, text);
		if (len - at > 1460)
			exchange_take(x);
	}
	return c;
}

static void a_head_of_exactly_the_limit(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = long_head(x, LIMIT, "mss 1460 sackok ws 7");
	assert_in_range(expect_syn(c), 0, 1);
	expect_state(c, FLOW_CONNECTING);
	expect_count(x, counter_heads_large, 1);
	exchange_end(x);
}

static void one_byte_over_the_limit_is_too_large(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = long_head(x, LIMIT + 1, "mss 1460 sackok ws 7");
	exchange_take(x);
	expect_state(c, FLOW_ANSWER);
	expect_count(x, counter_answer_too_large, 1);
	exchange_end(x);
}

/* As soon as the limit is reached, without waiting for the byte that is over it. */
static void a_full_head_without_an_end_is_too_large(void **state)
{
	struct exchange *x = *state;
	static char head[SMALL_LIMIT + 1];
	x->config.limits.head_bytes = SMALL_LIMIT;
	exchange_start(x);
	struct conn *c = conn_new(x, 40000);
	request_write(head, ONE_NAME, SMALL_LIMIT + 1);
	c->say = (const uint8_t *)head;
	c->say_len = SMALL_LIMIT + 1;
	conn_handshake(c);
	client_sends(c, "P. 1:1001 ack 1 win 500");
	expect_client(c, ". 1 ack 1001 win 9");
	client_sends(c, "P. 1001:2048 ack 1 win 500");
	expect_client(c, ". 1 ack 2048 win 1");
	client_sends(c, "P. 2048:2049 ack 1 win 500");
	exchange_take(x);
	expect_state(c, FLOW_ANSWER);
	expect_count(x, counter_answer_too_large, 1);
	exchange_end(x);
}

static void the_limit_counts_without_scaling_too(void **state)
{
	for (uint32_t over = 0; over <= 1; over++) {
		struct exchange *x = exchange_begin(state);
		struct conn *c = long_head(x, LIMIT + over, "mss 1460 sackok");
		exchange_take(x);
		expect_state(c, over ? FLOW_ANSWER : FLOW_CONNECTING);
		exchange_end(x);
		exchange_teardown(state);
		exchange_setup(state);
	}
}

/* A body behind the head is no part of it. */
static void a_body_does_not_count(void **state)
{
	struct exchange *x = *state;
	x->config.limits.head_bytes = SMALL_LIMIT;
	exchange_start(x);
	struct conn *c = in_head(x, 40000);
	client_sends(c, "P. 51:1401 ack 1 win 500");
	expect_client(c, ". 1 ack 1 win 16");
	client_sends(c, "P. 1:51 ack 1 win 500");
	expect_syn(c);
	exchange_end(x);
}

/* The offered right edge never moves: 16,384 bytes, rounded up to what the scale can say. */
static void the_window_closes_as_the_head_comes(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *scaled = in_head(x, 40000), *plain = conn_new(x, 40001);
	static char head[LIMIT];
	request_write(head, ONE_NAME, LIMIT);
	scaled->say = plain->say = (const uint8_t *)head;
	scaled->say_len = plain->say_len = LIMIT;
	plain->client_options = "mss 1460";
	conn_handshake(plain);
	client_sends(scaled, "P. 1:2 ack 1 win 500");
	expect_client(scaled, ". 1 ack 2 win 128");
	client_sends(scaled, "P. 2:129 ack 1 win 500");
	expect_client(scaled, ". 1 ack 129 win 127");
	client_sends(scaled, "P. 129:130 ack 1 win 500");
	expect_client(scaled, ". 1 ack 130 win 127");
	client_sends(plain, "P. 1:2 ack 1 win 500");
	expect_client(plain, ". 1 ack 2 win 16383");
	client_sends(plain, "P. 2:1002 ack 1 win 500");
	expect_client(plain, ". 1 ack 1002 win 15383");
	exchange_end(x);
}

static void what_lies_beyond_the_window_is_not_taken(void **state)
{
	struct exchange *x = *state;
	x->config.limits.head_bytes = SMALL_LIMIT;
	exchange_start(x);
	struct conn *c = in_head(x, 40000);
	client_sends(c, "P. 2177:2178 ack 1 win 500");
	expect_client(c, ". 1 ack 1 win 16");
	client_sends(c, "P. 2000000:2000100 ack 1 win 500");
	expect_client(c, ". 1 ack 1 win 16");
	client_sends(c, "P. -2000000:-1999900 ack 1 win 500");
	expect_client(c, ". 1 ack 1 win 16");
	assert_int_equal(flow_young(x->worker, conn_flow(c))->range_count, 0);
	client_sends(c, "P. 2101:2200 ack 1 win 500"); /* in part */
	expect_client(c, ". 1 ack 1 win 16");
	assert_int_equal(flow_young(x->worker, conn_flow(c))->ranges[0].end, SMALL_LIMIT + 128);
	exchange_end(x);
}

static void without_a_large_buffer_the_head_is_cut_short(void **state)
{
	struct exchange *x = *state;
	x->config.limits.large_heads = 1;
	exchange_start(x);
	struct conn *first = in_head(x, 40000), *second = in_head(x, 40001), *third = in_head(x, 40002);
	client_sends(first, "P. 2040:2060 ack 1 win 500");
	expect_client(first, ". 1 ack 1 win 128");
	client_sends(second, "P. 2000:2049 ack 1 win 500"); /* just fits the small one */
	expect_client(second, ". 1 ack 1 win 128");
	client_sends(third, "P. 2000:2050 ack 1 win 500");
	expect_client(third, "R 1 win 0");
	expect_state(third, FLOW_FREE);
	expect_count(x, counter_refused_heads, 1);
	expect_count(x, counter_drop_no_room, 1);
	expect_count(x, counter_heads_large, 1);
	expect_state(first, FLOW_HEAD);
	expect_state(second, FLOW_HEAD);
	client_sends(first, "R 1 win 0");
	expect_count(x, counter_heads_large, 0);
	client_sends(second, "P. 2049:2060 ack 1 win 500");
	expect_client(second, ". 1 ack 1 win 128");
	expect_count(x, counter_heads_large, 1);
	exchange_end(x);
}

/* ---- what ends the wait ---- */

static void a_fin_ends_an_incomplete_head(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *half = in_head(x, 40000), *nothing = in_head(x, 40001), *whole = in_head(x, 40002);
	client_sends(half, "FP. 1:51 ack 1 win 500");
	exchange_take(x);
	expect_state(half, FLOW_ANSWER);
	expect_count(x, counter_answer_malformed, 1);
	client_sends(nothing, "F. 1 ack 1 win 500");
	expect_client(nothing, "FP. 1 ack 2 win 128");
	expect_count(x, counter_closed_silent, 1);
	client_sends(whole, "FP. 1:101 ack 1 win 500");
	expect_syn(whole);
	router_sends(whole, "S. 0 ack 1 win 65535 mss 1460 sackok ws 7");
	expect_router(whole, "FP. 1:101 ack 1 win 500");
	exchange_end(x);
}

/* The FIN came first, its data later. */
static void a_fin_out_of_order_waits(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = in_head(x, 40000);
	client_sends(c, "FP. 51:101 ack 1 win 500");
	expect_client(c, ". 1 ack 1 win 128");
	client_sends(c, "P. 1:51 ack 1 win 500");
	expect_syn(c);
	router_sends(c, "S. 0 ack 1 win 65535 mss 1460 sackok ws 7");
	expect_router(c, "FP. 1:101 ack 1 win 500");
	exchange_end(x);
}

static void the_deadline_is_ten_seconds_from_the_handshake(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *silent = in_head(x, 40000), *slow = in_head(x, 40001), *gap = in_head(x, 40002);
	client_sends(gap, "P. 51:52 ack 1 win 500");
	expect_client(gap, ". 1 ack 1 win 128");
	pass_ms(x, 9990);
	client_sends(slow, "P. 1:2 ack 1 win 500");
	expect_client(slow, ". 1 ack 2 win 128");
	assert_int_equal(pass_until_sent(x, 100), 10);
	/* Three answers, in the order of birth: FIN alone, 408, 408. */
	expect_client(silent, "FP. 1 ack 1 win 128");
	struct sent_frame answer = exchange_take(x);
	assert_memory_equal(answer.data + 54, "HTTP/1.1 408 ", 13);
	answer = exchange_take(x);
	assert_memory_equal(answer.data + 54, "HTTP/1.1 408 ", 13);
	expect_count(x, counter_closed_silent, 1);
	expect_count(x, counter_answer_timeout, 2);
	exchange_end(x);
}

static void a_malformed_head_ends_at_once(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_new(x, 40000), *tls = conn_new(x, 40001);
	c->say = (const uint8_t *)"GET / HTTP/1.1\r\nHost : a\r\n";
	conn_handshake(c);
	client_sends_bytes(c, "P. 1:27 ack 1 win 500", c->say);
	struct sent_frame answer = exchange_take(x);
	assert_memory_equal(answer.data + 54, "HTTP/1.1 400 ", 13);
	tls->vip_port = 443;
	conn_handshake(tls);
	client_sends(tls, "P. 1:51 ack 1 win 500"); /* no TLS */
	expect_client(tls, "FP. 1:8 ack 51 win 128");
	assert_memory_equal(tls->answer, ((const uint8_t[]){21, 3, 3, 0, 2, 2, 50}), 7);
	expect_count(x, counter_answer_malformed, 2);
	exchange_end(x);
}

static void a_client_hello_in_single_bytes(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_new(x, 40000);
	c->vip_port = 443;
	c->say_len = hello_write(c->own_say, SECURE_NAME);
	c->say = c->own_say;
	conn_handshake(c);
	for (unsigned n = 1; n < c->say_len; n++) {
		char sent[64], expected[64];
		snprintf(sent, sizeof(sent), "P. %u:%u ack 1 win 500", n, n + 1);
		snprintf(expected, sizeof(expected), ". 1 ack %u win %u", n + 1, n >= 128 ? 127 : 128);
		client_sends(c, sent);
		expect_client(c, expected);
	}
	char last[64];
	snprintf(last, sizeof(last), "P. %zu:%zu ack 1 win 500", c->say_len, c->say_len + 1);
	client_sends(c, last);
	assert_in_range(expect_syn(c), 0, 1);
	assert_int_equal(c->router_port, 443);
	exchange_end(x);
}

/* ---- RFC 9293 3.10.7.4 and RFC 5961 before the splice ---- */

static void a_reset_must_be_exact(void **state)
{
	static const struct {
		const char *reset, *answer; /* NULL: ends the flow; "": dropped */
	} cases[] = {
	    {"R 11 win 0", NULL},
	    {"R. 11 ack 1 win 0", NULL},
	    {"R 12 win 0", ". 1 ack 11 win 128"},
	    {"R 16000 win 0", ". 1 ack 11 win 128"},
	    {"R 10 win 0", ""},
	    {"R 20000 win 0", ""},
	    {"R -1 win 0", ""},
	};
	struct exchange *x = exchange_begin(state);
	for (uint16_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct conn *c = in_head(x, 40000 + i);
		client_sends(c, "P. 1:11 ack 1 win 500");
		expect_client(c, ". 1 ack 11 win 128");
		client_sends(c, cases[i].reset);
		if (cases[i].answer && cases[i].answer[0])
			expect_client(c, cases[i].answer);
		expect_silence(x);
		expect_state(c, cases[i].answer ? FLOW_HEAD : FLOW_FREE);
	}
	expect_count(x, counter_closed_by_client, 2);
	expect_count(x, counter_drop_rst_out_of_window, 3);
	exchange_end(x);
}

/* At most two a second for a flow; the window that they offer is what a head may still have. */
static void challenges_are_few_and_true(void **state)
{
	static const struct {
		const char *text;
		enum counter otherwise;
	} cases[] = {
	    {"S 0 win 64240 mss 1460", counter_drop_stray_syn},
	    {"S. 0 ack 1 win 64240", counter_drop_stray_syn},
	    {"R 500 win 0", counter_drop_rst_out_of_window},
	    {". 11 ack 2 win 500", counter_drop_ack_out_of_range},
	    {". 11 ack 0 win 500", counter_drop_ack_out_of_range},
	    {". 10 ack 1 win 500", counter_drop_duplicate}, /* keepalive */
	};
	struct exchange *x = exchange_begin(state);
	for (uint16_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct conn *c = in_head(x, 40000 + i);
		client_sends(c, "P. 1:11 ack 1 win 500");
		expect_client(c, ". 1 ack 11 win 128");
		uint64_t before = shared_get(&x->worker->block->counters[cases[i].otherwise]);
		client_sends(c, cases[i].text);
		expect_client(c, ". 1 ack 11 win 128");
		pass_ms(x, 499);
		client_sends(c, cases[i].text);
		expect_silence(x);
		expect_count(x, cases[i].otherwise, before + 1);
		pass_ms(x, 1);
		client_sends(c, cases[i].text);
		expect_client(c, ". 1 ack 11 win 128");
		expect_state(c, FLOW_HEAD);
	}
	exchange_end(x);
}

static void a_segment_without_ack_is_dropped(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = in_head(x, 40000);
	client_sends(c, "P 1:11 win 500");
	client_sends(c, "- 1:11 win 500");
	client_sends(c, "F 1 win 500");
	expect_silence(x);
	expect_count(x, counter_drop_no_ack, 3);
	exchange_end(x);
}

/* A probe with a byte that we have, and the handshake's ACK once more. */
static void old_segments_are_answered(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = in_head(x, 40000);
	client_sends(c, "P. 1:11 ack 1 win 500");
	expect_client(c, ". 1 ack 11 win 128");
	client_sends(c, ". 10:11 ack 1 win 500");
	expect_client(c, ". 1 ack 11 win 128");
	client_sends(c, ". 11 ack 1 win 600"); /* a window update: nothing to say */
	expect_silence(x);
	client_sends(c, "P. 11:101 ack 1 win 500");
	expect_router(c, "S 0 win 64000 mss 1460 ws 7 sackok");
	exchange_end(x);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, exchange_setup, exchange_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(byte_by_byte),
	    TEST(out_of_order_and_twice),
	    TEST(the_first_byte_wins),
	    TEST(too_many_pieces_are_dropped),
	    TEST(numbers_wrap_inside_the_head),
	    TEST(a_head_of_exactly_the_limit),
	    TEST(one_byte_over_the_limit_is_too_large),
	    TEST(a_full_head_without_an_end_is_too_large),
	    TEST(the_limit_counts_without_scaling_too),
	    TEST(a_body_does_not_count),
	    TEST(the_window_closes_as_the_head_comes),
	    TEST(what_lies_beyond_the_window_is_not_taken),
	    TEST(without_a_large_buffer_the_head_is_cut_short),
	    TEST(a_fin_ends_an_incomplete_head),
	    TEST(a_fin_out_of_order_waits),
	    TEST(the_deadline_is_ten_seconds_from_the_handshake),
	    TEST(a_malformed_head_ends_at_once),
	    TEST(a_client_hello_in_single_bytes),
	    TEST(a_reset_must_be_exact),
	    TEST(challenges_are_few_and_true),
	    TEST(a_segment_without_ack_is_dropped),
	    TEST(old_segments_are_answered),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
