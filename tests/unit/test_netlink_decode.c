/* netlink_decode.c: messages as the kernel sends them, cut off at every length, with attributes of wrong lengths; and
 * what our requests say. */
#include "dataplane/netlink_decode.h"

#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "guarded_buffer.h"

enum { BUFFER = 1024 };

static const uint8_t mac[6] = {2, 0, 0, 0, 1, 1};
static const uint8_t v4_host[4] = {203, 0, 113, 11};

static struct address ip(const char *text)
{
	struct address address;
	assert_true(address_parse(text, &address));
	return address;
}

static void expect_ip(const struct address *address, const char *text)
{
	struct address expected = ip(text);
	assert_true(address_equal(address, &expected));
}

static struct nlmsghdr *begin(char *buffer, uint16_t type)
{
	memset(buffer, 0, BUFFER);
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	message->nlmsg_type = type;
	return message;
}

/* ---- links ---- */

static struct nlmsghdr *link_message(char *buffer)
{
	struct nlmsghdr *message = begin(buffer, RTM_NEWLINK);
	struct ifinfomsg *link = mnl_nlmsg_put_extra_header(message, sizeof(*link));
	link->ifi_type = ARPHRD_ETHER;
	link->ifi_index = 7;
	link->ifi_flags = IFF_UP | IFF_RUNNING;
	mnl_attr_put_strz(message, IFLA_IFNAME, "north");
	mnl_attr_put_u32(message, IFLA_MTU, 1500);
	mnl_attr_put(message, IFLA_ADDRESS, 6, mac);
	return message;
}

static void reads_a_link(void **state)
{
	(void)state;
	char buffer[BUFFER];
	struct netlink_link link;
	assert_true(netlink_decode_link(link_message(buffer), &link));
	assert_string_equal(link.name, "north");
	assert_int_equal(link.ifindex, 7);
	assert_int_equal(link.mtu, 1500);
	assert_memory_equal(link.mac, mac, 6);
	assert_true(link.up);
}

static void a_link_without_carrier_is_down(void **state)
{
	(void)state;
	char buffer[BUFFER];
	struct netlink_link link;
	struct nlmsghdr *message = link_message(buffer);
	((struct ifinfomsg *)mnl_nlmsg_get_payload(message))->ifi_flags = IFF_UP;
	assert_true(netlink_decode_link(message, &link));
	assert_false(link.up);
}

static void refuses_other_links(void **state)
{
	(void)state;
	char buffer[BUFFER];
	struct netlink_link link;
	struct nlmsghdr *message = link_message(buffer);
	struct ifinfomsg *header = mnl_nlmsg_get_payload(message);
	header->ifi_type = ARPHRD_LOOPBACK;
	assert_false(netlink_decode_link(message, &link));
	header->ifi_type = ARPHRD_ETHER;
	header->ifi_family = AF_BRIDGE;
	assert_false(netlink_decode_link(message, &link));

	message = begin(buffer, RTM_NEWLINK);
	header = mnl_nlmsg_put_extra_header(message, sizeof(*header));
	header->ifi_type = ARPHRD_ETHER;
	header->ifi_index = 7;
	mnl_attr_put(message, IFLA_IFNAME, 20, "a name without an end");
	mnl_attr_put_u32(message, IFLA_MTU, 1500);
	mnl_attr_put(message, IFLA_ADDRESS, 6, mac);
	assert_false(netlink_decode_link(message, &link));
}

/* ---- addresses ---- */

static struct nlmsghdr *address_message(char *buffer, const uint8_t *local, const uint8_t *address)
{
	struct nlmsghdr *message = begin(buffer, RTM_NEWADDR);
	struct ifaddrmsg *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));
	header->ifa_family = AF_INET;
	header->ifa_index = 7;
	if (address)
		mnl_attr_put(message, IFA_ADDRESS, 4, address);
	if (local)
		mnl_attr_put(message, IFA_LOCAL, 4, local);
	return message;
}

static void reads_an_address(void **state)
{
	(void)state;
	static const uint8_t peer[4] = {198, 51, 100, 1};
	char buffer[BUFFER];
	struct address address;
	assert_true(netlink_decode_address(address_message(buffer, v4_host, peer), &address));
	expect_ip(&address, "203.0.113.11");
	assert_true(netlink_decode_address(address_message(buffer, NULL, v4_host), &address));
	expect_ip(&address, "203.0.113.11");
	assert_false(netlink_decode_address(address_message(buffer, NULL, NULL), &address));
}

static void an_address_under_test_is_not_held_yet(void **state)
{
	(void)state;
	char buffer[BUFFER];
	struct address v6 = ip("2001:db8::1"), address;
	struct nlmsghdr *message = begin(buffer, RTM_NEWADDR);
	struct ifaddrmsg *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));
	header->ifa_family = AF_INET6;
	mnl_attr_put(message, IFA_ADDRESS, 16, v6.bytes);
	assert_true(netlink_decode_address(message, &address));
	assert_true(address_equal(&address, &v6));
	mnl_attr_put_u32(message, IFA_FLAGS, IFA_F_TENTATIVE | IFA_F_PERMANENT);
	assert_false(netlink_decode_address(message, &address));
}

/* ---- routes ---- */

static struct nlmsghdr *route_message(char *buffer, uint8_t type, uint8_t length)
{
	static const uint8_t destination[4] = {203, 0, 113, 0};
	struct nlmsghdr *message = begin(buffer, RTM_NEWROUTE);
	struct rtmsg *route = mnl_nlmsg_put_extra_header(message, sizeof(*route));
	route->rtm_family = AF_INET;
	route->rtm_table = RT_TABLE_MAIN;
	route->rtm_type = type;
	route->rtm_dst_len = length;
	if (length > 0)
		mnl_attr_put(message, RTA_DST, 4, destination);
	return message;
}

static void reads_a_route(void **state)
{
	(void)state;
	char buffer[BUFFER];
	struct l3_route route;
	struct nlmsghdr *message = route_message(buffer, RTN_UNICAST, 24);
	mnl_attr_put_u32(message, RTA_OIF, 9);
	mnl_attr_put_u32(message, RTA_PRIORITY, 100);
	assert_true(netlink_decode_route(message, RT_TABLE_MAIN, &route));
	expect_ip(&route.destination.address, "203.0.113.0");
	assert_int_equal(route.destination.length, 120);
	assert_int_equal(route.ifindex, 9);
	assert_int_equal(route.metric, 100);
	expect_ip(&route.gateway, "::");
	assert_false(netlink_decode_route(message, RT_TABLE_LOCAL, &route));
}

static void reads_a_default_route(void **state)
{
	(void)state;
	static const uint8_t gateway[4] = {198, 51, 100, 2};
	char buffer[BUFFER];
	struct l3_route route;
	struct nlmsghdr *message = route_message(buffer, RTN_UNICAST, 0);
	mnl_attr_put_u32(message, RTA_OIF, 7);
	mnl_attr_put(message, RTA_GATEWAY, 4, gateway);
	assert_true(netlink_decode_route(message, RT_TABLE_MAIN, &route));
	expect_ip(&route.destination.address, "0.0.0.0");
	assert_int_equal(route.destination.length, 96);
	expect_ip(&route.gateway, "198.51.100.2");
}

static void the_table_may_stand_in_an_attribute(void **state)
{
	(void)state;
	char buffer[BUFFER];
	struct l3_route route;
	struct nlmsghdr *message = route_message(buffer, RTN_UNICAST, 24);
	mnl_attr_put_u32(message, RTA_OIF, 9);
	mnl_attr_put_u32(message, RTA_TABLE, 1000);
	assert_false(netlink_decode_route(message, RT_TABLE_MAIN, &route));
	assert_true(netlink_decode_route(message, 1000, &route));
}

static void dead_ends_are_routes_to_nowhere(void **state)
{
	(void)state;
	static const uint8_t types[] = {RTN_UNREACHABLE, RTN_BLACKHOLE, RTN_PROHIBIT};
	char buffer[BUFFER];
	struct l3_route route;
	for (size_t i = 0; i < sizeof(types); i++) {
		assert_true(netlink_decode_route(route_message(buffer, types[i], 24), RT_TABLE_MAIN, &route));
		assert_int_equal(route.ifindex, 0);
	}
	struct nlmsghdr *message = route_message(buffer, RTN_UNICAST, 24);
	((struct rtmsg *)mnl_nlmsg_get_payload(message))->rtm_flags = RTNH_F_DEAD;
	mnl_attr_put_u32(message, RTA_OIF, 9);
	assert_true(netlink_decode_route(message, RT_TABLE_MAIN, &route));
	assert_int_equal(route.ifindex, 0);
	assert_false(netlink_decode_route(route_message(buffer, RTN_BROADCAST, 32), RT_TABLE_MAIN, &route));
	assert_false(netlink_decode_route(route_message(buffer, RTN_UNICAST, 33), RT_TABLE_MAIN, &route));
}

static void reads_a_gateway_of_the_other_family(void **state)
{
	(void)state;
	struct address gateway = ip("fe80::1");
	struct {
		uint16_t family;
		uint8_t address[16];
	} via = {.family = AF_INET6};
	char buffer[BUFFER];
	struct l3_route route;
	memcpy(via.address, gateway.bytes, 16);
	struct nlmsghdr *message = route_message(buffer, RTN_UNICAST, 24);
	mnl_attr_put_u32(message, RTA_OIF, 9);
	mnl_attr_put(message, RTA_VIA, sizeof(via), &via);
	assert_true(netlink_decode_route(message, RT_TABLE_MAIN, &route));
	assert_true(address_equal(&route.gateway, &gateway));
}

static void put_next_hop(struct nlmsghdr *message, int ifindex, uint8_t flags, const char *gateway)
{
	struct address address = ip(gateway);
	struct rtnexthop *hop = (void *)((char *)message + message->nlmsg_len);
	*hop = (struct rtnexthop){.rtnh_len = sizeof(*hop), .rtnh_flags = flags, .rtnh_ifindex = ifindex};
	message->nlmsg_len += sizeof(*hop);
	uint32_t before = message->nlmsg_len;
	mnl_attr_put_u32(message, RTA_GATEWAY, address_v4(&address));
	hop->rtnh_len = (uint16_t)(hop->rtnh_len + message->nlmsg_len - before);
}

static void of_several_next_hops_the_first_living_one_counts(void **state)
{
	(void)state;
	char buffer[BUFFER];
	struct l3_route route;
	struct nlmsghdr *message = route_message(buffer, RTN_UNICAST, 24);
	struct nlattr *nest = mnl_attr_nest_start(message, RTA_MULTIPATH);
	put_next_hop(message, 7, RTNH_F_LINKDOWN, "198.51.100.1");
	put_next_hop(message, 8, 0, "198.51.100.2");
	put_next_hop(message, 9, 0, "198.51.100.3");
	mnl_attr_nest_end(message, nest);
	assert_true(netlink_decode_route(message, RT_TABLE_MAIN, &route));
	assert_int_equal(route.ifindex, 8);
	expect_ip(&route.gateway, "198.51.100.2");

	message = route_message(buffer, RTN_UNICAST, 24);
	nest = mnl_attr_nest_start(message, RTA_MULTIPATH);
	put_next_hop(message, 7, RTNH_F_DEAD, "198.51.100.1");
	mnl_attr_nest_end(message, nest);
	assert_true(netlink_decode_route(message, RT_TABLE_MAIN, &route));
	assert_int_equal(route.ifindex, 0);
}

static void refuses_lying_next_hops(void **state)
{
	(void)state;
	static const uint16_t lengths[] = {0, 1, 7, 17, 200, 0xffff};
	char buffer[BUFFER];
	struct l3_route route;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
		struct nlmsghdr *message = route_message(buffer, RTN_UNICAST, 24);
		struct nlattr *nest = mnl_attr_nest_start(message, RTA_MULTIPATH);
		put_next_hop(message, 7, 0, "198.51.100.1");
		mnl_attr_nest_end(message, nest);
		((struct rtnexthop *)mnl_attr_get_payload(nest))->rtnh_len = lengths[i];
		assert_false(netlink_decode_route(message, RT_TABLE_MAIN, &route));
	}
}

static void reads_a_local_route(void **state)
{
	(void)state;
	char buffer[BUFFER];
	struct prefix prefix;
	struct nlmsghdr *message = route_message(buffer, RTN_LOCAL, 28);
	assert_false(netlink_decode_local_route(message, &prefix));
	((struct rtmsg *)mnl_nlmsg_get_payload(message))->rtm_table = RT_TABLE_LOCAL;
	assert_true(netlink_decode_local_route(message, &prefix));
	assert_int_equal(prefix.length, 124);
	message = route_message(buffer, RTN_BROADCAST, 32);
	((struct rtmsg *)mnl_nlmsg_get_payload(message))->rtm_table = RT_TABLE_LOCAL;
	assert_false(netlink_decode_local_route(message, &prefix));
}

/* ---- neighbours ---- */

static struct nlmsghdr *neighbour_message(char *buffer, uint16_t type, uint16_t neighbour_state, size_t mac_len)
{
	struct nlmsghdr *message = begin(buffer, type);
	struct ndmsg *neighbour = mnl_nlmsg_put_extra_header(message, sizeof(*neighbour));
	neighbour->ndm_family = AF_INET;
	neighbour->ndm_ifindex = 9;
	neighbour->ndm_state = neighbour_state;
	mnl_attr_put(message, NDA_DST, 4, v4_host);
	if (mac_len > 0)
		mnl_attr_put(message, NDA_LLADDR, mac_len, mac);
	return message;
}

static void reads_a_neighbour(void **state)
{
	(void)state;
	static const uint16_t valid[] = {NUD_REACHABLE, NUD_STALE, NUD_DELAY, NUD_PROBE, NUD_PERMANENT, NUD_NOARP};
	char buffer[BUFFER];
	struct netlink_neighbour neighbour;
	for (size_t i = 0; i < sizeof(valid) / sizeof(*valid); i++) {
		assert_true(netlink_decode_neighbour(neighbour_message(buffer, RTM_NEWNEIGH, valid[i], 6), &neighbour));
		assert_true(neighbour.valid);
		assert_false(neighbour.failed);
		assert_false(neighbour.managed);
		assert_int_equal(neighbour.fixed, valid[i] == NUD_PERMANENT || valid[i] == NUD_NOARP);
		assert_int_equal(neighbour.ifindex, 9);
		assert_memory_equal(neighbour.mac, mac, 6);
		expect_ip(&neighbour.address, "203.0.113.11");
	}
}

static void a_neighbour_without_a_mac_is_not_valid(void **state)
{
	(void)state;
	char buffer[BUFFER];
	struct netlink_neighbour neighbour;
	assert_true(netlink_decode_neighbour(neighbour_message(buffer, RTM_NEWNEIGH, NUD_INCOMPLETE, 0), &neighbour));
	assert_false(neighbour.valid);
	assert_true(netlink_decode_neighbour(neighbour_message(buffer, RTM_NEWNEIGH, NUD_FAILED, 0), &neighbour));
	assert_false(neighbour.valid);
	assert_true(neighbour.failed);
	assert_true(netlink_decode_neighbour(neighbour_message(buffer, RTM_NEWNEIGH, NUD_REACHABLE, 4), &neighbour));
	assert_false(neighbour.valid);
	assert_true(netlink_decode_neighbour(neighbour_message(buffer, RTM_DELNEIGH, NUD_STALE, 6), &neighbour));
	assert_false(neighbour.valid);
}

static void sees_what_the_kernel_keeps(void **state)
{
	(void)state;
	char buffer[BUFFER];
	struct netlink_neighbour neighbour;
	struct nlmsghdr *message = neighbour_message(buffer, RTM_NEWNEIGH, NUD_REACHABLE, 6);
	mnl_attr_put_u32(message, NDA_FLAGS_EXT, NTF_EXT_MANAGED);
	assert_true(netlink_decode_neighbour(message, &neighbour));
	assert_true(neighbour.managed);
}

static void refuses_proxies(void **state)
{
	(void)state;
	char buffer[BUFFER];
	struct netlink_neighbour neighbour;
	struct nlmsghdr *message = neighbour_message(buffer, RTM_NEWNEIGH, NUD_REACHABLE, 6);
	((struct ndmsg *)mnl_nlmsg_get_payload(message))->ndm_flags = NTF_PROXY;
	assert_false(netlink_decode_neighbour(message, &neighbour));
}

/* ---- every message, cut off everywhere ---- */

static void decode_all(const struct nlmsghdr *message)
{
	struct netlink_link link;
	struct netlink_neighbour neighbour;
	struct address address;
	struct l3_route route;
	struct prefix prefix;
	netlink_decode_link(message, &link);
	netlink_decode_address(message, &address);
	netlink_decode_route(message, RT_TABLE_MAIN, &route);
	netlink_decode_local_route(message, &prefix);
	netlink_decode_neighbour(message, &neighbour);
}

static void nothing_is_read_behind_the_end(void **state)
{
	(void)state;
	char buffers[5][BUFFER];
	struct nlmsghdr *messages[5] = {
	    link_message(buffers[0]),
	    address_message(buffers[1], v4_host, v4_host),
	    route_message(buffers[2], RTN_UNICAST, 24),
	    neighbour_message(buffers[3], RTM_NEWNEIGH, NUD_REACHABLE, 6),
	    route_message(buffers[4], RTN_UNICAST, 24),
	};
	mnl_attr_put_u32(messages[2], RTA_OIF, 9);
	struct nlattr *nest = mnl_attr_nest_start(messages[4], RTA_MULTIPATH);
	put_next_hop(messages[4], 7, RTNH_F_DEAD, "198.51.100.1");
	put_next_hop(messages[4], 8, 0, "198.51.100.2");
	mnl_attr_nest_end(messages[4], nest);

	struct guarded_buffer guarded = guarded_create();
	for (unsigned i = 0; i < 5; i++) {
		for (uint32_t len = MNL_NLMSG_HDRLEN; len <= messages[i]->nlmsg_len; len += 4) {
			struct nlmsghdr *cut = (void *)guarded_copy(&guarded, messages[i], len);
			cut->nlmsg_len = len;
			decode_all(cut);
		}
	}
	guarded_destroy(&guarded);
}

/* ---- requests ---- */

static void asks_to_keep_a_neighbour(void **state)
{
	(void)state;
	char buffer[NETLINK_REQUEST_MAX];
	struct address host = ip("203.0.113.11");
	struct netlink_neighbour read;
	size_t len = netlink_encode_neighbour(buffer, 77, 9, &host, true);
	struct nlmsghdr *message = (void *)buffer;
	const struct ndmsg *header = mnl_nlmsg_get_payload(message);
	assert_int_equal(len, message->nlmsg_len);
	assert_int_equal(message->nlmsg_seq, 77);
	assert_int_equal(message->nlmsg_type, RTM_NEWNEIGH);
	assert_int_equal(message->nlmsg_flags, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_REPLACE);
	assert_int_equal(header->ndm_flags, NTF_USE);
	assert_int_equal(header->ndm_state, NUD_NONE);
	assert_true(netlink_decode_neighbour(message, &read));
	assert_true(read.managed);
	assert_int_equal(read.ifindex, 9);
	expect_ip(&read.address, "203.0.113.11");

	netlink_encode_neighbour(buffer, 78, 9, &host, false);
	assert_true(netlink_decode_neighbour(message, &read));
	assert_false(read.managed);
	struct address v6 = ip("2001:db8::1");
	netlink_encode_neighbour(buffer, 79, 9, &v6, false);
	assert_true(netlink_decode_neighbour(message, &read));
	expect_ip(&read.address, "2001:db8::1");
}

static void asks_to_forget_a_neighbour(void **state)
{
	(void)state;
	char buffer[NETLINK_REQUEST_MAX];
	struct address host = ip("203.0.113.11");
	struct netlink_neighbour read;
	struct nlmsghdr *message = (void *)buffer;
	size_t len = netlink_encode_forget(buffer, 5, 9, &host);
	assert_int_equal(len, message->nlmsg_len);
	assert_int_equal(message->nlmsg_type, RTM_DELNEIGH);
	assert_int_equal(message->nlmsg_flags, NLM_F_REQUEST);
	assert_true(netlink_decode_neighbour(message, &read));
	expect_ip(&read.address, "203.0.113.11");
}

static void asks_for_whole_tables(void **state)
{
	(void)state;
	static const struct {
		uint16_t type;
		size_t header;
	} tables[] = {
	    {RTM_GETLINK, sizeof(struct ifinfomsg)},
	    {RTM_GETADDR, sizeof(struct ifaddrmsg)},
	    {RTM_GETNEIGH, sizeof(struct ndmsg)},
	};
	char buffer[NETLINK_REQUEST_MAX];
	struct nlmsghdr *message = (void *)buffer;
	for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++) {
		size_t len = netlink_encode_dump(buffer, 5, tables[i].type, 0);
		assert_int_equal(len, MNL_NLMSG_HDRLEN + MNL_ALIGN(tables[i].header));
		assert_int_equal(message->nlmsg_type, tables[i].type);
		assert_int_equal(message->nlmsg_flags, NLM_F_REQUEST | NLM_F_DUMP);
	}
	netlink_encode_dump(buffer, 5, RTM_GETROUTE, RT_TABLE_LOCAL);
	assert_int_equal(((struct rtmsg *)mnl_nlmsg_get_payload(message))->rtm_family, AF_INET);
	const struct nlattr *table = mnl_nlmsg_get_payload_offset(message, sizeof(struct rtmsg));
	assert_int_equal(mnl_attr_get_type(table), RTA_TABLE);
	assert_int_equal(mnl_attr_get_u32(table), RT_TABLE_LOCAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reads_a_link),
	    cmocka_unit_test(a_link_without_carrier_is_down),
	    cmocka_unit_test(refuses_other_links),
	    cmocka_unit_test(reads_an_address),
	    cmocka_unit_test(an_address_under_test_is_not_held_yet),
	    cmocka_unit_test(reads_a_route),
	    cmocka_unit_test(reads_a_default_route),
	    cmocka_unit_test(the_table_may_stand_in_an_attribute),
	    cmocka_unit_test(dead_ends_are_routes_to_nowhere),
	    cmocka_unit_test(reads_a_gateway_of_the_other_family),
	    cmocka_unit_test(of_several_next_hops_the_first_living_one_counts),
	    cmocka_unit_test(refuses_lying_next_hops),
	    cmocka_unit_test(reads_a_local_route),
	    cmocka_unit_test(reads_a_neighbour),
	    cmocka_unit_test(a_neighbour_without_a_mac_is_not_valid),
	    cmocka_unit_test(sees_what_the_kernel_keeps),
	    cmocka_unit_test(refuses_proxies),
	    cmocka_unit_test(nothing_is_read_behind_the_end),
	    cmocka_unit_test(asks_to_keep_a_neighbour),
	    cmocka_unit_test(asks_to_forget_a_neighbour),
	    cmocka_unit_test(asks_for_whole_tables),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
