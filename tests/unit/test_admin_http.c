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

#include "control/api/admin_http.h"
#include "control/api/admin_listen.h"
#include "control/api/api.h"
#include "control/control.h"
#include "control/api/websocket.h"
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
	control.websockets = websockets_create(&control);
	http = admin_http_start(&control, loop, fd);
	control_start(&control);
	return http ? 0 : -1;
}

static int teardown(void **state)
{
	websockets_close_all(control.websockets);
	admin_http_stop(http);
	control_stop(&control);
	websockets_destroy(control.websockets);
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

/* Announces a body of this length, and sends none of it. */
static int announce(const char *line, size_t len)
{
	char head[300];
	snprintf(head, sizeof(head),
	         "%s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
	         line, len);
	return ask(head);
}

/* Sends so much of a body whose length is not known before. */
static void send_chunked(struct client *client, const char *line, size_t len)
{
	char head[300], size[20];
	char *body = malloc(len);
	assert_non_null(body);
	memset(body, ' ', len);
	snprintf(head, sizeof(head),
	         "%s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nTransfer-Encoding: "
	         "chunked\r\n\r\n",
	         line);
	snprintf(size, sizeof(size), "%zx\r\n", len);
	client_send(client, head, strlen(head));
	client_send(client, size, strlen(size));
	client_send(client, body, len);
	client_send(client, "\r\n", 2);
	free(body);
}

static void each_address_has_its_limit(void **state)
{
	static const struct {
		const char *line, *detail;
		size_t limit;
	} cases[] = {
	    {"POST /api/v1/login", "may have at most 4 KiB", 4 << 10},
	    {"POST /api/v1/logout", "may have at most 4 KiB", 4 << 10},
	    {"GET /api/v1/status", "may have at most 4 KiB", 4 << 10},
	    {"GET /", "may have at most 4 KiB", 4 << 10},
	    {"POST /api/v1/tokens", "may have at most 64 KiB", 64 << 10},
	    {"PATCH /api/v1/clusters/ose1", "may have at most 64 KiB", 64 << 10},
	    {"DELETE /api/v1/clusters/ose1", "may have at most 64 KiB", 64 << 10},
	    {"POST /api/v1/import", "may have at most 16 MiB", 16 << 20},
	    {"PUT /api/v1/clusters/a", "may have at most 16 MiB", 16 << 20},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (cases[i].limit > 64 << 10) {
			assert_int_equal(announce(cases[i].line, cases[i].limit + 1), 413); /* before it is sent */
			assert_non_null(strstr(last.answer, cases[i].detail));
		}
		client_open(&last);
		send_chunked(&last, cases[i].line, cases[i].limit + 1);
		client_send(&last, "0\r\n\r\n", 5);
		client_await(&last);
		assert_int_equal(client_status(&last), 413);
		assert_non_null(strstr(last.answer, cases[i].detail));
		close(last.fd);
		client_open(&last);
		send_chunked(&last, cases[i].line, cases[i].limit);
		client_send(&last, "0\r\n\r\n", 5);
		client_await(&last);
		assert_int_not_equal(client_status(&last), 413);
		close(last.fd);
	}
	assert_int_equal(announce("POST /api/v1/login", 64 << 20), 413);
	assert_non_null(strstr(last.answer, "may have at most 4 KiB"));
	assert_int_equal(announce("POST /api/v1/tokens", 1 << 20), 413);
}

/* Until everything that was sent has been read. */
static void settle(void)
{
	uint64_t before;
	do {
		before = clock_monotonic_ms();
		event_loop_turn(loop, 50);
	} while (clock_monotonic_ms() - before < 50);
}

/* What is received slowly and is large keeps nobody from small things. */
static void large_bodies_leave_room_for_small_ones(void **state)
{
	enum { SLOW = 4 };
	static struct client slow[SLOW];
	for (int i = 0; i < SLOW; i++) {
		client_open(&slow[i]);
		send_chunked(&slow[i], "PUT /api/v1/clusters/a", API_BODY_MAX);
	}
	settle();
	client_open(&last);
	send_chunked(&last, "PUT /api/v1/clusters/a", 1 << 20);
	client_send(&last, "0\r\n\r\n", 5);
	client_await(&last);
	assert_int_equal(client_status(&last), 503);
	close(last.fd);
	assert_int_equal(put("small", "{\"source\":\"static\"}"), 201);
	for (int i = 0; i < SLOW; i++) {
		assert_int_equal(slow[i].len, 0);
		client_send(&slow[i], "0\r\n\r\n", 5);
		client_await(&slow[i]);
		assert_int_equal(client_status(&slow[i]), 400); /* all of them had room */
		close(slow[i].fd);
	}
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

/* ---- answers that come later ---- */

/* Replaces an address of the API: what is asked there waits until the test answers. */
static struct api_later *later;

static bool has_later(void)
{
	return later != NULL;
}

struct api_reply __real_api_handle(struct control *given, const struct api_request *request);
struct api_reply __wrap_api_handle(struct control *given, const struct api_request *request)
{
	if (strcmp(request->path, "/api/v1/status") != 0 || request->query_count > 0 || !request->if_match)
		return __real_api_handle(given, request);
	later = api_later_create();
	return api_later_reply(later);
}

#define LATER "GET /api/v1/status HTTP/1.1\r\nHost: 127.0.0.1\r\nIf-Match: *\r\n\r\n"

static void ask_later(void)
{
	later = NULL;
	client_open(&last);
	client_send(&last, LATER, strlen(LATER));
	while (!has_later())
		event_loop_turn(loop, 5);
}

static void an_answer_comes_later(void **state)
{
	ask_later();
	for (int i = 0; i < 10; i++) {
		event_loop_turn(loop, 2);
		client_receive(&last);
	}
	assert_int_equal(last.len, 0);
	struct client slow = last;
	assert_int_equal(get("/api/v1/clusters", "Host: 127.0.0.1\r\n"), 200); /* others do not wait */
	last = slow;
	api_later_answer(later, api_problem(409, "at last"));
	client_await(&last);
	assert_int_equal(client_status(&last), 409);
	assert_non_null(strstr(last.answer, "at last"));
	/* The connection goes on. */
	last.len = 0;
	later = NULL;
	client_send(&last, LATER, strlen(LATER));
	while (!has_later())
		event_loop_turn(loop, 5);
	api_later_answer(later, api_problem(410, "and again"));
	client_await(&last);
	assert_int_equal(client_status(&last), 410);
	close(last.fd);
}

static void a_later_write_waits_for_the_workers_too(void **state)
{
	fake_link.acknowledge = false;
	assert_null(fake_link_appear());
	ask_later();
	uint64_t before = clock_monotonic_ms();
	api_later_answer(later,
	                 (struct api_reply){.status = 200, .json = json_object(), .write = true, .revision = 99});
	client_await(&last);
	assert_int_equal(client_status(&last), 200);
	assert_non_null(strstr(last.answer, "\"applied\": false"));
	assert_true(clock_monotonic_ms() - before >= 900);
	close(last.fd);
}

static void who_went_away_gets_no_later_answer(void **state)
{
	ask_later();
	close(last.fd);
	struct api_later *first = later;
	assert_int_equal(get("/api/v1/clusters", "Host: 127.0.0.1\r\n"), 200);
	api_later_answer(first, api_problem(409, "nobody reads this"));
	assert_int_equal(get("/api/v1/clusters", "Host: 127.0.0.1\r\n"), 200);
}

static void at_the_end_nothing_comes_later(void **state)
{
	ask_later();
	admin_http_flush(http);
	struct pollfd readable = {.fd = last.fd, .events = POLLIN};
	assert_int_equal(poll(&readable, 1, 5000), 1);
	client_receive(&last);
	assert_int_equal(client_status(&last), 503);
	close(last.fd);
	api_later_answer(later, api_problem(200, "too late"));
}

/* A request that arrives when the loop has ended must not begin to wait: nobody would resume it. */
static void at_the_end_nothing_new_begins(void **state)
{
	later = NULL;
	client_open(&last);
	client_send(&last, LATER, 20); /* the connection is known */
	for (int i = 0; i < 5; i++)
		event_loop_turn(loop, 2);
	send(last.fd, &LATER[20], sizeof(LATER) - 1 - 20, MSG_NOSIGNAL);
	admin_http_flush(http);
	assert_false(has_later());
	struct pollfd readable = {.fd = last.fd, .events = POLLIN};
	assert_int_equal(poll(&readable, 1, 5000), 1);
	client_receive(&last);
	assert_int_equal(client_status(&last), 503);
	close(last.fd);
}

/* ---- WebSockets ---- */

static unsigned streams;

static void stream_opened(void *context, struct websocket_client *client)
{
	streams++;
	websocket_send(client, "hello", 5);
}

static void stream_message(void *context, struct websocket_client *client, const char *text, size_t len)
{
	websocket_send(client, text, len);
}

static void stream_closed(void *context, struct websocket_client *client)
{
	streams--;
}

static void a_connection_becomes_a_websocket(void **state)
{
	static const char handshake[] =
	    "GET /api/v1/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: "
	    "Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
	    "dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\x81\x82\0\0\0\0hi";
	const struct websocket_hub hub = {NULL, stream_opened, stream_message, stream_closed};
	client_open(&last);
	client_send(&last, handshake, sizeof(handshake) - 1);
	client_await(&last);
	assert_int_equal(client_status(&last), 503); /* nobody has anything to say */
	close(last.fd);
	websockets_set_hub(control.websockets, &hub);
	client_open(&last);
	client_send(&last, handshake, sizeof(handshake) - 1); /* with the first message behind it */
	for (int i = 0; i < 2000 && !strstr(last.answer, "\x81\x02hi"); i++) {
		event_loop_turn(loop, 2);
		client_receive(&last);
	}
	assert_int_equal(client_status(&last), 101);
	assert_non_null(strstr(last.answer, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
	assert_non_null(strstr(last.answer, "\r\n\r\n\x81\x05hello\x81\x02hi"));
	assert_int_equal(streams, 1);
	close(last.fd);
	for (int i = 0; i < 2000 && streams > 0; i++)
		event_loop_turn(loop, 2);
	assert_int_equal(streams, 0);
	/* One stays until our end, and sees our good-bye. */
	client_open(&last);
	client_send(&last, handshake, sizeof(handshake) - 1);
	while (streams == 0)
		event_loop_turn(loop, 2);
	websockets_close_all(control.websockets);
	assert_int_equal(streams, 0);
	for (int i = 0; i < 2000 && !last.closed; i++) {
		event_loop_turn(loop, 2);
		client_receive(&last);
	}
	assert_non_null(strstr(last.answer, "\x03\xe9")); /* 1001 */
	close(last.fd);
}

static void at_the_end_nothing_becomes_a_websocket(void **state)
{
	static const char handshake[] =
	    "GET /api/v1/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: "
	    "Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
	const struct websocket_hub hub = {NULL, stream_opened, stream_message, stream_closed};
	websockets_set_hub(control.websockets, &hub);
	client_open(&last);
	client_send(&last, handshake, 20);
	for (int i = 0; i < 5; i++)
		event_loop_turn(loop, 2);
	send(last.fd, handshake + 20, sizeof(handshake) - 1 - 20, MSG_NOSIGNAL);
	admin_http_flush(http);
	assert_int_equal(streams, 0);
	client_receive(&last);
	assert_int_equal(client_status(&last), 503);
	close(last.fd);
}

/* ---- header fields of answers ---- */

static void every_answer_is_hardened(void **state)
{
	static const char *const paths[] = {"/", "/api/v1/status", "/nothing", "/api/v1/stream"};
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		get(paths[i], "Host: 127.0.0.1\r\n");
		assert_non_null(strstr(last.answer, "Content-Security-Policy: default-src 'none'; script-src 'self'"));
		assert_non_null(strstr(last.answer, "frame-ancestors 'none'"));
		assert_non_null(strstr(last.answer, "X-Frame-Options: DENY\r\n"));
		assert_non_null(strstr(last.answer, "X-Content-Type-Options: nosniff\r\n"));
		assert_non_null(strstr(last.answer, "Referrer-Policy: no-referrer\r\n"));
	}
	assert_non_null(strstr(last.answer, "HTTP/1.1 426 "));
	assert_non_null(strstr(last.answer, "Sec-WebSocket-Version: 13\r\n"));
}

static void tags(void **state)
{
	assert_int_equal(get("/api/v1/clusters", "Host: 127.0.0.1\r\n"), 200);
	assert_non_null(strstr(last.answer, "ETag: \"1\"\r\n"));
	assert_int_equal(get("/", "Host: 127.0.0.1\r\n"), 200);
	char field[100], *tag = strstr(last.answer, "ETag: ") + 6;
	assert_non_null(strstr(last.answer, "Cache-Control: no-cache\r\n"));
	assert_non_null(strstr(last.answer, "Content-Type: text/html"));
	snprintf(field, sizeof(field), "Host: 127.0.0.1\r\nIf-None-Match: %.*s\r\n", (int)strcspn(tag, "\r"), tag);
	client_open(&last);
	char request[300];
	snprintf(request, sizeof(request), "GET / HTTP/1.1\r\n%s\r\n", field);
	client_send(&last, request, strlen(request));
	for (int i = 0; i < 500 && !strstr(last.answer, "\r\n\r\n"); i++) {
		event_loop_turn(loop, 2);
		client_receive(&last);
	}
	assert_int_equal(client_status(&last), 304);
	close(last.fd);
}

static void heads_have_no_body(void **state)
{
	static const char request[] = "HEAD / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
	client_open(&last);
	client_send(&last, request, sizeof(request) - 1);
	for (int i = 0; i < 2000 && !last.closed; i++) {
		event_loop_turn(loop, 2);
		client_receive(&last);
	}
	assert_int_equal(client_status(&last), 200);
	assert_true(strtoul(strstr(last.answer, "Content-Length: ") + 16, NULL, 10) > 0);
	assert_string_equal(strstr(last.answer, "\r\n\r\n"), "\r\n\r\n");
	close(last.fd);
}

static void texts_with_zero_bytes(void **state)
{
	assert_int_equal(get("/api/v1/status%00.css", "Host: 127.0.0.1\r\n"), 404);
	assert_int_equal(get("/api/v1/hosts?limit=1%00", "Host: 127.0.0.1\r\n"), 400);
	assert_int_equal(get("/api/v1/%73tatus", "Host: 127.0.0.1\r\n"), 200);
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
	    TEST(each_address_has_its_limit),
	    TEST(large_bodies_leave_room_for_small_ones),
	    TEST(a_write_waits_for_the_workers),
	    TEST(but_not_for_ever),
	    TEST(what_waits_is_answered_before_the_end),
	    TEST(an_answer_comes_later),
	    TEST(a_later_write_waits_for_the_workers_too),
	    TEST(who_went_away_gets_no_later_answer),
	    TEST(at_the_end_nothing_comes_later),
	    TEST(at_the_end_nothing_new_begins),
	    TEST(a_connection_becomes_a_websocket),
	    TEST(at_the_end_nothing_becomes_a_websocket),
	    TEST(every_answer_is_hardened),
	    TEST(tags),
	    TEST(heads_have_no_body),
	    TEST(texts_with_zero_bytes),
	    TEST(clients_that_go_away),
	};
	if (!mkdtemp(directory))
		return 1;
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	remove_state();
	rmdir(directory);
	return failed;
}
