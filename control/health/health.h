/* The health of one router host: when it is checked next and what a result means. Pure: time comes in as a value, in
 * milliseconds of a monotonic clock; nothing here knows how to check.
 *
 * - A new host is checked at once; it is UNKNOWN, and gets no connection, until its first success.
 * - UP to DOWN: a refused connect at once, otherwise `fall` failures in a row. DOWN to UP: `rise` successes in a row.
 *   After a first failure the next check comes after 1 s. A check that could not be made changes nothing.
 * - Every `interval` less 2 to 10 %, at random: hosts are not checked in step, and a host that refuses is found within
 *   one interval.
 * - A time-out that comes much too late says that we were stopped, not the host: it changes nothing either.
 * - After a restart of control a host keeps its last known health, marked stale, until a check confirms or changes it.
 *   For a stale DOWN one success is enough.
 * - Failing traffic takes a host out at once if another of its cluster is UP, and has it checked at once in any case.
 */
#ifndef PM_HEALTH_H
#define PM_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "control/health/check.h"
#include "control/state/cluster.h"

enum health_state { HEALTH_UNKNOWN, HEALTH_UP, HEALTH_DOWN };

enum { HEALTH_RECHECK_MS = 1000, HEALTH_LATE_MS = 500, HEALTH_CHANGES_MAX = 20 };

/* It was in this state from here on, because of this result. */
struct health_change {
	int64_t at; /* Unix ms */
	enum health_state state;
	struct check_result why;
};

struct health {
	enum health_state state;
	bool stale;
	bool checking;      /* a check runs; its result comes through health_result */
	bool check_again;   /* at once when it ends */
	bool traffic_fails; /* workers said so, no check has succeeded since */
	bool announce;      /* tell the workers even if nothing changed: what they suspect is over */
	uint8_t streak;     /* results in a row against the state */
	struct check_result last;
	uint64_t begun_at;  /* monotonic ms: of the last check */
	uint64_t next_at;   /* monotonic ms */
	int64_t checked_at; /* Unix ms of the last result; 0: none */
	int64_t changed_at; /* Unix ms of the last change of state; 0: none */
	unsigned change_count;
	struct health_change changes[HEALTH_CHANGES_MAX]; /* the last ones, newest first */
};

/* A new host: its first check is due now. */
void health_init(struct health *health, uint64_t now);
/* Last known health after a restart: stale, the first check is due now. */
void health_restore(struct health *health, enum health_state state, struct check_result last, int64_t changed_at,
                    uint64_t now);

static inline bool health_due(const struct health *health, uint64_t now)
{
	return !health->checking && health->next_at <= now;
}

/* A check begins. `random` spreads the checks. */
void health_begin(struct health *health, const struct health_spec *spec, uint64_t now, uint32_t random);
/* It ended. `unix_ms`: wall clock, for people. True if the state changed, or is known again after being stale. */
bool health_result(struct health *health, const struct health_spec *spec, struct check_result result, uint64_t now,
                   int64_t unix_ms);
/* Workers say that connects fail. `others_up`: another host of the cluster is UP. True if the state changed. */
bool health_traffic_fails(struct health *health, bool others_up, uint64_t now, int64_t unix_ms);

/* The next check is due now, also if one is running: what is checked has changed. */
void health_check_now(struct health *health, uint64_t now);

bool health_spec_equal(const struct health_spec *a, const struct health_spec *b);
/* A change before those that are known; nothing if there is no room. For what was saved. */
void health_add_earlier(struct health *health, const struct health_change *change);
const char *health_state_name(enum health_state state);

#endif
