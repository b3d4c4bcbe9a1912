/* peers: the bucket of requests, the back-off after wrong tokens, and a table that many addresses cannot overflow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <stdlib.h>

#include "control/api/peers.h"

static struct peers *peers;
static struct address anna, bert;

static int setup(void **state)
{
	peers = malloc(sizeof(*peers));
	peers_init(peers, (struct siphash_key){1, 2});
	address_parse("192.0.2.1", &anna);
	address_parse("192.0.2.2", &bert);
	return 0;
}

static int teardown(void **state)
{
	free(peers);
	return 0;
}

static unsigned take(const struct address *address, uint64_t now)
{
	return peers_take(peers, address, 10, 20, now);
}

static void a_burst_and_then_the_rate(void **state)
{
	for (int i = 0; i < 20; i++)
		assert_int_equal(take(&anna, 1000), 0);
	assert_int_equal(take(&anna, 1000), 1);
	assert_int_equal(take(&bert, 1000), 0); /* has a bucket of his own */
	assert_int_equal(take(&anna, 1099), 1);
	assert_int_equal(take(&anna, 1100), 0);
	assert_int_equal(take(&anna, 1100), 1);
	for (uint64_t now = 1200; now < 11200; now += 100)
		assert_int_equal(take(&anna, now), 0);
	/* A long rest fills no more than the bucket. */
	for (int i = 0; i < 20; i++)
		assert_int_equal(take(&anna, 1ULL << 50), 0);
	assert_int_equal(take(&anna, 1ULL << 50), 1);
}

static void little_by_little_is_as_much(void **state)
{
	for (int i = 0; i < 20; i++)
		take(&anna, 5000);
	unsigned taken = 0;
	for (uint64_t now = 5001; now <= 15000; now++)
		taken += take(&anna, now) == 0;
	assert_in_range(taken, 99, 100);
}

static void wrong_tokens_cost_time(void **state)
{
	static const unsigned waits[] = {1, 2, 4, 8, 16, 32, 60, 60, 60};
	uint64_t now = 1000;
	for (int i = 0; i < PEER_TRIES - 1; i++) {
		assert_false(peers_failed(peers, &anna, now));
		assert_int_equal(peers_wait(peers, &anna, now), 0);
	}
	for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
		assert_true(peers_failed(peers, &anna, now));
		assert_int_equal(peers_wait(peers, &anna, now), waits[i]);
		assert_int_equal(peers_wait(peers, &bert, now), 0);
		now += waits[i] * 1000 - 1;
		assert_int_equal(peers_wait(peers, &anna, now), 1);
		now++;
		assert_int_equal(peers_wait(peers, &anna, now), 0);
	}
	peers_succeeded(peers, &anna, now);
	for (int i = 0; i < PEER_TRIES - 1; i++)
		assert_false(peers_failed(peers, &anna, now));
	assert_true(peers_failed(peers, &anna, now));
	assert_int_equal(peers_wait(peers, &anna, now), 1);
}

static void now_and_then_costs_nothing(void **state)
{
	uint64_t now = 1000;
	for (int i = 0; i < 100; i++, now += PEER_WINDOW_MS / 4 + 1)
		assert_false(peers_failed(peers, &anna, now));
	/* After a wait, a minute without any wrong one forgets it. */
	for (int i = 0; i < PEER_TRIES; i++)
		peers_failed(peers, &anna, now);
	now += PEER_WAIT_MAX_MS + PEER_WINDOW_MS + 1;
	assert_false(peers_failed(peers, &anna, now));
}

static void the_rate_does_not_forget_the_wait(void **state)
{
	for (int i = 0; i < PEER_TRIES; i++)
		peers_failed(peers, &anna, 1000);
	for (int i = 0; i < 5; i++)
		take(&anna, 1500);
	assert_int_equal(peers_wait(peers, &anna, 1500), 1);
}

static void an_ipv6_network_is_one_peer(void **state)
{
	struct address one, two, other;
	address_parse("2001:db8:0:1::1", &one);
	address_parse("2001:db8:0:1:ffff::2", &two);
	address_parse("2001:db8:0:2::1", &other);
	for (int i = 0; i < PEER_TRIES; i++)
		peers_failed(peers, &one, 1000);
	assert_int_equal(peers_wait(peers, &two, 1000), 1);
	assert_int_equal(peers_wait(peers, &other, 1000), 0);
}

static void many_addresses_do_not_push_out_one_that_waits(void **state)
{
	for (int i = 0; i < PEER_TRIES + 4; i++)
		peers_failed(peers, &anna, 1000);
	assert_int_equal(peers_wait(peers, &anna, 2000), 15);
	for (uint32_t i = 0; i < 100000; i++) {
		struct address address = address_from_v4(htonl(0x0a000000 + i));
		take(&address, 2000 + i / 100);
	}
	assert_int_equal(peers_wait(peers, &anna, 3000), 14);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(a_burst_and_then_the_rate),
	    TEST(little_by_little_is_as_much),
	    TEST(wrong_tokens_cost_time),
	    TEST(now_and_then_costs_nothing),
	    TEST(the_rate_does_not_forget_the_wait),
	    TEST(an_ipv6_network_is_one_peer),
	    TEST(many_addresses_do_not_push_out_one_that_waits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
