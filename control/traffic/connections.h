/* Live connections as the admin API shows them: gathers what all workers list, keeps the oldest ones and counts the
 * others by route. Knows no HTTP and asks nobody. Memory is bounded by what is shown and by the number of routes. */
#ifndef PM_CONNECTIONS_H
#define PM_CONNECTIONS_H

#include <jansson.h>
#include <stddef.h>

#include "common/record.h"
#include "control/traffic/queries.h"

struct control;
struct connections;

enum { CONNECTIONS_LIMIT_MAX = 1000, CONNECTIONS_LIMIT_DEFAULT = 100, CONNECTIONS_ROUTES_MAX = 50 };

/* `limit`: how many are shown one by one. */
struct connections *connections_create(const struct control *control, size_t limit);
void connections_free(struct connections *connections);

/* A RECORD_LISTED, in any order. */
void connections_add(struct connections *connections, const struct record *record);

/* {"total", "left_out", "oldest_seconds", "connections", "by_route"}. `matched`: how many there are, listed or not.
 * Nothing may be added any more. New reference. */
json_t *connections_json(struct connections *connections, uint64_t matched);

#endif
