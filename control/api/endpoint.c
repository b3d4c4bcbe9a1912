/* What endpoints share: see the header. */
#include "control/api/endpoint.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/api/admin_json.h"
#include "control/state/cluster_plan.h"

const char *call_query(const struct call *call, const char *name)
{
	for (unsigned i = 0; i < call->request->query_count; i++)
		if (strcmp(call->request->queries[i].name, name) == 0)
			return call->request->queries[i].value;
	return NULL;
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

bool call_page(const struct call *call, struct api_page *page, struct api_reply *reply)
{
	*page = (struct api_page){.offset = 0, .limit = PAGE_LIMIT_DEFAULT};
	if (!read_count(call_query(call, "limit"), &page->limit) || page->limit > PAGE_LIMIT_MAX) {
		*reply = reply_problem(400, "limit must be a number from 0 to %d", PAGE_LIMIT_MAX);
		return false;
	}
	if (!read_count(call_query(call, "offset"), &page->offset)) {
		*reply = reply_problem(400, "offset must be a number from 0 to 999999999");
		return false;
	}
	return true;
}

json_t *call_body(const struct call *call, struct api_reply *reply)
{
	struct json_faults faults = {0};
	if (call->request->body_len == 0)
		return json_object();
	json_t *body = json_text_parse(call->request->body, call->request->body_len, &faults);
	if (!body)
		*reply = reply_faulty(&faults);
	return body;
}

struct cluster *call_cluster(const struct call *call, unsigned i, struct api_reply *reply)
{
	return call_cluster_named(call, call->names[i], reply);
}

struct cluster *call_cluster_named(const struct call *call, const char *name, struct api_reply *reply)
{
	char quoted[READER_TEXT_MAX];
	struct cluster *cluster = state_cluster(&call->control->state, name);
	if (!cluster)
		*reply = reply_problem(404, "there is no cluster %s; GET /api/v1/clusters lists them",
		                       json_quote(name, quoted));
	return cluster;
}

struct name *call_route(const struct call *call, struct api_reply *reply)
{
	struct hostname host;
	bool wildcard;
	char quoted[READER_TEXT_MAX];
	struct name *name = NULL;
	if (name_parse(call->names[0], &host, &wildcard))
		name = names_find_host(&call->control->state.names, &host, wildcard);
	if (name && name->pair_count > 0)
		return name;
	*reply = reply_problem(404, "there is no route %s; GET /api/v1/routes lists them",
	                       json_quote(call->names[0], quoted));
	return NULL;
}

struct api_reply reply_problem(unsigned status, const char *format, ...)
{
	char detail[ENDPOINT_DETAIL_MAX];
	va_list args;
	va_start(args, format);
	vsnprintf(detail, sizeof(detail), format, args);
	va_end(args);
	return api_problem(status, detail);
}

struct api_reply reply_faulty(struct json_faults *faults)
{
	char detail[ENDPOINT_DETAIL_MAX];
	const struct json_fault *first = &faults->list[0];
	snprintf(detail, sizeof(detail), "%s: %s; expected %s", first->path, first->reason, first->expected);
	struct api_reply reply = {.status = 400, .json = admin_problem(400, detail, faults)};
	json_faults_free(faults);
	return reply;
}

struct api_reply reply_state(const struct control *control, json_t *json)
{
	return (struct api_reply){.status = 200, .json = json, .revision = control->state.revision};
}

struct api_reply reply_written(const struct call *call, unsigned status, bool changed, json_t *json)
{
	uint64_t revision = call->control->state.revision;
	if (!json)
		json = json_object();
	json_object_set_new(json, "revision", json_integer((json_int_t)revision));
	json_object_set_new(json, "changed", json_boolean(changed));
	json_object_set_new(json, "dry_run", json_boolean(call->dry_run));
	json_object_set_new(json, "applied", json_false());
	return (struct api_reply){.status = status, .json = json, .revision = revision, .write = !call->dry_run};
}

struct api_reply reply_forceable(struct api_reply refusal)
{
	json_object_set_new(refusal.json, "forceable", json_true());
	return refusal;
}

struct api_reply reply_refused(const struct call *call, struct api_reply refusal, json_t *plan)
{
	if (!call->dry_run) {
		json_decref(plan);
		return refusal;
	}
	json_object_set_new(plan, "level", json_string("red"));
	json_object_set_new(plan, "notes", json_pack("[O]", json_object_get(refusal.json, "detail")));
	json_object_set_new(plan, "refused", json_true());
	if (json_object_get(refusal.json, "forceable"))
		json_object_set_new(plan, "forceable", json_true());
	api_reply_free(&refusal);
	return reply_written(call, 200, false, json_pack("{s:o}", "plan", plan));
}

struct api_reply reply_leaves_routes(const struct call *call, const struct cluster_plan *plan, const char *name)
{
	return reply_refused(
	    call,
	    reply_forceable(reply_problem(409,
	                                  "cluster %s: %zu route%s served nowhere else and would be left without any "
	                                  "cluster: %s. Serve them elsewhere first, or force it",
	                                  name, plan->red, plan->red == 1 ? " is" : "s are", plan->named)),
	    plan->json);
}

struct api_reply reply_not_saved(struct control *control)
{
	control->state_file.good = false; /* also if it was the revision before the change that found no room */
	return reply_problem(507, "nothing was changed, because it could not be saved: %s", control->state_file.why);
}
