/* Birth, states and end of flows: the one place where flows, young parts, source ports and their gauges are taken and
 * given back. */
#include "dataplane/core.h"

#include <endian.h>
#include <string.h>

#include "common/checksum.h"

static bool is_young(enum flow_state state)
{
	return state >= FLOW_HEAD && state <= FLOW_JOINING;
}

static enum counter gauge_of(enum flow_state state)
{
	return is_young(state)         ? counter_flows_young
	       : state == FLOW_SPLICED ? counter_flows_spliced
	                               : counter_flows_lingering;
}

void flow_set_state(struct worker *worker, struct flow *flow, enum flow_state state)
{
	if (flow->state != FLOW_FREE)
		gauge_move(worker, gauge_of(flow->state), -1);
	if (state != FLOW_FREE)
		gauge_move(worker, gauge_of(state), 1);
	flow->state = (uint8_t)state;
}

void flow_timer_at(struct worker *worker, struct flow *flow, uint32_t at)
{
	int32_t delay = (int32_t)(at - worker->timers.now);
	timer_wheel_set(&worker->timers, flow_index(worker, flow), delay > 0 ? (uint32_t)delay : 0);
}

static uint64_t client_hash(const struct worker *worker, const struct flow *flow)
{
	const struct vip *vip = &worker->vips[flow->vip];
	return key_hash(worker, &flow->client, &vip->address, flow->client_port, vip->port);
}

static uint64_t router_hash(const struct worker *worker, const struct flow *flow)
{
	return key_hash(worker, &flow->router, &worker->pool.addresses[flow->local_address], flow->router_port,
	                flow->local_port);
}

static void init_young(struct worker *worker, struct young *young, const struct packet *packet)
{
	memset(young, 0, offsetof(struct young, small));
	young->client_isn = packet->seq - 1;
	young->cookie = packet->ack - 1;
	young->client_window = packet->window;
	young->head = young->small;
	young->large = YOUNG_NONE;
	young->cluster = CLUSTER_NONE;
}

static void init_flow(struct worker *worker, struct flow *flow, const struct packet *packet, unsigned vip)
{
	memset(flow, 0, sizeof(*flow));
	flow->client = packet->source;
	flow->client_port = packet->source_port;
	flow->vip = (uint16_t)vip;
	flow->host = SLOT_NONE;
	flow->share_pair = SLOT_NONE;
	flow->last_seen = worker->now;
	flow->challenged = worker->now - CHALLENGE_INTERVAL_MS;
	flow->router_hop = L3_NONE;
	flow->client_hop = l3_next_hop(worker->l3, &flow->client);
	flow->routes_at = worker->routes_at;
}

struct flow *flow_create(struct worker *worker, const struct packet *packet, unsigned vip, uint64_t hash)
{
	if (worker->free_flow_count == 0) {
		count(worker, counter_refused_flows);
		return NULL;
	}
	if (worker->free_young_count == 0) {
		count(worker, counter_refused_young);
		return NULL;
	}
	uint32_t index = worker->free_flows[worker->free_flow_count - 1];
	if (!flow_table_add(&worker->flow_table, hash, index << 1 | SIDE_CLIENT)) {
		count(worker, counter_refused_flows);
		return NULL;
	}
	worker->free_flow_count--;
	struct flow *flow = &worker->flows[index];
	init_flow(worker, flow, packet, vip);
	flow->young = worker->free_youngs[--worker->free_young_count];
	init_young(worker, flow_young(worker, flow), packet);
	flow_set_state(worker, flow, FLOW_HEAD);
	recording_born(worker, flow);
	gauge_move(worker, counter_flows, 1);
	count(worker, counter_connections);
	flow_timer_at(worker, flow, worker->now + worker->config->timeouts.head);
	return flow;
}

static void give_back_young(struct worker *worker, struct flow *flow)
{
	if (flow->young == YOUNG_NONE)
		return;
	struct young *young = flow_young(worker, flow);
	if (young->large != YOUNG_NONE) {
		worker->free_large[worker->free_large_count++] = young->large;
		gauge_move(worker, counter_heads_large, -1);
	}
	worker->free_youngs[worker->free_young_count++] = flow->young;
	flow->young = YOUNG_NONE;
}

static void set_active(struct worker *worker, const struct flow *flow, int64_t by)
{
	shared_add(&worker->hosts[flow->host].active, (uint64_t)by);
	if (flow->share_pair != SLOT_NONE)
		shared_add(&worker->pairs[flow->share_pair].active, (uint64_t)by);
}

/* The ports that this flow's packets have beside its addresses, and the addresses, as a change of checksum. */
static uint16_t address_diff(const struct worker *worker, const struct flow *flow)
{
	const struct vip *vip = &worker->vips[flow->vip];
	const struct address *local = &worker->pool.addresses[flow->local_address];
	uint64_t sum = checksum_diff32(address_v4(&flow->client), address_v4(local));
	sum += checksum_diff32(address_v4(&vip->address), address_v4(&flow->router));
	sum += checksum_diff16(htobe16(flow->client_port), htobe16(flow->local_port));
	sum += checksum_diff16(htobe16(vip->port), htobe16(flow->router_port));
	return checksum_fold(sum);
}

static struct source_ports *ports_of(struct worker *worker, uint32_t host, bool https)
{
	return &worker->source_ports[host * 2 + https];
}

/* Takes a source port for the flow's router host. Another slot may stand for the same router host (it was replaced, or
 * serves two clusters) and have given a flow this port already: then the next one. */
static bool take_port(struct worker *worker, struct flow *flow, struct source_ports *ports)
{
	for (unsigned i = 0; i < PORT_TRIES; i++) {
		uint32_t pair;
		bool rested;
		enum side side;
		if (!source_ports_take(ports, &worker->pool, worker->now, &pair, &rested))
			return false;
		flow->local_port = source_pool_port(&worker->pool, pair);
		flow->local_address = (uint16_t)(pair / worker->pool.port_count);
		if (!flow_find(worker, router_hash(worker, flow), &flow->router,
		               &worker->pool.addresses[flow->local_address], flow->router_port, flow->local_port,
		               &side)) {
			if (!rested)
				count(worker, counter_port_reused_early);
			return true;
		}
		source_ports_release(ports, &worker->pool, pair, worker->now);
	}
	return false;
}

bool flow_bind_router(struct worker *worker, struct flow *flow, uint32_t host, uint32_t share_pair)
{
	const struct table_host *router = &worker->tables.active->hosts[host];
	bool https = worker->vips[flow->vip].tls;
	struct source_ports *ports = ports_of(worker, host, https);
	flow->router = router->address;
	flow->router_port = https ? router->https_port : router->http_port;
	flow->flags = https ? FLOW_HTTPS : 0;
	flow->host = host;
	flow->share_pair = share_pair;
	flow_young(worker, flow)->host_generation = router->generation;
	if ((!ports->rested && !source_ports_open(ports, &worker->pool)) || !take_port(worker, flow, ports)) {
		flow->local_port = 0;
		count(worker, counter_refused_ports);
		return false;
	}
	flow->router_hop = l3_next_hop(worker->l3, &flow->router);
	flow->address_diff = address_diff(worker, flow);
	gauge_move(worker, counter_ports_in_use, 1);
	set_active(worker, flow, 1);
	if (flow_table_add(&worker->flow_table, router_hash(worker, flow), flow_index(worker, flow) << 1 | SIDE_ROUTER))
		return true;
	flow_unbind_router(worker, flow);
	count(worker, counter_refused_flows);
	return false;
}

void flow_unbind_router(struct worker *worker, struct flow *flow)
{
	if (flow->local_port == 0)
		return;
	uint32_t pair = flow->local_address * worker->pool.port_count +
	                (uint32_t)(flow->local_port - worker->pool.port_first) / worker->pool.port_step;
	flow_table_remove(&worker->flow_table, router_hash(worker, flow), flow_index(worker, flow) << 1 | SIDE_ROUTER);
	source_ports_release(ports_of(worker, flow->host, flow->flags & FLOW_HTTPS), &worker->pool, pair, worker->now);
	gauge_move(worker, counter_ports_in_use, -1);
	if (flow->state != FLOW_LINGERING)
		set_active(worker, flow, -1);
	flow->local_port = 0;
}

/* Its young part goes, it stays. */
static void grow_up(struct worker *worker, struct flow *flow)
{
	if (flow->young != YOUNG_NONE)
		recording_keep(worker, flow);
	give_back_young(worker, flow);
}

void flow_linger(struct worker *worker, struct flow *flow, uint32_t linger, enum record_why why)
{
	count(worker, why == RECORD_FIN ? counter_ended_fin : counter_ended_rst);
	recording_ended(worker, flow, why);
	set_active(worker, flow, -1);
	grow_up(worker, flow);
	flow_set_state(worker, flow, FLOW_LINGERING);
	flow_timer_at(worker, flow, worker->now + linger);
}

void flow_splice(struct worker *worker, struct flow *flow)
{
	grow_up(worker, flow);
	flow_set_state(worker, flow, FLOW_SPLICED);
	count(worker, counter_connections_spliced);
	shared_add(&worker->hosts[flow->host].total, 1);
	if (flow->share_pair != SLOT_NONE)
		shared_add(&worker->pairs[flow->share_pair].total, 1);
	if (flow->client_hop == L3_NONE)
		flow->client_hop = l3_next_hop(worker->l3, &flow->client);
	splice_timer(worker, flow);
}

void flow_destroy(struct worker *worker, struct flow *flow)
{
	uint32_t index = flow_index(worker, flow);
	flow_unbind_router(worker, flow);
	flow_table_remove(&worker->flow_table, client_hash(worker, flow), index << 1 | SIDE_CLIENT);
	give_back_young(worker, flow);
	timer_wheel_stop(&worker->timers, index);
	flow_set_state(worker, flow, FLOW_FREE);
	gauge_move(worker, counter_flows, -1);
	worker->free_flows[worker->free_flow_count++] = index;
}

static void count_end(struct worker *worker, enum record_why why)
{
	switch (why) {
	case RECORD_IDLE:
		count(worker, counter_ended_idle);
		break;
	case RECORD_CLOSED:
		count(worker, counter_ended_closed);
		break;
	case RECORD_JOIN:
		count(worker, counter_ended_join);
		break;
	default: /* RECORD_SHUTDOWN: the counters end, too */
		break;
	}
}

/* A RST counts only with exactly the number that its receiver expects (RFC 5961): the last one that it has
 * acknowledged, and, if something is on its way to it, also the end of that. */
static void reset_side(struct worker *worker, struct flow *flow, enum side side, bool in_traffic)
{
	const struct flow_half *receiver = &flow->half[side];
	uint32_t shift = side == SIDE_CLIENT ? flow->delta : 0, end = flow->half[!side].end;
	if (in_traffic && end != receiver->acked &&
	    seq_within(end, receiver->acked, receiver->acked + receiver->window))
		emit_rst(worker, flow, side, end + shift);
	emit_rst(worker, flow, side, receiver->acked + shift);
}

void flow_reset(struct worker *worker, struct flow *flow, enum record_why why)
{
	count_end(worker, why);
	if (flow->state == FLOW_SPLICED || flow->state == FLOW_JOINING) {
		recording_ended(worker, flow, why);
		reset_side(worker, flow, SIDE_CLIENT, why == RECORD_CLOSED);
		reset_side(worker, flow, SIDE_ROUTER, why == RECORD_CLOSED);
	} else if (flow->state != FLOW_LINGERING) {
		const struct young *young = flow_young(worker, flow);
		emit_rst(worker, flow, SIDE_CLIENT, young->cookie + 1 + young->answer_acked);
	}
	flow_destroy(worker, flow);
}
