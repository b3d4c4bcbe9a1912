/* What control tells the worker of a rig: resyncs, batches, and which cluster a name belongs to. */
#include "sim_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void tell(struct rig *rig, struct message *message)
{
	message_seal(message, rig->start, ++rig->sequence);
	worker_message(rig->worker, message, rig->sim->now);
}

static void tell_host(struct rig *rig, const struct rig_router *router)
{
	struct message message = {.type = MESSAGE_HOST};
	message.host.slot = router->index;
	message.host.generation = 1;
	message.host.address = rig_address(router->host.address);
	message.host.http_port = 80;
	message.host.https_port = 443;
	message.host.cluster = (uint16_t)(router->index / 2);
	message.host.healthy = router->healthy;
	tell(rig, &message);
}

static void tell_route(struct rig *rig, unsigned index)
{
	const struct rig_route *route = &rig->routes[index];
	struct message message = {.type = MESSAGE_ROUTE};
	message.route.id = 1000 + index;
	message.route.wildcard = route->wildcard;
	message.route.share_count = (uint8_t)route->share_count;
	assert_true(hostname_set(&message.route.name, (const uint8_t *)route->name, strlen(route->name)));
	for (unsigned i = 0; i < route->share_count; i++)
		message.route.shares[i] = (struct message_share){
		    .pair = index * RIG_CLUSTERS + i,
		    .cluster = route->shares[i].cluster,
		    .weight = route->shares[i].weight,
		    .http = route->shares[i].http,
		    .https = route->shares[i].https,
		};
	tell(rig, &message);
}

static void tell_end(struct rig *rig, uint16_t type)
{
	struct message message = {.type = type};
	message.end.revision = ++rig->revision;
	tell(rig, &message);
	struct shared_worker *block = shared_worker_at(rig->shared, 0);
	worker_tick(rig->worker, rig->sim->now);
	if (shared_get(&block->applied_revision) != rig->revision || shared_get(&block->applied_start) != rig->start)
		sim_fail(rig->sim, "revision %llu was not applied", (unsigned long long)rig->revision);
}

static void tell_tables(struct rig *rig)
{
	shared_set(&rig->shared->control_start, ++rig->start);
	rig->records.open_queries = 0; /* nobody waits for them any more */
	rig->sequence = 0;
	struct message begin = {.type = MESSAGE_SYNC_BEGIN};
	tell(rig, &begin);
	for (unsigned i = 0; i < RIG_ROUTERS; i++)
		if (rig->routers[i].known)
			tell_host(rig, &rig->routers[i]);
	for (unsigned i = 0; i < rig->route_count; i++)
		tell_route(rig, i);
	for (unsigned i = 0; i < 2; i++) {
		struct message message = {.type = MESSAGE_LISTENER};
		message.listener.listener = (uint16_t)i;
		message.listener.cluster = rig->default_cluster[i];
		message.listener.pair = SLOT_NONE;
		tell(rig, &message);
	}
}

void rig_sync(struct rig *rig)
{
	tell_tables(rig);
	rig->torn = false;
	tell_end(rig, MESSAGE_SYNC_END);
}

void rig_sync_begun(struct rig *rig)
{
	tell_tables(rig);
	rig->torn = true;
}

void rig_tell_router(struct rig *rig, unsigned router)
{
	if (rig->torn) {
		rig_sync(rig);
		return;
	}
	if (rig->routers[router].known) {
		tell_host(rig, &rig->routers[router]);
	} else {
		struct message message = {.type = MESSAGE_HOST_GONE};
		message.host_gone.slot = router;
		message.host_gone.generation = 1;
		tell(rig, &message);
	}
	tell_end(rig, MESSAGE_BATCH_END);
}

void rig_tell_route(struct rig *rig, unsigned route)
{
	if (rig->torn) {
		rig_sync(rig);
		return;
	}
	tell_route(rig, route);
	tell_end(rig, MESSAGE_BATCH_END);
}

void rig_set_weight(struct rig *rig, unsigned route, unsigned share, uint16_t weight)
{
	if (weight == 0 && rig->routes[route].shares[share].weight != 0)
		rig->routes[route].weight_gone_at[share] = rig->sim->now;
	rig->routes[route].shares[share].weight = weight;
	rig_tell_route(rig, route);
}

void rig_tell_log(struct rig *rig)
{
	struct message message = {.type = MESSAGE_LOG};
	message.log = (struct message_log){.every = 1, .refused_per_second = UINT32_MAX};
	tell(rig, &message);
}

void rig_query(struct rig *rig, uint8_t action, int router)
{
	struct message message = {.type = MESSAGE_CONNECTIONS};
	message.connections = (struct message_connections){
	    .query = ++rig->records.queries,
	    .action = action,
	    .cluster = CLUSTER_NONE,
	    .pair = SLOT_NONE,
	    .host = router < 0 ? SLOT_NONE : (uint32_t)router,
	    .limit = UINT32_MAX,
	};
	rig->records.open_queries++;
	tell(rig, &message);
}

void rig_explain(struct rig *rig, const char *name, bool tls)
{
	struct message message = {.type = MESSAGE_EXPLAIN};
	message.explain.query = ++rig->records.queries;
	message.explain.listener = tls;
	assert_true(hostname_set(&message.explain.name, (const uint8_t *)name, strlen(name)));
	rig->records.open_queries++;
	tell(rig, &message);
}

int rig_route_of(const struct rig *rig, const char *name)
{
	for (unsigned i = 0; i < rig->route_count; i++)
		if (!rig->routes[i].wildcard && strcmp(rig->routes[i].name, name) == 0)
			return (int)i;
	const char *dot = strchr(name, '.');
	for (unsigned i = 0; dot && i < rig->route_count; i++)
		if (rig->routes[i].wildcard && strcmp(rig->routes[i].name, dot + 1) == 0)
			return (int)i;
	return -1;
}
