/* The next hops: copies what the kernel knows of them into struct l3, and decides when the kernel is asked. Router
 * hosts and gateways are kept resolved, clients are asked for when a worker wants them. Does no I/O itself: requests go
 * out through a function, events and time come in. For the main thread; times are milliseconds of one monotonic clock.
 */
#ifndef PM_NEIGHBOURS_H
#define PM_NEIGHBOURS_H

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/l3.h"
#include "dataplane/netlink_decode.h"

struct neighbours;

enum neighbour_request {
	NEIGHBOUR_RESOLVE, /* find its MAC if that is not known */
	NEIGHBOUR_KEEP,    /* and keep it resolved from now on */
	NEIGHBOUR_FORGET,  /* so that the next request looks anew */
};

/* Sends a request to the kernel; an error counts as no answer. */
typedef void neighbour_send(void *context, enum neighbour_request kind, uint32_t ifindex,
                            const struct address *address);

/* NULL: out of memory. */
struct neighbours *neighbours_create(struct l3 *l3, neighbour_send *send, void *context);
void neighbours_destroy(struct neighbours *neighbours);

/* What the kernel says of a neighbour on one of our ports; `deleted`: it has dropped the entry. */
void neighbours_take(struct neighbours *neighbours, const struct netlink_neighbour *event, bool deleted, uint64_t now);
/* All entries of the kernel follow, through neighbours_take. */
void neighbours_begin_all(struct neighbours *neighbours);

/* l3 has new routes, or its ports have changed. The gateways of `routes` are kept resolved. */
void neighbours_routes_changed(struct neighbours *neighbours, const struct l3_route *routes, unsigned count,
                               uint64_t now);

/* A worker wants the next hop to `destination`; `managed`: it is a router host, kept resolved from now on, and if it
 * was so before, something is new about it. At most 1,000 questions about others are passed on in a second. */
void neighbours_ask(struct neighbours *neighbours, const struct address *destination, bool managed, uint64_t now);

/* Does what is due. Returns when to call again at the latest. */
uint64_t neighbours_work(struct neighbours *neighbours, uint64_t now);

#endif
