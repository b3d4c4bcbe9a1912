/* Commands about tokens. With --local the file of tokens is written directly: so is the first one made, before anybody
 * may call the API. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "common/config.h"
#include "control/cli/cli.h"
#include "control/cli/commands.h"
#include "control/cli/fields.h"
#include "control/cli/list.h"
#include "control/cli/units.h"
#include "control/api/tokens.h"

/* ---- by the API ---- */

static void token_row(struct cli *cli, struct table *table, const json_t *token)
{
	char time[UNITS_TEXT_MAX];
	table_cell(table, TONE_PLAIN, "%s", field_text(token, "name"));
	table_cell(table, TONE_PLAIN, "%s", field_text(token, "role"));
	table_cell(table, TONE_PLAIN, "%s", time_format(field_time(token, "created_at"), time));
	table_cell(table, TONE_PLAIN, "%s", time_format(field_time(token, "last_used_at"), time));
	table_cell(table, TONE_DIM, "%s", field_text(token, "id"));
}

static int render_tokens(struct cli *cli, const json_t *answer)
{
	static const struct column columns[] = {
	    {.title = "NAME", .flexible = true},
	    {.title = "ROLE"},
	    {.title = "MADE"},
	    {.title = "LAST USED"},
	    {.title = "ID"},
	};
	static const struct list list = {.noun = "token", .columns = columns, .column_count = 5, .row = token_row};
	list_print(cli, field(answer, "tokens"), &list);
	return CLI_DONE;
}

int token_list(struct cli *cli)
{
	return cli_show(cli, target_make("/api/v1/tokens"), render_tokens);
}

/* The token alone goes to stdout, so that it can be sent into a file. */
static void print_secret(const struct cli *cli, const char *name, const char *role, const char *secret)
{
	output_line(&cli->err, "Token %s with role %s. It is shown this once; only its hash is kept:", name, role);
	output_line(&cli->out, "%s", secret);
}

static int render_created(struct cli *cli, const json_t *answer)
{
	if (field(answer, "token"))
		print_secret(cli, field_text(answer, "name"), field_text(answer, "role"), field_text(answer, "token"));
	else if (field_true(answer, "dry_run"))
		output_line(&cli->out, "Token %s with role %s would be made; nothing was done (--plan)",
		            cli_word(cli, 0), cli_option(cli, OPTION_ROLE));
	else
		cli_print_outcome(cli, answer);
	return CLI_DONE;
}

static int render_removed(struct cli *cli, const json_t *answer)
{
	output_toned(&cli->out, TONE_GOOD, "Token %s %s", cli_word(cli, 0),
	             field_true(answer, "dry_run") ? "would be removed; nothing was done (--plan)" : "is removed");
	return CLI_DONE;
}

int token_remove(struct cli *cli)
{
	return cli_change(cli, "DELETE", target_make("/api/v1/tokens/%s", cli_word(cli, 0)), NULL, render_removed);
}

/* ---- in the file ---- */

/* Where control looks for tokens: --file, or what the configuration says. NULL: there is no such place, and that was
 * said. */
static char *tokens_path(const struct cli *cli)
{
	char *path = NULL;
	struct config_errors errors = {0};
	if (cli_option(cli, OPTION_TOKENS))
		return strdup(cli_option(cli, OPTION_TOKENS));
	const char *config_path = cli_option(cli, OPTION_CONFIG);
	struct config *config = config_read(config_path, &errors);
	for (size_t i = 0; i < errors.count; i++)
		output_line(&cli->err, "%s", errors.lines[i]);
	config_errors_free(&errors);
	if (!config) {
		cli_fail(cli, "%s cannot be used", config_path);
		return NULL;
	}
	const char *tokens = config->admin.tokens;
	/* Before control's first start there is no directory; it is made as control makes it. */
	if (tokens[0] == '\0' && !cli_option(cli, OPTION_PLAN) && mkdir(config->paths.state, 0750) != 0 &&
	    errno != EEXIST)
		cli_fail(cli, "%s cannot be made: %s", config->paths.state, strerror(errno));
	else if (asprintf(&path, "%s%s", tokens[0] != '\0' ? tokens : config->paths.state,
	                  tokens[0] != '\0' ? "" : "/tokens") < 0)
		abort();
	config_free(config);
	return path;
}

static int64_t unix_ms(void)
{
	return (int64_t)time(NULL) * 1000;
}

/* `plan`: the file is only read. The lock is a file, too. */
static bool add_to_file(const char *path, const char *name, enum role role, bool plan, char *secret, char *why)
{
	struct tokens tokens = {0};
	int lock = plan ? -1 : tokens_lock(path, why);
	bool good = (plan || lock >= 0) && tokens_read(path, &tokens, why) != TOKENS_BROKEN &&
	            tokens_add(&tokens, name, role, unix_ms(), secret, why) &&
	            (plan || tokens_write(path, &tokens, why));
	tokens_free(&tokens);
	if (lock >= 0)
		tokens_unlock(lock);
	return good;
}

static int create_in_file(const struct cli *cli, const char *path)
{
	char why[TOKENS_TEXT_MAX], secret[TOKEN_SECRET_MAX + 1];
	enum role role;
	const char *name = cli_word(cli, 0), *role_text = cli_option(cli, OPTION_ROLE);
	bool plan = cli_option(cli, OPTION_PLAN) != NULL;
	role_parse(role_text, &role); /* one of the choices */
	if (!add_to_file(path, name, role, plan, secret, why))
		return cli_fail(cli, "%s", why);
	if (plan)
		output_line(&cli->out, "Token %s would be written to %s; nothing was done (--plan)", name, path);
	else if (cli_json(cli)) {
		json_t *answer = json_pack("{s:s, s:s, s:s}", "name", name, "role", role_text, "token", secret);
		json_dumpf(answer, cli->out.file, JSON_COMPACT);
		fputc('\n', cli->out.file);
		json_decref(answer);
	} else
		print_secret(cli, name, role_text, secret);
	explicit_bzero(secret, sizeof(secret));
	return CLI_DONE;
}

int token_create(struct cli *cli)
{
	bool local = cli_option(cli, OPTION_LOCAL) != NULL;
	bool one = (cli_option(cli, OPTION_CONFIG) != NULL) != (cli_option(cli, OPTION_TOKENS) != NULL);
	if (!cli_option(cli, OPTION_ROLE))
		return cli_misuse(cli, "which role? --role viewer, operator or admin");
	if (local && !one)
		return cli_misuse(
		    cli, "where is the file of tokens? --config FILE (pointsman-control's configuration) or --file "
		         "TOKENS");
	if (!local && (cli_option(cli, OPTION_CONFIG) || cli_option(cli, OPTION_TOKENS)))
		return cli_misuse(cli, "--config and --file go with --local");
	if (!local)
		return cli_change(
		    cli, "POST", target_make("/api/v1/tokens"),
		    json_pack("{s:s, s:s}", "name", cli_word(cli, 0), "role", cli_option(cli, OPTION_ROLE)),
		    render_created);
	char *path = tokens_path(cli);
	int status = path ? create_in_file(cli, path) : CLI_FAILED;
	free(path);
	return status;
}
