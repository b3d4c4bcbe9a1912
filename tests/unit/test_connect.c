/* connect.c: from the complete head to the SYN-ACK; the next router host, the next cluster, or the answer. */
#include "exchange.h"

#include "common/bytes.h"

static const char syn[] = "S 0 win 64000 mss 1460 ws 7 sackok";
static const char syn_ack[] = "S. 0 ack 1 win 65535 mss 1460 sackok ws 7";

/* A connection whose SYN has gone to `*slot`. */
static struct conn *connecting(struct exchange *x, uint16_t client_port, unsigned *slot)
{
	struct conn *c = conn_new(x, client_port);
	conn_handshake(c);
	client_sends(c, "P. 1:101 ack 1 win 500");
	*slot = expect_syn(c);
	return c;
}

/* Starts with only one healthy router host in cluster 0. */
static struct exchange *begin_with_one_host(void **state)
{
	struct exchange *x = exchange_begin(state);
	tell_host(x, 1, false);
	return x;
}

static uint64_t active(struct exchange *x, unsigned slot)
{
	return shared_get(&x->worker->hosts[slot].active);
}

static uint64_t refused(struct exchange *x, unsigned slot)
{
	return shared_get(&x->worker->hosts[slot].refused);
}

static void expect_answer(struct conn *c, const char *status)
{
	struct sent_frame answer = exchange_take(c->x);
	assert_int_equal(answer.port, c->port);
	assert_memory_equal(answer.data + 54, status, strlen(status));
	expect_state(c, FLOW_ANSWER);
}

/* ---- the SYN ---- */

static void the_syn_carries_what_the_client_said(void **state)
{
	static const struct {
		const char *options;
		uint16_t window;
		const char *syn;
	} cases[] = {
	    {"mss 1460 sackok ws 7", 500, "S 0 win 64000 mss 1460 ws 7 sackok"},
	    {"mss 1460", 500, "S 0 win 500 mss 1460"},
	    {"mss 1400 ws 0", 500, "S 0 win 500 mss 1400 ws 0"},
	    {"mss 1399 sackok ws 14", 500, "S 0 win 65535 mss 1360 ws 14 sackok"},
	    {"sackok", 65535, "S 0 win 65535 mss 536 sackok"},
	    {"mss 9000 ws 1", 0, "S 0 win 0 mss 1460 ws 1"},
	};
	struct exchange *x = exchange_begin(state);
	for (uint16_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct conn *c = conn_new(x, 40000 + i);
		c->client_options = cases[i].options;
		c->client_window = cases[i].window;
		conn_handshake(c);
		char text[64];
		snprintf(text, sizeof(text), "P. 1:101 ack 1 win %u", cases[i].window);
		client_sends(c, text);
		expect_router(c, cases[i].syn);
	}
	expect_count(x, counter_tx_syn, 6);
	expect_count(x, counter_connections_elected, 6);
	exchange_end(x);
}

static void the_mss_fits_the_way_back_to_the_client(void **state)
{
	struct exchange *x = *state;
	x->mtu[NORTH] = 1400;
	exchange_start(x);
	struct conn *c = conn_new(x, 40000);
	conn_handshake(c);
	client_sends(c, "P. 1:101 ack 1 win 500");
	expect_router(c, "S 0 win 64000 mss 1360 ws 7 sackok");
	exchange_end(x);
}

static void the_client_side_isn_may_be_anything(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_new(x, 40000);
	c->client_isn = 0xffffffff;
	conn_handshake(c);
	client_sends(c, "P. 1:101 ack 1 win 500");
	expect_router(c, syn); /* its sequence number is the client's */
	exchange_end(x);
}

/* ---- failures ---- */

static void a_refusal_leads_to_the_next_host(void **state)
{
	struct exchange *x = exchange_begin(state);
	unsigned first, second;
	struct conn *c = connecting(x, 40000, &first);
	assert_int_equal(active(x, first), 1);
	router_sends(c, "R. 0 ack 1 win 0");
	second = expect_syn(c);
	assert_int_equal(second, 1 - first);
	assert_int_equal(active(x, first), 0);
	assert_int_equal(active(x, second), 1);
	assert_int_equal(refused(x, first), 1);
	expect_count(x, counter_connections_retried, 1);
	expect_count(x, counter_ports_in_use, 1);
	expect_count(x, counter_host_suspected, 0);
	router_sends(c, syn_ack);
	expect_router(c, "P. 1:101 ack 1 win 500");
	exchange_end(x);
}

static void when_all_refuse_the_client_is_told(void **state)
{
	struct exchange *x = exchange_begin(state);
	unsigned slot;
	struct conn *c = connecting(x, 40000, &slot);
	router_sends(c, "R. 0 ack 1 win 0");
	expect_syn(c);
	router_sends(c, "R. 0 ack 1 win 0");
	expect_answer(c, "HTTP/1.1 503 ");
	expect_count(x, counter_answer_connect_failed, 1);
	expect_count(x, counter_ports_in_use, 0);
	exchange_end(x);
}

/* The turn of the weights was spent with the first attempt: a retry takes none. */
static void retries_stay_in_the_cluster_and_cost_no_turn(void **state)
{
	static const struct message_share shares[] = {
	    {.pair = 1, .cluster = 0, .weight = 100, .http = 1, .https = 1},
	    {.pair = 2, .cluster = 1, .weight = 100, .http = 1, .https = 1},
	};
	struct exchange *x = exchange_begin(state);
	tell(x, route_message(2, APP_NAME, 2, shares));
	tell_end(x, MESSAGE_BATCH_END);
	unsigned last = conn_elect(x, 40000, APP_NAME) / 2;
	for (uint16_t i = 1; i < 10; i++) {
		unsigned first = conn_elect(x, 40000 + i, APP_NAME);
		assert_int_equal(first / 2, 1 - last);
		router_sends(x->conns, "R. 0 ack 1 win 0");
		assert_int_equal(expect_syn(x->conns), first ^ 1);
		last = first / 2;
	}
	exchange_end(x);
}

/* Then the next cluster, where the route has a weight. */
static void the_next_cluster_comes_after_the_last_host(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_new(x, 40000);
	unsigned slots = 0;
	conn_handshake(c);
	request_write((char *)c->own_say, APP_NAME, REQUEST_LEN);
	c->say = c->own_say;
	client_sends(c, "P. 1:101 ack 1 win 500");
	unsigned first = expect_syn(c);
	slots |= 1u << first;
	for (unsigned n = 1; n < 4; n++) {
		router_sends(c, "R. 0 ack 1 win 0");
		unsigned next = expect_syn(c);
		assert_int_equal(next / 2 == first / 2, n == 1); /* the same cluster first */
		slots |= 1u << next;
	}
	assert_int_equal(slots, 0xf);
	router_sends(c, "R. 0 ack 1 win 0");
	expect_answer(c, "HTTP/1.1 503 ");
	exchange_end(x);
}

static void a_weight_of_zero_is_no_refuge(void **state)
{
	static const struct message_share shares[] = {
	    {.pair = 1, .cluster = 0, .weight = 10, .http = 1, .https = 1},
	    {.pair = 2, .cluster = 1, .weight = 0, .http = 1, .https = 1},
	};
	struct exchange *x = exchange_begin(state);
	tell(x, route_message(1, ONE_NAME, 2, shares));
	tell_end(x, MESSAGE_BATCH_END);
	unsigned slot;
	struct conn *c = connecting(x, 40000, &slot);
	router_sends(c, "R. 0 ack 1 win 0");
	assert_in_range(expect_syn(c), 0, 1);
	router_sends(c, "R. 0 ack 1 win 0");
	expect_answer(c, "HTTP/1.1 503 ");
	exchange_end(x);
}

/* The number of a RST must acknowledge our SYN (RFC 9293 3.10.7.3). */
static void a_blind_reset_is_no_refusal(void **state)
{
	struct exchange *x = exchange_begin(state);
	unsigned slot;
	struct conn *c = connecting(x, 40000, &slot);
	router_sends(c, "R. 0 ack 2 win 0");
	router_sends(c, "R. 0 ack 0 win 0");
	router_sends(c, "R 1 win 0");
	expect_silence(x);
	expect_count(x, counter_drop_rst_out_of_window, 3);
	expect_state(c, FLOW_CONNECTING);
	exchange_end(x);
}

static void the_syn_is_repeated_then_the_next_host_is_tried(void **state)
{
	struct exchange *x = exchange_begin(state);
	unsigned slot;
	struct conn *c = connecting(x, 40000, &slot);
	uint16_t port = c->local_port;
	assert_int_equal(pass_until_sent(x, 1000), 200);
	expect_router(c, syn);
	assert_int_equal(c->local_port, port);
	assert_int_equal(pass_until_sent(x, 1000), 400);
	expect_router(c, syn);
	assert_int_equal(pass_until_sent(x, 1000), 400); /* 1 s after the first */
	assert_int_equal(expect_syn(c), 1 - slot);
	expect_count(x, counter_connections_retried, 1);
	expect_count(x, counter_host_suspected, 1);
	assert_int_equal(refused(x, slot), 1);
	exchange_end(x);
}

/* Two hosts, both silent: 2 s, then the answer. */
static void silence_of_all_is_answered(void **state)
{
	struct exchange *x = exchange_begin(state);
	unsigned slot;
	struct conn *c = connecting(x, 40000, &slot);
	for (unsigned i = 0; i < 5; i++) {
		pass_until_sent(x, 1000);
		expect_syn(c);
	}
	assert_int_equal(pass_until_sent(x, 1000), 400);
	expect_answer(c, "HTTP/1.1 503 ");
	expect_count(x, counter_host_suspected, 2);
	exchange_end(x);
}

static void all_attempts_have_a_limit_together(void **state)
{
	struct exchange *x = *state;
	x->config.timeouts.connect_total = 1500;
	exchange_start(x);
	unsigned slot;
	struct conn *c = connecting(x, 40000, &slot);
	uint64_t start = x->now_us;
	while (conn_flow(c)->state == FLOW_CONNECTING) {
		x->sent_count = x->sent_first = 0;
		pass_ms(x, 1);
	}
	assert_int_equal((x->now_us - start) / 1000, 1500);
	expect_answer(c, "HTTP/1.1 503 ");
	exchange_end(x);
}

/* The time is up 50 ms after its SYN. */
static void a_host_that_was_just_asked_is_not_blamed(void **state)
{
	struct exchange *x = *state;
	x->config.timeouts.connect_total = 1050;
	exchange_start(x);
	unsigned first;
	struct conn *c = connecting(x, 40000, &first);
	for (unsigned i = 0; i < 3; i++) {
		pass_until_sent(x, 1000);
		assert_int_equal(expect_syn(c), i < 2 ? first : 1 - first);
	}
	assert_int_equal(pass_until_sent(x, 1000), 50);
	expect_answer(c, "HTTP/1.1 503 ");
	assert_int_equal(refused(x, first), 1);
	assert_int_equal(refused(x, 1 - first), 0);
	assert_false(x->worker->health[1 - first].suspected);
	expect_count(x, counter_host_suspected, 1);
	exchange_end(x);
}

/* The SYN-ACK would not be for us: nobody is asked, and nobody is blamed. */
static void a_vip_that_is_away_blames_no_host(void **state)
{
	struct exchange *x = exchange_begin(state);
	unsigned slot;
	struct conn *c = connecting(x, 40000, &slot);
	shared_set(&x->shared->vip_held[0], 0);
	pass_ms(x, 2500);
	expect_silence(x);
	expect_state(c, FLOW_CONNECTING);
	assert_int_equal(refused(x, 0) + refused(x, 1), 0);
	pass_ms(x, 600); /* it stays away: the connection ends with it */
	expect_count(x, counter_host_suspected, 0);
	expect_state(c, FLOW_FREE);
	assert_int_equal(x->event_count, 0);
	x->sent_first = x->sent_count = 0;
	exchange_end(x);
}

static void icmp_unreachable_is_a_refusal(void **state)
{
	struct exchange *x = exchange_begin(state);
	unsigned slot;
	struct conn *c = connecting(x, 40000, &slot);
	network_sends_icmp(c, SIDE_ROUTER, 3, 1, 0, 0);
	assert_int_equal(expect_syn(c), 1 - slot);
	expect_count(x, counter_connections_retried, 1);
	exchange_end(x);
}

static void a_route_that_goes_meanwhile_is_heeded(void **state)
{
	struct exchange *x = exchange_begin(state);
	unsigned slot;
	struct conn *c = connecting(x, 40000, &slot);
	tell_host(x, 1 - slot, false);
	router_sends(c, "R. 0 ack 1 win 0");
	expect_answer(c, "HTTP/1.1 503 ");
	exchange_end(x);
}

/* ---- a router host with the port in TIME_WAIT ---- */

static void an_old_connection_is_ended_and_the_syn_repeated(void **state)
{
	struct exchange *x = begin_with_one_host(state);
	unsigned slot;
	struct conn *c = connecting(x, 40000, &slot);
	uint16_t port = c->local_port;
	router_sends(c, ". 5000 ack -777 win 500"); /* of the old connection */
	expect_router(c, "R -777 win 0");
	expect_router(c, syn);
	expect_silence(x);
	assert_int_equal(c->local_port, port);
	expect_count(x, counter_port_time_wait, 1);
	router_sends(c, syn_ack);
	expect_router(c, "P. 1:101 ack 1 win 500");
	expect_count(x, counter_connections_retried, 0);
	exchange_end(x);
}

static void the_second_time_another_port_is_taken(void **state)
{
	struct exchange *x = begin_with_one_host(state);
	unsigned slot;
	struct conn *c = connecting(x, 40000, &slot);
	uint16_t port = c->local_port;
	router_sends(c, ". 5000 ack -777 win 500");
	expect_router(c, "R -777 win 0");
	expect_router(c, syn);
	router_sends(c, ". 5000 ack -777 win 500");
	expect_router(c, syn);
	assert_int_not_equal(c->local_port, port);
	assert_int_equal(active(x, slot), 1);
	expect_count(x, counter_ports_in_use, 1);
	expect_count(x, counter_connections_retried, 0);
	exchange_end(x);
}

static void silence_after_the_reset_takes_another_port(void **state)
{
	struct exchange *x = begin_with_one_host(state);
	unsigned slot;
	struct conn *c = connecting(x, 40000, &slot);
	uint16_t port = c->local_port;
	router_sends(c, ". 5000 ack -777 win 500");
	expect_router(c, "R -777 win 0");
	expect_router(c, syn);
	assert_int_equal(pass_until_sent(x, 1000), 200);
	expect_router(c, syn);
	assert_int_not_equal(c->local_port, port);
	expect_count(x, counter_host_suspected, 0);
	/* The attempt's second counts from its first SYN. */
	assert_int_equal(pass_until_sent(x, 1000), 200);
	expect_router(c, syn);
	assert_int_equal(pass_until_sent(x, 1000), 400);
	expect_router(c, syn);
	assert_int_equal(pass_until_sent(x, 1000), 200);
	expect_answer(c, "HTTP/1.1 503 ");
	exchange_end(x);
}

/* The slot has become another router host meanwhile: that one was not elected. */
static void another_port_is_for_the_same_host_alone(void **state)
{
	struct exchange *x = exchange_begin(state);
	unsigned slot;
	struct conn *c = connecting(x, 40000, &slot);
	router_sends(c, ". 5000 ack -777 win 500");
	expect_router(c, "R -777 win 0");
	expect_router(c, syn);
	struct message message = host_message(slot, true);
	message.host.address = exchange_host(3);
	message.host.generation = 2;
	tell(x, message);
	tell_end(x, MESSAGE_BATCH_END);
	assert_int_equal(pass_until_sent(x, 1000), 200);
	assert_int_equal(expect_syn(c), 1 - slot);
	exchange_end(x);
}

/* A SYN-ACK that does not fit is answered with RST, and the attempt goes on. */
static void a_wrong_syn_ack_is_reset(void **state)
{
	struct exchange *x = exchange_begin(state);
	unsigned slot;
	struct conn *c = connecting(x, 40000, &slot);
	router_sends(c, "S. 0 ack 500 win 65535 mss 1460");
	struct sent_frame reset = exchange_take(x);
	assert_int_equal(reset.data[47], TCP_RST);
	assert_int_equal(get_be32(reset.data + 38), c->client_isn + 500);
	expect_state(c, FLOW_CONNECTING);
	router_sends(c, "- 1 win 100");
	expect_silence(x);
	expect_count(x, counter_drop_no_ack, 1);
	router_sends(c, syn_ack);
	expect_router(c, "P. 1:101 ack 1 win 500");
	exchange_end(x);
}

/* ---- the client meanwhile ---- */

static void what_the_client_sends_meanwhile_is_held(void **state)
{
	struct exchange *x = exchange_begin(state);
	unsigned slot;
	struct conn *c = connecting(x, 40000, &slot);
	client_sends(c, "P. 1:101 ack 1 win 500");
	expect_count(x, counter_drop_duplicate, 1);
	client_sends(c, "P. 151:201 ack 1 win 500");
	client_sends(c, "P. 101:151 ack 1 win 500");
	client_sends(c, "FP. 201:251 ack 1 win 400");
	client_sends(c, "P. 20000:20010 ack 1 win 400");
	expect_silence(x);
	expect_count(x, counter_drop_beyond_window, 1);
	router_sends(c, syn_ack);
	expect_router(c, "FP. 1:251 ack 1 win 400");
	exchange_end(x);
}

static void the_window_of_an_old_segment_is_not_taken(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_new(x, 40000);
	conn_handshake(c);
	client_sends(c, "P. 1:51 ack 1 win 300");
	expect_client(c, ". 1 ack 51 win 128");
	client_sends(c, "P. 51:101 ack 1 win 500");
	expect_syn(c);
	client_sends(c, "P. 1:51 ack 1 win 300"); /* was under way longer */
	expect_silence(x);
	router_sends(c, syn_ack);
	expect_router(c, "P. 1:101 ack 1 win 500");
	exchange_end(x);
}

/* It says what was acknowledged, not what was received: the client must go on repeating the rest. */
static void a_challenge_acknowledges_nothing_new(void **state)
{
	static const char *const strange[] = {"S 0 win 64240 mss 1460", "R 150 win 0", ". 101 ack 5 win 500"};
	for (unsigned i = 0; i < 3; i++) {
		struct exchange *x = exchange_begin(state);
		struct conn *c = conn_new(x, 40000);
		conn_handshake(c);
		client_sends(c, "P. 1:41 ack 1 win 500");
		expect_client(c, ". 1 ack 41 win 128");
		client_sends(c, "P. 41:101 ack 1 win 500");
		expect_syn(c);
		client_sends(c, strange[i]);
		expect_client(c, ". 1 ack 41 win 128");
		exchange_end(x);
		exchange_teardown(state);
		exchange_setup(state);
	}
}

static void the_client_may_go_away(void **state)
{
	struct exchange *x = exchange_begin(state);
	unsigned slot;
	struct conn *c = connecting(x, 40000, &slot);
	client_sends(c, "R 101 win 0");
	expect_silence(x);
	expect_state(c, FLOW_FREE);
	assert_int_equal(active(x, slot), 0);
	expect_count(x, counter_closed_by_client, 1);
	expect_count(x, counter_ports_in_use, 0);
	/* The router host's answer finds nobody. */
	router_sends(c, syn_ack);
	struct sent_frame reset = exchange_take(x);
	assert_int_equal(reset.data[47], TCP_RST);
	assert_int_equal(get_be32(reset.data + 38), c->client_isn + 1);
	exchange_end(x);
}

/* Its RST has the number that we acknowledged, or that of all that came. */
static void the_clients_reset_may_have_either_number(void **state)
{
	static const char *const resets[] = {"R 101 win 0", "R 1 win 0"};
	struct exchange *x = exchange_begin(state);
	for (uint16_t i = 0; i < 2; i++) {
		unsigned slot;
		struct conn *c = connecting(x, 40000 + i, &slot);
		client_sends(c, resets[i]);
		expect_silence(x);
		expect_state(c, FLOW_FREE);
	}
	exchange_end(x);
}

/* ---- ports run out ---- */

static void without_a_port_the_client_is_told(void **state)
{
	struct exchange *x = *state;
	assert_true(prefix_parse("203.0.113.64/32", &x->config.pool.prefixes[0]));
	x->config.pool.port_first = x->config.pool.port_last = 2000;
	exchange_start(x);
	unsigned slot;
	struct conn *first = connecting(x, 40000, &slot), *second = connecting(x, 40001, &slot);
	assert_int_equal(first->local_port, 2000);
	assert_int_equal(second->local_port, 2000); /* another router host */
	struct conn *third = conn_new(x, 40002);
	conn_handshake(third);
	client_sends(third, "P. 1:101 ack 1 win 500");
	expect_answer(third, "HTTP/1.1 503 ");
	expect_count(x, counter_refused_ports, 2);
	expect_state(first, FLOW_CONNECTING);
	/* One that is given back is used at once. */
	client_sends(first, "R 101 win 0");
	struct conn *fourth = connecting(x, 40003, &slot);
	assert_int_equal(fourth->local_port, 2000);
	expect_count(x, counter_port_reused_early, 1);
	exchange_end(x);
}

static void ports_are_taken_in_turn(void **state)
{
	struct exchange *x = *state;
	assert_true(prefix_parse("203.0.113.64/32", &x->config.pool.prefixes[0]));
	x->config.pool.port_first = 2000;
	x->config.pool.port_last = 2003;
	exchange_start(x);
	tell_host(x, 1, false);
	for (uint16_t i = 0; i < 12; i++) {
		unsigned slot;
		struct conn *c = connecting(x, 40000 + i, &slot);
		assert_int_equal(c->local_port, 2000 + i % 4);
		client_sends(c, "R 101 win 0");
	}
	expect_count(x, counter_port_reused_early, 8);
	pass_ms(x, 60000);
	unsigned slot;
	connecting(x, 41000, &slot);
	expect_count(x, counter_port_reused_early, 8);
	exchange_end(x);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, exchange_setup, exchange_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(the_syn_carries_what_the_client_said),
	    TEST(the_mss_fits_the_way_back_to_the_client),
	    TEST(the_client_side_isn_may_be_anything),
	    TEST(a_refusal_leads_to_the_next_host),
	    TEST(when_all_refuse_the_client_is_told),
	    TEST(retries_stay_in_the_cluster_and_cost_no_turn),
	    TEST(the_next_cluster_comes_after_the_last_host),
	    TEST(a_weight_of_zero_is_no_refuge),
	    TEST(a_blind_reset_is_no_refusal),
	    TEST(the_syn_is_repeated_then_the_next_host_is_tried),
	    TEST(silence_of_all_is_answered),
	    TEST(all_attempts_have_a_limit_together),
	    TEST(a_host_that_was_just_asked_is_not_blamed),
	    TEST(a_vip_that_is_away_blames_no_host),
	    TEST(icmp_unreachable_is_a_refusal),
	    TEST(a_route_that_goes_meanwhile_is_heeded),
	    TEST(an_old_connection_is_ended_and_the_syn_repeated),
	    TEST(the_second_time_another_port_is_taken),
	    TEST(silence_after_the_reset_takes_another_port),
	    TEST(another_port_is_for_the_same_host_alone),
	    TEST(a_wrong_syn_ack_is_reset),
	    TEST(what_the_client_sends_meanwhile_is_held),
	    TEST(the_window_of_an_old_segment_is_not_taken),
	    TEST(a_challenge_acknowledges_nothing_new),
	    TEST(the_client_may_go_away),
	    TEST(the_clients_reset_may_have_either_number),
	    TEST(without_a_port_the_client_is_told),
	    TEST(ports_are_taken_in_turn),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
