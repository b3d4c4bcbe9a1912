/* The admin API: routes: lists and single ones, and the operator's weights. */
#include <stdio.h>
#include <string.h>

#include "control/api/endpoint.h"
#include "control/state/hundredths.h"
#include "control/state/override.h"
#include "control/api/route_json.h"
#include "control/api/route_list.h"
#include "control/state/shift.h"

#define ROUTES_PATH "/api/v1/routes"
#define WEIGHT_PATH ROUTES_PATH "/{}/clusters/{}/weight"

/* The index of a query parameter's value in `choices`, 0 if it is not there. False: `reply`. */
static bool query_choice(const struct call *call, const char *name, const char *const *choices, int *out,
                         struct api_reply *reply)
{
	const char *value = call_query(call, name);
	char expected[120] = "";
	*out = 0;
	for (int i = 0; choices[i]; i++) {
		size_t len = strlen(expected);
		if (value && choices[i][0] != '\0' && strcmp(value, choices[i]) == 0) {
			*out = i;
			return true;
		}
		if (choices[i][0] != '\0')
			snprintf(expected + len, sizeof(expected) - len, "%s%s", len > 0 ? ", " : "", choices[i]);
	}
	if (!value)
		return true;
	*reply = reply_problem(400, "%s must be one of %s", name, expected);
	return false;
}

static struct api_reply get_routes(struct call *call)
{
	int state, sort;
	struct api_page page;
	struct api_reply reply;
	const char *cluster = call_query(call, "cluster");
	struct route_filter filter = {.search = call_query(call, "search"), .namespace = call_query(call, "namespace")};
	if (!call_page(call, &page, &reply) || !query_choice(call, "state", route_state_names, &state, &reply) ||
	    !query_choice(call, "sort", route_sort_names, &sort, &reply))
		return reply;
	filter.state = (enum route_state)state;
	if (cluster && !(filter.cluster = call_cluster_named(call, cluster, &reply)))
		return reply;
	return reply_state(call->control, route_list(call->control, &filter, (enum route_sort)sort, page));
}

static struct api_reply get_route(struct call *call)
{
	struct api_reply reply;
	struct share_view view;
	const struct name *name = call_route(call, &reply);
	if (!name)
		return reply;
	share_view_make(&view, &call->control->state);
	return reply_state(call->control, json_pack("{s:I, s:o}", "revision", (json_int_t)call->control->state.revision,
	                                            "route", route_json(call->control, &view, name)));
}

/* ---- weights ---- */

/* The pair that the address names, or NULL and `reply`. */
static struct pair *find_pair(struct call *call, struct name **name, struct api_reply *reply)
{
	struct hostname host;
	bool wildcard;
	char quoted[READER_TEXT_MAX];
	const struct cluster *cluster = call_cluster(call, 1, reply);
	if (!cluster)
		return NULL;
	bool valid = name_parse(call->names[0], &host, &wildcard);
	*name = valid ? names_find_host(&call->control->state.names, &host, wildcard) : NULL;
	struct pair *pair = *name ? names_pair(*name, cluster->index) : NULL;
	if (!pair)
		*reply = reply_problem(404, "cluster %s has no route %s; GET " ROUTES_PATH " lists them",
		                       call->names[1], json_quote(call->names[0], quoted));
	return pair;
}

static struct api_reply set_weight(struct call *call, struct name *name, const struct pair *pair, int weight)
{
	const struct override override = {.name = name, .cluster = pair->cluster, .weight = weight};
	struct share_view view;
	struct shift_plan plan;
	bool changed = override_changes(&override, 1);
	share_view_make(&view, &call->control->state);
	shift_plan_weight(&plan, &view, name, pair->cluster, weight);
	json_t *json = shift_plan_answer(&plan);
	if (changed && !call->dry_run && !control_override(call->control, name, pair->cluster, weight, &call->actor)) {
		json_decref(json);
		return reply_not_saved(call->control);
	}
	return reply_written(call, 200, changed, json_pack("{s:o}", "plan", json));
}

static struct api_reply put_weight(struct call *call)
{
	struct json_faults faults = {0};
	struct api_reply reply;
	struct reader reader;
	struct name *name;
	uint16_t weight = 0;
	json_t *body = json_text_parse(call->request->body, call->request->body_len, &faults);
	if (!body)
		return reply_faulty(&faults);
	reader_open(&reader, body, &faults, "$");
	hundredths_read(&reader, "weight", true, &weight);
	reader_close(&reader);
	json_decref(body);
	if (faults.count > 0)
		return reply_faulty(&faults);
	const struct pair *pair = find_pair(call, &name, &reply);
	return pair ? set_weight(call, name, pair, weight) : reply;
}

static struct api_reply delete_weight(struct call *call)
{
	struct api_reply reply;
	struct name *name;
	const struct pair *pair = find_pair(call, &name, &reply);
	return pair ? set_weight(call, name, pair, -1) : reply;
}

static const struct endpoint endpoints[] = {
    {ROUTES_PATH, "GET", ROLE_VIEWER, 0, "search cluster namespace state sort limit offset", get_routes, NULL},
    {ROUTES_PATH "/{}", "GET", ROLE_VIEWER, 0, NULL, get_route, NULL},
    {WEIGHT_PATH, "PUT", ROLE_OPERATOR, ENDPOINT_WRITE | ENDPOINT_BODY, NULL, put_weight, NULL},
    {WEIGHT_PATH, "DELETE", ROLE_OPERATOR, ENDPOINT_WRITE, NULL, delete_weight, NULL},
};

const struct endpoint_table api_route_table = {endpoints, sizeof(endpoints) / sizeof(endpoints[0])};
