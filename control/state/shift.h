/* What it would do to a route to give a cluster a percentage of its new connections: the weights that it takes, the
 * shares before and after, and what speaks against it. Pure; carries nothing out.
 *
 * The cluster gets the percentage as its weight, the others what is left in the proportion of their weights now, so
 * that all weights together are 100. If the shift is from one cluster, that one gives, or takes, the difference, and
 * the others keep their shares; it cannot give more than it has. Where no other has a weight, what is left goes to the
 * only other active cluster that could take it; if there are several, somebody has to say which. Where the route is
 * parked or in conflict it stays so, except on the cluster that the shift is to, or that gets what is left. */
#ifndef PM_SHIFT_H
#define PM_SHIFT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "control/state/share.h"

struct cluster;

enum shift_level { SHIFT_GREEN, SHIFT_YELLOW, SHIFT_RED };

enum { SHIFT_NOTES_MAX = 10, SHIFT_NOTE_MAX = 240, SHIFT_LISTED_MAX = 1000 };

struct shift_plan {
	const struct name *name;
	const struct share_view *view;
	enum shift_level level;
	bool possible; /* false: there are no such weights, whatever one wants; the first note says why */
	unsigned note_count;
	char notes[SHIFT_NOTES_MAX][SHIFT_NOTE_MAX]; /* for people, the worst first */
	struct shares before;
	/* As in name->pairs: the override that it takes, below 0 for none (of a rollback or a single override: the
	 * weight that counts then);
	 * the share that follows. */
	int32_t weights[CLUSTERS_MAX];
	uint32_t after[CLUSTERS_MAX];
};

/* `percent` in hundredths. `from`: the one other cluster whose share changes, not `target`; NULL: all others'. */
void shift_plan_make(struct shift_plan *plan, const struct share_view *view, const struct name *name,
                     const struct cluster *target, const struct cluster *from, uint16_t percent);
/* The same for one override; `weight` in hundredths, below 0: it is taken back. */
void shift_plan_weight(struct shift_plan *plan, const struct share_view *view, const struct name *name,
                       uint16_t cluster, int weight);
/* The same for taking back the last change of the name's overrides, which must be there. */
void shift_plan_rollback(struct shift_plan *plan, const struct share_view *view, const struct name *name);
/* The plan of this one change: {"routes": 1, "red", "yellow", "changes": [...]}; a new reference. */
json_t *shift_plan_answer(const struct shift_plan *plan);
/* {"host", "level", "notes", "before": [{"cluster", "weight", "share"}], "after"}; a new reference. */
json_t *shift_plan_json(const struct shift_plan *plan);

#endif
