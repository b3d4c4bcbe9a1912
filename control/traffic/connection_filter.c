/* Filters of connections, read: see the header. */
#include "control/traffic/connection_filter.h"

#include <stdlib.h>
#include <string.h>

#include "control/control.h"
#include "control/drain.h"
#include "control/duration.h"
#include "control/api/endpoint.h"
#include "control/text.h"

enum { HOST_FIELD_MAX = CLUSTER_NAME_MAX + ADDRESS_TEXT_MAX + 80 };

struct reading {
	struct connection_filter *out;
	const struct control *control;
	struct reader reader;
	struct api_reply *reply;
	bool refused;
	struct text text;
};

__attribute__((format(printf, 2, 3))) static void say(struct reading *reading, const char *format, ...)
{
	char part[CONNECTION_FILTER_TEXT_MAX];
	va_list args;
	va_start(args, format);
	vsnprintf(part, sizeof(part), format, args);
	va_end(args);
	text_add(&reading->text, "%s%s", reading->text.len > 0 ? ", " : "", part);
	reading->out->field_count++;
}

/* The first refusal that is no fault of form counts. */
static void refuse(struct reading *reading, struct api_reply reply)
{
	if (reading->refused)
		api_reply_free(&reply);
	else
		*reading->reply = reply;
	reading->refused = true;
}

/* ---- cluster and router host ---- */

static struct cluster *find_cluster(struct reading *reading, const char *name)
{
	char quoted[READER_TEXT_MAX];
	struct cluster *cluster = state_cluster(&reading->control->state, name);
	if (!cluster) {
		refuse(reading, reply_problem(404, "there is no cluster %s; GET /api/v1/clusters lists them",
		                              json_quote(name, quoted)));
		return NULL;
	}
	snprintf(reading->out->cluster, sizeof(reading->out->cluster), "%s", name);
	reading->out->filter.cluster = reading->out->cluster;
	return cluster;
}

static bool host_is(const struct host_spec *host, const char *text)
{
	char address[ADDRESS_TEXT_MAX], full[ADDRESS_TEXT_MAX + 8];
	address_format(&host->address, address);
	snprintf(full, sizeof(full), "%s:%u", address, host->http_port);
	return strcmp(host->name, text) == 0 || strcmp(address, text) == 0 || strcmp(full, text) == 0;
}

/* Also one that is absent, if the operator has said something about it: its connections may live on. */
static const struct host_spec *find_host(const struct cluster *cluster, const char *text, unsigned *count)
{
	const struct host_spec *found = NULL;
	*count = 0;
	for (size_t i = 0; i < cluster->spec->host_count; i++) {
		if (!host_is(&cluster->spec->hosts[i], text))
			continue;
		found = &cluster->spec->hosts[i];
		++*count;
	}
	for (size_t i = 0; !found && i < cluster->modes.count; i++) {
		if (!host_is(&cluster->modes.list[i].host, text))
			continue;
		found = &cluster->modes.list[i].host;
		++*count;
	}
	return found;
}

static void read_host(struct reading *reading, const struct cluster *cluster, const char *text)
{
	char quoted[READER_TEXT_MAX];
	unsigned count;
	const struct host_spec *host = find_host(cluster, text, &count);
	if (count == 0)
		refuse(reading, reply_problem(404, "cluster %s has no router host %s; GET /api/v1/hosts lists them",
		                              cluster->spec->name, json_quote(text, quoted)));
	if (count > 1)
		refuse(reading,
		       reply_problem(409, "%s stands for %u router hosts of cluster %s; give address:http_port",
		                     json_quote(text, quoted), count, cluster->spec->name));
	if (count != 1)
		return;
	reading->out->filter.host = host->id;
	snprintf(reading->out->host, sizeof(reading->out->host), "%s", host->name);
	say(reading, "router host %s", host->name);
}

static void read_place(struct reading *reading)
{
	const char *cluster_name = NULL, *host = NULL, *slash = NULL;
	struct cluster *cluster = NULL;
	char prefix[CLUSTER_NAME_MAX + 1];
	reader_string(&reading->reader, "cluster", CLUSTER_NAME_MAX, false, &cluster_name);
	if (reader_string(&reading->reader, "host", HOST_FIELD_MAX, false, &host))
		slash = strchr(host, '/');
	if (slash && !cluster_name && (size_t)(slash - host) < sizeof(prefix)) {
		snprintf(prefix, sizeof(prefix), "%.*s", (int)(slash - host), host);
		cluster_name = prefix;
	}
	if (host && !cluster_name) {
		reader_fault(&reading->reader, "host", "\"CLUSTER/HOST\", or a cluster beside it",
		             "belongs to no cluster");
		return;
	}
	if (cluster_name)
		cluster = find_cluster(reading, cluster_name);
	if (!cluster)
		return;
	say(reading, "cluster %s", cluster->spec->name);
	size_t len = strlen(cluster_name);
	bool prefixed = slash && (size_t)(slash - host) == len && memcmp(host, cluster_name, len) == 0;
	if (host)
		read_host(reading, cluster, prefixed ? slash + 1 : host);
}

/* ---- the others ---- */

/* A route that has gone may have connections still: then its counters are there. */
static bool route_known(const struct control *control, uint64_t id)
{
	if (names_find(&control->state.names, id))
		return true;
	for (unsigned i = 0; control->shared && i < CLUSTERS_MAX; i++) {
		const struct cluster *cluster = control->state.clusters[i];
		if (cluster && slots_find(&control->pairs, cluster_pair_id(id, cluster->spec->name)) != SLOT_NONE)
			return true;
	}
	return false;
}

static void read_route(struct reading *reading)
{
	struct hostname host;
	bool wildcard;
	const char *text;
	char quoted[READER_TEXT_MAX];
	struct connection_filter *out = reading->out;
	if (!reader_string(&reading->reader, "route", HOSTNAME_MAX + 2, false, &text))
		return;
	if (!name_parse(text, &host, &wildcard)) {
		reader_fault(&reading->reader, "route", "a host name such as \"app1.ch\" or \"*.wild.ch\"",
		             "%s is none", json_quote(text, quoted));
		return;
	}
	out->filter.route = cluster_name_id(&host, wildcard);
	name_format(&host, wildcard, out->route);
	if (!route_known(reading->control, out->filter.route))
		refuse(reading, reply_problem(404, "there is no route %s; GET /api/v1/routes lists them",
		                              json_quote(text, quoted)));
	say(reading, "route %s", out->route);
}

static void read_client(struct reading *reading)
{
	const char *text;
	char quoted[READER_TEXT_MAX];
	if (!reader_string(&reading->reader, "client", ADDRESS_TEXT_MAX + 4, false, &text))
		return;
	if (!prefix_parse(text, &reading->out->filter.client)) {
		reader_fault(&reading->reader, "client",
		             "an address or a prefix without host bits, such as \"10.1.0.0/16\"", "%s is none",
		             json_quote(text, quoted));
		return;
	}
	say(reading, "client %s", text);
}

static void read_min_age(struct reading *reading)
{
	uint64_t ms;
	char span[DRAIN_TEXT_MAX];
	if (!duration_read(&reading->reader, "min_age", &ms))
		return;
	reading->out->filter.min_age = ms < UINT32_MAX ? (uint32_t)ms : UINT32_MAX;
	say(reading, "older than %s", drain_span(ms, span));
}

static int compare_ids(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

static size_t unique(uint64_t *ids, size_t count)
{
	size_t kept = 0;
	qsort(ids, count, sizeof(*ids), compare_ids);
	for (size_t i = 0; i < count; i++)
		if (i == 0 || ids[i] != ids[kept - 1])
			ids[kept++] = ids[i];
	return kept;
}

static void read_ids(struct reading *reading)
{
	struct connection_filter *out = reading->out;
	json_t *array = reader_array(&reading->reader, "ids", 0, QUERY_IDS_MAX, "ids of connections"), *value;
	size_t i;
	if (!array)
		return;
	if (json_array_size(array) == 0 || out->field_count > 0) {
		reader_fault(&reading->reader, "ids", "at least one id, and no other field",
		             out->field_count > 0 ? "stands beside other fields" : "is empty");
		return;
	}
	out->ids = calloc(json_array_size(array), sizeof(*out->ids));
	if (!out->ids)
		abort();
	json_array_foreach(array, i, value)
	{
		out->ids[i] = json_integer_value(value) > 0 ? (uint64_t)json_integer_value(value) : 0;
		if (out->ids[i] == 0) {
			reader_fault(&reading->reader, "ids", "numbers above 0, as GET /api/v1/connections shows them",
			             "element %zu is none", i);
			return;
		}
	}
	out->filter.ids = out->ids;
	out->filter.id_count = unique(out->ids, json_array_size(array));
	say(reading, "%zu single one%s", out->filter.id_count, out->filter.id_count == 1 ? "" : "s");
}

bool connection_filter_read(struct connection_filter *filter, const struct control *control, json_t *object,
                            const char *path, bool with_ids, struct api_reply *reply)
{
	struct json_faults faults = {0};
	*filter = (struct connection_filter){0};
	struct reading reading = {
	    .out = filter, .control = control, .reply = reply, .text = text_begin(filter->text, sizeof(filter->text))};
	reader_open(&reading.reader, object, &faults, "%s", path);
	read_place(&reading);
	read_route(&reading);
	read_client(&reading);
	read_min_age(&reading);
	if (with_ids)
		read_ids(&reading);
	reader_close(&reading.reader);
	if (faults.count == 0 && !reading.refused)
		return true;
	if (faults.count > 0) {
		if (reading.refused)
			api_reply_free(reply);
		*reply = reply_faulty(&faults);
	}
	connection_filter_free(filter);
	return false;
}

void connection_filter_free(struct connection_filter *filter)
{
	free(filter->ids);
	filter->ids = NULL;
}
