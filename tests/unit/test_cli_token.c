/* cli/token: the first token, written without the API, and tokens by the API. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "cli_server.h"
#include "control/api/tokens.h"

static char directory[] = "/tmp/test_cli_token.XXXXXX", tokens_path[100], config_path[100];

static int setup(void **state)
{
	cli_server_reset();
	unlink(tokens_path);
	return 0;
}

/* The secret that was printed opens the file that was written. */
static void assert_token(const char *printed, const char *path, const char *name, enum role role)
{
	char why[TOKENS_TEXT_MAX], secret[200];
	struct tokens tokens = {0};
	snprintf(secret, sizeof(secret), "%.*s", (int)strcspn(printed, "\n"), printed);
	assert_int_equal(tokens_read(path, &tokens, why), TOKENS_OK);
	const struct token *token = tokens_find_secret(&tokens, secret);
	assert_non_null(token);
	assert_string_equal(token->name, name);
	assert_int_equal(token->role, role);
	tokens_free(&tokens);
}

static void the_first_token_is_written_to_the_file(void **state)
{
	struct cli_result result =
	    cli_result_of("token", "create", "anna", "--role", "admin", "--local", "--file", tokens_path, NULL);
	assert_int_equal(result.status, 0);
	assert_token(result.out, tokens_path, "anna", ROLE_ADMIN);
	assert_non_null(strstr(result.err, "shown this once"));
	cli_result_free(&result);
	cli_expect(1, "", "anna", "token", "create", "anna", "--role", "viewer", "--local", "--file", tokens_path,
	           NULL);
	assert_int_equal(cli_server_calls(), 0);
}

/* A configuration that keeps the state in this directory below the test's own. */
static void write_config(const char *below)
{
	FILE *file = fopen(config_path, "w");
	fprintf(file,
	        "{\"ports\": [{\"interface\": \"n\"}], \"listeners\": [{\"name\": \"h\", \"mode\": \"http\", "
	        "\"addresses\": "
	        "[\"198.51.100.10\"]}], \"source_pool\": {\"prefixes\": [\"203.0.113.64/28\"]}, \"paths\": {\"state\": "
	        "\"%s/%s\"}}",
	        directory, below);
	fclose(file);
}

static void the_configuration_says_where(void **state)
{
	char path[200];
	write_config("state");
	struct cli_result result =
	    cli_result_of("token", "create", "bob", "--role", "viewer", "--local", "--config", config_path, NULL);
	snprintf(path, sizeof(path), "%s/state/tokens", directory);
	if (result.status != 0)
		fail_msg("%s", result.err);
	assert_token(result.out, path, "bob", ROLE_VIEWER);
	cli_result_free(&result);
	cli_expect(1, "", "/nonexistent cannot be used", "token", "create", "x", "--role", "viewer", "--local",
	           "--config", "/nonexistent", NULL);
}

/* Without its directory there is nothing to be said after that. */
static void a_directory_that_cannot_be_made_is_the_end(void **state)
{
	write_config("missing/state");
	struct cli_result result =
	    cli_result_of("token", "create", "bob", "--role", "viewer", "--local", "--config", config_path, NULL);
	assert_int_equal(result.status, 1);
	assert_non_null(strstr(result.err, "/missing/state cannot be made: No such file or directory\n"));
	assert_null(strstr(result.err, "tokens"));
	cli_result_free(&result);
}

/* No tokens, no lock, no directory for them. */
static void a_plan_writes_nothing(void **state)
{
	char planned[150], path[200];
	snprintf(planned, sizeof(planned), "%s/planned", directory);
	snprintf(path, sizeof(path), "%s/tokens", planned);
	write_config("planned");
	cli_expect(0, "planned/tokens; nothing was done (--plan)\n", "", "token", "create", "anna", "--role", "admin",
	           "--local", "--config", config_path, "--plan", NULL);
	assert_int_not_equal(access(planned, F_OK), 0);
	assert_int_equal(mkdir(planned, 0700), 0);
	cli_expect(0, "nothing was done", "", "token", "create", "anna", "--role", "admin", "--local", "--file", path,
	           "--plan", NULL);
	assert_int_equal(rmdir(planned), 0); /* it is empty */
}

/* What would be refused is refused. */
static void a_plan_reads_the_tokens(void **state)
{
	struct cli_result result =
	    cli_result_of("token", "create", "anna", "--role", "admin", "--local", "--file", tokens_path, NULL);
	assert_int_equal(result.status, 0);
	cli_result_free(&result);
	cli_expect(1, "", "there is a token anna already", "token", "create", "anna", "--role", "viewer", "--local",
	           "--file", tokens_path, "--plan", NULL);
}

static void wrong_usage_is_told(void **state)
{
	cli_expect(64, "", "which role?", "token", "create", "x", NULL);
	cli_expect(64, "", "where is the file", "token", "create", "x", "--role", "viewer", "--local", NULL);
	cli_expect(64, "", "go with --local", "token", "create", "x", "--role", "viewer", "--file", "y", NULL);
	cli_expect(1, "", "", "token", "create", "no spaces", "--role", "viewer", "--local", "--file", tokens_path,
	           NULL);
}

static void the_api_makes_tokens_too(void **state)
{
	cli_server_say("POST", "/api/v1/tokens", 201,
	               "{\"name\": \"bob\", \"role\": \"viewer\", \"id\": \"ab\", \"token\": \"pm_x\"}", 0);
	cli_server_say("DELETE", "/api/v1/tokens/bob", 200, "{\"revision\": 7, \"changed\": true}", 0);
	struct cli_result result = cli_result_of("token", "create", "bob", "--role", "viewer", NULL);
	assert_string_equal(result.out, "pm_x\n"); /* alone, to be sent into a file */
	cli_result_free(&result);
	assert_string_equal(cli_server_call(0)->body, "{\"name\":\"bob\",\"role\":\"viewer\"}");
	cli_expect(0, "Token bob is removed", "", "token", "remove", "bob", NULL);
	cli_server_reset();
	cli_server_say("POST", "/api/v1/tokens?dry_run=true", 200, "{\"changed\": true, \"dry_run\": true}", 0);
	cli_expect(0, "Token bob with role viewer would be made; nothing was done (--plan)\n", "", "token", "create",
	           "bob", "--role", "viewer", "--plan", NULL);
}

static int start(void **state)
{
	if (!mkdtemp(directory))
		return -1;
	snprintf(tokens_path, sizeof(tokens_path), "%s/tokens", directory);
	snprintf(config_path, sizeof(config_path), "%s/config", directory);
	cli_server_start();
	return 0;
}

static int stop(void **state)
{
	char command[200];
	cli_server_stop();
	snprintf(command, sizeof(command), "rm -r %s", directory);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(the_first_token_is_written_to_the_file, setup),
	    cmocka_unit_test_setup(the_configuration_says_where, setup),
	    cmocka_unit_test_setup(a_directory_that_cannot_be_made_is_the_end, setup),
	    cmocka_unit_test_setup(a_plan_writes_nothing, setup),
	    cmocka_unit_test_setup(a_plan_reads_the_tokens, setup),
	    cmocka_unit_test_setup(wrong_usage_is_told, setup),
	    cmocka_unit_test_setup(the_api_makes_tokens_too, setup),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
