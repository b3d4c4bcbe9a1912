/* SipHash-2-4 (Aumasson and Bernstein, 2012): keyed hash for cookies, tables and ids. */
#ifndef PM_SIPHASH_H
#define PM_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

struct siphash_key {
	uint64_t k0, k1;
};

/* Hash of `len` bytes, as in the reference implementation (little-endian words). */
uint64_t siphash(const struct siphash_key *key, const void *bytes, size_t len);

#endif
