/* flow.c: what a flow takes and gives back over its life, as gauges, counters and pools show it. */
#include "exchange.h"

#include "seeded_random.h"

struct gauges {
	unsigned flows, young, spliced, lingering, ports, active;
};

#define expect_gauges(x, ...) check_gauges(x, (struct gauges){__VA_ARGS__})

static uint64_t value(const struct exchange *x, enum counter counter)
{
	return shared_get(&x->worker->block->counters[counter]);
}

static void check_gauges(struct exchange *x, struct gauges expected)
{
	uint64_t active = 0;
	for (unsigned slot = 0; slot < EXCHANGE_HOSTS; slot++)
		active += shared_get(&x->worker->hosts[slot].active);
	assert_int_equal(value(x, counter_flows), expected.flows);
	assert_int_equal(value(x, counter_flows_young), expected.young);
	assert_int_equal(value(x, counter_flows_spliced), expected.spliced);
	assert_int_equal(value(x, counter_flows_lingering), expected.lingering);
	assert_int_equal(value(x, counter_ports_in_use), expected.ports);
	assert_int_equal(active, expected.active);
	assert_int_equal(x->worker->free_flow_count, x->config.limits.connections - expected.flows);
	assert_int_equal(x->worker->free_young_count, x->config.limits.young - expected.young);
}

static void a_flow_is_two_cache_lines(void **state)
{
	struct exchange *x = exchange_begin(state);
	assert_int_equal(sizeof(struct flow), 128);
	assert_int_equal((uintptr_t)x->worker->flows % 64, 0);
	exchange_end(x);
}

static void a_life_in_gauges(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_new(x, 40000);
	expect_gauges(x, 0);
	conn_handshake(c);
	expect_gauges(x, .flows = 1, .young = 1);
	client_sends(c, "P. 1:101 ack 1 win 500");
	expect_syn(c);
	expect_gauges(x, .flows = 1, .young = 1, .ports = 1, .active = 1);
	router_sends(c, "S. 0 ack 1 win 65535 mss 1460 sackok ws 7");
	expect_router(c, "P. 1:101 ack 1 win 500");
	expect_gauges(x, .flows = 1, .young = 1, .ports = 1, .active = 1);
	expect_count(x, counter_connections_spliced, 0);
	router_sends(c, ". 1 ack 101 win 400");
	expect_client(c, ". 1 ack 101 win 400 fwd");
	expect_gauges(x, .flows = 1, .spliced = 1, .ports = 1, .active = 1);
	expect_count(x, counter_connections_spliced, 1);
	client_sends(c, "R 101 win 0");
	expect_router(c, "R 101 win 0 fwd");
	expect_gauges(x, .flows = 1, .lingering = 1, .ports = 1);
	pass_ms(x, 200);
	expect_gauges(x, 0);
	expect_count(x, counter_tombstones, 1);
	exchange_end(x);
}

static void an_answer_gives_the_port_back(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_new(x, 40000);
	conn_request(c);
	router_sends(c, "R. 0 ack 1 win 0");
	expect_syn(c);
	router_sends(c, "R. 0 ack 1 win 0");
	exchange_take(x);
	expect_gauges(x, .flows = 1, .young = 1);
	exchange_end(x);
}

static void a_large_head_is_given_back_at_the_splice(void **state)
{
	static char head[3001];
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_new(x, 40000);
	request_write(head, ONE_NAME, 3000);
	c->say = (const uint8_t *)head;
	c->say_len = 3000;
	conn_handshake(c);
	client_sends(c, "P. 1401:2801 ack 1 win 500");
	exchange_take(x);
	expect_count(x, counter_heads_large, 1);
	client_sends(c, "P. 1:1401 ack 1 win 500");
	exchange_take(x);
	client_sends(c, "P. 2801:3001 ack 1 win 500");
	expect_syn(c);
	router_sends(c, "S. 0 ack 1 win 65535 mss 1460 sackok ws 7");
	for (unsigned i = 0; i < 3; i++)
		exchange_take(x);
	expect_count(x, counter_heads_large, 1);
	router_sends(c, ". 1 ack 3001 win 400");
	exchange_take(x);
	expect_count(x, counter_heads_large, 0);
	assert_int_equal(x->worker->free_large_count, x->config.limits.large_heads);
	exchange_end(x);
}

/* The table is full: new ones are refused, the old ones are not harmed, and when one goes there is room. */
static void the_number_of_flows_is_limited(void **state)
{
	enum { LIMIT = 64 };
	struct exchange *x = *state;
	x->config.limits.connections = LIMIT;
	x->config.limits.young = LIMIT;
	exchange_start(x);
	for (uint16_t i = 0; i < LIMIT; i++)
		conn_spliced(x, 20000 + i);
	expect_gauges(x, .flows = LIMIT, .spliced = LIMIT, .ports = LIMIT, .active = LIMIT);
	struct conn *more = conn_new(x, 30000), *any = x->conns->next->next;
	client_sends(more, "S 0 win 64240 mss 1460 sackok ws 7");
	expect_client(more, "S. 0 ack 1 win 16384 mss 1460 ws 7 sackok");
	client_sends(more, "P. 1:101 ack 1 win 500");
	expect_client(more, "R 1 win 0");
	expect_count(x, counter_refused_flows, 1);
	expect_count(x, counter_tombstones, LIMIT);
	client_sends(any, "P. 101:111 ack 1 win 500");
	expect_router(any, "P. 101:111 ack 1 win 500 fwd");
	client_sends(any, "R 111 win 0");
	expect_router(any, "R 111 win 0 fwd");
	pass_ms(x, 200);
	client_sends(more, "P. 1:101 ack 1 win 500"); /* refused is not born: no duplicate */
	expect_syn(more);
	exchange_end(x);
}

/* The new one takes the place of its lingering predecessor, in a full table too. */
static void a_full_table_has_room_for_a_successor(void **state)
{
	struct exchange *x = *state;
	x->config.limits.connections = 1;
	x->config.limits.young = 1;
	exchange_start(x);
	struct conn *c = conn_spliced(x, 40000);
	client_sends(c, "R 101 win 0");
	expect_router(c, "R 101 win 0 fwd");
	c->client_isn += 100000;
	client_sends(c, "S 0 win 64240 mss 1460 sackok ws 7");
	expect_client(c, "S. 0 ack 1 win 16384 mss 1460 ws 7 sackok");
	client_sends(c, ". 1 ack 1 win 500");
	expect_state(c, FLOW_HEAD);
	expect_gauges(x, .flows = 1, .young = 1);
	exchange_end(x);
}

/* Each pair of addresses and ports of the pool is used toward one router host by one flow alone. */
static void no_two_flows_share_a_port(void **state)
{
	struct exchange *x = exchange_begin(state);
	for (uint16_t i = 0; i < 200; i++)
		conn_spliced(x, 20000 + i);
	for (struct conn *a = x->conns; a; a = a->next)
		for (struct conn *b = a->next; b; b = b->next)
			assert_false(a->local_port == b->local_port && address_equal(&a->local, &b->local) &&
			             address_equal(&a->router, &b->router));
	exchange_end(x);
}

/* Of two workers, each has every other port; they are given back as what they are. */
static void ports_of_one_worker_of_two(void **state)
{
	struct exchange *x = *state;
	assert_true(prefix_parse("203.0.113.64/31", &x->config.pool.prefixes[0]));
	x->config.pool.port_first = 2000;
	x->config.pool.port_last = 2007;
	x->count = 2;
	x->index = 1;
	exchange_start(x);
	tell_host(x, 1, false);
	uint16_t port = 20000;
	for (unsigned i = 0; i < 24; i++) {
		struct conn *c;
		do {
			c = conn_new(x, port++);
			client_sends(c, "S 0 win 64240 mss 1460 sackok ws 7");
		} while (x->sent_count == 0); /* of the other worker */
		expect_client(c, "S. 0 ack 1 win 16384 mss 1460 ws 7 sackok");
		client_sends(c, "P. 1:101 ack 1 win 500");
		expect_syn(c);
		assert_int_equal(c->local_port, 2001 + 2 * (i % 4));
		assert_int_equal(c->local.bytes[15], 64 + i / 4 % 2);
		client_sends(c, "R 101 win 0");
	}
	exchange_end(x);
}

static void http_and_https_have_ports_of_their_own(void **state)
{
	struct exchange *x = *state;
	assert_true(prefix_parse("203.0.113.64/32", &x->config.pool.prefixes[0]));
	x->config.pool.port_first = x->config.pool.port_last = 2000;
	exchange_start(x);
	tell_host(x, 1, false);
	struct conn *http = conn_new(x, 40000), *tls = conn_new(x, 40001);
	conn_splice(http);
	tls->vip_port = 443;
	tls->say_len = hello_write(tls->own_say, SECURE_NAME);
	tls->say = tls->own_say;
	conn_splice(tls);
	assert_int_equal(http->local_port, 2000);
	assert_int_equal(tls->local_port, 2000);
	assert_int_equal(http->router_port, 80);
	assert_int_equal(tls->router_port, 443);
	/* The same addresses and local port: told apart by the router's. */
	router_sends(http, "P. 1:11 ack 101 win 400");
	expect_client(http, "P. 1:11 ack 101 win 400 fwd");
	char text[64], expected[80];
	snprintf(text, sizeof(text), "P. 1:11 ack %zu win 400", 1 + tls->say_len);
	snprintf(expected, sizeof(expected), "%s fwd", text);
	router_sends(tls, text);
	expect_client(tls, expected);
	exchange_end(x);
}

static bool same_way(const struct conn *a, const struct conn *b)
{
	return address_equal(&a->local, &b->local) && a->local_port == b->local_port &&
	       address_equal(&a->router, &b->router) && a->router_port == b->router_port;
}

/* `b` has the router host of `a`, by another slot: its SYN-ACK is its own, and so is the data of `a`. */
static void expect_apart(struct conn *a, struct conn *b)
{
	char text[64];
	assert_true(address_equal(&a->router, &b->router));
	assert_int_equal(a->router_port, b->router_port);
	assert_false(same_way(a, b));
	router_sends(b, "S. 0 ack 1 win 65535 mss 1460 sackok ws 7");
	snprintf(text, sizeof(text), "P. 1:%zu ack 1 win 500", 1 + b->say_len);
	expect_router(b, text);
	expect_state(b, FLOW_JOINING);
	router_sends(a, "P. 1:11 ack 101 win 400");
	expect_client(a, "P. 1:11 ack 101 win 400 fwd");
}

/* It was replaced by one that differs in the other port, or has come back in another cluster. */
static void a_router_host_in_a_new_slot_has_no_port_twice(void **state)
{
	for (uint16_t cluster = 0; cluster < 2; cluster++) {
		struct exchange *x = exchange_begin(state);
		for (unsigned slot = 1; slot < EXCHANGE_HOSTS; slot++)
			tell_host(x, slot, false);
		struct conn *a = conn_spliced(x, 40000), *b = conn_new(x, 40001);
		struct message gone = plain_message(MESSAGE_HOST_GONE), again = host_message(0, true);
		gone.host_gone.slot = 0;
		gone.host_gone.generation = 1;
		tell(x, gone);
		again.host.slot = 7;
		again.host.https_port = 8443;
		again.host.cluster = cluster;
		tell(x, again);
		tell_end(x, MESSAGE_BATCH_END);
		request_write((char *)b->own_say, APP_NAME, REQUEST_LEN);
		b->say = b->own_say;
		conn_request(b);
		assert_int_equal(conn_flow(b)->host, 7);
		expect_apart(a, b);
		exchange_end(x);
		exchange_teardown(state);
		exchange_setup(state);
	}
}

static void http_and_https_at_one_port_have_no_port_twice(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct message message = host_message(0, true);
	message.host.http_port = message.host.https_port = 8443;
	tell(x, message);
	tell_host(x, 1, false);
	struct conn *http = conn_spliced(x, 40000), *tls = conn_new(x, 40001);
	tls->vip_port = 443;
	tls->say_len = hello_write(tls->own_say, SECURE_NAME);
	tls->say = tls->own_say;
	conn_request(tls);
	expect_apart(http, tls);
	exchange_end(x);
}

/* A slot that got another host meanwhile does not confuse a flow of the old one. */
static void a_flow_outlives_its_router_hosts_slot(void **state)
{
	struct exchange *x = exchange_begin(state);
	tell_host(x, 1, false);
	struct conn *c = conn_spliced(x, 40000);
	struct message message = host_message(0, true);
	message.host.generation = 2;
	message.host.address = exchange_host(3);
	tell(x, message);
	tell_end(x, MESSAGE_BATCH_END);
	client_sends(c, "P. 101:111 ack 1 win 500");
	expect_router(c, "P. 101:111 ack 1 win 500 fwd");
	struct conn *next = conn_new(x, 40001);
	conn_splice(next);
	struct address moved = exchange_host(3);
	assert_true(address_equal(&next->router, &moved));
	client_sends(c, "R 111 win 0");
	expect_router(c, "R 111 win 0 fwd");
	expect_gauges(x, .flows = 2, .spliced = 1, .lingering = 1, .ports = 2, .active = 1);
	exchange_end(x);
}

/* Many connections that end in any state: nothing is lost (exchange_end looks at every pool). */
static void random_ends_give_everything_back(void **state)
{
	struct exchange *x = *state;
	struct seeded_random random = {6};
	x->config.timeouts.idle = 1000;
	exchange_start(x);
	for (uint16_t i = 0; i < 1500; i++) {
		struct conn *c = conn_new(x, 10000 + i);
		void (*const stages[])(struct conn *) = {conn_handshake, conn_request, conn_join, conn_splice};
		c->client_isn = (uint32_t)random_next(&random);
		c->router_isn = (uint32_t)random_next(&random);
		unsigned stage = (unsigned)(random_next(&random) % 4);
		stages[stage](c);
		const char *client_ends[] = {"R 101 win 0", "F. 101 ack 1 win 500", "R 1 win 0", ". 101 ack 1 win 500"};
		const char *router_ends[] = {"R 1 win 0", "F. 1 ack 101 win 400", "R. 0 ack 1 win 0",
		                             ". 1 ack 101 win 400"};
		for (unsigned n = 0; n < 3; n++) {
			bool client = stage == 0 || random_next(&random) % 2;
			(client ? client_sends
			        : router_sends)(c, (client ? client_ends : router_ends)[random_next(&random) % 4]);
			x->sent_first = x->sent_count = 0;
		}
		pass_ms(x, (uint32_t)(random_next(&random) % 100));
		x->sent_first = x->sent_count = 0;
	}
	pass_ms(x, 61000); /* half closed ones too */
	x->sent_first = x->sent_count = 0;
	expect_gauges(x, 0);
	exchange_end(x);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, exchange_setup, exchange_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_flow_is_two_cache_lines),
	    TEST(a_life_in_gauges),
	    TEST(an_answer_gives_the_port_back),
	    TEST(a_large_head_is_given_back_at_the_splice),
	    TEST(the_number_of_flows_is_limited),
	    TEST(a_full_table_has_room_for_a_successor),
	    TEST(no_two_flows_share_a_port),
	    TEST(ports_of_one_worker_of_two),
	    TEST(http_and_https_have_ports_of_their_own),
	    TEST(a_router_host_in_a_new_slot_has_no_port_twice),
	    TEST(http_and_https_at_one_port_have_no_port_twice),
	    TEST(a_flow_outlives_its_router_hosts_slot),
	    TEST(random_ends_give_everything_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
