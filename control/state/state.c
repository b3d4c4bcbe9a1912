/* The state of control: see the header. */
#include "control/state/state.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/state/claims.h"
#include "control/state/cluster_json.h"
#include "control/state/state_facts.h"
#include "control/state/state_text.h"

static void *allocate(size_t count, size_t size)
{
	void *memory = calloc(count > 0 ? count : 1, size);
	if (!memory)
		abort();
	return memory;
}

static void cluster_destroy(struct cluster *cluster)
{
	if (!cluster)
		return;
	cluster_free(cluster->spec);
	host_modes_free(&cluster->modes);
	free(cluster->adopted);
	free(cluster->health);
	free(cluster);
}

void state_free(struct state *state)
{
	for (unsigned i = 0; i < CLUSTERS_MAX; i++)
		cluster_destroy(state->clusters[i]);
	free(state->places);
	names_free(&state->names);
	*state = (struct state){.journal = state->journal};
}

struct cluster *state_cluster(const struct state *state, const char *name)
{
	for (unsigned i = 0; i < CLUSTERS_MAX; i++)
		if (state->clusters[i] && strcmp(state->clusters[i]->spec->name, name) == 0)
			return state->clusters[i];
	return NULL;
}

struct cluster *state_cluster_by_key(const struct state *state, const char *key)
{
	for (unsigned i = 0; i < CLUSTERS_MAX; i++) {
		struct cluster *cluster = state->clusters[i];
		if (cluster && cluster->spec->source == SOURCE_PUSH && strcmp(cluster->spec->key, key) == 0)
			return cluster;
	}
	return NULL;
}

static int compare_places(const void *a, const void *b)
{
	uint64_t x = ((const struct host_place *)a)->id, y = ((const struct host_place *)b)->id;
	return (x > y) - (x < y);
}

static void index_hosts(struct state *state)
{
	size_t count = 0;
	for (unsigned i = 0; i < CLUSTERS_MAX; i++)
		count += state->clusters[i] ? state->clusters[i]->spec->host_count : 0;
	free(state->places);
	state->places = allocate(count, sizeof(*state->places));
	state->host_count = 0;
	for (uint16_t i = 0; i < CLUSTERS_MAX; i++) {
		const struct cluster *cluster = state->clusters[i];
		for (uint32_t j = 0; cluster && j < cluster->spec->host_count; j++)
			state->places[state->host_count++] =
			    (struct host_place){.id = cluster->spec->hosts[j].id, .cluster = i, .host = j};
	}
	qsort(state->places, state->host_count, sizeof(*state->places), compare_places);
}

struct health *state_host(const struct state *state, uint64_t id, struct cluster **cluster, struct host_spec **host)
{
	struct host_place key = {.id = id};
	if (state->host_count == 0)
		return NULL;
	const struct host_place *place = bsearch(&key, state->places, state->host_count, sizeof(key), compare_places);
	if (!place)
		return NULL;
	*cluster = state->clusters[place->cluster];
	*host = &(*cluster)->spec->hosts[place->host];
	return &(*cluster)->health[place->host];
}

bool state_others_up(const struct cluster *cluster, const struct health *except)
{
	for (size_t i = 0; i < cluster->spec->host_count; i++)
		if (&cluster->health[i] != except && cluster->health[i].state == HEALTH_UP &&
		    !host_modes_find(&cluster->modes, cluster->spec->hosts[i].id))
			return true;
	return false;
}

static void check_limit(struct json_faults *faults, const char *path, const char *what, size_t would_be, size_t limit,
                        const char *setting)
{
	char expected[80];
	if (would_be <= limit)
		return;
	snprintf(expected, sizeof(expected), "at most %zu (%s in the configuration file)", limit, setting);
	json_faults_add(faults, path, expected, "would make %zu %s in all", would_be, what);
}

static size_t count_others(const struct name *name, const struct cluster *except)
{
	size_t count = 0;
	for (unsigned i = 0; name && i < name->pair_count; i++)
		count += name->pairs[i].present && !(except && name->pairs[i].cluster == except->index);
	return count;
}

/* Names that no other cluster serves. */
static size_t count_own(const struct state *state, const struct cluster *cluster)
{
	size_t count = 0;
	for (size_t i = 0; cluster && i < cluster->spec->route_count; i++) {
		const struct name *name = names_find(&state->names, cluster_route_id(&cluster->spec->routes[i]));
		count += count_others(name, cluster) == 0;
	}
	return count;
}

bool state_check_routes(const struct state *state, const struct cluster_spec *spec, const struct config *config,
                        struct json_faults *faults)
{
	size_t faults_before = faults->count + faults->more;
	const struct cluster *before = state_cluster(state, spec->name);
	size_t names = state->names.count - count_own(state, before);
	size_t pairs = state->names.pair_count - (before ? state->names.of_cluster[before->index] : 0);
	if (spec->source == SOURCE_WATCH)
		return true;
	for (size_t i = 0; i < spec->route_count; i++) {
		size_t same = count_others(names_find(&state->names, cluster_route_id(&spec->routes[i])), before);
		names += same == 0;
		if (same < ROUTE_CLUSTERS_MAX)
			continue;
		char path[48], expected[48];
		snprintf(path, sizeof(path), "$.routes[%zu]", i);
		snprintf(expected, sizeof(expected), "at most %d clusters with the same name", ROUTE_CLUSTERS_MAX);
		json_faults_add(faults, path, expected, "is a name that %zu other clusters have", same);
	}
	check_limit(faults, "$.routes", "host names", names, config->limits.routes, "limits.routes");
	check_limit(faults, "$.routes", "pairs of host name and cluster", pairs + spec->route_count,
	            config->limits.pairs, "limits.pairs");
	return faults->count + faults->more == faults_before;
}

bool state_address_is_ours(const struct config *config, const struct address *address)
{
	for (unsigned i = 0; i < config->listener_count; i++)
		for (unsigned j = 0; j < config->listeners[i].address_count; j++)
			if (address_equal(&config->listeners[i].addresses[j], address))
				return true;
	for (unsigned i = 0; i < config->pool.prefix_count; i++)
		if (prefix_contains(&config->pool.prefixes[i], address))
			return true;
	return false;
}

static void check_hosts(const struct state *state, const struct cluster_spec *spec, const struct config *config,
                        struct json_faults *faults)
{
	const struct cluster *before = state_cluster(state, spec->name);
	size_t others = state->host_count - (before ? before->spec->host_count : 0);
	for (size_t i = 0; i < spec->host_count; i++) {
		char path[48];
		snprintf(path, sizeof(path), "$.hosts[%zu].address", i);
		if (state_address_is_ours(config, &spec->hosts[i].address))
			json_faults_add(faults, path, "the address of a router host",
			                "belongs to a listener or to the source pool");
	}
	check_limit(faults, "$.hosts", "router hosts", others + spec->host_count, config->limits.hosts, "limits.hosts");
}

bool state_check(const struct state *state, const struct cluster_spec *spec, const struct config *config,
                 struct json_faults *faults)
{
	size_t faults_before = faults->count + faults->more;
	const struct cluster *same_key = spec->source == SOURCE_PUSH ? state_cluster_by_key(state, spec->key) : NULL;
	unsigned count = 0;
	for (unsigned i = 0; i < CLUSTERS_MAX; i++)
		count += state->clusters[i] != NULL;
	if (count == CLUSTERS_MAX && !state_cluster(state, spec->name))
		json_faults_add(faults, "$", "no more than 64 clusters", "is one cluster too many");
	if (same_key && strcmp(same_key->spec->name, spec->name) != 0)
		json_faults_add(faults, "$.key", "a key of its own", "\"%s\" is the key of cluster %s", spec->key,
		                same_key->spec->name);
	check_hosts(state, spec, config, faults);
	state_check_routes(state, spec, config, faults);
	return faults->count + faults->more == faults_before;
}

uint16_t state_number(const struct state *state, const char *name)
{
	const struct cluster *cluster = state_cluster(state, name);
	uint64_t taken = 0;
	for (unsigned i = 0; i < CLUSTERS_MAX; i++)
		taken |= (uint64_t)(state->clusters[i] != NULL) << i;
	return cluster ? cluster->number : cluster_number_pick(state->traces, taken, name);
}

struct cluster *state_cluster_numbered(const struct state *state, uint16_t number)
{
	struct cluster *cluster = state->clusters[cluster_place(number)];
	return cluster && cluster->number == number ? cluster : NULL;
}

/* Health by id, as the hosts have it now; hosts that are new are due at once. */
static struct health *carry_health(const struct state *state, const struct health_spec *spec,
                                   const struct host_spec *hosts, size_t count, uint64_t now)
{
	struct health *health = allocate(count, sizeof(*health));
	for (size_t i = 0; i < count; i++) {
		struct cluster *cluster;
		struct host_spec *host;
		const struct health *before = state_host(state, hosts[i].id, &cluster, &host);
		if (!before) {
			health_init(&health[i], now);
			continue;
		}
		health[i] = *before;
		if (!health_spec_equal(&cluster->spec->health, spec))
			health_check_now(&health[i], now);
	}
	return health;
}

void state_set_hosts(struct state *state, struct cluster *cluster, struct host_spec *hosts, size_t count, uint64_t now)
{
	struct health *health = carry_health(state, &cluster->spec->health, hosts, count, now);
	free(cluster->health);
	free(cluster->spec->hosts);
	cluster->health = health;
	cluster->spec->hosts = hosts;
	cluster->spec->host_count = count;
	index_hosts(state);
}

void state_drop_route(struct state *state, struct name *name, uint16_t cluster)
{
	struct pair *pair = names_pair(name, cluster);
	names_pair_set_present(&state->names, name, pair, false);
	if (pair->overridden) {
		names_pair_warn(pair, NULL);
		*pair = (struct pair){.cluster = cluster, .overridden = true, .override = pair->override};
	} else {
		names_pair_remove(&state->names, name, cluster);
	}
	claims_settle(state, name);
}

void state_touch_cluster(struct state *state, const struct cluster *cluster)
{
	struct names *names = &state->names;
	for (struct name *name = names_next(names, NULL); name; name = names_next(names, name))
		if (names_pair(name, cluster->index))
			names_touch(names, name);
}

static void set_route(struct state *state, const struct route_spec *route, uint16_t cluster, uint32_t look)
{
	struct names *names = &state->names;
	struct name *name = names_add(names, &route->name, route->wildcard);
	struct pair *pair = names_pair_add(names, name, cluster);
	names_pair_set_present(names, name, pair, true);
	if (pair->http != route->http || pair->https != route->https || pair->weight_given != route->weight_given ||
	    pair->weight != route->weight)
		names_touch(names, name);
	pair->http = route->http;
	pair->https = route->https;
	pair->weight_given = route->weight_given;
	pair->weight = route->weight;
	pair->hold = route->hold;
	pair->seen = look;
	claims_weighed(state, pair);
}

/* Makes the names what the spec's routes say. */
static void set_routes(struct state *state, const struct cluster *cluster)
{
	struct names *names = &state->names;
	const struct cluster_spec *spec = cluster->spec;
	uint32_t look = names_look(names);
	for (size_t i = 0; i < spec->route_count; i++)
		set_route(state, &spec->routes[i], cluster->index, look);
	if (names->of_cluster[cluster->index] == spec->route_count)
		return;
	for (struct name *name = names_next(names, NULL); name; name = names_next(names, name)) {
		const struct pair *pair = names_pair(name, cluster->index);
		if (pair && pair->present && pair->seen != look)
			state_drop_route(state, name, cluster->index);
	}
}

/* What hangs on the cluster and not on its spec. */
static void carry_over(struct cluster *cluster, const struct cluster *before)
{
	cluster->routes_gone = before->routes_gone;
	cluster->hosts_gone = before->hosts_gone;
	cluster->initial = before->initial;
	cluster->known = before->known;
	cluster->current = before->current;
	cluster->unsaved = before->unsaved;
	cluster->urgent = before->urgent;
	cluster->watch_changed = before->watch_changed;
	if (cluster->spec->watch)
		cluster->watch_changed |=
		    memcmp(cluster->spec->watch, before->spec->watch, sizeof(struct kube_spec)) != 0;
}

static void put(struct state *state, uint16_t number, struct cluster_spec *spec, int64_t pushed_at, uint64_t now)
{
	uint16_t index = (uint16_t)cluster_place(number);
	struct cluster *cluster = allocate(1, sizeof(*cluster)), *before = state->clusters[index];
	*cluster = (struct cluster){.number = number, .index = index, .spec = spec, .pushed_at = pushed_at};
	cluster->health = carry_health(state, &spec->health, spec->hosts, spec->host_count, now);
	bool touched =
	    before && (before->spec->state != spec->state || before->spec->default_weight != spec->default_weight);
	if (before) {
		cluster->modes = before->modes;
		cluster->drain = before->drain;
		before->modes = (struct host_modes){0};
	}
	if (before && before->spec->source == spec->source)
		carry_over(cluster, before);
	cluster_destroy(before);
	state->clusters[index] = cluster;
	state->traces[index] = (struct cluster_trace){0};
	index_hosts(state);
	if (spec->source != SOURCE_WATCH)
		set_routes(state, cluster);
	claims_told(state);
	if (touched)
		state_touch_cluster(state, cluster);
}

void state_put(struct state *state, struct cluster_spec *spec, int64_t pushed_at, uint64_t now)
{
	put(state, state_number(state, spec->name), spec, pushed_at, now);
	state->revision++;
}

static void drop_cluster(struct state *state, uint16_t index)
{
	struct names *names = &state->names;
	for (struct name *name = names_next(names, NULL); name; name = names_next(names, name)) {
		rollback_forget_cluster(name, index);
		if (!names_pair(name, index))
			continue;
		names_pair_remove(names, name, index);
		claims_settle(state, name);
	}
}

void state_delete(struct state *state, const char *name)
{
	struct cluster *cluster = state_cluster(state, name);
	if (!cluster)
		return;
	drop_cluster(state, cluster->index);
	claims_told(state);
	state->clusters[cluster->index] = NULL;
	state->revision++;
	cluster_trace_leave(state->traces, cluster->spec->name, cluster->number, state->revision);
	cluster_destroy(cluster);
	index_hosts(state);
}

json_t *state_write(const struct state *state, const struct state_change *change)
{
	size_t len;
	char *text = state_text(state, change, STATE_SAVED, &len);
	json_t *value = json_loadb(text, len, 0, NULL);
	free(text);
	return value;
}

static void read_cluster(struct state *state, json_t *value, const char *at, size_t i, uint64_t now,
                         struct json_faults *faults)
{
	struct reader reader;
	uint64_t number = CLUSTER_NONE, pushed_at = 0;
	bool initial = false;
	char path[64];
	reader_open(&reader, value, faults, "%s.clusters[%zu]", at, i);
	reader_number(&reader, "index", 0, CLUSTER_NUMBERS - 1, &number);
	reader_number(&reader, "pushed_at", 0, INT64_MAX, &pushed_at);
	reader_bool(&reader, "initial", &initial);
	snprintf(path, sizeof(path), "%s.clusters[%zu].cluster", at, i);
	struct cluster_spec *spec = cluster_read(reader_field(&reader, "cluster"), NULL, faults, path);
	if (!spec)
		return;
	uint16_t index = (uint16_t)cluster_place((uint16_t)number);
	if (number == CLUSTER_NONE || state->clusters[index] || state_cluster(state, spec->name)) {
		reader_fault(&reader, "index", "a number of its own", "is missing, or number or name are taken");
		cluster_free(spec);
		return;
	}
	state_facts_read_held(&reader, spec);
	put(state, (uint16_t)number, spec, (int64_t)pushed_at, now);
	struct cluster *cluster = state->clusters[index];
	cluster->initial = initial;
	cluster->drain = drain_read(reader_field(&reader, "drain"));
	host_modes_read(&cluster->modes, reader_field(&reader, "host_modes"), spec->name);
	state_facts_read_parked(&reader, &state->names, index);
	state_facts_read_overrides(&reader, &state->names, index);
}

bool state_read(struct state *state, json_t *value, const char *path, uint64_t now, struct json_faults *faults)
{
	struct reader reader;
	uint64_t revision = 0;
	reader_open(&reader, value, faults, "%s", path);
	if (!reader_number(&reader, "revision", 0, INT64_MAX, &revision))
		reader_fault(&reader, "revision", "a number", "is missing");
	json_t *array = reader_array(&reader, "clusters", 0, CLUSTERS_MAX, "clusters");
	if (!array)
		reader_fault(&reader, "clusters", "an array", "is missing");
	cluster_traces_read(&reader, state->traces);
	for (size_t i = 0; i < json_array_size(array); i++)
		read_cluster(state, json_array_get(array, i), path, i, now, faults);
	uint64_t known = 0;
	for (unsigned i = 0; i < CLUSTERS_MAX; i++)
		known |= (uint64_t)(state->clusters[i] != NULL) << i;
	rollback_read(&reader, &state->names, known);
	reader_bool(&reader, "untouched", &state->untouched);
	state->revision = revision;
	if (faults->count > 0)
		state_free(state);
	return faults->count == 0;
}

static json_t *write_host_health(const struct health *health)
{
	json_t *changes = json_array();
	for (unsigned i = 0; i < health->change_count; i++) {
		const struct health_change *change = &health->changes[i];
		json_array_append_new(changes,
		                      json_pack("{s:s, s:s, s:i, s:I}", "state", health_state_name(change->state),
		                                "last", check_kind_name(change->why.kind), "detail", change->why.detail,
		                                "changed_at", (json_int_t)change->at));
	}
	return json_pack("{s:s, s:s, s:i, s:I, s:o}", "state", health_state_name(health->state), "last",
	                 check_kind_name(health->last.kind), "detail", health->last.detail, "changed_at",
	                 (json_int_t)health->changed_at, "changes", changes);
}

json_t *state_write_health(const struct state *state)
{
	json_t *object = json_object();
	for (size_t i = 0; i < state->host_count; i++) {
		const struct host_place *place = &state->places[i];
		char id[20];
		snprintf(id, sizeof(id), "%016" PRIx64, place->id);
		json_object_set_new(object, id,
		                    write_host_health(&state->clusters[place->cluster]->health[place->host]));
	}
	return object;
}

static bool read_change(json_t *value, struct health_change *out)
{
	const char *state_name, *last;
	int detail;
	json_int_t changed_at;
	if (json_unpack(value, "{s:s, s:s, s:i, s:I}", "state", &state_name, "last", &last, "detail", &detail,
	                "changed_at", &changed_at) != 0)
		return false;
	for (int s = HEALTH_UP; s <= HEALTH_DOWN; s++) {
		if (strcmp(health_state_name((enum health_state)s), state_name) != 0)
			continue;
		*out = (struct health_change){changed_at, (enum health_state)s, {check_kind_from_name(last), detail}};
		return true;
	}
	return false;
}

static void read_host_health(struct health *health, json_t *value, uint64_t now)
{
	struct health_change change;
	const json_t *changes = json_object_get(value, "changes");
	if (!read_change(value, &change))
		return;
	health_restore(health, change.state, change.why, change.at, now);
	for (size_t i = 0; i < json_array_size(changes); i++)
		if (read_change(json_array_get(changes, i), &change))
			health_add_earlier(health, &change);
}

void state_read_health(struct state *state, json_t *value, uint64_t now)
{
	for (size_t i = 0; i < state->host_count; i++) {
		const struct host_place *place = &state->places[i];
		char id[20];
		snprintf(id, sizeof(id), "%016" PRIx64, place->id);
		json_t *saved = json_object_get(value, id);
		if (saved)
			read_host_health(&state->clusters[place->cluster]->health[place->host], saved, now);
	}
}
