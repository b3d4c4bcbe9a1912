/* The admin API: two clusters compared. */
#include <stdlib.h>
#include <string.h>

#include "control/state/diff.h"
#include "control/api/endpoint.h"
#include "control/api/route_list.h"
#include "control/api/view.h"

/* A route with differences. */
struct different {
	const struct name *name;
	uint8_t found[DIFF_RED + 1]; /* by level */
};

struct comparison {
	const struct call *call;
	const struct cluster *from, *to;
	struct route_filter filter;
	const char *text;
	struct share_view view;
	size_t routes[DIFF_RED + 1]; /* by their worst */
	size_t count;
	struct different *list; /* owned */
};

static bool has(const struct name *name, const struct cluster *cluster)
{
	const struct pair *pair = names_pair(name, cluster->index);
	return pair && pair->present;
}

/* A route that belongs to its cluster, such as its console, is compared only if one asks for it by namespace. */
static bool is_system(const struct name *name, const struct cluster *cluster)
{
	const struct pair *pair = names_pair(name, cluster->index);
	return pair && cluster_namespace_is_system(pair->namespace);
}

static bool in_namespace(const struct name *name, const struct cluster *cluster, const char *namespace)
{
	const struct pair *pair = names_pair(name, cluster->index);
	return pair && strcmp(pair->namespace, namespace) == 0;
}

static bool is_wanted(const struct comparison *c, const struct name *name)
{
	const char *namespace = c->filter.namespace;
	if ((!has(name, c->from) && !has(name, c->to)) || !route_is_named(name, c->text))
		return false;
	if (namespace)
		return in_namespace(name, c->from, namespace) || in_namespace(name, c->to, namespace);
	return !is_system(name, c->from) && !is_system(name, c->to);
}

static void compare(const struct comparison *c, const struct name *name, struct diff *diff)
{
	const struct watchers *watchers = &c->call->control->watchers;
	const char *rejection = has(name, c->to) ? NULL : watchers_rejection(watchers, c->to, name->id);
	diff_route(diff, &c->view, name, c->from, c->to, rejection);
}

static void compare_all(struct comparison *c)
{
	size_t count;
	struct diff diff;
	struct control *control = c->call->control;
	struct name *const *names = names_ordered(&control->state.names, &count);
	share_view_make(&c->view, &control->state);
	c->list = malloc(count * sizeof(*c->list) + 1);
	if (!c->list)
		abort();
	for (size_t i = 0; i < count; i++) {
		names_fetch_ahead(names, i, count);
		if (!is_wanted(c, names[i]))
			continue;
		compare(c, names[i], &diff);
		c->routes[diff.level]++;
		struct different different = {.name = names[i]};
		for (unsigned j = 0; j < diff.count; j++)
			different.found[diff.findings[j].level]++;
		if (diff.count > 0)
			c->list[c->count++] = different;
	}
}

static void add_findings(const struct comparison *c, const struct name *name, enum diff_level level,
                         struct api_page page, size_t index, json_t *array)
{
	char host[ROUTE_TEXT_MAX];
	struct diff diff;
	compare(c, name, &diff);
	for (unsigned i = 0; i < diff.count; i++) {
		const struct diff_finding *finding = &diff.findings[i];
		if (finding->level != level || !view_in_page(page, index++))
			continue;
		json_array_append_new(array, json_pack("{s:s, s:s, s:s, s:s}", "host",
		                                       name_format(&name->host, name->wildcard, host), "level",
		                                       level == DIFF_RED ? "red" : "yellow", "kind",
		                                       diff_kind_name(finding->kind), "detail", finding->detail));
	}
}

/* Red ones first, then by name. Returns how many there are in all. */
static size_t list_page(const struct comparison *c, struct api_page page, json_t *array)
{
	size_t index = 0;
	for (int level = DIFF_RED; level > DIFF_SAME; level--) {
		for (size_t i = 0; i < c->count; i++) {
			size_t found = c->list[i].found[level];
			if (found > 0 && index + found > page.offset && index < page.offset + page.limit)
				add_findings(c, c->list[i].name, (enum diff_level)level, page, index, array);
			index += found;
		}
	}
	return index;
}

/* The cluster that the query parameter names; NULL: `reply`. */
static const struct cluster *query_cluster(const struct call *call, const char *parameter, struct api_reply *reply)
{
	const char *name = call_query(call, parameter);
	if (name && name[0] != '\0')
		return call_cluster_named(call, name, reply);
	*reply = reply_problem(400, "query parameter %s is missing: the name of a cluster", parameter);
	return NULL;
}

static struct api_reply get_diff(struct call *call)
{
	char buffer[ROUTE_TEXT_MAX];
	struct api_reply reply;
	struct comparison c = {
	    .call = call, .filter = {.search = call_query(call, "search"), .namespace = call_query(call, "namespace")}};
	struct api_page page;
	if (!call_page(call, &page, &reply))
		return reply;
	c.from = query_cluster(call, "from", &reply);
	c.to = c.from ? query_cluster(call, "to", &reply) : NULL;
	if (!c.to)
		return reply;
	if (c.from == c.to)
		return reply_problem(400, "from and to are the same cluster");
	c.text = route_search_text(&c.filter, buffer);
	json_t *array = json_array();
	compare_all(&c);
	size_t total = list_page(&c, page, array);
	free(c.list);
	json_t *json = view_page(call->control, page, total, "differences", array);
	json_object_update_new(json,
	                       json_pack("{s:s, s:s, s:I, s:I, s:I}", "from", c.from->spec->name, "to",
	                                 c.to->spec->name, "red", (json_int_t)c.routes[DIFF_RED], "yellow",
	                                 (json_int_t)c.routes[DIFF_YELLOW], "same", (json_int_t)c.routes[DIFF_SAME]));
	return reply_state(call->control, json);
}

static const struct endpoint endpoints[] = {
    {"/api/v1/diff", "GET", ROLE_VIEWER, 0, "from to namespace search limit offset", get_diff, NULL},
};

const struct endpoint_table api_diff_table = {endpoints, sizeof(endpoints) / sizeof(endpoints[0])};
