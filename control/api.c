/* The admin API: see the header. */
#include "control/api.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/json_reader.h"
#include "control/admin_json.h"
#include "control/adopt.h"
#include "control/cluster_json.h"
#include "control/control.h"

enum { DETAIL_MAX = 600 };

#define CLUSTER_PREFIX "/api/v1/clusters/"
#define WEIGHT_PATH    "/api/v1/routes/{}/clusters/{}/weight"
#define PUSH_PREFIX    "/api/cluster/"

static const char index_text[] =
    "pointsman admin API\n"
    "\n"
    "GET    /api/v1/status           both programs, counters, ports, VIPs, state file, messages\n"
    "GET    /api/v1/clusters         the clusters: source, hosts, routes, connections\n"
    "GET    /api/v1/hosts            the router hosts: health and why, connections (?limit=N&offset=N)\n"
    "GET    /api/v1/routes           the host names: weight and connections per cluster (?limit=N&offset=N)\n"
    "GET    /api/v1/held             what would be gone but is held (?limit=N&offset=N)\n"
    "GET    /api/v1/clusters/{name}  one cluster in the form that PUT takes\n"
    "PUT    /api/v1/clusters/{name}  makes or replaces a cluster\n"
    "PATCH  /api/v1/clusters/{name}  {\"state\": ..., \"new_routes\": ..., \"default_weight\": N}\n"
    "DELETE /api/v1/clusters/{name}  removes a cluster\n"
    "POST   /api/v1/clusters/{name}/held/confirm           what is held of the cluster goes\n"
    "PUT    /api/v1/routes/{host}/clusters/{name}/weight   {\"weight\": N} wins over everything\n"
    "DELETE /api/v1/routes/{host}/clusters/{name}/weight   takes that back\n"
    "POST   /api/cluster/{key}       routes and router hosts from the plugin of a cluster with source push\n";

enum { NAMES_MAX = 2, NAME_TEXT_MAX = HOSTNAME_MAX + 3 };

struct call {
	struct control *control;
	const struct api_request *request;
	char names[NAMES_MAX][NAME_TEXT_MAX]; /* what stands for {} in the address */
	const char *name;                     /* of the cluster, or the key */
	const char *who;                      /* for the log */
};

static const char *title_of(unsigned status)
{
	switch (status) {
	case 400:
		return "Bad Request";
	case 403:
		return "Forbidden";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 409:
		return "Conflict";
	case 413:
		return "Content Too Large";
	case 415:
		return "Unsupported Media Type";
	case 507:
		return "Insufficient Storage";
	default:
		return "Error";
	}
}

struct api_reply api_problem(unsigned status, const char *detail)
{
	return (struct api_reply){.status = status, .json = admin_problem(status, title_of(status), detail, NULL)};
}

__attribute__((format(printf, 2, 3))) static struct api_reply problem(unsigned status, const char *format, ...)
{
	char detail[DETAIL_MAX];
	va_list args;
	va_start(args, format);
	vsnprintf(detail, sizeof(detail), format, args);
	va_end(args);
	return api_problem(status, detail);
}

/* 400 with all faults; frees them. The first one is the detail. */
static struct api_reply faulty(struct json_faults *faults)
{
	char detail[DETAIL_MAX];
	const struct json_fault *first = &faults->list[0];
	snprintf(detail, sizeof(detail), "%s: %s; expected %s", first->path, first->reason, first->expected);
	struct api_reply reply = {.status = 400, .json = admin_problem(400, title_of(400), detail, faults)};
	json_faults_free(faults);
	return reply;
}

static struct api_reply not_saved(const struct control *control)
{
	return problem(507, "nothing was changed, because it could not be saved: %s", control->state_file.why);
}

static struct api_reply written(const struct control *control, unsigned status)
{
	uint64_t revision = control->state.revision;
	return (struct api_reply){
	    .status = status, .json = json_pack("{s:I}", "revision", (json_int_t)revision), .revision = revision};
}

/* ---- reading ---- */

static struct api_reply get_index(struct call *call)
{
	return (struct api_reply){.status = 200, .text = index_text};
}

static struct api_reply get_status(struct call *call)
{
	return (struct api_reply){.status = 200, .json = admin_status(call->control)};
}

static struct api_reply get_clusters(struct call *call)
{
	return (struct api_reply){.status = 200, .json = admin_clusters(call->control)};
}

static bool read_count(const char *text, size_t *out)
{
	if (!text)
		return true;
	size_t len = strlen(text);
	if (len == 0 || len > 9 || strspn(text, "0123456789") != len)
		return false;
	*out = strtoul(text, NULL, 10);
	return true;
}

static struct api_reply get_page(struct call *call, json_t *(*view)(const struct control *, struct admin_page))
{
	struct admin_page page = {.offset = 0, .limit = SIZE_MAX};
	if (!read_count(call->request->limit, &page.limit) || !read_count(call->request->offset, &page.offset))
		return problem(400, "limit and offset must be numbers from 0 to 999999999");
	return (struct api_reply){.status = 200, .json = view(call->control, page)};
}

static struct api_reply get_hosts(struct call *call)
{
	return get_page(call, admin_hosts);
}

static struct api_reply get_routes(struct call *call)
{
	return get_page(call, admin_routes);
}

static struct api_reply get_held(struct call *call)
{
	return get_page(call, admin_held);
}

static struct api_reply no_cluster(const char *name)
{
	char quoted[READER_TEXT_MAX];
	return problem(404, "there is no cluster %s; GET /api/v1/clusters lists them", json_quote(name, quoted));
}

static struct api_reply get_cluster(struct call *call)
{
	const struct cluster *cluster = state_cluster(&call->control->state, call->name);
	if (!cluster)
		return no_cluster(call->name);
	return (struct api_reply){.status = 200, .json = cluster_write(cluster->spec)};
}

/* ---- writing ---- */

/* True if the replacement would take hosts and routes from their owner; `reply` says so. */
static bool owner_conflict(const struct cluster *before, const struct cluster_spec *spec, struct api_reply *reply)
{
	if (before && before->spec->source != spec->source) {
		*reply = problem(
		    409,
		    "cluster %s has source %s, which owns its router hosts and routes; DELETE it first to change "
		    "its source",
		    spec->name, cluster_source_name(before->spec->source));
		return true;
	}
	if (spec->source == SOURCE_WATCH &&
	    (spec->route_count > 0 || (spec->host_count > 0 && cluster_hosts_are_observed(spec)))) {
		*reply =
		    problem(409, "cluster %s has source watch: its API owns its routes%s; leave them out", spec->name,
		            cluster_hosts_are_observed(spec)
		                ? " and router hosts (unless \"routers\" has \"preset\": \"static\")"
		                : "");
		return true;
	}
	if (spec->source == SOURCE_PUSH && spec->host_count + spec->route_count > 0) {
		*reply = problem(409,
		                 "cluster %s has source push: its router hosts and routes come from pushes alone "
		                 "(POST " PUSH_PREFIX "%s); leave out hosts and routes",
		                 spec->name, spec->key);
		return true;
	}
	return false;
}

/* What was pushed or observed stays when the settings of the cluster change; ids of hosts hang on the name, which is
 * the same.
 */
static struct cluster_spec *with_owned(struct cluster_spec *settings, const struct cluster *before)
{
	const struct cluster_spec *pushed = before->spec;
	struct cluster_spec *spec = cluster_copy_settings(settings);
	spec->hosts = malloc(pushed->host_count * sizeof(*spec->hosts) + 1);
	spec->routes = malloc(pushed->route_count * sizeof(*spec->routes) + 1);
	if (!spec->hosts || !spec->routes)
		abort();
	memcpy(spec->hosts, pushed->hosts, pushed->host_count * sizeof(*spec->hosts));
	memcpy(spec->routes, pushed->routes, pushed->route_count * sizeof(*spec->routes));
	spec->host_count = pushed->host_count;
	spec->route_count = pushed->route_count;
	cluster_free(settings);
	return spec;
}

/* The cluster of the body, or NULL and `reply`. */
static struct cluster_spec *read_body(struct call *call, struct api_reply *reply)
{
	struct json_faults faults = {0};
	struct cluster_spec *spec = NULL;
	json_t *body = json_text_parse(call->request->body, call->request->body_len, &faults);
	if (body)
		spec = cluster_read(body, call->name, &faults, "$");
	json_decref(body);
	if (!spec)
		*reply = faulty(&faults);
	return spec;
}

static struct api_reply put_cluster(struct call *call)
{
	struct control *control = call->control;
	struct api_reply reply;
	struct json_faults faults = {0};
	const struct cluster *before = state_cluster(&control->state, call->name);
	struct cluster_spec *spec = read_body(call, &reply);
	if (!spec)
		return reply;
	if (owner_conflict(before, spec, &reply)) {
		cluster_free(spec);
		return reply;
	}
	if (before && !spec->state_given)
		spec->state = before->spec->state;
	if (before && (spec->source == SOURCE_PUSH ||
	               (cluster_hosts_are_observed(spec) && cluster_hosts_are_observed(before->spec))))
		spec = with_owned(spec, before);
	if (!state_check(&control->state, spec, control->config, &faults)) {
		cluster_free(spec);
		return faulty(&faults);
	}
	unsigned status = before ? 200 : 201;
	if (!control_put(control, spec, before ? before->pushed_at : 0, call->who))
		return not_saved(control);
	return written(control, status);
}

static struct api_reply delete_cluster(struct call *call)
{
	if (!state_cluster(&call->control->state, call->name))
		return no_cluster(call->name);
	if (!control_delete(call->control, call->name, call->who))
		return not_saved(call->control);
	return written(call->control, 200);
}

/* The number in a field, if it is there. */
static void patch_number(struct reader *reader, const char *field, uint8_t *out)
{
	uint64_t number;
	if (reader_number(reader, field, 0, WEIGHT_MAX, &number))
		*out = (uint8_t)number;
}

static struct api_reply patch_cluster(struct call *call)
{
	static const char *const states[] = {"staged", "active", "draining", "offline", NULL};
	static const char *const new_routes[] = {"active", "parked", NULL};
	struct json_faults faults = {0};
	struct reader reader;
	struct cluster *cluster = state_cluster(&call->control->state, call->name);
	if (!cluster)
		return no_cluster(call->name);
	const struct cluster_spec *spec = cluster->spec;
	struct cluster_settings settings = {spec->state, spec->parks_routes, spec->default_weight};
	int state = (int)settings.state, parks = settings.parks_routes;
	json_t *body = json_text_parse(call->request->body, call->request->body_len, &faults);
	if (!body)
		return faulty(&faults);
	reader_open(&reader, body, &faults, "$");
	reader_choice(&reader, "state", states, false, &state);
	if (reader_choice(&reader, "new_routes", new_routes, false, &parks) && spec->source != SOURCE_WATCH)
		reader_fault(&reader, "new_routes", "no such field", "belongs to \"source\": \"watch\" only");
	patch_number(&reader, "default_weight", &settings.default_weight);
	reader_close(&reader);
	json_decref(body);
	if (faults.count > 0)
		return faulty(&faults);
	settings.state = (enum cluster_state)state;
	settings.parks_routes = parks;
	if (!control_patch(call->control, cluster, &settings, call->who))
		return not_saved(call->control);
	return written(call->control, 200);
}

/* The pair that the address names, or NULL and `reply`. */
static struct pair *find_pair(struct call *call, struct name **name, struct api_reply *reply)
{
	struct hostname host;
	bool wildcard;
	char quoted[READER_TEXT_MAX];
	const struct cluster *cluster = state_cluster(&call->control->state, call->name);
	if (!cluster) {
		*reply = no_cluster(call->name);
		return NULL;
	}
	bool valid = name_parse(call->names[0], &host, &wildcard);
	*name = valid ? names_find_host(&call->control->state.names, &host, wildcard) : NULL;
	struct pair *pair = *name ? names_pair(*name, cluster->index) : NULL;
	if (!pair)
		*reply = problem(404, "cluster %s has no route %s; GET /api/v1/routes lists them", call->name,
		                 json_quote(call->names[0], quoted));
	return pair;
}

static struct api_reply put_weight(struct call *call)
{
	struct json_faults faults = {0};
	struct api_reply reply;
	struct reader reader;
	struct name *name;
	uint64_t weight = 0;
	struct pair *pair = find_pair(call, &name, &reply);
	if (!pair)
		return reply;
	json_t *body = json_text_parse(call->request->body, call->request->body_len, &faults);
	if (!body)
		return faulty(&faults);
	reader_open(&reader, body, &faults, "$");
	if (!reader_number(&reader, "weight", 0, WEIGHT_MAX, &weight) && faults.count == 0)
		reader_fault(&reader, "weight", "a number from 0 to 100", "is missing");
	reader_close(&reader);
	json_decref(body);
	if (faults.count > 0)
		return faulty(&faults);
	if (!control_override(call->control, name, pair->cluster, (int)weight, call->who))
		return not_saved(call->control);
	return written(call->control, 200);
}

static struct api_reply delete_weight(struct call *call)
{
	struct api_reply reply;
	struct name *name;
	struct pair *pair = find_pair(call, &name, &reply);
	if (!pair)
		return reply;
	if (!pair->overridden)
		return problem(404, "%.260s has no weight set through the API on cluster %s", call->names[0],
		               call->name);
	if (!control_override(call->control, name, pair->cluster, -1, call->who))
		return not_saved(call->control);
	return written(call->control, 200);
}

static struct api_reply confirm_held(struct call *call)
{
	size_t count;
	struct cluster *cluster = state_cluster(&call->control->state, call->name);
	if (!cluster)
		return no_cluster(call->name);
	if (!control_confirm(call->control, cluster, call->who, &count))
		return not_saved(call->control);
	struct api_reply reply = written(call->control, 200);
	json_object_set_new(reply.json, "confirmed", json_integer((json_int_t)count));
	return reply;
}

/* The push cluster with the key, if the peer may push to it; else NULL and `reply`. */
static struct cluster *push_target(struct call *call, struct api_reply *reply)
{
	const struct control *control = call->control;
	struct cluster *cluster = state_cluster_by_key(&control->state, call->name);
	if (!cluster) {
		char quoted[READER_TEXT_MAX];
		const struct cluster *named = state_cluster(&control->state, call->name);
		if (named && named->spec->source != SOURCE_PUSH)
			*reply = problem(
			    409,
			    "cluster %s has source %s, which owns its router hosts and routes; only clusters with "
			    "source push take pushes",
			    call->name, cluster_source_name(named->spec->source));
		else
			*reply = problem(404,
			                 "no cluster has the key %s; add one: PUT " CLUSTER_PREFIX
			                 "{name} with {\"source\": "
			                 "\"push\", \"key\": %s, \"push_from\": [\"<addresses of its plugin>\"]}",
			                 json_quote(call->name, quoted), quoted);
		return NULL;
	}
	for (unsigned i = 0; i < cluster->spec->push_from_count; i++)
		if (prefix_contains(&cluster->spec->push_from[i], &call->request->peer))
			return cluster;
	*reply = problem(403, "%s is not in push_from of cluster %s", call->who, cluster->spec->name);
	return NULL;
}

static struct api_reply post_push(struct call *call)
{
	struct control *control = call->control;
	struct api_reply reply;
	struct json_faults faults = {0};
	struct cluster_spec *spec = NULL;
	struct cluster *cluster = push_target(call, &reply);
	if (!cluster)
		return reply;
	json_t *body = json_text_parse(call->request->body, call->request->body_len, &faults);
	if (body)
		spec = cluster_read_push(body, cluster->spec, &faults);
	json_decref(body);
	if (!spec)
		return faulty(&faults);
	if (!state_check(&control->state, spec, control->config, &faults)) {
		cluster_free(spec);
		return faulty(&faults);
	}
	struct adopt_clock clock = {clock_monotonic_ms(), clock_unix_ms()};
	adopt_push(&control->state, cluster, spec, &clock);
	/* The plugin says everything again every few seconds. */
	if (cluster->pushed_at != 0 && cluster_equal(spec, cluster->spec)) {
		cluster->pushed_at = clock_unix_ms();
		cluster_free(spec);
		return written(control, 201);
	}
	if (!control_put(control, spec, clock_unix_ms(), call->who))
		return not_saved(control);
	return written(control, 201);
}

/* ---- addresses ---- */

static const struct endpoint {
	const char *path;
	const char *method;
	bool body;
	struct api_reply (*handle)(struct call *call);
} endpoints[] = {
    {"/", "GET", false, get_index},
    {"/api/v1/status", "GET", false, get_status},
    {"/api/v1/clusters", "GET", false, get_clusters},
    {"/api/v1/hosts", "GET", false, get_hosts},
    {"/api/v1/routes", "GET", false, get_routes},
    {"/api/v1/held", "GET", false, get_held},
    {CLUSTER_PREFIX "{}", "GET", false, get_cluster},
    {CLUSTER_PREFIX "{}", "PUT", true, put_cluster},
    {CLUSTER_PREFIX "{}", "PATCH", true, patch_cluster},
    {CLUSTER_PREFIX "{}", "DELETE", false, delete_cluster},
    {CLUSTER_PREFIX "{}/held/confirm", "POST", false, confirm_held},
    {WEIGHT_PATH, "PUT", true, put_weight},
    {WEIGHT_PATH, "DELETE", false, delete_weight},
    {PUSH_PREFIX "{}", "POST", true, post_push},
};

enum { ENDPOINTS = sizeof(endpoints) / sizeof(endpoints[0]) };

/* Is this the address of the endpoint? What stands for each {} goes into `names`. */
static bool match(const char *pattern, const char *path, char names[static NAMES_MAX][NAME_TEXT_MAX])
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
		snprintf(names[count++], NAME_TEXT_MAX, "%.*s", (int)len, path);
		path += len;
		pattern++;
	}
	return *path == '\0';
}

static const struct endpoint *find(const struct api_request *request, struct api_reply *reply)
{
	char allow[API_ALLOW_MAX] = "", names[NAMES_MAX][NAME_TEXT_MAX];
	const char *method = strcmp(request->method, "HEAD") == 0 ? "GET" : request->method;
	for (unsigned i = 0; i < ENDPOINTS; i++) {
		if (!match(endpoints[i].path, request->path, names))
			continue;
		if (strcmp(endpoints[i].method, method) == 0)
			return &endpoints[i];
		size_t len = strlen(allow);
		snprintf(allow + len, sizeof(allow) - len, "%s%s", len > 0 ? ", " : "", endpoints[i].method);
	}
	if (allow[0] == '\0') {
		*reply = problem(404, "there is no such address; GET / lists them");
	} else {
		*reply = problem(405, "this address takes %s", allow);
		memcpy(reply->allow, allow, sizeof(allow));
	}
	return NULL;
}

static bool peer_allowed(const struct config *config, const struct address *peer)
{
	for (unsigned i = 0; i < config->admin.allow_from_count; i++)
		if (prefix_contains(&config->admin.allow_from[i], peer))
			return true;
	return config->admin.allow_from_count == 0 && config_address_is_loopback(peer);
}

static bool is_json(const char *content_type)
{
	static const char json[] = "application/json";
	size_t len = sizeof(json) - 1;
	return content_type && strncasecmp(content_type, json, len) == 0 &&
	       (content_type[len] == '\0' || content_type[len] == ';' || content_type[len] == ' ');
}

static void make_call(struct call *call, struct control *control, const struct api_request *request,
                      const struct endpoint *endpoint, char who[static ADDRESS_TEXT_MAX])
{
	*call = (struct call){.control = control, .request = request, .who = address_format(&request->peer, who)};
	match(endpoint->path, request->path, call->names);
	call->name = call->names[call->names[1][0] != '\0'];
}

bool api_accept(struct control *control, const struct api_request *request, struct api_reply *reply)
{
	char who[ADDRESS_TEXT_MAX];
	const struct endpoint *endpoint = find(request, reply);
	bool push = endpoint && endpoint->handle == post_push;
	/* A plugin's push is governed by push_from; everything else, wrong addresses too, by allow_from. */
	if (!push && !peer_allowed(control->config, &request->peer)) {
		if (!endpoint)
			json_decref(reply->json);
		*reply = problem(403, "%s may not use this API: see admin.allow_from in the configuration file",
		                 address_format(&request->peer, who));
		return false;
	}
	if (!endpoint)
		return false;
	struct call call;
	make_call(&call, control, request, endpoint, who);
	if (push)
		return push_target(&call, reply) != NULL;
	if (endpoint->body && !is_json(request->content_type)) {
		*reply = problem(415, "the body must be JSON: Content-Type: application/json");
		return false;
	}
	if (endpoint->handle == put_cluster && !cluster_name_valid(call.name)) {
		*reply = problem(
		    400,
		    "the name of a cluster is 1 to 63 letters, digits, '-', '_' or '.', beginning with a letter or "
		    "digit");
		return false;
	}
	return true;
}

struct api_reply api_handle(struct control *control, const struct api_request *request)
{
	char who[ADDRESS_TEXT_MAX];
	struct api_reply reply;
	const struct endpoint *endpoint = find(request, &reply);
	if (!endpoint)
		return reply;
	struct call call;
	make_call(&call, control, request, endpoint, who);
	return endpoint->handle(&call);
}
