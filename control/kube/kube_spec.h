/* How a cluster with "source": "watch" is watched: the object "watch" of its JSON. Plain data, parsed and written;
 * reads no other file and connects to nothing. */
#ifndef PM_KUBE_SPEC_H
#define PM_KUBE_SPEC_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/json_reader.h"

enum {
	KUBE_TEXT_MAX = 1023, /* of URLs, paths and selectors */
	KUBE_LABEL_MAX = 253, /* of names and label values */
	KUBE_NAMESPACES_MAX = 32,
};

enum kube_preset {
	KUBE_PRESET_OPENSHIFT4, /* namespace openshift-ingress, pods of the IngressController router_name */
	KUBE_PRESET_OPENSHIFT3, /* namespace default, label router=router */
	KUBE_PRESET_STATIC,     /* no pods are watched; the cluster's own "hosts" stand for them */
};

struct kube_spec {
	/* Either these ... */
	char server[KUBE_TEXT_MAX + 1];     /* "https://api.ose1:6443", without a slash at the end */
	char token_file[KUBE_TEXT_MAX + 1]; /* "": no token */
	char ca_file[KUBE_TEXT_MAX + 1];    /* "": the system's authorities */
	bool insecure_skip_tls_verify;
	/* ... or these. "": not used. */
	char kubeconfig[KUBE_TEXT_MAX + 1];
	char context[KUBE_LABEL_MAX + 1]; /* "": current-context */

	unsigned namespace_count; /* 0: all namespaces */
	char namespaces[KUBE_NAMESPACES_MAX][64];
	char route_selector[KUBE_TEXT_MAX + 1];
	char router_name[KUBE_LABEL_MAX + 1]; /* whose status.ingress[] counts */
	bool admission_ignored;               /* for routers that write no status: each Route counts as admitted */

	enum kube_preset preset;
	char router_namespace[64]; /* "" with KUBE_PRESET_STATIC, like the next two */
	char router_selector[KUBE_TEXT_MAX + 1];
	char container[KUBE_LABEL_MAX + 1];
	bool pod_ip; /* router hosts are reached at status.podIP, not at status.hostIP */

	uint32_t relist_minutes;
};

/* Reads the object "watch", which lies at `path`; NULL is a fault, too. All faults at once. NULL with at least one
 * fault. The caller frees the result with free(). */
struct kube_spec *kube_spec_read(json_t *value, struct json_faults *faults, const char *path);

/* What kube_spec_read reads; every field that applies, defaults included. Holds file names, never their content. New
 * reference. */
json_t *kube_spec_write(const struct kube_spec *spec);

#endif
