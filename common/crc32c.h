/* CRC-32C (Castagnoli, RFC 3720 B.4) with the SSE4.2 instruction. */
#ifndef PM_CRC32C_H
#define PM_CRC32C_H

#include <stddef.h>
#include <stdint.h>

uint32_t crc32c(const void *bytes, size_t len);

#endif
