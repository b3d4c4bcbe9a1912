/* The HTTP side of the admin API: see the header. */
#include "control/admin_http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <microhttpd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/hostname.h"
#include "common/log.h"
#include "control/api.h"
#include "control/control.h"

enum {
	CONNECTIONS_MAX = 256,
	IDLE_SECONDS = 10,     /* a connection that says nothing */
	BODIES_MAX = 64 << 20, /* bytes of all bodies that are being received */
	APPLY_WAIT_MS = 1000,  /* how long an answer waits for the workers */
	LISTEN_BACKLOG = 128,
};

/* One request, from its head to the end of its answer. */
struct exchange {
	struct exchange *next, *previous; /* in the list of those that wait for the workers */
	struct admin_http *http;
	struct MHD_Connection *connection;
	struct api_request request;
	bool refused;     /* `reply` was made before the body came */
	bool replied;     /* `reply` is complete but for the wait */
	bool waiting;     /* suspended */
	uint64_t give_up; /* monotonic ms */
	struct api_reply reply;
	char *body;
	size_t room;
};

struct admin_http {
	struct control *control;
	struct event_loop *loop;
	struct MHD_Daemon *daemon;
	struct event_fd source;
	struct event_timer timer;  /* libmicrohttpd's own */
	struct event_timer waiter; /* for answers that have waited long enough */
	struct exchange waiting;   /* head of the list */
	size_t body_bytes;         /* of all exchanges */
};

/* ---- the listening socket ---- */

static socklen_t make_sockaddr(const struct address *address, uint16_t port, struct sockaddr_storage *out)
{
	*out = (struct sockaddr_storage){0};
	if (address_is_v4(address)) {
		struct sockaddr_in *in = (struct sockaddr_in *)out;
		*in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
		in->sin_addr.s_addr = address_v4(address);
		return sizeof(*in);
	}
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;
	*in6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(port)};
	memcpy(&in6->sin6_addr, address->bytes, 16);
	return sizeof(*in6);
}

static bool read_sockaddr(const struct sockaddr *from, struct address *address, uint16_t *port)
{
	if (from->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)from;
		*address = address_from_v4(in->sin_addr.s_addr);
		*port = ntohs(in->sin_port);
		return true;
	}
	if (from->sa_family != AF_INET6)
		return false;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)from;
	memcpy(address->bytes, &in6->sin6_addr, 16);
	*port = ntohs(in6->sin6_port);
	return true;
}

static bool local_address(int fd, struct address *address, uint16_t *port)
{
	struct sockaddr_storage local;
	socklen_t len = sizeof(local);
	return getsockname(fd, (struct sockaddr *)&local, &len) == 0 &&
	       read_sockaddr((const struct sockaddr *)&local, address, port);
}

/* The socket that the process before this one left, or -1. */
static int inherited(const struct config *config)
{
	const char *text = getenv(ADMIN_FD_VARIABLE);
	if (!text)
		return -1;
	int fd = atoi(text), listening = 0;
	socklen_t len = sizeof(listening);
	struct address address;
	uint16_t port;
	unsetenv(ADMIN_FD_VARIABLE);
	if (fd <= STDERR_FILENO || getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) != 0 || !listening)
		return -1;
	if (local_address(fd, &address, &port) && address_equal(&address, &config->admin.listen_address) &&
	    port == config->admin.listen_port) {
		fcntl(fd, F_SETFD, FD_CLOEXEC);
		return fd;
	}
	close(fd);
	return -1;
}

int admin_listen(const struct config *config)
{
	struct sockaddr_storage address;
	socklen_t len = make_sockaddr(&config->admin.listen_address, config->admin.listen_port, &address);
	int one = 1, fd = inherited(config);
	if (fd >= 0)
		return fd;
	fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd >= 0 && address.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (fd >= 0 && bind(fd, (const struct sockaddr *)&address, len) == 0 && listen(fd, LISTEN_BACKLOG) == 0)
		return fd;
	log_error("admin API cannot listen on %s: %s; choose a free address in admin.listen", config->admin.listen,
	          strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

/* ---- header fields ---- */

bool admin_host_allowed(const struct config *config, const char *host, const struct address *local)
{
	struct hostname name;
	struct address address;
	char text[HOSTNAME_MAX + 1];
	if (!host || !hostname_set_authority(&name, (const uint8_t *)host, strlen(host)))
		return false;
	for (unsigned i = 0; i < config->admin.allowed_host_count; i++)
		if (strcmp(config->admin.allowed_hosts[i], name.text) == 0)
			return true;
	if (strcmp(name.text, "localhost") == 0)
		return config_address_is_loopback(local);
	bool brackets = name.text[0] == '[';
	snprintf(text, sizeof(text), "%.*s", (int)name.len - 2 * brackets, name.text + brackets);
	return address_parse(text, &address) && address_equal(&address, local);
}

bool admin_origin_allowed(const struct config *config, const char *origin, const struct address *local)
{
	if (!origin)
		return true;
	const char *host = strstr(origin, "://");
	return host && (strncmp(origin, "http://", 7) == 0 || strncmp(origin, "https://", 8) == 0) &&
	       admin_host_allowed(config, host + 3, local);
}

static const char *header(struct MHD_Connection *connection, const char *name)
{
	return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

static const char *query(struct MHD_Connection *connection, const char *name)
{
	return MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, name);
}

/* ---- answers ---- */

static struct MHD_Response *make_response(const struct api_reply *reply)
{
	const char *type = reply->status >= 400 ? "application/problem+json" : "application/json";
	struct MHD_Response *response;
	if (reply->json) {
		size_t len = json_dumpb(reply->json, NULL, 0, JSON_INDENT(2));
		char *text = malloc(len + 1);
		if (!text)
			return NULL;
		json_dumpb(reply->json, text, len, JSON_INDENT(2));
		text[len++] = '\n'; /* for people at a terminal */
		response = MHD_create_response_from_buffer(len, text, MHD_RESPMEM_MUST_FREE);
	} else {
		type = "text/plain; charset=utf-8";
		response = MHD_create_response_from_buffer(strlen(reply->text), (char *)(uintptr_t)reply->text,
		                                           MHD_RESPMEM_PERSISTENT);
	}
	if (!response)
		return NULL;
	MHD_add_response_header(response, "Content-Type", type);
	MHD_add_response_header(response, "Cache-Control", "no-store");
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	if (reply->allow[0] != '\0')
		MHD_add_response_header(response, "Allow", reply->allow);
	return response;
}

static enum MHD_Result send_reply(struct exchange *exchange)
{
	struct api_reply *reply = &exchange->reply;
	if (reply->revision > 0)
		json_object_set_new(reply->json, "applied",
		                    json_boolean(control_applied(exchange->http->control, reply->revision)));
	struct MHD_Response *response = make_response(reply);
	if (!response)
		return MHD_NO;
	enum MHD_Result result = MHD_queue_response(exchange->connection, reply->status, response);
	MHD_destroy_response(response);
	return result;
}

/* ---- the wait for the workers ---- */

static void resume(struct exchange *exchange)
{
	exchange->waiting = false;
	exchange->next->previous = exchange->previous;
	exchange->previous->next = exchange->next;
	MHD_resume_connection(exchange->connection);
}

static void run(struct admin_http *http);

/* Ends the waits that are over: applied, too long, or (`all`) the dataplane is gone. */
static void end_waits(struct admin_http *http, bool all)
{
	uint64_t now = clock_monotonic_ms(), next = UINT64_MAX;
	bool resumed = false;
	for (struct exchange *exchange = http->waiting.next, *after; exchange != &http->waiting; exchange = after) {
		after = exchange->next;
		if (all || now >= exchange->give_up || control_applied(http->control, exchange->reply.revision)) {
			resume(exchange);
			resumed = true;
		} else if (exchange->give_up < next) {
			next = exchange->give_up;
		}
	}
	if (next != UINT64_MAX)
		event_timer_set(http->loop, &http->waiter, next);
	if (resumed)
		run(http);
}

static void waiter_fire(void *context)
{
	end_waits(context, false);
}

static void applied_changed(void *context)
{
	end_waits(context, false);
}

static void wait_for_workers(struct exchange *exchange)
{
	struct admin_http *http = exchange->http;
	exchange->waiting = true;
	exchange->give_up = clock_monotonic_ms() + APPLY_WAIT_MS;
	exchange->next = &http->waiting;
	exchange->previous = http->waiting.previous;
	exchange->previous->next = exchange;
	http->waiting.previous = exchange;
	MHD_suspend_connection(exchange->connection);
	if (!http->waiter.armed)
		event_timer_set(http->loop, &http->waiter, exchange->give_up);
}

/* ---- requests ---- */

static void refuse(struct exchange *exchange, struct api_reply reply)
{
	exchange->refused = true;
	exchange->reply = reply;
}

static bool fields_allowed(struct exchange *exchange)
{
	const struct config *config = exchange->http->control->config;
	const union MHD_ConnectionInfo *client =
	    MHD_get_connection_info(exchange->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	const union MHD_ConnectionInfo *socket =
	    MHD_get_connection_info(exchange->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct address local;
	uint16_t port;
	if (!client || !socket || !read_sockaddr(client->client_addr, &exchange->request.peer, &port) ||
	    !local_address(socket->connect_fd, &local, &port)) {
		refuse(exchange, api_problem(403, "the addresses of this connection cannot be read"));
		return false;
	}
	if (!admin_host_allowed(config, header(exchange->connection, "Host"), &local)) {
		refuse(exchange,
		       api_problem(403, "this Host is neither the listen address nor in admin.allowed_hosts of the "
		                        "configuration file"));
		return false;
	}
	if (!admin_origin_allowed(config, header(exchange->connection, "Origin"), &local)) {
		refuse(exchange, api_problem(403, "requests of pages with another Origin are refused"));
		return false;
	}
	return true;
}

static void begin(struct exchange *exchange, const char *method, const char *path)
{
	struct api_reply reply;
	const char *length = header(exchange->connection, "Content-Length");
	exchange->request = (struct api_request){
	    .method = method,
	    .path = path,
	    .limit = query(exchange->connection, "limit"),
	    .offset = query(exchange->connection, "offset"),
	    .content_type = header(exchange->connection, "Content-Type"),
	};
	if (!fields_allowed(exchange))
		return;
	if (!api_accept(exchange->http->control, &exchange->request, &reply))
		refuse(exchange, reply);
	else if (length && strtoull(length, NULL, 10) > API_BODY_MAX)
		refuse(exchange, api_problem(413, "the body may have 16 MiB"));
}

/* Appends a piece of the body, or refuses; a refused request's body is read and forgotten. */
static void take_body(struct exchange *exchange, const char *data, size_t len)
{
	struct admin_http *http = exchange->http;
	struct api_request *request = &exchange->request;
	if (exchange->refused)
		return;
	if (len > API_BODY_MAX - request->body_len) {
		refuse(exchange, api_problem(413, "the body may have 16 MiB"));
		return;
	}
	size_t needed = request->body_len + len;
	if (needed > exchange->room) {
		size_t room = needed < 4096 ? 4096 : needed * 2;
		char *body = http->body_bytes + room > BODIES_MAX ? NULL : realloc(exchange->body, room);
		if (!body) {
			refuse(exchange, api_problem(503, "too many large requests at once; try again"));
			return;
		}
		http->body_bytes += room - exchange->room;
		exchange->room = room;
		exchange->body = body;
	}
	memcpy(exchange->body + request->body_len, data, len);
	request->body_len = needed;
	request->body = exchange->body;
}

/* libmicrohttpd calls this when the head is there, then for each piece of the body, then once more, and again after a
 * suspended connection was resumed. */
static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version, const char *data, size_t *len, void **slot)
{
	struct exchange *exchange = *slot;
	if (!exchange) {
		exchange = calloc(1, sizeof(*exchange));
		if (!exchange)
			return MHD_NO;
		exchange->http = context;
		exchange->connection = connection;
		*slot = exchange;
		begin(exchange, method, path);
		/* Nothing of a body that is far too long is read. */
		return exchange->refused && exchange->reply.status == 413 ? send_reply(exchange) : MHD_YES;
	}
	if (*len > 0) {
		take_body(exchange, data, *len);
		*len = 0;
		return MHD_YES;
	}
	if (!exchange->refused && !exchange->replied) {
		struct control *control = exchange->http->control;
		exchange->request.method = method;
		exchange->request.path = path;
		exchange->reply = api_handle(control, &exchange->request);
		exchange->replied = true;
		if (exchange->reply.revision > 0 && control->shared &&
		    !control_applied(control, exchange->reply.revision)) {
			wait_for_workers(exchange);
			return MHD_YES;
		}
	}
	return send_reply(exchange);
}

static void on_completed(void *context, struct MHD_Connection *connection, void **slot,
                         enum MHD_RequestTerminationCode code)
{
	struct admin_http *http = context;
	struct exchange *exchange = *slot;
	if (!exchange)
		return;
	if (exchange->waiting) {
		exchange->next->previous = exchange->previous;
		exchange->previous->next = exchange->next;
	}
	http->body_bytes -= exchange->room;
	json_decref(exchange->reply.json);
	free(exchange->body);
	free(exchange);
	*slot = NULL;
}

/* ---- the loop ---- */

static void run(struct admin_http *http)
{
	MHD_UNSIGNED_LONG_LONG timeout;
	MHD_run(http->daemon);
	if (MHD_get_timeout(http->daemon, &timeout) == MHD_YES)
		event_timer_set(http->loop, &http->timer, clock_monotonic_ms() + timeout);
	else
		event_timer_cancel(http->loop, &http->timer);
}

static void timer_fire(void *context)
{
	run(context);
}

static void ready(void *context, uint32_t events)
{
	run(context);
}

static void log_line(void *context, const char *format, va_list args)
{
	char line[300];
	vsnprintf(line, sizeof(line), format, args);
	line[strcspn(line, "\n")] = '\0';
	log_warning("admin API: %s", line);
}

struct admin_http *admin_http_start(struct control *control, struct event_loop *loop, int fd)
{
	struct admin_http *http = calloc(1, sizeof(*http));
	if (!http)
		abort();
	*http = (struct admin_http){.control = control, .loop = loop};
	http->waiting.next = http->waiting.previous = &http->waiting;
	http->timer = (struct event_timer){.fire = timer_fire, .context = http};
	http->waiter = (struct event_timer){.fire = waiter_fire, .context = http};
	http->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL,
	                                on_request, http, MHD_OPTION_EXTERNAL_LOGGER, log_line, NULL,
	                                MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_NOTIFY_COMPLETED, on_completed, http,
	                                MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
	                                MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_SECONDS, MHD_OPTION_END);
	const union MHD_DaemonInfo *info =
	    http->daemon ? MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
	if (!info) {
		log_error("admin API cannot start: libmicrohttpd refuses");
		free(http);
		return NULL;
	}
	http->source = (struct event_fd){.fd = info->epoll_fd, .ready = ready, .context = http};
	event_loop_add(loop, &http->source, EPOLLIN);
	control->applied_changed = applied_changed;
	control->applied_context = http;
	return http;
}

void admin_http_flush(struct admin_http *http)
{
	end_waits(http, true);
	run(http);
}

void admin_http_stop(struct admin_http *http)
{
	http->control->applied_changed = NULL;
	end_waits(http, true);
	event_loop_remove(http->loop, &http->source);
	MHD_stop_daemon(http->daemon);
	event_timer_cancel(http->loop, &http->timer);
	event_timer_cancel(http->loop, &http->waiter);
	free(http);
}
