/* Plans of changes of clusters: see the header. */
#include "control/state/cluster_plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/state/claims.h"
#include "control/state/cluster_json.h"
#include "control/control.h"
#include "control/state/share.h"
#include "control/state/state_differs.h"
#include "control/feed/table.h"
#include "control/state/weight.h"

enum { SIDES_MAX = CLUSTERS_MAX + 1 };

/* One cluster's part in a route. */
struct part {
	const struct cluster_spec *spec;
	const char *why; /* a bar that can be lifted: "parked"; NULL: none */
	uint16_t index;  /* CLUSTER_NONE: of a cluster that is new */
	uint32_t weight; /* in hundredths, what counts */
	uint32_t share;
};

struct side {
	unsigned count;
	struct part parts[SIDES_MAX];
	bool serves;
};

/* A route whose shares would change. */
struct entry {
	const struct name *name;        /* NULL: no cluster has it now */
	const struct route_spec *route; /* as the cluster would have it; NULL: as it has it, or not at all */
	bool red;
};

/* A route as the cluster would have it. */
struct wanted {
	uint64_t id;
	const struct route_spec *route;
};

struct making {
	struct control *control;
	const struct cluster *cluster;   /* NULL: new */
	const struct cluster_spec *then; /* NULL: gone */
	bool activates;
	const char *own_why;   /* of the cluster's own part afterwards, instead of its state; NULL: its state */
	struct wanted *routes; /* of `then`, by id; owned */
	size_t route_count;
	struct share_view view;
	size_t entry_count, entry_room;
	struct entry *entries;
};

/* ---- the routes that it would have ---- */

static int compare_routes(const void *a, const void *b)
{
	uint64_t x = ((const struct wanted *)a)->id, y = ((const struct wanted *)b)->id;
	return (x > y) - (x < y);
}

/* Its spec says what they are. */
static bool owns_routes(const struct making *making)
{
	return making->then && making->then->source != SOURCE_WATCH;
}

static void order_routes(struct making *making)
{
	if (!owns_routes(making))
		return;
	making->route_count = making->then->route_count;
	making->routes = calloc(making->route_count + 1, sizeof(*making->routes));
	if (!making->routes)
		abort();
	for (size_t i = 0; i < making->route_count; i++)
		making->routes[i] =
		    (struct wanted){cluster_route_id(&making->then->routes[i]), &making->then->routes[i]};
	qsort(making->routes, making->route_count, sizeof(*making->routes), compare_routes);
}

static const struct route_spec *find_route(const struct making *making, uint64_t id)
{
	const struct wanted key = {.id = id};
	const struct wanted *found =
	    making->route_count == 0 ? NULL
	                             : bsearch(&key, making->routes, making->route_count, sizeof(key), compare_routes);
	return found ? found->route : NULL;
}

/* ---- before and after ---- */

static void add_part(struct side *side, const struct cluster_spec *spec, uint16_t index, const struct pair *pair)
{
	struct weight weight = weight_of(spec, pair);
	side->parts[side->count++] = (struct part){
	    .spec = spec,
	    .index = index,
	    .weight = weight.value,
	    .why = weight.bar == WEIGHT_PARKED     ? "parked"
	           : weight.bar == WEIGHT_CONFLICT ? "in conflict"
	           : weight.bar != WEIGHT_FREE     ? cluster_state_name(spec->state)
	           : weight.value == 0             ? "given the weight 0"
	                                           : NULL,
	};
	side->serves |= weight.value > 0;
}

static void make_shares(struct side *side)
{
	uint32_t weights[SIDES_MAX], shares[SIDES_MAX];
	for (unsigned i = 0; i < side->count; i++)
		weights[i] = side->parts[i].weight;
	share_split(weights, side->count, HUNDREDTHS_ALL, shares);
	for (unsigned i = 0; i < side->count; i++)
		side->parts[i].share = shares[i];
}

static bool is_own(const struct making *making, const struct pair *pair)
{
	return making->cluster && pair->cluster == making->cluster->index;
}

static void make_before(const struct making *making, const struct entry *entry, struct side *side)
{
	side->count = 0;
	side->serves = false;
	for (unsigned i = 0; entry->name && i < entry->name->pair_count; i++) {
		const struct pair *pair = &entry->name->pairs[i];
		if (pair->present)
			add_part(side, making->control->state.clusters[pair->cluster]->spec, pair->cluster, pair);
	}
	make_shares(side);
}

/* The cluster's own part, if it would have the route. */
static void add_own(const struct making *making, const struct entry *entry, const struct pair *now, struct side *side)
{
	struct pair pair = now ? *now : (struct pair){0};
	if (!making->then || (owns_routes(making) ? !entry->route : !pair.present))
		return;
	if (making->activates && now)
		pair.parked |= claims_would_park(&making->control->state, making->cluster, entry->name, now);
	if (entry->route) {
		pair.weight_given = entry->route->weight_given;
		pair.weight = entry->route->weight;
	}
	add_part(side, making->then, making->cluster ? making->cluster->index : CLUSTER_NONE, &pair);
}

static void make_after(const struct making *making, const struct entry *entry, struct side *side)
{
	const struct name *name = entry->name;
	const struct pair *own = name && making->cluster ? names_pair(name, making->cluster->index) : NULL;
	side->count = 0;
	side->serves = false;
	add_own(making, entry, own, side);
	bool leaves = own && own->present && side->count == 0;
	const struct pair *heir = leaves ? claims_heir(name, making->cluster->index) : NULL;
	for (unsigned i = 0; name && i < name->pair_count; i++) {
		struct pair pair = name->pairs[i];
		if (!pair.present || is_own(making, &pair))
			continue;
		if (heir == &name->pairs[i])
			pair.parked = pair.conflict = false;
		add_part(side, making->control->state.clusters[pair.cluster]->spec, pair.cluster, &pair);
	}
	make_shares(side);
}

static uint32_t share_on(const struct side *side, uint16_t index)
{
	for (unsigned i = 0; i < side->count; i++)
		if (side->parts[i].index == index)
			return side->parts[i].share;
	return 0;
}

static bool sides_differ(const struct side *before, const struct side *after)
{
	for (unsigned i = 0; i < before->count; i++)
		if (share_on(after, before->parts[i].index) != before->parts[i].share)
			return true;
	for (unsigned i = 0; i < after->count; i++)
		if (share_on(before, after->parts[i].index) != after->parts[i].share)
			return true;
	return false;
}

/* Is what is removed a cluster that has served, and may again, but gets no connections just now? Then its weights of
 * today say nothing. */
static bool serves_when_active(const struct making *making)
{
	return !making->then &&
	       (making->cluster->spec->state == CLUSTER_DRAINING || making->cluster->spec->state == CLUSTER_OFFLINE);
}

static void look_at(struct making *making, struct cluster_plan *plan, const struct name *name,
                    const struct route_spec *route)
{
	static struct side before, after; /* large */
	struct entry entry = {name, route, false};
	plan->routes++;
	make_before(making, &entry, &before);
	make_after(making, &entry, &after);
	entry.red = !after.serves && (before.serves || serves_when_active(making));
	if (!entry.red && !sides_differ(&before, &after))
		return;
	plan->red += entry.red;
	plan->changed++;
	if (making->entry_count == making->entry_room) {
		making->entry_room = making->entry_room > 0 ? 2 * making->entry_room : 64;
		making->entries = reallocarray(making->entries, making->entry_room, sizeof(*making->entries));
		if (!making->entries)
			abort();
	}
	making->entries[making->entry_count++] = entry;
}

static void look_at_all(struct making *making, struct cluster_plan *plan)
{
	const struct names *names = &making->control->state.names;
	for (const struct name *name = making->cluster ? names_next(names, NULL) : NULL; name;
	     name = names_next(names, name)) {
		const struct pair *pair = names_pair(name, making->cluster->index);
		if (pair && pair->present)
			look_at(making, plan, name, find_route(making, name->id));
	}
	for (size_t i = 0; i < making->route_count; i++) {
		const struct name *name = names_find(names, making->routes[i].id);
		const struct pair *pair = name && making->cluster ? names_pair(name, making->cluster->index) : NULL;
		if (!pair || !pair->present)
			look_at(making, plan, name, making->routes[i].route);
	}
}

/* ---- as JSON ---- */

static const char *entry_text(const struct entry *entry, char text[static ROUTE_TEXT_MAX])
{
	if (entry->name)
		return name_format(&entry->name->host, entry->name->wildcard, text);
	return route_format(entry->route, text);
}

static const struct hostname *entry_host(const struct entry *entry)
{
	return entry->name ? &entry->name->host : &entry->route->name;
}

/* Red ones first, then by name. */
static int compare_entries(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	const struct hostname *x_host = entry_host(x), *y_host = entry_host(y);
	if (x->red != y->red)
		return y->red - x->red;
	size_t shorter = x_host->len < y_host->len ? x_host->len : y_host->len;
	int order = memcmp(x_host->text, y_host->text, shorter);
	return order ? order : x_host->len - y_host->len;
}

static json_t *side_json(const struct side *side)
{
	json_t *array = json_array();
	for (unsigned i = 0; i < side->count; i++)
		json_array_append_new(array, json_pack("{s:s, s:o, s:o}", "cluster", side->parts[i].spec->name,
		                                       "weight", hundredths_json(side->parts[i].weight), "share",
		                                       hundredths_json(side->parts[i].share)));
	return array;
}

static bool has_usable_host(const struct making *making, uint16_t index)
{
	const struct share_hosts *hosts = index == CLUSTER_NONE ? NULL : &making->view.hosts[index];
	return hosts && hosts->http + hosts->https > 0;
}

/* Returns true if there is something to warn of. */
static bool add_notes(const struct making *making, const struct entry *entry, const struct side *before,
                      const struct side *after, json_t *notes)
{
	bool warned = false;
	if (entry->red)
		json_array_append_new(notes, json_string("no cluster would be left that serves it"));
	for (unsigned i = 0; i < after->count; i++) {
		const struct part *part = &after->parts[i];
		if (part->why && (entry->red || strcmp(part->why, "parked") == 0))
			json_array_append_new(
			    notes,
			    json_sprintf("cluster %s has it, but is %s", part->spec->name,
			                 making->own_why && part->spec == making->then ? making->own_why : part->why));
		if (part->share <= share_on(before, part->index) || has_usable_host(making, part->index))
			continue;
		json_array_append_new(notes, json_sprintf("cluster %s has no healthy router host", part->spec->name));
		warned = true;
	}
	return warned;
}

static json_t *entry_json(const struct making *making, const struct entry *entry)
{
	static struct side before, after;
	char text[ROUTE_TEXT_MAX];
	json_t *notes = json_array();
	make_before(making, entry, &before);
	make_after(making, entry, &after);
	bool warned = add_notes(making, entry, &before, &after, notes);
	return json_pack("{s:s, s:s, s:o, s:o, s:o}", "host", entry_text(entry, text), "level",
	                 entry->red ? "red"
	                 : warned   ? "yellow"
	                            : "green",
	                 "notes", notes, "before", side_json(&before), "after", side_json(&after));
}

static void name_red(const struct making *making, struct cluster_plan *plan)
{
	size_t len = 0;
	for (size_t i = 0; i < making->entry_count && i < PLAN_NAMED_MAX && making->entries[i].red; i++) {
		char text[ROUTE_TEXT_MAX];
		entry_text(&making->entries[i], text);
		if (len + strlen(text) + 8 > sizeof(plan->named))
			break;
		len += (size_t)snprintf(plan->named + len, sizeof(plan->named) - len, "%s%s", i > 0 ? ", " : "", text);
	}
	if (plan->red > PLAN_NAMED_MAX && len + 5 < sizeof(plan->named))
		strcat(plan->named, ", ...");
}

static json_t *plan_json(const struct making *making, const struct cluster_plan *plan)
{
	json_t *changes = json_array();
	for (size_t i = 0; i < making->entry_count && i < PLAN_CHANGES_MAX; i++)
		json_array_append_new(changes, entry_json(making, &making->entries[i]));
	json_t *json = json_pack("{s:I, s:I, s:I, s:I, s:o}", "routes", (json_int_t)plan->routes, "changed",
	                         (json_int_t)plan->changed, "red", (json_int_t)plan->red, "active",
	                         (json_int_t)plan->active, "changes", changes);
	size_t listed = json_array_size(changes);
	if (making->entry_count > listed)
		json_object_set_new(json, "more", json_integer((json_int_t)(making->entry_count - listed)));
	return json;
}

static void make(struct making *making, struct cluster_plan *plan)
{
	const struct cluster *cluster = making->cluster;
	*plan = (struct cluster_plan){0};
	for (size_t i = 0; cluster && i < cluster->spec->host_count; i++)
		plan->active += control_host_usage(making->control, cluster->spec->hosts[i].id).active;
	share_view_make(&making->view, &making->control->state);
	order_routes(making);
	look_at_all(making, plan);
	if (making->entry_count > 0)
		qsort(making->entries, making->entry_count, sizeof(*making->entries), compare_entries);
	name_red(making, plan);
	plan->needs_force = plan->red > 0 && (!making->then || making->then->state != CLUSTER_ACTIVE);
	plan->json = plan_json(making, plan);
	free(making->routes);
	free(making->entries);
}

/* Does a router host that gets new connections stay, or does one come that may? */
static bool keeps_hosts(const struct cluster *cluster, const struct cluster_spec *then)
{
	for (size_t i = 0; i < then->host_count; i++) {
		size_t j = 0;
		while (j < cluster->spec->host_count && cluster->spec->hosts[j].id != then->hosts[i].id)
			j++;
		if (j == cluster->spec->host_count || table_elects(cluster, j))
			return true;
	}
	return false;
}

static bool has_hosts(const struct cluster *cluster)
{
	for (size_t i = 0; i < cluster->spec->host_count; i++)
		if (table_elects(cluster, i))
			return true;
	return false;
}

/* It gets no connections, as if it were drained. */
static void make_without_hosts(struct making *making, struct cluster_plan *plan)
{
	struct cluster_spec then = *making->then; /* only looked at */
	then.state = CLUSTER_DRAINING;
	making->then = &then;
	making->own_why = "without a router host that gets new connections";
	make(making, plan);
}

void cluster_plan_make(struct cluster_plan *plan, struct control *control, const struct cluster *cluster,
                       const struct cluster_spec *then)
{
	struct making making = {.control = control, .cluster = cluster, .then = then};
	making.activates = cluster && then && cluster->spec->state == CLUSTER_STAGED && then->state == CLUSTER_ACTIVE;
	if (cluster && then && cluster->spec->state == CLUSTER_ACTIVE && then->state == CLUSTER_ACTIVE &&
	    has_hosts(cluster) && !keeps_hosts(cluster, then))
		make_without_hosts(&making, plan);
	else
		make(&making, plan);
}

static json_t *whole(const struct cluster_spec *spec, const char *what)
{
	return json_pack("[o]", json_sprintf("cluster %s would be %s: %s, source %s", spec->name, what,
	                                     cluster_state_name(spec->state), cluster_source_name(spec->source)));
}

/* As a state document with this cluster alone. */
static json_t *document_of(const struct cluster_spec *spec)
{
	return json_pack("{s:[{s:o}]}", "clusters", "cluster", cluster_write(spec));
}

void cluster_plan_tell(struct cluster_plan *plan, const struct cluster *cluster, const struct cluster_spec *then)
{
	json_t *lines;
	if (!cluster || !then)
		lines = whole(then ? then : cluster->spec, then ? "added" : "removed");
	else {
		json_t *before = document_of(cluster->spec), *after = document_of(then);
		lines = state_differs(before, after);
		json_decref(before);
		json_decref(after);
	}
	json_object_set_new(plan->json, "differs", lines);
}

void cluster_plan_without_hosts(struct cluster_plan *plan, struct control *control, const struct cluster *cluster)
{
	struct making making = {.control = control, .cluster = cluster, .then = cluster->spec};
	make_without_hosts(&making, plan);
}
