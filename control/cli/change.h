/* What several changing commands need: bodies from options, JSON from files, and the way of an answer that was sent
 * for. */
#ifndef PM_CLI_CHANGE_H
#define PM_CLI_CHANGE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct answer;
struct cli;

/* {timeout, close, force} as far as they are given. NULL: one is wrong, that was said, `*status` is the exit status. */
json_t *change_body(const struct cli *cli, int *status);

/* --timeout in seconds, -1 if it is not given or wrong. */
int64_t change_timeout(const struct cli *cli);

/* "CLUSTER/HOST" in two. False: it is none, and that was said. `*cluster` is to be freed. */
bool change_split_host(const struct cli *cli, const char *text, char **cluster, const char **host);

/* A file ("-": stdin) as JSON, and its text if wanted; both to be freed. NULL: that was said. */
json_t *change_read_json(const struct cli *cli, const char *path, char **text);

/* Prints the answer to a change as cli_change does, and waits with --wait. */
int change_print(struct cli *cli, const struct answer *answer, int (*render)(struct cli *cli, const json_t *answer));

#endif
