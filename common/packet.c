/* Reads and writes Ethernet, IPv4, TCP and ICMP headers. Every length is checked here once. */
#include "common/packet.h"

#include <net/ethernet.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <string.h>

#include "common/bytes.h"
#include "common/checksum.h"

enum {
	IPV4_FIRST_BYTE = 0x45, /* version 4, header of 5 words */
	IPV4_DONT_FRAGMENT = 0x4000,
	IPV4_FRAGMENT_BITS = 0x3fff, /* more fragments, and the offset */
	IPV4_OFFSET_BITS = 0x1fff,
	IPV4_TTL = 64,
	ICMP_HEADER_LEN = 8,
	ICMP_QUOTE_LEN = 8, /* of the transport header: what RFC 792 promises */
	CHECKSUM_RIGHT = 0xffff,
};

static uint32_t load32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint16_t load16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint16_t ipv4_header_sum(const uint8_t *ip)
{
	return checksum_fold((uint64_t)load32(ip) + load32(ip + 4) + load32(ip + 8) + load32(ip + 12) +
	                     load32(ip + 16));
}

static bool source_is_bad(const uint8_t *source, const uint8_t *destination)
{
	return source[0] == 0 || source[0] == 127 || (source[0] & 0xf0) == 224 || load32(source) == UINT32_MAX ||
	       load32(source) == load32(destination);
}

static enum packet_kind verify_tcp_checksum(const struct packet *packet)
{
	uint32_t pseudo = checksum_pseudo(&packet->source, &packet->destination, packet->tcp_len);

	if (checksum_fold(checksum_add(pseudo, packet->tcp, packet->tcp_len)) == CHECKSUM_RIGHT)
		return PACKET_TCP;
	return load16(packet->tcp + 16) == checksum_fold(pseudo) ? PACKET_PARTIAL_CHECKSUM : PACKET_TCP_CHECKSUM;
}

static enum packet_kind parse_tcp(uint8_t *tcp, uint16_t len, bool verify, struct packet *out)
{
	if (len < TCP_HEADER_LEN)
		return PACKET_TRUNCATED;
	out->tcp = tcp;
	out->tcp_len = len;
	out->source_port = get_be16(tcp);
	out->destination_port = get_be16(tcp + 2);
	out->seq = get_be32(tcp + 4);
	out->ack = get_be32(tcp + 8);
	out->tcp_header_len = (uint8_t)(tcp[12] >> 4 << 2);
	out->flags = tcp[13];
	out->window = get_be16(tcp + 14);
	if (out->tcp_header_len < TCP_HEADER_LEN || out->tcp_header_len > len || out->source_port == 0 ||
	    out->destination_port == 0)
		return PACKET_TCP_HEADER;
	out->payload = tcp + out->tcp_header_len;
	out->payload_len = (uint16_t)(len - out->tcp_header_len);
	return verify ? verify_tcp_checksum(out) : PACKET_TCP;
}

/* Redirects and source quench (RFC 6633) say nothing about a connection. */
static bool icmp_is_error(uint8_t type)
{
	return type == ICMP_DEST_UNREACH || type == ICMP_TIME_EXCEEDED || type == ICMP_PARAMETERPROB;
}

/* The checksum is verified always, since no NIC does it for ICMP. */
static enum packet_kind parse_icmp(uint8_t *icmp, uint16_t len, struct packet *out)
{
	uint8_t *ip = icmp + ICMP_HEADER_LEN;

	if (len < ICMP_HEADER_LEN)
		return PACKET_TRUNCATED;
	if (!icmp_is_error(icmp[0]))
		return PACKET_NOT_TCP;
	if (checksum_fold(checksum_add(0, icmp, len)) != CHECKSUM_RIGHT)
		return PACKET_TCP_CHECKSUM;
	if (len < ICMP_HEADER_LEN + IPV4_HEADER_LEN)
		return PACKET_TRUNCATED;

	unsigned ip_len = (ip[0] & 0x0fu) * 4;
	if (ip[0] >> 4 != 4 || ip_len < IPV4_HEADER_LEN || ip[9] != IPPROTO_TCP ||
	    (get_be16(ip + 6) & IPV4_OFFSET_BITS) != 0)
		return PACKET_NOT_TCP;
	if (len < ICMP_HEADER_LEN + ip_len + ICMP_QUOTE_LEN)
		return PACKET_TRUNCATED;

	uint8_t *tcp = ip + ip_len;
	out->quoted.ip = ip;
	out->quoted.tcp = tcp;
	out->quoted.source = address_from_v4(load32(ip + 12));
	out->quoted.destination = address_from_v4(load32(ip + 16));
	out->quoted.source_port = get_be16(tcp);
	out->quoted.destination_port = get_be16(tcp + 2);
	out->quoted.seq = get_be32(tcp + 4);
	out->quoted.icmp_type = icmp[0];
	out->quoted.icmp_code = icmp[1];
	out->quoted.mtu = icmp[0] == ICMP_DEST_UNREACH && icmp[1] == ICMP_FRAG_NEEDED ? get_be16(icmp + 6) : 0;
	return PACKET_ICMP_ERROR;
}

enum packet_kind packet_parse(uint8_t *frame, uint16_t len, bool verify, struct packet *out)
{
	uint8_t *ip = frame + ETHERNET_HEADER_LEN;

	if (len < ETHERNET_HEADER_LEN)
		return PACKET_TRUNCATED;
	if (get_be16(frame + 12) != ETHERTYPE_IP)
		return PACKET_NOT_IP;
	if (frame[0] & 1)
		return PACKET_NOT_UNICAST;
	if (len < ETHERNET_HEADER_LEN + IPV4_HEADER_LEN)
		return PACKET_TRUNCATED;
	if (ip[0] != IPV4_FIRST_BYTE)
		return ip[0] >> 4 == 4 && ip[0] > IPV4_FIRST_BYTE ? PACKET_IP_OPTIONS : PACKET_IP_HEADER;
	if (verify && ipv4_header_sum(ip) != CHECKSUM_RIGHT)
		return PACKET_IP_HEADER;
	uint16_t total = get_be16(ip + 2);
	if (total < IPV4_HEADER_LEN || total > len - ETHERNET_HEADER_LEN)
		return PACKET_TRUNCATED;
	if (get_be16(ip + 6) & IPV4_FRAGMENT_BITS)
		return PACKET_FRAGMENT;
	if (ip[9] != IPPROTO_TCP && ip[9] != IPPROTO_ICMP)
		return PACKET_NOT_TCP;
	if (source_is_bad(ip + 12, ip + 16))
		return PACKET_BAD_SOURCE;

	out->ethernet = frame;
	out->ip = ip;
	out->ttl = ip[8];
	out->source = address_from_v4(load32(ip + 12));
	out->destination = address_from_v4(load32(ip + 16));
	if (ip[9] == IPPROTO_ICMP)
		return parse_icmp(ip + IPV4_HEADER_LEN, (uint16_t)(total - IPV4_HEADER_LEN), out);
	return parse_tcp(ip + IPV4_HEADER_LEN, (uint16_t)(total - IPV4_HEADER_LEN), verify, out);
}

/* Identification is 0: a datagram with DF set and never fragmented needs none (RFC 6864 4.1). */
static void write_ipv4(uint8_t *ip, const struct segment *segment, uint16_t total)
{
	uint32_t source = address_v4(&segment->source), destination = address_v4(&segment->destination);

	ip[0] = IPV4_FIRST_BYTE;
	ip[1] = 0;
	put_be16(ip + 2, total);
	put_be16(ip + 4, 0);
	put_be16(ip + 6, IPV4_DONT_FRAGMENT);
	ip[8] = IPV4_TTL;
	ip[9] = IPPROTO_TCP;
	put_be16(ip + 10, 0);
	memcpy(ip + 12, &source, sizeof(source));
	memcpy(ip + 16, &destination, sizeof(destination));

	uint16_t checksum = (uint16_t)~ipv4_header_sum(ip);
	memcpy(ip + 10, &checksum, sizeof(checksum));
}

uint16_t packet_write(uint8_t *frame, const struct segment *segment)
{
	uint8_t *ip = frame + ETHERNET_HEADER_LEN, *tcp = ip + IPV4_HEADER_LEN;
	uint16_t header_len = TCP_HEADER_LEN + segment->options_len;
	uint16_t tcp_len = (uint16_t)(header_len + segment->payload_len);

	write_ipv4(ip, segment, (uint16_t)(IPV4_HEADER_LEN + tcp_len));
	put_be16(tcp, segment->source_port);
	put_be16(tcp + 2, segment->destination_port);
	put_be32(tcp + 4, segment->seq);
	put_be32(tcp + 8, segment->ack);
	tcp[12] = (uint8_t)(header_len / 4 << 4);
	tcp[13] = segment->flags;
	put_be16(tcp + 14, segment->window);
	put_be32(tcp + 16, 0); /* checksum and urgent pointer */
	if (segment->options_len > 0)
		memcpy(tcp + TCP_HEADER_LEN, segment->options, segment->options_len);

	uint32_t sum = checksum_pseudo(&segment->source, &segment->destination, tcp_len);
	uint16_t checksum = (uint16_t)~checksum_fold(checksum_add(sum, tcp, tcp_len));
	memcpy(tcp + 16, &checksum, sizeof(checksum));
	return (uint16_t)(ETHERNET_HEADER_LEN + IPV4_HEADER_LEN + tcp_len);
}

void packet_write_ethernet(uint8_t *frame, const uint8_t *destination_mac, const uint8_t *source_mac)
{
	memcpy(frame, destination_mac, ETHER_ADDR_LEN);
	memcpy(frame + ETHER_ADDR_LEN, source_mac, ETHER_ADDR_LEN);
	put_be16(frame + 12, ETHERTYPE_IP);
}

uint16_t packet_tcp_checksum(const struct packet *packet)
{
	uint64_t sum = checksum_pseudo(&packet->source, &packet->destination, packet->tcp_len);

	sum += checksum_add(0, packet->tcp, packet->tcp_len);
	sum += (uint16_t)~load16(packet->tcp + 16); /* takes the field itself out */
	return (uint16_t)~checksum_fold(sum);
}
