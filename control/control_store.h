/* The state file: written before anything is applied, read at start; and what the operator should know of that.
 * Knows nothing of the workers. */
#ifndef PM_CONTROL_STORE_H
#define PM_CONTROL_STORE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/json_reader.h"
#include "control/state/cluster.h"

struct control;
struct state;
struct state_change;

/* A line for the status, logged too. */
__attribute__((format(printf, 2, 3))) void control_notice(struct control *control, const char *format, ...);
void control_log_faults(const char *where, const struct json_faults *faults);

/* Something of the state could not be written; control->state_file.why says what: told once. */
void control_not_saved(struct control *control);
/* Writes the state as it will be after the change (NULL: as it is), durably. False: control->state_file says why. */
bool control_save(struct control *control, const struct state_change *change);
/* The same for another state, which is to become control's. */
bool control_save_state(struct control *control, const struct state *state, const struct state_change *change);
/* Saves what was changed in place; the revision is one up. False: the caller takes it back. */
bool control_save_in_place(struct control *control);

/* Makes the state: from the state file, or from these clusters when there is none. Takes the specs. False: it cannot
 * start; the reason was logged. */
bool control_load(struct control *control, struct cluster_spec **specs, size_t count);

#endif
