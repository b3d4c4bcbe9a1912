/* WebSockets of the admin API: see the header. libwslay reads and makes frames; what it sends goes into the same queue
 * as the texts, so that frames never mix. */
#include "control/api/websocket.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <wslay/wslay.h>

#include "control/api/auth.h"
#include "control/control.h"

enum {
	HEADER_MAX = 14,
	READ_PER_TURN = 64 << 10, /* others want to be served too */
	PIECES_PER_WRITE = 16,
	TICK_MS = 1000,
};

/* Bytes as they go over the wire, for any number of clients. */
struct websocket_text {
	unsigned references;
	size_t len, room;
	uint8_t bytes[];
};

struct piece {
	struct piece *next;
	struct websocket_text *text;
};

struct websocket_client {
	struct websocket_client *next, *previous;
	struct websockets *sockets;
	struct event_fd source;
	struct identity identity;
	struct address peer;
	wslay_event_context_ptr frames;
	void *data;

	struct piece *first, *last; /* what is to be sent */
	size_t sent;                /* of the first piece */
	size_t queued;              /* bytes of all pieces that are left */
	size_t allowed;             /* how many may be queued; more before the first message has gone */
	bool greeted;               /* the first message was queued */
	bool waits_for_room;

	const uint8_t *early; /* what came with the handshake */
	size_t early_len;
	size_t read_left;                         /* in this turn */
	unsigned messages;                        /* in this second */
	uint64_t heard_at, pinged_at, leaving_at; /* monotonic ms; leaving_at 0: we have not said good-bye */
	bool dead;                                /* to be forgotten */

	void (*release)(void *context);
	void *context;
};

struct websockets {
	const struct control *control;
	struct websocket_hub hub;
	unsigned count;
	struct websocket_client clients; /* head of the list */
	struct event_timer tick, reap;
};

/* ---- texts ---- */

static struct websocket_text *text_create(size_t room)
{
	struct websocket_text *text = malloc(sizeof(*text) + room);
	if (!text)
		abort();
	*text = (struct websocket_text){.references = 1, .room = room};
	return text;
}

static ssize_t text_append(const uint8_t *data, size_t len, int flags, void *context)
{
	struct websocket_text *text = context;
	if (len > text->room - text->len)
		return -1;
	memcpy(text->bytes + text->len, data, len);
	text->len += len;
	return (ssize_t)len;
}

struct websocket_text *websocket_text_create(const char *bytes, size_t len)
{
	const struct wslay_frame_callbacks callbacks = {.send_callback = text_append};
	struct wslay_frame_iocb frame = {.fin = 1,
	                                 .opcode = WSLAY_TEXT_FRAME,
	                                 .payload_length = len,
	                                 .data = (const uint8_t *)bytes,
	                                 .data_length = len};
	struct websocket_text *text = text_create(HEADER_MAX + len);
	wslay_frame_context_ptr context;
	if (wslay_frame_context_init(&context, &callbacks, text) != 0 ||
	    wslay_frame_send(context, &frame) != (ssize_t)len)
		abort();
	wslay_frame_context_free(context);
	return text;
}

void websocket_text_release(struct websocket_text *text)
{
	if (--text->references == 0)
		free(text);
}

/* ---- the queue of a client ---- */

static void reap_soon(struct websockets *sockets)
{
	event_timer_set(sockets->control->loop, &sockets->reap, clock_monotonic_ms());
}

static void kill_client(struct websocket_client *client)
{
	if (client->dead)
		return;
	client->dead = true;
	event_loop_remove(client->sockets->control->loop, &client->source);
	reap_soon(client->sockets);
}

static void drop_first(struct websocket_client *client)
{
	struct piece *piece = client->first;
	client->queued -= piece->text->len - client->sent;
	client->sent = 0;
	client->first = piece->next;
	websocket_text_release(piece->text);
	free(piece);
}

static void enqueue(struct websocket_client *client, struct websocket_text *text)
{
	struct piece *piece = malloc(sizeof(*piece));
	if (!piece)
		abort();
	text->references++;
	*piece = (struct piece){.text = text};
	if (client->first)
		client->last->next = piece;
	else
		client->first = piece;
	client->last = piece;
	client->queued += text->len;
}

static unsigned gather(const struct websocket_client *client, struct iovec *parts)
{
	unsigned count = 0;
	for (const struct piece *piece = client->first; piece && count < PIECES_PER_WRITE; piece = piece->next) {
		size_t from = count == 0 ? client->sent : 0;
		parts[count++] = (struct iovec){piece->text->bytes + from, piece->text->len - from};
	}
	return count;
}

static void drop_sent(struct websocket_client *client, size_t len)
{
	while (len > 0) {
		size_t left = client->first->text->len - client->sent;
		if (len < left) {
			client->sent += len;
			client->queued -= len;
			return;
		}
		len -= left;
		drop_first(client);
	}
}

/* Sends what the socket takes. */
static void flush(struct websocket_client *client)
{
	struct iovec parts[PIECES_PER_WRITE];
	while (client->first && !client->dead) {
		struct msghdr message = {.msg_iov = parts, .msg_iovlen = gather(client, parts)};
		ssize_t len = sendmsg(client->source.fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (len < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (len < 0) {
			kill_client(client);
			return;
		}
		drop_sent(client, (size_t)len);
	}
	if (!client->first)
		client->allowed = WEBSOCKET_QUEUE_MAX;
	bool waits = client->first != NULL;
	if (waits != client->waits_for_room && !client->dead) {
		client->waits_for_room = waits;
		event_loop_change(client->sockets->control->loop, &client->source,
		                  waits ? EPOLLIN | EPOLLOUT : EPOLLIN);
	}
}

/* What libwslay wants to say by itself: pongs, good-byes. */
static void pump(struct websocket_client *client)
{
	if (!client->dead && wslay_event_want_write(client->frames) && wslay_event_send(client->frames) != 0)
		kill_client(client);
}

static ssize_t take_frame(wslay_event_context_ptr frames, const uint8_t *data, size_t len, int flags, void *context)
{
	struct websocket_client *client = context;
	if (client->queued + len > client->allowed + WEBSOCKET_QUEUE_MAX) {
		wslay_event_set_error(frames, WSLAY_ERR_CALLBACK_FAILURE);
		return -1;
	}
	struct websocket_text *text = text_create(len);
	text_append(data, len, 0, text);
	enqueue(client, text);
	websocket_text_release(text);
	return (ssize_t)len;
}

void websocket_close(struct websocket_client *client, unsigned code, const char *reason)
{
	if (client->dead || client->leaving_at != 0)
		return;
	client->leaving_at = clock_monotonic_ms();
	wslay_event_queue_close(client->frames, (uint16_t)code, (const uint8_t *)reason, strlen(reason));
	pump(client);
	flush(client);
	if (!client->sockets->tick.armed)
		event_timer_set(client->sockets->control->loop, &client->sockets->tick, clock_monotonic_ms() + TICK_MS);
}

/* It does not keep up: what it has not begun to read is forgotten. */
static void too_slow(struct websocket_client *client)
{
	struct piece *begun = client->sent > 0 ? client->first : NULL;
	if (begun) {
		client->first = begun->next;
		client->queued -= begun->text->len - client->sent;
	}
	size_t sent = client->sent;
	client->sent = 0;
	while (client->first)
		drop_first(client);
	if (begun) {
		begun->next = NULL;
		client->first = client->last = begun;
		client->sent = sent;
		client->queued = begun->text->len - sent;
	}
	websocket_close(client, 1013, "you read too slowly");
}

void websocket_send_text(struct websocket_client *client, struct websocket_text *text)
{
	if (client->dead || client->leaving_at != 0)
		return;
	if (!client->greeted) {
		client->greeted = true;
		client->allowed = WEBSOCKET_QUEUE_MAX + text->len;
	} else if (client->queued + text->len > client->allowed) {
		too_slow(client);
		return;
	}
	bool idle = client->first == NULL;
	enqueue(client, text);
	if (idle)
		flush(client);
}

void websocket_send(struct websocket_client *client, const char *bytes, size_t len)
{
	struct websocket_text *text = websocket_text_create(bytes, len);
	websocket_send_text(client, text);
	websocket_text_release(text);
}

void websockets_broadcast(struct websockets *sockets, struct websocket_text *text)
{
	for (struct websocket_client *at = sockets->clients.next; at != &sockets->clients; at = at->next)
		websocket_send_text(at, text);
}

/* ---- reading ---- */

static ssize_t read_bytes(wslay_event_context_ptr frames, uint8_t *out, size_t len, int flags, void *context)
{
	struct websocket_client *client = context;
	ssize_t count;
	if (client->early_len > 0) {
		count = (ssize_t)(len < client->early_len ? len : client->early_len);
		memcpy(out, client->early, (size_t)count);
		client->early += count;
		client->early_len -= (size_t)count;
	} else if (client->read_left == 0) {
		wslay_event_set_error(frames, WSLAY_ERR_WOULDBLOCK);
		return -1;
	} else {
		count = recv(client->source.fd, out, len < client->read_left ? len : client->read_left, MSG_DONTWAIT);
		client->read_left -= count > 0 ? (size_t)count : 0;
	}
	if (count > 0) {
		client->heard_at = clock_monotonic_ms();
		return count;
	}
	bool later = count < 0 && (errno == EAGAIN || errno == EINTR);
	wslay_event_set_error(frames, later ? WSLAY_ERR_WOULDBLOCK : WSLAY_ERR_CALLBACK_FAILURE);
	return -1;
}

static void take_message(wslay_event_context_ptr frames, const struct wslay_event_on_msg_recv_arg *message,
                         void *context)
{
	struct websocket_client *client = context;
	char text[WEBSOCKET_MESSAGE_MAX + 1];
	if (client->leaving_at != 0 || message->opcode == WSLAY_CONNECTION_CLOSE)
		return;
	if (++client->messages > WEBSOCKET_RATE_MAX) {
		websocket_close(client, WSLAY_CODE_POLICY_VIOLATION, "too many messages");
		return;
	}
	if (wslay_is_ctrl_frame(message->opcode))
		return;
	if (message->opcode != WSLAY_TEXT_FRAME) {
		websocket_close(client, WSLAY_CODE_UNSUPPORTED_DATA, "only text is understood");
		return;
	}
	if (message->msg_length > 0) /* without a byte there is no message to copy from */
		memcpy(text, message->msg, message->msg_length);
	text[message->msg_length] = '\0';
	client->sockets->hub.message(client->sockets->hub.context, client, text, message->msg_length);
}

/* After our good-bye what still comes is thrown away until the other side closes, so that it sees the good-bye. */
static void discard(struct websocket_client *client)
{
	uint8_t scratch[4096];
	ssize_t len;
	size_t total = 0;
	do {
		len = recv(client->source.fd, scratch, sizeof(scratch), MSG_DONTWAIT);
		total += len > 0 ? (size_t)len : 0;
	} while (len > 0 && total < READ_PER_TURN);
	if (len == 0 || (len < 0 && errno != EAGAIN && errno != EINTR))
		kill_client(client);
}

static void receive(struct websocket_client *client)
{
	client->read_left = READ_PER_TURN;
	if (!wslay_event_want_read(client->frames)) {
		discard(client);
		return;
	}
	if (wslay_event_recv(client->frames) != 0) {
		kill_client(client);
		return;
	}
	pump(client);
	/* libwslay has answered a good-bye, or has said one because of a broken frame. */
	if (!client->dead && client->leaving_at == 0 && wslay_event_get_close_sent(client->frames))
		client->leaving_at = clock_monotonic_ms();
}

static void end_if_over(struct websocket_client *client)
{
	if (!client->dead && !client->first && wslay_event_get_close_sent(client->frames) &&
	    wslay_event_get_close_received(client->frames))
		kill_client(client);
}

static void ready(void *context, uint32_t events)
{
	struct websocket_client *client = context;
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		receive(client);
	flush(client);
	end_if_over(client);
}

/* ---- time ---- */

static void look_after(struct websocket_client *client, uint64_t now)
{
	const struct control *control = client->sockets->control;
	client->messages = 0;
	if (client->leaving_at != 0) {
		if (now - client->leaving_at >= WEBSOCKET_LEAVE_MS)
			kill_client(client);
		return;
	}
	if (!auth_still(control->auth, control->config, &client->identity)) {
		websocket_close(client, WEBSOCKET_UNKNOWN, "your token is gone or your session is over");
	} else if (!api_peer_in_allow_from(control->config, &client->peer)) {
		websocket_close(client, WSLAY_CODE_POLICY_VIOLATION, "your address may not use this API any more");
	} else if (now - client->heard_at >= WEBSOCKET_SILENCE_MS) {
		kill_client(client);
	} else if (now - client->pinged_at >= WEBSOCKET_PING_MS) {
		const struct wslay_event_msg ping = {.opcode = WSLAY_PING};
		client->pinged_at = now;
		wslay_event_queue_msg(client->frames, &ping);
		pump(client);
		flush(client);
	}
}

static void tick(void *context)
{
	struct websockets *sockets = context;
	uint64_t now = clock_monotonic_ms();
	for (struct websocket_client *at = sockets->clients.next; at != &sockets->clients; at = at->next)
		if (!at->dead)
			look_after(at, now);
	if (sockets->count > 0)
		event_timer_set(sockets->control->loop, &sockets->tick, now + TICK_MS);
}

/* ---- birth and death ---- */

static void forget(struct websocket_client *client)
{
	struct websockets *sockets = client->sockets;
	client->next->previous = client->previous;
	client->previous->next = client->next;
	sockets->count--;
	sockets->hub.closed(sockets->hub.context, client);
	while (client->first)
		drop_first(client);
	wslay_event_context_free(client->frames);
	client->release(client->context);
	free(client);
}

static void reap(void *context)
{
	struct websockets *sockets = context;
	struct websocket_client *after;
	for (struct websocket_client *at = sockets->clients.next; at != &sockets->clients; at = after) {
		after = at->next;
		if (at->dead)
			forget(at);
	}
}

static struct websocket_client *make(struct websockets *sockets, int fd, const struct identity *identity,
                                     const struct address *peer)
{
	static const struct wslay_event_callbacks callbacks = {
	    .recv_callback = read_bytes, .send_callback = take_frame, .on_msg_recv_callback = take_message};
	uint64_t now = clock_monotonic_ms();
	struct websocket_client *client = calloc(1, sizeof(*client));
	if (!client)
		abort();
	client->sockets = sockets;
	client->identity = *identity;
	client->peer = *peer;
	client->source = (struct event_fd){.fd = fd, .ready = ready, .context = client};
	client->allowed = WEBSOCKET_QUEUE_MAX;
	client->heard_at = client->pinged_at = now;
	if (wslay_event_context_server_init(&client->frames, &callbacks, client) != 0)
		abort();
	wslay_event_config_set_max_recv_msg_length(client->frames, WEBSOCKET_MESSAGE_MAX);
	client->next = &sockets->clients;
	client->previous = sockets->clients.previous;
	client->previous->next = client;
	sockets->clients.previous = client;
	sockets->count++;
	return client;
}

void websockets_adopt(struct websockets *sockets, int fd, const struct identity *identity, const struct address *peer,
                      const void *early, size_t early_len, void (*release)(void *context), void *context)
{
	struct websocket_client *client = make(sockets, fd, identity, peer);
	client->release = release;
	client->context = context;
	if (!event_loop_add(sockets->control->loop, &client->source, EPOLLIN)) {
		client->dead = true;
		reap_soon(sockets);
	}
	if (!sockets->tick.armed)
		event_timer_set(sockets->control->loop, &sockets->tick, clock_monotonic_ms() + TICK_MS);
	sockets->hub.opened(sockets->hub.context, client);
	client->early = early;
	client->early_len = early_len;
	while (client->early_len > 0 && !client->dead && wslay_event_want_read(client->frames))
		receive(client);
	client->early_len = 0;
	flush(client);
	end_if_over(client);
}

struct websockets *websockets_create(const struct control *control)
{
	struct websockets *sockets = calloc(1, sizeof(*sockets));
	if (!sockets)
		abort();
	sockets->control = control;
	sockets->clients.next = sockets->clients.previous = &sockets->clients;
	sockets->tick = (struct event_timer){.fire = tick, .context = sockets};
	sockets->reap = (struct event_timer){.fire = reap, .context = sockets};
	return sockets;
}

void websockets_set_hub(struct websockets *sockets, const struct websocket_hub *hub)
{
	sockets->hub = *hub;
}

unsigned websockets_count(const struct websockets *sockets)
{
	return sockets->count;
}

void websockets_close_all(struct websockets *sockets)
{
	for (struct websocket_client *at = sockets->clients.next; at != &sockets->clients; at = at->next) {
		websocket_close(at, WSLAY_CODE_GOING_AWAY, "pointsman-control ends or starts again");
		kill_client(at);
	}
	reap(sockets);
}

void websockets_destroy(struct websockets *sockets)
{
	if (!sockets)
		return;
	websockets_close_all(sockets);
	event_timer_cancel(sockets->control->loop, &sockets->tick);
	event_timer_cancel(sockets->control->loop, &sockets->reap);
	free(sockets);
}

const struct identity *websocket_identity(const struct websocket_client *client)
{
	return &client->identity;
}

void websocket_set_data(struct websocket_client *client, void *data)
{
	client->data = data;
}

void *websocket_data(const struct websocket_client *client)
{
	return client->data;
}

/* ---- the handshake ---- */

/* Is the word in a list with commas, whatever the case? */
static bool has_word(const char *list, const char *word)
{
	size_t len = strlen(word);
	while (list && *list != '\0') {
		list += strspn(list, ", \t");
		size_t part = strcspn(list, ", \t");
		if (part == len && strncasecmp(list, word, len) == 0)
			return true;
		list += part;
	}
	return false;
}

/* 16 bytes as base64 have 22 digits and two "=". */
static bool key_valid(const char *key)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	return key && strlen(key) == 24 && strspn(key, digits) == 22 && strcmp(key + 22, "==") == 0;
}

/* RFC 6455 4.2.2, 5.4 */
static void make_accept(const char *key, char accept[static WEBSOCKET_ACCEPT_MAX])
{
	char text[100];
	uint8_t hash[20];
	const gnutls_datum_t data = {hash, sizeof(hash)};
	gnutls_datum_t base64;
	int len = snprintf(text, sizeof(text), "%s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
	if (gnutls_hash_fast(GNUTLS_DIG_SHA1, text, (size_t)len, hash) != 0 ||
	    gnutls_base64_encode2(&data, &base64) != 0)
		abort();
	snprintf(accept, WEBSOCKET_ACCEPT_MAX, "%.*s", (int)base64.size, (const char *)base64.data);
	gnutls_free(base64.data);
}

bool websocket_check(const struct websockets *sockets, const struct websocket_handshake *handshake,
                     struct api_reply *reply, char accept[static WEBSOCKET_ACCEPT_MAX])
{
	if (!has_word(handshake->upgrade, "websocket") || !has_word(handshake->connection, "upgrade"))
		*reply = api_problem(426, "this address speaks WebSocket: Upgrade: websocket, Connection: Upgrade");
	else if (!handshake->version || strcmp(handshake->version, "13") != 0)
		*reply = api_problem(426, "Sec-WebSocket-Version must be 13");
	else if (!key_valid(handshake->key))
		*reply = api_problem(400, "Sec-WebSocket-Key must be 16 bytes in base64");
	else if (!sockets->hub.opened)
		*reply = api_problem(503, "the stream is not served yet");
	else if (sockets->count >= WEBSOCKET_CLIENTS_MAX)
		*reply = api_problem(503, "256 clients have the stream already");
	else {
		make_accept(handshake->key, accept);
		return true;
	}
	return false;
}
