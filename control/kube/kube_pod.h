/* A router pod to a router host. Pure. */
#ifndef PM_KUBE_POD_H
#define PM_KUBE_POD_H

#include <jansson.h>
#include <stdbool.h>

#include "control/kube/kube_object.h"
#include "control/kube/observed.h"

struct kube_pod_rules {
	const char *container; /* that has the ports */
	bool pod_ip; /* reached at status.podIP and the container's ports, else at status.hostIP and host ports */
};

/* KUBE_SERVES fills in `out`; whether the pod is ready or about to end stands there. KUBE_SERVES_NOT: `why` is empty
 * (no address yet, or it has ended), or says what keeps it from serving. KUBE_BROKEN: `why` says what is wrong. */
enum kube_verdict kube_pod_decode(const json_t *object, const struct kube_pod_rules *rules, struct observed_router *out,
                                  char why[static KUBE_WHY_MAX]);

#endif
