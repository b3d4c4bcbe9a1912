/* rtnetlink messages to plain structs, and the few requests that the mirror sends. Pure: bytes in, values out; no
 * sockets, no DPDK. Every decode function checks all lengths itself and returns false for a message that is malformed
 * or says nothing that the mirror wants to know. */
#ifndef PM_NETLINK_DECODE_H
#define PM_NETLINK_DECODE_H

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/address.h"
#include "dataplane/l3.h"

/* An Ethernet interface. */
struct netlink_link {
	uint32_t ifindex;
	char name[16];
	uint8_t mac[6];
	uint32_t mtu;
	bool up; /* administratively, and with a carrier */
};
bool netlink_decode_link(const struct nlmsghdr *message, struct netlink_link *out);

/* An address that an interface of ours holds and may use. */
bool netlink_decode_address(const struct nlmsghdr *message, struct address *out);

/* A route of the table `table`, for packets that go out: `out.ifindex` 0 says that its packets go nowhere
 * (unreachable, prohibited, or all its next hops are dead). Of several next hops the first living one counts. */
bool netlink_decode_route(const struct nlmsghdr *message, uint32_t table, struct l3_route *out);
/* A prefix whose addresses are all the machine's own. */
bool netlink_decode_local_route(const struct nlmsghdr *message, struct prefix *out);

struct netlink_neighbour {
	uint32_t ifindex;
	struct address address;
	bool valid;   /* `mac` may be used */
	bool failed;  /* the kernel asked and got no answer */
	bool managed; /* the kernel keeps it resolved */
	bool fixed;   /* written by hand (permanent), or needing no resolution: never to be asked for */
	uint8_t mac[6];
};
bool netlink_decode_neighbour(const struct nlmsghdr *message, struct netlink_neighbour *out);

enum { NETLINK_REQUEST_MAX = 128 };

/* Writes the request to resolve a neighbour; `managed`: and to keep it resolved (NTF_EXT_MANAGED; a kernel before
 * 5.16 ignores this part). Returns its length. */
size_t netlink_encode_neighbour(char buffer[static NETLINK_REQUEST_MAX], uint32_t sequence, uint32_t ifindex,
                                const struct address *address, bool managed);
/* Writes the request to forget it. */
size_t netlink_encode_forget(char buffer[static NETLINK_REQUEST_MAX], uint32_t sequence, uint32_t ifindex,
                             const struct address *address);
/* Writes the request for all of RTM_GETLINK, RTM_GETADDR, RTM_GETROUTE (of one table) or RTM_GETNEIGH, in IPv4. */
size_t netlink_encode_dump(char buffer[static NETLINK_REQUEST_MAX], uint32_t sequence, uint16_t type, uint32_t table);

#endif
