/* election.c: the weights pick the cluster, the fewest active connections the router host. What failures teach is
 * tested in test_election_suspicion.c. */
#include "exchange.h"

enum { CONNECTIONS = 900 };

static struct message_share share(uint32_t pair, uint16_t cluster, uint16_t weight)
{
	return (struct message_share){.pair = pair, .cluster = cluster, .weight = weight, .http = 1, .https = 1};
}

static void tell_route(struct exchange *x, const char *name, unsigned count, const struct message_share *shares)
{
	tell(x, route_message(50, name, count, shares));
	tell_end(x, MESSAGE_BATCH_END);
}

/* Elects on a new connection that then goes away. */
static unsigned elect_once(struct exchange *x, uint16_t client_port, const char *name)
{
	unsigned slot = conn_elect(x, client_port, name);
	client_sends(x->conns, "R 101 win 0");
	return slot;
}

static uint64_t active(struct exchange *x, unsigned slot)
{
	return shared_get(&x->worker->hosts[slot].active);
}

static void answer_is(struct exchange *x, uint16_t client_port, const char *name, enum counter counter)
{
	struct conn *c = conn_new(x, client_port);
	uint64_t before = shared_get(&x->worker->block->counters[counter]);
	conn_handshake(c);
	request_write((char *)c->own_say, name, REQUEST_LEN);
	c->say = c->own_say;
	client_sends(c, "P. 1:101 ack 1 win 500");
	exchange_take(x);
	assert_int_equal(shared_get(&x->worker->block->counters[counter]), before + 1);
}

/* ---- weights ---- */

/* 10 to 80: of every 9 in a row, exactly one goes to the first. */
static void one_of_nine(void **state)
{
	struct exchange *x = exchange_begin(state);
	unsigned to_first = 0, in_nine = 0;
	for (unsigned i = 0; i < CONNECTIONS; i++) {
		in_nine += elect_once(x, (uint16_t)(20000 + i), APP_NAME) < 2;
		if (i % 9 == 8) {
			assert_int_equal(in_nine, 1);
			to_first += in_nine;
			in_nine = 0;
		}
	}
	assert_int_equal(to_first, 100);
	exchange_end(x);
}

static void any_weights_are_spread_evenly(void **state)
{
	static const struct {
		uint16_t first, second;
	} cases[] = {{100, 100}, {1, 3}, {10000, 1}, {3333, 6667}, {7, 5}, {0, 5}};
	struct exchange *x = *state;
	x->config.limits.connections = x->config.limits.young = 4096;
	exchange_start(x);
	uint16_t port = 1024;
	for (unsigned n = 0; n < sizeof(cases) / sizeof(cases[0]); n++) {
		const struct message_share shares[] = {share(1, 0, cases[n].first), share(2, 1, cases[n].second)};
		unsigned total = cases[n].first + cases[n].second, first = 0;
		tell_route(x, APP_NAME, 2, shares);
		for (unsigned i = 1; i <= CONNECTIONS; i++) {
			first += elect_once(x, port++, APP_NAME) < 2;
			/* Never more than one off what is due. */
			double due = (double)i * cases[n].first / total;
			assert_true(first <= due + 1 && first + 1 >= due);
		}
	}
	exchange_end(x);
}

/* A pair that found no counter slot is not counted, and has its share all the same. */
static void shares_without_a_slot_have_their_turn(void **state)
{
	const struct message_share none[] = {share(SLOT_NONE, 0, 1000), share(SLOT_NONE, 1, 8000)};
	const struct message_share one[] = {share(SLOT_NONE, 0, 1000), share(2, 1, 8000)};
	struct exchange *x = exchange_begin(state);
	for (unsigned n = 0; n < 2; n++) {
		unsigned first = 0;
		tell_route(x, APP_NAME, 2, n == 0 ? none : one);
		for (unsigned i = 0; i < 90; i++)
			first += elect_once(x, (uint16_t)(20000 + 100 * n + i), APP_NAME) < 2;
		assert_in_range(first, 9, 11);
	}
	exchange_end(x);
}

/* Three clusters, of which one comes and goes: what each gets stays within one of its due in every phase. */
static void three_clusters_share_too(void **state)
{
	const struct message_share shares[] = {share(1, 0, 2000), share(2, 1, 3000), share(3, 2, 5000)};
	struct exchange *x = exchange_begin(state);
	for (unsigned slot = 4; slot < 6; slot++) {
		struct message message = host_message(slot, true);
		message.host.address.bytes[15] = (uint8_t)(30 + slot); /* never resolved: elections only */
		tell(x, message);
	}
	tell_route(x, APP_NAME, 3, shares);
	unsigned count[3] = {0};
	for (uint16_t i = 0; i < 100; i++) {
		struct conn *c = conn_new(x, 20000 + i);
		conn_handshake(c);
		request_write((char *)c->own_say, APP_NAME, REQUEST_LEN);
		c->say = c->own_say;
		client_sends(c, "P. 1:101 ack 1 win 500");
		x->sent_first = x->sent_count = 0;
		count[conn_flow(c)->host / 2]++;
		client_sends(c, "R 101 win 0");
	}
	assert_int_equal(count[0], 20);
	assert_int_equal(count[1], 30);
	assert_int_equal(count[2], 50);
	exchange_end(x);
}

static void a_weight_of_zero_gets_nothing(void **state)
{
	const struct message_share shares[] = {share(1, 0, 0), share(2, 1, 1)};
	struct exchange *x = exchange_begin(state);
	tell_route(x, APP_NAME, 2, shares);
	for (uint16_t i = 0; i < 20; i++)
		assert_in_range(elect_once(x, 20000 + i, APP_NAME), 2, 3);
	tell_host(x, 2, false);
	tell_host(x, 3, false);
	answer_is(x, 30000, APP_NAME, counter_answer_unhealthy);
	exchange_end(x);
}

/* A cluster without a healthy host is left out; when it comes back the shares are right again. */
static void a_cluster_that_is_down_is_left_out(void **state)
{
	struct exchange *x = exchange_begin(state);
	uint16_t port = 20000;
	tell_host(x, 2, false);
	tell_host(x, 3, false);
	for (unsigned i = 0; i < 50; i++)
		assert_in_range(elect_once(x, port++, APP_NAME), 0, 1);
	tell_host(x, 3, true);
	unsigned first = 0;
	for (unsigned i = 0; i < 90; i++)
		first += elect_once(x, port++, APP_NAME) < 2;
	assert_in_range(first, 9, 11);
	exchange_end(x);
}

static void a_resync_does_not_disturb_the_shares(void **state)
{
	struct exchange *x = exchange_begin(state);
	unsigned first = 0;
	for (unsigned i = 0; i < 450; i++) {
		first += elect_once(x, (uint16_t)(20000 + i), APP_NAME) < 2;
		tell_everything(x);
	}
	assert_int_equal(first, 50);
	exchange_end(x);
}

/* Connections that are elected while a resync is being received are not forgotten by it. */
static void elections_during_a_resync_count(void **state)
{
	static const struct message_share shares[] = {
	    {.pair = 1, .cluster = 0, .weight = 1000, .http = 1, .https = 1},
	    {.pair = 2, .cluster = 1, .weight = 8000, .http = 1, .https = 1},
	};
	struct exchange *x = exchange_begin(state);
	unsigned first = 0;
	for (unsigned i = 0; i < 90; i++) {
		tell(x, plain_message(MESSAGE_SYNC_BEGIN));
		for (unsigned slot = 0; slot < EXCHANGE_HOSTS; slot++)
			tell(x, host_message(slot, true));
		tell(x, route_message(2, APP_NAME, 2, shares));
		first += elect_once(x, (uint16_t)(20000 + i), APP_NAME) < 2;
		tell_end(x, MESSAGE_SYNC_END);
	}
	assert_int_equal(first, 10);
	exchange_end(x);
}

/* ---- least connections ---- */

static void the_fewest_active_connections_win(void **state)
{
	struct exchange *x = exchange_begin(state);
	uint16_t port = 20000;
	for (unsigned i = 0; i < 30; i++)
		conn_spliced(x, port++);
	assert_int_equal(active(x, 0), 15);
	assert_int_equal(active(x, 1), 15);
	/* All of host 1's end. */
	for (struct conn *c = x->conns; c; c = c->next) {
		struct address second = exchange_host(1);
		if (!address_equal(&c->router, &second))
			continue;
		client_sends(c, "R 101 win 0");
		expect_router(c, "R 101 win 0 fwd");
	}
	assert_int_equal(active(x, 1), 0);
	for (unsigned i = 0; i < 15; i++)
		assert_int_equal(conn_elect(x, port++, ONE_NAME), 1);
	for (unsigned i = 0; i < 20; i++) {
		conn_elect(x, port++, ONE_NAME);
		assert_true(active(x, 0) - active(x, 1) + 1 <= 2);
	}
	exchange_end(x);
}

static void ties_are_broken_in_turn(void **state)
{
	struct exchange *x = exchange_begin(state);
	unsigned last = elect_once(x, 20000, ONE_NAME);
	for (uint16_t i = 1; i < 20; i++) {
		unsigned slot = elect_once(x, 20000 + i, ONE_NAME);
		assert_int_equal(slot, 1 - last);
		last = slot;
	}
	exchange_end(x);
}

/* Counted for the pair as well, from the attempt on. */
static void attempts_count_as_active(void **state)
{
	struct exchange *x = exchange_begin(state);
	unsigned slot = conn_elect(x, 20000, ONE_NAME);
	assert_int_equal(active(x, slot), 1);
	assert_int_equal(shared_get(&x->worker->pairs[0].active), 1);
	assert_int_equal(shared_get(&x->worker->pairs[0].total), 0);
	assert_int_equal(shared_get(&x->worker->hosts[slot].total), 0);
	router_sends(x->conns, "S. 0 ack 1 win 65535 mss 1460 sackok ws 7");
	exchange_take(x);
	router_sends(x->conns, ". 1 ack 101 win 400");
	exchange_take(x);
	assert_int_equal(shared_get(&x->worker->pairs[0].total), 1);
	assert_int_equal(shared_get(&x->worker->hosts[slot].total), 1);
	client_sends(x->conns, "R 101 win 0");
	exchange_take(x);
	assert_int_equal(active(x, slot), 0);
	assert_int_equal(shared_get(&x->worker->pairs[0].active), 0);
	exchange_end(x);
}

/* The sum over all workers decides. */
static void other_workers_connections_count(void **state)
{
	struct exchange *x = *state;
	x->count = 2;
	exchange_start(x);
	struct shared_host_counters *others = shared_hosts_of(shared_worker_at(x->shared, 1));
	uint16_t port = 20000;
	for (unsigned i = 0; i < 20; i++) {
		shared_set(&others[0].active, i % 2 ? 100 : 0);
		shared_set(&others[1].active, i % 2 ? 0 : 100);
		/* A connection of this worker. */
		struct conn *c;
		uint64_t handed;
		do {
			c = conn_new(x, port++);
			handed = x->handed_total;
			client_sends(c, "S 0 win 64240 mss 1460 sackok ws 7");
		} while (x->handed_total > handed);
		expect_client(c, "S. 0 ack 1 win 16384 mss 1460 ws 7 sackok");
		client_sends(c, "P. 1:101 ack 1 win 500");
		assert_int_equal(expect_syn(c), i % 2);
	}
	exchange_end(x);
}

/* ---- who may be elected ---- */

static void unhealthy_hosts_are_not_elected(void **state)
{
	struct exchange *x = exchange_begin(state);
	tell_host(x, 0, false);
	for (uint16_t i = 0; i < 10; i++)
		assert_int_equal(conn_elect(x, 20000 + i, ONE_NAME), 1);
	tell_host(x, 1, false);
	answer_is(x, 30000, ONE_NAME, counter_answer_unhealthy);
	tell_host(x, 0, true);
	assert_int_equal(conn_elect(x, 30001, ONE_NAME), 0);
	exchange_end(x);
}

static void a_host_needs_the_port(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct message message = host_message(0, true);
	message.host.http_port = 0;
	tell(x, message);
	message = host_message(1, true);
	message.host.http_port = 8080;
	tell(x, message);
	tell_end(x, MESSAGE_BATCH_END);
	for (uint16_t i = 0; i < 6; i++) {
		assert_int_equal(conn_elect(x, 20000 + i, ONE_NAME), 1);
		assert_int_equal(x->conns->router_port, 8080);
	}
	exchange_end(x);
}

static void a_host_that_goes_is_not_elected(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *old = conn_new(x, 20000);
	conn_splice(old);
	for (unsigned slot = 0; slot < 2; slot++) {
		struct message message = plain_message(MESSAGE_HOST_GONE);
		message.host_gone.slot = slot;
		tell(x, message);
	}
	tell_end(x, MESSAGE_BATCH_END);
	answer_is(x, 30000, ONE_NAME, counter_answer_unhealthy);
	client_sends(old, "P. 101:111 ack 1 win 500"); /* old connections live on */
	expect_router(old, "P. 101:111 ack 1 win 500 fwd");
	exchange_end(x);
}

static void names_decide(void **state)
{
	struct exchange *x = exchange_begin(state);
	assert_in_range(conn_elect(x, 20000, ONE_NAME), 0, 1);
	assert_in_range(conn_elect(x, 20001, "any.wild.test"), 2, 3);
	assert_in_range(conn_elect(x, 20002, "ONE.test."), 0, 1);
	assert_in_range(conn_elect(x, 20003, "one.test:8080"), 0, 1);
	answer_is(x, 20004, "a.any.wild.test", counter_answer_unknown_name);
	answer_is(x, 20005, WILD_NAME, counter_answer_unknown_name);
	answer_is(x, 20006, SECURE_NAME, counter_answer_not_served);
	exchange_end(x);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, exchange_setup, exchange_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(one_of_nine),
	    TEST(any_weights_are_spread_evenly),
	    TEST(shares_without_a_slot_have_their_turn),
	    TEST(three_clusters_share_too),
	    TEST(a_weight_of_zero_gets_nothing),
	    TEST(a_cluster_that_is_down_is_left_out),
	    TEST(a_resync_does_not_disturb_the_shares),
	    TEST(elections_during_a_resync_count),
	    TEST(the_fewest_active_connections_win),
	    TEST(ties_are_broken_in_turn),
	    TEST(attempts_count_as_active),
	    TEST(other_workers_connections_count),
	    TEST(unhealthy_hosts_are_not_elected),
	    TEST(a_host_needs_the_port),
	    TEST(a_host_that_goes_is_not_elected),
	    TEST(names_decide),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
