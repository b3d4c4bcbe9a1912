/* The rules of health checks: see the header. */
#include "control/health/health.h"

#include <string.h>

void health_init(struct health *health, uint64_t now)
{
	*health = (struct health){.state = HEALTH_UNKNOWN, .next_at = now};
}

void health_restore(struct health *health, enum health_state state, struct check_result last, int64_t changed_at,
                    uint64_t now)
{
	*health =
	    (struct health){.state = state, .stale = true, .last = last, .changed_at = changed_at, .next_at = now};
}

void health_begin(struct health *health, const struct health_spec *spec, uint64_t now, uint32_t random)
{
	uint32_t least = spec->interval / 50, spread = spec->interval * 2 / 25;
	health->checking = true;
	health->check_again = false;
	health->begun_at = now;
	health->next_at = now + spec->interval - least - (spread > 0 ? random % (spread + 1) : 0);
}

static void remember(struct health *health, int64_t unix_ms)
{
	if (health->change_count < HEALTH_CHANGES_MAX)
		health->change_count++;
	memmove(&health->changes[1], &health->changes[0], (health->change_count - 1) * sizeof(health->changes[0]));
	health->changes[0] = (struct health_change){unix_ms, health->state, health->last};
}

void health_add_earlier(struct health *health, const struct health_change *change)
{
	if (health->change_count < HEALTH_CHANGES_MAX)
		health->changes[health->change_count++] = *change;
}

static bool set_state(struct health *health, enum health_state state, int64_t unix_ms)
{
	bool changed = health->state != state;
	health->state = state;
	health->streak = 0;
	if (changed) {
		health->changed_at = unix_ms;
		remember(health, unix_ms);
	}
	return changed;
}

static bool succeeded(struct health *health, const struct health_spec *spec, int64_t unix_ms)
{
	bool was_stale = health->stale;
	health->stale = false;
	health->announce |= health->traffic_fails;
	health->traffic_fails = false;
	if (health->state == HEALTH_UP) {
		health->streak = 0;
		return was_stale;
	}
	health->streak++;
	if (health->state == HEALTH_UNKNOWN || was_stale || health->streak >= spec->rise)
		return set_state(health, HEALTH_UP, unix_ms);
	return false;
}

static void check_soon(struct health *health, uint64_t now)
{
	if (health->next_at > now + HEALTH_RECHECK_MS)
		health->next_at = now + HEALTH_RECHECK_MS;
}

static bool failed(struct health *health, const struct health_spec *spec, enum check_kind kind, bool first,
                   uint64_t now, int64_t unix_ms)
{
	if (first)
		check_soon(health, now);
	if (health->state != HEALTH_UP) {
		bool was_stale = health->stale;
		health->stale = false;
		health->streak = 0;
		return was_stale;
	}
	health->streak++;
	if (kind == CHECK_REFUSED || health->streak >= spec->fall) {
		health->stale = false;
		return set_state(health, HEALTH_DOWN, unix_ms);
	}
	check_soon(health, now);
	return false;
}

bool health_result(struct health *health, const struct health_spec *spec, struct check_result result, uint64_t now,
                   int64_t unix_ms)
{
	bool first = health->last.kind == CHECK_OK || health->last.kind == CHECK_NONE;
	health->checking = false;
	if (health->check_again)
		health->next_at = now;
	bool timeout = result.kind == CHECK_CONNECT_TIMEOUT || result.kind == CHECK_ANSWER_TIMEOUT;
	bool late = timeout && now - health->begun_at > spec->timeout + HEALTH_LATE_MS;
	if (result.kind == CHECK_FAILED || late) {
		/* Our own trouble says nothing about the host. */
		check_soon(health, now);
		return false;
	}
	health->last = result;
	health->checked_at = unix_ms;
	if (result.kind == CHECK_OK)
		return succeeded(health, spec, unix_ms);
	return failed(health, spec, result.kind, first, now, unix_ms);
}

bool health_traffic_fails(struct health *health, bool others_up, uint64_t now, int64_t unix_ms)
{
	health->traffic_fails = true;
	health_check_now(health, now);
	if (health->state != HEALTH_UP || !others_up)
		return false;
	health->last = (struct check_result){.kind = CHECK_TRAFFIC};
	return set_state(health, HEALTH_DOWN, unix_ms);
}

void health_check_now(struct health *health, uint64_t now)
{
	health->next_at = now;
	health->check_again = health->checking;
}

bool health_spec_equal(const struct health_spec *a, const struct health_spec *b)
{
	return a->port == b->port && strcmp(a->path, b->path) == 0 && a->interval == b->interval &&
	       a->timeout == b->timeout && a->rise == b->rise && a->fall == b->fall;
}

const char *health_state_name(enum health_state state)
{
	static const char *const names[] = {"unknown", "up", "down"};
	return names[state];
}
