/* The operator's weights: see the header. */
#include "control/state/override.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "control/state/claims.h"
#include "control/control.h"
#include "control/control_store.h"
#include "control/state/hundredths.h"
#include "control/state/rollback.h"
#include "control/observe/tell.h"

enum { NO_PAIR = -2 };

/* What is to be put back if it cannot be saved. */
struct before {
	int32_t weight;            /* of one override; NO_PAIR */
	bool parks;                /* the pair was not parked and is now */
	struct rollback *rollback; /* of its name; only with the first override of a name */
};

static void *allocate(size_t count, size_t size)
{
	void *memory = calloc(count > 0 ? count : 1, size);
	if (!memory)
		abort();
	return memory;
}

static int32_t weight_now(const struct override *override)
{
	const struct pair *pair = names_pair(override->name, override->cluster);
	if (!pair)
		return NO_PAIR;
	return pair->overridden ? pair->override : -1;
}

static bool changes(const struct override *override)
{
	const struct pair *pair = names_pair(override->name, override->cluster);
	int32_t now = weight_now(override), wanted = override->weight < 0 ? -1 : override->weight;
	if (now == NO_PAIR)
		return wanted >= 0;
	return now != wanted || (override->parks && !pair->parked);
}

bool override_changes(const struct override *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (changes(&list[i]))
			return true;
	return false;
}

/* How many of the first ones belong to one route. */
static size_t run_of(const struct override *list, size_t count)
{
	size_t run = 1;
	while (run < count && list[run].name == list[0].name)
		run++;
	return run;
}

/* Sets the overrides of one route, which remembers what was; not of a rollback (`change` NULL). */
static void set_route(struct names *names, const struct override *list, size_t run, struct before *before,
                      struct rollback_change *change)
{
	struct name *name = list[0].name;
	before[0].rollback = name->rollback;
	if (!change)
		name->rollback = NULL;
	else if (override_changes(list, run))
		name->rollback = rollback_make(name, change);
	for (size_t i = 0; i < run; i++) {
		before[i].weight = weight_now(&list[i]);
		if (before[i].weight == NO_PAIR && list[i].weight < 0)
			continue;
		names_pair_override(names, name, names_pair_add(names, name, list[i].cluster), list[i].weight);
	}
}

static void take_back(struct state *state, const struct override *list, size_t run, const struct before *before)
{
	struct names *names = &state->names;
	struct name *name = list[0].name;
	for (size_t i = run; i-- > 0;) {
		struct pair *pair = names_pair(name, list[i].cluster);
		if (pair && before[i].weight == NO_PAIR)
			names_pair_remove(names, name, list[i].cluster);
		else if (pair)
			names_pair_override(names, name, pair, before[i].weight);
	}
	if (name->rollback != before[0].rollback)
		rollback_free(name->rollback);
	name->rollback = before[0].rollback;
}

/* Parks again what a rollback says, in the files of watched clusters too, and that before the state file: parking that
 * is lost would move users. False: control->state_file says why. */
static bool park(struct control *control, const struct override *list, size_t count, struct before *before)
{
	bool concerned[CLUSTERS_MAX] = {false};
	for (size_t i = 0; i < count; i++) {
		struct pair *pair = names_pair(list[i].name, list[i].cluster);
		before[i].parks =
		    list[i].parks && pair && !pair->overridden && pair->present && !pair->weight_given && !pair->parked;
		if (!before[i].parks)
			continue;
		pair->parked = true;
		concerned[list[i].cluster] = true;
	}
	for (unsigned i = 0; i < CLUSTERS_MAX; i++)
		if (concerned[i] && control->state.clusters[i]->spec->source == SOURCE_WATCH &&
		    !watchers_save_now(control, &control->state, control->state.clusters[i], control->state_file.why))
			return false;
	return true;
}

static void unpark(struct state *state, const struct override *list, size_t count, const struct before *before)
{
	for (size_t i = 0; i < count; i++) {
		if (!before[i].parks)
			continue;
		struct cluster *cluster = state->clusters[list[i].cluster];
		names_pair(list[i].name, list[i].cluster)->parked = false;
		if (cluster->spec->source == SOURCE_WATCH)
			cluster->unsaved = cluster->urgent = true; /* its file may say parked */
	}
}

/* What follows from the overrides of one route, now that they are saved: they end the parking, for good but for a
 * rollback. */
static void settle(struct state *state, const struct override *list, size_t run)
{
	struct name *name = list[0].name;
	for (size_t i = 0; i < run; i++) {
		const struct pair *pair = names_pair(name, list[i].cluster);
		if (pair && !pair->overridden && !pair->present)
			names_pair_remove(&state->names, name, list[i].cluster);
	}
	claims_settle(state, name);
}

static void finish(struct state *state, const struct override *list, size_t run, const struct before *before)
{
	if (list[0].name->rollback != before[0].rollback)
		rollback_free(before[0].rollback);
	settle(state, list, run);
}

static bool set_all(struct control *control, const struct override *list, size_t count,
                    const struct journal_entry *entry, const struct actor *actor, struct rollback_change *change)
{
	struct before *before = allocate(count, sizeof(*before));
	for (size_t i = 0, run; i < count; i += run) {
		run = run_of(list + i, count - i);
		set_route(&control->state.names, list + i, run, before + i, change);
	}
	bool saved = park(control, list, count, before) && control_save_in_place(control);
	if (!saved)
		unpark(&control->state, list, count, before);
	for (size_t i = 0, run; i < count; i += run) {
		run = run_of(list + i, count - i);
		(saved ? finish : take_back)(&control->state, list + i, run, before + i);
	}
	free(before);
	if (!saved) {
		watchers_save_urgent(&control->watchers);
		return false;
	}
	struct journal_entry complete = *entry;
	complete.revision = control->state.revision;
	tell(control->journal, actor, complete, "%s", entry->text);
	claims_told(&control->state);
	watchers_save_urgent(&control->watchers);
	control_state_changed(control);
	return true;
}

bool control_override_all(struct control *control, const struct override *list, size_t count,
                          const struct journal_entry *entry, const struct actor *actor)
{
	if (!override_changes(list, count))
		return true;
	struct rollback_change *change = rollback_change_create(control->state.revision + 1, clock_unix_ms(), actor);
	bool saved = set_all(control, list, count, entry, actor, change);
	rollback_change_release(change);
	return saved;
}

static const char *weight_text(int32_t weight, char text[static HUNDREDTHS_TEXT_MAX])
{
	return weight < 0 ? "its own" : hundredths_text((unsigned)weight, text);
}

bool control_override(struct control *control, struct name *name, uint16_t cluster, int weight,
                      const struct actor *actor)
{
	char host[ROUTE_TEXT_MAX], text[JOURNAL_TEXT_MAX], now[HUNDREDTHS_TEXT_MAX], then[HUNDREDTHS_TEXT_MAX];
	const struct override override = {.name = name, .cluster = cluster, .weight = weight};
	const char *cluster_name = control->state.clusters[cluster]->spec->name;
	name_format(&name->host, name->wildcard, host);
	snprintf(text, sizeof(text), "route %s on cluster %s: weight %s (was %s)", host, cluster_name,
	         weight_text(weight, then), weight_text(weight_now(&override), now));
	const struct journal_entry entry = {.kind = weight < 0 ? "weight_removed" : "weight_set",
	                                    .object = "route",
	                                    .cluster = cluster_name,
	                                    .name = host,
	                                    .text = text};
	return control_override_all(control, &override, 1, &entry, actor);
}

bool control_rollback(struct control *control, struct name *name, const struct actor *actor)
{
	char host[ROUTE_TEXT_MAX], text[JOURNAL_TEXT_MAX];
	struct override list[CLUSTERS_MAX];
	const struct rollback *rollback = name->rollback;
	for (unsigned i = 0; i < rollback->count; i++) {
		const struct rollback_entry *entry = &rollback->entries[i];
		list[i] = (struct override){name, entry->cluster, entry->weight, entry->parked};
	}
	name_format(&name->host, name->wildcard, host);
	snprintf(text, sizeof(text), "route %s: weights as before revision %llu", host,
	         (unsigned long long)rollback->change->revision);
	const struct journal_entry entry = {.kind = "rolled_back", .object = "route", .name = host, .text = text};
	return set_all(control, list, rollback->count, &entry, actor, NULL);
}
