/* Clusters as the admin API shows them: see the header. */
#include "control/api/cluster_view.h"

#include "control/state/adopt.h"
#include "control/observe/history.h"
#include "control/api/host_json.h"
#include "control/api/view.h"

static json_t *watch_json(const struct kube_watch_status *watch)
{
	int64_t age = watch->confirmed_at > 0 ? (clock_unix_ms() - watch->confirmed_at) / 1000 : -1;
	json_t *object =
	    json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:s}", "what", watch->what, "state",
	              kube_watch_state_name(watch->state), "detail", watch->words, "state_since",
	              view_time(watch->state_since), "listed_at", view_time(watch->listed_at), "event_at",
	              view_time(watch->event_at), "confirmed_at", view_time(watch->confirmed_at), "age_seconds",
	              age >= 0 ? json_integer(age) : json_null(), "resource_version", watch->resource_version);
	json_object_set_new(object, "objects", view_number(watch->objects));
	json_object_set_new(object, "failing", json_boolean(watch->failing));
	json_object_set_new(object, "error", watch->error[0] != '\0' ? json_string(watch->error) : json_null());
	json_object_set_new(object, "error_at", view_time(watch->error_at));
	json_object_set_new(object, "lists", view_number(watch->lists));
	json_object_set_new(object, "watches", view_number(watch->watches));
	json_object_set_new(object, "events", view_number(watch->events));
	json_object_set_new(object, "bookmarks", view_number(watch->bookmarks));
	json_object_set_new(object, "errors", view_number(watch->errors));
	return object;
}

/* What there is only of a watched cluster. */
static void add_watch(json_t *object, const struct control *control, const struct cluster *cluster)
{
	struct kube_status status;
	json_t *watches = json_array(), *warnings = json_array();
	json_object_set_new(object, "new_routes", json_string(cluster->spec->parks_routes ? "parked" : "active"));
	/* What is shown is the last good state, until the API has been listed. */
	json_object_set_new(object, "stale", json_boolean(!cluster->current));
	json_object_set_new(object, "watches", watches);
	json_object_set_new(object, "warnings", warnings);
	if (!watchers_status(&control->watchers, cluster, &status))
		return;
	for (size_t i = 0; i < status.watch_count; i++)
		json_array_append_new(watches, watch_json(&status.watches[i]));
	for (size_t i = 0; i < status.warning_count; i++)
		json_array_append_new(warnings, json_string(status.warnings[i]));
	json_object_set_new(object, "more_warnings", view_number(status.warnings_more));
	json_object_set_new(object, "insecure", json_boolean(status.insecure));
}

static bool find_host(const struct cluster *cluster, uint64_t id)
{
	for (size_t i = 0; i < cluster->spec->host_count; i++)
		if (cluster->spec->hosts[i].id == id)
			return true;
	return false;
}

/* Hosts that are not there but of which the operator has said something. */
static void add_absent(json_t *object, const struct cluster *cluster)
{
	json_t *array = json_array();
	for (size_t i = 0; i < cluster->modes.count; i++)
		if (!find_host(cluster, cluster->modes.list[i].id))
			json_array_append_new(array, host_setting_json(cluster, &cluster->modes.list[i]));
	if (json_array_size(array) > 0)
		json_object_set(object, "absent_hosts", array);
	json_decref(array);
}

json_t *cluster_view(const struct control *control, const struct cluster *cluster)
{
	const struct cluster_spec *spec = cluster->spec;
	uint64_t active = 0, total = 0, healthy = 0;
	for (size_t i = 0; i < spec->host_count; i++) {
		struct slot_usage usage = control_host_usage(control, spec->hosts[i].id);
		active += usage.active;
		total += usage.total;
		healthy += cluster->health[i].state == HEALTH_UP;
	}
	json_t *object =
	    json_pack("{s:s, s:s, s:s, s:i}", "name", spec->name, "source", cluster_source_name(spec->source), "state",
	              cluster_state_name(spec->state), "default_weight", spec->default_weight);
	if (spec->source == SOURCE_PUSH) {
		json_object_set_new(object, "key", json_string(spec->key));
		json_object_set_new(object, "pushed_at", view_time(cluster->pushed_at));
	}
	json_object_set_new(object, "hosts", view_number(spec->host_count));
	json_object_set_new(object, "healthy_hosts", view_number(healthy));
	json_object_set_new(object, "routes", view_number(control->state.names.of_cluster[cluster->index]));
	if (spec->source != SOURCE_STATIC)
		json_object_set_new(object, "held", view_number(adopt_held(&control->state, cluster)));
	if (spec->source == SOURCE_WATCH)
		add_watch(object, control, cluster);
	json_object_set_new(object, "drain", drain_json(&cluster->drain));
	add_absent(object, cluster);
	json_object_set_new(object, "active", view_number(active));
	json_object_set_new(object, "total", view_number(total));
	int64_t new = history_value(control->history, HISTORY_CLUSTER, history_cluster_id(spec->name), VALUE_NEW,
	                            HISTORY_POINTS - 1);
	json_object_set_new(object, "new_per_second", new >= 0 ? json_integer(new) : json_null());
	return object;
}

json_t *cluster_status(const struct control *control, const struct cluster *cluster)
{
	json_t *object = cluster_view(control, cluster);
	json_object_set_new(object, "revision", view_number(control->state.revision));
	return object;
}

json_t *cluster_views(const struct control *control)
{
	json_t *array = json_array();
	for (unsigned i = 0; i < CLUSTERS_MAX; i++)
		if (control->state.clusters[i])
			json_array_append_new(array, cluster_view(control, control->state.clusters[i]));
	return json_pack("{s:o, s:o}", "revision", view_number(control->state.revision), "clusters", array);
}
