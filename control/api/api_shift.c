/* The admin API: routes: shares are shifted, of one route or of all that two clusters have, and taken back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/api/endpoint.h"
#include "control/state/override.h"
#include "control/state/revisions.h"
#include "control/api/route_list.h"
#include "control/state/shift.h"

/* What a body asks for. */
struct wish {
	char to[CLUSTER_NAME_MAX + 1], from[CLUSTER_NAME_MAX + 1]; /* from: of one route; "": all others */
	char namespace[OBSERVED_NAMESPACE_MAX + 1], search[ROUTE_TEXT_MAX];
	uint16_t percent;
	bool force;
};

static void read_text(struct reader *reader, const char *field, size_t room, bool required, char *out)
{
	const char *text = "";
	reader_string(reader, field, room - 1, required, &text);
	snprintf(out, room, "%s", text);
}

/* False: `reply`. */
static bool read_wish(const struct call *call, bool many, struct wish *wish, struct api_reply *reply)
{
	struct json_faults faults = {0};
	struct reader reader;
	*wish = (struct wish){0};
	json_t *body = json_text_parse(call->request->body, call->request->body_len, &faults);
	if (body) {
		reader_open(&reader, body, &faults, "$");
		read_text(&reader, "to", sizeof(wish->to), true, wish->to);
		hundredths_read(&reader, "percent", true, &wish->percent);
		reader_bool(&reader, "force", &wish->force);
		if (many) {
			read_text(&reader, "namespace", sizeof(wish->namespace), false, wish->namespace);
			read_text(&reader, "search", sizeof(wish->search), false, wish->search);
		} else
			read_text(&reader, "from", sizeof(wish->from), false, wish->from);
		reader_close(&reader);
		json_decref(body);
	}
	if (faults.count == 0)
		return true;
	*reply = reply_faulty(&faults);
	return false;
}

/* A refusal that shows the plan, which it takes. */
static struct api_reply refuse(const struct call *call, struct api_reply refusal, bool forceable, json_t *plan)
{
	if (forceable)
		refusal = reply_forceable(refusal);
	if (!call->dry_run)
		json_object_set(refusal.json, "plan", plan);
	return reply_refused(call, refusal, plan);
}

/* ---- one route ---- */

static size_t overrides_of(const struct shift_plan *plan, struct name *name, struct override *list)
{
	size_t count = 0;
	for (unsigned i = 0; i < name->pair_count; i++)
		if (plan->weights[i] >= 0)
			list[count++] = (struct override){
			    .name = name, .cluster = name->pairs[i].cluster, .weight = plan->weights[i]};
	return count;
}

/* "v1 90 %, v2 10 %", without those that have none. */
static void shares_text(const struct shift_plan *plan, bool after, char *text, size_t room)
{
	size_t len = 0;
	text[0] = '\0';
	for (unsigned i = 0; i < plan->name->pair_count && len < room; i++) {
		char share[HUNDREDTHS_TEXT_MAX];
		uint32_t hundredths = after ? plan->after[i] : plan->before.pair[i].planned;
		const struct cluster *cluster = plan->view->state->clusters[plan->name->pairs[i].cluster];
		if (hundredths > 0)
			len += (size_t)snprintf(text + len, room - len, "%s%s %s %%", len > 0 ? ", " : "",
			                        cluster->spec->name, hundredths_text(hundredths, share));
	}
	if (len == 0)
		snprintf(text, room, "nowhere");
}

static bool carry_out(const struct call *call, const struct shift_plan *plan, const struct override *list, size_t count,
                      const struct wish *wish)
{
	char host[ROUTE_TEXT_MAX], before[150], after[150], text[JOURNAL_TEXT_MAX];
	name_format(&plan->name->host, plan->name->wildcard, host);
	shares_text(plan, false, before, sizeof(before));
	shares_text(plan, true, after, sizeof(after));
	snprintf(text, sizeof(text), "route %.253s: %s (was %s)", host, after, before);
	const struct journal_entry entry = {
	    .kind = "shifted", .object = "route", .cluster = wish->to, .name = host, .text = text};
	return control_override_all(call->control, list, count, &entry, &call->actor);
}

/* Both clusters; `from` NULL: all others. False: `reply`. */
static bool find_clusters(const struct call *call, const struct wish *wish, const struct cluster **to,
                          const struct cluster **from, struct api_reply *reply)
{
	bool named = wish->from[0] != '\0';
	*to = call_cluster_named(call, wish->to, reply);
	*from = *to && named ? call_cluster_named(call, wish->from, reply) : NULL;
	if (*to && *to == *from) {
		*reply = reply_problem(400, "$.from: is the cluster that the shift is to; expected another cluster");
		return false;
	}
	return *to && (*from || !named);
}

static struct api_reply post_shift(struct call *call)
{
	struct wish wish;
	const struct cluster *target, *from;
	struct api_reply reply;
	struct share_view view;
	struct shift_plan plan;
	struct override list[CLUSTERS_MAX];
	if (!read_wish(call, false, &wish, &reply))
		return reply;
	struct name *name = call_route(call, &reply);
	if (!name || !find_clusters(call, &wish, &target, &from, &reply))
		return reply;
	share_view_make(&view, &call->control->state);
	shift_plan_make(&plan, &view, name, target, from, wish.percent);
	json_t *json = shift_plan_answer(&plan);
	bool allowed = plan.possible && (plan.level != SHIFT_RED || wish.force);
	if (!allowed)
		return refuse(call,
		              reply_problem(409, "%.260s: %s%s", call->names[0], plan.notes[0],
		                            plan.possible ? ". Mend that first, or force it" : ""),
		              plan.possible, json);
	size_t count = overrides_of(&plan, name, list);
	bool changed = override_changes(list, count);
	if (changed && !call->dry_run && !carry_out(call, &plan, list, count, &wish)) {
		json_decref(json);
		return reply_not_saved(call->control);
	}
	return reply_written(call, 200, changed, json_pack("{s:o}", "plan", json));
}

static struct api_reply post_rollback(struct call *call)
{
	struct api_reply reply;
	struct share_view view;
	struct shift_plan plan;
	struct name *name = call_route(call, &reply);
	if (!name)
		return reply;
	if (!name->rollback)
		return reply_problem(
		    409,
		    "%.260s: nothing to roll back: its weights were not changed through the API, or the "
		    "last change was taken back already",
		    call->names[0]);
	share_view_make(&view, &call->control->state);
	shift_plan_rollback(&plan, &view, name);
	json_t *json = shift_plan_answer(&plan);
	if (!call->dry_run && !control_rollback(call->control, name, &call->actor)) {
		json_decref(json);
		return reply_not_saved(call->control);
	}
	return reply_written(call, 200, true, json_pack("{s:o}", "plan", json));
}

/* ---- many routes ---- */

struct chosen {
	struct name *name;
	enum shift_level level;
	bool possible;
};

struct bulk {
	const struct call *call;
	const struct cluster *from, *to;
	const struct wish *wish;
	struct share_view view;
	size_t count, missing, of_level[SHIFT_RED + 1];
	struct chosen *list; /* owned */
};

static bool is_system(const struct name *name, const struct cluster *cluster)
{
	const struct pair *pair = names_pair(name, cluster->index);
	return pair && cluster_namespace_is_system(pair->namespace);
}

static void *allocate(size_t count, size_t size)
{
	void *memory = calloc(count + 1, size);
	if (!memory)
		abort();
	return memory;
}

/* Routes that both clusters have and that are asked for. */
static void choose(struct bulk *bulk)
{
	size_t count;
	char buffer[ROUTE_TEXT_MAX];
	struct shift_plan plan;
	const struct wish *wish = bulk->wish;
	const struct route_filter filter = {.search = wish->search[0] != '\0' ? wish->search : NULL,
	                                    .namespace = wish->namespace[0] != '\0' ? wish->namespace : NULL,
	                                    .cluster = bulk->from};
	const char *text = route_search_text(&filter, buffer);
	struct name *const *names = names_ordered(&bulk->call->control->state.names, &count);
	share_view_make(&bulk->view, &bulk->call->control->state);
	bulk->list = allocate(count, sizeof(*bulk->list));
	for (size_t i = 0; i < count; i++) {
		names_fetch_ahead(names, i, count);
		const struct pair *pair = names_pair(names[i], bulk->to->index);
		if (!route_matches(&bulk->view, &filter, text, names[i]) || is_system(names[i], bulk->from) ||
		    is_system(names[i], bulk->to))
			continue;
		if (!pair || !pair->present) {
			bulk->missing++;
			continue;
		}
		shift_plan_make(&plan, &bulk->view, names[i], bulk->to, bulk->from, wish->percent);
		bulk->list[bulk->count++] = (struct chosen){names[i], plan.level, plan.possible};
		bulk->of_level[plan.level]++;
	}
}

/* The worst first, then by name. */
static json_t *bulk_json(const struct bulk *bulk)
{
	struct shift_plan plan;
	json_t *changes = json_array();
	for (int level = SHIFT_RED; level >= SHIFT_GREEN; level--) {
		for (size_t i = 0; i < bulk->count && json_array_size(changes) < SHIFT_LISTED_MAX; i++) {
			if (bulk->list[i].level != (enum shift_level)level)
				continue;
			shift_plan_make(&plan, &bulk->view, bulk->list[i].name, bulk->to, bulk->from,
			                bulk->wish->percent);
			json_array_append_new(changes, shift_plan_json(&plan));
		}
	}
	size_t listed = json_array_size(changes);
	json_t *json =
	    json_pack("{s:I, s:I, s:I, s:I, s:o}", "routes", (json_int_t)bulk->count, "red",
	              (json_int_t)bulk->of_level[SHIFT_RED], "yellow", (json_int_t)bulk->of_level[SHIFT_YELLOW],
	              "missing", (json_int_t)bulk->missing, "changes", changes);
	if (bulk->count > listed)
		json_object_set_new(json, "more", json_integer((json_int_t)(bulk->count - listed)));
	return json;
}

static bool any_possible(const struct bulk *bulk)
{
	for (size_t i = 0; i < bulk->count; i++)
		if (bulk->list[i].possible)
			return true;
	return false;
}

/* The overrides of all that may be shifted. Free them. */
static struct override *bulk_overrides(const struct bulk *bulk, size_t *count)
{
	size_t room = 0;
	struct shift_plan plan;
	*count = 0;
	for (size_t i = 0; i < bulk->count; i++)
		room += bulk->list[i].name->pair_count;
	struct override *list = allocate(room, sizeof(*list));
	for (size_t i = 0; i < bulk->count; i++) {
		struct name *name = bulk->list[i].name;
		if (!bulk->list[i].possible || (bulk->list[i].level == SHIFT_RED && !bulk->wish->force))
			continue;
		shift_plan_make(&plan, &bulk->view, name, bulk->to, bulk->from, bulk->wish->percent);
		*count += overrides_of(&plan, name, list + *count);
	}
	return list;
}

static size_t count_routes(const struct override *list, size_t count)
{
	size_t routes = 0;
	for (size_t i = 0; i < count; i++)
		routes += i == 0 || list[i].name != list[i - 1].name;
	return routes;
}

static bool carry_out_all(const struct bulk *bulk, const struct override *list, size_t count)
{
	char text[JOURNAL_TEXT_MAX], before[REVISION_WHAT_MAX], percent[HUNDREDTHS_TEXT_MAX];
	const char *from = bulk->from->spec->name, *to = bulk->to->spec->name;
	size_t routes = count_routes(list, count);
	hundredths_text(bulk->wish->percent, percent);
	snprintf(before, sizeof(before), "before routes of cluster %.40s were shifted to %.40s, %s %%", from, to,
	         percent);
	snprintf(text, sizeof(text), "%zu routes of cluster %s: %s %% to %s; %zu left out", routes, from, percent, to,
	         bulk->count - routes);
	const struct journal_entry entry = {.kind = "bulk_shifted", .object = "cluster", .cluster = from, .text = text};
	return revisions_before(bulk->call->control, &bulk->call->actor, before, false) &&
	       control_override_all(bulk->call->control, list, count, &entry, &bulk->call->actor);
}

static struct api_reply shift_all(struct bulk *bulk)
{
	size_t count;
	const struct call *call = bulk->call;
	struct override *list = bulk_overrides(bulk, &count);
	json_t *json = bulk_json(bulk);
	if (count == 0) {
		free(list);
		return refuse(call,
		              reply_problem(409,
		                            "none of the %zu routes of cluster %s can be shifted to %s: every one is "
		                            "red; the plan says why",
		                            bulk->count, bulk->from->spec->name, bulk->to->spec->name),
		              any_possible(bulk), json);
	}
	bool changed = override_changes(list, count);
	bool done = !changed || call->dry_run || carry_out_all(bulk, list, count);
	free(list);
	if (done)
		return reply_written(call, 200, changed, json_pack("{s:o}", "plan", json));
	json_decref(json);
	return reply_not_saved(call->control);
}

static struct api_reply post_shift_all(struct call *call)
{
	struct wish wish;
	struct api_reply reply;
	struct bulk bulk = {.call = call, .wish = &wish};
	if (!read_wish(call, true, &wish, &reply))
		return reply;
	bulk.from = call_cluster(call, 0, &reply);
	bulk.to = bulk.from ? call_cluster_named(call, wish.to, &reply) : NULL;
	if (!bulk.to)
		return reply;
	if (bulk.from == bulk.to)
		return reply_problem(400, "$.to: is the cluster that the shift is from; expected another cluster");
	choose(&bulk);
	if (bulk.count > 0)
		reply = shift_all(&bulk);
	else
		reply = reply_problem(404,
		                      "cluster %s has none of those routes of cluster %s (%zu are missing there); "
		                      "GET /api/v1/diff?from=%s&to=%s shows why",
		                      wish.to, call->names[0], bulk.missing, call->names[0], wish.to);
	free(bulk.list);
	return reply;
}

static const struct endpoint endpoints[] = {
    {"/api/v1/routes/{}/shift", "POST", ROLE_OPERATOR, ENDPOINT_WRITE | ENDPOINT_BODY, NULL, post_shift, NULL},
    {"/api/v1/routes/{}/rollback", "POST", ROLE_OPERATOR, ENDPOINT_WRITE, NULL, post_rollback, NULL},
    {"/api/v1/clusters/{}/shift", "POST", ROLE_OPERATOR, ENDPOINT_WRITE | ENDPOINT_BODY, NULL, post_shift_all, NULL},
};

const struct endpoint_table api_shift_table = {endpoints, sizeof(endpoints) / sizeof(endpoints[0])};
