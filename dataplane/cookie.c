/* SYN cookies, see cookie.h. */
#include "dataplane/cookie.h"

#include <string.h>

static const uint16_t mss_classes[8] = {88, 216, 536, 1200, 1360, 1400, 1440, 1460};

static unsigned mss_class(uint16_t mss)
{
	unsigned i = 7;
	while (i > 0 && mss_classes[i] > mss)
		i--;
	return i;
}

uint16_t cookie_mss_class(uint16_t mss)
{
	return mss_classes[mss_class(mss)];
}

/* 23 bits: 11 that do not depend on the client's ISN, then 12 that do. */
static uint32_t hash(const struct siphash_key *secret, const struct cookie_tuple *tuple, uint64_t epoch,
                     uint32_t option_bits, uint32_t client_isn)
{
	struct {
		struct address client, vip;
		uint16_t client_port, vip_port;
		uint32_t option_bits;
		uint64_t epoch;
		uint64_t client_isn;
	} in;
	memset(&in, 0, sizeof(in));
	in.client = tuple->client;
	in.vip = tuple->vip;
	in.client_port = tuple->client_port;
	in.vip_port = tuple->vip_port;
	in.option_bits = option_bits;
	in.epoch = epoch;
	uint32_t without = (uint32_t)siphash(secret, &in, sizeof(in)) & 0x7ff;
	in.client_isn = 1ULL << 32 | client_isn; /* never equal to the input above */
	uint32_t with = (uint32_t)siphash(secret, &in, sizeof(in)) & 0xfff;
	return without << 12 | with;
}

uint32_t cookie_make(const struct siphash_key *secret, const struct cookie_tuple *tuple, uint32_t client_isn,
                     const struct cookie_options *options, uint64_t epoch)
{
	uint32_t bits = (uint32_t)options->window_scale << 5 | mss_class(options->mss) << 2 |
	                (uint32_t)options->sack_permitted << 1 | (epoch & 1);
	return bits << 23 | hash(secret, tuple, epoch, bits, client_isn);
}

enum cookie_verdict cookie_check(const struct siphash_key *secret, const struct cookie_tuple *tuple,
                                 uint32_t client_isn, uint32_t cookie, uint64_t epoch, struct cookie_options *options)
{
	uint32_t bits = cookie >> 23;
	if ((bits & 1) != (epoch & 1))
		epoch--; /* made in the epoch before */
	uint32_t differs = hash(secret, tuple, epoch, bits, client_isn) ^ (cookie & 0x7fffff);
	if (differs >> 12)
		return COOKIE_NONE;
	options->window_scale = (uint8_t)(bits >> 5);
	options->mss = mss_classes[bits >> 2 & 7];
	options->sack_permitted = bits >> 1 & 1;
	return differs ? COOKIE_STALE : COOKIE_VALID;
}
