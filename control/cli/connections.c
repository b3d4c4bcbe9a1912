/* Commands that show and close connections. */
#include <stdlib.h>
#include <string.h>

#include "control/cli/change.h"
#include "control/cli/cli.h"
#include "control/cli/commands.h"
#include "control/cli/fields.h"
#include "control/cli/list.h"
#include "control/cli/units.h"

/* The options as fields {cluster, host, route, client, min_age}. NULL: one is wrong, and that was said. */
static json_t *filter_of(const struct cli *cli)
{
	int64_t age = 0;
	char *cluster = NULL;
	const char *name = NULL, *host = cli_option(cli, OPTION_HOST), *min_age = cli_option(cli, OPTION_MIN_AGE);
	if (min_age && !duration_parse(min_age, &age)) {
		cli_misuse(cli, "--min-age %.80s: expected a duration such as 90s, 30m or 2h", min_age);
		return NULL;
	}
	if (host && !change_split_host(cli, host, &cluster, &name))
		return NULL;
	json_t *filter =
	    json_pack("{s:s*, s:s*, s:s*, s:s*}", "cluster", cluster ? cluster : cli_option(cli, OPTION_CLUSTER),
	              "host", name, "route", cli_option(cli, OPTION_ROUTE), "client", cli_option(cli, OPTION_CLIENT));
	if (min_age)
		json_object_set_new(filter, "min_age", json_integer(age));
	free(cluster);
	return filter;
}

static void connection_row(struct cli *cli, struct table *table, const json_t *connection)
{
	char text[UNITS_TEXT_MAX];
	table_cell(table, TONE_DIM, "%lld", (long long)field_int(connection, "id"));
	table_cell(table, TONE_PLAIN, "%s", field_text(connection, "client"));
	table_cell(table, TONE_PLAIN, "%s", field_text(connection, "name"));
	table_cell(table, TONE_PLAIN, "%s/%s", field_text(connection, "cluster"), field_text(connection, "host"));
	table_cell(table, TONE_PLAIN, "%s", field_text(connection, "state"));
	table_cell(table, TONE_PLAIN, "%s", duration_format(field_int(connection, "age_seconds"), text));
	table_cell(table, TONE_PLAIN, "%s", duration_format(field_int(connection, "idle_seconds"), text));
	table_cell(table, TONE_PLAIN, "%s", short_format(field_real(connection, "bytes_in"), text));
	table_cell(table, TONE_PLAIN, "%s", short_format(field_real(connection, "bytes_out"), text));
}

static int end_connections(struct cli *cli, const json_t *page)
{
	char oldest[UNITS_TEXT_MAX], count[UNITS_TEXT_MAX];
	size_t i;
	const json_t *entry;
	if (cli_json(cli) || field_int(page, "total") == 0)
		return CLI_DONE;
	output_line(&cli->out, "%s connection%s, the oldest for %s", count_format(field_int(page, "total"), count),
	            field_int(page, "total") == 1 ? "" : "s",
	            duration_format(field_int(page, "oldest_seconds"), oldest));
	json_array_foreach(field(page, "by_route"), i, entry)
	{
		const char *route = field_text(entry, "route");
		output_line(&cli->out, "  %s %s -> %s, oldest %s", count_format(field_int(entry, "count"), count),
		            route[0] != '\0' ? route : "(no route)", field_text(entry, "cluster"),
		            duration_format(field_int(entry, "oldest_seconds"), oldest));
	}
	return CLI_DONE;
}

int connections_show(struct cli *cli)
{
	static const struct column columns[] = {
	    {.title = "ID"},
	    {.title = "CLIENT"},
	    {.title = "NAME", .flexible = true},
	    {.title = "HOST", .flexible = true},
	    {.title = "STATE"},
	    {.title = "AGE", .right = true},
	    {.title = "IDLE", .right = true},
	    {.title = "IN", .right = true},
	    {.title = "OUT", .right = true},
	};
	static const struct list list = {.items = "connections",
	                                 .one_page = true,
	                                 .page = "100",
	                                 .noun = "connection",
	                                 .columns = columns,
	                                 .column_count = sizeof(columns) / sizeof(columns[0]),
	                                 .row = connection_row,
	                                 .end = end_connections};
	char *target = target_make("/api/v1/connections"), number[UNITS_TEXT_MAX];
	const char *name;
	json_t *value, *filter = filter_of(cli);
	if (!filter) {
		free(target);
		return CLI_USAGE;
	}
	json_object_foreach(filter, name, value)
	{
		snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(value));
		target = target_add(target, name, json_is_string(value) ? json_string_value(value) : number);
	}
	json_decref(filter);
	target = target_add(target, "state", cli_option(cli, OPTION_CONNECTION_STATE));
	return list_show(cli, target, &list);
}

/* ---- close ---- */

static int render_closed(struct cli *cli, const json_t *answer)
{
	char count[UNITS_TEXT_MAX];
	long long closed = (long long)field_int(answer, "closed");
	count_format(closed, count);
	if (cli_option(cli, OPTION_PLAN))
		output_line(&cli->out, "%s connection%s would be closed; nothing was done (--plan)", count,
		            closed == 1 ? "" : "s");
	else
		output_toned(&cli->out, TONE_GOOD, "%s connection%s closed", count, closed == 1 ? "" : "s");
	return CLI_DONE;
}

/* The words as ids. NULL: one is none, and that was said. */
static json_t *ids_of(const struct cli *cli)
{
	json_t *ids = json_array();
	for (size_t i = 0; i < cli->arguments->word_count; i++) {
		uint64_t id;
		const char *word = cli->arguments->words[i];
		if (!number_parse(word, INT64_MAX, &id)) {
			cli_misuse(cli, "%.80s is no id of a connection; pointsman conns shows them", word);
			json_decref(ids);
			return NULL;
		}
		json_array_append_new(ids, json_integer((json_int_t)id));
	}
	return json_pack("{s:o}", "ids", ids);
}

int connections_close(struct cli *cli)
{
	json_t *filter = filter_of(cli);
	bool words = cli->arguments->word_count > 0, options = json_object_size(filter) > 0;
	if (!filter)
		return CLI_USAGE;
	if (words == options) {
		json_decref(filter);
		return cli_misuse(
		    cli, words ? "ids and options together choose nothing: give one or the other"
		               : "which ones? Give ids, or at least one of --route, --cluster, --host, --client, "
		                 "--min-age");
	}
	if (words) {
		json_decref(filter);
		filter = ids_of(cli);
		if (!filter)
			return CLI_USAGE;
	}
	return cli_change(cli, "POST", target_make("/api/v1/connections/close"), filter, render_closed);
}
