/* Router hosts as the admin API shows them. Reads control, changes nothing. All return new references. */
#ifndef PM_HOST_JSON_H
#define PM_HOST_JSON_H

#include <jansson.h>
#include <stddef.h>

#include "control/api/endpoint.h"
#include "control/state/host_mode.h"

/* "ose1/203.0.113.11:80": what names a host in the API and on the page. */
enum { HOST_ID_TEXT_MAX = CLUSTER_NAME_MAX + ADDRESS_TEXT_MAX + 8 };
const char *host_id_text(const struct cluster *cluster, const struct host_spec *host,
                         char text[static HOST_ID_TEXT_MAX]);

json_t *host_json(const struct control *control, const struct cluster *cluster, size_t i);
/* Of one cluster, or of all (NULL). */
json_t *host_list(const struct control *control, const struct cluster *only, struct api_page page);
/* What the operator has said about a host that may be absent. */
json_t *host_setting_json(const struct cluster *cluster, const struct host_setting *setting);
/* null if nothing drains */
json_t *drain_json(const struct drain *drain);

#endif
