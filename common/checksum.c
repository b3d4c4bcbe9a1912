/* Sums for the Internet checksum. Knows the pseudo-header and no other header. */
#include "common/checksum.h"

#include <netinet/in.h>
#include <string.h>

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

/* Two 64-bit numbers that one SSE2 instruction adds. */
typedef uint64_t lanes __attribute__((vector_size(16)));

/* 32-bit words go into 64-bit accumulators, so no carry is lost before 2^32 words. */
uint32_t checksum_add(uint32_t sum, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;
	const lanes mask = {0xffffffff, 0xffffffff};
	lanes low = {sum, 0}, high = {0, 0}, word[2];

	for (; len >= sizeof(word); len -= sizeof(word), p += sizeof(word)) {
		memcpy(word, p, sizeof(word));
		low += word[0] & mask;
		high += word[0] >> 32;
		low += word[1] & mask;
		high += word[1] >> 32;
	}
	low += high;

	uint64_t total = low[0] + low[1];
	for (; len >= 4; len -= 4, p += 4)
		total += load32(p);
	if (len & 2) {
		total += load16(p);
		p += 2;
	}
	if (len & 1)
		total += *p; /* the first byte of its word in memory order */
	total = (total & 0xffffffff) + (total >> 32);
	return (uint32_t)((total & 0xffffffff) + (total >> 32));
}

/* The ff:ff in front of an IPv4 address is a zero of one's complement: both families take the same sum. */
uint32_t checksum_pseudo(const struct address *source, const struct address *destination, uint16_t tcp_len)
{
	uint64_t sum = (uint64_t)__builtin_bswap16(tcp_len) + __builtin_bswap16(IPPROTO_TCP);

	for (int i = 0; i < 4; i++)
		sum += (uint64_t)source->words[i] + destination->words[i];
	sum = (sum & 0xffffffff) + (sum >> 32);
	return (uint32_t)((sum & 0xffffffff) + (sum >> 32));
}
