/* host_mode: settings are found by id, and their saved form is the same again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "control/state/host_mode.h"

static const struct actor anna = {.who = "anna@192.0.2.7", .reason = "new disk"};

static struct host_setting setting_of(const char *name, const char *address, enum host_mode mode)
{
	struct host_setting setting = {.mode = mode, .drain = drain_begin(1000, 60000, false, &anna)};
	snprintf(setting.host.name, sizeof(setting.host.name), "%s", name);
	assert_true(address_parse(address, &setting.host.address));
	setting.host.http_port = 80;
	setting.host.https_port = 443;
	setting.id = setting.host.id = cluster_host_id("ose1", &setting.host);
	return setting;
}

static void found_by_id(void **state)
{
	struct host_modes modes = {0};
	uint64_t ids[100];
	for (int i = 0; i < 100; i++) {
		char address[32];
		snprintf(address, sizeof(address), "192.0.2.%d", i + 1);
		struct host_setting setting = setting_of("r", address, HOST_MODE_DRAINING);
		ids[i] = setting.id;
		assert_true(host_modes_set(&modes, &setting));
		assert_true(host_modes_set(&modes, host_modes_find(&modes, ids[i]))); /* one of the list itself */
	}
	assert_int_equal(modes.count, 100);
	for (int i = 0; i < 100; i += 2)
		host_modes_clear(&modes, ids[i]);
	host_modes_clear(&modes, ids[0]); /* again */
	assert_int_equal(modes.count, 50);
	for (int i = 0; i < 100; i++) {
		const struct host_setting *found = host_modes_find(&modes, ids[i]);
		assert_int_equal(found != NULL, i % 2);
		if (found)
			assert_int_equal(found->id, ids[i]);
	}
	host_modes_free(&modes);
	assert_int_equal(modes.count, 0);
}

static void no_more_than_fit(void **state)
{
	struct host_modes modes = {0};
	struct host_setting setting = setting_of("r", "192.0.2.1", HOST_MODE_DISABLED);
	for (uint64_t id = 1; id <= HOST_MODES_MAX; id++) {
		setting.id = id;
		assert_true(host_modes_set(&modes, &setting));
	}
	setting.id = HOST_MODES_MAX + 1;
	assert_false(host_modes_set(&modes, &setting));
	setting.id = 1;
	assert_true(host_modes_set(&modes, &setting)); /* in place */
	host_modes_free(&modes);
}

static void saved_and_read(void **state)
{
	struct host_modes modes = {0}, again = {0};
	assert_null(host_modes_write(&modes));
	struct host_setting draining = setting_of("r1", "192.0.2.1", HOST_MODE_DRAINING);
	struct host_setting disabled = setting_of("r2", "192.0.2.2", HOST_MODE_DISABLED);
	disabled.drain = drain_begin(2000, 0, true, NULL);
	disabled.drain.ended = 2500;
	disabled.drain.told = true;
	host_modes_set(&modes, &draining);
	host_modes_set(&modes, &disabled);
	json_t *saved = host_modes_write(&modes);
	host_modes_read(&again, saved, "ose1");
	assert_int_equal(again.count, 2);
	const struct host_setting *one = host_modes_find(&again, draining.id);
	const struct host_setting *two = host_modes_find(&again, disabled.id);
	assert_true(one && two);
	assert_int_equal(one->mode, HOST_MODE_DRAINING);
	assert_int_equal(one->drain.since, 1000);
	assert_int_equal(one->drain.deadline, 61000);
	assert_int_equal(one->drain.timeout, 60000);
	assert_string_equal(one->drain.by, "anna@192.0.2.7");
	assert_string_equal(one->drain.reason, "new disk");
	assert_int_equal(two->mode, HOST_MODE_DISABLED);
	assert_int_equal(two->drain.deadline, 2000); /* at once */
	assert_int_equal(two->drain.ended, 2500);
	assert_true(two->drain.told);
	assert_string_equal(two->drain.by, "control");
	assert_string_equal(two->host.name, "r2");
	json_t *twice = host_modes_write(&again);
	assert_true(json_equal(saved, twice));
	json_decref(saved);
	json_decref(twice);
	host_modes_free(&modes);
	host_modes_free(&again);
}

/* As the API takes them. */
static void timeouts_have_bounds(void **state)
{
	static const int64_t good[] = {0, 1000, 2592000000}, wrong[] = {INT64_MIN, -1, 1, 999, 2592000001, INT64_MAX};
	struct drain drain = drain_begin(1000, 60000, false, &anna);
	for (unsigned i = 0; i < 3 + 6; i++) {
		drain.timeout = (uint64_t)(i < 3 ? good[i] : wrong[i - 3]);
		json_t *saved = drain_write(&drain);
		assert_int_equal(drain_read(saved).since, i < 3 ? 1000 : 0);
		json_decref(saved);
	}
}

static void what_is_not_right_is_left_out(void **state)
{
	struct host_modes modes = {0};
	struct host_setting setting = setting_of("r1", "192.0.2.1", HOST_MODE_DRAINING);
	host_modes_set(&modes, &setting);
	static const char *const fields[] = {"mode", "name", "address", "http_port", "drain"};
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		struct host_modes read = {0};
		json_t *saved = host_modes_write(&modes);
		json_object_set_new(json_array_get(saved, 0), fields[i], json_object());
		/* A drain that says nothing is none, but the host stays out. */
		host_modes_read(&read, saved, "ose1");
		assert_int_equal(read.count, strcmp(fields[i], "drain") == 0);
		json_decref(saved);
		host_modes_free(&read);
	}
	host_modes_read(&modes, NULL, "ose1");
	assert_int_equal(modes.count, 1);
	assert_int_equal(drain_read(NULL).since, 0);
	host_modes_free(&modes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(found_by_id), cmocka_unit_test(no_more_than_fit),
	                                   cmocka_unit_test(saved_and_read), cmocka_unit_test(timeouts_have_bounds),
	                                   cmocka_unit_test(what_is_not_right_is_left_out)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
