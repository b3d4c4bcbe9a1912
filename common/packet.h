/* One frame from the wire, checked once and then read through plain fields: the only place that knows the
 * layout of Ethernet, IPv4, TCP and ICMP headers. Knows no flows and does no I/O. */
#ifndef PM_PACKET_H
#define PM_PACKET_H

#include <stdbool.h>
#include <stdint.h>

#include "address.h"

enum {
	ETHERNET_HEADER_LEN = 14,
	IPV4_HEADER_LEN = 20,
	TCP_HEADER_LEN = 20,
	TCP_HEADER_MAX = 60,
	/* Ethernet + IPv4 + TCP without options: where we put the payload of a segment of our own. */
	PACKET_HEADERS_LEN = ETHERNET_HEADER_LEN + IPV4_HEADER_LEN + TCP_HEADER_LEN,
};

enum tcp_flag {
	TCP_FIN = 0x01,
	TCP_SYN = 0x02,
	TCP_RST = 0x04,
	TCP_PSH = 0x08,
	TCP_ACK = 0x10,
	TCP_URG = 0x20,
	TCP_ECE = 0x40,
	TCP_CWR = 0x80,
};

enum packet_kind {
	PACKET_TCP,        /* all fields of struct packet are valid, checksums verified */
	PACKET_ICMP_ERROR, /* an ICMP error that quotes a TCP packet of at least 8 bytes: see `quoted` */
	/* Not for us, or broken; each is a drop counter of its own. */
	PACKET_TRUNCATED,   /* shorter than its headers or its total length say */
	PACKET_NOT_IP,      /* another Ethernet type, VLAN tags included */
	PACKET_IP_HEADER,   /* version, header length, or a header checksum that is wrong */
	PACKET_IP_OPTIONS,  /* IPv4 options: never from a sane TCP peer */
	PACKET_FRAGMENT,    /* any IPv4 fragment, first or later */
	PACKET_NOT_UNICAST, /* to a broadcast or multicast MAC (RFC 1122 3.3.6) */
	PACKET_NOT_TCP,     /* another protocol, or ICMP that is no error about TCP */
	PACKET_BAD_SOURCE,  /* multicast, broadcast, 0/8 or 127/8 source (RFC 1122 3.2.1.3), or source == destination */
	PACKET_TCP_HEADER,  /* data offset < 5 or beyond the end, or port 0 */
	PACKET_TCP_CHECKSUM,     /* wrong; also that of an ICMP error */
	PACKET_PARTIAL_CHECKSUM, /* only the pseudo-header's sum: CHECKSUM_PARTIAL of a local veth or virtio peer */
};

struct packet {
	uint8_t *ethernet; /* start of the frame */
	uint8_t *ip;
	uint8_t *tcp;
	uint8_t *payload;
	struct address source, destination;
	uint16_t source_port, destination_port; /* host byte order */
	uint32_t seq, ack;                      /* host byte order */
	uint16_t window;                        /* host byte order, not scaled */
	uint16_t tcp_len;                       /* header and payload */
	uint16_t payload_len;
	uint8_t tcp_header_len;
	uint8_t flags; /* enum tcp_flag */
	uint8_t ttl;

	/* PACKET_ICMP_ERROR only: the packet that the error quotes, as its sender sent it. */
	struct {
		uint8_t *ip;
		uint8_t *tcp;
		struct address source, destination;
		uint16_t source_port, destination_port;
		uint32_t seq;
		uint8_t icmp_type, icmp_code;
		uint16_t mtu; /* next-hop MTU of "fragmentation needed", else 0 */
	} quoted;
};

/* Reads the frame of `len` bytes at `frame` (starting with the Ethernet header; trailing padding is allowed
 * and ignored). Fills `out` as far as the kind says. `verify` = false skips checksum checks (a NIC did them). */
enum packet_kind packet_parse(uint8_t *frame, uint16_t len, bool verify, struct packet *out);

/* What a segment of our own says; host byte order. */
struct segment {
	struct address source, destination;
	uint16_t source_port, destination_port;
	uint32_t seq, ack;
	uint16_t window; /* as it goes into the field */
	uint8_t flags;
	const uint8_t *options; /* padded to a multiple of 4 by the caller */
	uint8_t options_len;
	uint16_t payload_len;
};

/* Where the payload of `segment` belongs in a frame at `frame`. */
static inline uint8_t *packet_payload_place(uint8_t *frame, const struct segment *segment)
{
	return frame + PACKET_HEADERS_LEN + segment->options_len;
}

/* Writes IPv4 and TCP headers with checksums at `frame` + ETHERNET_HEADER_LEN, around a payload that stands
 * already at packet_payload_place (DF set, TTL 64). The Ethernet header is the caller's (packet_write_ethernet).
 * Returns the length of the frame. */
uint16_t packet_write(uint8_t *frame, const struct segment *segment);

/* MACs are 6 bytes each. */
void packet_write_ethernet(uint8_t *frame, const uint8_t *destination_mac, const uint8_t *source_mac);

/* The full TCP checksum of what `packet` points at, as it belongs into the field (memory order): for tests and
 * for rewriting that could not be incremental. */
uint16_t packet_tcp_checksum(const struct packet *packet);

#endif
