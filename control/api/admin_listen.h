/* The address of the admin API: the listening socket, and which Host and Origin are ours. Knows nothing of what is
 * asked.
 */
#ifndef PM_ADMIN_LISTEN_H
#define PM_ADMIN_LISTEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/config.h"

/* The name of the environment variable that hands the listening socket over to the next process. */
#define ADMIN_FD_VARIABLE "POINTSMAN_ADMIN_FD"

/* The listening socket: the one handed over, if it listens where the configuration says, or a new one. -1: the reason
 * was logged. Close-on-exec. */
int admin_listen(const struct config *config);

/* Is this the Host field of a request that reached us at `local`: that address, a name of loopback if it is one, or one
 * of admin.allowed_hosts? */
bool admin_host_allowed(const struct config *config, const char *host, const struct address *local);
/* An absent Origin is allowed, another one only if it is that of a page of ours. */
bool admin_origin_allowed(const struct config *config, const char *origin, const struct address *local);
/* Does this Origin mean exactly the scheme, name and port that the request has in Host? */
bool admin_origin_same(const char *origin, const char *host, bool tls);

/* Replaces %XX in place and returns the length. What is no such thing stays as it is, and so does %00, which would end
 * the text early. */
size_t admin_unescape(char *text);

/* False: neither IPv4 nor IPv6. `port` in host byte order. */
bool admin_read_sockaddr(const struct sockaddr *from, struct address *address, uint16_t *port);
/* Where a connected or listening socket is bound. */
bool admin_local_address(int fd, struct address *address, uint16_t *port);

#endif
