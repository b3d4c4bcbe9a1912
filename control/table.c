/* From state to table: see the header. */
#include "control/table.h"

#include <stdlib.h>
#include <string.h>

enum { HUNDREDTHS = 100 };

struct build {
	struct state *state;
	struct slots *hosts, *pairs;
	uint32_t routes_max;
	struct table *table;
};

static void *allocate(size_t count, size_t size)
{
	void *memory = calloc(count > 0 ? count : 1, size);
	if (!memory)
		abort();
	return memory;
}

static void add_host(struct build *build, const struct cluster *cluster, size_t i)
{
	struct table *table = build->table;
	const struct host_spec *host = &cluster->spec->hosts[i];
	struct health *health = &cluster->health[i];
	uint32_t slot = slots_take(build->hosts, host->id);
	if (slot == SLOT_NONE) {
		table->hosts_left_out++;
		return;
	}
	table->hosts[table->host_count++] = (struct table_host){
	    .message =
	        {
	            .slot = slot,
	            .generation = build->hosts->entries[slot].generation,
	            .address = host->address,
	            .http_port = host->http_port,
	            .https_port = host->https_port,
	            .cluster = cluster->index,
	            .healthy = health->state == HEALTH_UP,
	        },
	    .announce = health->announce,
	};
	health->announce = false;
}

static int compare_hosts(const void *a, const void *b)
{
	uint32_t x = ((const struct table_host *)a)->message.slot, y = ((const struct table_host *)b)->message.slot;
	return (x > y) - (x < y);
}

static void add_hosts(struct build *build)
{
	struct table *table = build->table;
	table->hosts = allocate(build->state->host_count, sizeof(*table->hosts));
	for (unsigned i = 0; i < CLUSTERS_MAX; i++) {
		const struct cluster *cluster = build->state->clusters[i];
		for (size_t j = 0; cluster && j < cluster->spec->host_count; j++)
			add_host(build, cluster, j);
	}
	qsort(table->hosts, table->host_count, sizeof(*table->hosts), compare_hosts);
}

static void add_share(struct build *build, struct message_route *route, const struct route_place *place)
{
	const struct cluster_spec *cluster = place->cluster->spec;
	uint64_t pair_id = cluster_pair_id(route->id, cluster->name);
	uint32_t pair = slots_take(build->pairs, pair_id);
	/* Without a slot the pair serves all the same, uncounted. */
	build->table->pairs_left_out += pair == SLOT_NONE;
	route->shares[route->share_count++] = (struct message_share){
	    .pair = pair,
	    .cluster = place->cluster->index,
	    .weight = (uint16_t)(route_weight(cluster, place->route) * HUNDREDTHS),
	    .http = place->route->http,
	    .https = place->route->https,
	};
}

static int compare_routes(const void *a, const void *b)
{
	uint64_t x = ((const struct message_route *)a)->id, y = ((const struct message_route *)b)->id;
	return (x > y) - (x < y);
}

static void add_routes(struct build *build)
{
	size_t count;
	struct table *table = build->table;
	struct route_place *places = state_routes(build->state, &count);
	struct message_route *route = NULL;
	table->routes = allocate(count, sizeof(*table->routes));
	for (size_t i = 0; i < count; i++) {
		if (i == 0 || route_compare(places[i - 1].route, places[i].route) != 0) {
			route = NULL;
			if (table->route_count == build->routes_max) {
				table->routes_left_out++;
				continue;
			}
			route = &table->routes[table->route_count++];
			route->id = cluster_route_id(places[i].route);
			route->wildcard = places[i].route->wildcard;
			/* Bytes behind the name stay 0: messages are compared as bytes. */
			route->name.len = places[i].route->name.len;
			memcpy(route->name.text, places[i].route->name.text, route->name.len);
		}
		if (route && route->share_count < ROUTE_CLUSTERS_MAX)
			add_share(build, route, &places[i]);
	}
	free(places);
	qsort(table->routes, table->route_count, sizeof(*table->routes), compare_routes);
}

static void add_listeners(struct build *build, const struct config *config)
{
	struct table *table = build->table;
	table->listener_count = config->listener_count;
	for (unsigned i = 0; i < config->listener_count; i++) {
		const struct config_listener *listener = &config->listeners[i];
		const struct cluster *cluster = state_cluster(build->state, listener->default_cluster);
		struct message_listener *message = &table->listeners[i];
		*message =
		    (struct message_listener){.listener = (uint16_t)i, .cluster = CLUSTER_NONE, .pair = SLOT_NONE};
		if (!cluster)
			continue;
		message->cluster = cluster->index;
		message->pair = slots_take(build->pairs, cluster_default_pair_id(listener->name, cluster->spec->name));
		table->pairs_left_out += message->pair == SLOT_NONE;
	}
}

struct table *table_build(struct state *state, const struct config *config, struct slots *hosts, struct slots *pairs,
                          uint32_t routes_max, uint64_t applied)
{
	struct table *table = allocate(1, sizeof(*table));
	struct build build = {.state = state, .hosts = hosts, .pairs = pairs, .routes_max = routes_max, .table = table};
	table->revision = state->revision;
	slots_begin(hosts, table->revision, applied);
	slots_begin(pairs, table->revision, applied);
	add_hosts(&build);
	add_routes(&build);
	add_listeners(&build, config);
	return table;
}

void table_free(struct table *table)
{
	if (!table)
		return;
	free(table->hosts);
	free(table->routes);
	free(table);
}
