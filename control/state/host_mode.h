/* What the operator wants of single router hosts: whether they get new connections, and when what is left of their
 * connections is closed. Kept by the host's id, also while the host itself is absent; everything else about a host is
 * its cluster's. The same words serve a cluster that drains. Plain data and its saved form; knows no time and no
 * workers. */
#ifndef PM_HOST_MODE_H
#define PM_HOST_MODE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/state/cluster.h"
#include "control/api/role.h"

enum host_mode {
	HOST_MODE_ENABLED,
	HOST_MODE_DRAINING, /* no new connections, the old ones end by themselves or at the deadline */
	HOST_MODE_DISABLED, /* no new connections */
};

enum { DRAIN_WHO_MAX = 127, DRAIN_REASON_MAX = 200, HOST_MODES_MAX = 4 * CLUSTER_HOSTS_MAX };

/* Connections end, new ones do not come. */
struct drain {
	int64_t since;    /* Unix ms; 0: nothing drains, and all else is 0 */
	int64_t deadline; /* Unix ms: what is left then is closed; 0: it is waited for */
	uint64_t timeout; /* ms, as it was asked for; 0: none */
	int64_t ended;    /* Unix ms: no connection was left; 0: not yet */
	bool told;        /* that the deadline has passed */
	/* Not saved: */
	uint64_t revision; /* that the workers must have applied before "no connection" counts; 0: not known */
	uint64_t close_at; /* monotonic ms: what is left is closed (again) */
	char by[DRAIN_WHO_MAX + 1], reason[DRAIN_REASON_MAX + 1];
};

/* One that is not enabled. */
struct host_setting {
	uint64_t id;         /* cluster_host_id */
	enum host_mode mode; /* never HOST_MODE_ENABLED */
	struct drain drain;
	struct host_spec host; /* as it was: name, address, ports */
};

/* Of one cluster. All zero to begin with. */
struct host_modes {
	size_t count;
	struct host_setting *list; /* by id; owned. Its elements move with every change */
};

void host_modes_free(struct host_modes *modes);

/* "enabled" */
const char *host_mode_name(enum host_mode mode);

/* NULL: enabled. */
struct host_setting *host_modes_find(const struct host_modes *modes, uint64_t id);
/* Replaces or adds. False: there are HOST_MODES_MAX. `setting` may lie in the list. */
bool host_modes_set(struct host_modes *modes, const struct host_setting *setting);
/* The host is enabled. */
void host_modes_clear(struct host_modes *modes, uint64_t id);

/* The start of a drain. `actor` may be NULL; `closes`: what is left is closed at once. */
struct drain drain_begin(int64_t unix_ms, uint64_t timeout, bool closes, const struct actor *actor);

/* ---- saved ---- */

json_t *drain_write(const struct drain *drain);
/* What is not right is left out. */
struct drain drain_read(const json_t *value);
/* A timeout (ms) that a drain may have: 0, or what the API takes. */
bool drain_timeout_valid(int64_t timeout);
/* NULL: there are none. */
json_t *host_modes_write(const struct host_modes *modes);
/* Adds what host_modes_write has written of the cluster with this name; what is not right is left out. */
void host_modes_read(struct host_modes *modes, const json_t *array, const char *cluster);

#endif
