/* session: the cookie there and back, every bit of it changed, its end, and the file of the key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/api/session.h"

static char directory[] = "/tmp/pm-test-session-XXXXXX";
static const struct session_key key = {.bytes = {1, 2, 3}};
static const char id[] = "0123456789abcdef";

enum { EXPIRES = 2000000000 };

static bool reads(const struct session_key *with, const char *text, size_t len, int64_t now)
{
	char read_id[TOKEN_ID_MAX + 1];
	int64_t expires;
	return session_read(with, text, len, now, read_id, &expires);
}

static void there_and_back(void **state)
{
	char text[SESSION_TEXT_MAX], read_id[TOKEN_ID_MAX + 1];
	int64_t expires;
	session_make(&key, id, EXPIRES, text);
	assert_true(session_read(&key, text, strlen(text), EXPIRES - 1, read_id, &expires));
	assert_string_equal(read_id, id);
	assert_true(expires == EXPIRES);
	assert_false(reads(&key, text, strlen(text), EXPIRES));
	assert_false(reads(&key, text, strlen(text), (int64_t)EXPIRES * 2));
}

static void every_change_is_noticed(void **state)
{
	char text[SESSION_TEXT_MAX];
	session_make(&key, id, EXPIRES, text);
	size_t len = strlen(text);
	for (size_t i = 0; i < len; i++) {
		for (int bit = 0; bit < 8; bit++) {
			text[i] = (char)(text[i] ^ 1 << bit);
			assert_false(reads(&key, text, len, 0));
			text[i] = (char)(text[i] ^ 1 << bit);
		}
	}
	for (size_t cut = 0; cut < len; cut++)
		assert_false(reads(&key, text, cut, 0));
	const struct session_key other = {.bytes = {1, 2, 4}};
	assert_false(reads(&other, text, len, 0));
	assert_true(reads(&key, text, len, 0));
	char longer[200];
	memset(longer, 'a', sizeof(longer));
	assert_false(reads(&key, longer, sizeof(longer), 0));
}

static void finds_the_cookie(void **state)
{
	static const struct {
		const char *cookies, *value;
	} cases[] = {
	    {"pointsman_session=abc", "abc"},
	    {"a=b; pointsman_session=abc; c=d", "abc"},
	    {"a=b;pointsman_session=", ""},
	    {"xpointsman_session=abc", NULL},
	    {"pointsman_sessionx=abc", NULL},
	    {"pointsman_session", NULL},
	    {"", NULL},
	    {";;; ;", NULL},
	    {"a=\"pointsman_session=x\"; pointsman_session=y", "y"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t len = 0;
		const char *value = session_find(cases[i].cookies, &len);
		if (!cases[i].value) {
			assert_null(value);
			continue;
		}
		assert_non_null(value);
		assert_int_equal(len, strlen(cases[i].value));
		assert_memory_equal(value, cases[i].value, len);
	}
	assert_null(session_find(NULL, NULL));
}

static void the_key_is_kept(void **state)
{
	char path[100], why[SESSION_WHY_MAX] = "";
	struct session_key first, second;
	struct stat status;
	snprintf(path, sizeof(path), "%s/session.key", directory);
	assert_true(session_key_open(path, &first, why));
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	assert_int_equal(status.st_size, SESSION_KEY_LEN);
	assert_true(session_key_open(path, &second, why));
	assert_memory_equal(&first, &second, sizeof(first));
	/* One that others could have read, or that is too short, is replaced. */
	chmod(path, 0644);
	assert_true(session_key_open(path, &second, why));
	assert_memory_not_equal(&first, &second, sizeof(first));
	assert_int_equal(truncate(path, 31), 0);
	assert_true(session_key_open(path, &first, why));
	assert_memory_not_equal(&first, &second, sizeof(first));
	unlink(path);
	assert_false(session_key_open("/nonexistent/key", &first, why));
	assert_non_null(strstr(why, "/nonexistent/key: cannot be written"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(there_and_back),
	    cmocka_unit_test(every_change_is_noticed),
	    cmocka_unit_test(finds_the_cookie),
	    cmocka_unit_test(the_key_is_kept),
	};
	if (!mkdtemp(directory))
		return 1;
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(directory);
	return failed;
}
