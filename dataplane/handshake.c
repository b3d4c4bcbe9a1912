/* Clients' handshakes: a SYN is answered with a cookie and forgotten; an ACK that brings a valid cookie back, directly
 * behind the client's ISN, gives birth to a flow. */
#include "dataplane/core.h"

#include <string.h>

#include "common/tcp_options.h"

static struct cookie_tuple tuple_of(const struct packet *packet)
{
	return (struct cookie_tuple){
	    .client = packet->source,
	    .vip = packet->destination,
	    .client_port = packet->source_port,
	    .vip_port = packet->destination_port,
	};
}

static uint64_t epoch_now(const struct worker *worker)
{
	return worker->now_us / 1000 / COOKIE_EPOCH_MS;
}

uint16_t ports_mss(const struct worker *worker)
{
	uint16_t mss = UINT16_MAX;
	for (unsigned port = 0; port < worker->config->port_count; port++) {
		uint16_t mtu = l3_port_mtu(worker->l3, (uint8_t)port);
		if (mtu && mtu - IPV4_HEADER_LEN - TCP_HEADER_LEN < mss)
			mss = (uint16_t)(mtu - IPV4_HEADER_LEN - TCP_HEADER_LEN);
	}
	return mss;
}

/* The MSS that every possible way to a router host takes. */
static uint16_t offered_mss(const struct worker *worker)
{
	uint16_t mss = ports_mss(worker);
	if (worker->config->limits.client_mss < mss)
		mss = worker->config->limits.client_mss;
	return worker->router_mss_min < mss ? worker->router_mss_min : mss;
}

static void syn_ack(struct worker *worker, struct frame *frame, const struct packet *packet, uint32_t isn,
                    const struct tcp_syn_options *client)
{
	struct tcp_syn_options ours = {
	    .mss = offered_mss(worker),
	    .window_scale = client->window_scale == TCP_WINDOW_SCALE_NONE ? TCP_WINDOW_SCALE_NONE : CLIENT_SCALE,
	    .sack_permitted = client->sack_permitted,
	};
	uint8_t options[12];
	struct segment segment = {
	    .source = packet->destination,
	    .destination = packet->source,
	    .source_port = packet->destination_port,
	    .destination_port = packet->source_port,
	    .seq = isn,
	    .ack = packet->seq + 1,
	    .window = (uint16_t)worker->config->limits.head_bytes,
	    .flags = TCP_SYN | TCP_ACK,
	    .options = options,
	};
	segment.options_len = tcp_options_write_syn(options, &ours);
	uint8_t client_mac[6], our_mac[6];
	memcpy(client_mac, frame->data + 6, sizeof(client_mac));
	memcpy(our_mac, frame->data, sizeof(our_mac));
	packet_write_ethernet(frame->data, client_mac, our_mac);
	frame->len = packet_write(frame->data, &segment);
	count(worker, counter_answered_syn);
	worker->io.send(worker->io.context, frame);
}

void handshake_syn(struct worker *worker, struct frame *frame, const struct packet *packet)
{
	struct tcp_syn_options client;
	tcp_options_read_syn(packet->tcp, packet->tcp_header_len, &client);
	if (client.mss == 0)
		client.mss = 536; /* RFC 9293 MUST-15 */
	if (client.mss < COOKIE_MSS_MIN) {
		frame_drop(worker, frame, counter_drop_mss_too_small);
		return;
	}
	struct cookie_tuple tuple = tuple_of(packet);
	struct cookie_options options = {client.mss, client.window_scale, client.sack_permitted};
	uint32_t isn = cookie_make(&worker->cookie_secret, &tuple, packet->seq, &options, epoch_now(worker));
	syn_ack(worker, frame, packet, isn, &client);
}

static uint64_t birth_hash(const struct worker *worker, const struct packet *packet, uint32_t client_isn)
{
	struct {
		struct address client, vip;
		uint32_t client_isn;
		uint16_t client_port, vip_port;
	} in = {packet->source, packet->destination, client_isn, packet->source_port, packet->destination_port};
	_Static_assert(sizeof(in) == 40, "hashed whole: no padding");
	return siphash(&worker->table_secret, &in, sizeof(in));
}

/* The kernel sees no packets of the client, so it may not know the client, or know where it was before. (A gateway's
 * frames may come from another MAC than it answers ARP with: that is no news.) */
static bool is_news(struct worker *worker, const struct flow *flow)
{
	struct l3_hop hop;
	struct address next_hop;
	uint32_t ifindex;
	if (!l3_resolve(worker->l3, flow->client_hop, &hop))
		return true;
	return memcmp(hop.destination_mac, flow->client_mac, sizeof(flow->client_mac)) != 0 &&
	       l3_route_to(worker->l3, &flow->client, &next_hop, &ifindex) && address_equal(&next_hop, &flow->client);
}

static void ask_for_client(struct worker *worker, const struct flow *flow)
{
	if (is_news(worker, flow) && !worker->io.ask(worker->io.context, &flow->client, false))
		count(worker, counter_ask_lost);
}

static void give_birth(struct worker *worker, struct frame *frame, const struct packet *packet, unsigned vip,
                       const struct cookie_options *options, uint64_t birth)
{
	uint64_t hash =
	    key_hash(worker, &packet->source, &packet->destination, packet->source_port, packet->destination_port);
	struct flow *flow = NULL;
	if (tombstones_full(&worker->tombstones))
		count(worker, counter_refused_tombstones);
	else
		flow = flow_create(worker, packet, vip, hash);
	if (!flow) {
		reply_rst(worker, frame, packet);
		return;
	}
	tombstones_add(&worker->tombstones, birth, worker->now);
	gauge_move(worker, counter_tombstones, 1);
	struct young *young = flow_young(worker, flow);
	young->client_mss = options->mss;
	young->client_wscale = options->window_scale;
	young->client_sack = options->sack_permitted;
	flow->client_scale = options->window_scale == TCP_WINDOW_SCALE_NONE ? 0 : options->window_scale;
	memcpy(flow->client_mac, frame->data + 6, sizeof(flow->client_mac));
	flow->client_port_in = frame->port;
	ask_for_client(worker, flow);
	head_receive(worker, flow, frame, packet);
}

bool handshake_ack(struct worker *worker, struct frame *frame, const struct packet *packet, unsigned vip,
                   struct flow *old)
{
	struct cookie_tuple tuple = tuple_of(packet);
	struct cookie_options options;
	uint32_t client_isn = packet->seq - 1;
	enum cookie_verdict verdict =
	    cookie_check(&worker->cookie_secret, &tuple, client_isn, packet->ack - 1, epoch_now(worker), &options);
	if (verdict == COOKIE_NONE || (verdict == COOKIE_STALE && old))
		return false;
	if (verdict == COOKIE_STALE) {
		frame_drop(worker, frame, counter_drop_cookie_stale);
		return true;
	}
	uint64_t birth = birth_hash(worker, packet, client_isn);
	if (tombstones_has(&worker->tombstones, birth)) {
		if (old)
			return false;
		frame_drop(worker, frame, counter_drop_duplicate_birth);
		return true;
	}
	if (old)
		flow_destroy(worker, old);
	give_birth(worker, frame, packet, vip, &options, birth);
	return true;
}
