/* See tombstones.h. A bucket is a chain, youngest first, of ring positions; the ring's oldest is always the last of
 * its chain. */
#include "dataplane/tombstones.h"

#include <stdlib.h>

enum { END = 0xffffffff };

bool tombstones_init(struct tombstones *stones, uint32_t capacity)
{
	uint32_t buckets = 1;
	while (buckets < capacity)
		buckets *= 2;
	*stones = (struct tombstones){.capacity = capacity, .bucket_mask = buckets - 1};
	stones->ring = calloc(capacity, sizeof(*stones->ring));
	stones->buckets = malloc(buckets * sizeof(*stones->buckets));
	if (!stones->ring || !stones->buckets)
		return false;
	for (uint32_t i = 0; i < buckets; i++)
		stones->buckets[i] = END;
	return true;
}

void tombstones_free(struct tombstones *stones)
{
	free(stones->ring);
	free(stones->buckets);
}

static void remove_oldest(struct tombstones *stones)
{
	uint32_t oldest = stones->first;
	uint32_t *link = &stones->buckets[stones->ring[oldest].hash & stones->bucket_mask];
	while (*link != oldest)
		link = &stones->ring[*link].next;
	*link = END;
	stones->first = oldest + 1 == stones->capacity ? 0 : oldest + 1;
	stones->count--;
}

void tombstones_expire(struct tombstones *stones, uint32_t now, uint32_t life)
{
	while (stones->count > 0 && now - stones->ring[stones->first].born > life)
		remove_oldest(stones);
}

bool tombstones_full(const struct tombstones *stones)
{
	return stones->count == stones->capacity;
}

bool tombstones_has(const struct tombstones *stones, uint64_t hash)
{
	for (uint32_t i = stones->buckets[hash & stones->bucket_mask]; i != END; i = stones->ring[i].next)
		if (stones->ring[i].hash == hash)
			return true;
	return false;
}

void tombstones_add(struct tombstones *stones, uint64_t hash, uint32_t now)
{
	uint32_t position = (stones->first + stones->count) % stones->capacity;
	uint32_t *bucket = &stones->buckets[hash & stones->bucket_mask];
	stones->ring[position] = (struct tombstone){.hash = hash, .born = now, .next = *bucket};
	*bucket = position;
	stones->count++;
}
