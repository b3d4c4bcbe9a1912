/* Errors of the API: see the header. */
#include "control/cli/problem.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "control/cli/cli.h"
#include "control/cli/fields.h"
#include "control/cli/plan.h"
#include "control/cli/units.h"
#include "control/cli/wording.h"

enum { CHANGES_MAX = 10 };

static void hint(const struct cli *cli, const char *text)
{
	output_line(&cli->err, "  %s", text);
}

/* ---- no answer ---- */

static void print_scheme_hint(const struct cli *cli)
{
	bool https = strncasecmp(cli->settings.url, "https", 5) == 0;
	output_line(&cli->err, "  Perhaps it speaks %s: try --url %s...", https ? "plain HTTP" : "TLS",
	            https ? "http://" : "https://");
}

static void print_no_answer(const struct cli *cli, const struct answer *answer)
{
	cli_fail(cli, "no answer from %s: %s", cli->settings.url, answer->error);
	switch (answer->failure) {
	case CURLE_COULDNT_CONNECT:
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_OPERATION_TIMEDOUT:
		hint(cli, "Does pointsman-control run there? Its address is admin.listen of its configuration.");
		output_line(&cli->err, "  Another address: --url URL, POINTSMAN_URL, or url = URL in %s",
		            cli->settings.path ? cli->settings.path : "~/.config/pointsman/config");
		break;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
		hint(cli, "Name the authority that signed its certificate: --ca FILE (PEM), or ca = FILE in the "
		          "configuration");
		hint(cli, "file. The address must be one of the certificate's names.");
		break;
	case CURLE_GOT_NOTHING:
	case CURLE_RECV_ERROR:
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_SSL_CONNECT_ERROR:
		print_scheme_hint(cli);
		break;
	default:
		break;
	}
}

/* ---- refused ---- */

static void print_token_hint(const struct cli *cli)
{
	const char *path = cli->settings.path ? cli->settings.path : "~/.config/pointsman/config";
	if (cli->settings.token) {
		output_line(&cli->err, "  The token of %s is not known there, or was removed.",
		            cli->settings.token_from);
		return;
	}
	hint(cli, "Give a token: --token-file FILE, the variable POINTSMAN_TOKEN, or a line");
	output_line(&cli->err, "  token_file = FILE in %s", path);
	hint(cli, "The first one is made on pointsman's machine, as root:");
	hint(cli, "  pointsman token create NAME --role admin --local --config FILE");
}

/* What has changed since the revision that was expected: the newest events that made one. */
static void print_changes_since(struct cli *cli, const char *expected)
{
	struct answer answer;
	struct request request = {.method = "GET", .target = "/api/v1/events?limit=200"};
	uint64_t since = 0, revision = (uint64_t)-1;
	size_t i, shown = 0;
	const json_t *event;
	if (!expected || !number_parse(expected, INT64_MAX, &since))
		return;
	if (client_call(cli->client, &request, &answer) && answer.status == 200) {
		json_array_foreach(field(answer.json, "events"), i, event)
		{
			char time[UNITS_TEXT_MAX];
			uint64_t made = (uint64_t)field_int(event, "revision");
			if (made <= since || made == revision || shown == CHANGES_MAX)
				continue;
			if (shown++ == 0)
				output_line(&cli->err, "  Changed since revision %s, newest first:", expected);
			revision = made;
			output_line(&cli->err, "    %llu  %s  %s  %s", (unsigned long long)made,
			            time_format(field_time(event, "at"), time), field_text(event, "who"),
			            field_text(event, "text"));
		}
	}
	if (shown > 0)
		hint(cli, "Look at it, then try again with the present revision or without --if-revision.");
	answer_free(&answer);
}

static void print_faults(const struct cli *cli, const json_t *problem)
{
	size_t i;
	const json_t *fault, *faults = field(problem, "errors"), *only = json_array_get(faults, 0);
	if (json_array_size(faults) == 1 && strstr(field_text(problem, "detail"), field_text(only, "reason")))
		return; /* the detail says it all */
	json_array_foreach(faults, i, fault)
	{
		const char *expected = field_text(fault, "expected");
		output_line(&cli->err, "  %s: %s%s%s", field_text(fault, "path"), field_text(fault, "reason"),
		            expected[0] != '\0' ? "; expected " : "", expected);
	}
	if (field_int(problem, "more_errors") > 0)
		output_line(&cli->err, "  and %lld more", (long long)field_int(problem, "more_errors"));
}

/* Where the API says that force would help, this is how. */
static void print_conflict_hint(const struct cli *cli, const json_t *problem)
{
	if (field_true(problem, "forceable") && command_takes(cli->arguments->command, OPTION_FORCE) &&
	    !cli_option(cli, OPTION_FORCE))
		hint(cli, "--force does it all the same.");
}

static void print_refused(struct cli *cli, const struct request *request, const struct answer *answer)
{
	char *detail = wording_make(field_text(answer->json, "detail"));
	const char *title = field_text(answer->json, "title");
	cli_fail(cli, "%s (%ld%s%s)", detail[0] != '\0' ? detail : "refused", answer->status,
	         title[0] != '\0' ? " " : "", title);
	free(detail);
	print_faults(cli, answer->json);
	if (field(answer->json, "plan"))
		plan_print(&cli->err, field(answer->json, "plan"));
	if (answer->status == 401)
		print_token_hint(cli);
	else if (answer->status == 409)
		print_conflict_hint(cli, answer->json);
	else if (answer->status == 412)
		print_changes_since(cli, request->if_match);
	else if (answer->status == 429)
		hint(cli, "Too many calls from this address; wait a little.");
}

void problem_print(struct cli *cli, const struct request *request, const struct answer *answer)
{
	if (answer->status == 0)
		print_no_answer(cli, answer);
	else if (answer->json && answer->status >= 400)
		print_refused(cli, request, answer);
	else {
		cli_fail(cli, "%s answered %s %s with status %ld and no JSON: this is not pointsman's API",
		         cli->settings.url, request->method, request->target, answer->status);
		if (answer->status == 400 && strncasecmp(cli->settings.url, "http:", 5) == 0)
			print_scheme_hint(cli);
		else
			hint(cli, "Its address is admin.listen of pointsman-control's configuration; give it with "
			          "--url URL.");
	}
}
