/* Microseconds out of the time stamp counter: see the header. */
#include "dataplane/tsc_clock.h"

#include <stdbool.h>

enum { JUMP_US = 100000 }; /* a machine that stood still */

void tsc_clock_start(struct tsc_clock *clock, uint64_t tsc, uint64_t us, uint64_t hz)
{
	*clock = (struct tsc_clock){tsc, us, ((uint64_t)1000000 << 32) / hz, tsc, us};
}

void tsc_clock_follow(struct tsc_clock *clock, uint64_t tsc, uint64_t us)
{
	if (tsc <= clock->followed_tsc || us <= clock->followed_us)
		return;
	uint64_t ticks = tsc - clock->followed_tsc, passed = us - clock->followed_us;
	uint64_t ours = tsc_clock_us(clock, tsc);
	bool jumps = us > ours + JUMP_US;
	/* Forwards at half the speed at least. */
	uint64_t wanted = us > ours ? passed + (us - ours) : passed - (ours - us < passed / 2 ? ours - us : passed / 2);
	if (!jumps)
		clock->us_per_tick = (uint64_t)(((unsigned __int128)wanted << 32) / ticks);
	clock->tsc = clock->followed_tsc = tsc;
	clock->us = jumps ? us : ours;
	clock->followed_us = us;
}
