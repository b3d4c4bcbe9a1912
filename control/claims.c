/* Parking and conflicts: see the header. */
#include "control/claims.h"

#include <string.h>

#include "common/log.h"
#include "control/state.h"
#include "control/weight.h"

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
		log_info("%zu more routes were parked, in conflict, or are so no longer", state->told - TOLD_MAX);
	state->told = 0;
}

static void tell(struct state *state, const struct name *name, const struct pair *pair, const char *what)
{
	char text[ROUTE_TEXT_MAX];
	if (state->told++ >= TOLD_MAX)
		return;
	log_info("route %s on cluster %s %s", name_format(&name->host, name->wildcard, text),
	         spec_of(state, pair)->name, what);
}

static bool displaces(const struct pair *pair, const struct pair *owner)
{
	return pair->initial && owner->initial && !owner->overridden && is_older(pair, owner);
}

void claims_judge(struct state *state, struct name *name, uint16_t cluster)
{
	struct pair *pair = names_pair(name, cluster), *owner;
	const struct cluster_spec *spec = spec_of(state, pair);
	pair->conflict = false;
	while ((owner = foreign_owner(name, pair)) && displaces(pair, owner)) {
		owner->conflict = true;
		tell(state, name, owner, "is in conflict: an older Route of a different namespace has the name");
	}
	pair->conflict = owner != NULL;
	if (owner)
		tell(state, name, pair, "is in conflict: another cluster serves it from a different namespace");
	pair->parked = spec->parks_routes && !pair->initial && !pair->weight_given && !pair->overridden &&
	               others_serve(state, name, pair);
	names_touch(&state->names, name);
}

/* The one that takes over: parked before in conflict, then the oldest. NULL: somebody owns the name. */
static struct pair *heir(const struct name *name)
{
	struct pair *best = NULL;
	for (unsigned i = 0; i < name->pair_count; i++) {
		struct pair *pair = &name->pairs[i];
		if (!pair->present)
			continue;
		if (!is_in_conflict(pair) && !is_parked(pair))
			return NULL;
		if (!best || is_in_conflict(pair) < is_in_conflict(best) ||
		    (is_in_conflict(pair) == is_in_conflict(best) && is_older(pair, best)))
			best = pair;
	}
	return best;
}

void claims_settle(struct state *state, struct name *name)
{
	struct pair *pair = heir(name);
	if (pair) {
		tell(state, name, pair,
		     pair->conflict ? "is no longer in conflict: no other cluster serves it"
		                    : "is no longer parked: no other cluster serves it");
		pair->parked = pair->conflict = false;
		names_touch(&state->names, name);
	}
	for (unsigned i = 0; i < name->pair_count; i++) {
		struct pair *other = &name->pairs[i];
		if (other->present && is_in_conflict(other) && !foreign_owner(name, other))
			claims_judge(state, name, other->cluster);
	}
}
