/* A Route object (route.openshift.io/v1) to what it serves. Pure. */
#ifndef PM_KUBE_ROUTE_H
#define PM_KUBE_ROUTE_H

#include <jansson.h>
#include <stdbool.h>

#include "control/kube/kube_object.h"
#include "control/kube/observed.h"

struct kube_route_rules {
	const char *router_name; /* whose entries in status.ingress count */
	bool admission_ignored;  /* none is asked for: the host is spec.host */
};

/* A Route serves its host if the router has admitted it for that host: status, not spec, says so; with an empty
 * spec.host (a subdomain) status also says which host. KUBE_SERVES fills in `out`, whose warning names what was
 * ignored. KUBE_SERVES_NOT: `why` is empty (not admitted; then the warning in `out` says what the router says), or says
 * what keeps it from serving; the host in `out` is what it asks for, empty if that is not known. KUBE_BROKEN: `why`
 * says what is wrong. */
enum kube_verdict kube_route_decode(const json_t *object, const struct kube_route_rules *rules,
                                    struct observed_route *out, char why[static KUBE_WHY_MAX]);

#endif
