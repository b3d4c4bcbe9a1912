/* Commands that show what was recorded: held deletions, refused names, events. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/cli/cli.h"
#include "control/cli/commands.h"
#include "control/cli/fields.h"
#include "control/cli/list.h"
#include "control/cli/problem.h"
#include "control/cli/units.h"
#include "control/cli/wait.h"
#include "control/cli/wording.h"

/* ---- held ---- */

static void held_row(struct cli *cli, struct table *table, const json_t *held)
{
	char time[UNITS_TEXT_MAX];
	table_cell(table, TONE_PLAIN, "%s", field_text(held, "cluster"));
	table_cell(table, TONE_PLAIN, "%s", field_text(held, "kind"));
	table_cell(table, TONE_PLAIN, "%s", field_text(held, "name"));
	table_cell(table, TONE_PLAIN, "%s", time_format(field_time(held, "since"), time));
	table_cell(table, TONE_PLAIN, "%s", field_true(held, "goes_by_itself") ? "yes" : "no");
	table_cell(table, TONE_WARN, "%s", field_text(held, "reason"));
}

int held_show(struct cli *cli)
{
	static const struct column columns[] = {
	    {.title = "CLUSTER"}, {.title = "KIND"},           {.title = "NAME", .flexible = true},
	    {.title = "SINCE"},   {.title = "GOES BY ITSELF"}, {.title = "REASON", .below = true},
	};
	static const struct list list = {
	    .items = "held", .noun = "held deletion", .columns = columns, .column_count = 6, .row = held_row};
	return list_show(cli, target_make("/api/v1/held"), &list);
}

/* ---- unknown names ---- */

static void unknown_row(struct cli *cli, struct table *table, const json_t *entry)
{
	char text[UNITS_TEXT_MAX];
	const char *name = field_text(entry, "name");
	table_cell(table, TONE_PLAIN, "%s", time_format(field_time(entry, "last_at"), text));
	table_cell(table, TONE_PLAIN, "%s", count_format(field_int(entry, "count"), text));
	table_cell(table, TONE_WARN, "%s", field_text(entry, "reason"));
	table_cell(table, TONE_PLAIN, "%s", field_text(entry, "listener"));
	table_cell(table, TONE_PLAIN, "%s", field_text(entry, "last_client"));
	table_cell(table, name[0] != '\0' ? TONE_PLAIN : TONE_DIM, "%s", name[0] != '\0' ? name : "(none)");
}

static int end_unknown(struct cli *cli, const json_t *page)
{
	if (!cli_json(cli) && field_int(page, "left_out") > 0)
		output_toned(&cli->out, TONE_DIM, "%lld more were not kept", (long long)field_int(page, "left_out"));
	return CLI_DONE;
}

int unknown_show(struct cli *cli)
{
	static const struct column columns[] = {
	    {.title = "LAST"},     {.title = "COUNT", .right = true}, {.title = "REASON"},
	    {.title = "LISTENER"}, {.title = "LAST CLIENT"},          {.title = "NAME", .flexible = true},
	};
	static const struct list list = {.items = "names",
	                                 .page = "1000",
	                                 .noun = "refused name",
	                                 .columns = columns,
	                                 .column_count = 6,
	                                 .row = unknown_row,
	                                 .end = end_unknown};
	return list_show(cli, target_add(target_make("/api/v1/unknown"), "search", cli_option(cli, OPTION_SEARCH)),
	                 &list);
}

/* ---- events ---- */

static enum tone level_tone(const char *level)
{
	if (strcmp(level, "error") == 0)
		return TONE_BAD;
	return strcmp(level, "warning") == 0 ? TONE_WARN : TONE_PLAIN;
}

static void print_event(const struct cli *cli, const json_t *event)
{
	char time[UNITS_TEXT_MAX];
	const char *who = field_text(event, "who"), *reason = field_text(event, "reason");
	char *text = wording_make(field_text(event, "text"));
	output_toned(&cli->out, level_tone(field_text(event, "level")), "%s  %s%s%s%s%s%s",
	             time_format(field_time(event, "at"), time), text, who[0] != '\0' ? "  (" : "", who,
	             reason[0] != '\0' ? ": " : "", reason, who[0] != '\0' ? ")" : "");
	free(text);
}

/* They come newest first; a log reads downwards. */
static int render_events(struct cli *cli, const json_t *answer)
{
	const json_t *events = field(answer, "events");
	for (size_t i = json_array_size(events); i > 0; i--)
		print_event(cli, json_array_get(events, i - 1));
	if (json_array_size(events) == 0 && !cli_option(cli, OPTION_FOLLOW))
		output_toned(&cli->out, TONE_DIM, "no events");
	return CLI_DONE;
}

/* But for `since`, which moves on. */
static char *events_target(const struct cli *cli)
{
	const char *route = cli_option(cli, OPTION_ROUTE), *limit = cli_option(cli, OPTION_LIMIT);
	char *target = target_make("/api/v1/events");
	target = target_add(target, "limit", limit ? limit : "100");
	target = target_add(target, "object", route ? route : cli_option(cli, OPTION_CLUSTER));
	target = target_add(target, "kind", cli_option(cli, OPTION_KIND));
	return target_add(target, "search", cli_option(cli, OPTION_SEARCH));
}

/* Each further second what is new after `last`. An answer that does not come is no reason to end: control may be
 * starting again. */
static void follow(struct cli *cli, const char *base, int64_t last)
{
	bool silent = false;
	wait_interrupts_begin();
	while (!wait_second() && !ferror(cli->out.file)) {
		char since[UNITS_TEXT_MAX];
		struct answer answer;
		snprintf(since, sizeof(since), "%lld", (long long)last);
		char *target = target_add(strdup(base), "since", since);
		struct request request = {.method = "GET", .target = target};
		bool good = client_call(cli->client, &request, &answer) && answer.status == 200;
		if (good && json_array_size(field(answer.json, "events")) > 0) {
			if (cli_json(cli))
				cli_print_raw(cli, &answer);
			else
				render_events(cli, answer.json);
		} else if (!good && !silent)
			problem_print(cli, &request, &answer);
		/* A control that was started anew counts from the beginning. */
		if (good)
			last = field_int(answer.json, "last");
		silent = !good;
		fflush(cli->out.file);
		answer_free(&answer);
		free(target);
	}
	wait_interrupts_end();
}

int events_show(struct cli *cli)
{
	uint64_t id;
	struct answer answer;
	const char *since = cli_option(cli, OPTION_SINCE);
	if (since && !number_parse(since, INT64_MAX, &id))
		return cli_misuse(
		    cli, "--since %.80s: expected the id of an event, as pointsman events --json shows it", since);
	if (cli_option(cli, OPTION_ROUTE) && cli_option(cli, OPTION_CLUSTER))
		return cli_misuse(cli, "events of a route or of a cluster: give --route or --cluster, not both");
	char *base = events_target(cli), *target = target_add(strdup(base), "since", since);
	bool good = cli_get(cli, target, &answer);
	if (good && cli_json(cli))
		cli_print_raw(cli, &answer);
	else if (good)
		render_events(cli, answer.json);
	int64_t last = good ? field_int(answer.json, "last") : 0;
	answer_free(&answer);
	fflush(cli->out.file);
	if (good && cli_option(cli, OPTION_FOLLOW))
		follow(cli, base, last);
	free(base);
	free(target);
	return good ? CLI_DONE : CLI_FAILED;
}
