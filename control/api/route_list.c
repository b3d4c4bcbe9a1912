/* Lists of routes: see the header. Order: filters, what orders them, lists. */
#include "control/api/route_list.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "control/observe/history.h"
#include "control/api/route_json.h"
#include "control/api/view.h"
#include "control/state/weight.h"

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

bool route_is_named(const struct name *name, const char *text)
{
	char whole[ROUTE_TEXT_MAX];
	return text[0] == '\0' || strstr(name->host.text, text) ||
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

/* As share_of says, but quicker. */
static bool is_unserved(const struct share_view *view, const struct name *name)
{
	for (unsigned i = 0; i < name->pair_count; i++) {
		const struct pair *pair = &name->pairs[i];
		const struct share_hosts *hosts = &view->hosts[pair->cluster];
		bool usable = (pair->http && hosts->http > 0) || (pair->https && hosts->https > 0);
		if (pair->present && usable && weight_of(view->state->clusters[pair->cluster]->spec, pair).value > 0)
			return false;
	}
	return true;
}

bool route_matches(const struct share_view *view, const struct route_filter *filter, const char *text,
                   const struct name *name)
{
	bool found = false;
	if (!route_is_named(name, text))
		return false;
	for (unsigned i = 0; i < name->pair_count && !found; i++) {
		const struct pair *pair = &name->pairs[i];
		found = pair->present && (!filter->cluster || pair->cluster == filter->cluster->index) &&
		        (!filter->namespace || strcmp(pair->namespace, filter->namespace) == 0) &&
		        is_in_state(view, pair, filter->state);
	}
	return found && (filter->state != ROUTE_UNSERVED || is_unserved(view, name));
}

/* ---- order ---- */

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

/* The pairs with active connections: few of many, so the many are looked through once, in the order of memory. */
struct busy {
	size_t count, mask;
	struct {
		uint64_t id, active; /* id 0: free */
	} * list;
};

static void busy_put(struct busy *busy, uint64_t id, uint64_t active)
{
	size_t place = id & busy->mask;
	while (busy->list[place].id != 0)
		place = (place + 1) & busy->mask;
	busy->list[place].id = id;
	busy->list[place].active = active;
	busy->count++;
}

static uint64_t busy_find(const struct busy *busy, uint64_t id)
{
	size_t place = id & busy->mask;
	while (busy->list[place].id != 0 && busy->list[place].id != id)
		place = (place + 1) & busy->mask;
	return busy->list[place].id == id ? busy->list[place].active : 0;
}

/* Free the list. */
static void busy_make(struct busy *busy, const struct control *control)
{
	const struct slots *slots = &control->pairs;
	uint32_t used = control->shared ? slots->fresh : 0;
	size_t active = 0;
	for (uint32_t i = 0; i < used; i++)
		active += slots_usage(slots, i).active > 0;
	*busy = (struct busy){.mask = 1};
	while (busy->mask < 4 * active)
		busy->mask = busy->mask << 1 | 1;
	busy->list = calloc(busy->mask + 1, sizeof(*busy->list));
	if (!busy->list)
		abort();
	for (uint32_t i = 0; i < used && busy->count < active; i++) {
		struct slot_usage usage = slots_usage(slots, i);
		if (usage.active > 0 && slots->entries[i].id != 0)
			busy_put(busy, slots->entries[i].id, usage.active);
	}
}

static uint64_t rank_of(const struct control *control, const struct busy *busy, const struct name *name,
                        enum route_sort sort)
{
	uint64_t rank = 0;
	for (unsigned i = 0; i < name->published_count; i++) {
		if (sort == ROUTE_BY_ACTIVE)
			rank += busy_find(busy, name->published_pairs[i]);
		if (sort == ROUTE_BY_RECENT)
			rank += history_pair_recent(control->history, name->published_pairs[i]);
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

/* ---- lists ---- */

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
	struct busy busy;
	busy_make(&busy, control);
	found = malloc(count * sizeof(*found) + 1);
	if (!found)
		abort();
	for (size_t i = 0; i < count; i++) {
		names_fetch_ahead(names, i, count);
		if (route_matches(&view, filter, text, names[i]))
			found[found_count++] = (struct found){rank_of(control, &busy, names[i], sort), i, names[i]};
	}
	free(busy.list);
	put_in_order(found, found_count);
	for (size_t i = page.offset; i < found_count && view_in_page(page, i); i++)
		json_array_append_new(array, route_json(control, &view, found[i].name));
	free(found);
	return view_page(control, page, found_count, "routes", array);
}
