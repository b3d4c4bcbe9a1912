/* Reads the workers' counters at each full second of the wall clock and puts what has changed into the history.
 * Control's restarts and those of the dataplane are seen here: counters begin at 0 again, slots have other owners; a
 * difference is taken only between two readings of one counter of one owner. One thread. */
#ifndef PM_SAMPLER_H
#define PM_SAMPLER_H

#include <stdint.h>

struct control;
struct sampler;

/* Takes over the history that the process before has left behind, and begins at the next full second. */
struct sampler *sampler_create(struct control *control);
/* Leaves the history for the next process. */
void sampler_destroy(struct sampler *sampler);

/* Called after each second. One listener. */
void sampler_listen(struct sampler *sampler, void (*ticked)(void *context), void *context);

/* What a second takes, in microseconds: the last one, and the most so far. */
struct sampler_cost {
	uint64_t last_us, max_us;
};
struct sampler_cost sampler_cost(const struct sampler *sampler);

/* For tests: this second, now. */
void sampler_take(struct sampler *sampler, int64_t second);

#endif
