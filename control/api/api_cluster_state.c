/* The admin API: the state of a cluster: activated, drained, taken offline, enabled. Each answers with its plan. */
#include <stdio.h>

#include "control/state/cluster_plan.h"
#include "control/drain.h"
#include "control/duration.h"
#include "control/api/endpoint.h"
#include "control/state/revisions.h"

#define CLUSTER_PATH "/api/v1/clusters/{}"

struct wish {
	uint64_t timeout;
	bool close, force;
};

static bool read_wish(struct call *call, enum cluster_state state, struct wish *wish, struct api_reply *reply)
{
	struct json_faults faults = {0};
	struct reader reader;
	json_t *body = call_body(call, reply);
	if (!body)
		return false;
	*wish = (struct wish){0};
	reader_open(&reader, body, &faults, "$");
	if (state == CLUSTER_DRAINING)
		duration_read(&reader, "timeout", &wish->timeout);
	if (state == CLUSTER_OFFLINE)
		reader_bool(&reader, "close", &wish->close);
	if (state == CLUSTER_DRAINING || state == CLUSTER_OFFLINE)
		reader_bool(&reader, "force", &wish->force);
	reader_close(&reader);
	json_decref(body);
	if (faults.count == 0)
		return true;
	*reply = reply_faulty(&faults);
	return false;
}

/* What would become of the cluster itself. */
static void tell(struct cluster_plan *plan, const struct cluster *cluster, const struct cluster_spec *then,
                 const struct cluster_settings *settings)
{
	char span[DRAIN_TEXT_MAX];
	const char *name = cluster->spec->name;
	const struct cluster_settings now = control_settings(cluster);
	cluster_plan_tell(plan, cluster, then);
	json_t *lines = json_object_get(plan->json, "differs");
	if (settings->drain_timeout > 0 && settings->drain_timeout != now.drain_timeout)
		json_array_append_new(lines, json_sprintf("cluster %s: what is left after %s is closed", name,
		                                          drain_span(settings->drain_timeout, span)));
	if (settings->closes && !now.closes)
		json_array_append_new(lines, json_sprintf("cluster %s: its connections are closed at once", name));
}

/* Does what the settings say, or only plans it. */
static struct api_reply change(struct call *call, struct cluster *cluster, const struct cluster_settings *settings,
                               bool force)
{
	struct cluster_plan plan;
	struct control *control = call->control;
	bool differs = control_settings_differ(cluster, settings);
	struct cluster_spec then = *cluster->spec; /* only looked at */
	then.state = settings->state;
	cluster_plan_make(&plan, control, cluster, &then);
	if (call->dry_run)
		tell(&plan, cluster, &then, settings);
	if (plan.needs_force && !force)
		return reply_leaves_routes(call, &plan, cluster->spec->name);
	if (differs && !call->dry_run) {
		char what[REVISION_WHAT_MAX];
		snprintf(what, sizeof(what), "before cluster %s was %s", cluster->spec->name,
		         settings->state == CLUSTER_ACTIVE ? "made active" : cluster_state_name(settings->state));
		if (!revisions_before(control, &call->actor, what, false) ||
		    !control_patch(control, cluster, settings, &call->actor)) {
			json_decref(plan.json);
			return reply_not_saved(control);
		}
	}
	json_t *json = json_pack("{s:s, s:o}", "state", cluster_state_name(settings->state), "plan", plan.json);
	return reply_written(call, 200, differs, json);
}

static struct api_reply set_state(struct call *call, enum cluster_state state)
{
	struct wish wish;
	struct api_reply reply;
	if (!read_wish(call, state, &wish, &reply))
		return reply;
	struct cluster *cluster = call_cluster(call, 0, &reply);
	if (!cluster)
		return reply;
	struct cluster_settings settings = control_settings(cluster);
	settings.state = state;
	settings.drain_timeout = wish.timeout;
	settings.closes = wish.close;
	return change(call, cluster, &settings, wish.force);
}

static struct api_reply wrong_state(const struct cluster *cluster, const char *advice)
{
	return reply_problem(409, "cluster %s is %s; %s", cluster->spec->name, cluster_state_name(cluster->spec->state),
	                     advice);
}

static struct api_reply post_activate(struct call *call)
{
	struct api_reply reply;
	const struct cluster *cluster = call_cluster(call, 0, &reply);
	if (!cluster)
		return reply;
	if (cluster->spec->state == CLUSTER_DRAINING || cluster->spec->state == CLUSTER_OFFLINE)
		return wrong_state(cluster, "activate is for staged clusters: use enable");
	return set_state(call, CLUSTER_ACTIVE);
}

static struct api_reply post_enable(struct call *call)
{
	struct api_reply reply;
	const struct cluster *cluster = call_cluster(call, 0, &reply);
	if (!cluster)
		return reply;
	if (cluster->spec->state == CLUSTER_STAGED)
		return wrong_state(cluster, "enable is for draining and offline clusters: use activate");
	return set_state(call, CLUSTER_ACTIVE);
}

static struct api_reply post_drain(struct call *call)
{
	struct api_reply reply;
	const struct cluster *cluster = call_cluster(call, 0, &reply);
	if (!cluster)
		return reply;
	if (cluster->spec->state == CLUSTER_STAGED || cluster->spec->state == CLUSTER_OFFLINE)
		return wrong_state(cluster,
		                   "it gets no new connections already; only an active cluster can be drained");
	return set_state(call, CLUSTER_DRAINING);
}

static struct api_reply post_offline(struct call *call)
{
	struct api_reply reply;
	const struct cluster *cluster = call_cluster(call, 0, &reply);
	if (!cluster)
		return reply;
	if (cluster->spec->state == CLUSTER_STAGED)
		return wrong_state(cluster,
		                   "it gets no connections until it is activated; remove it if it is not wanted");
	return set_state(call, CLUSTER_OFFLINE);
}

enum { STATE_WRITE = ENDPOINT_WRITE | ENDPOINT_MAY_BODY };

static const struct endpoint endpoints[] = {
    {CLUSTER_PATH "/activate", "POST", ROLE_ADMIN, STATE_WRITE, NULL, post_activate, NULL},
    {CLUSTER_PATH "/drain", "POST", ROLE_OPERATOR, STATE_WRITE, NULL, post_drain, NULL},
    {CLUSTER_PATH "/offline", "POST", ROLE_OPERATOR, STATE_WRITE, NULL, post_offline, NULL},
    {CLUSTER_PATH "/enable", "POST", ROLE_OPERATOR, STATE_WRITE, NULL, post_enable, NULL},
};

const struct endpoint_table api_cluster_state_table = {endpoints, sizeof(endpoints) / sizeof(endpoints[0])};
