/* Records by uid, in order, in one array: what the API shows of one kind of object. Does not know what a record is
 * beyond its uid and its name. Changes are collected and applied together, for each insertion moves the array. */
#ifndef PM_KUBE_TABLE_H
#define PM_KUBE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A record begins with its uid, a string. */
struct kube_record_kind {
	size_t size;
	/* True if both stand for the same namespace/name. */
	bool (*same_name)(const void *a, const void *b);
	uint64_t (*name_hash)(const void *record);
	/* Within a scope (a namespace); NULL scope: everything. */
	bool (*in_scope)(const void *record, const char *scope);
};

/* Records in one block; also a list that is being collected, then in any order. */
struct kube_records {
	size_t count, room;
	uint8_t *bytes; /* owned */
};

struct kube_table;

struct kube_table *kube_table_create(const struct kube_record_kind *kind);
void kube_table_free(struct kube_table *table);

/* Ordered by uid, each once; changes that are not applied yet do not show. Valid until the next apply or replace. */
const struct kube_records *kube_table_records(const struct kube_table *table);
/* Also finds what is not applied yet. NULL: not there. */
const void *kube_table_find(const struct kube_table *table, const char *uid);
/* How many of these are in the scope. */
size_t kube_table_count(const struct kube_table *table, const char *scope);

/* An event: the record is there now (it takes the place of one with its uid, and of one with its name, whose deletion
 * was missed), or the uid is gone. Copied. True if something is different from before. */
bool kube_table_put(struct kube_table *table, const void *record);
bool kube_table_remove(struct kube_table *table, const char *uid);
/* Makes the changes show. True if there were any. */
bool kube_table_apply(struct kube_table *table);

/* Adds a copy to a list that is being collected. */
void kube_records_add(struct kube_records *records, const struct kube_record_kind *kind, const void *record);
void kube_records_free(struct kube_records *records);

/* A complete list of a scope: what is in the scope and not in `list` is gone, unless `keep_unnamed`: then the list is
 * known to have had objects that could not be read at all, and nothing goes by it. A uid that is twice in the list
 * counts as it stood there last. Takes the records out of `list`. Changes that were not applied yet are applied. */
void kube_table_replace(struct kube_table *table, struct kube_records *list, const char *scope, bool keep_unnamed);

#endif
