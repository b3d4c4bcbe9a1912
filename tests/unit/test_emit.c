/* emit.c: segments of our own, and where they are sent. */
#include "exchange.h"

#include "common/bytes.h"

enum { NORTH_IFINDEX = 11, SOUTH_IFINDEX = 12 };

static const uint8_t elsewhere[6] = {2, 0, 0, 0, 7, 7};

/* ---- answers to a frame without a flow (RFC 9293 3.10.7.1) ---- */

static void resets_answer_what_they_got(void **state)
{
	static const struct {
		const char *segment;
		enum { FROM_ACK, FROM_SEQ } numbers;
		uint32_t number; /* relative: of the RST's SEQ, or of its ACK */
	} cases[] = {
	    {". 100 ack 200 win 500", FROM_ACK, 200}, {"P. 100:150 ack 200 win 500", FROM_ACK, 200},
	    {"F. 100 ack 0 win 500", FROM_ACK, 0},    {"S. 100 ack 4294967295 win 500", FROM_ACK, 4294967295},
	    {"S 100 win 500", FROM_SEQ, 101},         {"- 100 win 500", FROM_SEQ, 100},
	    {"P 100:150 win 500", FROM_SEQ, 150},     {"FP 100:150 win 500", FROM_SEQ, 151},
	    {"FS 100 win 500", FROM_SEQ, 102},
	};
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_new(x, 40000);
	c->local = ip("203.0.113.64");
	c->local_port = 5000;
	c->router = exchange_host(2);
	c->router_port = 80;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		router_sends(c, cases[i].segment);
		struct sent_frame sent = exchange_take(x);
		bool from_ack = cases[i].numbers == FROM_ACK;
		assert_int_equal(sent.data[47], from_ack ? TCP_RST : TCP_RST | TCP_ACK);
		assert_int_equal(get_be32(sent.data + 38), from_ack ? c->client_isn + cases[i].number : 0);
		assert_int_equal(get_be32(sent.data + 42), from_ack ? 0 : c->router_isn + cases[i].number);
		assert_int_equal(sent.len, 54);
		assert_int_equal(get_be16(sent.data + 48), 0);
	}
	expect_count(x, counter_answered_rst, 9);
	router_sends(c, "R 100 win 0");
	router_sends(c, "R. 100 ack 200 win 0");
	expect_silence(x);
	expect_count(x, counter_drop_stray_rst, 2);
	exchange_end(x);
}

/* On the port and to the MAC that it came from, whatever the tables say. */
static void answers_return_the_way_of_the_frame(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_new(x, 40000);
	memcpy(c->client_mac, elsewhere, 6);
	memcpy(c->way_mac, elsewhere, 6);
	client_sends(c, "P. 1:11 ack 4000000 win 500");
	expect_client(c, "R 4000000 win 0");
	c->port = SOUTH; /* the same client by the other port */
	client_sends(c, "P. 1:11 ack 4000000 win 500");
	expect_client(c, "R 4000000 win 0");
	exchange_end(x);
}

/* ---- the way to the client ---- */

/* Its own neighbour entry counts, not the MAC that it sent from. */
static void a_known_client_is_reached_by_its_neighbour_entry(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_new(x, 40000);
	memcpy(c->client_mac, elsewhere, 6);
	conn_handshake(c);
	client_sends(c, "FP. 1:11 ack 1 win 500"); /* an answer of our own */
	struct sent_frame sent = exchange_take(x);
	assert_memory_equal(sent.data, c->way_mac, 6);
	exchange_end(x);
}

/* Asked for at birth; until it is resolved, packets go to the MAC of the client's frame. */
static void an_unknown_client_is_asked_for_once(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_from(x, "198.51.100.77", 40000);
	memcpy(c->client_mac, elsewhere, 6);
	memcpy(c->way_mac, elsewhere, 6);
	unsigned before = x->ask_count;
	conn_splice(c);
	assert_int_equal(x->ask_count, before + 1);
	assert_true(address_equal(&x->asks[before].address, &c->client));
	assert_false(x->asks[before].managed);
	router_sends(c, "P. 1:11 ack 101 win 400");
	expect_client(c, "P. 1:11 ack 101 win 400 fwd");
	exchange_end(x);
}

static void a_refused_question_is_counted(void **state)
{
	struct exchange *x = exchange_begin(state);
	x->ask_refused = true;
	struct conn *c = conn_from(x, "198.51.100.77", 40000);
	memcpy(c->client_mac, elsewhere, 6);
	conn_handshake(c);
	expect_count(x, counter_ask_lost, 1);
	exchange_end(x);
}

static void a_client_that_gets_known_is_reached_by_its_entry(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_from(x, "198.51.100.77", 40000);
	static const uint8_t resolved[6] = {2, 0, 0, 0, 8, 8};
	memcpy(c->client_mac, elsewhere, 6);
	memcpy(c->way_mac, elsewhere, 6);
	conn_handshake(c);
	assert_true(l3_set_neighbour(x->l3, NORTH_IFINDEX, &c->client, resolved));
	client_sends(c, "P. 1:101 ack 1 win 500");
	expect_syn(c);
	router_sends(c, "S. 0 ack 1 win 65535 mss 1460 sackok ws 7");
	expect_router(c, "P. 1:101 ack 1 win 500");
	router_sends(c, ". 1 ack 101 win 400");
	exchange_take(x);
	memcpy(c->way_mac, resolved, 6);
	router_sends(c, "P. 1:11 ack 101 win 400");
	expect_client(c, "P. 1:11 ack 101 win 400 fwd");
	exchange_end(x);
}

/* A flow keeps the index of its next hop, not a MAC: who moves is followed at once. */
static void a_changed_mac_is_followed(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_spliced(x, 40000);
	assert_true(l3_set_neighbour(x->l3, NORTH_IFINDEX, &c->client, elsewhere));
	memcpy(c->way_mac, elsewhere, 6);
	router_sends(c, "P. 1:11 ack 101 win 400");
	expect_client(c, "P. 1:11 ack 101 win 400 fwd");
	assert_true(l3_set_neighbour(x->l3, SOUTH_IFINDEX, &c->router, elsewhere));
	client_sends(c, "P. 101:111 ack 11 win 500");
	struct sent_frame sent = exchange_take(x);
	assert_int_equal(sent.port, SOUTH);
	assert_memory_equal(sent.data, elsewhere, 6);
	exchange_end(x);
}

/* The kernel's routes change, both ways to a gateway, and the client's old gateway is gone. */
static void change_routes(struct exchange *x)
{
	struct l3_route routes[3] = {
	    {.ifindex = NORTH_IFINDEX}, {.ifindex = SOUTH_IFINDEX}, {.ifindex = NORTH_IFINDEX}};
	struct address old = ip("198.51.100.2");
	assert_true(prefix_parse("198.51.100.0/24", &routes[0].destination));
	assert_true(prefix_parse("203.0.113.0/24", &routes[1].destination));
	assert_true(prefix_parse("198.18.0.0/15", &routes[2].destination));
	routes[1].gateway = ip("203.0.113.99");
	routes[2].gateway = ip("198.51.100.99");
	assert_true(l3_set_neighbour(x->l3, SOUTH_IFINDEX, &routes[1].gateway, elsewhere));
	assert_true(l3_set_neighbour(x->l3, NORTH_IFINDEX, &routes[2].gateway, elsewhere));
	assert_true(l3_set_neighbour(x->l3, NORTH_IFINDEX, &old, NULL));
	assert_true(l3_set_routes(x->l3, routes, 3));
}

/* As any connection of Linux does. */
static void a_changed_route_is_followed(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_from(x, "198.18.0.7", 40000);
	conn_splice(c);
	router_sends(c, "P. 1:11 ack 101 win 400");
	expect_client(c, "P. 1:11 ack 101 win 400 fwd");
	change_routes(x);
	memcpy(c->way_mac, elsewhere, 6);
	router_sends(c, "P. 11:21 ack 101 win 400");
	expect_client(c, "P. 11:21 ack 101 win 400 fwd");
	client_sends(c, "P. 101:111 ack 21 win 500");
	struct sent_frame sent = exchange_take(x);
	assert_int_equal(sent.port, SOUTH);
	assert_memory_equal(sent.data, elsewhere, 6);
	exchange_end(x);
}

/* Also by what a timer sends, with no frame received since. */
static void a_changed_route_is_followed_by_timers(void **state)
{
	struct exchange *x = *state;
	x->config.timeouts.idle = 1000;
	exchange_start(x);
	struct conn *c = conn_from(x, "198.18.0.7", 40000);
	conn_splice(c);
	change_routes(x);
	memcpy(c->way_mac, elsewhere, 6);
	assert_int_equal(pass_until_sent(x, 2000), 1000);
	expect_client(c, "R 1 win 0");
	struct sent_frame sent = exchange_take(x);
	assert_int_equal(sent.port, SOUTH);
	assert_memory_equal(sent.data, elsewhere, 6);
	exchange_end(x);
}

/* ---- the way to the router host ---- */

static void without_a_way_the_frame_is_dropped_and_the_flow_lives(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_spliced(x, 40000);
	uint8_t mac[6];
	struct address second = exchange_host(1);
	assert_true(l3_set_neighbour(x->l3, SOUTH_IFINDEX, &c->router, NULL));
	client_sends(c, "P. 101:111 ack 1 win 500");
	expect_silence(x);
	expect_count(x, counter_drop_no_next_hop, 1);
	exchange_host_mac(address_equal(&c->router, &second), mac);
	assert_true(l3_set_neighbour(x->l3, SOUTH_IFINDEX, &c->router, mac));
	client_sends(c, "P. 101:111 ack 1 win 500");
	expect_router(c, "P. 101:111 ack 1 win 500 fwd");
	exchange_end(x);
}

/* The SYN cannot be sent; its repetition can, when the neighbour is known. */
static void a_router_host_may_be_resolved_late(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct message message = host_message(0, true);
	message.host.address = ip("203.0.113.99"); /* never heard of */
	tell(x, message);
	tell(x, host_message(1, false));
	tell_end(x, MESSAGE_BATCH_END);
	struct conn *c = conn_new(x, 40000);
	conn_handshake(c);
	client_sends(c, "P. 1:101 ack 1 win 500");
	expect_silence(x);
	expect_count(x, counter_tx_failed, 1);
	expect_count(x, counter_tx_syn, 0);
	expect_state(c, FLOW_CONNECTING);
	assert_true(l3_set_neighbour(x->l3, SOUTH_IFINDEX, &message.host.address, elsewhere));
	assert_int_equal(pass_until_sent(x, 1000), 200);
	struct sent_frame syn = exchange_take(x);
	assert_int_equal(syn.data[47], TCP_SYN);
	assert_memory_equal(syn.data, elsewhere, 6);
	exchange_end(x);
}

static void without_a_frame_nothing_is_sent(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_new(x, 40000);
	conn_request(c);
	x->frames_max = 0;
	pass_ms(x, 200);
	expect_silence(x);
	expect_count(x, counter_tx_failed, 1);
	expect_state(c, FLOW_CONNECTING);
	x->frames_max = 64;
	assert_int_equal(pass_until_sent(x, 1000), 400);
	expect_router(c, "S 0 win 64000 mss 1460 ws 7 sackok");
	exchange_end(x);
}

/* A segment that the frame has no room for is not written behind its end. */
static void a_frame_that_is_too_small_is_not_sent(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_new(x, 40000);
	conn_request(c);
	x->room = 54 + REQUEST_LEN - 1;
	router_sends(c, "S. 0 ack 1 win 65535 mss 1460 sackok ws 7");
	expect_silence(x);
	expect_count(x, counter_tx_failed, 1);
	x->room++;
	struct conn *next = conn_new(x, 40001);
	conn_join(next);
	exchange_end(x);
}

/* ---- a VIP that the kernel does not hold ---- */

static void nothing_is_sent_from_a_vip_that_is_gone(void **state)
{
	struct exchange *x = *state;
	x->config.timeouts.head = 1000;
	exchange_start(x);
	struct conn *c = conn_new(x, 40000);
	conn_handshake(c);
	shared_set(&x->shared->vip_held[0], 0);
	pass_ms(x, 1500); /* the deadline for the head passes: FIN, repeated once */
	expect_silence(x);
	expect_state(c, FLOW_ANSWER);
	expect_count(x, counter_tx_failed, 2);
	expect_count(x, counter_tx_answer, 0);
	exchange_end(x);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, exchange_setup, exchange_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(resets_answer_what_they_got),
	    TEST(answers_return_the_way_of_the_frame),
	    TEST(a_known_client_is_reached_by_its_neighbour_entry),
	    TEST(an_unknown_client_is_asked_for_once),
	    TEST(a_refused_question_is_counted),
	    TEST(a_client_that_gets_known_is_reached_by_its_entry),
	    TEST(a_changed_mac_is_followed),
	    TEST(a_changed_route_is_followed),
	    TEST(a_changed_route_is_followed_by_timers),
	    TEST(without_a_way_the_frame_is_dropped_and_the_flow_lives),
	    TEST(a_router_host_may_be_resolved_late),
	    TEST(without_a_frame_nothing_is_sent),
	    TEST(a_frame_that_is_too_small_is_not_sent),
	    TEST(nothing_is_sent_from_a_vip_that_is_gone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
