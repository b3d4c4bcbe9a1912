/* When to ask an API again that was trouble. Pure but for chance. */
#ifndef PM_KUBE_RETRY_H
#define PM_KUBE_RETRY_H

#include <stdint.h>

#include "control/kube_answer.h"
#include "control/kube_timing.h"

/* Of one resource. All zero to begin with. */
struct kube_retry {
	unsigned failures; /* in a row */
	uint64_t at;       /* of the last one */
};

/* How many ms to wait after one more trouble. `now` is monotonic. */
uint32_t kube_retry_wait(struct kube_retry *retry, const struct kube_timing *timing, const struct kube_trouble *trouble,
                         uint64_t now);

/* 0 to max, both included. */
uint32_t kube_random_up_to(uint32_t max);

#endif
