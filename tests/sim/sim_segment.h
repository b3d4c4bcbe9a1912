/* One IPv4/TCP frame of the simulated network, to bytes and back. Written apart from common/packet.c on purpose: the
 * two check each other. Knows no connections. */
#ifndef PM_SIM_SEGMENT_H
#define PM_SIM_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	SIM_FIN = 0x01,
	SIM_SYN = 0x02,
	SIM_RST = 0x04,
	SIM_PSH = 0x08,
	SIM_ACK = 0x10,
	SIM_URG = 0x20,
	SIM_NO_SCALE = 15, /* the window scale option is absent */
	SIM_SACK_MAX = 4,
	SIM_FRAME_MAX = 1514,
	SIM_TTL = 200, /* of what endpoints send: what the balancer makes itself differs */
};

/* All numbers in host byte order, addresses included. */
struct sim_segment {
	uint32_t source, destination;
	uint16_t source_port, destination_port;
	uint32_t seq, ack;
	uint16_t window; /* the field */
	uint8_t flags;
	uint8_t ttl;
	uint16_t mss;         /* 0: absent */
	uint8_t window_scale; /* or SIM_NO_SCALE */
	bool sack_permitted;
	bool other_option; /* on reading: an option that is none of these, NOP or END */
	unsigned sack_count;
	unsigned sack_shift; /* on writing: so many NOPs before the SACK option */
	struct {
		uint32_t left, right;
	} sack[SIM_SACK_MAX];
	const uint8_t *payload;
	uint16_t payload_len;
	const uint8_t *destination_mac, *source_mac;
};

/* Writes the frame (at most SIM_FRAME_MAX bytes of room) and returns its length. */
uint16_t sim_segment_write(uint8_t *frame, const struct sim_segment *segment);

/* Reads and checks everything: lengths, both checksums, options. Returns NULL, or what is wrong. */
const char *sim_segment_read(const uint8_t *frame, uint16_t len, struct sim_segment *segment);

/* What an ICMP error says about a TCP packet; host byte order. */
struct sim_icmp {
	uint8_t type, code;
	uint16_t mtu;
	uint32_t source, destination; /* of the error itself */
	uint32_t quoted_source, quoted_destination;
	uint16_t quoted_source_port, quoted_destination_port;
	uint32_t quoted_seq;
};

/* True if the frame is ICMP at all. `*fault` is NULL, or what is wrong with it. */
bool sim_icmp_read(const uint8_t *frame, uint16_t len, struct sim_icmp *icmp, const char **fault);

/* An ICMP error from `source` (host byte order) about the IPv4 packet in the frame `about`, quoting its IP header
 * and 8 bytes. `mtu` is for "fragmentation needed". Returns the length of the frame. */
uint16_t sim_icmp_write(uint8_t *frame, uint32_t source, uint8_t type, uint8_t code, uint16_t mtu,
                        const uint8_t *about);

#endif
