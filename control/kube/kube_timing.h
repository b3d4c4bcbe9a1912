/* How long the watch of an API waits for what. All fields in ms unless they say otherwise. Only tests use other values
 * than the defaults. */
#ifndef PM_KUBE_TIMING_H
#define PM_KUBE_TIMING_H

#include <stdint.h>

struct kube_timing {
	/* Back-off: `first`, doubled by each trouble up to a cap, plus 0 to 100 % at random; forgotten when a watch
	 * has worked for `reset`. An API that is away (refused, time-out, 5xx) is tried again within 3 s for as long as
	 * it takes; one that says no (401, 403, 404) too, but after `patience` times in a row only every 30 to 60 s, or
	 * as soon as a token, CA or kubeconfig file changes. */
	uint32_t backoff_first;
	uint32_t backoff_cap_away;
	uint32_t backoff_cap_denied;
	uint32_t backoff_patience; /* times */
	uint32_t backoff_reset;
	uint32_t retry_after_cap; /* what of a Retry-After is obeyed at most */
	uint32_t files;           /* between two looks at the files while something is waiting */

	uint32_t connect;      /* TCP and TLS */
	uint32_t list_silence; /* without a byte of an answer that is not a watch */
	uint32_t list_rest;    /* at least so long between lists that nobody needs at once */
	uint32_t relist;       /* between full lists, +-25 % at random; 0: as the spec says */

	uint32_t watch_seconds_min, watch_seconds_max; /* timeoutSeconds, in seconds, at random between these */
	uint32_t watch_grace;                          /* beyond timeoutSeconds, then we end the stream */
	uint32_t watch_silence;                        /* without event or bookmark, then a new list */
	uint32_t short_stream; /* a stream that ends sooner and without an event counts as trouble */

	uint32_t collect; /* events of so long make one report */
};

/* Never NULL. */
const struct kube_timing *kube_timing_default(void);

#endif
