/* Help, from the table of commands. */
#ifndef PM_CLI_HELP_H
#define PM_CLI_HELP_H

#include "control/cli/arguments.h"
#include "control/cli/output.h"

/* `command`: about this one; NULL: about all whose words begin with `group`, "" for all there are. */
void help_print(const struct output *output, const struct command *command, const char *group);

#endif
