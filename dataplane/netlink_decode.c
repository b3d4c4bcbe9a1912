/* rtnetlink to structs and back, with libmnl's checked attribute walkers. */
#include "dataplane/netlink_decode.h"

#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

enum {
	ATTRIBUTES_MAX = 64, /* larger numbers are nothing that we read */
	MAC_LEN = 6,
	NEIGHBOUR_VALID = NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT | NUD_NOARP,
};

struct attributes {
	const struct nlattr *at[ATTRIBUTES_MAX];
};

static int collect(const struct nlattr *attribute, void *data)
{
	struct attributes *attributes = data;
	uint16_t type = mnl_attr_get_type(attribute);
	if (type < ATTRIBUTES_MAX)
		attributes->at[type] = attribute;
	return MNL_CB_OK;
}

/* The message's fixed part of `size` bytes, and its attributes. NULL: it is too short. */
static const void *open_message(const struct nlmsghdr *message, size_t size, struct attributes *attributes)
{
	memset(attributes, 0, sizeof(*attributes));
	if (message->nlmsg_len < MNL_NLMSG_HDRLEN || mnl_nlmsg_get_payload_len(message) < size ||
	    mnl_attr_parse(message, (unsigned)size, collect, attributes) != MNL_CB_OK)
		return NULL;
	return mnl_nlmsg_get_payload(message);
}

static bool read_bytes(const struct attributes *attributes, uint16_t type, void *out, size_t size)
{
	const struct nlattr *attribute = attributes->at[type];
	if (!attribute || mnl_attr_get_payload_len(attribute) != size)
		return false;
	memcpy(out, mnl_attr_get_payload(attribute), size);
	return true;
}

/* What stands at `bytes` as an address of the family; false: the length is not the family's. */
static bool take_address(uint8_t family, const void *bytes, size_t len, struct address *out)
{
	uint32_t v4;
	if (family == AF_INET && len == sizeof(v4)) {
		memcpy(&v4, bytes, len);
		*out = address_from_v4(v4);
		return true;
	}
	if (family == AF_INET6 && len == sizeof(out->bytes)) {
		memcpy(out->bytes, bytes, len);
		return true;
	}
	return false;
}

static bool read_address(const struct attributes *attributes, uint16_t type, uint8_t family, struct address *out)
{
	const struct nlattr *attribute = attributes->at[type];
	return attribute &&
	       take_address(family, mnl_attr_get_payload(attribute), mnl_attr_get_payload_len(attribute), out);
}

bool netlink_decode_link(const struct nlmsghdr *message, struct netlink_link *out)
{
	struct attributes attributes;
	const struct ifinfomsg *link = open_message(message, sizeof(*link), &attributes);
	const struct nlattr *name = attributes.at[IFLA_IFNAME];

	memset(out, 0, sizeof(*out));
	if (!link || link->ifi_index <= 0 || link->ifi_type != ARPHRD_ETHER || link->ifi_family != AF_UNSPEC)
		return false;
	if (!name || mnl_attr_validate(name, MNL_TYPE_NUL_STRING) < 0 ||
	    mnl_attr_get_payload_len(name) > sizeof(out->name))
		return false;
	strcpy(out->name, mnl_attr_get_str(name));
	out->ifindex = (uint32_t)link->ifi_index;
	out->up = (link->ifi_flags & IFF_UP) && (link->ifi_flags & IFF_RUNNING);
	return read_bytes(&attributes, IFLA_ADDRESS, out->mac, MAC_LEN) &&
	       read_bytes(&attributes, IFLA_MTU, &out->mtu, sizeof(out->mtu));
}

bool netlink_decode_address(const struct nlmsghdr *message, struct address *out)
{
	struct attributes attributes;
	const struct ifaddrmsg *address = open_message(message, sizeof(*address), &attributes);

	if (!address)
		return false;
	uint32_t flags = address->ifa_flags;
	read_bytes(&attributes, IFA_FLAGS, &flags, sizeof(flags));
	if (flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED))
		return false;
	/* With a peer, IFA_ADDRESS is the peer's and IFA_LOCAL is ours. */
	return read_address(&attributes, IFA_LOCAL, address->ifa_family, out) ||
	       (!attributes.at[IFA_LOCAL] && read_address(&attributes, IFA_ADDRESS, address->ifa_family, out));
}

/* The route message's fixed part, attributes and destination; NULL: malformed, or of another table. */
static const struct rtmsg *open_route(const struct nlmsghdr *message, uint32_t table, struct attributes *attributes,
                                      struct prefix *destination)
{
	const struct rtmsg *route = open_message(message, sizeof(*route), attributes);
	if (!route || (route->rtm_flags & RTM_F_CLONED))
		return NULL;
	uint32_t its_table = route->rtm_table;
	read_bytes(attributes, RTA_TABLE, &its_table, sizeof(its_table));
	bool v4 = route->rtm_family == AF_INET;
	if (its_table != table || (!v4 && route->rtm_family != AF_INET6) || route->rtm_dst_len > (v4 ? 32 : 128))
		return NULL;

	destination->length = (uint8_t)(route->rtm_dst_len + (v4 ? 96 : 0));
	destination->address = v4 ? address_from_v4(0) : (struct address){0};
	if (attributes->at[RTA_DST] && !read_address(attributes, RTA_DST, route->rtm_family, &destination->address))
		return NULL;
	return route;
}

/* RTA_GATEWAY, or RTA_VIA for a gateway of the other family. False: malformed. None of both: on link. */
static bool read_gateway(const struct attributes *attributes, uint8_t family, struct address *out)
{
	const struct nlattr *via = attributes->at[RTA_VIA];
	memset(out, 0, sizeof(*out));
	if (attributes->at[RTA_GATEWAY])
		return read_address(attributes, RTA_GATEWAY, family, out);
	if (!via)
		return true;
	const struct rtvia *far = mnl_attr_get_payload(via);
	size_t len = mnl_attr_get_payload_len(via);
	return len > sizeof(*far) && take_address((uint8_t)far->rtvia_family, far->rtvia_addr, len - sizeof(*far), out);
}

/* The first living next hop of a multipath route; false: malformed. */
static bool read_multipath(const struct nlattr *attribute, uint8_t family, struct l3_route *out)
{
	const char *at = mnl_attr_get_payload(attribute);
	size_t left = mnl_attr_get_payload_len(attribute);

	while (left >= sizeof(struct rtnexthop)) {
		const struct rtnexthop *hop = (const void *)at;
		struct attributes attributes = {0};
		if (hop->rtnh_len < sizeof(*hop) || hop->rtnh_len > left)
			return false;
		if (!(hop->rtnh_flags & (RTNH_F_DEAD | RTNH_F_LINKDOWN))) {
			if (mnl_attr_parse_payload(at + sizeof(*hop), hop->rtnh_len - sizeof(*hop), collect,
			                           &attributes) != MNL_CB_OK)
				return false;
			out->ifindex = (uint32_t)hop->rtnh_ifindex;
			return read_gateway(&attributes, family, &out->gateway);
		}
		size_t step = RTNH_ALIGN(hop->rtnh_len);
		if (step >= left)
			break;
		at += step;
		left -= step;
	}
	return true;
}

bool netlink_decode_route(const struct nlmsghdr *message, uint32_t table, struct l3_route *out)
{
	struct attributes attributes;
	memset(out, 0, sizeof(*out));
	const struct rtmsg *route = open_route(message, table, &attributes, &out->destination);
	if (!route)
		return false;
	read_bytes(&attributes, RTA_PRIORITY, &out->metric, sizeof(out->metric));
	if (route->rtm_type == RTN_UNREACHABLE || route->rtm_type == RTN_BLACKHOLE || route->rtm_type == RTN_PROHIBIT)
		return true;
	if (route->rtm_type != RTN_UNICAST)
		return false;
	if (attributes.at[RTA_MULTIPATH])
		return read_multipath(attributes.at[RTA_MULTIPATH], route->rtm_family, out);
	if (route->rtm_flags & (RTNH_F_DEAD | RTNH_F_LINKDOWN))
		return true;
	return read_bytes(&attributes, RTA_OIF, &out->ifindex, sizeof(out->ifindex)) &&
	       read_gateway(&attributes, route->rtm_family, &out->gateway);
}

bool netlink_decode_local_route(const struct nlmsghdr *message, struct prefix *out)
{
	struct attributes attributes;
	const struct rtmsg *route = open_route(message, RT_TABLE_LOCAL, &attributes, out);
	return route && route->rtm_type == RTN_LOCAL;
}

bool netlink_decode_neighbour(const struct nlmsghdr *message, struct netlink_neighbour *out)
{
	struct attributes attributes;
	const struct ndmsg *neighbour = open_message(message, sizeof(*neighbour), &attributes);
	uint32_t extended = 0;

	memset(out, 0, sizeof(*out));
	if (!neighbour || neighbour->ndm_ifindex <= 0 || (neighbour->ndm_flags & NTF_PROXY) ||
	    !read_address(&attributes, NDA_DST, neighbour->ndm_family, &out->address))
		return false;
	out->ifindex = (uint32_t)neighbour->ndm_ifindex;
	out->valid = message->nlmsg_type == RTM_NEWNEIGH && (neighbour->ndm_state & NEIGHBOUR_VALID) &&
	             read_bytes(&attributes, NDA_LLADDR, out->mac, MAC_LEN);
	out->fixed = neighbour->ndm_state & (NUD_PERMANENT | NUD_NOARP);
	out->failed = neighbour->ndm_state & NUD_FAILED;
	read_bytes(&attributes, NDA_FLAGS_EXT, &extended, sizeof(extended));
	out->managed = extended & NTF_EXT_MANAGED;
	return true;
}

static struct nlmsghdr *begin(char *buffer, uint16_t type, uint16_t flags, uint32_t sequence)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	message->nlmsg_type = type;
	message->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	message->nlmsg_seq = sequence;
	return message;
}

static struct nlmsghdr *begin_neighbour(char *buffer, uint16_t type, uint16_t flags, uint32_t sequence,
                                        uint32_t ifindex, const struct address *address)
{
	struct nlmsghdr *message = begin(buffer, type, flags, sequence);
	struct ndmsg *neighbour = mnl_nlmsg_put_extra_header(message, sizeof(*neighbour));
	bool v4 = address_is_v4(address);

	neighbour->ndm_family = v4 ? AF_INET : AF_INET6;
	neighbour->ndm_ifindex = (int)ifindex;
	neighbour->ndm_state = NUD_NONE;
	neighbour->ndm_flags = type == RTM_NEWNEIGH ? NTF_USE : 0;
	if (v4)
		mnl_attr_put_u32(message, NDA_DST, address_v4(address));
	else
		mnl_attr_put(message, NDA_DST, sizeof(address->bytes), address->bytes);
	return message;
}

size_t netlink_encode_neighbour(char buffer[static NETLINK_REQUEST_MAX], uint32_t sequence, uint32_t ifindex,
                                const struct address *address, bool managed)
{
	struct nlmsghdr *message =
	    begin_neighbour(buffer, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, sequence, ifindex, address);
	if (managed)
		mnl_attr_put_u32(message, NDA_FLAGS_EXT, NTF_EXT_MANAGED);
	return message->nlmsg_len;
}

size_t netlink_encode_forget(char buffer[static NETLINK_REQUEST_MAX], uint32_t sequence, uint32_t ifindex,
                             const struct address *address)
{
	return begin_neighbour(buffer, RTM_DELNEIGH, 0, sequence, ifindex, address)->nlmsg_len;
}

size_t netlink_encode_dump(char buffer[static NETLINK_REQUEST_MAX], uint32_t sequence, uint16_t type, uint32_t table)
{
	struct nlmsghdr *message = begin(buffer, type, NLM_F_DUMP, sequence);
	if (type == RTM_GETLINK) {
		struct ifinfomsg *link = mnl_nlmsg_put_extra_header(message, sizeof(*link));
		link->ifi_family = AF_UNSPEC;
	} else if (type == RTM_GETADDR) {
		struct ifaddrmsg *address = mnl_nlmsg_put_extra_header(message, sizeof(*address));
		address->ifa_family = AF_INET;
	} else if (type == RTM_GETNEIGH) {
		struct ndmsg *neighbour = mnl_nlmsg_put_extra_header(message, sizeof(*neighbour));
		neighbour->ndm_family = AF_INET;
	} else {
		struct rtmsg *route = mnl_nlmsg_put_extra_header(message, sizeof(*route));
		route->rtm_family = AF_INET;
		mnl_attr_put_u32(message, RTA_TABLE, table);
	}
	return message->nlmsg_len;
}
