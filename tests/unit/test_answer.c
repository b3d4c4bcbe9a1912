/* answer.c: what the client is told where no router host can be had, and how that little connection ends. */
#include "exchange.h"

#include "common/bytes.h"

/* Sends `say` on a new connection and returns it when the answer has been sent (not taken). */
static struct conn *ask(struct exchange *x, uint16_t client_port, uint16_t vip_port, const void *say, size_t len)
{
	struct conn *c = conn_new(x, client_port);
	char text[64];
	c->vip_port = vip_port;
	c->say = say;
	c->say_len = len;
	conn_handshake(c);
	snprintf(text, sizeof(text), "P. 1:%zu ack 1 win 500", 1 + len);
	client_sends(c, text);
	return c;
}

static struct conn *get(struct exchange *x, uint16_t client_port, const char *name)
{
	struct conn *c = conn_new(x, client_port);
	request_write((char *)c->own_say, name, REQUEST_LEN);
	c->say = c->own_say;
	conn_handshake(c);
	client_sends(c, "P. 1:101 ack 1 win 500");
	return c;
}

static struct conn *hello(struct exchange *x, uint16_t client_port, const char *name)
{
	static uint8_t bytes[HELLO_MAX];
	return ask(x, client_port, 443, bytes, hello_write(bytes, name));
}

static void expect_text(struct conn *c, const char *status, const char *body)
{
	char expected[128];
	size_t len = strlen(c->answer);
	const char *end = strstr(c->answer, "\r\n\r\n");
	assert_non_null(end);
	assert_string_equal(end + 4, body);
	snprintf(expected, sizeof(expected), "HTTP/1.1 %s\r\n", status);
	assert_memory_equal(c->answer, expected, strlen(expected));
	snprintf(expected, sizeof(expected), "\r\nContent-Length: %zu\r\n", strlen(body));
	assert_non_null(strstr(c->answer, expected));
	assert_non_null(strstr(c->answer, "\r\nConnection: close\r\n"));
	assert_non_null(strstr(c->answer, "\r\nCache-Control: no-store\r\n"));
	assert_int_equal(strstr(c->answer, "\r\nRetry-After: 5\r\n") != NULL, strncmp(status, "503", 3) == 0);
	assert_null(strstr(body, "203.0.113")); /* no address inside */
	assert_int_equal(len, c->answer_len);
}

/* The whole answer in one segment with FIN; returns its length. */
static unsigned take_answer(struct conn *c)
{
	struct sent_frame sent = c->x->sent[c->x->sent_first];
	unsigned len = sent.len - 54u;
	char text[64];
	snprintf(text, sizeof(text), "FP. 1:%u ack %zu win 128", 1 + len, 1 + c->say_len);
	expect_client(c, text);
	expect_silence(c->x);
	expect_state(c, FLOW_ANSWER);
	return len;
}

static void expect_alert(struct conn *c, uint8_t description)
{
	const uint8_t alert[7] = {21, 3, 3, 0, 2, 2, description};
	assert_int_equal(take_answer(c), sizeof(alert));
	assert_memory_equal(c->answer, alert, sizeof(alert));
}

static void all_hosts(struct exchange *x, bool healthy)
{
	for (unsigned slot = 0; slot < EXCHANGE_HOSTS; slot++)
		tell_host(x, slot, healthy);
}

/* ---- what is said ---- */

static void an_unknown_name(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = get(x, 40000, "nowhere.test");
	take_answer(c);
	expect_text(c, "404 Not Found", "pointsman: no route has the host name nowhere.test\n");
	expect_alert(hello(x, 40001, "nowhere.test"), 112);
	expect_count(x, counter_answer_unknown_name, 2);
	exchange_end(x);
}

static void no_name(void **state)
{
	static const char old[] = "GET / HTTP/1.0\r\n\r\n";
	struct exchange *x = exchange_begin(state);
	struct conn *c = ask(x, 40000, 80, old, sizeof(old) - 1);
	take_answer(c);
	expect_text(c, "404 Not Found", "pointsman: the request names no host\n");
	expect_alert(hello(x, 40001, NULL), 112);
	expect_count(x, counter_answer_no_name, 2);
	exchange_end(x);
}

static void not_served_on_this_port(void **state)
{
	static const struct message_share http_only = {.pair = 5, .cluster = 0, .weight = 100, .http = 1};
	struct exchange *x = exchange_begin(state);
	tell(x, route_message(9, "plain.test", 1, &http_only));
	tell_end(x, MESSAGE_BATCH_END);
	struct conn *c = get(x, 40000, SECURE_NAME);
	take_answer(c);
	expect_text(c, "503 Service Unavailable",
	            "pointsman: no cluster serves on this port the host name " SECURE_NAME "\n");
	expect_alert(hello(x, 40001, "plain.test"), 112);
	expect_count(x, counter_answer_not_served, 2);
	exchange_end(x);
}

static void nothing_healthy(void **state)
{
	struct exchange *x = exchange_begin(state);
	all_hosts(x, false);
	struct conn *c = get(x, 40000, ONE_NAME);
	take_answer(c);
	expect_text(c, "503 Service Unavailable", "pointsman: no healthy router serves the host name " ONE_NAME "\n");
	expect_alert(hello(x, 40001, SECURE_NAME), 80);
	expect_count(x, counter_answer_unhealthy, 2);
	exchange_end(x);
}

static void every_host_refused(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = get(x, 40000, ONE_NAME), *tls;
	for (unsigned i = 0; i < 2; i++) {
		expect_syn(c);
		router_sends(c, "R. 0 ack 1 win 0");
	}
	c->router_talks = false;
	take_answer(c);
	expect_text(c, "503 Service Unavailable",
	            "pointsman: no router accepted a connection for the host name " ONE_NAME "\n");
	tls = hello(x, 40001, SECURE_NAME);
	for (unsigned i = 0; i < 2; i++) {
		expect_syn(tls);
		router_sends(tls, "R. 0 ack 1 win 0");
	}
	tls->router_talks = false;
	expect_alert(tls, 80);
	expect_count(x, counter_answer_connect_failed, 2);
	exchange_end(x);
}

static void a_malformed_request(void **state)
{
	static const char two[] = "GET / HTTP/1.1\r\nHost: a.test\r\nHost: b.test\r\n\r\n";
	struct exchange *x = exchange_begin(state);
	struct conn *c = ask(x, 40000, 80, two, sizeof(two) - 1);
	take_answer(c);
	expect_text(c, "400 Bad Request", "pointsman: the request is malformed\n");
	expect_alert(ask(x, 40001, 443, two, sizeof(two) - 1), 50);
	expect_count(x, counter_answer_malformed, 2);
	exchange_end(x);
}

/* The longest name, and the answer fits its buffer and comes in pieces of the client's MSS. */
static void a_long_name_and_a_small_mss(void **state)
{
	char name[254], request_text[400];
	struct exchange *x = exchange_begin(state);
	all_hosts(x, false);
	memset(name, 'a', 253);
	name[63] = name[127] = name[191] = '.';
	name[253] = '\0';
	struct message_share share = {.pair = 5, .cluster = 0, .weight = 100, .http = 1, .https = 1};
	tell(x, route_message(9, name, 1, &share));
	tell_end(x, MESSAGE_BATCH_END);
	struct conn *c = conn_new(x, 40000);
	c->client_options = "mss 216";
	request_write(request_text, name, 380);
	c->say = (const uint8_t *)request_text;
	c->say_len = 380;
	c->client_window = 65535;
	conn_handshake(c);
	client_sends(c, "P. 1:381 ack 1 win 65535");
	expect_client(c, ". 1:217 ack 381 win 16384");
	expect_client(c, ". 217:433 ack 381 win 16384");
	struct sent_frame last = x->sent[x->sent_first];
	char text[64], body[400];
	snprintf(text, sizeof(text), "FP. 433:%u ack 381 win 16384", 433 + last.len - 54);
	expect_client(c, text);
	snprintf(body, sizeof(body), "pointsman: no healthy router serves the host name %s\n", name);
	expect_text(c, "503 Service Unavailable", body);
	exchange_end(x);
}

static void too_slow(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_new(x, 40000), *tls = conn_new(x, 40001);
	conn_handshake(c);
	client_sends(c, "P. 1:51 ack 1 win 500");
	expect_client(c, ". 1 ack 51 win 128");
	assert_int_equal(pass_until_sent(x, 20000), 10000);
	c->say_len = 50;
	take_answer(c);
	expect_text(c, "408 Request Timeout", "pointsman: the request head did not come in time\n");
	client_sends(c, "R 51 win 0");
	tls->vip_port = 443;
	tls->say_len = hello_write(tls->own_say, SECURE_NAME);
	tls->say = tls->own_say;
	conn_handshake(tls);
	client_sends(tls, "P. 1:51 ack 1 win 500");
	expect_client(tls, ". 1 ack 51 win 128");
	assert_int_equal(pass_until_sent(x, 20000), 10000);
	expect_client(tls, "FP. 1 ack 51 win 128"); /* TLS: just closed */
	expect_count(x, counter_answer_timeout, 2);
	exchange_end(x);
}

static void a_default_cluster_takes_what_is_unknown(void **state)
{
	static const char old[] = "GET / HTTP/1.0\r\n\r\n";
	struct exchange *x = exchange_begin(state);
	struct message message = plain_message(MESSAGE_LISTENER);
	message.listener = (struct message_listener){.listener = 0, .cluster = 1, .pair = 7};
	tell(x, message);
	tell_end(x, MESSAGE_BATCH_END);
	assert_in_range(expect_syn(get(x, 40000, "nowhere.test")), 2, 3);
	assert_in_range(expect_syn(ask(x, 40001, 80, old, sizeof(old) - 1)), 2, 3);
	assert_int_equal(shared_get(&x->worker->pairs[7].active), 2);
	/* A name that is known stays with its clusters, and the other listener rejects. */
	all_hosts(x, false);
	tell_host(x, 2, true);
	struct conn *c = get(x, 40002, ONE_NAME);
	take_answer(c);
	expect_text(c, "503 Service Unavailable", "pointsman: no healthy router serves the host name " ONE_NAME "\n");
	expect_alert(hello(x, 40003, "nowhere.test"), 112);
	exchange_end(x);
}

/* ---- how it ends ---- */

static void the_client_closes_after_the_answer(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = get(x, 40000, "nowhere.test");
	unsigned end = 1 + take_answer(c) + 1;
	char text[64];
	snprintf(text, sizeof(text), ". 101 ack %u win 500", end);
	client_sends(c, text);
	expect_silence(x);
	expect_state(c, FLOW_ANSWER);
	snprintf(text, sizeof(text), "F. 101 ack %u win 500", end);
	client_sends(c, text);
	snprintf(text, sizeof(text), ". %u ack 102 win 128", end);
	expect_client(c, text);
	expect_state(c, FLOW_FREE);
	exchange_end(x);
}

static void fin_and_acknowledgement_in_one(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = get(x, 40000, "nowhere.test");
	unsigned end = 1 + take_answer(c) + 1;
	char text[64];
	snprintf(text, sizeof(text), "F. 101 ack %u win 500", end);
	client_sends(c, text);
	snprintf(text, sizeof(text), ". %u ack 102 win 128", end);
	expect_client(c, text);
	expect_state(c, FLOW_FREE);
	exchange_end(x);
}

/* The client's FIN came with the request. */
static void a_half_closed_client_needs_no_second_fin(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_new(x, 40000);
	request_write((char *)c->own_say, "nowhere.test", REQUEST_LEN);
	c->say = c->own_say;
	conn_handshake(c);
	client_sends(c, "FP. 1:101 ack 1 win 500");
	char text[64];
	unsigned len = x->sent[x->sent_first].len - 54u;
	snprintf(text, sizeof(text), "FP. 1:%u ack 102 win 128", 1 + len);
	expect_client(c, text);
	snprintf(text, sizeof(text), ". 102 ack %u win 500", len + 2);
	client_sends(c, text);
	expect_silence(x);
	expect_state(c, FLOW_FREE);
	exchange_end(x);
}

static void the_answer_is_repeated_then_given_up(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = get(x, 40000, "nowhere.test");
	take_answer(c);
	static const uint32_t waits[] = {200, 400, 800, 1600};
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(pass_until_sent(x, 5000), waits[i]);
		c->answer_len = 0;
		take_answer(c);
	}
	assert_int_equal(pass_until_sent(x, 5000), 2000); /* 5 s after the first */
	expect_client(c, "R 1 win 0");
	expect_state(c, FLOW_FREE);
	exchange_end(x);
}

/* The client has everything but never closes. */
static void a_client_that_stays_is_reset(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = get(x, 40000, "nowhere.test");
	unsigned end = 1 + take_answer(c) + 1;
	uint64_t start = x->now_us;
	char text[64];
	snprintf(text, sizeof(text), ". 101 ack %u win 500", end);
	client_sends(c, text);
	pass_until_sent(x, 6000);
	assert_int_equal((x->now_us - start) / 1000, ANSWER_LIMIT_MS);
	snprintf(text, sizeof(text), "R %u win 0", end);
	expect_client(c, text);
	expect_state(c, FLOW_FREE);
	exchange_end(x);
}

static void only_what_is_missing_is_repeated(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = get(x, 40000, "nowhere.test");
	unsigned len = take_answer(c);
	char text[64];
	client_sends(c, ". 101 ack 51 win 500");
	expect_silence(x);
	pass_until_sent(x, 300);
	snprintf(text, sizeof(text), "FP. 51:%u ack 101 win 128", 1 + len);
	expect_client(c, text);
	snprintf(text, sizeof(text), ". 101 ack %u win 500", 1 + len); /* all but the FIN */
	client_sends(c, text);
	pass_until_sent(x, 500);
	snprintf(text, sizeof(text), "FP. %u ack 101 win 128", 1 + len);
	expect_client(c, text);
	exchange_end(x);
}

/* No more than the client's window. */
static void the_window_of_the_client_is_kept(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_new(x, 40000);
	c->client_options = "mss 1460";
	c->client_window = 60;
	request_write((char *)c->own_say, "nowhere.test", REQUEST_LEN);
	c->say = c->own_say;
	conn_handshake(c);
	client_sends(c, "P. 1:101 ack 1 win 60");
	expect_client(c, ". 1:61 ack 101 win 16384");
	expect_silence(x);
	client_sends(c, ". 101 ack 61 win 40");
	expect_client(c, ". 61:101 ack 101 win 16384");
	client_sends(c, ". 101 ack 101 win 0");
	expect_silence(x);
	pass_ms(x, 1);
	client_sends(c, ". 101 ack 101 win 5000");
	uint32_t waited = x->sent_count ? 0 : pass_until_sent(x, 1000);
	assert_in_range(waited, 0, 500);
	struct sent_frame rest = exchange_take(x);
	assert_int_equal(rest.data[47], TCP_FIN | TCP_PSH | TCP_ACK);
	assert_int_equal(get_be32(rest.data + 38), c->our_isn + 101);
	exchange_end(x);
}

/* What it still sends is acknowledged and thrown away, so that no RST overtakes the answer. */
static void a_body_is_swallowed(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = get(x, 40000, "nowhere.test");
	unsigned end = 1 + take_answer(c) + 1;
	char sent[64], expected[64];
	for (unsigned n = 0; n < 40; n++) { /* more than a head may have */
		unsigned at = 101 + n * 1000;
		snprintf(sent, sizeof(sent), "P. %u:%u ack %u win 500", at, at + 1000, end);
		snprintf(expected, sizeof(expected), ". %u ack %u win 128", end, at + 1000);
		client_sends(c, sent);
		expect_client(c, expected);
	}
	snprintf(sent, sizeof(sent), "P. 42000:42500 ack %u win 500", end); /* a gap */
	client_sends(c, sent);
	snprintf(expected, sizeof(expected), ". %u ack 40101 win 128", end);
	expect_client(c, expected);
	exchange_end(x);
}

/* RFC 9293 3.10.7.4: an acknowledgement has SEQ=SND.NXT; a lower one is no acceptable segment for a client that has
 * received the answer. */
static void acknowledgements_stand_behind_the_answer(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = get(x, 40000, "nowhere.test");
	unsigned end = 1 + take_answer(c) + 1;
	client_sends(c, "P. 101:201 ack 1 win 500"); /* crossed the answer */
	char text[64];
	snprintf(text, sizeof(text), ". %u ack 201 win 128", end);
	expect_client(c, text);
	exchange_end(x);
}

/* A FIN that was held out of order does not stop the client's bytes from being acknowledged. */
static void a_fin_ahead_of_a_gap_is_no_trap(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_new(x, 40000);
	conn_handshake(c);
	client_sends(c, "P. 1:11 ack 1 win 500");
	expect_client(c, ". 1 ack 11 win 128");
	client_sends(c, "FP. 51:101 ack 1 win 500");
	expect_client(c, ". 1 ack 11 win 128");
	pass_until_sent(x, 20000);
	struct sent_frame answer = exchange_take(x); /* 408 */
	unsigned end = 1 + (answer.len - 54u) + 1;
	char text[64];
	snprintf(text, sizeof(text), "P. 11:51 ack %u win 500", end);
	client_sends(c, text);
	snprintf(text, sizeof(text), ". %u ack 51 win 128", end);
	expect_client(c, text);
	snprintf(text, sizeof(text), "FP. 51:101 ack %u win 500", end);
	client_sends(c, text);
	snprintf(text, sizeof(text), ". %u ack 102 win 128", end);
	expect_client(c, text);
	expect_state(c, FLOW_FREE);
	exchange_end(x);
}

static void our_numbers_wrap(void **state)
{
	struct exchange *x = exchange_begin(state);
	pass_ms(x, COOKIE_EPOCH_MS);
	struct conn *c = conn_new(x, 40000);
	conn_wrap(c);
	request_write((char *)c->own_say, "nowhere.test", REQUEST_LEN);
	c->say = c->own_say;
	conn_handshake(c);
	client_sends(c, "P. 1:101 ack 1 win 60000");
	char text[64];
	unsigned len = x->sent[x->sent_first].len - 54u;
	assert_true(c->our_isn + 1 + len < len);
	snprintf(text, sizeof(text), "FP. 1:%u ack 101 win 16384", 1 + len);
	expect_client(c, text);
	client_sends(c, ". 101 ack 101 win 60000");
	pass_until_sent(x, 300);
	snprintf(text, sizeof(text), "FP. 101:%u ack 101 win 16384", 1 + len);
	expect_client(c, text);
	snprintf(text, sizeof(text), "F. 101 ack %u win 60000", len + 2);
	client_sends(c, text);
	snprintf(text, sizeof(text), ". %u ack 102 win 16384", len + 2);
	expect_client(c, text);
	expect_state(c, FLOW_FREE);
	exchange_end(x);
}

static void the_client_may_reset(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = get(x, 40000, "nowhere.test");
	take_answer(c);
	client_sends(c, "R 101 win 0");
	expect_silence(x);
	expect_state(c, FLOW_FREE);
	exchange_end(x);
}

/* Its number was acknowledged long ago. */
static void an_old_reset_is_not_believed(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = get(x, 40000, "nowhere.test");
	take_answer(c);
	client_sends(c, "R 1 win 0");
	expect_silence(x);
	expect_state(c, FLOW_ANSWER);
	expect_count(x, counter_drop_rst_out_of_window, 1);
	exchange_end(x);
}

static void what_was_never_sent_cannot_be_acknowledged(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = get(x, 40000, "nowhere.test");
	unsigned end = 1 + take_answer(c) + 1;
	char text[64];
	snprintf(text, sizeof(text), ". 101 ack %u win 500", end + 1);
	client_sends(c, text);
	snprintf(text, sizeof(text), ". %u ack 101 win 128", end);
	expect_client(c, text); /* a challenge */
	expect_state(c, FLOW_ANSWER);
	exchange_end(x);
}

/* Nor what the client's window has kept back: SND.NXT is what counts, not the end of the answer. */
static void what_waits_for_the_window_cannot_be_acknowledged(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_new(x, 40000);
	c->client_options = "mss 1460";
	c->client_window = 60;
	request_write((char *)c->own_say, "nowhere.test", REQUEST_LEN);
	c->say = c->own_say;
	conn_handshake(c);
	client_sends(c, "P. 1:101 ack 1 win 60");
	expect_client(c, ". 1:61 ack 101 win 16384");
	client_sends(c, ". 101 ack 62 win 5000");
	expect_client(c, ". 61 ack 101 win 16384");
	client_sends(c, ". 101 ack 61 win 60");
	expect_client(c, ". 61:121 ack 101 win 16384");
	exchange_end(x);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, exchange_setup, exchange_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(an_unknown_name),
	    TEST(no_name),
	    TEST(not_served_on_this_port),
	    TEST(nothing_healthy),
	    TEST(every_host_refused),
	    TEST(a_malformed_request),
	    TEST(a_long_name_and_a_small_mss),
	    TEST(too_slow),
	    TEST(a_default_cluster_takes_what_is_unknown),
	    TEST(the_client_closes_after_the_answer),
	    TEST(fin_and_acknowledgement_in_one),
	    TEST(a_half_closed_client_needs_no_second_fin),
	    TEST(the_answer_is_repeated_then_given_up),
	    TEST(a_client_that_stays_is_reset),
	    TEST(only_what_is_missing_is_repeated),
	    TEST(the_window_of_the_client_is_kept),
	    TEST(a_body_is_swallowed),
	    TEST(acknowledgements_stand_behind_the_answer),
	    TEST(a_fin_ahead_of_a_gap_is_no_trap),
	    TEST(our_numbers_wrap),
	    TEST(the_client_may_reset),
	    TEST(an_old_reset_is_not_believed),
	    TEST(what_was_never_sent_cannot_be_acknowledged),
	    TEST(what_waits_for_the_window_cannot_be_acknowledged),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
