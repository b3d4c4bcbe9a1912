/* election.c: what failed attempts teach about a router host, who is elected in spite of it, and what control is told.
 */
#include "exchange.h"

/* Elects on a new connection that then goes away. */
static unsigned elect_once(struct exchange *x, uint16_t client_port, const char *name)
{
	unsigned slot = conn_elect(x, client_port, name);
	client_sends(x->conns, "R 101 win 0");
	return slot;
}

/* A new connection that is in its attempt on this router host. */
static void attempt_on(struct exchange *x, unsigned slot)
{
	static uint16_t port = 50000;
	while (conn_elect(x, port++, ONE_NAME) != slot)
		client_sends(x->conns, "R 101 win 0");
}

/* A router host of cluster 0 does not answer. */
static void make_suspect(struct exchange *x, unsigned silent)
{
	attempt_on(x, silent);
	while (x->worker->health[silent].suspected == false) {
		pass_until_sent(x, 1000);
		while (x->sent_count > 0)
			expect_syn(x->conns);
	}
	client_sends(x->conns, "R 101 win 0");
}

/* Not when the attempt has failed: others must not wait for that. Its MAC is asked for again, it may have changed. */
static void the_first_unanswered_syn_is_suspicious(void **state)
{
	struct exchange *x = exchange_begin(state);
	attempt_on(x, 0);
	struct conn *c = x->conns;
	pass_ms(x, 199);
	expect_count(x, counter_host_suspected, 0);
	unsigned asked = x->ask_count;
	pass_ms(x, 1);
	assert_int_equal(expect_syn(c), 0);
	expect_count(x, counter_host_suspected, 1);
	assert_int_equal(x->ask_count, asked + 1);
	for (uint16_t i = 0; i < 10; i++)
		assert_int_equal(elect_once(x, 20000 + i, ONE_NAME), 1);
	/* Its answer comes late: a connect as any. */
	router_sends(c, "S. 0 ack 1 win 65535 mss 1460 sackok ws 7");
	exchange_take(x);
	router_sends(c, ". 1 ack 101 win 400");
	exchange_take(x);
	assert_false(x->worker->health[0].suspected);
	assert_int_equal(shared_get(&x->worker->hosts[0].refused), 0);
	exchange_end(x);
}

/* How long an attempt on a host without an answer takes until the next is tried (or the client is told). */
static uint32_t time_of_an_attempt(struct exchange *x, struct conn *c, uint32_t host)
{
	uint32_t passed = 0;
	while (conn_flow(c)->host == host && conn_flow(c)->state == FLOW_CONNECTING) {
		assert_true(passed++ < 5000);
		pass_ms(x, 1);
		x->sent_first = x->sent_count = 0;
	}
	return passed;
}

static void a_trial_has_a_quarter_of_the_time(void **state)
{
	struct exchange *x = exchange_begin(state);
	attempt_on(x, 0);
	assert_int_equal(time_of_an_attempt(x, x->conns, 0), 1000);
	client_sends(x->conns, "R 101 win 0");
	pass_ms(x, 1000);
	attempt_on(x, 0);
	assert_int_equal(time_of_an_attempt(x, x->conns, 0), 250);
	exchange_end(x);
}

/* That is no trial: there is no other. */
static void the_last_host_has_all_the_time(void **state)
{
	struct exchange *x = exchange_begin(state);
	make_suspect(x, 0);
	tell_host(x, 1, false);
	attempt_on(x, 0);
	assert_int_equal(time_of_an_attempt(x, x->conns, 0), 1000);
	exchange_end(x);
}

static void a_silent_host_is_tried_once_a_second(void **state)
{
	struct exchange *x = exchange_begin(state);
	unsigned tries = 0;
	make_suspect(x, 0);
	expect_count(x, counter_host_suspected, 1);
	for (uint16_t i = 0; i < 500; i++) {
		tries += elect_once(x, 21000 + i, ONE_NAME) == 0;
		pass_ms(x, 10);
	}
	assert_in_range(tries, 4, 5);
	exchange_end(x);
}

static void the_last_host_is_elected_in_spite_of_suspicion(void **state)
{
	struct exchange *x = exchange_begin(state);
	make_suspect(x, 0);
	tell_host(x, 1, false);
	for (uint16_t i = 0; i < 20; i++)
		assert_int_equal(elect_once(x, 21000 + i, ONE_NAME), 0);
	exchange_end(x);
}

static void a_connect_ends_the_suspicion(void **state)
{
	struct exchange *x = exchange_begin(state);
	make_suspect(x, 0);
	pass_ms(x, 1000);
	attempt_on(x, 0);
	router_sends(x->conns, "S. 0 ack 1 win 65535 mss 1460 sackok ws 7");
	exchange_take(x);
	router_sends(x->conns, ". 1 ack 101 win 400");
	exchange_take(x);
	client_sends(x->conns, "R 101 win 0");
	exchange_take(x);
	unsigned tries = 0;
	for (uint16_t i = 0; i < 20; i++)
		tries += elect_once(x, 22000 + i, ONE_NAME) == 0;
	assert_int_equal(tries, 10);
	exchange_end(x);
}

static void a_check_ends_the_suspicion(void **state)
{
	struct exchange *x = exchange_begin(state);
	make_suspect(x, 0);
	tell_host(x, 0, true);
	unsigned tries = 0;
	for (uint16_t i = 0; i < 20; i++)
		tries += elect_once(x, 22000 + i, ONE_NAME) == 0;
	assert_int_equal(tries, 10);
	exchange_end(x);
}

/* A resync repeats what control knew before; it is no successful check. */
static void a_resync_is_no_check(void **state)
{
	struct exchange *x = exchange_begin(state);
	make_suspect(x, 0);
	tell_everything(x);
	assert_true(x->worker->health[0].suspected);
	exchange_end(x);
}

/* A refusal is an answer: no suspicion. */
static void a_refusal_is_not_suspicious(void **state)
{
	struct exchange *x = exchange_begin(state);
	unsigned slot = conn_elect(x, 20000, ONE_NAME);
	router_sends(x->conns, "R. 0 ack 1 win 0");
	expect_syn(x->conns);
	assert_false(x->worker->health[slot].suspected);
	assert_int_equal(shared_get(&x->worker->hosts[slot].refused), 1);
	exchange_end(x);
}

/* ---- telling control ---- */

static void refuse(struct exchange *x, unsigned slot)
{
	attempt_on(x, slot);
	router_sends(x->conns, "R. 0 ack 1 win 0");
	expect_syn(x->conns);
	client_sends(x->conns, "R 101 win 0");
}

static void three_failures_in_a_row_tell_control(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct message message = host_message(1, true);
	message.host.generation = 41;
	tell(x, message);
	tell_end(x, MESSAGE_BATCH_END);
	refuse(x, 1);
	refuse(x, 1);
	assert_int_equal(x->event_count, 0);
	refuse(x, 1);
	assert_int_equal(x->event_count, 1);
	assert_int_equal(x->events[0].type, EVENT_HOST_FAILING);
	assert_int_equal(x->events[0].slot, 1);
	assert_int_equal(x->events[0].generation, 41);
	/* From now on it is tried once a second: control may be away. */
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(x->event_count, 1);
		pass_ms(x, 1000);
		refuse(x, 1);
	}
	assert_int_equal(x->event_count, 2);
	exchange_end(x);
}

/* Control, which would take it out, may be away: nobody is to wait for its fourth refusal. */
static void three_refusals_are_suspicious(void **state)
{
	struct exchange *x = exchange_begin(state);
	for (unsigned i = 0; i < 3; i++) {
		assert_false(x->worker->health[1].suspected);
		refuse(x, 1);
	}
	expect_count(x, counter_host_suspected, 1);
	for (uint16_t i = 0; i < 20; i++)
		assert_int_equal(elect_once(x, 23000 + i, ONE_NAME), 0);
	pass_ms(x, 1000);
	unsigned tries = 0;
	for (uint16_t i = 0; i < 20; i++)
		tries += elect_once(x, 24000 + i, ONE_NAME) == 1;
	assert_int_equal(tries, 1);
	exchange_end(x);
}

/* SYN-ACK and then RST, before anything was acknowledged: refused as well. */
static void late_refusals_are_failures_in_a_row(void **state)
{
	struct exchange *x = exchange_begin(state);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(x->event_count, 0);
		attempt_on(x, 1);
		router_sends(x->conns, "S. 0 ack 1 win 65535 mss 1460 sackok ws 7");
		exchange_take(x);
		router_sends(x->conns, "R 1 win 0");
		expect_syn(x->conns);
		client_sends(x->conns, "R 101 win 0");
	}
	assert_int_equal(shared_get(&x->worker->hosts[1].refused), 3);
	assert_int_equal(x->event_count, 1);
	assert_int_equal(x->events[0].slot, 1);
	exchange_end(x);
}

static void a_success_in_between_starts_the_row_again(void **state)
{
	struct exchange *x = exchange_begin(state);
	refuse(x, 1);
	refuse(x, 1);
	attempt_on(x, 1);
	router_sends(x->conns, "S. 0 ack 1 win 65535 mss 1460 sackok ws 7");
	exchange_take(x);
	router_sends(x->conns, ". 1 ack 101 win 400");
	exchange_take(x);
	client_sends(x->conns, "R 101 win 0");
	exchange_take(x);
	refuse(x, 1);
	refuse(x, 1);
	assert_int_equal(x->event_count, 0);
	x->event_refused = true;
	refuse(x, 1);
	assert_int_equal(x->event_count, 0);
	expect_count(x, counter_event_lost, 1);
	exchange_end(x);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, exchange_setup, exchange_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(the_first_unanswered_syn_is_suspicious),
	    TEST(a_trial_has_a_quarter_of_the_time),
	    TEST(the_last_host_has_all_the_time),
	    TEST(a_silent_host_is_tried_once_a_second),
	    TEST(the_last_host_is_elected_in_spite_of_suspicion),
	    TEST(a_connect_ends_the_suspicion),
	    TEST(a_check_ends_the_suspicion),
	    TEST(a_resync_is_no_check),
	    TEST(a_refusal_is_not_suspicious),
	    TEST(three_failures_in_a_row_tell_control),
	    TEST(three_refusals_are_suspicious),
	    TEST(late_refusals_are_failures_in_a_row),
	    TEST(a_success_in_between_starts_the_row_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
