/* What control knows of single routes and router hosts beside what their owner says, to and from the saved form of a
 * cluster: the operator's overrides, and what of a push is held. Pure. */
#ifndef PM_STATE_FACTS_H
#define PM_STATE_FACTS_H

#include <jansson.h>

#include "common/json_reader.h"
#include "control/state/cluster.h"
#include "control/state/names.h"

/* Into the object of a cluster; nothing if there is nothing to say. */
void state_facts_write_overrides(json_t *object, const struct names *names, uint16_t cluster);
void state_facts_write_held(json_t *object, const struct cluster_spec *spec);

/* Of a cluster that is not watched: which of its routes are parked. */
void state_facts_write_parked(json_t *object, const struct names *names, uint16_t cluster);

/* From it. What names no route or host is left out. */
void state_facts_read_parked(struct reader *reader, const struct names *names, uint16_t cluster);
void state_facts_read_overrides(struct reader *reader, struct names *names, uint16_t cluster);
void state_facts_read_held(struct reader *reader, struct cluster_spec *spec);

/* {"reason": "...", "since": ms, "listed": ms} and back; anything else is HOLD_NONE. */
json_t *state_facts_write_hold(const struct hold *hold);
struct hold state_facts_read_hold(const json_t *value);

#endif
