/* The names of what a connection's record gives as numbers: listener, route, cluster, router host. What has gone since
 * has no name. Reads control, changes nothing. */
#ifndef PM_CONNECTION_NAMES_H
#define PM_CONNECTION_NAMES_H

#include "common/record.h"
#include "control/state/cluster.h"

struct control;

enum { ENDPOINT_TEXT_MAX = ADDRESS_TEXT_MAX + 8 };

struct connection_names {
	const char *listener;                          /* NULL: no such one */
	const char *cluster;                           /* NULL: none was elected, or it has gone */
	const char *host;                              /* its name; NULL: as above */
	uint64_t host_id;                              /* 0: as above */
	char route[ROUTE_TEXT_MAX + CLUSTER_NAME_MAX]; /* "app1.ch", "*.wild.ch", "default cluster ose2"; "" : none */
};

/* The texts are valid until the state or the configuration changes. */
void connection_names(const struct control *control, const struct record_connection *connection,
                      struct connection_names *names);

/* "192.0.2.7:4711", "[2001:db8::7]:4711" */
const char *endpoint_format(const struct address *address, uint16_t port, char text[static ENDPOINT_TEXT_MAX]);

#endif
