/* What a second becomes in the history: growth of counters, over other owners of slots and other dataplanes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/control.h"
#include "control/observe/history.h"
#include "control/observe/sampler.h"
#include "control_fixture.h"
#include "fake_checker.h"
#include "fake_link.h"

enum { LAST = HISTORY_POINTS - 1, T0 = 1700000000 };

static char directory[64];
static struct event_loop *loop;
static struct config *config;
static struct control control;

static void begin(void)
{
	loop = event_loop_create();
	config = fixture_config(directory, directory, "'clusters': [" FIXTURE_OSE1 ", " FIXTURE_OSE2 "]");
	assert_true(control_init(&control, config, loop));
	control_start(&control);
}

static void end(void)
{
	control_stop(&control);
	config_free(config);
	event_loop_destroy(loop);
}

static int setup(void **state)
{
	snprintf(directory, sizeof(directory), "/tmp/pm-sampler-XXXXXX");
	assert_non_null(mkdtemp(directory));
	fake_link_reset(16, 16, 16);
	fake_link.shared->port_count = 1;
	begin();
	return 0;
}

static int teardown(void **state)
{
	char command[128];
	end();
	fake_link_free();
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	return system(command);
}

/* A dataplane, with slots for all router hosts and pairs. The loop turns only here: its own timer must not sample. */
static void appear(void)
{
	/* Away from the turn of the second, at which the sampler takes one by itself. */
	while (clock_unix_ms() % 1000 > 600)
		usleep(10000);
	assert_null(fake_link_appear());
	for (int turn = 0; control.applied < control.state.revision; turn++) {
		assert_true(turn < 5000);
		event_loop_turn(loop, 2);
	}
}

static uint64_t host_id(const char *cluster, size_t i)
{
	return state_cluster(&control.state, cluster)->spec->hosts[i].id;
}

static uint64_t pair_id(const char *cluster)
{
	struct hostname host;
	bool wildcard;
	assert_true(name_parse("app1.ch", &host, &wildcard));
	return cluster_pair_id(cluster_name_id(&host, wildcard), cluster);
}

static struct shared_host_counters *host(unsigned worker, const char *cluster, size_t i)
{
	uint32_t slot = slots_find(&control.hosts, host_id(cluster, i));
	assert_int_not_equal(slot, SLOT_NONE);
	return &shared_hosts_of(shared_worker_at(fake_link.shared, worker))[slot];
}

static struct shared_pair_counters *pair(unsigned worker, const char *cluster)
{
	uint32_t slot = slots_find(&control.pairs, pair_id(cluster));
	assert_int_not_equal(slot, SLOT_NONE);
	return &shared_pairs_of(fake_link.shared, shared_worker_at(fake_link.shared, worker))[slot];
}

static shared_u64 *counter(unsigned worker, enum counter counter)
{
	return &shared_worker_at(fake_link.shared, worker)->counters[counter];
}

static int64_t total(enum history_total total)
{
	return history_total(control.history, total, LAST);
}

static int64_t last(enum history_kind kind, uint64_t id, enum history_value value)
{
	return history_value(control.history, kind, id, value, LAST);
}

static void growth_is_shown_from_the_second_reading_on(void **state)
{
	appear();
	shared_add(&host(0, "ose1", 0)->total, 100);
	shared_add(&pair(0, "ose1")->total, 100);
	shared_add(counter(0, counter_connections_spliced), 100);
	sampler_take(control.sampler, T0);
	assert_int_equal(history_last_column(control.history), HISTORY_FIRST);
	assert_int_equal(total(TOTAL_NEW), HISTORY_NONE);
	assert_int_equal(history_pair_recent(control.history, pair_id("ose1")), 0);

	shared_add(&host(0, "ose1", 0)->total, 3);
	shared_add(&host(1, "ose1", 0)->total, 2);
	shared_add(&host(1, "ose1", 1)->total, 1);
	shared_set(&host(1, "ose1", 0)->active, 4);
	shared_set(&host(0, "ose2", 0)->active, 1);
	shared_add(&host(0, "ose2", 0)->refused, 7);
	shared_add(&pair(0, "ose1")->total, 5);
	shared_set(&pair(1, "ose1")->active, 4);
	shared_add(counter(0, counter_connections_spliced), 3);
	shared_add(counter(1, counter_connections_spliced), 3);
	shared_add(counter(1, counter_answer_unknown_name), 10);
	shared_add(counter(0, counter_answer_timeout), 1);
	shared_add(counter(0, counter_closed_silent), 50);
	shared_add(&fake_link.shared->ports[0].rx_bytes, 1000);
	shared_add(&fake_link.shared->ports[0].tx_bytes, 2000);
	sampler_take(control.sampler, T0 + 1);
	assert_int_equal(total(TOTAL_NEW), 6);
	assert_int_equal(total(TOTAL_ACTIVE), 5);
	assert_int_equal(total(TOTAL_REFUSED), 18);
	assert_int_equal(total(TOTAL_BYTES_IN), 1000);
	assert_int_equal(total(TOTAL_BYTES_OUT), 2000);
	assert_int_equal(last(HISTORY_HOST, host_id("ose1", 0), VALUE_NEW), 5);
	assert_int_equal(last(HISTORY_HOST, host_id("ose1", 0), VALUE_ACTIVE), 4);
	assert_int_equal(last(HISTORY_HOST, host_id("ose2", 0), VALUE_REFUSED), 7);
	assert_int_equal(last(HISTORY_CLUSTER, history_cluster_id("ose1"), VALUE_NEW), 6);
	assert_int_equal(last(HISTORY_CLUSTER, history_cluster_id("ose2"), VALUE_ACTIVE), 1);
	assert_int_equal(last(HISTORY_PAIR, pair_id("ose1"), VALUE_NEW), 5);
	assert_int_equal(last(HISTORY_PAIR, pair_id("ose1"), VALUE_ACTIVE), 4);
	assert_int_equal(last(HISTORY_PAIR, pair_id("ose2"), VALUE_NEW), 0);
	assert_int_equal(history_pair_recent(control.history, pair_id("ose1")), 5);
	assert_int_equal(history_count(control.history, HISTORY_PAIR), 1);
}

static void health_is_known_without_a_dataplane(void **state)
{
	state_cluster(&control.state, "ose1")->health[0].state = HEALTH_UP;
	sampler_take(control.sampler, T0);
	assert_int_equal(history_last_column(control.history), HISTORY_ABSENT);
	assert_int_equal(total(TOTAL_HEALTHY), 1);
	assert_int_equal(total(TOTAL_UNHEALTHY), 2);
	assert_int_equal(total(TOTAL_ACTIVE), 0);
	fake_link.state = LINK_STARTING;
	sampler_take(control.sampler, T0 + 1);
	assert_int_equal(total(TOTAL_HEALTHY), 1);
	assert_int_equal(total(TOTAL_ACTIVE), HISTORY_NONE);
}

static void a_late_second_does_not_hold_the_growth_of_two(void **state)
{
	appear();
	sampler_take(control.sampler, T0);
	shared_add(counter(0, counter_connections_spliced), 1000);
	shared_add(&pair(0, "ose1")->total, 1000);
	sampler_take(control.sampler, T0 + 2);
	assert_int_equal(total(TOTAL_NEW), HISTORY_NONE);
	assert_int_equal(history_total(control.history, TOTAL_NEW, LAST - 1), HISTORY_NONE);
	assert_int_equal(history_pair_recent(control.history, pair_id("ose1")), 0);
	shared_add(counter(0, counter_connections_spliced), 5);
	sampler_take(control.sampler, T0 + 3);
	assert_int_equal(total(TOTAL_NEW), 5);
}

/* The wall clock was set back a little, and waited for. */
static void nor_does_a_second_that_took_longer(void **state)
{
	appear();
	sampler_take(control.sampler, T0);
	shared_add(counter(0, counter_connections_spliced), 1);
	sampler_take(control.sampler, T0 + 1);
	assert_int_equal(total(TOTAL_NEW), 1);
	usleep(2000000);
	shared_add(counter(0, counter_connections_spliced), 50);
	sampler_take(control.sampler, T0 + 2);
	assert_int_equal(history_last_column(control.history), HISTORY_FIRST);
	assert_int_equal(total(TOTAL_NEW), HISTORY_NONE);
	shared_add(counter(0, counter_connections_spliced), 2);
	sampler_take(control.sampler, T0 + 3);
	assert_int_equal(total(TOTAL_NEW), 2);
}

static void another_dataplane_is_compared_with_nothing(void **state)
{
	appear();
	shared_set(counter(0, counter_connections_spliced), 1000000);
	shared_set(&host(0, "ose1", 0)->total, 1000000);
	sampler_take(control.sampler, T0);
	shared_add(&host(0, "ose1", 0)->total, 9);
	sampler_take(control.sampler, T0 + 1);
	assert_int_equal(last(HISTORY_HOST, host_id("ose1", 0), VALUE_NEW), 9);

	fake_link.state = LINK_ABSENT;
	sampler_take(control.sampler, T0 + 2);
	assert_int_equal(total(TOTAL_ACTIVE), 0);
	assert_int_equal(total(TOTAL_NEW), 0);

	/* Counters begin at 0 again. */
	fake_link.shared->started_at += 5000;
	shared_set(counter(0, counter_connections_spliced), 3);
	shared_set(&host(0, "ose1", 0)->total, 3);
	fake_link.state = LINK_READY;
	sampler_take(control.sampler, T0 + 3);
	assert_int_equal(total(TOTAL_NEW), HISTORY_NONE);
	shared_add(&host(0, "ose1", 0)->total, 2);
	sampler_take(control.sampler, T0 + 4);
	assert_int_equal(last(HISTORY_HOST, host_id("ose1", 0), VALUE_NEW), 2);
	assert_int_equal(history_value(control.history, HISTORY_HOST, host_id("ose1", 0), VALUE_NEW, LAST - 3), 9);
}

static void what_the_owner_before_has_left_is_not_counted(void **state)
{
	appear();
	struct shared_pair_counters *counters = pair(0, "ose1");
	uint32_t slot = slots_find(&control.pairs, pair_id("ose1"));
	sampler_take(control.sampler, T0);
	/* 40 of the owner before; then the slot is given to another, which has 2. */
	shared_add(&counters->total, 40);
	struct shared_directory_entry *entry = &control.pairs.entries[slot];
	entry->base_total = 40;
	shared_add(&counters->total, 2);
	sampler_take(control.sampler, T0 + 1);
	assert_int_equal(last(HISTORY_PAIR, pair_id("ose1"), VALUE_NEW), 2);
}

static void a_slot_of_nobody_is_left_alone(void **state)
{
	appear();
	sampler_take(control.sampler, T0);
	shared_add(&shared_pairs_of(fake_link.shared, shared_worker_at(fake_link.shared, 0))[15].total, 5);
	sampler_take(control.sampler, T0 + 1);
	assert_int_equal(history_count(control.history, HISTORY_PAIR), 0);
}

static void history_goes_on_in_the_next_process(void **state)
{
	int64_t now = clock_unix_ms() / 1000;
	appear();
	sampler_take(control.sampler, now - 2);
	shared_add(counter(0, counter_connections_spliced), 5);
	sampler_take(control.sampler, now - 1);
	end();
	begin();
	assert_int_equal(history_second(control.history), now - 1);
	assert_int_equal(total(TOTAL_NEW), 5);
	assert_null(fake_link_appear());
	sampler_take(control.sampler, now);
	assert_int_equal(total(TOTAL_NEW), HISTORY_NONE);
	assert_int_equal(history_total(control.history, TOTAL_NEW, LAST - 1), 5);
}

static unsigned ticks;
static int64_t first_second;

static void ticked(void *context)
{
	if (ticks++ == 0)
		first_second = history_second(control.history);
}

static void seconds_come_by_themselves(void **state)
{
	end();
	int64_t begun = clock_unix_ms() / 1000;
	begin();
	uint64_t give_up = clock_monotonic_ms() + 30000;
	sampler_listen(control.sampler, ticked, NULL);
	while (ticks < 2) {
		assert_true(clock_monotonic_ms() < give_up);
		event_loop_turn(loop, 100);
	}
	/* Of the wall clock: a second is taken when it has begun, not when it is about to end, and none twice. */
	assert_true(first_second > begun);
	assert_in_range(history_second(control.history), first_second + 1, clock_unix_ms() / 1000);
	assert_true(sampler_cost(control.sampler).max_us < 1000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(growth_is_shown_from_the_second_reading_on, setup, teardown),
	    cmocka_unit_test_setup_teardown(health_is_known_without_a_dataplane, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_late_second_does_not_hold_the_growth_of_two, setup, teardown),
	    cmocka_unit_test_setup_teardown(nor_does_a_second_that_took_longer, setup, teardown),
	    cmocka_unit_test_setup_teardown(another_dataplane_is_compared_with_nothing, setup, teardown),
	    cmocka_unit_test_setup_teardown(what_the_owner_before_has_left_is_not_counted, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_slot_of_nobody_is_left_alone, setup, teardown),
	    cmocka_unit_test_setup_teardown(history_goes_on_in_the_next_process, setup, teardown),
	    cmocka_unit_test_setup_teardown(seconds_come_by_themselves, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
