/* ICMP errors about packets that we sent (RFC 5927): only those that quote a sequence number in flight count. "Too big"
 * is translated for the endpoint whose packet it was; "unreachable" ends an attempt to connect and nothing else. */
#include "dataplane/core.h"

#include <string.h>

#include "common/bytes.h"
#include "common/checksum.h"
#include "common/tcp_seq.h"

enum {
	ICMP_UNREACHABLE = 3,
	ICMP_FRAGMENTATION_NEEDED = 4,
	ICMP_HEADER_LEN = 8,
	QUOTED_TCP_LEN = 8,
	MTU_MIN = 68, /* RFC 791 */
};

/* Was a packet toward `to` with this number (router space) sent and not acknowledged? */
static bool in_flight(const struct flow *flow, enum side to, uint32_t seq)
{
	return seq - flow->half[to].acked < flow->half[!to].end - flow->half[to].acked;
}

static void write_checksum(uint8_t *at, uint32_t sum)
{
	uint16_t checksum = (uint16_t)~checksum_fold(sum);
	memcpy(at, &checksum, sizeof(checksum));
}

/* The same error in a frame of its own, quoting the packet as its sender sent it. `to` is the side that the quoted
 * packet was for; the error goes to the other. */
static void pass_on(struct worker *worker, struct flow *flow, enum side to, struct frame *frame,
                    const struct packet *packet)
{
	const struct vip *vip = &worker->vips[flow->vip];
	struct address local = worker->pool.addresses[flow->local_address];
	bool sender_is_client = to == SIDE_ROUTER;
	struct address sender = sender_is_client ? flow->client : flow->router;
	struct address dialled = sender_is_client ? vip->address : local;
	uint32_t source = address_v4(&dialled), destination = address_v4(&sender);
	uint8_t quote[IPV4_HEADER_LEN + QUOTED_TCP_LEN];
	memcpy(quote, packet->quoted.ip, IPV4_HEADER_LEN);
	quote[0] = 0x45;
	memcpy(quote + 12, &destination, sizeof(destination));
	memcpy(quote + 16, &source, sizeof(source));
	memset(quote + 10, 0, 2);
	write_checksum(quote + 10, checksum_add(0, quote, IPV4_HEADER_LEN));
	put_be16(quote + IPV4_HEADER_LEN, sender_is_client ? flow->client_port : flow->router_port);
	put_be16(quote + IPV4_HEADER_LEN + 2, sender_is_client ? vip->port : flow->local_port);
	put_be32(quote + IPV4_HEADER_LEN + 4, sender_is_client ? packet->quoted.seq : packet->quoted.seq - flow->delta);

	uint8_t *ip = frame->data + ETHERNET_HEADER_LEN, *icmp = ip + IPV4_HEADER_LEN;
	const uint8_t header[IPV4_HEADER_LEN] = {
	    0x45, 0, 0, IPV4_HEADER_LEN + ICMP_HEADER_LEN + sizeof(quote), 0, 0, 0, 0, 64, 1};
	memcpy(ip, header, sizeof(header));
	memcpy(ip + 12, &source, sizeof(source));
	memcpy(ip + 16, &destination, sizeof(destination));
	write_checksum(ip + 10, checksum_add(0, ip, IPV4_HEADER_LEN));
	memset(icmp, 0, ICMP_HEADER_LEN);
	icmp[0] = ICMP_UNREACHABLE;
	icmp[1] = ICMP_FRAGMENTATION_NEEDED;
	put_be16(icmp + 6, packet->quoted.mtu);
	memcpy(icmp + ICMP_HEADER_LEN, quote, sizeof(quote));
	write_checksum(icmp + 2, checksum_add(0, icmp, ICMP_HEADER_LEN + sizeof(quote)));
	frame->len = ETHERNET_HEADER_LEN + IPV4_HEADER_LEN + ICMP_HEADER_LEN + sizeof(quote);
	if (!frame_route(worker, flow, sender_is_client ? SIDE_CLIENT : SIDE_ROUTER, frame)) {
		frame_drop(worker, frame, counter_drop_no_next_hop);
		return;
	}
	count(worker, counter_rx_forwarded);
	worker->io.send(worker->io.context, frame);
}

static void too_big(struct worker *worker, struct flow *flow, enum side to, struct frame *frame,
                    const struct packet *packet)
{
	if (packet->quoted.mtu < MTU_MIN) {
		frame_drop(worker, frame, counter_drop_icmp_soft);
		return;
	}
	if (flow->state == FLOW_JOINING && to == SIDE_ROUTER) {
		/* Some of these bytes only we repeat: in smaller segments. */
		struct young *young = flow_young(worker, flow);
		uint16_t mss = (uint16_t)(packet->quoted.mtu - IPV4_HEADER_LEN - TCP_HEADER_LEN);
		if (mss < young->router_mss)
			young->router_mss = mss < COOKIE_MSS_MIN ? COOKIE_MSS_MIN : mss;
	}
	pass_on(worker, flow, to, frame, packet);
}

static void connecting(struct worker *worker, struct flow *flow, enum side to, struct frame *frame,
                       const struct packet *packet)
{
	const struct young *young = flow_young(worker, flow);
	if (to != SIDE_ROUTER || packet->quoted.seq != young->client_isn) {
		frame_drop(worker, frame, counter_drop_icmp_not_in_flight);
	} else if (packet->quoted.icmp_type != ICMP_UNREACHABLE ||
	           packet->quoted.icmp_code == ICMP_FRAGMENTATION_NEEDED) {
		frame_drop(worker, frame, counter_drop_icmp_soft);
	} else {
		frame_absorb(worker, frame);
		connect_failed(worker, flow, false);
	}
}

void icmp_receive(struct worker *worker, struct frame *frame, const struct packet *packet)
{
	enum side to;
	uint64_t hash = key_hash(worker, &packet->quoted.destination, &packet->quoted.source,
	                         packet->quoted.destination_port, packet->quoted.source_port);
	struct flow *flow = flow_find(worker, hash, &packet->quoted.destination, &packet->quoted.source,
	                              packet->quoted.destination_port, packet->quoted.source_port, &to);
	if (!flow) {
		frame_drop(worker, frame, counter_drop_icmp_unmatched);
		return;
	}
	if (!worker->vips[flow->vip].held) {
		frame_drop(worker, frame, counter_drop_vip_not_held);
		return;
	}
	if (flow->state == FLOW_CONNECTING) {
		connecting(worker, flow, to, frame, packet);
		return;
	}
	uint32_t seq = to == SIDE_CLIENT ? packet->quoted.seq - flow->delta : packet->quoted.seq;
	bool joined = flow->state == FLOW_JOINING || flow->state == FLOW_SPLICED || flow->state == FLOW_LINGERING;
	bool is_too_big =
	    packet->quoted.icmp_type == ICMP_UNREACHABLE && packet->quoted.icmp_code == ICMP_FRAGMENTATION_NEEDED;
	if (!joined || !is_too_big)
		frame_drop(worker, frame, counter_drop_icmp_soft);
	else if (!in_flight(flow, to, seq))
		frame_drop(worker, frame, counter_drop_icmp_not_in_flight);
	else
		too_big(worker, flow, to, frame, packet);
}
