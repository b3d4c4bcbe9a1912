/* Where connections of the admin API come in: taken from peers that may say something, counted, cut when they take too
 * long, and with TLS made plain. What is said on them is admin_http's. */
#ifndef PM_ADMIN_FRONT_H
#define PM_ADMIN_FRONT_H

#include <stdbool.h>
#include <sys/socket.h>

#include "control/api/admin_connections.h"

struct admin_front;
struct control;

/* A connection with plain bytes. False: it was not taken, and `connection` is the front's again; the descriptor is
 * closed in any case. */
typedef bool admin_front_take(void *context, struct admin_connection *connection, const struct sockaddr *from,
                              socklen_t len);

/* Accepts on `listening`, which is closed at the end. `context` is given to `take`. NULL: the certificate cannot be
 * used; the reason was logged. */
struct admin_front *admin_front_create(const struct control *control, int listening, admin_front_take *take,
                                       void *context);
/* Sends what can be sent without blocking. */
void admin_front_flush(struct admin_front *front);
/* Accepts nothing more. */
void admin_front_close(struct admin_front *front);
/* After all connections have been removed. */
void admin_front_destroy(struct admin_front *front);

#endif
