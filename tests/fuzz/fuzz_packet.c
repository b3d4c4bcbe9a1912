/* Any bytes as a frame: what is accepted lies inside it. The first byte says whether checksums are verified, and
 * whether they are made right first, since a fuzzer does not guess them. */
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/checksum.h"
#include "common/packet.h"

static void require(bool truth)
{
	if (!truth)
		abort();
}

static void put_checksum(uint8_t *field, uint32_t sum, const uint8_t *bytes, size_t len)
{
	memset(field, 0, 2);
	uint16_t checksum = (uint16_t)~checksum_fold(checksum_add(sum, bytes, len));
	memcpy(field, &checksum, sizeof(checksum));
}

static void repair_checksums(uint8_t *frame, uint16_t len)
{
	uint8_t *ip = frame + 14, *body = ip + 20;
	struct address source, destination;
	uint32_t word;

	if (len < 34 + 20 || get_be16(ip + 2) < 40 || get_be16(ip + 2) > len - 14)
		return;
	uint16_t body_len = (uint16_t)(get_be16(ip + 2) - 20);
	memcpy(&word, ip + 12, sizeof(word));
	source = address_from_v4(word);
	memcpy(&word, ip + 16, sizeof(word));
	destination = address_from_v4(word);
	put_checksum(ip + 10, 0, ip, 20);
	if (ip[9] == 1)
		put_checksum(body + 2, 0, body, body_len);
	else
		put_checksum(body + 16, checksum_pseudo(&source, &destination, body_len), body, body_len);
}

static void check_tcp(const struct packet *p, uint8_t *frame, uint16_t len, bool verified)
{
	uint16_t field;

	require(p->ethernet == frame && p->ip == frame + 14 && p->tcp == frame + 34);
	require(p->tcp_header_len >= TCP_HEADER_LEN && p->tcp_header_len <= TCP_HEADER_MAX);
	require(p->tcp_len == p->tcp_header_len + p->payload_len);
	require(p->payload == p->tcp + p->tcp_header_len && p->payload + p->payload_len <= frame + len);
	require(p->source_port != 0 && p->destination_port != 0 && !address_equal(&p->source, &p->destination));
	memcpy(&field, p->tcp + 16, sizeof(field));
	/* Both zeros of one's complement are right on the wire; we write only one of them. */
	if (verified)
		require(packet_tcp_checksum(p) == field || (packet_tcp_checksum(p) == 0 && field == 0xffff));
}

static void check_icmp(const struct packet *p, uint8_t *frame, uint16_t len)
{
	require(p->ip == frame + 14 && p->quoted.ip == frame + 42);
	require(p->quoted.tcp >= p->quoted.ip + 20 && p->quoted.tcp + 8 <= frame + len);
	require(p->quoted.mtu == 0 || (p->quoted.icmp_type == 3 && p->quoted.icmp_code == 4));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0 || size > UINT16_MAX)
		return 0;

	bool verify = data[0] & 1, repair = data[0] & 2;
	uint16_t len = (uint16_t)(size - 1);
	uint8_t *frame = malloc(size > 1 ? size - 1 : 1);
	struct packet p;

	memcpy(frame, data + 1, len);
	if (repair)
		repair_checksums(frame, len);
	enum packet_kind kind = packet_parse(frame, len, verify, &p);
	require(kind <= PACKET_PARTIAL_CHECKSUM);
	if (kind == PACKET_TCP)
		check_tcp(&p, frame, len, verify);
	if (kind == PACKET_ICMP_ERROR)
		check_icmp(&p, frame, len);
	free(frame);
	return 0;
}
