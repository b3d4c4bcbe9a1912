/* The last good state of one watched cluster to and from JSON text: what its API showed, with what was decided about it
 * (parked, conflict, held). Apart from the state file, because it is large, changes often, and can be had again. Pure.
 */
#ifndef PM_WATCH_FILE_H
#define PM_WATCH_FILE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/json_reader.h"
#include "control/state/state.h"

/* Zero-terminated; `*len` without the zero. Free with free(). */
char *watch_file_write(const struct state *state, const struct cluster *cluster, size_t *len);
/* Into a cluster that has nothing yet but, perhaps, overrides. Routes that are not right are left out. False: it is no
 * such file, `why` says how, and nothing has changed. */
bool watch_file_read(struct state *state, struct cluster *cluster, json_t *value, uint64_t now, const char **why);

#endif
