/* What several changing commands need: see the header. */
#include "control/cli/change.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/cli/cli.h"
#include "control/cli/fields.h"
#include "control/cli/units.h"
#include "control/cli/wait.h"

enum { FILE_MAX = 1 << 29 };

json_t *change_body(const struct cli *cli, int *status)
{
	int64_t seconds;
	const char *timeout = cli_option(cli, OPTION_TIMEOUT);
	if (timeout && !duration_parse(timeout, &seconds)) {
		*status = cli_misuse(cli, "--timeout %.80s: expected a duration such as 90s, 30m or 2h", timeout);
		return NULL;
	}
	json_t *body = json_object();
	if (timeout)
		json_object_set_new(body, "timeout", json_integer(seconds));
	if (cli_option(cli, OPTION_CLOSE))
		json_object_set_new(body, "close", json_true());
	if (cli_option(cli, OPTION_FORCE))
		json_object_set_new(body, "force", json_true());
	return body;
}

int64_t change_timeout(const struct cli *cli)
{
	int64_t seconds;
	const char *timeout = cli_option(cli, OPTION_TIMEOUT);
	return timeout && duration_parse(timeout, &seconds) ? seconds : -1;
}

bool change_split_host(const struct cli *cli, const char *text, char **cluster, const char **host)
{
	const char *slash = strchr(text, '/');
	if (!slash || slash == text || slash[1] == '\0') {
		cli_misuse(cli, "%.80s: expected CLUSTER/HOST, as pointsman hosts shows it", text);
		return false;
	}
	*cluster = strndup(text, (size_t)(slash - text));
	*host = slash + 1;
	return true;
}

/* A whole file; NULL with errno. */
static char *read_all(FILE *file, size_t *len)
{
	char *text = NULL;
	size_t capacity = 0;
	*len = 0;
	do {
		if (*len + 1 >= capacity) {
			capacity = capacity > 0 ? capacity * 2 : 65536;
			char *longer = capacity <= FILE_MAX ? realloc(text, capacity) : NULL;
			if (!longer) {
				free(text);
				errno = EFBIG;
				return NULL;
			}
			text = longer;
		}
		*len += fread(text + *len, 1, capacity - *len - 1, file);
	} while (!feof(file) && !ferror(file));
	text[*len] = '\0';
	if (!ferror(file))
		return text;
	free(text);
	return NULL;
}

json_t *change_read_json(const struct cli *cli, const char *path, char **text)
{
	json_error_t error;
	size_t len;
	bool standard = strcmp(path, "-") == 0;
	FILE *file = standard ? stdin : fopen(path, "re");
	char *bytes = file ? read_all(file, &len) : NULL;
	json_t *json = NULL;
	if (!bytes)
		cli_fail(cli, "%s cannot be read: %s", path, strerror(errno));
	else if (!(json = json_loadb(bytes, len, JSON_REJECT_DUPLICATES, &error)))
		cli_fail(cli, "%s:%d:%d: %s; expected JSON", path, error.line, error.column, error.text);
	if (file && !standard)
		fclose(file);
	if (text && json)
		*text = bytes;
	else
		free(bytes);
	return json;
}

int change_print(struct cli *cli, const struct answer *answer, int (*render)(struct cli *cli, const json_t *answer))
{
	int status = CLI_DONE;
	if (cli_json(cli)) {
		cli_print_raw(cli, answer);
		status = field_true(answer->json, "plan.refused") ? CLI_FAILED : CLI_DONE;
	} else
		status = render(cli, answer->json);
	/* What was left out does not keep the rest from being waited for. */
	int waited = cli_option(cli, OPTION_WAIT) ? wait_applied(cli, answer->json) : CLI_DONE;
	return status == CLI_DONE ? waited : status;
}
