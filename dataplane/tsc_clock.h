/* The time of a loop: CLOCK_MONOTONIC in microseconds out of the processor's time stamp counter, which costs no call.
 * What is known of the counter's frequency at start may be wrong by some in a thousand, minutes a day, so the clock is led
 * after the real one. It never goes back. Each loop has its own; no DPDK, no system calls. */
#ifndef PM_TSC_CLOCK_H
#define PM_TSC_CLOCK_H

#include <stdint.h>

struct tsc_clock {
	uint64_t tsc, us;      /* it was so late at that count */
	uint64_t us_per_tick;  /* since then; times 2^32 */
	uint64_t followed_tsc; /* what it was led by last */
	uint64_t followed_us;
};

/* `tsc` counts `hz` times a second, and says now what CLOCK_MONOTONIC says as `us`. */
void tsc_clock_start(struct tsc_clock *clock, uint64_t tsc, uint64_t us, uint64_t hz);

/* Microseconds at a count that is not before the one of the last call of start or follow. */
static inline uint64_t tsc_clock_us(const struct tsc_clock *clock, uint64_t tsc)
{
	return clock->us + (uint64_t)(((unsigned __int128)(tsc - clock->tsc) * clock->us_per_tick) >> 32);
}

/* Another look at both, about a second after the one before: the clock goes on as fast as the counter was since then, and
 * so much faster or slower that what it was wrong by is gone after as long again. What is far behind jumps. */
void tsc_clock_follow(struct tsc_clock *clock, uint64_t tsc, uint64_t us);

#endif
