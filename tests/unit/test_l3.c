/* l3.c: routes by longest prefix, neighbours by stable index, and readers beside a busy writer. */
#include "dataplane/l3.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { NORTH = 7, SOUTH = 9, OTHER = 23 }; /* interface indexes */

static const uint8_t mac_north[6] = {2, 0, 0, 0, 0, 1};
static const uint8_t mac_south[6] = {2, 0, 0, 0, 0, 2};
static const uint8_t mac_peer[6] = {2, 0, 0, 0, 1, 1};
static const uint8_t mac_moved[6] = {2, 0, 0, 0, 1, 2};

static struct address ip(const char *text)
{
	struct address address;
	assert_true(address_parse(text, &address));
	return address;
}

static struct l3_route route(const char *destination, const char *gateway, uint32_t ifindex, uint32_t metric)
{
	struct l3_route route = {.ifindex = ifindex, .metric = metric};
	assert_true(prefix_parse(destination, &route.destination));
	if (gateway)
		route.gateway = ip(gateway);
	return route;
}

static int setup(void **state)
{
	struct l3 *l3 = l3_create(64);
	l3_set_port(l3, 0, NORTH, mac_north, 1500);
	l3_set_port(l3, 1, SOUTH, mac_south, 9000);
	*state = l3;
	return l3 ? 0 : -1;
}

static int teardown(void **state)
{
	l3_destroy(*state);
	return 0;
}

static void expect_way(const struct l3 *l3, const char *destination, const char *next_hop, uint32_t ifindex)
{
	struct address to = ip(destination), hop;
	uint32_t out = 0;
	if (!next_hop) {
		assert_false(l3_route_to(l3, &to, &hop, &out));
		return;
	}
	struct address expected = ip(next_hop);
	assert_true(l3_route_to(l3, &to, &hop, &out));
	assert_true(address_equal(&hop, &expected));
	assert_int_equal(out, ifindex);
}

static void ports_have_mac_and_mtu(void **state)
{
	uint8_t mac[6];
	assert_int_equal(l3_port_mtu(*state, 0), 1500);
	assert_int_equal(l3_port_mtu(*state, 1), 9000);
	l3_port_mac(*state, 1, mac);
	assert_memory_equal(mac, mac_south, 6);
	assert_int_equal(l3_port_mtu(*state, 2), 0);
	l3_port_mac(*state, 2, mac);
	assert_memory_equal(mac, ((uint8_t[6]){0}), 6);
}

static void without_routes_there_is_no_way(void **state)
{
	expect_way(*state, "198.51.100.2", NULL, 0);
	assert_true(l3_set_routes(*state, NULL, 0));
	expect_way(*state, "198.51.100.2", NULL, 0);
}

static void the_longest_prefix_wins(void **state)
{
	const struct l3_route routes[] = {
	    route("0.0.0.0/0", "198.51.100.254", NORTH, 0),     route("203.0.113.0/24", NULL, SOUTH, 0),
	    route("203.0.113.128/25", "203.0.113.9", SOUTH, 0), route("203.0.113.255/32", "198.51.100.7", NORTH, 0),
	    route("198.51.100.0/24", NULL, NORTH, 0),
	};
	assert_true(l3_set_routes(*state, routes, 5));
	expect_way(*state, "0.0.0.0", "198.51.100.254", NORTH);
	expect_way(*state, "203.0.112.255", "198.51.100.254", NORTH);
	expect_way(*state, "203.0.113.0", "203.0.113.0", SOUTH);
	expect_way(*state, "203.0.113.127", "203.0.113.127", SOUTH);
	expect_way(*state, "203.0.113.128", "203.0.113.9", SOUTH);
	expect_way(*state, "203.0.113.254", "203.0.113.9", SOUTH);
	expect_way(*state, "203.0.113.255", "198.51.100.7", NORTH);
	expect_way(*state, "203.0.114.0", "198.51.100.254", NORTH);
	expect_way(*state, "198.51.100.2", "198.51.100.2", NORTH);
	expect_way(*state, "255.255.255.255", "198.51.100.254", NORTH);
	expect_way(*state, "2001:db8::1", NULL, 0);
}

static void routes_to_elsewhere_hide_shorter_ones(void **state)
{
	const struct l3_route routes[] = {
	    route("0.0.0.0/0", "198.51.100.254", NORTH, 0), route("10.0.0.0/8", "192.0.2.1", OTHER, 0),
	    route("10.1.0.0/16", NULL, 0, 0), /* unreachable */
	};
	assert_true(l3_set_routes(*state, routes, 3));
	expect_way(*state, "10.0.0.1", NULL, 0);
	expect_way(*state, "10.1.0.1", NULL, 0);
	expect_way(*state, "11.0.0.0", "198.51.100.254", NORTH);
}

static void the_lowest_metric_wins(void **state)
{
	const struct l3_route routes[] = {
	    route("10.0.0.0/8", "198.51.100.1", NORTH, 200),
	    route("10.0.0.0/8", "203.0.113.1", SOUTH, 100),
	    route("10.0.0.0/8", "198.51.100.3", NORTH, 300),
	};
	assert_true(l3_set_routes(*state, routes, 3));
	expect_way(*state, "10.0.0.1", "203.0.113.1", SOUTH);
	expect_way(*state, "10.255.255.255", "203.0.113.1", SOUTH);
	expect_way(*state, "11.0.0.0", NULL, 0);
}

static void ipv6_goes_the_same_way(void **state)
{
	const struct l3_route routes[] = {
	    route("::/0", "fe80::1", NORTH, 0),
	    route("2001:db8:1::/48", NULL, SOUTH, 0),
	    route("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128", NULL, SOUTH, 0),
	    route("0.0.0.0/0", "198.51.100.254", SOUTH, 0),
	};
	assert_true(l3_set_routes(*state, routes, 4));
	expect_way(*state, "2001:db8::1", "fe80::1", NORTH);
	expect_way(*state, "2001:db8:1::1", "2001:db8:1::1", SOUTH);
	expect_way(*state, "2001:db8:2::", "fe80::1", NORTH);
	expect_way(*state, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe", "fe80::1", NORTH);
	expect_way(*state, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", SOUTH);
	expect_way(*state, "10.0.0.1", "198.51.100.254", SOUTH);
}

/* Against a plain search through all routes. */
static void random_routes_match_a_plain_search(void **state)
{
	enum { ROUTES = 300, LOOKUPS = 20000 };
	static struct l3_route routes[ROUTES];
	srand(1);
	for (int i = 0; i < ROUTES; i++) {
		unsigned length = (unsigned)rand() % 33;
		uint32_t bits = ((uint32_t)rand() & 0x0f0f0fff) & (length ? ~0u << (32 - length) : 0);
		routes[i].destination.address = address_from_v4(__builtin_bswap32(bits));
		routes[i].destination.length = (uint8_t)(96 + length);
		routes[i].gateway = address_from_v4((uint32_t)i + 1);
		routes[i].ifindex = rand() % 2 ? NORTH : SOUTH;
		routes[i].metric = (uint32_t)i;
	}
	assert_true(l3_set_routes(*state, routes, ROUTES));
	for (int n = 0; n < LOOKUPS; n++) {
		struct address to = address_from_v4(__builtin_bswap32((uint32_t)rand() & 0x0f0f0fff)), hop;
		const struct l3_route *best = NULL;
		uint32_t ifindex;
		for (int i = 0; i < ROUTES; i++)
			if (prefix_contains(&routes[i].destination, &to) &&
			    (!best || routes[i].destination.length > best->destination.length))
				best = &routes[i];
		assert_int_equal(l3_route_to(*state, &to, &hop, &ifindex), best != NULL);
		if (best) {
			assert_true(address_equal(&hop, &best->gateway));
			assert_int_equal(ifindex, best->ifindex);
		}
	}
}

static void too_many_routes_change_nothing(void **state)
{
	enum { MAX = 4096 };
	struct l3_route *routes = calloc(MAX + 1, sizeof(*routes));
	assert_non_null(routes);
	for (unsigned i = 0; i <= MAX; i++)
		routes[i] = (struct l3_route){
		    .destination = {address_from_v4(__builtin_bswap32(0x0a000000 + 2 * i)), 128},
		    .ifindex = SOUTH,
		};
	assert_true(l3_set_routes(*state, routes, MAX));
	expect_way(*state, "10.0.31.254", "10.0.31.254", SOUTH);
	expect_way(*state, "10.0.31.253", NULL, 0);
	assert_false(l3_set_routes(*state, routes, MAX + 1));
	expect_way(*state, "10.0.31.254", "10.0.31.254", SOUTH);
	free(routes);
}

static void on_link_everywhere(struct l3 *l3)
{
	const struct l3_route routes[] = {
	    route("198.51.100.0/24", NULL, NORTH, 0),
	    route("203.0.113.0/24", NULL, SOUTH, 0),
	    route("0.0.0.0/0", "198.51.100.254", NORTH, 0),
	};
	assert_true(l3_set_routes(l3, routes, 3));
}

static void a_neighbour_keeps_its_index(void **state)
{
	struct address host = ip("203.0.113.11");
	struct l3_hop hop;
	on_link_everywhere(*state);
	assert_int_equal(l3_next_hop(*state, &host), L3_NONE);
	assert_false(l3_resolve(*state, L3_NONE, &hop));

	assert_true(l3_set_neighbour(*state, SOUTH, &host, mac_peer));
	uint32_t index = l3_next_hop(*state, &host);
	assert_int_not_equal(index, L3_NONE);
	assert_true(l3_resolve(*state, index, &hop));
	assert_int_equal(hop.port, 1);
	assert_memory_equal(hop.destination_mac, mac_peer, 6);
	assert_memory_equal(hop.source_mac, mac_south, 6);

	assert_true(l3_set_neighbour(*state, SOUTH, &host, NULL));
	assert_int_equal(l3_next_hop(*state, &host), index);
	assert_false(l3_resolve(*state, index, &hop));

	assert_true(l3_set_neighbour(*state, SOUTH, &host, mac_moved));
	assert_true(l3_resolve(*state, index, &hop));
	assert_memory_equal(hop.destination_mac, mac_moved, 6);
}

static void the_gateway_is_the_next_hop(void **state)
{
	struct address far = ip("192.0.2.77"), gateway = ip("198.51.100.254");
	on_link_everywhere(*state);
	assert_true(l3_set_neighbour(*state, NORTH, &gateway, mac_peer));
	assert_int_not_equal(l3_next_hop(*state, &far), L3_NONE);
	assert_int_equal(l3_next_hop(*state, &far), l3_next_hop(*state, &gateway));
}

static void the_same_address_on_two_interfaces_is_two_neighbours(void **state)
{
	struct address host = ip("203.0.113.11");
	struct l3_hop hop;
	on_link_everywhere(*state);
	assert_true(l3_set_neighbour(*state, NORTH, &host, mac_moved));
	assert_int_equal(l3_next_hop(*state, &host), L3_NONE);
	assert_true(l3_set_neighbour(*state, SOUTH, &host, mac_peer));
	assert_true(l3_resolve(*state, l3_next_hop(*state, &host), &hop));
	assert_memory_equal(hop.destination_mac, mac_peer, 6);
}

static void a_full_table_takes_changes_only(void **state)
{
	struct l3_hop hop;
	on_link_everywhere(*state);
	for (uint32_t i = 0; i < 64; i++) {
		struct address host = address_from_v4(__builtin_bswap32(0xcb007100 + i));
		assert_true(l3_set_neighbour(*state, SOUTH, &host, mac_peer));
	}
	struct address first = ip("203.0.113.0"), extra = ip("203.0.113.64");
	assert_false(l3_set_neighbour(*state, SOUTH, &extra, mac_peer));
	assert_true(l3_set_neighbour(*state, SOUTH, &extra, NULL));
	assert_int_equal(l3_next_hop(*state, &extra), L3_NONE);
	assert_true(l3_set_neighbour(*state, SOUTH, &first, mac_moved));
	assert_true(l3_resolve(*state, l3_next_hop(*state, &first), &hop));
	assert_memory_equal(hop.destination_mac, mac_moved, 6);
}

static void a_port_may_get_another_interface(void **state)
{
	struct address host = ip("203.0.113.11");
	struct l3_hop hop;
	on_link_everywhere(*state);
	assert_true(l3_set_neighbour(*state, SOUTH, &host, mac_peer));
	uint32_t index = l3_next_hop(*state, &host);
	l3_set_port(*state, 1, OTHER, mac_south, 1500);
	assert_false(l3_resolve(*state, index, &hop));
	expect_way(*state, "203.0.113.11", NULL, 0);
	l3_set_port(*state, 1, SOUTH, mac_moved, 1500);
	assert_true(l3_resolve(*state, index, &hop));
	assert_memory_equal(hop.destination_mac, mac_peer, 6);
	assert_memory_equal(hop.source_mac, mac_moved, 6);
}

/* A writer changes everything while readers look: each answer must be one of the two that were ever true. */
struct race {
	struct l3 *l3;
	atomic_bool stop;
	atomic_ulong looked, wrong;
};

static void *look(void *argument)
{
	struct race *race = argument;
	struct address to, first, second, hop;
	address_parse("10.1.2.3", &to);
	address_parse("203.0.113.1", &first);
	address_parse("203.0.113.2", &second);
	while (!atomic_load(&race->stop)) {
		struct l3_hop resolved;
		uint32_t ifindex;
		bool right = l3_route_to(race->l3, &to, &hop, &ifindex) && ifindex == SOUTH &&
		             (address_equal(&hop, &first) || address_equal(&hop, &second));
		uint32_t index = l3_next_hop(race->l3, &to);
		if (index != L3_NONE && l3_resolve(race->l3, index, &resolved))
			right = right && resolved.port == 1 &&
			        (memcmp(resolved.destination_mac, mac_peer, 6) == 0 ||
			         memcmp(resolved.destination_mac, mac_moved, 6) == 0);
		atomic_fetch_add(&race->looked, 1);
		atomic_fetch_add(&race->wrong, !right);
	}
	return NULL;
}

static void readers_never_see_a_mixture(void **state)
{
	struct race race = {.l3 = *state};
	struct address first = ip("203.0.113.1"), second = ip("203.0.113.2");
	const struct l3_route few[] = {route("10.0.0.0/8", "203.0.113.1", SOUTH, 0)};
	struct l3_route many[20]; /* the route in question stands last, the others lead to a wrong gateway */
	for (unsigned i = 0; i < 20; i++) {
		many[i] = route("10.1.2.0/24", i == 0 ? "203.0.113.2" : "203.0.113.99", SOUTH, 0);
		if (i > 0)
			many[i].destination.address = address_from_v4(__builtin_bswap32(0x0a000000 + (i << 8)));
	}
	pthread_t readers[4];

	assert_true(l3_set_routes(race.l3, few, 1));
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&readers[i], NULL, look, &race), 0);
	for (unsigned round = 0; round < 200000 || atomic_load(&race.looked) < 20000; round++) {
		/* by threes, so that either table is filled with the one and with the other */
		assert_true(round % 3 ? l3_set_routes(race.l3, few, 1) : l3_set_routes(race.l3, many, 20));
		assert_true(l3_set_neighbour(race.l3, SOUTH, round % 3 ? &first : &second,
		                             round % 5 == 0 ? NULL
		                             : round % 2    ? mac_peer
		                                            : mac_moved));
	}
	atomic_store(&race.stop, true);
	for (int i = 0; i < 4; i++)
		pthread_join(readers[i], NULL);
	assert_int_equal(atomic_load(&race.wrong), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(ports_have_mac_and_mtu, setup, teardown),
	    cmocka_unit_test_setup_teardown(without_routes_there_is_no_way, setup, teardown),
	    cmocka_unit_test_setup_teardown(the_longest_prefix_wins, setup, teardown),
	    cmocka_unit_test_setup_teardown(routes_to_elsewhere_hide_shorter_ones, setup, teardown),
	    cmocka_unit_test_setup_teardown(the_lowest_metric_wins, setup, teardown),
	    cmocka_unit_test_setup_teardown(ipv6_goes_the_same_way, setup, teardown),
	    cmocka_unit_test_setup_teardown(random_routes_match_a_plain_search, setup, teardown),
	    cmocka_unit_test_setup_teardown(too_many_routes_change_nothing, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_neighbour_keeps_its_index, setup, teardown),
	    cmocka_unit_test_setup_teardown(the_gateway_is_the_next_hop, setup, teardown),
	    cmocka_unit_test_setup_teardown(the_same_address_on_two_interfaces_is_two_neighbours, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_full_table_takes_changes_only, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_port_may_get_another_interface, setup, teardown),
	    cmocka_unit_test_setup_teardown(readers_never_see_a_mixture, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
