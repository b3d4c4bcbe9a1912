/* See flow_table.h. */
#include "dataplane/flow_table.h"

#include <stdlib.h>
#include <string.h>

bool flow_table_init(struct flow_table *table, uint32_t keys)
{
	uint32_t buckets = 2;
	while (buckets < keys / (FLOW_TABLE_WAYS / 2))
		buckets *= 2;
	table->mask = buckets - 1;
	table->buckets = aligned_alloc(64, buckets * sizeof(*table->buckets));
	if (!table->buckets)
		return false;
	memset(table->buckets, 0xff, buckets * sizeof(*table->buckets));
	return true;
}

void flow_table_free(struct flow_table *table)
{
	free(table->buckets);
}

static unsigned used(const struct flow_bucket *bucket)
{
	unsigned count = 0;
	for (unsigned way = 0; way < FLOW_TABLE_WAYS; way++)
		count += bucket->refs[way] != FLOW_TABLE_EMPTY;
	return count;
}

bool flow_table_add(struct flow_table *table, uint64_t hash, flow_ref ref)
{
	struct flow_bucket *first = &table->buckets[flow_bucket_first(table, hash)];
	struct flow_bucket *second = &table->buckets[flow_bucket_second(table, hash)];
	struct flow_bucket *bucket = used(second) < used(first) ? second : first;
	for (unsigned way = 0; way < FLOW_TABLE_WAYS; way++) {
		if (bucket->refs[way] == FLOW_TABLE_EMPTY) {
			bucket->tags[way] = (uint16_t)(hash >> 48);
			bucket->refs[way] = ref;
			return true;
		}
	}
	return false;
}

void flow_table_remove(struct flow_table *table, uint64_t hash, flow_ref ref)
{
	struct flow_bucket *choices[2] = {&table->buckets[flow_bucket_first(table, hash)],
	                                  &table->buckets[flow_bucket_second(table, hash)]};
	for (unsigned choice = 0; choice < 2; choice++)
		for (unsigned way = 0; way < FLOW_TABLE_WAYS; way++)
			if (choices[choice]->refs[way] == ref)
				choices[choice]->refs[way] = FLOW_TABLE_EMPTY;
}
