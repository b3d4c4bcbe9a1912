/* admin_http: requests over real sockets on loopback: header fields, bodies, waiting for the workers, slow clients. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/admin_http.h"
#include "control/admin_listen.h"
#include "control/api.h"
#include "control/control.h"
#include "control_fixture.h"
#include "fake_link.h"

static char directory[] = "/tmp/pm-test-http-XXXXXX";
static struct event_loop *loop;
static struct config *config;
static struct control control;
static struct admin_http *http;
static uint16_t port;

static void remove_state(void)
{
	fixture_empty(directory);
}

static uint16_t port_of(int fd)
{
	struct sockaddr_in address;
	socklen_t len = sizeof(address);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	return ntohs(address.sin_port);
}

static int setup(void **state)
{
	remove_state();
	fake_link_reset(16, 16, 16);
	loop = event_loop_create();
	config = fixture_config(directory, directory,
	                        "'clusters': [" FIXTURE_OSE1 "], 'admin': {'allowed_hosts': ['lb.example']}");
	config->admin.listen_port = 0; /* any */
	int fd = admin_listen(config);
	if (fd < 0 || !control_init(&control, config, loop))
		return -1;
	port = port_of(fd);
	http = admin_http_start(&control, loop, fd);
	control_start(&control);
	return http ? 0 : -1;
}

static int teardown(void **state)
{
	admin_http_stop(http);
	control_stop(&control);
	config_free(config);
	event_loop_destroy(loop);
	fake_link_free();
	return 0;
}

/* ---- a client that never blocks the loop ---- */

struct client {
	int fd;
	char answer[200000];
	size_t len;
	bool closed;
};

static void client_open(struct client *client)
{
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	*client = (struct client){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
	assert_int_equal(connect(client->fd, (struct sockaddr *)&address, sizeof(address)), 0);
	fcntl(client->fd, F_SETFL, O_NONBLOCK);
}

static void client_send(struct client *client, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = send(client->fd, bytes, len, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN)
			return; /* refused half-way: the answer is there */
		bytes += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
		event_loop_turn(loop, 1);
	}
}

static void client_receive(struct client *client)
{
	ssize_t n = recv(client->fd, client->answer + client->len, sizeof(client->answer) - client->len - 1, 0);
	if (n > 0)
		client->len += (size_t)n;
	client->closed |= n == 0 || (n < 0 && errno != EAGAIN);
	client->answer[client->len] = '\0';
}

/* True if head and body are there; every answer of ours has a Content-Length. */
static bool client_complete(const struct client *client)
{
	const char *end = strstr(client->answer, "\r\n\r\n"), *length = strcasestr(client->answer, "Content-Length: ");
	return end && length && client->len >= (size_t)(end + 4 - client->answer) + strtoul(length + 16, NULL, 10);
}

static void client_await(struct client *client)
{
	for (int turn = 0; !client_complete(client) && !client->closed; turn++) {
		assert_true(turn < 5000);
		event_loop_turn(loop, 2);
		client_receive(client);
	}
}

static int client_status(const struct client *client)
{
	return strncmp(client->answer, "HTTP/1.1 ", 9) == 0 ? atoi(client->answer + 9) : 0;
}

/* Sends the text on a connection of its own; the status of the answer, which is in `last`. */
static struct client last;

static int ask(const char *request)
{
	client_open(&last);
	client_send(&last, request, strlen(request));
	client_await(&last);
	close(last.fd);
	return client_status(&last);
}

static int get(const char *path, const char *fields)
{
	char request[1000];
	snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\n%s\r\n", path, fields);
	return ask(request);
}

static int put(const char *name, const char *body)
{
	char request[2000];
	snprintf(request, sizeof(request),
	         "PUT /api/v1/clusters/%s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
	         "Content-Length: %zu\r\n\r\n%s",
	         name, strlen(body), body);
	return ask(request);
}

/* ---- tests ---- */

static void answers(void **state)
{
	assert_int_equal(get("/api/v1/status", "Host: 127.0.0.1:8089\r\n"), 200);
	assert_non_null(strstr(last.answer, "Content-Type: application/json\r\n"));
	assert_non_null(strstr(last.answer, "Cache-Control: no-store\r\n"));
	assert_int_equal(get("/api/v1", "Host: 127.0.0.1\r\n"), 200);
	assert_non_null(strstr(last.answer, "Content-Type: text/plain"));
	assert_int_equal(get("/nothing", "Host: 127.0.0.1\r\n"), 404);
	assert_non_null(strstr(last.answer, "Content-Type: application/problem+json\r\n"));
	assert_int_equal(ask("POST /api/v1/clusters/x HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n"), 405);
	assert_non_null(strstr(last.answer, "Allow: GET, PUT, PATCH, DELETE\r\n"));
	assert_int_equal(get("/api/v1/hosts?limit=1&offset=1", "Host: 127.0.0.1\r\n"), 200);
	assert_non_null(strstr(last.answer, "\"203.0.113.12\""));
	assert_null(strstr(last.answer, "\"203.0.113.11\""));
}

static void two_requests_on_one_connection(void **state)
{
	static const char request[] = "GET /api/v1/clusters HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
	client_open(&last);
	for (int i = 0; i < 3; i++) {
		last.len = 0;
		client_send(&last, request, strlen(request));
		client_await(&last);
		assert_int_equal(client_status(&last), 200);
		assert_false(last.closed);
	}
	close(last.fd);
}

static void hosts_and_origins(void **state)
{
	assert_int_equal(get("/", "Host: evil.example\r\n"), 403);
	assert_int_equal(get("/", "Host: 127.0.0.2\r\n"), 403);
	assert_int_equal(ask("GET / HTTP/1.0\r\n\r\n"), 403);
	assert_int_equal(get("/", "Host: localhost:8089\r\n"), 200);
	assert_int_equal(get("/", "Host: LB.example\r\n"), 200);
	assert_int_equal(get("/", "Host: 127.0.0.1\r\nOrigin: http://evil.example\r\n"), 403);
	assert_int_equal(get("/", "Host: 127.0.0.1\r\nOrigin: null\r\n"), 403);
	assert_int_equal(get("/", "Host: 127.0.0.1\r\nOrigin: http://127.0.0.1:8089\r\n"), 200);
	assert_int_equal(get("/", "Host: 127.0.0.1\r\nOrigin: https://lb.example\r\n"), 200);
}

static void writes(void **state)
{
	assert_int_equal(put("new", "{\"source\":\"static\"}"), 201);
	assert_non_null(strstr(last.answer, "\"revision\": 2"));
	assert_non_null(strstr(last.answer, "\"applied\": false")); /* there is no dataplane */
	assert_int_equal(put("new", "{\"source\":\"static\""), 400);
	assert_int_equal(ask("PUT /api/v1/clusters/a HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2\r\n\r\n{}"), 415);
	assert_int_equal(ask("DELETE /api/v1/clusters/new HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"), 200);
	assert_int_equal(control.state.revision, 3);
}

static void a_body_byte_by_byte(void **state)
{
	static const char request[] =
	    "PUT /api/v1/clusters/slow HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: "
	    "application/json\r\nTransfer-Encoding: chunked\r\n\r\n13\r\n{\"source\":\"static\"}\r\n0\r\n\r\n";
	client_open(&last);
	for (size_t i = 0; i < sizeof(request) - 1; i++) {
		client_send(&last, request + i, 1);
		/* Others are served meanwhile. */
		if (i % 40 == 0) {
			struct client slow = last;
			assert_int_equal(get("/", "Host: 127.0.0.1\r\n"), 200);
			last = slow;
		}
	}
	client_await(&last);
	assert_int_equal(client_status(&last), 201);
	close(last.fd);
}

static void bodies_that_are_too_large(void **state)
{
	char head[300];
	char *piece = calloc(1, 1 << 20);
	snprintf(
	    head, sizeof(head),
	    "PUT /api/v1/clusters/a HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: "
	    "%d\r\n\r\n",
	    API_BODY_MAX + 1);
	assert_int_equal(ask(head), 413); /* not a byte of the body is waited for */

	client_open(&last);
	snprintf(head, sizeof(head),
	         "PUT /api/v1/clusters/a HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: "
	         "application/json\r\nTransfer-Encoding: chunked\r\n\r\n");
	client_send(&last, head, strlen(head));
	for (int i = 0; i < 17; i++) {
		client_send(&last, "100000\r\n", 8);
		client_send(&last, piece, 1 << 20);
		client_send(&last, "\r\n", 2);
	}
	client_send(&last, "0\r\n\r\n", 5);
	client_await(&last);
	assert_int_equal(client_status(&last), 413);
	close(last.fd);
	free(piece);
	assert_int_equal(control.state.revision, 1);
}

static void a_write_waits_for_the_workers(void **state)
{
	static const char request[] = "DELETE /api/v1/clusters/ose1?force=true HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
	assert_null(fake_link_appear());
	while (!control_applied(&control, 1))
		event_loop_turn(loop, 5);
	fake_link.room = 0; /* the rings are full */
	client_open(&last);
	client_send(&last, request, strlen(request));
	for (int i = 0; i < 20; i++) {
		event_loop_turn(loop, 5);
		client_receive(&last);
	}
	assert_int_equal(control.state.revision, 2);
	assert_int_equal(last.len, 0);
	fake_link.room = 100;
	client_await(&last);
	assert_int_equal(client_status(&last), 200);
	assert_non_null(strstr(last.answer, "\"applied\": true"));
	close(last.fd);
}

static void but_not_for_ever(void **state)
{
	uint64_t before = clock_monotonic_ms();
	fake_link.acknowledge = false;
	assert_null(fake_link_appear());
	assert_int_equal(put("new", "{\"source\":\"static\"}"), 201);
	assert_non_null(strstr(last.answer, "\"applied\": false"));
	assert_true(clock_monotonic_ms() - before >= 900);
}

static void what_waits_is_answered_before_the_end(void **state)
{
	static const char request[] = "DELETE /api/v1/clusters/ose1?force=true HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
	fake_link.acknowledge = false;
	assert_null(fake_link_appear());
	client_open(&last);
	client_send(&last, request, strlen(request));
	while (control.state.revision == 1)
		event_loop_turn(loop, 5);
	admin_http_flush(http);
	struct pollfd readable = {.fd = last.fd, .events = POLLIN};
	assert_int_equal(poll(&readable, 1, 5000), 1);
	client_receive(&last);
	assert_int_equal(client_status(&last), 200);
	close(last.fd);
}

static void clients_that_go_away(void **state)
{
	static const char half[] = "PUT /api/v1/clusters/ose1 HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: "
	                           "application/json\r\nContent-Length: 5000\r\n\r\n{\"source\":";
	static const char deletion[] = "DELETE /api/v1/clusters/ose1?force=true HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
	for (size_t len = 1; len < sizeof(half); len += 10) {
		client_open(&last);
		client_send(&last, half, len);
		close(last.fd);
	}
	assert_int_equal(control.state.revision, 1);
	fake_link.acknowledge = false;
	assert_null(fake_link_appear());
	client_open(&last);
	client_send(&last, deletion, strlen(deletion));
	while (control.state.revision == 1)
		event_loop_turn(loop, 5);
	close(last.fd); /* while it waits */
	assert_int_equal(get("/", "Host: 127.0.0.1\r\n"), 200);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(answers),
	    TEST(two_requests_on_one_connection),
	    TEST(hosts_and_origins),
	    TEST(writes),
	    TEST(a_body_byte_by_byte),
	    TEST(bodies_that_are_too_large),
	    TEST(a_write_waits_for_the_workers),
	    TEST(but_not_for_ever),
	    TEST(what_waits_is_answered_before_the_end),
	    TEST(clients_that_go_away),
	};
	if (!mkdtemp(directory))
		return 1;
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	remove_state();
	rmdir(directory);
	return failed;
}
