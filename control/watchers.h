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
	uint64_t state_save_at; /* monotonic ms: the state file not before */
	bool settled;           /* see watchers_refresh; false: begins anew */
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
/* Clusters came, went or are watched otherwise. Parking and conflicts are settled once, when every API has been listed:
 * files are not of one moment (a crash between two writes, a loss of power), and before that the one that serves a name
 * may be in none of them. */
void watchers_refresh(struct watchers *watchers);
/* Saves what of the watched clusters has changed, and what this has changed of others: at once, or later if it takes
 * long and was done just now. */
void watchers_save(struct watchers *watchers);
/* The same, but what is urgent durably and at once: before the operator, or a plugin, is answered. What fails is tried
 * again; until then a restart comes to the same by settling, but for a confirmation, which would have to be given
 * again. */
void watchers_save_urgent(struct watchers *watchers);

/* Saves one cluster of a state at once, durably. False: `why` (STATE_FILE_TEXT_MAX) says what failed. */
bool watchers_save_now(const struct control *control, const struct state *state, struct cluster *cluster, char *why);

/* See kube_source_rejection; NULL if the cluster is not watched. */
const char *watchers_rejection(const struct watchers *watchers, const struct cluster *cluster, uint64_t name_id);
/* False: the cluster is not watched. */
bool watchers_status(const struct watchers *watchers, const struct cluster *cluster, struct kube_status *out);

#endif
