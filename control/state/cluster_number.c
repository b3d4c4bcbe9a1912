/* The numbers of clusters: see the header. */
#include "control/state/cluster_number.h"

#include <stdio.h>
#include <string.h>

void cluster_trace_leave(struct cluster_trace traces[static CLUSTERS_MAX], const char *name, uint16_t number,
                         uint64_t revision)
{
	struct cluster_trace *trace = &traces[cluster_place(number)];
	snprintf(trace->name, sizeof(trace->name), "%s", name);
	trace->number = number;
	trace->revision = revision;
}

uint16_t cluster_number_pick(const struct cluster_trace traces[static CLUSTERS_MAX], uint64_t taken, const char *name)
{
	uint16_t best = CLUSTER_NONE;
	for (uint16_t i = 0; i < CLUSTERS_MAX; i++) {
		const struct cluster_trace *trace = &traces[i];
		if (taken >> i & 1)
			continue;
		if (trace->name[0] != '\0' && strcmp(trace->name, name) == 0)
			return trace->number;
		if (best == CLUSTER_NONE || trace->revision < traces[best].revision)
			best = i;
	}
	if (best == CLUSTER_NONE || traces[best].name[0] == '\0')
		return best;
	return (uint16_t)((traces[best].number + CLUSTERS_MAX) % CLUSTER_NUMBERS);
}

json_t *cluster_traces_write(const struct cluster_trace traces[static CLUSTERS_MAX])
{
	json_t *array = NULL;
	for (unsigned i = 0; i < CLUSTERS_MAX; i++) {
		if (traces[i].name[0] == '\0')
			continue;
		if (!array)
			array = json_array();
		json_array_append_new(array, json_pack("{s:s, s:i, s:I}", "name", traces[i].name, "index",
		                                       traces[i].number, "revision", (json_int_t)traces[i].revision));
	}
	return array;
}

void cluster_traces_read(struct reader *reader, struct cluster_trace traces[static CLUSTERS_MAX])
{
	json_t *array = reader_array(reader, "removed", 0, CLUSTERS_MAX, "removed clusters");
	for (size_t i = 0; i < json_array_size(array); i++) {
		const char *name;
		json_int_t number, revision;
		if (json_unpack(json_array_get(array, i), "{s:s, s:I, s:I}", "name", &name, "index", &number,
		                "revision", &revision) == 0 &&
		    number >= 0 && number < CLUSTER_NUMBERS && revision >= 0 && cluster_name_valid(name))
			cluster_trace_leave(traces, name, (uint16_t)number, (uint64_t)revision);
	}
}
