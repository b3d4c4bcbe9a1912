/* What a change does to the shares of routes: see the header. */
#include "control/cli/plan.h"

#include <stdlib.h>
#include <string.h>

#include "control/cli/cli.h"
#include "control/cli/fields.h"
#include "control/cli/table.h"
#include "control/cli/units.h"
#include "control/cli/wording.h"

enum {
	SHORT_MAX = 5,   /* routes that are shown of a change that was made */
	SHARES_MAX = 16, /* clusters of one route */
};

enum tone plan_tone(const char *level)
{
	if (strcmp(level, "red") == 0)
		return TONE_BAD;
	return strcmp(level, "yellow") == 0 ? TONE_WARN : TONE_PLAIN;
}

static int compare_clusters(const void *a, const void *b)
{
	return strcmp(field_text(*(const json_t *const *)a, "cluster"),
	              field_text(*(const json_t *const *)b, "cluster"));
}

static void put_shares(FILE *out, const json_t *shares)
{
	const json_t *sorted[SHARES_MAX];
	size_t count = json_array_size(shares);
	count = count < SHARES_MAX ? count : SHARES_MAX;
	for (size_t i = 0; i < count; i++)
		sorted[i] = json_array_get(shares, i);
	qsort(sorted, count, sizeof(sorted[0]), compare_clusters);
	for (size_t i = 0; i < count; i++) {
		char number[UNITS_TEXT_MAX];
		fprintf(out, "%s%s %s%%", i > 0 ? ", " : "", field_text(sorted[i], "cluster"),
		        percent_format(field_real(sorted[i], "share"), number));
	}
	if (count == 0)
		fputs("nowhere", out);
}

char *plan_shares(const json_t *shares)
{
	size_t size;
	char *text = NULL;
	FILE *out = open_memstream(&text, &size);
	if (!out)
		abort();
	put_shares(out, shares);
	if (fclose(out) != 0)
		abort();
	return text;
}

static char *notes_of(const json_t *change)
{
	size_t i, size;
	char *text = NULL;
	const json_t *note;
	FILE *out = open_memstream(&text, &size);
	if (!out)
		abort();
	json_array_foreach(field(change, "notes"), i, note)
	{
		fprintf(out, "%s%s", i > 0 ? "; " : "", json_string_value(note) ? json_string_value(note) : "");
	}

	if (fclose(out) != 0)
		abort();
	return text;
}

static void add_row(struct table *table, const json_t *change)
{
	const char *level = field_text(change, "level");
	enum tone tone = plan_tone(level);
	char *before = plan_shares(field(change, "before")), *after = plan_shares(field(change, "after"));
	char *notes = notes_of(change);
	bool same = strcmp(before, after) == 0;
	table_cell(table, tone, "%s", tone == TONE_PLAIN ? "ok" : level);
	table_cell(table, TONE_PLAIN, "%s", field_text(change, "host"));
	table_cell(table, TONE_PLAIN, "%s", before);
	table_cell(table, same ? TONE_DIM : TONE_STRONG, "%s", same ? "the same" : after);
	table_cell(table, tone, "%s", notes);
	free(before);
	free(after);
	free(notes);
}

static void print_changes(const struct output *output, const json_t *changes, size_t most)
{
	static const struct column columns[] = {
	    {.title = "LEVEL"},
	    {.title = "ROUTE", .flexible = true},
	    {.title = "BEFORE", .flexible = true},
	    {.title = "AFTER", .flexible = true},
	    {.title = "NOTES", .below = true},
	};
	struct table *table = table_new(columns, sizeof(columns) / sizeof(columns[0]));
	for (size_t i = 0; i < json_array_size(changes) && i < most; i++)
		add_row(table, json_array_get(changes, i));
	if (table_rows(table) > 0)
		table_print(table, output);
	table_free(table);
}

/* "3 of 750 routes change, 1 red; 120 connections are open there" */
static void print_sum(const struct output *output, const json_t *plan, size_t shown)
{
	char *text = NULL, number[UNITS_TEXT_MAX];
	size_t size;
	int64_t routes = field_int(plan, "routes"), red = field_int(plan, "red"), count = routes;
	FILE *out = open_memstream(&text, &size);
	if (!out)
		abort();
	if (field(plan, "changed")) { /* of all routes of a cluster only those that change are listed */
		count = field_int(plan, "changed");
		fprintf(out, "%s of ", count_format(count, number));
	}
	fprintf(out, "%s route%s", count_format(routes, number), routes == 1 ? "" : "s");
	if (field(plan, "changed"))
		fprintf(out, " change%s", count == 1 ? "s" : "");
	if (red > 0)
		fprintf(out, ", %s red", count_format(red, number));
	if (field_int(plan, "yellow") > 0)
		fprintf(out, ", %s yellow", count_format(field_int(plan, "yellow"), number));
	if (field_int(plan, "missing") > 0)
		fprintf(out, "; %s more are missing on the other cluster",
		        count_format(field_int(plan, "missing"), number));
	if (field_int(plan, "active") > 0)
		fprintf(out, "; open connections there: %s", count_format(field_int(plan, "active"), number));
	if (count > (int64_t)shown)
		fprintf(out, "; the first %zu are shown", shown);
	if (fclose(out) != 0)
		abort();
	output_toned(output, red > 0 ? TONE_BAD : TONE_PLAIN, "%s", text);
	free(text);
}

static void print_differs(const struct output *output, const json_t *lines)
{
	size_t i;
	const json_t *line;
	if (json_array_size(lines) > 0)
		output_line(output, "Would change:");
	json_array_foreach(lines, i, line)
	{
		output_line(output, "  %s", json_string_value(line) ? json_string_value(line) : "");
	}
}

void plan_print(const struct output *output, const json_t *plan)
{
	const json_t *changes = field(plan, "changes");
	print_differs(output, field(plan, "differs"));
	print_changes(output, changes, SIZE_MAX);
	if (field_int(plan, "routes") > 0 || field_int(plan, "active") > 0)
		print_sum(output, plan, json_array_size(changes));
}

/* The plan of what would not be done at all, and why. */
static int print_refused(const struct cli *cli, const json_t *plan)
{
	size_t i;
	const json_t *note;
	json_array_foreach(field(plan, "notes"), i, note)
	{
		char *text = wording_make(json_string_value(note) ? json_string_value(note) : "");
		output_toned(&cli->out, TONE_BAD, "Refused: %s", text);
		free(text);
	}

	if (field_true(plan, "forceable") && command_takes(cli->arguments->command, OPTION_FORCE))
		output_line(&cli->out, "  --force does it all the same.");
	return CLI_FAILED;
}

/* What is red and was not asked for by --force is not done. */
static int print_red(const struct cli *cli, const json_t *plan, bool dry)
{
	char number[UNITS_TEXT_MAX];
	int64_t red = field_int(plan, "red");
	bool many = field(plan, "missing"); /* a shift of many routes, where each counts for itself */
	if (red == 0 || cli_option(cli, OPTION_FORCE) || (!dry && !many))
		return CLI_DONE;
	if (many)
		output_toned(&cli->out, TONE_BAD, "%s red route%s %s; --force includes %s", count_format(red, number),
		             red == 1 ? "" : "s", dry ? "would be left out" : "left out", red == 1 ? "it" : "them");
	return CLI_FAILED;
}

int plan_print_answer(struct cli *cli, const json_t *answer)
{
	const json_t *plan = field(answer, "plan");
	bool dry = field_true(answer, "dry_run");
	if (plan && dry)
		plan_print(&cli->out, plan);
	else if (json_array_size(field(plan, "changes")) > 0) {
		size_t count = json_array_size(field(plan, "changes"));
		print_changes(&cli->out, field(plan, "changes"), SHORT_MAX);
		print_sum(&cli->out, plan, count < SHORT_MAX ? count : SHORT_MAX);
	}
	if (field_true(plan, "refused"))
		return print_refused(cli, plan);
	cli_print_outcome(cli, answer);
	return print_red(cli, plan, dry);
}
