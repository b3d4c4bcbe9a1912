/* The admin API: clusters as a whole: made, changed, removed, pushed to, and what is held of them. */
#include <stdio.h>
#include <string.h>

#include "control/state/adopt.h"
#include "control/state/cluster_json.h"
#include "control/state/cluster_plan.h"
#include "control/api/cluster_view.h"
#include "control/api/endpoint.h"
#include "control/state/revisions.h"

#define CLUSTER_PREFIX "/api/v1/clusters/"
#define PUSH_PREFIX    "/api/cluster/"

static struct api_reply get_clusters(struct call *call)
{
	return reply_state(call->control, cluster_views(call->control));
}

static struct api_reply status_reply(struct call *call, const struct cluster *cluster)
{
	return reply_state(call->control, cluster_status(call->control, cluster));
}

static struct api_reply get_cluster_status(struct call *call)
{
	struct api_reply reply;
	const struct cluster *cluster = call_cluster(call, 0, &reply);
	return cluster ? status_reply(call, cluster) : reply;
}

static struct api_reply get_cluster(struct call *call)
{
	struct api_reply reply;
	const struct cluster *cluster = call_cluster(call, 0, &reply);
	return cluster ? reply_state(call->control, cluster_write(cluster->spec)) : reply;
}

/* ---- writing ---- */

/* True if the replacement would take hosts and routes from their owner; `reply` says so. */
static bool owner_conflict(const struct cluster *before, const struct cluster_spec *spec, struct api_reply *reply)
{
	if (before && before->spec->source != spec->source) {
		*reply = reply_problem(
		    409,
		    "cluster %s has source %s, which owns its router hosts and routes; remove it first to change "
		    "its source",
		    spec->name, cluster_source_name(before->spec->source));
		return true;
	}
	if (spec->source == SOURCE_WATCH &&
	    (spec->route_count > 0 || (spec->host_count > 0 && cluster_hosts_are_observed(spec)))) {
		*reply = reply_problem(409, "cluster %s has source watch: its API owns its routes%s; leave them out",
		                       spec->name,
		                       cluster_hosts_are_observed(spec)
		                           ? " and router hosts (unless \"routers\" has \"preset\": \"static\")"
		                           : "");
		return true;
	}
	if (spec->source == SOURCE_PUSH && spec->host_count + spec->route_count > 0) {
		*reply = reply_problem(409,
		                       "cluster %s has source push: its router hosts and routes come from pushes alone "
		                       "(POST " PUSH_PREFIX "%s); leave out hosts and routes",
		                       spec->name, spec->key);
		return true;
	}
	return false;
}

/* The cluster of the body, or NULL and `reply`. */
static struct cluster_spec *read_body(struct call *call, struct api_reply *reply)
{
	struct json_faults faults = {0};
	struct cluster_spec *spec = NULL;
	json_t *body = json_text_parse(call->request->body, call->request->body_len, &faults);
	if (body)
		spec = cluster_read(body, call->names[0], &faults, "$");
	json_decref(body);
	if (!spec)
		*reply = reply_faulty(&faults);
	return spec;
}

/* The state staged has a way out of its own, which moves nobody. */
static bool skips_activation(const struct cluster *before, const struct cluster_spec *spec, struct api_reply *reply)
{
	if (!before || before->spec->state != CLUSTER_STAGED || spec->state != CLUSTER_ACTIVE)
		return false;
	*reply =
	    reply_problem(409,
	                  "cluster %s is staged; activate it by POST " CLUSTER_PREFIX "%s/activate, which leaves the "
	                  "routes of other clusters where they are",
	                  spec->name, spec->name);
	return true;
}

/* The cluster as it would be after a PUT, or NULL and `reply`. */
static struct cluster_spec *wanted_spec(struct call *call, const struct cluster *before, struct api_reply *reply)
{
	struct json_faults faults = {0};
	struct cluster_spec *spec = read_body(call, reply);
	if (!spec)
		return NULL;
	if (owner_conflict(before, spec, reply)) {
		cluster_free(spec);
		return NULL;
	}
	if (before && !spec->state_given)
		spec->state = before->spec->state;
	if (before && (spec->source == SOURCE_PUSH ||
	               (cluster_hosts_are_observed(spec) && cluster_hosts_are_observed(before->spec))))
		spec = cluster_with_owned(spec, before->spec);
	bool good = !skips_activation(before, spec, reply);
	if (good && !state_check(&call->control->state, spec, call->control->config, &faults)) {
		*reply = reply_faulty(&faults);
		good = false;
	}
	if (good)
		return spec;
	cluster_free(spec);
	return NULL;
}

/* Keeps what is, before it is changed. */
static bool keep_before(struct call *call, const char *what, bool watched)
{
	char text[REVISION_WHAT_MAX];
	snprintf(text, sizeof(text), "before cluster %.63s was %s", call->names[0], what);
	return revisions_before(call->control, &call->actor, text, watched);
}

static bool read_force(const struct call *call, bool *force, struct api_reply *reply)
{
	const char *text = call_query(call, "force");
	*force = text && strcmp(text, "true") == 0;
	if (!text || *force || strcmp(text, "false") == 0)
		return true;
	*reply = reply_problem(400, "force must be true or false");
	return false;
}

static struct api_reply put_cluster(struct call *call)
{
	bool force;
	struct cluster_plan plan;
	struct control *control = call->control;
	struct api_reply reply;
	const struct cluster *before = state_cluster(&control->state, call->names[0]);
	struct cluster_spec *spec = read_force(call, &force, &reply) ? wanted_spec(call, before, &reply) : NULL;
	if (!spec)
		return reply;
	bool changed = !before || !cluster_equal(spec, before->spec);
	unsigned status = before || call->dry_run ? 200 : 201;
	cluster_plan_make(&plan, control, before, spec);
	if (call->dry_run)
		cluster_plan_tell(&plan, before, spec);
	if (plan.needs_force && !force) {
		cluster_free(spec);
		return reply_leaves_routes(call, &plan, call->names[0]);
	}
	json_t *json = json_pack("{s:o}", "plan", plan.json);
	if (!changed || call->dry_run) {
		cluster_free(spec);
		return reply_written(call, status, changed, json);
	}
	bool kept = keep_before(call, before ? "changed" : "added", false);
	if (!kept)
		cluster_free(spec);
	if (!kept || !control_put(control, spec, before ? before->pushed_at : 0, &call->actor)) {
		json_decref(json);
		return reply_not_saved(control);
	}
	return reply_written(call, status, true, json);
}

/* Why the removal of a cluster with connections needs force. */
static struct api_reply has_connections(const char *name, uint64_t active)
{
	return reply_forceable(reply_problem(409,
	                                     "cluster %s has %llu connection%s. Drain it and wait (POST " CLUSTER_PREFIX
	                                     "%s/drain), or close them (POST " CLUSTER_PREFIX
	                                     "%s/offline with {\"close\": true}), or force it",
	                                     name, (unsigned long long)active, active == 1 ? "" : "s", name, name));
}

static struct api_reply delete_cluster(struct call *call)
{
	bool force;
	struct cluster_plan plan;
	struct api_reply reply;
	struct cluster *cluster = call_cluster(call, 0, &reply);
	if (!cluster || !read_force(call, &force, &reply))
		return reply;
	cluster_plan_make(&plan, call->control, cluster, NULL);
	if (call->dry_run)
		cluster_plan_tell(&plan, cluster, NULL);
	if (plan.needs_force && !force)
		return reply_leaves_routes(call, &plan, call->names[0]);
	if (plan.active > 0 && !force)
		return reply_refused(call, has_connections(call->names[0], plan.active), plan.json);
	json_t *json = json_pack("{s:o}", "plan", plan.json);
	if (!call->dry_run &&
	    (!keep_before(call, "removed", true) || !control_delete(call->control, call->names[0], &call->actor))) {
		json_decref(json);
		return reply_not_saved(call->control);
	}
	return reply_written(call, 200, true, json);
}

/* The number in a field, if it is there. */
static void patch_number(struct reader *reader, const char *field, uint8_t *out)
{
	uint64_t number;
	if (reader_number(reader, field, 0, WEIGHT_MAX, &number))
		*out = (uint8_t)number;
}

/* False: `reply`. */
static bool read_patch(struct call *call, const struct cluster *cluster, struct cluster_settings *settings,
                       struct api_reply *reply)
{
	static const char *const states[] = {"staged", "active", "draining", "offline", NULL};
	static const char *const new_routes[] = {"active", "parked", NULL};
	struct json_faults faults = {0};
	struct reader reader;
	json_t *body = json_text_parse(call->request->body, call->request->body_len, &faults);
	*settings = control_settings(cluster);
	int state = (int)settings->state, parks = settings->parks_routes;
	if (body) {
		reader_open(&reader, body, &faults, "$");
		reader_choice(&reader, "state", states, false, &state);
		if (reader_choice(&reader, "new_routes", new_routes, false, &parks) &&
		    cluster->spec->source != SOURCE_WATCH)
			reader_fault(&reader, "new_routes", "no such field", "belongs to \"source\": \"watch\" only");
		patch_number(&reader, "default_weight", &settings->default_weight);
		reader_close(&reader);
		json_decref(body);
	}
	settings->state = (enum cluster_state)state;
	settings->parks_routes = parks;
	if (body && faults.count == 0)
		return true;
	*reply = reply_faulty(&faults);
	return false;
}

static struct api_reply patch_cluster(struct call *call)
{
	bool force;
	struct cluster_plan plan;
	struct api_reply reply;
	struct cluster_settings settings;
	struct control *control = call->control;
	struct cluster *cluster = call_cluster(call, 0, &reply);
	if (!cluster || !read_force(call, &force, &reply) || !read_patch(call, cluster, &settings, &reply))
		return reply;
	bool changed = control_settings_differ(cluster, &settings);
	struct cluster_spec then = *cluster->spec; /* only looked at */
	then.state = settings.state;
	then.default_weight = settings.default_weight;
	then.parks_routes = settings.parks_routes;
	cluster_plan_make(&plan, control, cluster, &then);
	if (call->dry_run)
		cluster_plan_tell(&plan, cluster, &then);
	if (plan.needs_force && !force)
		return reply_leaves_routes(call, &plan, call->names[0]);
	json_t *json = json_pack("{s:o}", "plan", plan.json);
	if (changed && !call->dry_run &&
	    (!keep_before(call, "changed", false) || !control_patch(control, cluster, &settings, &call->actor))) {
		json_decref(json);
		return reply_not_saved(control);
	}
	return reply_written(call, 200, changed, json);
}

static struct api_reply post_check(struct call *call)
{
	struct api_reply reply;
	const struct cluster *cluster = call_cluster(call, 0, &reply);
	if (!cluster)
		return reply;
	if (call->dry_run)
		return status_reply(call, cluster);
	struct api_later *later = check_now_begin(call->control, cluster);
	return later ? api_later_reply(later) : reply_problem(503, "too many checks are waited for; try again");
}

static struct api_reply confirm_held(struct call *call)
{
	size_t count;
	struct api_reply reply;
	struct cluster *cluster = call_cluster(call, 0, &reply);
	if (!cluster)
		return reply;
	count = adopt_held(&call->control->state, cluster);
	if (!call->dry_run && !control_confirm(call->control, cluster, &call->actor, &count))
		return reply_not_saved(call->control);
	reply = reply_written(call, 200, count > 0, NULL);
	json_object_set_new(reply.json, "confirmed", json_integer((json_int_t)count));
	return reply;
}

/* The push cluster with the key, if the peer may push to it; else NULL and `reply`, which does not tell a stranger
 * which clusters there are. */
static struct cluster *push_target(struct call *call, struct api_reply *reply)
{
	char peer[ADDRESS_TEXT_MAX], quoted[READER_TEXT_MAX];
	struct cluster *cluster = state_cluster_by_key(&call->control->state, call->names[0]);
	for (unsigned i = 0; cluster && i < cluster->spec->push_from_count; i++)
		if (prefix_contains(&cluster->spec->push_from[i], &call->request->peer))
			return cluster;
	*reply = reply_problem(403, "no cluster with source push has the key %s and %s in its push_from",
	                       json_quote(call->names[0], quoted), address_format(&call->request->peer, peer));
	return NULL;
}

/* Its new routes were left out. */
static struct api_reply reply_no_room(const char *name, struct json_faults *faults)
{
	const struct json_fault *first = &faults->list[0];
	struct api_reply reply = reply_problem(
	    409,
	    "this push and what is held of cluster %s %s; expected %s. Its new routes are left out, all else "
	    "of it counts. Confirm the held deletions (POST " CLUSTER_PREFIX "%s/held/confirm), or raise the limit",
	    name, first->reason, first->expected, name);
	json_faults_free(faults);
	return reply;
}

static struct api_reply post_push(struct call *call)
{
	char name[CLUSTER_NAME_MAX + 1];
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
		return reply_faulty(&faults);
	if (!state_check(&control->state, spec, control->config, &faults)) {
		cluster_free(spec);
		return reply_faulty(&faults);
	}
	struct adopt_clock clock = {clock_monotonic_ms(), clock_unix_ms()};
	bool fits = adopt_push(&control->state, cluster, spec, control->config, &clock, &faults);
	strcpy(name, spec->name);
	/* The plugin says everything again every few seconds. */
	if (cluster->pushed_at != 0 && cluster_equal(spec, cluster->spec)) {
		cluster->pushed_at = clock_unix_ms();
		cluster_free(spec);
	} else if (!control_put(control, spec, clock_unix_ms(), &call->actor)) {
		json_faults_free(&faults);
		return reply_not_saved(control);
	}
	return fits ? reply_written(call, 201, true, NULL) : reply_no_room(name, &faults);
}

static bool accept_name(struct call *call, struct api_reply *reply)
{
	if (cluster_name_valid(call->names[0]))
		return true;
	*reply = reply_problem(
	    400, "the name of a cluster is 1 to 63 letters, digits, '-', '_' or '.', beginning with a letter or digit");
	return false;
}

static bool accept_push(struct call *call, struct api_reply *reply)
{
	return push_target(call, reply) != NULL;
}

static const struct endpoint endpoints[] = {
    {"/api/v1/clusters", "GET", ROLE_VIEWER, 0, NULL, get_clusters, NULL},
    {CLUSTER_PREFIX "{}/status", "GET", ROLE_VIEWER, 0, NULL, get_cluster_status, NULL},
    {CLUSTER_PREFIX "{}", "GET", ROLE_VIEWER, 0, NULL, get_cluster, NULL},
    {CLUSTER_PREFIX "{}", "PUT", ROLE_ADMIN, ENDPOINT_WRITE | ENDPOINT_BODY | ENDPOINT_LARGE, "force", put_cluster,
     accept_name},
    {CLUSTER_PREFIX "{}", "PATCH", ROLE_ADMIN, ENDPOINT_WRITE | ENDPOINT_BODY, "force", patch_cluster, NULL},
    {CLUSTER_PREFIX "{}", "DELETE", ROLE_ADMIN, ENDPOINT_WRITE, "force", delete_cluster, NULL},
    {CLUSTER_PREFIX "{}/check", "POST", ROLE_OPERATOR, ENDPOINT_WRITE, NULL, post_check, NULL},
    {CLUSTER_PREFIX "{}/held/confirm", "POST", ROLE_OPERATOR, ENDPOINT_WRITE, NULL, confirm_held, NULL},
    {PUSH_PREFIX "{}", "POST", ROLE_NONE, ENDPOINT_PUSH | ENDPOINT_BODY | ENDPOINT_LARGE, NULL, post_push, accept_push},
};

const struct endpoint_table api_cluster_table = {endpoints, sizeof(endpoints) / sizeof(endpoints[0])};
