/* The fast path. A packet of a spliced flow is rewritten in place and sent on: addresses, ports, one delta, SACK
 * blocks, window, TTL, checksums (RFC 1624); never the payload. The endpoints do loss recovery, flow control and
 * keepalive among themselves; no spliced packet is answered, but for a SYN (see receive_control). */
#include "dataplane/core.h"

#include <endian.h>
#include <string.h>

#include "common/bytes.h"
#include "common/checksum.h"
#include "common/tcp_seq.h"

enum {
	/* Anything that a plain data packet must not meet on its way. */
	FINS = FLOW_FIN_CLIENT | FLOW_FIN_ROUTER,
	FINS_ACKED = FLOW_FIN_CLIENT_ACKED | FLOW_FIN_ROUTER_ACKED,
	DOUBTS = FLOW_RST_DOUBT_CLIENT | FLOW_RST_DOUBT_ROUTER,
};

/* ---- rewriting ---- */

static uint32_t change32(uint8_t *at, uint32_t value)
{
	uint32_t from, to = htobe32(value);
	memcpy(&from, at, sizeof(from));
	memcpy(at, &to, sizeof(to));
	return checksum_diff32(from, to);
}

static uint32_t change16(uint8_t *at, uint16_t value)
{
	uint16_t from, to = htobe16(value);
	memcpy(&from, at, sizeof(from));
	memcpy(at, &to, sizeof(to));
	return checksum_diff16(from, to);
}

/* The same for four bytes that begin at an odd offset: the sum's bytes are swapped (RFC 1071 2B). */
static uint32_t change32_at(uint8_t *tcp, uint8_t *at, uint32_t value)
{
	uint32_t diff = change32(at, value);
	return (at - tcp) & 1 ? __builtin_bswap16(checksum_fold(diff)) : diff;
}

static uint32_t blank(uint8_t *tcp, const struct tcp_option *option)
{
	uint32_t diff = 0;
	for (uint8_t *at = option->at; at < option->at + option->len; at++) {
		bool high = ((at - tcp) & 1) == 0;
		uint16_t from = high ? htobe16((uint16_t)(*at << 8)) : htobe16(*at);
		uint16_t to = high ? htobe16(TCP_OPTION_NOP << 8) : htobe16(TCP_OPTION_NOP);
		diff += checksum_diff16(from, to);
		*at = TCP_OPTION_NOP;
	}
	return diff;
}

/* The client's SACK blocks speak of the router host's numbers. */
static uint32_t rewrite_sack(const struct flow *flow, struct packet *packet)
{
	uint64_t diff = 0;
	struct tcp_options walk = tcp_options_begin(packet->tcp, packet->tcp_header_len);
	struct tcp_option option;
	while (tcp_options_next(&walk, &option)) {
		if (option.kind != TCP_OPTION_SACK)
			continue;
		if ((flow->flags & FLOW_NO_SACK) || (option.len - 2) % 8 != 0) {
			diff += blank(packet->tcp, &option);
			continue;
		}
		for (uint8_t *edge = option.at + 2; edge < option.at + option.len; edge += 4)
			diff += change32_at(packet->tcp, edge, get_be32(edge) - flow->delta);
	}
	return checksum_fold(diff);
}

static void rewrite_ip(struct packet *packet, const struct address *source, const struct address *destination)
{
	uint32_t from = address_v4(source), to = address_v4(destination);
	memcpy(packet->ip + 12, &from, sizeof(from));
	memcpy(packet->ip + 16, &to, sizeof(to));
	packet->ip[8]--; /* TTL */
	memset(packet->ip + 10, 0, 2);
	uint16_t checksum = (uint16_t)~checksum_fold(checksum_add(0, packet->ip, IPV4_HEADER_LEN));
	memcpy(packet->ip + 10, &checksum, sizeof(checksum));
}

static void write_ports(uint8_t *tcp, uint16_t source, uint16_t destination)
{
	put_be16(tcp, source);
	put_be16(tcp + 2, destination);
}

static uint64_t rewrite_to_router(const struct worker *worker, const struct flow *flow, struct packet *packet)
{
	rewrite_ip(packet, &worker->pool.addresses[flow->local_address], &flow->router);
	write_ports(packet->tcp, flow->local_port, flow->router_port);
	uint64_t diff = flow->address_diff;
	if (packet->tcp_header_len > TCP_HEADER_LEN)
		diff += rewrite_sack(flow, packet);
	return diff;
}

static uint64_t rewrite_to_client(const struct worker *worker, const struct flow *flow, struct packet *packet)
{
	const struct vip *vip = &worker->vips[flow->vip];
	rewrite_ip(packet, &vip->address, &flow->client);
	write_ports(packet->tcp, vip->port, flow->client_port);
	return (uint64_t)(uint16_t)~flow->address_diff + change32(packet->tcp + 4, packet->seq + flow->delta);
}

void splice_forward(struct worker *worker, struct flow *flow, enum side side, struct frame *frame,
                    struct packet *packet, uint32_t ack, uint16_t window)
{
	uint64_t diff =
	    side == SIDE_CLIENT ? rewrite_to_router(worker, flow, packet) : rewrite_to_client(worker, flow, packet);
	diff += change32(packet->tcp + 8, ack);
	diff += change16(packet->tcp + 14, window);
	uint16_t checksum;
	memcpy(&checksum, packet->tcp + 16, sizeof(checksum));
	checksum = checksum_apply(checksum, checksum_fold(diff));
	memcpy(packet->tcp + 16, &checksum, sizeof(checksum));
	frame->len = (uint16_t)(packet->tcp - frame->data + packet->tcp_len); /* without padding */
	if (!frame_route(worker, flow, side == SIDE_CLIENT ? SIDE_ROUTER : SIDE_CLIENT, frame)) {
		frame_drop(worker, frame, counter_drop_no_next_hop);
		return;
	}
	count(worker, counter_rx_forwarded);
	worker->io.send(worker->io.context, frame);
}

uint16_t splice_window_to_client(const struct flow *flow, uint32_t window)
{
	uint32_t shift = flow->flags & FLOW_SAME_WINDOW ? flow->router_scale : CLIENT_SCALE;
	uint32_t field = window >> shift;
	if (field > UINT16_MAX)
		return UINT16_MAX;
	return field == 0 && window ? 1 : (uint16_t)field;
}

uint16_t splice_window_to_router(const struct flow *flow, uint16_t field)
{
	uint32_t window = (uint32_t)field << flow->client_scale;
	if (!(flow->flags & FLOW_NO_SCALE))
		return field;
	return window > UINT16_MAX ? UINT16_MAX : (uint16_t)window;
}

/* ---- what a flow remembers ---- */

static uint32_t idle_limit(const struct worker *worker, const struct flow *flow)
{
	if (flow->flags & DOUBTS)
		return RST_DOUBT_MS;
	return flow->flags & FINS ? worker->config->timeouts.half_closed : worker->config->timeouts.idle;
}

/* May the other side accept what `side` sends with this number? */
static bool in_window(const struct flow *flow, enum side side, uint32_t seq)
{
	const struct flow_half *receiver = &flow->half[!side];
	return seq_within(seq, receiver->acked, receiver->acked + receiver->window);
}

/* A FIN, or the acknowledgement of one. */
static void note_fin(struct worker *worker, struct flow *flow, enum side side, const struct packet *packet)
{
	uint16_t mine = side == SIDE_CLIENT ? FLOW_FIN_CLIENT : FLOW_FIN_ROUTER;
	uint16_t theirs = side == SIDE_CLIENT ? FLOW_FIN_ROUTER : FLOW_FIN_CLIENT;
	uint16_t acked = side == SIDE_CLIENT ? FLOW_FIN_ROUTER_ACKED : FLOW_FIN_CLIENT_ACKED;
	if ((packet->flags & TCP_FIN) && !(flow->flags & mine) &&
	    in_window(flow, side, packet->seq + packet->payload_len)) {
		flow->flags |= mine;
		flow->half[side].fin_end = packet->seq + packet->payload_len + 1;
		if (flow->state == FLOW_SPLICED)
			flow_timer_at(worker, flow, worker->now + idle_limit(worker, flow));
	}
	if ((flow->flags & theirs) && !seq_before(flow->half[side].acked, flow->half[!side].fin_end))
		flow->flags |= acked;
}

void splice_note(struct worker *worker, struct flow *flow, enum side side, const struct packet *packet, uint32_t ack,
                 uint32_t window)
{
	struct flow_half *half = &flow->half[side];
	bool fin = packet->flags & TCP_FIN;
	flow->last_seen = worker->now;
	flow_advance(worker, flow, side, packet->seq + packet->payload_len + fin);
	/* An older one, overtaken on its way, says nothing new; one of what was never sent is forged. */
	bool newest = ack - half->acked <= flow->half[!side].end - half->acked;
	half->acked = newest ? ack : half->acked;
	half->window = newest ? window : half->window;
	if (__builtin_expect(fin || (flow->flags & (FINS | DOUBTS)), 0)) {
		flow->flags &= (uint16_t) ~(side == SIDE_CLIENT ? FLOW_RST_DOUBT_CLIENT : FLOW_RST_DOUBT_ROUTER);
		note_fin(worker, flow, side, packet);
	}
}

void splice_end_if_closed(struct worker *worker, struct flow *flow)
{
	if ((flow->flags & FINS_ACKED) == FINS_ACKED && flow->state == FLOW_SPLICED)
		flow_linger(worker, flow, worker->config->timeouts.linger, RECORD_FIN);
}

/* ---- packets ---- */

void splice_reset(struct worker *worker, struct flow *flow, enum side side, struct frame *frame, struct packet *packet)
{
	/* Numbers are noted unchecked on the fast path, so `end` counts only as far as the receiver's window goes. */
	bool exact = packet->seq == flow->half[!side].acked || packet->seq == flow->half[side].end;
	if (!in_window(flow, side, packet->seq)) {
		frame_drop(worker, frame, counter_drop_rst_out_of_window);
		return;
	}
	bool acks = packet->flags & TCP_ACK;
	uint32_t ack = acks && side == SIDE_CLIENT ? packet->ack - flow->delta : packet->ack;
	splice_forward(worker, flow, side, frame, packet, ack, packet->window);
	if (flow->state == FLOW_LINGERING)
		return;
	if (exact) {
		flow_linger(worker, flow, RST_LINGER_MS, RECORD_RST);
	} else {
		flow->flags |= DOUBTS;
		flow->last_seen = worker->now;
		if (flow->state == FLOW_SPLICED)
			flow_timer_at(worker, flow, worker->now + RST_DOUBT_MS);
	}
}

/* A SYN of the client inside a spliced flow: it has forgotten the connection and uses its port again. It is answered
 * with the router host's last acknowledgement, whereupon the client resets (RFC 9293 3.10.7.3) and the RST ends the
 * flow. Forwarded, the SYN might open a connection at a router host that has forgotten too, past the election. */
static void receive_control(struct worker *worker, struct flow *flow, enum side side, struct frame *frame,
                            struct packet *packet)
{
	if (packet->flags & TCP_RST)
		splice_reset(worker, flow, side, frame, packet);
	else if ((packet->flags & (TCP_SYN | TCP_ACK)) == TCP_SYN && side == SIDE_CLIENT)
		challenge(worker, flow, frame, packet, flow->half[SIDE_ROUTER].end + flow->delta,
		          flow->half[SIDE_ROUTER].acked, counter_drop_stray_syn);
	else if (packet->flags & TCP_SYN)
		frame_drop(worker, frame, counter_drop_stray_syn);
	else
		frame_drop(worker, frame, counter_drop_no_ack);
}

void splice_receive(struct worker *worker, struct flow *flow, enum side side, struct frame *frame,
                    struct packet *packet)
{
	if (packet->ttl <= 1) {
		frame_drop(worker, frame, counter_drop_ttl);
		return;
	}
	if (__builtin_expect((packet->flags & (TCP_RST | TCP_SYN | TCP_ACK)) != TCP_ACK, 0)) {
		receive_control(worker, flow, side, frame, packet);
		return;
	}
	uint32_t ack, window;
	uint16_t field;
	if (side == SIDE_CLIENT) {
		ack = packet->ack - flow->delta;
		window = (uint32_t)packet->window << flow->client_scale;
		field = splice_window_to_router(flow, packet->window);
	} else {
		ack = packet->ack;
		window = (uint32_t)packet->window << flow->router_scale;
		field = splice_window_to_client(flow, window);
	}
	splice_note(worker, flow, side, packet, ack, window);
	splice_forward(worker, flow, side, frame, packet, ack, field);
	if (__builtin_expect(flow->flags & FINS_ACKED, 0))
		splice_end_if_closed(worker, flow);
}

/* Of an ended connection the router host may be told nothing but the client's last word: an acknowledgement of its
 * FIN, or a RST. A duplicate of the request is older than that. */
static bool is_last_word(const struct flow *flow, const struct packet *packet)
{
	if (packet->flags & TCP_RST)
		return true;
	return (flow->flags & FINS_ACKED) == FINS_ACKED &&
	       !seq_before(packet->ack - flow->delta, flow->half[SIDE_ROUTER].fin_end);
}

void splice_receive_late(struct worker *worker, struct flow *flow, enum side side, struct frame *frame,
                         struct packet *packet)
{
	if (side == SIDE_CLIENT && !is_last_word(flow, packet)) {
		frame_drop(worker, frame, counter_drop_after_close);
		return;
	}
	bool by_fin = (flow->flags & FINS_ACKED) == FINS_ACKED;
	if (by_fin && (packet->flags & TCP_FIN)) /* as in TIME_WAIT: the repair has not arrived yet */
		flow_timer_at(worker, flow, worker->now + worker->config->timeouts.linger);
	splice_receive(worker, flow, side, frame, packet);
}

/* ---- time ---- */

void splice_rearm(struct worker *worker, struct flow *flow)
{
	if (flow->state == FLOW_SPLICED && !(flow->flags & DOUBTS))
		flow_timer_at(worker, flow, flow->last_seen + idle_limit(worker, flow));
}

void splice_timer(struct worker *worker, struct flow *flow)
{
	if (flow->state == FLOW_LINGERING) {
		flow_destroy(worker, flow);
		return;
	}
	uint32_t limit = idle_limit(worker, flow);
	if (worker->now - flow->last_seen < limit) {
		flow_timer_at(worker, flow, flow->last_seen + limit);
		return;
	}
	flow_reset(worker, flow, RECORD_IDLE);
}
