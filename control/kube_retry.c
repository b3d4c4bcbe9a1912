/* Back-off: see the header, and kube_timing.h for what its fields mean. */
#include "control/kube_retry.h"

#include <stdbool.h>
#include <stdlib.h>

uint32_t kube_random_up_to(uint32_t max)
{
	return arc4random_uniform(max + 1);
}

uint32_t kube_retry_wait(struct kube_retry *retry, const struct kube_timing *timing, const struct kube_trouble *trouble,
                         uint64_t now)
{
	if (now - retry->at > timing->backoff_reset)
		retry->failures = 0;
	retry->at = now;
	bool hopeless = trouble->kind == KUBE_DENIED && retry->failures >= timing->backoff_patience;
	uint32_t cap = hopeless ? timing->backoff_cap_denied : timing->backoff_cap_away;
	uint32_t wait = timing->backoff_first;
	for (unsigned i = 0; i < retry->failures && wait < cap; i++)
		wait *= 2;
	wait = wait < cap ? wait : cap;
	/* A version that has been forgotten is nobody's fault: only not all at the same moment. */
	bool at_once = trouble->kind == KUBE_GONE && retry->failures == 0;
	wait = at_once ? kube_random_up_to(wait) : wait + kube_random_up_to(wait);
	retry->failures++;
	uint32_t asked = trouble->retry_after_ms;
	asked = asked < timing->retry_after_cap ? asked : timing->retry_after_cap;
	return wait > asked ? wait : asked;
}
