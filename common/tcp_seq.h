/* Comparison of TCP sequence numbers, which wrap at 2^32 (RFC 9293 3.4). */
#ifndef PM_TCP_SEQ_H
#define PM_TCP_SEQ_H

#include <stdbool.h>
#include <stdint.h>

static inline bool seq_before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

static inline bool seq_before_eq(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) <= 0;
}

static inline uint32_t seq_max(uint32_t a, uint32_t b)
{
	return seq_before(a, b) ? b : a;
}

/* first <= x <= last, all modulo 2^32 */
static inline bool seq_within(uint32_t x, uint32_t first, uint32_t last)
{
	return x - first <= last - first;
}

#endif
