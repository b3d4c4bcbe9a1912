/* The history in JSON: see the header. */
#include "control/observe/stats_json.h"

#include "control/control.h"
#include "control/observe/history.h"
#include "control/api/view.h"

enum { SECOND_MS = 1000, LAST = HISTORY_POINTS - 1 };

static const char *const total_names[history_total_count] = {
    [TOTAL_ACTIVE] = "active",
    [TOTAL_NEW] = "new",
    [TOTAL_REFUSED] = "refused",
    [TOTAL_HEALTHY] = "healthy_hosts",
    [TOTAL_UNHEALTHY] = "unhealthy_hosts",
    [TOTAL_BYTES_IN] = "bytes_in",
    [TOTAL_BYTES_OUT] = "bytes_out",
};

static const char *const value_names[history_value_count] = {
    [VALUE_ACTIVE] = "active",
    [VALUE_NEW] = "new",
    [VALUE_REFUSED] = "refused",
    [VALUE_TOTAL] = "total",
};

/* Values that an object of this kind has: the first ones. */
static const unsigned value_counts[history_kind_count] = {
    [HISTORY_CLUSTER] = VALUE_REFUSED,
    [HISTORY_HOST] = VALUE_TOTAL + 1,
    [HISTORY_PAIR] = VALUE_REFUSED,
};

static json_t *point(int64_t value)
{
	return value == HISTORY_NONE ? json_null() : json_integer(value);
}

int64_t stats_at(const struct control *control)
{
	return history_second(control->history) * SECOND_MS;
}

json_t *stats_times(const struct control *control)
{
	json_t *array = json_array();
	for (int i = 0; i < HISTORY_POINTS; i++)
		json_array_append_new(array, json_integer(stats_at(control) - (int64_t)(LAST - i) * SECOND_MS));
	return array;
}

/* ---- all points ---- */

json_t *stats_totals(const struct control *control)
{
	json_t *object = json_object();
	for (int total = 0; total < history_total_count; total++) {
		json_t *array = json_array();
		for (unsigned i = 0; i < HISTORY_POINTS; i++)
			json_array_append_new(array,
			                      point(history_total(control->history, (enum history_total)total, i)));
		json_object_set_new(object, total_names[total], array);
	}
	return object;
}

static json_t *series(const struct control *control, enum history_kind kind, uint64_t id)
{
	int64_t values[HISTORY_POINTS];
	json_t *object = json_object();
	for (unsigned value = 0; value < value_counts[kind]; value++) {
		json_t *array = json_array();
		history_values(control->history, kind, id, (enum history_value)value, values);
		for (unsigned i = 0; i < HISTORY_POINTS; i++)
			json_array_append_new(array, point(values[i]));
		json_object_set_new(object, value_names[value], array);
	}
	return object;
}

json_t *stats_of_cluster(const struct control *control, const struct cluster *cluster)
{
	return series(control, HISTORY_CLUSTER, history_cluster_id(cluster->spec->name));
}

json_t *stats_of_host(const struct control *control, const struct host_spec *host)
{
	return series(control, HISTORY_HOST, host->id);
}

/* ---- the last point ---- */

static void add_last(json_t *object, const struct control *control, enum history_kind kind, uint64_t id)
{
	for (unsigned value = 0; value < value_counts[kind]; value++)
		json_object_set_new(object, value_names[value],
		                    point(history_value(control->history, kind, id, (enum history_value)value, LAST)));
}

json_t *stats_last_totals(const struct control *control)
{
	json_t *object = json_object();
	for (int total = 0; total < history_total_count; total++)
		json_object_set_new(object, total_names[total],
		                    point(history_total(control->history, (enum history_total)total, LAST)));
	return object;
}

void stats_add_last_of_cluster(json_t *object, const struct control *control, const struct cluster *cluster)
{
	add_last(object, control, HISTORY_CLUSTER, history_cluster_id(cluster->spec->name));
}

void stats_add_last_of_host(json_t *object, const struct control *control, const struct host_spec *host)
{
	add_last(object, control, HISTORY_HOST, host->id);
}

/* ---- routes ---- */

static json_t *of_route(const struct control *control, const struct name *name, bool last)
{
	json_t *clusters = json_object();
	for (unsigned i = 0; i < name->pair_count; i++) {
		if (!name->pairs[i].present)
			continue;
		const char *cluster = control->state.clusters[name->pairs[i].cluster]->spec->name;
		uint64_t id = cluster_pair_id(name->id, cluster);
		json_t *object = last ? json_object() : series(control, HISTORY_PAIR, id);
		if (last)
			add_last(object, control, HISTORY_PAIR, id);
		json_object_set_new(clusters, cluster, object);
	}
	return clusters;
}

json_t *stats_of_route(const struct control *control, const struct name *name)
{
	return of_route(control, name, false);
}

json_t *stats_last_of_route(const struct control *control, const struct name *name)
{
	return of_route(control, name, true);
}

/* ---- forms ---- */

json_t *stats_frame(const struct control *control, json_t *more)
{
	json_t *frame = json_pack("{s:o, s:i, s:i, s:o}", "at", view_time(stats_at(control)), "interval_ms", SECOND_MS,
	                          "points", HISTORY_POINTS, "times", stats_times(control));
	json_object_update(frame, more);
	json_decref(more);
	return frame;
}

const char *stats_dataplane(const struct control *control)
{
	static const char *const names[] = {"absent", "starting", "incompatible", "ready"};
	return names[control->link ? dataplane_link_state(control->link) : LINK_ABSENT];
}

static json_t *object_json(const struct journal_entry *entry)
{
	return json_pack("{s:s, s:s*, s:s*}", "kind", entry->object ? entry->object : "control", "cluster",
	                 entry->cluster, "name", entry->name);
}

json_t *stats_event(const struct journal_entry *entry)
{
	json_t *event = json_pack("{s:I, s:o, s:s, s:s, s:s, s:o, s:s, s:s?}", "id", (json_int_t)entry->id, "at",
	                          view_time(entry->at), "kind", entry->kind, "level", journal_level_name(entry->level),
	                          "who", entry->who ? entry->who : "control", "object", object_json(entry), "text",
	                          entry->text, "reason", entry->reason);
	json_object_set_new(event, "revision", entry->revision > 0 ? view_number(entry->revision) : json_null());
	return event;
}
