/* Control's writes about clusters and router hosts: saved, applied, told. See control.h. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/state/adopt.h"
#include "control/state/claims.h"
#include "control/control.h"
#include "control/control_store.h"
#include "control/drain.h"
#include "control/observe/tell.h"

static struct journal_entry entry_of(const struct control *control, const char *kind, const char *cluster)
{
	return (struct journal_entry){
	    .kind = kind, .object = "cluster", .cluster = cluster, .revision = control->state.revision};
}

/* ---- whole clusters ---- */

/* What it is draining by after it was put: nothing has changed if the state has not. */
static struct drain drain_after(const struct cluster *before, const struct cluster_spec *spec,
                                const struct actor *actor)
{
	bool drains = spec->state == CLUSTER_DRAINING || spec->state == CLUSTER_OFFLINE;
	if (before && before->spec->state == spec->state)
		return before->drain;
	return drains ? drain_begin(clock_unix_ms(), 0, false, actor) : (struct drain){0};
}

static bool put(struct control *control, struct cluster_spec *spec, int64_t pushed_at, const struct actor *actor)
{
	struct state *state = &control->state;
	struct drain drain = drain_after(state_cluster(state, spec->name), spec, actor);
	struct state_change change = {.name = spec->name, .spec = spec, .pushed_at = pushed_at, .drain = &drain};
	if (!control_save(control, &change)) {
		cluster_free(spec);
		return false;
	}
	state_put(state, spec, pushed_at, clock_monotonic_ms());
	drain.revision = state->revision;
	state_cluster(state, spec->name)->drain = drain;
	watchers_refresh(&control->watchers);
	watchers_save_urgent(&control->watchers); /* other clusters may have left their parking */
	drains_wake(control);
	control_state_changed(control);
	return true;
}

bool control_put(struct control *control, struct cluster_spec *spec, int64_t pushed_at, const struct actor *actor)
{
	const struct cluster *before = state_cluster(&control->state, spec->name);
	bool pushed = before && pushed_at != before->pushed_at;
	enum cluster_state state = before ? before->spec->state : spec->state;
	const char *kind = pushed ? "pushed" : before ? "cluster_changed" : "cluster_added";
	control->state.untouched &= pushed;
	if (!put(control, spec, pushed_at, actor))
		return false;
	size_t routes = control->state.names.of_cluster[state_cluster(&control->state, spec->name)->index];
	tell(control->journal, actor, entry_of(control, kind, spec->name),
	     "cluster %s: %s: %zu router host%s, %zu route%s, %s%s%s", spec->name,
	     pushed   ? "its plugin has pushed"
	     : before ? "changed"
	              : "added",
	     spec->host_count, plural(spec->host_count), routes, plural(routes), cluster_state_name(spec->state),
	     state != spec->state ? ", was " : "", state != spec->state ? cluster_state_name(state) : "");
	return true;
}

bool control_delete(struct control *control, const char *name, const struct actor *actor)
{
	char kept[CLUSTER_NAME_MAX + 1]; /* `name` may be the cluster's own */
	struct state_change change = {.name = name};
	snprintf(kept, sizeof(kept), "%s", name);
	control->state.untouched = false;
	if (!control_save(control, &change))
		return false;
	state_delete(&control->state, name);
	tell(control->journal, actor, entry_of(control, "cluster_removed", kept), "cluster %s: removed", kept);
	watchers_refresh(&control->watchers);
	watchers_save_urgent(&control->watchers); /* as above */
	control_state_changed(control);
	return true;
}

bool control_confirm(struct control *control, struct cluster *cluster, const struct actor *actor, size_t *count)
{
	struct adopt_clock clock = {clock_monotonic_ms(), clock_unix_ms()};
	char name[CLUSTER_NAME_MAX + 1];
	strcpy(name, cluster->spec->name);
	*count = adopt_held(&control->state, cluster);
	if (*count == 0)
		return true;
	control->state.untouched = false;
	if (cluster->spec->source == SOURCE_PUSH) {
		if (!put(control, adopt_without_held(cluster->spec), cluster->pushed_at, actor))
			return false;
	} else {
		adopt_confirm(&control->state, cluster, &clock);
		watchers_save_urgent(&control->watchers);
		control_state_changed(control);
	}
	tell(control->journal, actor, entry_of(control, "held_confirmed", name),
	     "cluster %s: %zu held routes and router hosts go", name, *count);
	return true;
}

/* ---- settings ---- */

static bool closes_at_once(const struct drain *drain)
{
	return drain->since > 0 && drain->deadline == drain->since;
}

struct cluster_settings control_settings(const struct cluster *cluster)
{
	const struct cluster_spec *spec = cluster->spec;
	return (struct cluster_settings){.state = spec->state,
	                                 .parks_routes = spec->parks_routes,
	                                 .default_weight = spec->default_weight,
	                                 .drain_timeout = cluster->drain.timeout,
	                                 .closes = closes_at_once(&cluster->drain)};
}

bool control_settings_differ(const struct cluster *cluster, const struct cluster_settings *settings)
{
	struct cluster_settings now = control_settings(cluster);
	if (settings->state != now.state || settings->parks_routes != now.parks_routes ||
	    settings->default_weight != now.default_weight)
		return true;
	return (settings->state == CLUSTER_DRAINING && settings->drain_timeout != now.drain_timeout) ||
	       (settings->state == CLUSTER_OFFLINE && settings->closes && !now.closes);
}

static void set_settings(struct cluster *cluster, const struct cluster_settings *settings)
{
	cluster->spec->state = settings->state;
	cluster->spec->parks_routes = settings->parks_routes;
	cluster->spec->default_weight = settings->default_weight;
}

static struct drain drain_of(const struct cluster *cluster, const struct cluster_settings *settings,
                             const struct actor *actor)
{
	struct cluster_settings now = control_settings(cluster);
	bool same = settings->state == now.state && settings->drain_timeout == now.drain_timeout &&
	            (now.closes || !settings->closes);
	if (settings->state != CLUSTER_DRAINING && settings->state != CLUSTER_OFFLINE)
		return (struct drain){0};
	if (same && cluster->drain.since > 0)
		return cluster->drain;
	return drain_begin(clock_unix_ms(), settings->state == CLUSTER_DRAINING ? settings->drain_timeout : 0,
	                   settings->state == CLUSTER_OFFLINE && settings->closes, actor);
}

static const char *kind_of(enum cluster_state before, enum cluster_state after)
{
	if (after == CLUSTER_DRAINING)
		return "cluster_draining";
	if (before == after)
		return "cluster_changed";
	if (after == CLUSTER_OFFLINE)
		return "cluster_offline";
	if (after == CLUSTER_STAGED)
		return "cluster_staged";
	return before == CLUSTER_STAGED ? "cluster_activated" : "cluster_enabled";
}

static void tell_patched(struct control *control, const struct cluster *cluster, const struct cluster_settings *before,
                         size_t parked, const struct actor *actor)
{
	char more[160] = "", span[DRAIN_TEXT_MAX];
	const struct cluster_spec *spec = cluster->spec;
	bool same_settings =
	    spec->parks_routes == before->parks_routes && spec->default_weight == before->default_weight;
	const char *kind = kind_of(before->state, spec->state);
	if (before->state == spec->state && !same_settings)
		kind = "cluster_changed";
	if (parked > 0)
		snprintf(more, sizeof(more), "; %zu of its routes are parked, because other clusters serve them",
		         parked);
	else if (spec->state == CLUSTER_DRAINING && cluster->drain.timeout > 0)
		snprintf(more, sizeof(more), "; what is left after %s is closed",
		         drain_span(cluster->drain.timeout, span));
	else if (spec->state == CLUSTER_OFFLINE && closes_at_once(&cluster->drain))
		snprintf(more, sizeof(more), "; its connections are closed");
	tell(control->journal, actor, entry_of(control, kind, spec->name),
	     "cluster %s: %s (was %s), default weight %u, new routes %s%s", spec->name, cluster_state_name(spec->state),
	     cluster_state_name(before->state), spec->default_weight, spec->parks_routes ? "parked" : "active", more);
}

/* Before the state file: parking that is lost would move users. */
static bool save_parked(struct control *control, struct cluster *cluster, size_t count)
{
	return count == 0 || cluster->spec->source != SOURCE_WATCH ||
	       watchers_save_now(control, &control->state, cluster, control->state_file.why);
}

bool control_patch(struct control *control, struct cluster *cluster, const struct cluster_settings *settings,
                   const struct actor *actor)
{
	size_t parked_count = 0;
	struct cluster_settings before = control_settings(cluster);
	struct drain drain = cluster->drain;
	bool activates = before.state == CLUSTER_STAGED && settings->state == CLUSTER_ACTIVE;
	struct name **parked = activates ? claims_park(&control->state, cluster, &parked_count) : NULL;
	cluster->drain = drain_of(cluster, settings, actor);
	set_settings(cluster, settings);
	bool good = save_parked(control, cluster, parked_count) && control_save_in_place(control);
	if (!good) {
		set_settings(cluster, &before);
		cluster->drain = drain;
		claims_unpark(cluster, parked, parked_count);
		if (parked_count > 0 && cluster->spec->source == SOURCE_WATCH) {
			cluster->unsaved = cluster->urgent = true; /* its file may say parked */
			watchers_save_urgent(&control->watchers);
		}
	}
	free(parked);
	if (!good)
		return false;
	cluster->drain.revision = control->state.revision;
	tell_patched(control, cluster, &before, parked_count, actor);
	state_touch_cluster(&control->state, cluster);
	drains_wake(control);
	control_state_changed(control);
	return true;
}

/* ---- router hosts ---- */

static void tell_host(struct control *control, const struct cluster *cluster, const struct host_setting *setting,
                      const struct actor *actor)
{
	static const char *const kinds[] = {"host_enabled", "host_drain_started", "host_disabled"};
	static const char *const texts[] = {"may get new connections again", "drains: it gets no new connections",
	                                    "is disabled: it gets no new connections"};
	char more[80] = "", span[DRAIN_TEXT_MAX], address[ADDRESS_TEXT_MAX];
	const struct host_spec *host = &setting->host;
	if (setting->mode == HOST_MODE_DRAINING && setting->drain.timeout > 0)
		snprintf(more, sizeof(more), "; what is left after %s is closed",
		         drain_span(setting->drain.timeout, span));
	else if (setting->mode != HOST_MODE_ENABLED && closes_at_once(&setting->drain))
		snprintf(more, sizeof(more), "; its connections are closed");
	tell(control->journal, actor,
	     (struct journal_entry){.kind = kinds[setting->mode],
	                            .object = "host",
	                            .cluster = cluster->spec->name,
	                            .name = host->name,
	                            .revision = control->state.revision},
	     "router host %s/%s (%s): %s%s", cluster->spec->name, host->name, address_format(&host->address, address),
	     texts[setting->mode], more);
}

bool control_host_mode(struct control *control, struct cluster *cluster, const struct host_setting *setting,
                       const struct actor *actor)
{
	struct host_setting wanted = *setting, before = {.mode = HOST_MODE_ENABLED};
	const struct host_setting *found = host_modes_find(&cluster->modes, setting->id);
	if (found)
		before = *found;
	wanted.drain.revision = control->state.revision + 1;
	if (wanted.mode == HOST_MODE_ENABLED)
		host_modes_clear(&cluster->modes, wanted.id);
	else
		host_modes_set(&cluster->modes, &wanted);
	if (!control_save_in_place(control)) {
		if (before.mode == HOST_MODE_ENABLED)
			host_modes_clear(&cluster->modes, wanted.id);
		else
			host_modes_set(&cluster->modes, &before);
		return false;
	}
	tell_host(control, cluster, &wanted, actor);
	drains_wake(control);
	control_state_changed(control);
	return true;
}
