/* worker.c: making and ending a worker, its timers, and VIPs that go and come back. */
#include "exchange.h"

/* ---- making ---- */

static void the_smallest_configuration_works(void **state)
{
	struct exchange *x = *state;
	x->config.limits.connections = 1;
	x->config.limits.young = 1;
	x->config.limits.large_heads = 1;
	x->config.limits.connection_rate = 1;
	x->config.limits.hosts = 4;
	x->config.limits.routes = 4;
	x->config.limits.pairs = 5;
	exchange_start(x);
	conn_spliced(x, 40000);
	exchange_end(x);
}

/* Port % workers: 1,024 to 1,026 has none for the last of four. */
static void a_worker_without_a_source_port_is_not_made(void **state)
{
	struct exchange *x = *state;
	exchange_create(x);
	struct worker_params params = {
	    .index = 3,
	    .count = 4,
	    .config = &x->config,
	    .shared = x->shared,
	    .l3 = x->l3,
	    .io = x->worker->io,
	    .now_us = x->now_us,
	};
	x->config.pool.port_first = 1024;
	x->config.pool.port_last = 1026;
	assert_null(worker_create(&params));
	exchange_end(x);
}

static void vips_are_listed_in_the_configurations_order(void **state)
{
	struct exchange *x = *state;
	x->config.listeners[0].address_count = 3;
	x->config.listeners[0].addresses[1] = ip("198.51.100.11");
	x->config.listeners[0].addresses[2] = ip("198.51.100.12");
	exchange_start(x);
	struct address second = ip("198.51.100.11"), first = ip(EXCHANGE_VIP), none = ip("198.51.100.13");
	assert_int_equal(x->worker->vip_count, 4);
	assert_int_equal(vip_find(x->worker, &first, 80), 0);
	assert_int_equal(vip_find(x->worker, &second, 80), 1);
	assert_int_equal(vip_find(x->worker, &first, 443), 3);
	assert_int_equal(vip_find(x->worker, &second, 443), -1);
	assert_int_equal(vip_find(x->worker, &none, 80), -1);
	exchange_end(x);
}

/* ---- ticks ---- */

static void a_tick_says_whether_there_was_work(void **state)
{
	struct exchange *x = *state;
	x->config.timeouts.head = 1000;
	exchange_start(x);
	struct conn *c = conn_new(x, 40000);
	conn_handshake(c);
	assert_false(worker_tick(x->worker, x->now_us));
	assert_false(worker_tick(x->worker, x->now_us += 999000));
	assert_false(worker_tick(x->worker, x->now_us + 999));
	assert_true(worker_tick(x->worker, x->now_us += 1000));
	expect_client(c, "FP. 1 ack 1 win 128");
	assert_false(worker_tick(x->worker, x->now_us));
	exchange_end(x);
}

/* Many at one millisecond are spread over ticks, so that packets do not wait; none is forgotten. */
static void many_timers_at_once_are_all_served(void **state)
{
	enum { MANY = 700 };
	struct exchange *x = *state;
	x->config.timeouts.head = 1000;
	exchange_start(x);
	for (uint16_t i = 0; i < MANY; i++)
		conn_handshake(conn_new(x, 20000 + i));
	pass_ms(x, 999);
	expect_silence(x);
	unsigned last = 0;
	for (unsigned tick = 0; tick < 3; tick++) {
		pass_ms(x, 1);
		assert_true(x->sent_count > last && x->sent_count - last <= 256);
		last = x->sent_count;
	}
	assert_int_equal(x->sent_count, MANY);
	x->sent_first = x->sent_count = 0;
	expect_count(x, counter_closed_silent, MANY);
	exchange_end(x);
}

/* The loop was held up: what was due is done, once. */
static void a_late_tick_catches_up(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_new(x, 40000);
	conn_request(c);
	x->now_us += 650000; /* past both repetitions of the SYN */
	worker_tick(x->worker, x->now_us);
	expect_router(c, "S 0 win 64000 mss 1460 ws 7 sackok");
	expect_silence(x);
	x->now_us += 60000000; /* past every limit */
	worker_tick(x->worker, x->now_us);
	x->sent_first = x->sent_count = 0;
	expect_state(c, FLOW_ANSWER);
	exchange_end(x);
}

static void the_clock_may_wrap(void **state)
{
	struct exchange *x = *state;
	x->now_us = (0x100000000ULL - 300) * 1000;
	exchange_start(x);
	struct conn *c = conn_new(x, 40000);
	conn_request(c);
	assert_int_equal(pass_until_sent(x, 1000), 200);
	expect_syn(c);
	assert_int_equal(pass_until_sent(x, 1000), 400);
	expect_syn(c);
	router_sends(c, "S. 0 ack 1 win 65535 mss 1460 sackok ws 7");
	expect_router(c, "P. 1:101 ack 1 win 500");
	pass_ms(x, 20000);
	expect_state(c, FLOW_SPLICED);
	expect_count(x, counter_tombstones, 0);
	exchange_end(x);
}

static void births_are_forgotten_in_time(void **state)
{
	struct exchange *x = exchange_begin(state);
	for (uint16_t i = 0; i < 10; i++) {
		conn_handshake(conn_new(x, 40000 + i));
		client_sends(x->conns, "R 1 win 0");
		pass_ms(x, 1000);
	}
	expect_count(x, counter_tombstones, 10);
	pass_ms(x, COOKIE_LIFE_MS - 10000);
	expect_count(x, counter_tombstones, 10);
	for (unsigned left = 9; left > 0; left--) {
		pass_ms(x, left == 9 ? 1 : 1000);
		expect_count(x, counter_tombstones, left);
	}
	exchange_end(x);
}

/* ---- VIPs ---- */

static void hold(struct exchange *x, unsigned vip, bool held)
{
	shared_set(&x->shared->vip_held[vip], held);
	pass_ms(x, 1);
}

/* Gone and back within 3 s: nobody notices but by a loss of packets. */
static void a_vip_may_come_back(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *spliced = conn_spliced(x, 40000), *young = conn_new(x, 40001);
	conn_handshake(young);
	hold(x, 0, false);
	client_sends(spliced, "P. 101:111 ack 1 win 500");
	router_sends(spliced, "P. 1:11 ack 101 win 400");
	client_sends(young, "P. 1:11 ack 1 win 500");
	expect_silence(x);
	expect_count(x, counter_drop_vip_not_held, 3);
	pass_ms(x, 2990);
	hold(x, 0, true);
	pass_ms(x, 5000);
	expect_silence(x);
	client_sends(spliced, "P. 101:111 ack 1 win 500");
	expect_router(spliced, "P. 101:111 ack 1 win 500 fwd");
	client_sends(young, "P. 1:11 ack 1 win 500");
	expect_client(young, ". 1 ack 11 win 128");
	expect_count(x, counter_ended_vip_lost, 0);
	exchange_end(x);
}

/* For good: the new owner answers the clients, the router hosts get a RST with the right number. */
static void orphans_end_after_three_seconds(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *spliced = conn_spliced(x, 40000), *joining = conn_new(x, 40001), *head = conn_new(x, 40002);
	struct conn *tls = conn_new(x, 40003);
	conn_join(joining);
	conn_handshake(head);
	tls->vip_port = 443;
	tls->say_len = hello_write(tls->own_say, SECURE_NAME);
	tls->say = tls->own_say;
	conn_splice(tls);
	client_sends(spliced, "P. 101:111 ack 1 win 500");
	expect_router(spliced, "P. 101:111 ack 1 win 500 fwd");
	router_sends(spliced, ". 1 ack 106 win 400");
	expect_client(spliced, ". 1 ack 106 win 400 fwd");
	hold(x, 0, false);
	pass_ms(x, 2999);
	expect_silence(x);
	pass_ms(x, 1);
	expect_router(spliced, "R 106 win 0");
	expect_router(joining, "R 1 win 0");
	expect_silence(x);
	expect_state(spliced, FLOW_FREE);
	expect_state(joining, FLOW_FREE);
	expect_state(head, FLOW_FREE);
	expect_state(tls, FLOW_SPLICED); /* its own address and port */
	expect_count(x, counter_ended_vip_lost, 3);
	expect_count(x, counter_flows, 1);
	pass_ms(x, 10000);
	hold(x, 0, true);
	struct conn *new = conn_new(x, 40009);
	conn_splice(new);
	hold(x, 0, false); /* and once more */
	assert_int_equal(pass_until_sent(x, 5000), 3000);
	expect_router(new, "R 101 win 0");
	exchange_end(x);
}

/* Lost a second time, the three seconds count anew. */
static void every_loss_has_its_own_three_seconds(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_spliced(x, 40000);
	for (unsigned i = 0; i < 3; i++) {
		hold(x, 0, false);
		pass_ms(x, 2000);
		hold(x, 0, true);
		pass_ms(x, 100);
	}
	expect_silence(x);
	expect_state(c, FLOW_SPLICED);
	hold(x, 0, false);
	assert_int_equal(pass_until_sent(x, 5000), 3000);
	expect_router(c, "R 101 win 0");
	exchange_end(x);
}

static void a_vip_that_was_never_held(void **state)
{
	struct exchange *x = *state;
	exchange_start(x);
	worker_destroy(x->worker);
	x->worker = NULL;
	shared_set(&x->shared->vip_held[0], 0);
	struct worker_params params = {
	    .count = 1,
	    .config = &x->config,
	    .shared = x->shared,
	    .l3 = x->l3,
	    .now_us = x->now_us,
	};
	x->worker = worker_create(&params);
	assert_non_null(x->worker);
	assert_false(x->worker->vips[0].held);
	assert_true(x->worker->vips[1].held);
	worker_tick(x->worker, x->now_us += 5000000);
	shared_set(&x->shared->vip_held[0], 1);
	worker_tick(x->worker, x->now_us += 1000);
	assert_true(x->worker->vips[0].held);
}

/* ---- the end ---- */

static void no_new_connections_when_ending(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *old = conn_spliced(x, 40000), *half = conn_new(x, 40001), *new = conn_new(x, 40002);
	client_sends(half, "S 0 win 64240 mss 1460");
	expect_client(half, "S. 0 ack 1 win 16384 mss 1460");
	worker_refuse_new(x->worker);
	client_sends(half, ". 1 ack 1 win 500");
	expect_client(half, "R 1 win 0");
	new->our_isn = 0;
	client_sends(new, "S 0 win 64240 mss 1460");
	expect_client(new, "R. 0 ack 1 win 0");
	client_sends(old, "P. 101:111 ack 1 win 500");
	expect_router(old, "P. 101:111 ack 1 win 500 fwd");
	/* A lingering flow makes no way for a successor any more. */
	client_sends(old, "R 111 win 0");
	expect_router(old, "R 111 win 0 fwd");
	old->our_isn = 0;
	client_sends(old, "S 500000 win 64240 mss 1460");
	expect_client(old, "R. 0 ack 500001 win 0");
	exchange_end(x);
}

/* Each side of each connection gets exactly the number that it expects next. */
static void everybody_is_reset(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *spliced = conn_spliced(x, 40000), *lingering = conn_spliced(x, 40001),
	            *joining = conn_new(x, 40002);
	struct conn *connecting = conn_new(x, 40003), *head = conn_new(x, 40004), *answer = conn_new(x, 40005);
	client_sends(spliced, "P. 101:201 ack 1 win 500");
	expect_router(spliced, "P. 101:201 ack 1 win 500 fwd");
	router_sends(spliced, "P. 1:51 ack 151 win 400");
	expect_client(spliced, "P. 1:51 ack 151 win 400 fwd");
	client_sends(spliced, ". 201 ack 31 win 500");
	expect_router(spliced, ". 201 ack 31 win 500 fwd");
	client_sends(lingering, "R 101 win 0");
	expect_router(lingering, "R 101 win 0 fwd");
	conn_join(joining);
	conn_request(connecting);
	conn_handshake(head);
	client_sends(head, "P. 1:11 ack 1 win 500");
	expect_client(head, ". 1 ack 11 win 128");
	conn_handshake(answer);
	client_sends(answer, "FP. 1:11 ack 1 win 500");
	exchange_take(x);
	client_sends(answer, ". 12 ack 41 win 500");
	worker_reset_all(x->worker, x->now_us);
	expect_client(spliced, "R 31 win 0");
	expect_router(spliced, "R 151 win 0");
	expect_client(joining, "R 1 win 0");
	expect_router(joining, "R 1 win 0");
	expect_client(connecting, "R 1 win 0");
	expect_client(head, "R 1 win 0");
	expect_client(answer, "R 41 win 0");
	expect_silence(x);
	expect_count(x, counter_flows, 0);
	exchange_end(x);
}

/* ---- another configuration ---- */

/* A configuration that differs from the one that runs; in force at once. */
static void reconfigure(struct exchange *x, struct vip_table *vips, struct config *config)
{
	assert_true(vips_update(vips, config));
	worker_reconfigure(x->worker, config, vips);
}

static void a_closed_vip_takes_nobody_new(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct vip_table vips = {0};
	struct config without = x->config;
	struct conn *old = conn_spliced(x, 40000), *half = conn_new(x, 40001), *new = conn_new(x, 40002);
	vips_update(&vips, &x->config);
	client_sends(half, "S 0 win 64240 mss 1460");
	expect_client(half, "S. 0 ack 1 win 16384 mss 1460");
	without.listeners[0] = without.listeners[1]; /* port 443 alone is left, with another number */
	without.listener_count = 1;
	reconfigure(x, &vips, &without);
	client_sends(half, ". 1 ack 1 win 500");
	expect_client(half, "R 1 win 0");
	new->our_isn = 0;
	client_sends(new, "S 0 win 64240 mss 1460");
	expect_client(new, "R. 0 ack 1 win 0");
	client_sends(old, "P. 101:111 ack 1 win 500");
	expect_router(old, "P. 101:111 ack 1 win 500 fwd");
	struct conn *tls = conn_new(x, 40003);
	tls->vip_port = 443;
	conn_handshake(tls);
	reconfigure(x, &vips, &x->config);
	struct conn *again = conn_new(x, 40004);
	conn_handshake(again);
	exchange_end(x);
}

static void a_new_vip_serves(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct vip_table vips = {0};
	struct config more = x->config;
	vips_update(&vips, &x->config);
	more.listeners[more.listener_count] = more.listeners[0];
	more.listeners[more.listener_count++].port = 8081;
	reconfigure(x, &vips, &more);
	shared_set(&x->shared->vip_held[vips.count - 1], 1);
	worker_tick(x->worker, x->now_us += 1000);
	struct conn *c = conn_new(x, 40000);
	c->vip_port = 8081;
	conn_handshake(c);
	exchange_end(x);
}

/* A shorter idle limit also counts for those that were there before. */
static void timers_follow_the_configuration(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct vip_table vips = {0};
	struct config shorter = x->config;
	struct conn *c = conn_spliced(x, 40000);
	vips_update(&vips, &x->config);
	shorter.timeouts.idle = 5000;
	reconfigure(x, &vips, &shorter);
	assert_in_range(pass_until_sent(x, 60000), 4990, 5010);
	expect_client(c, "R 1 win 0");
	expect_router(c, "R 101 win 0");
	expect_state(c, FLOW_FREE);
	exchange_end(x);
}

/* Its connections give their source ports back to where they took them from. */
static void a_vip_with_another_mode_keeps_its_connections(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct vip_table vips = {0};
	struct config other = x->config;
	struct conn *c = conn_spliced(x, 40000);
	vips_update(&vips, &x->config);
	other.listeners[0].mode = LISTENER_TLS;
	other.timeouts.idle = 5000;
	reconfigure(x, &vips, &other);
	assert_in_range(pass_until_sent(x, 60000), 4990, 5010);
	expect_client(c, "R 1 win 0");
	expect_router(c, "R 101 win 0");
	expect_state(c, FLOW_FREE);
	expect_count(x, counter_ports_in_use, 0);
	exchange_end(x);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, exchange_setup, exchange_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(the_smallest_configuration_works),
	    TEST(a_worker_without_a_source_port_is_not_made),
	    TEST(vips_are_listed_in_the_configurations_order),
	    TEST(a_tick_says_whether_there_was_work),
	    TEST(many_timers_at_once_are_all_served),
	    TEST(a_late_tick_catches_up),
	    TEST(the_clock_may_wrap),
	    TEST(births_are_forgotten_in_time),
	    TEST(a_vip_may_come_back),
	    TEST(orphans_end_after_three_seconds),
	    TEST(every_loss_has_its_own_three_seconds),
	    TEST(a_vip_that_was_never_held),
	    TEST(no_new_connections_when_ending),
	    TEST(everybody_is_reset),
	    TEST(a_closed_vip_takes_nobody_new),
	    TEST(a_new_vip_serves),
	    TEST(timers_follow_the_configuration),
	    TEST(a_vip_with_another_mode_keeps_its_connections),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
