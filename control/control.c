/* Control as a whole: see the header. Order: state at start, writes, health, feed. */
#include "control/control.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "common/log.h"
#include "common/run_file.h"
#include "control/adopt.h"
#include "control/check_http.h"
#include "control/claims.h"
#include "control/cluster_json.h"
#include "control/table.h"

enum {
	HEALTH_SCAN_MS = 20, /* checks that are due within that time begin together */
	HEALTH_SAVE_MS = 200,
	FEED_POLL_MS = 10,     /* events and acknowledgements are looked for */
	FEED_BUSY_MS = 1,      /* while messages wait for room in a ring */
	FEED_STALL_MS = 2000,  /* sent but not applied for so long: send everything again */
	TABLE_RETRY_MS = 1000, /* for objects without a slot */
	EVENTS_PER_POLL = 64,
};

__attribute__((format(printf, 2, 3))) static void notice(struct control *control, const char *format, ...)
{
	char *line;
	va_list args;
	va_start(args, format);
	if (vasprintf(&line, format, args) < 0)
		abort();
	va_end(args);
	log_warning("%s", line);
	if (control->notice_count < NOTICES_MAX)
		control->notices[control->notice_count++] = line;
	else
		free(line);
}

/* ---- the state at start ---- */

static bool save(struct control *control, const struct state_change *change)
{
	struct state_file_status *file = &control->state_file;
	json_t *value = state_write(&control->state, change);
	file->why[0] = '\0';
	file->good = state_file_write(file->path, value, true, file->why);
	json_decref(value);
	if (file->why[0] != '\0')
		log_error("%s", file->why);
	if (file->good)
		file->saved_at = clock_unix_ms();
	return file->good;
}

static void compare_with_file(struct control *control, struct cluster_spec *const *specs, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct cluster *cluster = state_cluster(&control->state, specs[i]->name);
		if (!cluster) {
			notice(control, "file differs from state: cluster %s is only in the file", specs[i]->name);
			continue;
		}
		/* What a plugin has pushed is never in the file. */
		struct cluster_spec *settings = cluster_copy_settings(cluster->spec);
		/* Nor has the file the last word on the state. */
		if (!specs[i]->state_given)
			specs[i]->state = cluster->spec->state;
		bool pushed = cluster->spec->source == SOURCE_PUSH;
		if (!cluster_equal(specs[i], pushed ? settings : cluster->spec))
			notice(control,
			       "file differs from state: cluster %s is another one in the file; the state counts",
			       specs[i]->name);
		cluster_free(settings);
	}
	for (unsigned i = 0; i < CLUSTERS_MAX; i++) {
		const struct cluster *cluster = control->state.clusters[i];
		bool found = cluster == NULL;
		for (size_t j = 0; j < count && !found; j++)
			found = strcmp(specs[j]->name, cluster->spec->name) == 0;
		if (!found)
			notice(control, "file differs from state: cluster %s is only in the state",
			       cluster->spec->name);
	}
}

static void log_faults(const char *where, const struct json_faults *faults)
{
	for (size_t i = 0; i < faults->count; i++)
		log_error("%s: %s: %s; expected %s", where, faults->list[i].path, faults->list[i].reason,
		          faults->list[i].expected);
}

/* Clusters of the configuration as the first state. Takes the specs. */
static bool begin_from_file(struct control *control, struct cluster_spec **specs, size_t count)
{
	struct json_faults faults = {0};
	for (size_t i = 0; i < count; i++) {
		if (state_check(&control->state, specs[i], control->config, &faults)) {
			state_put(&control->state, specs[i], 0, clock_monotonic_ms());
			state_cluster(&control->state, specs[i]->name)->initial = specs[i]->source == SOURCE_WATCH;
		} else {
			char where[96];
			snprintf(where, sizeof(where), "cluster %s of the configuration", specs[i]->name);
			log_faults(where, &faults);
			cluster_free(specs[i]);
		}
	}
	bool good = faults.count == 0;
	json_faults_free(&faults);
	watchers_forget(control);
	control->state.revision = 1;
	log_info("state begins with %zu clusters of the configuration", count);
	if (good && !save(control, NULL))
		notice(control, "the state cannot be saved, so changes through the API are refused: %s",
		       control->state_file.why);
	return good;
}

static enum state_file_result read_state(struct control *control, const char *path,
                                         char why[static STATE_FILE_TEXT_MAX])
{
	json_t *value;
	struct json_faults faults = {0};
	enum state_file_result result = state_file_read(path, &value, why);
	if (result != STATE_FILE_OK)
		return result;
	if (!state_read(&control->state, value, clock_monotonic_ms(), &faults)) {
		snprintf(why, STATE_FILE_TEXT_MAX, "%s: %s", faults.list[0].path, faults.list[0].reason);
		result = STATE_FILE_BROKEN;
	}
	json_faults_free(&faults);
	json_decref(value);
	return result;
}

/* Sets a broken file aside and reads the one before it. */
static enum state_file_result read_previous(struct control *control, const char *why)
{
	char previous[CONTROL_PATH_MAX + 16], previous_why[STATE_FILE_TEXT_MAX];
	const char *path = control->state_file.path;
	if (!state_file_set_aside(path))
		log_error("%s cannot be renamed: %s", path, strerror(errno));
	snprintf(previous, sizeof(previous), "%s.previous", path);
	enum state_file_result result = read_state(control, previous, previous_why);
	if (result == STATE_FILE_OK)
		notice(control, "state file %s was broken (%s): it is now %s.bad, and the version before it is used",
		       path, why, path);
	else
		notice(control,
		       "state file %s was broken (%s): it is now %s.bad; there is no version before it (%s), so the "
		       "clusters "
		       "of the configuration are used",
		       path, why, path, previous_why);
	if (result == STATE_FILE_OK)
		save(control, NULL);
	return result == STATE_FILE_OK ? STATE_FILE_OK : STATE_FILE_NONE;
}

static void read_health(struct control *control)
{
	json_t *value;
	char why[STATE_FILE_TEXT_MAX];
	enum state_file_result result = state_file_read(control->health_path, &value, why);
	if (result == STATE_FILE_OK) {
		state_read_health(&control->state, value, clock_monotonic_ms());
		json_decref(value);
	} else if (result != STATE_FILE_NONE) {
		log_warning("%s is not used: %s; every router host is checked now", control->health_path, why);
	}
}

static bool load(struct control *control, struct cluster_spec **specs, size_t count)
{
	char why[STATE_FILE_TEXT_MAX];
	enum state_file_result result = read_state(control, control->state_file.path, why);
	if (result == STATE_FILE_BROKEN)
		result = read_previous(control, why);
	if (result == STATE_FILE_NONE)
		return begin_from_file(control, specs, count);
	if (result == STATE_FILE_OK) {
		control->state_file.good = true;
		compare_with_file(control, specs, count);
		watchers_load(control);
	} else {
		log_error("state file %s: %s; move it away to begin with the clusters of the configuration",
		          control->state_file.path, why);
	}
	for (size_t i = 0; i < count; i++)
		cluster_free(specs[i]);
	return result == STATE_FILE_OK;
}

static void check_done(void *context, uint64_t id, struct check_result result);
static void health_fire(void *context);
static void health_save_fire(void *context);
static void feed_fire(void *context);

bool control_init(struct control *control, const struct config *config, struct event_loop *loop)
{
	struct cluster_spec *specs[CLUSTERS_MAX];
	struct json_faults faults = {0};
	*control = (struct control){.config = config, .loop = loop, .started_at = clock_unix_ms()};
	control->health_timer = (struct event_timer){.fire = health_fire, .context = control};
	control->health_save_timer = (struct event_timer){.fire = health_save_fire, .context = control};
	control->feed_timer = (struct event_timer){.fire = feed_fire, .context = control};
	snprintf(control->state_file.path, CONTROL_PATH_MAX, "%s/clusters.state", config->paths.state);
	snprintf(control->health_path, CONTROL_PATH_MAX, "%s/health.state", config->paths.state);
	size_t count = clusters_read(config->clusters, specs, &faults);
	bool good = faults.count == 0;
	log_faults("configuration", &faults);
	json_faults_free(&faults);
	if (!good || !load(control, specs, count))
		return false;
	read_health(control);
	return true;
}

/* ---- writes ---- */

void control_state_changed(struct control *control)
{
	control->table_stale = true;
	event_timer_set(control->loop, &control->health_timer, clock_monotonic_ms());
	event_timer_set(control->loop, &control->feed_timer, clock_monotonic_ms());
}

bool control_put(struct control *control, struct cluster_spec *spec, int64_t pushed_at, const char *who)
{
	struct state_change change = {.name = spec->name, .spec = spec, .pushed_at = pushed_at};
	if (!save(control, &change)) {
		cluster_free(spec);
		return false;
	}
	state_put(&control->state, spec, pushed_at, clock_monotonic_ms());
	log_info("cluster %s: set by %s: %zu router hosts, %zu routes; revision %llu", spec->name, who,
	         spec->host_count, spec->route_count, (unsigned long long)control->state.revision);
	watchers_refresh(&control->watchers);
	control_state_changed(control);
	return true;
}

bool control_delete(struct control *control, const char *name, const char *who)
{
	struct state_change change = {.name = name};
	if (!save(control, &change))
		return false;
	log_info("cluster %s: removed by %s; revision %llu", name, who,
	         (unsigned long long)control->state.revision + 1);
	state_delete(&control->state, name);
	watchers_refresh(&control->watchers);
	watchers_save(&control->watchers); /* other clusters may have left their parking */
	control_state_changed(control);
	return true;
}

/* Saves what was changed in place; the revision is one up. False: the caller takes it back. */
static bool save_in_place(struct control *control)
{
	control->state.revision++;
	if (save(control, NULL))
		return true;
	control->state.revision--;
	return false;
}

bool control_override(struct control *control, struct name *name, uint16_t cluster, int weight, const char *who)
{
	struct state *state = &control->state;
	struct pair *pair = names_pair(name, cluster);
	char text[ROUTE_TEXT_MAX];
	int before = pair->overridden ? pair->override : -1;
	names_pair_override(&state->names, name, pair, weight);
	if (!save_in_place(control)) {
		names_pair_override(&state->names, name, pair, before);
		return false;
	}
	log_info("route %s on cluster %s: weight %d (-1: its own) set by %s; revision %llu",
	         name_format(&name->host, name->wildcard, text), state->clusters[cluster]->spec->name, weight, who,
	         (unsigned long long)state->revision);
	if (pair->overridden && pair->parked) {
		pair->parked = false; /* for good */
		state->clusters[cluster]->unsaved = true;
		watchers_save(&control->watchers);
	}
	if (!pair->overridden && !pair->present)
		names_pair_remove(&state->names, name, cluster);
	claims_settle(state, name);
	control_state_changed(control);
	return true;
}

static struct cluster_settings settings_of(const struct cluster *cluster)
{
	const struct cluster_spec *spec = cluster->spec;
	return (struct cluster_settings){spec->state, spec->parks_routes, spec->default_weight};
}

static void set_settings(struct cluster *cluster, const struct cluster_settings *settings)
{
	cluster->spec->state = settings->state;
	cluster->spec->parks_routes = settings->parks_routes;
	cluster->spec->default_weight = settings->default_weight;
}

bool control_patch(struct control *control, struct cluster *cluster, const struct cluster_settings *settings,
                   const char *who)
{
	struct cluster_settings before = settings_of(cluster);
	set_settings(cluster, settings);
	if (!save_in_place(control)) {
		set_settings(cluster, &before);
		return false;
	}
	log_info("cluster %s: %s (was %s), default weight %u (was %u), new routes %s, set by %s; revision %llu",
	         cluster->spec->name, cluster_state_name(settings->state), cluster_state_name(before.state),
	         settings->default_weight, before.default_weight, settings->parks_routes ? "parked" : "active", who,
	         (unsigned long long)control->state.revision);
	state_touch_cluster(&control->state, cluster);
	control_state_changed(control);
	return true;
}

bool control_confirm(struct control *control, struct cluster *cluster, const char *who, size_t *count)
{
	struct adopt_clock clock = {clock_monotonic_ms(), clock_unix_ms()};
	*count = adopt_held(&control->state, cluster);
	if (*count == 0)
		return true;
	log_info("cluster %s: %zu held routes and router hosts go, confirmed by %s", cluster->spec->name, *count, who);
	if (cluster->spec->source == SOURCE_PUSH)
		return control_put(control, adopt_without_held(cluster->spec), cluster->pushed_at, who);
	adopt_confirm(&control->state, cluster, &clock);
	watchers_save(&control->watchers);
	control_state_changed(control);
	return true;
}

/* ---- health ---- */

static void save_health(struct control *control)
{
	char why[STATE_FILE_TEXT_MAX];
	json_t *value = state_write_health(&control->state);
	if (!state_file_write(control->health_path, value, false, why))
		log_error("%s", why);
	json_decref(value);
}

static void health_save_fire(void *context)
{
	save_health(context);
}

static void health_changed(struct control *control, const struct cluster *cluster, const struct host_spec *host,
                           const struct health *health)
{
	char address[ADDRESS_TEXT_MAX], reason[CHECK_TEXT_MAX];
	log_info("router host %s/%s (%s): %s: %s", cluster->spec->name, host->name,
	         address_format(&host->address, address), health_state_name(health->state),
	         check_result_text(health->last, reason));
	control->table_stale = true;
	event_timer_set(control->loop, &control->feed_timer, clock_monotonic_ms());
	if (!control->health_save_timer.armed)
		event_timer_set(control->loop, &control->health_save_timer, clock_monotonic_ms() + HEALTH_SAVE_MS);
}

static void check_done(void *context, uint64_t id, struct check_result result)
{
	struct control *control = context;
	struct cluster *cluster;
	struct host_spec *host;
	struct health *health = state_host(&control->state, id, &cluster, &host);
	if (!health)
		return; /* removed while the check ran */
	uint64_t now = clock_monotonic_ms();
	if (health_result(health, &cluster->spec->health, result, now, clock_unix_ms()))
		health_changed(control, cluster, host, health);
	else if (health->announce)
		control->table_stale = true;
	if (!control->health_timer.armed || control->health_timer.at > health->next_at)
		event_timer_set(control->loop, &control->health_timer, health->next_at);
}

static void begin_check(struct control *control, const struct cluster *cluster, size_t i, uint64_t now)
{
	const struct health_spec *spec = &cluster->spec->health;
	const struct host_spec *host = &cluster->spec->hosts[i];
	/* The pods know their port; the operator may know better. */
	bool pods_know = host->check_port != 0 && spec->port == HEALTH_PORT_DEFAULT;
	health_begin(&cluster->health[i], spec, now, (uint32_t)random());
	checker_start(control->checker, host->id, &host->address, pods_know ? host->check_port : spec->port, spec->path,
	              spec->timeout);
}

/* Begins the checks that are due, and sleeps until the next one is. */
static void health_fire(void *context)
{
	struct control *control = context;
	uint64_t now = clock_monotonic_ms(), next = UINT64_MAX;
	for (unsigned i = 0; i < CLUSTERS_MAX; i++) {
		const struct cluster *cluster = control->state.clusters[i];
		for (size_t j = 0; cluster && j < cluster->spec->host_count; j++) {
			struct health *health = &cluster->health[j];
			if (health_due(health, now))
				begin_check(control, cluster, j, now);
			if (!health->checking && health->next_at < next)
				next = health->next_at;
			else if (health->checking && health->next_at > now && health->next_at < next)
				next = health->next_at;
		}
	}
	if (next != UINT64_MAX)
		event_timer_set(control->loop, &control->health_timer,
		                next > now + HEALTH_SCAN_MS ? next : now + HEALTH_SCAN_MS);
}

/* ---- the dataplane ---- */

static struct slot_usage host_usage(void *context, uint32_t slot)
{
	const struct control *control = context;
	struct slot_usage sum = {0};
	for (unsigned i = 0; i < control->shared->worker_count; i++) {
		const struct shared_host_counters *host = &shared_hosts_of(shared_worker_at(control->shared, i))[slot];
		sum.active += shared_get(&host->active);
		sum.total += shared_get(&host->total);
		sum.refused += shared_get(&host->refused);
	}
	return sum;
}

static struct slot_usage pair_usage(void *context, uint32_t slot)
{
	const struct control *control = context;
	struct slot_usage sum = {0};
	for (unsigned i = 0; i < control->shared->worker_count; i++) {
		struct shared_worker *worker = shared_worker_at(control->shared, i);
		const struct shared_pair_counters *pair = &shared_pairs_of(control->shared, worker)[slot];
		sum.active += shared_get(&pair->active);
		sum.total += shared_get(&pair->total);
	}
	return sum;
}

static struct slot_usage usage_of(const struct control *control, const struct slots *slots, uint64_t id)
{
	uint32_t slot = control->shared ? slots_find(slots, id) : SLOT_NONE;
	return slot == SLOT_NONE ? (struct slot_usage){0} : slots_usage(slots, slot);
}

struct slot_usage control_host_usage(const struct control *control, uint64_t host_id)
{
	return usage_of(control, &control->hosts, host_id);
}

struct slot_usage control_pair_usage(const struct control *control, uint64_t pair_id)
{
	return usage_of(control, &control->pairs, pair_id);
}

bool control_applied(const struct control *control, uint64_t revision)
{
	return control->shared && control->applied >= revision;
}

static void host_failing(struct control *control, const struct event *event)
{
	struct cluster *cluster;
	struct host_spec *host;
	if (event->slot >= control->hosts.count || control->hosts.entries[event->slot].generation != event->generation)
		return;
	struct health *health = state_host(&control->state, control->hosts.entries[event->slot].id, &cluster, &host);
	if (!health)
		return;
	uint64_t now = clock_monotonic_ms();
	bool others = state_others_up(cluster, health);
	if (health_traffic_fails(health, others, now, clock_unix_ms()))
		health_changed(control, cluster, host, health);
	event_timer_set(control->loop, &control->health_timer, now);
}

static void take_events(struct control *control)
{
	struct event events[EVENTS_PER_POLL];
	for (unsigned i = 0; i < control->shared->worker_count; i++) {
		unsigned count = dataplane_link_receive(control->link, i, events, EVENTS_PER_POLL);
		for (unsigned j = 0; j < count; j++) {
			if (events[j].version != MESSAGE_VERSION)
				continue;
			if (events[j].type == EVENT_HOST_FAILING)
				host_failing(control, &events[j]);
			if (events[j].type == EVENT_RESYNC_WANTED) {
				log_warning("worker %u lost a message: everything is sent again", i);
				control->feed.resync = true;
				control->table_stale = true;
			}
		}
	}
}

static void look_for_applied(struct control *control, uint64_t now)
{
	uint64_t applied = feed_applied(&control->feed);
	if (applied != control->applied) {
		control->applied = applied;
		if (control->applied_changed)
			control->applied_changed(control->applied_context);
	}
	bool waiting = control->feed.table && applied < control->feed.table->revision;
	if (waiting && feed_idle(&control->feed) && now - control->fed_at > FEED_STALL_MS) {
		control->feed.resync = true;
		control->table_stale = true;
	}
}

static void tell_left_out(struct control *control, const struct table *table, uint64_t now)
{
	char text[sizeof(control->table_notice)] = "";
	size_t left_out = table->hosts_left_out + table->pairs_left_out + table->routes_left_out;
	control->rebuild_at = left_out > 0 ? now + TABLE_RETRY_MS : 0;
	if (left_out > 0)
		snprintf(
		    text, sizeof(text),
		    "the dataplane has no room for %zu router hosts, %zu routes, counters of %zu pairs: see limits.*",
		    table->hosts_left_out, table->routes_left_out, table->pairs_left_out);
	if (text[0] != '\0' && strcmp(text, control->table_notice) != 0)
		log_warning("%s", text);
	strcpy(control->table_notice, text);
}

/* Many changes are cheaper as a whole table, which also takes effect at one moment. */
static bool whole_is_better(const struct names *names)
{
	return names->dirty_count > MESSAGE_BATCH_MAX && names->dirty_count > names->count / 4;
}

static void give_table(struct control *control, uint64_t now)
{
	struct names *names = &control->state.names;
	bool whole = feed_wants_all(&control->feed) || whole_is_better(names);
	struct table *table =
	    (whole ? table_build : table_update)(&control->state, control->config, &control->hosts, &control->pairs,
	                                         control->shared->routes_max, feed_applied(&control->feed));
	tell_left_out(control, table, now);
	feed_table(&control->feed, table);
	control->table_stale = false;
	control->fed_at = now;
}

static void feed_fire(void *context)
{
	struct control *control = context;
	if (!control->shared)
		return;
	uint64_t now = clock_monotonic_ms();
	take_events(control);
	feed_pump(&control->feed);
	look_for_applied(control, now);
	if (control->rebuild_at != 0 && now >= control->rebuild_at) {
		names_touch_left_out(&control->state.names);
		control->table_stale = true;
	}
	if (control->table_stale && feed_idle(&control->feed))
		give_table(control, now);
	bool busy = !feed_idle(&control->feed) || control->applied < control->state.revision;
	event_timer_set(control->loop, &control->feed_timer, now + (busy ? FEED_BUSY_MS : FEED_POLL_MS));
}

static unsigned send_messages(void *context, unsigned worker, const struct message *messages, unsigned count)
{
	const struct control *control = context;
	return dataplane_link_send(control->link, worker, messages, count);
}

static uint64_t new_start(void)
{
	uint64_t start = 0;
	while (start == 0)
		if (getrandom(&start, sizeof(start), 0) != sizeof(start))
			start = (uint64_t)clock_unix_ms();
	return start;
}

static const char *link_ready(void *context, struct shared_header *shared, size_t size)
{
	static char why[FEED_WHY_MAX];
	struct control *control = context;
	if (!feed_shared_valid(shared, size, why))
		return why;
	control->shared = shared;
	slots_init(&control->hosts, shared_host_directory(shared), shared->hosts_max, host_usage, control);
	slots_init(&control->pairs, shared_pair_directory(shared), shared->pairs_max, pair_usage, control);
	feed_begin(&control->feed, shared, new_start(), send_messages, control);
	control->table_stale = true;
	event_timer_set(control->loop, &control->feed_timer, clock_monotonic_ms());
	return NULL;
}

static void link_restart(void *context)
{
	struct control *control = context;
	control->restart = true;
	event_loop_stop(control->loop);
}

void control_start(struct control *control)
{
	char run_path[CONFIG_PATH_MAX + 32];
	const struct link_handler handler = {.ready = link_ready, .restart = link_restart, .context = control};
	srandom((unsigned)new_start());
	control->checker = checker_create(control->loop, check_done, control);
	if (!control->checker)
		abort();
	snprintf(run_path, sizeof(run_path), "%s/" RUN_FILE_NAME, control->config->paths.run);
	control->link = dataplane_link_create(control->loop, run_path, &handler);
	watchers_start(&control->watchers, control);
	event_timer_set(control->loop, &control->health_timer, clock_monotonic_ms());
}

void control_stop(struct control *control)
{
	save_health(control);
	watchers_stop(&control->watchers);
	event_timer_cancel(control->loop, &control->health_timer);
	event_timer_cancel(control->loop, &control->health_save_timer);
	event_timer_cancel(control->loop, &control->feed_timer);
	checker_destroy(control->checker);
	if (control->shared) {
		feed_end(&control->feed);
		slots_free(&control->hosts);
		slots_free(&control->pairs);
	}
	dataplane_link_destroy(control->link);
	state_free(&control->state);
	for (unsigned i = 0; i < control->notice_count; i++)
		free(control->notices[i]);
}
