/* CRC-32C by the processor's own instruction. */
#include "common/crc32c.h"

#include <nmmintrin.h>
#include <string.h>

uint32_t crc32c(const void *bytes, size_t len)
{
	const uint8_t *p = bytes;
	uint64_t crc = UINT32_MAX, word;

	for (; len >= sizeof(word); len -= sizeof(word), p += sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		crc = _mm_crc32_u64(crc, word);
	}
	for (; len > 0; len--)
		crc = _mm_crc32_u8((uint32_t)crc, *p++);
	return ~(uint32_t)crc;
}
