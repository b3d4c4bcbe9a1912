/* join.c: from the SYN-ACK until the router host has acknowledged what only we can repeat. */
#include "exchange.h"

/* The client's 100 bytes came in two segments, and the first 60 were acknowledged by us. */
static struct conn *half_acknowledged(struct exchange *x)
{
	struct conn *c = conn_new(x, 40000);
	conn_handshake(c);
	client_sends(c, "P. 1:61 ack 1 win 500");
	expect_client(c, ". 1 ack 61 win 128");
	client_sends(c, "P. 61:101 ack 1 win 500");
	expect_syn(c);
	router_sends(c, "S. 0 ack 1 win 65535 mss 1460 sackok ws 7");
	expect_router(c, "P. 1:101 ack 1 win 500");
	return c;
}

static struct conn *joining(struct exchange *x)
{
	struct conn *c = conn_new(x, 40000);
	conn_join(c);
	return c;
}

/* A head of 3,000 bytes that came in three segments, the last of which completed it. */
static struct conn *connecting_with_3000(struct exchange *x)
{
	static char head[3001];
	struct conn *c = conn_new(x, 40000);
	request_write(head, ONE_NAME, 3000);
	c->say = (const uint8_t *)head;
	c->say_len = 3000;
	conn_handshake(c);
	client_sends(c, "P. 1:1001 ack 1 win 500");
	expect_client(c, ". 1 ack 1001 win 121");
	client_sends(c, "P. 1001:2001 ack 1 win 500");
	expect_client(c, ". 1 ack 2001 win 113");
	client_sends(c, "P. 2001:3001 ack 1 win 500");
	expect_syn(c);
	return c;
}

/* ---- held bytes ---- */

static void the_acknowledgement_travels_back(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = joining(x);
	router_sends(c, ". 1 ack 101 win 400");
	expect_client(c, ". 1 ack 101 win 400 fwd");
	expect_silence(x);
	expect_state(c, FLOW_SPLICED);
	expect_count(x, counter_connections_spliced, 1);
	assert_int_equal(shared_get(&x->worker->hosts[0].total) + shared_get(&x->worker->hosts[1].total), 1);
	exchange_end(x);
}

static void held_bytes_go_in_segments_that_fit(void **state)
{
	static const struct {
		const char *syn_ack, *segments[8];
	} cases[] = {
	    {"S. 0 ack 1 win 65535 mss 1460 sackok ws 7",
	     {". 1:1461 ack 1 win 500", ". 1461:2921 ack 1 win 500", "P. 2921:3001 ack 1 win 500"}},
	    {"S. 0 ack 1 win 65535 mss 1200 sackok ws 7",
	     {". 1:1201 ack 1 win 500", ". 1201:2401 ack 1 win 500", "P. 2401:3001 ack 1 win 500"}},
	    {"S. 0 ack 1 win 65535", /* RFC 9293 MUST-15; the scale was declined */
	     {". 1:537 ack 1 win 64000", ". 537:1073 ack 1 win 64000", ". 1073:1609 ack 1 win 64000",
	      ". 1609:2145 ack 1 win 64000", ". 2145:2681 ack 1 win 64000", "P. 2681:3001 ack 1 win 64000"}},
	    {"S. 0 ack 1 win 2000 mss 1460 sackok ws 7", /* its window, unscaled */
	     {". 1:1461 ack 1 win 500", "P. 1461:2001 ack 1 win 500"}},
	};
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct exchange *x = exchange_begin(state);
		struct conn *c = connecting_with_3000(x);
		router_sends(c, cases[i].syn_ack);
		for (unsigned n = 0; n < 8 && cases[i].segments[n]; n++)
			expect_router(c, cases[i].segments[n]);
		expect_silence(x);
		exchange_end(x);
		exchange_teardown(state);
		exchange_setup(state);
	}
}

/* A router host with jumbo frames behind our ordinary port: no frame is longer than the port's MTU, nor than its
 * buffer. */
static void a_large_mss_is_cut_to_the_port(void **state)
{
	static const char *const offers[] = {"S. 0 ack 1 win 65535 mss 8960 sackok ws 7",
	                                     "S. 0 ack 1 win 65535 mss 65495 sackok ws 7"};
	for (unsigned i = 0; i < 2; i++) {
		struct exchange *x = exchange_begin(state);
		struct conn *c = connecting_with_3000(x);
		router_sends(c, offers[i]);
		expect_router(c, ". 1:1461 ack 1 win 500");
		expect_router(c, ". 1461:2921 ack 1 win 500");
		expect_router(c, "P. 2921:3001 ack 1 win 500");
		exchange_end(x);
		exchange_teardown(state);
		exchange_setup(state);
	}
}

/* Jumbo frames on the port, and small buffers. */
static void a_frame_holds_what_it_has_room_for(void **state)
{
	struct exchange *x = *state;
	x->mtu[SOUTH] = 9000;
	exchange_start(x);
	struct conn *c = connecting_with_3000(x);
	router_sends(c, "S. 0 ack 1 win 65535 mss 8960 sackok ws 7");
	unsigned bytes = 0;
	while (x->sent_count > 0) {
		struct sent_frame sent = exchange_take(x);
		assert_in_range(sent.len, 55, EXCHANGE_FRAME_ROOM);
		bytes += sent.len - 54u;
	}
	assert_int_equal(bytes, 3000);
	exchange_end(x);
}

/* (a) Exactly the bytes that we acknowledged, with back-off, until both sides are reset after 5 s. */
static void what_we_acknowledged_we_repeat(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = half_acknowledged(x);
	static const uint32_t waits[] = {200, 400, 800, 1600};
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(pass_until_sent(x, 2000), waits[i]);
		expect_router(c, "P. 1:61 ack 1 win 500");
		expect_silence(x);
	}
	assert_int_equal(pass_until_sent(x, 5000), 2000);
	expect_client(c, "R 1 win 0");
	expect_router(c, "R 1 win 0");
	expect_state(c, FLOW_FREE);
	expect_count(x, counter_ended_join, 1);
	exchange_end(x);
}

static void what_the_client_can_repeat_we_do_not(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = joining(x);
	pass_ms(x, 4999);
	expect_silence(x);
	expect_state(c, FLOW_JOINING);
	client_sends(c, "P. 1:101 ack 1 win 500"); /* its own retransmission */
	expect_router(c, "P. 1:101 ack 1 win 500 fwd");
	pass_ms(x, 1); /* nothing is ours: the endpoints may go on among themselves */
	expect_silence(x);
	expect_state(c, FLOW_SPLICED);
	exchange_end(x);
}

static void only_what_is_missing_is_repeated(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = half_acknowledged(x);
	router_sends(c, ". 1 ack 21 win 400");
	expect_client(c, ". 1 ack 61 win 399 fwd"); /* 400 << 7 beyond 21, seen from 61: rounded down */
	assert_int_equal(pass_until_sent(x, 2000), 200);
	expect_router(c, "P. 21:61 ack 1 win 500");
	router_sends(c, ". 1 ack 61 win 400");
	expect_client(c, ". 1 ack 61 win 400 fwd");
	pass_ms(x, 5000); /* nothing is repeated any more */
	exchange_end(x);
}

/* (b) The acknowledgement that the client sees never goes back, and none comes twice. */
static void the_client_sees_no_step_back(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = half_acknowledged(x);
	router_sends(c, ". 1 ack 1 win 512"); /* the edge at 65536 + 1; from 61 that is 65476 bytes */
	expect_client(c, ". 1 ack 61 win 511 fwd");
	router_sends(c, ". 1 ack 1 win 512");
	expect_silence(x);
	router_sends(c, ". 1 ack 41 win 512");
	expect_silence(x); /* the field is still 511 */
	router_sends(c, ". 1 ack 41 win 600");
	expect_client(c, ". 1 ack 61 win 599 fwd");
	expect_state(c, FLOW_JOINING);
	pass_ms(x, 200);
	expect_router(c, "P. 41:61 ack 1 win 500");
	router_sends(c, ". 1 ack 61 win 600");
	expect_client(c, ". 1 ack 61 win 600 fwd");
	expect_state(c, FLOW_SPLICED);
	exchange_end(x);
}

static void late_and_wrong_acknowledgements(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = half_acknowledged(x);
	router_sends(c, ". 1 ack 102 win 400");
	router_sends(c, ". 1 ack 0 win 400");
	router_sends(c, "- 1 win 400");
	expect_silence(x);
	expect_count(x, counter_drop_ack_out_of_range, 2);
	expect_count(x, counter_drop_no_ack, 1);
	router_sends(c, ". 1 ack 51 win 400");
	expect_client(c, ". 1 ack 61 win 399 fwd");
	router_sends(c, "P. 1:11 ack 1 win 400"); /* reordered, with data */
	expect_client(c, "P. 1:11 ack 61 win 399 fwd");
	expect_state(c, FLOW_JOINING);
	pass_ms(x, 200);
	expect_router(c, "P. 51:61 ack 1 win 500"); /* from the highest acknowledgement on */
	exchange_end(x);
}

/* (c) Data and FIN of the router host go through at once. */
static void the_router_host_may_speak_first(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = half_acknowledged(x);
	router_sends(c, "P. 1:201 ack 1 win 512");
	expect_client(c, "P. 1:201 ack 61 win 511 fwd");
	client_sends(c, ". 101 ack 201 win 500");
	expect_router(c, ". 101 ack 201 win 500 fwd");
	router_sends(c, "FP. 201:301 ack 31 win 512");
	expect_client(c, "FP. 201:301 ack 61 win 511 fwd");
	client_sends(c, ". 101 ack 302 win 500");
	expect_router(c, ". 101 ack 302 win 500 fwd");
	router_sends(c, ". 302 ack 101 win 512");
	expect_client(c, ". 302 ack 101 win 512 fwd");
	expect_state(c, FLOW_SPLICED);
	/* Both are half closed now: the client's FIN ends it. */
	client_sends(c, "F. 101 ack 302 win 500");
	expect_router(c, "F. 101 ack 302 win 500 fwd");
	router_sends(c, ". 302 ack 102 win 512");
	expect_client(c, ". 302 ack 102 win 512 fwd");
	expect_state(c, FLOW_LINGERING);
	exchange_end(x);
}

/* Both FINs are acknowledged by what completes the join. */
static void everything_may_end_with_the_join(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_new(x, 40000);
	conn_handshake(c);
	client_sends(c, "FP. 1:101 ack 1 win 500");
	expect_syn(c);
	router_sends(c, "S. 0 ack 1 win 65535 mss 1460 sackok ws 7");
	expect_router(c, "FP. 1:101 ack 1 win 500");
	router_sends(c, "FP. 1:11 ack 1 win 400");
	expect_client(c, "FP. 1:11 ack 1 win 400 fwd");
	client_sends(c, ". 102 ack 12 win 500");
	expect_router(c, ". 102 ack 12 win 500 fwd");
	router_sends(c, ". 12 ack 102 win 400");
	expect_client(c, ". 12 ack 102 win 400 fwd");
	expect_state(c, FLOW_LINGERING);
	expect_count(x, counter_ended_fin, 1);
	exchange_end(x);
}

/* (d) New data of the client is forwarded within the router host's window. */
static void the_client_may_go_on(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_new(x, 40000);
	conn_request(c);
	router_sends(c, "S. 0 ack 1 win 1000 mss 1460 sackok ws 7");
	expect_router(c, "P. 1:101 ack 1 win 500");
	client_sends(c, "P. 101:1001 ack 1 win 500");
	expect_router(c, "P. 101:1001 ack 1 win 500 fwd");
	client_sends(c, "P. 1001:1002 ack 1 win 500");
	client_sends(c, "P. 900:1400 ack 1 win 500");
	expect_silence(x);
	expect_count(x, counter_drop_beyond_window, 2);
	router_sends(c, ". 1 ack 1001 win 10");
	expect_client(c, ". 1 ack 1001 win 10 fwd");
	expect_state(c, FLOW_SPLICED);
	exchange_end(x);
}

static void odd_segments_of_the_client(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = joining(x);
	client_sends(c, ". 101 ack 2 win 500");
	client_sends(c, ". 101 ack 0 win 500");
	expect_count(x, counter_drop_ack_out_of_range, 2);
	client_sends(c, "S 0 win 64240 mss 1460");
	expect_client(c, ". 1 ack 1 win 511");
	client_sends(c, "S. 0 ack 1 win 64240 mss 1460");
	expect_count(x, counter_drop_stray_syn, 1);
	client_sends(c, "P 101:111 win 500");
	expect_count(x, counter_drop_no_ack, 1);
	client_sends(c, "P. 101:111 ack 1 win 500 ttl 1");
	expect_count(x, counter_drop_ttl, 1);
	expect_silence(x);
	client_sends(c, ". 101 ack 1 win 7");
	expect_router(c, ". 101 ack 1 win 7 fwd");
	exchange_end(x);
}

/* It has forgotten the connection and begins anew from its port (RFC 9293 3.10.7.4): it is told, resets, and its next
 * SYN is a new one. */
static void a_restarted_client_is_answered(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = joining(x);
	client_sends(c, "S 5000000 win 64240 mss 1460");
	expect_client(c, ". 1 ack 1 win 511");
	expect_count(x, counter_answered_ack, 1);
	client_sends(c, "S 5000000 win 64240 mss 1460");
	expect_silence(x); /* not more often than twice a second */
	expect_count(x, counter_drop_stray_syn, 1);
	client_sends(c, "R 1 win 0");
	expect_router(c, "R 1 win 0 fwd");
	c->client_isn += 5000000;
	client_sends(c, "S 0 win 64240 mss 1460");
	expect_client(c, "S. 0 ack 1 win 16384 mss 1460");
	exchange_end(x);
}

static void a_repeated_syn_ack_is_acknowledged(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = joining(x);
	router_sends(c, "S. 0 ack 1 win 65535 mss 1460 sackok ws 7");
	struct sent_frame ack = exchange_take(x);
	assert_int_equal(ack.port, SOUTH);
	assert_int_equal(ack.data[47], TCP_ACK);
	assert_int_equal(ack.len, 54);
	expect_state(c, FLOW_JOINING);
	exchange_end(x);
}

/* ---- windows ---- */

/* Its own scale is the client's to the router host; toward the client ours is 7. */
static void windows_are_converted(void **state)
{
	static const struct {
		const char *client, *router;
		uint16_t in, out;           /* from the router host to the client */
		uint16_t back_in, back_out; /* from the client to the router host */
	} cases[] = {
	    {"mss 1460 ws 7", "mss 1460 ws 7", 400, 400, 500, 500},
	    {"mss 1460 ws 7", "mss 1460 ws 9", 100, 400, 500, 500},
	    {"mss 1460 ws 7", "mss 1460 ws 14", 65535, 65535, 500, 500},
	    {"mss 1460 ws 7", "mss 1460 ws 0", 65535, 511, 500, 500},
	    {"mss 1460 ws 7", "mss 1460 ws 0", 127, 1, 500, 500}, /* not 0 */
	    {"mss 1460 ws 7", "mss 1460 ws 0", 1, 1, 500, 500},
	    {"mss 1460 ws 7", "mss 1460 ws 0", 0, 0, 0, 0},
	    {"mss 1460 ws 7", "mss 1460", 65535, 511, 500, 64000}, /* declined */
	    {"mss 1460 ws 7", "mss 1460", 100, 1, 600, 65535},
	    {"mss 1460 ws 0", "mss 1460 ws 7", 400, 400, 65535, 65535},
	    {"mss 1460 ws 0", "mss 1460", 256, 2, 500, 500},
	    {"mss 1460 ws 14", "mss 1460", 12800, 100, 1, 16384},
	    {"mss 1460", "mss 1460", 400, 400, 500, 500},
	    {"mss 1460", "mss 1460 ws 7", 400, 400, 500, 500}, /* offered unasked: ignored */
	    {"mss 1460", "mss 1460", 0, 0, 0, 0},
	};
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct exchange *x = exchange_begin(state);
		char text[64];
		struct conn *c = conn_new(x, 40000);
		c->client_options = cases[i].client;
		c->client_window = 1000;
		conn_request(c);
		snprintf(text, sizeof(text), "S. 0 ack 1 win 65535 %s", cases[i].router);
		router_sends(c, text);
		exchange_take(x);
		/* While joining, with an acknowledgement, and spliced. */
		snprintf(text, sizeof(text), "P. 1:11 ack 1 win %u", cases[i].in);
		router_sends(c, text);
		snprintf(text, sizeof(text), "P. 1:11 ack 1 win %u fwd", cases[i].out);
		expect_client(c, text);
		snprintf(text, sizeof(text), ". 101 ack 11 win %u", cases[i].back_in);
		client_sends(c, text);
		snprintf(text, sizeof(text), ". 101 ack 11 win %u fwd", cases[i].back_out);
		expect_router(c, text);
		for (unsigned n = 0; n < 2; n++) {
			snprintf(text, sizeof(text), ". 11 ack 101 win %u", cases[i].in);
			router_sends(c, text);
			snprintf(text, sizeof(text), ". 11 ack 101 win %u fwd", cases[i].out);
			expect_client(c, text);
			expect_state(c, FLOW_SPLICED);
		}
		snprintf(text, sizeof(text), ". 101 ack 11 win %u", cases[i].back_in);
		client_sends(c, text);
		snprintf(text, sizeof(text), ". 101 ack 11 win %u fwd", cases[i].back_out);
		expect_router(c, text);
		exchange_end(x);
		exchange_teardown(state);
		exchange_setup(state);
	}
}

/* ---- resets ---- */

/* A router host that resets before it has acknowledged anything has refused. */
static void a_late_refusal_is_tried_elsewhere(void **state)
{
	static const char *const resets[] = {"R 1 win 0", "R. 1 ack 1 win 0"};
	for (unsigned i = 0; i < 2; i++) {
		struct exchange *x = exchange_begin(state);
		struct conn *c = half_acknowledged(x);
		struct address first = c->router;
		router_sends(c, resets[i]);
		expect_router(c, "S 0 win 64000 mss 1460 ws 7 sackok");
		expect_silence(x);
		assert_false(address_equal(&first, &c->router));
		expect_state(c, FLOW_CONNECTING);
		expect_count(x, counter_connections_retried, 1);
		expect_count(x, counter_ports_in_use, 1);
		c->router_isn = 0xffffffff;
		router_sends(c, "S. 0 ack 1 win 65535 mss 1460 sackok ws 9");
		expect_router(c, "P. 1:101 ack 1 win 500");
		router_sends(c, ". 1 ack 101 win 100");
		expect_client(c, ". 1 ack 101 win 400 fwd");
		expect_state(c, FLOW_SPLICED);
		exchange_end(x);
		exchange_teardown(state);
		exchange_setup(state);
	}
}

/* It has read the request: it may have acted on it. */
static void a_reset_that_acknowledges_the_head_is_no_refusal(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = joining(x);
	router_sends(c, "R. 1 ack 101 win 0");
	expect_client(c, "R. 1 ack 101 win 0 fwd");
	expect_state(c, FLOW_LINGERING);
	expect_count(x, counter_connections_retried, 0);
	exchange_end(x);
}

/* A window update acknowledges nothing yet: a refusal may still come. */
static void an_empty_acknowledgement_does_not_join(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = joining(x);
	router_sends(c, ". 1 ack 1 win 300");
	expect_client(c, ". 1 ack 1 win 300 fwd");
	expect_state(c, FLOW_JOINING);
	router_sends(c, "R 1 win 0");
	expect_router(c, "S 0 win 64000 mss 1460 ws 7 sackok");
	expect_state(c, FLOW_CONNECTING);
	exchange_end(x);
}

static void after_an_acknowledgement_there_is_no_retry(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = half_acknowledged(x);
	router_sends(c, ". 1 ack 11 win 512");
	expect_client(c, ". 1 ack 61 win 511 fwd");
	router_sends(c, "R 1 win 0");
	expect_client(c, "R 1 win 0 fwd");
	expect_state(c, FLOW_LINGERING);
	expect_count(x, counter_connections_retried, 0);
	expect_count(x, counter_ended_rst, 1);
	exchange_end(x);
}

static void after_data_there_is_no_retry(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = joining(x);
	router_sends(c, "P. 1:11 ack 1 win 400");
	expect_client(c, "P. 1:11 ack 1 win 400 fwd");
	router_sends(c, "R 11 win 0");
	expect_client(c, "R 11 win 0 fwd");
	expect_state(c, FLOW_LINGERING);
	exchange_end(x);
}

static void the_client_resets(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = joining(x);
	client_sends(c, "R. 101 ack 1 win 0");
	expect_router(c, "R. 101 ack 1 win 0 fwd");
	expect_state(c, FLOW_LINGERING);
	assert_int_equal(shared_get(&x->worker->hosts[0].active) + shared_get(&x->worker->hosts[1].active), 0);
	pass_ms(x, 200);
	expect_state(c, FLOW_FREE);
	exchange_end(x);
}

/* "Too big" while joining: what only we can repeat goes in smaller segments. */
static void a_smaller_path_shrinks_what_we_repeat(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = connecting_with_3000(x);
	router_sends(c, "S. 0 ack 1 win 65535 mss 1460 sackok ws 7");
	expect_router(c, ". 1:1461 ack 1 win 500");
	expect_router(c, ". 1461:2921 ack 1 win 500");
	expect_router(c, "P. 2921:3001 ack 1 win 500");
	network_sends_icmp(c, SIDE_ROUTER, 3, 4, 1040, 1);
	expect_client(c, "icmp 3/4 mtu 1040 seq 1");
	pass_ms(x, 200);
	expect_router(c, ". 1:1001 ack 1 win 500");
	expect_router(c, "P. 1001:2001 ack 1 win 500");
	exchange_end(x);
}

/* No frame is left for what we would send: the timer repeats it. */
static void a_lack_of_frames_is_survived(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_new(x, 40000);
	conn_handshake(c);
	client_sends(c, "P. 1:61 ack 1 win 500");
	expect_client(c, ". 1 ack 61 win 128");
	client_sends(c, "P. 61:101 ack 1 win 500");
	expect_syn(c);
	x->frames_max = 1; /* the one that comes in */
	router_sends(c, "S. 0 ack 1 win 65535 mss 1460 sackok ws 7");
	expect_silence(x);
	expect_count(x, counter_tx_failed, 1);
	x->frames_max = 64;
	assert_int_equal(pass_until_sent(x, 300), 200);
	expect_router(c, "P. 1:61 ack 1 win 500");
	client_sends(c, "P. 61:101 ack 1 win 500");
	expect_router(c, "P. 61:101 ack 1 win 500 fwd");
	exchange_end(x);
}

/* All numbers of both connections near their wrap. */
static void numbers_may_wrap(void **state)
{
	static const uint32_t isns[] = {0xffffffff, 0xfffffffe, 0xffffffff - 50, 0xffffffff - 100, 0x7fffffff - 50};
	struct exchange *x = exchange_begin(state);
	for (uint16_t i = 0; i < 25; i++) {
		struct conn *c = conn_new(x, 40000 + i);
		c->client_isn = isns[i / 5];
		c->router_isn = isns[i % 5];
		conn_handshake(c);
		client_sends(c, "P. 1:61 ack 1 win 500");
		expect_client(c, ". 1 ack 61 win 128");
		client_sends(c, "P. 61:101 ack 1 win 500");
		expect_syn(c);
		router_sends(c, "S. 0 ack 1 win 65535 mss 1460 sackok ws 7");
		expect_router(c, "P. 1:101 ack 1 win 500");
		router_sends(c, "P. 1:151 ack 31 win 512");
		expect_client(c, "P. 1:151 ack 61 win 511 fwd");
		client_sends(c, "P. 101:201 ack 151 win 500");
		expect_router(c, "P. 101:201 ack 151 win 500 fwd");
		router_sends(c, ". 151 ack 201 win 512");
		expect_client(c, ". 151 ack 201 win 512 fwd");
		expect_state(c, FLOW_SPLICED);
	}
	exchange_end(x);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, exchange_setup, exchange_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(the_acknowledgement_travels_back),
	    TEST(held_bytes_go_in_segments_that_fit),
	    TEST(what_we_acknowledged_we_repeat),
	    TEST(what_the_client_can_repeat_we_do_not),
	    TEST(only_what_is_missing_is_repeated),
	    TEST(the_client_sees_no_step_back),
	    TEST(late_and_wrong_acknowledgements),
	    TEST(the_router_host_may_speak_first),
	    TEST(everything_may_end_with_the_join),
	    TEST(the_client_may_go_on),
	    TEST(odd_segments_of_the_client),
	    TEST(a_restarted_client_is_answered),
	    TEST(a_repeated_syn_ack_is_acknowledged),
	    TEST(windows_are_converted),
	    TEST(a_late_refusal_is_tried_elsewhere),
	    TEST(a_reset_that_acknowledges_the_head_is_no_refusal),
	    TEST(an_empty_acknowledgement_does_not_join),
	    TEST(after_an_acknowledgement_there_is_no_retry),
	    TEST(after_data_there_is_no_retry),
	    TEST(the_client_resets),
	    TEST(a_smaller_path_shrinks_what_we_repeat),
	    TEST(a_lack_of_frames_is_survived),
	    TEST(numbers_may_wrap),
	    TEST(a_large_mss_is_cut_to_the_port),
	    TEST(a_frame_holds_what_it_has_room_for),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
