/* The mirror of the kernel's interfaces, addresses, routes and neighbours: it reads rtnetlink, writes struct l3, and
 * has the kernel resolve the next hops that the workers need. Linux decides, the mirror only copies; it never adds or
 * removes an address or a route. IPv4 for now: the families asked for are the only limit.
 *
 * All functions are for the main thread. Times are milliseconds of one monotonic clock. */
#ifndef PM_NETLINK_MIRROR_H
#define PM_NETLINK_MIRROR_H

#include <stdbool.h>
#include <stdint.h>

#include "common/config.h"
#include "dataplane/l3.h"

struct netlink_mirror;

struct netlink_mirror_params {
	const struct config *config;
	struct l3 *l3;
	/* The set of addresses that the kernel holds has changed (netlink_mirror_holds). */
	void (*addresses_changed)(void *context);
	void *context;
};

/* Subscribes and reads everything once; `addresses_changed` is not called yet. NULL: logged (an interface of
 * `config->ports` is missing, no memory, too many routes). */
struct netlink_mirror *netlink_mirror_create(const struct netlink_mirror_params *params, uint64_t now);
void netlink_mirror_destroy(struct netlink_mirror *mirror);

/* Readable when there is something for netlink_mirror_receive. */
int netlink_mirror_fd(const struct netlink_mirror *mirror);
void netlink_mirror_receive(struct netlink_mirror *mirror, uint64_t now);
/* Does what is due and says in how many milliseconds to call it again. */
int netlink_mirror_work(struct netlink_mirror *mirror, uint64_t now);

/* Has the kernel resolve the next hop to `destination`; `managed`: and keep it resolved. At most 1,000 a second are
 * passed on, others are forgotten. */
void netlink_mirror_ask(struct netlink_mirror *mirror, const struct address *destination, bool managed, uint64_t now);

/* The kernel holds this address on some interface. */
bool netlink_mirror_holds(const struct netlink_mirror *mirror, const struct address *address);
/* All addresses of the prefix are local to this machine (a local route covers them). Asks the kernel now. */
bool netlink_mirror_is_local(struct netlink_mirror *mirror, const struct prefix *prefix);

/* Index of the port's interface, 0: it is gone. */
uint32_t netlink_mirror_ifindex(const struct netlink_mirror *mirror, unsigned port);
bool netlink_mirror_is_up(const struct netlink_mirror *mirror, unsigned port);

#endif
