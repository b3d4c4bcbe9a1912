/* Clusters as the admin API shows them: their state and numbers. (What PUT takes is cluster_json.h's.) All return new
 * references. */
#ifndef PM_CLUSTER_VIEW_H
#define PM_CLUSTER_VIEW_H

#include <jansson.h>

struct cluster;
struct control;

json_t *cluster_view(const struct control *control, const struct cluster *cluster);
/* The same with "revision". */
json_t *cluster_status(const struct control *control, const struct cluster *cluster);
/* {"revision", "clusters"} */
json_t *cluster_views(const struct control *control);

#endif
