/* Host names as routes, Host fields and SNI carry them: compared as lower-case ASCII. */
#ifndef PM_HOSTNAME_H
#define PM_HOSTNAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HOSTNAME_MAX = 253 };

struct hostname {
	uint8_t len; /* without the terminator */
	char text[HOSTNAME_MAX + 1];
};

/* Lower-cases `len` bytes into `out`, takes off one trailing dot. False (malformed) if the name is empty, longer
 * than 253, has an empty label or one over 63 bytes, or a byte other than letters, digits, '-', '_' and '.'. */
bool hostname_set(struct hostname *out, const uint8_t *bytes, size_t len);

/* The same for the value of an HTTP Host field or an authority: a port (":" and digits, RFC 3986 3.2.3) is taken
 * off first; an IPv4 literal is a name like any other; "[...]" must be an IPv6 literal and is kept with its
 * brackets. */
bool hostname_set_authority(struct hostname *out, const uint8_t *bytes, size_t len);

/* True for an IPv4 literal ("198.51.100.10"): forbidden as SNI by RFC 6066 3. */
bool hostname_is_ip_literal(const struct hostname *name);

#endif
