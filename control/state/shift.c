/* Plans of shifts: see the header. Order: weights, findings, JSON. */
#include "control/state/shift.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "control/state/rollback.h"
#include "control/state/state.h"

/* ---- weights ---- */

static const struct cluster_spec *spec_of(const struct shift_plan *plan, unsigned i)
{
	return plan->view->state->clusters[plan->name->pairs[i].cluster]->spec;
}

/* The other clusters that could take what is left, although they have no weight now. */
struct heirs {
	unsigned count, first; /* as in name->pairs */
	char names[SHIFT_NOTE_MAX / 2], example[CLUSTER_NAME_MAX + 1];
};

/* Would no connection suffer if it went to `pair` instead of `to`? */
static bool replaces(const struct shift_plan *plan, unsigned i, const struct pair *to)
{
	const struct pair *pair = &plan->name->pairs[i];
	const struct share_hosts *hosts = &plan->view->hosts[pair->cluster];
	return pair->present && pair != to && spec_of(plan, i)->state == CLUSTER_ACTIVE &&
	       plan->before.pair[i].weight.bar != WEIGHT_CONFLICT && pair->http == to->http &&
	       pair->https == to->https && (!pair->http || hosts->http > 0) && (!pair->https || hosts->https > 0);
}

static void find_heirs(const struct shift_plan *plan, const struct pair *to, struct heirs *heirs)
{
	*heirs = (struct heirs){0};
	size_t len = 0;
	for (unsigned i = 0; i < plan->name->pair_count; i++) {
		const char *name = spec_of(plan, i)->name;
		if (!replaces(plan, i, to))
			continue;
		if (heirs->count++ == 0) {
			heirs->first = i;
			snprintf(heirs->example, sizeof(heirs->example), "%s", name);
		}
		if (len < sizeof(heirs->names))
			len += (size_t)snprintf(heirs->names + len, sizeof(heirs->names) - len, "%s%s",
			                        len > 0 ? ", " : "", name);
	}
}

/* It gets nothing as it is, and nothing is changed about that. */
static bool is_left_alone(const struct shift_plan *plan, unsigned i, const struct cluster *target)
{
	const struct pair *pair = &plan->name->pairs[i];
	enum weight_bar bar = plan->before.pair[i].weight.bar;
	return !pair->present || (pair->cluster != target->index && (bar == WEIGHT_PARKED || bar == WEIGHT_CONFLICT));
}

enum { NOBODY = CLUSTERS_MAX };

/* `parts`: of the others. `heir`: gets its part whatever is about it now; NOBODY: there is none. */
static void take_weights(struct shift_plan *plan, const struct cluster *target, uint16_t percent, const uint32_t *parts,
                         unsigned heir)
{
	const struct name *name = plan->name;
	uint32_t counting[CLUSTERS_MAX];
	for (unsigned i = 0; i < name->pair_count; i++) {
		uint32_t weight = name->pairs[i].cluster == target->index ? percent : parts[i];
		plan->weights[i] = i != heir && is_left_alone(plan, i, target) ? -1 : (int32_t)weight;
		bool counts = plan->weights[i] > 0 && spec_of(plan, i)->state == CLUSTER_ACTIVE;
		counting[i] = counts ? weight : 0;
	}
	share_split(counting, name->pair_count, HUNDREDTHS_ALL, plan->after);
}

/* `heirs`: NULL, or there is one, which gets what is left. */
static void make_weights(struct shift_plan *plan, const struct cluster *target, uint16_t percent,
                         const struct heirs *heirs)
{
	const struct name *name = plan->name;
	uint32_t others[CLUSTERS_MAX], parts[CLUSTERS_MAX];
	for (unsigned i = 0; i < name->pair_count; i++)
		others[i] = heirs                                     ? i == heirs->first
		            : name->pairs[i].cluster == target->index ? 0
		                                                      : plan->before.pair[i].weight.value;
	share_split(others, name->pair_count, HUNDREDTHS_ALL - percent, parts);
	take_weights(plan, target, percent, parts, heirs ? heirs->first : NOBODY);
}

static bool others_have_weight(const struct shift_plan *plan, const struct cluster *target)
{
	for (unsigned i = 0; i < plan->name->pair_count; i++)
		if (plan->name->pairs[i].cluster != target->index && plan->before.pair[i].weight.value > 0)
			return true;
	return false;
}

/* ---- findings ---- */

/* Worse ones stand before others. */
__attribute__((format(printf, 3, 4))) static void note(struct shift_plan *plan, enum shift_level level,
                                                       const char *format, ...)
{
	va_list args;
	if (plan->note_count == SHIFT_NOTES_MAX)
		return;
	bool first = level > plan->level;
	char *place = plan->notes[first ? 0 : plan->note_count];
	if (first)
		memmove(plan->notes[1], plan->notes[0], plan->note_count * sizeof(plan->notes[0]));
	va_start(args, format);
	vsnprintf(place, SHIFT_NOTE_MAX, format, args);
	va_end(args);
	plan->note_count++;
	if (first)
		plan->level = level;
}

static void look_at_listener(struct shift_plan *plan, const struct cluster *target, enum shift_level level,
                             const char *listener, bool served_now, bool served, unsigned hosts)
{
	const char *name = target->spec->name;
	if (served_now && !served)
		note(plan, level,
		     "cluster %s does not serve it on %s: what comes there goes to the other clusters alone", name,
		     listener);
	if (served && hosts == 0)
		note(plan, level, "cluster %s has no healthy router host for %s", name, listener);
}

static void look_at_bar(struct shift_plan *plan, unsigned i, enum shift_level level)
{
	const char *name = spec_of(plan, i)->name;
	const struct pair *pair = &plan->name->pairs[i];
	switch (plan->before.pair[i].weight.bar) {
	case WEIGHT_NOT_ACTIVE:
		note(plan, level, "cluster %s is %s: it gets no connections until it is active", name,
		     cluster_state_name(spec_of(plan, i)->state));
		break;
	case WEIGHT_CONFLICT:
		note(plan, level,
		     "in conflict on cluster %s: it is of namespace %s there, another cluster serves it from a "
		     "different "
		     "one",
		     name, pair->namespace);
		break;
	case WEIGHT_PARKED:
		note(plan, SHIFT_YELLOW, "parked on cluster %s: the shift ends that", name);
		break;
	case WEIGHT_FREE:
		break;
	}
}

/* Differences between the cluster and those that serve the route now. */
static void look_at_others(struct shift_plan *plan, unsigned i)
{
	const struct pair *pair = &plan->name->pairs[i];
	for (unsigned j = 0; j < plan->name->pair_count; j++) {
		const struct pair *other = &plan->name->pairs[j];
		if (j == i || plan->before.pair[j].weight.value == 0 || pair->termination == other->termination ||
		    pair->termination == TERMINATION_UNKNOWN || other->termination == TERMINATION_UNKNOWN)
			continue;
		note(plan, SHIFT_YELLOW, "TLS termination is %s on cluster %s, but %s on %s",
		     observed_termination_name((enum route_termination)pair->termination), spec_of(plan, i)->name,
		     observed_termination_name((enum route_termination)other->termination), spec_of(plan, j)->name);
		return;
	}
}

static void look_at_target(struct shift_plan *plan, unsigned i, const struct cluster *target)
{
	const struct pair *pair = &plan->name->pairs[i];
	const struct share_hosts *hosts = &plan->view->hosts[pair->cluster];
	/* To take connections from a sick cluster must always be possible. */
	bool grows = plan->after[i] > plan->before.pair[i].planned || plan->before.pair[i].weight.bar != WEIGHT_FREE;
	enum shift_level level = grows && plan->weights[i] > 0 ? SHIFT_RED : SHIFT_YELLOW;
	look_at_bar(plan, i, level);
	look_at_listener(plan, target, level, "http", plan->before.serves_http, pair->http, hosts->http);
	look_at_listener(plan, target, level, "https", plan->before.serves_https, pair->https, hosts->https);
	look_at_others(plan, i);
	if (pair->hold.reason != HOLD_NONE)
		note(plan, SHIFT_YELLOW, "held on cluster %s: its API does not show it any more", target->spec->name);
	if (cluster_namespace_is_system(pair->namespace))
		note(plan, SHIFT_YELLOW, "a route of the cluster itself (namespace %s)", pair->namespace);
}

/* Would anybody be left on a listener where somebody is now? */
static void look_at_what_is_left(struct shift_plan *plan)
{
	bool http_now = false, https_now = false, http = false, https = false;
	for (unsigned i = 0; i < plan->name->pair_count; i++) {
		const struct pair *pair = &plan->name->pairs[i];
		const struct share_hosts *hosts = &plan->view->hosts[pair->cluster];
		http_now |= plan->before.pair[i].http > 0;
		https_now |= plan->before.pair[i].https > 0;
		http |= plan->after[i] > 0 && pair->http && hosts->http > 0;
		https |= plan->after[i] > 0 && pair->https && hosts->https > 0;
	}
	if ((http_now && !http) || (https_now && !https))
		note(plan, SHIFT_RED, "no cluster with a healthy router host would be left for it on %s",
		     !(http_now && !http)     ? "https"
		     : !(https_now && !https) ? "http"
		                              : "http and https");
}

static void begin(struct shift_plan *plan, const struct share_view *view, const struct name *name)
{
	plan->name = name;
	plan->view = view;
	plan->level = SHIFT_GREEN;
	plan->possible = true;
	plan->note_count = 0;
	share_of(view, name, &plan->before);
}

/* There are no such weights: everything stays as it is. */
static void stay(struct shift_plan *plan)
{
	plan->possible = false;
	for (unsigned i = 0; i < plan->name->pair_count; i++) {
		plan->weights[i] = -1;
		plan->after[i] = plan->before.pair[i].planned;
	}
}

/* No other cluster has a weight, and not exactly one could take the rest. */
static void note_no_heir(struct shift_plan *plan, const struct heirs *heirs, uint16_t percent)
{
	char text[HUNDREDTHS_TEXT_MAX];
	hundredths_text(HUNDREDTHS_ALL - percent, text);
	if (heirs->count > 1)
		note(plan, SHIFT_RED,
		     "no other cluster has a weight above 0 here, and the other %s %% could go to %s: say which by "
		     "shift "
		     "--to %s --percent %s",
		     text, heirs->names, heirs->example, text);
	else
		note(plan, SHIFT_RED,
		     "no other cluster has a weight above 0 here, so the other %s %% would have nowhere to go: shift "
		     "to another cluster instead",
		     text);
}

/* ---- from one cluster ---- */

static bool anybody_has_a_share(const struct shift_plan *plan)
{
	for (unsigned i = 0; i < plan->name->pair_count; i++)
		if (plan->before.pair[i].planned > 0)
			return true;
	return false;
}

/* The percentage that `target` gets: what is asked for, or all that `giver` has. */
static uint16_t look_at_giver(struct shift_plan *plan, const struct cluster *target, unsigned giver, uint16_t percent,
                              uint16_t both)
{
	const char *from = spec_of(plan, giver)->name, *to = target->spec->name;
	char given[HUNDREDTHS_TEXT_MAX], most[HUNDREDTHS_TEXT_MAX], wanted[HUNDREDTHS_TEXT_MAX];
	if (percent <= both)
		return percent;
	note(plan, SHIFT_RED,
	     "cluster %s has only %s %% to give: cluster %s would get %s %% instead of %s %%, and the others keep "
	     "theirs",
	     from, hundredths_text(plan->before.pair[giver].planned, given), to, hundredths_text(both, most),
	     hundredths_text(percent, wanted));
	return both;
}

/* `giver` gives the difference to `target`, or takes it; the others keep their shares. */
static void make_between(struct shift_plan *plan, const struct cluster *target, unsigned pair, unsigned giver,
                         uint16_t percent)
{
	uint32_t parts[CLUSTERS_MAX];
	const char *from = spec_of(plan, giver)->name;
	uint16_t has = plan->before.pair[giver].planned, both = (uint16_t)(has + plan->before.pair[pair].planned);
	bool short_of = percent > both, idle = plan->before.pair[giver].weight.value == 0;
	if (short_of && has == 0) {
		stay(plan);
		note(plan, SHIFT_RED, "cluster %s has no share of it to give", from);
		return;
	}
	if (percent < both && idle && !replaces(plan, giver, &plan->name->pairs[pair])) {
		stay(plan);
		note(plan, SHIFT_RED,
		     "cluster %s has no share of it, and cannot take one: it is not active, in conflict, without a "
		     "healthy router host, or serves it on other listeners",
		     from);
		return;
	}
	percent = look_at_giver(plan, target, giver, percent, both);
	for (unsigned i = 0; i < plan->name->pair_count; i++)
		parts[i] = i == giver ? (uint32_t)(both - percent) : plan->before.pair[i].planned;
	take_weights(plan, target, percent, parts, percent < both ? giver : NOBODY);
	look_at_target(plan, pair, target);
	if (percent < both && idle)
		look_at_bar(plan, giver, SHIFT_YELLOW);
	look_at_what_is_left(plan);
}

void shift_plan_make(struct shift_plan *plan, const struct share_view *view, const struct name *name,
                     const struct cluster *target, const struct cluster *from, uint16_t percent)
{
	struct heirs heirs;
	char rest[HUNDREDTHS_TEXT_MAX];
	const struct pair *pair = names_pair(name, target->index), *giver = from ? names_pair(name, from->index) : NULL;
	begin(plan, view, name);
	if (!pair || !pair->present || (from && (!giver || !giver->present))) {
		const struct cluster *lacks = !pair || !pair->present ? target : from;
		stay(plan);
		note(plan, SHIFT_RED, "cluster %s does not have this route", lacks->spec->name);
		return;
	}
	if (giver && anybody_has_a_share(plan)) {
		make_between(plan, target, (unsigned)(pair - name->pairs), (unsigned)(giver - name->pairs), percent);
		return;
	}
	bool inherited = percent < HUNDREDTHS_ALL && !others_have_weight(plan, target);
	if (inherited)
		find_heirs(plan, pair, &heirs);
	if (inherited && heirs.count != 1) {
		stay(plan);
		note_no_heir(plan, &heirs, percent);
		return;
	}
	make_weights(plan, target, percent, inherited ? &heirs : NULL);
	look_at_target(plan, (unsigned)(pair - name->pairs), target);
	if (inherited)
		note(plan, SHIFT_YELLOW, "the other %s %% go to cluster %s, the only other one that can take them",
		     hundredths_text(HUNDREDTHS_ALL - percent, rest), heirs.example);
	look_at_what_is_left(plan);
}

/* ---- single overrides and rollbacks ---- */

/* `then` is the name as it would be. */
static void compare(struct shift_plan *plan, const struct share_view *view, const struct name *name,
                    const struct name *then)
{
	struct shares after;
	begin(plan, view, name);
	share_of(view, then, &after);
	for (unsigned i = 0; i < name->pair_count; i++) {
		plan->weights[i] = after.pair[i].weight.value;
		plan->after[i] = after.pair[i].planned;
		if (after.pair[i].planned > 0 && after.pair[i].hosts == 0)
			note(plan, SHIFT_YELLOW, "cluster %s has no healthy router host", spec_of(plan, i)->name);
	}
}

void shift_plan_weight(struct shift_plan *plan, const struct share_view *view, const struct name *name,
                       uint16_t cluster, int weight)
{
	struct pair pairs[CLUSTERS_MAX];
	struct name then = *name;
	then.pairs = pairs;
	memcpy(pairs, name->pairs, name->pair_count * sizeof(pairs[0]));
	struct pair *pair = names_pair(&then, cluster);
	pair->overridden = weight >= 0;
	pair->override = weight >= 0 ? (uint16_t)weight : 0;
	pair->parked = pair->parked && weight < 0;
	compare(plan, view, name, &then);
	look_at_what_is_left(plan);
	const struct cluster_spec *spec = spec_of(plan, (unsigned)(pair - pairs));
	if (weight > 0 && !pair->present)
		note(plan, SHIFT_YELLOW, "cluster %s does not have this route now", spec->name);
	else if (weight > 0 && spec->state != CLUSTER_ACTIVE)
		note(plan, SHIFT_YELLOW, "cluster %s is %s: it gets no connections until it is active", spec->name,
		     cluster_state_name(spec->state));
}

static void take_back(struct pair *pair, const struct rollback_entry *entry)
{
	pair->overridden = entry->weight >= 0;
	pair->override = entry->weight >= 0 ? (uint16_t)entry->weight : 0;
	pair->parked = entry->parked && !pair->weight_given;
}

void shift_plan_rollback(struct shift_plan *plan, const struct share_view *view, const struct name *name)
{
	struct pair pairs[CLUSTERS_MAX];
	struct name then = *name;
	then.pairs = pairs;
	memcpy(pairs, name->pairs, name->pair_count * sizeof(pairs[0]));
	for (unsigned i = 0; i < name->rollback->count; i++) {
		struct pair *pair = names_pair(&then, name->rollback->entries[i].cluster);
		if (pair)
			take_back(pair, &name->rollback->entries[i]);
	}
	compare(plan, view, name, &then);
}

/* ---- JSON ---- */

static json_t *side_json(const struct shift_plan *plan, bool after)
{
	json_t *array = json_array();
	for (unsigned i = 0; i < plan->name->pair_count; i++) {
		unsigned weight = plan->before.pair[i].weight.value;
		if (!plan->name->pairs[i].present)
			continue;
		if (after && plan->weights[i] >= 0)
			weight = (unsigned)plan->weights[i];
		json_array_append_new(
		    array,
		    json_pack("{s:s, s:o, s:o}", "cluster", spec_of(plan, i)->name, "weight", hundredths_json(weight),
		              "share", hundredths_json(after ? plan->after[i] : plan->before.pair[i].planned)));
	}
	return array;
}

json_t *shift_plan_json(const struct shift_plan *plan)
{
	static const char *const levels[] = {"green", "yellow", "red"};
	char text[ROUTE_TEXT_MAX];
	json_t *notes = json_array();
	for (unsigned i = 0; i < plan->note_count; i++)
		json_array_append_new(notes, json_string(plan->notes[i]));
	return json_pack("{s:s, s:s, s:o, s:o, s:o}", "host",
	                 name_format(&plan->name->host, plan->name->wildcard, text), "level", levels[plan->level],
	                 "notes", notes, "before", side_json(plan, false), "after", side_json(plan, true));
}

json_t *shift_plan_answer(const struct shift_plan *plan)
{
	return json_pack("{s:i, s:i, s:i, s:[o]}", "routes", 1, "red", plan->level == SHIFT_RED, "yellow",
	                 plan->level == SHIFT_YELLOW, "changes", shift_plan_json(plan));
}
