/* Records by uid: see the header. */
#include "control/kube/kube_table.h"

#include <stdlib.h>
#include <string.h>

enum { PENDING_MAX = 256 }; /* they are searched one by one */

struct kube_table {
	const struct kube_record_kind *kind;
	struct kube_records records; /* ordered by uid */
	uint64_t *hashes;            /* of the names, in the same order */
	struct kube_records pending; /* in no order, each uid once */
	bool gone[PENDING_MAX];      /* whether a pending one is a deletion, of which only the uid counts */
	bool changed;                /* since the last kube_table_apply that said so */
};

static void *resize(void *memory, size_t count, size_t size)
{
	memory = reallocarray(memory, count > 0 ? count : 1, size);
	if (!memory)
		abort();
	return memory;
}

static char *record_at(const struct kube_records *records, size_t size, size_t i)
{
	return (char *)records->bytes + i * size;
}

static void reserve(struct kube_records *records, size_t size, size_t count)
{
	if (count <= records->room)
		return;
	records->room = count + count / 8 + 16;
	records->bytes = resize(records->bytes, records->room, size);
}

void kube_records_add(struct kube_records *records, const struct kube_record_kind *kind, const void *record)
{
	reserve(records, kind->size, records->count + 1);
	memcpy(record_at(records, kind->size, records->count++), record, kind->size);
}

void kube_records_free(struct kube_records *records)
{
	free(records->bytes);
	*records = (struct kube_records){0};
}

struct kube_table *kube_table_create(const struct kube_record_kind *kind)
{
	struct kube_table *table = resize(NULL, 1, sizeof(*table));
	*table = (struct kube_table){.kind = kind};
	return table;
}

void kube_table_free(struct kube_table *table)
{
	if (!table)
		return;
	kube_records_free(&table->records);
	kube_records_free(&table->pending);
	free(table->hashes);
	free(table);
}

const struct kube_records *kube_table_records(const struct kube_table *table)
{
	return &table->records;
}

static char *at(const struct kube_table *table, size_t i)
{
	return record_at(&table->records, table->kind->size, i);
}

static char *pending_at(const struct kube_table *table, size_t i)
{
	return record_at(&table->pending, table->kind->size, i);
}

size_t kube_table_count(const struct kube_table *table, const char *scope)
{
	size_t count = 0;
	if (!scope)
		return table->records.count;
	for (size_t i = 0; i < table->records.count; i++)
		count += table->kind->in_scope(at(table, i), scope);
	return count;
}

/* The first of the first `end` records whose uid is not before this one. */
static size_t lower_bound(const struct kube_table *table, size_t end, const char *uid)
{
	size_t low = 0;
	while (low < end) {
		size_t middle = low + (end - low) / 2;
		if (strcmp(at(table, middle), uid) < 0)
			low = middle + 1;
		else
			end = middle;
	}
	return low;
}

/* True and where it is, or false. */
static bool locate(const struct kube_table *table, const char *uid, size_t *place)
{
	*place = lower_bound(table, table->records.count, uid);
	return *place < table->records.count && strcmp(at(table, *place), uid) == 0;
}

static bool locate_pending(const struct kube_table *table, const char *uid, size_t *place)
{
	for (size_t i = table->pending.count; i-- > 0;)
		if (strcmp(pending_at(table, i), uid) == 0) {
			*place = i;
			return true;
		}
	return false;
}

const void *kube_table_find(const struct kube_table *table, const char *uid)
{
	size_t place;
	if (locate_pending(table, uid, &place))
		return table->gone[place] ? NULL : pending_at(table, place);
	return locate(table, uid, &place) ? at(table, place) : NULL;
}

static void apply(struct kube_table *table);

/* Room for a change of this uid; what was pending for it is forgotten. */
static size_t pending_place(struct kube_table *table, const char *uid)
{
	size_t place;
	if (locate_pending(table, uid, &place))
		return place;
	if (table->pending.count == PENDING_MAX)
		apply(table);
	reserve(&table->pending, table->kind->size, table->pending.count + 1);
	return table->pending.count++;
}

bool kube_table_put(struct kube_table *table, const void *record)
{
	const void *known = kube_table_find(table, record);
	if (known && memcmp(known, record, table->kind->size) == 0)
		return false;
	size_t place = pending_place(table, record);
	memcpy(pending_at(table, place), record, table->kind->size);
	table->gone[place] = false;
	for (size_t i = 0; i < table->pending.count; i++)
		if (i != place && !table->gone[i] && table->kind->same_name(pending_at(table, i), record))
			table->gone[i] = true;
	table->changed = true;
	return true;
}

bool kube_table_remove(struct kube_table *table, const char *uid)
{
	char copy[64];
	const char *known = kube_table_find(table, uid);
	if (!known)
		return false;
	memccpy(copy, known, '\0', sizeof(copy)); /* it may lie where the change is going to */
	size_t place = pending_place(table, copy);
	memset(pending_at(table, place), 0, table->kind->size);
	memccpy(pending_at(table, place), copy, '\0', sizeof(copy));
	table->gone[place] = true;
	table->changed = true;
	return true;
}

/* --- applying what is pending ------------------------------------------------------------------------------------ */

/* Indices of pending insertions, ordered by uid, and of records to take out, in order. */
struct moves {
	size_t insert_count, delete_count;
	size_t inserts[PENDING_MAX];
	size_t *deletes;
};

static int compare_pending(const void *a, const void *b, void *context)
{
	const struct kube_table *table = context;
	return strcmp(pending_at(table, *(const size_t *)a), pending_at(table, *(const size_t *)b));
}

static int compare_sizes(const void *a, const void *b)
{
	size_t x = *(const size_t *)a, y = *(const size_t *)b;
	return (x > y) - (x < y);
}

static int compare_hashes(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

static void add_delete(struct moves *moves, size_t place)
{
	moves->deletes = resize(moves->deletes, moves->delete_count + 1, sizeof(*moves->deletes));
	moves->deletes[moves->delete_count++] = place;
}

/* Overwrites what is there in place; the rest goes to `moves`. */
static void sort_out(struct kube_table *table, struct moves *moves)
{
	size_t place;
	for (size_t i = 0; i < table->pending.count; i++) {
		bool there = locate(table, pending_at(table, i), &place);
		if (there && table->gone[i])
			add_delete(moves, place);
		else if (there)
			memcpy(at(table, place), pending_at(table, i), table->kind->size);
		else if (!table->gone[i])
			moves->inserts[moves->insert_count++] = i;
	}
	qsort_r(moves->inserts, moves->insert_count, sizeof(*moves->inserts), compare_pending, table);
}

static bool named_anew(const struct kube_table *table, const struct moves *moves, const char *record)
{
	for (size_t i = 0; i < moves->insert_count; i++)
		if (table->kind->same_name(record, pending_at(table, moves->inserts[i])))
			return true;
	return false;
}

/* A name that comes with a new uid: the deletion of the old one was missed. */
static void delete_namesakes(const struct kube_table *table, struct moves *moves)
{
	uint64_t hashes[PENDING_MAX];
	for (size_t i = 0; i < moves->insert_count; i++)
		hashes[i] = table->kind->name_hash(pending_at(table, moves->inserts[i]));
	qsort(hashes, moves->insert_count, sizeof(*hashes), compare_hashes);
	for (size_t i = 0; i < table->records.count; i++)
		if (bsearch(&table->hashes[i], hashes, moves->insert_count, sizeof(*hashes), compare_hashes) &&
		    named_anew(table, moves, at(table, i)))
			add_delete(moves, i);
}

static void move(struct kube_table *table, size_t to, size_t from, size_t count)
{
	memmove(at(table, to), at(table, from), count * table->kind->size);
	memmove(table->hashes + to, table->hashes + from, count * sizeof(*table->hashes));
}

static void delete_all(struct kube_table *table, struct moves *moves)
{
	size_t to, count = 0;
	if (moves->delete_count == 0)
		return;
	qsort(moves->deletes, moves->delete_count, sizeof(*moves->deletes), compare_sizes);
	for (size_t i = 0; i < moves->delete_count; i++) /* a namesake may have been deleted by itself, too */
		if (count == 0 || moves->deletes[count - 1] != moves->deletes[i])
			moves->deletes[count++] = moves->deletes[i];
	to = moves->deletes[0];
	for (size_t i = 0; i < count; i++) {
		size_t from = moves->deletes[i] + 1;
		size_t end = i + 1 < count ? moves->deletes[i + 1] : table->records.count;
		move(table, to, from, end - from);
		to += end - from;
	}
	table->records.count = to;
}

/* From the end on, so that each record moves once. */
static void insert_all(struct kube_table *table, const struct moves *moves)
{
	size_t end = table->records.count, total = end + moves->insert_count;
	if (total > table->records.room) {
		reserve(&table->records, table->kind->size, total);
		table->hashes = resize(table->hashes, table->records.room, sizeof(*table->hashes));
	}
	table->records.count = total;
	for (size_t i = moves->insert_count; i-- > 0;) {
		const char *record = pending_at(table, moves->inserts[i]);
		size_t place = lower_bound(table, end, record);
		move(table, place + i + 1, place, end - place);
		memcpy(at(table, place + i), record, table->kind->size);
		table->hashes[place + i] = table->kind->name_hash(record);
		end = place;
	}
}

static void apply(struct kube_table *table)
{
	struct moves moves = {0};
	sort_out(table, &moves);
	if (moves.insert_count > 0)
		delete_namesakes(table, &moves);
	delete_all(table, &moves);
	if (moves.insert_count > 0)
		insert_all(table, &moves);
	free(moves.deletes);
	table->pending.count = 0;
}

bool kube_table_apply(struct kube_table *table)
{
	bool changed = table->changed;
	apply(table);
	table->changed = false;
	return changed;
}

/* --- a complete list --------------------------------------------------------------------------------------------- */

/* Sorting moves these, not the records: the first bytes of a uid decide nearly always. */
struct sort_key {
	uint64_t prefix;
	size_t index;
	const char *uid;
};

static int compare_keys(const void *a, const void *b)
{
	const struct sort_key *x = a, *y = b;
	if (x->prefix != y->prefix)
		return x->prefix < y->prefix ? -1 : 1;
	int order = strcmp(x->uid, y->uid);
	return order ? order : compare_sizes(&x->index, &y->index);
}

static uint64_t prefix_of(const char *uid)
{
	uint64_t prefix = 0;
	for (unsigned i = 0; i < 8; i++)
		prefix = prefix << 8 | (*uid != '\0' ? (unsigned char)*uid++ : 0);
	return prefix;
}

/* Puts record keys[i].index to place i, for all i, along the cycles of the permutation. */
static void permute(struct kube_records *records, size_t size, struct sort_key *keys)
{
	char *first = resize(NULL, 1, size);
	for (size_t i = 0; i < records->count; i++) {
		size_t to = i;
		memcpy(first, record_at(records, size, i), size);
		while (keys[to].index != i) {
			size_t from = keys[to].index;
			memcpy(record_at(records, size, to), record_at(records, size, from), size);
			keys[to].index = to;
			to = from;
		}
		memcpy(record_at(records, size, to), first, size);
		keys[to].index = to;
	}
	free(first);
}

/* By uid; of equal ones the last stays. */
static void sort_unique(struct kube_records *records, size_t size)
{
	struct sort_key *keys = resize(NULL, records->count, sizeof(*keys));
	for (size_t i = 0; i < records->count; i++) {
		const char *uid = record_at(records, size, i);
		keys[i] = (struct sort_key){prefix_of(uid), i, uid};
	}
	qsort(keys, records->count, sizeof(*keys), compare_keys);
	permute(records, size, keys);
	free(keys);
	size_t count = 0;
	for (size_t i = 0; i < records->count; i++) {
		const char *record = record_at(records, size, i);
		if (i + 1 < records->count && strcmp(record, record_at(records, size, i + 1)) == 0)
			continue;
		if (count != i)
			memcpy(record_at(records, size, count), record, size);
		count++;
	}
	records->count = count;
}

static bool in_sorted(const struct kube_records *records, size_t size, size_t count, const char *uid)
{
	size_t low = 0, high = count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(record_at(records, size, middle), uid);
		if (order == 0)
			return true;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

void kube_table_replace(struct kube_table *table, struct kube_records *list, const char *scope, bool keep_unnamed)
{
	const struct kube_record_kind *kind = table->kind;
	apply(table);
	sort_unique(list, kind->size);
	size_t named = list->count;
	for (size_t i = 0; i < table->records.count; i++) {
		const char *record = at(table, i);
		bool kept = keep_unnamed || (scope && !kind->in_scope(record, scope));
		if (kept && !in_sorted(list, kind->size, named, record))
			kube_records_add(list, kind, record);
	}
	if (list->count > named)
		sort_unique(list, kind->size);
	kube_records_free(&table->records);
	table->records = *list;
	*list = (struct kube_records){0};
	table->hashes = resize(table->hashes, table->records.room, sizeof(*table->hashes));
	for (size_t i = 0; i < table->records.count; i++)
		table->hashes[i] = kind->name_hash(at(table, i));
}
