/* cli/arguments, against the real table of commands: what is taken, and what is said about the rest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "control/cli/arguments.h"
#include "control/cli/commands.h"

static struct arguments arguments;
static char error[ARGUMENTS_ERROR_MAX], group[WORDS_MAX], line_copy[500];

/* Words between spaces. */
static bool parse(const char *line)
{
	char *argv[40] = {(char *)"pointsman"}, *rest = line_copy, *word;
	int argc = 1;
	strcpy(line_copy, line);
	error[0] = '\0';
	while ((word = strsep(&rest, " ")))
		if (*word != '\0')
			argv[argc++] = word;
	return arguments_parse(&arguments, argc, argv, commands, command_count, group, error);
}

static void assert_command(const char *line, const char *words)
{
	if (!parse(line))
		fail_msg("%s: %s", line, error);
	assert_non_null(arguments.command);
	assert_string_equal(arguments.command->words, words);
}

static void assert_error(const char *line, const char *expected)
{
	if (parse(line))
		fail_msg("%s was taken", line);
	if (!strstr(error, expected))
		fail_msg("%s: \"%s\" does not say \"%s\"", line, error, expected);
}

static void commands_are_found_by_their_words(void **state)
{
	assert_command("status", "status");
	assert_command("cluster drain v1", "cluster drain");
	assert_string_equal(arguments.words[0], "v1");
	assert_command("conns", "conns");
	assert_command("conns close 1 2 3", "conns close");
	assert_int_equal(arguments.word_count, 3);
	assert_command("held", "held");
	assert_command("held confirm v1", "held confirm");
	assert_command("cluster add add", "cluster add"); /* a cluster may be named so */
	assert_string_equal(arguments.words[0], "add");
}

static void options_stand_anywhere(void **state)
{
	assert_command("--json --url http://x cluster --insecure drain --timeout 30m v1 --wait", "cluster drain");
	assert_string_equal(arguments.options[OPTION_URL], "http://x");
	assert_string_equal(arguments.options[OPTION_TIMEOUT], "30m");
	assert_non_null(arguments.options[OPTION_JSON]);
	assert_non_null(arguments.options[OPTION_INSECURE]);
	assert_non_null(arguments.options[OPTION_WAIT]);
	assert_null(arguments.options[OPTION_PLAN]);
	assert_command("shift app1.ch --to=v2 --percent=1", "shift");
	assert_string_equal(arguments.options[OPTION_PERCENT], "1");
	assert_command("hosts -c v1", "hosts");
	assert_string_equal(arguments.options[OPTION_CLUSTER], "v1");
	assert_command("conns --route a.ch close", "conns close");
	assert_string_equal(arguments.options[OPTION_ROUTE], "a.ch");
	assert_command("revision save -- --odd", "revision save");
	assert_string_equal(arguments.words[0], "--odd");
}

static void options_of_one_name_are_told_apart(void **state)
{
	assert_command("--token-file mine --ca my-ca cluster add v2 --api https://a --token-file its --ca its-ca",
	               "cluster add");
	assert_string_equal(arguments.options[OPTION_TOKEN_FILE], "mine");
	assert_string_equal(arguments.options[OPTION_CA], "my-ca");
	assert_string_equal(arguments.options[OPTION_API_TOKEN_FILE], "its");
	assert_string_equal(arguments.options[OPTION_API_CA], "its-ca");
	assert_command("status --token-file mine", "status");
	assert_string_equal(arguments.options[OPTION_TOKEN_FILE], "mine");
	assert_command("explain a.ch --from 192.0.2.1", "explain");
	assert_string_equal(arguments.options[OPTION_FROM_ADDRESS], "192.0.2.1");
	assert_null(arguments.options[OPTION_FROM]);
	assert_command("shift --all --from v1 --to v2 --percent 5", "shift");
	assert_string_equal(arguments.options[OPTION_FROM], "v1");
}

static void the_number_of_words_is_checked(void **state)
{
	assert_error("route weight a.ch v1", "usage: pointsman route weight ROUTE CLUSTER N|default");
	assert_error("status now", "now is too much");
	assert_error("cluster set v1", "something is missing");
	assert_command("cluster set v1 a=1 b=2", "cluster set");
	assert_command("export", "export");
	assert_command("export file", "export");
	assert_error("export file file", "is too much");
	assert_error("cluster", "cluster needs one of: add, show, check, set");
}

static void what_was_meant_is_guessed(void **state)
{
	assert_error("stauts", "did you mean status?");
	assert_error("cluster drian v1", "did you mean drain?");
	assert_error("cluster explode v1", "expected one of: add, show");
	assert_error("xyzzy", "see pointsman --help");
	assert_error("cluster drain v1 --timout 3m", "did you mean --timeout?");
	assert_error("status --plan", "unknown option --plan of status");
	assert_error("--frobnicate", "before the command");
	assert_error("hosts -x", "unknown option -x");
}

static void values_are_checked(void **state)
{
	assert_error("cluster drain v1 --timeout", "--timeout needs a value");
	assert_error("status --json=yes", "--json takes no value");
	assert_error("routes --state lost", "expected parked|conflict|override|unserved|held");
	assert_error("cluster add v2 --state parked", "expected staged|active|draining|offline");
	assert_error("token create x --role root", "expected viewer|operator|admin");
	assert_command("routes --state held", "routes");
}

static void help_and_nothing_need_no_command(void **state)
{
	assert_true(parse(""));
	assert_null(arguments.command);
	assert_true(parse("cluster --help"));
	assert_null(arguments.command);
	assert_string_equal(group, "cluster");
	assert_true(parse("cluster drain --help"));
	assert_string_equal(arguments.command->words, "cluster drain");
	assert_true(parse("--version"));
	assert_non_null(arguments.options[OPTION_VERSION]);
}

static void options_of_one_name_agree_on_a_value(void **state)
{
	for (int i = 0; i < OPTIONS_END; i++) {
		assert_non_null(option_specs[i].name);
		assert_non_null(option_specs[i].help);
		for (int j = 0; j < OPTIONS_END; j++)
			if (strcmp(option_specs[i].name, option_specs[j].name) == 0)
				assert_int_equal(!option_specs[i].argument, !option_specs[j].argument);
	}
}

static void commands_of_one_word_stand_together(void **state)
{
	for (size_t i = 0; i < command_count; i++) {
		size_t len = strcspn(commands[i].words, " ");
		for (size_t j = i + 1; j < command_count; j++) {
			bool same = strncmp(commands[j].words, commands[i].words, len) == 0 &&
			            (commands[j].words[len] == ' ' || commands[j].words[len] == '\0');
			bool next = strncmp(commands[j - 1].words, commands[i].words, len) == 0;
			assert_false(same && !next);
		}
		assert_non_null(commands[i].run);
		assert_true(strlen(commands[i].words) < WORDS_MAX);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(commands_are_found_by_their_words),
	    cmocka_unit_test(options_stand_anywhere),
	    cmocka_unit_test(options_of_one_name_are_told_apart),
	    cmocka_unit_test(the_number_of_words_is_checked),
	    cmocka_unit_test(what_was_meant_is_guessed),
	    cmocka_unit_test(values_are_checked),
	    cmocka_unit_test(help_and_nothing_need_no_command),
	    cmocka_unit_test(options_of_one_name_agree_on_a_value),
	    cmocka_unit_test(commands_of_one_word_stand_together),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
