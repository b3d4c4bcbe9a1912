/* Frames that are right, frames with one thing wrong, ICMP errors, and frames of our own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <endian.h>

#include "common/bytes.h"
#include "common/checksum.h"
#include "common/packet.h"
#include "guarded_buffer.h"
#include "seeded_random.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { IP = ETHERNET_HEADER_LEN, TCP = IP + IPV4_HEADER_LEN, ICMP = TCP, QUOTE = ICMP + 8 };

static struct guarded_buffer guarded;
static uint8_t scratch[2048];

static const uint8_t mss_option[] = {2, 4, 5, 180};

static struct segment client_segment(void)
{
	return (struct segment){
	    .source = address_from_v4(htobe32(0xc6336402)),      /* 198.51.100.2 */
	    .destination = address_from_v4(htobe32(0xc633640a)), /* 198.51.100.10 */
	    .source_port = 40000,
	    .destination_port = 443,
	    .seq = 0xfffffff0,
	    .ack = 0x80000001,
	    .window = 64240,
	    .flags = TCP_ACK | TCP_PSH,
	    .options = mss_option,
	    .options_len = sizeof(mss_option),
	    .payload_len = 5,
	};
}

/* Into `scratch`; the payload is "hello", repeated. */
static uint16_t write_frame(const struct segment *segment)
{
	for (uint16_t i = 0; i < segment->payload_len; i++)
		packet_payload_place(scratch, segment)[i] = (uint8_t) "hello"[i % 5];
	packet_write_ethernet(scratch, (const uint8_t *)"\x02\x00\x00\x00\x00\x01",
	                      (const uint8_t *)"\x02\x00\x00\x00\x00\x02");
	return packet_write(scratch, segment);
}

/* Parses `len` bytes of `scratch` where reading one more would fault. */
static enum packet_kind parse(uint16_t len, bool verify, struct packet *out)
{
	return packet_parse(guarded_copy(&guarded, scratch, len), len, verify, out);
}

static void fix_ip_checksum(void)
{
	put_be16(scratch + IP + 10, 0);
	uint16_t sum = (uint16_t)~checksum_fold(checksum_add(0, scratch + IP, IPV4_HEADER_LEN));
	memcpy(scratch + IP + 10, &sum, sizeof(sum));
}

static void fix_tcp_checksum(uint16_t tcp_len)
{
	struct packet packet = {.tcp = scratch + TCP, .tcp_len = tcp_len};
	uint32_t word;

	memcpy(&word, scratch + IP + 12, sizeof(word));
	packet.source = address_from_v4(word);
	memcpy(&word, scratch + IP + 16, sizeof(word));
	packet.destination = address_from_v4(word);
	uint16_t sum = packet_tcp_checksum(&packet);
	memcpy(scratch + TCP + 16, &sum, sizeof(sum));
}

static void all_fields(void **state)
{
	struct segment segment = client_segment();
	uint16_t len = write_frame(&segment);
	struct packet p;

	assert_int_equal(len, 14 + 20 + 24 + 5);
	assert_int_equal(parse(len, true, &p), PACKET_TCP);
	assert_memory_equal(p.ethernet, "\x02\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00\x02\x08\x00", 14);
	assert_ptr_equal(p.ip, p.ethernet + IP);
	assert_ptr_equal(p.tcp, p.ethernet + TCP);
	assert_ptr_equal(p.payload, p.tcp + 24);
	assert_true(address_equal(&p.source, &segment.source));
	assert_true(address_equal(&p.destination, &segment.destination));
	assert_int_equal(p.source_port, 40000);
	assert_int_equal(p.destination_port, 443);
	assert_int_equal(p.seq, 0xfffffff0);
	assert_int_equal(p.ack, 0x80000001);
	assert_int_equal(p.window, 64240);
	assert_int_equal(p.tcp_len, 29);
	assert_int_equal(p.tcp_header_len, 24);
	assert_int_equal(p.payload_len, 5);
	assert_int_equal(p.flags, TCP_ACK | TCP_PSH);
	assert_int_equal(p.ttl, 64);
	assert_memory_equal(p.payload, "hello", 5);
}

/* A frame of known bytes: what is written does not agree with what is read by a common mistake. */
static void bytes_of_a_segment(void **state)
{
	static const uint8_t expected[] = {
	    0x45, 0x00, 0x00, 0x31, 0x00, 0x00, 0x40, 0x00, 0x40, 0x06, 0xe6, 0x53, /* DF, TTL 64, TCP */
	    198,  51,   100,  2,    198,  51,   100,  10,                           /* addresses */
	    0x9c, 0x40, 0x01, 0xbb, 0xff, 0xff, 0xff, 0xf0, 0x80, 0x00, 0x00, 0x01, /* ports, seq, ack */
	    0x60, 0x18, 0xfa, 0xf0, 0xe6, 0xe6, 0x00, 0x00, 0x02, 0x04, 0x05, 0xb4, /* offset 6, PSH ACK, window */
	    'h',  'e',  'l',  'l',  'o',
	};
	struct segment segment = client_segment();

	write_frame(&segment);
	assert_memory_equal(scratch + IP, expected, sizeof(expected));
}

static void every_truncation(void **state)
{
	struct segment segment = client_segment();
	uint16_t len = write_frame(&segment);
	struct packet p;

	for (uint16_t cut = 0; cut < len; cut++) {
		assert_int_equal(parse(cut, true, &p), PACKET_TRUNCATED);
		assert_int_equal(parse(cut, false, &p), PACKET_TRUNCATED);
	}
}

static void padding_is_ignored(void **state)
{
	struct segment segment = client_segment();
	segment.options_len = segment.payload_len = 0;
	uint16_t len = write_frame(&segment);
	struct packet p;

	assert_int_equal(len, 54);
	memset(scratch + len, 0xee, 6);
	assert_int_equal(parse(60, true, &p), PACKET_TCP);
	assert_int_equal(p.payload_len, 0);
	assert_int_equal(p.tcp_len, 20);
}

/* One 16-bit word of the right frame replaced. */
struct change {
	const char *what;
	uint16_t at, value;
	bool fix; /* make the checksums right again */
	enum packet_kind kind;
};

static void check_change(const struct change *c)
{
	struct segment segment = client_segment();
	uint16_t len = write_frame(&segment);
	struct packet p;

	put_be16(scratch + c->at, c->value);
	if (c->fix) {
		fix_tcp_checksum((uint16_t)(len - TCP));
		fix_ip_checksum();
	}
	enum packet_kind kind = parse(len, true, &p);
	if (kind != c->kind)
		fail_msg("%s: kind %d", c->what, kind);
}

static void one_thing_wrong(void **state)
{
	static const struct change changes[] = {
	    {"nothing", IP + 8, 0x4006, true, PACKET_TCP},
	    {"broadcast MAC", 0, 0xffff, false, PACKET_NOT_UNICAST},
	    {"multicast MAC", 0, 0x0100, false, PACKET_NOT_UNICAST},
	    {"another unicast MAC", 0, 0xfeff, false, PACKET_TCP},
	    {"ethernet type IPv6", 12, 0x86dd, false, PACKET_NOT_IP},
	    {"ethernet type ARP", 12, 0x0806, false, PACKET_NOT_IP},
	    {"VLAN tag", 12, 0x8100, false, PACKET_NOT_IP},
	    {"version 5", IP, 0x5500, true, PACKET_IP_HEADER},
	    {"version 6", IP, 0x6500, true, PACKET_IP_HEADER},
	    {"version 0", IP, 0x0500, true, PACKET_IP_HEADER},
	    {"header of 4 words", IP, 0x4400, true, PACKET_IP_HEADER},
	    {"header of 6 words", IP, 0x4600, true, PACKET_IP_OPTIONS},
	    {"header of 15 words", IP, 0x4f00, true, PACKET_IP_OPTIONS},
	    {"another TOS", IP, 0x4503, true, PACKET_TCP},
	    {"IP checksum", IP + 10, 0x1234, false, PACKET_IP_HEADER},
	    {"TTL without its checksum", IP + 8, 0x3f06, false, PACKET_IP_HEADER},
	    {"total length one too long", IP + 2, 50, true, PACKET_TRUNCATED},
	    {"total length 65535", IP + 2, 65535, true, PACKET_TRUNCATED},
	    {"total length 0", IP + 2, 0, true, PACKET_TRUNCATED},
	    {"total length 19", IP + 2, 19, true, PACKET_TRUNCATED},
	    {"total length of IP alone", IP + 2, 20, true, PACKET_TRUNCATED},
	    {"total length one short of TCP", IP + 2, 39, true, PACKET_TRUNCATED},
	    {"total length inside the TCP options", IP + 2, 43, true, PACKET_TCP_HEADER},
	    {"total length one byte short", IP + 2, 48, true, PACKET_TCP_CHECKSUM},
	    {"more fragments", IP + 6, 0x2000, true, PACKET_FRAGMENT},
	    {"fragment offset 1", IP + 6, 0x0001, true, PACKET_FRAGMENT},
	    {"last fragment, DF", IP + 6, 0x5fff, true, PACKET_FRAGMENT},
	    {"reserved bit", IP + 6, 0x8000, true, PACKET_TCP},
	    {"UDP", IP + 8, 0x4011, true, PACKET_NOT_TCP},
	    {"SCTP", IP + 8, 0x4084, true, PACKET_NOT_TCP},
	    {"TTL 0", IP + 8, 0x0006, true, PACKET_TCP},
	    {"source 224/8", IP + 12, 0xe000, true, PACKET_BAD_SOURCE},
	    {"source 239/8", IP + 12, 0xefff, true, PACKET_BAD_SOURCE},
	    {"source 0/8", IP + 12, 0x0001, true, PACKET_BAD_SOURCE},
	    {"source 127/8", IP + 12, 0x7f00, true, PACKET_BAD_SOURCE},
	    {"source equal to destination", IP + 14, 0x640a, true, PACKET_BAD_SOURCE},
	    {"source 223/8", IP + 12, 0xdfff, true, PACKET_TCP},
	    {"source 1/8", IP + 12, 0x0100, true, PACKET_TCP},
	    {"data offset 0", TCP + 12, 0x0018, true, PACKET_TCP_HEADER},
	    {"data offset 4", TCP + 12, 0x4018, true, PACKET_TCP_HEADER},
	    {"data offset 5", TCP + 12, 0x5018, true, PACKET_TCP},
	    {"data offset 7", TCP + 12, 0x7018, true, PACKET_TCP},
	    {"data offset 8, beyond the end", TCP + 12, 0x8018, true, PACKET_TCP_HEADER},
	    {"data offset 15", TCP + 12, 0xf018, true, PACKET_TCP_HEADER},
	    {"no flags", TCP + 12, 0x6000, true, PACKET_TCP},
	    {"all flags and reserved bits", TCP + 12, 0x6fff, true, PACKET_TCP},
	    {"source port 0", TCP, 0, true, PACKET_TCP_HEADER},
	    {"destination port 0", TCP + 2, 0, true, PACKET_TCP_HEADER},
	    {"TCP checksum", TCP + 16, 0x1234, false, PACKET_TCP_CHECKSUM},
	    {"TCP checksum 0", TCP + 16, 0, false, PACKET_TCP_CHECKSUM},
	    {"sequence number without its checksum", TCP + 4, 1, false, PACKET_TCP_CHECKSUM},
	    {"payload without its checksum", TCP + 24, 0x4845, false, PACKET_TCP_CHECKSUM},
	};

	for (size_t i = 0; i < COUNT(changes); i++)
		check_change(&changes[i]);
}

static void source_broadcast(void **state)
{
	struct segment segment = client_segment();
	struct packet p;

	segment.source = address_from_v4(UINT32_MAX);
	assert_int_equal(parse(write_frame(&segment), true, &p), PACKET_BAD_SOURCE);
}

/* What Linux leaves in the field when it expects the device to finish the sum. */
static void partial_checksum(void **state)
{
	struct segment segment = client_segment();
	struct packet p;

	for (uint16_t payload = 0; payload < 1400; payload += 7) {
		segment.payload_len = payload;
		uint16_t len = write_frame(&segment);
		uint16_t sum =
		    checksum_fold(checksum_pseudo(&segment.source, &segment.destination, (uint16_t)(len - TCP)));
		memcpy(scratch + TCP + 16, &sum, sizeof(sum));
		assert_int_equal(parse(len, true, &p), PACKET_PARTIAL_CHECKSUM);
	}
}

static void trusted_checksums_are_not_looked_at(void **state)
{
	struct segment segment = client_segment();
	uint16_t len = write_frame(&segment);
	struct packet p;

	scratch[IP + 10] ^= 1;
	scratch[TCP + 16] ^= 1;
	assert_int_equal(parse(len, false, &p), PACKET_TCP);
	assert_int_equal(p.payload_len, 5);
	assert_int_equal(parse(len, true, &p), PACKET_IP_HEADER);
}

/* The sum of pseudo-header and segment, word by word as RFC 1071 has it; 0xffff if the checksum in it is right. */
static uint16_t slow_tcp_sum(const struct packet *p)
{
	uint32_t sum = 6u + p->tcp_len;

	for (int i = 12; i < 20; i += 2)
		sum += get_be16(p->ip + i);
	for (uint16_t i = 0; i < p->tcp_len; i++)
		sum += i % 2 == 0 ? (uint32_t)p->tcp[i] << 8 : p->tcp[i];
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

static void what_is_written_is_read(void **state)
{
	struct seeded_random seed = {6};
	uint8_t options[40];

	for (int n = 0; n < 20000; n++) {
		random_fill(&seed, options, sizeof(options));
		struct segment s = {
		    .source = address_from_v4(htobe32(0x0a000000 | (random_next(&seed) & 0xffffff))),
		    .destination = address_from_v4(htobe32(0xc0000000 | (random_next(&seed) & 0xffffff))),
		    .source_port = (uint16_t)(random_next(&seed) | 1),
		    .destination_port = (uint16_t)(random_next(&seed) | 1),
		    .seq = (uint32_t)random_next(&seed),
		    .ack = (uint32_t)random_next(&seed),
		    .window = (uint16_t)random_next(&seed),
		    .flags = (uint8_t)random_next(&seed),
		    .options = options,
		    .options_len = (uint8_t)(random_next(&seed) % 11 * 4),
		    .payload_len = (uint16_t)(random_next(&seed) % 1461),
		};
		struct packet p;
		assert_int_equal(parse(write_frame(&s), true, &p), PACKET_TCP);
		assert_true(address_equal(&p.source, &s.source) && address_equal(&p.destination, &s.destination));
		assert_true(p.source_port == s.source_port && p.destination_port == s.destination_port);
		assert_true(p.seq == s.seq && p.ack == s.ack && p.window == s.window && p.flags == s.flags);
		assert_true(p.tcp_header_len == 20 + s.options_len && p.payload_len == s.payload_len);
		assert_memory_equal(p.tcp + 20, options, s.options_len);
		assert_int_equal(slow_tcp_sum(&p), 0xffff);
		uint16_t field;
		memcpy(&field, p.tcp + 16, sizeof(field));
		assert_int_equal(packet_tcp_checksum(&p), field);
	}
}

static void fix_icmp_checksum(uint16_t icmp_len)
{
	put_be16(scratch + ICMP + 2, 0);
	uint16_t sum = (uint16_t)~checksum_fold(checksum_add(0, scratch + ICMP, icmp_len));
	memcpy(scratch + ICMP + 2, &sum, sizeof(sum));
}

/* An ICMP message from 192.0.2.1 to 198.51.100.10 that quotes `quote_len` bytes of a packet of ours. */
static uint16_t write_icmp(uint8_t type, uint8_t code, uint16_t quote_len)
{
	struct segment segment = {
	    .source = address_from_v4(htobe32(0xc633640a)),
	    .destination = address_from_v4(htobe32(0xc6336402)),
	    .source_port = 443,
	    .destination_port = 40000,
	    .seq = 0x12345678,
	    .payload_len = 100,
	};
	write_frame(&segment);
	memmove(scratch + QUOTE, scratch + IP, quote_len);

	uint16_t icmp_len = (uint16_t)(8 + quote_len);
	static const uint8_t ip[] = {0x45, 0, 0, 0, 0, 0, 0, 0, 255, 1, 0, 0, 192, 0, 2, 1, 198, 51, 100, 10};
	memcpy(scratch + IP, ip, sizeof(ip));
	put_be16(scratch + IP + 2, (uint16_t)(IPV4_HEADER_LEN + icmp_len));
	memset(scratch + ICMP, 0, 8);
	scratch[ICMP] = type;
	scratch[ICMP + 1] = code;
	put_be16(scratch + ICMP + 6, 1400);
	fix_ip_checksum();
	fix_icmp_checksum(icmp_len);
	return (uint16_t)(ICMP + icmp_len);
}

static void icmp_kinds(void **state)
{
	static const struct {
		uint8_t type, code;
		enum packet_kind kind;
		uint16_t mtu;
	} cases[] = {
	    {3, 0, PACKET_ICMP_ERROR, 0},    {3, 1, PACKET_ICMP_ERROR, 0},  {3, 3, PACKET_ICMP_ERROR, 0},
	    {3, 4, PACKET_ICMP_ERROR, 1400}, {3, 13, PACKET_ICMP_ERROR, 0}, {11, 0, PACKET_ICMP_ERROR, 0},
	    {11, 4, PACKET_ICMP_ERROR, 0},   {12, 0, PACKET_ICMP_ERROR, 0}, {0, 0, PACKET_NOT_TCP, 0},
	    {8, 0, PACKET_NOT_TCP, 0},       {4, 0, PACKET_NOT_TCP, 0},     {5, 1, PACKET_NOT_TCP, 0},
	    {13, 0, PACKET_NOT_TCP, 0},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct packet p;
		uint16_t len = write_icmp(cases[i].type, cases[i].code, 28);
		if (parse(len, true, &p) != cases[i].kind)
			fail_msg("ICMP %d/%d", cases[i].type, cases[i].code);
		if (cases[i].kind == PACKET_ICMP_ERROR)
			assert_int_equal(p.quoted.mtu, cases[i].mtu);
	}
}

static void quoted_fields(void **state)
{
	struct address router, service, client;
	struct packet p;

	assert_true(address_parse("192.0.2.1", &router));
	assert_true(address_parse("198.51.100.10", &service));
	assert_true(address_parse("198.51.100.2", &client));
	assert_int_equal(parse(write_icmp(3, 4, 140), true, &p), PACKET_ICMP_ERROR);
	assert_true(address_equal(&p.source, &router));
	assert_true(address_equal(&p.destination, &service));
	assert_true(address_equal(&p.quoted.source, &service));
	assert_true(address_equal(&p.quoted.destination, &client));
	assert_int_equal(p.quoted.source_port, 443);
	assert_int_equal(p.quoted.destination_port, 40000);
	assert_int_equal(p.quoted.seq, 0x12345678);
	assert_int_equal(p.quoted.icmp_type, 3);
	assert_int_equal(p.quoted.icmp_code, 4);
	assert_ptr_equal(p.quoted.ip, p.ethernet + QUOTE);
	assert_ptr_equal(p.quoted.tcp, p.ethernet + QUOTE + 20);
}

static void quotes_too_short(void **state)
{
	struct packet p;

	for (uint16_t quote = 0; quote < 28; quote++)
		assert_int_equal(parse(write_icmp(3, 3, quote), true, &p), PACKET_TRUNCATED);
	uint16_t len = write_icmp(3, 3, 28);
	for (uint16_t cut = 0; cut < len; cut++)
		assert_int_equal(parse(cut, true, &p), PACKET_TRUNCATED);
}

/* One 16-bit word of an ICMP error replaced; it quotes 40 bytes. */
static void check_icmp_change(const struct change *c)
{
	uint16_t len = write_icmp(3, 1, 40);
	struct packet p;

	put_be16(scratch + c->at, c->value);
	if (c->fix) {
		fix_icmp_checksum((uint16_t)(len - ICMP));
		fix_ip_checksum();
	}
	enum packet_kind kind = parse(len, false, &p);
	if (kind != c->kind)
		fail_msg("%s: kind %d", c->what, kind);
}

static void one_thing_wrong_in_icmp(void **state)
{
	static const struct change changes[] = {
	    {"nothing", ICMP, 0x0301, true, PACKET_ICMP_ERROR},
	    {"checksum, whatever the NIC says", ICMP + 2, 0x1234, false, PACKET_TCP_CHECKSUM},
	    {"source multicast", IP + 12, 0xe000, true, PACKET_BAD_SOURCE},
	    {"fragment", IP + 6, 0x2000, true, PACKET_FRAGMENT},
	    {"quoted IPv6", QUOTE, 0x6500, true, PACKET_NOT_TCP},
	    {"quoted header of 4 words", QUOTE, 0x4400, true, PACKET_NOT_TCP},
	    {"quoted IP options", QUOTE, 0x4800, true, PACKET_ICMP_ERROR},
	    {"quoted IP options beyond the end", QUOTE, 0x4900, true, PACKET_TRUNCATED},
	    {"quoted UDP", QUOTE + 8, 0x4011, true, PACKET_NOT_TCP},
	    {"quoted later fragment", QUOTE + 6, 0x0001, true, PACKET_NOT_TCP},
	    {"quoted first fragment", QUOTE + 6, 0x2000, true, PACKET_ICMP_ERROR},
	    {"quoted IP checksum is not ours to judge", QUOTE + 10, 0x1234, true, PACKET_ICMP_ERROR},
	};

	for (size_t i = 0; i < COUNT(changes); i++)
		check_icmp_change(&changes[i]);
}

/* Bytes of any kind, and right frames with bytes flipped: the unreadable page watches the end. */
static void random_frames(void **state)
{
	struct seeded_random seed = {7};
	struct packet p;

	for (int n = 0; n < 300000; n++) {
		struct segment segment = client_segment();
		uint16_t len = n % 2 ? write_frame(&segment) : write_icmp(3, 4, (uint16_t)(random_next(&seed) % 60));
		for (uint64_t flips = random_next(&seed) % 4; flips > 0; flips--)
			scratch[random_next(&seed) % len] = (uint8_t)random_next(&seed);
		len = (uint16_t)(len - random_next(&seed) % 8);
		if (parse(len, n % 4 < 2, &p) == PACKET_TCP)
			assert_true(p.payload + p.payload_len <= p.ethernet + len && p.payload >= p.tcp + 20);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(all_fields),
	    cmocka_unit_test(bytes_of_a_segment),
	    cmocka_unit_test(every_truncation),
	    cmocka_unit_test(padding_is_ignored),
	    cmocka_unit_test(one_thing_wrong),
	    cmocka_unit_test(source_broadcast),
	    cmocka_unit_test(partial_checksum),
	    cmocka_unit_test(trusted_checksums_are_not_looked_at),
	    cmocka_unit_test(what_is_written_is_read),
	    cmocka_unit_test(icmp_kinds),
	    cmocka_unit_test(quoted_fields),
	    cmocka_unit_test(quotes_too_short),
	    cmocka_unit_test(one_thing_wrong_in_icmp),
	    cmocka_unit_test(random_frames),
	};

	guarded = guarded_create();
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	guarded_destroy(&guarded);
	return failed;
}
