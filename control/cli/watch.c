/* pointsman watch: the shares of one route, each second, until Ctrl-C. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/cli/cli.h"
#include "control/cli/commands.h"
#include "control/cli/fields.h"
#include "control/cli/problem.h"
#include "control/cli/spark.h"
#include "control/cli/table.h"
#include "control/cli/units.h"
#include "control/cli/wait.h"

enum { SPARK_COLUMNS = 24 };

static const char *share_text(const json_t *share, const char *name, char out[static UNITS_TEXT_MAX + 1])
{
	if (!field(share, name))
		return "-";
	percent_format(field_real(share, name), out);
	return strcat(out, "%");
}

/* The points of a cluster: `what` is "new" or "active". */
static const json_t *points_of(const json_t *stats, const char *cluster, const char *what)
{
	return json_object_get(json_object_get(field(stats, "clusters"), cluster), what);
}

static int64_t last_of(const json_t *points)
{
	return (int64_t)json_number_value(json_array_get(points, json_array_size(points) - 1));
}

static const char *clock_text(char out[static UNITS_TEXT_MAX])
{
	struct tm parts;
	time_t now = time(NULL);
	strftime(out, UNITS_TEXT_MAX, "%H:%M:%S", localtime_r(&now, &parts));
	return out;
}

/* "12:00:01  v1 90% planned, 89.7% real, 120/s, 1,034 active | v2 ..." */
static void print_plain(const struct cli *cli, const json_t *route, const json_t *stats)
{
	char *text = NULL, now[UNITS_TEXT_MAX], planned[UNITS_TEXT_MAX + 1], real[UNITS_TEXT_MAX + 1],
	     active[UNITS_TEXT_MAX];
	size_t i, size;
	const json_t *share;
	FILE *out = open_memstream(&text, &size);
	if (!out)
		abort();
	fprintf(out, "%s ", clock_text(now));
	json_array_foreach(field(route, "clusters"), i, share)
	{
		const char *cluster = field_text(share, "cluster");
		fprintf(out, "%s %s %s planned, %s real, %lld/s, %s active", i > 0 ? " |" : "", cluster,
		        share_text(share, "planned_share", planned), share_text(share, "real_share", real),
		        (long long)last_of(points_of(stats, cluster, "new")),
		        count_format(field_int(share, "active"), active));
	}
	if (fclose(out) != 0)
		abort();
	output_line(&cli->out, "%s", text);
	free(text);
}

static void add_row(struct table *table, const json_t *share, const json_t *stats)
{
	char text[UNITS_TEXT_MAX + 1];
	const char *cluster = field_text(share, "cluster");
	const json_t *points = points_of(stats, cluster, "new");
	char *spark = spark_make(points, SPARK_COLUMNS);
	table_cell(table, TONE_PLAIN, "%s", cluster);
	table_cell(table, TONE_PLAIN, "%s", percent_format(field_real(share, "weight"), text));
	table_cell(table, TONE_PLAIN, "%s", share_text(share, "planned_share", text));
	table_cell(table, TONE_STRONG, "%s", share_text(share, "real_share", text));
	table_cell(table, TONE_PLAIN, "%s", count_format(last_of(points), text));
	table_cell(table, TONE_PLAIN, "%s", count_format(field_int(share, "recent"), text));
	table_cell(table, TONE_PLAIN, "%s", count_format(field_int(share, "active"), text));
	table_cell(table, TONE_GOOD, "%s", spark);
	free(spark);
}

/* Over the lines of the time before, `*lines` of them. */
static void redraw(struct cli *cli, const json_t *route, const json_t *stats, unsigned *lines)
{
	static const struct column columns[] = {
	    {.title = "CLUSTER", .flexible = true}, {.title = "WEIGHT", .right = true},
	    {.title = "PLANNED", .right = true},    {.title = "REAL", .right = true},
	    {.title = "NEW/S", .right = true},      {.title = "120 S", .right = true},
	    {.title = "ACTIVE", .right = true},     {.title = "NEW, 120 S"},
	};
	size_t i;
	char now[UNITS_TEXT_MAX];
	const json_t *share;
	struct table *table = table_new(columns, sizeof(columns) / sizeof(columns[0]));
	json_array_foreach(field(route, "clusters"), i, share)
	{
		add_row(table, share, stats);
	}

	output_init(&cli->out, cli->out.file); /* the width may have changed */
	if (*lines > 0)
		fprintf(cli->out.file, "\033[%uA\033[J", *lines);
	output_toned(&cli->out, TONE_STRONG, "%s  %s", field_text(route, "host"), clock_text(now));
	table_print(table, &cli->out);
	*lines = (unsigned)table_rows(table) + 2;
	table_free(table);
}

/* False: the route cannot be had, and that was said. */
static bool look(struct cli *cli, const char *name, unsigned *lines)
{
	struct answer answer, stats;
	char *target = target_make("/api/v1/routes/%s", name),
	     *stats_target = target_make("/api/v1/stats/routes/%s", name);
	bool good = cli_get(cli, target, &answer);
	if (good && cli_json(cli))
		cli_print_raw(cli, &answer);
	else if (good) {
		struct request request = {.method = "GET", .target = stats_target};
		client_call(cli->client, &request, &stats);
		if (cli->out.terminal)
			redraw(cli, field(answer.json, "route"), stats.json, lines);
		else
			print_plain(cli, field(answer.json, "route"), stats.json);
		answer_free(&stats);
	}
	fflush(cli->out.file);
	answer_free(&answer);
	free(target);
	free(stats_target);
	return good;
}

int route_watch(struct cli *cli)
{
	unsigned lines = 0;
	wait_interrupts_begin();
	bool good = look(cli, cli_word(cli, 0), &lines);
	while (good && !ferror(cli->out.file) && !wait_second())
		good = look(cli, cli_word(cli, 0), &lines);
	wait_interrupts_end();
	return good ? CLI_DONE : CLI_FAILED;
}
