/* pointsman probe: a real request for a name to each router host of a cluster, made by control. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/cli/cli.h"
#include "control/cli/commands.h"
#include "control/cli/fields.h"
#include "control/cli/list.h"
#include "control/cli/units.h"

enum { DAYS_SOON = 21 }; /* a certificate that ends earlier deserves a look */

/* `said`: that it is for other names is told already. */
static char *certificate_text(const json_t *certificate, bool said)
{
	size_t i, size;
	char *text = NULL;
	const json_t *name;
	FILE *out = open_memstream(&text, &size);
	if (!out)
		abort();
	if (certificate) {
		if (!said && !field_true(certificate, "matches"))
			fputs("FOR OTHER NAMES: ", out);
		json_array_foreach(field(certificate, "names"), i, name)
		{
			fprintf(out, "%s%s", i > 0 ? "," : "", json_string_value(name) ? json_string_value(name) : "");
		}

		fprintf(out, " by %s, %lld days left", field_text(certificate, "issuer"),
		        (long long)field_int(certificate, "days_left"));
	}
	if (fclose(out) != 0)
		abort();
	return text;
}

static enum tone certificate_tone(const json_t *certificate)
{
	if (!certificate)
		return TONE_PLAIN;
	if (!field_true(certificate, "matches") || field_int(certificate, "days_left") < 0)
		return TONE_BAD;
	return field_int(certificate, "days_left") < DAYS_SOON ? TONE_WARN : TONE_GOOD;
}

static void put_time(struct table *table, const json_t *result, const char *name)
{
	if (field(result, name))
		table_cell(table, TONE_PLAIN, "%.0f", field_real(result, name));
	else
		table_cell(table, TONE_DIM, "-");
}

static void row(struct cli *cli, struct table *table, const json_t *result)
{
	bool ok = field_true(result, "ok");
	const char *error = field_text(result, "error");
	const json_t *certificate = field(result, "certificate");
	char *certified = certificate_text(certificate, error[0] != '\0');
	table_cell(table, TONE_PLAIN, "%s", field_text(result, "host"));
	table_cell(table, TONE_PLAIN, "%s:%lld", field_text(result, "address"), (long long)field_int(result, "port"));
	table_cell(table, TONE_PLAIN, "%s", field_true(result, "https") ? "yes" : "no");
	if (field(result, "status"))
		table_cell(table, ok ? TONE_GOOD : TONE_BAD, "%lld", (long long)field_int(result, "status"));
	else
		table_cell(table, TONE_BAD, "-");
	put_time(table, result, "connect_ms");
	put_time(table, result, "first_byte_ms");
	put_time(table, result, "time_ms");
	table_cell(table, error[0] != '\0' ? TONE_BAD : certificate_tone(certificate), "%s%s%s", error,
	           error[0] != '\0' && certified[0] != '\0' ? "; " : "", certified);
	free(certified);
}

static bool all_ok(const json_t *results)
{
	size_t i;
	const json_t *result;
	json_array_foreach(results, i, result)
	{
		if (!field_true(result, "ok"))
			return false;
	}

	return json_array_size(results) > 0;
}

static int print(struct cli *cli, const struct answer *answer)
{
	static const struct column columns[] = {
	    {.title = "HOST", .flexible = true},
	    {.title = "ADDRESS"},
	    {.title = "TLS"},
	    {.title = "STATUS", .right = true},
	    {.title = "CONNECT MS", .right = true},
	    {.title = "FIRST BYTE MS", .right = true},
	    {.title = "ALL MS", .right = true},
	    {.title = "CERTIFICATE", .below = true},
	};
	const json_t *results = field(answer->json, "results");
	if (cli_json(cli))
		cli_print_raw(cli, answer);
	else
		list_print(cli, results,
		           &(struct list){.noun = "router host",
		                          .columns = columns,
		                          .column_count = sizeof(columns) / sizeof(columns[0]),
		                          .row = row});
	return all_ok(results) ? CLI_DONE : CLI_FAILED;
}

int cluster_probe(struct cli *cli)
{
	struct answer answer;
	int status = CLI_FAILED;
	json_t *body = json_pack("{s:s, s:s*, s:s*}", "host", cli_word(cli, 1), "path", cli_option(cli, OPTION_PATH),
	                         "router", cli_option(cli, OPTION_ROUTER));
	if (cli_option(cli, OPTION_HTTPS))
		json_object_set_new(body, "https", json_true());
	char *text = json_dumps(body, JSON_COMPACT);
	if (cli_send(cli, "POST", target_make("/api/v1/clusters/%s/probe", cli_word(cli, 0)), text, NULL, &answer))
		status = print(cli, &answer);
	answer_free(&answer);
	free(text);
	json_decref(body);
	return status;
}
