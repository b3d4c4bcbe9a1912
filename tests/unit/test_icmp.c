/* icmp.c: "too big" is translated for the endpoint whose packet it was, "unreachable" matters only while connecting,
 * and all of it only for a sequence number in flight (RFC 5927). */
#include "exchange.h"

#include "common/bytes.h"
#include "segment_text.h"

enum { UNREACHABLE = 3, TIME_EXCEEDED = 11, HOST = 1, TOO_BIG = 4 };

/* The client has 100 bytes in flight at 101, the router host 200 at 1. */
static struct conn *in_flight(struct exchange *x)
{
	struct conn *c = conn_new(x, 40000);
	c->client_isn = 0xffffffff - 150; /* the numbers in flight wrap */
	c->router_isn = 0xffffffff - 100;
	conn_splice(c);
	client_sends(c, "P. 101:201 ack 1 win 500");
	expect_router(c, "P. 101:201 ack 1 win 500 fwd");
	router_sends(c, "P. 1:201 ack 101 win 400");
	expect_client(c, "P. 1:201 ack 101 win 400 fwd");
	return c;
}

static void too_big_for_the_router_side_goes_to_the_client(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = in_flight(x);
	network_sends_icmp(c, SIDE_ROUTER, UNREACHABLE, TOO_BIG, 1400, 101);
	expect_client(c, "icmp 3/4 mtu 1400 seq 101");
	network_sends_icmp(c, SIDE_ROUTER, UNREACHABLE, TOO_BIG, 68, 200);
	expect_client(c, "icmp 3/4 mtu 68 seq 200");
	expect_state(c, FLOW_SPLICED);
	exchange_end(x);
}

static void too_big_for_the_client_goes_to_the_router_host(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = in_flight(x);
	network_sends_icmp(c, SIDE_CLIENT, UNREACHABLE, TOO_BIG, 1280, 1);
	expect_router(c, "icmp 3/4 mtu 1280 seq 1");
	network_sends_icmp(c, SIDE_CLIENT, UNREACHABLE, TOO_BIG, 576, 200);
	expect_router(c, "icmp 3/4 mtu 576 seq 200");
	expect_count(x, counter_drop_icmp_soft, 0);
	exchange_end(x);
}

/* SND.UNA <= SEG.SEQ < SND.NXT */
static void only_what_is_in_flight_counts(void **state)
{
	static const int32_t client_bad[] = {100, 201, 202, -100, 1000000, -2000000000};
	static const int32_t router_bad[] = {0, 201, 202, -5, 1000000};
	struct exchange *x = exchange_begin(state);
	struct conn *c = in_flight(x);
	for (unsigned i = 0; i < 6; i++)
		network_sends_icmp(c, SIDE_ROUTER, UNREACHABLE, TOO_BIG, 1400, client_bad[i]);
	for (unsigned i = 0; i < 5; i++)
		network_sends_icmp(c, SIDE_CLIENT, UNREACHABLE, TOO_BIG, 1400, router_bad[i]);
	expect_silence(x);
	expect_count(x, counter_drop_icmp_not_in_flight, 11);
	exchange_end(x);
}

static void nothing_in_flight_nothing_counts(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_spliced(x, 40000);
	network_sends_icmp(c, SIDE_ROUTER, UNREACHABLE, TOO_BIG, 1400, 101);
	network_sends_icmp(c, SIDE_CLIENT, UNREACHABLE, TOO_BIG, 1400, 1);
	expect_silence(x);
	expect_count(x, counter_drop_icmp_not_in_flight, 2);
	exchange_end(x);
}

/* Below 68 no path can be (RFC 791); 0 comes from routers older than RFC 1191. */
static void an_impossible_mtu_is_dropped(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = in_flight(x);
	network_sends_icmp(c, SIDE_ROUTER, UNREACHABLE, TOO_BIG, 67, 101);
	network_sends_icmp(c, SIDE_ROUTER, UNREACHABLE, TOO_BIG, 0, 101);
	expect_silence(x);
	expect_count(x, counter_drop_icmp_soft, 2);
	exchange_end(x);
}

static void soft_errors_change_nothing_after_the_join(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = in_flight(x);
	for (uint8_t code = 0; code <= 15; code++)
		if (code != TOO_BIG)
			network_sends_icmp(c, SIDE_ROUTER, UNREACHABLE, code, 0, 101);
	network_sends_icmp(c, SIDE_CLIENT, UNREACHABLE, HOST, 0, 1);
	network_sends_icmp(c, SIDE_ROUTER, TIME_EXCEEDED, 0, 0, 101);
	network_sends_icmp(c, SIDE_CLIENT, TIME_EXCEEDED, 0, 0, 1);
	expect_silence(x);
	expect_count(x, counter_drop_icmp_soft, 18);
	expect_state(c, FLOW_SPLICED);
	exchange_end(x);
}

static struct conn *connecting(struct exchange *x)
{
	struct conn *c = conn_new(x, 40000);
	conn_request(c);
	return c;
}

static void unreachable_ends_an_attempt(void **state)
{
	for (uint8_t code = 0; code <= 15; code++) {
		struct exchange *x = exchange_begin(state);
		struct conn *c = connecting(x);
		struct address first = c->router;
		network_sends_icmp(c, SIDE_ROUTER, UNREACHABLE, code, 0, 0);
		if (code == TOO_BIG) {
			expect_silence(x);
		} else {
			expect_router(c, "S 0 win 64000 mss 1460 ws 7 sackok");
			assert_false(address_equal(&first, &c->router));
		}
		exchange_end(x);
		exchange_teardown(state);
		exchange_setup(state);
	}
}

static void while_connecting_the_number_must_be_that_of_the_syn(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = connecting(x);
	network_sends_icmp(c, SIDE_ROUTER, UNREACHABLE, HOST, 0, 1);
	network_sends_icmp(c, SIDE_ROUTER, UNREACHABLE, HOST, 0, -1);
	network_sends_icmp(c, SIDE_CLIENT, UNREACHABLE, HOST, 0, 0);
	expect_count(x, counter_drop_icmp_not_in_flight, 3);
	network_sends_icmp(c, SIDE_ROUTER, TIME_EXCEEDED, 0, 0, 0);
	expect_count(x, counter_drop_icmp_soft, 1);
	expect_silence(x);
	expect_state(c, FLOW_CONNECTING);
	exchange_end(x);
}

/* About the port of an attempt that was given up. */
static void an_error_about_nothing_is_dropped(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = connecting(x);
	router_sends(c, "R. 0 ack 1 win 0");
	exchange_take(x);
	network_sends_icmp(c, SIDE_ROUTER, UNREACHABLE, HOST, 0, 0);
	expect_silence(x);
	expect_count(x, counter_drop_icmp_unmatched, 1);
	struct conn *nobody = conn_new(x, 50000);
	network_sends_icmp(nobody, SIDE_CLIENT, UNREACHABLE, TOO_BIG, 1400, 0);
	expect_count(x, counter_drop_icmp_unmatched, 2);
	exchange_end(x);
}

static void in_the_head_no_error_counts(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_new(x, 40000);
	conn_handshake(c);
	network_sends_icmp(c, SIDE_CLIENT, UNREACHABLE, HOST, 0, 0);
	network_sends_icmp(c, SIDE_CLIENT, UNREACHABLE, TOO_BIG, 1400, 0);
	expect_silence(x);
	expect_count(x, counter_drop_icmp_soft, 2);
	expect_state(c, FLOW_HEAD);
	exchange_end(x);
}

/* The lingering flow still translates. */
static void after_the_end_it_still_passes(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = in_flight(x);
	router_sends(c, "R 201 win 0");
	expect_client(c, "R 201 win 0 fwd");
	expect_state(c, FLOW_LINGERING);
	network_sends_icmp(c, SIDE_CLIENT, UNREACHABLE, TOO_BIG, 1400, 1);
	expect_router(c, "icmp 3/4 mtu 1400 seq 1");
	exchange_end(x);
}

/* Nothing leaves with the address of a VIP that the kernel does not hold. */
static void no_error_leaves_a_vip_that_is_gone(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = in_flight(x);
	shared_set(&x->shared->vip_held[0], 0);
	pass_ms(x, 1);
	network_sends_icmp(c, SIDE_ROUTER, UNREACHABLE, TOO_BIG, 1400, 101);
	expect_silence(x);
	expect_count(x, counter_drop_vip_not_held, 1);
	exchange_end(x);
}

/* The quoted header may have lost its checksum or options on the way: only addresses, ports and number count. */
static void a_quote_with_options_is_read(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = in_flight(x);
	uint8_t frame[128] = {0}, *header = frame + 14, *icmp = header + 20, *quote = icmp + 8;
	memcpy(frame, exchange_port_macs[SOUTH], 6);
	memcpy(frame + 6, c->client_mac, 6);
	put_be16(frame + 12, 0x0800);
	struct address from = ip("203.0.113.254");
	header[0] = 0x45;
	put_be16(header + 2, 20 + 8 + 24 + 8);
	header[8] = 60;
	header[9] = 1;
	memcpy(header + 12, from.bytes + 12, 4);
	memcpy(header + 16, c->local.bytes + 12, 4);
	quote[0] = 0x46;
	put_be16(quote + 2, 1500);
	quote[8] = 3;
	quote[9] = 6;
	memcpy(quote + 12, c->local.bytes + 12, 4);
	memcpy(quote + 16, c->router.bytes + 12, 4);
	memset(quote + 20, 1, 4);
	put_be16(quote + 24, c->local_port);
	put_be16(quote + 26, c->router_port);
	put_be32(quote + 28, c->client_isn + 101);
	icmp[0] = UNREACHABLE;
	icmp[1] = TOO_BIG;
	put_be16(icmp + 6, 1300);
	put_be16(icmp + 2, (uint16_t)~plain_fold(plain_sum(0, icmp, 8 + 32)));
	put_be16(header + 10, (uint16_t)~plain_fold(plain_sum(0, header, 20)));
	frame_arrives(x, SOUTH, frame, 14 + 20 + 8 + 32);
	expect_client(c, "icmp 3/4 mtu 1300 seq 101");
	exchange_end(x);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, exchange_setup, exchange_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(too_big_for_the_router_side_goes_to_the_client),
	    TEST(too_big_for_the_client_goes_to_the_router_host),
	    TEST(only_what_is_in_flight_counts),
	    TEST(nothing_in_flight_nothing_counts),
	    TEST(an_impossible_mtu_is_dropped),
	    TEST(soft_errors_change_nothing_after_the_join),
	    TEST(unreachable_ends_an_attempt),
	    TEST(while_connecting_the_number_must_be_that_of_the_syn),
	    TEST(an_error_about_nothing_is_dropped),
	    TEST(in_the_head_no_error_counts),
	    TEST(after_the_end_it_still_passes),
	    TEST(no_error_leaves_a_vip_that_is_gone),
	    TEST(a_quote_with_options_is_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
