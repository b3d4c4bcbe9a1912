/* The admin API: connections and decisions: what is refused, what goes where and why, what is live, probes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/api/admin_json.h"
#include "control/traffic/connection_filter.h"
#include "control/traffic/connections.h"
#include "control/api/endpoint.h"
#include "control/traffic/explain.h"
#include "control/state/hundredths.h"
#include "control/observe/journal.h"
#include "control/traffic/probe.h"
#include "control/traffic/queries.h"
#include "control/observe/tell.h"
#include "control/traffic/unknown_names.h"
#include "control/api/view.h"

static void *allocate(size_t size)
{
	void *memory = calloc(1, size);
	if (!memory)
		abort();
	return memory;
}

static json_t *text_or_null(const char *text)
{
	return text && text[0] != '\0' ? json_string(text) : json_null();
}

/* A write that ends later: who and why, when the call is gone. */
struct writer {
	char who[API_WHO_MAX + 1];
	char *reason; /* owned; NULL: none */
};

static struct writer writer_of(const struct call *call)
{
	struct writer writer = {.reason = call->actor.reason ? strdup(call->actor.reason) : NULL};
	snprintf(writer.who, sizeof(writer.who), "%s", call->actor.who);
	return writer;
}

static struct actor actor_of(const struct writer *writer)
{
	return (struct actor){.who = writer->who, .reason = writer->reason};
}

/* ---- GET /api/v1/unknown ---- */

static json_t *unknown_json(const struct unknown_name *entry)
{
	char client[ADDRESS_TEXT_MAX];
	return json_pack("{s:o, s:s, s:s, s:o, s:o, s:o, s:s}", "name", text_or_null(entry->name.text), "reason",
	                 record_why_name(entry->why), "listener", entry->listener, "count", view_number(entry->count),
	                 "first_at", view_time(entry->first_at), "last_at", view_time(entry->last_at), "last_client",
	                 address_format(&entry->last_client, client));
}

static struct api_reply get_unknown(struct call *call)
{
	struct api_page page;
	struct api_reply reply;
	size_t count, index = 0;
	const char *search = call_query(call, "search");
	const struct unknown_names *names = call->control->unknown_names;
	if (!call_page(call, &page, &reply))
		return reply;
	json_t *array = json_array();
	const struct unknown_name **sorted = unknown_names_sorted(names, &count);
	for (size_t i = 0; i < count; i++) {
		if (search && !strcasestr(sorted[i]->name.text, search))
			continue;
		if (view_in_page(page, index++))
			json_array_append_new(array, unknown_json(sorted[i]));
	}
	free(sorted);
	json_t *object = view_page(call->control, page, index, "names", array);
	json_object_set_new(object, "left_out", view_number(unknown_names_left_out(names)));
	return reply_state(call->control, object);
}

/* ---- GET /api/v1/explain ---- */

struct explaining {
	const struct control *control;
	struct api_later *later;
	struct explain *explain;
	struct explain_question question;
};

static struct api_reply not_explained(const struct control *control, const struct explain_question *question,
                                      const char *why)
{
	char text[EXPLAIN_TEXT_MAX];
	return reply_problem(503, "%s, so nobody decides; %s", why, explain_alone(control, question, text));
}

static void explain_record(void *context, unsigned worker, const struct record *record)
{
	struct explaining *explaining = context;
	explain_add(explaining->explain, worker, record);
}

static void explain_done(void *context, const struct queries_result *result)
{
	struct explaining *explaining = context;
	json_t *json = explain_json(explaining->explain);
	api_later_answer(explaining->later,
	                 json ? reply_state(explaining->control, json)
	                      : not_explained(explaining->control, &explaining->question, result->why));
	explain_free(explaining->explain);
	free(explaining);
}

static bool read_listener(struct call *call, struct explain_question *question, struct api_reply *reply)
{
	const struct config *config = call->control->config;
	const char *wanted = call_query(call, "listener");
	char quoted[READER_TEXT_MAX];
	if (!wanted) {
		question->listener = explain_listener(call->control, &question->name);
		return true;
	}
	for (unsigned i = 0; i < config->listener_count; i++) {
		question->listener = (uint16_t)i;
		if (strcmp(config->listeners[i].name, wanted) == 0)
			return true;
	}
	*reply = reply_problem(404, "there is no listener %s; see listeners in the configuration",
	                       json_quote(wanted, quoted));
	return false;
}

static bool read_question(struct call *call, struct explain_question *question, struct api_reply *reply)
{
	const char *host = call_query(call, "host"), *from = call_query(call, "from");
	char quoted[READER_TEXT_MAX];
	*question = (struct explain_question){0};
	if (!host) {
		*reply = reply_problem(400, "host is missing: GET /api/v1/explain?host=NAME (an empty one for a "
		                            "connection without a name)");
		return false;
	}
	if (host[0] != '\0' && !hostname_set(&question->name, (const uint8_t *)host, strlen(host))) {
		*reply =
		    reply_problem(400, "host: %s is no host name as clients send it; expected one such as \"app1.ch\"",
		                  json_quote(host, quoted));
		return false;
	}
	question->has_client = from != NULL;
	if (from && !address_parse(from, &question->client)) {
		*reply = reply_problem(400, "from: %s is no address", json_quote(from, quoted));
		return false;
	}
	return read_listener(call, question, reply);
}

static struct api_reply get_explain(struct call *call)
{
	char why[QUERY_WHY_MAX];
	struct explain_question question;
	struct api_reply reply;
	if (!read_question(call, &question, &reply))
		return reply;
	struct explaining *explaining = allocate(sizeof(*explaining));
	*explaining = (struct explaining){
	    .control = call->control, .explain = explain_create(call->control, &question), .question = question};
	const struct queries_reader reader = {explain_record, explain_done, explaining};
	if (!queries_explain(call->control, question.listener, &question.client, &question.name, &reader, why)) {
		explain_free(explaining->explain);
		free(explaining);
		return not_explained(call->control, &question, why);
	}
	explaining->later = api_later_create();
	return api_later_reply(explaining->later);
}

/* ---- GET /api/v1/connections ---- */

struct listing {
	const struct control *control;
	struct api_later *later;
	struct connections *connections;
};

static void listing_record(void *context, unsigned worker, const struct record *record)
{
	struct listing *listing = context;
	if (record->type == RECORD_LISTED)
		connections_add(listing->connections, record);
}

static void listing_done(void *context, const struct queries_result *result)
{
	struct listing *listing = context;
	struct api_reply reply;
	if (result->complete)
		reply = reply_state(listing->control, connections_json(listing->connections, result->matched));
	else
		reply = reply_problem(503, "the connections cannot be listed: %s", result->why);
	api_later_answer(listing->later, reply);
	connections_free(listing->connections);
	free(listing);
}

/* The query as the object that a body would be. */
static json_t *filter_object(const struct call *call)
{
	static const char *const fields[] = {"cluster", "host", "route", "client", "min_age"};
	json_t *object = json_object();
	for (unsigned i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		const char *value = call_query(call, fields[i]);
		if (!value)
			continue;
		bool seconds = strcmp(fields[i], "min_age") == 0 && value[0] != '\0' && strlen(value) < 10 &&
		               value[strspn(value, "0123456789")] == '\0';
		json_t *json = seconds ? json_integer(atoll(value)) : json_string(value);
		json_object_set_new(object, fields[i], json ? json : json_null());
	}
	return object;
}

static bool read_limit(const struct call *call, size_t *limit, struct api_reply *reply)
{
	const char *text = call_query(call, "limit");
	*limit = CONNECTIONS_LIMIT_DEFAULT;
	if (!text)
		return true;
	size_t len = strlen(text);
	if (len > 0 && len <= 4 && strspn(text, "0123456789") == len && atoi(text) <= CONNECTIONS_LIMIT_MAX) {
		*limit = (size_t)atoi(text);
		return true;
	}
	*reply = reply_problem(400, "limit must be a number from 0 to %d", CONNECTIONS_LIMIT_MAX);
	return false;
}

/* Without `state`, all but those that have ended and only linger. */
static bool read_states(const struct call *call, uint8_t *states, struct api_reply *reply)
{
	const char *wanted = call_query(call, "state");
	*states = (1 << record_state_count) - 1 - (1 << RECORD_LINGERING);
	if (!wanted)
		return true;
	for (int i = 0; i < record_state_count; i++) {
		*states = (uint8_t)(1 << i);
		if (strcmp(wanted, record_state_name((enum record_state)i)) == 0)
			return true;
	}
	*reply = reply_problem(400, "state must be one of head, connecting, joining, spliced, lingering, answer");
	return false;
}

static struct api_reply get_connections(struct call *call)
{
	char why[QUERY_WHY_MAX];
	size_t limit;
	uint8_t states;
	struct connection_filter filter;
	struct api_reply reply;
	if (!read_limit(call, &limit, &reply) || !read_states(call, &states, &reply))
		return reply;
	json_t *object = filter_object(call);
	bool good = connection_filter_read(&filter, call->control, object, "query", false, &reply);
	json_decref(object);
	if (!good)
		return reply;
	filter.filter.states = states;
	struct listing *listing = allocate(sizeof(*listing));
	*listing = (struct listing){.control = call->control, .connections = connections_create(call->control, limit)};
	const struct queries_reader reader = {listing_record, listing_done, listing};
	bool taken = queries_list(call->control, &filter.filter, &reader, why);
	connection_filter_free(&filter);
	if (taken) {
		listing->later = api_later_create();
		return api_later_reply(listing->later);
	}
	connections_free(listing->connections);
	free(listing);
	return reply_problem(503, "the connections cannot be listed: %s", why);
}

/* ---- POST /api/v1/connections/close ---- */

struct closing {
	struct control *control;
	struct api_later *later;
	struct writer writer;
	bool dry_run;
	uint64_t would; /* of a dry run: connections that would be closed */
	char cluster[CLUSTER_NAME_MAX + 1], text[CONNECTION_FILTER_TEXT_MAX];
};

static void closing_record(void *context, unsigned worker, const struct record *record)
{
	struct closing *closing = context;
	closing->would += record->type == RECORD_LISTED && record->connection.state != RECORD_LINGERING;
}

static void closing_tell(const struct closing *closing, const struct queries_result *result)
{
	const struct actor actor = actor_of(&closing->writer);
	struct journal_entry entry = {.kind = "connections_closed", .object = "connections"};
	if (closing->cluster[0] != '\0')
		entry.cluster = closing->cluster;
	if (!result->complete)
		entry.level = JOURNAL_WARNING;
	tell(closing->control->journal, &actor, entry, "%llu connection%s closed (%s)%s%s",
	     (unsigned long long)result->closed, result->closed == 1 ? "" : "s", closing->text,
	     result->complete ? "" : "; not all of it is known: ", result->why);
}

static void closing_done(void *context, const struct queries_result *result)
{
	struct closing *closing = context;
	struct api_reply reply;
	uint64_t closed = closing->dry_run ? closing->would : result->closed;
	const struct call call = {.control = closing->control, .dry_run = closing->dry_run};
	if (!closing->dry_run && (result->closed > 0 || !result->complete))
		closing_tell(closing, result);
	if (result->complete)
		reply = reply_written(&call, 200, closed > 0, json_pack("{s:o}", "closed", view_number(closed)));
	else
		reply = reply_problem(503, "%llu connections are closed, but perhaps not all: %s",
		                      (unsigned long long)closed, result->why);
	api_later_answer(closing->later, reply);
	free(closing->writer.reason);
	free(closing);
}

static struct closing *closing_create(const struct call *call, const struct connection_filter *filter)
{
	struct closing *closing = allocate(sizeof(*closing));
	*closing = (struct closing){.control = call->control, .writer = writer_of(call), .dry_run = call->dry_run};
	memcpy(closing->cluster, filter->cluster, sizeof(closing->cluster));
	memcpy(closing->text, filter->text, sizeof(closing->text));
	return closing;
}

static struct api_reply begin_closing(struct call *call, const struct connection_filter *filter)
{
	char why[QUERY_WHY_MAX];
	if (filter->field_count == 0)
		return reply_problem(400,
		                     "which connections? Give ids, or at least one of cluster, host, route, client, "
		                     "min_age");
	struct closing *closing = closing_create(call, filter);
	const struct queries_reader reader = {closing_record, closing_done, closing};
	bool taken = (call->dry_run ? queries_list : queries_close)(call->control, &filter->filter, &reader, why);
	if (taken) {
		closing->later = api_later_create();
		return api_later_reply(closing->later);
	}
	free(closing->writer.reason);
	free(closing);
	return reply_problem(503, "nothing was closed: %s", why);
}

static struct api_reply close_connections(struct call *call)
{
	struct connection_filter filter;
	struct api_reply reply;
	json_t *body = call_body(call, &reply);
	if (!body)
		return reply;
	bool good = connection_filter_read(&filter, call->control, body, "$", true, &reply);
	json_decref(body);
	if (!good)
		return reply;
	reply = begin_closing(call, &filter);
	connection_filter_free(&filter);
	return reply;
}

/* ---- POST /api/v1/clusters/{}/probe ---- */

struct probing {
	struct control *control;
	struct api_later *later;
	struct writer writer;
	bool https;
	char cluster[CLUSTER_NAME_MAX + 1], host[HOSTNAME_MAX + 1];
};

static json_t *certificate_json(const struct probe_result *result)
{
	const struct probe_certificate *certificate = &result->certificate;
	json_t *names = json_array();
	if (!result->has_certificate) {
		json_decref(names);
		return json_null();
	}
	for (unsigned i = 0; i < certificate->name_count; i++)
		json_array_append_new(names, json_string(certificate->names[i]));
	return json_pack("{s:s, s:o, s:s, s:o, s:o, s:I, s:b}", "subject", certificate->subject, "names", names,
	                 "issuer", certificate->issuer, "not_before", view_time(certificate->not_before), "not_after",
	                 view_time(certificate->not_after), "days_left",
	                 (json_int_t)((certificate->not_after - clock_unix_ms()) / (24 * 3600 * 1000)), "matches",
	                 certificate->matches);
}

static json_t *milliseconds(uint64_t us)
{
	return us > 0 ? hundredths_json((unsigned)(us / 10)) : json_null();
}

static json_t *probe_json(const struct probe_result *result, bool https)
{
	char address[ADDRESS_TEXT_MAX];
	return json_pack("{s:s, s:s, s:i, s:b, s:b, s:o, s:o, s:o, s:o, s:o, s:o}", "host", result->name, "address",
	                 address_format(&result->address, address), "port", result->port, "https", https, "ok",
	                 probe_result_ok(result), "status",
	                 result->status != 0 ? json_integer(result->status) : json_null(), "error",
	                 text_or_null(result->error), "time_ms", milliseconds(result->time_us), "connect_ms",
	                 milliseconds(result->connect_us), "first_byte_ms", milliseconds(result->first_byte_us),
	                 "certificate", certificate_json(result));
}

static struct api_reply probe_reply(const struct control *control, json_t *results)
{
	return reply_state(
	    control, json_pack("{s:o, s:o}", "revision", view_number(control->state.revision), "results", results));
}

static void probe_done(void *context, struct probe_result *results, size_t count)
{
	struct probing *probing = context;
	const struct actor actor = actor_of(&probing->writer);
	json_t *array = json_array();
	size_t good = 0;
	for (size_t i = 0; i < count; i++) {
		good += probe_result_ok(&results[i]);
		json_array_append_new(array, probe_json(&results[i], probing->https));
	}
	tell(probing->control->journal, &actor,
	     (struct journal_entry){.kind = "probed", .object = "cluster", .cluster = probing->cluster},
	     "probed cluster %s for %s over %s: %zu of %zu router hosts answered well", probing->cluster, probing->host,
	     probing->https ? "https" : "http", good, count);
	api_later_answer(probing->later, probe_reply(probing->control, array));
	free(results);
	free(probing->writer.reason);
	free(probing);
}

static int compare_results(const void *a, const void *b)
{
	const struct probe_result *x = a, *y = b;
	int order = strcmp(x->name, y->name);
	return order != 0 ? order : memcmp(x->address.bytes, y->address.bytes, sizeof(x->address.bytes));
}

/* The router hosts of the cluster, or the one called `router`; by name. Free them. */
static struct probe_result *hosts_to_probe(const struct cluster *cluster, const char *router, bool https, size_t *count)
{
	const struct cluster_spec *spec = cluster->spec;
	struct probe_result *results = allocate((spec->host_count + 1) * sizeof(*results));
	*count = 0;
	for (size_t i = 0; i < spec->host_count; i++) {
		char address[ADDRESS_TEXT_MAX];
		const struct host_spec *host = &spec->hosts[i];
		if (router && strcmp(host->name, router) != 0 &&
		    strcmp(address_format(&host->address, address), router) != 0)
			continue;
		struct probe_result *result = &results[(*count)++];
		memcpy(result->name, host->name, sizeof(result->name));
		result->address = host->address;
		result->port = https ? host->https_port : host->http_port;
	}
	qsort(results, *count, sizeof(*results), compare_results);
	return results;
}

/* Over TLS if that is how the cluster serves the route. */
static bool default_https(const struct control *control, const struct cluster *cluster, const struct hostname *host)
{
	const struct config *config = control->config;
	uint16_t listener = explain_listener(control, host);
	const struct name *name = names_find_host(&control->state.names, host, false);
	const struct pair *pair = name ? names_pair(name, cluster->index) : NULL;
	return pair ? pair->https : config->listeners[listener].mode == LISTENER_TLS;
}

struct probe_body {
	struct hostname host;
	const char *path, *router;
	bool https;
};

static bool read_probe(struct reader *reader, const struct control *control, const struct cluster *cluster,
                       struct probe_body *out)
{
	const char *host;
	char quoted[READER_TEXT_MAX];
	*out = (struct probe_body){.path = "/"};
	bool named = reader_string(reader, "host", HOSTNAME_MAX + 2, true, &host);
	if (named && !hostname_set(&out->host, (const uint8_t *)host, strlen(host)))
		reader_fault(reader, "host", "a host name such as \"app1.ch\" (of a wildcard, a name below it)",
		             "%s is none", json_quote(host, quoted));
	if (reader_string(reader, "path", PROBE_PATH_MAX, false, &out->path) && !probe_path_valid(out->path))
		reader_fault(reader, "path", "\"/\" and printable ASCII without spaces and \"#\"", "%s is no path",
		             json_quote(out->path, quoted));
	reader_string(reader, "router", CLUSTER_NAME_MAX, false, &out->router);
	if (!reader_bool(reader, "https", &out->https) && out->host.len > 0)
		out->https = default_https(control, cluster, &out->host);
	reader_close(reader);
	return reader->faults->count == 0;
}

static struct api_reply begin_probe(struct call *call, const struct cluster *cluster, const struct probe_body *body)
{
	size_t count;
	char quoted[READER_TEXT_MAX];
	const struct probe_request request = {.host = body->host.text, .path = body->path, .https = body->https};
	struct probe_result *results = hosts_to_probe(cluster, body->router, body->https, &count);
	if (count == 0 || call->dry_run) {
		free(results);
		if (count == 0 && body->router)
			return reply_problem(404, "cluster %s has no router host %s", cluster->spec->name,
			                     json_quote(body->router, quoted));
		if (count == 0)
			return reply_problem(409, "cluster %s has no router host to probe", cluster->spec->name);
		return probe_reply(call->control, json_array());
	}
	struct probing *probing = allocate(sizeof(*probing));
	*probing = (struct probing){.control = call->control, .writer = writer_of(call), .https = body->https};
	memcpy(probing->cluster, cluster->spec->name, sizeof(probing->cluster));
	snprintf(probing->host, sizeof(probing->host), "%s", body->host.text);
	if (!prober_start(call->control->prober, &request, results, count, probe_done, probing)) {
		free(results);
		free(probing->writer.reason);
		free(probing);
		return reply_problem(503, "%d other probes are running: try again in some seconds", PROBES_WAITING_MAX);
	}
	probing->later = api_later_create();
	return api_later_reply(probing->later);
}

static struct api_reply post_probe(struct call *call)
{
	struct json_faults faults = {0};
	struct reader reader;
	struct probe_body probe;
	struct api_reply reply;
	const struct cluster *cluster = call_cluster(call, 0, &reply);
	json_t *body = cluster ? call_body(call, &reply) : NULL;
	if (!body)
		return reply;
	reader_open(&reader, body, &faults, "$");
	reply = read_probe(&reader, call->control, cluster, &probe) ? begin_probe(call, cluster, &probe)
	                                                            : reply_faulty(&faults);
	json_decref(body);
	return reply;
}

static const struct endpoint endpoints[] = {
    {"/api/v1/unknown", "GET", ROLE_VIEWER, 0, "limit offset search", get_unknown, NULL},
    {"/api/v1/explain", "GET", ROLE_VIEWER, 0, "host from listener", get_explain, NULL},
    {"/api/v1/connections", "GET", ROLE_VIEWER, 0, "cluster host route client min_age state limit", get_connections,
     NULL},
    {"/api/v1/connections/close", "POST", ROLE_OPERATOR, ENDPOINT_WRITE | ENDPOINT_BODY, NULL, close_connections, NULL},
    {"/api/v1/clusters/{}/probe", "POST", ROLE_OPERATOR, ENDPOINT_WRITE | ENDPOINT_BODY, NULL, post_probe, NULL},
};

const struct endpoint_table api_traffic_table = {endpoints, sizeof(endpoints) / sizeof(endpoints[0])};
