/* Reads server_name (SNI, RFC 6066 3) from a TLS ClientHello (RFC 8446 4.1.2). Pure: no allocation, no state. */
#ifndef PM_TLS_SNI_H
#define PM_TLS_SNI_H

#include <stddef.h>
#include <stdint.h>

#include "hostname.h"
#include "http_host.h"

/* `bytes` are the first `len` bytes of the connection. The ClientHello may be spread over any number of records
 * (RFC 8446 5.1; an empty handshake record is malformed) and be followed by other bytes, which are not read.
 * Lengths are checked at every level and never trusted for allocation. No SNI extension: PEEK_NO_NAME. Two SNI
 * extensions, an empty list or name, a name type other than host_name, two names, NUL or other invalid bytes, an
 * IP literal: PEEK_MALFORMED. GREASE, unknown extensions, ECH, padding: ignored. A first byte other than 22, a
 * record version other than 3.x, a handshake type other than ClientHello: PEEK_MALFORMED at once. Whether the
 * whole ClientHello fits is the caller's limit, but a claimed length above 65,535 is malformed.
 * `*scanned` as in http_host_peek. */
enum peek_result tls_sni_peek(const uint8_t *bytes, size_t len, size_t *scanned, struct hostname *name);

#endif
