/* Watches and their files: see the header. */
#include "control/watchers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "control/state/adopt.h"
#include "control/state/claims.h"
#include "control/control.h"
#include "control/control_store.h"
#include "control/state/state_file.h"
#include "control/observe/tell.h"
#include "control/watch_file.h"

enum {
	SAVE_SHARE = 20, /* saving takes at most one in so many parts of the loop's time */
	SAVE_AGAIN_MS = 1000,
	SAVE_STATE_AGAIN_MS = 60000, /* each failure stands in the journal */
	REAP_MS = 500,               /* hosts whose pods are gone are looked at */
	WATCH_PATH_MAX = CONTROL_PATH_MAX + CLUSTER_NAME_MAX + 16,
};

static const char *path_of(const struct control *control, const char *cluster, char path[static WATCH_PATH_MAX])
{
	snprintf(path, WATCH_PATH_MAX, "%s/watch-%s.state", control->config->paths.state, cluster);
	return path;
}

static struct adopt_clock clock_now(void)
{
	return (struct adopt_clock){clock_monotonic_ms(), clock_unix_ms()};
}

/* ---- files ---- */

static bool load_file(struct control *control, struct cluster *cluster, const char *path)
{
	json_t *value;
	char text[STATE_FILE_TEXT_MAX];
	const char *why = text;
	enum state_file_result result = state_file_read(path, &value, text);
	if (result == STATE_FILE_NONE)
		return false;
	bool good =
	    result == STATE_FILE_OK && watch_file_read(&control->state, cluster, value, clock_monotonic_ms(), &why);
	if (result == STATE_FILE_OK)
		json_decref(value);
	if (!good)
		log_error("cluster %s: %s is not used: %s", cluster->spec->name, path, why);
	return good;
}

void watchers_load(struct control *control)
{
	for (unsigned i = 0; i < CLUSTERS_MAX; i++) {
		char path[WATCH_PATH_MAX], previous[WATCH_PATH_MAX + 16];
		struct cluster *cluster = control->state.clusters[i];
		if (!cluster || cluster->spec->source != SOURCE_WATCH)
			continue;
		path_of(control, cluster->spec->name, path);
		snprintf(previous, sizeof(previous), "%s.previous", path);
		if (load_file(control, cluster, path) || load_file(control, cluster, previous))
			log_info("cluster %s: begins with its last good state: %zu routes, %zu router hosts",
			         cluster->spec->name, control->state.names.of_cluster[i], cluster->spec->host_count);
	}
}

static bool write_file(const struct control *control, const struct state *state, struct cluster *cluster, bool durable,
                       char *why)
{
	char path[WATCH_PATH_MAX];
	size_t len;
	char *text = watch_file_write(state, cluster, &len);
	cluster->unsaved =
	    !state_file_write_text(path_of(control, cluster->spec->name, path), text, len, durable, true, why);
	cluster->urgent &= cluster->unsaved;
	free(text);
	return !cluster->unsaved;
}

static void save(struct watcher *watcher, struct cluster *cluster)
{
	char why[STATE_FILE_TEXT_MAX];
	uint64_t before = clock_monotonic_ms();
	/* What is not urgent is not forced to the disk: after a loss of power its checksum says whether it is good, and
	 * the one before is there; the API has it all again. */
	if (!write_file(watcher->control, &watcher->control->state, cluster, cluster->urgent, why))
		log_error("%s", why);
	uint64_t now = clock_monotonic_ms();
	watcher->save_at = now + (now - before) * SAVE_SHARE + (cluster->unsaved ? SAVE_AGAIN_MS : 0);
}

static void save_state(struct watchers *watchers)
{
	uint64_t before = clock_monotonic_ms();
	bool good = control_save(watchers->control, NULL);
	uint64_t now = clock_monotonic_ms();
	watchers->state_save_at = now + (now - before) * SAVE_SHARE + (good ? 0 : SAVE_STATE_AGAIN_MS);
}

static void save_fire(void *context)
{
	struct watchers *watchers = context;
	const struct state *state = &watchers->control->state;
	uint64_t now = clock_monotonic_ms(), next = UINT64_MAX;
	if (state->unsaved && now >= watchers->state_save_at)
		save_state(watchers);
	if (state->unsaved)
		next = watchers->state_save_at;
	for (unsigned i = 0; i < CLUSTERS_MAX; i++) {
		struct watcher *watcher = &watchers->list[i];
		struct cluster *cluster = state->clusters[i];
		if (!cluster || !cluster->unsaved)
			continue;
		if (now >= watcher->save_at)
			save(watcher, cluster);
		if (cluster->unsaved && watcher->save_at < next)
			next = watcher->save_at;
	}
	if (next != UINT64_MAX)
		event_timer_set(watchers->control->loop, &watchers->save_timer, next);
}

void watchers_save(struct watchers *watchers)
{
	save_fire(watchers);
}

void watchers_save_urgent(struct watchers *watchers)
{
	watchers->state_save_at = 0;
	for (unsigned i = 0; i < CLUSTERS_MAX; i++) {
		const struct cluster *cluster = watchers->control->state.clusters[i];
		if (cluster && cluster->urgent)
			watchers->list[i].save_at = 0;
	}
	save_fire(watchers);
}

bool watchers_save_now(const struct control *control, const struct state *state, struct cluster *cluster, char *why)
{
	return write_file(control, state, cluster, true, why);
}

void watchers_forget_cluster(const struct control *control, const char *cluster)
{
	static const char *const suffixes[] = {"", ".previous"};
	char path[WATCH_PATH_MAX], name[WATCH_PATH_MAX + 16];
	path_of(control, cluster, path);
	for (unsigned i = 0; i < 2; i++) {
		snprintf(name, sizeof(name), "%s%s", path, suffixes[i]);
		unlink(name);
	}
}

void watchers_forget(const struct control *control)
{
	for (unsigned i = 0; i < CLUSTERS_MAX; i++) {
		const struct cluster *cluster = control->state.clusters[i];
		if (cluster && cluster->spec->source == SOURCE_WATCH)
			watchers_forget_cluster(control, cluster->spec->name);
	}
}

/* See watchers_refresh. */
static void settle_once(struct watchers *watchers)
{
	struct control *control = watchers->control;
	for (unsigned i = 0; i < CLUSTERS_MAX; i++) {
		const struct cluster *cluster = control->state.clusters[i];
		if (cluster && cluster->spec->source == SOURCE_WATCH && !cluster->current)
			return;
	}
	if (watchers->settled)
		return;
	watchers->settled = true;
	if (!claims_settle_all(&control->state))
		return;
	control->state.revision++;
	watchers_save_urgent(watchers);
	control_state_changed(control);
}

/* ---- reports ---- */

static struct journal_entry entry_of(const struct watcher *watcher, const char *kind, enum journal_level level)
{
	return (struct journal_entry){.kind = kind, .level = level, .object = "cluster", .cluster = watcher->name};
}

/* The first watch that fails, or NULL. */
static const struct kube_watch_status *find_failing(const struct kube_status *status)
{
	for (size_t i = 0; i < status->watch_count; i++)
		if (status->watches[i].failing)
			return &status->watches[i];
	return NULL;
}

static void look_for_failing(struct watcher *watcher)
{
	struct kube_status status;
	struct journal *journal = watcher->control->journal;
	if (!watcher->source)
		return;
	kube_source_status(watcher->source, &status);
	const struct kube_watch_status *failing = find_failing(&status);
	if (failing && !watcher->failing)
		tell(journal, NULL, entry_of(watcher, "watch_failing", JOURNAL_WARNING),
		     "cluster %s: the watch of %s fails: %s; what is known goes on serving", watcher->name,
		     failing->what, failing->error);
	if (!failing && watcher->failing)
		tell(journal, NULL, entry_of(watcher, "watch_recovered", JOURNAL_INFO),
		     "cluster %s: its API answers again", watcher->name);
	watcher->failing = failing != NULL;
}

static void changed(void *context, enum kube_change change)
{
	struct watcher *watcher = context;
	struct control *control = watcher->control;
	struct cluster *cluster = control->state.clusters[watcher->index];
	struct adopt_clock clock = clock_now();
	bool was_current = cluster->current;
	bool differs = adopt_observed(&control->state, cluster, control->config, kube_source_observed(watcher->source),
	                              change == KUBE_LIST, &clock);
	size_t routes = control->state.names.of_cluster[cluster->index];
	if (!was_current)
		tell(control->journal, NULL, entry_of(watcher, "cluster_current", JOURNAL_INFO),
		     "cluster %s: is up to date with its API: %zu route%s, %zu router host%s, %zu held", watcher->name,
		     routes, plural(routes), cluster->spec->host_count, plural(cluster->spec->host_count),
		     adopt_held(&control->state, cluster));
	settle_once(&control->watchers);
	watchers_save(&control->watchers); /* before the workers are told, if it does not take too long */
	if (differs)
		control_state_changed(control);
}

static bool host_idle(void *context, const struct host_spec *host)
{
	return control_host_usage(context, host->id).active == 0;
}

static void reap_fire(void *context)
{
	struct watchers *watchers = context;
	struct control *control = watchers->control;
	struct adopt_clock clock = clock_now();
	bool differs = false;
	for (unsigned i = 0; i < CLUSTERS_MAX; i++) {
		struct cluster *cluster = control->state.clusters[i];
		if (cluster && cluster_hosts_are_observed(cluster->spec))
			differs |= adopt_reap_hosts(&control->state, cluster, host_idle, control, &clock);
	}
	for (unsigned i = 0; i < CLUSTERS_MAX; i++)
		look_for_failing(&watchers->list[i]);
	if (differs) {
		watchers_save(watchers);
		control_state_changed(control);
	}
	event_timer_set(control->loop, &watchers->reap_timer, clock.now + REAP_MS);
}

/* ---- life ---- */

static void stop(struct watcher *watcher)
{
	kube_source_stop(watcher->source);
	watcher->source = NULL;
	watcher->failing = false;
}

static void start(struct watcher *watcher, struct cluster *cluster)
{
	strcpy(watcher->name, cluster->spec->name);
	cluster->watch_changed = false;
	cluster->current = false;
	watcher->source =
	    kube_source_start(watcher->control->loop, watcher->name, cluster->spec->watch, NULL, changed, watcher);
	if (!watcher->source)
		log_error("cluster %s: cannot be watched: libcurl has no memory", watcher->name);
}

void watchers_refresh(struct watchers *watchers)
{
	for (unsigned i = 0; i < CLUSTERS_MAX; i++) {
		struct watcher *watcher = &watchers->list[i];
		struct cluster *cluster = watchers->control->state.clusters[i];
		bool watched = cluster && cluster->spec->source == SOURCE_WATCH;
		bool same = watched && watcher->source && strcmp(watcher->name, cluster->spec->name) == 0;
		if (watcher->source && !(same && !cluster->watch_changed))
			stop(watcher);
		if (!same && watcher->name[0] != '\0' && !state_cluster(&watchers->control->state, watcher->name)) {
			watchers_forget_cluster(watchers->control, watcher->name);
			watcher->name[0] = '\0';
		}
		if (watched && !watcher->source)
			start(watcher, cluster);
	}
	settle_once(watchers);
}

void watchers_start(struct watchers *watchers, struct control *control)
{
	*watchers = (struct watchers){.control = control};
	watchers->save_timer = (struct event_timer){.fire = save_fire, .context = watchers};
	watchers->reap_timer = (struct event_timer){.fire = reap_fire, .context = watchers};
	for (uint16_t i = 0; i < CLUSTERS_MAX; i++)
		watchers->list[i] = (struct watcher){.control = control, .index = i};
	watchers_refresh(watchers);
	event_timer_set(control->loop, &watchers->reap_timer, clock_monotonic_ms() + REAP_MS);
}

void watchers_stop(struct watchers *watchers)
{
	for (unsigned i = 0; i < CLUSTERS_MAX; i++) {
		struct watcher *watcher = &watchers->list[i];
		struct cluster *cluster = watchers->control->state.clusters[i];
		stop(watcher);
		if (cluster && cluster->unsaved)
			save(watcher, cluster);
	}
	if (watchers->control->state.unsaved)
		save_state(watchers);
	event_timer_cancel(watchers->control->loop, &watchers->save_timer);
	event_timer_cancel(watchers->control->loop, &watchers->reap_timer);
}

const char *watchers_rejection(const struct watchers *watchers, const struct cluster *cluster, uint64_t name_id)
{
	const struct watcher *watcher = &watchers->list[cluster->index];
	return watcher->source ? kube_source_rejection(watcher->source, name_id) : NULL;
}

bool watchers_status(const struct watchers *watchers, const struct cluster *cluster, struct kube_status *out)
{
	const struct watcher *watcher = &watchers->list[cluster->index];
	if (!watcher->source)
		return false;
	kube_source_status(watcher->source, out);
	return true;
}
