/* See tables.h. Routes are chained in buckets by a keyed hash of name and kind. */
#include "dataplane/tables.h"

#include <stdlib.h>
#include <string.h>

#include "common/crc32c.h"

static bool table_init(struct table *table, const struct tables *tables)
{
	table->hosts = calloc(tables->hosts_max, sizeof(*table->hosts));
	table->clusters = calloc(CLUSTERS_MAX, sizeof(*table->clusters));
	table->routes = calloc(tables->routes_max, sizeof(*table->routes));
	table->buckets = calloc(tables->bucket_mask + 1u, sizeof(*table->buckets));
	table->epoch = 1;
	table->free_route = TABLE_END;
	return table->hosts && table->clusters && table->routes && table->buckets;
}

bool tables_init(struct tables *tables, uint32_t hosts_max, uint32_t routes_max, uint32_t pairs_max,
                 const struct siphash_key *key)
{
	uint32_t buckets = 1;
	while (buckets < routes_max)
		buckets *= 2;
	tables->hosts_max = hosts_max;
	tables->routes_max = routes_max;
	tables->pairs_max = pairs_max;
	tables->bucket_mask = buckets - 1;
	tables->key = *key;
	tables->active = &tables->table[0];
	tables->credits = calloc(pairs_max, sizeof(*tables->credits));
	return tables->credits && table_init(&tables->table[0], tables) && table_init(&tables->table[1], tables);
}

void tables_free(struct tables *tables)
{
	free(tables->credits);
	for (unsigned i = 0; i < 2; i++) {
		free(tables->table[i].hosts);
		free(tables->table[i].clusters);
		free(tables->table[i].routes);
		free(tables->table[i].buckets);
	}
}

void table_clear(struct table *table)
{
	for (unsigned i = 0; i < CLUSTERS_MAX; i++) {
		struct table_cluster *cluster = &table->clusters[i];
		for (unsigned k = 0; k < cluster->host_count; k++)
			table->hosts[cluster->hosts[k]].present = false;
		cluster->host_count = 0;
		cluster->turn = 0;
	}
	memset(table->defaults, 0, sizeof(table->defaults));
	table->routes_used = 0;
	table->free_route = TABLE_END;
	table->epoch++;
}

static uint32_t *bucket_of(const struct tables *tables, struct table *table, const char *name, size_t len,
                           bool wildcard)
{
	struct siphash_key key = {tables->key.k0 ^ wildcard, tables->key.k1};
	struct table_bucket *bucket = &table->buckets[siphash(&key, name, len) & tables->bucket_mask];
	if (bucket->epoch != table->epoch)
		*bucket = (struct table_bucket){.first = TABLE_END, .epoch = table->epoch};
	return &bucket->first;
}

static struct table_route *find(const struct tables *tables, struct table *table, const char *name, size_t len,
                                bool wildcard)
{
	for (uint32_t i = *bucket_of(tables, table, name, len, wildcard); i != TABLE_END; i = table->routes[i].next) {
		struct table_route *route = &table->routes[i];
		if (route->wildcard == wildcard && route->name.len == len && memcmp(route->name.text, name, len) == 0)
			return route;
	}
	return NULL;
}

struct table_route *tables_route(struct tables *tables, const struct hostname *name)
{
	struct table_route *route = find(tables, tables->active, name->text, name->len, false);
	const char *dot = memchr(name->text, '.', name->len);
	if (!route && dot) {
		const char *rest = dot + 1;
		route = find(tables, tables->active, rest, name->len - (size_t)(rest - name->text), true);
	}
	return route;
}

static void cluster_remove(struct table *table, uint32_t slot)
{
	struct table_cluster *cluster = &table->clusters[cluster_place(table->hosts[slot].cluster)];
	for (unsigned i = 0; i < cluster->host_count; i++) {
		if (cluster->hosts[i] == slot) {
			cluster->host_count--;
			memmove(&cluster->hosts[i], &cluster->hosts[i + 1],
			        (cluster->host_count - i) * sizeof(cluster->hosts[0]));
			return;
		}
	}
}

static bool apply_host(struct tables *tables, struct table *table, const struct message_host *message)
{
	if (message->slot >= tables->hosts_max)
		return false;
	struct table_host *host = &table->hosts[message->slot];
	unsigned place = cluster_place(message->cluster);
	if (!host->present || cluster_place(host->cluster) != place) {
		struct table_cluster *cluster = &table->clusters[place];
		if (cluster->host_count == CLUSTER_HOSTS_MAX)
			return false;
		if (host->present)
			cluster_remove(table, message->slot);
		cluster->hosts[cluster->host_count++] = message->slot;
	}
	*host = (struct table_host){
	    .present = true,
	    .healthy = message->healthy,
	    .http_port = message->http_port,
	    .https_port = message->https_port,
	    .cluster = message->cluster,
	    .generation = message->generation,
	    .address = message->address,
	};
	return true;
}

static void apply_host_gone(struct tables *tables, struct table *table, const struct message_host_gone *message)
{
	if (message->slot >= tables->hosts_max || !table->hosts[message->slot].present)
		return;
	cluster_remove(table, message->slot);
	table->hosts[message->slot].present = false;
}

static void set_shares(struct table_route *route, const struct message_share *shares, unsigned share_count)
{
	memcpy(route->shares, shares, share_count * sizeof(*shares));
	memset(route->credits, 0, sizeof(route->credits));
	route->share_count = (uint8_t)share_count;
	route->terms = crc32c(shares, share_count * sizeof(*shares));
}

int32_t *tables_credit(struct tables *tables, struct table_route *route, unsigned index)
{
	uint32_t pair = route->shares[index].pair;
	if (pair == SLOT_NONE)
		return &route->credits[index];
	struct pair_credit *credit = &tables->credits[pair];
	if (credit->terms != route->terms)
		*credit = (struct pair_credit){.terms = route->terms};
	return &credit->credit;
}

int32_t tables_credit_now(const struct tables *tables, const struct table_route *route, unsigned index)
{
	uint32_t pair = route->shares[index].pair;
	if (pair == SLOT_NONE)
		return route->credits[index];
	return tables->credits[pair].terms == route->terms ? tables->credits[pair].credit : 0;
}

static bool pairs_valid(const struct tables *tables, const struct message_share *shares, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (shares[i].pair >= tables->pairs_max && shares[i].pair != SLOT_NONE)
			return false;
	return true;
}

static struct table_route *take_route(struct tables *tables, struct table *table)
{
	if (table->free_route != TABLE_END) {
		struct table_route *route = &table->routes[table->free_route];
		table->free_route = route->next;
		return route;
	}
	return table->routes_used < tables->routes_max ? &table->routes[table->routes_used++] : NULL;
}

static bool apply_route(struct tables *tables, struct table *table, const struct message_route *message)
{
	if (!pairs_valid(tables, message->shares, message->share_count))
		return false;
	const char *name = message->name.text;
	uint8_t len = message->name.len;
	struct table_route *route = find(tables, table, name, len, message->wildcard);
	if (!route) {
		route = take_route(tables, table);
		if (!route)
			return false;
		uint32_t *bucket = bucket_of(tables, table, name, len, message->wildcard);
		route->next = *bucket;
		*bucket = (uint32_t)(route - table->routes);
		route->name = message->name;
		route->wildcard = message->wildcard;
	}
	route->id = message->id;
	set_shares(route, message->shares, message->share_count);
	return true;
}

static void apply_route_gone(struct tables *tables, struct table *table, const struct message_route_gone *message)
{
	struct table_route *route = find(tables, table, message->name.text, message->name.len, message->wildcard);
	if (!route)
		return;
	uint32_t index = (uint32_t)(route - table->routes);
	uint32_t *link = bucket_of(tables, table, route->name.text, route->name.len, route->wildcard);
	while (*link != index)
		link = &table->routes[*link].next;
	*link = route->next;
	route->next = table->free_route;
	table->free_route = index;
}

static bool apply_listener(struct tables *tables, struct table *table, const struct message_listener *message)
{
	struct message_share share = {
	    .pair = message->pair, .cluster = message->cluster, .weight = 10000, .http = 1, .https = 1};
	bool present = message->cluster != CLUSTER_NONE;
	if (!pairs_valid(tables, &share, 1))
		return false;
	set_shares(&table->defaults[message->listener], &share, present);
	return true;
}

bool table_apply(struct tables *tables, struct table *table, const struct message *message)
{
	switch (message->type) {
	case MESSAGE_HOST:
		return apply_host(tables, table, &message->host);
	case MESSAGE_HOST_GONE:
		apply_host_gone(tables, table, &message->host_gone);
		return true;
	case MESSAGE_ROUTE:
		return apply_route(tables, table, &message->route);
	case MESSAGE_ROUTE_GONE:
		apply_route_gone(tables, table, &message->route_gone);
		return true;
	case MESSAGE_LISTENER:
		return apply_listener(tables, table, &message->listener);
	default:
		return false;
	}
}

void tables_swap(struct tables *tables)
{
	for (unsigned i = 0; i < CLUSTERS_MAX; i++)
		tables->filling->clusters[i].turn = tables->active->clusters[i].turn;
	tables->active = tables->filling;
	tables->filling = NULL;
	tables->ready = true;
}

void tables_move_defaults(struct tables *tables, const int *before, unsigned count)
{
	static const struct table_route none;
	for (unsigned t = 0; t < 2; t++) {
		struct table_route moved[LISTENERS_MAX];
		for (unsigned i = 0; i < LISTENERS_MAX; i++)
			moved[i] = i < count && before[i] >= 0 ? tables->table[t].defaults[before[i]] : none;
		memcpy(tables->table[t].defaults, moved, sizeof(moved));
	}
}
