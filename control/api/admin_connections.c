/* The connections of the admin API: see the header. */
#include "control/api/admin_connections.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "control/api/peers.h"

void admin_connections_init(struct admin_connections *connections)
{
	connections->list.next = connections->list.previous = &connections->list;
}

static bool same_peer(const struct address *a, const struct address *b)
{
	struct address first = peer_network(a), second = peer_network(b);
	return address_equal(&first, &second);
}

static bool counts(const struct admin_connection *connection)
{
	return !connection->ended && connection->phase != ADMIN_UPGRADED;
}

static void end(struct admin_connection *connection)
{
	connection->ended = true;
	shutdown(connection->fd, SHUT_RDWR);
}

/* Ends the one that has waited longest for a head; `peer` NULL: of anybody. */
static bool end_idle(struct admin_connections *connections, const struct address *peer)
{
	struct admin_connection *oldest = NULL;
	for (struct admin_connection *at = connections->list.next; at != &connections->list; at = at->next) {
		if (!counts(at) || at->phase != ADMIN_HEAD || (peer && !same_peer(&at->peer, peer)))
			continue;
		if (!oldest || at->since < oldest->since)
			oldest = at;
	}
	if (oldest)
		end(oldest);
	return oldest != NULL;
}

bool admin_connections_admit(struct admin_connections *connections, const struct address *peer)
{
	unsigned all = 0, own = 0;
	for (const struct admin_connection *at = connections->list.next; at != &connections->list; at = at->next) {
		all += counts(at);
		own += counts(at) && same_peer(&at->peer, peer);
	}
	if (own >= ADMIN_CONNECTIONS_PEER_MAX)
		return end_idle(connections, peer);
	return all < ADMIN_CONNECTIONS_MAX || end_idle(connections, NULL);
}

struct admin_connection *admin_connections_add(struct admin_connections *connections, const struct address *peer,
                                               const struct address *local, int fd, uint64_t now)
{
	struct admin_connection *connection = calloc(1, sizeof(*connection));
	if (!connection)
		abort();
	*connection = (struct admin_connection){.peer = *peer, .local = *local, .fd = fd, .since = now};
	connection->next = &connections->list;
	connection->previous = connections->list.previous;
	connection->previous->next = connection;
	connections->list.previous = connection;
	return connection;
}

void admin_connections_remove(struct admin_connection *connection)
{
	connection->next->previous = connection->previous;
	connection->previous->next = connection->next;
	free(connection);
}

void admin_connection_enter(struct admin_connection *connection, enum admin_phase phase, uint64_t now)
{
	connection->phase = phase;
	connection->since = now;
}

unsigned admin_connections_sweep(struct admin_connections *connections, uint64_t now)
{
	static const uint32_t limits[] = {[ADMIN_HEAD] = ADMIN_HEAD_MS,
	                                  [ADMIN_BODY] = ADMIN_BODY_MS,
	                                  [ADMIN_ANSWER] = ADMIN_ANSWER_MS,
	                                  [ADMIN_UPGRADED] = 0};
	unsigned count = 0;
	for (struct admin_connection *at = connections->list.next; at != &connections->list; at = at->next) {
		if (at->ended || limits[at->phase] == 0 || now - at->since < limits[at->phase])
			continue;
		end(at);
		count++;
	}
	return count;
}
