/* What passes between control and the dataplane: see the header. */
#include "control/control_feed.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "common/log.h"
#include "common/run_file.h"
#include "control/control.h"
#include "control/control_health.h"
#include "control/traffic/queries.h"
#include "control/traffic/records.h"
#include "control/reload.h"
#include "control/feed/table.h"
#include "control/observe/tell.h"

enum {
	FEED_POLL_MS = 10,     /* events and acknowledgements are looked for */
	FEED_BUSY_MS = 1,      /* while messages wait for room in a ring, or somebody for records */
	FEED_STALL_MS = 2000,  /* sent but not applied for so long: send everything again */
	TABLE_RETRY_MS = 1000, /* for objects without a slot */
	EVENTS_PER_POLL = 64,
};

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
	enum health_state before = health->state;
	if (health_traffic_fails(health, others, now, clock_unix_ms()))
		control_health_changed(control, cluster, host, health, before);
	control_health_wake(control);
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

bool control_same_config(const struct control *control)
{
	uint64_t print = control->shared ? shared_get(&control->shared->config_print) : 0;
	return print == 0 || print == control->config->print;
}

static void give_table(struct control *control, uint64_t now)
{
	struct names *names = &control->state.names;
	bool whole = feed_wants_all(&control->feed) || whole_is_better(names);
	struct table *table =
	    (whole ? table_build : table_update)(&control->state, control->config, &control->hosts, &control->pairs,
	                                         control->shared->routes_max, feed_applied(&control->feed));
	tell_left_out(control, table, now);
	if (!control_same_config(control))
		table->listener_count = 0;
	feed_table(&control->feed, table);
	control->table_stale = false;
	control->fed_at = now;
}

static void fire(void *context)
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
	if (control->table_stale && feed_idle(&control->feed) && !reload_pending(control->reload))
		give_table(control, now);
	bool busy = records_take(control) || queries_busy(control->queries);
	busy |= !feed_idle(&control->feed) || control->applied < control->state.revision;
	event_timer_set(control->loop, &control->feed_timer, now + (busy ? FEED_BUSY_MS : FEED_POLL_MS));
}

static unsigned send_messages(void *context, unsigned worker, const struct message *messages, unsigned count)
{
	const struct control *control = context;
	return dataplane_link_send(control->link, worker, messages, count);
}

static uint64_t random_start(void)
{
	uint64_t start = 0;
	while (start == 0)
		if (getrandom(&start, sizeof(start), 0) != sizeof(start))
			start = (uint64_t)clock_unix_ms();
	return start;
}

static void config_told(void *context, struct reload_outcome *outcome)
{
	if (outcome->result != RELOAD_DONE && outcome->result != RELOAD_NOTHING)
		log_error(
		    "the dataplane runs another configuration file than control and does not take this one; default "
		    "clusters of listeners do not serve until both have the same: run pointsman reload, or restart "
		    "the dataplane");
	config_errors_free(&outcome->errors);
}

/* The file has changed while control was away. */
static void tell_config(struct control *control)
{
	const struct actor actor = {.who = "control", .reason = "the dataplane runs an older configuration file"};
	if (control->reload && !control_same_config(control))
		reload_begin(control->reload, false, &actor, config_told, NULL);
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
	feed_begin(&control->feed, shared, random_start(), send_messages, control);
	control->table_stale = true;
	records_tell(control);
	control_feed_wake(control);
	tell(control->journal, NULL, (struct journal_entry){.kind = "dataplane_attached", .object = "dataplane"},
	     "attached to the dataplane (pid %d)", dataplane_link_pid(control->link));
	tell_config(control);
	return NULL;
}

static void link_restart(void *context)
{
	struct control *control = context;
	control->restart = true;
	/* How its last connections have ended still stands in the rings; nothing is added any more. */
	while (control->shared && records_take(control))
		continue;
	queries_cancel(control->queries, "the dataplane has ended");
	if (control->shared)
		tell(
		    control->journal, NULL,
		    (struct journal_entry){.kind = "dataplane_lost", .level = JOURNAL_ERROR, .object = "dataplane"},
		    "the dataplane has ended: its connections are lost, and no new ones are taken until it runs again");
	event_loop_stop(control->loop);
}

void control_feed_wake(struct control *control)
{
	event_timer_set(control->loop, &control->feed_timer, clock_monotonic_ms());
}

void control_feed_init(struct control *control)
{
	control->feed_timer = (struct event_timer){.fire = fire, .context = control};
	records_init(control);
}

void control_feed_start(struct control *control)
{
	char run_path[CONFIG_PATH_MAX + 32];
	const struct link_handler handler = {.ready = link_ready, .restart = link_restart, .context = control};
	snprintf(run_path, sizeof(run_path), "%s/" RUN_FILE_NAME, control->config->paths.run);
	control->link = dataplane_link_create(control->loop, run_path, &handler);
}

void control_feed_stop(struct control *control)
{
	event_timer_cancel(control->loop, &control->feed_timer);
	records_end(control);
	if (control->shared) {
		feed_end(&control->feed);
		slots_free(&control->hosts);
		slots_free(&control->pairs);
	}
	dataplane_link_destroy(control->link);
}
