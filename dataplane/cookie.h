/* SYN cookies: the initial sequence number of every SYN-ACK to a client, so that a SYN costs no memory.
 *
 * Layout, high bits first: window scale 4 (15: none) | MSS class 3 | SACK permitted 1 | epoch 1 | hash 23.
 * The hash has two parts that both cover secret, 4-tuple, epoch and the nine option bits: 11 bits without and 12 bits
 * with the client's ISN. Both right: this is the first segment of the handshake's peer. Only the first right: a later
 * segment of a handshake whose first segments were lost. */
#ifndef PM_COOKIE_H
#define PM_COOKIE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/address.h"
#include "common/siphash.h"

enum {
	COOKIE_EPOCH_MS = 8000,
	COOKIE_LIFE_MS = 2 * COOKIE_EPOCH_MS, /* the present epoch and the one before are valid */
	COOKIE_MSS_MIN = 88,
};

/* The connection as the client's segments show it. */
struct cookie_tuple {
	struct address client, vip;
	uint16_t client_port, vip_port; /* host byte order */
};

struct cookie_options {
	uint16_t mss;         /* a value of the class table */
	uint8_t window_scale; /* TCP_WINDOW_SCALE_NONE: none */
	bool sack_permitted;
};

enum cookie_verdict { COOKIE_NONE, COOKIE_STALE, COOKIE_VALID };

/* The largest class that is not above `mss` (at least COOKIE_MSS_MIN). */
uint16_t cookie_mss_class(uint16_t mss);

/* `epoch` counts periods of COOKIE_EPOCH_MS. `options->mss` is rounded down to its class. */
uint32_t cookie_make(const struct siphash_key *secret, const struct cookie_tuple *tuple, uint32_t client_isn,
                     const struct cookie_options *options, uint64_t epoch);

/* Is `cookie` ours, given that the client's ISN was `client_isn`? COOKIE_VALID and COOKIE_STALE fill `options`. */
enum cookie_verdict cookie_check(const struct siphash_key *secret, const struct cookie_tuple *tuple,
                                 uint32_t client_isn, uint32_t cookie, uint64_t epoch, struct cookie_options *options);

#endif
