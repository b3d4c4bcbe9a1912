/* The HTTP side of the admin API: see the header. Order: upgrade, answers, waits, requests, connections, the loop. */
#include "control/api/admin_http.h"

#include <jansson.h>
#include <microhttpd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "common/log.h"
#include "control/api/admin_front.h"
#include "control/api/admin_listen.h"
#include "control/api/admin_response.h"
#include "control/api/api.h"
#include "control/control.h"
#include "control/api/websocket.h"

enum {
	IDLE_SECONDS = 10,                /* a connection on which nothing moves */
	BODIES_MAX = 64 << 20,            /* bytes of all bodies that are being received; small ones always may */
	DRAIN_MAX = 64 << 10,             /* a refused request's body that is read, so that the answer is seen */
	APPLY_WAIT_MS = 1000,             /* how long an answer waits for the workers */
	LATER_WAIT_MS = 60000,            /* and for anything else */
	MEMORY_PER_CONNECTION = 64 << 10, /* the head must fit into less than half */
	LOG_LINES_MAX = 10,               /* of libmicrohttpd in LOG_WINDOW_MS: strangers can cause them */
	LOG_WINDOW_MS = 60000,
};

/* One request, from its head to the end of its answer. */
struct exchange {
	struct exchange *next, *previous; /* in the list of those that wait */
	struct admin_http *http;
	struct MHD_Connection *connection;
	struct admin_connection *tracked;
	struct api_request request;
	bool refused;            /* `reply` was made before the body came */
	bool replied;            /* `reply` is complete but for the wait */
	bool waiting;            /* suspended */
	struct api_later *later; /* what it waits for, if not for the workers */
	uint64_t give_up;        /* monotonic ms */
	struct api_reply reply;
	char *body;
	size_t body_max, room, drained;
	struct MHD_UpgradeResponseHandle *upgraded;
};

struct admin_http {
	struct control *control;
	struct event_loop *loop;
	struct MHD_Daemon *daemon;
	struct admin_front *front;
	struct event_fd source;
	struct admin_connection *adding; /* that libmicrohttpd is being given */
	struct event_timer timer;        /* libmicrohttpd's own */
	struct event_timer waiter;       /* for answers that have waited long enough */
	struct exchange waiting;         /* head of the list */
	size_t body_bytes;               /* of all exchanges */
	bool stopping;
	bool wanted; /* to run again at once */
	unsigned log_lines;
	uint64_t log_since;
};

static const char *header(struct MHD_Connection *connection, const char *name)
{
	return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

static void run(struct admin_http *http);

/* libmicrohttpd has something to do that no descriptor tells it. */
static void run_soon(struct admin_http *http)
{
	http->wanted = true;
	event_timer_set(http->loop, &http->timer, clock_monotonic_ms());
}

/* ---- upgrade ---- */

static void release(void *context)
{
	struct exchange *exchange = context;
	run_soon(exchange->http);
	MHD_upgrade_action(exchange->upgraded, MHD_UPGRADE_ACTION_CLOSE);
}

static void upgraded(void *context, struct MHD_Connection *connection, void *slot, const char *early, size_t early_len,
                     MHD_socket fd, struct MHD_UpgradeResponseHandle *handle)
{
	struct exchange *exchange = context;
	exchange->upgraded = handle;
	admin_connection_enter(exchange->tracked, ADMIN_UPGRADED, clock_monotonic_ms());
	websockets_adopt(exchange->http->control->websockets, fd, &exchange->reply.identity, &exchange->tracked->peer,
	                 early, early_len, release, exchange);
}

/* The answer to a handshake; NULL: exchange->reply is a refusal instead. */
static struct MHD_Response *make_upgrade(struct exchange *exchange)
{
	char accept[WEBSOCKET_ACCEPT_MAX];
	struct api_reply refusal;
	const struct websocket_handshake handshake = {
	    .upgrade = header(exchange->connection, "Upgrade"),
	    .connection = header(exchange->connection, "Connection"),
	    .key = header(exchange->connection, "Sec-WebSocket-Key"),
	    .version = header(exchange->connection, "Sec-WebSocket-Version"),
	};
	if (strcmp(exchange->request.method, "GET") != 0) {
		exchange->reply = api_problem(426, "this address speaks WebSocket");
		return NULL;
	}
	if (!websocket_check(exchange->http->control->websockets, &handshake, &refusal, accept)) {
		exchange->reply = refusal;
		return NULL;
	}
	struct MHD_Response *response = MHD_create_response_for_upgrade(upgraded, exchange);
	if (!response)
		return NULL;
	MHD_add_response_header(response, "Upgrade", "websocket");
	MHD_add_response_header(response, "Sec-WebSocket-Accept", accept);
	admin_response_harden(response);
	return response;
}

/* ---- answers ---- */

static enum MHD_Result send_reply(struct exchange *exchange)
{
	struct api_reply *reply = &exchange->reply;
	struct MHD_Response *response = reply->upgrade ? make_upgrade(exchange) : NULL;
	if (reply->write)
		json_object_set_new(reply->json, "applied",
		                    json_boolean(control_applied(exchange->http->control, reply->revision)));
	if (!response)
		response = admin_response(reply);
	if (!response)
		return MHD_NO;
	admin_connection_enter(exchange->tracked, ADMIN_ANSWER, clock_monotonic_ms());
	enum MHD_Result result = MHD_queue_response(exchange->connection, reply->status, response);
	MHD_destroy_response(response);
	return result;
}

/* ---- waiting ---- */

static void wait_until(struct exchange *exchange, uint64_t give_up)
{
	struct admin_http *http = exchange->http;
	exchange->give_up = give_up;
	if (!http->waiter.armed || http->waiter.at > give_up)
		event_timer_set(http->loop, &http->waiter, give_up);
	if (exchange->waiting)
		return;
	exchange->waiting = true;
	exchange->next = &http->waiting;
	exchange->previous = http->waiting.previous;
	exchange->previous->next = exchange;
	http->waiting.previous = exchange;
	admin_connection_enter(exchange->tracked, ADMIN_WAIT, clock_monotonic_ms());
	MHD_suspend_connection(exchange->connection);
}

static void leave_list(struct exchange *exchange)
{
	exchange->waiting = false;
	exchange->next->previous = exchange->previous;
	exchange->previous->next = exchange->next;
}

/* libmicrohttpd calls on_request again, soon. */
static void resume(struct exchange *exchange)
{
	leave_list(exchange);
	run_soon(exchange->http);
	MHD_resume_connection(exchange->connection);
}

/* True if the workers have still to apply what was written. */
static bool is_unapplied(const struct exchange *exchange)
{
	const struct control *control = exchange->http->control;
	return exchange->reply.write && control->shared && !control_applied(control, exchange->reply.revision);
}

static void later_done(void *context, struct api_reply reply)
{
	struct exchange *exchange = context;
	exchange->later = NULL;
	exchange->reply = reply;
	exchange->replied = true;
	if (is_unapplied(exchange))
		wait_until(exchange, clock_monotonic_ms() + APPLY_WAIT_MS);
	else if (exchange->waiting)
		resume(exchange);
}

/* Nobody has answered in time. */
static void give_up_later(struct exchange *exchange)
{
	api_later_forget(exchange->later);
	exchange->later = NULL;
	exchange->replied = true;
	exchange->reply = exchange->http->stopping
	                      ? api_problem(503, "pointsman-control ends or starts again: try again")
	                      : api_problem(504, "this has taken too long; it may still happen");
}

/* Ends the waits that are over: applied, too long, or (`all`) the dataplane is gone or we are. */
static void end_waits(struct admin_http *http, bool all)
{
	uint64_t now = clock_monotonic_ms(), next = UINT64_MAX;
	for (struct exchange *exchange = http->waiting.next, *after; exchange != &http->waiting; exchange = after) {
		after = exchange->next;
		bool over = all || now >= exchange->give_up;
		if (exchange->later && over)
			give_up_later(exchange);
		if (over || (!exchange->later && !is_unapplied(exchange)))
			resume(exchange);
		else if (exchange->give_up < next)
			next = exchange->give_up;
	}
	if (next != UINT64_MAX)
		event_timer_set(http->loop, &http->waiter, next);
}

static void waiter_fire(void *context)
{
	end_waits(context, false);
}

static void applied_changed(void *context)
{
	end_waits(context, false);
}

/* ---- requests ---- */

static void refuse(struct exchange *exchange, struct api_reply reply)
{
	exchange->refused = true;
	exchange->reply = reply;
}

static enum MHD_Result take_query(void *context, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct api_request *request = context;
	if (request->query_count < API_QUERIES_MAX)
		request->queries[request->query_count] = (struct api_query){name, value ? value : ""};
	request->query_count++;
	return MHD_YES;
}

static uint64_t announced(struct MHD_Connection *connection)
{
	const char *length = header(connection, "Content-Length");
	return length ? strtoull(length, NULL, 10) : header(connection, "Transfer-Encoding") != NULL;
}

/* What Host, Origin and fetch metadata say. */
static void read_origin(struct exchange *exchange)
{
	struct api_request *request = &exchange->request;
	const struct config *config = exchange->http->control->config;
	const char *host = header(exchange->connection, "Host"), *origin = header(exchange->connection, "Origin");
	const char *site = header(exchange->connection, "Sec-Fetch-Site");
	const struct address *local = &exchange->tracked->local;
	request->peer = exchange->tracked->peer;
	request->foreign_host = !admin_host_allowed(config, host, local);
	request->foreign_origin = !admin_origin_allowed(config, origin, local);
	request->browser = origin || site;
	/* Either is beyond a page's reach. Not both must say so: browsers differ in what they hold a WebSocket to be.
	 */
	request->same_origin =
	    (site && strcmp(site, "same-origin") == 0) || admin_origin_same(origin, host, exchange->tracked->tls);
}

static void begin(struct exchange *exchange, const char *method, const char *path)
{
	struct api_reply reply;
	struct MHD_Connection *connection = exchange->connection;
	exchange->request = (struct api_request){
	    .method = method,
	    .path = path,
	    .content_type = header(connection, "Content-Type"),
	    .authorization = header(connection, "Authorization"),
	    .cookie = header(connection, "Cookie"),
	    .if_match = header(connection, "If-Match"),
	    .if_none_match = header(connection, "If-None-Match"),
	    .accept = header(connection, "Accept"),
	    .forwarded = header(connection, "Forwarded") || header(connection, "X-Forwarded-For"),
	    .tls = exchange->tracked->tls,
	    .announced_len = announced(connection),
	};
	MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, take_query, &exchange->request);
	read_origin(exchange);
	exchange->body_max = api_body_max(&exchange->request);
	if (!api_accept(exchange->http->control, &exchange->request, &reply))
		refuse(exchange, reply);
}

/* Appends a piece of the body, or refuses. */
static void take_body(struct exchange *exchange, const char *data, size_t len)
{
	struct admin_http *http = exchange->http;
	struct api_request *request = &exchange->request;
	if (len > exchange->body_max - request->body_len) {
		refuse(exchange, api_body_too_long(exchange->body_max));
		return;
	}
	size_t needed = request->body_len + len;
	if (needed > exchange->room) {
		size_t room = needed < 4096 ? 4096 : needed * 2;
		room = room < exchange->body_max ? room : exchange->body_max;
		bool fits = room <= API_BODY_SMALL_MAX || http->body_bytes + room - exchange->room <= BODIES_MAX;
		char *body = fits ? realloc(exchange->body, room) : NULL;
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

/* A refused request's body is read and forgotten, up to a point: who is still sending would not see the answer. */
static enum MHD_Result drain(struct exchange *exchange, size_t len)
{
	exchange->drained += len;
	return exchange->drained > API_BODY_MAX + DRAIN_MAX ? MHD_NO : MHD_YES;
}

/* True if the reply is there; else it comes later. */
static bool handle(struct exchange *exchange, const char *method, const char *path)
{
	exchange->request.method = method;
	exchange->request.path = path;
	exchange->reply = api_handle(exchange->http->control, &exchange->request);
	if (exchange->reply.later) {
		exchange->later = exchange->reply.later;
		exchange->reply = (struct api_reply){0};
		api_later_await(exchange->later, later_done, exchange);
		if (exchange->later)
			wait_until(exchange, clock_monotonic_ms() + LATER_WAIT_MS);
		return !exchange->waiting;
	}
	exchange->replied = true;
	if (is_unapplied(exchange))
		wait_until(exchange, clock_monotonic_ms() + APPLY_WAIT_MS);
	return !exchange->waiting;
}

static enum MHD_Result on_head(struct admin_http *http, struct MHD_Connection *connection, const char *path,
                               const char *method, void **slot)
{
	struct exchange *exchange = calloc(1, sizeof(*exchange));
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	if (!exchange || !info || !info->socket_context) {
		free(exchange);
		return MHD_NO;
	}
	exchange->http = http;
	exchange->connection = connection;
	exchange->tracked = info->socket_context;
	admin_connection_enter(exchange->tracked, ADMIN_BODY, clock_monotonic_ms());
	*slot = exchange;
	begin(exchange, method, path);
	/* Nothing of a large body that is not wanted is read. */
	return exchange->refused && exchange->request.announced_len > DRAIN_MAX ? send_reply(exchange) : MHD_YES;
}

/* libmicrohttpd calls this when the head is there, then for each piece of the body, then once more, and again after a
 * suspended connection was resumed. */
static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version, const char *data, size_t *len, void **slot)
{
	struct exchange *exchange = *slot;
	if (!exchange)
		return on_head(context, connection, path, method, slot);
	if (*len > 0) {
		size_t count = *len;
		*len = 0;
		if (exchange->refused)
			return drain(exchange, count);
		take_body(exchange, data, count);
		return MHD_YES;
	}
	/* Nothing begins any more: nobody would resume what waits, nor close a WebSocket. */
	if (exchange->http->stopping && !exchange->refused && !exchange->replied)
		refuse(exchange, api_problem(503, "pointsman-control ends or starts again: try again"));
	if (!exchange->refused && !exchange->replied && !handle(exchange, method, path))
		return MHD_YES;
	return send_reply(exchange);
}

static void on_completed(void *context, struct MHD_Connection *connection, void **slot,
                         enum MHD_RequestTerminationCode code)
{
	struct admin_http *http = context;
	struct exchange *exchange = *slot;
	if (!exchange)
		return;
	if (exchange->waiting)
		leave_list(exchange);
	if (exchange->later)
		api_later_forget(exchange->later);
	if (exchange->tracked->phase != ADMIN_UPGRADED)
		admin_connection_enter(exchange->tracked, ADMIN_HEAD, clock_monotonic_ms());
	http->body_bytes -= exchange->room;
	api_reply_free(&exchange->reply);
	free(exchange->body);
	free(exchange);
	*slot = NULL;
}

/* ---- connections ---- */

/* libmicrohttpd has a new connection, or an old one has ended. */
static void on_connection(void *context, struct MHD_Connection *connection, void **slot,
                          enum MHD_ConnectionNotificationCode code)
{
	struct admin_http *http = context;
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		*slot = http->adding;
		http->adding = NULL;
	} else if (*slot) {
		admin_connections_remove(*slot);
		*slot = NULL;
	}
}

/* Gives a connection to libmicrohttpd, which closes the descriptor in any case. */
static bool take_connection(void *context, struct admin_connection *connection, const struct sockaddr *from,
                            socklen_t len)
{
	struct admin_http *http = context;
	http->adding = connection;
	bool taken = MHD_add_connection(http->daemon, connection->fd, from, len) == MHD_YES;
	/* on_connection has been called if it was taken, and perhaps even if it was not. */
	bool known = http->adding == NULL;
	http->adding = NULL;
	run_soon(http);
	return taken || known;
}

/* ---- the loop ---- */

static void run(struct admin_http *http)
{
	MHD_UNSIGNED_LONG_LONG timeout;
	http->wanted = false;
	MHD_run(http->daemon);
	if (http->wanted)
		event_timer_set(http->loop, &http->timer, clock_monotonic_ms());
	else if (MHD_get_timeout(http->daemon, &timeout) == MHD_YES)
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

/* With TLS libmicrohttpd has one end of a socket pair, which has no options of TCP. */
static bool is_of_tcp(const char *format)
{
	return strncmp(format, "Setting %s option", 17) == 0 || strncmp(format, "Failed to push the data", 23) == 0;
}

/* Anybody can make libmicrohttpd complain: only so many lines each minute. */
static void log_line(void *context, const char *format, va_list args)
{
	struct admin_http *http = context;
	char line[300];
	uint64_t now = clock_monotonic_ms();
	if (is_of_tcp(format))
		return;
	if (now - http->log_since >= LOG_WINDOW_MS) {
		http->log_since = now;
		http->log_lines = 0;
	}
	if (++http->log_lines > LOG_LINES_MAX)
		return;
	vsnprintf(line, sizeof(line), format, args);
	line[strcspn(line, "\n")] = '\0';
	log_warning("admin API: %s%s", line,
	            http->log_lines == LOG_LINES_MAX ? " (more such lines are left out for a minute)" : "");
}

static size_t unescape(void *context, struct MHD_Connection *connection, char *text)
{
	return admin_unescape(text);
}

static struct MHD_Daemon *start_daemon(struct admin_http *http)
{
	const unsigned flags =
	    MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME | MHD_ALLOW_UPGRADE | MHD_USE_ERROR_LOG;
	return MHD_start_daemon(
	    flags, 0, NULL, NULL, on_request, http, MHD_OPTION_EXTERNAL_LOGGER, log_line, http,
	    MHD_OPTION_NOTIFY_COMPLETED, on_completed, http, MHD_OPTION_NOTIFY_CONNECTION, on_connection, http,
	    MHD_OPTION_UNESCAPE_CALLBACK, unescape, NULL, MHD_OPTION_CONNECTION_LIMIT,
	    (unsigned)(ADMIN_CONNECTIONS_MAX + WEBSOCKET_CLIENTS_MAX + 32), MHD_OPTION_CONNECTION_MEMORY_LIMIT,
	    (size_t)MEMORY_PER_CONNECTION, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_SECONDS, MHD_OPTION_END);
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
	http->daemon = start_daemon(http);
	const union MHD_DaemonInfo *info =
	    http->daemon ? MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
	if (!info) {
		log_error("admin API cannot start: libmicrohttpd refuses");
		free(http);
		return NULL;
	}
	http->front = admin_front_create(control, fd, take_connection, http);
	if (!http->front) {
		MHD_stop_daemon(http->daemon);
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
	http->stopping = true;
	end_waits(http, true);
	run(http);
	admin_front_flush(http->front);
}

void admin_http_stop(struct admin_http *http)
{
	http->control->applied_changed = NULL;
	admin_http_flush(http);
	admin_front_close(http->front);
	event_loop_remove(http->loop, &http->source);
	MHD_stop_daemon(http->daemon);
	event_timer_cancel(http->loop, &http->timer);
	event_timer_cancel(http->loop, &http->waiter);
	admin_front_destroy(http->front);
	free(http);
}
