/* The connections of the admin API: how many one peer may have, and how long each may take for what it is about,
 * however busily it trickles. Ends a connection by shutting its socket down; libmicrohttpd then cleans up. */
#ifndef PM_ADMIN_CONNECTIONS_H
#define PM_ADMIN_CONNECTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/address.h"

enum {
	ADMIN_CONNECTIONS_MAX = 384,      /* besides WebSockets */
	ADMIN_CONNECTIONS_PEER_MAX = 128, /* of one address, or one IPv6 /64 */
	ADMIN_HEAD_MS = 10000,            /* from the last answer (or the start) to a whole head; TLS included */
	ADMIN_BODY_MS = 60000,            /* to the end of the body */
	ADMIN_ANSWER_MS = 120000,         /* until the peer has taken the answer */
};

enum admin_phase {
	ADMIN_HEAD,
	ADMIN_BODY,
	ADMIN_WAIT, /* for us: no limit here */
	ADMIN_ANSWER,
	ADMIN_UPGRADED, /* a WebSocket: no limit here */
};

struct admin_connection {
	struct admin_connection *next, *previous;
	struct address peer, local;
	int fd; /* that libmicrohttpd has: with TLS one end of a socket pair */
	enum admin_phase phase;
	uint64_t since; /* monotonic ms: of this phase */
	bool tls;       /* for who adds it */
	bool ended;     /* shut down: does not count any more */
};

struct admin_connections {
	struct admin_connection list; /* head; the oldest first */
};

void admin_connections_init(struct admin_connections *connections);
/* May this peer open one more? If it has too many, its oldest one that waits for a head goes for it; so does the oldest
 * one of anybody when there are too many in all. */
bool admin_connections_admit(struct admin_connections *connections, const struct address *peer);
/* Never NULL. */
struct admin_connection *admin_connections_add(struct admin_connections *connections, const struct address *peer,
                                               const struct address *local, int fd, uint64_t now);
void admin_connections_remove(struct admin_connection *connection);
void admin_connection_enter(struct admin_connection *connection, enum admin_phase phase, uint64_t now);
/* Ends those whose time is over. Returns how many. */
unsigned admin_connections_sweep(struct admin_connections *connections, uint64_t now);

#endif
