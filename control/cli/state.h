/* How the states of clusters and router hosts are told to people; used by tables, by `top` and after changes. */
#ifndef PM_CLI_STATE_H
#define PM_CLI_STATE_H

#include <jansson.h>

#include "control/cli/output.h"

struct cli;

/* Of a cluster, of a router host, of a health. */
enum tone state_tone(const char *state);
/* All healthy, some, none. */
enum tone state_hosts_tone(const json_t *cluster);

/* One word for what counts most: disabled or draining by the operator, else what its pods say. */
const char *state_host_mode(const json_t *host);

/* What needs attention, "" for nothing; to be freed. */
char *state_cluster_notes(const json_t *cluster);
char *state_host_notes(const json_t *host);

/* A cluster with its watches and warnings. */
void state_print_cluster(struct cli *cli, const json_t *cluster);
/* The router hosts of a cluster; returns the exit status. */
int state_print_hosts(struct cli *cli, const char *cluster);

#endif
