/* receive.c: every frame has exactly one outcome, and finds its flow or its worker. */
#include "exchange.h"

#include "common/bytes.h"
#include "segment_text.h"
#include "seeded_random.h"

static uint64_t value(const struct exchange *x, enum counter counter)
{
	return shared_get(&x->worker->block->counters[counter]);
}

/* ---- what is dropped, and why ---- */

static void fix_ip(uint8_t *frame)
{
	put_be16(frame + 24, 0);
	put_be16(frame + 24, (uint16_t)~plain_fold(plain_sum(0, frame + 14, 20)));
}

static void cut(uint8_t *frame, uint16_t *len)
{
	*len = 30;
}

static void cut_total(uint8_t *frame, uint16_t *len)
{
	*len -= 1;
}

static void ipv6(uint8_t *frame, uint16_t *len)
{
	put_be16(frame + 12, 0x86dd);
}

static void vlan(uint8_t *frame, uint16_t *len)
{
	put_be16(frame + 12, 0x8100);
}

static void ip_checksum(uint8_t *frame, uint16_t *len)
{
	frame[24] ^= 1;
}

static void ip_options(uint8_t *frame, uint16_t *len)
{
	frame[14] = 0x46;
	fix_ip(frame);
}

static void first_fragment(uint8_t *frame, uint16_t *len)
{
	put_be16(frame + 20, 0x2000);
	fix_ip(frame);
}

static void later_fragment(uint8_t *frame, uint16_t *len)
{
	put_be16(frame + 20, 100);
	fix_ip(frame);
}

static void broadcast(uint8_t *frame, uint16_t *len)
{
	memset(frame, 0xff, 6);
}

static void multicast(uint8_t *frame, uint16_t *len)
{
	frame[0] |= 1;
}

static void udp(uint8_t *frame, uint16_t *len)
{
	frame[23] = 17;
	fix_ip(frame);
}

static void multicast_source(uint8_t *frame, uint16_t *len)
{
	frame[26] = 224;
	fix_ip(frame);
}

static void loopback_source(uint8_t *frame, uint16_t *len)
{
	frame[26] = 127;
	fix_ip(frame);
}

static void our_own_source(uint8_t *frame, uint16_t *len)
{
	memcpy(frame + 26, frame + 30, 4);
	fix_ip(frame);
}

static void short_offset(uint8_t *frame, uint16_t *len)
{
	frame[46] = 0x40;
}

static void long_offset(uint8_t *frame, uint16_t *len)
{
	frame[46] = 0xf0;
}

static void port_zero(uint8_t *frame, uint16_t *len)
{
	put_be16(frame + 34, 0);
}

static void tcp_checksum(uint8_t *frame, uint16_t *len)
{
	frame[50] ^= 1;
}

static void payload_bit(uint8_t *frame, uint16_t *len)
{
	frame[*len - 1] ^= 0x80;
}

static void partial_checksum(uint8_t *frame, uint16_t *len)
{
	uint16_t tcp_len = (uint16_t)(*len - 34);
	put_be16(frame + 50, plain_fold(plain_sum(6u + tcp_len, frame + 26, 8)));
}

static void elsewhere(uint8_t *frame, uint16_t *len)
{
	frame[33] ^= 1; /* another destination; the sums fit again */
	put_be16(frame + 50, 0);
	uint16_t tcp_len = (uint16_t)(*len - 34);
	uint32_t sum = plain_sum(plain_sum(6u + tcp_len, frame + 26, 8), frame + 34, tcp_len);
	put_be16(frame + 50, (uint16_t)~plain_fold(sum));
	fix_ip(frame);
}

static const struct {
	void (*harm)(uint8_t *frame, uint16_t *len);
	enum counter reason;
} harms[] = {
    {cut, counter_drop_truncated},
    {cut_total, counter_drop_truncated},
    {ipv6, counter_drop_not_ip},
    {vlan, counter_drop_not_ip},
    {ip_checksum, counter_drop_ip_header},
    {ip_options, counter_drop_ip_options},
    {first_fragment, counter_drop_fragment},
    {later_fragment, counter_drop_fragment},
    {broadcast, counter_drop_not_unicast},
    {multicast, counter_drop_not_unicast},
    {udp, counter_drop_not_tcp},
    {multicast_source, counter_drop_bad_source},
    {loopback_source, counter_drop_bad_source},
    {our_own_source, counter_drop_bad_source},
    {short_offset, counter_drop_tcp_header},
    {long_offset, counter_drop_tcp_header},
    {port_zero, counter_drop_tcp_header},
    {tcp_checksum, counter_drop_tcp_checksum},
    {payload_bit, counter_drop_tcp_checksum},
    {partial_checksum, counter_rx_partial_checksum},
    {elsewhere, counter_drop_not_ours},
};

static void each_broken_frame_has_its_counter(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_spliced(x, 40000);
	for (unsigned i = 0; i < sizeof(harms) / sizeof(harms[0]); i++) {
		uint8_t frame[EXCHANGE_FRAME_ROOM];
		uint16_t len = client_frame(c, frame, "P. 101:121 ack 1 win 500", NULL);
		uint64_t before = value(x, harms[i].reason);
		harms[i].harm(frame, &len);
		frame_arrives(x, NORTH, frame, len);
		expect_silence(x);
		assert_int_equal(value(x, harms[i].reason), before + 1);
	}
	client_sends(c, "P. 101:121 ack 1 win 500");
	expect_router(c, "P. 101:121 ack 1 win 500 fwd");
	exchange_end(x);
}

/* A NIC that has verified the checksums is believed. */
static void checked_frames_are_not_checked_again(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_spliced(x, 40000);
	uint8_t frame[EXCHANGE_FRAME_ROOM];
	uint16_t len = client_frame(c, frame, "P. 101:121 ack 1 win 500", NULL);
	tcp_checksum(frame, &len);
	x->checked = true;
	frame_arrives(x, NORTH, frame, len);
	struct sent_frame sent = exchange_take(x);
	assert_int_equal(sent.port, SOUTH);
	exchange_end(x);
}

static void a_frame_over_the_mtu_is_counted(void **state)
{
	struct exchange *x = *state;
	x->mtu[NORTH] = 1400;
	exchange_start(x);
	struct conn *c = conn_spliced(x, 40000);
	client_sends(c, "P. 101:1461 ack 1 win 500"); /* 1,400 bytes of IP */
	expect_router(c, "P. 101:1461 ack 1 win 500 fwd");
	client_sends(c, "P. 101:1462 ack 1 win 500");
	expect_silence(x);
	expect_count(x, counter_rx_oversize, 1);
	exchange_end(x);
}

/* ---- without a flow ---- */

static void strays_at_a_vip(void **state)
{
	static const struct {
		const char *segment, *answer; /* NULL: none */
		enum counter counter;
	} cases[] = {
	    {"S 0 win 64240 mss 1460", "S. 0 ack 1 win 16384 mss 1460", counter_answered_syn},
	    {"R 5 win 0", NULL, counter_drop_stray_rst},
	    {"R. 5 ack 6 win 0", NULL, counter_drop_stray_rst},
	    {"SR 5 win 0", NULL, counter_drop_stray_rst},
	    {". 5 ack 5000000 win 500", "R 5000000 win 0", counter_answered_rst},
	    {"S. 5 ack 5000000 win 500", "R 5000000 win 0", counter_answered_rst},
	    {"F 5 win 500", "R. 0 ack 6 win 0", counter_answered_rst},
	    {"FS 5 win 500", "R. 0 ack 7 win 0", counter_answered_rst},
	};
	struct exchange *x = exchange_begin(state);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct conn *c = conn_new(x, 40000 + (uint16_t)i);
		uint64_t before = value(x, cases[i].counter);
		client_sends(c, cases[i].segment);
		if (cases[i].answer && cases[i].answer[1] == '.' && cases[i].answer[0] == 'R')
			c->our_isn = 0; /* its SEQ is 0 */
		if (cases[i].answer)
			expect_client(c, cases[i].answer);
		expect_silence(x);
		assert_int_equal(value(x, cases[i].counter), before + 1);
	}
	expect_count(x, counter_flows, 0);
	exchange_end(x);
}

static void another_port_of_the_vip_is_not_ours(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_new(x, 40000);
	c->vip_port = 8080;
	client_sends(c, "S 0 win 64240 mss 1460");
	expect_silence(x);
	expect_count(x, counter_drop_not_ours, 1);
	exchange_end(x);
}

static void a_vip_that_is_not_held_is_silent(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *http = conn_new(x, 40000), *tls = conn_new(x, 40000);
	tls->vip_port = 443;
	shared_set(&x->shared->vip_held[0], 0);
	pass_ms(x, 1);
	client_sends(http, "S 0 win 64240 mss 1460");
	client_sends(http, ". 1 ack 5000000 win 500");
	expect_silence(x);
	expect_count(x, counter_drop_vip_not_held, 2);
	client_sends(tls, "S 0 win 64240 mss 1460"); /* each (address, port) for itself */
	expect_client(tls, "S. 0 ack 1 win 16384 mss 1460");
	exchange_end(x);
}

/* ---- the flow of a packet ---- */

/* The elected router host is the caller itself: both sides come in on one port from one address. */
static void a_router_host_may_reach_itself(void **state)
{
	struct exchange *x = exchange_begin(state);
	tell_host(x, 1, false);
	struct conn *c = conn_from(x, "203.0.113.11", 40000);
	conn_splice(c);
	assert_true(address_equal(&c->client, &c->router));
	client_sends(c, "P. 101:201 ack 1 win 500");
	expect_router(c, "P. 101:201 ack 1 win 500 fwd");
	router_sends(c, "P. 1:11 ack 201 win 400");
	expect_client(c, "P. 1:11 ack 201 win 400 fwd");
	exchange_end(x);
}

static void flows_are_told_apart(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *a = conn_spliced(x, 40000), *b = conn_spliced(x, 40001), *far = conn_from(x, "198.18.0.9", 40000);
	conn_splice(far);
	struct conn *all[] = {a, b, far};
	for (unsigned i = 0; i < 3; i++) {
		client_sends(all[i], "P. 101:111 ack 1 win 500");
		expect_router(all[i], "P. 101:111 ack 1 win 500 fwd");
		router_sends(all[i], "P. 1:11 ack 111 win 400");
		expect_client(all[i], "P. 1:11 ack 111 win 400 fwd");
	}
	exchange_end(x);
}

/* Toward the pool, but from a wrong router host or port: no flow. */
static void a_strangers_packet_to_the_pool_is_reset(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_spliced(x, 40000), stranger = *c;
	stranger.router = exchange_host(3);
	router_sends(&stranger, "P. 1:11 ack 101 win 400");
	struct sent_frame reset = exchange_take(x);
	assert_int_equal(reset.data[47], TCP_RST);
	stranger = *c;
	stranger.router_port = 443;
	router_sends(&stranger, "P. 1:11 ack 101 win 400");
	reset = exchange_take(x);
	assert_int_equal(reset.data[47], TCP_RST);
	stranger = *c;
	stranger.local_port++;
	router_sends(&stranger, "P. 1:11 ack 101 win 400");
	reset = exchange_take(x);
	assert_int_equal(reset.data[47], TCP_RST);
	expect_state(c, FLOW_SPLICED);
	exchange_end(x);
}

/* ---- bursts ---- */

struct burst {
	struct frame frames[WORKER_BURST_MAX];
	unsigned count;
};

static void add(struct exchange *x, struct burst *burst, uint8_t port, const uint8_t *bytes, uint16_t len)
{
	struct frame *frame = &burst->frames[burst->count++];
	*frame =
	    (struct frame){.data = malloc(EXCHANGE_FRAME_ROOM), .len = len, .room = EXCHANGE_FRAME_ROOM, .port = port};
	frame->handle = frame->data;
	memcpy(frame->data, bytes, len);
	x->frames_out++;
	x->received++;
}

/* A flow's packets in one burst are taken in order, although the flow changes under them. */
static void a_burst_is_taken_in_order(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_new(x, 40000), *other = conn_spliced(x, 41000);
	struct burst burst = {.count = 0};
	uint8_t bytes[EXCHANGE_FRAME_ROOM];
	client_sends(c, "S 0 win 64240 mss 1460 sackok ws 7");
	expect_client(c, "S. 0 ack 1 win 16384 mss 1460 ws 7 sackok");
	add(x, &burst, NORTH, bytes, client_frame(c, bytes, ". 1 ack 1 win 500", NULL)); /* birth */
	add(x, &burst, NORTH, bytes, client_frame(other, bytes, "P. 101:111 ack 1 win 500", NULL));
	add(x, &burst, NORTH, bytes, client_frame(c, bytes, "P. 1:61 ack 1 win 500", NULL));
	add(x, &burst, NORTH, bytes, client_frame(c, bytes, "P. 61:101 ack 1 win 500", NULL));
	add(x, &burst, SOUTH, bytes, router_frame(other, bytes, "P. 1:11 ack 111 win 400"));
	add(x, &burst, NORTH, bytes, client_frame(c, bytes, "R 101 win 0", NULL)); /* and death */
	add(x, &burst, NORTH, bytes, client_frame(c, bytes, "P. 1:61 ack 1 win 500", NULL));
	worker_receive(x->worker, burst.frames, burst.count, x->now_us);
	expect_router(other, "P. 101:111 ack 1 win 500 fwd");
	expect_client(c, ". 1 ack 61 win 128");
	expect_syn(c);
	expect_client(other, "P. 1:11 ack 111 win 400 fwd");
	expect_state(c, FLOW_FREE);
	expect_count(x, counter_drop_duplicate_birth, 1);
	exchange_end(x);
}

static void a_full_burst_of_anything(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct seeded_random random = {8};
	struct conn *c = conn_spliced(x, 40000);
	for (unsigned round = 0; round < 300; round++) {
		struct burst burst = {.count = 0};
		for (unsigned i = 0; i < WORKER_BURST_MAX; i++) {
			uint8_t bytes[EXCHANGE_FRAME_ROOM];
			uint16_t len = i % 2 ? client_frame(c, bytes, "P. 101:121 ack 1 win 500", NULL)
			                     : router_frame(c, bytes, "P. 1:21 ack 101 win 400");
			for (uint64_t n = random_next(&random) % 4; n > 0; n--)
				bytes[random_next(&random) % len] ^= (uint8_t)(1 << random_next(&random) % 8);
			if (random_next(&random) % 8 == 0)
				len = (uint16_t)(random_next(&random) % (len + 1));
			x->checked = false;
			add(x, &burst, i % 2 ? NORTH : SOUTH, bytes, len);
		}
		worker_receive(x->worker, burst.frames, burst.count, x->now_us);
		x->sent_first = x->sent_count = 0;
	}
	exchange_end(x); /* every frame had an outcome */
}

/* ---- several workers ---- */

/* Which worker a new connection belongs to depends on the tuple alone: told over and over, from different depths of the
 * stack, by different workers. */
static unsigned owner_of(struct exchange *x, struct conn *c, unsigned depth)
{
	volatile uint8_t garbage[512];
	memset((uint8_t *)garbage, (int)(0x55 + depth), sizeof(garbage));
	if (depth % 16)
		return owner_of(x, c, depth - 1) + 0 * garbage[depth];
	uint64_t handed = x->handed_total;
	client_sends(c, "S 0 win 64240 mss 1460");
	while (x->sent_count)
		exchange_take(x);
	return x->handed_total > handed ? x->handed_to : x->index;
}

static void every_worker_says_the_same_owner(void **state)
{
	enum { WORKERS = 4, TUPLES = 200 };
	unsigned owners[TUPLES], of_worker[WORKERS] = {0};
	for (unsigned worker = 0; worker < WORKERS; worker++) {
		struct exchange *x = *state;
		x->count = WORKERS;
		x->index = worker;
		exchange_start(x);
		for (uint16_t i = 0; i < TUPLES; i++) {
			struct conn *c = conn_new(x, 20000 + i);
			for (unsigned depth = 0; depth < 16; depth += 5) {
				unsigned owner = owner_of(x, c, depth);
				if (worker == 0 && depth == 0) {
					owners[i] = owner;
					of_worker[owner]++;
				}
				assert_int_equal(owner, owners[i]);
			}
		}
		exchange_end(x);
		exchange_teardown(state);
		exchange_setup(state);
	}
	for (unsigned worker = 0; worker < WORKERS; worker++)
		assert_in_range(of_worker[worker], TUPLES / WORKERS / 2, TUPLES / WORKERS * 2);
}

/* The router side is told by our port. */
static void the_port_names_the_worker(void **state)
{
	struct exchange *x = *state;
	x->count = 4;
	x->index = 1;
	exchange_start(x);
	struct conn *c = conn_new(x, 40000);
	c->local = ip("203.0.113.70");
	c->router = exchange_host(0);
	c->router_port = 80;
	for (uint16_t port = 3000; port < 3040; port++) {
		uint64_t handed = x->handed_total;
		c->local_port = port;
		router_sends(c, ". 1 ack 101 win 400");
		if (port % 4 == 1) {
			exchange_take(x); /* RST: it is ours, and there is no flow */
			assert_int_equal(x->handed_total, handed);
		} else {
			assert_int_equal(x->handed_total, handed + 1);
			assert_int_equal(x->handed_to, port % 4);
		}
		/* And an error about what was sent from there. */
		handed = x->handed_total;
		network_sends_icmp(c, SIDE_ROUTER, 3, 1, 0, 0);
		assert_int_equal(x->handed_total, handed + (port % 4 != 1));
		assert_int_equal(value(x, counter_drop_icmp_unmatched), (port - 3000u) / 4 + (port % 4 >= 1));
	}
	exchange_end(x);
}

static void a_full_ring_drops(void **state)
{
	struct exchange *x = *state;
	x->count = 2;
	exchange_start(x);
	x->hand_over_refused = true;
	for (uint16_t i = 0; i < 20; i++) {
		client_sends(conn_new(x, 20000 + i), "S 0 win 64240 mss 1460");
		while (x->sent_count)
			exchange_take(x);
	}
	assert_in_range(value(x, counter_drop_handover_full), 3, 17);
	expect_count(x, counter_rx_handed_over, 0);
	exchange_end(x);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, exchange_setup, exchange_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(each_broken_frame_has_its_counter),
	    TEST(checked_frames_are_not_checked_again),
	    TEST(a_frame_over_the_mtu_is_counted),
	    TEST(strays_at_a_vip),
	    TEST(another_port_of_the_vip_is_not_ours),
	    TEST(a_vip_that_is_not_held_is_silent),
	    TEST(a_router_host_may_reach_itself),
	    TEST(flows_are_told_apart),
	    TEST(a_strangers_packet_to_the_pool_is_reset),
	    TEST(a_burst_is_taken_in_order),
	    TEST(a_full_burst_of_anything),
	    TEST(every_worker_says_the_same_owner),
	    TEST(the_port_names_the_worker),
	    TEST(a_full_ring_drops),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
