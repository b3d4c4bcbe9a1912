/* Commands that change router hosts. */
#include <stdlib.h>
#include <string.h>

#include "control/cli/change.h"
#include "control/cli/cli.h"
#include "control/cli/commands.h"
#include "control/cli/fields.h"
#include "control/cli/plan.h"
#include "control/cli/wait.h"

static int render(struct cli *cli, const json_t *answer)
{
	return plan_print_answer(cli, answer);
}

static int change_mode(struct cli *cli, const char *verb, const char *cluster, const char *host)
{
	int status;
	json_t *body = change_body(cli, &status);
	if (!body)
		return status;
	return cli_change(cli, "POST", target_make("/api/v1/hosts/%s/%s/%s", cluster, host, verb), body, render);
}

static int change_host(struct cli *cli, const char *verb, bool drains)
{
	char *cluster;
	const char *host;
	if (!change_split_host(cli, cli_word(cli, 0), &cluster, &host))
		return CLI_USAGE;
	int status = change_mode(cli, verb, cluster, host);
	struct drain drain = {.cluster = cluster, .host = host, .timeout = change_timeout(cli)};
	if (status == CLI_DONE && drains && cli_option(cli, OPTION_WAIT) && !cli_option(cli, OPTION_PLAN))
		status = wait_drained(cli, &drain);
	free(cluster);
	return status;
}

int host_drain(struct cli *cli)
{
	return change_host(cli, "drain", true);
}

/* Without --close what is there goes on as in a drain; --wait is for the workers alone. */
int host_disable(struct cli *cli)
{
	return change_host(cli, "disable", false);
}

int host_enable(struct cli *cli)
{
	return change_host(cli, "enable", false);
}
