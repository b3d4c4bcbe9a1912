/* `pointsman-control --check`: the whole configuration file, the machine's part and the clusters, with all errors at
 * once. Changes nothing and needs no privileges. */
#ifndef PM_CONFIG_CHECK_H
#define PM_CONFIG_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "common/config.h"

/* False: at least one error. True: `summary` says in a line what the file describes. */
bool config_check(const char *path, struct config_errors *errors, char *summary, size_t size);

#endif
