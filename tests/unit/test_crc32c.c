/* CRC-32C against the examples of RFC 3720 B.4 and against the polynomial itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "common/crc32c.h"
#include "guarded_buffer.h"
#include "seeded_random.h"

static void examples_of_rfc_3720(void **state)
{
	static const uint8_t read_pdu[48] = {
	    [0] = 0x01, [1] = 0xc0, [16] = 0x14, [22] = 0x04, [27] = 0x14, [31] = 0x18, [32] = 0x28, [40] = 0x02};
	uint8_t bytes[32];

	memset(bytes, 0, sizeof(bytes));
	assert_int_equal(crc32c(bytes, sizeof(bytes)), 0x8a9136aa);
	memset(bytes, 0xff, sizeof(bytes));
	assert_int_equal(crc32c(bytes, sizeof(bytes)), 0x62a8ab43);
	for (uint8_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = i;
	assert_int_equal(crc32c(bytes, sizeof(bytes)), 0x46dd794e);
	for (uint8_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = 31 - i;
	assert_int_equal(crc32c(bytes, sizeof(bytes)), 0x113fdb5c);
	assert_int_equal(crc32c(read_pdu, sizeof(read_pdu)), 0xd9963a56);
}

static uint32_t bit_by_bit(const uint8_t *bytes, size_t len)
{
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < len; i++) {
		crc ^= bytes[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return ~crc;
}

static void every_length(void **state)
{
	struct guarded_buffer guarded = guarded_create();
	struct seeded_random seed = {4};

	for (size_t len = 0; len <= 100; len++) {
		uint8_t *bytes = guarded_place(&guarded, len);
		random_fill(&seed, bytes, len);
		assert_int_equal(crc32c(bytes, len), bit_by_bit(bytes, len));
	}
	guarded_destroy(&guarded);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(examples_of_rfc_3720),
	    cmocka_unit_test(every_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
