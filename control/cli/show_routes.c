/* Commands that show routes, why a connection goes where it goes, and how two clusters differ. */
#include <stdlib.h>
#include <string.h>

#include "control/cli/cli.h"
#include "control/cli/commands.h"
#include "control/cli/fields.h"
#include "control/cli/list.h"
#include "control/cli/plan.h"
#include "control/cli/state.h"
#include "control/cli/units.h"

static const struct column route_columns[] = {
    {.title = "ROUTE", .flexible = true}, {.title = "CLUSTER"},
    {.title = "WEIGHT", .right = true},   {.title = "FROM"},
    {.title = "PLANNED", .right = true},  {.title = "REAL", .right = true},
    {.title = "HOSTS", .right = true},    {.title = "ACTIVE", .right = true},
    {.title = "NOTES", .below = true},
};

/* A share in %, "-" where there is none. */
static const char *share_text(const json_t *share, const char *name, char out[static UNITS_TEXT_MAX + 1])
{
	if (!field(share, name))
		return "-";
	percent_format(field_real(share, name), out);
	return strcat(out, "%");
}

static void share_row(struct table *table, const char *host, const json_t *share)
{
	char number[UNITS_TEXT_MAX + 1];
	const char *why = field_text(share, "why"), *warning = field_text(share, "warning");
	const char *held = field_text(share, "held.reason");
	const char *note = why[0] != '\0' ? why : held[0] != '\0' ? held : warning;
	double weight = field_real(share, "weight");
	table_cell(table, TONE_PLAIN, "%s", host);
	table_cell(table, TONE_PLAIN, "%s", field_text(share, "cluster"));
	table_cell(table, weight > 0 ? TONE_PLAIN : TONE_DIM, "%s", percent_format(weight, number));
	table_cell(table, TONE_PLAIN, "%s", field_text(share, "weight_origin"));
	table_cell(table, TONE_PLAIN, "%s", share_text(share, "planned_share", number));
	table_cell(table, TONE_PLAIN, "%s", share_text(share, "real_share", number));
	if (field(share, "healthy_hosts"))
		table_cell(table, field_int(share, "healthy_hosts") == 0 ? TONE_BAD : TONE_PLAIN, "%lld",
		           (long long)field_int(share, "healthy_hosts"));
	else
		table_cell(table, TONE_PLAIN, "-");
	table_cell(table, TONE_PLAIN, "%s", count_format(field_int(share, "active"), number));
	table_cell(table, note[0] != '\0' ? TONE_WARN : TONE_PLAIN, "%s%s",
	           note == held && held[0] != '\0' ? "held: " : "", note);
}

/* A line for each cluster; the name stands in each of them where another program may read it. */
static void route_row(struct cli *cli, struct table *table, const json_t *route)
{
	size_t i;
	const json_t *share;
	json_array_foreach(field(route, "clusters"), i, share)
	{
		share_row(table, i == 0 || !cli->out.terminal ? field_text(route, "host") : "", share);
	}
}

static const struct list route_list = {
    .items = "routes",
    .noun = "route",
    .columns = route_columns,
    .column_count = sizeof(route_columns) / sizeof(route_columns[0]),
    .row = route_row,
};

int routes_show(struct cli *cli)
{
	char *target = target_make("/api/v1/routes");
	target = target_add(target, "search", cli_option(cli, OPTION_SEARCH));
	target = target_add(target, "cluster", cli_option(cli, OPTION_CLUSTER));
	target = target_add(target, "namespace", cli_option(cli, OPTION_NAMESPACE));
	target = target_add(target, "state", cli_option(cli, OPTION_ROUTE_STATE));
	target = target_add(target, "sort", cli_option(cli, OPTION_SORT));
	return list_show(cli, target, &route_list);
}

/* What is the cluster's own word. */
static void print_served(const struct cli *cli, const json_t *route)
{
	size_t i;
	const json_t *share;
	json_array_foreach(field(route, "clusters"), i, share)
	{
		char time[UNITS_TEXT_MAX];
		const char *namespace = field_text(share, "namespace");
		bool http = field_true(share, "http"), https = field_true(share, "https");
		int64_t created = field_time(share, "created_at");
		output_line(&cli->out, "%s serves %s%s%s%s%s", field_text(share, "cluster"),
		            http && https ? "http and https"
		            : http        ? "http only"
		            : https       ? "https only"
		                          : "nothing",
		            namespace[0] != '\0' ? ", from namespace " : "", namespace, created >= 0 ? ", since " : "",
		            created >= 0 ? time_format(created, time) : "");
	}
}

static int render_route(struct cli *cli, const json_t *answer)
{
	char time[UNITS_TEXT_MAX];
	const json_t *route = field(answer, "route"), *rollback = field(route, "rollback");
	json_t *list = json_pack("[O]", route);
	list_print(cli, list, &route_list);
	json_decref(list);
	print_served(cli, route);
	if (!rollback)
		return CLI_DONE;
	const char *reason = field_text(rollback, "reason");
	output_line(&cli->out, "Last change: revision %lld, %s, by %s%s%s; back with: pointsman rollback %s",
	            (long long)field_int(rollback, "revision"), time_format(field_time(rollback, "at"), time),
	            field_text(rollback, "by"), reason[0] != '\0' ? ": " : "", reason, field_text(route, "host"));
	return CLI_DONE;
}

int route_show(struct cli *cli)
{
	return cli_show(cli, target_make("/api/v1/routes/%s", cli_word(cli, 0)), render_route);
}

/* ---- explain ---- */

static void explain_cluster_row(struct cli *cli, struct table *table, const json_t *cluster)
{
	char number[UNITS_TEXT_MAX];
	bool usable = field_true(cluster, "usable"), turn = field_true(cluster, "turn");
	table_cell(table, turn ? TONE_GOOD : TONE_DIM, "%s", turn ? ">" : "");
	table_cell(table, TONE_PLAIN, "%s", field_text(cluster, "cluster"));
	table_cell(table, TONE_PLAIN, "%s", percent_format(field_real(cluster, "weight"), number));
	table_cell(table, TONE_PLAIN, "%s", field_text(cluster, "weight_origin"));
	table_cell(table, TONE_PLAIN, "%s", field_true(cluster, "served") ? "yes" : "no");
	table_cell(table, usable ? TONE_GOOD : TONE_BAD, "%s", usable ? "yes" : "no");
	table_cell(table, TONE_DIM, "%lld", (long long)field_int(cluster, "credit"));
	table_cell(table, TONE_PLAIN, "%s", field_text(cluster, "why"));
}

static void explain_host_row(struct cli *cli, struct table *table, const json_t *host)
{
	char number[UNITS_TEXT_MAX];
	bool usable = field_true(host, "usable"), elected = field_true(host, "elected");
	bool healthy = field_true(host, "healthy");
	table_cell(table, elected ? TONE_GOOD : TONE_DIM, "%s", elected ? ">" : "");
	table_cell(table, TONE_PLAIN, "%s/%s", field_text(host, "cluster"), field_text(host, "name"));
	table_cell(table, TONE_PLAIN, "%s:%lld", field_text(host, "address"), (long long)field_int(host, "port"));
	table_cell(table, healthy ? TONE_GOOD : TONE_BAD, "%s",
	           !healthy                        ? "unhealthy"
	           : field_true(host, "suspected") ? "suspected"
	                                           : "healthy");
	table_cell(table, TONE_PLAIN, "%s", count_format(field_int(host, "active"), number));
	table_cell(table, usable ? TONE_GOOD : TONE_BAD, "%s", usable ? "yes" : "no");
	table_cell(table, TONE_PLAIN, "%s", field_text(host, "why"));
}

static int render_explain(struct cli *cli, const json_t *answer)
{
	static const struct column cluster_columns[] = {
	    {.title = ""},
	    {.title = "CLUSTER"},
	    {.title = "WEIGHT", .right = true},
	    {.title = "FROM"},
	    {.title = "SERVED"},
	    {.title = "USABLE"},
	    {.title = "CREDIT", .right = true},
	    {.title = "WHY", .below = true},
	};
	static const struct column host_columns[] = {
	    {.title = ""},
	    {.title = "HOST", .flexible = true},
	    {.title = "ADDRESS"},
	    {.title = "HEALTH"},
	    {.title = "ACTIVE", .right = true},
	    {.title = "USABLE"},
	    {.title = "WHY", .below = true},
	};
	const char *route = field_text(answer, "route");
	bool elected = strcmp(field_text(answer, "decision"), "elected") == 0;
	output_toned(&cli->out, elected ? TONE_GOOD : TONE_BAD, "%s", field_text(answer, "text"));
	output_line(&cli->out, "Listener %s, route %s, worker %lld", field_text(answer, "listener"),
	            route[0] != '\0' ? route : "none", (long long)field_int(answer, "worker"));
	if (json_array_size(field(answer, "clusters")) > 0)
		list_print(
		    cli, field(answer, "clusters"),
		    &(struct list){
		        .noun = "cluster", .columns = cluster_columns, .column_count = 8, .row = explain_cluster_row});
	if (json_array_size(field(answer, "hosts")) > 0)
		list_print(
		    cli, field(answer, "hosts"),
		    &(struct list){
		        .noun = "router host", .columns = host_columns, .column_count = 7, .row = explain_host_row});
	return CLI_DONE;
}

int explain_show(struct cli *cli)
{
	char *target = target_make("/api/v1/explain?host=%s", cli_word(cli, 0));
	target = target_add(target, "from", cli_option(cli, OPTION_FROM_ADDRESS));
	target = target_add(target, "listener", cli_option(cli, OPTION_LISTENER));
	return cli_show(cli, target, render_explain);
}

/* ---- diff ---- */

static void diff_row(struct cli *cli, struct table *table, const json_t *difference)
{
	const char *level = field_text(difference, "level");
	table_cell(table, plan_tone(level), "%s", level);
	table_cell(table, TONE_PLAIN, "%s", field_text(difference, "host"));
	table_cell(table, TONE_PLAIN, "%s", field_text(difference, "kind"));
	table_cell(table, TONE_PLAIN, "%s", field_text(difference, "detail"));
}

/* The sums of all differences; something red is a failure. */
static int end_diff(struct cli *cli, const json_t *page)
{
	char red[UNITS_TEXT_MAX], yellow[UNITS_TEXT_MAX], same[UNITS_TEXT_MAX];
	bool bad = field_int(page, "red") > 0;
	if (!cli_json(cli))
		output_toned(&cli->out, bad ? TONE_BAD : TONE_GOOD, "%s -> %s: %s red, %s yellow, %s the same",
		             field_text(page, "from"), field_text(page, "to"),
		             count_format(field_int(page, "red"), red), count_format(field_int(page, "yellow"), yellow),
		             count_format(field_int(page, "same"), same));
	return bad ? CLI_FAILED : CLI_DONE;
}

int diff_show(struct cli *cli)
{
	static const struct column columns[] = {
	    {.title = "LEVEL"},
	    {.title = "ROUTE", .flexible = true},
	    {.title = "KIND"},
	    {.title = "DETAIL", .below = true},
	};
	static const struct list list = {.items = "differences",
	                                 .noun = "difference",
	                                 .columns = columns,
	                                 .column_count = 4,
	                                 .row = diff_row,
	                                 .end = end_diff};
	char *target = target_make("/api/v1/diff?from=%s&to=%s", cli_word(cli, 0), cli_word(cli, 1));
	target = target_add(target, "namespace", cli_option(cli, OPTION_NAMESPACE));
	target = target_add(target, "search", cli_option(cli, OPTION_SEARCH));
	return list_show(cli, target, &list);
}
