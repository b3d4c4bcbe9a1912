/* What the admin API shows, as JSON. Reads control, changes nothing, knows no HTTP. All return new references. */
#ifndef PM_ADMIN_JSON_H
#define PM_ADMIN_JSON_H

#include <jansson.h>
#include <stddef.h>

#include "common/json_reader.h"
#include "control/api/endpoint.h"

json_t *admin_status(const struct control *control);
/* The status' messages to the operator: an array of lines. */
json_t *admin_messages(const struct control *control);
/* Router hosts, then routes, that would be gone but are held. */
json_t *admin_held(struct control *control, struct api_page page);

/* A problem (RFC 9457). `faults` may be NULL. */
json_t *admin_problem(unsigned status, const char *detail, const struct json_faults *faults);

#endif
