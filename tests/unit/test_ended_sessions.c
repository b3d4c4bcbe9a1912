/* ended_sessions: one that was ended, others of its token that were not, the limit, and the file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/api/ended_sessions.h"
#include "control/state/state_file.h"

static char directory[] = "/tmp/pm-test-ended-XXXXXX";
static const char anna[] = "0123456789abcdef", bert[] = "fedcba9876543210";

static void only_what_was_ended(void **state)
{
	struct ended_sessions ended = {0};
	assert_false(ended_sessions_has(&ended, anna, 5000));
	ended_sessions_add(&ended, anna, 5000, 1000);
	assert_true(ended_sessions_has(&ended, anna, 5000));
	assert_false(ended_sessions_has(&ended, anna, 4999));
	assert_false(ended_sessions_has(&ended, anna, 5001));
	assert_false(ended_sessions_has(&ended, bert, 5000));
	/* What has expired needs no place any more. */
	ended_sessions_add(&ended, bert, 9000, 5000);
	assert_int_equal(ended.count, 1);
	assert_true(ended_sessions_has(&ended, bert, 9000));
	ended_sessions_free(&ended);
}

static void too_many_of_one_token_end_all_its_sessions(void **state)
{
	struct ended_sessions ended = {0};
	ended_sessions_add(&ended, bert, 5000, 0);
	for (int i = 0; i < ENDED_SESSIONS_TOKEN_MAX; i++)
		ended_sessions_add(&ended, anna, 5000 - 2 * i, 0);
	assert_int_equal(ended.count, ENDED_SESSIONS_TOKEN_MAX + 1);
	assert_false(ended_sessions_has(&ended, anna, 4999));
	ended_sessions_add(&ended, anna, 4001, 0);
	assert_int_equal(ended.count, 2);
	assert_true(ended_sessions_has(&ended, anna, 4001));
	assert_true(ended_sessions_has(&ended, anna, 4999));
	assert_true(ended_sessions_has(&ended, anna, 5000));
	assert_false(ended_sessions_has(&ended, anna, 5001));
	assert_false(ended_sessions_has(&ended, bert, 4999));
	ended_sessions_add(&ended, anna, 5003, 0);
	assert_false(ended_sessions_has(&ended, anna, 5002));
	ended_sessions_free(&ended);
}

static void write_text(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void the_file(void **state)
{
	char path[100], why[ENDED_SESSIONS_TEXT_MAX] = "";
	struct ended_sessions ended = {0}, read = {0};
	snprintf(path, sizeof(path), "%s/sessions.ended", directory);
	assert_true(ended_sessions_read(path, &read, why));
	assert_int_equal(read.count, 0);
	for (int i = 0; i <= ENDED_SESSIONS_TOKEN_MAX; i++)
		ended_sessions_add(&ended, anna, INT64_C(1800000000000) + i, 0);
	ended_sessions_add(&ended, bert, 5000, 0);
	assert_true(ended_sessions_write(path, &ended, why));
	assert_true(ended_sessions_read(path, &read, why));
	assert_int_equal(read.count, 2);
	assert_true(ended_sessions_has(&read, anna, INT64_C(1800000000001)));
	assert_true(ended_sessions_has(&read, bert, 5000));
	assert_false(ended_sessions_has(&read, bert, 4999));
	ended_sessions_free(&read);
	ended_sessions_free(&ended);
	/* Who cannot know what has ended must not guess. */
	write_text(path, "");
	assert_false(ended_sessions_read(path, &read, why));
	assert_non_null(strstr(why, path));
	static const char *const wrong[] = {"{}", "[1]", "[{\"token\": \"x\", \"expires_at\": 1, \"earlier\": false}]"};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		char reason[400];
		assert_true(state_file_write_text(path, wrong[i], strlen(wrong[i]), false, false, reason));
		assert_false(ended_sessions_read(path, &read, why));
		assert_int_equal(read.count, 0);
	}
	unlink(path);
	assert_false(ended_sessions_write("/nonexistent/file", &ended, why));
	assert_non_null(strstr(why, "/nonexistent/file cannot be written"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(only_what_was_ended),
	    cmocka_unit_test(too_many_of_one_token_end_all_its_sessions),
	    cmocka_unit_test(the_file),
	};
	if (!mkdtemp(directory))
		return 1;
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(directory);
	return failed;
}
