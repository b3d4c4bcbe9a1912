/* What every command of the program `pointsman` works with: its arguments, the API, and where it prints. It asks and
 * tells the admin API of one pointsman-control; it decides nothing itself and keeps nothing. */
#ifndef PM_CLI_H
#define PM_CLI_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "control/cli/arguments.h"
#include "control/cli/client.h"
#include "control/cli/output.h"
#include "control/cli/settings.h"

/* Exit statuses, as --help and the man page tell them. */
enum {
	CLI_DONE = 0,
	CLI_FAILED = 1, /* refused, failed, or something is red */
	CLI_LATE = 2,   /* --wait waited long enough */
	CLI_USAGE = 64,
};

struct cli {
	const struct arguments *arguments;
	struct settings settings;
	struct client *client;
	struct output out, err;
};

/* The whole program but for its locale; `out` and `err` stay open. Returns the exit status. */
int cli_run(int argc, char **argv, FILE *out, FILE *err);

/* NULL: not given; "" for a flag that is given. */
const char *cli_option(const struct cli *cli, enum option option);
bool cli_json(const struct cli *cli);
/* The words after the command; NULL: not given. */
const char *cli_word(const struct cli *cli, size_t index);

/* "pointsman: ..." on stderr. Return CLI_FAILED and CLI_USAGE. */
int cli_fail(const struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));
int cli_misuse(const struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- reading ---- */

/* False: it was refused or did not come, and that was said. The answer is JSON; free it either way. */
bool cli_get(struct cli *cli, const char *target, struct answer *answer);

/* Gets `target` (taken), prints it as it came with --json, else by `render`, whose exit status counts. */
int cli_show(struct cli *cli, char *target, int (*render)(struct cli *cli, const json_t *answer));

/* The answer as it came, with a line end. */
void cli_print_raw(const struct cli *cli, const struct answer *answer);

/* ---- changing ---- */

/* Sends a change with --plan, --reason and --if-revision; prints the answer as cli_show does; waits, with --wait, until
 * the workers have it. `target` and `body` (NULL: none) are taken. */
int cli_change(struct cli *cli, const char *method, char *target, json_t *body,
               int (*render)(struct cli *cli, const json_t *answer));

/* The parts of it. False: refused, and that was said. `if_match` counts unless --if-revision is given. */
bool cli_send(struct cli *cli, const char *method, char *target, const char *body, const char *if_match,
              struct answer *answer);
/* The last line about a change: "done, revision 12", or what would have been done. */
void cli_print_outcome(const struct cli *cli, const json_t *answer);

#endif
