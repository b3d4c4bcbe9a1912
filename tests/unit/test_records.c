/* records: what the workers are told to record, who gets which record, and the bound of a turn. */
#include "traffic_fixture.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/traffic/connection_log.h"
#include "control/traffic/queries.h"
#include "control/traffic/records.h"
#include "control/traffic/unknown_names.h"

static int teardown(void **state)
{
	traffic_end();
	return 0;
}

static const struct message_log *told(unsigned n)
{
	const struct message *message = fake_link_message(MESSAGE_LOG, n);
	return message ? &message->log : NULL;
}

/* The first ones: traffic_begin forgets what was sent before it returns. */
static void attach(const char *sections)
{
	traffic_begin_alone(sections);
	assert_null(fake_link_appear());
	TRAFFIC_AWAIT(told(0));
}

static void connections_are_not_recorded_by_default(void **state)
{
	attach("");
	assert_int_equal(told(0)->every, 0);
	assert_int_equal(told(0)->refused_per_second, REFUSED_RECORDS_PER_SECOND);
}

static void as_the_configuration_says(void **state)
{
	attach(", 'log': {'connections': 'sampled', 'sample': 50, 'connections_file': '/dev/null'}");
	assert_int_equal(told(0)->every, 50);
	traffic.config->log.connections = CONNECTION_LOG_FULL;
	fake_link_forget();
	records_tell(&traffic.control);
	TRAFFIC_AWAIT(told(0) && told(0)->every == 1);
}

static void told_later_when_the_feed_is_full(void **state)
{
	traffic_begin("");
	fake_link.room = 0;
	const struct message message = {.type = MESSAGE_LOG};
	while (feed_command(&traffic.control.feed, &message))
		;
	records_tell(&traffic.control);
	assert_true(traffic.control.records.log_due);
	fake_link.room = FAKE_MESSAGES_MAX;
	TRAFFIC_AWAIT(!traffic.control.records.log_due);
	TRAFFIC_AWAIT(told(FEED_COMMANDS_MAX));
	assert_int_equal(told(FEED_COMMANDS_MAX)->refused_per_second, REFUSED_RECORDS_PER_SECOND);
}

static void refused_names_are_noted(void **state)
{
	traffic_begin("");
	struct record record = traffic_connection(1, "nobody.ch");
	record.type = RECORD_REFUSED;
	record.connection.why = RECORD_UNKNOWN_NAME;
	record.connection.listener = 1;
	fake_link_record(0, &record);
	TRAFFIC_AWAIT(unknown_names_count(traffic.control.unknown_names) == 1);
	size_t count;
	const struct unknown_name **names = unknown_names_sorted(traffic.control.unknown_names, &count);
	assert_string_equal(names[0]->name.text, "nobody.ch");
	assert_string_equal(names[0]->listener, "https");
	assert_true(llabs(names[0]->last_at - clock_unix_ms()) < 2000);
	free(names);
}

static void broken_records_and_old_answers_are_left_alone(void **state)
{
	traffic_begin("");
	struct record record = traffic_connection(1, "a.ch");
	record.type = RECORD_REFUSED;
	record.connection.why = 99;
	fake_link_record(0, &record);
	record.connection.why = RECORD_UNKNOWN_NAME;
	record.query = 1;
	record.start = traffic.control.feed.start + 1;
	fake_link_record(1, &record);
	TRAFFIC_AWAIT(traffic.control.records.taken == 2);
	assert_int_equal(traffic.control.records.invalid, 1);
	assert_int_equal(traffic.control.records.stale, 1);
	assert_int_equal(unknown_names_count(traffic.control.unknown_names), 0);
}

static void lost_ones_are_summed_over_the_workers(void **state)
{
	traffic_begin("");
	shared_set(&shared_worker_at(fake_link.shared, 0)->counters[counter_record_lost], 3);
	shared_set(&shared_worker_at(fake_link.shared, 1)->counters[counter_record_lost], 4);
	assert_int_equal(records_lost(&traffic.control), 7);
	assert_int_equal(connection_log_counts(&traffic.control).lost_ring, 7);
}

static void monotonic_time_becomes_wall_clock(void **state)
{
	traffic_begin_alone("");
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	uint64_t us = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
	int64_t wall = clock_unix_ms();
	assert_in_range(records_unix_ms(us - 60000000), wall - 60000 - 50, wall - 60000 + 50);
	/* Never in the future. */
	assert_in_range(records_unix_ms(us + 60000000), wall - 50, wall + 50);
	assert_int_equal(records_lost(&traffic.control), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(connections_are_not_recorded_by_default, teardown),
	    cmocka_unit_test_teardown(as_the_configuration_says, teardown),
	    cmocka_unit_test_teardown(told_later_when_the_feed_is_full, teardown),
	    cmocka_unit_test_teardown(refused_names_are_noted, teardown),
	    cmocka_unit_test_teardown(broken_records_and_old_answers_are_left_alone, teardown),
	    cmocka_unit_test_teardown(lost_ones_are_summed_over_the_workers, teardown),
	    cmocka_unit_test_teardown(monotonic_time_becomes_wall_clock, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
