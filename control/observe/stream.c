/* What is said through the WebSockets: see the header. Order: what is told of clusters and router hosts, hello, routes,
 * what clients say, the hub. */
#include "control/observe/stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/state/adopt.h"
#include "control/control.h"
#include "control/observe/history.h"
#include "control/api/host_json.h"
#include "control/observe/journal.h"
#include "control/api/role.h"
#include "control/api/route_json.h"
#include "control/observe/sampler.h"
#include "control/observe/stats_json.h"
#include "control/feed/table.h"
#include "control/traffic/unknown_names.h"
#include "control/api/view.h"
#include "control/api/websocket.h"

enum { SECOND_MS = 1000, HELD_MS = 5000 };

/* A route that somebody is told of. */
struct topic {
	char host[ROUTE_TEXT_MAX]; /* as it was asked for */
	unsigned listeners;
	struct websocket_text *text; /* of the present second */
	struct topic *next;
};

/* The hub's part of a client. */
struct listener {
	struct websocket_client *client;
	unsigned topic_count;
	struct topic *topics[STREAM_ROUTES_MAX];
	struct listener *next, **link;
};

struct stream {
	struct control *control;
	struct listener *listeners;
	unsigned topic_count;
	struct topic *topics;

	char *past; /* of a hello: the history, for the second `past_at`; NULL: not made */
	int64_t past_at;
	char *tick; /* the same: the last tick */
	int64_t tick_at;

	/* Counting what is held takes a walk over all routes. */
	size_t held[CLUSTERS_MAX];
	uint64_t held_at; /* monotonic ms; 0: not counted yet */
	uint64_t held_revision;
};

static char *dump(json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT);
	if (!text)
		abort();
	json_decref(json);
	return text;
}

/* ---- the tick ---- */

static void count_held(struct stream *stream)
{
	const struct control *control = stream->control;
	uint64_t now = clock_monotonic_ms();
	if (stream->held_at != 0 && now - stream->held_at < HELD_MS && stream->held_revision == control->state.revision)
		return;
	for (unsigned i = 0; i < CLUSTERS_MAX; i++) {
		const struct cluster *cluster = control->state.clusters[i];
		bool holds = cluster && cluster->spec->source != SOURCE_STATIC;
		stream->held[i] = holds ? adopt_held(&control->state, cluster) : 0;
	}
	stream->held_at = now;
	stream->held_revision = control->state.revision;
}

static json_t *cluster_tick(const struct stream *stream, const struct cluster *cluster)
{
	const struct control *control = stream->control;
	const struct cluster_spec *spec = cluster->spec;
	uint64_t healthy = 0;
	for (size_t i = 0; i < spec->host_count; i++)
		healthy += cluster->health[i].state == HEALTH_UP;
	json_t *object = json_pack("{s:s, s:s, s:s, s:b, s:I, s:I, s:I, s:I}", "name", spec->name, "state",
	                           cluster_state_name(spec->state), "source", cluster_source_name(spec->source),
	                           "stale", spec->source == SOURCE_WATCH && !cluster->current, "hosts",
	                           (json_int_t)spec->host_count, "healthy_hosts", (json_int_t)healthy, "routes",
	                           (json_int_t)control->state.names.of_cluster[cluster->index], "held",
	                           (json_int_t)stream->held[cluster->index]);
	stats_add_last_of_cluster(object, control, cluster);
	json_object_set_new(object, "default_weight", json_integer(spec->default_weight));
	json_object_set_new(object, "drain", drain_json(&cluster->drain));
	return object;
}

static json_t *host_tick(const struct control *control, const struct cluster *cluster, size_t i)
{
	char id[HOST_ID_TEXT_MAX], address[ADDRESS_TEXT_MAX], reason[CHECK_TEXT_MAX];
	const struct host_spec *host = &cluster->spec->hosts[i];
	const struct health *health = &cluster->health[i];
	const struct host_setting *setting = host_modes_find(&cluster->modes, host->id);
	bool elected = cluster->spec->state == CLUSTER_ACTIVE && table_elects(cluster, i);
	json_t *object = json_pack(
	    "{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:b}", "id", host_id_text(cluster, host, id), "cluster",
	    cluster->spec->name, "name", host->name, "address", address_format(&host->address, address), "state",
	    cluster_host_state_name(host->state), "admin", host_mode_name(setting ? setting->mode : HOST_MODE_ENABLED),
	    "health", health_state_name(health->state), "reason", check_result_text(health->last, reason), "elected",
	    elected);
	stats_add_last_of_host(object, control, host);
	return object;
}

static json_t *make_tick(struct stream *stream)
{
	const struct control *control = stream->control;
	json_t *clusters = json_array(), *hosts = json_array();
	size_t held = 0;
	count_held(stream);
	for (unsigned i = 0; i < CLUSTERS_MAX; i++) {
		const struct cluster *cluster = control->state.clusters[i];
		if (!cluster)
			continue;
		held += stream->held[i];
		json_array_append_new(clusters, cluster_tick(stream, cluster));
		for (size_t j = 0; j < cluster->spec->host_count; j++)
			json_array_append_new(hosts, host_tick(control, cluster, j));
	}
	const struct unknown_names *names = control->unknown_names;
	return json_pack("{s:s, s:I, s:I, s:I, s:s, s:o, s:o, s:o, s:I, s:I, s:I}", "type", "tick", "at",
	                 (json_int_t)stats_at(control), "revision", (json_int_t)control->state.revision,
	                 "applied_revision", (json_int_t)control->applied, "dataplane", stats_dataplane(control),
	                 "totals", stats_last_totals(control), "clusters", clusters, "hosts", hosts, "unknown",
	                 (json_int_t)(names ? unknown_names_total(names) : 0), "unknown_names",
	                 (json_int_t)(names ? unknown_names_count(names) : 0), "held", (json_int_t)held);
}

static const char *tick_text(struct stream *stream)
{
	int64_t at = stats_at(stream->control);
	if (stream->tick && stream->tick_at == at)
		return stream->tick;
	free(stream->tick);
	stream->tick = dump(make_tick(stream));
	stream->tick_at = at;
	return stream->tick;
}

/* ---- hello ---- */

static json_t *make_past(const struct control *control)
{
	json_t *clusters = json_object(), *hosts = json_object();
	for (unsigned i = 0; i < CLUSTERS_MAX; i++) {
		const struct cluster *cluster = control->state.clusters[i];
		if (!cluster)
			continue;
		json_object_set_new(clusters, cluster->spec->name, stats_of_cluster(control, cluster));
		for (size_t j = 0; j < cluster->spec->host_count; j++) {
			char id[HOST_ID_TEXT_MAX];
			const struct host_spec *host = &cluster->spec->hosts[j];
			json_t *series = stats_of_host(control, host);
			json_object_del(series, "total"); /* it follows from the ticks and "new" */
			json_object_set_new(hosts, host_id_text(cluster, host, id), series);
		}
	}
	return json_pack("{s:o, s:o, s:o, s:o}", "times", stats_times(control), "totals", stats_totals(control),
	                 "hosts", hosts, "clusters", clusters);
}

static const char *past_text(struct stream *stream)
{
	int64_t at = stats_at(stream->control);
	if (stream->past && stream->past_at == at)
		return stream->past;
	free(stream->past);
	stream->past = dump(make_past(stream->control));
	stream->past_at = at;
	return stream->past;
}

static json_t *last_events(const struct journal *journal)
{
	json_t *events = json_array();
	uint64_t oldest = journal_oldest(journal);
	for (uint64_t id = journal_last(journal); id > 0 && id >= oldest && json_array_size(events) < STREAM_EVENTS;
	     id--)
		if (journal_find(journal, id))
			json_array_append_new(events, stats_event(journal_find(journal, id)));
	return events;
}

/* What differs from client to client, then what is the same for all in this second. */
static void say_hello(struct stream *stream, struct websocket_client *client)
{
	const struct control *control = stream->control;
	const struct identity *identity = websocket_identity(client);
	json_t *head = json_pack("{s:s, s:o, s:s, s:s, s:s, s:I, s:i, s:o}", "type", "hello", "at",
	                         view_time(stats_at(control)), "role", role_name(identity->role), "user",
	                         identity->name, "version", PM_VERSION, "revision", (json_int_t)control->state.revision,
	                         "interval_ms", SECOND_MS, "events", last_events(control->journal));
	char *own = dump(head), *text;
	own[strlen(own) - 1] = '\0'; /* its brace */
	int len = asprintf(&text, "%s,%s", own, past_text(stream) + 1);
	if (len < 0)
		abort();
	websocket_send(client, text, (size_t)len);
	free(text);
	free(own);
}

/* ---- routes ---- */

static const struct name *find_route(const struct control *control, const char *host)
{
	struct hostname text;
	bool wildcard;
	if (!name_parse(host, &text, &wildcard))
		return NULL;
	const struct name *name = names_find_host(&control->state.names, &text, wildcard);
	return name && name->pair_count > 0 ? name : NULL;
}

/* `first`: with all points, else with the last one. */
static char *route_text(const struct control *control, const struct share_view *view, const char *host, bool first)
{
	const struct name *name = find_route(control, host);
	json_t *object =
	    json_pack("{s:s, s:s, s:I, s:o}", "type", "route", "host", host, "at", (json_int_t)stats_at(control),
	              "route", name ? route_json(control, view, name) : json_null());
	json_t *clusters = !name   ? json_object()
	                   : first ? stats_of_route(control, name)
	                           : stats_last_of_route(control, name);
	if (first)
		json_object_set_new(object, "stats", stats_frame(control, json_pack("{s:o}", "clusters", clusters)));
	else
		json_object_set_new(object, "point", clusters);
	return dump(object);
}

static void tell_routes(struct stream *stream)
{
	struct share_view view;
	if (!stream->topics)
		return;
	share_view_make(&view, &stream->control->state);
	for (struct topic *topic = stream->topics; topic; topic = topic->next) {
		char *text = route_text(stream->control, &view, topic->host, false);
		topic->text = websocket_text_create(text, strlen(text));
		free(text);
	}
	for (struct listener *listener = stream->listeners; listener; listener = listener->next)
		for (unsigned i = 0; i < listener->topic_count; i++)
			websocket_send_text(listener->client, listener->topics[i]->text);
	for (struct topic *topic = stream->topics; topic; topic = topic->next) {
		websocket_text_release(topic->text);
		topic->text = NULL;
	}
}

static struct topic *find_topic(struct stream *stream, const char *host)
{
	struct topic *topic = stream->topics;
	while (topic && strcmp(topic->host, host) != 0)
		topic = topic->next;
	return topic;
}

static struct topic *add_topic(struct stream *stream, const char *host)
{
	struct topic *topic = calloc(1, sizeof(*topic));
	if (!topic)
		abort();
	snprintf(topic->host, sizeof(topic->host), "%s", host);
	topic->next = stream->topics;
	stream->topics = topic;
	stream->topic_count++;
	return topic;
}

static void leave_topic(struct stream *stream, struct topic *topic)
{
	if (--topic->listeners > 0)
		return;
	struct topic **link = &stream->topics;
	while (*link != topic)
		link = &(*link)->next;
	*link = topic->next;
	free(topic);
	stream->topic_count--;
}

/* ---- what clients say ---- */

static void say_error(struct websocket_client *client, const char *detail)
{
	char *text = dump(json_pack("{s:s, s:s}", "type", "error", "detail", detail));
	websocket_send(client, text, strlen(text));
	free(text);
}

static unsigned place_of(const struct listener *listener, const char *host)
{
	unsigned i = 0;
	while (i < listener->topic_count && strcmp(listener->topics[i]->host, host) != 0)
		i++;
	return i;
}

static void subscribe(struct stream *stream, struct listener *listener, const char *host)
{
	struct hostname name;
	bool wildcard;
	struct share_view view;
	if (!name_parse(host, &name, &wildcard)) {
		say_error(listener->client, "subscribe: this is not a host name");
		return;
	}
	if (place_of(listener, host) == listener->topic_count) {
		struct topic *topic = find_topic(stream, host);
		if (listener->topic_count == STREAM_ROUTES_MAX ||
		    (!topic && stream->topic_count == STREAM_TOPICS_MAX)) {
			say_error(listener->client, listener->topic_count == STREAM_ROUTES_MAX
			                                ? "subscribe: at most 8 routes at a time; unsubscribe from one"
			                                : "subscribe: all clients together watch too many routes");
			return;
		}
		topic = topic ? topic : add_topic(stream, host);
		topic->listeners++;
		listener->topics[listener->topic_count++] = topic;
	}
	share_view_make(&view, &stream->control->state);
	char *text = route_text(stream->control, &view, host, true);
	websocket_send(listener->client, text, strlen(text));
	free(text);
}

static void unsubscribe(struct stream *stream, struct listener *listener, const char *host)
{
	unsigned place = place_of(listener, host);
	if (place == listener->topic_count) {
		say_error(listener->client, "unsubscribe: this route is not subscribed to");
		return;
	}
	leave_topic(stream, listener->topics[place]);
	listener->topics[place] = listener->topics[--listener->topic_count];
}

static void heard(void *context, struct websocket_client *client, const char *text, size_t len)
{
	struct stream *stream = context;
	json_t *message = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	const char *to = json_string_value(json_object_get(message, "subscribe"));
	const char *from = json_string_value(json_object_get(message, "unsubscribe"));
	if (json_object_size(message) == 1 && to)
		subscribe(stream, websocket_data(client), to);
	else if (json_object_size(message) == 1 && from)
		unsubscribe(stream, websocket_data(client), from);
	else
		say_error(client, "expected {\"subscribe\": \"HOST\"} or {\"unsubscribe\": \"HOST\"}");
	json_decref(message);
}

/* ---- the hub ---- */

static void opened(void *context, struct websocket_client *client)
{
	struct stream *stream = context;
	struct listener *listener = calloc(1, sizeof(*listener));
	if (!listener)
		abort();
	listener->client = client;
	listener->next = stream->listeners;
	listener->link = &stream->listeners;
	if (listener->next)
		listener->next->link = &listener->next;
	stream->listeners = listener;
	websocket_set_data(client, listener);
	say_hello(stream, client);
	/* The hello has no names and states. */
	if (history_second(stream->control->history) > 0)
		websocket_send(client, tick_text(stream), strlen(tick_text(stream)));
}

static void closed(void *context, struct websocket_client *client)
{
	struct stream *stream = context;
	struct listener *listener = websocket_data(client);
	for (unsigned i = 0; i < listener->topic_count; i++)
		leave_topic(stream, listener->topics[i]);
	*listener->link = listener->next;
	if (listener->next)
		listener->next->link = listener->link;
	free(listener);
}

static void tell_all(const struct stream *stream, const char *text)
{
	struct websocket_text *shared = websocket_text_create(text, strlen(text));
	websockets_broadcast(stream->control->websockets, shared);
	websocket_text_release(shared);
}

static void ticked(void *context)
{
	struct stream *stream = context;
	if (!stream->listeners)
		return;
	tell_all(stream, tick_text(stream));
	tell_routes(stream);
}

static void event_added(void *context, const struct journal_entry *entry)
{
	struct stream *stream = context;
	if (!stream->listeners)
		return;
	char *text = dump(json_pack("{s:s, s:o}", "type", "event", "event", stats_event(entry)));
	tell_all(stream, text);
	free(text);
}

struct stream *stream_create(struct control *control)
{
	struct stream *stream = calloc(1, sizeof(*stream));
	if (!stream)
		abort();
	stream->control = control;
	const struct websocket_hub hub = {.context = stream, .opened = opened, .message = heard, .closed = closed};
	websockets_set_hub(control->websockets, &hub);
	sampler_listen(control->sampler, ticked, stream);
	journal_listen(control->journal, event_added, stream);
	return stream;
}

void stream_destroy(struct stream *stream)
{
	struct control *control = stream->control;
	websockets_close_all(control->websockets);
	websockets_set_hub(control->websockets, &(struct websocket_hub){0});
	sampler_listen(control->sampler, NULL, NULL);
	journal_listen(control->journal, NULL, NULL);
	free(stream->past);
	free(stream->tick);
	free(stream);
}
