/* The HTTP side of the admin API (libmicrohttpd, run by the one event loop): the listening socket, header fields,
 * bodies, and answers that wait until the workers have applied a write. What a request does is api.h's. */
#ifndef PM_ADMIN_HTTP_H
#define PM_ADMIN_HTTP_H

#include <stdbool.h>

#include "common/config.h"

struct control;
struct event_loop;
struct admin_http;

/* The name of the environment variable that hands the listening socket over to the next process. */
#define ADMIN_FD_VARIABLE "POINTSMAN_ADMIN_FD"

/* The listening socket: the one handed over, if it listens where the configuration says, or a new one. -1: the reason
 * was logged. Close-on-exec. */
int admin_listen(const struct config *config);

/* Serves on `fd`, which is closed at the end. NULL: the reason was logged. */
struct admin_http *admin_http_start(struct control *control, struct event_loop *loop, int fd);
/* Answers what waits, then sends what can be sent without blocking. */
void admin_http_flush(struct admin_http *http);
void admin_http_stop(struct admin_http *http);

/* Is this the Host field of a request that reached us at `local`: that address, a name of loopback if it is one, or one
 * of admin.allowed_hosts? */
bool admin_host_allowed(const struct config *config, const char *host, const struct address *local);
/* An absent Origin is allowed, another one only if it is that of a page of ours. */
bool admin_origin_allowed(const struct config *config, const char *origin, const struct address *local);

#endif
