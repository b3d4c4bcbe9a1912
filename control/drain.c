/* Drains to their end: see the header. */
#include "control/drain.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "common/log.h"
#include "control/control.h"
#include "control/control_store.h"
#include "control/traffic/queries.h"
#include "control/observe/tell.h"

enum {
	DRAIN_POLL_MS = 200,
	DRAIN_CLOSE_MS = 1000, /* what is still there so long after it was closed is closed again */
};

const char *drain_span(uint64_t ms, char text[static DRAIN_TEXT_MAX])
{
	uint64_t seconds = ms / 1000, hours = seconds / 3600, minutes = seconds / 60 % 60;
	seconds %= 60;
	if (ms < 1000)
		snprintf(text, DRAIN_TEXT_MAX, "%" PRIu64 "ms", ms);
	else if (hours > 0 && seconds == 0)
		snprintf(text, DRAIN_TEXT_MAX, minutes > 0 ? "%" PRIu64 "h%" PRIu64 "m" : "%" PRIu64 "h", hours,
		         minutes);
	else if (hours + minutes > 0)
		snprintf(text, DRAIN_TEXT_MAX, seconds > 0 ? "%" PRIu64 "m%" PRIu64 "s" : "%" PRIu64 "m",
		         hours * 60 + minutes, seconds);
	else
		snprintf(text, DRAIN_TEXT_MAX, "%" PRIu64 "s", seconds);
	return text;
}

/* One thing that drains: a host, or a cluster. */
struct draining {
	struct control *control;
	const struct cluster *cluster;
	const struct host_spec *host; /* NULL: the whole cluster */
	struct drain *drain;
	uint64_t active;
};

__attribute__((format(printf, 4, 5))) static void say(const struct draining *draining, const char *kind,
                                                      enum journal_level level, const char *format, ...)
{
	char text[JOURNAL_TEXT_MAX], what[2 * CLUSTER_NAME_MAX + 40];
	const struct host_spec *host = draining->host;
	const char *cluster = draining->cluster->spec->name;
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (host)
		snprintf(what, sizeof(what), "router host %s/%s", cluster, host->name);
	else
		snprintf(what, sizeof(what), "cluster %s", cluster);
	tell(draining->control->journal, NULL,
	     (struct journal_entry){.kind = kind,
	                            .level = level,
	                            .object = host ? "host" : "cluster",
	                            .cluster = cluster,
	                            .name = host ? host->name : NULL},
	     "%s %s", what, text);
}

static void closed(void *context, const struct queries_result *result)
{
	if (!result->complete)
		log_warning("connections that are left of a drain are not closed yet: %s", result->why);
}

/* The end of a whole cluster closes what its router hosts have. */
static bool closes_with_cluster(const struct draining *draining)
{
	const struct drain *whole = &draining->cluster->drain;
	return draining->host && whole->told && whole->ended == 0;
}

static void close_rest(const struct draining *draining)
{
	char why[QUERY_WHY_MAX];
	struct queries_filter filter = {.cluster = draining->cluster->spec->name,
	                                .host = draining->host ? draining->host->id : 0};
	const struct queries_reader reader = {.done = closed};
	uint64_t now = clock_monotonic_ms();
	if (now < draining->drain->close_at || closes_with_cluster(draining))
		return;
	draining->drain->close_at = now + DRAIN_CLOSE_MS;
	if (!queries_close(draining->control, &filter, &reader, why))
		log_warning("connections that are left of a drain are not closed yet: %s", why);
}

/* Returns true if something is to be saved. */
static bool end(const struct draining *draining, int64_t unix_ms)
{
	struct drain *drain = draining->drain;
	drain->ended = unix_ms;
	say(draining, draining->host ? "host_drained" : "cluster_drained", JOURNAL_INFO,
	    "is drained: no connection is left%s", drain->told ? ", the last ones were closed" : "");
	return true;
}

static bool pass_deadline(const struct draining *draining)
{
	char span[DRAIN_TEXT_MAX];
	struct drain *drain = draining->drain;
	bool was_told = drain->told;
	/* Who asked for it to be at once was told so. */
	if (!was_told && drain->deadline > drain->since)
		say(draining, draining->host ? "host_drain_timeout" : "cluster_drain_timeout", JOURNAL_WARNING,
		    "has %" PRIu64 " connections left after %s: they are closed", draining->active,
		    drain_span(drain->timeout, span));
	drain->told = true;
	close_rest(draining);
	return !was_told;
}

/* Looks at one. Returns true if something is to be saved; `*waits` if it is not at its end. */
static bool look_at(const struct draining *draining, bool *waits)
{
	struct control *control = draining->control;
	struct drain *drain = draining->drain;
	int64_t unix_ms = clock_unix_ms();
	if (drain->since == 0 || drain->ended > 0)
		return false;
	*waits = true;
	if (drain->revision == 0)
		drain->revision = control->state.revision; /* of a control before */
	/* Until the workers know, there may be new ones. */
	if (!control_applied(control, drain->revision))
		return false;
	if (draining->active == 0)
		return end(draining, unix_ms);
	return drain->deadline > 0 && unix_ms >= drain->deadline && pass_deadline(draining);
}

static bool look_at_cluster(struct control *control, struct cluster *cluster, bool *waits)
{
	uint64_t sum = 0;
	bool save = false;
	for (size_t i = 0; i < cluster->spec->host_count; i++)
		sum += control_host_usage(control, cluster->spec->hosts[i].id).active;
	struct draining whole = {control, cluster, NULL, &cluster->drain, sum};
	save |= look_at(&whole, waits);
	for (size_t i = 0; i < cluster->modes.count; i++) {
		struct host_setting *setting = &cluster->modes.list[i];
		struct draining one = {control, cluster, &setting->host, &setting->drain,
		                       control_host_usage(control, setting->id).active};
		save |= look_at(&one, waits);
	}
	return save;
}

static void fire(void *context)
{
	struct control *control = context;
	bool save = false, waits = false;
	for (unsigned i = 0; i < CLUSTERS_MAX; i++)
		if (control->state.clusters[i])
			save |= look_at_cluster(control, control->state.clusters[i], &waits);
	if (save)
		control_save(control, NULL); /* if not, it is told once more after a restart */
	if (waits)
		event_timer_set(control->loop, &control->drain_timer, clock_monotonic_ms() + DRAIN_POLL_MS);
}

void drains_init(struct control *control)
{
	control->drain_timer = (struct event_timer){.fire = fire, .context = control};
}

void drains_wake(struct control *control)
{
	event_timer_set(control->loop, &control->drain_timer, clock_monotonic_ms());
}

void drains_stop(struct control *control)
{
	event_timer_cancel(control->loop, &control->drain_timer);
}
