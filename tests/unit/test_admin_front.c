/* admin_front: connections come through with their addresses, also after the descriptors had run out; strangers, and
 * too many of one peer, do not; TLS is switched while it runs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "control/api/admin_front.h"
#include "control/api/admin_listen.h"
#include "control/control.h"
#include "control_fixture.h"

enum { TAKEN_MAX = 200 };

static struct control control;
static struct config *config;
static struct admin_front *front;
static uint16_t port;
static struct admin_connection *taken[TAKEN_MAX];
static unsigned taken_count;
static bool refuse;

static bool take(void *context, struct admin_connection *connection, const struct sockaddr *from, socklen_t len)
{
	assert_ptr_equal(context, &control);
	if (refuse) {
		close(connection->fd);
		return false;
	}
	taken[taken_count++] = connection;
	return true;
}

static int setup(void **state)
{
	struct address address;
	config = fixture_config("/tmp", "/tmp", NULL);
	config->admin.listen_port = 0; /* any */
	control = (struct control){.config = config, .loop = event_loop_create()};
	taken_count = 0;
	refuse = false;
	int fd = admin_listen(config);
	if (!admin_local_address(fd, &address, &port))
		return -1;
	front = admin_front_create(&control, fd, take, &control);
	return front ? 0 : -1;
}

static int teardown(void **state)
{
	admin_front_close(front);
	for (unsigned i = 0; i < taken_count; i++) {
		close(taken[i]->fd);
		admin_connections_remove(taken[i]);
	}
	admin_front_destroy(front);
	config_free(config);
	event_loop_destroy(control.loop);
	return 0;
}

static int open_client(void)
{
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void turn_until(unsigned count)
{
	for (int i = 0; taken_count < count; i++) {
		assert_true(i < 1000);
		event_loop_turn(control.loop, 5);
	}
}

static void connections_come_through(void **state)
{
	char text[10];
	int client = open_client();
	turn_until(1);
	assert_true(address_equal(&taken[0]->peer, &config->admin.listen_address));
	assert_true(address_equal(&taken[0]->local, &config->admin.listen_address));
	assert_false(taken[0]->tls);
	assert_true(fcntl(taken[0]->fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(taken[0]->fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(send(taken[0]->fd, "plain", 5, 0), 5);
	assert_int_equal(recv(client, text, sizeof(text), 0), 5);
	close(client);
}

static void who_is_not_taken_is_forgotten(void **state)
{
	char byte;
	refuse = true;
	int client = open_client();
	event_loop_turn(control.loop, 1000);
	assert_int_equal(recv(client, &byte, 1, 0), 0);
	close(client);
}

/* True: the connection was closed before a byte went either way, and it took no place. */
static bool turned_away(void)
{
	char byte;
	unsigned before = taken_count;
	int client = open_client();
	event_loop_turn(control.loop, 1000);
	bool away = taken_count == before && recv(client, &byte, 1, MSG_DONTWAIT) == 0;
	close(client);
	return away;
}

static void strangers_are_turned_away(void **state)
{
	static struct prefix here, elsewhere;
	struct cluster cluster = {.spec = fixture_cluster("{'name':'a','source':'push','push_from':['192.0.2.1']}")};
	prefix_parse("127.0.0.1/32", &here);
	prefix_parse("192.0.2.0/24", &elsewhere);
	assert_false(turned_away()); /* loopback, as long as nothing is said */
	config->admin.allow_from[0] = elsewhere;
	config->admin.allow_from_count = 1;
	assert_true(turned_away());
	/* Whoever may come to one place may come in. */
	config->admin.metrics_from[0] = here;
	config->admin.metrics_from_count = 1;
	assert_false(turned_away());
	config->admin.metrics_from_count = 0;
	control.state.clusters[3] = &cluster;
	assert_true(turned_away());
	cluster.spec->push_from[0] = here;
	assert_false(turned_away());
	cluster.spec->source = SOURCE_STATIC;
	assert_true(turned_away());
	config->admin.allow_from[0] = here;
	assert_false(turned_away());
	cluster_free(cluster.spec);
}

static void one_peer_has_its_share(void **state)
{
	int clients[ADMIN_CONNECTIONS_PEER_MAX + 2];
	for (unsigned i = 0; i < ADMIN_CONNECTIONS_PEER_MAX + 2; i++) {
		clients[i] = open_client();
		turn_until(i + 1);
	}
	/* The two that had waited longest went for the last two. */
	unsigned ended = 0;
	for (unsigned i = 0; i < taken_count; i++)
		ended += taken[i]->ended;
	assert_int_equal(ended, 2);
	assert_false(taken[taken_count - 1]->ended);
	for (unsigned i = 0; i < ADMIN_CONNECTIONS_PEER_MAX + 2; i++)
		close(clients[i]);
}

static void out_of_descriptors(void **state)
{
	struct rlimit before, none;
	int client = open_client();
	getrlimit(RLIMIT_NOFILE, &before);
	none = before;
	none.rlim_cur = 3;
	setrlimit(RLIMIT_NOFILE, &none);
	uint64_t begin = clock_monotonic_ms();
	unsigned turns = 0;
	for (; clock_monotonic_ms() < begin + 300; turns++)
		event_loop_turn(control.loop, 50);
	setrlimit(RLIMIT_NOFILE, &before);
	assert_int_equal(taken_count, 0);
	assert_in_range(turns, 1, 30); /* it does not spin */
	turn_until(1);
	close(client);
}

static void tls_comes_and_goes(void **state)
{
	char directory[] = "/tmp/pm-test-front-XXXXXX", command[400], text[10];
	assert_non_null(mkdtemp(directory));
	/* No certificate: what there was goes on. */
	snprintf(config->admin.tls_certificate, sizeof(config->admin.tls_certificate), "%s/c.pem", directory);
	snprintf(config->admin.tls_key, sizeof(config->admin.tls_key), "%s/k.pem", directory);
	uint64_t begin = clock_monotonic_ms();
	while (clock_monotonic_ms() < begin + 1100)
		event_loop_turn(control.loop, 50);
	int first = open_client();
	turn_until(1);
	assert_false(taken[0]->tls);
	snprintf(command, sizeof(command),
	         "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=test -keyout %s/k.pem "
	         "-out %s/c.pem 2>/dev/null",
	         directory, directory);
	assert_int_equal(system(command), 0);
	begin = clock_monotonic_ms();
	while (clock_monotonic_ms() < begin + 1100)
		event_loop_turn(control.loop, 50);
	int second = open_client();
	turn_until(2);
	assert_true(taken[1]->tls);
	/* The first one is as it was. */
	assert_int_equal(send(taken[0]->fd, "plain", 5, 0), 5);
	assert_int_equal(recv(first, text, sizeof(text), 0), 5);
	config->admin.tls_certificate[0] = '\0';
	begin = clock_monotonic_ms();
	while (clock_monotonic_ms() < begin + 1100)
		event_loop_turn(control.loop, 50);
	int third = open_client();
	turn_until(3);
	assert_false(taken[2]->tls);
	close(first);
	close(second);
	close(third);
	snprintf(command, sizeof(command), "rm -r %s", directory);
	assert_int_equal(system(command), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(connections_come_through),  TEST(who_is_not_taken_is_forgotten),
	    TEST(strangers_are_turned_away), TEST(one_peer_has_its_share),
	    TEST(out_of_descriptors),        TEST(tls_comes_and_goes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
