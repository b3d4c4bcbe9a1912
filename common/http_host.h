/* Reads the host name from the head of an HTTP/1.x request (RFC 9112). Pure: no allocation, no state. */
#ifndef PM_HTTP_HOST_H
#define PM_HTTP_HOST_H

#include <stddef.h>
#include <stdint.h>

#include "hostname.h"

enum peek_result {
	PEEK_NEED_MORE, /* a valid beginning */
	PEEK_FOUND,     /* `name` is set */
	PEEK_NO_NAME, /* complete and well-formed, but names no host (HTTP/1.0 without Host; ClientHello without SNI) */
	PEEK_MALFORMED, /* answered with 400 or decode_error */
};

/* `bytes` are the first `len` bytes of the connection. PEEK_FOUND only when the whole head (through the empty
 * line) is there and is right: exactly one Host field in HTTP/1.1; an absolute-form target names the same host
 * (case-folded, default port equal to none) else malformed; obs-fold, space before the colon, empty field name,
 * NUL or bare CR, CONNECT, the HTTP/2 preface, HTTP/1.1 without Host: malformed. Up to two empty lines
 * (CRLF) before the request line are skipped. A bare LF ends a line as HAProxy has it. Malformed is said at the
 * first byte that decides (of a target or a Host field: the one that ends it), without waiting for the rest.
 * `*scanned` is what the reader remembers between calls with a growing buffer, 0 at first: the number of bytes that
 * need not be looked at again in the lower 32 bits and its state above (keep all of it), so that a head that comes
 * byte by byte costs linear time. */
enum peek_result http_host_peek(const uint8_t *bytes, size_t len, size_t *scanned, struct hostname *name);

#endif
