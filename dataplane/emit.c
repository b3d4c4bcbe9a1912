/* Segments that the worker makes itself: toward the sides of a flow, and answers to a frame without a flow. */
#include "dataplane/core.h"

#include <string.h>

/* The kernel's routes have changed since: a flow follows them as any connection of Linux does. */
static void follow_routes(struct worker *worker, struct flow *flow)
{
	flow->routes_at = worker->routes_at;
	flow->client_hop = l3_next_hop(worker->l3, &flow->client);
	if (flow->local_port)
		flow->router_hop = l3_next_hop(worker->l3, &flow->router);
}

bool frame_route(struct worker *worker, struct flow *flow, enum side side, struct frame *frame)
{
	struct l3_hop hop;
	if (__builtin_expect(flow->routes_at != worker->routes_at, 0))
		follow_routes(worker, flow);
	if (l3_resolve(worker->l3, side == SIDE_CLIENT ? flow->client_hop : flow->router_hop, &hop)) {
		packet_write_ethernet(frame->data, hop.destination_mac, hop.source_mac);
		frame->port = hop.port;
		return true;
	}
	if (side == SIDE_ROUTER)
		return false;
	/* The way that the client's own frame came. */
	uint8_t mac[6];
	l3_port_mac(worker->l3, flow->client_port_in, mac);
	packet_write_ethernet(frame->data, flow->client_mac, mac);
	frame->port = flow->client_port_in;
	return true;
}

static void address_segment(const struct worker *worker, const struct flow *flow, enum side side,
                            struct segment *segment)
{
	const struct vip *vip = &worker->vips[flow->vip];
	if (side == SIDE_CLIENT) {
		segment->source = vip->address;
		segment->source_port = vip->port;
		segment->destination = flow->client;
		segment->destination_port = flow->client_port;
	} else {
		segment->source = worker->pool.addresses[flow->local_address];
		segment->source_port = flow->local_port;
		segment->destination = flow->router;
		segment->destination_port = flow->router_port;
	}
}

bool emit(struct worker *worker, struct flow *flow, enum side side, uint8_t flags, uint32_t seq, uint32_t ack,
          uint16_t window, const uint8_t *options, uint8_t options_len, const uint8_t *payload, uint16_t payload_len,
          enum counter counter)
{
	struct frame frame;
	bool mute = side == SIDE_CLIENT && !worker->vips[flow->vip].held;
	if (mute || !worker->io.alloc(worker->io.context, &frame)) {
		count(worker, counter_tx_failed);
		return false;
	}
	if (PACKET_HEADERS_LEN + options_len + payload_len > frame.room) {
		worker->io.drop(worker->io.context, &frame);
		count(worker, counter_tx_failed);
		return false;
	}
	if (side == SIDE_ROUTER && flow->router_hop == L3_NONE)
		flow->router_hop = l3_next_hop(worker->l3, &flow->router);
	if (!frame_route(worker, flow, side, &frame)) {
		worker->io.drop(worker->io.context, &frame);
		count(worker, counter_tx_failed);
		return false;
	}
	struct segment segment = {
	    .seq = seq,
	    .ack = ack,
	    .window = window,
	    .flags = flags,
	    .options = options,
	    .options_len = options_len,
	    .payload_len = payload_len,
	};
	address_segment(worker, flow, side, &segment);
	if (payload_len)
		memcpy(packet_payload_place(frame.data, &segment), payload, payload_len);
	frame.len = packet_write(frame.data, &segment);
	count(worker, counter);
	worker->io.send(worker->io.context, &frame);
	return true;
}

void emit_rst(struct worker *worker, struct flow *flow, enum side side, uint32_t seq)
{
	emit(worker, flow, side, TCP_RST, seq, 0, 0, NULL, 0, NULL, 0, counter_tx_rst);
}

static void reply(struct worker *worker, struct frame *frame, const struct packet *packet, uint8_t flags, uint32_t seq,
                  uint32_t ack, uint16_t window, enum counter counter)
{
	struct segment segment = {
	    .source = packet->destination,
	    .destination = packet->source,
	    .source_port = packet->destination_port,
	    .destination_port = packet->source_port,
	    .seq = seq,
	    .ack = ack,
	    .window = window,
	    .flags = flags,
	};
	uint8_t remote_mac[6], our_mac[6];
	memcpy(remote_mac, frame->data + 6, sizeof(remote_mac));
	memcpy(our_mac, frame->data, sizeof(our_mac));
	packet_write_ethernet(frame->data, remote_mac, our_mac);
	frame->len = packet_write(frame->data, &segment);
	count(worker, counter);
	worker->io.send(worker->io.context, frame);
}

/* RFC 9293 3.10.7.1 */
void reply_rst(struct worker *worker, struct frame *frame, const struct packet *packet)
{
	if (packet->flags & TCP_ACK) {
		reply(worker, frame, packet, TCP_RST, packet->ack, 0, 0, counter_answered_rst);
		return;
	}
	uint32_t length = packet->payload_len + !!(packet->flags & TCP_SYN) + !!(packet->flags & TCP_FIN);
	reply(worker, frame, packet, TCP_RST | TCP_ACK, 0, packet->seq + length, 0, counter_answered_rst);
}

void reply_ack(struct worker *worker, struct frame *frame, const struct packet *packet, uint32_t seq, uint32_t ack,
               uint16_t window)
{
	reply(worker, frame, packet, TCP_ACK, seq, ack, window, counter_answered_ack);
}

void challenge(struct worker *worker, struct flow *flow, struct frame *frame, const struct packet *packet, uint32_t seq,
               uint32_t ack, enum counter otherwise)
{
	bool young = flow->young != YOUNG_NONE && flow->state != FLOW_JOINING;
	uint16_t window = young ? head_window(worker, flow_young(worker, flow))
	                        : splice_window_to_client(flow, flow->half[SIDE_ROUTER].window);
	if (worker->now - flow->challenged < CHALLENGE_INTERVAL_MS) {
		frame_drop(worker, frame, otherwise);
		return;
	}
	flow->challenged = worker->now;
	reply_ack(worker, frame, packet, seq, ack, window);
}
