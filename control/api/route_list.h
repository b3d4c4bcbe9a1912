/* Lists of routes: filters, order and pages. For 300,000 names a page must not take long, since everything else waits
 * meanwhile. Reads control, changes nothing but the order of names that is kept for this. */
#ifndef PM_ROUTE_LIST_H
#define PM_ROUTE_LIST_H

#include <jansson.h>
#include <stdbool.h>

#include "control/api/endpoint.h"
#include "control/state/share.h"

enum route_state { ROUTE_ANY, ROUTE_PARKED, ROUTE_CONFLICT, ROUTE_OVERRIDE, ROUTE_UNSERVED, ROUTE_HELD };
enum route_sort { ROUTE_BY_NAME, ROUTE_BY_ACTIVE, ROUTE_BY_RECENT };

/* Which routes; all that is given must be true of one cluster that serves the route. */
struct route_filter {
	const char *search;            /* part of the name, in any case; NULL: any */
	const struct cluster *cluster; /* NULL: any */
	const char *namespace;         /* NULL: any */
	enum route_state state;
};

/* By number, "" for any; NULL ends them. */
extern const char *const route_state_names[];
extern const char *const route_sort_names[];

/* filter->search in lower case, or "". */
const char *route_search_text(const struct route_filter *filter, char text[static ROUTE_TEXT_MAX]);
/* True if that text is part of the name. */
bool route_is_named(const struct name *name, const char *text);
bool route_matches(const struct share_view *view, const struct route_filter *filter, const char *text,
                   const struct name *name);

/* {"revision", "total", "offset", "routes"}, a new reference. */
json_t *route_list(struct control *control, const struct route_filter *filter, enum route_sort sort,
                   struct api_page page);

#endif
