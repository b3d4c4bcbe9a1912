/* Health checks of all router hosts: see the header. */
#include "control/control_health.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/log.h"
#include "control/health/check_http.h"
#include "control/control.h"
#include "control/control_feed.h"
#include "control/observe/tell.h"

enum {
	HEALTH_SCAN_MS = 20, /* checks that are due within that time begin together */
	HEALTH_SAVE_MS = 200,
};

void control_health_read(struct control *control)
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

void control_health_save(struct control *control)
{
	char why[STATE_FILE_TEXT_MAX];
	json_t *value = state_write_health(&control->state);
	if (!state_file_write(control->health_path, value, false, why))
		log_error("%s", why);
	json_decref(value);
}

static void save_fire(void *context)
{
	control_health_save(context);
}

/* Only a change is worth an entry; after a restart a state may only be confirmed. */
static void tell_changed(struct control *control, const struct cluster *cluster, const struct host_spec *host,
                         const struct health *health, enum health_state before)
{
	char address[ADDRESS_TEXT_MAX], reason[CHECK_TEXT_MAX];
	bool up = health->state == HEALTH_UP;
	struct journal_entry entry = {.kind = up ? "host_up" : "host_down",
	                              .level = up ? JOURNAL_INFO : JOURNAL_WARNING,
	                              .object = "host",
	                              .cluster = cluster->spec->name,
	                              .name = host->name};
	if (health->state == before) {
		log_info("router host %s/%s is still %s: %s", cluster->spec->name, host->name,
		         health_state_name(health->state), check_result_text(health->last, reason));
		return;
	}
	tell(control->journal, NULL, entry, "router host %s/%s (%s): %s: %s", cluster->spec->name, host->name,
	     address_format(&host->address, address), health_state_name(health->state),
	     check_result_text(health->last, reason));
}

void control_health_changed(struct control *control, const struct cluster *cluster, const struct host_spec *host,
                            const struct health *health, enum health_state before)
{
	tell_changed(control, cluster, host, health, before);
	control->table_stale = true;
	control_feed_wake(control);
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
	enum health_state before = health->state;
	if (health_result(health, &cluster->spec->health, result, now, clock_unix_ms()))
		control_health_changed(control, cluster, host, health, before);
	else if (health->announce)
		control->table_stale = true;
	if (!control->health_timer.armed || control->health_timer.at > health->next_at)
		event_timer_set(control->loop, &control->health_timer, health->next_at);
	check_now_look(control);
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
static void fire(void *context)
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

void control_health_wake(struct control *control)
{
	event_timer_set(control->loop, &control->health_timer, clock_monotonic_ms());
}

void control_health_init(struct control *control)
{
	control->health_timer = (struct event_timer){.fire = fire, .context = control};
	control->health_save_timer = (struct event_timer){.fire = save_fire, .context = control};
}

void control_health_start(struct control *control)
{
	srandom((unsigned)clock_monotonic_ms());
	control->checker = checker_create(control->loop, check_done, control);
	if (!control->checker)
		abort();
	control_health_wake(control);
}

void control_health_stop(struct control *control)
{
	control_health_save(control);
	event_timer_cancel(control->loop, &control->health_timer);
	event_timer_cancel(control->loop, &control->health_save_timer);
	checker_destroy(control->checker);
}
