/* What differs between the configuration that runs and the one that shall run, field by field, and which of these
 * fields a running program cannot change. Both programs ask here before they take a new file. Pure. */
#ifndef PM_CONFIG_CHANGE_H
#define PM_CONFIG_CHANGE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/config.h"

enum { CONFIG_CHANGES_MAX = 64, CONFIG_CHANGE_PATH_MAX = 79 };

struct config_change {
	char path[CONFIG_CHANGE_PATH_MAX + 1]; /* "$.timeouts.idle" */
	bool restart;                          /* takes effect only at the next start */
	const char *why;                       /* of a restart: "memory is taken at start" */
};

struct config_changes {
	size_t count;
	bool restart; /* of any of them */
	struct config_change list[CONFIG_CHANGES_MAX];
};

/* `clusters` is no part of it: the state file owns them. */
void config_compare(const struct config *running, const struct config *wanted, struct config_changes *changes);

#endif
