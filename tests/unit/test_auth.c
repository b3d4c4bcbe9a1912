/* auth: who somebody is by token, session or loopback, in this order; the file of tokens changed by others; wrong
 * tokens again and again. */
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

#include "control/api/auth.h"
#include "control/event_loop.h"
#include "control/observe/journal.h"
#include "control_fixture.h"

static char directory[] = "/tmp/pm-test-auth-XXXXXX";
static char tokens_path[100];
static struct event_loop *loop;
static struct config *config;
static struct journal *journal;
static struct auth *auth;
static char anna[TOKEN_SECRET_MAX + 1], bert[TOKEN_SECRET_MAX + 1];

static const struct actor actor = {.who = "test@192.0.2.1", .reason = "a reason"};

static void create(const char *name, enum role role, char *secret)
{
	unsigned status;
	char why[TOKENS_TEXT_MAX];
	const struct token *token = auth_create_token(auth, name, role, &actor, secret, &status, why);
	assert_non_null(token);
	assert_string_equal(token->name, name);
}

static void remove_files(void)
{
	static const char *const names[] = {"tokens", "tokens.lock", "session.key", "sessions.ended", "other"};
	char path[200];
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", directory, names[i]);
		unlink(path);
	}
}

static int setup(void **state)
{
	remove_files();
	loop = event_loop_create();
	config = fixture_config(directory, directory, NULL);
	config->admin.loopback = ROLE_NONE;
	journal = journal_open(NULL);
	auth = auth_open(config, loop, journal);
	create("anna", ROLE_ADMIN, anna);
	create("bert", ROLE_VIEWER, bert);
	return 0;
}

static int teardown(void **state)
{
	auth_close(auth);
	journal_close(journal);
	config_free(config);
	event_loop_destroy(loop);
	return 0;
}

static const struct journal_entry *newest(void)
{
	return journal_find(journal, journal_last(journal));
}

static struct identity identity;
static unsigned waits;

static enum auth_result ask(const char *peer, const char *authorization, const char *cookie)
{
	struct api_request request = {.authorization = authorization, .cookie = cookie};
	assert_true(address_parse(peer, &request.peer));
	return auth_identify(auth, config, &request, true, &identity, &waits);
}

static const char *bearer(const char *secret)
{
	static char text[200];
	snprintf(text, sizeof(text), "Bearer %s", secret);
	return text;
}

/* "pointsman_session=..." of a login. */
static const char *log_in(const char *secret)
{
	static char text[API_COOKIE_MAX];
	struct identity who;
	struct address peer;
	address_parse("192.0.2.9", &peer);
	assert_int_equal(auth_login(auth, &peer, secret, &who, &waits), AUTH_KNOWN);
	auth_cookie(auth, &who, false, text);
	*strchr(text, ';') = '\0';
	return text;
}

static void tokens(void **state)
{
	assert_int_equal(ask("192.0.2.1", bearer(anna), NULL), AUTH_KNOWN);
	assert_string_equal(identity.name, "anna");
	assert_int_equal(identity.role, ROLE_ADMIN);
	assert_int_equal(identity.by, BY_TOKEN);
	assert_true(tokens_find_name(auth_tokens(auth), "anna")->last_used_at > 0);
	assert_true(tokens_find_name(auth_tokens(auth), "bert")->last_used_at == 0);
	char text[200];
	snprintf(text, sizeof(text), "bearer   %s", bert);
	assert_int_equal(ask("192.0.2.1", text, NULL), AUTH_KNOWN);
	assert_string_equal(identity.name, "bert");
	assert_int_equal(ask("192.0.2.1", NULL, NULL), AUTH_NOBODY);
	assert_int_equal(identity.role, ROLE_NONE);
	static const char *const wrong[] = {"", "Bearer", "Bearer ", "Bearer x", "Basic YTpi", "BearerX"};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(ask("192.0.2.7", wrong[i], NULL), AUTH_WRONG);
		assert_int_equal(identity.role, ROLE_NONE);
	}
}

static void loopback(void **state)
{
	assert_int_equal(ask("127.0.0.1", NULL, NULL), AUTH_NOBODY);
	config->admin.loopback = ROLE_OPERATOR;
	assert_int_equal(ask("127.0.0.1", NULL, NULL), AUTH_KNOWN);
	assert_int_equal(identity.role, ROLE_OPERATOR);
	assert_int_equal(identity.by, BY_LOOPBACK);
	assert_true(auth_still(auth, config, &identity));
	assert_int_equal(ask("::1", NULL, NULL), AUTH_KNOWN);
	assert_int_equal(ask("192.0.2.1", NULL, NULL), AUTH_NOBODY);
	/* A token comes first, and a wrong one is wrong even here. */
	assert_int_equal(ask("127.0.0.1", "Bearer x", NULL), AUTH_WRONG);
	assert_int_equal(ask("127.0.0.1", bearer(bert), NULL), AUTH_KNOWN);
	assert_int_equal(identity.role, ROLE_VIEWER);
	config->admin.loopback = ROLE_VIEWER;
	assert_int_equal(ask("127.0.0.1", NULL, log_in(anna)), AUTH_KNOWN);
	assert_int_equal(identity.role, ROLE_ADMIN);
	/* Without any tokens it works, too; not through a proxy, whose peer may be anybody. */
	struct api_request request = {.forwarded = true};
	address_parse("127.0.0.1", &request.peer);
	assert_int_equal(auth_identify(auth, config, &request, true, &identity, &waits), AUTH_NOBODY);
	request.forwarded = false;
	assert_int_equal(auth_identify(NULL, config, &request, true, &identity, &waits), AUTH_KNOWN);
	request.authorization = "Bearer x";
	assert_int_equal(auth_identify(NULL, config, &request, true, &identity, &waits), AUTH_WRONG);
}

static void sessions(void **state)
{
	char cookie[API_COOKIE_MAX], text[API_COOKIE_MAX];
	strcpy(cookie, log_in(bert));
	assert_string_equal(newest()->kind, "login");
	assert_string_equal(newest()->who, "bert@192.0.2.9");
	assert_int_equal(ask("192.0.2.1", NULL, cookie), AUTH_KNOWN);
	assert_string_equal(identity.name, "bert");
	assert_int_equal(identity.by, BY_SESSION);
	assert_true(identity.expires_at > clock_unix_ms() + (SESSION_SECONDS - 5) * 1000LL);
	assert_true(auth_still(auth, config, &identity));
	struct identity old = identity;
	old.expires_at = clock_unix_ms() - 1;
	assert_false(auth_still(auth, config, &old));
	/* It survives control, and the token's end is its end. */
	auth_close(auth);
	auth = auth_open(config, loop, journal);
	assert_int_equal(ask("192.0.2.1", NULL, cookie), AUTH_KNOWN);
	unsigned status;
	char why[TOKENS_TEXT_MAX];
	assert_true(auth_remove_token(auth, "bert", &actor, &status, why));
	assert_int_equal(ask("192.0.2.1", NULL, cookie), AUTH_NOBODY);
	assert_false(auth_still(auth, config, &identity));
	create("bert", ROLE_VIEWER, bert); /* the same name is another token */
	assert_int_equal(ask("192.0.2.1", NULL, cookie), AUTH_NOBODY);
	auth_cookie(auth, NULL, true, text);
	assert_string_equal(text, "pointsman_session=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0; Secure");
}

static void log_out(const char *cookie)
{
	struct address peer;
	address_parse("192.0.2.9", &peer);
	auth_logout(auth, &peer, cookie);
}

static void a_logout_ends_the_session(void **state)
{
	char first[API_COOKIE_MAX], second[API_COOKIE_MAX];
	strcpy(first, log_in(anna));
	strcpy(second, log_in(anna));
	assert_string_not_equal(first, second);
	assert_int_equal(ask("192.0.2.1", NULL, first), AUTH_KNOWN);
	struct identity streaming = identity;
	log_out(first);
	assert_string_equal(newest()->kind, "logout");
	assert_string_equal(newest()->who, "anna@192.0.2.9");
	/* The cookie, wherever it was copied to, and what was begun with it. */
	assert_int_equal(ask("192.0.2.1", NULL, first), AUTH_NOBODY);
	assert_false(auth_still(auth, config, &streaming));
	assert_int_equal(ask("192.0.2.1", NULL, second), AUTH_KNOWN);
	assert_true(auth_still(auth, config, &identity));
	assert_int_equal(ask("192.0.2.1", bearer(anna), first), AUTH_KNOWN);
	/* Nor does it count after a restart. */
	auth_close(auth);
	auth = auth_open(config, loop, journal);
	assert_int_equal(ask("192.0.2.1", NULL, first), AUTH_NOBODY);
	assert_int_equal(ask("192.0.2.1", NULL, second), AUTH_KNOWN);
	/* What is no session ends nothing. */
	uint64_t told = journal_last(journal);
	log_out(first);
	log_out("pointsman_session=x");
	log_out(NULL);
	assert_int_equal(journal_last(journal), told);
	assert_int_equal(ask("192.0.2.1", NULL, second), AUTH_KNOWN);
}

static void who_cannot_know_what_has_ended_ends_all(void **state)
{
	char cookie[API_COOKIE_MAX], path[200];
	strcpy(cookie, log_in(anna));
	snprintf(path, sizeof(path), "%s/sessions.ended", directory);
	FILE *file = fopen(path, "w");
	fputs("broken", file);
	fclose(file);
	auth_close(auth);
	auth = auth_open(config, loop, journal);
	assert_int_equal(ask("192.0.2.1", NULL, cookie), AUTH_NOBODY);
	strcpy(cookie, log_in(anna));
	auth_close(auth);
	auth = auth_open(config, loop, journal);
	assert_int_equal(ask("192.0.2.1", NULL, cookie), AUTH_KNOWN);
}

static void the_cookie_has_its_fields(void **state)
{
	char text[API_COOKIE_MAX];
	struct identity who;
	struct address peer;
	address_parse("192.0.2.9", &peer);
	assert_int_equal(auth_login(auth, &peer, anna, &who, &waits), AUTH_KNOWN);
	auth_cookie(auth, &who, true, text);
	assert_non_null(strstr(text, "; Path=/; HttpOnly; SameSite=Strict; Max-Age=43200; Secure"));
	assert_null(strstr(text, anna));
	auth_cookie(auth, &who, false, text);
	assert_null(strstr(text, "Secure"));
	assert_int_equal(auth_login(auth, &peer, "pm_wrong", &who, &waits), AUTH_WRONG);
	assert_int_equal(who.role, ROLE_NONE);
}

static void again_and_again(void **state)
{
	for (int i = 0; i < 4; i++)
		assert_int_equal(ask("192.0.2.66", "Bearer guess", NULL), AUTH_WRONG);
	uint64_t before = journal_last(journal);
	assert_int_equal(ask("192.0.2.66", "Bearer guess", NULL), AUTH_WRONG);
	assert_int_equal(journal_last(journal), before + 1);
	assert_string_equal(newest()->kind, "token_refused");
	assert_non_null(strstr(newest()->text, "192.0.2.66"));
	assert_null(strstr(newest()->text, "guess"));
	/* Now not even the right one is looked at; others, and sessions, go on. */
	assert_int_equal(ask("192.0.2.66", bearer(anna), NULL), AUTH_SLOW);
	assert_int_equal(waits, 1);
	struct address peer;
	struct identity who;
	address_parse("192.0.2.66", &peer);
	assert_int_equal(auth_login(auth, &peer, anna, &who, &waits), AUTH_SLOW);
	assert_int_equal(ask("192.0.2.67", bearer(anna), NULL), AUTH_KNOWN);
	assert_int_equal(ask("192.0.2.66", NULL, log_in(bert)), AUTH_KNOWN);
	assert_int_equal(journal_last(journal), before + 2); /* the login; what waits is not told each time */
}

static void a_second_look_does_not_count(void **state)
{
	struct api_request request = {.authorization = "Bearer guess"};
	address_parse("192.0.2.66", &request.peer);
	for (int i = 0; i < 100; i++)
		assert_int_equal(auth_identify(auth, config, &request, false, &identity, &waits), AUTH_WRONG);
	assert_int_equal(ask("192.0.2.66", bearer(anna), NULL), AUTH_KNOWN);
}

static void requests_have_a_rate(void **state)
{
	struct address far, near;
	unsigned taken = 0;
	address_parse("192.0.2.5", &far);
	address_parse("127.0.0.1", &near);
	config->admin.requests_per_second = 10;
	while (auth_admit(auth, config, &far) == 0)
		taken++;
	assert_in_range(taken, 50, 52);
	for (taken = 0; auth_admit(auth, config, &near) == 0;)
		taken++;
	assert_in_range(taken, 100, 102);
	assert_int_equal(auth_admit(auth, config, &near), 1);
	assert_int_equal(auth_admit(NULL, config, &near), 0);
}

static void write_file(const char *text, mode_t mode)
{
	FILE *file = fopen(tokens_path, "w");
	fputs(text, file);
	fclose(file);
	chmod(tokens_path, mode);
}

/* Turns the loop until the second look at the file. */
static void wait_for_count(size_t count)
{
	for (int i = 0; auth_tokens(auth)->count != count; i++) {
		assert_true(i < 100);
		event_loop_turn(loop, 50);
	}
}

static void others_change_the_file(void **state)
{
	struct tokens list = {0};
	char why[TOKENS_TEXT_MAX], carl[TOKEN_SECRET_MAX + 1];
	assert_int_equal(ask("192.0.2.1", bearer(anna), NULL), AUTH_KNOWN);
	struct identity before = identity;
	assert_int_equal(tokens_read(tokens_path, &list, why), TOKENS_OK);
	assert_true(tokens_add(&list, "carl", ROLE_OPERATOR, clock_unix_ms(), carl, why));
	assert_true(tokens_write(tokens_path, &list, why));
	/* At once when somebody asks, else within a second. */
	assert_int_equal(ask("192.0.2.1", bearer(carl), NULL), AUTH_KNOWN);
	assert_true(tokens_remove(&list, "carl"));
	assert_true(tokens_write(tokens_path, &list, why));
	wait_for_count(2);
	assert_int_equal(ask("192.0.2.1", bearer(carl), NULL), AUTH_WRONG);
	assert_true(tokens_find_name(auth_tokens(auth), "anna")->last_used_at > 0); /* not forgotten */
	/* Broken: told once, and what was known still counts. */
	write_file("{\"name\": \"eve\"", 0600);
	auth_refresh(auth);
	assert_string_equal(newest()->kind, "tokens_broken");
	assert_non_null(strstr(newest()->text, "line 1"));
	uint64_t told = journal_last(journal);
	auth_refresh(auth);
	assert_int_equal(journal_last(journal), told);
	assert_int_equal(ask("192.0.2.1", bearer(anna), NULL), AUTH_KNOWN);
	unsigned status;
	assert_null(auth_create_token(auth, "dora", ROLE_VIEWER, &actor, carl, &status, why));
	assert_int_equal(status, 507);
	/* Another role ends what was begun with the one before. */
	list.list[0].role = ROLE_VIEWER;
	assert_true(tokens_write(tokens_path, &list, why));
	auth_refresh(auth);
	assert_string_equal(newest()->kind, "tokens_mended");
	assert_false(auth_still(auth, config, &before));
	/* No file, no tokens. */
	unlink(tokens_path);
	wait_for_count(0);
	assert_int_equal(ask("192.0.2.1", bearer(anna), NULL), AUTH_WRONG);
	tokens_free(&list);
}

static void what_everybody_may_write_is_broken(void **state)
{
	write_file("", 0666);
	auth_refresh(auth);
	assert_int_equal(auth_tokens(auth)->count, 2);
	assert_string_equal(newest()->kind, "tokens_broken");
}

static void another_path(void **state)
{
	snprintf(config->admin.tokens, sizeof(config->admin.tokens), "%s/other", directory);
	auth_configure(auth, config);
	assert_int_equal(auth_tokens(auth)->count, 0);
	config->admin.tokens[0] = '\0';
	auth_configure(auth, config);
	assert_int_equal(auth_tokens(auth)->count, 2);
}

/* What `pointsman token create --local` does in the moment in which we have let go of the file. */
static const char *meanwhile;

void __real_tokens_unlock(int lock);
void __wrap_tokens_unlock(int lock)
{
	char why[TOKENS_TEXT_MAX], secret[TOKEN_SECRET_MAX + 1];
	struct tokens tokens = {0};
	const char *name = meanwhile;
	__real_tokens_unlock(lock);
	if (!name)
		return;
	meanwhile = NULL;
	lock = tokens_lock(tokens_path, why);
	assert_int_equal(tokens_read(tokens_path, &tokens, why), TOKENS_OK);
	assert_true(tokens_add(&tokens, name, ROLE_VIEWER, 0, secret, why));
	assert_true(tokens_write(tokens_path, &tokens, why));
	tokens_free(&tokens);
	__real_tokens_unlock(lock);
}

static void a_change_right_after_ours_is_seen(void **state)
{
	char secret[TOKEN_SECRET_MAX + 1];
	meanwhile = "dora";
	create("carl", ROLE_VIEWER, secret);
	auth_refresh(auth);
	assert_int_equal(auth_tokens(auth)->count, 4);
	assert_non_null(tokens_find_name(auth_tokens(auth), "dora"));
}

static void making_and_removing(void **state)
{
	unsigned status;
	char why[TOKENS_TEXT_MAX], secret[TOKEN_SECRET_MAX + 1];
	assert_string_equal(newest()->kind, "token_created");
	assert_string_equal(newest()->name, "bert");
	assert_string_equal(newest()->who, actor.who);
	assert_string_equal(newest()->reason, actor.reason);
	assert_null(strstr(newest()->text, bert));
	assert_null(auth_create_token(auth, "anna", ROLE_VIEWER, &actor, secret, &status, why));
	assert_int_equal(status, 409);
	assert_null(auth_create_token(auth, "a\r\nb", ROLE_VIEWER, &actor, secret, &status, why));
	assert_int_equal(status, 400);
	assert_false(auth_remove_token(auth, "nobody", &actor, &status, why));
	assert_int_equal(status, 404);
	assert_true(auth_remove_token(auth, "bert", &actor, &status, why));
	assert_string_equal(newest()->kind, "token_removed");
	int lock = tokens_lock(tokens_path, why);
	assert_null(auth_create_token(auth, "carl", ROLE_VIEWER, &actor, secret, &status, why));
	assert_int_equal(status, 503);
	tokens_unlock(lock);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(tokens),
	    TEST(loopback),
	    TEST(sessions),
	    TEST(a_logout_ends_the_session),
	    TEST(who_cannot_know_what_has_ended_ends_all),
	    TEST(the_cookie_has_its_fields),
	    TEST(again_and_again),
	    TEST(a_second_look_does_not_count),
	    TEST(requests_have_a_rate),
	    TEST(others_change_the_file),
	    TEST(what_everybody_may_write_is_broken),
	    TEST(another_path),
	    TEST(a_change_right_after_ours_is_seen),
	    TEST(making_and_removing),
	};
	if (!mkdtemp(directory))
		return 1;
	snprintf(tokens_path, sizeof(tokens_path), "%s/tokens", directory);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	remove_files();
	rmdir(directory);
	return failed;
}
