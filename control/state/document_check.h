/* What of a state document the reader of the saved form leaves out without a word, checked word by word: a document
 * comes from people. Pure. */
#ifndef PM_DOCUMENT_CHECK_H
#define PM_DOCUMENT_CHECK_H

#include <jansson.h>

#include "common/config.h"
#include "common/json_reader.h"
#include "control/state/state.h"

/* The array `clusters` of a document that lies at `path`. */
void document_check_entries(const json_t *clusters, const char *path, struct json_faults *faults);
/* Its clusters as they were read, against the limits of the configuration and against each other. */
void document_check_clusters(const struct state *state, const json_t *clusters, const struct config *config,
                             const char *path, struct json_faults *faults);

#endif
