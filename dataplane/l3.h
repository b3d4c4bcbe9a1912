/* What the workers know of the kernel's layers 2 and 3: routes, neighbours, our interfaces. Linux owns these; the
 * netlink mirror (one thread) writes, workers only read, without locks. Knows no sockets and no DPDK. */
#ifndef PM_L3_H
#define PM_L3_H

#include <stdbool.h>
#include <stdint.h>

#include "common/address.h"

enum { L3_NONE = 0xffffffff };

struct l3;

/* A next hop's Ethernet header: where a frame leaves and with which MACs. */
struct l3_hop {
	uint8_t port; /* of the dataplane */
	uint8_t destination_mac[6];
	uint8_t source_mac[6];
};

/* `neighbours_max` next hops at once. All memory is taken here, with calloc. NULL: out of memory. */
struct l3 *l3_create(uint32_t neighbours_max);
void l3_destroy(struct l3 *l3);

/* ---- writer (the mirror's thread) ---- */

/* The interface that is the dataplane's port `port`, with its MAC and MTU. */
void l3_set_port(struct l3 *l3, uint8_t port, uint32_t ifindex, const uint8_t mac[6], uint16_t mtu);

struct l3_route {
	struct prefix destination;
	struct address gateway; /* all zero: on link */
	uint32_t ifindex;       /* routes to interfaces that are no port are kept: they hide shorter ones */
	uint32_t metric;        /* of equal prefixes the lowest metric counts */
};

/* Replaces all routes; safe while workers read. At most 4,096; more are refused (false). */
bool l3_set_routes(struct l3 *l3, const struct l3_route *routes, unsigned count);

/* A neighbour's MAC is known, or (mac NULL) not known any more. False: the table is full. */
bool l3_set_neighbour(struct l3 *l3, uint32_t ifindex, const struct address *address, const uint8_t *mac);

/* ---- readers (workers, any thread) ---- */

/* The next hop's address and interface on the way to `destination` (longest prefix). False: no route, or it leaves
 * by an interface that is no port. */
bool l3_route_to(const struct l3 *l3, const struct address *destination, struct address *next_hop, uint32_t *ifindex);

/* Index of the neighbour that is the next hop to `destination`: stays valid for the life of `l3`, also when the
 * neighbour's MAC changes or goes. L3_NONE: no route, or the neighbour was never known. */
uint32_t l3_next_hop(const struct l3 *l3, const struct address *destination);

/* Moves with every change of the routes: what was looked up before may be wrong. */
uint16_t l3_routes_at(const struct l3 *l3);

/* The Ethernet header for a next hop. False: its MAC is not known now. */
bool l3_resolve(const struct l3 *l3, uint32_t index, struct l3_hop *out);

/* The port's own MAC, and its MTU in bytes; 0 and zeros for a port that was not set. */
uint16_t l3_port_mtu(const struct l3 *l3, uint8_t port);
void l3_port_mac(const struct l3 *l3, uint8_t port, uint8_t mac[6]);

#endif
