/* What every command works with: see the header. */
#include "control/cli/cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "control/cli/change.h"
#include "control/cli/commands.h"
#include "control/cli/fields.h"
#include "control/cli/help.h"
#include "control/cli/problem.h"

enum { REASON_MAX = 200, REVISION_DIGITS_MAX = 18 };

const char *cli_option(const struct cli *cli, enum option option)
{
	return cli->arguments->options[option];
}

bool cli_json(const struct cli *cli)
{
	return cli_option(cli, OPTION_JSON) != NULL;
}

const char *cli_word(const struct cli *cli, size_t index)
{
	return index < cli->arguments->word_count ? cli->arguments->words[index] : NULL;
}

static void complain(const struct cli *cli, const char *format, va_list list)
{
	char *text;
	if (vasprintf(&text, format, list) < 0)
		abort();
	fflush(cli->out.file); /* into one file both come in order */
	output_line(&cli->err, "pointsman: %s", text);
	free(text);
}

int cli_fail(const struct cli *cli, const char *format, ...)
{
	va_list list;
	va_start(list, format);
	complain(cli, format, list);
	va_end(list);
	return CLI_FAILED;
}

int cli_misuse(const struct cli *cli, const char *format, ...)
{
	va_list list;
	va_start(list, format);
	complain(cli, format, list);
	va_end(list);
	return CLI_USAGE;
}

/* ---- calls ---- */

void cli_print_raw(const struct cli *cli, const struct answer *answer)
{
	fwrite(answer->text, 1, answer->len, cli->out.file);
	if (answer->len > 0 && answer->text[answer->len - 1] != '\n')
		fputc('\n', cli->out.file);
}

static bool call(struct cli *cli, const struct request *request, struct answer *answer)
{
	if (client_call(cli->client, request, answer) && answer->status < 300 && answer->json)
		return true;
	if (cli_json(cli) && answer->json)
		cli_print_raw(cli, answer);
	problem_print(cli, request, answer);
	return false;
}

bool cli_get(struct cli *cli, const char *target, struct answer *answer)
{
	return call(cli, &(struct request){.method = "GET", .target = target}, answer);
}

int cli_show(struct cli *cli, char *target, int (*render)(struct cli *cli, const json_t *answer))
{
	struct answer answer;
	int status = CLI_FAILED;
	if (cli_get(cli, target, &answer)) {
		status = CLI_DONE;
		if (cli_json(cli))
			cli_print_raw(cli, &answer);
		else
			status = render(cli, answer.json);
	}
	answer_free(&answer);
	free(target);
	return status;
}

bool cli_send(struct cli *cli, const char *method, char *target, const char *body, const char *if_match,
              struct answer *answer)
{
	const char *revision = cli_option(cli, OPTION_IF_REVISION);
	if (cli_option(cli, OPTION_PLAN))
		target = target_add(target, "dry_run", "true");
	target = target_add(target, "reason", cli_option(cli, OPTION_REASON));
	struct request request = {
	    .method = method, .target = target, .body = body, .if_match = revision ? revision : if_match};
	bool good = call(cli, &request, answer);
	free(target);
	return good;
}

void cli_print_outcome(const struct cli *cli, const json_t *answer)
{
	long long revision = (long long)field_int(answer, "revision");
	if (field_true(answer, "dry_run"))
		output_toned(&cli->out, TONE_DIM, "%s (--plan), revision %lld",
		             field_true(answer, "changed") ? "This would change it; nothing was done"
		                                           : "Nothing would change",
		             revision);
	else if (!field_true(answer, "changed"))
		output_toned(&cli->out, TONE_DIM, "Nothing to change: it is so already, revision %lld", revision);
	else if (field_true(answer, "applied"))
		output_toned(&cli->out, TONE_GOOD, "Done, revision %lld", revision);
	else if (cli_option(cli, OPTION_WAIT))
		output_line(&cli->out, "Saved as revision %lld, waiting for the workers", revision);
	else
		output_toned(&cli->out, TONE_WARN,
		             "Saved as revision %lld, but the workers have not confirmed it yet: see pointsman status",
		             revision);
}

int cli_change(struct cli *cli, const char *method, char *target, json_t *body,
               int (*render)(struct cli *cli, const json_t *answer))
{
	struct answer answer;
	char *text = body ? json_dumps(body, JSON_COMPACT | JSON_REAL_PRECISION(15)) : NULL;
	int status = CLI_FAILED;
	if (cli_send(cli, method, target, text, NULL, &answer))
		status = change_print(cli, &answer, render);
	answer_free(&answer);
	free(text);
	json_decref(body);
	return status;
}

/* ---- the program ---- */

/* What is wrong with the options of every write, whatever the command does with them. */
static int check_options(const struct cli *cli)
{
	const char *reason = cli_option(cli, OPTION_REASON), *revision = cli_option(cli, OPTION_IF_REVISION);
	if (reason && strlen(reason) > REASON_MAX)
		return cli_misuse(cli, "--reason has %zu bytes; expected at most %d", strlen(reason), REASON_MAX);
	if (revision && (strlen(revision) == 0 || strlen(revision) > REVISION_DIGITS_MAX ||
	                 strspn(revision, "0123456789") != strlen(revision)))
		return cli_misuse(cli, "--if-revision %.80s: expected a number, as pointsman status shows it",
		                  revision);
	return CLI_DONE;
}

static void warn_of_plain_token(const struct cli *cli)
{
	if (cli->settings.token && strncasecmp(cli->settings.url, "http:", 5) == 0 &&
	    !settings_are_local(&cli->settings))
		output_toned(&cli->err, TONE_WARN,
		             "warning: the token goes to %s unencrypted; expected https, or an address of this machine",
		             cli->settings.url);
}

static int run_command(struct cli *cli)
{
	char error[SETTINGS_ERROR_MAX];
	int status = check_options(cli);
	if (status != CLI_DONE)
		return status;
	if (cli->arguments->command->offline)
		return cli->arguments->command->run(cli);
	if (!settings_read(&cli->settings, cli->arguments, &cli->err, error)) {
		settings_free(&cli->settings);
		return cli_fail(cli, "%s", error);
	}
	warn_of_plain_token(cli);
	cli->client = client_new(&cli->settings);
	status = cli->arguments->command->run(cli);
	client_free(cli->client);
	settings_free(&cli->settings);
	return status;
}

/* A full disk or a closed pipe must not look like success. */
static int flush(const struct cli *cli, int status)
{
	if (fflush(cli->out.file) != 0 || ferror(cli->out.file))
		return cli_fail(cli, "the output cannot be written: %s", strerror(errno));
	return status;
}

int cli_run(int argc, char **argv, FILE *out, FILE *err)
{
	struct arguments arguments;
	struct cli cli = {.arguments = &arguments};
	char group[WORDS_MAX], error[ARGUMENTS_ERROR_MAX];
	output_init(&cli.out, out);
	output_init(&cli.err, err);
	if (!arguments_parse(&arguments, argc, argv, commands, command_count, group, error))
		return cli_misuse(&cli, "%s", error);
	if (arguments.options[OPTION_VERSION])
		output_line(&cli.out, "pointsman %s", PM_VERSION);
	else if (arguments.options[OPTION_HELP])
		help_print(&cli.out, arguments.command, group);
	else if (!arguments.command) {
		help_print(&cli.err, NULL, "");
		return CLI_USAGE;
	} else
		return flush(&cli, run_command(&cli));
	return flush(&cli, CLI_DONE);
}
