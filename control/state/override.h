/* The operator's weights, which win over those of the clusters: set, taken back, and rolled back, for one route or many
 * at once; saved before they count, as one revision. Plans nothing. */
#ifndef PM_OVERRIDE_H
#define PM_OVERRIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/observe/journal.h"
#include "control/state/names.h"
#include "control/api/role.h"

struct control;

/* One route on one cluster. */
struct override {
	struct name *name;
	uint16_t cluster;
	int32_t weight; /* in hundredths; below 0: none */
	bool parks;     /* parked as before, only without an override: of a rollback */
};

/* True if anything would be another thing than it is. */
bool override_changes(const struct override *list, size_t count);

/* Sets them all; the ones of one route stand together. Each route that is changed remembers what was before. The
 * journal gets `entry` with the revision, if anything has changed. False: it could not be saved and nothing has
 * changed; control->state_file says why. */
bool control_override_all(struct control *control, const struct override *list, size_t count,
                          const struct journal_entry *entry, const struct actor *actor);
/* One of them; `weight` below 0 takes it back. */
bool control_override(struct control *control, struct name *name, uint16_t cluster, int weight,
                      const struct actor *actor);
/* The overrides of the name are again what they were before its last change, which can be done once. */
bool control_rollback(struct control *control, struct name *name, const struct actor *actor);

#endif
