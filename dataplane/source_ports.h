/* Local (address, port) pairs toward one router host's port, handed out oldest first: pairs that were never used come
 * before those that were released, and of these the one that has rested longest. A worker uses only its own ports:
 * port % workers == index, so that any core knows from a packet whose flow it is. */
#ifndef PM_SOURCE_PORTS_H
#define PM_SOURCE_PORTS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/address.h"
#include "common/config.h"

enum { SOURCE_PORT_REST_MS = 60000 };

/* The pool of one worker. */
struct source_pool {
	struct address *addresses;
	uint32_t address_count;
	uint16_t port_first; /* the first of this worker's ports */
	uint16_t port_step;  /* the number of workers */
	uint32_t port_count; /* for each address */
	uint32_t pair_count; /* addresses * ports */
};

/* Toward one router host and port. */
struct source_ports {
	struct {
		uint32_t pair;
		uint32_t released; /* ms, wraps */
	} * rested;                /* ring of pair_count; NULL: not open. Untouched pages take no memory. */
	uint32_t never_used;       /* pairs from here on */
	uint32_t first, count;
};

/* False: out of memory, or no port for this worker in the range. */
bool source_pool_init(struct source_pool *pool, const struct config *config, unsigned worker, unsigned workers);
void source_pool_free(struct source_pool *pool);

/* False: out of memory. */
bool source_ports_open(struct source_ports *ports, const struct source_pool *pool);
void source_ports_close(struct source_ports *ports, const struct source_pool *pool);

/* Takes the oldest pair; false: none is free. `*rested` tells whether it had its 60 s of rest. */
bool source_ports_take(struct source_ports *ports, const struct source_pool *pool, uint32_t now, uint32_t *pair,
                       bool *rested);
void source_ports_release(struct source_ports *ports, const struct source_pool *pool, uint32_t pair, uint32_t now);

static inline uint16_t source_pool_port(const struct source_pool *pool, uint32_t pair)
{
	return (uint16_t)(pool->port_first + pair % pool->port_count * pool->port_step);
}

#endif
