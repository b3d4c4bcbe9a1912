/* Routes in JSON: see the header. Order: one route, filters, lists. */
#include "control/route_json.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "control/history.h"
#include "control/view.h"
#include "control/weight.h"

/* ---- one route ---- */

struct usage {
	uint64_t active, recent;
};

static struct usage usage_of(const struct control *control, uint64_t pair_id)
{
	return (struct usage){control_pair_usage(control, pair_id).active,
	                      history_pair_recent(control->history, pair_id)};
}

static uint64_t pair_id_of(const struct control *control, const struct name *name, const struct pair *pair)
{
	return cluster_pair_id(name->id, control->state.clusters[pair->cluster]->spec->name);
}

static void add_weight(json_t *object, const struct cluster_spec *cluster, const struct pair *pair,
                       struct weight weight)
{
	char why[WEIGHT_WHY_MAX];
	json_object_set_new(object, "weight", hundredths_json(weight.value));
	json_object_set_new(object, "weight_origin", json_string(weight_origin_name(weight.origin)));
	if (weight.bar != WEIGHT_FREE) {
		json_object_set_new(object, "weight_given", hundredths_json(weight.given));
		json_object_set_new(object, "why", json_string(weight_why(weight, cluster, why)));
	}
	if (pair->overridden && pair->weight_given)
		json_object_set_new(object, "weight_of_cluster", json_integer(pair->weight));
}

static void add_shares(json_t *object, const struct shares *shares, const struct share *share, uint64_t recent,
                       uint64_t recent_sum)
{
	json_object_set_new(object, "planned_share", hundredths_json(share->planned));
	json_object_set_new(object, "effective_share", hundredths_json(share->effective));
	if (shares->differ) {
		json_object_set_new(object, "effective_share_http", hundredths_json(share->http));
		json_object_set_new(object, "effective_share_https", hundredths_json(share->https));
	}
	unsigned real = recent_sum > 0 ? (unsigned)((recent * HUNDREDTHS_ALL + recent_sum / 2) / recent_sum) : 0;
	json_object_set_new(object, "real_share", recent_sum > 0 ? hundredths_json(real) : json_null());
	json_object_set_new(object, "recent", view_number(recent));
	json_object_set_new(object, "healthy_hosts", json_integer(share->hosts));
}

static void add_facts(json_t *object, const struct pair *pair)
{
	json_object_set_new(object, "http", json_boolean(pair->http));
	json_object_set_new(object, "https", json_boolean(pair->https));
	if (pair->namespace[0] != '\0') {
		json_object_set_new(object, "namespace", json_string(pair->namespace));
		json_object_set_new(object, "system", json_boolean(cluster_namespace_is_system(pair->namespace)));
		json_object_set_new(object, "created_at", view_time(pair->created));
	}
	if (pair->hold.reason != HOLD_NONE)
		json_object_set_new(object, "held", view_hold(&pair->hold));
	if (pair->warning)
		json_object_set_new(object, "warning", json_string(pair->warning));
}

static json_t *rollback_json(const struct rollback *rollback)
{
	if (!rollback)
		return json_null();
	const struct rollback_change *change = rollback->change;
	return json_pack("{s:I, s:o, s:s, s:s?}", "revision", (json_int_t)change->revision, "at",
	                 view_time(change->at), "by", change->by, "reason", change->reason);
}

json_t *route_json(const struct control *control, const struct share_view *view, const struct name *name)
{
	char text[ROUTE_TEXT_MAX];
	struct shares shares;
	struct usage usage[CLUSTERS_MAX], sum = {0};
	json_t *clusters = json_array();
	share_of(view, name, &shares);
	for (unsigned i = 0; i < name->pair_count; i++) {
		usage[i] = usage_of(control, pair_id_of(control, name, &name->pairs[i]));
		sum.active += usage[i].active;
		sum.recent += name->pairs[i].present ? usage[i].recent : 0;
	}
	for (unsigned i = 0; i < name->pair_count; i++) {
		const struct pair *pair = &name->pairs[i];
		const struct cluster_spec *cluster = control->state.clusters[pair->cluster]->spec;
		if (!pair->present)
			continue;
		json_t *object = json_pack("{s:s}", "cluster", cluster->name);
		struct slot_usage total = control_pair_usage(control, pair_id_of(control, name, pair));
		add_weight(object, cluster, pair, shares.pair[i].weight);
		add_shares(object, &shares, &shares.pair[i], usage[i].recent, sum.recent);
		add_facts(object, pair);
		json_object_set_new(object, "active", view_number(usage[i].active));
		json_object_set_new(object, "total", view_number(total.total));
		json_array_append_new(clusters, object);
	}
	json_t *route =
	    json_pack("{s:s, s:o}", "host", name_format(&name->host, name->wildcard, text), "clusters", clusters);
	json_object_set_new(route, "active", view_number(sum.active));
	json_object_set_new(route, "recent", view_number(sum.recent));
	json_object_set_new(route, "rollback", rollback_json(name->rollback));
	return route;
}

/* ---- filters ---- */

const char *const route_state_names[] = {"", "parked", "conflict", "override", "unserved", "held", NULL};
const char *const route_sort_names[] = {"name", "active", "recent", NULL};

const char *route_search_text(const struct route_filter *filter, char text[static ROUTE_TEXT_MAX])
{
	size_t len = 0;
	for (const char *c = filter->search ? filter->search : ""; *c != '\0' && len + 1 < ROUTE_TEXT_MAX; c++)
		text[len++] = (char)tolower((unsigned char)*c);
	text[len] = '\0';
	return text;
}

static bool is_named(const struct name *name, const char *text)
{
	char whole[ROUTE_TEXT_MAX];
	return strstr(name->host.text, text) ||
	       (name->wildcard && strstr(name_format(&name->host, name->wildcard, whole), text));
}

static bool is_in_state(const struct share_view *view, const struct pair *pair, enum route_state state)
{
	switch (state) {
	case ROUTE_PARKED:
	case ROUTE_CONFLICT:
		return weight_of(view->state->clusters[pair->cluster]->spec, pair).bar ==
		       (state == ROUTE_PARKED ? WEIGHT_PARKED : WEIGHT_CONFLICT);
	case ROUTE_OVERRIDE:
		return pair->overridden;
	case ROUTE_HELD:
		return pair->hold.reason != HOLD_NONE;
	case ROUTE_ANY:
	case ROUTE_UNSERVED:
		break;
	}
	return true;
}

static bool is_unserved(const struct share_view *view, const struct name *name)
{
	struct shares shares;
	share_of(view, name, &shares);
	return shares.unserved;
}

bool route_matches(const struct share_view *view, const struct route_filter *filter, const char *text,
                   const struct name *name)
{
	bool found = false;
	if (text[0] != '\0' && !is_named(name, text))
		return false;
	for (unsigned i = 0; i < name->pair_count && !found; i++) {
		const struct pair *pair = &name->pairs[i];
		found = pair->present && (!filter->cluster || pair->cluster == filter->cluster->index) &&
		        (!filter->namespace || strcmp(pair->namespace, filter->namespace) == 0) &&
		        is_in_state(view, pair, filter->state);
	}
	return found && (filter->state != ROUTE_UNSERVED || is_unserved(view, name));
}

/* ---- lists ---- */

/* Names that were found, and what they are ordered by. */
struct found {
	uint64_t rank;
	size_t place; /* by name */
	const struct name *name;
};

static int compare(const void *a, const void *b)
{
	const struct found *x = a, *y = b;
	if (x->rank != y->rank)
		return x->rank > y->rank ? -1 : 1;
	return (x->place > y->place) - (x->place < y->place);
}

static uint64_t rank_of(const struct control *control, const struct name *name, enum route_sort sort)
{
	uint64_t rank = 0;
	for (unsigned i = 0; sort != ROUTE_BY_NAME && i < name->pair_count; i++) {
		uint64_t id = pair_id_of(control, name, &name->pairs[i]);
		rank += sort == ROUTE_BY_ACTIVE ? usage_of(control, id).active : usage_of(control, id).recent;
	}
	return rank;
}

/* Those with a rank above 0 come first, by it; the others are in order already. */
static void put_in_order(struct found *found, size_t count)
{
	struct found *ranked = malloc(count * sizeof(*ranked) + 1);
	size_t ranked_count = 0, rest = count;
	if (!ranked)
		abort();
	for (size_t i = count; i-- > 0;) {
		if (found[i].rank > 0)
			ranked[ranked_count++] = found[i];
		else
			found[--rest] = found[i];
	}
	qsort(ranked, ranked_count, sizeof(*ranked), compare);
	memcpy(found, ranked, ranked_count * sizeof(*ranked));
	free(ranked);
}

static bool takes_all(const struct route_filter *filter, const char *text)
{
	return text[0] == '\0' && !filter->cluster && !filter->namespace && filter->state == ROUTE_ANY;
}

json_t *route_list(struct control *control, const struct route_filter *filter, enum route_sort sort,
                   struct api_page page)
{
	char buffer[ROUTE_TEXT_MAX];
	struct share_view view;
	size_t count, found_count = 0;
	const char *text = route_search_text(filter, buffer);
	struct name *const *names = names_ordered(&control->state.names, &count);
	struct found *found = NULL;
	share_view_make(&view, &control->state);
	json_t *array = json_array();
	if (takes_all(filter, text) && sort == ROUTE_BY_NAME) {
		for (size_t i = page.offset; i < count && view_in_page(page, i); i++)
			json_array_append_new(array, route_json(control, &view, names[i]));
		return view_page(control, page, count, "routes", array);
	}
	found = malloc(count * sizeof(*found) + 1);
	if (!found)
		abort();
	for (size_t i = 0; i < count; i++)
		if (route_matches(&view, filter, text, names[i]))
			found[found_count++] = (struct found){rank_of(control, names[i], sort), i, names[i]};
	put_in_order(found, found_count);
	for (size_t i = page.offset; i < found_count && view_in_page(page, i); i++)
		json_array_append_new(array, route_json(control, &view, found[i].name));
	free(found);
	return view_page(control, page, found_count, "routes", array);
}
