/* Commands that show the machine, its clusters and their router hosts. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/cli/cli.h"
#include "control/cli/commands.h"
#include "control/cli/fields.h"
#include "control/cli/list.h"
#include "control/cli/state.h"
#include "control/cli/units.h"

/* ---- clusters ---- */

static const struct column cluster_columns[] = {
    {.title = "CLUSTER", .flexible = true},
    {.title = "STATE"},
    {.title = "SOURCE"},
    {.title = "HOSTS", .right = true},
    {.title = "ROUTES", .right = true},
    {.title = "ACTIVE", .right = true},
    {.title = "NEW/S", .right = true},
    {.title = "NOTES", .below = true},
};

static void cluster_row(struct cli *cli, struct table *table, const json_t *cluster)
{
	char number[UNITS_TEXT_MAX];
	const char *state = field_text(cluster, "state");
	char *notes = state_cluster_notes(cluster);
	table_cell(table, TONE_PLAIN, "%s", field_text(cluster, "name"));
	table_cell(table, state_tone(state), "%s", state);
	table_cell(table, TONE_PLAIN, "%s", field_text(cluster, "source"));
	table_cell(table, state_hosts_tone(cluster), "%lld/%lld", (long long)field_int(cluster, "healthy_hosts"),
	           (long long)field_int(cluster, "hosts"));
	table_cell(table, TONE_PLAIN, "%s", count_format(field_int(cluster, "routes"), number));
	table_cell(table, TONE_PLAIN, "%s", count_format(field_int(cluster, "active"), number));
	table_cell(table, TONE_PLAIN, "%s", count_format(field_int(cluster, "new_per_second"), number));
	table_cell(table, notes[0] != '\0' ? TONE_WARN : TONE_PLAIN, "%s", notes);
	free(notes);
}

static const struct list cluster_list = {
    .items = "clusters",
    .noun = "cluster",
    .columns = cluster_columns,
    .column_count = sizeof(cluster_columns) / sizeof(cluster_columns[0]),
    .row = cluster_row,
};

static int render_clusters(struct cli *cli, const json_t *answer)
{
	list_print(cli, field(answer, "clusters"), &cluster_list);
	return CLI_DONE;
}

int clusters_show(struct cli *cli)
{
	return cli_show(cli, target_make("/api/v1/clusters"), render_clusters);
}

/* ---- hosts ---- */

static const struct column host_columns[] = {
    {.title = "HOST", .flexible = true},
    {.title = "ADDRESS"},
    {.title = "MODE"},
    {.title = "HEALTH"},
    {.title = "ACTIVE", .right = true},
    {.title = "TOTAL", .right = true},
    {.title = "REFUSED", .right = true},
    {.title = "SINCE", .right = true},
    {.title = "NOTES", .below = true},
};

static void host_row(struct cli *cli, struct table *table, const json_t *host)
{
	char number[UNITS_TEXT_MAX];
	bool healthy = field_true(host, "healthy");
	const char *mode = state_host_mode(host);
	int64_t changed = field_time(host, "health.changed_at");
	char *notes = state_host_notes(host);
	table_cell(table, TONE_PLAIN, "%s/%s", field_text(host, "cluster"), field_text(host, "name"));
	table_cell(table, TONE_PLAIN, "%s", field_text(host, "address"));
	table_cell(table, state_tone(mode), "%s", mode);
	table_cell(table, healthy ? TONE_GOOD : TONE_BAD, "%s", healthy ? "healthy" : "unhealthy");
	table_cell(table, TONE_PLAIN, "%s", count_format(field_int(host, "active"), number));
	table_cell(table, TONE_PLAIN, "%s", count_format(field_int(host, "total"), number));
	table_cell(table, TONE_PLAIN, "%s", count_format(field_int(host, "refused"), number));
	table_cell(table, TONE_DIM, "%s",
	           changed < 0 ? "-" : duration_format((int64_t)time(NULL) - changed / 1000, number));
	table_cell(table, healthy ? TONE_PLAIN : TONE_BAD, "%s", notes);
	free(notes);
}

static const struct list host_list = {
    .items = "hosts",
    .noun = "router host",
    .columns = host_columns,
    .column_count = sizeof(host_columns) / sizeof(host_columns[0]),
    .row = host_row,
};

int hosts_show(struct cli *cli)
{
	return list_show(cli, target_add(target_make("/api/v1/hosts"), "cluster", cli_option(cli, OPTION_CLUSTER)),
	                 &host_list);
}

int state_print_hosts(struct cli *cli, const char *cluster)
{
	struct answer answer;
	char *target = target_make("/api/v1/hosts?cluster=%s", cluster);
	bool good = cli_get(cli, target, &answer);
	if (good)
		list_print(cli, field(answer.json, "hosts"), &host_list);
	answer_free(&answer);
	free(target);
	return good ? CLI_DONE : CLI_FAILED;
}

/* ---- one cluster ---- */

static void print_watch(const struct cli *cli, const json_t *watch)
{
	char age[UNITS_TEXT_MAX] = "never";
	if (field(watch, "age_seconds"))
		duration_format(field_int(watch, "age_seconds"), age);
	const char *error = field_text(watch, "error");
	bool failing = field_true(watch, "failing");
	output_toned(&cli->out, failing ? TONE_BAD : TONE_PLAIN, "  %-14s %s, current %s%s, %lld objects%s%s",
	             field_text(watch, "what"), field_text(watch, "detail"), age,
	             strcmp(age, "never") == 0 ? "" : " ago", (long long)field_int(watch, "objects"),
	             failing && error[0] != '\0' ? ": " : "", failing ? error : "");
}

void state_print_cluster(struct cli *cli, const json_t *cluster)
{
	size_t i;
	const json_t *item;
	json_t *list = json_pack("[O]", cluster);
	list_print(cli, list, &cluster_list);
	json_decref(list);
	json_array_foreach(field(cluster, "watches"), i, item)
	{
		if (i == 0)
			output_line(&cli->out, "Watches:");
		print_watch(cli, item);
	}
	json_array_foreach(field(cluster, "warnings"), i, item)
	{
		output_toned(&cli->out, TONE_WARN, "warning: %s",
		             json_string_value(item) ? json_string_value(item) : "");
	}

	if (field_int(cluster, "more_warnings") > 0)
		output_toned(&cli->out, TONE_WARN, "and %lld more warnings",
		             (long long)field_int(cluster, "more_warnings"));
	output_line(&cli->out, "%s", "");
}

static int render_cluster(struct cli *cli, const json_t *answer)
{
	state_print_cluster(cli, answer);
	return state_print_hosts(cli, cli_word(cli, 0));
}

/* With --json the form that `cluster add --file` takes. */
int cluster_show(struct cli *cli)
{
	const char *name = cli_word(cli, 0);
	if (cli_json(cli))
		return cli_show(cli, target_make("/api/v1/clusters/%s", name), render_cluster);
	return cli_show(cli, target_make("/api/v1/clusters/%s/status", name), render_cluster);
}

/* ---- the machine ---- */

static void print_control(const struct cli *cli, const json_t *status)
{
	char up[UNITS_TEXT_MAX];
	int64_t started = field_time(status, "control.started_at");
	output_line(&cli->out, "control      pointsman %s at %s, up %s", field_text(status, "control.version"),
	            cli->settings.url, started < 0 ? "-" : duration_format((int64_t)time(NULL) - started / 1000, up));
}

static bool is_ready(const json_t *status)
{
	return strcmp(field_text(status, "dataplane.state"), "ready") == 0;
}

static void print_dataplane(const struct cli *cli, const json_t *status)
{
	char up[UNITS_TEXT_MAX];
	const char *state = field_text(status, "dataplane.state"), *detail = field_text(status, "dataplane.detail");
	if (is_ready(status))
		output_toned(&cli->out, TONE_GOOD, "dataplane    ready, %zu worker%s, up %s",
		             json_array_size(field(status, "workers")),
		             json_array_size(field(status, "workers")) == 1 ? "" : "s",
		             duration_format(field_int(status, "dataplane.uptime_seconds"), up));
	else
		output_toned(&cli->out, TONE_BAD, "dataplane    %s%s%s", state, detail[0] != '\0' ? ": " : "", detail);
}

static void print_revision(const struct cli *cli, const json_t *status)
{
	long long revision = (long long)field_int(status, "control.revision");
	long long applied = (long long)field_int(status, "applied_revision");
	bool good = field_true(status, "state_file.good");
	const char *detail = field_text(status, "state_file.detail");
	if (applied >= revision)
		output_line(&cli->out, "revision     %lld, applied", revision);
	else
		output_toned(&cli->out, TONE_WARN, "revision     %lld, but the workers have %lld", revision, applied);
	if (!good)
		output_toned(&cli->out, TONE_BAD, "state file   %s: %s", field_text(status, "state_file.path"), detail);
}

/* Those that have ended and are still translated for a moment are not open. */
static void print_traffic(const struct cli *cli, const json_t *status)
{
	char open[UNITS_TEXT_MAX], spliced[UNITS_TEXT_MAX], young[UNITS_TEXT_MAX], total[UNITS_TEXT_MAX];
	int64_t flows = field_int(status, "counters.flows") - field_int(status, "counters.flows_lingering");
	output_line(&cli->out, "connections  %s open (%s spliced, %s before that), %s since the start",
	            count_format(flows, open), count_format(field_int(status, "counters.flows_spliced"), spliced),
	            count_format(field_int(status, "counters.flows_young"), young),
	            count_format(field_int(status, "counters.connections"), total));
}

static void print_vips(const struct cli *cli, const json_t *status)
{
	size_t i;
	const json_t *vip;
	json_array_foreach(field(status, "vips"), i, vip)
	{
		const json_t *held = field(vip, "held");
		output_toned(&cli->out, json_is_false(held) ? TONE_WARN : TONE_PLAIN, "%-13s%s %s:%lld%s",
		             i == 0 ? "listeners" : "", field_text(vip, "listener"), field_text(vip, "address"),
		             (long long)field_int(vip, "port"),
		             json_is_false(held) ? " (not served: the kernel does not hold the address)"
		             : held              ? ""
		                                 : " (not served: no dataplane)");
	}
}

static void print_ports(const struct cli *cli, const json_t *status)
{
	size_t i;
	const json_t *port;
	json_array_foreach(field(status, "ports"), i, port)
	{
		if (!field_true(port, "link_up"))
			output_toned(&cli->out, TONE_BAD, "port         %s: no link", field_text(port, "interface"));
	}
}

/* What is wrong with this machine. A VIP that it does not hold is not: another one may. */
static bool is_red(const json_t *status)
{
	size_t i;
	const json_t *port;
	bool red = !is_ready(status) || !field_true(status, "state_file.good");
	json_array_foreach(field(status, "ports"), i, port)
	{
		red |= !field_true(port, "link_up");
	}

	return red;
}

/* False: the clusters did not come, and that was said. */
static bool print_status(struct cli *cli, const json_t *status)
{
	size_t i;
	const json_t *message;
	struct answer clusters;
	print_control(cli, status);
	print_dataplane(cli, status);
	print_revision(cli, status);
	print_traffic(cli, status);
	print_vips(cli, status);
	print_ports(cli, status);
	json_array_foreach(field(status, "messages"), i, message)
	{
		output_toned(&cli->out, TONE_WARN, "message      %s",
		             json_string_value(message) ? json_string_value(message) : "");
	}

	output_line(&cli->out, "%s", "");
	bool good = cli_get(cli, "/api/v1/clusters", &clusters);
	if (good)
		render_clusters(cli, clusters.json);
	answer_free(&clusters);
	return good;
}

int status_show(struct cli *cli)
{
	struct answer answer;
	bool good = cli_get(cli, "/api/v1/status", &answer);
	if (good && cli_json(cli))
		cli_print_raw(cli, &answer);
	else if (good)
		good = print_status(cli, answer.json);
	good = good && !is_red(answer.json);
	answer_free(&answer);
	return good ? CLI_DONE : CLI_FAILED;
}

static int render_whoami(struct cli *cli, const json_t *answer)
{
	char time_text[UNITS_TEXT_MAX];
	int64_t expires = field_time(answer, "expires_at");
	const char *name = field_text(answer, "name");
	output_line(&cli->out, "%s%s%s by %s at %s%s%s", name, name[0] != '\0' ? ", " : "", field_text(answer, "role"),
	            field_text(answer, "by"), cli->settings.url, expires < 0 ? "" : ", until ",
	            expires < 0 ? "" : time_format(expires, time_text));
	return CLI_DONE;
}

int whoami_show(struct cli *cli)
{
	return cli_show(cli, target_make("/api/v1/whoami"), render_whoami);
}

/* JSON is what the configuration file is; so it is for people, too, only indented. */
static int render_config(struct cli *cli, const json_t *answer)
{
	char *text = json_dumps(answer, JSON_INDENT(2));
	if (text)
		fprintf(cli->out.file, "%s\n", text);
	free(text);
	return CLI_DONE;
}

int config_show(struct cli *cli)
{
	return cli_show(cli, target_make("/api/v1/config"), render_config);
}
