/* Router hosts as the admin API shows them: see the header. */
#include "control/api/host_json.h"

#include <stdio.h>

#include "control/observe/history.h"
#include "control/feed/table.h"
#include "control/api/view.h"

static json_t *health_json(const struct health *health)
{
	char reason[CHECK_TEXT_MAX];
	json_t *object =
	    json_pack("{s:s, s:b, s:s, s:s}", "state", health_state_name(health->state), "stale", health->stale,
	              "result", check_kind_name(health->last.kind), "reason", check_result_text(health->last, reason));
	json_object_set_new(object, "checked_at", view_time(health->checked_at));
	json_object_set_new(object, "changed_at", view_time(health->changed_at));
	return object;
}

static json_t *changes_json(const struct health *health)
{
	json_t *array = json_array();
	for (unsigned i = 0; i < health->change_count; i++) {
		char reason[CHECK_TEXT_MAX];
		const struct health_change *change = &health->changes[i];
		json_array_append_new(array, json_pack("{s:o, s:s, s:s}", "at", view_time(change->at), "state",
		                                       health_state_name(change->state), "reason",
		                                       check_result_text(change->why, reason)));
	}
	return array;
}

json_t *drain_json(const struct drain *drain)
{
	if (drain->since == 0)
		return json_null();
	return json_pack("{s:o, s:o, s:o, s:s, s:o}", "since", view_time(drain->since), "deadline",
	                 view_time(drain->deadline), "drained_at", view_time(drain->ended), "by", drain->by, "reason",
	                 drain->reason[0] != '\0' ? json_string(drain->reason) : json_null());
}

const char *host_id_text(const struct cluster *cluster, const struct host_spec *host,
                         char text[static HOST_ID_TEXT_MAX])
{
	char address[ADDRESS_TEXT_MAX];
	snprintf(text, HOST_ID_TEXT_MAX, "%s/%s:%u", cluster->spec->name, address_format(&host->address, address),
	         host->http_port);
	return text;
}

static json_t *identity_json(const struct cluster *cluster, const struct host_spec *host)
{
	char id[HOST_ID_TEXT_MAX], address[ADDRESS_TEXT_MAX];
	return json_pack("{s:s, s:s, s:s, s:s, s:i, s:i}", "id", host_id_text(cluster, host, id), "cluster",
	                 cluster->spec->name, "name", host->name, "address", address_format(&host->address, address),
	                 "http_port", host->http_port, "https_port", host->https_port);
}

static void add_setting(json_t *object, const struct host_setting *setting)
{
	enum host_mode mode = setting ? setting->mode : HOST_MODE_ENABLED;
	json_object_set_new(object, "admin", json_string(host_mode_name(mode)));
	json_object_set_new(object, "drain", setting ? drain_json(&setting->drain) : json_null());
}

json_t *host_setting_json(const struct cluster *cluster, const struct host_setting *setting)
{
	json_t *object = identity_json(cluster, &setting->host);
	add_setting(object, setting);
	return object;
}

static const char misconfigured_text[] =
    "this router expects PROXY protocol, which is not sent to it, so it gets no connections: set the protocol of its "
    "IngressController (spec.endpointPublishingStrategy.hostNetwork.protocol) to TCP, or on OpenShift 3 remove "
    "ROUTER_USE_PROXY_PROTOCOL from its deployment";

json_t *host_json(const struct control *control, const struct cluster *cluster, size_t i)
{
	const struct host_spec *host = &cluster->spec->hosts[i];
	const struct health *health = &cluster->health[i];
	struct slot_usage usage = control_host_usage(control, host->id);
	json_t *object = identity_json(cluster, host);
	json_object_set_new(object, "origin", json_string(cluster_source_name(cluster->spec->source)));
	add_setting(object, host_modes_find(&cluster->modes, host->id));
	bool elected = cluster->spec->state == CLUSTER_ACTIVE && table_elects(cluster, i);
	json_object_set_new(object, "elected", json_boolean(elected));
	json_object_set_new(object, "state", json_string(cluster_host_state_name(host->state)));
	if (cluster_hosts_are_observed(cluster->spec))
		json_object_set_new(object, "pods", json_integer(host->pods));
	if (host->state == HOST_MISCONFIGURED)
		json_object_set_new(object, "why", json_string(misconfigured_text));
	if (host->hold.reason != HOLD_NONE)
		json_object_set_new(object, "held", view_hold(&host->hold));
	json_object_set_new(object, "healthy", json_boolean(health->state == HEALTH_UP));
	json_object_set_new(object, "health", health_json(health));
	json_object_set_new(object, "history", changes_json(health));
	json_object_set_new(object, "active", view_number(usage.active));
	json_object_set_new(object, "total", view_number(usage.total));
	json_object_set_new(object, "refused", view_number(usage.refused));
	int64_t new = history_value(control->history, HISTORY_HOST, host->id, VALUE_NEW, HISTORY_POINTS - 1);
	json_object_set_new(object, "new_per_second", new >= 0 ? json_integer(new) : json_null());
	return object;
}

json_t *host_list(const struct control *control, const struct cluster *only, struct api_page page)
{
	json_t *array = json_array();
	size_t index = 0;
	for (unsigned i = 0; i < CLUSTERS_MAX; i++) {
		const struct cluster *cluster = control->state.clusters[i];
		if (!cluster || (only && cluster != only))
			continue;
		for (size_t j = 0; j < cluster->spec->host_count; j++, index++)
			if (view_in_page(page, index))
				json_array_append_new(array, host_json(control, cluster, j));
	}
	return view_page(control, page, index, "hosts", array);
}
