/* The admin API's views of control: see the header. */
#include "control/admin_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/counters.h"
#include "common/shared.h"
#include "control/adopt.h"
#include "control/weight.h"

enum { PORT_REST_SECONDS = 60 }; /* a source port is used again toward the same router host after that */

static const char *const counter_names[] = {
#define X(symbol, help) #symbol,
    COUNTERS_OUTCOMES(X) COUNTERS_OTHERS(X) COUNTERS_GAUGES(X)
#undef X
};

_Static_assert(sizeof(counter_names) / sizeof(counter_names[0]) == counter_count, "a name for each counter");

static json_t *number(uint64_t value)
{
	return json_integer((json_int_t)value);
}

/* RFC 3339 in UTC, or null for "never". */
static json_t *timestamp(int64_t unix_ms)
{
	char text[40];
	struct tm parts;
	time_t seconds = (time_t)(unix_ms / 1000);
	if (unix_ms == 0 || !gmtime_r(&seconds, &parts))
		return json_null();
	size_t len = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
	snprintf(text + len, sizeof(text) - len, ".%03dZ", (int)(unix_ms % 1000));
	return json_string(text);
}

static json_t *address_json(const struct address *address)
{
	char text[ADDRESS_TEXT_MAX];
	return json_string(address_format(address, text));
}

/* ---- status ---- */

static json_t *control_json(const struct control *control)
{
	return json_pack("{s:s, s:i, s:o, s:o}", "version", PM_VERSION, "pid", (int)getpid(), "started_at",
	                 timestamp(control->started_at), "revision", number(control->state.revision));
}

static json_t *dataplane_json(const struct control *control)
{
	static const char *const names[] = {"absent", "starting", "incompatible", "ready"};
	enum link_state state = control->link ? dataplane_link_state(control->link) : LINK_ABSENT;
	json_t *object = json_pack("{s:s}", "state", names[state]);
	if (state != LINK_READY && control->link)
		json_object_set_new(object, "detail", json_string(dataplane_link_why(control->link)));
	if (state != LINK_ABSENT)
		json_object_set_new(object, "pid", json_integer(dataplane_link_pid(control->link)));
	if (!control->shared)
		return object;
	int64_t started_at = (int64_t)control->shared->started_at;
	json_object_set_new(object, "version", number(control->shared->version));
	json_object_set_new(object, "started_at", timestamp(started_at));
	json_object_set_new(object, "uptime_seconds", json_integer((clock_unix_ms() - started_at) / 1000));
	json_object_set_new(object, "tsc_hz", number(control->shared->tsc_hz)); /* of all counters in ticks */
	return object;
}

static json_t *worker_counters(const struct shared_worker *worker)
{
	json_t *object = json_object();
	for (int i = 0; i < counter_count; i++)
		json_object_set_new(object, counter_names[i], number(shared_get(&worker->counters[i])));
	return object;
}

static json_t *workers_json(const struct control *control)
{
	json_t *array = json_array();
	for (unsigned i = 0; control->shared && i < control->shared->worker_count; i++) {
		const struct shared_worker *worker = shared_worker_at(control->shared, i);
		json_t *object =
		    json_pack("{s:i, s:o, s:o}", "worker", (int)i, "applied_revision",
		              number(feed_worker_applied(&control->feed, i)), "counters", worker_counters(worker));
		json_array_append_new(array, object);
	}
	return array;
}

static bool is_maximum(int counter)
{
	return counter == counter_loop_ticks_max || counter == counter_message_ticks_max;
}

/* Sums, but for maxima. */
static json_t *counters_json(const struct control *control)
{
	json_t *object = json_object();
	for (int i = 0; i < counter_count; i++) {
		uint64_t sum = 0;
		for (unsigned j = 0; control->shared && j < control->shared->worker_count; j++) {
			uint64_t value = shared_get(&shared_worker_at(control->shared, j)->counters[i]);
			if (!is_maximum(i))
				sum += value;
			else if (value > sum)
				sum = value;
		}
		json_object_set_new(object, counter_names[i], number(sum));
	}
	return object;
}

static json_t *port_json(const struct shared_port *port)
{
	char name[sizeof(port->interface) + 1] = "";
	memcpy(name, port->interface, sizeof(port->interface));
	json_t *object = json_pack("{s:s, s:b}", "interface", name, "link_up", shared_get(&port->link_up) != 0);
	json_object_set_new(object, "rx_packets", number(shared_get(&port->rx_packets)));
	json_object_set_new(object, "rx_bytes", number(shared_get(&port->rx_bytes)));
	json_object_set_new(object, "rx_ring_full", number(shared_get(&port->rx_ring_full)));
	json_object_set_new(object, "rx_errors", number(shared_get(&port->rx_errors)));
	json_object_set_new(object, "tx_packets", number(shared_get(&port->tx_packets)));
	json_object_set_new(object, "tx_bytes", number(shared_get(&port->tx_bytes)));
	json_object_set_new(object, "tx_errors", number(shared_get(&port->tx_errors)));
	return object;
}

static json_t *ports_json(const struct control *control)
{
	json_t *array = json_array();
	for (unsigned i = 0; control->shared && i < control->shared->port_count; i++)
		json_array_append_new(array, port_json(&control->shared->ports[i]));
	return array;
}

/* In the order of the listeners and their addresses, as the dataplane counts them. */
static json_t *vips_json(const struct control *control)
{
	json_t *array = json_array();
	unsigned index = 0;
	for (unsigned i = 0; i < control->config->listener_count; i++) {
		const struct config_listener *listener = &control->config->listeners[i];
		for (unsigned j = 0; j < listener->address_count; j++, index++) {
			bool known = control->shared && index < control->shared->vip_count;
			json_t *held =
			    known ? json_boolean(shared_get(&control->shared->vip_held[index])) : json_null();
			json_array_append_new(array, json_pack("{s:s, s:o, s:i, s:o}", "listener", listener->name,
			                                       "address", address_json(&listener->addresses[j]), "port",
			                                       listener->port, "held", held));
		}
	}
	return array;
}

static json_t *pool_json(const struct config *config)
{
	uint64_t addresses = 0, ports = (uint64_t)config->pool.port_last - config->pool.port_first + 1;
	for (unsigned i = 0; i < config->pool.prefix_count; i++)
		addresses += 1ULL << (128 - config->pool.prefixes[i].length);
	return json_pack("{s:o, s:o, s:o, s:o}", "addresses", number(addresses), "ports_per_address", number(ports),
	                 "connections_per_router_host", number(addresses * ports),
	                 "new_connections_per_second_per_router_host", number(addresses * ports / PORT_REST_SECONDS));
}

/* Workers may share a pool of buffers: the block of the first one speaks for it. */
static json_t *mbufs_json(const struct control *control)
{
	if (!control->shared)
		return json_null();
	const struct shared_worker *worker = shared_worker_at(control->shared, 0);
	return json_pack("{s:o, s:o}", "available", number(shared_get(&worker->mbufs_available)), "total",
	                 number(shared_get(&worker->mbufs_total)));
}

static json_t *state_file_json(const struct control *control)
{
	const struct state_file_status *file = &control->state_file;
	json_t *object =
	    json_pack("{s:s, s:b, s:o}", "path", file->path, "good", file->good, "saved_at", timestamp(file->saved_at));
	if (file->why[0] != '\0')
		json_object_set_new(object, "detail", json_string(file->why));
	return object;
}

static json_t *messages_json(const struct control *control)
{
	json_t *array = json_array();
	for (unsigned i = 0; i < control->notice_count; i++)
		json_array_append_new(array, json_string(control->notices[i]));
	if (control->table_notice[0] != '\0')
		json_array_append_new(array, json_string(control->table_notice));
	for (unsigned i = 0; i < control->config->listener_count; i++) {
		const struct config_listener *listener = &control->config->listeners[i];
		if (listener->default_cluster[0] == '\0' || state_cluster(&control->state, listener->default_cluster))
			continue;
		json_array_append_new(array,
		                      json_sprintf("listener %s: its default cluster %s does not exist, so unknown "
		                                   "names are rejected",
		                                   listener->name, listener->default_cluster));
	}
	return array;
}

json_t *admin_status(const struct control *control)
{
	json_t *object =
	    json_pack("{s:o, s:o}", "control", control_json(control), "dataplane", dataplane_json(control));
	json_object_set_new(object, "applied_revision", number(control->applied));
	json_object_set_new(object, "messages", messages_json(control));
	json_object_set_new(object, "state_file", state_file_json(control));
	json_object_set_new(object, "vips", vips_json(control));
	json_object_set_new(object, "source_pool", pool_json(control->config));
	json_object_set_new(object, "mbufs", mbufs_json(control));
	json_object_set_new(object, "ports", ports_json(control));
	json_object_set_new(object, "counters", counters_json(control));
	json_object_set_new(object, "workers", workers_json(control));
	return object;
}

/* ---- clusters, hosts, routes ---- */

static json_t *watch_json(const struct kube_watch_status *watch)
{
	int64_t age = watch->confirmed_at > 0 ? (clock_unix_ms() - watch->confirmed_at) / 1000 : -1;
	json_t *object =
	    json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:s}", "what", watch->what, "state",
	              kube_watch_state_name(watch->state), "detail", watch->words, "state_since",
	              timestamp(watch->state_since), "listed_at", timestamp(watch->listed_at), "event_at",
	              timestamp(watch->event_at), "confirmed_at", timestamp(watch->confirmed_at), "age_seconds",
	              age >= 0 ? json_integer(age) : json_null(), "resource_version", watch->resource_version);
	json_object_set_new(object, "objects", number(watch->objects));
	json_object_set_new(object, "failing", json_boolean(watch->failing));
	json_object_set_new(object, "error", watch->error[0] != '\0' ? json_string(watch->error) : json_null());
	json_object_set_new(object, "error_at", timestamp(watch->error_at));
	json_object_set_new(object, "lists", number(watch->lists));
	json_object_set_new(object, "watches", number(watch->watches));
	json_object_set_new(object, "events", number(watch->events));
	json_object_set_new(object, "bookmarks", number(watch->bookmarks));
	json_object_set_new(object, "errors", number(watch->errors));
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
	json_object_set_new(object, "more_warnings", number(status.warnings_more));
	json_object_set_new(object, "insecure", json_boolean(status.insecure));
}

static json_t *cluster_json(const struct control *control, const struct cluster *cluster)
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
		json_object_set_new(object, "pushed_at", timestamp(cluster->pushed_at));
	}
	json_object_set_new(object, "hosts", number(spec->host_count));
	json_object_set_new(object, "healthy_hosts", number(healthy));
	json_object_set_new(object, "routes", number(control->state.names.of_cluster[cluster->index]));
	if (spec->source != SOURCE_STATIC)
		json_object_set_new(object, "held", number(adopt_held(&control->state, cluster)));
	if (spec->source == SOURCE_WATCH)
		add_watch(object, control, cluster);
	json_object_set_new(object, "active", number(active));
	json_object_set_new(object, "total", number(total));
	return object;
}

json_t *admin_clusters(const struct control *control)
{
	json_t *array = json_array();
	for (unsigned i = 0; i < CLUSTERS_MAX; i++)
		if (control->state.clusters[i])
			json_array_append_new(array, cluster_json(control, control->state.clusters[i]));
	return json_pack("{s:o, s:o}", "revision", number(control->state.revision), "clusters", array);
}

static json_t *hold_json(const struct hold *hold)
{
	return json_pack("{s:s, s:o}", "reason", cluster_hold_text(hold->reason), "since", timestamp(hold->since));
}

static json_t *health_json(const struct health *health)
{
	char reason[CHECK_TEXT_MAX];
	json_t *object =
	    json_pack("{s:s, s:b, s:s, s:s}", "state", health_state_name(health->state), "stale", health->stale,
	              "result", check_kind_name(health->last.kind), "reason", check_result_text(health->last, reason));
	json_object_set_new(object, "checked_at", timestamp(health->checked_at));
	json_object_set_new(object, "changed_at", timestamp(health->changed_at));
	return object;
}

static const char misconfigured_text[] =
    "this router expects PROXY protocol, which is not sent to it, so it gets no connections: set the protocol of its "
    "IngressController (spec.endpointPublishingStrategy.hostNetwork.protocol) to TCP, or on OpenShift 3 remove "
    "ROUTER_USE_PROXY_PROTOCOL from its deployment";

static json_t *host_json(const struct control *control, const struct cluster *cluster, size_t i)
{
	const struct host_spec *host = &cluster->spec->hosts[i];
	const struct health *health = &cluster->health[i];
	struct slot_usage usage = control_host_usage(control, host->id);
	json_t *object = json_pack("{s:s, s:s, s:o, s:i, s:i, s:s}", "cluster", cluster->spec->name, "name", host->name,
	                           "address", address_json(&host->address), "http_port", host->http_port, "https_port",
	                           host->https_port, "origin", cluster_source_name(cluster->spec->source));
	json_object_set_new(object, "state", json_string(cluster_host_state_name(host->state)));
	if (cluster_hosts_are_observed(cluster->spec))
		json_object_set_new(object, "pods", json_integer(host->pods));
	if (host->state == HOST_MISCONFIGURED)
		json_object_set_new(object, "why", json_string(misconfigured_text));
	if (host->hold.reason != HOLD_NONE)
		json_object_set_new(object, "held", hold_json(&host->hold));
	json_object_set_new(object, "healthy", json_boolean(health->state == HEALTH_UP));
	json_object_set_new(object, "health", health_json(health));
	json_object_set_new(object, "active", number(usage.active));
	json_object_set_new(object, "total", number(usage.total));
	json_object_set_new(object, "refused", number(usage.refused));
	return object;
}

static json_t *page_json(const struct control *control, struct admin_page page, size_t total, const char *name,
                         json_t *array)
{
	return json_pack("{s:o, s:o, s:o, s:o}", "revision", number(control->state.revision), "total", number(total),
	                 "offset", number(page.offset), name, array);
}

static bool in_page(struct admin_page page, size_t index)
{
	return index >= page.offset && index - page.offset < page.limit;
}

json_t *admin_hosts(const struct control *control, struct admin_page page)
{
	json_t *array = json_array();
	size_t index = 0;
	for (unsigned i = 0; i < CLUSTERS_MAX; i++) {
		const struct cluster *cluster = control->state.clusters[i];
		for (size_t j = 0; cluster && j < cluster->spec->host_count; j++, index++)
			if (in_page(page, index))
				json_array_append_new(array, host_json(control, cluster, j));
	}
	return page_json(control, page, index, "hosts", array);
}

static json_t *share_json(const struct control *control, const struct name *name, const struct pair *pair)
{
	char why[WEIGHT_WHY_MAX];
	const struct cluster_spec *cluster = control->state.clusters[pair->cluster]->spec;
	struct weight weight = weight_of(cluster, pair);
	struct slot_usage usage = control_pair_usage(control, cluster_pair_id(name->id, cluster->name));
	json_t *object =
	    json_pack("{s:s, s:i, s:s, s:b, s:b}", "cluster", cluster->name, "weight", weight.value, "weight_origin",
	              weight_origin_name(weight.origin), "http", pair->http, "https", pair->https);
	if (weight.bar != WEIGHT_FREE) {
		json_object_set_new(object, "weight_given", json_integer(weight.given));
		json_object_set_new(object, "why", json_string(weight_why(weight, cluster, why)));
	}
	if (pair->overridden && pair->weight_given)
		json_object_set_new(object, "weight_of_cluster", json_integer(pair->weight));
	if (pair->namespace[0] != '\0') {
		json_object_set_new(object, "namespace", json_string(pair->namespace));
		json_object_set_new(object, "system", json_boolean(cluster_namespace_is_system(pair->namespace)));
		json_object_set_new(object, "created_at", timestamp(pair->created));
	}
	if (pair->hold.reason != HOLD_NONE)
		json_object_set_new(object, "held", hold_json(&pair->hold));
	if (pair->warning)
		json_object_set_new(object, "warning", json_string(pair->warning));
	json_object_set_new(object, "active", number(usage.active));
	json_object_set_new(object, "total", number(usage.total));
	return object;
}

static json_t *route_json(const struct control *control, const struct name *name)
{
	char text[ROUTE_TEXT_MAX];
	json_t *shares = json_array();
	for (unsigned i = 0; i < name->pair_count; i++)
		if (name->pairs[i].present)
			json_array_append_new(shares, share_json(control, name, &name->pairs[i]));
	return json_pack("{s:s, s:o}", "host", name_format(&name->host, name->wildcard, text), "clusters", shares);
}

json_t *admin_routes(const struct control *control, struct admin_page page)
{
	size_t count;
	struct name **names = names_sorted(&control->state.names, names_is_served, &count);
	json_t *array = json_array();
	for (size_t i = page.offset; i < count && in_page(page, i); i++)
		json_array_append_new(array, route_json(control, names[i]));
	free(names);
	return page_json(control, page, count, "routes", array);
}

/* ---- held ---- */

static json_t *held_json(const struct cluster *cluster, const char *kind, const char *name, const struct hold *hold)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:o, s:b}", "cluster", cluster->spec->name, "kind", kind, "name", name,
	                 "reason", cluster_hold_text(hold->reason), "since", timestamp(hold->since), "goes_by_itself",
	                 hold->reason == HOLD_MANY && cluster->spec->hold_minutes > 0);
}

static bool is_held(const struct name *name)
{
	for (unsigned i = 0; i < name->pair_count; i++)
		if (name->pairs[i].hold.reason != HOLD_NONE)
			return true;
	return false;
}

static size_t add_held_hosts(const struct control *control, struct admin_page page, json_t *array)
{
	size_t index = 0;
	for (unsigned i = 0; i < CLUSTERS_MAX; i++) {
		const struct cluster *cluster = control->state.clusters[i];
		for (size_t j = 0; cluster && j < cluster->spec->host_count; j++) {
			const struct host_spec *host = &cluster->spec->hosts[j];
			if (host->hold.reason != HOLD_NONE && in_page(page, index++))
				json_array_append_new(array, held_json(cluster, "host", host->name, &host->hold));
		}
	}
	return index;
}

static size_t add_held_routes(const struct control *control, const struct name *name, struct admin_page page,
                              size_t index, json_t *array)
{
	for (unsigned i = 0; i < name->pair_count; i++) {
		char text[ROUTE_TEXT_MAX];
		const struct pair *pair = &name->pairs[i];
		if (pair->hold.reason == HOLD_NONE || !in_page(page, index++))
			continue;
		const struct cluster *cluster = control->state.clusters[pair->cluster];
		json_array_append_new(
		    array, held_json(cluster, "route", name_format(&name->host, name->wildcard, text), &pair->hold));
	}
	return index;
}

json_t *admin_held(const struct control *control, struct admin_page page)
{
	size_t count;
	json_t *array = json_array();
	size_t index = add_held_hosts(control, page, array);
	struct name **names = names_sorted(&control->state.names, is_held, &count);
	for (size_t i = 0; i < count; i++)
		index = add_held_routes(control, names[i], page, index, array);
	free(names);
	return page_json(control, page, index, "held", array);
}

json_t *admin_problem(unsigned status, const char *title, const char *detail, const struct json_faults *faults)
{
	json_t *object = json_pack("{s:s, s:s, s:i, s:s}", "type", "about:blank", "title", title, "status", (int)status,
	                           "detail", detail);
	if (!faults || faults->count == 0)
		return object;
	json_t *array = json_array();
	for (size_t i = 0; i < faults->count; i++)
		json_array_append_new(array, json_pack("{s:s, s:s, s:s}", "path", faults->list[i].path, "reason",
		                                       faults->list[i].reason, "expected", faults->list[i].expected));
	json_object_set_new(object, "errors", array);
	if (faults->more > 0)
		json_object_set_new(object, "more_errors", number(faults->more));
	return object;
}
