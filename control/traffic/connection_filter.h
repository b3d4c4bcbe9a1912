/* Which connections somebody means: fields of a query or a body become a filter of queries.h. Knows no HTTP beyond the
 * refusal. */
#ifndef PM_CONNECTION_FILTER_H
#define PM_CONNECTION_FILTER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "control/api/api.h"
#include "control/state/cluster.h"
#include "control/traffic/queries.h"

struct control;

enum { CONNECTION_FILTER_TEXT_MAX = 400 };

struct connection_filter {
	struct queries_filter filter; /* points into the rest */
	char cluster[CLUSTER_NAME_MAX + 1];
	char host[CLUSTER_NAME_MAX + 1]; /* its name; "": any */
	char route[ROUTE_TEXT_MAX];
	uint64_t *ids;                         /* owned */
	char text[CONNECTION_FILTER_TEXT_MAX]; /* for people: "cluster ose1, older than 90 s"; "" : all */
	unsigned field_count;                  /* how many were given */
};

/* `object`: any of "cluster", "host" ("r1" beside a cluster, or "ose1/r1"), "route", "client" (CIDR), "min_age"; with
 * `with_ids` also "ids". `path`: what stands in front of field names in faults. False: `reply`, and nothing to free. */
bool connection_filter_read(struct connection_filter *filter, const struct control *control, json_t *object,
                            const char *path, bool with_ids, struct api_reply *reply);
void connection_filter_free(struct connection_filter *filter);

#endif
