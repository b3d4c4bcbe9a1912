/* The admin API: see the header. */
#include "control/api/api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/utf8.h"
#include "control/api/admin_json.h"
#include "control/api/auth.h"
#include "control/api/endpoint.h"
#include "control/api/page.h"

enum { REASON_MAX = 200 };

static const struct endpoint_table api_index_table;

static const struct endpoint_table *const tables[] = {
    &api_index_table,         &api_access_table,  &api_status_table, &api_config_table, &api_cluster_table,
    &api_cluster_state_table, &api_host_table,    &api_system_table, &api_diff_table,   &api_route_table,
    &api_shift_table,         &api_traffic_table, &api_stats_table,
};

enum { TABLES = sizeof(tables) / sizeof(tables[0]) };

struct api_reply api_problem(unsigned status, const char *detail)
{
	return (struct api_reply){.status = status, .json = admin_problem(status, detail, NULL)};
}

void api_reply_free(struct api_reply *reply)
{
	json_decref(reply->json);
	free(reply->owned);
	if (reply->source)
		reply->source->free(reply->source);
	*reply = (struct api_reply){0};
}

/* ---- answers that come later ---- */

struct api_later {
	void (*done)(void *context, struct api_reply reply); /* NULL: not awaited yet */
	void *context;
	bool answered, forgotten;
	struct api_reply reply; /* answered before it was awaited */
};

struct api_later *api_later_create(void)
{
	struct api_later *later = calloc(1, sizeof(*later));
	if (!later)
		abort();
	return later;
}

void api_later_answer(struct api_later *later, struct api_reply reply)
{
	if (!later->done && !later->forgotten) {
		later->answered = true;
		later->reply = reply;
		return;
	}
	if (later->forgotten)
		api_reply_free(&reply);
	else
		later->done(later->context, reply);
	free(later);
}

void api_later_await(struct api_later *later, void (*done)(void *context, struct api_reply reply), void *context)
{
	if (later->answered) {
		struct api_reply reply = later->reply;
		free(later);
		done(context, reply);
		return;
	}
	later->done = done;
	later->context = context;
}

void api_later_forget(struct api_later *later)
{
	later->forgotten = true;
}

/* ---- addresses ---- */

static bool match(const char *pattern, const char *path, char names[static ENDPOINT_NAMES_MAX][ENDPOINT_NAME_TEXT_MAX])
{
	unsigned count = 0;
	for (; *pattern != '\0'; pattern++) {
		if (*pattern != '{') {
			if (*path++ != *pattern)
				return false;
			continue;
		}
		size_t len = strcspn(path, "/");
		if (len == 0)
			return false;
		snprintf(names[count++], ENDPOINT_NAME_TEXT_MAX, "%.*s", (int)len, path);
		path += len;
		pattern++;
	}
	return *path == '\0';
}

/* The files of the page are no table of endpoints: they are as many as there are. */
static struct api_reply get_page(struct call *call)
{
	const struct page_file *file = page_find(call->request->path);
	const char *kept = call->request->if_none_match;
	if (kept && strstr(kept, file->etag))
		return (struct api_reply){.status = 304, .text = "", .etag = file->etag};
	return (struct api_reply){
	    .status = 200, .bytes = file->data, .len = file->length, .type = file->content_type, .etag = file->etag};
}

static const struct endpoint page_endpoint = {"/", "GET", ROLE_NONE, ENDPOINT_OPEN, NULL, get_page, NULL};

/* What an address and a method mean. */
struct found {
	const struct endpoint *endpoint; /* NULL: 404, or 405 */
	char allow[API_ALLOW_MAX];       /* "": there is no such address */
};

static struct found find_page(const struct api_request *request)
{
	struct found found = {.allow = "GET"};
	if (strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0)
		found.endpoint = &page_endpoint;
	return found;
}

static struct found find(const struct api_request *request)
{
	if (page_find(request->path))
		return find_page(request);
	struct found found = {0};
	char names[ENDPOINT_NAMES_MAX][ENDPOINT_NAME_TEXT_MAX];
	const char *method = strcmp(request->method, "HEAD") == 0 ? "GET" : request->method;
	for (unsigned t = 0; t < TABLES; t++) {
		for (unsigned i = 0; i < tables[t]->count; i++) {
			const struct endpoint *endpoint = &tables[t]->endpoints[i];
			if (!match(endpoint->path, request->path, names))
				continue;
			if (strcmp(endpoint->method, method) == 0) {
				found.endpoint = endpoint;
				return found;
			}
			size_t len = strlen(found.allow);
			snprintf(found.allow + len, sizeof(found.allow) - len, "%s%s", len > 0 ? ", " : "",
			         endpoint->method);
		}
	}
	return found;
}

static struct api_reply reply_not_found(const struct found *found)
{
	if (found->allow[0] == '\0')
		return reply_problem(404, "there is no such address; GET /api/v1 lists them");
	struct api_reply reply = reply_problem(405, "this address takes %s", found->allow);
	memcpy(reply.allow, found->allow, sizeof(reply.allow));
	return reply;
}

/* ---- what all have in common ---- */

static bool in_prefixes(const struct prefix *prefixes, unsigned count, const struct address *peer)
{
	for (unsigned i = 0; i < count; i++)
		if (prefix_contains(&prefixes[i], peer))
			return true;
	return false;
}

/* May read /metrics without saying who it is. */
static bool reads_metrics(const struct config *config, const struct endpoint *endpoint, const struct address *peer)
{
	return endpoint && (endpoint->flags & ENDPOINT_METRICS) &&
	       in_prefixes(config->admin.metrics_from, config->admin.metrics_from_count, peer);
}

bool api_peer_in_allow_from(const struct config *config, const struct address *peer)
{
	if (config->admin.allow_from_count == 0)
		return config_address_is_loopback(peer);
	return in_prefixes(config->admin.allow_from, config->admin.allow_from_count, peer);
}

bool api_peer_admitted(const struct control *control, const struct address *peer)
{
	const struct config *config = control->config;
	if (api_peer_in_allow_from(config, peer) ||
	    in_prefixes(config->admin.metrics_from, config->admin.metrics_from_count, peer))
		return true;
	for (unsigned i = 0; i < CLUSTERS_MAX; i++) {
		const struct cluster *cluster = control->state.clusters[i];
		if (cluster && cluster->spec->source == SOURCE_PUSH &&
		    in_prefixes(cluster->spec->push_from, cluster->spec->push_from_count, peer))
			return true;
	}
	return false;
}

/* A plugin's push is governed by push_from; everything else, wrong addresses too, by allow_from. */
static bool peer_allowed(const struct config *config, const struct endpoint *endpoint, const struct address *peer)
{
	if (endpoint && (endpoint->flags & ENDPOINT_PUSH))
		return true;
	if (reads_metrics(config, endpoint, peer))
		return true;
	return api_peer_in_allow_from(config, peer);
}

static bool is_json(const char *content_type)
{
	static const char json[] = "application/json";
	size_t len = sizeof(json) - 1;
	return content_type && strncasecmp(content_type, json, len) == 0 &&
	       (content_type[len] == '\0' || content_type[len] == ';' || content_type[len] == ' ');
}

/* Is the word in the list, apart by spaces? */
static bool listed(const char *list, const char *word)
{
	size_t len = strlen(word);
	for (const char *at = list; at && len > 0; at = strchr(at, ' ')) {
		at += *at == ' ';
		if (strncmp(at, word, len) == 0 && (at[len] == ' ' || at[len] == '\0'))
			return true;
	}
	return false;
}

/* A misspelt parameter must not be taken for an absent one: "dryrun" would change things. */
static bool queries_known(const struct endpoint *endpoint, const struct api_request *request, struct api_reply *reply)
{
	const char *write = endpoint->flags & ENDPOINT_WRITE ? "dry_run reason" : "";
	char quoted[READER_TEXT_MAX];
	if (endpoint == &page_endpoint)
		return true; /* the page's own scripts may read it */
	if (request->query_count > API_QUERIES_MAX) {
		*reply = reply_problem(400, "more than %d query parameters", API_QUERIES_MAX);
		return false;
	}
	for (unsigned i = 0; i < request->query_count; i++) {
		const char *name = request->queries[i].name;
		if (listed(endpoint->queries, name) || listed(write, name))
			continue;
		bool any = endpoint->queries || write[0] != '\0';
		*reply = reply_problem(400, "query parameter %s is not known here; expected %s%s%s",
		                       json_quote(name, quoted), endpoint->queries ? endpoint->queries : "",
		                       endpoint->queries && write[0] != '\0' ? " " : "", any ? write : "none");
		return false;
	}
	return true;
}

/* Else it could be kept in no JSON. */
static bool is_utf8(const char *text)
{
	for (size_t len = strlen(text), step; len > 0; text += step, len -= step)
		if ((step = utf8_length(text, len)) == 0)
			return false;
	return true;
}

static bool read_write_queries(struct call *call, struct api_reply *reply)
{
	const char *dry_run = call_query(call, "dry_run"), *reason = call_query(call, "reason");
	if (dry_run && strcmp(dry_run, "true") != 0 && strcmp(dry_run, "false") != 0) {
		*reply = reply_problem(400, "dry_run must be true or false");
		return false;
	}
	if (reason && strlen(reason) > REASON_MAX) {
		*reply = reply_problem(400, "reason has %zu bytes; at most %d are taken", strlen(reason), REASON_MAX);
		return false;
	}
	if (reason && !is_utf8(reason)) {
		*reply = reply_problem(400, "reason must be UTF-8");
		return false;
	}
	call->dry_run = dry_run && strcmp(dry_run, "true") == 0;
	call->actor.reason = reason && reason[0] != '\0' ? reason : NULL;
	return true;
}

/* `"7"`, or `*` for any. */
static bool revision_matches(const struct call *call, struct api_reply *reply)
{
	char own[32];
	const char *wanted = call->request->if_match;
	unsigned long long revision = call->control->state.revision;
	snprintf(own, sizeof(own), "\"%llu\"", revision);
	if (!wanted || strcmp(wanted, "*") == 0 || strcmp(wanted, own) == 0)
		return true;
	char given[64], quoted[READER_TEXT_MAX];
	size_t len = strlen(wanted);
	bool has_quotes = len >= 2 && wanted[0] == '"' && wanted[len - 1] == '"';
	snprintf(given, sizeof(given), "%.*s", (int)(has_quotes ? len - 2 : len), wanted + has_quotes);
	*reply = reply_problem(412,
	                       "If-Match is %s, but the revision is %llu now: somebody has changed something; look "
	                       "(GET /api/v1/events) and try again with If-Match: %s",
	                       json_quote(given, quoted), revision, own);
	reply->revision = call->control->state.revision;
	return false;
}

/* Who asks, as far as it is needed here. `count`: a wrong token is a failed try. False: `reply`. */
static bool identify(struct call *call, const struct endpoint *endpoint, bool count, struct api_reply *reply)
{
	const struct api_request *request = call->request;
	const struct control *control = call->control;
	unsigned wait = 0;
	/* A push needs none, and a page must load for whoever has a token of yesterday. */
	if (endpoint && (endpoint->flags & (ENDPOINT_OPEN | ENDPOINT_PUSH)))
		return true;
	if (!request->authorization && reads_metrics(control->config, endpoint, &request->peer)) {
		call->identity = (struct identity){.role = ROLE_VIEWER, .name = "metrics"};
		return true;
	}
	switch (auth_identify(control->auth, control->config, request, count, &call->identity, &wait)) {
	case AUTH_KNOWN:
		return true;
	case AUTH_NOBODY:
		*reply =
		    reply_problem(401, "this needs a token: Authorization: Bearer TOKEN; pointsman token create makes "
		                       "one");
		return false;
	case AUTH_WRONG:
		*reply = reply_problem(401, "this token is not known here");
		return false;
	case AUTH_SLOW:
		break;
	}
	*reply = reply_problem(429, "too many wrong tokens from this address: wait %u s", wait);
	reply->retry_after = wait;
	return false;
}

/* A page of somebody else, in a browser that has our cookie or runs where no token is needed, must not write. */
static bool forged(const struct call *call, const struct endpoint *endpoint)
{
	const struct api_request *request = call->request;
	bool reads = strcmp(endpoint->method, "GET") == 0 && !(endpoint->flags & ENDPOINT_STREAM);
	if (reads || (endpoint->flags & ENDPOINT_PUSH))
		return false;
	bool own_token = call->identity.by == BY_TOKEN;
	bool must_say = call->identity.by == BY_SESSION;
	return !own_token && !request->same_origin && (request->browser || must_say);
}

static bool role_allows(const struct call *call, const struct endpoint *endpoint, struct api_reply *reply)
{
	if (call->identity.role >= endpoint->role)
		return true;
	*reply = reply_problem(403, "this needs the role %s; %s has %s", role_name(endpoint->role), call->identity.name,
	                       role_name(call->identity.role));
	return false;
}

static size_t body_max(const struct endpoint *endpoint)
{
	if (endpoint->flags & ENDPOINT_LARGE)
		return API_BODY_MAX;
	bool unread = strcmp(endpoint->method, "GET") == 0;
	return unread || (endpoint->flags & ENDPOINT_OPEN) ? API_BODY_LEAST_MAX : API_BODY_SMALL_MAX;
}

size_t api_body_max(const struct api_request *request)
{
	const struct endpoint *endpoint = find(request).endpoint;
	return endpoint ? body_max(endpoint) : 0;
}

struct api_reply api_body_too_long(size_t max)
{
	bool large = max >= 1 << 20;
	return reply_problem(413, "the body may have at most %zu %s here", large ? max >> 20 : max >> 10,
	                     large ? "MiB" : "KiB");
}

static bool body_right(const struct call *call, const struct endpoint *endpoint, struct api_reply *reply)
{
	const struct api_request *request = call->request;
	if (request->announced_len > body_max(endpoint)) {
		*reply = api_body_too_long(body_max(endpoint));
		return false;
	}
	bool body = (endpoint->flags & ENDPOINT_BODY) ||
	            (strcmp(endpoint->method, "GET") != 0 && (request->content_type || request->announced_len > 0));
	if (body && !(endpoint->flags & ENDPOINT_PUSH) && !is_json(request->content_type)) {
		*reply = reply_problem(415, "the body must be JSON: Content-Type: application/json");
		return false;
	}
	return true;
}

static void complete_call(struct call *call, const struct endpoint *endpoint)
{
	char address[ADDRESS_TEXT_MAX];
	const char *name = call->identity.name[0] != '\0' ? call->identity.name : "plugin";
	snprintf(call->who, sizeof(call->who), "%s@%s", name, address_format(&call->request->peer, address));
	call->actor.who = call->who;
	match(endpoint->path, call->request->path, call->names);
}

/* Everything before the body; the same again with it (`count` false), because a body may take its time. */
static bool check(struct call *call, const struct found *found, bool count, struct api_reply *reply)
{
	const struct endpoint *endpoint = found->endpoint;
	if (!identify(call, endpoint, count, reply))
		return false;
	if (!endpoint) {
		*reply = reply_not_found(found);
		return false;
	}
	complete_call(call, endpoint);
	if (forged(call, endpoint)) {
		*reply =
		    reply_problem(403, "a page may change something only if it is ours: Origin or Sec-Fetch-Site says "
		                       "otherwise, or nothing");
		return false;
	}
	if (!role_allows(call, endpoint, reply) || !queries_known(endpoint, call->request, reply) ||
	    !body_right(call, endpoint, reply))
		return false;
	if ((endpoint->flags & ENDPOINT_WRITE) && (!read_write_queries(call, reply) || !revision_matches(call, reply)))
		return false;
	return !endpoint->accept || endpoint->accept(call, reply);
}

/* What comes before the question who it is. */
static bool admitted(struct control *control, const struct endpoint *endpoint, const struct api_request *request,
                     struct api_reply *reply)
{
	char peer[ADDRESS_TEXT_MAX];
	if (!peer_allowed(control->config, endpoint, &request->peer)) {
		*reply = reply_problem(403, "%s may not use this API: see admin.allow_from in the configuration file",
		                       address_format(&request->peer, peer));
		return false;
	}
	if (request->foreign_host) {
		*reply = reply_problem(403, "this Host is neither the listen address nor in admin.allowed_hosts of the "
		                            "configuration file");
		return false;
	}
	if (request->foreign_origin) {
		*reply = reply_problem(403, "requests of pages with another Origin are refused");
		return false;
	}
	unsigned wait = auth_admit(control->auth, control->config, &request->peer);
	if (wait == 0)
		return true;
	*reply = reply_problem(429, "more than %u requests per second from one address (admin.requests_per_second)",
	                       control->config->admin.requests_per_second);
	reply->retry_after = wait;
	return false;
}

bool api_accept(struct control *control, const struct api_request *request, struct api_reply *reply)
{
	struct call call = {.control = control, .request = request};
	struct found found = find(request);
	return admitted(control, found.endpoint, request, reply) && check(&call, &found, true, reply);
}

/* A dry_run in a body that nobody reads would be overlooked, and the change be made. */
static bool body_read(const struct call *call, const struct endpoint *endpoint, struct api_reply *reply)
{
	if ((endpoint->flags & (ENDPOINT_BODY | ENDPOINT_MAY_BODY)) || strcmp(endpoint->method, "GET") == 0)
		return true;
	json_t *body = call_body(call, reply);
	if (!body)
		return false;
	bool empty = json_is_object(body) && json_object_size(body) == 0;
	json_decref(body);
	if (!empty)
		*reply = reply_problem(400, "%s %s takes no body but {}; dry_run and reason are query parameters",
		                       endpoint->method, call->request->path);
	return empty;
}

struct api_reply api_handle(struct control *control, const struct api_request *request)
{
	struct call call = {.control = control, .request = request};
	struct api_reply reply;
	struct found found = find(request);
	if (!check(&call, &found, false, &reply) || !body_read(&call, found.endpoint, &reply))
		return reply;
	return found.endpoint->handle(&call);
}

/* ---- the index ---- */

/* What a name in an address stands for, by the part before it. */
static const char *placeholder(const char *path, const char *at)
{
	static const struct {
		const char *before, *name;
	} kinds[] = {{"/clusters/", "{cluster}"}, {"/hosts/", "{cluster}"}, {"/hosts/{}/", "{host}"},
	             {"/routes/", "{host}"},      {"/cluster/", "{key}"},   {"/revisions/", "{id}"}};
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		size_t len = strlen(kinds[i].before);
		if ((size_t)(at - path) >= len && strncmp(at - len, kinds[i].before, len) == 0)
			return kinds[i].name;
	}
	return "{name}";
}

static void put_line(FILE *file, const struct endpoint *endpoint)
{
	int len = 0;
	fprintf(file, "%-7s", endpoint->method);
	for (const char *at = endpoint->path; *at != '\0'; at++) {
		if (*at == '{')
			len += fprintf(file, "%s", placeholder(endpoint->path, at++));
		else
			len += fputc(*at, file) != EOF;
	}
	fprintf(file, "%*s  %s", len < 50 ? 50 - len : 0, "",
	        endpoint->flags & ENDPOINT_PUSH ? "push" : role_name(endpoint->role));
	for (const char *query = endpoint->queries; query; query = strchr(query, ' ')) {
		query += *query == ' ';
		fprintf(file, " %.*s=", (int)strcspn(query, " "), query);
	}
	fputs(endpoint->flags & ENDPOINT_WRITE ? " dry_run= reason=\n" : "\n", file);
}

static struct api_reply get_index(struct call *call)
{
	char *text;
	size_t len;
	FILE *file = open_memstream(&text, &len);
	if (!file)
		abort();
	fputs("pointsman admin API: method, address, least role, query parameters\n\n", file);
	for (unsigned t = 0; t < TABLES; t++)
		for (unsigned i = 0; i < tables[t]->count; i++)
			put_line(file, &tables[t]->endpoints[i]);
	if (fclose(file) != 0)
		abort();
	return (struct api_reply){.status = 200, .owned = text};
}

static const struct endpoint index_endpoints[] = {
    {"/api/v1", "GET", ROLE_VIEWER, 0, NULL, get_index, NULL},
};

static const struct endpoint_table api_index_table = {index_endpoints,
                                                      sizeof(index_endpoints) / sizeof(index_endpoints[0])};
