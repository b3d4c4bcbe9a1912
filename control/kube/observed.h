/* What a cluster's API shows, after decoding and before any decision: Routes that the configured router has admitted,
 * and router pods. Plain data. The watch (kube_source.h) makes it; the state decides what of it counts. */
#ifndef PM_OBSERVED_H
#define PM_OBSERVED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/address.h"
#include "common/hostname.h"

enum {
	OBSERVED_UID_MAX = 63,
	OBSERVED_NAMESPACE_MAX = 63,
	OBSERVED_NAME_MAX = 253,
	OBSERVED_WARNING_MAX = 159,
};

/* Where TLS ends. The numbers are saved. */
enum route_termination {
	TERMINATION_UNKNOWN, /* of what no Route says */
	TERMINATION_NONE,
	TERMINATION_EDGE,
	TERMINATION_PASSTHROUGH,
	TERMINATION_REENCRYPT,
	termination_count,
};
/* "edge" */
const char *observed_termination_name(enum route_termination termination);

/* What becomes of plain HTTP beside TLS: it is not served, served, or sent to https. The numbers are saved. */
enum route_insecure { INSECURE_NONE, INSECURE_ALLOW, INSECURE_REDIRECT, insecure_count };
/* "Redirect", as in the Route. */
const char *observed_insecure_name(enum route_insecure insecure);

/* One Route object that serves a host name: admitted (or admission is ignored), with a usable name. */
struct observed_route {
	char uid[OBSERVED_UID_MAX + 1];
	char namespace[OBSERVED_NAMESPACE_MAX + 1];
	char name[OBSERVED_NAME_MAX + 1];
	int64_t created;      /* Unix ms of creationTimestamp; age order is created, then uid */
	struct hostname host; /* of a wildcard: what stands behind "*." */
	bool wildcard;
	bool http, https;  /* served on port 80 / 443 */
	bool weight_given; /* by annotation */
	uint8_t weight;
	uint8_t termination, insecure;          /* enum route_termination, enum route_insecure */
	char warning[OBSERVED_WARNING_MAX + 1]; /* one line, e.g. of a bad annotation; "": none */
};

/* One router pod with an address. */
struct observed_router {
	char uid[OBSERVED_UID_MAX + 1];
	char name[OBSERVED_NAME_MAX + 1]; /* of the pod */
	char node[OBSERVED_NAME_MAX + 1];
	struct address address;
	uint16_t http_port, https_port, stats_port; /* host byte order; 0: none */
	bool ready;                                 /* condition Ready is True and the phase is Running */
	bool terminating;                           /* deletionTimestamp is set */
	bool proxy_protocol;                        /* its environment asks for PROXY protocol */
};

/* Everything that is known of one cluster at one moment. */
struct observed {
	size_t route_count, router_count;
	struct observed_route *routes;   /* by uid */
	struct observed_router *routers; /* by uid */
};

#endif
