/* Live connections, gathered: see the header. */
#include "control/traffic/connections.h"

#include <stdlib.h>
#include <string.h>

#include "control/traffic/connection_names.h"
#include "control/control.h"
#include "control/api/view.h"

/* One that is shown. `born`: CLOCK_MONOTONIC, ms, so that ages told at different moments compare. */
struct shown {
	int64_t born;
	struct record_connection connection;
};

/* The connections of a route on a cluster. */
struct group {
	uint64_t count;
	uint32_t oldest; /* ms */
	struct record_connection sample;
};

struct connections {
	const struct control *control;
	size_t limit, listed, shown_count;
	struct shown *shown; /* a heap: the youngest is the first */
	uint32_t oldest;     /* ms */
	size_t group_count, group_room;
	struct group *groups;
	uint32_t *buckets; /* indexes into groups, SLOT_NONE: free; twice as many as group_room, a power of two */
};

static void *resize(void *memory, size_t count, size_t size)
{
	memory = reallocarray(memory, count, size);
	if (!memory)
		abort();
	return memory;
}

struct connections *connections_create(const struct control *control, size_t limit)
{
	struct connections *connections = resize(NULL, 1, sizeof(*connections));
	*connections = (struct connections){.control = control, .limit = limit};
	connections->shown = resize(NULL, limit + 1, sizeof(*connections->shown));
	return connections;
}

void connections_free(struct connections *connections)
{
	free(connections->shown);
	free(connections->groups);
	free(connections->buckets);
	free(connections);
}

/* ---- the oldest ---- */

static void swap(struct shown *a, struct shown *b)
{
	struct shown c = *a;
	*a = *b;
	*b = c;
}

static void sift_up(struct shown *heap, size_t i)
{
	for (; i > 0 && heap[i].born > heap[(i - 1) / 2].born; i = (i - 1) / 2)
		swap(&heap[i], &heap[(i - 1) / 2]);
}

static void sift_down(struct shown *heap, size_t count)
{
	for (size_t i = 0, child; (child = 2 * i + 1) < count; i = child) {
		if (child + 1 < count && heap[child + 1].born > heap[child].born)
			child++;
		if (heap[child].born <= heap[i].born)
			break;
		swap(&heap[i], &heap[child]);
	}
}

static void show(struct connections *connections, int64_t born, const struct record_connection *connection)
{
	struct shown *heap = connections->shown;
	if (connections->shown_count < connections->limit) {
		heap[connections->shown_count] = (struct shown){born, *connection};
		sift_up(heap, connections->shown_count++);
	} else if (connections->limit > 0 && born < heap[0].born) {
		heap[0] = (struct shown){born, *connection};
		sift_down(heap, connections->shown_count);
	}
}

/* ---- by route ---- */

static uint32_t *bucket_of(const struct connections *connections, const struct record_connection *connection)
{
	size_t mask = 2 * connections->group_room - 1;
	uint64_t key = ((uint64_t)connection->cluster << 32 | connection->pair) * 0x9e3779b97f4a7c15ULL;
	size_t i = (key >> 32) & mask;
	for (;; i = (i + 1) & mask) {
		uint32_t *bucket = &connections->buckets[i];
		if (*bucket == SLOT_NONE)
			return bucket;
		const struct record_connection *sample = &connections->groups[*bucket].sample;
		if (sample->pair == connection->pair && sample->cluster == connection->cluster)
			return bucket;
	}
}

static void grow_groups(struct connections *connections)
{
	size_t room = connections->group_room > 0 ? 2 * connections->group_room : 64;
	connections->group_room = room;
	connections->groups = resize(connections->groups, room, sizeof(*connections->groups));
	connections->buckets = resize(connections->buckets, 2 * room, sizeof(*connections->buckets));
	memset(connections->buckets, 0xff, 2 * room * sizeof(*connections->buckets));
	for (size_t i = 0; i < connections->group_count; i++)
		*bucket_of(connections, &connections->groups[i].sample) = (uint32_t)i;
}

static void count(struct connections *connections, const struct record_connection *connection)
{
	if (connections->group_count == connections->group_room)
		grow_groups(connections);
	uint32_t *bucket = bucket_of(connections, connection);
	if (*bucket == SLOT_NONE) {
		*bucket = (uint32_t)connections->group_count;
		connections->groups[connections->group_count++] = (struct group){.sample = *connection};
	}
	struct group *group = &connections->groups[*bucket];
	group->count++;
	if (connection->age > group->oldest)
		group->oldest = connection->age;
}

void connections_add(struct connections *connections, const struct record *record)
{
	const struct record_connection *connection = &record->connection;
	connections->listed++;
	if (connection->age > connections->oldest)
		connections->oldest = connection->age;
	show(connections, (int64_t)(record->at_us / 1000) - connection->age, connection);
	count(connections, connection);
}

/* ---- JSON ---- */

static json_t *text_or_null(const char *text)
{
	return text && text[0] != '\0' ? json_string(text) : json_null();
}

static json_t *connection_json(const struct control *control, const struct record_connection *connection)
{
	struct connection_names names;
	char client[ENDPOINT_TEXT_MAX], router[ENDPOINT_TEXT_MAX] = "";
	connection_names(control, connection, &names);
	if (connection->router_port != 0)
		endpoint_format(&connection->router, connection->router_port, router);
	json_t *object =
	    json_pack("{s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "id", view_number(connection->id), "client",
	              endpoint_format(&connection->client, connection->client_port, client), "listener",
	              text_or_null(names.listener), "name", text_or_null(connection->name.text), "route",
	              text_or_null(names.route), "cluster", text_or_null(names.cluster), "host",
	              text_or_null(names.host), "router", text_or_null(router));
	json_object_set_new(object, "state", json_string(record_state_name((enum record_state)connection->state)));
	json_object_set_new(object, "age_seconds", view_number(connection->age / 1000));
	json_object_set_new(object, "idle_seconds", view_number(connection->idle / 1000));
	json_object_set_new(object, "bytes_in", view_number(connection->bytes_in));
	json_object_set_new(object, "bytes_out", view_number(connection->bytes_out));
	return object;
}

static int oldest_first(const void *a, const void *b)
{
	const struct shown *x = a, *y = b;
	if (x->born != y->born)
		return x->born < y->born ? -1 : 1;
	return (x->connection.id > y->connection.id) - (x->connection.id < y->connection.id);
}

static json_t *shown_json(struct connections *connections)
{
	json_t *array = json_array();
	qsort(connections->shown, connections->shown_count, sizeof(*connections->shown), oldest_first);
	for (size_t i = 0; i < connections->shown_count; i++)
		json_array_append_new(array, connection_json(connections->control, &connections->shown[i].connection));
	return array;
}

static int most_first(const void *a, const void *b)
{
	const struct group *x = a, *y = b;
	if (x->count != y->count)
		return x->count > y->count ? -1 : 1;
	return (x->oldest < y->oldest) - (x->oldest > y->oldest);
}

static json_t *routes_json(struct connections *connections)
{
	json_t *array = json_array();
	size_t shown = connections->group_count;
	if (shown > CONNECTIONS_ROUTES_MAX)
		shown = CONNECTIONS_ROUTES_MAX;
	if (shown > 0)
		qsort(connections->groups, connections->group_count, sizeof(*connections->groups), most_first);
	for (size_t i = 0; i < shown; i++) {
		struct connection_names names;
		const struct group *group = &connections->groups[i];
		connection_names(connections->control, &group->sample, &names);
		json_array_append_new(array,
		                      json_pack("{s:o, s:o, s:o, s:o}", "route", text_or_null(names.route), "cluster",
		                                text_or_null(names.cluster), "count", view_number(group->count),
		                                "oldest_seconds", view_number(group->oldest / 1000)));
	}
	return array;
}

json_t *connections_json(struct connections *connections, uint64_t matched)
{
	uint64_t left_out = matched > connections->listed ? matched - connections->listed : 0;
	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "total", view_number(matched), "left_out", view_number(left_out),
	                 "oldest_seconds", view_number(connections->oldest / 1000), "connections",
	                 shown_json(connections), "by_route", routes_json(connections));
}
