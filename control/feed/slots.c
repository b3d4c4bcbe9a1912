/* The directory of counter slots: see the header. */
#include "control/feed/slots.h"

#include <stdlib.h>
#include <string.h>

#include "common/crc32c.h"

#define SLOT_IN_TABLE UINT64_MAX

static uint32_t entry_crc(struct shared_directory_entry entry)
{
	entry.crc = 0;
	return crc32c(&entry, sizeof(entry));
}

static bool never_used(const struct shared_directory_entry *entry)
{
	static const struct shared_directory_entry zero;
	return memcmp(entry, &zero, sizeof(zero)) == 0;
}

static bool valid(const struct shared_directory_entry *entry)
{
	return entry->id != 0 && entry->crc == entry_crc(*entry);
}

/* Ids are hashes already. */
static uint32_t *bucket_of(const struct slots *slots, uint64_t id)
{
	return &slots->buckets[id & slots->bucket_mask];
}

static void link_slot(struct slots *slots, uint32_t slot)
{
	uint32_t *bucket = bucket_of(slots, slots->entries[slot].id);
	slots->next[slot] = *bucket;
	*bucket = slot;
}

static void unlink_slot(struct slots *slots, uint32_t slot)
{
	uint32_t *link = bucket_of(slots, slots->entries[slot].id);
	while (*link != SLOT_NONE && *link != slot)
		link = &slots->next[*link];
	if (*link == slot)
		*link = slots->next[slot];
}

void slots_init(struct slots *slots, struct shared_directory_entry *entries, uint32_t count,
                struct slot_usage (*usage)(void *context, uint32_t slot), void *context)
{
	uint32_t buckets = 1;
	while (buckets < count)
		buckets *= 2;
	*slots = (struct slots){.entries = entries, .count = count, .usage = usage, .context = context};
	slots->bucket_mask = buckets - 1;
	slots->revisions = calloc(count + 1u, sizeof(*slots->revisions));
	slots->notes = calloc(count + 1u, sizeof(*slots->notes));
	slots->next = calloc(count + 1u, sizeof(*slots->next));
	slots->buckets = malloc(buckets * sizeof(*slots->buckets));
	if (!slots->revisions || !slots->notes || !slots->next || !slots->buckets)
		abort();
	memset(slots->buckets, 0xff, buckets * sizeof(*slots->buckets));
	for (uint32_t slot = 0; slot < count; slot++)
		if (valid(&entries[slot]) && slots_find(slots, entries[slot].id) == SLOT_NONE)
			link_slot(slots, slot);
}

void slots_free(struct slots *slots)
{
	free(slots->revisions);
	free(slots->notes);
	free(slots->next);
	free(slots->buckets);
	*slots = (struct slots){0};
}

uint32_t slots_find(const struct slots *slots, uint64_t id)
{
	uint32_t slot = *bucket_of(slots, id);
	while (slot != SLOT_NONE && slots->entries[slot].id != id)
		slot = slots->next[slot];
	return slot;
}

/* A slot that was never used, or SLOT_NONE. */
static uint32_t fresh_slot(struct slots *slots)
{
	while (slots->fresh < slots->count && !never_used(&slots->entries[slots->fresh]))
		slots->fresh++;
	return slots->fresh < slots->count ? slots->fresh++ : SLOT_NONE;
}

/* A used slot that no worker has any more, or SLOT_NONE. */
static uint32_t idle_slot(struct slots *slots)
{
	for (uint32_t i = 0; i < slots->count && !slots->exhausted; i++) {
		uint32_t slot = slots->scan++ % slots->count;
		if (slots->revisions[slot] < slots->applied && slots->usage(slots->context, slot).active == 0)
			return slot;
	}
	slots->exhausted = true;
	return SLOT_NONE;
}

/* Control may be killed between any two stores: until the last one the CRC is wrong. */
static void give(struct slots *slots, uint32_t slot, uint64_t id)
{
	struct shared_directory_entry *entry = &slots->entries[slot];
	struct slot_usage usage = slots->usage(slots->context, slot);
	struct shared_directory_entry new = {
	    .id = id,
	    .generation = entry->generation + 1 ? entry->generation + 1 : 1,
	    .base_total = usage.total,
	    .base_refused = usage.refused,
	};
	new.crc = entry_crc(new);
	if (slots_find(slots, entry->id) == slot)
		unlink_slot(slots, slot);
	entry->crc = ~new.crc;
	atomic_signal_fence(memory_order_seq_cst);
	entry->id = new.id;
	entry->generation = new.generation;
	entry->base_total = new.base_total;
	entry->base_refused = new.base_refused;
	atomic_signal_fence(memory_order_seq_cst);
	entry->crc = new.crc;
	slots->notes[slot] = 0;
	link_slot(slots, slot);
}

void slots_note(struct slots *slots, uint32_t slot, uint64_t note)
{
	slots->notes[slot] = note;
}

void slots_update(struct slots *slots, uint64_t revision, uint64_t applied)
{
	slots->before = slots->revision;
	slots->revision = revision;
	slots->applied = applied;
	slots->exhausted = false;
}

void slots_begin(struct slots *slots, uint64_t revision, uint64_t applied)
{
	slots_update(slots, revision, applied);
	for (uint32_t slot = 0; slot < slots->count; slot++)
		if (slots->revisions[slot] == SLOT_IN_TABLE)
			slots->revisions[slot] = slots->before;
}

void slots_release(struct slots *slots, uint64_t id)
{
	uint32_t slot = slots_find(slots, id);
	if (slot != SLOT_NONE && slots->revisions[slot] == SLOT_IN_TABLE)
		slots->revisions[slot] = slots->before;
}

uint32_t slots_take(struct slots *slots, uint64_t id)
{
	uint32_t slot = slots_find(slots, id);
	if (slot == SLOT_NONE) {
		slot = fresh_slot(slots);
		if (slot == SLOT_NONE)
			slot = idle_slot(slots);
		if (slot == SLOT_NONE)
			return SLOT_NONE;
		give(slots, slot, id);
	}
	slots->revisions[slot] = SLOT_IN_TABLE;
	return slot;
}

struct slot_usage slots_usage(const struct slots *slots, uint32_t slot)
{
	struct slot_usage usage = slots->usage(slots->context, slot);
	const struct shared_directory_entry *entry = &slots->entries[slot];
	usage.total -= entry->base_total;
	usage.refused -= entry->base_refused;
	return usage;
}
