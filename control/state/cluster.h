/* What an operator or a plugin says about one cluster: its router hosts, its routes, how it is checked or watched.
 * Plain data without counters, health or slots. What a watched cluster serves stands in names.h, not here. */
#ifndef PM_CLUSTER_H
#define PM_CLUSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/address.h"
#include "common/config.h"
#include "common/hostname.h"
#include "control/kube/kube_spec.h"

enum {
	CLUSTER_NAME_MAX = 63,
	CLUSTER_HOSTS_MAX = 256,
	CLUSTER_ROUTES_MAX = 1000000,
	CLUSTER_PUSH_FROM_MAX = CONFIG_CIDRS_MAX,
	HEALTH_PATH_MAX = 255,
	WEIGHT_MAX = 100,
	HOLD_MINUTES_MAX = 1440,
	HEALTH_PORT_DEFAULT = 1936,
};

/* Who owns the hosts and routes. */
enum cluster_source {
	SOURCE_STATIC, /* the operator: configuration file or PUT */
	SOURCE_PUSH,   /* a plugin in the cluster, POST /api/cluster/{key} */
	SOURCE_WATCH,  /* the cluster's own API */
};

/* Only an active cluster gets new connections; old ones stay in any state. */
enum cluster_state { CLUSTER_STAGED, CLUSTER_ACTIVE, CLUSTER_DRAINING, CLUSTER_OFFLINE };

/* What the pods of a watched cluster say about a router host; other hosts are always active. */
enum host_state {
	HOST_ACTIVE,
	HOST_DRAINING,      /* its pods are not ready or are ending */
	HOST_MISCONFIGURED, /* it expects PROXY protocol, which is not sent */
	HOST_GONE,          /* its last pod is gone: listed until its last connection has ended */
};

/* Why something that its owner no longer has goes on serving. */
enum hold_reason {
	HOLD_NONE,
	HOLD_ALL,  /* nothing would be left */
	HOLD_MANY, /* too many would go at once */
};

struct hold {
	enum hold_reason reason;
	int64_t since;  /* Unix ms */
	int64_t listed; /* Unix ms: the first complete list or push that was without it; 0: none yet */
};

struct host_spec {
	uint64_t id; /* cluster_host_id */
	char name[CLUSTER_NAME_MAX + 1];
	struct address address;
	uint16_t http_port, https_port; /* host byte order; 0: does not serve this */
	/* Of a watched cluster: */
	enum host_state state;
	uint16_t pods;       /* router pods at this address */
	uint16_t check_port; /* where they answer checks; 0: as health says */
	struct hold hold;
};

struct route_spec {
	struct hostname name; /* of a wildcard: what stands behind "*." */
	bool wildcard;
	bool weight_given;
	uint8_t weight; /* 0 to WEIGHT_MAX; the cluster's default weight if none is given */
	bool http, https;
	struct hold hold; /* of a push cluster */
};

struct health_spec {
	uint16_t port;
	char path[HEALTH_PATH_MAX + 1];
	uint32_t interval, timeout; /* ms */
	uint8_t rise, fall;         /* successes, failures in a row */
};

struct cluster_spec {
	char name[CLUSTER_NAME_MAX + 1];
	enum cluster_source source;
	enum cluster_state state;
	bool state_given;  /* by what was read; else the state before stays */
	bool parks_routes; /* watch only: new routes that another cluster serves wait for a weight */
	uint8_t default_weight;
	uint16_t hold_minutes;          /* watch and push; 0: what is held goes only when it is confirmed */
	struct kube_spec *watch;        /* watch only; owned */
	char key[CLUSTER_NAME_MAX + 1]; /* push only */
	unsigned push_from_count;
	struct prefix push_from[CLUSTER_PUSH_FROM_MAX];
	struct health_spec health;
	size_t host_count, route_count;
	struct host_spec *hosts;   /* owned */
	struct route_spec *routes; /* owned; none if the cluster is watched */
};

/* A spec with the defaults and no name. Never NULL. Free with cluster_free. */
struct cluster_spec *cluster_create(void);
/* Everything but hosts and routes. Never NULL. */
struct cluster_spec *cluster_copy_settings(const struct cluster_spec *spec);
/* The settings with the hosts and routes of `owner`; frees the settings, which must be of the same name: the ids of
 * hosts hang on it. Never NULL. */
struct cluster_spec *cluster_with_owned(struct cluster_spec *settings, const struct cluster_spec *owner);
void cluster_free(struct cluster_spec *spec);

/* True if the router hosts are those that the cluster's API shows. */
static inline bool cluster_hosts_are_observed(const struct cluster_spec *spec)
{
	return spec->source == SOURCE_WATCH && spec->watch->preset != KUBE_PRESET_STATIC;
}

/* Letters, digits, '-', '_' and '.', beginning with a letter or digit, at most CLUSTER_NAME_MAX bytes. */
bool cluster_name_valid(const char *name);
const char *cluster_source_name(enum cluster_source source);
const char *cluster_state_name(enum cluster_state state);
const char *cluster_host_state_name(enum host_state state);
/* "nothing would be left", for people. */
const char *cluster_hold_text(enum hold_reason reason);
/* True for namespaces that belong to their cluster: openshift*, kube-*, and default, where OpenShift 3 has its own. */
bool cluster_namespace_is_system(const char *namespace);

/* Ids are stable over restarts and never 0. A host is its cluster, address and ports; its name is a label. */
uint64_t cluster_host_id(const char *cluster, const struct host_spec *host);
uint64_t cluster_route_id(const struct route_spec *route);
uint64_t cluster_name_id(const struct hostname *name, bool wildcard);
uint64_t cluster_pair_id(uint64_t route_id, const char *cluster);
/* Of (listener, its default cluster). */
uint64_t cluster_default_pair_id(const char *listener, const char *cluster);

/* Order by name, exact names before wildcards; 0 for the same name. */
int route_compare(const struct route_spec *a, const struct route_spec *b);
/* "app1.ch" or "*.wild.ch" */
enum { ROUTE_TEXT_MAX = HOSTNAME_MAX + 3 };
const char *route_format(const struct route_spec *route, char text[static ROUTE_TEXT_MAX]);
const char *name_format(const struct hostname *name, bool wildcard, char text[static ROUTE_TEXT_MAX]);
/* False: no such name. */
bool name_parse(const char *text, struct hostname *name, bool *wildcard);

#endif
