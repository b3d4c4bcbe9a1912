/* admin_connections: how many a peer may have, who goes for a new one, and what takes too long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/api/admin_connections.h"

static struct admin_connections connections;
static struct address anna, bert;

static int setup(void **state)
{
	admin_connections_init(&connections);
	address_parse("192.0.2.1", &anna);
	address_parse("192.0.2.2", &bert);
	return 0;
}

static int teardown(void **state)
{
	while (connections.list.next != &connections.list)
		admin_connections_remove(connections.list.next);
	return 0;
}

/* A connection whose descriptor is none: shutting it down does no harm. */
static struct admin_connection *add(const struct address *peer, uint64_t now)
{
	return admin_connections_add(&connections, peer, &anna, -1, now);
}

static void one_peer_cannot_have_all(void **state)
{
	struct admin_connection *first = NULL;
	for (unsigned i = 0; i < ADMIN_CONNECTIONS_PEER_MAX; i++) {
		assert_true(admin_connections_admit(&connections, &anna));
		struct admin_connection *connection = add(&anna, 100 + i);
		if (i == 0)
			first = connection;
	}
	assert_true(admin_connections_admit(&connections, &bert));
	assert_false(first->ended);
	/* One more: the one that has waited longest goes. */
	assert_true(admin_connections_admit(&connections, &anna));
	assert_true(first->ended);
	add(&anna, 1000);
	assert_true(admin_connections_admit(&connections, &anna));
	assert_true(first->next->ended);
	add(&anna, 1000);
	/* All are busy: nobody goes, and no more come. */
	for (struct admin_connection *at = connections.list.next; at != &connections.list; at = at->next)
		admin_connection_enter(at, ADMIN_BODY, 2000);
	assert_false(admin_connections_admit(&connections, &anna));
	assert_true(admin_connections_admit(&connections, &bert));
}

static void an_ipv6_network_counts_as_one(void **state)
{
	struct address peer, other;
	address_parse("2001:db8:1:2::1", &peer);
	address_parse("2001:db8:1:3::1", &other);
	struct admin_connection *first = NULL;
	for (unsigned i = 0; i < ADMIN_CONNECTIONS_PEER_MAX; i++) {
		peer.bytes[14] = (uint8_t)(i >> 8);
		peer.bytes[15] = (uint8_t)i;
		assert_true(admin_connections_admit(&connections, &peer));
		struct admin_connection *connection = add(&peer, 100 + i);
		if (i == 0)
			first = connection;
	}
	assert_true(admin_connections_admit(&connections, &other));
	assert_true(admin_connections_admit(&connections, &anna));
	assert_false(first->ended);
	peer.bytes[8] = 1;
	assert_true(admin_connections_admit(&connections, &peer));
	assert_true(first->ended);
}

static void websockets_do_not_count(void **state)
{
	for (unsigned i = 0; i < 2 * ADMIN_CONNECTIONS_PEER_MAX; i++) {
		assert_true(admin_connections_admit(&connections, &anna));
		admin_connection_enter(add(&anna, 1), ADMIN_UPGRADED, 1);
	}
	assert_true(admin_connections_admit(&connections, &anna));
	for (struct admin_connection *at = connections.list.next; at != &connections.list; at = at->next)
		assert_false(at->ended);
}

static void all_together_have_a_limit(void **state)
{
	struct address peer;
	for (unsigned i = 0; i < ADMIN_CONNECTIONS_MAX; i++) {
		peer = address_from_v4(i + 1);
		assert_true(admin_connections_admit(&connections, &peer));
		add(&peer, 100 + i);
	}
	assert_true(admin_connections_admit(&connections, &anna));
	assert_true(connections.list.next->ended);
	assert_false(connections.list.next->next->ended);
}

static void what_takes_too_long_ends(void **state)
{
	static const struct {
		enum admin_phase phase;
		uint64_t limit; /* 0: none */
	} cases[] = {{ADMIN_HEAD, ADMIN_HEAD_MS},
	             {ADMIN_BODY, ADMIN_BODY_MS},
	             {ADMIN_ANSWER, ADMIN_ANSWER_MS},
	             {ADMIN_WAIT, 0},
	             {ADMIN_UPGRADED, 0}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t late = cases[i].limit > 0 ? 5000 + cases[i].limit : 1ULL << 40;
		struct admin_connection *connection = add(&anna, 0);
		admin_connection_enter(connection, cases[i].phase, 5000);
		assert_int_equal(admin_connections_sweep(&connections, late - 1), 0);
		assert_int_equal(admin_connections_sweep(&connections, late), cases[i].limit > 0);
		assert_int_equal(connection->ended, cases[i].limit > 0);
		assert_int_equal(admin_connections_sweep(&connections, late), 0); /* once is enough */
		admin_connections_remove(connection);
	}
}

static void an_end_is_seen_on_both_sides(void **state)
{
	int pair[2];
	char byte;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	admin_connections_add(&connections, &anna, &bert, pair[0], 0);
	admin_connections_sweep(&connections, ADMIN_HEAD_MS);
	assert_int_equal(recv(pair[0], &byte, 1, MSG_DONTWAIT), 0);
	assert_int_equal(recv(pair[1], &byte, 1, MSG_DONTWAIT), 0);
	close(pair[0]);
	close(pair[1]);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(one_peer_cannot_have_all),  TEST(an_ipv6_network_counts_as_one), TEST(websockets_do_not_count),
	    TEST(all_together_have_a_limit), TEST(what_takes_too_long_ends),      TEST(an_end_is_seen_on_both_sides),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
