/* The operator's state as one document: what a revision keeps, what an export gives, and the way back from both. The
 * saved form of state.h without what is only a trace of the last changes, and with which routes are parked on every
 * cluster; for the clusters that are watched also, if asked for, the last good state of their APIs ("watched"). */
#ifndef PM_STATE_DOCUMENT_H
#define PM_STATE_DOCUMENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/json_reader.h"
#include "control/api/role.h"

struct control;
struct state;

enum { STATE_DOCUMENT_VERSION = 1 };

/* New reference. */
json_t *state_document(const struct state *state, bool watched);

/* Would it be taken? Checks everything; `path` is where it lies ("$.state"). False with at least one fault. */
bool state_document_check(const struct control *control, const json_t *document, const char *path,
                          struct json_faults *faults);

/* Makes the state what the document says, which was checked; saved before it is applied. What the APIs of watched
 * clusters show, and what plugins have pushed, stays for clusters that are there under the same name and source.
 * `revision`: what the state's is then. False: it could not be saved and nothing has changed;
 * control->state_file says why. */
bool state_document_apply(struct control *control, const json_t *document, uint64_t revision);

#endif
