/* The numbers by which workers know clusters. Connections bear the number of their cluster and may outlive it, so it is
 * given to no other cluster; but to the one that comes back under the same name, whose connections they are. Pure. */
#ifndef PM_CLUSTER_NUMBER_H
#define PM_CLUSTER_NUMBER_H

#include <jansson.h>
#include <stdint.h>

#include "common/json_reader.h"
#include "common/message.h"
#include "control/state/cluster.h"

/* What a removed cluster has left at its place. */
struct cluster_trace {
	char name[CLUSTER_NAME_MAX + 1]; /* "": nothing was here, or somebody is */
	uint16_t number;
	uint64_t revision; /* of the state without it */
};

void cluster_trace_leave(struct cluster_trace traces[static CLUSTERS_MAX], const char *name, uint16_t number,
                         uint64_t revision);
/* The number for a cluster that comes (back), whose place is not one of `taken` (bits); else that place which was left
 * the longest ago. CLUSTER_NONE: all are taken. */
uint16_t cluster_number_pick(const struct cluster_trace traces[static CLUSTERS_MAX], uint64_t taken, const char *name);

/* New reference; NULL: there are none. */
json_t *cluster_traces_write(const struct cluster_trace traces[static CLUSTERS_MAX]);
/* From the field "removed". */
void cluster_traces_read(struct reader *reader, struct cluster_trace traces[static CLUSTERS_MAX]);

#endif
