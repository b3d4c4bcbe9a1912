/* Makes and ends a worker, and drives its timers. See worker.h for the contract and core.h for what is inside. */
#include "dataplane/core.h"

#include <stdlib.h>
#include <string.h>

enum { TIMERS_PER_TICK = 256, REARMED_PER_TICK = 256, BIRTHS_REMEMBERED_S = COOKIE_LIFE_MS / 1000 };

static void take_vips(struct worker *worker, const struct vip_table *table)
{
	for (unsigned i = 0; i < table->count; i++) {
		const struct vip_entry *entry = &table->entries[i];
		struct vip *vip = &worker->vips[i];
		if (i >= worker->vip_count)
			*vip = (struct vip){.address = entry->address, .port = entry->port, .held = true};
		vip->listener = entry->listener;
		vip->tls = entry->tls;
	}
	worker->vip_count = (unsigned)table->count;
}

static int listener_named(const struct config *config, const char *name)
{
	for (unsigned i = 0; i < config->listener_count; i++)
		if (strcmp(config->listeners[i].name, name) == 0)
			return (int)i;
	return -1;
}

void worker_reconfigure(struct worker *worker, const struct config *config, const struct vip_table *vips)
{
	/* Default clusters stay with their listeners, which may have other numbers. */
	int before[LISTENERS_MAX];
	for (unsigned i = 0; i < config->listener_count; i++)
		before[i] = listener_named(worker->config, config->listeners[i].name);
	tables_move_defaults(&worker->tables, before, config->listener_count);
	worker->rearm_next = 0;
	worker->config = config;
	take_vips(worker, vips);
}

/* A part of the flows at a time, so that packets do not wait. */
static void rearm(struct worker *worker)
{
	uint32_t count = worker->config->limits.connections;
	for (unsigned i = 0; i < REARMED_PER_TICK && worker->rearm_next < count; i++)
		splice_rearm(worker, &worker->flows[worker->rearm_next++]);
}

static uint32_t *free_list(uint32_t n)
{
	uint32_t *list = malloc((n ? n : 1) * sizeof(*list));
	for (uint32_t i = 0; list && i < n; i++)
		list[i] = n - 1 - i;
	return list;
}

static bool take_memory(struct worker *worker)
{
	const struct config *config = worker->config;
	uint32_t flows = config->limits.connections, youngs = config->limits.young;
	uint32_t large = config->limits.large_heads, hosts = config->limits.hosts;
	worker->flows = aligned_alloc(64, flows * sizeof(*worker->flows));
	worker->pasts = calloc(flows, sizeof(*worker->pasts));
	worker->free_flows = free_list(flows);
	worker->youngs = calloc(youngs, sizeof(*worker->youngs));
	worker->free_youngs = free_list(youngs);
	worker->large_heads = malloc((size_t)large * head_capacity(worker));
	worker->free_large = free_list(large);
	worker->source_ports = calloc(hosts * 2u, sizeof(*worker->source_ports));
	worker->health = calloc(hosts, sizeof(*worker->health));
	if (!worker->flows || !worker->pasts || !worker->free_flows || !worker->youngs || !worker->free_youngs ||
	    !worker->large_heads || !worker->free_large || !worker->source_ports || !worker->health)
		return false;
	memset(worker->flows, 0, flows * sizeof(*worker->flows));
	worker->free_flow_count = worker->rearm_next = flows;
	worker->free_young_count = youngs;
	worker->free_large_count = large;
	return flow_table_init(&worker->flow_table, flows * 2) &&
	       timer_wheel_init(&worker->timers, flows, worker->now) &&
	       tombstones_init(&worker->tombstones, config->limits.connection_rate * BIRTHS_REMEMBERED_S) &&
	       source_pool_init(&worker->pool, config, worker->index, worker->count) &&
	       tables_init(&worker->tables, hosts, config->limits.routes, config->limits.pairs, &worker->table_secret);
}

static void refresh_vips(struct worker *worker);

struct worker *worker_create(const struct worker_params *params)
{
	struct worker *worker = calloc(1, sizeof(*worker));
	if (!worker)
		return NULL;
	worker->io = params->io;
	worker->config = params->config;
	worker->l3 = params->l3;
	worker->shared = params->shared;
	worker->index = params->index;
	worker->count = params->count;
	worker->block = shared_worker_at(params->shared, params->index);
	worker->hosts = shared_hosts_of(worker->block);
	worker->pairs = shared_pairs_of(params->shared, worker->block);
	worker->cookie_secret = params->cookie_secret;
	worker->table_secret = params->table_secret;
	worker->now_us = params->now_us;
	worker->now = (uint32_t)(params->now_us / 1000);
	worker->queries.stepped_us = params->now_us;
	worker->router_mss_min = UINT16_MAX;
	struct vip_table vips = {0};
	vips_update(&vips, params->config);
	take_vips(worker, &vips);
	if (!take_memory(worker)) {
		worker_destroy(worker);
		return NULL;
	}
	refresh_vips(worker);
	return worker;
}

void worker_destroy(struct worker *worker)
{
	if (worker->source_ports)
		for (uint32_t i = 0; i < worker->config->limits.hosts * 2; i++)
			source_ports_close(&worker->source_ports[i], &worker->pool);
	tables_free(&worker->tables);
	source_pool_free(&worker->pool);
	tombstones_free(&worker->tombstones);
	timer_wheel_free(&worker->timers);
	flow_table_free(&worker->flow_table);
	free(worker->health);
	free(worker->source_ports);
	free(worker->free_large);
	free(worker->large_heads);
	free(worker->free_youngs);
	free(worker->youngs);
	free(worker->free_flows);
	free(worker->pasts);
	free(worker->flows);
	free(worker);
}

/* ---- time ---- */

static void expire(struct worker *worker, struct flow *flow)
{
	switch ((enum flow_state)flow->state) {
	case FLOW_HEAD:
		head_timer(worker, flow);
		break;
	case FLOW_ANSWER:
		answer_timer(worker, flow);
		break;
	case FLOW_CONNECTING:
		connect_timer(worker, flow);
		break;
	case FLOW_JOINING:
		join_timer(worker, flow);
		break;
	case FLOW_SPLICED:
	case FLOW_LINGERING:
		splice_timer(worker, flow);
		break;
	case FLOW_FREE:
		__builtin_unreachable();
	}
}

/* The VIP is gone for good: its new owner answers the clients; the router hosts learn that the connections have
 * ended. */
static void end_orphans(struct worker *worker, unsigned vip)
{
	for (uint32_t i = 0; i < worker->config->limits.connections; i++) {
		struct flow *flow = &worker->flows[i];
		if (flow->state == FLOW_FREE || flow->vip != vip)
			continue;
		if (flow->state == FLOW_SPLICED || flow->state == FLOW_JOINING)
			emit_rst(worker, flow, SIDE_ROUTER, flow->half[SIDE_ROUTER].acked);
		count(worker, counter_ended_vip_lost);
		if (flow->state == FLOW_SPLICED || flow->state == FLOW_JOINING)
			recording_ended(worker, flow, RECORD_VIP_LOST);
		flow_destroy(worker, flow);
	}
}

static void refresh_vips(struct worker *worker)
{
	for (unsigned i = 0; i < worker->vip_count; i++) {
		struct vip *vip = &worker->vips[i];
		bool held = shared_get(&worker->shared->vip_held[i]);
		if (vip->held && !held) {
			vip->lost_at = worker->now;
			vip->swept = false;
		}
		vip->held = held;
		if (!held && !vip->swept && worker->now - vip->lost_at >= VIP_LOST_MS) {
			vip->swept = true;
			end_orphans(worker, i);
		}
	}
}

static void forget_births(struct worker *worker)
{
	uint32_t before = worker->tombstones.count;
	tombstones_expire(&worker->tombstones, worker->now, COOKIE_LIFE_MS);
	gauge_move(worker, counter_tombstones, (int64_t)worker->tombstones.count - before);
}

bool worker_tick(struct worker *worker, uint64_t now_us)
{
	uint32_t now = (uint32_t)(now_us / 1000);
	bool new_ms = now != worker->timers.now || now != worker->now;
	worker->now_us = now_us;
	worker->now = now;
	worker->routes_at = l3_routes_at(worker->l3);
	bool work = queries_step(worker);
	if (!new_ms)
		return work;
	refresh_vips(worker);
	forget_births(worker);
	rearm(worker);
	unsigned expired = 0;
	while (expired < TIMERS_PER_TICK) {
		uint32_t index = timer_wheel_expire(&worker->timers, now);
		if (index == TIMER_NONE)
			break;
		expire(worker, &worker->flows[index]);
		expired++;
	}
	return work || expired > 0;
}

void worker_refuse_new(struct worker *worker)
{
	worker->refuse_new = true;
}

void worker_reset_all(struct worker *worker, uint64_t now_us)
{
	worker->now_us = now_us;
	worker->now = (uint32_t)(now_us / 1000);
	for (uint32_t i = 0; i < worker->config->limits.connections; i++) {
		struct flow *flow = &worker->flows[i];
		if (flow->state != FLOW_FREE)
			flow_reset(worker, flow, RECORD_SHUTDOWN);
	}
}
