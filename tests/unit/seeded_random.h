/* Numbers for tests: the same in every run (xorshift64*, Vigna 2016). */
#ifndef PM_SEEDED_RANDOM_H
#define PM_SEEDED_RANDOM_H

#include <stddef.h>
#include <stdint.h>

struct seeded_random {
	uint64_t state; /* not 0 */
};

static inline uint64_t random_next(struct seeded_random *r)
{
	r->state ^= r->state >> 12;
	r->state ^= r->state << 25;
	r->state ^= r->state >> 27;
	return r->state * 0x2545f4914f6cdd1d >> 16;
}

static inline void random_fill(struct seeded_random *r, uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)random_next(r);
}

#endif
