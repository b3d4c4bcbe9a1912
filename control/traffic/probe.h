/* Probes: a real request with a host name's Host and SNI to each router host of a cluster, before traffic goes there.
 * Over libcurl, without blocking, a bounded number at once, and only to the addresses that it is given. No redirect is
 * followed, nothing of the answer's body is kept. Knows no JSON and no state. One thread. */
#ifndef PM_PROBE_H
#define PM_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/address.h"
#include "control/state/cluster.h"
#include "control/traffic/probe_certificate.h"

struct event_loop;
struct prober;

enum {
	PROBE_LIMIT_MS = 5000,     /* for one router host, all of it */
	PROBES_AT_ONCE = 32,       /* requests */
	PROBES_WAITING_MAX = 8,    /* probes that have no end yet */
	PROBE_BODY_MAX = 64 << 10, /* bytes of an answer that are read */
	PROBE_PATH_MAX = 1000,
	PROBE_ERROR_MAX = 300,
};

struct probe_request {
	const char *host; /* the name that is asked for, a valid one */
	const char *path; /* probe_path_valid */
	bool https;
};

struct probe_result {
	/* Given by the caller. */
	char name[CLUSTER_NAME_MAX + 1];
	struct address address;
	uint16_t port; /* 0: it does not serve this */

	unsigned status;             /* of the answer; 0: none came */
	char error[PROBE_ERROR_MAX]; /* "" : nothing is wrong. For people */
	/* Microseconds since the start; 0: it did not come so far. */
	uint64_t connect_us, first_byte_us, time_us;
	bool has_certificate;
	struct probe_certificate certificate;
};

/* "/", no control characters, spaces or fragments, nothing that is not ASCII. */
bool probe_path_valid(const char *path);

/* NULL: libcurl has no memory. */
struct prober *prober_create(struct event_loop *loop);
/* What runs ends now, with an error. Nobody may start another one. NULL is fine. */
void prober_destroy(struct prober *prober);

/* Begins. `results`: `count` router hosts, taken (from malloc). `done` is called once, from the loop, with the same
 * array, which is the callee's then. False: PROBES_WAITING_MAX others are not done; nothing was taken. */
bool prober_start(struct prober *prober, const struct probe_request *request, struct probe_result *results,
                  size_t count, void (*done)(void *context, struct probe_result *results, size_t count), void *context);

/* An answer came, it is no server's error, and the certificate, if there is one, is good for the name today. */
static inline bool probe_result_ok(const struct probe_result *result)
{
	return result->status != 0 && result->error[0] == '\0';
}

#endif
