/* When to ask an API again that was trouble. Pure but for chance. */
#ifndef PM_KUBE_RETRY_H
#define PM_KUBE_RETRY_H

#include <stdint.h>

#include "control/kube/kube_answer.h"
#include "control/kube/kube_timing.h"

/* Of one resource. All zero to begin with. */
struct kube_retry {
	unsigned failures;   /* doubling goes by them */
	unsigned gone;       /* versions forgotten, in a row */
	unsigned denied;     /* in a row */
	uint64_t good_since; /* 0: it is not */
};

/* It works. `now` is monotonic, as below. */
void kube_retry_good(struct kube_retry *retry, uint64_t now);

/* How many ms to wait after one more trouble. */
uint32_t kube_retry_wait(struct kube_retry *retry, const struct kube_timing *timing, const struct kube_trouble *trouble,
                         uint64_t now);

/* 0 to max, both included. */
uint32_t kube_random_up_to(uint32_t max);

#endif
