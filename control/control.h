/* Control as a whole: the state and what moves it (the operator, plugins, health checks, events of the workers), saved
 * before it is applied, and told to the workers. One thread, one loop; the HTTP side stands in front of it. */
#ifndef PM_CONTROL_H
#define PM_CONTROL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/config.h"
#include "control/dataplane_link.h"
#include "control/event_loop.h"
#include "control/feed.h"
#include "control/slots.h"
#include "control/state.h"
#include "control/state_file.h"
#include "control/watchers.h"

struct checker;

enum { NOTICES_MAX = 2 * CLUSTERS_MAX + 8, CONTROL_PATH_MAX = CONFIG_PATH_MAX + 32 };

/* What a caller of the API is told of the state file. */
struct state_file_status {
	char path[CONTROL_PATH_MAX];
	bool good;
	int64_t saved_at;              /* Unix ms; 0: not by this process */
	char why[STATE_FILE_TEXT_MAX]; /* of the last failure */
};

struct control {
	const struct config *config;
	struct event_loop *loop;
	struct state state;
	struct state_file_status state_file;
	char health_path[CONTROL_PATH_MAX];
	int64_t started_at; /* Unix ms */
	bool restart;       /* the loop was stopped so that the process is replaced */

	/* What the operator should know, one line each; owned. */
	unsigned notice_count;
	char *notices[NOTICES_MAX];

	struct watchers watchers;
	struct checker *checker;
	struct event_timer health_timer, health_save_timer;

	struct dataplane_link *link;
	struct shared_header *shared; /* NULL: no dataplane; then slots and feed are empty too */
	struct slots hosts, pairs;
	struct feed feed;
	struct event_timer feed_timer;
	bool table_stale;       /* the workers have to be told something new */
	uint64_t rebuild_at;    /* monotonic ms: build a table anew for what found no slot; 0: no need */
	uint64_t applied;       /* the revision last seen as applied by all workers */
	uint64_t fed_at;        /* monotonic ms: when the last table was given to the feed */
	char table_notice[160]; /* what of the state is not in the dataplane; "" : nothing */

	/* Called when the applied revision has changed or the dataplane is gone. */
	void (*applied_changed)(void *context);
	void *applied_context;
};

/* Makes the state from the state file, or from the configuration when there is none. False: it cannot start; the reason
 * was logged. */
bool control_init(struct control *control, const struct config *config, struct event_loop *loop);
/* Starts checks and looks for the dataplane. */
void control_start(struct control *control);
/* Saves health; after this nothing runs any more. */
void control_stop(struct control *control);

/* Writes, after all checks. `who` and `what` make the log line. The spec is taken in any case. False: it could not be
 * saved and nothing has changed; control->state_file says why. */
bool control_put(struct control *control, struct cluster_spec *spec, int64_t pushed_at, const char *who);
bool control_delete(struct control *control, const char *name, const char *who);

/* The operator's weight for a name on a cluster; `weight` below 0 takes it back. False: as above. */
bool control_override(struct control *control, struct name *name, uint16_t cluster, int weight, const char *who);

/* What a PATCH changes. */
struct cluster_settings {
	enum cluster_state state;
	bool parks_routes;
	uint8_t default_weight;
};
bool control_patch(struct control *control, struct cluster *cluster, const struct cluster_settings *settings,
                   const char *who);
/* What is held of the cluster goes. `*count`: how much that was. */
bool control_confirm(struct control *control, struct cluster *cluster, const char *who, size_t *count);

/* The state has changed by another hand (a watch): the workers are told. */
void control_state_changed(struct control *control);

/* True if the workers of a running dataplane have applied the revision; also false if there is none. */
bool control_applied(const struct control *control, uint64_t revision);

/* Sums over all workers; zero without a dataplane or slot. */
struct slot_usage control_host_usage(const struct control *control, uint64_t host_id);
struct slot_usage control_pair_usage(const struct control *control, uint64_t pair_id);

#endif
