/* What an operator or a plugin says about one cluster: its router hosts, its routes, how it is checked. Plain data
 * without counters, health or slots. */
#ifndef PM_CLUSTER_H
#define PM_CLUSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/address.h"
#include "common/config.h"
#include "common/hostname.h"

enum {
	CLUSTER_NAME_MAX = 63,
	CLUSTER_HOSTS_MAX = 256,
	CLUSTER_ROUTES_MAX = 1000000,
	CLUSTER_PUSH_FROM_MAX = CONFIG_CIDRS_MAX,
	HEALTH_PATH_MAX = 255,
	WEIGHT_MAX = 100,
};

/* Who owns the hosts and routes. */
enum cluster_source {
	SOURCE_STATIC, /* the operator: configuration file or PUT */
	SOURCE_PUSH,   /* a plugin in the cluster, POST /api/cluster/{key} */
};

struct host_spec {
	uint64_t id; /* cluster_host_id */
	char name[CLUSTER_NAME_MAX + 1];
	struct address address;
	uint16_t http_port, https_port; /* host byte order; 0: does not serve this */
};

struct route_spec {
	struct hostname name; /* of a wildcard: what stands behind "*." */
	bool wildcard;
	bool weight_given;
	uint8_t weight; /* 0 to WEIGHT_MAX; the cluster's default weight if none is given */
	bool http, https;
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
	uint8_t default_weight;
	char key[CLUSTER_NAME_MAX + 1]; /* push only */
	unsigned push_from_count;
	struct prefix push_from[CLUSTER_PUSH_FROM_MAX];
	struct health_spec health;
	size_t host_count, route_count;
	struct host_spec *hosts;   /* owned */
	struct route_spec *routes; /* owned */
};

/* A spec with the defaults and no name. Never NULL. Free with cluster_free. */
struct cluster_spec *cluster_create(void);
/* Everything but hosts and routes. Never NULL. */
struct cluster_spec *cluster_copy_settings(const struct cluster_spec *spec);
void cluster_free(struct cluster_spec *spec);

/* Letters, digits, '-', '_' and '.', beginning with a letter or digit, at most CLUSTER_NAME_MAX bytes. */
bool cluster_name_valid(const char *name);
const char *cluster_source_name(enum cluster_source source);

/* Ids are stable over restarts and never 0. A host is its cluster, address and ports; its name is a label. */
uint64_t cluster_host_id(const char *cluster, const struct host_spec *host);
uint64_t cluster_route_id(const struct route_spec *route);
uint64_t cluster_pair_id(uint64_t route_id, const char *cluster);
/* Of (listener, its default cluster). */
uint64_t cluster_default_pair_id(const char *listener, const char *cluster);

/* Order by name, exact names before wildcards; 0 for the same name. */
int route_compare(const struct route_spec *a, const struct route_spec *b);
/* "app1.ch" or "*.wild.ch" */
enum { ROUTE_TEXT_MAX = HOSTNAME_MAX + 3 };
const char *route_format(const struct route_spec *route, char text[static ROUTE_TEXT_MAX]);

static inline uint8_t route_weight(const struct cluster_spec *cluster, const struct route_spec *route)
{
	return route->weight_given ? route->weight : cluster->default_weight;
}

#endif
