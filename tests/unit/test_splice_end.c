/* splice.c: how a spliced flow ends, and what does not belong into it. */
#include "exchange.h"

#include "common/bytes.h"

static uint64_t active(struct exchange *x)
{
	uint64_t sum = 0;
	for (unsigned slot = 0; slot < EXCHANGE_HOSTS; slot++)
		sum += shared_get(&x->worker->hosts[slot].active);
	return sum;
}

static void both_fins(struct conn *c)
{
	client_sends(c, "F. 101 ack 1 win 500");
	expect_router(c, "F. 101 ack 1 win 500 fwd");
	router_sends(c, "F. 1 ack 102 win 400");
	expect_client(c, "F. 1 ack 102 win 400 fwd");
	expect_state(c, FLOW_SPLICED);
	client_sends(c, ". 102 ack 2 win 500");
	expect_router(c, ". 102 ack 2 win 500 fwd");
	expect_state(c, FLOW_LINGERING);
}

/* ---- ending by FIN ---- */

static void two_fins_and_their_acknowledgements_end_it(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_spliced(x, 40000);
	both_fins(c);
	expect_count(x, counter_ended_fin, 1);
	expect_count(x, counter_flows_lingering, 1);
	expect_count(x, counter_ports_in_use, 1);
	assert_int_equal(active(x), 0); /* at once */
	pass_ms(x, 1999);
	expect_state(c, FLOW_LINGERING);
	pass_ms(x, 1);
	expect_state(c, FLOW_FREE);
	expect_count(x, counter_ports_in_use, 0);
	exchange_end(x);
}

static void a_fin_with_data_counts_the_data(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_spliced(x, 40000);
	router_sends(c, "FP. 1:301 ack 101 win 400");
	expect_client(c, "FP. 1:301 ack 101 win 400 fwd");
	client_sends(c, "F. 101 ack 301 win 500"); /* not the FIN yet */
	expect_router(c, "F. 101 ack 301 win 500 fwd");
	router_sends(c, ". 302 ack 102 win 400");
	expect_client(c, ". 302 ack 102 win 400 fwd");
	expect_state(c, FLOW_SPLICED);
	client_sends(c, ". 102 ack 302 win 500");
	expect_router(c, ". 102 ack 302 win 500 fwd");
	expect_state(c, FLOW_LINGERING);
	exchange_end(x);
}

static void simultaneous_close(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_spliced(x, 40000);
	client_sends(c, "F. 101 ack 1 win 500");
	expect_router(c, "F. 101 ack 1 win 500 fwd");
	router_sends(c, "F. 1 ack 101 win 400");
	expect_client(c, "F. 1 ack 101 win 400 fwd");
	client_sends(c, ". 102 ack 2 win 500");
	expect_router(c, ". 102 ack 2 win 500 fwd");
	expect_state(c, FLOW_SPLICED);
	router_sends(c, ". 2 ack 102 win 400");
	expect_client(c, ". 2 ack 102 win 400 fwd");
	expect_state(c, FLOW_LINGERING);
	exchange_end(x);
}

/* The last ACK was lost: FIN and ACK go through once more, and the two seconds begin again. */
static void the_end_can_be_repaired(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_spliced(x, 40000);
	both_fins(c);
	pass_ms(x, 1500);
	router_sends(c, "F. 1 ack 102 win 400");
	expect_client(c, "F. 1 ack 102 win 400 fwd");
	client_sends(c, ". 102 ack 2 win 500");
	expect_router(c, ". 102 ack 2 win 500 fwd");
	pass_ms(x, 1999);
	expect_state(c, FLOW_LINGERING);
	pass_ms(x, 1);
	expect_state(c, FLOW_FREE);
	exchange_end(x);
}

/* A captured request, played again into the afterlife, does not reach the router host. */
static void a_duplicate_does_not_pass_an_ended_flow(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_spliced(x, 40000);
	both_fins(c);
	client_sends(c, "P. 1:101 ack 1 win 500");
	expect_silence(x);
	expect_count(x, counter_drop_after_close, 1);
	expect_state(c, FLOW_LINGERING);
	exchange_end(x);
}

static void only_a_plain_syn_begins_anew(void **state)
{
	static const char *const strange[] = {"FS 500000 win 64240", "S. 500000 ack 1 win 64240", "- 500000 win 64240"};
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_spliced(x, 40000);
	both_fins(c);
	for (unsigned i = 0; i < 3; i++) {
		client_sends(c, strange[i]);
		expect_silence(x);
		expect_state(c, FLOW_LINGERING);
	}
	exchange_end(x);
}

static void half_closed_flows_end_after_a_minute(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_spliced(x, 40000);
	client_sends(c, "F. 101 ack 1 win 500");
	expect_router(c, "F. 101 ack 1 win 500 fwd");
	pass_ms(x, 50000);
	router_sends(c, "P. 1:51 ack 102 win 400"); /* a packet: the minute begins again */
	expect_client(c, "P. 1:51 ack 102 win 400 fwd");
	client_sends(c, ". 102 ack 51 win 500");
	expect_router(c, ". 102 ack 51 win 500 fwd");
	assert_int_equal(pass_until_sent(x, 70000), 60000);
	expect_client(c, "R 51 win 0");
	expect_router(c, "R 102 win 0");
	expect_count(x, counter_ended_idle, 1);
	expect_state(c, FLOW_FREE);
	exchange_end(x);
}

/* A FIN that the other side cannot accept says nothing about the end (RFC 5961's reasoning for RST). */
static void a_fin_outside_the_window_is_not_believed(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_spliced(x, 40000);
	client_sends(c, "F. 1000000 ack 1 win 500");
	expect_router(c, "F. 1000000 ack 1 win 500 fwd");
	assert_int_equal(conn_flow(c)->flags & FLOW_FIN_CLIENT, 0);
	both_fins(c);
	exchange_end(x);
}

/* An older acknowledgement arrives late: it takes back neither what was acknowledged nor the window. The FIN fills the
 * window to its end. */
static void a_fin_after_reordered_acknowledgements_is_seen(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_spliced(x, 40000);
	client_sends(c, "P. 101:1561 ack 1 win 500");
	expect_router(c, "P. 101:1561 ack 1 win 500 fwd");
	router_sends(c, ". 1 ack 1561 win 10");
	expect_client(c, ". 1 ack 1561 win 10 fwd");
	router_sends(c, ". 1 ack 101 win 10");
	expect_client(c, ". 1 ack 101 win 10 fwd");
	client_sends(c, "FP. 1561:2840 ack 1 win 500");
	expect_router(c, "FP. 1561:2840 ack 1 win 500 fwd");
	assert_true(conn_flow(c)->flags & FLOW_FIN_CLIENT);
	router_sends(c, "F. 1 ack 2841 win 400");
	expect_client(c, "F. 1 ack 2841 win 400 fwd");
	client_sends(c, ". 2841 ack 2 win 500");
	expect_router(c, ". 2841 ack 2 win 500 fwd");
	expect_state(c, FLOW_LINGERING);
	expect_count(x, counter_ended_fin, 1);
	exchange_end(x);
}

/* It passes, but acknowledges no FIN. */
static void an_acknowledgement_of_what_was_never_sent_is_not_believed(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_spliced(x, 40000);
	client_sends(c, "F. 101 ack 1 win 500");
	expect_router(c, "F. 101 ack 1 win 500 fwd");
	router_sends(c, "F. 1 ack 102 win 400");
	expect_client(c, "F. 1 ack 102 win 400 fwd");
	client_sends(c, ". 102 ack 999999 win 500");
	expect_router(c, ". 102 ack 999999 win 500 fwd");
	expect_state(c, FLOW_SPLICED);
	client_sends(c, ". 102 ack 2 win 500");
	expect_router(c, ". 102 ack 2 win 500 fwd");
	expect_state(c, FLOW_LINGERING);
	exchange_end(x);
}

/* ---- ending by RST ---- */

static void an_exact_reset_ends_it(void **state)
{
	static const struct {
		bool client;
		const char *reset;
	} cases[] = {
	    {true, "R 201 win 0"},           /* the end of what it sent */
	    {true, "R. 101 ack 1 win 0"},    /* what the router host has acknowledged */
	    {false, "R 51 win 0"},           /* the end */
	    {false, "R. 1 ack 201 win 500"}, /* acknowledged by the client */
	};
	for (unsigned i = 0; i < 4; i++) {
		struct exchange *x = exchange_begin(state);
		struct conn *c = conn_spliced(x, 40000);
		client_sends(c, "P. 101:201 ack 1 win 500");
		expect_router(c, "P. 101:201 ack 1 win 500 fwd");
		router_sends(c, "P. 1:51 ack 101 win 400");
		expect_client(c, "P. 1:51 ack 101 win 400 fwd");
		char expected[64];
		snprintf(expected, sizeof(expected), "%s fwd", cases[i].reset);
		(cases[i].client ? client_sends : router_sends)(c, cases[i].reset);
		exchange_expect(c, cases[i].client ? SIDE_ROUTER : SIDE_CLIENT, expected, __FILE__, __LINE__);
		expect_state(c, FLOW_LINGERING);
		expect_count(x, counter_ended_rst, 1);
		assert_int_equal(active(x), 0);
		pass_ms(x, 199);
		expect_state(c, FLOW_LINGERING);
		pass_ms(x, 1);
		expect_state(c, FLOW_FREE);
		exchange_end(x);
		exchange_teardown(state);
		exchange_setup(state);
	}
}

static void a_reset_outside_the_window_is_dropped(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_spliced(x, 40000);
	client_sends(c, "R 100 win 0");
	client_sends(c, "R 51302 win 0"); /* 101 + 400 << 7, and one */
	client_sends(c, "R -2000000000 win 0");
	router_sends(c, "R 0 win 0");
	router_sends(c, "R 64002 win 0"); /* 1 + 500 << 7, and one */
	expect_silence(x);
	expect_count(x, counter_drop_rst_out_of_window, 5);
	expect_state(c, FLOW_SPLICED);
	client_sends(c, "P. 101:111 ack 1 win 500");
	expect_router(c, "P. 101:111 ack 1 win 500 fwd");
	exchange_end(x);
}

/* Inside but not exact: forwarded, and then both sides must show that they live. */
static void a_doubtful_reset_gives_ten_seconds(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_spliced(x, 40000);
	client_sends(c, "R 500 win 0");
	expect_router(c, "R 500 win 0 fwd");
	expect_state(c, FLOW_SPLICED);
	client_sends(c, "P. 101:111 ack 1 win 500"); /* one side alone does not dispel it */
	expect_router(c, "P. 101:111 ack 1 win 500 fwd");
	assert_int_equal(pass_until_sent(x, 20000), 10000);
	expect_client(c, "R 1 win 0");
	expect_router(c, "R 101 win 0");
	expect_state(c, FLOW_FREE);
	expect_count(x, counter_ended_idle, 1);
	exchange_end(x);
}

/* A FIN of one side does not make it a minute. */
static void a_fin_does_not_dispel_the_doubt(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_spliced(x, 40000);
	client_sends(c, "R 500 win 0");
	expect_router(c, "R 500 win 0 fwd");
	router_sends(c, "F. 1 ack 101 win 400");
	expect_client(c, "F. 1 ack 101 win 400 fwd");
	assert_int_equal(pass_until_sent(x, 70000), 10000);
	expect_client(c, "R 1 win 0");
	expect_router(c, "R 101 win 0");
	exchange_end(x);
}

/* After a RST there is nothing to repair. */
static void a_fin_does_not_prolong_the_end_by_a_reset(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_spliced(x, 40000);
	client_sends(c, "R 101 win 0");
	expect_router(c, "R 101 win 0 fwd");
	pass_ms(x, 100);
	router_sends(c, "F. 1 ack 101 win 400"); /* crossed it */
	expect_client(c, "F. 1 ack 101 win 400 fwd");
	pass_ms(x, 100);
	expect_state(c, FLOW_FREE);
	exchange_end(x);
}

static void when_both_sides_speak_the_doubt_is_gone(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_spliced(x, 40000);
	router_sends(c, "R 500 win 0");
	expect_client(c, "R 500 win 0 fwd");
	client_sends(c, ". 101 ack 1 win 500"); /* its challenge ACK */
	expect_router(c, ". 101 ack 1 win 500 fwd");
	router_sends(c, "P. 1:11 ack 101 win 400");
	expect_client(c, "P. 1:11 ack 101 win 400 fwd");
	pass_ms(x, 60000);
	expect_silence(x);
	expect_state(c, FLOW_SPLICED);
	exchange_end(x);
}

/* Data that nobody could accept does not make a RST far out exact. */
static void stray_data_does_not_move_the_exact_number(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_spliced(x, 40000);
	client_sends(c, "P. 2000000:2000010 ack 1 win 500");
	expect_router(c, "P. 2000000:2000010 ack 1 win 500 fwd");
	client_sends(c, "R 2000010 win 0");
	expect_silence(x);
	expect_state(c, FLOW_SPLICED);
	exchange_end(x);
}

/* ---- ending by silence ---- */

/* Each side gets exactly the number that it acknowledged last. */
static void an_idle_flow_is_reset_on_both_sides(void **state)
{
	struct exchange *x = *state;
	x->config.timeouts.idle = 30000;
	exchange_start(x);
	struct conn *c = conn_new(x, 40000);
	c->client_isn = 0xffffffff - 120;
	c->router_isn = 0xffffffff - 20;
	conn_splice(c);
	client_sends(c, "P. 101:201 ack 1 win 500");
	expect_router(c, "P. 101:201 ack 1 win 500 fwd");
	router_sends(c, "P. 1:51 ack 151 win 400");
	expect_client(c, "P. 1:51 ack 151 win 400 fwd");
	pass_ms(x, 20000);
	client_sends(c, ". 201 ack 41 win 500");
	expect_router(c, ". 201 ack 41 win 500 fwd");
	assert_int_equal(pass_until_sent(x, 60000), 30000);
	expect_client(c, "R 41 win 0");
	expect_router(c, "R 151 win 0");
	expect_count(x, counter_ended_idle, 1);
	expect_count(x, counter_tx_rst, 2);
	expect_state(c, FLOW_FREE);
	exchange_end(x);
}

/* The limit is longer than a timer can be set. */
static void idle_limits_may_be_long(void **state)
{
	struct exchange *x = *state;
	x->config.timeouts.idle = 20000000; /* 5.6 h */
	exchange_start(x);
	struct conn *c = conn_spliced(x, 40000);
	for (unsigned i = 0; i < 19; i++) {
		x->now_us += 1000000000;
		worker_tick(x->worker, x->now_us);
		expect_silence(x);
	}
	expect_state(c, FLOW_SPLICED);
	x->now_us += 1000000000;
	worker_tick(x->worker, x->now_us);
	expect_client(c, "R 1 win 0");
	expect_router(c, "R 101 win 0");
	exchange_end(x);
}

static void the_clock_may_wrap(void **state)
{
	struct exchange *x = *state;
	x->now_us = (0xffffffffULL - 5000) * 1000;
	x->config.timeouts.idle = 8000;
	exchange_start(x);
	struct conn *c = conn_spliced(x, 40000);
	pass_ms(x, 4000);
	client_sends(c, ". 101 ack 1 win 500");
	expect_router(c, ". 101 ack 1 win 500 fwd");
	assert_int_equal(pass_until_sent(x, 20000), 8000);
	expect_client(c, "R 1 win 0");
	expect_router(c, "R 101 win 0");
	exchange_end(x);
}

/* ---- what does not belong into a spliced flow ---- */

/* A client that forgot: it gets the last acknowledgement and resets by it; its next SYN finds nobody. */
static void a_syn_inside_a_flow_is_answered(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_spliced(x, 40000);
	router_sends(c, "P. 1:51 ack 101 win 400");
	expect_client(c, "P. 1:51 ack 101 win 400 fwd");
	client_sends(c, "S 500000 win 64240 mss 1460 sackok ws 7");
	struct sent_frame ack = exchange_take(x);
	assert_int_equal(ack.port, NORTH);
	assert_int_equal(ack.data[47], TCP_ACK);
	assert_int_equal(get_be32(ack.data + 38), c->our_isn + 51);
	assert_int_equal(get_be32(ack.data + 42), c->client_isn + 101);
	client_sends(c, "S 500000 win 64240 mss 1460 sackok ws 7");
	expect_silence(x); /* two a second at most */
	expect_count(x, counter_drop_stray_syn, 1);
	client_sends(c, "R 101 win 0");
	expect_router(c, "R 101 win 0 fwd");
	expect_state(c, FLOW_LINGERING);
	/* And now it is a handshake as any. */
	c->client_isn += 500000;
	client_sends(c, "S 0 win 64240 mss 1460 sackok ws 7");
	expect_client(c, "S. 0 ack 1 win 16384 mss 1460 ws 7 sackok");
	client_sends(c, ". 1 ack 1 win 500");
	expect_state(c, FLOW_HEAD);
	expect_count(x, counter_flows, 1);
	exchange_end(x);
}

/* The window of that answer is the router host's, not a new invention: a client that lives may act on it. */
static void the_answer_to_a_syn_offers_no_more_than_the_router_host(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_spliced(x, 40000);
	router_sends(c, ". 1 ack 101 win 3");
	expect_client(c, ". 1 ack 101 win 3 fwd");
	client_sends(c, "S 0 win 64240 mss 1460 sackok ws 7"); /* a late duplicate of its first */
	struct sent_frame ack = exchange_take(x);
	assert_in_range(get_be16(ack.data + 48), 0, 3);
	exchange_end(x);
}

static void other_strange_flags_are_dropped(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_spliced(x, 40000);
	client_sends(c, "S. 101 ack 1 win 500");
	router_sends(c, "S. 0 ack 1 win 500 mss 1460");
	router_sends(c, "S 0 win 500 mss 1460");
	expect_count(x, counter_drop_stray_syn, 3);
	client_sends(c, "P 101:111 win 500");
	client_sends(c, "F 101 win 500");
	router_sends(c, "- 1 win 500");
	expect_count(x, counter_drop_no_ack, 3);
	expect_silence(x);
	expect_state(c, FLOW_SPLICED);
	exchange_end(x);
}

/* A new connection of the same address and port replaces the lingering one, with or without FIN in the segment. */
static void a_birth_replaces_a_lingering_flow(void **state)
{
	static const char *const births[] = {". 1 ack 1 win 500", "P. 1:101 ack 1 win 500", "FP. 1:101 ack 1 win 500"};
	for (unsigned i = 0; i < 3; i++) {
		struct exchange *x = exchange_begin(state);
		struct conn *c = conn_spliced(x, 40000);
		both_fins(c);
		c->client_isn += 100000;
		client_sends(c, "S 0 win 64240 mss 1460 sackok ws 7");
		expect_client(c, "S. 0 ack 1 win 16384 mss 1460 ws 7 sackok");
		expect_state(c, FLOW_LINGERING);
		client_sends(c, births[i]);
		if (i > 0)
			expect_syn(c);
		expect_state(c, i == 0 ? FLOW_HEAD : FLOW_CONNECTING);
		expect_count(x, counter_flows, 1);
		expect_count(x, counter_flows_lingering, 0);
		exchange_end(x);
		exchange_teardown(state);
		exchange_setup(state);
	}
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, exchange_setup, exchange_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(two_fins_and_their_acknowledgements_end_it),
	    TEST(a_fin_with_data_counts_the_data),
	    TEST(simultaneous_close),
	    TEST(the_end_can_be_repaired),
	    TEST(a_duplicate_does_not_pass_an_ended_flow),
	    TEST(only_a_plain_syn_begins_anew),
	    TEST(half_closed_flows_end_after_a_minute),
	    TEST(a_fin_outside_the_window_is_not_believed),
	    TEST(a_fin_after_reordered_acknowledgements_is_seen),
	    TEST(an_acknowledgement_of_what_was_never_sent_is_not_believed),
	    TEST(an_exact_reset_ends_it),
	    TEST(a_reset_outside_the_window_is_dropped),
	    TEST(a_doubtful_reset_gives_ten_seconds),
	    TEST(a_fin_does_not_dispel_the_doubt),
	    TEST(a_fin_does_not_prolong_the_end_by_a_reset),
	    TEST(when_both_sides_speak_the_doubt_is_gone),
	    TEST(stray_data_does_not_move_the_exact_number),
	    TEST(an_idle_flow_is_reset_on_both_sides),
	    TEST(idle_limits_may_be_long),
	    TEST(the_clock_may_wrap),
	    TEST(a_syn_inside_a_flow_is_answered),
	    TEST(the_answer_to_a_syn_offers_no_more_than_the_router_host),
	    TEST(other_strange_flags_are_dropped),
	    TEST(a_birth_replaces_a_lingering_flow),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
