/* feed: what is refused, rings that are full, acknowledgements. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "control/feed/feed.h"
#include "fake_link.h"

static struct feed feed;
static unsigned room[FAKE_WORKERS]; /* what each ring takes per call */

static unsigned send(void *context, unsigned worker, const struct message *messages, unsigned count)
{
	return dataplane_link_send(NULL, worker, messages, count < room[worker] ? count : room[worker]);
}

static int setup(void **state)
{
	fake_link_reset(8, 8, 8);
	room[0] = room[1] = 1000;
	feed_begin(&feed, fake_link.shared, 77, send, NULL);
	return 0;
}

static int teardown(void **state)
{
	feed_end(&feed);
	fake_link_free();
	return 0;
}

/* A table with `hosts` hosts. */
static struct table *table_of(uint64_t revision, uint32_t hosts, uint8_t healthy, bool partial)
{
	struct table *table = calloc(1, sizeof(*table));
	table->revision = revision;
	table->partial = partial;
	table->host_count = hosts;
	table->hosts = calloc(hosts + 1, sizeof(*table->hosts));
	for (uint32_t i = 0; i < hosts; i++)
		table->hosts[i].message =
		    (struct message_host){.slot = i, .generation = 1, .http_port = 80, .healthy = healthy};
	return table;
}

static void the_start_is_announced(void **state)
{
	assert_int_equal(shared_get(&fake_link.shared->control_start), 77);
	assert_true(feed_idle(&feed));
	assert_int_equal(feed_applied(&feed), 0);
}

static void first_a_resync_then_differences(void **state)
{
	assert_true(feed_wants_all(&feed));
	feed_table(&feed, table_of(1, 2, 0, false));
	assert_true(feed_idle(&feed));
	assert_int_equal(feed_applied(&feed), 1);
	assert_int_equal(fake_link.workers[1].count, 4);
	assert_int_equal(fake_link.workers[1].messages[0].type, MESSAGE_SYNC_BEGIN);
	assert_int_equal(fake_link.workers[1].messages[0].sequence, 1);
	fake_link_forget();
	assert_false(feed_wants_all(&feed));
	feed_table(&feed, table_of(2, 2, 1, true));
	assert_int_equal(fake_link.workers[0].count, 3);
	assert_int_equal(fake_link.workers[0].messages[2].type, MESSAGE_BATCH_END);
	assert_int_equal(feed_applied(&feed), 2);
	fake_link_forget();
	feed.resync = true;
	assert_true(feed_wants_all(&feed));
	feed_table(&feed, table_of(2, 2, 1, false));
	assert_int_equal(fake_link.workers[0].count, 4);
	assert_int_equal(fake_link.workers[0].faults + fake_link.workers[1].faults, 0);
}

static void a_full_ring_makes_only_the_feed_wait(void **state)
{
	room[1] = 0;
	feed_table(&feed, table_of(1, 6, 0, false));
	assert_false(feed_idle(&feed));
	assert_int_equal(fake_link.workers[0].count, 8);
	assert_int_equal(feed_worker_applied(&feed, 0), 1);
	assert_int_equal(feed_applied(&feed), 0);
	room[1] = 3;
	for (int i = 0; i < 3; i++) {
		assert_false(feed_idle(&feed));
		feed_pump(&feed);
	}
	assert_true(feed_idle(&feed));
	assert_int_equal(feed_applied(&feed), 1);
	assert_int_equal(fake_link.workers[0].count, 8);
	assert_int_equal(fake_link.workers[0].faults + fake_link.workers[1].faults, 0);
}

static void acknowledgements_of_another_start_do_not_count(void **state)
{
	fake_link.acknowledge = false;
	feed_table(&feed, table_of(3, 1, 0, false));
	struct shared_worker *worker = shared_worker_at(fake_link.shared, 0);
	shared_set(&worker->applied_revision, 9);
	shared_set(&worker->applied_start, 76);
	assert_int_equal(feed_worker_applied(&feed, 0), 0);
	shared_set(&worker->applied_start, 77);
	assert_int_equal(feed_worker_applied(&feed, 0), 9);
	assert_int_equal(feed_applied(&feed), 0);
}

/* ---- commands ---- */

static struct message log_command(uint32_t every)
{
	struct message message = {.type = MESSAGE_LOG};
	message.log.every = every;
	return message;
}

static struct message query_command(uint32_t query)
{
	struct message message = {.type = MESSAGE_EXPLAIN};
	message.explain.query = query;
	return message;
}

static bool give(struct message message)
{
	return feed_command(&feed, &message);
}

static void expect_types(unsigned worker, unsigned count, const enum message_type *types)
{
	assert_int_equal(fake_link.workers[worker].count, count);
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(fake_link.workers[worker].messages[i].type, types[i]);
	assert_int_equal(fake_link.workers[worker].faults, 0);
}

static void commands_go_out_at_once(void **state)
{
	feed_table(&feed, table_of(1, 0, 0, false));
	fake_link_forget();
	assert_true(give(query_command(1)));
	assert_true(give(log_command(1)));
	assert_true(give(query_command(2)));
	assert_true(feed_idle(&feed));
	for (unsigned i = 0; i < FAKE_WORKERS; i++)
		expect_types(i, 3, (enum message_type[]){MESSAGE_EXPLAIN, MESSAGE_LOG, MESSAGE_EXPLAIN});
	feed_table(&feed, table_of(2, 0, 0, true)); /* in one sequence with tables */
	expect_types(1, 4, (enum message_type[]){MESSAGE_EXPLAIN, MESSAGE_LOG, MESSAGE_EXPLAIN, MESSAGE_BATCH_END});
	assert_int_equal(feed_applied(&feed), 2);
}

static void commands_wait_for_the_first_table(void **state)
{
	assert_true(give(query_command(1)));
	assert_true(give(log_command(5)));
	assert_true(give(query_command(2)));
	assert_true(give(log_command(6)));
	assert_true(feed_idle(&feed)); /* a table may be given */
	assert_int_equal(fake_link.workers[0].count, 0);
	feed_table(&feed, table_of(1, 0, 0, false));
	expect_types(
	    0, 5,
	    (enum message_type[]){MESSAGE_SYNC_BEGIN, MESSAGE_SYNC_END, MESSAGE_LOG, MESSAGE_EXPLAIN, MESSAGE_EXPLAIN});
	assert_int_equal(fake_link_message(MESSAGE_LOG, 0)->log.every, 6);
	assert_int_equal(fake_link_message(MESSAGE_EXPLAIN, 1)->explain.query, 2);
	fake_link_forget();
	feed_table(&feed, table_of(2, 0, 0, true)); /* once */
	expect_types(0, 1, (enum message_type[]){MESSAGE_BATCH_END});
}

/* A worker that wants everything again takes no command before; what was said of the log may be lost with it. */
static void commands_wait_for_a_resync(void **state)
{
	feed_table(&feed, table_of(1, 0, 0, false));
	give(log_command(3));
	fake_link_forget();
	feed.resync = true;
	assert_true(give(query_command(1)));
	assert_int_equal(fake_link.workers[0].count, 0);
	feed_table(&feed, table_of(1, 0, 0, false));
	expect_types(0, 4, (enum message_type[]){MESSAGE_SYNC_BEGIN, MESSAGE_SYNC_END, MESSAGE_LOG, MESSAGE_EXPLAIN});
	assert_int_equal(fake_link_message(MESSAGE_LOG, 0)->log.every, 3);
}

/* Behind a table that is still on its way, in order, each worker at its own pace. */
static void commands_stand_behind_a_table(void **state)
{
	room[1] = 0;
	feed_table(&feed, table_of(1, 4, 0, false));
	assert_true(give(query_command(1)));
	assert_true(give(query_command(2)));
	assert_false(feed_idle(&feed));
	assert_int_equal(fake_link.workers[0].count, 8);
	assert_int_equal(fake_link.workers[1].count, 0);
	room[1] = 3;
	feed_pump(&feed);
	assert_true(give(query_command(3)));
	while (!feed_idle(&feed))
		feed_pump(&feed);
	for (unsigned i = 0; i < FAKE_WORKERS; i++) {
		assert_int_equal(fake_link.workers[i].count, 9);
		assert_int_equal(fake_link.workers[i].faults, 0);
		assert_int_equal(fake_link.workers[i].messages[5].type, MESSAGE_SYNC_END);
		for (unsigned k = 0; k < 3; k++)
			assert_int_equal(fake_link.workers[i].messages[6 + k].explain.query, k + 1);
	}
}

static void too_many_commands_are_refused(void **state)
{
	for (unsigned i = 0; i < FEED_COMMANDS_MAX; i++)
		assert_true(give(query_command(i + 1)));
	assert_false(give(query_command(100)));
	assert_false(give(log_command(100)));
	room[0] = room[1] = 0;
	feed_table(&feed, table_of(1, 0, 0, false));
	assert_false(give(query_command(101)));
	assert_false(give(log_command(101)));
	assert_int_equal(fake_link.workers[0].count, 0);
	room[0] = room[1] = 1000;
	feed_pump(&feed);
	assert_int_equal(fake_link.workers[0].count, 2 + FEED_COMMANDS_MAX);
	assert_null(fake_link_message(MESSAGE_LOG, 0));
	assert_true(give(query_command(102))); /* there is room again */
	room[0] = 0;
	for (unsigned i = 0; i < FEED_COMMANDS_MAX; i++)
		assert_int_equal(give(query_command(200 + i)), true);
	assert_false(give(query_command(300)));
	assert_int_equal(fake_link.workers[0].faults + fake_link.workers[1].faults, 0);
}

static void sizes_and_versions_are_checked(void **state)
{
	char why[FEED_WHY_MAX];
	struct shared_header *shared = fake_link.shared, good = *shared;
	assert_true(feed_shared_valid(shared, shared->size, why));
	assert_false(feed_shared_valid(shared, 10, why));
	assert_false(feed_shared_valid(shared, shared->size - 1, why));
#define REFUSED(change)                                                                                                \
	change;                                                                                                        \
	assert_false(feed_shared_valid(shared, shared->size, why));                                                    \
	assert_true(strlen(why) > 20);                                                                                 \
	memcpy(shared, &good, sizeof(good))
	REFUSED(shared->magic++);
	REFUSED(shared->version++);
	REFUSED(shared->message_version++);
	REFUSED(shared->header_size++);
	REFUSED(shared->counter_total++);
	REFUSED(shared->worker_count = 0);
	REFUSED(shared->worker_count = WORKERS_MAX + 1);
	REFUSED(shared->hosts_max++);
	REFUSED(shared->hosts_max = UINT32_MAX);
	REFUSED(shared->pairs_max++);
	REFUSED(shared->worker_offset++);
	REFUSED(shared->worker_stride++);
	REFUSED(shared->host_directory_offset++);
	REFUSED(shared->pair_directory_offset++);
	REFUSED(shared->port_count = PORTS_MAX + 1);
	REFUSED(shared->vips.count = VIPS_MAX + 1);
#undef REFUSED
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(the_start_is_announced, setup, teardown),
	    cmocka_unit_test_setup_teardown(first_a_resync_then_differences, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_full_ring_makes_only_the_feed_wait, setup, teardown),
	    cmocka_unit_test_setup_teardown(acknowledgements_of_another_start_do_not_count, setup, teardown),
	    cmocka_unit_test_setup_teardown(commands_go_out_at_once, setup, teardown),
	    cmocka_unit_test_setup_teardown(commands_wait_for_the_first_table, setup, teardown),
	    cmocka_unit_test_setup_teardown(commands_wait_for_a_resync, setup, teardown),
	    cmocka_unit_test_setup_teardown(commands_stand_behind_a_table, setup, teardown),
	    cmocka_unit_test_setup_teardown(too_many_commands_are_refused, setup, teardown),
	    cmocka_unit_test_setup_teardown(sizes_and_versions_are_checked, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
