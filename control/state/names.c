/* The store of host names: see the header. A hash table with chains; ids are hashes already. */
#include "control/state/names.h"

#include <stdlib.h>
#include <string.h>

enum { BUCKETS_MIN = 64 };

static void *resize(void *memory, size_t count, size_t size)
{
	memory = reallocarray(memory, count > 0 ? count : 1, size);
	if (!memory)
		abort();
	return memory;
}

static struct name **bucket_of(const struct names *names, uint64_t id)
{
	return &names->buckets[id & (names->bucket_count - 1)];
}

static void name_free(struct name *name)
{
	for (unsigned i = 0; i < name->pair_count; i++)
		free(name->pairs[i].warning);
	free(name->pairs);
	free(name->published_pairs);
	rollback_free(name->rollback);
	free(name);
}

void names_free(struct names *names)
{
	for (size_t i = 0; i < names->bucket_count; i++) {
		for (struct name *name = names->buckets[i], *next; name; name = next) {
			next = name->next;
			name_free(name);
		}
	}
	free(names->buckets);
	free(names->dirty);
	name_order_free(&names->order);
	*names = (struct names){0};
}

struct name *names_find(const struct names *names, uint64_t id)
{
	struct name *name = names->bucket_count > 0 ? *bucket_of(names, id) : NULL;
	while (name && name->id != id)
		name = name->next;
	return name;
}

struct name *names_find_host(const struct names *names, const struct hostname *host, bool wildcard)
{
	return names_find(names, cluster_name_id(host, wildcard));
}

static void grow(struct names *names)
{
	size_t count = names->bucket_count ? names->bucket_count * 2 : BUCKETS_MIN, old_count = names->bucket_count;
	struct name **old = names->buckets;
	names->buckets = calloc(count, sizeof(*names->buckets));
	if (!names->buckets)
		abort();
	names->bucket_count = count;
	for (size_t i = 0; i < old_count; i++) {
		for (struct name *name = old[i], *next; name; name = next) {
			struct name **bucket = bucket_of(names, name->id);
			next = name->next;
			name->next = *bucket;
			*bucket = name;
		}
	}
	free(old);
}

struct name *names_add(struct names *names, const struct hostname *host, bool wildcard)
{
	uint64_t id = cluster_name_id(host, wildcard);
	struct name *name = names_find(names, id);
	if (name)
		return name;
	if (names->total == names->bucket_count)
		grow(names);
	name = calloc(1, sizeof(*name));
	if (!name)
		abort();
	name->id = id;
	name->wildcard = wildcard;
	/* Bytes behind the name stay 0: messages are compared as bytes. */
	name->host.len = host->len;
	memcpy(name->host.text, host->text, host->len);
	name->next = *bucket_of(names, id);
	*bucket_of(names, id) = name;
	names->total++;
	names_touch(names, name);
	return name;
}

struct name *names_next(const struct names *names, const struct name *after)
{
	if (after && after->next)
		return after->next;
	size_t i = after ? (after->id & (names->bucket_count - 1)) + 1 : 0;
	while (i < names->bucket_count && !names->buckets[i])
		i++;
	return i < names->bucket_count ? names->buckets[i] : NULL;
}

struct pair *names_pair(const struct name *name, uint16_t cluster)
{
	for (unsigned i = 0; i < name->pair_count; i++)
		if (name->pairs[i].cluster == cluster)
			return &name->pairs[i];
	return NULL;
}

struct pair *names_pair_add(struct names *names, struct name *name, uint16_t cluster)
{
	struct pair *pair = names_pair(name, cluster);
	if (pair)
		return pair;
	unsigned place = 0;
	while (place < name->pair_count && name->pairs[place].cluster < cluster)
		place++;
	name->pairs = resize(name->pairs, name->pair_count + 1u, sizeof(*name->pairs));
	pair = &name->pairs[place];
	memmove(pair + 1, pair, (name->pair_count - place) * sizeof(*pair));
	*pair = (struct pair){.cluster = cluster};
	name->pair_count++;
	names_touch(names, name);
	return pair;
}

bool names_is_served(const struct name *name)
{
	for (unsigned i = 0; i < name->pair_count; i++)
		if (name->pairs[i].present)
			return true;
	return false;
}

void names_pair_set_present(struct names *names, struct name *name, struct pair *pair, bool present)
{
	if (pair->present == present)
		return;
	bool before = names_is_served(name);
	pair->present = present;
	size_t step = present ? 1 : (size_t)-1;
	names->pair_count += step;
	names->of_cluster[pair->cluster] += step;
	bool after = names_is_served(name);
	names->count += (size_t)after - before;
	if (after != before)
		name_order_moved(&names->order, name);
	names_touch(names, name);
}

void names_pair_override(struct names *names, struct name *name, struct pair *pair, int weight)
{
	names->overrides_of[pair->cluster] += (size_t)(weight >= 0) - pair->overridden;
	pair->overridden = weight >= 0;
	pair->override = weight >= 0 ? (uint16_t)weight : 0;
	names_touch(names, name);
}

void names_pair_remove(struct names *names, struct name *name, uint16_t cluster)
{
	struct pair *pair = names_pair(name, cluster);
	if (!pair)
		return;
	names_pair_set_present(names, name, pair, false);
	names_pair_override(names, name, pair, -1);
	free(pair->warning);
	name->pair_count--;
	memmove(pair, pair + 1, (size_t)(&name->pairs[name->pair_count] - pair) * sizeof(*pair));
	names_touch(names, name);
}

bool names_pair_warn(struct pair *pair, const char *warning)
{
	if (warning ? pair->warning && strcmp(pair->warning, warning) == 0 : !pair->warning)
		return false;
	free(pair->warning);
	pair->warning = warning ? strdup(warning) : NULL;
	if (warning && !pair->warning)
		abort();
	return true;
}

void names_touch(struct names *names, struct name *name)
{
	if (name->dirty)
		return;
	if (names->dirty_count == names->dirty_room) {
		names->dirty_room = names->dirty_room ? names->dirty_room * 2 : BUCKETS_MIN;
		names->dirty = resize(names->dirty, names->dirty_room, sizeof(*names->dirty));
	}
	names->dirty[names->dirty_count++] = name;
	name->dirty = true;
}

void names_clean(struct names *names)
{
	name_order_mend(&names->order);
	for (size_t i = 0; i < names->dirty_count; i++) {
		struct name *name = names->dirty[i];
		name->dirty = false;
		if (name->pair_count > 0 || name->published)
			continue;
		struct name **link = bucket_of(names, name->id);
		while (*link != name)
			link = &(*link)->next;
		*link = name->next;
		names->total--;
		name_free(name);
	}
	names->dirty_count = 0;
}

void names_touch_left_out(struct names *names)
{
	for (struct name *name = names_next(names, NULL); name; name = names_next(names, name))
		if (name->uncounted > 0 || (!name->published && names_is_served(name)))
			names_touch(names, name);
}

void names_publish(struct names *names, struct name *name, const uint64_t *pairs, uint8_t count, uint8_t uncounted)
{
	names->uncounted += (size_t)uncounted - name->uncounted;
	name->uncounted = uncounted;
	names->published_count += (size_t)(pairs != NULL) - name->published;
	name->published = pairs != NULL;
	if (count != name->published_count)
		name->published_pairs = resize(name->published_pairs, count, sizeof(*pairs));
	name->published_count = count;
	if (count > 0)
		memcpy(name->published_pairs, pairs, count * sizeof(*pairs));
}

uint32_t names_look(struct names *names)
{
	return ++names->look;
}

int names_compare(const struct name *a, const struct name *b)
{
	int order = strcmp(a->host.text, b->host.text);
	return order ? order : (int)a->wildcard - (int)b->wildcard;
}

struct name *const *names_ordered(struct names *names, size_t *count)
{
	name_order_mend(&names->order);
	*count = names->order.count;
	return names->order.list;
}
