/* TLS in front of the admin API: each connection is decrypted here and goes on as plain bytes through a socket pair, so
 * that nothing behind it knows of TLS. Runs in the one event loop. How long anything may take is not decided here:
 * whoever has the other end of the pair closes it. */
#ifndef PM_TLS_PUMP_H
#define PM_TLS_PUMP_H

#include "control/event_loop.h"
#include "control/api/tls.h"

struct tls_pumps;

struct tls_pumps *tls_pumps_create(struct event_loop *loop);
/* Ends all connections, what can be sent at once before. */
void tls_pumps_destroy(struct tls_pumps *pumps);

/* Takes a connection (`fd`, non-blocking). Returns the end of a socket pair, non-blocking and close-on-exec, on which
 * its plain bytes come and go, and which is the caller's; -1: none could be made, and `fd` is closed. */
int tls_pumps_add(struct tls_pumps *pumps, struct tls *tls, int fd);
unsigned tls_pumps_count(const struct tls_pumps *pumps);
/* Moves what can be moved now. */
void tls_pumps_flush(struct tls_pumps *pumps);

#endif
