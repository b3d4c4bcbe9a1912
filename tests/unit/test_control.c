/* control: from start to end against a dataplane that is only memory and checks that reach nobody. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "control/state/cluster_json.h"
#include "control/control.h"
#include "control_fixture.h"
#include "fake_checker.h"
#include "fake_link.h"

static char directory[] = "/tmp/pm-test-control-XXXXXX";
static struct event_loop *loop;
static struct config *config;
static struct control control;

#define CLUSTERS "'clusters': [" FIXTURE_OSE1 ", " FIXTURE_OSE2 "]"

static void remove_state(void)
{
	fixture_empty(directory);
}

static bool begin(const char *sections)
{
	loop = event_loop_create();
	config = fixture_config(directory, directory, sections);
	if (!control_init(&control, config, loop))
		return false;
	control_start(&control);
	return true;
}

static void end(void)
{
	control_stop(&control);
	config_free(config);
	event_loop_destroy(loop);
}

static int setup(void **state)
{
	remove_state();
	fake_link_reset(16, 16, 16);
	return begin(CLUSTERS) ? 0 : -1;
}

static int teardown(void **state)
{
	end();
	fake_link_free();
	return 0;
}

static void restart(const char *sections)
{
	end();
	assert_true(begin(sections));
}

static void turns(unsigned count)
{
	while (count-- > 0)
		event_loop_turn(loop, 2);
}

/* Turns until the condition holds. */
#define AWAIT(condition)                                                                                               \
	do {                                                                                                           \
		for (int turn = 0; !(condition); turn++) {                                                             \
			assert_true(turn < 5000);                                                                      \
			event_loop_turn(loop, 5);                                                                      \
		}                                                                                                      \
	} while (0)

static const struct health *health_of(const char *cluster, size_t host)
{
	return &state_cluster(&control.state, cluster)->health[host];
}

static bool noticed(const char *part)
{
	for (unsigned i = 0; i < control.notice_count; i++)
		if (strstr(control.notices[i], part))
			return true;
	return false;
}

/* Runs the checks of all three hosts with success. */
static void all_up(void)
{
	AWAIT(fake_checker.count == 3);
	fake_checker_finish("203.0.113.11", CHECK_OK, 200);
	fake_checker_finish("203.0.113.12", CHECK_OK, 200);
	fake_checker_finish("203.0.113.21", CHECK_OK, 200);
}

static void begins_with_the_configuration_then_with_its_state(void **state)
{
	assert_int_equal(control.state.revision, 1);
	assert_int_equal(control.state.host_count, 3);
	assert_true(control.state_file.good);
	assert_true(control_put(&control, fixture_cluster("{'name': 'ose3', 'source': 'static'}"), 0, &fixture_actor));
	assert_true(control_delete(&control, "ose2", &fixture_actor));
	restart(CLUSTERS);
	assert_int_equal(control.state.revision, 3);
	assert_null(state_cluster(&control.state, "ose2"));
	assert_int_equal(control.notice_count, 2);
	assert_true(noticed("file differs from state: cluster ose2 is only in the file"));
	assert_true(noticed("file differs from state: cluster ose3 is only in the state"));
	assert_true(control_put(&control, fixture_cluster("{'name': 'ose1', 'source': 'static'}"), 0, &fixture_actor));
	restart(CLUSTERS);
	assert_true(noticed("file differs from state: cluster ose1 is another one in the file"));
	assert_int_equal(state_cluster(&control.state, "ose1")->spec->host_count, 0);
}

static void what_was_pushed_is_no_difference_to_the_file(void **state)
{
	static const char file[] = "'clusters': [{'name': 'p', 'source': 'push'}]";
	end();
	remove_state();
	assert_true(begin(file));
	struct cluster_spec *pushed = fixture_cluster("{'name': 'p', 'source': 'push', 'hosts': [{'name': 'r', "
	                                              "'address': '192.0.2.1'}], 'routes': [{'host': 'x.ch'}]}");
	assert_true(control_put(&control, pushed, 123, &fixture_actor));
	restart(file);
	assert_int_equal(control.notice_count, 0);
	assert_int_equal(state_cluster(&control.state, "p")->spec->host_count, 1);
	assert_int_equal(state_cluster(&control.state, "p")->pushed_at, 123);
}

static void overwrite(const char *name, const char *text)
{
	char path[200];
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	FILE *file = fopen(path, "w");
	fputs(text, file);
	fclose(file);
}

static void a_broken_state_file_gives_way_to_the_previous_one(void **state)
{
	char bad[200];
	assert_true(control_delete(&control, "ose2", &fixture_actor));
	assert_true(control_delete(&control, "ose1", &fixture_actor));
	end();
	overwrite("clusters.state", "rubbish");
	assert_true(begin(CLUSTERS));
	assert_true(noticed("the version before it is used"));
	assert_int_equal(control.state.revision, 2);
	assert_non_null(state_cluster(&control.state, "ose1"));
	assert_null(state_cluster(&control.state, "ose2"));
	snprintf(bad, sizeof(bad), "%s/clusters.state.bad", directory);
	assert_int_equal(access(bad, F_OK), 0);
	restart(CLUSTERS); /* it was made whole again */
	assert_false(noticed("broken"));
	assert_int_equal(control.state.revision, 2);
}

static void without_a_previous_one_the_configuration_is_used(void **state)
{
	end();
	remove_state();
	overwrite("clusters.state", "rubbish");
	assert_true(begin(CLUSTERS));
	assert_true(noticed("there is no version before it"));
	assert_int_equal(control.state.host_count, 3);
}

static void a_state_file_of_another_version_is_left_alone(void **state)
{
	end();
	overwrite("clusters.state", "pointsman-state 99 2 00000000\n{}");
	loop = event_loop_create();
	config = fixture_config(directory, directory, CLUSTERS);
	assert_false(control_init(&control, config, loop));
	state_free(&control.state);
	config_free(config);
	event_loop_destroy(loop);
	remove_state();
	assert_true(begin(CLUSTERS));
}

static void what_cannot_be_saved_is_not_applied(void **state)
{
	struct rlimit limit, none;
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &limit);
	none = limit;
	none.rlim_cur = 0;
	setrlimit(RLIMIT_FSIZE, &none);
	bool put = control_put(&control, fixture_cluster("{'name': 'ose3', 'source': 'static'}"), 0, &fixture_actor);
	bool deleted = control_delete(&control, "ose1", &fixture_actor);
	setrlimit(RLIMIT_FSIZE, &limit);
	assert_false(put);
	assert_false(deleted);
	assert_false(control.state_file.good);
	assert_non_null(strstr(control.state_file.why, "cannot be written"));
	assert_int_equal(control.state.revision, 1);
	assert_non_null(state_cluster(&control.state, "ose1"));
	assert_true(control_delete(&control, "ose1", &fixture_actor));
	assert_true(control.state_file.good);
}

static void every_host_is_checked_at_once(void **state)
{
	AWAIT(fake_checker.count == 3);
	const struct fake_check *check = fake_checker_running("203.0.113.21");
	assert_int_equal(check->port, 1936);
	assert_string_equal(check->path, "/healthz/ready");
	assert_int_equal(check->timeout_ms, 2000);
	fake_checker_finish("203.0.113.21", CHECK_OK, 200);
	assert_int_equal(health_of("ose2", 0)->state, HEALTH_UP);
	assert_int_equal(health_of("ose1", 0)->state, HEALTH_UNKNOWN);
	turns(20);
	assert_int_equal(fake_checker.count, 2); /* not again before its time */
	control_put(&control,
	            fixture_cluster("{'name': 'ose3', 'source': 'static', 'hosts': [{'name': 'n', 'address': "
	                            "'192.0.2.9'}]}"),
	            0, &fixture_actor);
	AWAIT(fake_checker_running("192.0.2.9"));
}

static void a_result_for_a_removed_host_is_forgotten(void **state)
{
	AWAIT(fake_checker.count == 3);
	control_delete(&control, "ose2", &fixture_actor);
	assert_true(fake_checker_finish("203.0.113.21", CHECK_OK, 200));
}

static void health_survives_control(void **state)
{
	all_up();
	AWAIT(!control.health_save_timer.armed);
	restart(CLUSTERS);
	assert_int_equal(health_of("ose1", 0)->state, HEALTH_UP);
	assert_true(health_of("ose1", 0)->stale);
	AWAIT(fake_checker.count == 3);
	/* A dataplane learns the stale health at once. */
	assert_null(fake_link_appear());
	AWAIT(fake_link_message(MESSAGE_SYNC_END, 0));
	assert_int_equal(fake_link_message(MESSAGE_HOST, 0)->host.healthy, 1);
	fake_checker_finish("203.0.113.11", CHECK_REFUSED, 0);
	assert_int_equal(health_of("ose1", 0)->state, HEALTH_DOWN);
}

static void the_dataplane_is_fed(void **state)
{
	assert_false(control_applied(&control, 1));
	assert_null(fake_link_appear());
	AWAIT(control_applied(&control, 1));
	assert_int_equal(fake_link.workers[1].count,
	                 3 + 2 + 2 + 2 + 1); /* hosts, routes, listeners, begin and end, what to record */
	all_up();
	AWAIT(fake_link_message(MESSAGE_BATCH_END, 0));
	turns(20);
	fake_link_forget();

	control_put(&control, fixture_cluster("{'name': 'ose2', 'source': 'static'}"), 0, &fixture_actor);
	assert_false(control_applied(&control, 2));
	AWAIT(control_applied(&control, 2));
	assert_non_null(fake_link_message(MESSAGE_HOST_GONE, 0));
	assert_int_equal(fake_link_message(MESSAGE_ROUTE, 0)->route.share_count, 1);
	assert_null(fake_link_message(MESSAGE_SYNC_BEGIN, 0));
	assert_int_equal(fake_link.workers[0].faults + fake_link.workers[1].faults, 0);
}

static void a_stopped_dataplane_makes_only_the_feed_wait(void **state)
{
	fake_link.room = 0;
	assert_null(fake_link_appear());
	turns(10);
	assert_true(control_put(&control, fixture_cluster("{'name': 'ose3', 'source': 'static'}"), 0, &fixture_actor));
	AWAIT(fake_checker.count == 3);
	assert_false(control_applied(&control, 1));
	fake_link.room = 1;
	AWAIT(control_applied(&control, 2));
	assert_int_equal(fake_link.workers[0].faults + fake_link.workers[1].faults, 0);
}

static void another_version_is_refused(void **state)
{
	fake_link.shared->version++;
	assert_non_null(strstr(fake_link_appear(), "run both programs from one release"));
	assert_null(control.shared);
	turns(5);
	assert_int_equal(fake_link.workers[0].count, 0);
}

static void a_worker_that_lost_a_message_gets_everything(void **state)
{
	assert_null(fake_link_appear());
	AWAIT(control_applied(&control, 1));
	fake_link_forget();
	fake_link_event(1, EVENT_RESYNC_WANTED, SLOT_NONE, 0);
	AWAIT(fake_link_message(MESSAGE_SYNC_END, 0));
	assert_int_equal(fake_link.workers[0].faults, 0);
}

static void what_is_never_applied_is_sent_again(void **state)
{
	fake_link.acknowledge = false;
	assert_null(fake_link_appear());
	AWAIT(fake_link_message(MESSAGE_SYNC_END, 0));
	assert_null(fake_link_message(MESSAGE_SYNC_END, 1));
	fake_link.acknowledge = true;
	control.fed_at -= 3000; /* as if time had passed */
	AWAIT(control_applied(&control, 1));
	assert_non_null(fake_link_message(MESSAGE_SYNC_END, 1));
}

/* The slot of a host, as the workers know it. */
static const struct message_host *slot_of(const char *address)
{
	struct address wanted;
	address_parse(address, &wanted);
	for (unsigned i = 0;; i++) {
		const struct message *message = fake_link_message(MESSAGE_HOST, i);
		assert_non_null(message);
		if (address_equal(&message->host.address, &wanted))
			return &message->host;
	}
}

static void failing_traffic_takes_a_host_out_but_not_the_last(void **state)
{
	assert_null(fake_link_appear());
	all_up();
	AWAIT(fake_link_message(MESSAGE_BATCH_END, 0) && control_applied(&control, 1));
	uint32_t r1 = slot_of("203.0.113.11")->slot, r2 = slot_of("203.0.113.12")->slot;
	fake_link_event(0, EVENT_HOST_FAILING, r1, 999); /* another generation: not this host */
	fake_link_event(0, EVENT_HOST_FAILING, 1000000, 1);
	fake_link_event(0, EVENT_HOST_FAILING, r1, 1);
	AWAIT(health_of("ose1", 0)->state == HEALTH_DOWN);
	assert_int_equal(health_of("ose1", 0)->last.kind, CHECK_TRAFFIC);
	AWAIT(fake_checker_running("203.0.113.11")); /* at once */

	fake_link_event(1, EVENT_HOST_FAILING, r2, 1);
	AWAIT(fake_checker_running("203.0.113.12"));
	assert_int_equal(health_of("ose1", 1)->state, HEALTH_UP);
	/* A good check ends what the workers suspect: they are told, though nothing has changed. */
	turns(20);
	fake_link_forget();
	fake_checker_finish("203.0.113.12", CHECK_OK, 200);
	AWAIT(fake_link_message(MESSAGE_BATCH_END, 0));
	assert_int_equal(fake_link_message(MESSAGE_HOST, 0)->host.slot, r2);
}

static void counters_are_sums_over_workers(void **state)
{
	assert_null(fake_link_appear());
	AWAIT(control_applied(&control, 1));
	uint32_t slot = slot_of("203.0.113.21")->slot;
	for (unsigned i = 0; i < FAKE_WORKERS; i++) {
		struct shared_host_counters *host = &shared_hosts_of(shared_worker_at(fake_link.shared, i))[slot];
		shared_set(&host->active, 1 + i);
		shared_set(&host->total, 10 + i);
		shared_set(&host->refused, 100 + i);
	}
	struct slot_usage usage =
	    control_host_usage(&control, state_cluster(&control.state, "ose2")->spec->hosts[0].id);
	assert_int_equal(usage.active, 3);
	assert_int_equal(usage.total, 21);
	assert_int_equal(usage.refused, 201);
	assert_int_equal(control_host_usage(&control, 12345).total, 0);
	assert_int_equal(control_pair_usage(&control, 12345).total, 0);
}

static void what_finds_no_slot_is_told_and_tried_again(void **state)
{
	fake_link_reset(2, 16, 16);
	restart(CLUSTERS);
	assert_null(fake_link_appear());
	AWAIT(control_applied(&control, 1));
	assert_non_null(strstr(control.table_notice, "no room for 1 router hosts"));
	assert_true(control_delete(&control, "ose1", &fixture_actor));
	AWAIT(control_applied(&control, 2));
	fake_link_forget();
	AWAIT(control.rebuild_at != 0);
	control.rebuild_at = 1; /* as if time had passed */
	AWAIT(fake_link_message(MESSAGE_HOST, 0));
	AWAIT(control.table_notice[0] == '\0');
	assert_int_equal(fake_link_message(MESSAGE_HOST, 0)->host.generation, 2);
}

static void the_process_is_replaced_on_demand(void **state)
{
	fake_link.handler.restart(fake_link.handler.context);
	event_loop_run(loop);
	assert_true(control.restart);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(begins_with_the_configuration_then_with_its_state),
	    TEST(what_was_pushed_is_no_difference_to_the_file),
	    TEST(a_broken_state_file_gives_way_to_the_previous_one),
	    TEST(without_a_previous_one_the_configuration_is_used),
	    TEST(a_state_file_of_another_version_is_left_alone),
	    TEST(what_cannot_be_saved_is_not_applied),
	    TEST(every_host_is_checked_at_once),
	    TEST(a_result_for_a_removed_host_is_forgotten),
	    TEST(health_survives_control),
	    TEST(the_dataplane_is_fed),
	    TEST(a_stopped_dataplane_makes_only_the_feed_wait),
	    TEST(another_version_is_refused),
	    TEST(a_worker_that_lost_a_message_gets_everything),
	    TEST(what_is_never_applied_is_sent_again),
	    TEST(failing_traffic_takes_a_host_out_but_not_the_last),
	    TEST(counters_are_sums_over_workers),
	    TEST(what_finds_no_slot_is_told_and_tried_again),
	    TEST(the_process_is_replaced_on_demand),
	};
	if (!mkdtemp(directory))
		return 1;
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	remove_state();
	rmdir(directory);
	return failed;
}
