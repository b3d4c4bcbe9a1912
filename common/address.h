/* One address type for IPv4 and IPv6: 16 bytes in network byte order, IPv4 as ::ffff:a.b.c.d
 * (RFC 4291 2.5.5.2). Only packet.c and the text functions know that two families exist. */
#ifndef PM_ADDRESS_H
#define PM_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct address {
	union {
		uint8_t bytes[16];
		uint32_t words[4];
		uint64_t halves[2];
	};
};

#define ADDRESS_TEXT_MAX 46 /* INET6_ADDRSTRLEN */

/* `v4` is in network byte order, as it stands in a packet. */
static inline struct address address_from_v4(uint32_t v4)
{
	struct address a = {.words = {0, 0, 0, v4}};
	a.bytes[10] = a.bytes[11] = 0xff;
	return a;
}

static inline bool address_equal(const struct address *a, const struct address *b)
{
	return a->halves[0] == b->halves[0] && a->halves[1] == b->halves[1];
}

static inline bool address_is_v4(const struct address *a)
{
	return a->halves[0] == 0 && a->bytes[8] == 0 && a->bytes[9] == 0 && a->bytes[10] == 0xff &&
	       a->bytes[11] == 0xff;
}

/* The IPv4 address in network byte order; only for an address that is one. */
static inline uint32_t address_v4(const struct address *a)
{
	return a->words[3];
}

/* A prefix; `length` counts from the first of the 128 bits (an IPv4 /24 has 120). */
struct prefix {
	struct address address;
	uint8_t length;
};

/* Text to address, "203.0.113.1" or "2001:db8::1"; false if it is neither. */
bool address_parse(const char *text, struct address *out);
/* Writes the usual text form, always terminated. Returns `text`. */
const char *address_format(const struct address *a, char text[static ADDRESS_TEXT_MAX]);
/* "203.0.113.64/28", or a bare address for a prefix of one; false if malformed or if host bits are set. */
bool prefix_parse(const char *text, struct prefix *out);
bool prefix_contains(const struct prefix *p, const struct address *a);

#endif
