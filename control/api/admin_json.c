/* The admin API's views of control: see the header. */
#include "control/api/admin_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/counters.h"
#include "common/shared.h"
#include "control/traffic/connection_log.h"
#include "control/api/view.h"

enum { PORT_REST_SECONDS = 60 }; /* a source port is used again toward the same router host after that */

static const char *const counter_names[] = {
#define X(symbol, help) #symbol,
    COUNTERS_OUTCOMES(X) COUNTERS_OTHERS(X) COUNTERS_GAUGES(X)
#undef X
};

_Static_assert(sizeof(counter_names) / sizeof(counter_names[0]) == counter_count, "a name for each counter");

static json_t *address_json(const struct address *address)
{
	char text[ADDRESS_TEXT_MAX];
	return json_string(address_format(address, text));
}

/* ---- status ---- */

static json_t *control_json(const struct control *control)
{
	return json_pack("{s:s, s:i, s:o, s:o}", "version", PM_VERSION, "pid", (int)getpid(), "started_at",
	                 view_time(control->started_at), "revision", view_number(control->state.revision));
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
	json_object_set_new(object, "version", view_number(control->shared->version));
	json_object_set_new(object, "started_at", view_time(started_at));
	json_object_set_new(object, "uptime_seconds", json_integer((clock_unix_ms() - started_at) / 1000));
	json_object_set_new(object, "tsc_hz", view_number(control->shared->tsc_hz)); /* of all counters in ticks */
	return object;
}

static json_t *worker_counters(const struct shared_worker *worker)
{
	json_t *object = json_object();
	for (int i = 0; i < counter_count; i++)
		json_object_set_new(object, counter_names[i], view_number(shared_get(&worker->counters[i])));
	return object;
}

static json_t *workers_json(const struct control *control)
{
	json_t *array = json_array();
	for (unsigned i = 0; control->shared && i < control->shared->worker_count; i++) {
		const struct shared_worker *worker = shared_worker_at(control->shared, i);
		json_t *object =
		    json_pack("{s:i, s:o, s:o}", "worker", (int)i, "applied_revision",
		              view_number(feed_worker_applied(&control->feed, i)), "counters", worker_counters(worker));
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
		json_object_set_new(object, counter_names[i], view_number(sum));
	}
	return object;
}

static json_t *port_json(const struct shared_port *port)
{
	char name[sizeof(port->interface) + 1] = "";
	memcpy(name, port->interface, sizeof(port->interface));
	json_t *object = json_pack("{s:s, s:b}", "interface", name, "link_up", shared_get(&port->link_up) != 0);
	json_object_set_new(object, "rx_packets", view_number(shared_get(&port->rx_packets)));
	json_object_set_new(object, "rx_bytes", view_number(shared_get(&port->rx_bytes)));
	json_object_set_new(object, "rx_ring_full", view_number(shared_get(&port->rx_ring_full)));
	json_object_set_new(object, "rx_errors", view_number(shared_get(&port->rx_errors)));
	json_object_set_new(object, "tx_packets", view_number(shared_get(&port->tx_packets)));
	json_object_set_new(object, "tx_bytes", view_number(shared_get(&port->tx_bytes)));
	json_object_set_new(object, "tx_errors", view_number(shared_get(&port->tx_errors)));
	return object;
}

static json_t *ports_json(const struct control *control)
{
	json_t *array = json_array();
	for (unsigned i = 0; control->shared && i < control->shared->port_count; i++)
		json_array_append_new(array, port_json(&control->shared->ports[i]));
	return array;
}

/* In the order of the listeners and their addresses. */
static json_t *vips_json(const struct control *control)
{
	json_t *array = json_array();
	for (unsigned i = 0; i < control->config->listener_count; i++) {
		const struct config_listener *listener = &control->config->listeners[i];
		for (unsigned j = 0; j < listener->address_count; j++) {
			const struct address *address = &listener->addresses[j];
			int vip = control->shared ? vips_find(&control->shared->vips, address, listener->port) : -1;
			json_t *held =
			    vip >= 0 ? json_boolean(shared_get(&control->shared->vip_held[vip])) : json_null();
			json_array_append_new(array,
			                      json_pack("{s:s, s:o, s:i, s:o}", "listener", listener->name, "address",
			                                address_json(address), "port", listener->port, "held", held));
		}
	}
	return array;
}

static json_t *pool_json(const struct config *config)
{
	uint64_t addresses = 0, ports = (uint64_t)config->pool.port_last - config->pool.port_first + 1;
	for (unsigned i = 0; i < config->pool.prefix_count; i++)
		addresses += 1ULL << (128 - config->pool.prefixes[i].length);
	return json_pack("{s:o, s:o, s:o, s:o}", "addresses", view_number(addresses), "ports_per_address",
	                 view_number(ports), "connections_per_router_host", view_number(addresses * ports),
	                 "new_connections_per_second_per_router_host",
	                 view_number(addresses * ports / PORT_REST_SECONDS));
}

/* Workers may share a pool of buffers: the block of the first one speaks for it. */
static json_t *mbufs_json(const struct control *control)
{
	if (!control->shared)
		return json_null();
	const struct shared_worker *worker = shared_worker_at(control->shared, 0);
	return json_pack("{s:o, s:o}", "available", view_number(shared_get(&worker->mbufs_available)), "total",
	                 view_number(shared_get(&worker->mbufs_total)));
}

static json_t *state_file_json(const struct control *control)
{
	const struct state_file_status *file = &control->state_file;
	json_t *object =
	    json_pack("{s:s, s:b, s:o}", "path", file->path, "good", file->good, "saved_at", view_time(file->saved_at));
	if (file->why[0] != '\0')
		json_object_set_new(object, "detail", json_string(file->why));
	return object;
}

json_t *admin_messages(const struct control *control)
{
	json_t *array = json_array();
	for (unsigned i = 0; i < control->notice_count; i++)
		json_array_append_new(array, json_string(control->notices[i]));
	if (control->table_notice[0] != '\0')
		json_array_append_new(array, json_string(control->table_notice));
	if (connection_log_why(control->connection_log)[0] != '\0')
		json_array_append_new(array,
		                      json_sprintf("connection log: %s", connection_log_why(control->connection_log)));
	if (!control_same_config(control))
		json_array_append_new(array, json_string("the dataplane runs another configuration file than control: "
		                                         "run pointsman reload, or restart the dataplane"));
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
	json_object_set_new(object, "applied_revision", view_number(control->applied));
	json_object_set_new(object, "messages", admin_messages(control));
	json_object_set_new(object, "state_file", state_file_json(control));
	json_object_set_new(object, "vips", vips_json(control));
	json_object_set_new(object, "source_pool", pool_json(control->config));
	json_object_set_new(object, "mbufs", mbufs_json(control));
	json_object_set_new(object, "ports", ports_json(control));
	json_object_set_new(object, "counters", counters_json(control));
	json_object_set_new(object, "workers", workers_json(control));
	return object;
}

/* ---- held ---- */

static json_t *held_json(const struct cluster *cluster, const char *kind, const char *name, const struct hold *hold)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:o, s:b}", "cluster", cluster->spec->name, "kind", kind, "name", name,
	                 "reason", cluster_hold_text(hold->reason), "since", view_time(hold->since), "goes_by_itself",
	                 hold->reason == HOLD_MANY && cluster->spec->hold_minutes > 0);
}

static size_t add_held_hosts(const struct control *control, struct api_page page, json_t *array)
{
	size_t index = 0;
	for (unsigned i = 0; i < CLUSTERS_MAX; i++) {
		const struct cluster *cluster = control->state.clusters[i];
		for (size_t j = 0; cluster && j < cluster->spec->host_count; j++) {
			const struct host_spec *host = &cluster->spec->hosts[j];
			if (host->hold.reason != HOLD_NONE && view_in_page(page, index++))
				json_array_append_new(array, held_json(cluster, "host", host->name, &host->hold));
		}
	}
	return index;
}

static size_t add_held_routes(const struct control *control, const struct name *name, struct api_page page,
                              size_t index, json_t *array)
{
	for (unsigned i = 0; i < name->pair_count; i++) {
		char text[ROUTE_TEXT_MAX];
		const struct pair *pair = &name->pairs[i];
		if (pair->hold.reason == HOLD_NONE || !view_in_page(page, index++))
			continue;
		const struct cluster *cluster = control->state.clusters[pair->cluster];
		json_array_append_new(
		    array, held_json(cluster, "route", name_format(&name->host, name->wildcard, text), &pair->hold));
	}
	return index;
}

json_t *admin_held(struct control *control, struct api_page page)
{
	size_t count;
	json_t *array = json_array();
	size_t index = add_held_hosts(control, page, array);
	struct name *const *names = names_ordered(&control->state.names, &count);
	for (size_t i = 0; i < count; i++)
		index = add_held_routes(control, names[i], page, index, array);
	return view_page(control, page, index, "held", array);
}

static const char *title_of(unsigned status)
{
	static const struct {
		unsigned status;
		const char *title;
	} titles[] = {
	    {400, "Bad Request"},         {401, "Unauthorized"},        {403, "Forbidden"},
	    {404, "Not Found"},           {405, "Method Not Allowed"},  {409, "Conflict"},
	    {412, "Precondition Failed"}, {413, "Content Too Large"},   {415, "Unsupported Media Type"},
	    {429, "Too Many Requests"},   {503, "Service Unavailable"}, {507, "Insufficient Storage"},
	};
	for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++)
		if (titles[i].status == status)
			return titles[i].title;
	return "Error";
}

json_t *admin_problem(unsigned status, const char *detail, const struct json_faults *faults)
{
	json_t *object = json_pack("{s:s, s:s, s:i, s:s}", "type", "about:blank", "title", title_of(status), "status",
	                           (int)status, "detail", detail);
	if (!faults || faults->count == 0)
		return object;
	json_t *array = json_array();
	for (size_t i = 0; i < faults->count; i++)
		json_array_append_new(array, json_pack("{s:s, s:s, s:s}", "path", faults->list[i].path, "reason",
		                                       faults->list[i].reason, "expected", faults->list[i].expected));
	json_object_set_new(object, "errors", array);
	if (faults->more > 0)
		json_object_set_new(object, "more_errors", view_number(faults->more));
	return object;
}
