/* Clusters to and from JSON: the configuration's `clusters`, the body of PUT, the state file, and the body that the
 * thesis plugin pushes. docs/configuration.md describes the first form. All faults at once. Pure. */
#ifndef PM_CLUSTER_JSON_H
#define PM_CLUSTER_JSON_H

#include <jansson.h>

#include "common/json_reader.h"
#include "control/state/cluster.h"
#include "control/state/json_text.h"

/* Reads a cluster that lies at `path` ("$" for a body). `name`: the name it must have, or NULL if the object has to
 * name itself. NULL with at least one fault. The caller owns the result. */
struct cluster_spec *cluster_read(json_t *value, const char *name, struct json_faults *faults, const char *path);

/* The same for the array `clusters` of a configuration: also no name, no key twice, and no hosts or routes in clusters
 * that get them by push. Returns how many were read into `out`; with faults none counts. */
size_t clusters_read(json_t *array, struct cluster_spec *out[static CLUSTERS_MAX], struct json_faults *faults);

/* What cluster_read reads; every field, defaults included, but nothing that a cluster's API has shown. New reference.
 */
json_t *cluster_write(const struct cluster_spec *spec);
/* The same as text. */
void cluster_write_text(struct json_text *text, const struct cluster_spec *spec);

/* Reads a push: {"routes": {"any": {"url": "app1.ch", "weight": 10}}, "routerHosts": {"any": {"name": "r1", "hostIP":
 * "203.0.113.11", "httpPort": 80, "httpsPort": 443}}}. Unknown fields are ignored: other versions of the plugin may
 * send more. A name or host that comes twice counts once, as it came first. Settings are taken from `cluster`. NULL
 * with at least one fault. */
struct cluster_spec *cluster_read_push(json_t *value, const struct cluster_spec *cluster, struct json_faults *faults);

/* True if both say the same. */
bool cluster_equal(const struct cluster_spec *a, const struct cluster_spec *b);

#endif
