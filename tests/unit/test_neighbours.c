/* neighbours.c: what the workers see of next hops, and when the kernel is asked. */
#include "dataplane/neighbours.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { NORTH = 7, SOUTH = 9 }; /* interface indexes */

static const uint8_t mac_port[6] = {2, 0, 0, 0, 0, 1};
static const uint8_t mac_old[6] = {2, 0, 0, 0, 1, 1};
static const uint8_t mac_new[6] = {2, 0, 0, 0, 1, 2};

struct rig {
	struct l3 *l3;
	struct neighbours *neighbours;
	uint64_t now;
	unsigned count; /* requests sent since they were last expected */
	struct sent {
		enum neighbour_request kind;
		uint32_t ifindex;
		struct address address;
	} sent[8];
};

static struct address ip(const char *text)
{
	struct address address;
	assert_true(address_parse(text, &address));
	return address;
}

static void take_request(void *context, enum neighbour_request kind, uint32_t ifindex, const struct address *address)
{
	struct rig *rig = context;
	if (rig->count < 8)
		rig->sent[rig->count] = (struct sent){kind, ifindex, *address};
	rig->count++;
}

static const struct l3_route *routes(void)
{
	static struct l3_route routes[3];
	routes[0] = (struct l3_route){.gateway = ip("198.51.100.254"), .ifindex = NORTH};
	prefix_parse("0.0.0.0/0", &routes[0].destination);
	routes[1] = (struct l3_route){.ifindex = NORTH};
	prefix_parse("198.51.100.0/24", &routes[1].destination);
	routes[2] = (struct l3_route){.ifindex = SOUTH};
	prefix_parse("203.0.113.0/24", &routes[2].destination);
	return routes;
}

static int setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	rig->l3 = l3_create(16);
	l3_set_port(rig->l3, 0, NORTH, mac_port, 1500);
	l3_set_port(rig->l3, 1, SOUTH, mac_port, 1500);
	l3_set_routes(rig->l3, routes(), 3);
	rig->neighbours = neighbours_create(rig->l3, take_request, rig);
	rig->now = 1000000;
	*state = rig;
	return rig->neighbours ? 0 : -1;
}

static int teardown(void **state)
{
	struct rig *rig = *state;
	neighbours_destroy(rig->neighbours);
	l3_destroy(rig->l3);
	free(rig);
	return 0;
}

/* Lets `ms` pass, with work whenever it is wanted. */
static void pass(struct rig *rig, uint64_t ms)
{
	uint64_t end = rig->now + ms;
	for (;;) {
		uint64_t next = neighbours_work(rig->neighbours, rig->now);
		assert_true(next > rig->now);
		if (next > end)
			break;
		rig->now = next;
	}
	rig->now = end;
	neighbours_work(rig->neighbours, rig->now);
}

static void expect_one(struct rig *rig, enum neighbour_request kind, uint32_t ifindex, const char *address)
{
	struct address expected = ip(address);
	assert_int_equal(rig->count, 1);
	assert_int_equal(rig->sent[0].kind, kind);
	assert_int_equal(rig->sent[0].ifindex, ifindex);
	assert_true(address_equal(&rig->sent[0].address, &expected));
	rig->count = 0;
}

static void ask(struct rig *rig, const char *address, bool managed)
{
	struct address destination = ip(address);
	neighbours_ask(rig->neighbours, &destination, managed, rig->now);
}

/* The kernel has an entry. `mac` NULL: without a valid MAC. */
static struct netlink_neighbour event(uint32_t ifindex, const char *address, const uint8_t *mac)
{
	struct netlink_neighbour event = {.ifindex = ifindex, .address = ip(address), .valid = mac != NULL};
	if (mac)
		memcpy(event.mac, mac, sizeof(event.mac));
	return event;
}

static void hear(struct rig *rig, struct netlink_neighbour event)
{
	neighbours_take(rig->neighbours, &event, false, rig->now);
}

static void hear_failed(struct rig *rig, const char *address)
{
	struct netlink_neighbour failed = event(SOUTH, address, NULL);
	failed.failed = true;
	hear(rig, failed);
}

static void hear_managed(struct rig *rig, const char *address)
{
	struct netlink_neighbour managed = event(SOUTH, address, mac_old);
	managed.managed = true;
	hear(rig, managed);
}

static void hear_deleted(struct rig *rig, const char *address)
{
	struct netlink_neighbour deleted = event(SOUTH, address, NULL);
	neighbours_take(rig->neighbours, &deleted, true, rig->now);
}

static void expect_mac(struct rig *rig, const char *address, const uint8_t *mac)
{
	struct address host = ip(address);
	struct l3_hop hop;
	assert_int_equal(l3_resolve(rig->l3, l3_next_hop(rig->l3, &host), &hop), mac != NULL);
	if (mac)
		assert_memory_equal(hop.destination_mac, mac, 6);
}

static void a_client_is_asked_for_once(void **state)
{
	struct rig *rig = *state;
	ask(rig, "198.51.100.2", false);
	expect_one(rig, NEIGHBOUR_RESOLVE, NORTH, "198.51.100.2");
	pass(rig, 60000);
	assert_int_equal(rig->count, 0);
}

static void behind_a_gateway_the_gateway_is_asked_for(void **state)
{
	struct rig *rig = *state;
	ask(rig, "192.0.2.7", false);
	expect_one(rig, NEIGHBOUR_RESOLVE, NORTH, "198.51.100.254");
}

static void without_a_route_nobody_is_asked(void **state)
{
	struct rig *rig = *state;
	l3_set_routes(rig->l3, NULL, 0);
	ask(rig, "192.0.2.7", false);
	ask(rig, "203.0.113.11", true);
	pass(rig, 1000);
	assert_int_equal(rig->count, 0);
	/* The router host is not forgotten. */
	l3_set_routes(rig->l3, routes(), 3);
	neighbours_routes_changed(rig->neighbours, NULL, 0, rig->now);
	pass(rig, 1);
	expect_one(rig, NEIGHBOUR_KEEP, SOUTH, "203.0.113.11");
}

static void a_router_host_is_kept_by_an_old_kernel_every_20_s(void **state)
{
	struct rig *rig = *state;
	ask(rig, "203.0.113.11", true);
	pass(rig, 1);
	expect_one(rig, NEIGHBOUR_KEEP, SOUTH, "203.0.113.11");
	hear(rig, event(SOUTH, "203.0.113.11", mac_old));
	pass(rig, 19998);
	assert_int_equal(rig->count, 0);
	pass(rig, 1);
	expect_one(rig, NEIGHBOUR_KEEP, SOUTH, "203.0.113.11");
}

static void a_router_host_is_left_to_a_kernel_that_keeps_it(void **state)
{
	struct rig *rig = *state;
	ask(rig, "203.0.113.11", true);
	pass(rig, 1);
	expect_one(rig, NEIGHBOUR_KEEP, SOUTH, "203.0.113.11");
	hear_managed(rig, "203.0.113.11");
	pass(rig, 100000);
	assert_int_equal(rig->count, 0);
}

static void gateways_are_kept(void **state)
{
	struct rig *rig = *state;
	neighbours_routes_changed(rig->neighbours, routes(), 3, rig->now);
	pass(rig, 1);
	expect_one(rig, NEIGHBOUR_KEEP, NORTH, "198.51.100.254");
}

static void a_forgotten_neighbour_keeps_its_mac_and_is_asked_for_again(void **state)
{
	struct rig *rig = *state;
	ask(rig, "203.0.113.11", true);
	pass(rig, 1);
	hear_managed(rig, "203.0.113.11");
	rig->count = 0;
	/* `ip neigh flush` makes an entry fail, and deletes it. */
	hear_failed(rig, "203.0.113.11");
	hear_deleted(rig, "203.0.113.11");
	pass(rig, 50);
	assert_int_equal(rig->count, 0);
	pass(rig, 100);
	expect_one(rig, NEIGHBOUR_KEEP, SOUTH, "203.0.113.11");
	pass(rig, 10000);
	expect_mac(rig, "203.0.113.11", mac_old);
}

static void a_silent_neighbour_keeps_its_mac_for_3_s(void **state)
{
	struct rig *rig = *state;
	hear(rig, event(SOUTH, "203.0.113.5", mac_old));
	hear_failed(rig, "203.0.113.5");
	pass(rig, 2999);
	hear_failed(rig, "203.0.113.5"); /* does not prolong it */
	expect_mac(rig, "203.0.113.5", mac_old);
	pass(rig, 1);
	expect_mac(rig, "203.0.113.5", NULL);
	hear(rig, event(SOUTH, "203.0.113.5", mac_new));
	expect_mac(rig, "203.0.113.5", mac_new);
}

static void a_neighbour_that_answers_in_time_is_not_lost(void **state)
{
	struct rig *rig = *state;
	hear(rig, event(SOUTH, "203.0.113.5", mac_old));
	hear_failed(rig, "203.0.113.5");
	pass(rig, 1000);
	hear(rig, event(SOUTH, "203.0.113.5", mac_new));
	pass(rig, 10000);
	expect_mac(rig, "203.0.113.5", mac_new);
}

static void news_of_a_router_host_make_the_kernel_look_anew(void **state)
{
	struct rig *rig = *state;
	ask(rig, "203.0.113.11", true);
	pass(rig, 1);
	hear_managed(rig, "203.0.113.11");
	rig->count = 0;
	ask(rig, "203.0.113.11", true); /* too soon after the first question */
	pass(rig, 4000);
	assert_int_equal(rig->count, 0);
	pass(rig, 1000);
	assert_int_equal(rig->count, 2);
	assert_int_equal(rig->sent[0].kind, NEIGHBOUR_FORGET);
	assert_int_equal(rig->sent[1].kind, NEIGHBOUR_KEEP);
	hear_managed(rig, "203.0.113.11");
	pass(rig, 10000);
	assert_int_equal(rig->count, 2);
	ask(rig, "203.0.113.11", true);
	assert_int_equal(rig->count, 4);
	expect_mac(rig, "203.0.113.11", mac_old);
}

/* It carries the kernel's own traffic, too: a silent router host behind it is no reason to forget it. */
static void a_gateway_is_never_forgotten(void **state)
{
	struct rig *rig = *state;
	ask(rig, "192.0.2.7", true);
	pass(rig, 1);
	expect_one(rig, NEIGHBOUR_KEEP, NORTH, "198.51.100.254");
	struct netlink_neighbour managed = event(NORTH, "198.51.100.254", mac_old);
	managed.managed = true;
	hear(rig, managed);
	for (unsigned i = 0; i < 10; i++) {
		ask(rig, "192.0.2.7", true);
		ask(rig, "192.0.2.8", true); /* another one behind it */
		pass(rig, 3000);
	}
	assert_int_equal(rig->count, 0);
	expect_mac(rig, "192.0.2.7", mac_old);
}

static void what_was_written_by_hand_is_never_asked_for(void **state)
{
	struct rig *rig = *state;
	struct netlink_neighbour fixed = event(SOUTH, "203.0.113.11", mac_old);
	fixed.fixed = true;
	hear(rig, fixed);
	ask(rig, "203.0.113.11", true);
	ask(rig, "203.0.113.11", false);
	pass(rig, 60000);
	ask(rig, "203.0.113.11", true);
	assert_int_equal(rig->count, 0);
	expect_mac(rig, "203.0.113.11", mac_old);
	/* Taken away by hand as well. */
	hear_deleted(rig, "203.0.113.11");
	pass(rig, 101);
	expect_one(rig, NEIGHBOUR_KEEP, SOUTH, "203.0.113.11");
}

static void questions_are_bounded(void **state)
{
	struct rig *rig = *state;
	for (uint32_t i = 0; i < 3000; i++) {
		struct address client = address_from_v4(__builtin_bswap32(0xc6336400 + i % 250));
		neighbours_ask(rig->neighbours, &client, false, rig->now);
	}
	assert_int_equal(rig->count, 1000);
	pass(rig, 1000);
	ask(rig, "198.51.100.2", false);
	assert_int_equal(rig->count, 1001);
}

static void a_full_table_is_no_disaster(void **state)
{
	struct rig *rig = *state;
	char text[32];
	for (int i = 1; i <= 20; i++) {
		snprintf(text, sizeof(text), "203.0.113.%d", i);
		hear(rig, event(SOUTH, text, mac_old));
	}
	expect_mac(rig, "203.0.113.16", mac_old);
	expect_mac(rig, "203.0.113.17", NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_client_is_asked_for_once, setup, teardown),
	    cmocka_unit_test_setup_teardown(behind_a_gateway_the_gateway_is_asked_for, setup, teardown),
	    cmocka_unit_test_setup_teardown(without_a_route_nobody_is_asked, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_router_host_is_kept_by_an_old_kernel_every_20_s, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_router_host_is_left_to_a_kernel_that_keeps_it, setup, teardown),
	    cmocka_unit_test_setup_teardown(gateways_are_kept, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_forgotten_neighbour_keeps_its_mac_and_is_asked_for_again, setup,
	                                    teardown),
	    cmocka_unit_test_setup_teardown(a_silent_neighbour_keeps_its_mac_for_3_s, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_neighbour_that_answers_in_time_is_not_lost, setup, teardown),
	    cmocka_unit_test_setup_teardown(news_of_a_router_host_make_the_kernel_look_anew, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_gateway_is_never_forgotten, setup, teardown),
	    cmocka_unit_test_setup_teardown(what_was_written_by_hand_is_never_asked_for, setup, teardown),
	    cmocka_unit_test_setup_teardown(questions_are_bounded, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_full_table_is_no_disaster, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
