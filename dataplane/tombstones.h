/* Remembers every birth of a connection for as long as a cookie of its ISN can be valid, so that a duplicate of its
 * first segment never opens a second connection. First in, first out; 16 bytes each; a live one is never dropped:
 * when the memory is full, new connections are refused. */
#ifndef PM_TOMBSTONES_H
#define PM_TOMBSTONES_H

#include <stdbool.h>
#include <stdint.h>

struct tombstone {
	uint64_t hash; /* keyed, over 4-tuple and client ISN */
	uint32_t born; /* ms, wraps */
	uint32_t next; /* in the bucket */
};

struct tombstones {
	struct tombstone *ring;
	uint32_t *buckets;
	uint32_t capacity, bucket_mask;
	uint32_t first, count;
};

/* False: out of memory. */
bool tombstones_init(struct tombstones *stones, uint32_t capacity);
void tombstones_free(struct tombstones *stones);

/* Forgets what is older than `life` ms. */
void tombstones_expire(struct tombstones *stones, uint32_t now, uint32_t life);
bool tombstones_full(const struct tombstones *stones);
bool tombstones_has(const struct tombstones *stones, uint64_t hash);
/* The caller has checked tombstones_full. */
void tombstones_add(struct tombstones *stones, uint64_t hash, uint32_t now);

#endif
