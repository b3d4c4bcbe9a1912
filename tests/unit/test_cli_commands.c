/* cli/commands, cli/help, cli/completion: every command and option is told of in the help, the completion and the man
 * page; the completion, run by bash, offers what it should and runs nothing that a name brings along. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "cli_server.h"
#include "control/cli/arguments.h"
#include "control/cli/commands.h"
#include "control/cli/units.h"

static char *man_page; /* without the marks of troff */

static char *read_man_page(void)
{
	char line[1000], *text = NULL;
	size_t size;
	FILE *file = fopen("../docs/pointsman.1", "r"), *out = open_memstream(&text, &size);
	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		for (const char *next = line; *next != '\0'; next++) {
			if (next[0] == '\\' && next[1] == 'f')
				next += 2;
			else if (next[0] == '\\' && (next[1] == '-' || next[1] == '&' || next[1] == '|'))
				fputs(next[1] == '-' ? "-" : "", out), next++;
			else
				fputc(*next, out);
		}
	fclose(file);
	fclose(out);
	return text;
}

static void the_man_page_has_every_command(void **state)
{
	for (size_t i = 0; i < command_count; i++) {
		char words[200];
		snprintf(words, sizeof(words), "%s%s%s", commands[i].words, commands[i].arguments[0] != '\0' ? " " : "",
		         commands[i].arguments);
		if (!strstr(man_page, words))
			fail_msg("docs/pointsman.1 lacks the command \"%s\"", words);
	}
}

static void the_man_page_has_every_option(void **state)
{
	for (int i = 0; i < OPTIONS_END; i++) {
		char option[200];
		snprintf(option, sizeof(option), "--%s%s%s", option_specs[i].name, option_specs[i].argument ? " " : "",
		         option_specs[i].argument ? option_specs[i].argument : "");
		if (!strstr(man_page, option))
			fail_msg("docs/pointsman.1 lacks the option \"%s\"", option);
	}
}

static void the_man_page_has_every_unit(void **state)
{
	static const char *const durations[] = {"90s", "30m", "2h", "1d", "1h30m"};
	for (size_t i = 0; i < sizeof(durations) / sizeof(durations[0]); i++) {
		int64_t seconds;
		char line[100];
		snprintf(line, sizeof(line), "\n.BR %s ", durations[i]);
		assert_true(duration_parse(durations[i], &seconds));
		if (!strstr(man_page, line))
			fail_msg("docs/pointsman.1 lacks the duration \"%s\"", durations[i]);
	}
}

static void the_help_has_every_command_and_option(void **state)
{
	struct cli_result all = cli_result_of("--help", NULL);
	for (size_t i = 0; i < command_count; i++) {
		assert_non_null(strstr(all.out, commands[i].words));
		struct cli_result one = cli_result_of("help", commands[i].words, NULL);
		assert_int_equal(one.status, 0);
		assert_non_null(strstr(one.out, commands[i].help));
		for (int j = 0; j < OPTIONS_END; j++)
			if (command_takes(&commands[i], j))
				assert_non_null(strstr(one.out, option_specs[j].name));
		cli_result_free(&one);
	}
	cli_result_free(&all);
}

/* Runs the completion in bash for the words, of which the last one is being typed. `pointsman` itself is a function
 * there that prints names. Returns the offers, a line each. */
static char *complete(const char *script, const char *words)
{
	static char offers[20000];
	char path[] = "/tmp/test_cli_completion.XXXXXX", command[100];
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	FILE *file = fdopen(fd, "w");
	fprintf(
	    file,
	    "%s\npointsman() { printf 'asked %%s\\n' \"$*\" >&2; printf '%%s\\n' v1 v2 '$(touch /tmp/pwned)'; }\n"
	    "COMP_WORDS=(%s); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n_pointsman\nprintf '%%s\\n' \"${COMPREPLY[@]}\"\n",
	    script, words);
	fclose(file);
	snprintf(command, sizeof(command), "bash --norc -u %s 2>&1", path);
	FILE *bash = popen(command, "r");
	offers[fread(offers, 1, sizeof(offers) - 1, bash)] = '\0';
	assert_int_equal(pclose(bash), 0);
	unlink(path);
	return offers;
}

static void assert_offers(const char *script, const char *words, const char *expected)
{
	const char *offers = complete(script, words);
	if (strcmp(offers, expected) != 0)
		fail_msg("%s: \"%s\" instead of \"%s\"", words, offers, expected);
}

static void the_completion_offers_what_fits(void **state)
{
	struct cli_result result = cli_result_of("completion", "bash", NULL);
	const char *script = result.out;
	assert_offers(script, "pointsman stat", "status\n");
	assert_offers(script, "pointsman cluster dr", "drain\n");
	assert_offers(script, "pointsman --json cluster --insecure dr", "drain\n");
	assert_offers(script, "pointsman cluster drain v1 --ti", "--timeout\n");
	assert_offers(script, "pointsman cluster drain v1 --plan --wa", "--wait\n");
	assert_offers(script, "pointsman --ur", "--url\n");
	assert_offers(script, "pointsman routes --state pa", "parked\n");
	assert_offers(script, "pointsman routes --state = pa", "parked\n");
	assert_offers(script, "pointsman cluster add v2 --state st", "staged\n");
	assert_offers(script, "pointsman token create x --role ad", "admin\n");
	assert_offers(script, "pointsman completion names ho", "hosts\n");
	assert_offers(script, "pointsman conns cl", "close\n");
	assert_offers(script, "pointsman events --kind shifted --si", "--since\n");
	assert_offers(script, "pointsman xyzzy", "\n");
	cli_result_free(&result);
}

static void the_completion_asks_for_names(void **state)
{
	struct cli_result result = cli_result_of("completion", "bash", NULL);
	/* What it asks goes nowhere, the names stay as they are. */
	assert_offers(result.out, "pointsman cluster drain v", "v1\nv2\n$(touch /tmp/pwned)\n");
	assert_offers(result.out, "pointsman hosts -c v", "v1\nv2\n$(touch /tmp/pwned)\n");
	assert_int_not_equal(access("/tmp/pwned", F_OK), 0);
	cli_result_free(&result);
}

static void names_for_the_shell_are_plain(void **state)
{
	cli_server_reset();
	cli_server_say("GET", "/api/v1/hosts?limit=1000", 200,
	               "{\"hosts\": [{\"cluster\": \"v1\", \"name\": \"r1\"}, {\"cluster\": \"v2\", \"name\": \"r1\"}, "
	               "{\"cluster\": "
	               "\"v1\", \"name\": \"$(reboot)\"}, {\"cluster\": \"v1\", \"name\": \"a b\"}]}",
	               0);
	struct cli_result result = cli_result_of("completion", "names", "hosts", "v1/", NULL);
	assert_string_equal(result.out, "v1/r1\n");
	cli_result_free(&result);
	result = cli_result_of("completion", "names", "clusters", NULL);
	assert_int_equal(result.status, 1);
	assert_string_equal(result.err, ""); /* somebody is typing */
	cli_result_free(&result);
}

static int start(void **state)
{
	cli_server_start();
	man_page = read_man_page();
	return 0;
}

static int stop(void **state)
{
	cli_server_stop();
	free(man_page);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_man_page_has_every_command),  cmocka_unit_test(the_man_page_has_every_option),
	    cmocka_unit_test(the_man_page_has_every_unit),     cmocka_unit_test(the_help_has_every_command_and_option),
	    cmocka_unit_test(the_completion_offers_what_fits), cmocka_unit_test(the_completion_asks_for_names),
	    cmocka_unit_test(names_for_the_shell_are_plain),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
