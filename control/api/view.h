/* The small forms that the views of the admin API share. All return new references. */
#ifndef PM_VIEW_H
#define PM_VIEW_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/state/cluster.h"
#include "control/api/endpoint.h"

json_t *view_number(uint64_t value);
/* RFC 3339 in UTC with milliseconds, or null for 0: "never". */
json_t *view_time(int64_t unix_ms);
json_t *view_hold(const struct hold *hold);
/* {"revision", "total", "offset", NAME: array}; takes the array. */
json_t *view_page(const struct control *control, struct api_page page, size_t total, const char *name, json_t *array);

static inline bool view_in_page(struct api_page page, size_t index)
{
	return index >= page.offset && index - page.offset < page.limit;
}

#endif
