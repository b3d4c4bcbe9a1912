/* What control has told a worker: router hosts, clusters, host names, default clusters. Two sets, so that a resync
 * fills the second while the first serves. Lookups only; who is elected is decided in election.c. */
#ifndef PM_TABLES_H
#define PM_TABLES_H

#include <stdbool.h>
#include <stdint.h>

#include "common/hostname.h"
#include "common/message.h"
#include "common/siphash.h"

enum { CLUSTER_HOSTS_MAX = 256, TABLE_END = 0xffffffff };

struct table_host {
	bool present;
	bool healthy;
	uint16_t http_port, https_port;
	uint16_t cluster; /* number */
	uint32_t generation;
	struct address address;
};

struct table_cluster {
	uint16_t host_count;
	uint16_t turn;                     /* where the next search among equals begins */
	uint32_t hosts[CLUSTER_HOSTS_MAX]; /* slots */
};

/* The state of smooth weighted round robin: belongs to the pair, so that a resync changes nothing. */
struct pair_credit {
	int32_t credit;
	uint32_t terms; /* of the election that it was earned in, see table_route.terms */
};

struct table_route {
	uint64_t id;
	uint32_t next; /* in the bucket, or in the list of free ones */
	uint8_t wildcard;
	uint8_t share_count;
	uint32_t terms; /* hash of all shares: with other shares, credit begins at 0 */
	struct hostname name;
	struct message_share shares[ROUTE_CLUSTERS_MAX];
	int32_t credits[ROUTE_CLUSTERS_MAX]; /* of shares whose pair has no slot */
};

/* A chain of routes. Counts as empty unless it was used since the table was cleared: a resync of many routes begins
 * without touching them all. */
struct table_bucket {
	uint32_t first;
	uint32_t epoch;
};

struct table {
	struct table_host *hosts;       /* by slot */
	struct table_cluster *clusters; /* by place */
	struct table_route *routes;
	uint32_t routes_used; /* routes[] from here on were never used since the table was cleared */
	uint32_t free_route;  /* list of those given back */
	struct table_bucket *buckets;
	uint32_t epoch; /* 1 up with each clearing; at one a second it comes round after 136 years */
	struct table_route defaults[LISTENERS_MAX]; /* one share; share_count 0: reject */
};

struct tables {
	struct table table[2];
	struct table *active;
	struct table *filling; /* the other one between SYNC_BEGIN and SYNC_END, else NULL */
	uint32_t hosts_max, routes_max, pairs_max, bucket_mask;
	struct siphash_key key;
	struct pair_credit *credits; /* by pair slot */

	bool ready;     /* the first sync was applied */
	uint64_t start; /* control's start number that is listened to */
	uint32_t next_sequence;
	bool lost; /* a gap: nothing is believed until the next SYNC_BEGIN */
	unsigned batch_count;
	struct message batch[MESSAGE_BATCH_MAX];
};

/* False: out of memory. */
bool tables_init(struct tables *tables, uint32_t hosts_max, uint32_t routes_max, uint32_t pairs_max,
                 const struct siphash_key *key);
void tables_free(struct tables *tables);

/* The route for a name: exact first, then the wildcard that covers its first label. NULL: none. */
struct table_route *tables_route(struct tables *tables, const struct hostname *name);

/* Takes one message into a table. False: a slot out of range, or no room. */
bool table_apply(struct tables *tables, struct table *table, const struct message *message);
/* Empties a table for a resync, in the time that its hosts take, however many routes it has. */
void table_clear(struct table *table);
/* The credit of the route's share `index` under its present terms. */
int32_t *tables_credit(struct tables *tables, struct table_route *route, unsigned index);
/* Its value, without beginning anything. */
int32_t tables_credit_now(const struct tables *tables, const struct table_route *route, unsigned index);
/* Listener number i is the one that had the number before[i] (-1: it is new), and there are `count`. */
void tables_move_defaults(struct tables *tables, const int *before, unsigned count);
/* Makes the filled table the active one. Turns among router hosts go on. */
void tables_swap(struct tables *tables);

#endif
