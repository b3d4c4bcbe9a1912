/* reload: the dataplane is told of new listeners only when nothing is left in its rings that names the old ones; it is
 * told once; control follows when the dataplane has the file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "control/control.h"
#include "control/reload.h"
#include "control_fixture.h"
#include "fake_link.h"

static char directory[] = "/tmp/pm-test-reload-XXXXXX";
static char path[100];
static struct config *config;
static struct control control;
static volatile sig_atomic_t told;
static enum reload_result result;
static unsigned results;

static void on_hangup(int number)
{
	told++;
}

static void done(void *context, struct reload_outcome *outcome)
{
	result = outcome->result;
	results++;
	config_errors_free(&outcome->errors);
}

/* The file: as fixture_config makes it, with a listener in front. */
static void write_file(void)
{
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fprintf(file,
	        "{\"ports\": [{\"interface\": \"north\"}], \"listeners\": [{\"name\": \"more\", \"mode\": \"http\", "
	        "\"port\": 8081, \"addresses\": [\"198.51.100.10\"]}, {\"name\": \"http\", \"mode\": \"http\", "
	        "\"addresses\": [\"198.51.100.10\"]}, {\"name\": \"https\", \"mode\": \"tls\", \"addresses\": "
	        "[\"198.51.100.10\", \"198.51.100.11\"], \"default_cluster\": \"ose2\"}], \"source_pool\": "
	        "{\"prefixes\": [\"203.0.113.64/28\"], \"ports\": [2000, 2999]}, \"paths\": {\"run\": \"%s\", "
	        "\"state\": \"%s\"}, \"clusters\": []}",
	        directory, directory);
	assert_int_equal(fclose(file), 0);
}

static int setup(void **state)
{
	fixture_empty(directory);
	fake_link_reset(16, 16, 16);
	config = fixture_config(directory, directory, "'clusters': [" FIXTURE_OSE2 "]");
	control = (struct control){0};
	struct event_loop *loop = event_loop_create();
	if (!control_init(&control, config, loop))
		return -1;
	snprintf(path, sizeof(path), "%s/pointsman.json", directory);
	control_start(&control);
	control.reload = reload_create(&control, path);
	fake_link.pid = getpid();
	shared_set(&fake_link.shared->config_print, config->print);
	if (fake_link_appear())
		return -1;
	write_file();
	told = 0;
	results = 0;
	return 0;
}

static int teardown(void **state)
{
	struct event_loop *loop = control.loop;
	control_stop(&control);
	config_free(config);
	event_loop_destroy(loop);
	fake_link_free();
	return 0;
}

static void turns(unsigned count)
{
	while (count-- > 0)
		event_loop_turn(control.loop, 2);
}

static void await_feed(void)
{
	for (int i = 0; control.applied < control.state.revision; i++) {
		assert_true(i < 1000);
		event_loop_turn(control.loop, 5);
	}
}

/* The dataplane has taken the file. */
static void take_file(void)
{
	struct config_errors errors = {0};
	struct config *taken = config_read(path, &errors);
	assert_non_null(taken);
	shared_set(&fake_link.shared->config_print, taken->print);
	config_free(taken);
	for (int i = 0; results == 0; i++) {
		assert_true(i < 1000);
		event_loop_turn(control.loop, 5);
	}
	assert_int_equal(results, 1);
	assert_int_equal(result, RELOAD_DONE);
	assert_int_equal(control.config->listener_count, 3);
}

static void what_is_in_the_rings_is_applied_first(void **state)
{
	await_feed();
	fake_link.unread = true;
	reload_begin(control.reload, false, &fixture_actor, done, NULL);
	turns(10);
	assert_int_equal(told, 0);
	assert_true(reload_pending(control.reload));
	fake_link.unread = false;
	for (int i = 0; told == 0; i++) {
		assert_true(i < 1000);
		event_loop_turn(control.loop, 5);
	}
	turns(10);
	assert_int_equal(told, 1);
	take_file();
}

static void so_is_what_waits_for_the_rings(void **state)
{
	await_feed();
	fake_link.room = 0;
	assert_true(control_delete(&control, "ose2", &fixture_actor));
	while (feed_idle(&control.feed))
		event_loop_turn(control.loop, 5);
	reload_begin(control.reload, false, &fixture_actor, done, NULL);
	turns(10);
	assert_int_equal(told, 0);
	fake_link.room = FAKE_MESSAGES_MAX;
	for (int i = 0; told == 0; i++) {
		assert_true(i < 1000);
		event_loop_turn(control.loop, 5);
	}
	await_feed();
	/* The default cluster of the second listener; afterwards that of the third. */
	take_file();
	fake_link_forget();
	for (int i = 0; !fake_link_message(MESSAGE_LISTENER, 2); i++) {
		assert_true(i < 1000);
		event_loop_turn(control.loop, 5);
	}
	assert_int_equal(told, 1);
}

static void at_rest_it_is_told_at_once(void **state)
{
	await_feed();
	reload_begin(control.reload, false, &fixture_actor, done, NULL);
	assert_int_equal(told, 1);
	assert_int_equal(results, 0);
	take_file();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(what_is_in_the_rings_is_applied_first),
	    TEST(so_is_what_waits_for_the_rings),
	    TEST(at_rest_it_is_told_at_once),
	};
	if (!mkdtemp(directory))
		return 1;
	signal(SIGHUP, on_hangup);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	fixture_empty(directory);
	rmdir(directory);
	return failed;
}
