/* record: names, and what record_valid refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "common/record.h"

static struct record ended(void)
{
	struct record record = {.version = RECORD_VERSION, .type = RECORD_ENDED};
	record.connection.why = RECORD_FIN;
	record.connection.state = RECORD_SPLICED;
	record.connection.name.len = HOSTNAME_MAX;
	memset(record.connection.name.text, 'a', HOSTNAME_MAX);
	return record;
}

static void every_reason_and_state_has_a_name(void **state)
{
	for (int i = 0; i < record_why_count; i++)
		for (int k = 0; k < i; k++)
			assert_string_not_equal(record_why_name(i), record_why_name(k));
	for (int i = 0; i < record_state_count; i++)
		for (int k = 0; k < i; k++)
			assert_string_not_equal(record_state_name(i), record_state_name(k));
	assert_string_equal(record_why_name(RECORD_IDLE), "idle");
	assert_string_equal(record_why_name(RECORD_TIMEOUT), "timeout");
	assert_string_equal(record_state_name(RECORD_LINGERING), "lingering");
}

static void versions_and_types(void **state)
{
	struct record record = ended();
	assert_true(record_valid(&record));
	record.version++;
	assert_false(record_valid(&record));
	record.version--;
	for (uint16_t type = RECORD_ENDED; type <= RECORD_QUERY_END; type++) {
		struct record other = {.version = RECORD_VERSION, .type = type};
		assert_true(record_valid(&other));
	}
	record.type = 0;
	assert_false(record_valid(&record));
	record.type = RECORD_QUERY_END + 1;
	assert_false(record_valid(&record));
}

static void connections(void **state)
{
	struct record record = ended();
	record.connection.why = record_why_count;
	assert_false(record_valid(&record));
	record = ended();
	record.connection.state = record_state_count;
	assert_false(record_valid(&record));
	record = ended();
	record.connection.name.len = HOSTNAME_MAX + 1;
	assert_false(record_valid(&record));
	record = ended();
	record.connection.name.len = 5; /* no terminator where the length says */
	assert_false(record_valid(&record));
	record = ended();
	record.connection.cluster = CLUSTER_NONE;
	record.connection.listener = LISTENER_NONE;
	assert_true(record_valid(&record));
	record.connection.cluster = CLUSTER_NUMBERS;
	assert_false(record_valid(&record));
	record = ended();
	record.connection.listener = LISTENERS_MAX;
	assert_false(record_valid(&record));
}

static void explanations(void **state)
{
	const struct record good = {.version = RECORD_VERSION, .type = RECORD_EXPLAIN};
	struct record record = good;
	record.explain.decision = DECISION_UNHEALTHY + 1;
	assert_false(record_valid(&record));
	record = good;
	record.explain.share_count = ROUTE_CLUSTERS_MAX + 1;
	assert_false(record_valid(&record));
	record = good;
	record.explain.cluster = CLUSTER_NUMBERS;
	assert_false(record_valid(&record));
	record.explain.cluster = CLUSTER_NONE;
	assert_true(record_valid(&record));
	record.explain.route.len = 255;
	assert_false(record_valid(&record));
	record = good;
	record.type = RECORD_EXPLAIN_SHARE;
	record.share.cluster = CLUSTER_NUMBERS;
	assert_false(record_valid(&record));
	record = good;
	record.type = RECORD_EXPLAIN_HOST;
	record.host.cluster = CLUSTER_NUMBERS;
	assert_false(record_valid(&record));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_reason_and_state_has_a_name),
	    cmocka_unit_test(versions_and_types),
	    cmocka_unit_test(connections),
	    cmocka_unit_test(explanations),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
