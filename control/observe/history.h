/* The last two minutes, a point for each second: all connections together, and those of clusters, router hosts and
 * pairs of (route, cluster). Pure memory: sampler.h brings the numbers. One thread.
 *
 * A second is a column. What is not told of an object in a column is 0 there, so an object without connections needs no
 * room; what could not be known in that second is HISTORY_NONE for every object. */
#ifndef PM_HISTORY_H
#define PM_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HISTORY_POINTS = 120, HISTORY_PAIRS_MAX = 4096, HISTORY_HOSTS_MAX = 65536, HISTORY_CLUSTERS_MAX = 1024 };

#define HISTORY_NONE (-1)

/* What is known of a second. */
enum history_column {
	HISTORY_MISSED, /* nothing: control did not run, or was late */
	HISTORY_BLIND,  /* health; there is a dataplane whose counters cannot be read (yet) */
	HISTORY_ABSENT, /* health, and that there was no dataplane: no connections */
	HISTORY_FIRST,  /* also what stands (active), but not what has changed: there is nothing to compare with */
	HISTORY_FULL,
};

enum history_total {
	TOTAL_ACTIVE,    /* attempts and connections of router hosts */
	TOTAL_NEW,       /* connections spliced in this second */
	TOTAL_REFUSED,   /* attempts that failed, and answers of our own */
	TOTAL_HEALTHY,   /* router hosts */
	TOTAL_UNHEALTHY, /* router hosts, those not checked yet included */
	TOTAL_BYTES_IN,  /* on the wire, from clients: see client_ports.h */
	TOTAL_BYTES_OUT, /* to clients */
	history_total_count,
};

enum history_kind { HISTORY_CLUSTER, HISTORY_HOST, HISTORY_PAIR, history_kind_count };

/* Of an object in a second. */
enum history_value {
	VALUE_ACTIVE,
	VALUE_NEW,
	VALUE_REFUSED, /* of clusters and router hosts */
	VALUE_TOTAL,   /* of router hosts: connections spliced since the start of the dataplane */
	history_value_count
};

struct history;

struct history *history_create(void);
void history_free(struct history *history);

/* ---- bringing a second ---- */

/* Begins the column of this second (Unix time), which must be above the last one, or everything is forgotten: the clock
 * was set back. Seconds between become HISTORY_MISSED. */
void history_begin(struct history *history, int64_t second, enum history_column column);
void history_set_total(struct history *history, enum history_total total, uint64_t value);
/* An object, once per column. Objects are known by ids of their kind. Counts what finds no room. */
void history_set(struct history *history, enum history_kind kind, uint64_t id,
                 const uint64_t values[static history_value_count]);

/* The same for a pair; `name_id`: of its route, 0: unknown. */
void history_set_pair(struct history *history, uint64_t id, uint64_t name_id, uint64_t active, uint64_t fresh);

/* ---- reading ---- */

/* The last second that was begun; 0: none. */
int64_t history_second(const struct history *history);
enum history_column history_last_column(const struct history *history);
/* Point `i` of 0 to HISTORY_POINTS - 1, the last one being that of history_second. */
int64_t history_total(const struct history *history, enum history_total total, unsigned i);
int64_t history_value(const struct history *history, enum history_kind kind, uint64_t id, enum history_value value,
                      unsigned i);
/* All points of an object at once. */
void history_values(const struct history *history, enum history_kind kind, uint64_t id, enum history_value value,
                    int64_t out[static HISTORY_POINTS]);

/* Connections of a pair that were spliced within the points. */
uint64_t history_pair_recent(const struct history *history, uint64_t pair_id);
/* Pairs with connections in the last column that found no room; objects that have some. */
size_t history_left_out(const struct history *history);
size_t history_count(const struct history *history, enum history_kind kind);
/* The routes of the pairs that have room, each once. To be freed. */
uint64_t *history_names(const struct history *history, size_t *count);
bool history_has(const struct history *history, enum history_kind kind, uint64_t id);

/* The id of a cluster in here. */
uint64_t history_cluster_id(const char *name);

/* ---- over a restart ---- */

/* Writes everything to a file; reads it if it is whole and of this build. False: it was not (nothing has changed). */
bool history_save(const struct history *history, const char *path);
bool history_load(struct history *history, const char *path);

#endif
