/* What control knows: clusters with their router hosts, routes and health. The only owner of these inside control;
 * changes come in as whole clusters that were checked before, or from adopt.h, name by name. Knows no JSON beyond its
 * own saved form, no HTTP, no rings. */
#ifndef PM_STATE_H
#define PM_STATE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/config.h"
#include "common/json_reader.h"
#include "control/state/cluster.h"
#include "control/state/cluster_number.h"
#include "control/health/health.h"
#include "control/state/hold.h"
#include "control/state/host_mode.h"
#include "control/state/names.h"

/* A name that a watched cluster serves, and the print of what its API says about it; 0: it says nothing (more). */
struct adopted_route {
	uint64_t id, print;
	struct name *name;
};

struct cluster {
	uint16_t number; /* in messages; the same for the cluster's life */
	uint16_t index;  /* its place: cluster_place */
	struct cluster_spec *spec;
	struct health *health; /* of spec->hosts, same order */
	int64_t pushed_at;     /* Unix ms of the last push; 0: none */
	struct host_modes modes;
	struct drain drain; /* while the state is draining or offline */

	/* Watch and push. */
	struct hold_window routes_gone, hosts_gone; /* what has gone lately */
	/* Watch only. */
	bool initial; /* it was there at the very first start: what its first list shows is not parked */
	bool known;   /* it has been listed completely, now or by a control before */
	bool current; /* it has been listed completely by this control; false: what is shown is the last good state */
	bool unsaved; /* differs from its file */
	bool urgent;  /* and is to be saved before a caller is answered: see watchers_save_urgent */
	bool watch_changed; /* `spec->watch` differs from what is being watched */
	/* What adopt.h made of its routes last, ordered by id; owned. Not `adopted_valid`: to be made anew. */
	bool adopted_valid;
	size_t adopted_count;
	struct adopted_route *adopted;
};

struct journal;

/* Where a host stands, found by its id. */
struct host_place {
	uint64_t id;
	uint16_t cluster;
	uint32_t host;
};

struct state {
	uint64_t revision;                      /* one up with every change that is saved */
	bool untouched;                         /* it began with the configuration, and no operator has changed it */
	bool unsaved;                           /* parking of a static or push cluster differs from the state file */
	struct cluster *clusters[CLUSTERS_MAX]; /* by index; NULL: free */
	struct cluster_trace traces[CLUSTERS_MAX];
	struct host_place *places; /* sorted by id */
	size_t host_count;
	struct names names;
	struct journal *journal; /* what is told; NULL: the log alone. Not owned */
	size_t told;             /* claims that were told since claims_told */
};

/* One change: `spec` replaces or makes the cluster of its name; NULL: `name` is removed. */
struct state_change {
	const char *name;
	const struct cluster_spec *spec;
	int64_t pushed_at;
	const struct drain *drain; /* NULL: as it is */
};

void state_free(struct state *state);

struct cluster *state_cluster(const struct state *state, const char *name);
/* The number of the cluster of this name: that it has, or would get; CLUSTER_NONE: there are CLUSTERS_MAX others. */
uint16_t state_number(const struct state *state, const char *name);
/* NULL: the cluster with this number has been removed, or it is CLUSTER_NONE. */
struct cluster *state_cluster_numbered(const struct state *state, uint16_t number);
/* The push cluster with this key. */
struct cluster *state_cluster_by_key(const struct state *state, const char *key);
/* A host by its id; NULL: there is none. `*cluster` is its cluster. */
struct health *state_host(const struct state *state, uint64_t id, struct cluster **cluster, struct host_spec **host);
/* True if another host of the cluster than `except` is UP, and the operator wants it to serve. */
bool state_others_up(const struct cluster *cluster, const struct health *except);

/* True for the addresses of listeners and of the source pool. */
bool state_address_is_ours(const struct config *config, const struct address *address);

/* Would the cluster fit beside the others? Checks names, keys, the limits of the configuration, and that no host has an
 * address of ours. False with at least one fault, its path below "$". */
bool state_check(const struct state *state, const struct cluster_spec *spec, const struct config *config,
                 struct json_faults *faults);

/* Its host names alone. */
bool state_check_routes(const struct state *state, const struct cluster_spec *spec, const struct config *config,
                        struct json_faults *faults);

/* Makes the change, which was checked. Takes `spec`. Hosts with the same id keep their health; overrides stay. Revision
 * one up. */
void state_put(struct state *state, struct cluster_spec *spec, int64_t pushed_at, uint64_t now);
void state_delete(struct state *state, const char *name);

/* Replaces the router hosts of a cluster by `count` others; takes the array. Those with the same id keep their health.
 */
void state_set_hosts(struct state *state, struct cluster *cluster, struct host_spec *hosts, size_t count, uint64_t now);
/* The cluster does not serve the name any more; an override is kept for its return. */
void state_drop_route(struct state *state, struct name *name, uint16_t cluster);
/* Every name of the cluster has changed. */
void state_touch_cluster(struct state *state, const struct cluster *cluster);

/* The saved form, as it will be after the change (NULL: as it is); but not what the APIs of watched clusters show.
 * New reference. */
json_t *state_write(const struct state *state, const struct state_change *change);
/* Reads the saved form, which lies at `path` ("$"), into an empty state. False with at least one fault; the state is
 * empty then. */
bool state_read(struct state *state, json_t *value, const char *path, uint64_t now, struct json_faults *faults);

/* Health of all hosts, saved apart. New reference. */
json_t *state_write_health(const struct state *state);
/* Restores the health of known hosts; what is not right is left out. */
void state_read_health(struct state *state, json_t *value, uint64_t now);

#endif
