/* A route as the admin API shows it: the weights, shares and connections of each cluster. Reads control. */
#ifndef PM_ROUTE_JSON_H
#define PM_ROUTE_JSON_H

#include <jansson.h>

#include "control/control.h"
#include "control/state/share.h"

/* A new reference. */
json_t *route_json(const struct control *control, const struct share_view *view, const struct name *name);

#endif
