/* The frames of an exchange: from a script's text to bytes, and from what leaves to text, with everything checked that
 * the text does not say. See exchange.h. */
#include "exchange.h"

#include <stdio.h>

#include "common/bytes.h"
#include "segment_text.h"

enum { ICMP_LEN = ETHERNET_HEADER_LEN + 20 + 8 + 28 };

/* ---- frames in ---- */

static uint8_t client_byte(const struct conn *c, uint32_t offset)
{
	return offset < c->say_len ? c->say[offset] : (uint8_t)(offset * 7 + (offset >> 8) + 1);
}

static uint8_t router_byte(uint32_t offset)
{
	return (uint8_t)(offset * 13 + (offset >> 8) + 5);
}

static void finish_ip(uint8_t *ip_header, uint16_t total, uint8_t protocol, uint8_t ttl, const struct address *source,
                      const struct address *destination)
{
	memset(ip_header, 0, 20);
	ip_header[0] = 0x45;
	put_be16(ip_header + 2, total);
	put_be16(ip_header + 6, 0x4000);
	ip_header[8] = ttl;
	ip_header[9] = protocol;
	memcpy(ip_header + 12, source->bytes + 12, 4);
	memcpy(ip_header + 16, destination->bytes + 12, 4);
	put_be16(ip_header + 10, (uint16_t)~plain_fold(plain_sum(0, ip_header, 20)));
}

static uint32_t pseudo_sum(const uint8_t *ip_header, uint16_t tcp_len)
{
	return plain_sum(6u + tcp_len, ip_header + 12, 8);
}

struct ends {
	const uint8_t *destination_mac, *source_mac;
	struct address source, destination;
	uint16_t source_port, destination_port;
};

/* The payload stands in the frame's end already. */
static uint16_t build(uint8_t *frame, const struct ends *ends, const struct segment_line *line)
{
	uint8_t *ip_header = frame + 14, *tcp = ip_header + 20;
	uint16_t tcp_len = (uint16_t)(20 + line->options_len + line->payload_len);
	memcpy(frame, ends->destination_mac, 6);
	memcpy(frame + 6, ends->source_mac, 6);
	put_be16(frame + 12, 0x0800);
	finish_ip(ip_header, (uint16_t)(20 + tcp_len), 6, line->ttl, &ends->source, &ends->destination);
	put_be16(tcp, ends->source_port);
	put_be16(tcp + 2, ends->destination_port);
	put_be32(tcp + 4, line->seq);
	put_be32(tcp + 8, line->ack);
	tcp[12] = (uint8_t)((20 + line->options_len) / 4 << 4);
	tcp[13] = line->flags;
	put_be16(tcp + 14, line->window);
	put_be32(tcp + 16, 0);
	memcpy(tcp + 20, line->options, line->options_len);
	put_be16(tcp + 16, (uint16_t)~plain_fold(plain_sum(pseudo_sum(ip_header, tcp_len), tcp, tcp_len)));
	return (uint16_t)(34 + tcp_len);
}

static struct segment_bases bases_of(const struct conn *c, enum side side, bool out)
{
	if (side == SIDE_CLIENT) /* seen by the client */
		return out ? (struct segment_bases){c->our_isn, c->client_isn, c->client_isn}
		           : (struct segment_bases){c->client_isn, c->our_isn, c->our_isn};
	return out ? (struct segment_bases){c->client_isn, c->router_isn, c->router_isn}
	           : (struct segment_bases){c->router_isn, c->client_isn, c->client_isn};
}

uint16_t client_frame(struct conn *c, uint8_t frame[static EXCHANGE_FRAME_ROOM], const char *text, const void *bytes)
{
	struct segment_bases bases = bases_of(c, SIDE_CLIENT, false);
	struct segment_line line = segment_line_read(text, &bases);
	uint8_t *payload = frame + 54 + line.options_len;
	for (uint32_t i = 0; i < line.payload_len; i++)
		payload[i] = bytes ? ((const uint8_t *)bytes)[i] : client_byte(c, line.seq - c->client_isn - 1 + i);
	struct ends ends = {
	    exchange_port_macs[c->port], c->client_mac, c->client, ip(EXCHANGE_VIP), c->client_port, c->vip_port};
	return build(frame, &ends, &line);
}

uint16_t router_frame(struct conn *c, uint8_t frame[static EXCHANGE_FRAME_ROOM], const char *text)
{
	struct segment_bases bases = bases_of(c, SIDE_ROUTER, false);
	struct segment_line line = segment_line_read(text, &bases);
	uint8_t *payload = frame + 54 + line.options_len;
	for (uint32_t i = 0; i < line.payload_len; i++)
		payload[i] = router_byte(line.seq - c->router_isn - 1 + i);
	const uint8_t mac[6] = {2, 0, 0, 0, 4, 99};
	struct ends ends = {exchange_port_macs[SOUTH], mac, c->router, c->local, c->router_port, c->local_port};
	return build(frame, &ends, &line);
}

void client_sends_bytes(struct conn *c, const char *text, const void *bytes)
{
	uint8_t frame[EXCHANGE_FRAME_ROOM];
	frame_arrives(c->x, c->port, frame, client_frame(c, frame, text, bytes));
}

void client_sends(struct conn *c, const char *text)
{
	client_sends_bytes(c, text, NULL);
}

void router_sends(struct conn *c, const char *text)
{
	uint8_t frame[EXCHANGE_FRAME_ROOM];
	c->router_talks = true;
	frame_arrives(c->x, SOUTH, frame, router_frame(c, frame, text));
}

void network_sends_icmp(struct conn *c, enum side about, uint8_t type, uint8_t code, uint16_t mtu, int32_t seq)
{
	uint8_t frame[ICMP_LEN] = {0}, *ip_header = frame + 14, *icmp = ip_header + 20, *quote = icmp + 8;
	bool client = about == SIDE_CLIENT;
	struct address vip = ip(EXCHANGE_VIP), from = ip(client ? "198.51.100.254" : "203.0.113.254");
	memcpy(frame, exchange_port_macs[client ? c->port : SOUTH], 6);
	memcpy(frame + 6, c->client_mac, 6);
	put_be16(frame + 12, 0x0800);
	finish_ip(ip_header, ICMP_LEN - 14, 1, SEGMENT_TTL_SENT, &from, client ? &vip : &c->local);
	finish_ip(quote, 1500, 6, 63, client ? &vip : &c->local, client ? &c->client : &c->router);
	put_be16(quote + 20, client ? c->vip_port : c->local_port);
	put_be16(quote + 22, client ? c->client_port : c->router_port);
	put_be32(quote + 24, (uint32_t)seq + (client ? c->our_isn : c->client_isn));
	icmp[0] = type;
	icmp[1] = code;
	put_be16(icmp + 6, mtu);
	put_be16(icmp + 2, (uint16_t)~plain_fold(plain_sum(0, icmp, 36)));
	frame_arrives(c->x, client ? c->port : SOUTH, frame, sizeof(frame));
}

/* ---- frames out ---- */

/* Why the frame is not one to this side of the connection; NULL: it is. */
static const char *misfit(struct conn *c, enum side side, const struct sent_frame *sent, const uint8_t *ports)
{
	bool client = side == SIDE_CLIENT;
	struct address vip = ip(EXCHANGE_VIP);
	uint8_t mac[6] = {0};
	memcpy(mac, c->way_mac, 6);
	for (unsigned slot = 0; slot < EXCHANGE_HOSTS; slot++) {
		struct address address = exchange_host(slot);
		if (!client && address_equal(&address, &c->router))
			exchange_host_mac(slot, mac);
	}
	if (sent->port != (client ? c->port : SOUTH))
		return "wrong port";
	if (memcmp(sent->data, mac, 6) != 0)
		return "wrong destination MAC";
	if (memcmp(sent->data + 6, exchange_port_macs[sent->port], 6) != 0)
		return "wrong source MAC";
	if (memcmp(sent->data + 26, (client ? vip : c->local).bytes + 12, 4) != 0)
		return "wrong source address";
	if (memcmp(sent->data + 30, (client ? c->client : c->router).bytes + 12, 4) != 0)
		return "wrong destination address";
	if (get_be16(ports) != (client ? c->vip_port : c->local_port))
		return "wrong source port";
	if (get_be16(ports + 2) != (client ? c->client_port : c->router_port))
		return "wrong destination port";
	return NULL;
}

static const char *check_payload(struct conn *c, enum side side, const struct segment_line *line,
                                 const uint8_t *payload)
{
	if (side == SIDE_CLIENT && !c->router_talks) {
		if (c->answer_len + line->payload_len >= sizeof(c->answer))
			return "more of an answer than expected";
		memcpy(c->answer + c->answer_len, payload, line->payload_len);
		c->answer_len += line->payload_len;
		return NULL;
	}
	uint32_t offset = line->seq - (side == SIDE_CLIENT ? c->our_isn : c->client_isn) - 1;
	for (uint32_t i = 0; i < line->payload_len; i++)
		if (payload[i] != (side == SIDE_CLIENT ? router_byte(offset + i) : client_byte(c, offset + i)))
			return "wrong payload";
	return NULL;
}

static struct segment_line line_of(const struct sent_frame *sent)
{
	const uint8_t *tcp = sent->data + 34;
	struct segment_line line = {
	    .seq = get_be32(tcp + 4),
	    .ack = get_be32(tcp + 8),
	    .window = get_be16(tcp + 14),
	    .flags = tcp[13],
	    .ttl = sent->data[22],
	};
	line.options_len = (uint8_t)((tcp[12] >> 4) * 4 - 20);
	line.payload_len = (uint16_t)(sent->len - 54 - line.options_len);
	memcpy(line.options, tcp + 20, line.options_len);
	return line;
}

static const char *read_icmp(struct conn *c, enum side side, const struct sent_frame *sent, char *text)
{
	const uint8_t *icmp = sent->data + 34, *quote = icmp + 8;
	uint8_t ports[4];
	if (sent->len != ICMP_LEN)
		return "ICMP error of another length";
	if (plain_fold(plain_sum(0, icmp, sent->len - 34u)) != 0xffff)
		return "wrong ICMP checksum";
	if (quote[0] != 0x45 || plain_fold(plain_sum(0, quote, 20)) != 0xffff)
		return "wrong checksum of the quoted header";
	/* The quoted packet went the other way. */
	if (memcmp(quote + 12, sent->data + 30, 4) != 0 || memcmp(quote + 16, sent->data + 26, 4) != 0)
		return "wrong addresses in the quoted header";
	memcpy(ports, quote + 22, 2);
	memcpy(ports + 2, quote + 20, 2);
	snprintf(text, SEGMENT_TEXT_MAX, "icmp %u/%u mtu %u seq %d", icmp[0], icmp[1], get_be16(icmp + 6),
	         (int32_t)(get_be32(quote + 24) - (side == SIDE_CLIENT ? c->client_isn : c->router_isn)));
	return misfit(c, side, sent, ports);
}

/* Learns numbers and addresses that only the worker knows. */
static void learn(struct conn *c, enum side side, const struct sent_frame *sent, const struct segment_line *line)
{
	if (side == SIDE_CLIENT && (line->flags & (TCP_SYN | TCP_ACK)) == (TCP_SYN | TCP_ACK))
		c->our_isn = line->seq;
	if (side == SIDE_ROUTER && (line->flags & TCP_SYN)) {
		uint32_t local, router;
		memcpy(&local, sent->data + 26, 4);
		memcpy(&router, sent->data + 30, 4);
		c->local = address_from_v4(local);
		c->router = address_from_v4(router);
		c->local_port = get_be16(sent->data + 34);
		c->router_port = get_be16(sent->data + 36);
	}
}

/* Writes the frame as text, and says what is wrong with it beside that. */
static const char *read_sent(struct conn *c, enum side side, const struct sent_frame *sent, char *text)
{
	const uint8_t *ip_header = sent->data + 14, *tcp = ip_header + 20;
	if (sent->len < 54 || get_be16(sent->data + 12) != 0x0800 || ip_header[0] != 0x45)
		return "no IPv4 frame";
	if (get_be16(ip_header + 2) != sent->len - 14)
		return "wrong total length";
	if (plain_fold(plain_sum(0, ip_header, 20)) != 0xffff)
		return "wrong IP checksum";
	if (ip_header[9] == 1)
		return read_icmp(c, side, sent, text);
	struct segment_line line = line_of(sent);
	uint16_t tcp_len = (uint16_t)(sent->len - 34);
	learn(c, side, sent, &line);
	struct segment_bases bases = bases_of(c, side, true);
	segment_line_write(text, &line, &bases);
	if (plain_fold(plain_sum(pseudo_sum(ip_header, tcp_len), tcp, tcp_len)) != 0xffff)
		return "wrong TCP checksum";
	const char *fault = misfit(c, side, sent, tcp);
	return fault ? fault : check_payload(c, side, &line, tcp + 20 + line.options_len);
}

void exchange_describe(const struct sent_frame *sent)
{
	const uint8_t *d = sent->data;
	print_error(
	    "frame on port %u: %u.%u.%u.%u:%u > %u.%u.%u.%u:%u, protocol %u, flags %02x, seq %u, ack %u, %u bytes\n",
	    sent->port, d[26], d[27], d[28], d[29], get_be16(d + 34), d[30], d[31], d[32], d[33], get_be16(d + 36),
	    d[23], d[47], get_be32(d + 38), get_be32(d + 42), sent->len);
}

void exchange_expect(struct conn *c, enum side side, const char *text, const char *file, int line)
{
	char seen[SEGMENT_TEXT_MAX] = "";
	if (c->x->sent_count == 0) {
		print_error("expected \"%s\", nothing was sent\n", text);
		_fail(file, line);
	}
	struct sent_frame sent = exchange_take(c->x);
	const char *fault = read_sent(c, side, &sent, seen);
	if (!fault && strcmp(seen, text) == 0)
		return;
	print_error("expected \"%s\"\n     got \"%s\"%s%s\n", text, seen, fault ? ": " : "", fault ? fault : "");
	exchange_describe(&sent);
	_fail(file, line);
}

unsigned expect_syn(struct conn *c)
{
	char text[SEGMENT_TEXT_MAX] = "";
	struct sent_frame sent = exchange_take(c->x);
	const char *fault = read_sent(c, SIDE_ROUTER, &sent, text);
	if (fault || text[0] != 'S' || text[1] != ' ')
		fail_msg("expected a SYN, got \"%s\"%s", text, fault ? fault : "");
	for (unsigned slot = 0; slot < EXCHANGE_HOSTS; slot++) {
		struct address address = exchange_host(slot);
		if (address_equal(&address, &c->router))
			return slot;
	}
	fail_msg("a SYN to none of the router hosts");
	return 0;
}
