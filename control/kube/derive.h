/* From what a cluster's API shows to what the cluster serves: Routes to host names, router pods to router hosts. Pure;
 * compares nothing with what was there before. */
#ifndef PM_DERIVE_H
#define PM_DERIVE_H

#include <stddef.h>
#include <stdint.h>

#include "control/state/cluster.h"
#include "control/kube/observed.h"

/* One host name, by all of its Routes. */
struct derived_route {
	uint64_t id;                          /* cluster_name_id */
	const struct observed_route *first;   /* the oldest: its namespace and weight count */
	const struct observed_route *differs; /* one with another weight than the oldest; NULL: none */
	bool http, https;                     /* of any of them */
	uint64_t print; /* of all that is said about the name: another number if anything is different; never 0 */
};

/* One for each name, ordered by id. Points into `observed`. Free the array. */
struct derived_route *derive_routes(const struct observed *observed, size_t *count);

enum { DERIVE_WARNING_MAX = 400 + OBSERVED_WARNING_MAX };
/* What people should know of the route; false: nothing. */
bool derive_warning(const struct derived_route *route, char text[static DERIVE_WARNING_MAX]);

/* One for each address with its ports, in the order of their ids, at most CLUSTER_HOSTS_MAX, and room for so
 * many. Pods without an IPv4 address or ports are left out. Free the
 * array. */
struct host_spec *derive_hosts(const struct observed *observed, const char *cluster, size_t *count);

#endif
