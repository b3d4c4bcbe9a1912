/* What control knows of single routes and router hosts beside what their owner says, to and from the saved form of a
 * cluster: the operator's overrides, and what of a push is held. Pure. */
#ifndef PM_STATE_FACTS_H
#define PM_STATE_FACTS_H

#include <jansson.h>

#include "common/json_reader.h"
#include "control/state/cluster.h"
#include "control/state/json_text.h"
#include "control/state/names.h"

/* What is saved of the names: of each cluster, by its index, the entries of an object and of an array; and the last
 * changes. All zero to begin with. */
struct state_facts {
	struct json_text overrides[CLUSTERS_MAX], parked[CLUSTERS_MAX];
	struct rollback_gathered rollbacks;
};

/* All in one walk, which is what takes the time. */
void state_facts_gather(struct state_facts *facts, const struct names *names);
void state_facts_free(struct state_facts *facts);

/* Into the object of a cluster, which has a member already; nothing if there is nothing to say. */
void state_facts_write_overrides(struct json_text *text, const struct state_facts *facts, uint16_t cluster);
void state_facts_write_parked(struct json_text *text, const struct state_facts *facts, uint16_t cluster);
void state_facts_write_held(json_t *object, const struct cluster_spec *spec);

/* From it. What names no route or host is left out. */
void state_facts_read_parked(struct reader *reader, const struct names *names, uint16_t cluster);
void state_facts_read_overrides(struct reader *reader, struct names *names, uint16_t cluster);
void state_facts_read_held(struct reader *reader, struct cluster_spec *spec);

/* {"reason": "...", "since": ms, "listed": ms} and back; anything else is HOLD_NONE. */
json_t *state_facts_write_hold(const struct hold *hold);
struct hold state_facts_read_hold(const json_t *value);

#endif
