/* What each peer address may still do: see the header. Buckets of eight places, the least recently seen of which is
 * given away; one that waits is given away last. */
#include "control/api/peers.h"

enum { WAYS = 8, BUCKETS = PEERS_MAX / WAYS, PER_REQUEST = 1000 };

void peers_init(struct peers *peers, struct siphash_key key)
{
	*peers = (struct peers){.key = key};
}

static struct peer *bucket_of(struct peers *peers, const struct address *key)
{
	return &peers->list[siphash(&peers->key, key->bytes, sizeof(key->bytes)) % BUCKETS * WAYS];
}

static struct peer *find(struct peers *peers, const struct address *address)
{
	struct address key = peer_network(address);
	struct peer *bucket = bucket_of(peers, &key);
	for (unsigned i = 0; i < WAYS; i++)
		if (bucket[i].seen_at != 0 && address_equal(&bucket[i].address, &key))
			return &bucket[i];
	return NULL;
}

static bool waits(const struct peer *peer, uint64_t now)
{
	return peer->tries > 0 && now < peer->waits_until + PEER_WINDOW_MS;
}

/* True if `a` should be given away before `b`. */
static bool less_wanted(const struct peer *a, const struct peer *b, uint64_t now)
{
	if (waits(a, now) != waits(b, now))
		return waits(b, now);
	return a->seen_at < b->seen_at;
}

static struct peer *find_or_make(struct peers *peers, const struct address *address, uint64_t now)
{
	struct peer *peer = find(peers, address);
	if (!peer) {
		struct address key = peer_network(address);
		struct peer *bucket = bucket_of(peers, &key);
		peer = bucket;
		for (unsigned i = 1; i < WAYS; i++)
			if (less_wanted(&bucket[i], peer, now))
				peer = &bucket[i];
		*peer = (struct peer){.address = key};
	}
	peer->seen_at = now > 0 ? now : 1;
	return peer;
}

static unsigned seconds_up(uint64_t ms)
{
	return (unsigned)((ms + 999) / 1000);
}

unsigned peers_take(struct peers *peers, const struct address *address, uint32_t rate, uint32_t burst, uint64_t now)
{
	struct peer *peer = find_or_make(peers, address, now);
	uint64_t full = (uint64_t)burst * PER_REQUEST, elapsed = now - peer->filled_at;
	/* In thousandths per ms the rate is what it is per second. */
	if (peer->filled_at == 0 || elapsed >= full / rate + 1 || peer->credit + elapsed * rate >= full)
		peer->credit = full;
	else
		peer->credit += elapsed * rate;
	peer->filled_at = now > 0 ? now : 1;
	if (peer->credit < PER_REQUEST)
		return seconds_up((PER_REQUEST - peer->credit + rate - 1) / rate);
	peer->credit -= PER_REQUEST;
	return 0;
}

unsigned peers_wait(struct peers *peers, const struct address *address, uint64_t now)
{
	const struct peer *peer = find(peers, address);
	return peer && now < peer->waits_until ? seconds_up(peer->waits_until - now) : 0;
}

bool peers_failed(struct peers *peers, const struct address *address, uint64_t now)
{
	struct peer *peer = find_or_make(peers, address, now);
	uint64_t since = peer->waits_until > peer->tried_at ? peer->waits_until : peer->tried_at;
	if (peer->tries == 0 || now > since + PEER_WINDOW_MS) {
		peer->tries = 0;
		peer->wait = 0;
		peer->tried_at = now;
	}
	if (++peer->tries < PEER_TRIES)
		return false;
	peer->wait = peer->wait == 0 ? PEER_WAIT_MIN_MS : peer->wait * 2;
	if (peer->wait > PEER_WAIT_MAX_MS)
		peer->wait = PEER_WAIT_MAX_MS;
	peer->waits_until = now + peer->wait;
	return true;
}

void peers_succeeded(struct peers *peers, const struct address *address, uint64_t now)
{
	struct peer *peer = find(peers, address);
	if (!peer)
		return;
	peer->tries = 0;
	peer->wait = 0;
	peer->waits_until = 0;
	peer->seen_at = now > 0 ? now : 1;
}
