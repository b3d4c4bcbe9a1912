/* Parking and conflicts: see the header. */
#include "control/state/claims.h"

#include <stdlib.h>
#include <string.h>

#include "control/state/state.h"
#include "control/observe/tell.h"
#include "control/state/weight.h"

static const struct cluster_spec *spec_of(const struct state *state, const struct pair *pair)
{
	return state->clusters[pair->cluster]->spec;
}

static bool is_foreign(const struct pair *a, const struct pair *b)
{
	return a->namespace[0] != '\0' && b->namespace[0] != '\0' && strcmp(a->namespace, b->namespace) != 0;
}

static bool is_older(const struct pair *a, const struct pair *b)
{
	return a->created != b->created ? a->created < b->created : a->cluster < b->cluster;
}

static bool is_in_conflict(const struct pair *pair)
{
	return pair->conflict && !pair->overridden;
}

static bool is_parked(const struct pair *pair)
{
	return pair->parked && !pair->overridden && !pair->weight_given;
}

/* The only way to change both: they are to be saved where the cluster is, before anybody is told. */
static void set(struct state *state, struct pair *pair, bool parked, bool conflict)
{
	struct cluster *cluster = state->clusters[pair->cluster];
	if (pair->parked == parked && pair->conflict == conflict)
		return;
	pair->parked = parked;
	pair->conflict = conflict;
	if (cluster->spec->source == SOURCE_WATCH)
		cluster->unsaved = cluster->urgent = true;
	else
		state->unsaved = true;
}

/* Another pair that owns the name for a different namespace. */
static struct pair *foreign_owner(const struct name *name, const struct pair *pair)
{
	for (unsigned i = 0; i < name->pair_count; i++) {
		struct pair *other = &name->pairs[i];
		if (other != pair && other->present && !is_in_conflict(other) && is_foreign(pair, other))
			return other;
	}
	return NULL;
}

static bool others_serve(const struct state *state, const struct name *name, const struct pair *pair)
{
	for (unsigned i = 0; i < name->pair_count; i++) {
		const struct pair *other = &name->pairs[i];
		if (other != pair && other->present && weight_of(spec_of(state, other), other).value > 0)
			return true;
	}
	return false;
}

enum { TOLD_MAX = 20 };

void claims_told(struct state *state)
{
	if (state->told > TOLD_MAX)
		tell(state->journal, NULL, (struct journal_entry){.kind = "routes_claimed", .object = "control"},
		     "%zu more routes were parked, in conflict, or are so no longer", state->told - TOLD_MAX);
	state->told = 0;
}

static void say(struct state *state, const struct name *name, const struct pair *pair, const char *kind,
                const char *what)
{
	char text[ROUTE_TEXT_MAX];
	if (state->told++ >= TOLD_MAX)
		return;
	const char *cluster = spec_of(state, pair)->name, *host = name_format(&name->host, name->wildcard, text);
	tell(state->journal, NULL,
	     (struct journal_entry){.kind = kind, .object = "route", .cluster = cluster, .name = host},
	     "route %s on cluster %s %s", host, cluster, what);
}

static bool displaces(const struct pair *pair, const struct pair *owner)
{
	return pair->initial && owner->initial && !owner->overridden && is_older(pair, owner);
}

void claims_judge(struct state *state, struct name *name, uint16_t cluster)
{
	struct pair *pair = names_pair(name, cluster), *owner;
	const struct cluster_spec *spec = spec_of(state, pair);
	while ((owner = foreign_owner(name, pair)) && displaces(pair, owner)) {
		set(state, owner, owner->parked, true);
		say(state, name, owner, "route_conflict",
		    "is in conflict: an older Route of a different namespace has the name");
	}
	if (owner)
		say(state, name, pair, "route_conflict",
		    "is in conflict: another cluster serves it from a different namespace");
	bool parks = spec->parks_routes && !pair->initial && !pair->weight_given && !pair->overridden;
	set(state, pair, parks && others_serve(state, name, pair), owner != NULL);
	if (pair->parked && !owner)
		say(state, name, pair, "route_parked", "is parked: another cluster serves it; a weight lets it serve");
	names_touch(&state->names, name);
}

/* The one that takes over: parked before in conflict, then the oldest. NULL: somebody owns the name. */
static struct pair *heir(const struct name *name, uint16_t without)
{
	struct pair *best = NULL;
	for (unsigned i = 0; i < name->pair_count; i++) {
		struct pair *pair = &name->pairs[i];
		if (!pair->present || pair->cluster == without)
			continue;
		if (!is_in_conflict(pair) && !is_parked(pair))
			return NULL;
		if (!best || is_in_conflict(pair) < is_in_conflict(best) ||
		    (is_in_conflict(pair) == is_in_conflict(best) && is_older(pair, best)))
			best = pair;
	}
	return best;
}

const struct pair *claims_heir(const struct name *name, uint16_t without)
{
	return heir(name, without);
}

void claims_weighed(struct state *state, struct pair *pair)
{
	if (pair->weight_given || pair->overridden)
		set(state, pair, false, pair->conflict);
}

bool claims_settle(struct state *state, struct name *name)
{
	bool changed = false;
	for (unsigned i = 0; i < name->pair_count; i++) {
		bool parked = name->pairs[i].parked;
		claims_weighed(state, &name->pairs[i]);
		changed |= name->pairs[i].parked != parked;
	}
	struct pair *pair = heir(name, CLUSTER_NONE);
	if (pair) {
		say(state, name, pair, pair->conflict ? "route_conflict_ended" : "route_unparked",
		    pair->conflict ? "is no longer in conflict: no other cluster serves it"
		                   : "is no longer parked: no other cluster serves it");
		set(state, pair, false, false);
		names_touch(&state->names, name);
		changed = true;
	}
	for (unsigned i = 0; i < name->pair_count; i++) {
		struct pair *other = &name->pairs[i];
		if (!other->present || !is_in_conflict(other) || foreign_owner(name, other))
			continue;
		claims_judge(state, name, other->cluster);
		changed = true;
	}
	return changed;
}

bool claims_settle_all(struct state *state)
{
	bool changed = false;
	for (struct name *name = names_next(&state->names, NULL); name; name = names_next(&state->names, name))
		changed |= claims_settle(state, name);
	claims_told(state);
	return changed;
}

bool claims_would_park(const struct state *state, const struct cluster *cluster, const struct name *name,
                       const struct pair *pair)
{
	bool parks = cluster->spec->source != SOURCE_WATCH || cluster->spec->parks_routes;
	return parks && pair->present && !pair->parked && !pair->weight_given && !pair->overridden &&
	       others_serve(state, name, pair);
}

struct name **claims_park(struct state *state, const struct cluster *cluster, size_t *count)
{
	size_t total = state->names.of_cluster[cluster->index];
	struct name **parked = calloc(total + 1, sizeof(struct name *));
	if (!parked)
		abort();
	*count = 0;
	for (struct name *name = names_next(&state->names, NULL); name; name = names_next(&state->names, name)) {
		struct pair *pair = names_pair(name, cluster->index);
		if (!pair || !claims_would_park(state, cluster, name, pair))
			continue;
		pair->parked = true;
		parked[(*count)++] = name;
	}
	return parked;
}

void claims_unpark(const struct cluster *cluster, struct name *const *parked, size_t count)
{
	for (size_t i = 0; i < count; i++)
		names_pair(parked[i], cluster->index)->parked = false;
}
