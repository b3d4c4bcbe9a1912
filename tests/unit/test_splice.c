/* splice.c: what is rewritten and what passes. All frames' checksums are verified by the exchange. How a flow ends is
 * tested in test_splice_end.c. */
#include "exchange.h"

#include "seeded_random.h"

static struct conn *spliced_with(struct exchange *x, uint16_t client_port, const char *client, const char *router)
{
	struct conn *c = conn_new(x, client_port);
	c->client_options = client;
	c->router_options = router;
	conn_splice(c);
	return c;
}

/* ---- rewriting ---- */

static void data_passes_both_ways(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_spliced(x, 40000);
	client_sends(c, "P. 101:1561 ack 1 win 500");
	expect_router(c, "P. 101:1561 ack 1 win 500 fwd");
	router_sends(c, ". 1:1461 ack 1561 win 399");
	expect_client(c, ". 1:1461 ack 1561 win 399 fwd");
	router_sends(c, "P. 1461:1462 ack 1561 win 399"); /* an odd length */
	expect_client(c, "P. 1461:1462 ack 1561 win 399 fwd");
	client_sends(c, ". 1561 ack 1462 win 501");
	expect_router(c, ". 1561 ack 1462 win 501 fwd");
	exchange_end(x);
}

/* Its ports need not be the listener's. */
static void the_router_host_may_have_another_port(void **state)
{
	struct exchange *x = exchange_begin(state);
	for (unsigned slot = 0; slot < 2; slot++) {
		struct message message = host_message(slot, true);
		message.host.http_port = 8080;
		tell(x, message);
	}
	tell_end(x, MESSAGE_BATCH_END);
	struct conn *c = conn_spliced(x, 40000);
	assert_int_equal(c->router_port, 8080);
	client_sends(c, "P. 101:201 ack 1 win 500");
	expect_router(c, "P. 101:201 ack 1 win 500 fwd");
	router_sends(c, "P. 1:1001 ack 201 win 400");
	expect_client(c, "P. 1:1001 ack 201 win 400 fwd");
	exchange_end(x);
}

/* Retransmissions, gaps, probes, window 0: the endpoints' business. */
static void nothing_is_judged(void **state)
{
	static const char *const segments[] = {
	    "P. 50:101 ack 1 win 500", "P. 5000:5100 ack 1 win 500", ". 100 ack 1 win 0",
	    ". 100:101 ack 1 win 500", "PU. 101:111 ack 1 win 1",    ". 101 ack 1 win 65535",
	    ". 101:102 ack 1 win 500", "PEC. 101:111 ack 1 win 9",
	};
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_spliced(x, 40000);
	for (unsigned i = 0; i < sizeof(segments) / sizeof(segments[0]); i++) {
		char expected[80];
		snprintf(expected, sizeof(expected), "%s fwd", segments[i]);
		client_sends(c, segments[i]);
		expect_router(c, expected);
		router_sends(c, segments[i]);
		expect_client(c, expected);
	}
	expect_count(x, counter_answered_ack, 0);
	exchange_end(x);
}

static void sack_blocks_of_the_client_are_translated(void **state)
{
	static const char *const options[] = {
	    "sack 11-21",
	    "nop2 sack 11-21",
	    "nop sack 11-21",
	    "nop sack 11-21,31-41",
	    "sack 11-21,31-41,51-61",
	    "nop2 sack 11-21,31-41,51-61,71-81",
	    "nop sack 4294967290-2", /* a D-SACK below what is acknowledged */
	    "raw 080a0102030405060708 nop2 sack 1000001-1000011",
	    "raw 080a0102030405060708 nop sack 1-2,3-4",
	};
	struct exchange *x = exchange_begin(state);
	for (uint16_t i = 0; i < sizeof(options) / sizeof(options[0]) * 4; i++) {
		struct conn *c = conn_new(x, 40000 + i);
		/* Blocks of the router host's numbers that wrap, too. */
		c->router_isn = (const uint32_t[]){0, 0xffffffff, 0xffffffff - 30, 0x12345678}[i % 4];
		conn_splice(c);
		char sent[160], expected[170];
		const char *option = options[i / 4];
		snprintf(sent, sizeof(sent), ". 101 ack 1 win 500 %s", option);
		client_sends(c, sent);
		if (strstr(option, "4294967290"))
			option = "nop sack -6-2";
		snprintf(expected, sizeof(expected), ". 101 ack 1 win 500 %s fwd", option);
		expect_router(c, expected);
	}
	exchange_end(x);
}

/* The client's own numbers are the router host's: nothing to translate in its blocks. */
static void sack_blocks_of_the_router_host_pass(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_spliced(x, 40000);
	router_sends(c, ". 1 ack 101 win 400 nop2 sack 201-301,401-501");
	expect_client(c, ". 1 ack 101 win 400 nop2 sack 201-301,401-501 fwd");
	router_sends(c, ". 1 ack 101 win 400 nop sack 201-301");
	expect_client(c, ". 1 ack 101 win 400 nop sack 201-301 fwd");
	exchange_end(x);
}

static void sack_that_was_declined_is_blanked(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = spliced_with(x, 40000, "mss 1460 sackok ws 7", "mss 1460 ws 7");
	client_sends(c, ". 101 ack 1 win 500 nop2 sack 11-21");
	expect_router(c, ". 101 ack 1 win 500 nop12 fwd");
	client_sends(c, ". 101 ack 1 win 500 nop sack 11-21,31-41");
	expect_router(c, ". 101 ack 1 win 500 nop20 fwd");
	client_sends(c, "P. 101:112 ack 1 win 500 raw 080a0102030405060708 nop sack 11-21");
	expect_router(c, "P. 101:112 ack 1 win 500 raw 080a0102030405060708 nop14 fwd");
	exchange_end(x);
}

static void broken_sack_is_blanked_and_the_rest_passes(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_spliced(x, 40000);
	client_sends(c, ". 101 ack 1 win 500 raw 05070102030405 nop");
	expect_router(c, ". 101 ack 1 win 500 nop8 fwd");
	client_sends(c, ". 101 ack 1 win 500 nop raw 05060102030405060000");
	expect_router(c, ". 101 ack 1 win 500 nop7 raw 0506000001 fwd");
	client_sends(c, ". 101 ack 1 win 500 raw fd041234 raw 05ff0000"); /* longer than the header: not read */
	expect_router(c, ". 101 ack 1 win 500 raw fd041234 raw 05ff0000 fwd");
	client_sends(c, ". 101 ack 1 win 500 raw 05000000");
	expect_router(c, ". 101 ack 1 win 500 raw 05000000 fwd");
	exchange_end(x);
}

/* Every combination of numbers near their wraps, against full checksums; one's complement has two zeros. */
static void random_segments_keep_right_checksums(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct seeded_random random = {4};
	for (uint16_t i = 0; i < 40; i++) {
		struct conn *c = conn_new(x, (uint16_t)(random_next(&random) % 60000 + 1024));
		c->client_isn = i % 2 ? (uint32_t)random_next(&random) : 0xffffff00 + i;
		c->router_isn = i % 3 ? (uint32_t)random_next(&random) : 0xffffff00 + i;
		conn_splice(c);
		for (unsigned n = 0; n < 200; n++) {
			char text[120], expected[130];
			int first = (int)(random_next(&random) % 600) - 300;
			unsigned len = (unsigned)(random_next(&random) % 4 ? random_next(&random) % 9
			                                                   : random_next(&random) % 1400);
			snprintf(text, sizeof(text), ". %d:%d ack %d win %u%s", first, first + (int)len,
			         (int)(random_next(&random) % 1000) - 500, (unsigned)random_next(&random) & 0xffff,
			         random_next(&random) % 2 ? " nop sack -5-7,100-200" : "");
			if (len == 0)
				continue;
			snprintf(expected, sizeof(expected), "%s fwd", text);
			bool client = random_next(&random) % 2;
			(client ? client_sends : router_sends)(c, text);
			exchange_expect(c, client ? SIDE_ROUTER : SIDE_CLIENT, expected, __FILE__, __LINE__);
		}
	}
	exchange_end(x);
}

/* The numbers that the client sees wrap, those of the router host do not, or both. */
static void our_numbers_wrap(void **state)
{
	static const uint32_t router_isns[] = {0x70000000, 0xffffffff - 60, 0x7fffffff - 60};
	struct exchange *x = exchange_begin(state);
	pass_ms(x, COOKIE_EPOCH_MS);
	for (uint16_t i = 0; i < 3; i++) {
		struct conn *c = conn_new(x, 40000 + i);
		conn_wrap(c);
		c->router_isn = router_isns[i];
		conn_splice(c);
		assert_true(c->our_isn >= 0xffffff80);
		router_sends(c, "P. 1:201 ack 101 win 400");
		expect_client(c, "P. 1:201 ack 101 win 400 fwd");
		router_sends(c, "P. 301:401 ack 101 win 400");
		expect_client(c, "P. 301:401 ack 101 win 400 fwd");
		client_sends(c, "P. 101:111 ack 201 win 500 nop sack 301-401");
		expect_router(c, "P. 101:111 ack 201 win 500 nop sack 301-401 fwd");
		router_sends(c, "P. 201:301 ack 111 win 400");
		expect_client(c, "P. 201:301 ack 111 win 400 fwd");
		router_sends(c, "F. 401 ack 111 win 400");
		expect_client(c, "F. 401 ack 111 win 400 fwd");
		client_sends(c, "F. 111 ack 402 win 500");
		expect_router(c, "F. 111 ack 402 win 500 fwd");
		router_sends(c, "R 402 win 0");
		expect_client(c, "R 402 win 0 fwd");
		expect_state(c, FLOW_LINGERING);
	}
	exchange_end(x);
}

/* Bytes behind the IP packet (Ethernet's minimum) are not sent on. */
static void padding_is_cut(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_spliced(x, 40000);
	uint8_t frame[EXCHANGE_FRAME_ROOM];
	uint16_t len = client_frame(c, frame, ". 101 ack 1 win 500", NULL);
	memset(frame + len, 0xee, 6);
	frame_arrives(x, NORTH, frame, len + 6);
	expect_router(c, ". 101 ack 1 win 500 fwd");
	exchange_end(x);
}

static void the_ttl_counts_down(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_spliced(x, 40000);
	client_sends(c, ". 101 ack 1 win 500 ttl 255");
	expect_router(c, ". 101 ack 1 win 500 ttl 254");
	client_sends(c, ". 101 ack 1 win 500 ttl 2");
	expect_router(c, ". 101 ack 1 win 500 ttl 1");
	client_sends(c, ". 101 ack 1 win 500 ttl 1");
	router_sends(c, ". 1 ack 101 win 400 ttl 0");
	expect_silence(x);
	expect_count(x, counter_drop_ttl, 2);
	exchange_end(x);
}

static void the_client_without_scaling_sees_the_fields_as_they_are(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = spliced_with(x, 40000, "mss 1460", "mss 1460");
	for (unsigned n = 0; n <= 65535; n += 771) {
		char text[64], expected[64];
		snprintf(text, sizeof(text), ". 1 ack 101 win %u", n);
		snprintf(expected, sizeof(expected), ". 1 ack 101 win %u fwd", n);
		router_sends(c, text);
		expect_client(c, expected);
	}
	exchange_end(x);
}

/* out = min((field << scale) >> 7, 65535), at least 1 if the field was not 0, for every scale. */
static void every_scale_is_converted(void **state)
{
	struct exchange *x = exchange_begin(state);
	for (unsigned scale = 0; scale <= 14; scale++) {
		char options[32];
		snprintf(options, sizeof(options), "mss 1460 ws %u", scale);
		struct conn *c = spliced_with(x, (uint16_t)(40000 + scale), "mss 1460 ws 3", options);
		for (unsigned field = 0; field <= 65535; field += field < 300 ? 1 : 4095) {
			uint64_t out = ((uint64_t)field << scale) >> 7;
			out = out > 65535 ? 65535 : out == 0 && field ? 1 : out;
			char text[64], expected[64];
			snprintf(text, sizeof(text), ". 1 ack 101 win %u", field);
			snprintf(expected, sizeof(expected), ". 1 ack 101 win %u fwd", (unsigned)out);
			router_sends(c, text);
			expect_client(c, expected);
		}
	}
	exchange_end(x);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, exchange_setup, exchange_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(data_passes_both_ways),
	    TEST(the_router_host_may_have_another_port),
	    TEST(nothing_is_judged),
	    TEST(sack_blocks_of_the_client_are_translated),
	    TEST(sack_blocks_of_the_router_host_pass),
	    TEST(sack_that_was_declined_is_blanked),
	    TEST(broken_sack_is_blanked_and_the_rest_passes),
	    TEST(random_segments_keep_right_checksums),
	    TEST(our_numbers_wrap),
	    TEST(padding_is_cut),
	    TEST(the_ttl_counts_down),
	    TEST(the_client_without_scaling_sees_the_fields_as_they_are),
	    TEST(every_scale_is_converted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
