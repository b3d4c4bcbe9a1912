/* WebSockets (RFC 6455) of the admin API: the handshake, frames (libwslay), pings, bounded queues, closing. Runs in the
 * one event loop, over plain TCP and TLS. What is said through them is the hub's. */
#ifndef PM_WEBSOCKET_H
#define PM_WEBSOCKET_H

#include <stdbool.h>
#include <stddef.h>

#include "control/api/api.h"

struct control;
struct websockets;
struct websocket_client;

enum {
	WEBSOCKET_CLIENTS_MAX = 256,
	WEBSOCKET_MESSAGE_MAX = 4096, /* from a client: longer ones end it with 1009 */
	WEBSOCKET_QUEUE_MAX =
	    1 << 20,             /* bytes that wait for a client, its first message aside: more end it with 1013 */
	WEBSOCKET_RATE_MAX = 50, /* messages, pings and pongs of a client in a second: more end it with 1008 */
	WEBSOCKET_PING_MS = 20000,
	WEBSOCKET_SILENCE_MS = 50000, /* nothing was heard, no pong either: it is gone */
	WEBSOCKET_LEAVE_MS = 2000,    /* for the answer to our good-bye */
	WEBSOCKET_UNKNOWN = 4401,     /* its token was removed, or its session has expired or ended */
};

/* Who talks through the sockets. Callbacks may send and close, also the client that they are called for. */
struct websocket_hub {
	void *context;
	/* A new client, which is known by websocket_identity. */
	void (*opened)(void *context, struct websocket_client *client);
	/* A text, which is UTF-8 and ends with a zero that `len` does not count. */
	void (*message)(void *context, struct websocket_client *client, const char *text, size_t len);
	/* It is gone; the last call with it. Called for each client that was opened. */
	void (*closed)(void *context, struct websocket_client *client);
};

struct websockets *websockets_create(const struct control *control);
/* Who is told of clients from now on; copied. Without one no client is taken (503). */
void websockets_set_hub(struct websockets *sockets, const struct websocket_hub *hub);
unsigned websockets_count(const struct websockets *sockets);
/* Says good-bye (1001) to all and forgets them. */
void websockets_close_all(struct websockets *sockets);
void websockets_destroy(struct websockets *sockets);

const struct identity *websocket_identity(const struct websocket_client *client);
/* A pointer of the hub's own with each client; NULL at first. */
void websocket_set_data(struct websocket_client *client, void *data);
void *websocket_data(const struct websocket_client *client);

/* Sends a copy of the text. A client that reads too slowly is closed, and `closed` is called later, never from here. */
void websocket_send(struct websocket_client *client, const char *text, size_t len);
/* Ends the client: 1000, 1008, ...; `reason` has at most 123 bytes. `closed` is called later, never from here. */
void websocket_close(struct websocket_client *client, unsigned code, const char *reason);

/* One text for many: made once, then sent to as many as one likes, then let go of. */
struct websocket_text;
struct websocket_text *websocket_text_create(const char *text, size_t len);
void websocket_text_release(struct websocket_text *text);
void websocket_send_text(struct websocket_client *client, struct websocket_text *text);
/* To all clients. */
void websockets_broadcast(struct websockets *sockets, struct websocket_text *text);

/* ---- for admin_http ---- */

enum { WEBSOCKET_ACCEPT_MAX = 29 };

/* Is this a handshake that can be answered? False: `reply` (400, 426, 503). `accept`: Sec-WebSocket-Accept. */
struct websocket_handshake {
	const char *upgrade, *connection, *key, *version; /* header fields, NULL: not there */
};
bool websocket_check(const struct websockets *sockets, const struct websocket_handshake *handshake,
                     struct api_reply *reply, char accept[static WEBSOCKET_ACCEPT_MAX]);
/* Takes a connection of `peer` whose handshake was answered. `early`: bytes that came with it. `release` is called
 * once, when the descriptor is not used any more; it closes it. */
void websockets_adopt(struct websockets *sockets, int fd, const struct identity *identity, const struct address *peer,
                      const void *early, size_t early_len, void (*release)(void *context), void *context);

#endif
