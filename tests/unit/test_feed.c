/* feed: what is refused, rings that are full, acknowledgements. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "control/feed.h"
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
	REFUSED(shared->vip_count = VIPS_MAX + 1);
#undef REFUSED
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(the_start_is_announced, setup, teardown),
	    cmocka_unit_test_setup_teardown(first_a_resync_then_differences, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_full_ring_makes_only_the_feed_wait, setup, teardown),
	    cmocka_unit_test_setup_teardown(acknowledgements_of_another_start_do_not_count, setup, teardown),
	    cmocka_unit_test_setup_teardown(sizes_and_versions_are_checked, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
