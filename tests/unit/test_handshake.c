/* handshake.c: a SYN costs nothing, and a flow is born of nothing but the ACK that brings a valid cookie back. */
#include "exchange.h"

static const char syn[] = "S 0 win 64240 mss 1460 sackok ws 7";
static const char syn_ack[] = "S. 0 ack 1 win 16384 mss 1460 ws 7 sackok";

static void options_follow_the_client(void **state)
{
	static const struct {
		const char *offered, *answered;
	} cases[] = {
	    {"mss 1460 sackok ws 7", "mss 1460 ws 7 sackok"},
	    {"mss 1460", "mss 1460"},
	    {"mss 1460 nop ws 0", "mss 1460 ws 7"},
	    {"mss 536 sackok", "mss 1460 sackok"},
	    {"mss 88", "mss 1460"},
	    {"ws 14", "mss 1460 ws 7"},
	    {"mss 1460 sackok raw 080a0000000100000000 ws 7", "mss 1460 ws 7 sackok"}, /* timestamps */
	    {"mss 1460 raw 22028a9b raw fd04dead", "mss 1460"},                        /* TFO and unknown */
	    {"mss 1460 raw 0700", "mss 1460"},                                         /* length 0 ends the walk */
	    {"raw 0203ff", "mss 1460"},
	};
	struct exchange *x = exchange_begin(state);
	for (uint16_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct conn *c = conn_new(x, 40000 + i);
		char text[160];
		snprintf(text, sizeof(text), "S 0 win 64240 %s", cases[i].offered);
		client_sends(c, text);
		snprintf(text, sizeof(text), "S. 0 ack 1 win 16384 %s", cases[i].answered);
		expect_client(c, text);
		expect_state(c, FLOW_FREE);
	}
	expect_count(x, counter_answered_syn, 10);
	expect_count(x, counter_flows, 0);
	exchange_end(x);
}

/* RFC 9293 MUST-15: an absent option counts as 536. */
static void a_small_mss_is_refused(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_new(x, 40000);
	client_sends(c, "S 0 win 64240 mss 87");
	expect_silence(x);
	client_sends(c, "S 0 win 64240 mss 1");
	expect_silence(x);
	expect_count(x, counter_drop_mss_too_small, 2);
	client_sends(c, "S 0 win 64240");
	expect_client(c, "S. 0 ack 1 win 16384 mss 1460");
	exchange_end(x);
}

/* An MSS of 0 is there, and below 88. */
static void an_mss_of_zero_is_small_not_absent(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_new(x, 40000);
	client_sends(c, "S 0 win 64240 mss 0");
	expect_silence(x);
	expect_count(x, counter_drop_mss_too_small, 1);
	exchange_end(x);
}

static void our_mss_is_what_every_way_takes(void **state)
{
	static const struct {
		uint16_t client_mss, north, south;
		const char *answer;
	} cases[] = {
	    {1460, 1500, 1500, "S. 0 ack 1 win 16384 mss 1460"}, {1400, 1500, 1500, "S. 0 ack 1 win 16384 mss 1400"},
	    {8960, 9000, 9000, "S. 0 ack 1 win 16384 mss 8960"}, {8960, 9000, 1500, "S. 0 ack 1 win 16384 mss 1460"},
	    {1460, 1500, 1400, "S. 0 ack 1 win 16384 mss 1360"}, {1460, 1300, 1500, "S. 0 ack 1 win 16384 mss 1260"},
	};
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct exchange *x = *state;
		x->config.limits.client_mss = cases[i].client_mss;
		x->mtu[NORTH] = cases[i].north;
		x->mtu[SOUTH] = cases[i].south;
		exchange_start(x);
		struct conn *c = conn_new(x, 40000);
		client_sends(c, "S 0 win 64240 mss 1460");
		expect_client(c, cases[i].answer);
		exchange_end(x);
		exchange_teardown(state);
		exchange_setup(state);
	}
}

/* A later client is told what the router hosts can take. */
static void the_smallest_mss_of_a_router_host_is_learned(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_new(x, 40000);
	c->router_options = "mss 1300 sackok ws 7";
	conn_join(c);
	struct conn *next = conn_new(x, 40001);
	client_sends(next, "S 0 win 64240 mss 1460");
	expect_client(next, "S. 0 ack 1 win 16384 mss 1300");
	exchange_end(x);
}

static void offers(struct exchange *x, uint16_t client_port, const char *mss)
{
	struct conn *c = conn_new(x, client_port);
	char text[64];
	client_sends(c, "S 0 win 64240 mss 1460");
	snprintf(text, sizeof(text), "S. 0 ack 1 win 16384 mss %s", mss);
	expect_client(c, text);
}

/* When the router host that told it is gone, whether a batch or a resync says so. */
static void a_small_mss_goes_with_its_router_host(void **state)
{
	for (unsigned resync = 0; resync < 2; resync++) {
		struct exchange *x = exchange_begin(state);
		tell_host(x, 1, false);
		struct conn *c = conn_new(x, 40000);
		c->router_options = "mss 536 sackok ws 7";
		conn_join(c);
		offers(x, 40001, "536");
		struct message message = plain_message(resync ? MESSAGE_SYNC_BEGIN : MESSAGE_HOST_GONE);
		if (!resync)
			message.host_gone = (struct message_host_gone){.slot = 0, .generation = 1};
		tell(x, message);
		tell(x, host_message(1, true));
		tell_end(x, resync ? MESSAGE_SYNC_END : MESSAGE_BATCH_END);
		offers(x, 40002, "1460");
		exchange_end(x);
		exchange_teardown(state);
		exchange_setup(state);
	}
}

static void data_on_a_syn_is_not_acknowledged(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_new(x, 40000);
	client_sends(c, "S 0:20 win 64240 mss 1460 sackok ws 7");
	expect_client(c, syn_ack);
	exchange_end(x);
}

static void a_repeated_syn_gets_the_same_cookie(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_new(x, 40000);
	client_sends(c, syn);
	expect_client(c, syn_ack);
	uint32_t first = c->our_isn;
	pass_ms(x, COOKIE_EPOCH_MS - 1);
	client_sends(c, syn);
	expect_client(c, syn_ack);
	assert_int_equal(c->our_isn, first);
	pass_ms(x, 1);
	client_sends(c, syn);
	expect_client(c, syn_ack);
	assert_int_not_equal(c->our_isn, first);
	/* The answer to the first one is still good. */
	c->our_isn = first;
	client_sends(c, ". 1 ack 1 win 500");
	expect_state(c, FLOW_HEAD);
	exchange_end(x);
}

static void a_flow_is_born_of_the_acknowledgement(void **state)
{
	static const struct {
		const char *text;
		enum flow_state born;
	} cases[] = {
	    {". 1 ack 1 win 500", FLOW_HEAD},
	    {"P. 1:11 ack 1 win 500", FLOW_HEAD},
	    {"FP. 1:11 ack 1 win 500", FLOW_ANSWER}, /* half a request and FIN: 400 */
	    {"F. 1 ack 1 win 500", FLOW_ANSWER},     /* closed without a byte */
	    {"P. 1:101 ack 1 win 500", FLOW_CONNECTING},
	    {". 1 ack 2 win 500", FLOW_FREE}, /* so near that the first part is right: silence */
	    {". 1 ack 0 win 500", FLOW_FREE},
	    {". 1 ack 2000000 win 500", FLOW_FREE},
	    {"S. 1 ack 1 win 500", FLOW_FREE},
	};
	struct exchange *x = exchange_begin(state);
	for (uint16_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct conn *c = conn_new(x, 41000 + i);
		client_sends(c, syn);
		expect_client(c, syn_ack);
		client_sends(c, cases[i].text);
		while (x->sent_count)
			exchange_take(x);
		expect_state(c, cases[i].born);
	}
	expect_count(x, counter_connections, 5);
	expect_count(x, counter_tombstones, 5);
	expect_count(x, counter_drop_cookie_stale, 2);
	expect_count(x, counter_answered_rst, 2);
	exchange_end(x);
}

/* The kernel knows it at another MAC than its frames come from: it has moved, and the kernel gets no frame of it. */
static void a_client_that_has_moved_is_asked_for(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *stays = conn_new(x, 40000), *moved = conn_new(x, 40001);
	unsigned before = x->ask_count;
	conn_handshake(stays);
	assert_int_equal(x->ask_count, before);
	moved->client_mac[4] = 9;
	conn_handshake(moved);
	assert_int_equal(x->ask_count, before + 1);
	assert_true(address_equal(&x->asks[before].address, &moved->client));
	assert_false(x->asks[before].managed);
	exchange_end(x);
}

static void a_wrong_cookie_gets_a_reset(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_new(x, 40000);
	c->our_isn = 0x12345678;
	client_sends(c, ". 1 ack 1 win 500");
	expect_client(c, "R 1 win 0");
	client_sends(c, "P. 1:11 ack 4294967295 win 500");
	expect_client(c, "R -1 win 0");
	expect_count(x, counter_answered_rst, 2);
	exchange_end(x);
}

/* The first segments were lost: silence, until the client repeats the first one. */
static void a_later_segment_waits_for_the_first(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_new(x, 40000);
	client_sends(c, syn);
	expect_client(c, syn_ack);
	client_sends(c, "P. 51:101 ack 1 win 500");
	client_sends(c, "P. 101:151 ack 1 win 500");
	expect_silence(x);
	expect_count(x, counter_drop_cookie_stale, 2);
	expect_state(c, FLOW_FREE);
	client_sends(c, "P. 1:51 ack 1 win 500");
	expect_client(c, ". 1 ack 51 win 128");
	expect_state(c, FLOW_HEAD);
	exchange_end(x);
}

static void a_cookie_is_too_old_in_the_end(void **state)
{
	for (unsigned age = 0; age <= 2; age++) {
		struct exchange *x = exchange_begin(state);
		pass_ms(x, COOKIE_EPOCH_MS - 1); /* the last millisecond of an epoch */
		struct conn *c = conn_new(x, 40000);
		client_sends(c, syn);
		expect_client(c, syn_ack);
		pass_ms(x, age == 0 ? 0 : age == 1 ? COOKIE_EPOCH_MS : COOKIE_EPOCH_MS + 1);
		client_sends(c, ". 1 ack 1 win 500");
		if (age == 2)
			expect_client(c, "R 1 win 0");
		expect_state(c, age == 2 ? FLOW_FREE : FLOW_HEAD);
		exchange_end(x);
		exchange_teardown(state);
		exchange_setup(state);
	}
}

/* A captured first segment, played again after the connection has ended, while its cookie is still good. */
static void a_duplicate_never_opens_a_second_connection(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_new(x, 40000);
	conn_handshake(c);
	client_sends(c, "R 1 win 0");
	expect_state(c, FLOW_FREE);
	for (uint32_t age = 0; age <= 20000; age += 250) {
		client_sends(c, "P. 1:101 ack 1 win 500");
		if (age >= COOKIE_LIFE_MS) /* the connection began with the epoch */
			expect_client(c, "R 1 win 0");
		expect_silence(x);
		expect_state(c, FLOW_FREE);
		pass_ms(x, 250);
	}
	expect_count(x, counter_drop_duplicate_birth, COOKIE_LIFE_MS / 250);
	expect_count(x, counter_connections, 1);
	expect_count(x, counter_tombstones, 0);
	exchange_end(x);
}

/* The same port and another ISN: a new connection. */
static void another_isn_is_another_connection(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_new(x, 40000);
	for (unsigned i = 0; i < 3; i++) {
		c->client_isn += 1000;
		conn_handshake(c);
		expect_state(c, FLOW_HEAD);
		client_sends(c, "R 1 win 0");
		expect_state(c, FLOW_FREE);
	}
	expect_count(x, counter_connections, 3);
	exchange_end(x);
}

static void births_beyond_the_configured_rate_are_refused(void **state)
{
	struct exchange *x = *state;
	x->config.limits.connection_rate = 1; /* 16 births in 16 s */
	exchange_start(x);
	for (uint16_t i = 0; i < 16; i++) {
		struct conn *c = conn_new(x, 40000 + i);
		conn_handshake(c);
		client_sends(c, "R 1 win 0");
	}
	struct conn *c = conn_new(x, 41000);
	client_sends(c, syn);
	expect_client(c, syn_ack);
	client_sends(c, ". 1 ack 1 win 500");
	expect_client(c, "R 1 win 0");
	expect_count(x, counter_refused_tombstones, 1);
	expect_count(x, counter_tombstones, 16);
	pass_ms(x, COOKIE_LIFE_MS + 1);
	expect_count(x, counter_tombstones, 0);
	c = conn_new(x, 41001);
	conn_handshake(c);
	expect_state(c, FLOW_HEAD);
	exchange_end(x);
}

static void births_beyond_the_limits_are_refused(void **state)
{
	struct exchange *x = *state;
	x->config.limits.young = 2;
	exchange_start(x);
	struct conn *first = conn_new(x, 40000), *second = conn_new(x, 40001), *third = conn_new(x, 40002);
	conn_handshake(first);
	conn_handshake(second);
	client_sends(third, syn);
	expect_client(third, syn_ack);
	client_sends(third, ". 1 ack 1 win 500");
	expect_client(third, "R 1 win 0");
	expect_count(x, counter_refused_young, 1);
	expect_count(x, counter_tombstones, 2);
	/* The others are not harmed, and there is room when one has gone. */
	client_sends(first, "R 1 win 0");
	client_sends(third, ". 1 ack 1 win 500");
	expect_state(third, FLOW_HEAD);
	expect_state(second, FLOW_HEAD);
	exchange_end(x);
}

/* The handshake of a client whose frame came through an unknown neighbour: the answer goes back there. */
static void answers_go_where_the_frame_came_from(void **state)
{
	static const uint8_t gateway[6] = {2, 9, 9, 9, 9, 9};
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_from(x, "198.18.7.7", 40000);
	memcpy(c->client_mac, gateway, 6);
	memcpy(c->way_mac, gateway, 6);
	client_sends(c, syn);
	expect_client(c, syn_ack);
	assert_int_equal(x->ask_count, EXCHANGE_HOSTS); /* nothing is asked for a SYN */
	exchange_end(x);
}

/* From the network of the router hosts: served on the port where it comes in. */
static void a_router_host_is_a_client_too(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_from(x, "203.0.113.11", 40000);
	client_sends(c, syn);
	expect_client(c, syn_ack);
	client_sends(c, "P. 1:51 ack 1 win 500");
	expect_client(c, ". 1 ack 51 win 128");
	exchange_end(x);
}

static void numbers_may_wrap(void **state)
{
	static const uint32_t isns[] = {0, 0xffffffff, 0xfffffffe, 0x7fffffff, 0x80000000, 0xffffffce};
	struct exchange *x = exchange_begin(state);
	for (uint16_t i = 0; i < sizeof(isns) / sizeof(isns[0]); i++) {
		struct conn *c = conn_new(x, 40000 + i);
		c->client_isn = isns[i];
		client_sends(c, syn);
		expect_client(c, syn_ack);
		client_sends(c, "P. 1:51 ack 1 win 500");
		expect_client(c, ". 1 ack 51 win 128");
	}
	exchange_end(x);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, exchange_setup, exchange_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(options_follow_the_client),
	    TEST(a_small_mss_is_refused),
	    TEST(an_mss_of_zero_is_small_not_absent),
	    TEST(our_mss_is_what_every_way_takes),
	    TEST(the_smallest_mss_of_a_router_host_is_learned),
	    TEST(a_small_mss_goes_with_its_router_host),
	    TEST(data_on_a_syn_is_not_acknowledged),
	    TEST(a_repeated_syn_gets_the_same_cookie),
	    TEST(a_flow_is_born_of_the_acknowledgement),
	    TEST(a_client_that_has_moved_is_asked_for),
	    TEST(a_wrong_cookie_gets_a_reset),
	    TEST(a_later_segment_waits_for_the_first),
	    TEST(a_cookie_is_too_old_in_the_end),
	    TEST(a_duplicate_never_opens_a_second_connection),
	    TEST(another_isn_is_another_connection),
	    TEST(births_beyond_the_configured_rate_are_refused),
	    TEST(births_beyond_the_limits_are_refused),
	    TEST(answers_go_where_the_frame_came_from),
	    TEST(a_router_host_is_a_client_too),
	    TEST(numbers_may_wrap),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
