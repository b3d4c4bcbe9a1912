/* What a change does to the shares of routes, as a table: before, after, and what speaks against it. */
#ifndef PM_CLI_PLAN_H
#define PM_CLI_PLAN_H

#include <jansson.h>

#include "control/cli/output.h"

struct cli;

/* A `plan` of the API. */
void plan_print(const struct output *output, const json_t *plan);

/* Of the answer to a change: its plan, whole with --plan, else in short, and the outcome. Returns the exit status: with
 * --plan CLI_FAILED if something in it is red, because without --force it would be refused. */
int plan_print_answer(struct cli *cli, const json_t *answer);

/* "v1 90%, v2 10%" of an array of {cluster, share}, by name; to be freed. */
char *plan_shares(const json_t *shares);

/* The tone of "red", "yellow" and of anything else. */
enum tone plan_tone(const char *level);

#endif
