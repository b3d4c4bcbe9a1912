/* From state to table: see the header. */
#include "control/feed/table.h"

#include <stdlib.h>
#include <string.h>

#include "control/state/weight.h"

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

/* A host whose pods are not ready gets no new connections while its cluster has others. When all of them are so, the
 * word of the API counts for less than the health check: a control plane that lost its nodes takes nothing down. */
static bool serves(const struct host_spec *host, bool others_active)
{
	if (host->hold.reason != HOLD_NONE)
		return true;
	return host->state == HOST_ACTIVE || (host->state == HOST_DRAINING && !others_active);
}

/* By the operator. */
static bool is_enabled(const struct cluster *cluster, const struct host_spec *host)
{
	return host_modes_find(&cluster->modes, host->id) == NULL;
}

static bool any_active(const struct cluster *cluster)
{
	for (size_t i = 0; i < cluster->spec->host_count; i++) {
		const struct host_spec *host = &cluster->spec->hosts[i];
		if (host->state == HOST_ACTIVE && is_enabled(cluster, host))
			return true;
	}
	return false;
}

static bool elects(const struct cluster *cluster, size_t i, bool others_active)
{
	const struct host_spec *host = &cluster->spec->hosts[i];
	return cluster->health[i].state == HEALTH_UP && is_enabled(cluster, host) && serves(host, others_active);
}

bool table_elects(const struct cluster *cluster, size_t i)
{
	return elects(cluster, i, any_active(cluster));
}

static void add_host(struct build *build, const struct cluster *cluster, size_t i, bool others_active)
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
	            .cluster = cluster->number,
	            .healthy = elects(cluster, i, others_active),
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
		bool active = cluster && any_active(cluster);
		for (size_t j = 0; cluster && j < cluster->spec->host_count; j++)
			add_host(build, cluster, j, active);
	}
	qsort(table->hosts, table->host_count, sizeof(*table->hosts), compare_hosts);
}

/* Without a slot the pair serves all the same, uncounted. False: it has none. */
static bool add_share(struct build *build, struct message_route *route, const struct pair *pair, uint64_t pair_id)
{
	const struct cluster *cluster = build->state->clusters[pair->cluster];
	uint32_t slot = slots_take(build->pairs, pair_id);
	if (slot != SLOT_NONE)
		slots_note(build->pairs, slot, route->id);
	route->shares[route->share_count++] = (struct message_share){
	    .pair = slot,
	    .cluster = cluster->number,
	    .weight = weight_of(cluster->spec, pair).value,
	    .http = pair->http,
	    .https = pair->https,
	};
	return slot != SLOT_NONE;
}

static void add_shares(struct build *build, struct message_route *route, struct name *name)
{
	uint64_t ids[ROUTE_CLUSTERS_MAX];
	uint8_t uncounted = 0;
	bool many = name->pair_count > ROUTE_CLUSTERS_MAX;
	for (unsigned i = 0; i < name->pair_count && route->share_count < ROUTE_CLUSTERS_MAX; i++) {
		const struct pair *pair = &name->pairs[i];
		const struct cluster_spec *cluster = build->state->clusters[pair->cluster]->spec;
		if (!pair->present || (many && weight_of(cluster, pair).value == 0))
			continue;
		ids[route->share_count] = cluster_pair_id(name->id, cluster->name);
		uncounted += !add_share(build, route, pair, ids[route->share_count]);
	}
	names_publish(&build->state->names, name, ids, route->share_count, uncounted);
}

static void add_route(struct build *build, struct name *name)
{
	struct table *table = build->table;
	struct message_route *route = &table->routes[table->route_count++];
	route->id = name->id;
	route->wildcard = name->wildcard;
	route->name = name->host;
	add_shares(build, route, name);
}

static void release_pairs(struct build *build, const struct name *name)
{
	for (unsigned i = 0; i < name->published_count; i++)
		slots_release(build->pairs, name->published_pairs[i]);
}

/* All of them; if there is no room for all, those stay that are there. */
static void add_all_routes(struct build *build)
{
	size_t count;
	struct table *table = build->table;
	struct names *names = &build->state->names;
	struct name *const *ordered = names_ordered(names, &count);
	struct name **left = allocate(count, sizeof(struct name *));
	size_t room = count < build->routes_max ? count : build->routes_max;
	table->routes = allocate(room, sizeof(*table->routes));
	if (count > 0)
		memcpy(left, ordered, count * sizeof(struct name *));
	for (int published = 1; published >= 0; published--) {
		for (size_t i = 0; i < count; i++) {
			if (!left[i] || left[i]->published != published)
				continue;
			if (table->route_count < room)
				add_route(build, left[i]);
			else
				names_publish(names, left[i], NULL, 0, 0);
			left[i] = NULL;
		}
	}
	table->routes_left_out = count - table->route_count;
	table->pairs_left_out = names->uncounted;
	free(left);
	/* What is served no more is in no whole table. */
	for (size_t i = 0; i < names->dirty_count; i++)
		if (!names_is_served(names->dirty[i]))
			names_publish(names, names->dirty[i], NULL, 0, 0);
}

static void add_gone(struct build *build, const struct name *name)
{
	struct table *table = build->table;
	table->gone[table->gone_count++] =
	    (struct message_route_gone){.id = name->id, .wildcard = name->wildcard, .name = name->host};
}

/* Those first that go: they make room. */
static void add_changed_routes(struct build *build)
{
	struct table *table = build->table;
	struct names *names = &build->state->names;
	table->routes = allocate(names->dirty_count, sizeof(*table->routes));
	table->gone = allocate(names->dirty_count, sizeof(*table->gone));
	for (size_t i = 0; i < names->dirty_count; i++) {
		struct name *name = names->dirty[i];
		release_pairs(build, name);
		if (names_is_served(name) || !name->published)
			continue;
		add_gone(build, name);
		names_publish(names, name, NULL, 0, 0);
	}
	for (size_t i = 0; i < names->dirty_count; i++) {
		struct name *name = names->dirty[i];
		if (names_is_served(name) && (name->published || names->published_count < build->routes_max))
			add_route(build, name);
	}
	table->routes_left_out = names->count - names->published_count;
	table->pairs_left_out = names->uncounted;
}

static void add_listeners(struct build *build, const struct config *config)
{
	struct table *table = build->table;
	table->listener_count = config->listener_count;
	for (unsigned i = 0; i < config->listener_count; i++) {
		const struct config_listener *listener = &config->listeners[i];
		const struct cluster *cluster = state_cluster(build->state, listener->default_cluster);
		uint64_t pair = cluster_default_pair_id(listener->name, listener->default_cluster);
		struct message_listener *message = &table->listeners[i];
		*message =
		    (struct message_listener){.listener = (uint16_t)i, .cluster = CLUSTER_NONE, .pair = SLOT_NONE};
		if (!cluster || cluster->spec->state != CLUSTER_ACTIVE) {
			slots_release(build->pairs, pair);
			continue;
		}
		message->cluster = cluster->number;
		message->pair = slots_take(build->pairs, pair);
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
	add_all_routes(&build);
	add_listeners(&build, config);
	names_clean(&state->names);
	return table;
}

struct table *table_update(struct state *state, const struct config *config, struct slots *hosts, struct slots *pairs,
                           uint32_t routes_max, uint64_t applied)
{
	struct table *table = allocate(1, sizeof(*table));
	struct build build = {.state = state, .hosts = hosts, .pairs = pairs, .routes_max = routes_max, .table = table};
	table->revision = state->revision;
	table->partial = true;
	slots_begin(hosts, table->revision, applied);
	slots_update(pairs, table->revision, applied);
	add_hosts(&build);
	add_changed_routes(&build);
	add_listeners(&build, config);
	names_clean(&state->names);
	return table;
}

void table_forget_routes(struct table *table)
{
	free(table->routes);
	free(table->gone);
	table->routes = NULL;
	table->gone = NULL;
	table->route_count = table->gone_count = 0;
}

void table_free(struct table *table)
{
	if (!table)
		return;
	table_forget_routes(table);
	free(table->hosts);
	free(table);
}
