/* What each peer address may still do: a token bucket for requests, and a back-off after wrong tokens. A table of fixed
 * size; the addresses of an IPv6 /64 count as one. Pure: the time is given, monotonic ms. */
#ifndef PM_PEERS_H
#define PM_PEERS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "common/address.h"
#include "common/siphash.h"

enum {
	PEERS_MAX = 1024,
	PEER_TRIES = 5, /* wrong tokens within PEER_WINDOW_MS that cost nothing */
	PEER_WINDOW_MS = 60000,
	PEER_WAIT_MIN_MS = 1000, /* after these; each further one doubles it */
	PEER_WAIT_MAX_MS = 60000,
};

struct peer {
	struct address address; /* all zero: free */
	uint64_t seen_at;
	uint64_t filled_at;   /* the bucket had `credit` then */
	uint64_t credit;      /* thousandths of a request */
	uint64_t tried_at;    /* first wrong token of the window */
	uint64_t waits_until; /* no token is looked at before; 0: never */
	uint32_t tries;
	uint32_t wait; /* ms, the last one */
};

struct peers {
	struct siphash_key key;
	struct peer list[PEERS_MAX];
};

/* What a peer is counted as: whoever has one address of an IPv6 /64 has all of them. */
static inline struct address peer_network(const struct address *address)
{
	struct address network = *address;
	if (!address_is_v4(address))
		memset(network.bytes + 8, 0, 8);
	return network;
}

/* `key` is random, so that nobody can choose addresses that push each other out. */
void peers_init(struct peers *peers, struct siphash_key key);

/* Takes one request from the bucket that fills with `rate` per second up to `burst`. Returns 0, or seconds until there
 * is one. */
unsigned peers_take(struct peers *peers, const struct address *address, uint32_t rate, uint32_t burst, uint64_t now);
/* Seconds until a token of this peer is looked at; 0: now. */
unsigned peers_wait(struct peers *peers, const struct address *address, uint64_t now);
/* A wrong token. True: this one begins a wait. */
bool peers_failed(struct peers *peers, const struct address *address, uint64_t now);
/* A right one: all is forgiven. */
void peers_succeeded(struct peers *peers, const struct address *address, uint64_t now);

#endif
