/* The last two minutes as the admin API, the stream and the page show them. Reads control and its history, changes
 * nothing. All return new references. */
#ifndef PM_STATS_JSON_H
#define PM_STATS_JSON_H

#include <jansson.h>
#include <stdint.h>

#include "control/observe/journal.h"

struct cluster;
struct control;
struct host_spec;
struct name;

/* The last full second that was sampled, Unix ms; 0: none yet. */
int64_t stats_at(const struct control *control);
/* 120 times in Unix ms. */
json_t *stats_times(const struct control *control);

/* {"active": [...], "new": [...], ...}, 120 points each, null where nothing is known. */
json_t *stats_totals(const struct control *control);
json_t *stats_of_cluster(const struct control *control, const struct cluster *cluster);
json_t *stats_of_host(const struct control *control, const struct host_spec *host);
/* {CLUSTER: {"active": [...], "new": [...]}} */
json_t *stats_of_route(const struct control *control, const struct name *name);

/* {"at", "interval_ms", "points", "times"} and the members of `more`, whose reference is taken. */
json_t *stats_frame(const struct control *control, json_t *more);

/* The same for the last point alone: numbers, or null. */
json_t *stats_last_totals(const struct control *control);
json_t *stats_last_of_route(const struct control *control, const struct name *name);
/* Adds "active", "new", and of a host "refused" and "total", to an object. */
void stats_add_last_of_cluster(json_t *object, const struct control *control, const struct cluster *cluster);
void stats_add_last_of_host(json_t *object, const struct control *control, const struct host_spec *host);

/* "ready", "absent", "starting", "incompatible" */
const char *stats_dataplane(const struct control *control);

/* An entry of the journal. */
json_t *stats_event(const struct journal_entry *entry);

#endif
