/* Commands that change clusters. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/cli/change.h"
#include "control/cli/cli.h"
#include "control/cli/commands.h"
#include "control/cli/fields.h"
#include "control/cli/plan.h"
#include "control/cli/problem.h"
#include "control/cli/state.h"
#include "control/cli/wait.h"

/* The cluster itself, to be changed or removed, with --force if it is given. */
static char *cluster_target(const struct cli *cli, const char *name)
{
	return target_add(target_make("/api/v1/clusters/%s", name), "force",
	                  cli_option(cli, OPTION_FORCE) ? "true" : NULL);
}

/* ---- add ---- */

/* Of --api and what belongs to it: a cluster with source `watch`. */
static json_t *cluster_of_api(const struct cli *cli)
{
	json_t *watch = json_pack("{s:s, s:s*, s:s*}", "server", cli_option(cli, OPTION_API), "token_file",
	                          cli_option(cli, OPTION_API_TOKEN_FILE), "ca_file", cli_option(cli, OPTION_API_CA));
	if (cli_option(cli, OPTION_API_INSECURE))
		json_object_set_new(watch, "insecure_skip_tls_verify", json_true());
	return json_pack("{s:s, s:o}", "source", "watch", "watch", watch);
}

/* Of --file, or of --api. NULL: it cannot be had, and that was said; `*status` is the exit status. */
static json_t *cluster_body(const struct cli *cli, int *status)
{
	const char *path = cli_option(cli, OPTION_FILE), *state = cli_option(cli, OPTION_CLUSTER_STATE);
	bool api = cli_option(cli, OPTION_API) != NULL;
	json_t *body = NULL;
	*status = CLI_FAILED;
	if (api == (path != NULL))
		*status =
		    cli_misuse(cli, "where is it? Give either --api URL with --token-file and --ca, or --file FILE");
	else if (api && !cli_option(cli, OPTION_API_TOKEN_FILE))
		*status = cli_misuse(
		    cli, "--api needs --token-file FILE, a file on pointsman's machine with the token of the "
		         "cluster's API");
	else
		body = api ? cluster_of_api(cli) : change_read_json(cli, path, NULL);
	if (body && !json_is_object(body)) {
		cli_fail(cli, "%s: expected one cluster as a JSON object", path);
		json_decref(body);
		return NULL;
	}
	if (body && state)
		json_object_set_new(body, "state", json_string(state));
	return body;
}

/* True: there is such a cluster. What else the API says is for the PUT to say. */
static bool is_there(struct cli *cli, const char *name)
{
	struct answer answer;
	char *target = target_make("/api/v1/clusters/%s", name);
	bool found = client_call(cli->client, &(struct request){.method = "GET", .target = target}, &answer) &&
	             answer.status == 200;
	free(target);
	answer_free(&answer);
	return found;
}

static int render_plan(struct cli *cli, const json_t *answer)
{
	return plan_print_answer(cli, answer);
}

int cluster_add(struct cli *cli)
{
	int status;
	const char *name = cli_word(cli, 0);
	json_t *body = cluster_body(cli, &status);
	if (!body)
		return status;
	if (!cli_option(cli, OPTION_FORCE) && is_there(cli, name)) {
		json_decref(body);
		return cli_fail(
		    cli, "there is a cluster %s already: --force replaces it, pointsman cluster set changes a field",
		    name);
	}
	status = cli_change(cli, "PUT", cluster_target(cli, name), body, render_plan);
	if (status == CLI_DONE && !cli_json(cli) && !cli_option(cli, OPTION_PLAN))
		output_line(&cli->out, "Look at what comes of it: pointsman cluster check %s", name);
	return status;
}

/* ---- set ---- */

/* "FIELD=VALUE" into `object`, where FIELD may be "health.interval". A value is JSON if it can be, else text. */
static bool set_field(const struct cli *cli, json_t *object, const char *setting)
{
	const char *equals = strchr(setting, '=');
	if (!equals || equals == setting) {
		cli_misuse(cli, "%.80s: expected FIELD=VALUE", setting);
		return false;
	}
	json_t *value = json_loads(equals + 1, JSON_DECODE_ANY, NULL);
	if (!value && !(value = json_string(equals + 1))) {
		cli_misuse(cli, "%.80s: the value is not UTF-8", setting);
		return false;
	}
	for (const char *name = setting;;) {
		size_t len = strcspn(name, ".=");
		if (name[len] == '=') {
			json_object_setn_new(object, name, len, value);
			return true;
		}
		json_t *inner = json_object_getn(object, name, len);
		if (!json_is_object(inner)) {
			inner = json_object();
			json_object_setn_new(object, name, len, inner);
		}
		object = inner;
		name += len + 1;
	}
}

static bool set_fields(const struct cli *cli, json_t *object)
{
	for (size_t i = 1; i < cli->arguments->word_count; i++)
		if (!set_field(cli, object, cli->arguments->words[i]))
			return false;
	return true;
}

static bool is_patchable(const json_t *settings)
{
	const char *name;
	json_t *value;
	json_object_foreach((json_t *)settings, name, value)
	{
		if (strcmp(name, "state") != 0 && strcmp(name, "new_routes") != 0 &&
		    strcmp(name, "default_weight") != 0)
			return false;
	}

	return true;
}

/* Other fields than PATCH takes: the whole cluster is fetched, changed, and put back if nobody else was faster. */
static int replace(struct cli *cli, const char *name)
{
	struct answer now, answer;
	char *target = target_make("/api/v1/clusters/%s", name);
	int status = CLI_FAILED;
	bool found = cli_get(cli, target, &now);
	free(target);
	if (found) {
		status = CLI_USAGE;
		if (set_fields(cli, now.json)) {
			char *body = json_dumps(now.json, JSON_COMPACT | JSON_REAL_PRECISION(15));
			status = CLI_FAILED;
			if (cli_send(cli, "PUT", cluster_target(cli, name), body, now.revision, &answer))
				status = change_print(cli, &answer, render_plan);
			answer_free(&answer);
			free(body);
		}
	}
	answer_free(&now);
	return status;
}

int cluster_set(struct cli *cli)
{
	const char *name = cli_word(cli, 0);
	json_t *settings = json_object();
	if (!set_fields(cli, settings)) {
		json_decref(settings);
		return CLI_USAGE;
	}
	if (is_patchable(settings))
		return cli_change(cli, "PATCH", cluster_target(cli, name), settings, render_plan);
	json_decref(settings);
	return replace(cli, name);
}

/* ---- states ---- */

static int change_state(struct cli *cli, const char *verb)
{
	int status;
	json_t *body = change_body(cli, &status);
	if (!body)
		return status;
	char *target = target_make("/api/v1/clusters/%s/%s", cli_word(cli, 0), verb);
	return cli_change(cli, "POST", target, body, render_plan);
}

int cluster_activate(struct cli *cli)
{
	return change_state(cli, "activate");
}

int cluster_enable(struct cli *cli)
{
	return change_state(cli, "enable");
}

int cluster_offline(struct cli *cli)
{
	return change_state(cli, "offline");
}

int cluster_drain(struct cli *cli)
{
	struct drain drain = {.cluster = cli_word(cli, 0), .timeout = change_timeout(cli)};
	int status = change_state(cli, "drain");
	if (status == CLI_DONE && cli_option(cli, OPTION_WAIT) && !cli_option(cli, OPTION_PLAN))
		status = wait_drained(cli, &drain);
	return status;
}

int cluster_remove(struct cli *cli)
{
	return cli_change(cli, "DELETE", cluster_target(cli, cli_word(cli, 0)), NULL, render_plan);
}

/* ---- check ---- */

/* Good: its API is read and every router host is healthy. */
static size_t failing_watches(const json_t *cluster)
{
	size_t i, failing = 0;
	const json_t *watch;
	json_array_foreach(field(cluster, "watches"), i, watch)
	{
		failing += field_true(watch, "failing");
	}

	return failing;
}

static bool checked_good(const json_t *cluster)
{
	int64_t hosts = field_int(cluster, "hosts");
	return hosts > 0 && field_int(cluster, "healthy_hosts") == hosts && failing_watches(cluster) == 0 &&
	       !field_true(cluster, "stale");
}

/* False: the router hosts did not come, and that was said. */
static bool print_check(struct cli *cli, const json_t *cluster)
{
	state_print_cluster(cli, cluster);
	if (state_print_hosts(cli, cli_word(cli, 0)) != CLI_DONE)
		return false;
	output_toned(&cli->out, checked_good(cluster) ? TONE_GOOD : TONE_BAD,
	             "%s: %lld of %lld router hosts healthy%s%s", field_text(cluster, "name"),
	             (long long)field_int(cluster, "healthy_hosts"), (long long)field_int(cluster, "hosts"),
	             failing_watches(cluster) > 0   ? ", its API fails"
	             : field_true(cluster, "stale") ? ", its API has not been read yet"
	                                            : "",
	             field_int(cluster, "held") > 0 ? ", some is held (see pointsman held)" : "");
	return true;
}

int cluster_check(struct cli *cli)
{
	struct answer answer;
	char *target = target_make("/api/v1/clusters/%s/check", cli_word(cli, 0));
	bool good = cli_send(cli, "POST", target, "{}", NULL, &answer);
	if (good && cli_json(cli))
		cli_print_raw(cli, &answer);
	else if (good)
		good = print_check(cli, answer.json);
	good = good && checked_good(answer.json);
	answer_free(&answer);
	return good ? CLI_DONE : CLI_FAILED;
}

/* ---- held ---- */

static int render_confirmed(struct cli *cli, const json_t *answer)
{
	long long confirmed = (long long)field_int(answer, "confirmed");
	output_line(&cli->out, "%lld held deletion%s %s", confirmed, confirmed == 1 ? "" : "s",
	            cli_option(cli, OPTION_PLAN) ? "would be carried out" : "carried out");
	cli_print_outcome(cli, answer);
	return CLI_DONE;
}

int held_confirm(struct cli *cli)
{
	return cli_change(cli, "POST", target_make("/api/v1/clusters/%s/held/confirm", cli_word(cli, 0)), json_object(),
	                  render_confirmed);
}
