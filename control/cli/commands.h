/* The table of commands: the one place that knows which there are. Parsing, help and completion read it. */
#ifndef PM_CLI_COMMANDS_H
#define PM_CLI_COMMANDS_H

#include <stddef.h>

#include "control/cli/arguments.h"

extern const struct command commands[];
extern const size_t command_count;

/* The functions of the table, by file. Each returns the exit status. */

/* show_state.c */
int status_show(struct cli *cli);
int clusters_show(struct cli *cli);
int cluster_show(struct cli *cli);
int hosts_show(struct cli *cli);
int whoami_show(struct cli *cli);
int config_show(struct cli *cli);

/* show_routes.c */
int routes_show(struct cli *cli);
int route_show(struct cli *cli);
int explain_show(struct cli *cli);
int diff_show(struct cli *cli);

/* show_records.c */
int held_show(struct cli *cli);
int unknown_show(struct cli *cli);
int events_show(struct cli *cli);

/* connections.c */
int connections_show(struct cli *cli);
int connections_close(struct cli *cli);

/* change_cluster.c */
int cluster_add(struct cli *cli);
int cluster_check(struct cli *cli);
int cluster_activate(struct cli *cli);
int cluster_drain(struct cli *cli);
int cluster_offline(struct cli *cli);
int cluster_enable(struct cli *cli);
int cluster_remove(struct cli *cli);
int cluster_set(struct cli *cli);
int held_confirm(struct cli *cli);

/* probe.c */
int cluster_probe(struct cli *cli);

/* change_host.c */
int host_drain(struct cli *cli);
int host_disable(struct cli *cli);
int host_enable(struct cli *cli);

/* change_route.c */
int route_weight(struct cli *cli);
int route_shift(struct cli *cli);
int route_rollback(struct cli *cli);

/* manage.c */
int revision_save(struct cli *cli);
int revision_list(struct cli *cli);
int revision_show(struct cli *cli);
int revision_rollback(struct cli *cli);
int revision_remove(struct cli *cli);
int config_reload(struct cli *cli);
int state_export(struct cli *cli);
int state_import(struct cli *cli);

/* token.c */
int token_create(struct cli *cli);
int token_list(struct cli *cli);
int token_remove(struct cli *cli);

/* watch.c, top.c */
int route_watch(struct cli *cli);
int top_run(struct cli *cli);

/* help.c, completion.c */
int help_command(struct cli *cli);
int completion_bash(struct cli *cli);
int completion_names(struct cli *cli);

#endif
