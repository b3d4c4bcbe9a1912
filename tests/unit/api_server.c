/* The scripted API server: see the header. */
#include "tests/unit/api_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/event_loop.h"

enum { HEAD_MAX = 16384, PATIENCE_MS = 10000 };

struct api_call {
	struct api_server *server;
	struct api_call *next;
	struct event_fd source;
	char head[HEAD_MAX];
	size_t len;
	bool complete; /* a request is there */
	bool taken;    /* by the test */
	bool closed;   /* by the client */
	char target[4096];
	char field[4096];
};

struct api_server {
	struct event_loop *loop;
	struct event_fd listener;
	uint16_t port;
	char url[64];
	struct api_call *calls;
};

static void end_connection(struct api_call *call)
{
	if (call->source.fd < 0)
		return;
	event_loop_remove(call->server->loop, &call->source);
	close(call->source.fd);
	call->source.fd = -1;
}

static void take_request(struct api_call *call)
{
	char *end = memmem(call->head, call->len, "\r\n\r\n", 4);
	if (!end)
		return;
	end[2] = '\0';
	call->complete = true;
	call->taken = false;
	assert_int_equal(sscanf(call->head, "GET %4095s HTTP/1.1\r\n", call->target), 1);
}

static void readable(void *context, uint32_t events)
{
	struct api_call *call = context;
	ssize_t got = recv(call->source.fd, call->head + call->len, HEAD_MAX - 1 - call->len, MSG_DONTWAIT);
	if (got > 0) {
		call->len += (size_t)got;
		take_request(call);
		return;
	}
	if (got < 0 && errno == EAGAIN)
		return;
	call->closed = true;
	end_connection(call);
}

static void acceptable(void *context, uint32_t events)
{
	struct api_server *server = context;
	struct api_call *call = calloc(1, sizeof(*call));
	assert_non_null(call);
	*call = (struct api_call){.server = server, .next = server->calls};
	server->calls = call;
	call->source = (struct event_fd){accept(server->listener.fd, NULL, NULL), readable, call};
	assert_true(call->source.fd >= 0);
	assert_true(event_loop_add(server->loop, &call->source, EPOLLIN));
}

void api_server_up(struct api_server *server)
{
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_port = htons(server->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
	assert_return_code(bind(fd, (struct sockaddr *)&address, len), errno);
	assert_return_code(listen(fd, 16), errno);
	assert_return_code(getsockname(fd, (struct sockaddr *)&address, &len), errno);
	server->port = ntohs(address.sin_port);
	snprintf(server->url, sizeof(server->url), "http://127.0.0.1:%u", server->port);
	server->listener = (struct event_fd){fd, acceptable, server};
	assert_true(event_loop_add(server->loop, &server->listener, EPOLLIN));
}

struct api_server *api_server_start(struct event_loop *loop)
{
	struct api_server *server = calloc(1, sizeof(*server));
	assert_non_null(server);
	server->loop = loop;
	api_server_up(server);
	return server;
}

void api_server_down(struct api_server *server)
{
	for (struct api_call *call = server->calls; call; call = call->next)
		api_cut(call);
	if (server->listener.fd < 0)
		return;
	event_loop_remove(server->loop, &server->listener);
	close(server->listener.fd);
	server->listener.fd = -1;
}

void api_server_stop(struct api_server *server)
{
	api_server_down(server);
	while (server->calls) {
		struct api_call *call = server->calls;
		server->calls = call->next;
		free(call);
	}
	free(server);
}

const char *api_server_url(const struct api_server *server)
{
	return server->url;
}

static struct api_call *find(struct api_server *server, const char *target)
{
	for (struct api_call *call = server->calls; call; call = call->next)
		if (call->complete && !call->taken && !call->closed &&
		    strncmp(call->target, target, strlen(target)) == 0)
			return call;
	return NULL;
}

struct api_call *api_await(struct api_server *server, const char *target)
{
	uint64_t end = clock_monotonic_ms() + PATIENCE_MS;
	struct api_call *call;
	while (!(call = find(server, target)) && clock_monotonic_ms() < end)
		event_loop_turn(server->loop, 10);
	if (!call)
		fail_msg("nobody asked for %s", target);
	call->taken = true;
	return call;
}

void api_expect_none(struct api_server *server, const char *target, unsigned milliseconds)
{
	uint64_t end = clock_monotonic_ms() + milliseconds;
	while (clock_monotonic_ms() < end) {
		event_loop_turn(server->loop, 10);
		if (find(server, target))
			fail_msg("unexpected request for %s", find(server, target)->target);
	}
}

void run_until(struct event_loop *loop, bool (*true_now)(void *context), void *context, const char *what)
{
	uint64_t end = clock_monotonic_ms() + PATIENCE_MS;
	while (!true_now(context)) {
		if (clock_monotonic_ms() > end)
			fail_msg("in vain: %s", what);
		event_loop_turn(loop, 10);
	}
}

const char *api_target(const struct api_call *call)
{
	return call->target;
}

const char *api_field(const struct api_call *call, const char *name)
{
	struct api_call *mine = (struct api_call *)(uintptr_t)call;
	for (const char *line = strstr(call->head, "\r\n"); line && line[2] != '\0'; line = strstr(line + 2, "\r\n")) {
		line += 2;
		size_t len = strlen(name);
		if (strncasecmp(line, name, len) == 0 && line[len] == ':') {
			assert_int_equal(sscanf(line + len + 1, " %4095[^\r]", mine->field), 1);
			return mine->field;
		}
		line -= 2;
	}
	return NULL;
}

static void put(struct api_call *call, const char *bytes, size_t len)
{
	while (len > 0 && call->source.fd >= 0) {
		ssize_t sent = send(call->source.fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent < 0 && errno == EAGAIN) { /* the reader is in this loop */
			event_loop_turn(call->server->loop, 1);
			continue;
		}
		if (sent < 0)
			return; /* the client has gone */
		bytes += sent;
		len -= (size_t)sent;
	}
}

static void next_request(struct api_call *call)
{
	call->complete = false;
	call->len = 0;
}

void api_reply(struct api_call *call, int status, const char *fields, const char *body)
{
	char head[1024];
	int len = snprintf(head, sizeof(head), "HTTP/1.1 %d Whatever\r\n%sContent-Length: %zu\r\n\r\n", status, fields,
	                   strlen(body));
	next_request(call);
	put(call, head, (size_t)len);
	put(call, body, strlen(body));
}

void api_reply_raw(struct api_call *call, const char *bytes, size_t len)
{
	put(call, bytes, len);
	api_cut(call);
}

void api_raw(struct api_call *call, const char *bytes, size_t len)
{
	put(call, bytes, len);
}

void api_stream(struct api_call *call)
{
	static const char head[] =
	    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
	put(call, head, sizeof(head) - 1);
}

void api_send_bytes(struct api_call *call, const char *bytes, size_t len)
{
	char size[32];
	put(call, size, (size_t)snprintf(size, sizeof(size), "%zx\r\n", len));
	put(call, bytes, len);
	put(call, "\r\n", 2);
}

void api_send(struct api_call *call, const char *text)
{
	api_send_bytes(call, text, strlen(text));
}

void api_end(struct api_call *call)
{
	next_request(call);
	put(call, "0\r\n\r\n", 5);
}

void api_cut(struct api_call *call)
{
	end_connection(call);
	call->closed = true;
}

static bool is_closed(void *context)
{
	return ((struct api_call *)context)->closed;
}

void api_await_close(struct api_call *call)
{
	run_until(call->server->loop, is_closed, call, "the client closes the connection");
}
