/* Back-off: see the header, and kube_timing.h for what its fields mean. */
#include "control/kube/kube_retry.h"

#include <stdbool.h>
#include <stdlib.h>

enum { GONE_AT_ONCE = 2 };

uint32_t kube_random_up_to(uint32_t max)
{
	return arc4random_uniform(max + 1);
}

void kube_retry_good(struct kube_retry *retry, uint64_t now)
{
	retry->gone = retry->denied = 0;
	if (retry->good_since == 0)
		retry->good_since = now;
}

/* Doubled by each failure, between `first` and the cap, without jitter. */
static uint32_t base_wait(const struct kube_retry *retry, const struct kube_timing *timing, enum kube_trouble_kind kind)
{
	bool hopeless = kind == KUBE_DENIED && retry->denied > timing->backoff_patience;
	uint32_t cap = hopeless ? timing->backoff_cap_denied : timing->backoff_cap_away;
	uint32_t wait = timing->backoff_first;
	for (unsigned i = 0; i < retry->failures && wait < cap; i++)
		wait *= 2;
	return wait < cap ? wait : cap;
}

uint32_t kube_retry_wait(struct kube_retry *retry, const struct kube_timing *timing, const struct kube_trouble *trouble,
                         uint64_t now)
{
	if (retry->good_since != 0 && now - retry->good_since >= timing->backoff_reset)
		retry->failures = 0;
	retry->good_since = 0;
	/* A version that has been forgotten is nobody's fault: only not all at the same moment. */
	if (trouble->kind == KUBE_GONE && retry->gone++ < GONE_AT_ONCE)
		return kube_random_up_to(timing->backoff_first);
	retry->denied = trouble->kind == KUBE_DENIED ? retry->denied + 1 : 0;
	uint32_t wait = base_wait(retry, timing, trouble->kind);
	wait += kube_random_up_to(wait);
	retry->failures++;
	uint32_t asked = trouble->retry_after_ms;
	asked = asked < timing->retry_after_cap ? asked : timing->retry_after_cap;
	return wait > asked ? wait : asked;
}
