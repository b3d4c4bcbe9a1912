/* Commands that change the weights of routes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/cli/cli.h"
#include "control/cli/commands.h"
#include "control/cli/plan.h"
#include "control/cli/units.h"

static int render(struct cli *cli, const json_t *answer)
{
	return plan_print_answer(cli, answer);
}

int route_weight(struct cli *cli)
{
	double weight;
	const char *text = cli_word(cli, 2);
	if (strcmp(text, "default") != 0 && !percent_parse(text, &weight))
		return cli_misuse(cli, "weight %.80s: expected 0 to 100 with at most two decimals, or default", text);
	char *target = target_make("/api/v1/routes/%s/clusters/%s/weight", cli_word(cli, 0), cli_word(cli, 1));
	if (strcmp(text, "default") == 0)
		return cli_change(cli, "DELETE", target, NULL, render);
	return cli_change(cli, "PUT", target, json_pack("{s:f}", "weight", weight), render);
}

/* {to, percent, force, namespace, search} as given, and of one route {from}: that of many is in the address. */
static json_t *shift_body(const struct cli *cli, double percent)
{
	bool all = cli_option(cli, OPTION_ALL);
	json_t *body = json_pack("{s:s*, s:s, s:f, s:s*, s:s*}", "from", all ? NULL : cli_option(cli, OPTION_FROM),
	                         "to", cli_option(cli, OPTION_TO), "percent", percent, "namespace",
	                         cli_option(cli, OPTION_NAMESPACE), "search", cli_option(cli, OPTION_SEARCH));
	if (cli_option(cli, OPTION_FORCE))
		json_object_set_new(body, "force", json_true());
	return body;
}

/* "10" or "10%" */
static bool share_parse(const char *text, double *percent)
{
	char number[UNITS_TEXT_MAX];
	size_t len = strlen(text);
	if (len > 0 && text[len - 1] == '%')
		len--;
	return snprintf(number, sizeof(number), "%.*s", (int)len, text) < (int)sizeof(number) &&
	       percent_parse(number, percent);
}

int route_shift(struct cli *cli)
{
	double percent;
	const char *route = cli_word(cli, 0), *text = cli_option(cli, OPTION_PERCENT),
	           *from = cli_option(cli, OPTION_FROM);
	bool all = cli_option(cli, OPTION_ALL);
	if (all == (route != NULL))
		return cli_misuse(cli, "which routes? Give one ROUTE, or --all --from CLUSTER");
	if (all && !from)
		return cli_misuse(cli, "--all needs --from CLUSTER: the routes of this cluster are shifted");
	if (!all && (cli_option(cli, OPTION_NAMESPACE) || cli_option(cli, OPTION_SEARCH)))
		return cli_misuse(cli, "--namespace and --search choose among --all routes");
	if (!cli_option(cli, OPTION_TO) || !text)
		return cli_misuse(cli, "where to? --to CLUSTER and --percent P are needed");
	if (from && strcmp(from, cli_option(cli, OPTION_TO)) == 0)
		return cli_misuse(cli, "--from and --to are both %.80s: expected two clusters", from);
	if (!share_parse(text, &percent))
		return cli_misuse(cli, "--percent %.80s: expected 0 to 100 with at most two decimals", text);
	char *target =
	    all ? target_make("/api/v1/clusters/%s/shift", from) : target_make("/api/v1/routes/%s/shift", route);
	return cli_change(cli, "POST", target, shift_body(cli, percent), render);
}

int route_rollback(struct cli *cli)
{
	return cli_change(cli, "POST", target_make("/api/v1/routes/%s/rollback", cli_word(cli, 0)), json_object(),
	                  render);
}
