/* From a 4-tuple to a flow's index and side: two-choice buckets of eight, no deletion marks, fixed memory, one owner.
 * Holds 16 bits of each key's hash; the caller compares the key itself. */
#ifndef PM_FLOW_TABLE_H
#define PM_FLOW_TABLE_H

#include <stdbool.h>
#include <stdint.h>

enum { FLOW_TABLE_WAYS = 8, FLOW_TABLE_EMPTY = 0xffffffff };

/* What is stored for a key: flow index * 2 + side. */
typedef uint32_t flow_ref;

struct flow_bucket {
	_Alignas(64) uint16_t tags[FLOW_TABLE_WAYS];
	flow_ref refs[FLOW_TABLE_WAYS];
};

struct flow_table {
	struct flow_bucket *buckets;
	uint32_t mask;
};

/* Room for at least `keys` keys at half load. False: out of memory. */
bool flow_table_init(struct flow_table *table, uint32_t keys);
void flow_table_free(struct flow_table *table);

/* `hash` is the full keyed hash of the key. False: both buckets are full. The key is not in the table yet. */
bool flow_table_add(struct flow_table *table, uint64_t hash, flow_ref ref);
void flow_table_remove(struct flow_table *table, uint64_t hash, flow_ref ref);

static inline uint32_t flow_bucket_first(const struct flow_table *table, uint64_t hash)
{
	return (uint32_t)hash & table->mask;
}

static inline uint32_t flow_bucket_second(const struct flow_table *table, uint64_t hash)
{
	return (uint32_t)(hash >> 32) & table->mask;
}

static inline void flow_table_prefetch(const struct flow_table *table, uint64_t hash)
{
	__builtin_prefetch(&table->buckets[flow_bucket_first(table, hash)]);
	__builtin_prefetch(&table->buckets[flow_bucket_second(table, hash)]);
}

/* Candidates for `hash`, at most 2 * FLOW_TABLE_WAYS; returns how many were written to `refs`. */
static inline unsigned flow_table_candidates(const struct flow_table *table, uint64_t hash,
                                             flow_ref refs[static 2 * FLOW_TABLE_WAYS])
{
	uint16_t tag = (uint16_t)(hash >> 48);
	uint32_t places[2] = {flow_bucket_first(table, hash), flow_bucket_second(table, hash)};
	unsigned count = 0;
	for (unsigned choice = 0; choice < (places[0] == places[1] ? 1u : 2u); choice++) {
		const struct flow_bucket *bucket = &table->buckets[places[choice]];
		for (unsigned way = 0; way < FLOW_TABLE_WAYS; way++)
			if (bucket->tags[way] == tag && bucket->refs[way] != FLOW_TABLE_EMPTY)
				refs[count++] = bucket->refs[way];
	}
	return count;
}

#endif
