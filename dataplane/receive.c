/* The fork in the road: parses a burst, finds the flow of each packet (all of the burst at once, so that cache misses
 * overlap), and gives each packet to the step that its flow is in. */
#include "dataplane/core.h"

struct arrival {
	struct packet packet;
	uint64_t hash;
	enum packet_kind kind;
};

static const enum counter drop_reasons[] = {
    [PACKET_TRUNCATED] = counter_drop_truncated,
    [PACKET_NOT_IP] = counter_drop_not_ip,
    [PACKET_IP_HEADER] = counter_drop_ip_header,
    [PACKET_IP_OPTIONS] = counter_drop_ip_options,
    [PACKET_FRAGMENT] = counter_drop_fragment,
    [PACKET_NOT_UNICAST] = counter_drop_not_unicast,
    [PACKET_NOT_TCP] = counter_drop_not_tcp,
    [PACKET_BAD_SOURCE] = counter_drop_bad_source,
    [PACKET_TCP_HEADER] = counter_drop_tcp_header,
    [PACKET_TCP_CHECKSUM] = counter_drop_tcp_checksum,
    [PACKET_PARTIAL_CHECKSUM] = counter_rx_partial_checksum,
};

void frame_drop(struct worker *worker, struct frame *frame, enum counter reason)
{
	count(worker, reason);
	worker->io.drop(worker->io.context, frame);
}

/* A folded multiplication (as in wyhash) under a secret: cheap, and collisions cannot be made without the secret. */
static inline uint64_t mix(uint64_t a, uint64_t b)
{
	__uint128_t product = (__uint128_t)a * b;
	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t key_hash(const struct worker *worker, const struct address *remote, const struct address *local,
                  uint16_t remote_port, uint16_t local_port)
{
	uint64_t k0 = worker->table_secret.k0, k1 = worker->table_secret.k1;
	uint64_t ports = (uint64_t)remote_port << 16 | local_port;
	uint64_t addresses = mix(remote->halves[0] ^ k0, remote->halves[1] ^ k1) ^
	                     mix(local->halves[0] ^ k1 ^ 0x9e3779b97f4a7c15, local->halves[1] ^ k0);
	return mix(addresses ^ k0, ports ^ k1 ^ 0xa0761d6478bd642f);
}

static bool key_matches(const struct worker *worker, const struct flow *flow, enum side side,
                        const struct address *remote, const struct address *local, uint16_t remote_port,
                        uint16_t local_port)
{
	if (side == SIDE_CLIENT) {
		const struct vip *vip = &worker->vips[flow->vip];
		return flow->client_port == remote_port && vip->port == local_port &&
		       address_equal(&flow->client, remote) && address_equal(&vip->address, local);
	}
	return flow->local_port == local_port && flow->router_port == remote_port &&
	       address_equal(&flow->router, remote) &&
	       address_equal(&worker->pool.addresses[flow->local_address], local);
}

struct flow *flow_find(struct worker *worker, uint64_t hash, const struct address *remote, const struct address *local,
                       uint16_t remote_port, uint16_t local_port, enum side *side)
{
	flow_ref refs[2 * FLOW_TABLE_WAYS];
	unsigned found = flow_table_candidates(&worker->flow_table, hash, refs);
	for (unsigned i = 0; i < found; i++) {
		struct flow *flow = &worker->flows[refs[i] >> 1];
		*side = refs[i] & 1;
		if (key_matches(worker, flow, *side, remote, local, remote_port, local_port))
			return flow;
	}
	return NULL;
}

int vip_find(const struct worker *worker, const struct address *address, uint16_t port)
{
	for (unsigned i = 0; i < worker->vip_count; i++)
		if (worker->vips[i].port == port && address_equal(&worker->vips[i].address, address))
			return (int)i;
	return -1;
}

bool pool_contains(const struct worker *worker, const struct address *address)
{
	for (unsigned i = 0; i < worker->config->pool.prefix_count; i++)
		if (prefix_contains(&worker->config->pool.prefixes[i], address))
			return true;
	return false;
}

/* Whose flow a packet is, independent of where it arrived: the router side tells it by our port, the client side by a
 * hash under a key that all workers share. */
static unsigned owner(const struct worker *worker, const struct address *remote, const struct address *local,
                      uint16_t remote_port, uint16_t local_port)
{
	if (pool_contains(worker, local))
		return local_port % worker->count;
	struct {
		struct address remote, local;
		uint32_t remote_port, local_port;
	} key = {*remote, *local, remote_port, local_port};
	_Static_assert(sizeof(key) == 40, "hashed whole: no padding");
	return (unsigned)(siphash(&worker->cookie_secret, &key, sizeof(key)) % worker->count);
}

static bool give_to_owner(struct worker *worker, struct frame *frame, const struct arrival *arrival)
{
	const struct packet *p = &arrival->packet;
	unsigned to = arrival->kind == PACKET_TCP
	                  ? owner(worker, &p->source, &p->destination, p->source_port, p->destination_port)
	                  : owner(worker, &p->quoted.destination, &p->quoted.source, p->quoted.destination_port,
	                          p->quoted.source_port);
	if (to == worker->index)
		return false;
	if (worker->io.hand_over(worker->io.context, frame, to))
		count(worker, counter_rx_handed_over);
	else
		frame_drop(worker, frame, counter_drop_handover_full);
	return true;
}

/* No flow: a handshake with a VIP, or a stray. */
static void receive_stray(struct worker *worker, struct frame *frame, const struct packet *packet, struct flow *old)
{
	int vip = vip_find(worker, &packet->destination, packet->destination_port);
	if (vip < 0 && !pool_contains(worker, &packet->destination)) {
		frame_drop(worker, frame, counter_drop_not_ours);
	} else if (vip >= 0 && !worker->vips[vip].held) {
		frame_drop(worker, frame, counter_drop_vip_not_held);
	} else if (vip >= 0 && !worker->tables.ready) {
		frame_drop(worker, frame, counter_drop_not_ready);
	} else if (packet->flags & TCP_RST) {
		frame_drop(worker, frame, counter_drop_stray_rst);
	} else if (vip >= 0 && (packet->flags & (TCP_SYN | TCP_ACK | TCP_FIN)) == TCP_SYN &&
	           vip_open(worker, (unsigned)vip)) {
		handshake_syn(worker, frame, packet);
	} else if (vip >= 0 && (packet->flags & (TCP_SYN | TCP_ACK)) == TCP_ACK && vip_open(worker, (unsigned)vip)) {
		if (!handshake_ack(worker, frame, packet, (unsigned)vip, old))
			reply_rst(worker, frame, packet);
	} else {
		reply_rst(worker, frame, packet);
	}
}

/* An ended flow that still translates makes way for a new connection of the same client address and port. */
static void receive_lingering(struct worker *worker, struct flow *flow, enum side side, struct frame *frame,
                              struct packet *packet)
{
	uint8_t handshake = packet->flags & (TCP_SYN | TCP_ACK | TCP_RST);
	if (side == SIDE_CLIENT && handshake == TCP_SYN && !(packet->flags & TCP_FIN))
		receive_stray(worker, frame, packet, flow);
	else if (side == SIDE_CLIENT && handshake == TCP_ACK && vip_open(worker, flow->vip) &&
	         handshake_ack(worker, frame, packet, flow->vip, flow))
		return;
	else
		splice_receive_late(worker, flow, side, frame, packet);
}

static void receive_flow(struct worker *worker, struct flow *flow, enum side side, struct frame *frame,
                         struct packet *packet)
{
	if (__builtin_expect(!worker->vips[flow->vip].held, 0)) {
		frame_drop(worker, frame, counter_drop_vip_not_held);
		return;
	}
	switch ((enum flow_state)flow->state) {
	case FLOW_SPLICED:
		splice_receive(worker, flow, side, frame, packet);
		break;
	case FLOW_HEAD:
		head_receive(worker, flow, frame, packet);
		break;
	case FLOW_ANSWER:
		answer_receive(worker, flow, frame, packet);
		break;
	case FLOW_CONNECTING:
		connect_receive(worker, flow, side, frame, packet);
		break;
	case FLOW_JOINING:
		join_receive(worker, flow, side, frame, packet);
		break;
	case FLOW_LINGERING:
		receive_lingering(worker, flow, side, frame, packet);
		break;
	case FLOW_FREE:
		__builtin_unreachable();
	}
}

static void receive_one(struct worker *worker, struct frame *frame, struct arrival *arrival)
{
	struct packet *packet = &arrival->packet;
	if (arrival->kind == PACKET_ICMP_ERROR) {
		icmp_receive(worker, frame, packet);
		return;
	}
	enum side side;
	struct flow *flow = flow_find(worker, arrival->hash, &packet->source, &packet->destination, packet->source_port,
	                              packet->destination_port, &side);
	if (flow)
		receive_flow(worker, flow, side, frame, packet);
	else
		receive_stray(worker, frame, packet, NULL);
}

void worker_receive(struct worker *worker, struct frame *frames, unsigned n, uint64_t now_us)
{
	struct arrival arrivals[WORKER_BURST_MAX];
	worker->now_us = now_us;
	worker->now = (uint32_t)(now_us / 1000);
	worker->routes_at = l3_routes_at(worker->l3);
	for (unsigned i = 0; i < n; i++) {
		struct arrival *arrival = &arrivals[i];
		struct packet *p = &arrival->packet;
		arrival->kind = packet_parse(frames[i].data, frames[i].len, !frames[i].checked, p);
		if (arrival->kind == PACKET_TCP) {
			arrival->hash =
			    key_hash(worker, &p->source, &p->destination, p->source_port, p->destination_port);
			flow_table_prefetch(&worker->flow_table, arrival->hash);
		}
	}
	for (unsigned i = 0; i < n; i++) {
		struct arrival *arrival = &arrivals[i];
		uint16_t mtu = l3_port_mtu(worker->l3, frames[i].port);
		if (mtu && frames[i].len > mtu + ETHERNET_HEADER_LEN)
			frame_drop(worker, &frames[i], counter_rx_oversize);
		else if (arrival->kind != PACKET_TCP && arrival->kind != PACKET_ICMP_ERROR)
			frame_drop(worker, &frames[i], drop_reasons[arrival->kind]);
		else if (worker->count == 1 || !give_to_owner(worker, &frames[i], arrival))
			receive_one(worker, &frames[i], arrival);
	}
}
