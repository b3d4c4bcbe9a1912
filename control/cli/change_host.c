/* Commands that change router hosts. */
#include <stdlib.h>
#include <string.h>

#include "control/cli/change.h"
#include "control/cli/cli.h"
#include "control/cli/commands.h"
#include "control/cli/fields.h"
#include "control/cli/plan.h"
#include "control/cli/units.h"
#include "control/cli/wait.h"

/* With --plan what would become of the router host: the API shows it as it is. */
static int render(struct cli *cli, const json_t *answer, const char *then)
{
	const json_t *host = field(answer, "host");
	if (host && field_true(answer, "dry_run") && field_true(answer, "changed")) {
		char number[UNITS_TEXT_MAX];
		const char *timeout = cli_option(cli, OPTION_TIMEOUT);
		output_line(&cli->out, "Would change:");
		output_line(&cli->out, "  router host %s/%s: %s -> %s; open connections there: %s%s%s%s",
		            field_text(host, "cluster"), field_text(host, "name"), field_text(host, "admin"), then,
		            count_format(field_int(answer, "active"), number), timeout ? ", closed after " : "",
		            timeout ? timeout : "", cli_option(cli, OPTION_CLOSE) ? ", closed at once" : "");
	}
	return plan_print_answer(cli, answer);
}

static int render_drain(struct cli *cli, const json_t *answer)
{
	return render(cli, answer, "draining");
}

static int render_disable(struct cli *cli, const json_t *answer)
{
	return render(cli, answer, "disabled");
}

static int render_enable(struct cli *cli, const json_t *answer)
{
	return render(cli, answer, "enabled");
}

static const struct verb {
	const char *name;
	bool drains;
	int (*render)(struct cli *cli, const json_t *answer);
} drain_verb = {"drain", true, render_drain}, disable_verb = {"disable", false, render_disable},
  enable_verb = {"enable", false, render_enable};

static int change_mode(struct cli *cli, const struct verb *verb, const char *cluster, const char *host)
{
	int status;
	json_t *body = change_body(cli, &status);
	if (!body)
		return status;
	return cli_change(cli, "POST", target_make("/api/v1/hosts/%s/%s/%s", cluster, host, verb->name), body,
	                  verb->render);
}

static int change_host(struct cli *cli, const struct verb *verb)
{
	char *cluster;
	const char *host;
	if (!change_split_host(cli, cli_word(cli, 0), &cluster, &host))
		return CLI_USAGE;
	int status = change_mode(cli, verb, cluster, host);
	struct drain drain = {.cluster = cluster, .host = host, .timeout = change_timeout(cli)};
	if (status == CLI_DONE && verb->drains && cli_option(cli, OPTION_WAIT) && !cli_option(cli, OPTION_PLAN))
		status = wait_drained(cli, &drain);
	free(cluster);
	return status;
}

int host_drain(struct cli *cli)
{
	return change_host(cli, &drain_verb);
}

/* Without --close what is there goes on as in a drain; --wait is for the workers alone. */
int host_disable(struct cli *cli)
{
	return change_host(cli, &disable_verb);
}

int host_enable(struct cli *cli)
{
	return change_host(cli, &enable_verb);
}
