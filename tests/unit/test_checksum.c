/* The fast sums against a slow one that follows RFC 1071 word by word. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "common/bytes.h"
#include "common/checksum.h"
#include "guarded_buffer.h"
#include "seeded_random.h"

/* Folded and not complemented, in host byte order. */
static uint16_t slow_sum(const uint8_t *bytes, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i++) {
		sum += i % 2 == 0 ? (uint32_t)bytes[i] << 8 : bytes[i];
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return (uint16_t)sum;
}

static uint16_t fast_sum(const uint8_t *bytes, size_t len)
{
	return __builtin_bswap16(checksum_fold(checksum_add(0, bytes, len)));
}

static void example_of_rfc_1071(void **state)
{
	static const uint8_t bytes[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};

	assert_int_equal(fast_sum(bytes, sizeof(bytes)), 0xddf2);
}

/* RFC 1624 section 4: where equation 2 of RFC 1141 gives 0xffff, this must give 0. */
static void example_of_rfc_1624(void **state)
{
	assert_int_equal(checksum_apply(0xdd2f, checksum_diff16(0x5555, 0x3285)), 0x0000);
}

static void every_length(void **state)
{
	struct guarded_buffer guarded = guarded_create();
	struct seeded_random seed = {1};

	for (size_t len = 0; len <= 300; len++) {
		uint8_t *bytes = guarded_place(&guarded, len);
		random_fill(&seed, bytes, len);
		assert_int_equal(fast_sum(bytes, len), slow_sum(bytes, len));
	}
	guarded_destroy(&guarded);
}

static void carries_of_large_values(void **state)
{
	static uint8_t bytes[65535];

	memset(bytes, 0xff, sizeof(bytes));
	assert_int_equal(fast_sum(bytes, sizeof(bytes)), slow_sum(bytes, sizeof(bytes)));
	assert_int_equal(checksum_fold(checksum_add(UINT32_MAX, bytes, sizeof(bytes) - 1)), 0xffff);
	assert_int_equal(checksum_fold(UINT64_MAX), 0xffff);
	assert_int_equal(checksum_fold(0x2fffd0003), 0x3);
}

static void sums_continue(void **state)
{
	struct seeded_random seed = {2};
	uint8_t bytes[120];

	random_fill(&seed, bytes, sizeof(bytes));
	for (size_t cut = 0; cut <= sizeof(bytes); cut += 2) {
		uint32_t sum = checksum_add(checksum_add(0, bytes, cut), bytes + cut, sizeof(bytes) - cut);
		assert_int_equal(__builtin_bswap16(checksum_fold(sum)), slow_sum(bytes, sizeof(bytes)));
	}
}

static void pseudo_header_ipv4(void **state)
{
	static const uint8_t header[] = {198, 51, 100, 10, 203, 0, 113, 11, 0, 6, 0x12, 0x34};
	struct address source, destination;

	assert_true(address_parse("198.51.100.10", &source));
	assert_true(address_parse("203.0.113.11", &destination));
	uint16_t sum = checksum_fold(checksum_pseudo(&source, &destination, 0x1234));
	assert_int_equal(__builtin_bswap16(sum), slow_sum(header, sizeof(header)));
}

static void pseudo_header_ipv6(void **state)
{
	uint8_t header[40] = {[34] = 0x12, [35] = 0x34, [39] = 6};
	struct address source, destination;

	assert_true(address_parse("2001:db8:ffff:ffff:ffff:ffff:ffff:fffe", &source));
	assert_true(address_parse("2001:db8::8000:1", &destination));
	memcpy(header, source.bytes, 16);
	memcpy(header + 16, destination.bytes, 16);
	uint16_t sum = checksum_fold(checksum_pseudo(&source, &destination, 0x1234));
	assert_int_equal(__builtin_bswap16(sum), slow_sum(header, sizeof(header)));
}

/* Often the values where one's complement has two zeros. */
static uint16_t edge_or_random(struct seeded_random *seed)
{
	static const uint16_t edges[] = {0x0000, 0xffff, 0x0001, 0xfffe};
	uint64_t r = random_next(seed);

	return r & 0x10000 ? (uint16_t)r : edges[r % 4];
}

enum { WORDS = 12, CASES = 1000000 };

/* The field as memory holds it, for `words` that contain at least one that is not zero. */
static uint16_t field_of(const uint16_t *words)
{
	uint8_t sum[2];

	put_be16(sum, (uint16_t)~slow_sum((const uint8_t *)words, WORDS * 2));
	uint16_t field;
	memcpy(&field, sum, sizeof(field));
	return field;
}

/* One to four words change, alone or in pairs, as addresses, ports and sequence numbers do. */
static void incremental_equals_full(void **state)
{
	struct seeded_random seed = {3};

	for (int n = 0; n < CASES; n++) {
		uint16_t words[WORDS] = {0x0600}; /* the protocol of the pseudo-header is never 0 */
		uint32_t diff = 0;
		for (int i = 1; i < WORDS; i++)
			words[i] = edge_or_random(&seed);
		uint16_t before = field_of(words);

		uint16_t to = edge_or_random(&seed);
		diff += checksum_diff16(words[1], to);
		words[1] = to;
		for (int pair = 2; pair < 2 + 2 * (n % 4); pair += 2) {
			uint16_t new[2] = {edge_or_random(&seed), edge_or_random(&seed)};
			uint32_t from32, to32;
			memcpy(&from32, &words[pair], sizeof(from32));
			memcpy(&to32, new, sizeof(to32));
			diff += checksum_diff32(from32, to32);
			memcpy(&words[pair], new, sizeof(new));
		}
		if (checksum_apply(before, diff) != field_of(words))
			fail_msg("case %d: 0x%04x + 0x%x", n, before, diff);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(example_of_rfc_1071), cmocka_unit_test(example_of_rfc_1624),
	    cmocka_unit_test(every_length),        cmocka_unit_test(carries_of_large_values),
	    cmocka_unit_test(sums_continue),       cmocka_unit_test(pseudo_header_ipv4),
	    cmocka_unit_test(pseudo_header_ipv6),  cmocka_unit_test(incremental_equals_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
