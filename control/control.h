/* Control as a whole: the state and what moves it (the operator, plugins, health checks, events of the workers), saved
 * before it is applied, and told to the workers. One thread, one loop; the HTTP side stands in front of it. */
#ifndef PM_CONTROL_H
#define PM_CONTROL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/config.h"
#include "control/health/check_now.h"
#include "control/feed/dataplane_link.h"
#include "control/event_loop.h"
#include "control/feed/feed.h"
#include "control/traffic/records.h"
#include "control/api/role.h"
#include "control/feed/slots.h"
#include "control/state/state.h"
#include "control/state/state_file.h"
#include "control/watchers.h"

struct auth;
struct checker;
struct connection_log;
struct history;
struct journal;
struct prober;
struct queries;
struct reload;
struct revisions;
struct sampler;
struct unknown_names;
struct websockets;

enum { NOTICES_MAX = 2 * CLUSTERS_MAX + 8, CONTROL_PATH_MAX = CONFIG_PATH_MAX + 32 };

/* What a caller of the API is told of the state file. */
struct state_file_status {
	char path[CONTROL_PATH_MAX];
	bool good;
	int64_t saved_at;              /* Unix ms; 0: not by this process */
	bool failing;                  /* and the journal says so */
	char why[STATE_FILE_TEXT_MAX]; /* of the last failure */
};

struct control {
	const struct config *config;
	struct event_loop *loop;
	struct journal *journal;
	struct history *history; /* the last two minutes */
	struct sampler *sampler; /* fills it; NULL: not started */
	struct revisions *revisions;
	struct reload *reload; /* NULL: there is no file to read again */
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
	struct event_timer drain_timer;
	struct check_waits check_waits;
	struct feed feed;
	struct event_timer feed_timer;
	bool table_stale;       /* the workers have to be told something new */
	uint64_t rebuild_at;    /* monotonic ms: build a table anew for what found no slot; 0: no need */
	uint64_t applied;       /* the revision last seen as applied by all workers */
	uint64_t fed_at;        /* monotonic ms: when the last table was given to the feed */
	char table_notice[160]; /* what of the state is not in the dataplane; "" : nothing */

	/* Of single connections. */
	struct records records;
	struct queries *queries;
	struct unknown_names *unknown_names;
	struct connection_log *connection_log;
	struct prober *prober;

	struct auth *auth;             /* who may use the admin API; NULL: there are no tokens */
	struct websockets *websockets; /* NULL: none are served */

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

/* Writes, after all checks. `actor` stands in the journal. The spec is taken in any case. False: it could not be
 * saved and nothing has changed; control->state_file says why. */
bool control_put(struct control *control, struct cluster_spec *spec, int64_t pushed_at, const struct actor *actor);
bool control_delete(struct control *control, const char *name, const struct actor *actor);

/* What changes of a cluster without its owner. */
struct cluster_settings {
	enum cluster_state state;
	bool parks_routes;
	uint8_t default_weight;
	uint64_t drain_timeout; /* ms: what is left of a draining cluster then is closed; 0: it is waited for */
	bool closes;            /* of an offline one: at once */
};
/* As they are. */
struct cluster_settings control_settings(const struct cluster *cluster);
bool control_settings_differ(const struct cluster *cluster, const struct cluster_settings *settings);
/* A cluster that leaves the state staged takes over no name that another one serves: these are parked. */
bool control_patch(struct control *control, struct cluster *cluster, const struct cluster_settings *settings,
                   const struct actor *actor);
/* What is held of the cluster goes. `*count`: how much that was. */
bool control_confirm(struct control *control, struct cluster *cluster, const struct actor *actor, size_t *count);

/* What the operator wants of a router host; HOST_MODE_ENABLED ends what was wanted. */
bool control_host_mode(struct control *control, struct cluster *cluster, const struct host_setting *setting,
                       const struct actor *actor);

/* The state has changed by another hand (a watch): the workers are told. */
void control_state_changed(struct control *control);

/* True if the dataplane runs the configuration file that control has (or runs not at all): else its listeners may have
 * other numbers, and it is told nothing of them. */
bool control_same_config(const struct control *control);

/* control->config is another one: everything that follows it is told. */
void control_config_changed(struct control *control);

/* True if the workers of a running dataplane have applied the revision; also false if there is none. */
bool control_applied(const struct control *control, uint64_t revision);

/* Sums over all workers; zero without a dataplane or slot. */
struct slot_usage control_host_usage(const struct control *control, uint64_t host_id);
struct slot_usage control_pair_usage(const struct control *control, uint64_t pair_id);

#endif
