/* See the header. */
#include "traffic_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/observe/journal.h"
#include "control_fixture.h"
#include "fake_checker.h"

struct traffic traffic;

static void begin(const char *sections)
{
	char *all;
	strcpy(traffic.directory, "/tmp/pm-test-traffic-XXXXXX");
	assert_non_null(mkdtemp(traffic.directory));
	assert_true(asprintf(&all, "'clusters': [" FIXTURE_OSE1 ", " FIXTURE_OSE2 "]%s", sections) > 0);
	fake_link_reset(16, 16, 16);
	traffic.loop = event_loop_create();
	traffic.config = fixture_config(traffic.directory, traffic.directory, all);
	assert_true(control_init(&traffic.control, traffic.config, traffic.loop));
	traffic.control.state.clusters[0]->number += CLUSTERS_MAX; /* as if another had had its place before */
	control_start(&traffic.control);
	free(all);
}

static void all_up(void)
{
	static const char *const hosts[] = {"203.0.113.11", "203.0.113.12", "203.0.113.21"};
	TRAFFIC_AWAIT(fake_checker.count == 3);
	for (unsigned i = 0; i < 3; i++)
		fake_checker_finish(hosts[i], CHECK_OK, 200);
}

void traffic_begin(const char *sections)
{
	begin(sections);
	all_up();
	assert_null(fake_link_appear());
	TRAFFIC_AWAIT(control_applied(&traffic.control, traffic.control.state.revision));
	traffic_turns(3);
	fake_link_forget();
}

void traffic_begin_alone(const char *sections)
{
	begin(sections);
	all_up();
}

void traffic_end(void)
{
	char command[100];
	control_stop(&traffic.control);
	config_free(traffic.config);
	event_loop_destroy(traffic.loop);
	fake_link_free();
	snprintf(command, sizeof(command), "rm -r %s", traffic.directory);
	assert_int_equal(system(command), 0);
}

void traffic_turns(unsigned count)
{
	while (count-- > 0)
		event_loop_turn(traffic.loop, 2);
}

/* ---- queries ---- */

const struct message *traffic_asked(enum message_type type, unsigned n, uint32_t *query)
{
	TRAFFIC_AWAIT(fake_link_message(type, n));
	const struct message *message = fake_link_message(type, n);
	*query = type == MESSAGE_EXPLAIN ? message->explain.query : message->connections.query;
	return message;
}

void traffic_answer(unsigned worker, uint32_t query, struct record record)
{
	record.query = query;
	record.start = traffic.control.feed.start;
	fake_link_record(worker, &record);
}

void traffic_end_query(unsigned worker, uint32_t query, uint64_t matched, uint64_t closed)
{
	traffic_answer(worker, query,
	               (struct record){.type = RECORD_QUERY_END, .end = {.matched = matched, .closed = closed}});
}

static const struct cluster *cluster_of(const char *name)
{
	const struct cluster *cluster = state_cluster(&traffic.control.state, name);
	assert_non_null(cluster);
	return cluster;
}

uint32_t traffic_host_slot(const char *cluster, unsigned host)
{
	return slots_find(&traffic.control.hosts, cluster_of(cluster)->spec->hosts[host].id);
}

uint32_t traffic_pair_slot(const char *route, const char *cluster)
{
	struct hostname host;
	bool wildcard;
	assert_true(name_parse(route, &host, &wildcard));
	return slots_find(&traffic.control.pairs, cluster_pair_id(cluster_name_id(&host, wildcard), cluster));
}

struct record traffic_connection(uint64_t id, const char *name)
{
	struct record record = {.type = RECORD_LISTED};
	uint32_t slot = traffic.control.shared ? traffic_host_slot("ose1", 0) : SLOT_NONE;
	struct record_connection *connection = &record.connection;
	*connection = (struct record_connection){.id = id,
	                                         .client_port = 40000,
	                                         .router_port = 80,
	                                         .local_port = 2000,
	                                         .cluster = cluster_of("ose1")->number,
	                                         .state = RECORD_SPLICED,
	                                         .pair = SLOT_NONE,
	                                         .host = slot};
	if (slot != SLOT_NONE)
		connection->host_generation = traffic.control.hosts.entries[slot].generation;
	address_parse("192.0.2.7", &connection->client);
	address_parse("203.0.113.11", &connection->router);
	connection->name.len = (uint8_t)strlen(name);
	memcpy(connection->name.text, name, connection->name.len);
	return record;
}

/* ---- calls ---- */

static void split_queries(struct api_request *request, char *path)
{
	char *query = strchr(path, '?');
	request->path = path;
	while (query) {
		*query++ = '\0';
		char *next = strchr(query, '&'), *value = strchr(query, '=');
		if (value)
			*value++ = '\0';
		if (next)
			*next = '\0';
		request->queries[request->query_count++] = (struct api_query){query, value ? value : ""};
		query = next;
	}
}

struct api_reply traffic_call(const char *method, const char *path, const char *body)
{
	struct api_reply reply = {0};
	char *address = strdup(path), *text = strdup(body ? body : "");
	for (char *c = text; *c != '\0'; c++)
		if (*c == '\'')
			*c = '"';
	struct api_request request = {.method = method, .content_type = body ? "application/json" : NULL};
	split_queries(&request, address);
	assert_true(address_parse("127.0.0.1", &request.peer));
	if (api_accept(&traffic.control, &request, &reply)) {
		request.body = text;
		request.body_len = strlen(text);
		reply = api_handle(&traffic.control, &request);
	}
	free(text);
	free(address);
	return reply;
}

static void answered(void *context, struct api_reply reply)
{
	*(struct api_reply *)context = reply;
}

struct api_reply traffic_await(struct api_reply reply)
{
	struct api_reply later = {0};
	if (!reply.later)
		return reply;
	api_later_await(reply.later, answered, &later);
	TRAFFIC_AWAIT(later.status != 0);
	return later;
}

static const json_t *at(const json_t *json, const char *path)
{
	char *copy = strdup(path), *rest = copy, *word;
	while (json && (word = strsep(&rest, ".")))
		json =
		    json_is_array(json) ? json_array_get(json, strtoul(word, NULL, 10)) : json_object_get(json, word);
	free(copy);
	if (!json)
		fail_msg("there is no %s", path);
	return json;
}

const char *traffic_text(const json_t *json, const char *path)
{
	const json_t *value = at(json, path);
	return json_is_null(value)    ? "null"
	       : json_is_true(value)  ? "true"
	       : json_is_false(value) ? "false"
	                              : json_string_value(value);
}

long long traffic_number(const json_t *json, const char *path)
{
	const json_t *value = at(json, path);
	assert_true(json_is_integer(value));
	return json_integer_value(value);
}
