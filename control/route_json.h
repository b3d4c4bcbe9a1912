/* Routes as the admin API shows them: a list with filters, order and pages, and single ones with the weights, shares
 * and connections of each cluster. Reads control, changes nothing but the order of names that is kept for this. */
#ifndef PM_ROUTE_JSON_H
#define PM_ROUTE_JSON_H

#include <jansson.h>
#include <stdbool.h>

#include "control/endpoint.h"
#include "control/share.h"

enum route_state { ROUTE_ANY, ROUTE_PARKED, ROUTE_CONFLICT, ROUTE_OVERRIDE, ROUTE_UNSERVED, ROUTE_HELD };
enum route_sort { ROUTE_BY_NAME, ROUTE_BY_ACTIVE, ROUTE_BY_RECENT };

/* Which routes; all that is given must be true of one cluster that serves the route. */
struct route_filter {
	const char *search;            /* part of the name, in any case; NULL: any */
	const struct cluster *cluster; /* NULL: any */
	const char *namespace;         /* NULL: any */
	enum route_state state;
};

/* NULL: there is no such one, which ends the list {"parked", ...} of the names of states. */
extern const char *const route_state_names[];
extern const char *const route_sort_names[];

/* `text`: filter->search in lower case, or "". */
bool route_matches(const struct share_view *view, const struct route_filter *filter, const char *text,
                   const struct name *name);
/* For that. */
const char *route_search_text(const struct route_filter *filter, char text[static ROUTE_TEXT_MAX]);

/* Both return new references. */
json_t *route_list(struct control *control, const struct route_filter *filter, enum route_sort sort,
                   struct api_page page);
json_t *route_json(const struct control *control, const struct share_view *view, const struct name *name);

#endif
