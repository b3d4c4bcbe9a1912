/* state_file: written and read back, every damage seen, the previous version kept, a full disk. */
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

#include "control/state/state_file.h"

static char directory[] = "/tmp/pm-test-state-XXXXXX";
static char path[100], previous[120], bad[120];
static char why[STATE_FILE_TEXT_MAX];

static void write_number(int number, bool durable)
{
	json_t *value = json_pack("{s:i}", "number", number);
	assert_true(state_file_write(path, value, durable, why));
	json_decref(value);
}

static int read_number(const char *from)
{
	json_t *value;
	if (state_file_read(from, &value, why) != STATE_FILE_OK)
		return -1;
	int number = (int)json_integer_value(json_object_get(value, "number"));
	json_decref(value);
	return number;
}

static size_t slurp(char *bytes, size_t size)
{
	FILE *file = fopen(path, "r");
	size_t len = fread(bytes, 1, size, file);
	fclose(file);
	return len;
}

static void spill(const char *bytes, size_t len)
{
	FILE *file = fopen(path, "w");
	fwrite(bytes, 1, len, file);
	fclose(file);
}

static int remove_files(void **state)
{
	unlink(path);
	unlink(previous);
	unlink(bad);
	return 0;
}

static void written_and_read(void **state)
{
	json_t *value;
	assert_int_equal(state_file_read(path, &value, why), STATE_FILE_NONE);
	write_number(1, true);
	assert_int_equal(read_number(path), 1);
	assert_int_equal(read_number(previous), -1);
	write_number(2, true);
	assert_int_equal(read_number(path), 2);
	assert_int_equal(read_number(previous), 1);
	write_number(3, false); /* not durable: no previous one either */
	assert_int_equal(read_number(path), 3);
	assert_int_equal(read_number(previous), 1);
}

static void every_damage_is_seen(void **state)
{
	char good[500], damaged[500];
	json_t *value;
	write_number(42, true);
	size_t len = slurp(good, sizeof(good));
	for (size_t cut = 0; cut < len; cut++) {
		spill(good, cut);
		assert_int_equal(state_file_read(path, &value, why), STATE_FILE_BROKEN);
	}
	for (size_t i = 0; i < len; i++) {
		memcpy(damaged, good, len);
		damaged[i] ^= 0x10;
		spill(damaged, len);
		enum state_file_result result = state_file_read(path, &value, why);
		assert_true(result == STATE_FILE_BROKEN || result == STATE_FILE_VERSION_MISMATCH);
	}
	memcpy(damaged, good, len);
	damaged[len] = 'x';
	spill(damaged, len + 1);
	assert_int_equal(state_file_read(path, &value, why), STATE_FILE_BROKEN);
}

static void another_version_is_not_broken(void **state)
{
	json_t *value;
	spill("pointsman-state 4 2 00000000\n{}", 31);
	assert_int_equal(state_file_read(path, &value, why), STATE_FILE_VERSION_MISMATCH);
	assert_string_equal(why, "it has version 4, this program reads versions 1 to 3");
}

static void unreadable(void **state)
{
	json_t *value;
	assert_int_equal(state_file_read(directory, &value, why), STATE_FILE_UNREADABLE);
}

static void set_aside(void **state)
{
	write_number(7, true);
	assert_true(state_file_set_aside(path));
	assert_int_equal(read_number(path), -1);
	assert_int_equal(read_number(bad), 7);
	assert_false(state_file_set_aside(path));
}

static void what_cannot_be_written_changes_nothing(void **state)
{
	json_t *value = json_pack("{s:i}", "number", 9);
	struct rlimit limit, small;
	write_number(8, true);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &limit);
	small = limit;
	small.rlim_cur = 10;
	setrlimit(RLIMIT_FSIZE, &small);
	assert_false(state_file_write(path, value, true, why));
	setrlimit(RLIMIT_FSIZE, &limit);
	assert_non_null(strstr(why, "cannot be written: File too large"));
	assert_int_equal(read_number(path), 8);
	assert_false(state_file_write("/nonexistent/file", value, true, why));
	assert_string_equal(why, "/nonexistent/file cannot be written: No such file or directory");
	json_decref(value);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(written_and_read, remove_files),
	    cmocka_unit_test_setup(every_damage_is_seen, remove_files),
	    cmocka_unit_test_setup(another_version_is_not_broken, remove_files),
	    cmocka_unit_test_setup(unreadable, remove_files),
	    cmocka_unit_test_setup(set_aside, remove_files),
	    cmocka_unit_test_setup(what_cannot_be_written_changes_nothing, remove_files),
	};
	if (!mkdtemp(directory))
		return 1;
	snprintf(path, sizeof(path), "%s/file", directory);
	snprintf(previous, sizeof(previous), "%s.previous", path);
	snprintf(bad, sizeof(bad), "%s.bad", path);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	remove_files(NULL);
	rmdir(directory);
	return failed;
}
