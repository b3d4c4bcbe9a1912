/* The Internet checksum (RFC 1071) and its incremental update (RFC 1624, equation 3). */
#ifndef PM_CHECKSUM_H
#define PM_CHECKSUM_H

#include <stdint.h>
#include <stddef.h>

#include "address.h"

/* Adds `len` bytes (the last odd one padded with zero) to a running 32-bit one's complement sum. */
uint32_t checksum_add(uint32_t sum, const void *bytes, size_t len);

/* Folds a running sum to 16 bits, not complemented. Sums are over 16-bit words as they lie in memory
 * (network byte order), so results are stored with memcpy and never swapped. */
static inline uint16_t checksum_fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* What the change of the value `from` to `to` (network byte order as in memory) adds to a one's complement
 * sum. Several of these may be added up before they are applied. */
static inline uint32_t checksum_diff16(uint16_t from, uint16_t to)
{
	return (uint32_t)(uint16_t)~from + to;
}

static inline uint32_t checksum_diff32(uint32_t from, uint32_t to)
{
	from = ~from;
	return (from & 0xffff) + (from >> 16) + (to & 0xffff) + (to >> 16);
}

/* The checksum field `field` after a change that adds `diff`: HC' = ~(~HC + ~m + m'). */
static inline uint16_t checksum_apply(uint16_t field, uint32_t diff)
{
	return (uint16_t)~checksum_fold((uint64_t)(uint16_t)~field + diff);
}

/* Sum of the TCP pseudo-header (RFC 9293 3.1, RFC 8200 8.1), addresses of one family; `tcp_len` in bytes,
 * host byte order. */
uint32_t checksum_pseudo(const struct address *source, const struct address *destination, uint16_t tcp_len);

#endif
