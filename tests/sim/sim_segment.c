/* Bytes of the simulated network's frames. */
#include "sim_segment.h"

#include <string.h>

enum { ETHERNET = 14, IPV4 = 20, TCP = 20 };

static void put16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value)
{
	put16(at, (uint16_t)(value >> 16));
	put16(at + 2, (uint16_t)value);
}

static uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t get32(const uint8_t *at)
{
	return (uint32_t)get16(at) << 16 | get16(at + 2);
}

/* One's complement sum of 16-bit words as they lie in memory, 4 bytes at a time. */
static uint64_t sum(const uint8_t *at, size_t len)
{
	uint64_t total = 0;
	uint32_t word;
	for (; len >= 4; at += 4, len -= 4) {
		memcpy(&word, at, 4);
		total += word;
	}
	word = 0;
	memcpy(&word, at, len);
	return total + word;
}

/* The complement of the folded sum, in memory order. */
static uint16_t finish(uint64_t total)
{
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	return (uint16_t)~total;
}

static uint16_t tcp_checksum(const uint8_t *ip, const uint8_t *tcp, uint16_t tcp_len)
{
	uint8_t pseudo[4] = {0, 6, (uint8_t)(tcp_len >> 8), (uint8_t)tcp_len};
	return finish(sum(ip + 12, 8) + sum(pseudo, 4) + sum(tcp, tcp_len));
}

static uint8_t write_options(uint8_t *at, const struct sim_segment *segment)
{
	uint8_t *start = at;
	if (segment->mss != 0) {
		*at++ = 2;
		*at++ = 4;
		put16(at, segment->mss);
		at += 2;
	}
	if (segment->sack_permitted) {
		*at++ = 4;
		*at++ = 2;
	}
	if (segment->window_scale != SIM_NO_SCALE && (segment->flags & SIM_SYN)) {
		*at++ = 1;
		*at++ = 3;
		*at++ = 3;
		*at++ = segment->window_scale;
	}
	if (segment->sack_count > 0) {
		for (unsigned i = 0; i < segment->sack_shift; i++)
			*at++ = 1;
		*at++ = 5;
		*at++ = (uint8_t)(2 + 8 * segment->sack_count);
		for (unsigned i = 0; i < segment->sack_count; i++, at += 8) {
			put32(at, segment->sack[i].left);
			put32(at + 4, segment->sack[i].right);
		}
	}
	while ((at - start) % 4 != 0)
		*at++ = 1;
	return (uint8_t)(at - start);
}

static void write_ip(uint8_t *ip, uint16_t total, uint8_t ttl, uint8_t protocol, uint32_t source, uint32_t destination)
{
	memset(ip, 0, IPV4);
	ip[0] = 0x45;
	put16(ip + 2, total);
	put16(ip + 6, 0x4000); /* DF */
	ip[8] = ttl;
	ip[9] = protocol;
	put32(ip + 12, source);
	put32(ip + 16, destination);
	uint16_t check = finish(sum(ip, IPV4));
	memcpy(ip + 10, &check, 2);
}

uint16_t sim_segment_write(uint8_t *frame, const struct sim_segment *segment)
{
	memcpy(frame, segment->destination_mac, 6);
	memcpy(frame + 6, segment->source_mac, 6);
	put16(frame + 12, 0x0800);
	uint8_t *ip = frame + ETHERNET, *tcp = ip + IPV4;
	memset(tcp, 0, TCP);
	uint8_t options = write_options(tcp + TCP, segment);
	uint16_t tcp_len = (uint16_t)(TCP + options + segment->payload_len);
	write_ip(ip, (uint16_t)(IPV4 + tcp_len), segment->ttl ? segment->ttl : SIM_TTL, 6, segment->source,
	         segment->destination);
	put16(tcp, segment->source_port);
	put16(tcp + 2, segment->destination_port);
	put32(tcp + 4, segment->seq);
	put32(tcp + 8, segment->ack);
	tcp[12] = (uint8_t)((TCP + options) / 4 << 4);
	tcp[13] = segment->flags;
	put16(tcp + 14, segment->window);
	if (segment->payload_len)
		memcpy(tcp + TCP + options, segment->payload, segment->payload_len);
	uint16_t check = tcp_checksum(ip, tcp, tcp_len);
	memcpy(tcp + 16, &check, 2);
	return (uint16_t)(ETHERNET + IPV4 + tcp_len);
}

static const char *read_sack(const uint8_t *at, uint8_t len, struct sim_segment *segment)
{
	if (len < 10 || len > 34 || (len - 2) % 8 != 0)
		return "SACK option of a wrong length";
	segment->sack_count = (len - 2u) / 8;
	for (unsigned i = 0; i < segment->sack_count; i++) {
		segment->sack[i].left = get32(at + 2 + 8 * i);
		segment->sack[i].right = get32(at + 6 + 8 * i);
	}
	return NULL;
}

static const char *read_options(const uint8_t *at, const uint8_t *end, struct sim_segment *segment)
{
	while (at < end && *at != 0) {
		if (*at == 1) {
			at++;
			continue;
		}
		if (end - at < 2 || at[1] < 2 || at[1] > end - at)
			return "TCP option of a wrong length";
		if (at[0] == 2 && at[1] == 4)
			segment->mss = get16(at + 2);
		else if (at[0] == 3 && at[1] == 3)
			segment->window_scale = at[2];
		else if (at[0] == 4 && at[1] == 2)
			segment->sack_permitted = true;
		else if (at[0] == 5) {
			const char *fault = read_sack(at, at[1], segment);
			if (fault)
				return fault;
		} else
			segment->other_option = true;
		at += at[1];
	}
	return NULL;
}

const char *sim_segment_read(const uint8_t *frame, uint16_t len, struct sim_segment *segment)
{
	*segment = (struct sim_segment){.window_scale = SIM_NO_SCALE};
	if (len < ETHERNET + IPV4 + TCP || get16(frame + 12) != 0x0800)
		return "no IPv4 frame";
	const uint8_t *ip = frame + ETHERNET, *tcp = ip + IPV4;
	uint16_t total = get16(ip + 2);
	if (ip[0] != 0x45 || ip[9] != 6 || (get16(ip + 6) & 0x3fff) != 0)
		return "no TCP without IP options";
	if (finish(sum(ip, IPV4)) != 0)
		return "wrong IPv4 checksum";
	if (total < IPV4 + TCP || total > len - ETHERNET)
		return "wrong IPv4 total length";
	uint16_t tcp_len = (uint16_t)(total - IPV4);
	uint16_t header = (uint16_t)(tcp[12] >> 4 << 2);
	if (header < TCP || header > tcp_len)
		return "wrong TCP data offset";
	if (tcp_checksum(ip, tcp, tcp_len) != 0)
		return "wrong TCP checksum";
	segment->destination_mac = frame;
	segment->source_mac = frame + 6;
	segment->ttl = ip[8];
	segment->source = get32(ip + 12);
	segment->destination = get32(ip + 16);
	segment->source_port = get16(tcp);
	segment->destination_port = get16(tcp + 2);
	segment->seq = get32(tcp + 4);
	segment->ack = get32(tcp + 8);
	segment->flags = tcp[13];
	segment->window = get16(tcp + 14);
	segment->payload = tcp + header;
	segment->payload_len = (uint16_t)(tcp_len - header);
	return read_options(tcp + TCP, tcp + header, segment);
}

bool sim_icmp_read(const uint8_t *frame, uint16_t len, struct sim_icmp *icmp, const char **fault)
{
	const uint8_t *ip = frame + ETHERNET, *at = ip + IPV4, *quote = at + 8;
	if (len < ETHERNET + IPV4 + 8 || get16(frame + 12) != 0x0800 || ip[0] != 0x45 || ip[9] != 1)
		return false;
	uint16_t total = get16(ip + 2);
	*fault = NULL;
	if (finish(sum(ip, IPV4)) != 0)
		*fault = "wrong IPv4 checksum around ICMP";
	else if (total < IPV4 + 8 + IPV4 + 8 || total > len - ETHERNET)
		*fault = "wrong length of an ICMP error";
	else if (finish(sum(at, total - IPV4)) != 0)
		*fault = "wrong ICMP checksum";
	else if (quote[0] != 0x45 || quote[9] != 6 || finish(sum(quote, IPV4)) != 0)
		*fault = "ICMP quotes no right IPv4 header of TCP";
	if (*fault)
		return true;
	*icmp = (struct sim_icmp){
	    .type = at[0],
	    .code = at[1],
	    .mtu = get16(at + 6),
	    .source = get32(ip + 12),
	    .destination = get32(ip + 16),
	    .quoted_source = get32(quote + 12),
	    .quoted_destination = get32(quote + 16),
	    .quoted_source_port = get16(quote + IPV4),
	    .quoted_destination_port = get16(quote + IPV4 + 2),
	    .quoted_seq = get32(quote + IPV4 + 4),
	};
	return true;
}

uint16_t sim_icmp_write(uint8_t *frame, uint32_t source, uint8_t type, uint8_t code, uint16_t mtu, const uint8_t *about)
{
	enum { QUOTE = IPV4 + 8, ICMP = 8 };
	memcpy(frame, about + 6, 6);
	memcpy(frame + 6, about, 6);
	put16(frame + 12, 0x0800);
	uint8_t *ip = frame + ETHERNET, *icmp = ip + IPV4;
	write_ip(ip, IPV4 + ICMP + QUOTE, 64, 1, source, get32(about + ETHERNET + 12));
	memset(icmp, 0, ICMP);
	icmp[0] = type;
	icmp[1] = code;
	put16(icmp + 6, mtu);
	memcpy(icmp + ICMP, about + ETHERNET, QUOTE);
	uint16_t check = finish(sum(icmp, ICMP + QUOTE));
	memcpy(icmp + 2, &check, 2);
	return ETHERNET + IPV4 + ICMP + QUOTE;
}
