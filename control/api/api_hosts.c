/* The admin API: router hosts: shown, drained, disabled and enabled. */
#include <stdio.h>
#include <string.h>

#include "control/state/cluster_plan.h"
#include "control/duration.h"
#include "control/api/endpoint.h"
#include "control/api/host_json.h"
#include "control/state/host_mode.h"
#include "control/feed/table.h"

#define HOST_PATH "/api/v1/hosts/{}/{}"

enum { MATCHES_MAX = 10 };

/* ---- which host ---- */

/* A host that is there, or one of which only a setting is left. */
struct target {
	struct cluster *cluster;
	struct host_spec host;
	size_t place; /* in the cluster's hosts; SIZE_MAX: it is absent */
};

struct search {
	unsigned count;
	struct target found[MATCHES_MAX];
};

static bool fits(const struct host_spec *host, const char *text)
{
	char address[ADDRESS_TEXT_MAX], full[ADDRESS_TEXT_MAX + 8];
	address_format(&host->address, address);
	snprintf(full, sizeof(full), "%s:%u", address, host->http_port);
	return strcmp(host->name, text) == 0 || strcmp(address, text) == 0 || strcmp(full, text) == 0;
}

static void add(struct search *search, struct cluster *cluster, const struct host_spec *host, size_t place)
{
	if (search->count < MATCHES_MAX)
		search->found[search->count++] = (struct target){cluster, *host, place};
}

static bool is_there(const struct cluster *cluster, uint64_t id)
{
	for (size_t i = 0; i < cluster->spec->host_count; i++)
		if (cluster->spec->hosts[i].id == id)
			return true;
	return false;
}

static void search_cluster(struct search *search, struct cluster *cluster, const char *text)
{
	for (size_t i = 0; i < cluster->spec->host_count; i++)
		if (fits(&cluster->spec->hosts[i], text))
			add(search, cluster, &cluster->spec->hosts[i], i);
	for (size_t i = 0; i < cluster->modes.count; i++) {
		const struct host_setting *setting = &cluster->modes.list[i];
		if (!is_there(cluster, setting->id) && fits(&setting->host, text))
			add(search, cluster, &setting->host, SIZE_MAX);
	}
}

static struct api_reply ambiguous(const struct search *search, const char *text)
{
	char list[ENDPOINT_DETAIL_MAX / 2] = "", id[HOST_ID_TEXT_MAX];
	size_t len = 0;
	for (unsigned i = 0; i < search->count && len < sizeof(list); i++)
		len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s", i > 0 ? ", " : "",
		                        host_id_text(search->found[i].cluster, &search->found[i].host, id));
	return reply_problem(409, "%.80s stands for %u router hosts; name one of them: %s", text, search->count, list);
}

/* The host that the address names. False: `reply`. */
static bool find_host(struct call *call, struct target *target, struct api_reply *reply)
{
	char quoted[READER_TEXT_MAX];
	struct search search = {0};
	struct cluster *cluster = call_cluster(call, 0, reply);
	if (!cluster)
		return false;
	search_cluster(&search, cluster, call->names[1]);
	if (search.count == 0)
		*reply = reply_problem(404, "cluster %s has no router host %s; GET /api/v1/hosts?cluster=%s lists them",
		                       cluster->spec->name, json_quote(call->names[1], quoted), cluster->spec->name);
	else if (search.count > 1)
		*reply = ambiguous(&search, call->names[1]);
	else
		*target = search.found[0];
	return search.count == 1;
}

bool call_host(struct call *call, struct cluster **cluster, struct host_spec *host, struct api_reply *reply)
{
	struct target target;
	if (!find_host(call, &target, reply))
		return false;
	*cluster = target.cluster;
	*host = target.host;
	return true;
}

/* ---- reading ---- */

static struct api_reply get_hosts(struct call *call)
{
	struct api_page page;
	struct api_reply reply;
	const struct cluster *only = NULL;
	const char *name = call_query(call, "cluster");
	if (name && !(only = call_cluster_named(call, name, &reply)))
		return reply;
	if (!call_page(call, &page, &reply))
		return reply;
	return reply_state(call->control, host_list(call->control, only, page));
}

static json_t *target_json(const struct call *call, const struct target *target)
{
	if (target->place != SIZE_MAX)
		return host_json(call->control, target->cluster, target->place);
	return host_setting_json(target->cluster, host_modes_find(&target->cluster->modes, target->host.id));
}

static struct api_reply get_host(struct call *call)
{
	struct target target;
	struct api_reply reply;
	if (!find_host(call, &target, &reply))
		return reply;
	return reply_state(call->control, json_pack("{s:I, s:o}", "revision", (json_int_t)call->control->state.revision,
	                                            "host", target_json(call, &target)));
}

/* ---- writing ---- */

struct wish {
	uint64_t timeout;
	bool close, force;
};

static bool read_wish(struct call *call, enum host_mode mode, struct wish *wish, struct api_reply *reply)
{
	struct json_faults faults = {0};
	struct reader reader;
	json_t *body = call_body(call, reply);
	if (!body)
		return false;
	*wish = (struct wish){0};
	reader_open(&reader, body, &faults, "$");
	if (mode == HOST_MODE_DRAINING)
		duration_read(&reader, "timeout", &wish->timeout);
	if (mode == HOST_MODE_DISABLED)
		reader_bool(&reader, "close", &wish->close);
	if (mode != HOST_MODE_ENABLED)
		reader_bool(&reader, "force", &wish->force);
	reader_close(&reader);
	json_decref(body);
	if (faults.count == 0)
		return true;
	*reply = reply_faulty(&faults);
	return false;
}

/* True if no other host of the cluster would get new connections, and that matters. */
static bool is_last(const struct control *control, const struct target *target)
{
	const struct cluster *cluster = target->cluster;
	if (cluster->spec->state != CLUSTER_ACTIVE || control->state.names.of_cluster[cluster->index] == 0 ||
	    target->place == SIZE_MAX || host_modes_find(&cluster->modes, target->host.id))
		return false;
	for (size_t i = 0; i < cluster->spec->host_count; i++)
		if (i != target->place && table_elects(cluster, i))
			return false;
	return true;
}

static bool setting_differs(const struct host_setting *found, enum host_mode mode, const struct wish *wish)
{
	if (!found || found->mode != mode)
		return (found ? found->mode : HOST_MODE_ENABLED) != mode;
	if (mode == HOST_MODE_DRAINING)
		return found->drain.timeout != wish->timeout;
	return wish->close && found->drain.deadline == 0;
}

/* What becomes of the cluster's routes: nothing, while another router host takes the connections. */
static json_t *plan_json(struct control *control, const struct target *target, bool last)
{
	struct cluster_plan plan;
	if (!last)
		return json_pack("{s:i, s:i, s:i, s:[]}", "routes", 0, "changed", 0, "red", 0, "changes");
	cluster_plan_without_hosts(&plan, control, target->cluster);
	json_object_del(plan.json, "active"); /* of all its router hosts */
	return plan.json;
}

static struct api_reply refuse_last(const struct target *target)
{
	const char *cluster = target->cluster->spec->name;
	return reply_forceable(
	    reply_problem(409,
	                  "%s/%s is the last router host of cluster %s that gets new connections: its routes "
	                  "would be left without it. Enable or mend another one first, or drain the cluster "
	                  "(POST /api/v1/clusters/%s/drain), or force it",
	                  cluster, target->host.name, cluster, cluster));
}

static struct api_reply set_mode(struct call *call, enum host_mode mode)
{
	struct wish wish;
	struct target target;
	struct api_reply reply;
	struct control *control = call->control;
	if (!read_wish(call, mode, &wish, &reply) || !find_host(call, &target, &reply))
		return reply;
	struct cluster *cluster = target.cluster;
	bool differs = setting_differs(host_modes_find(&cluster->modes, target.host.id), mode, &wish);
	bool last = differs && mode != HOST_MODE_ENABLED && is_last(control, &target);
	json_t *plan = plan_json(control, &target, last);
	if (last && !wish.force)
		return reply_refused(call, refuse_last(&target), plan);
	if (differs && mode != HOST_MODE_ENABLED && cluster->modes.count == HOST_MODES_MAX)
		return reply_refused(
		    call,
		    reply_problem(409, "%d router hosts of cluster %s are draining or disabled already; enable some",
		                  HOST_MODES_MAX, cluster->spec->name),
		    plan);
	struct host_setting setting = {
	    .id = target.host.id,
	    .mode = mode,
	    .host = target.host,
	    .drain = drain_begin(clock_unix_ms(), mode == HOST_MODE_DRAINING ? wish.timeout : 0,
	                         mode == HOST_MODE_DISABLED && wish.close, &call->actor),
	};
	if (differs && !call->dry_run && !control_host_mode(control, cluster, &setting, &call->actor)) {
		json_decref(plan);
		return reply_not_saved(control);
	}
	json_t *json = json_pack("{s:I, s:o}", "active", (json_int_t)control_host_usage(control, target.host.id).active,
	                         "plan", plan);
	if (target.place != SIZE_MAX)
		json_object_set_new(json, "host", target_json(call, &target));
	return reply_written(call, 200, differs, json);
}

static struct api_reply post_drain(struct call *call)
{
	return set_mode(call, HOST_MODE_DRAINING);
}

static struct api_reply post_disable(struct call *call)
{
	return set_mode(call, HOST_MODE_DISABLED);
}

static struct api_reply post_enable(struct call *call)
{
	return set_mode(call, HOST_MODE_ENABLED);
}

static const struct endpoint endpoints[] = {
    {"/api/v1/hosts", "GET", ROLE_VIEWER, 0, "cluster limit offset", get_hosts, NULL},
    {HOST_PATH, "GET", ROLE_VIEWER, 0, NULL, get_host, NULL},
    {HOST_PATH "/drain", "POST", ROLE_OPERATOR, ENDPOINT_WRITE | ENDPOINT_MAY_BODY, NULL, post_drain, NULL},
    {HOST_PATH "/disable", "POST", ROLE_OPERATOR, ENDPOINT_WRITE | ENDPOINT_MAY_BODY, NULL, post_disable, NULL},
    {HOST_PATH "/enable", "POST", ROLE_OPERATOR, ENDPOINT_WRITE | ENDPOINT_MAY_BODY, NULL, post_enable, NULL},
};

const struct endpoint_table api_host_table = {endpoints, sizeof(endpoints) / sizeof(endpoints[0])};
