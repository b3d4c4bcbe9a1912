/* From observed to served: see the header. */
#include "control/kube/derive.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *allocate(size_t count, size_t size)
{
	void *memory = calloc(count > 0 ? count : 1, size);
	if (!memory)
		abort();
	return memory;
}

/* ---- routes ---- */

static bool is_older(const struct observed_route *a, const struct observed_route *b)
{
	return a->created != b->created ? a->created < b->created : strcmp(a->uid, b->uid) < 0;
}

static bool weights_differ(const struct observed_route *a, const struct observed_route *b)
{
	return a->weight_given != b->weight_given || (a->weight_given && a->weight != b->weight);
}

static void merge(struct derived_route *into, const struct derived_route *other)
{
	const struct observed_route *first = into->first, *second = other->first;
	into->print += other->print;
	into->http |= other->http;
	into->https |= other->https;
	if (is_older(second, first)) {
		into->first = second;
		second = first;
	}
	if (into->differs && !weights_differ(into->first, into->differs))
		into->differs = NULL;
	if (weights_differ(into->first, second))
		into->differs = second;
}

static uint64_t mix(uint64_t hash, uint64_t value)
{
	hash = (hash ^ value) * 0x9e3779b97f4a7c15;
	return hash ^ hash >> 32;
}

static uint64_t mix_text(uint64_t hash, const char *text)
{
	for (; *text != '\0'; text++)
		hash = (hash ^ (unsigned char)*text) * 0x100000001b3;
	return mix(hash, 1);
}

/* Prints of several Routes are added, so their order does not matter. */
static uint64_t print_of(const struct observed_route *route)
{
	uint64_t flags = (uint64_t)route->weight << 8 | (uint64_t)route->weight_given << 2 |
	                 (uint64_t)route->http << 1 | route->https;
	flags |= (uint64_t)route->termination << 16 | (uint64_t)route->insecure << 24;
	uint64_t hash = mix(mix_text(mix_text(0, route->uid), route->namespace), (uint64_t)route->created);
	hash = mix(hash, flags);
	if (route->warning[0] != '\0')
		hash = mix_text(hash, route->warning);
	return hash;
}

/* Ids are hashes, so places by their first bits are nearly right. */
static void sort_by_id(struct derived_route *routes, size_t count)
{
	unsigned bits = 1;
	while (bits < 24 && (size_t)1 << bits < count)
		bits++;
	size_t *places = allocate(((size_t)1 << bits) + 1, sizeof(*places));
	struct derived_route *sorted = allocate(count, sizeof(*sorted));
	for (size_t i = 0; i < count; i++)
		places[(routes[i].id >> (64 - bits)) + 1]++;
	for (size_t i = 0; i < (size_t)1 << bits; i++)
		places[i + 1] += places[i];
	for (size_t i = 0; i < count; i++)
		sorted[places[routes[i].id >> (64 - bits)]++] = routes[i];
	for (size_t i = 0; i < count; i++) {
		size_t place = i;
		for (; place > 0 && routes[place - 1].id > sorted[i].id; place--)
			routes[place] = routes[place - 1];
		routes[place] = sorted[i];
	}
	free(places);
	free(sorted);
}

struct derived_route *derive_routes(const struct observed *observed, size_t *count)
{
	struct derived_route *routes = allocate(observed->route_count, sizeof(*routes));
	for (size_t i = 0; i < observed->route_count; i++) {
		const struct observed_route *route = &observed->routes[i];
		routes[i] = (struct derived_route){.id = cluster_name_id(&route->host, route->wildcard),
		                                   .first = route,
		                                   .http = route->http,
		                                   .https = route->https,
		                                   .print = print_of(route)};
	}
	sort_by_id(routes, observed->route_count);
	*count = 0;
	for (size_t i = 0; i < observed->route_count; i++) {
		if (*count > 0 && routes[*count - 1].id == routes[i].id)
			merge(&routes[*count - 1], &routes[i]);
		else
			routes[(*count)++] = routes[i];
	}
	for (size_t i = 0; i < *count; i++)
		routes[i].print |= 1;
	return routes;
}

static const char *weight_text(const struct observed_route *route, char text[static 24])
{
	if (route->weight_given)
		snprintf(text, 24, "weight %u", route->weight);
	else
		snprintf(text, 24, "no weight");
	return text;
}

bool derive_warning(const struct derived_route *route, char text[static DERIVE_WARNING_MAX])
{
	char first[24], other[24];
	text[0] = '\0';
	if (route->differs)
		snprintf(text, DERIVE_WARNING_MAX,
		         "Route %.60s/%.60s has %s, but %.60s/%.60s, the oldest with this host, has %s, which counts",
		         route->differs->namespace, route->differs->name, weight_text(route->differs, other),
		         route->first->namespace, route->first->name, weight_text(route->first, first));
	size_t len = strlen(text);
	if (route->first->warning[0] != '\0' && len < DERIVE_WARNING_MAX)
		snprintf(text + len, DERIVE_WARNING_MAX - len, "%s%s", len > 0 ? "; " : "", route->first->warning);
	return text[0] != '\0';
}

/* ---- router hosts ---- */

/* A label from a node or pod; what no name may have is replaced. */
static void set_name(struct host_spec *host, const struct observed_router *router)
{
	snprintf(host->name, sizeof(host->name), "%.63s", router->node[0] != '\0' ? router->node : router->name);
	for (char *c = host->name; *c != '\0'; c++) {
		char one[] = {'x', *c, '\0'};
		if (!cluster_name_valid(c == host->name ? one + 1 : one))
			*c = c == host->name ? 'x' : '_';
	}
	if (host->name[0] == '\0')
		strcpy(host->name, "router");
}

/* The pods at one address: a terminating one counts only if there is no other. */
static enum host_state state_of(const struct observed_router *router)
{
	if (router->terminating)
		return HOST_GONE; /* weaker than any other */
	if (router->proxy_protocol)
		return HOST_MISCONFIGURED;
	return router->ready ? HOST_ACTIVE : HOST_DRAINING;
}

static void merge_pod(struct host_spec *host, const struct observed_router *router)
{
	static const int strength[] = {
	    [HOST_GONE] = 0, [HOST_DRAINING] = 1, [HOST_ACTIVE] = 2, [HOST_MISCONFIGURED] = 3};
	enum host_state state = state_of(router);
	if (host->pods == 0 || strength[state] > strength[host->state])
		host->state = state;
	host->pods++;
	if (host->check_port == 0)
		host->check_port = router->stats_port;
}

static int compare_hosts(const void *a, const void *b)
{
	uint64_t x = ((const struct host_spec *)a)->id, y = ((const struct host_spec *)b)->id;
	return (x > y) - (x < y);
}

struct host_spec *derive_hosts(const struct observed *observed, const char *cluster, size_t *count)
{
	struct host_spec *hosts = allocate(CLUSTER_HOSTS_MAX, sizeof(*hosts));
	*count = 0;
	for (size_t i = 0; i < observed->router_count; i++) {
		const struct observed_router *router = &observed->routers[i];
		struct host_spec host = {
		    .address = router->address, .http_port = router->http_port, .https_port = router->https_port};
		if (!address_is_v4(&router->address) || !config_address_is_host(&router->address) ||
		    (router->http_port == 0 && router->https_port == 0))
			continue;
		host.id = cluster_host_id(cluster, &host);
		size_t place = 0;
		while (place < *count && hosts[place].id != host.id)
			place++;
		if (place == CLUSTER_HOSTS_MAX)
			continue;
		if (place == *count) {
			set_name(&host, router);
			hosts[(*count)++] = host;
		}
		merge_pod(&hosts[place], router);
	}
	for (size_t i = 0; i < *count; i++)
		if (hosts[i].state == HOST_GONE)
			hosts[i].state = HOST_DRAINING;
	qsort(hosts, *count, sizeof(*hosts), compare_hosts);
	return hosts;
}
