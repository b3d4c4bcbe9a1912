/* The state as a document: see the header. Order: writing, reading, applying. */
#include "control/state/state_document.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/state/cluster_json.h"
#include "control/control.h"
#include "control/control_store.h"
#include "control/state/document_check.h"
#include "control/drain.h"
#include "control/state/rollback.h"
#include "control/state/state_facts.h"
#include "control/state/state_text.h"
#include "control/watch_file.h"

/* ---- writing ---- */

json_t *state_document(const struct state *state, bool watched)
{
	size_t len;
	char *text = state_text(state, NULL, watched ? STATE_DOCUMENT_WATCHED : STATE_DOCUMENT, &len);
	json_t *document = json_loadb(text, len, 0, NULL);
	free(text);
	return document;
}

/* ---- reading ---- */

/* The cluster that is there and will be the one of the entry. */
static const struct cluster *kept_cluster(const struct state *state, const json_t *entry)
{
	const json_t *spec = json_object_get(entry, "cluster");
	const char *name = json_string_value(json_object_get(spec, "name"));
	const char *source = json_string_value(json_object_get(spec, "source"));
	const struct cluster *cluster = name ? state_cluster(state, name) : NULL;
	return cluster && source && strcmp(cluster_source_name(cluster->spec->source), source) == 0 ? cluster : NULL;
}

/* Numbers of clusters that stay remain; the others get those that state_put will give them. `traces`: what clusters
 * have left then. */
static void assign_numbers(const struct state *state, const json_t *entries, struct cluster_trace *traces)
{
	uint64_t taken = 0;
	memcpy(traces, state->traces, sizeof(state->traces));
	for (size_t i = 0; i < json_array_size(entries); i++) {
		const struct cluster *kept = kept_cluster(state, json_array_get(entries, i));
		taken |= kept ? UINT64_C(1) << kept->index : 0;
	}
	for (unsigned i = 0; i < CLUSTERS_MAX; i++) {
		const struct cluster *present = state->clusters[i];
		if (present && !(taken >> i & 1))
			cluster_trace_leave(traces, present->spec->name, present->number, state->revision + 1);
	}
	for (size_t i = 0; i < json_array_size(entries); i++) {
		json_t *entry = json_array_get(entries, i);
		const struct cluster *kept = kept_cluster(state, entry);
		const char *name = json_string_value(json_object_get(json_object_get(entry, "cluster"), "name"));
		uint16_t number = kept ? kept->number : cluster_number_pick(traces, taken, name ? name : "");
		if (number != CLUSTER_NONE) {
			taken |= UINT64_C(1) << cluster_place(number);
			traces[cluster_place(number)] = (struct cluster_trace){0};
		}
		json_object_set_new(entry, "index", json_integer(number));
	}
}

/* What its plugin has pushed stays. */
static void keep_pushed(json_t *entry, const struct cluster *kept)
{
	json_t *spec = json_copy(json_object_get(entry, "cluster")), *now = cluster_write(kept->spec);
	json_object_set(spec, "hosts", json_object_get(now, "hosts"));
	json_object_set(spec, "routes", json_object_get(now, "routes"));
	json_object_set_new(entry, "cluster", spec);
	json_object_set_new(entry, "pushed_at", json_integer(kept->pushed_at));
	json_object_del(entry, "held");
	state_facts_write_held(entry, kept->spec);
	json_decref(now);
}

/* The document as it fits this state: a copy as deep as is needed. */
static json_t *fit(const struct state *state, const json_t *document)
{
	struct cluster_trace traces[CLUSTERS_MAX];
	json_t *copy = json_copy((json_t *)(uintptr_t)document), *entries = json_array();
	const json_t *array = json_object_get(document, "clusters");
	for (size_t i = 0; i < json_array_size(array); i++)
		json_array_append_new(entries, json_copy(json_array_get(array, i)));
	assign_numbers(state, entries, traces);
	for (size_t i = 0; i < json_array_size(entries); i++) {
		json_t *entry = json_array_get(entries, i);
		const struct cluster *kept = kept_cluster(state, entry);
		json_object_del(entry, "watched");
		if (kept && kept->spec->source == SOURCE_PUSH && kept->pushed_at != 0)
			keep_pushed(entry, kept);
		if (kept)
			json_object_set_new(entry, "initial", json_boolean(kept->initial));
	}
	if (array)
		json_object_set(copy, "clusters", entries);
	json_object_del(copy, "rollbacks");
	json_object_del(copy, "untouched");
	json_object_del(copy, "removed");
	json_object_set_new(copy, "removed", cluster_traces_write(traces));
	json_decref(entries);
	return copy;
}

bool state_document_check(const struct control *control, const json_t *document, const char *path,
                          struct json_faults *faults)
{
	struct state next = {0};
	size_t before = faults->count + faults->more;
	json_t *fitted = json_is_object(document) ? fit(&control->state, document) : NULL;
	if (!fitted) {
		json_faults_add(faults, path, "an object", document ? "is %s" : "is missing",
		                document ? json_kind(document) : "");
		return false;
	}
	document_check_entries(json_object_get(document, "clusters"), path, faults);
	if (state_read(&next, fitted, path, clock_monotonic_ms(), faults))
		document_check_clusters(&next, json_object_get(fitted, "clusters"), control->config, path, faults);
	json_decref(fitted);
	state_free(&next);
	return faults->count + faults->more == before;
}

/* ---- applying ---- */

/* A drain that is not under way now begins anew: its deadline may have passed long ago. */
static void renew(struct drain *drain, const struct drain *now, int64_t unix_ms)
{
	if (drain->since == 0)
		return;
	if (now && now->since == drain->since) {
		*drain = *now;
		return;
	}
	drain->since = unix_ms;
	drain->deadline = drain->timeout > 0 ? unix_ms + (int64_t)drain->timeout : 0;
	drain->ended = 0;
	drain->told = false;
}

static void renew_drains(const struct state *state, struct state *next)
{
	int64_t now = clock_unix_ms();
	for (unsigned i = 0; i < CLUSTERS_MAX; i++) {
		struct cluster *cluster = next->clusters[i];
		if (!cluster)
			continue;
		const struct cluster *present = state_cluster(state, cluster->spec->name);
		renew(&cluster->drain, present ? &present->drain : NULL, now);
		for (size_t j = 0; j < cluster->modes.count; j++) {
			struct host_setting *setting = &cluster->modes.list[j];
			const struct host_setting *found =
			    present ? host_modes_find(&present->modes, setting->id) : NULL;
			renew(&setting->drain, found ? &found->drain : NULL, now);
		}
	}
}

static const json_t *watched_of(const json_t *document, const char *name)
{
	const json_t *array = json_object_get(document, "clusters");
	for (size_t i = 0; i < json_array_size(array); i++) {
		const json_t *entry = json_array_get(array, i);
		const char *own = json_string_value(json_object_get(json_object_get(entry, "cluster"), "name"));
		if (own && strcmp(own, name) == 0)
			return json_object_get(entry, "watched");
	}
	return NULL;
}

static bool stays(const struct state *state, const struct cluster *next)
{
	const struct cluster *present = state_cluster(state, next->spec->name);
	return present && present->spec->source == next->spec->source;
}

/* The revision stays: the document's is not this state's. */
static bool read_watched(struct state *state, struct cluster *cluster, const json_t *document)
{
	const char *why;
	uint64_t revision = state->revision;
	const json_t *watched = watched_of(document, cluster->spec->name);
	bool good =
	    watched && watch_file_read(state, cluster, (json_t *)(uintptr_t)watched, clock_monotonic_ms(), &why);
	state->revision = revision;
	return good;
}

/* The files of watched clusters that come (back): before the state file, which must not be without them. */
static bool save_watched(struct control *control, struct state *next, const json_t *document)
{
	for (unsigned i = 0; i < CLUSTERS_MAX; i++) {
		struct cluster *cluster = next->clusters[i];
		if (!cluster || cluster->spec->source != SOURCE_WATCH || stays(&control->state, cluster))
			continue;
		if (read_watched(next, cluster, document) &&
		    !watchers_save_now(control, next, cluster, control->state_file.why))
			return false;
	}
	return true;
}

/* They do not come after all. */
static void forget_watched(const struct control *control, const struct state *next)
{
	for (unsigned i = 0; i < CLUSTERS_MAX; i++) {
		const struct cluster *cluster = next->clusters[i];
		if (cluster && cluster->spec->source == SOURCE_WATCH && !stays(&control->state, cluster))
			watchers_forget_cluster(control, cluster->spec->name);
	}
}

static void remove_others(struct state *state, const struct state *next)
{
	for (unsigned i = 0; i < CLUSTERS_MAX; i++) {
		const struct cluster *present = state->clusters[i];
		const struct cluster *wanted = present ? state_cluster(next, present->spec->name) : NULL;
		if (present && !(wanted && stays(state, wanted)))
			state_delete(state, present->spec->name);
	}
}

static void put_cluster(struct control *control, struct cluster *wanted, const json_t *document)
{
	struct state *state = &control->state;
	const struct cluster *present = state_cluster(state, wanted->spec->name);
	bool observed =
	    present && cluster_hosts_are_observed(wanted->spec) && cluster_hosts_are_observed(present->spec);
	struct cluster_spec *settings = cluster_copy_settings(wanted->spec);
	struct cluster_spec *spec = cluster_with_owned(settings, observed ? present->spec : wanted->spec);
	bool stayed = present != NULL;
	state_put(state, spec, wanted->pushed_at, clock_monotonic_ms());
	struct cluster *cluster = state_cluster(state, spec->name);
	host_modes_free(&cluster->modes);
	cluster->modes = wanted->modes;
	wanted->modes = (struct host_modes){0};
	cluster->drain = wanted->drain;
	cluster->initial = wanted->initial;
	if (!stayed && spec->source == SOURCE_WATCH)
		read_watched(state, cluster, document);
}

/* In the order of the document, on which the numbers depend. */
static void put_clusters(struct control *control, struct state *next, const json_t *document)
{
	const json_t *array = json_object_get(document, "clusters");
	for (size_t i = 0; i < json_array_size(array); i++) {
		const json_t *spec = json_object_get(json_array_get(array, i), "cluster");
		put_cluster(control, state_cluster(next, json_string_value(json_object_get(spec, "name"))), document);
	}
}

static void clear_overrides(struct names *names)
{
	for (struct name *name = names_next(names, NULL); name; name = names_next(names, name)) {
		rollback_free(name->rollback);
		name->rollback = NULL;
		for (unsigned i = name->pair_count; i-- > 0;) {
			struct pair *pair = &name->pairs[i];
			if (!pair->overridden)
				continue;
			names_pair_override(names, name, pair, -1);
			if (!pair->present)
				names_pair_remove(names, name, pair->cluster);
		}
	}
}

static void set_overrides(struct names *names, const struct names *next)
{
	clear_overrides(names);
	for (const struct name *from = names_next(next, NULL); from; from = names_next(next, from)) {
		for (unsigned i = 0; i < from->pair_count; i++) {
			const struct pair *wanted = &from->pairs[i];
			if (!wanted->overridden)
				continue;
			struct name *name = names_add(names, &from->host, from->wildcard);
			struct pair *pair = names_pair_add(names, name, wanted->cluster);
			names_pair_override(names, name, pair, wanted->override);
		}
	}
}

/* Of the document's clusters. What it does not name is parked no more, unless its API has shown it since. */
static void set_parked(struct control *control, const json_t *document)
{
	const json_t *array = json_object_get(document, "clusters");
	for (size_t i = 0; i < json_array_size(array); i++) {
		struct json_faults faults = {0};
		struct reader reader;
		json_t *entry = json_array_get(array, i);
		const char *name = json_string_value(json_object_get(json_object_get(entry, "cluster"), "name"));
		struct cluster *cluster = state_cluster(&control->state, name);
		struct names *names = &control->state.names;
		for (struct name *each = cluster->spec->source == SOURCE_WATCH ? NULL : names_next(names, NULL); each;
		     each = names_next(names, each)) {
			struct pair *pair = names_pair(each, cluster->index);
			if (pair)
				pair->parked = false;
		}
		reader_open(&reader, entry, &faults, "$");
		state_facts_read_parked(&reader, names, cluster->index);
		json_faults_free(&faults);
		cluster->unsaved |= cluster->spec->source == SOURCE_WATCH;
		cluster->urgent |= cluster->unsaved;
		state_touch_cluster(&control->state, cluster);
	}
}

static void mark_drains(struct state *state)
{
	for (unsigned i = 0; i < CLUSTERS_MAX; i++) {
		struct cluster *cluster = state->clusters[i];
		if (!cluster)
			continue;
		cluster->drain.revision = state->revision;
		for (size_t j = 0; j < cluster->modes.count; j++)
			cluster->modes.list[j].drain.revision = state->revision;
	}
}

bool state_document_apply(struct control *control, const json_t *document, uint64_t revision)
{
	struct state next = {0}, *state = &control->state;
	struct json_faults faults = {0};
	json_t *fitted = fit(state, document);
	bool good = state_read(&next, fitted, "$", clock_monotonic_ms(), &faults);
	json_faults_free(&faults);
	if (good) {
		renew_drains(state, &next);
		next.revision = revision;
		good = save_watched(control, &next, document) && control_save_state(control, &next, NULL);
	}
	if (!good)
		forget_watched(control, &next);
	if (good) {
		remove_others(state, &next);
		put_clusters(control, &next, document);
		memcpy(state->traces, next.traces, sizeof(next.traces));
		set_parked(control, document);
		set_overrides(&state->names, &next.names);
		state->revision = revision;
		state->untouched = false;
		mark_drains(state);
		control->watchers.settled = false;
		watchers_refresh(&control->watchers);
		watchers_save_urgent(&control->watchers);
		drains_wake(control);
		control_state_changed(control);
	}
	state_free(&next);
	json_decref(fitted);
	return good;
}
