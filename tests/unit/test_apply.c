/* apply.c: which of control's messages are believed, and when they take effect. */
#include "exchange.h"

static bool serves(struct exchange *x, const char *name)
{
	struct hostname hostname;
	assert_true(hostname_set(&hostname, (const uint8_t *)name, strlen(name)));
	return tables_route(&x->worker->tables, &hostname) != NULL;
}

static struct message a_route(const char *name)
{
	static const struct message_share share = {.pair = 9, .cluster = 0, .weight = 100, .http = 1, .https = 1};
	return route_message(99, name, 1, &share);
}

static struct message route_gone(const char *name)
{
	struct message message = plain_message(MESSAGE_ROUTE_GONE);
	assert_true(hostname_set(&message.route_gone.name, (const uint8_t *)name, strlen(name)));
	return message;
}

/* Gives it to the worker as it is. */
static void deliver(struct exchange *x, const struct message *message)
{
	worker_message(x->worker, message, x->now_us);
}

static uint64_t discarded(struct exchange *x)
{
	return shared_get(&x->worker->block->counters[counter_message_discarded]);
}

static void expect_acknowledged(struct exchange *x, uint64_t start, uint64_t revision)
{
	assert_int_equal(shared_get(&x->worker->block->applied_start), start);
	assert_int_equal(shared_get(&x->worker->block->applied_revision), revision);
}

/* ---- the first sync ---- */

static void nobody_is_served_before_the_first_sync(void **state)
{
	struct exchange *x = *state;
	exchange_create(x);
	struct conn *c = conn_new(x, 40000);
	client_sends(c, "S 0 win 64240 mss 1460");
	expect_silence(x);
	expect_count(x, counter_drop_not_ready, 1);
	expect_acknowledged(x, 0, 0);
	tell_everything(x);
	expect_acknowledged(x, x->start, x->revision);
	client_sends(c, "S 0 win 64240 mss 1460");
	expect_client(c, "S. 0 ack 1 win 16384 mss 1460");
	exchange_end(x);
}

static void everything_before_a_sync_is_discarded(void **state)
{
	struct exchange *x = *state;
	exchange_create(x);
	tell(x, a_route("early.test"));
	tell_end(x, MESSAGE_BATCH_END);
	tell_end(x, MESSAGE_SYNC_END);
	assert_int_equal(discarded(x), 3);
	assert_false(serves(x, "early.test"));
	assert_false(x->worker->tables.ready);
	exchange_end(x);
}

static void a_sync_is_swapped_in_at_its_end(void **state)
{
	struct exchange *x = exchange_begin(state);
	tell(x, plain_message(MESSAGE_SYNC_BEGIN));
	tell(x, host_message(2, true));
	tell(x, a_route("new.test"));
	assert_true(serves(x, ONE_NAME));
	assert_false(serves(x, "new.test"));
	assert_in_range(conn_elect(x, 40000, ONE_NAME), 0, 1); /* served from the old one meanwhile */
	expect_acknowledged(x, x->start, 1);
	tell_end(x, MESSAGE_SYNC_END);
	assert_false(serves(x, ONE_NAME));
	assert_true(serves(x, "new.test"));
	expect_acknowledged(x, x->start, 2);
	exchange_end(x);
}

/* ---- batches ---- */

static void a_batch_is_applied_together(void **state)
{
	struct exchange *x = exchange_begin(state);
	tell(x, a_route("one-more.test"));
	tell(x, route_gone(ONE_NAME));
	tell(x, host_message(2, false));
	assert_true(serves(x, ONE_NAME));
	assert_false(serves(x, "one-more.test"));
	assert_true(x->worker->tables.active->hosts[2].healthy);
	expect_acknowledged(x, x->start, 1);
	tell_end(x, MESSAGE_BATCH_END);
	assert_false(serves(x, ONE_NAME));
	assert_true(serves(x, "one-more.test"));
	assert_false(x->worker->tables.active->hosts[2].healthy);
	expect_acknowledged(x, x->start, 2);
	exchange_end(x);
}

static void a_batch_of_the_full_size(void **state)
{
	struct exchange *x = exchange_begin(state);
	for (unsigned i = 0; i < MESSAGE_BATCH_MAX; i++)
		tell(x, host_message(i % EXCHANGE_HOSTS, i % 2));
	tell_end(x, MESSAGE_BATCH_END);
	expect_acknowledged(x, x->start, 2);
	assert_int_equal(x->event_count, 0);
	assert_int_equal(discarded(x), 0);
	exchange_end(x);
}

static void every_batch_begins_empty(void **state)
{
	struct exchange *x = exchange_begin(state);
	uint64_t before = shared_get(&x->worker->block->counters[counter_message_applied]);
	for (unsigned i = 0; i < 2 * MESSAGE_BATCH_MAX; i++)
		tell_host(x, i % EXCHANGE_HOSTS, true);
	expect_count(x, counter_message_applied, before + 2 * MESSAGE_BATCH_MAX);
	assert_int_equal(x->event_count, 0);
	exchange_end(x);
}

/* Nothing of it is applied, and control is asked for everything. */
static void a_batch_over_the_size_wants_a_resync(void **state)
{
	struct exchange *x = exchange_begin(state);
	tell(x, route_gone(ONE_NAME));
	for (unsigned i = 0; i < MESSAGE_BATCH_MAX; i++)
		tell(x, host_message(i % EXCHANGE_HOSTS, false));
	tell_end(x, MESSAGE_BATCH_END);
	assert_true(serves(x, ONE_NAME));
	assert_true(x->worker->tables.active->hosts[0].healthy);
	expect_acknowledged(x, x->start, 1);
	assert_int_equal(x->event_count, 1);
	assert_int_equal(x->events[0].type, EVENT_RESYNC_WANTED);
	tell_everything(x);
	expect_acknowledged(x, x->start, x->revision);
	/* The batch that was begun is forgotten. */
	tell_end(x, MESSAGE_BATCH_END);
	assert_true(serves(x, ONE_NAME));
	exchange_end(x);
}

static void a_batch_that_was_begun_ends_with_a_sync(void **state)
{
	struct exchange *x = exchange_begin(state);
	tell(x, route_gone(ONE_NAME));
	tell_everything(x);
	tell_end(x, MESSAGE_BATCH_END);
	assert_true(serves(x, ONE_NAME));
	exchange_end(x);
}

/* ---- what is not believed ---- */

static void a_gap_stops_everything_until_a_sync(void **state)
{
	struct exchange *x = exchange_begin(state);
	x->sequence++;
	tell(x, route_gone(ONE_NAME));
	tell_end(x, MESSAGE_BATCH_END);
	assert_true(serves(x, ONE_NAME));
	assert_int_equal(discarded(x), 2);
	assert_int_equal(x->event_count, 1); /* once */
	assert_int_equal(x->events[0].type, EVENT_RESYNC_WANTED);
	tell_everything(x);
	tell(x, route_gone(ONE_NAME));
	tell_end(x, MESSAGE_BATCH_END);
	assert_false(serves(x, ONE_NAME));
	exchange_end(x);
}

static void a_repetition_is_a_gap_too(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct message message = a_route("twice.test");
	message_seal(&message, x->start, ++x->sequence);
	deliver(x, &message);
	deliver(x, &message);
	assert_int_equal(x->event_count, 1);
	tell_end(x, MESSAGE_BATCH_END);
	assert_false(serves(x, "twice.test"));
	exchange_end(x);
}

static void a_gap_inside_a_sync_spoils_it(void **state)
{
	struct exchange *x = exchange_begin(state);
	tell(x, plain_message(MESSAGE_SYNC_BEGIN));
	tell(x, a_route("new.test"));
	x->sequence++;
	tell(x, host_message(0, true));
	tell_end(x, MESSAGE_SYNC_END);
	assert_true(serves(x, ONE_NAME));
	assert_false(serves(x, "new.test"));
	assert_int_equal(x->event_count, 1);
	expect_acknowledged(x, x->start, 1);
	tell_everything(x);
	assert_true(serves(x, ONE_NAME));
	assert_false(serves(x, "new.test"));
	exchange_end(x);
}

static void a_broken_message_wants_a_resync(void **state)
{
	static const size_t bytes[] = {0, 4, 6, 9, 16, 40, 300};
	for (unsigned i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++) {
		struct exchange *x = exchange_begin(state);
		struct message message = a_route("broken.test");
		message_seal(&message, x->start, ++x->sequence);
		((uint8_t *)&message)[bytes[i]] ^= 0x10;
		deliver(x, &message);
		tell_end(x, MESSAGE_BATCH_END);
		assert_false(serves(x, "broken.test"));
		assert_true(serves(x, ONE_NAME));
		assert_int_equal(x->event_count, 1);
		assert_int_equal(discarded(x), 2);
		exchange_end(x);
		exchange_teardown(state);
		exchange_setup(state);
	}
}

/* A slot that a killed control left half written, and zeros. */
static void noise_is_discarded(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct message message;
	memset(&message, 0, sizeof(message));
	deliver(x, &message);
	memset(&message, 0xff, sizeof(message));
	deliver(x, &message);
	assert_int_equal(discarded(x), 2);
	assert_true(serves(x, ONE_NAME));
	exchange_end(x);
}

/* Of a control that is no more: no resync is wanted from the one that is. */
static void an_old_start_is_discarded_in_silence(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct message old = route_gone(ONE_NAME), begin = plain_message(MESSAGE_SYNC_BEGIN);
	message_seal(&old, 76, x->sequence + 1);
	deliver(x, &old);
	message_seal(&begin, 76, 1);
	deliver(x, &begin);
	assert_int_equal(discarded(x), 2);
	assert_int_equal(x->event_count, 0);
	/* And the sequence of the present one goes on. */
	tell(x, a_route("more.test"));
	tell_end(x, MESSAGE_BATCH_END);
	assert_true(serves(x, "more.test"));
	exchange_end(x);
}

/* A new control announces itself, then sends all; what the old one still had in the ring is discarded. */
static void a_new_start_takes_over(void **state)
{
	struct exchange *x = exchange_begin(state);
	tell(x, a_route("half.test")); /* of a batch that never ends */
	uint32_t old_sequence = x->sequence;
	shared_set(&x->shared->control_start, 78);
	struct message old = plain_message(MESSAGE_BATCH_END);
	message_seal(&old, 77, old_sequence + 1);
	deliver(x, &old);
	assert_int_equal(discarded(x), 1);
	assert_int_equal(x->event_count, 0);
	x->start = 78;
	x->sequence = 0;
	tell(x, a_route("early.test"));                 /* before its SYNC_BEGIN */
	struct message in_line = a_route("early.test"); /* with the number that the old one would have used */
	message_seal(&in_line, 78, old_sequence + 1);
	deliver(x, &in_line);
	assert_int_equal(discarded(x), 3);
	assert_int_equal(x->event_count, 0);
	expect_acknowledged(x, 77, 1);
	tell_everything(x);
	expect_acknowledged(x, 78, x->revision);
	assert_true(serves(x, ONE_NAME));
	assert_false(serves(x, "half.test"));
	assert_false(serves(x, "early.test"));
	exchange_end(x);
}

/* Killed in the middle of its sync: the old tables serve on. */
static void a_sync_that_never_ends_changes_nothing(void **state)
{
	struct exchange *x = exchange_begin(state);
	tell(x, plain_message(MESSAGE_SYNC_BEGIN));
	tell(x, a_route("new.test"));
	shared_set(&x->shared->control_start, 78);
	x->start = 78;
	x->sequence = 0;
	assert_in_range(conn_elect(x, 40000, ONE_NAME), 0, 1);
	tell(x, plain_message(MESSAGE_SYNC_BEGIN));
	tell(x, a_route("newer.test"));
	tell_end(x, MESSAGE_SYNC_END);
	assert_true(serves(x, "newer.test"));
	assert_false(serves(x, "new.test"));
	assert_false(serves(x, ONE_NAME));
	exchange_end(x);
}

static void what_has_no_room_is_discarded_and_the_rest_applied(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct message message = host_message(0, true);
	message.host.slot = x->config.limits.hosts;
	tell(x, message);
	message = a_route("bad.test");
	message.route.shares[0].pair = x->config.limits.pairs;
	tell(x, message);
	tell(x, a_route("good.test"));
	tell_end(x, MESSAGE_BATCH_END);
	assert_int_equal(discarded(x), 2);
	assert_false(serves(x, "bad.test"));
	assert_true(serves(x, "good.test"));
	expect_acknowledged(x, x->start, 2);
	exchange_end(x);
}

static void a_lost_event_is_counted(void **state)
{
	struct exchange *x = exchange_begin(state);
	x->event_refused = true;
	x->sequence++;
	tell_end(x, MESSAGE_BATCH_END);
	expect_count(x, counter_event_lost, 1);
	exchange_end(x);
}

/* ---- router hosts ---- */

static void router_hosts_are_asked_for(void **state)
{
	struct exchange *x = exchange_begin(state);
	assert_int_equal(x->ask_count, EXCHANGE_HOSTS);
	for (unsigned slot = 0; slot < EXCHANGE_HOSTS; slot++) {
		struct address address = exchange_host(slot);
		assert_true(address_equal(&x->asks[slot].address, &address));
		assert_true(x->asks[slot].managed);
	}
	tell_everything(x); /* nothing new */
	assert_int_equal(x->ask_count, EXCHANGE_HOSTS);
	x->ask_refused = true;
	tell_host(x, 0, true);
	expect_count(x, counter_ask_lost, 1);
	exchange_end(x);
}

/* A resync that changes nothing keeps connections and their counts. */
static void a_resync_keeps_flows_and_counters(void **state)
{
	struct exchange *x = exchange_begin(state);
	struct conn *c = conn_spliced(x, 40000);
	for (unsigned i = 0; i < 3; i++)
		tell_everything(x);
	uint64_t active = 0, total = 0;
	for (unsigned slot = 0; slot < EXCHANGE_HOSTS; slot++) {
		active += shared_get(&x->worker->hosts[slot].active);
		total += shared_get(&x->worker->hosts[slot].total);
	}
	assert_int_equal(active, 1);
	assert_int_equal(total, 1);
	assert_int_equal(shared_get(&x->worker->pairs[0].active), 1);
	client_sends(c, "P. 101:111 ack 1 win 500");
	expect_router(c, "P. 101:111 ack 1 win 500 fwd");
	exchange_end(x);
}

/* What a router host told of its MSS is known over a resync, and forgotten with its generation. */
static void the_mss_stays_with_the_generation(void **state)
{
	struct exchange *x = exchange_begin(state);
	tell_host(x, 1, false);
	struct conn *c = conn_new(x, 40000);
	c->router_options = "mss 1300 sackok ws 7";
	conn_splice(c);
	assert_int_equal(x->worker->health[0].mss, 1300);
	tell_everything(x);
	assert_int_equal(x->worker->health[0].mss, 1300);
	struct message message = host_message(0, true);
	message.host.generation = 2;
	tell(x, message);
	tell_end(x, MESSAGE_BATCH_END);
	assert_int_equal(x->worker->health[0].mss, 0);
	exchange_end(x);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, exchange_setup, exchange_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(nobody_is_served_before_the_first_sync),
	    TEST(everything_before_a_sync_is_discarded),
	    TEST(a_sync_is_swapped_in_at_its_end),
	    TEST(a_batch_is_applied_together),
	    TEST(a_batch_of_the_full_size),
	    TEST(every_batch_begins_empty),
	    TEST(a_batch_over_the_size_wants_a_resync),
	    TEST(a_batch_that_was_begun_ends_with_a_sync),
	    TEST(a_gap_stops_everything_until_a_sync),
	    TEST(a_repetition_is_a_gap_too),
	    TEST(a_gap_inside_a_sync_spoils_it),
	    TEST(a_broken_message_wants_a_resync),
	    TEST(noise_is_discarded),
	    TEST(an_old_start_is_discarded_in_silence),
	    TEST(a_new_start_takes_over),
	    TEST(a_sync_that_never_ends_changes_nothing),
	    TEST(what_has_no_room_is_discarded_and_the_rest_applied),
	    TEST(a_lost_event_is_counted),
	    TEST(router_hosts_are_asked_for),
	    TEST(a_resync_keeps_flows_and_counters),
	    TEST(the_mss_stays_with_the_generation),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
