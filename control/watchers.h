/* The watches of all clusters with source `watch`: one kube_source each, started and stopped as clusters come and go,
 * their reports adopted into the state, and its last good state saved in a file of its own. Knows no rings and no HTTP.
 */
#ifndef PM_WATCHERS_H
#define PM_WATCHERS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/message.h"
#include "control/event_loop.h"
#include "control/kube/kube_source.h"
#include "control/state/state.h"

struct config;
struct control;

struct watcher {
	struct control *control;
	uint16_t index; /* of the cluster */
	char name[CLUSTER_NAME_MAX + 1];
	struct kube_source *source; /* NULL: nothing is watched here */
	uint64_t save_at;           /* monotonic ms: not before */
	bool failing;               /* and the journal says so */
};

struct watchers {
	struct control *control;
	struct watcher list[CLUSTERS_MAX]; /* by index of the cluster */
	struct event_timer save_timer, reap_timer;
};

/* Removes what another state has left of the watched clusters of this one. */
void watchers_forget(const struct control *control);
/* The same of one that does not come. */
void watchers_forget_cluster(const struct control *control, const char *cluster);
/* Reads what was saved of the watched clusters of the state. */
void watchers_load(struct control *control);
/* Begins to watch. */
void watchers_start(struct watchers *watchers, struct control *control);
/* Saves what is not saved and ends all watches. */
void watchers_stop(struct watchers *watchers);
/* Clusters came, went or are watched otherwise. */
void watchers_refresh(struct watchers *watchers);
/* Saves what of the watched clusters has changed: at once, or later if it takes long and was done just now. */
void watchers_save(struct watchers *watchers);

/* Saves one cluster of a state at once, durably. False: `why` (STATE_FILE_TEXT_MAX) says what failed. */
bool watchers_save_now(const struct control *control, const struct state *state, struct cluster *cluster, char *why);

/* See kube_source_rejection; NULL if the cluster is not watched. */
const char *watchers_rejection(const struct watchers *watchers, const struct cluster *cluster, uint64_t name_id);
/* False: the cluster is not watched. */
bool watchers_status(const struct watchers *watchers, const struct cluster *cluster, struct kube_status *out);

#endif
