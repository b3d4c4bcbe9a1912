/* tokens: the file in all its broken forms, making, finding, removing, and that no other writer gets between. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "control/api/tokens.h"

static char directory[] = "/tmp/pm-test-tokens-XXXXXX";
static char path[100];

#define HASH "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" /* of "abc" */
#define LINE(name, role, id)                                                                                           \
	"{\"name\": \"" name "\", \"role\": \"" role "\", \"id\": \"" id "\", \"sha256\": \"" HASH                     \
	"\", \"created_at\": \"2026-01-31T08:00:00Z\"}\n"

static bool parse(const char *text, struct tokens *out, char *why)
{
	return tokens_parse(text, strlen(text), "file", out, why);
}

static void reads_what_is_right(void **state)
{
	static const char text[] = "# made by hand\n\n" LINE("anna", "admin", "0000000000000001")
	    LINE("b.c-d_e", "viewer", "00000000000000ff");
	struct tokens tokens = {0};
	char why[TOKENS_TEXT_MAX];
	assert_true(parse(text, &tokens, why));
	assert_int_equal(tokens.count, 2);
	assert_string_equal(tokens.list[0].name, "anna");
	assert_int_equal(tokens.list[0].role, ROLE_ADMIN);
	assert_int_equal(tokens.list[1].role, ROLE_VIEWER);
	assert_true(tokens.list[0].created_at == 1769846400000);
	assert_ptr_equal(tokens_find_id(&tokens, "00000000000000ff"), &tokens.list[1]);
	assert_ptr_equal(tokens_find_secret(&tokens, "abc"), &tokens.list[1]); /* both have this hash; any will do */
	assert_null(tokens_find_secret(&tokens, "abd"));
	assert_null(tokens_find_secret(&tokens, ""));
	assert_int_equal(tokens_count_role(&tokens, ROLE_ADMIN), 1);
	tokens_free(&tokens);
	assert_true(parse("", &tokens, why));
	assert_int_equal(tokens.count, 0);
}

static void refuses_what_is_wrong(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
	    {"x\n", "file: line 1 is not JSON"},
	    {"[1]\n", "file: line 1 is not a JSON object"},
	    {"\n{}\n", "file: line 2 has no right \"name\""},
	    {LINE("a b", "admin", "0000000000000001"), "name"},
	    {LINE("-a", "admin", "0000000000000001"), "name"},
	    {LINE("", "admin", "0000000000000001"), "name"},
	    {LINE("a\\u0000b", "admin", "0000000000000001"), "is not JSON"},
	    {LINE("a\\r\\nb", "admin", "0000000000000001"), "name"},
	    {LINE("anna", "none", "0000000000000001"), "role"},
	    {LINE("anna", "root", "0000000000000001"), "role"},
	    {LINE("anna", "admin", "000000000000001"), "id"},
	    {LINE("anna", "admin", "000000000000000G"), "id"},
	    {"{\"name\":\"a\",\"role\":\"admin\",\"id\":\"0000000000000001\",\"sha256\":\"00\"}", "sha256"},
	    {"{\"name\":\"a\",\"role\":\"admin\",\"id\":\"0000000000000001\",\"sha256\":\"" HASH "\"}", "created_at"},
	    {"{\"name\":\"a\",\"name\":\"b\"}", "is not JSON"},
	    {LINE("anna", "admin", "0000000000000001") LINE("anna", "viewer", "0000000000000002"), "line 2 has a name"},
	    {LINE("anna", "admin", "0000000000000001") LINE("b", "viewer", "0000000000000001"), "line 2 has an id"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct tokens tokens = {0};
		char why[TOKENS_TEXT_MAX];
		assert_false(parse(cases[i].text, &tokens, why));
		if (!strstr(why, cases[i].why))
			print_error("%zu: %s\n", i, why);
		assert_non_null(strstr(why, cases[i].why));
		assert_int_equal(tokens.count, 0);
		assert_null(tokens.list);
	}
}

static void makes_and_finds(void **state)
{
	struct tokens tokens = {0};
	char secret[TOKEN_SECRET_MAX + 1], other[TOKEN_SECRET_MAX + 1], why[TOKENS_TEXT_MAX];
	assert_true(tokens_add(&tokens, "anna", ROLE_ADMIN, 1234567, secret, why));
	assert_true(tokens_add(&tokens, "bert", ROLE_VIEWER, 1234567, other, why));
	assert_int_equal(strlen(secret), TOKEN_SECRET_MAX);
	assert_int_equal(strncmp(secret, "pm_", 3), 0);
	assert_string_not_equal(secret, other);
	assert_string_equal(tokens_find_secret(&tokens, secret)->name, "anna");
	assert_string_equal(tokens_find_secret(&tokens, other)->name, "bert");
	assert_true(tokens_find_name(&tokens, "anna")->created_at == 1234000);
	assert_false(tokens_add(&tokens, "anna", ROLE_VIEWER, 0, secret, why));
	assert_non_null(strstr(why, "there is a token anna already"));
	assert_false(tokens_add(&tokens, "a/b", ROLE_VIEWER, 0, secret, why));
	assert_true(tokens_remove(&tokens, "anna"));
	assert_false(tokens_remove(&tokens, "anna"));
	assert_int_equal(tokens.count, 1);
	assert_string_equal(tokens.list[0].name, "bert");
	tokens_free(&tokens);
}

static void there_is_a_limit(void **state)
{
	struct tokens tokens = {0};
	char secret[TOKEN_SECRET_MAX + 1], why[TOKENS_TEXT_MAX], name[16];
	for (int i = 0; i < TOKENS_MAX; i++) {
		snprintf(name, sizeof(name), "t%d", i);
		assert_true(tokens_add(&tokens, name, ROLE_VIEWER, 0, secret, why));
	}
	assert_false(tokens_add(&tokens, "one-more", ROLE_VIEWER, 0, secret, why));
	assert_true(tokens_write(path, &tokens, why));
	struct tokens again = {0};
	assert_int_equal(tokens_read(path, &again, why), TOKENS_OK);
	assert_int_equal(again.count, TOKENS_MAX);
	tokens_free(&tokens);
	tokens_free(&again);
}

static void the_file(void **state)
{
	struct tokens tokens = {0}, again = {0};
	struct stat status;
	char secret[TOKEN_SECRET_MAX + 1], why[TOKENS_TEXT_MAX], text[2000];
	unlink(path);
	assert_int_equal(tokens_read(path, &again, why), TOKENS_NONE);
	assert_true(tokens_add(&tokens, "anna", ROLE_OPERATOR, 5000, secret, why));
	umask(0);
	assert_true(tokens_write(path, &tokens, why));
	umask(022);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	assert_int_equal(tokens_read(path, &again, why), TOKENS_OK);
	assert_string_equal(tokens_find_secret(&again, secret)->name, "anna");
	assert_int_equal(again.list[0].role, ROLE_OPERATOR);
	/* The token itself stands nowhere. */
	FILE *file = fopen(path, "r");
	size_t len = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[len] = '\0';
	assert_null(strstr(text, secret));
	assert_null(strstr(text, secret + 3));
	tokens_free(&tokens);
	tokens_free(&again);
}

static unsigned directories_synced;

/* In place of the library's. */
int fsync(int fd)
{
	struct stat status;
	directories_synced += fstat(fd, &status) == 0 && S_ISDIR(status.st_mode);
	return (int)syscall(SYS_fsync, fd);
}

static void the_disk_has_it(void **state)
{
	struct tokens tokens = {0};
	char why[TOKENS_TEXT_MAX];
	directories_synced = 0;
	assert_true(tokens_write(path, &tokens, why));
	assert_int_equal(directories_synced, 1);
}

static void what_others_may_write_is_not_believed(void **state)
{
	struct tokens tokens = {0};
	char why[TOKENS_TEXT_MAX];
	assert_true(tokens_write(path, &tokens, why));
	chmod(path, 0620);
	assert_int_equal(tokens_read(path, &tokens, why), TOKENS_BROKEN);
	assert_non_null(strstr(why, "others may write it"));
	chmod(path, 0602);
	assert_int_equal(tokens_read(path, &tokens, why), TOKENS_BROKEN);
	chmod(path, 0644);
	assert_int_equal(tokens_read(path, &tokens, why), TOKENS_OK);
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0); /* must not hold anybody up */
	assert_int_equal(tokens_read(path, &tokens, why), TOKENS_BROKEN);
	unlink(path);
	assert_int_equal(tokens_read(directory, &tokens, why), TOKENS_BROKEN);
	assert_int_equal(tokens.count, 0);
}

static void writing_fails_with_a_reason(void **state)
{
	struct tokens tokens = {0};
	char why[TOKENS_TEXT_MAX];
	assert_false(tokens_write("/nonexistent/tokens", &tokens, why));
	assert_non_null(strstr(why, "/nonexistent/tokens: cannot be written"));
	assert_int_equal(tokens_lock("/nonexistent/tokens", why), -1);
}

static void one_writer_at_a_time(void **state)
{
	char why[TOKENS_TEXT_MAX], lock_path[120];
	int lock = tokens_lock(path, why);
	assert_true(lock >= 0);
	assert_int_equal(tokens_lock(path, why), -1);
	assert_non_null(strstr(why, "somebody else changes the tokens"));
	tokens_unlock(lock);
	lock = tokens_lock(path, why);
	assert_true(lock >= 0);
	tokens_unlock(lock);
	snprintf(lock_path, sizeof(lock_path), "%s.lock", path);
	unlink(lock_path);
}

static void base64url(void **state)
{
	char text[20];
	tokens_base64url((const uint8_t *)"\xfb\xff\xfe", 3, text);
	assert_string_equal(text, "-__-");
	tokens_base64url((const uint8_t *)"f", 1, text);
	assert_string_equal(text, "Zg");
	tokens_base64url((const uint8_t *)"fo", 2, text);
	assert_string_equal(text, "Zm8");
	tokens_base64url((const uint8_t *)"foobar", 6, text);
	assert_string_equal(text, "Zm9vYmFy");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reads_what_is_right),
	    cmocka_unit_test(refuses_what_is_wrong),
	    cmocka_unit_test(makes_and_finds),
	    cmocka_unit_test(there_is_a_limit),
	    cmocka_unit_test(the_file),
	    cmocka_unit_test(the_disk_has_it),
	    cmocka_unit_test(what_others_may_write_is_not_believed),
	    cmocka_unit_test(writing_fails_with_a_reason),
	    cmocka_unit_test(one_writer_at_a_time),
	    cmocka_unit_test(base64url),
	};
	if (!mkdtemp(directory))
		return 1;
	snprintf(path, sizeof(path), "%s/tokens", directory);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	rmdir(directory);
	return failed;
}
