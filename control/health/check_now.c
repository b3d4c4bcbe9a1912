/* Checks at once: see the header. */
#include "control/health/check_now.h"

#include <stdlib.h>
#include <string.h>

#include "control/api/api.h"
#include "control/api/cluster_view.h"
#include "control/control.h"
#include "control/control_health.h"
#include "control/api/endpoint.h"

struct check_wait {
	struct check_wait *next;
	struct api_later *later;
	char cluster[CLUSTER_NAME_MAX + 1];
	uint64_t begun_at; /* monotonic ms */
};

static bool is_done(const struct cluster *cluster, uint64_t begun_at)
{
	for (size_t i = 0; i < cluster->spec->host_count; i++) {
		const struct health *health = &cluster->health[i];
		bool due = health->next_at <= begun_at; /* still to begin */
		if (due || health->checking || health->check_again || health->begun_at < begun_at)
			return false;
	}
	return true;
}

static void answer(struct control *control, struct check_wait *wait)
{
	const struct cluster *cluster = state_cluster(&control->state, wait->cluster);
	api_later_answer(wait->later, cluster ? reply_state(control, cluster_status(control, cluster))
	                                      : reply_problem(404, "cluster %s was removed meanwhile", wait->cluster));
}

void check_now_look(struct control *control)
{
	struct check_waits *waits = &control->check_waits;
	uint64_t now = clock_monotonic_ms(), next = UINT64_MAX;
	for (struct check_wait **at = &waits->first; *at;) {
		struct check_wait *wait = *at;
		const struct cluster *cluster = state_cluster(&control->state, wait->cluster);
		uint64_t until = wait->begun_at + CHECK_NOW_MS;
		if (cluster && !is_done(cluster, wait->begun_at) && now < until) {
			next = until < next ? until : next;
			at = &wait->next;
			continue;
		}
		*at = wait->next;
		waits->count--;
		answer(control, wait);
		free(wait);
	}
	if (next != UINT64_MAX)
		event_timer_set(control->loop, &waits->timer, next);
}

static void fire(void *context)
{
	check_now_look(context);
}

void check_now_init(struct control *control)
{
	control->check_waits.timer = (struct event_timer){.fire = fire, .context = control};
}

struct api_later *check_now_begin(struct control *control, const struct cluster *cluster)
{
	struct check_waits *waits = &control->check_waits;
	if (waits->count == CHECK_WAITS_MAX)
		return NULL;
	struct check_wait *wait = calloc(1, sizeof(*wait));
	if (!wait)
		abort();
	wait->later = api_later_create();
	wait->begun_at = clock_monotonic_ms();
	strcpy(wait->cluster, cluster->spec->name);
	wait->next = waits->first;
	waits->first = wait;
	waits->count++;
	for (size_t i = 0; i < cluster->spec->host_count; i++)
		health_check_now(&cluster->health[i], wait->begun_at);
	control_health_wake(control);
	struct api_later *later = wait->later;
	event_timer_set(control->loop, &waits->timer, wait->begun_at);
	return later;
}

void check_now_stop(struct control *control)
{
	struct check_waits *waits = &control->check_waits;
	event_timer_cancel(control->loop, &waits->timer);
	while (waits->first) {
		struct check_wait *wait = waits->first;
		waits->first = wait->next;
		api_later_answer(wait->later, reply_problem(503, "control ends"));
		free(wait);
	}
	waits->count = 0;
}
