/* Defaults, names and ids of clusters, hosts and routes. */
#include "control/state/cluster.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/siphash.h"

struct cluster_spec *cluster_create(void)
{
	struct cluster_spec *spec = calloc(1, sizeof(*spec));
	if (!spec)
		abort();
	spec->default_weight = WEIGHT_MAX;
	spec->state = CLUSTER_ACTIVE;
	spec->parks_routes = true;
	spec->hold_minutes = 10;
	spec->push_from_count = 2;
	prefix_parse("127.0.0.0/8", &spec->push_from[0]);
	prefix_parse("::1", &spec->push_from[1]);
	spec->health = (struct health_spec){.port = HEALTH_PORT_DEFAULT,
	                                    .path = "/healthz/ready",
	                                    .interval = 5000,
	                                    .timeout = 2000,
	                                    .rise = 2,
	                                    .fall = 2};
	return spec;
}

struct cluster_spec *cluster_copy_settings(const struct cluster_spec *spec)
{
	struct cluster_spec *copy = malloc(sizeof(*copy));
	if (!copy)
		abort();
	*copy = *spec;
	copy->host_count = 0;
	copy->route_count = 0;
	copy->hosts = NULL;
	copy->routes = NULL;
	if (spec->watch) {
		copy->watch = malloc(sizeof(*copy->watch));
		if (!copy->watch)
			abort();
		*copy->watch = *spec->watch;
	}
	return copy;
}

struct cluster_spec *cluster_with_owned(struct cluster_spec *settings, const struct cluster_spec *owner)
{
	struct cluster_spec *spec = cluster_copy_settings(settings);
	spec->hosts = malloc(owner->host_count * sizeof(*spec->hosts) + 1);
	spec->routes = malloc(owner->route_count * sizeof(*spec->routes) + 1);
	if (!spec->hosts || !spec->routes)
		abort();
	if (owner->host_count > 0)
		memcpy(spec->hosts, owner->hosts, owner->host_count * sizeof(*spec->hosts));
	if (owner->route_count > 0)
		memcpy(spec->routes, owner->routes, owner->route_count * sizeof(*spec->routes));
	spec->host_count = owner->host_count;
	spec->route_count = owner->route_count;
	cluster_free(settings);
	return spec;
}

void cluster_free(struct cluster_spec *spec)
{
	if (!spec)
		return;
	free(spec->watch);
	free(spec->hosts);
	free(spec->routes);
	free(spec);
}

bool cluster_name_valid(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
	size_t len = strlen(name);
	return len > 0 && len <= CLUSTER_NAME_MAX && strspn(name, allowed) == len && !strchr("-_.", name[0]);
}

const char *cluster_source_name(enum cluster_source source)
{
	static const char *const names[] = {"static", "push", "watch"};
	return names[source];
}

const char *cluster_state_name(enum cluster_state state)
{
	static const char *const names[] = {"staged", "active", "draining", "offline"};
	return names[state];
}

const char *cluster_host_state_name(enum host_state state)
{
	static const char *const names[] = {"active", "draining", "misconfigured", "gone"};
	return names[state];
}

const char *cluster_hold_text(enum hold_reason reason)
{
	static const char *const texts[] = {"not held", "nothing would be left", "too many would go at once"};
	return texts[reason];
}

bool cluster_namespace_is_system(const char *namespace)
{
	return strncmp(namespace, "openshift", 9) == 0 || strncmp(namespace, "kube-", 5) == 0 ||
	       strcmp(namespace, "default") == 0;
}

/* The keys only keep the kinds of ids apart; ids are no secrets. */
static uint64_t id_of(uint64_t kind, const void *bytes, size_t len)
{
	struct siphash_key key = {.k0 = kind, .k1 = 0x706f696e74736d6eULL};
	uint64_t id = siphash(&key, bytes, len);
	return id ? id : 1;
}

uint64_t cluster_host_id(const char *cluster, const struct host_spec *host)
{
	char bytes[CLUSTER_NAME_MAX + 1 + sizeof(host->address) + 4] = {0};
	strncpy(bytes, cluster, CLUSTER_NAME_MAX);
	memcpy(bytes + CLUSTER_NAME_MAX + 1, &host->address, sizeof(host->address));
	memcpy(bytes + CLUSTER_NAME_MAX + 1 + sizeof(host->address), &host->http_port, 2);
	memcpy(bytes + CLUSTER_NAME_MAX + 1 + sizeof(host->address) + 2, &host->https_port, 2);
	return id_of(1, bytes, sizeof(bytes));
}

uint64_t cluster_name_id(const struct hostname *name, bool wildcard)
{
	return id_of(wildcard ? 2 : 3, name->text, name->len);
}

uint64_t cluster_route_id(const struct route_spec *route)
{
	return cluster_name_id(&route->name, route->wildcard);
}

uint64_t cluster_pair_id(uint64_t route_id, const char *cluster)
{
	char bytes[sizeof(route_id) + CLUSTER_NAME_MAX + 1] = {0};
	memcpy(bytes, &route_id, sizeof(route_id));
	strncpy(bytes + sizeof(route_id), cluster, CLUSTER_NAME_MAX);
	return id_of(4, bytes, sizeof(bytes));
}

uint64_t cluster_default_pair_id(const char *listener, const char *cluster)
{
	return cluster_pair_id(id_of(5, listener, strlen(listener)), cluster);
}

int route_compare(const struct route_spec *a, const struct route_spec *b)
{
	int order = strcmp(a->name.text, b->name.text);
	return order ? order : (int)a->wildcard - (int)b->wildcard;
}

const char *route_format(const struct route_spec *route, char text[static ROUTE_TEXT_MAX])
{
	return name_format(&route->name, route->wildcard, text);
}

const char *name_format(const struct hostname *name, bool wildcard, char text[static ROUTE_TEXT_MAX])
{
	snprintf(text, ROUTE_TEXT_MAX, "%s%s", wildcard ? "*." : "", name->text);
	return text;
}

bool name_parse(const char *text, struct hostname *name, bool *wildcard)
{
	*wildcard = strncmp(text, "*.", 2) == 0;
	const char *rest = text + (*wildcard ? 2 : 0);
	return hostname_set(name, (const uint8_t *)rest, strlen(rest));
}
