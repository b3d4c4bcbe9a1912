/* Points of the last seconds: see the header. */
#include "control/observe/history.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/crc32c.h"

/* The points of one object. A column is second % HISTORY_POINTS in all of them. */
struct series {
	uint64_t id, name_id;
	int64_t used_at; /* the last second with anything but 0 */
	uint64_t recent; /* sum of VALUE_NEW */
	uint64_t total;  /* VALUE_TOTAL in the last column; those before follow from VALUE_NEW */
	struct series *next;
	uint32_t points[][HISTORY_POINTS]; /* by value */
};

struct table {
	unsigned values; /* that each object has points of */
	bool totals;     /* and VALUE_TOTAL */
	size_t max, count;
	uint32_t bucket_mask;
	struct series **buckets;
};

struct history {
	int64_t second;
	uint8_t columns[HISTORY_POINTS]; /* enum history_column */
	uint64_t totals[history_total_count][HISTORY_POINTS];
	struct table tables[history_kind_count];
	size_t left_out;     /* pairs, in the last column */
	int64_t left_out_at; /* the last second in which there were any */
};

/* ---- series ---- */

static const struct {
	unsigned values;
	bool totals;
	uint32_t max, buckets;
} kinds[history_kind_count] = {
    [HISTORY_CLUSTER] = {3, false, HISTORY_CLUSTERS_MAX, 256},
    [HISTORY_HOST] = {3, true, HISTORY_HOSTS_MAX, 4096},
    [HISTORY_PAIR] = {2, false, HISTORY_PAIRS_MAX, 8192},
};

static size_t series_size(const struct table *table)
{
	return sizeof(struct series) + table->values * sizeof(uint32_t[HISTORY_POINTS]);
}

/* Ids are hashes already. */
static struct series **bucket_of(const struct table *table, uint64_t id)
{
	return &table->buckets[id & table->bucket_mask];
}

static struct series *find(const struct table *table, uint64_t id)
{
	struct series *series = *bucket_of(table, id);
	while (series && series->id != id)
		series = series->next;
	return series;
}

/* NULL: there is no room. */
static struct series *add(struct table *table, uint64_t id)
{
	if (table->count >= table->max)
		return NULL;
	struct series *series = calloc(1, series_size(table));
	if (!series)
		abort();
	series->id = id;
	series->next = *bucket_of(table, id);
	*bucket_of(table, id) = series;
	table->count++;
	return series;
}

/* The column is 0 for all, and what has been 0 for the whole time goes. */
static void clear_column(struct table *table, unsigned column, int64_t second)
{
	for (uint32_t i = 0; i <= table->bucket_mask; i++) {
		struct series **link = &table->buckets[i];
		while (*link) {
			struct series *series = *link;
			if (second - series->used_at >= HISTORY_POINTS) {
				*link = series->next;
				free(series);
				table->count--;
				continue;
			}
			series->recent -= series->points[VALUE_NEW][column];
			series->total = 0;
			for (unsigned j = 0; j < table->values; j++)
				series->points[j][column] = 0;
			link = &series->next;
		}
	}
}

static void clear_table(struct table *table)
{
	clear_column(table, 0, INT64_MAX);
}

/* ---- the whole ---- */

struct history *history_create(void)
{
	struct history *history = calloc(1, sizeof(*history));
	if (!history)
		abort();
	for (unsigned i = 0; i < history_kind_count; i++) {
		history->tables[i] = (struct table){.values = kinds[i].values,
		                                    .totals = kinds[i].totals,
		                                    .max = kinds[i].max,
		                                    .bucket_mask = kinds[i].buckets - 1};
		history->tables[i].buckets = calloc(kinds[i].buckets, sizeof(struct series *));
		if (!history->tables[i].buckets)
			abort();
	}
	return history;
}

static void clear(struct history *history)
{
	for (unsigned i = 0; i < history_kind_count; i++)
		clear_table(&history->tables[i]);
	memset(history->columns, HISTORY_MISSED, sizeof(history->columns));
	memset(history->totals, 0, sizeof(history->totals));
	history->second = 0;
	history->left_out = 0;
	history->left_out_at = 0;
}

void history_free(struct history *history)
{
	clear(history);
	for (unsigned i = 0; i < history_kind_count; i++)
		free(history->tables[i].buckets);
	free(history);
}

static unsigned column_of(int64_t second)
{
	return (unsigned)(second % HISTORY_POINTS);
}

static void begin_column(struct history *history, int64_t second, enum history_column column)
{
	unsigned at = column_of(second);
	history->columns[at] = (uint8_t)column;
	for (unsigned i = 0; i < history_total_count; i++)
		history->totals[i][at] = 0;
	for (unsigned i = 0; i < history_kind_count; i++)
		clear_column(&history->tables[i], at, second);
}

void history_begin(struct history *history, int64_t second, enum history_column column)
{
	if (second <= history->second || second - history->second >= HISTORY_POINTS)
		clear(history);
	else
		for (int64_t missed = history->second + 1; missed < second; missed++)
			begin_column(history, missed, HISTORY_MISSED);
	begin_column(history, second, column);
	history->second = second;
	history->left_out = 0;
}

void history_set_total(struct history *history, enum history_total total, uint64_t value)
{
	history->totals[total][column_of(history->second)] = value;
}

/* NULL: there was nothing to keep, or no room. */
static struct series *set(struct history *history, enum history_kind kind, uint64_t id,
                          const uint64_t values[static history_value_count])
{
	struct table *table = &history->tables[kind];
	unsigned at = column_of(history->second);
	bool used = table->totals && values[VALUE_TOTAL] != 0;
	for (unsigned i = 0; i < table->values; i++)
		used = used || values[i] != 0;
	if (!used)
		return NULL;
	struct series *series = find(table, id);
	if (!series)
		series = add(table, id);
	if (!series) {
		history->left_out++;
		history->left_out_at = history->second;
		return NULL;
	}
	series->used_at = history->second;
	for (unsigned i = 0; i < table->values; i++)
		series->points[i][at] = values[i] < UINT32_MAX ? (uint32_t)values[i] : UINT32_MAX;
	series->recent += series->points[VALUE_NEW][at];
	series->total = table->totals ? values[VALUE_TOTAL] : 0;
	return series;
}

void history_set(struct history *history, enum history_kind kind, uint64_t id,
                 const uint64_t values[static history_value_count])
{
	set(history, kind, id, values);
}

void history_set_pair(struct history *history, uint64_t id, uint64_t name_id, uint64_t active, uint64_t fresh)
{
	struct series *series = set(history, HISTORY_PAIR, id, (const uint64_t[]){active, fresh, 0, 0});
	if (series && name_id != 0)
		series->name_id = name_id;
}

/* ---- reading ---- */

int64_t history_second(const struct history *history)
{
	return history->second;
}

enum history_column history_last_column(const struct history *history)
{
	return history->columns[column_of(history->second)];
}

static unsigned column_at(const struct history *history, unsigned i)
{
	return column_of(history->second + HISTORY_POINTS - (HISTORY_POINTS - 1) + i);
}

/* Is this known in such a second? */
static bool known(enum history_column column, bool changes)
{
	return column == HISTORY_FULL || column == HISTORY_ABSENT || (column == HISTORY_FIRST && !changes);
}

int64_t history_total(const struct history *history, enum history_total total, unsigned i)
{
	unsigned at = column_at(history, i);
	enum history_column column = history->columns[at];
	bool health = total == TOTAL_HEALTHY || total == TOTAL_UNHEALTHY;
	if (health ? column == HISTORY_MISSED : !known(column, total != TOTAL_ACTIVE))
		return HISTORY_NONE;
	return (int64_t)history->totals[total][at];
}

/* Back from the last column, as far as nothing is missing on the way. */
static int64_t total_at(const struct history *history, const struct series *series, unsigned i)
{
	uint64_t later = 0;
	for (unsigned j = i + 1; j < HISTORY_POINTS; j++) {
		unsigned at = column_at(history, j);
		if (history->columns[at] != HISTORY_FULL)
			return HISTORY_NONE;
		later += series ? series->points[VALUE_NEW][at] : 0;
	}
	return series && series->total > later ? (int64_t)(series->total - later) : 0;
}

static int64_t point(const struct history *history, const struct series *series, enum history_kind kind,
                     enum history_value value, unsigned i)
{
	unsigned at = column_at(history, i);
	/* It may be one that found no room. */
	bool unsure = !series && kind == HISTORY_PAIR && history->left_out_at > history->second - HISTORY_POINTS;
	if (unsure || !known(history->columns[at], value == VALUE_NEW || value == VALUE_REFUSED))
		return HISTORY_NONE;
	if (value == VALUE_TOTAL)
		return total_at(history, series, i);
	return series ? series->points[value][at] : 0;
}

int64_t history_value(const struct history *history, enum history_kind kind, uint64_t id, enum history_value value,
                      unsigned i)
{
	return point(history, find(&history->tables[kind], id), kind, value, i);
}

void history_values(const struct history *history, enum history_kind kind, uint64_t id, enum history_value value,
                    int64_t out[static HISTORY_POINTS])
{
	const struct series *series = find(&history->tables[kind], id);
	for (unsigned i = 0; i < HISTORY_POINTS; i++)
		out[i] = point(history, series, kind, value, i);
}

uint64_t history_pair_recent(const struct history *history, uint64_t pair_id)
{
	const struct series *series = find(&history->tables[HISTORY_PAIR], pair_id);
	return series ? series->recent : 0;
}

size_t history_left_out(const struct history *history)
{
	return history->left_out;
}

size_t history_count(const struct history *history, enum history_kind kind)
{
	return history->tables[kind].count;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

uint64_t *history_names(const struct history *history, size_t *count)
{
	const struct table *table = &history->tables[HISTORY_PAIR];
	uint64_t *names = malloc((table->count + 1) * sizeof(*names));
	size_t all = 0;
	if (!names)
		abort();
	for (uint32_t i = 0; i <= table->bucket_mask; i++)
		for (const struct series *series = table->buckets[i]; series; series = series->next)
			if (series->name_id != 0)
				names[all++] = series->name_id;
	qsort(names, all, sizeof(*names), compare);
	*count = 0;
	for (size_t i = 0; i < all; i++)
		if (i == 0 || names[i] != names[i - 1])
			names[(*count)++] = names[i];
	return names;
}

bool history_has(const struct history *history, enum history_kind kind, uint64_t id)
{
	return find(&history->tables[kind], id) != NULL;
}

/* FNV-1a: names are few and the operator's own. */
uint64_t history_cluster_id(const char *name)
{
	uint64_t hash = 0xcbf29ce484222325ULL;
	for (; *name != '\0'; name++)
		hash = (hash ^ (unsigned char)*name) * 0x100000001b3ULL;
	return hash;
}

/* ---- the file ---- */

struct file_head {
	char magic[8];
	uint32_t version, crc; /* of everything behind the head */
	uint64_t size;         /* of that */
	int64_t second;
	uint64_t counts[history_kind_count];
};

static const char magic[8] = "pm_hist";

enum { FILE_VERSION = 1 };

static size_t body_size(const struct history *history)
{
	size_t size = sizeof(history->columns) + sizeof(history->totals);
	for (unsigned i = 0; i < history_kind_count; i++)
		size += history->tables[i].count * series_size(&history->tables[i]);
	return size;
}

static char *put(char *at, const void *bytes, size_t len)
{
	memcpy(at, bytes, len);
	return at + len;
}

static char *make_body(const struct history *history, size_t size)
{
	char *body = malloc(size), *at = body;
	if (!body)
		abort();
	at = put(at, history->columns, sizeof(history->columns));
	at = put(at, history->totals, sizeof(history->totals));
	for (unsigned i = 0; i < history_kind_count; i++) {
		const struct table *table = &history->tables[i];
		for (uint32_t j = 0; j <= table->bucket_mask; j++)
			for (const struct series *series = table->buckets[j]; series; series = series->next)
				at = put(at, series, series_size(table));
	}
	return body;
}

bool history_save(const struct history *history, const char *path)
{
	struct file_head head = {.version = FILE_VERSION, .second = history->second, .size = body_size(history)};
	memcpy(head.magic, magic, sizeof(magic));
	for (unsigned i = 0; i < history_kind_count; i++)
		head.counts[i] = history->tables[i].count;
	char *body = make_body(history, head.size);
	head.crc = crc32c(body, head.size);
	FILE *file = fopen(path, "we");
	bool good = file && fwrite(&head, sizeof(head), 1, file) == 1 && fwrite(body, head.size, 1, file) == 1;
	if (file)
		good = fclose(file) == 0 && good;
	if (!good)
		unlink(path);
	free(body);
	return good;
}

static bool head_valid(const struct history *history, const struct file_head *head)
{
	uint64_t size = body_size(history); /* which is empty */
	if (memcmp(head->magic, magic, sizeof(magic)) != 0 || head->version != FILE_VERSION || head->second <= 0)
		return false;
	for (unsigned i = 0; i < history_kind_count; i++) {
		if (head->counts[i] > history->tables[i].max)
			return false;
		size += head->counts[i] * series_size(&history->tables[i]);
	}
	return head->size == size;
}

static void take_body(struct history *history, const struct file_head *head, const char *at)
{
	memcpy(history->columns, at, sizeof(history->columns));
	at += sizeof(history->columns);
	memcpy(history->totals, at, sizeof(history->totals));
	at += sizeof(history->totals);
	for (unsigned i = 0; i < history_kind_count; i++) {
		struct table *table = &history->tables[i];
		size_t size = series_size(table);
		for (uint64_t j = 0; j < head->counts[i]; j++, at += size) {
			struct series kept;
			memcpy(&kept, at, sizeof(kept));
			struct series *series = add(table, kept.id);
			kept.next = series->next;
			memcpy(series, at, size);
			series->next = kept.next;
		}
	}
	history->second = head->second;
}

bool history_load(struct history *history, const char *path)
{
	struct file_head head;
	FILE *file = fopen(path, "re");
	if (!file)
		return false;
	bool good = history->second == 0 && fread(&head, sizeof(head), 1, file) == 1 && head_valid(history, &head);
	char *body = good ? malloc(head.size) : NULL;
	good = body && fread(body, head.size, 1, file) == 1 && crc32c(body, head.size) == head.crc;
	fclose(file);
	if (good)
		take_body(history, &head, body);
	free(body);
	return good;
}
