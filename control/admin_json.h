/* What the admin API shows, as JSON. Reads control, changes nothing, knows no HTTP. All return new references. */
#ifndef PM_ADMIN_JSON_H
#define PM_ADMIN_JSON_H

#include <jansson.h>
#include <stddef.h>

#include "common/json_reader.h"
#include "control/control.h"

json_t *admin_status(const struct control *control);
json_t *admin_clusters(const struct control *control);

/* A part of a list: `limit` entries from `offset` on. */
struct admin_page {
	size_t offset, limit;
};
json_t *admin_hosts(const struct control *control, struct admin_page page);
json_t *admin_routes(const struct control *control, struct admin_page page);
/* Router hosts, then routes, that would be gone but are held. */
json_t *admin_held(const struct control *control, struct admin_page page);

/* A problem (RFC 9457). `faults` may be NULL. */
json_t *admin_problem(unsigned status, const char *title, const char *detail, const struct json_faults *faults);

#endif
