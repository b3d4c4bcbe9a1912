/* Commands about the whole state: revisions, backup, and the configuration of the running programs. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/cli/change.h"
#include "control/cli/cli.h"
#include "control/cli/commands.h"
#include "control/cli/fields.h"
#include "control/cli/list.h"
#include "control/cli/units.h"

/* ---- revisions ---- */

static void revision_row(struct cli *cli, struct table *table, const json_t *revision)
{
	char time[UNITS_TEXT_MAX];
	const char *name = field_text(revision, "name"), *what = field_text(revision, "what");
	table_cell(table, TONE_PLAIN, "%lld", (long long)field_int(revision, "id"));
	table_cell(table, TONE_PLAIN, "%lld", (long long)field_int(revision, "revision"));
	table_cell(table, TONE_PLAIN, "%s", time_format(field_time(revision, "at"), time));
	table_cell(table, TONE_PLAIN, "%s", field_text(revision, "by"));
	table_cell(table, name[0] != '\0' ? TONE_STRONG : TONE_DIM, "%s", name[0] != '\0' ? name : what);
	table_cell(table, TONE_PLAIN, "%s", field_text(revision, "reason"));
}

static const struct column revision_columns[] = {
    {.title = "ID", .right = true},      {.title = "REVISION", .right = true}, {.title = "SAVED"}, {.title = "BY"},
    {.title = "NAME", .flexible = true}, {.title = "REASON", .below = true},
};

static const struct list revisions = {.items = "revisions",
                                      .noun = "saved revision",
                                      .columns = revision_columns,
                                      .column_count = 6,
                                      .row = revision_row};

static int render_revisions(struct cli *cli, const json_t *answer)
{
	list_print(cli, field(answer, "revisions"), &revisions);
	return CLI_DONE;
}

int revision_list(struct cli *cli)
{
	return cli_show(cli, target_make("/api/v1/revisions"), render_revisions);
}

static int render_revision(struct cli *cli, const json_t *answer)
{
	size_t i;
	const json_t *line;
	json_t *list = json_pack("[O]", answer);
	list_print(cli, list, &revisions);
	json_decref(list);
	if (json_array_size(field(answer, "differs")) == 0)
		output_line(&cli->out, "The present state is the same.");
	else
		output_line(&cli->out, "Rolling back to it would change:");
	json_array_foreach(field(answer, "differs"), i, line)
	{
		output_line(&cli->out, "  %s", json_string_value(line) ? json_string_value(line) : "");
	}

	return CLI_DONE;
}

int revision_show(struct cli *cli)
{
	return cli_show(cli, target_make("/api/v1/revisions/%s", cli_word(cli, 0)), render_revision);
}

static int render_outcome(struct cli *cli, const json_t *answer)
{
	size_t i;
	const json_t *line;
	if (json_array_size(field(answer, "differs")) > 0)
		output_line(&cli->out, field_true(answer, "dry_run") ? "Would change:" : "Changed:");
	json_array_foreach(field(answer, "differs"), i, line)
	{
		output_line(&cli->out, "  %s", json_string_value(line) ? json_string_value(line) : "");
	}

	cli_print_outcome(cli, answer);
	return CLI_DONE;
}

/* Nothing of the state changes by it, so "nothing to change" would be the wrong word. */
static int render_saved(struct cli *cli, const json_t *answer)
{
	if (field_true(answer, "dry_run"))
		output_line(&cli->out, "%s would be saved; nothing was done (--plan)", cli_word(cli, 0));
	else
		output_toned(&cli->out, TONE_GOOD, "%s is saved as id %lld, revision %lld", cli_word(cli, 0),
		             (long long)field_int(answer, "id"), (long long)field_int(answer, "revision"));
	return CLI_DONE;
}

int revision_save(struct cli *cli)
{
	return cli_change(cli, "POST", target_make("/api/v1/revisions"), json_pack("{s:s}", "name", cli_word(cli, 0)),
	                  render_saved);
}

int revision_rollback(struct cli *cli)
{
	return cli_change(cli, "POST", target_make("/api/v1/revisions/%s/rollback", cli_word(cli, 0)), json_object(),
	                  render_outcome);
}

static int render_removed(struct cli *cli, const json_t *answer)
{
	output_toned(&cli->out, TONE_GOOD, "%s %s", cli_word(cli, 0),
	             field_true(answer, "dry_run") ? "would be removed; nothing was done (--plan)" : "is removed");
	return CLI_DONE;
}

int revision_remove(struct cli *cli)
{
	return cli_change(cli, "DELETE", target_make("/api/v1/revisions/%s", cli_word(cli, 0)), NULL, render_removed);
}

/* ---- configuration ---- */

static int render_reload(struct cli *cli, const json_t *answer)
{
	size_t i;
	const json_t *name, *changed = field(answer, "changes");
	bool dry = cli_option(cli, OPTION_PLAN) != NULL;
	if (json_array_size(changed) == 0)
		output_line(&cli->out, "The configuration is the same as before.");
	else
		output_toned(&cli->out, TONE_GOOD, dry ? "Would change:" : "Changed:");
	json_array_foreach(changed, i, name)
	{
		output_line(&cli->out, "  %s", json_string_value(name) ? json_string_value(name) : "");
	}

	return CLI_DONE;
}

int config_reload(struct cli *cli)
{
	return cli_change(cli, "POST", target_make("/api/v1/reload"), json_object(), render_reload);
}

/* ---- backup ---- */

/* Beside the file, then in its place: what is there stays whole until the new one is. */
static bool write_file(const char *path, const struct answer *answer, char *temporary)
{
	int fd = mkstemp(temporary); /* mode 0600 */
	FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (!file)
		return false;
	bool good = fwrite(answer->text, 1, answer->len, file) == answer->len && fflush(file) == 0 && fsync(fd) == 0;
	good = fclose(file) == 0 && good && rename(temporary, path) == 0;
	if (!good) {
		int error = errno;
		unlink(temporary);
		errno = error;
	}
	return good;
}

static int save(const struct cli *cli, const char *path, const struct answer *answer)
{
	char *temporary;
	struct stat status;
	if (stat(path, &status) == 0 && !S_ISREG(status.st_mode))
		return cli_fail(cli, "%s is no plain file", path);
	if (asprintf(&temporary, "%s.XXXXXX", path) < 0)
		abort();
	bool good = write_file(path, answer, temporary);
	if (!good)
		cli_fail(cli, "%s cannot be written: %s", path, strerror(errno));
	else
		output_line(&cli->err, "Revision %lld written to %s", (long long)field_int(answer->json, "revision"),
		            path);
	free(temporary);
	return good ? CLI_DONE : CLI_FAILED;
}

int state_export(struct cli *cli)
{
	struct answer answer;
	int status = CLI_FAILED;
	const char *path = cli_word(cli, 0);
	if (cli_get(cli, "/api/v1/export", &answer)) {
		status = CLI_DONE;
		if (path && strcmp(path, "-") != 0)
			status = save(cli, path, &answer);
		else
			cli_print_raw(cli, &answer);
	}
	answer_free(&answer);
	return status;
}

int state_import(struct cli *cli)
{
	struct answer answer;
	char *text;
	int status = CLI_FAILED;
	json_t *json = change_read_json(cli, cli_word(cli, 0), &text);
	if (!json)
		return CLI_FAILED;
	json_decref(json); /* sent as it stands in the file */
	if (cli_send(cli, "POST", target_make("/api/v1/import"), text, NULL, &answer))
		status = change_print(cli, &answer, render_outcome);
	answer_free(&answer);
	free(text);
	return status;
}
