/* See source_ports.h. */
#include "dataplane/source_ports.h"

#include <stdlib.h>
#include <sys/mman.h>

enum { PREFIX_ADDRESSES_MAX = 1 << 16 };

static uint32_t prefix_size(const struct prefix *prefix)
{
	unsigned host_bits = 128u - prefix->length;
	return host_bits >= 16 ? PREFIX_ADDRESSES_MAX : 1u << host_bits;
}

static struct address prefix_nth(const struct prefix *prefix, uint32_t n)
{
	struct address address = prefix->address;
	address.bytes[15] |= (uint8_t)n;
	address.bytes[14] |= (uint8_t)(n >> 8);
	return address;
}

bool source_pool_init(struct source_pool *pool, const struct config *config, unsigned worker, unsigned workers)
{
	*pool = (struct source_pool){.port_step = (uint16_t)workers};
	uint32_t first = config->pool.port_first;
	first += (worker + workers - first % workers) % workers;
	if (first > config->pool.port_last)
		return false;
	pool->port_first = (uint16_t)first;
	pool->port_count = (config->pool.port_last - first) / workers + 1;
	for (unsigned i = 0; i < config->pool.prefix_count; i++)
		pool->address_count += prefix_size(&config->pool.prefixes[i]);
	pool->addresses = malloc(pool->address_count * sizeof(*pool->addresses));
	if (!pool->addresses)
		return false;
	uint32_t at = 0;
	for (unsigned i = 0; i < config->pool.prefix_count; i++)
		for (uint32_t n = 0; n < prefix_size(&config->pool.prefixes[i]); n++)
			pool->addresses[at++] = prefix_nth(&config->pool.prefixes[i], n);
	uint64_t pairs = (uint64_t)pool->address_count * pool->port_count;
	pool->pair_count = pairs > 1u << 30 ? 1u << 30 : (uint32_t)pairs;
	return true;
}

void source_pool_free(struct source_pool *pool)
{
	free(pool->addresses);
}

static size_t ring_bytes(const struct source_pool *pool)
{
	return (size_t)pool->pair_count * sizeof(*((struct source_ports *)0)->rested);
}

bool source_ports_open(struct source_ports *ports, const struct source_pool *pool)
{
	*ports = (struct source_ports){0};
	void *ring =
	    mmap(NULL, ring_bytes(pool), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (ring == MAP_FAILED)
		return false;
	ports->rested = ring;
	return true;
}

void source_ports_close(struct source_ports *ports, const struct source_pool *pool)
{
	if (ports->rested)
		munmap(ports->rested, ring_bytes(pool));
	ports->rested = NULL;
}

bool source_ports_take(struct source_ports *ports, const struct source_pool *pool, uint32_t now, uint32_t *pair,
                       bool *rested)
{
	*rested = true;
	if (ports->never_used < pool->pair_count) {
		*pair = ports->never_used++;
		return true;
	}
	if (ports->count == 0)
		return false;
	*pair = ports->rested[ports->first].pair;
	*rested = now - ports->rested[ports->first].released >= SOURCE_PORT_REST_MS;
	ports->first = ports->first + 1 == pool->pair_count ? 0 : ports->first + 1;
	ports->count--;
	return true;
}

void source_ports_release(struct source_ports *ports, const struct source_pool *pool, uint32_t pair, uint32_t now)
{
	uint32_t last = (uint32_t)(((uint64_t)ports->first + ports->count) % pool->pair_count);
	ports->rested[last].pair = pair;
	ports->rested[last].released = now;
	ports->count++;
}
