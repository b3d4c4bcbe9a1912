/* GET /metrics: everything that can be counted, for Prometheus. What there is of control and the dataplane as a whole
 * is made at once; what there is of single routes is made while it is sent, so that a hundred thousand of them neither
 * fill the memory nor hold up the loop. */
#ifndef PM_METRICS_H
#define PM_METRICS_H

#include <stdbool.h>

#include "control/api/api.h"
#include "control/observe/metrics_text.h"

struct call;
struct control;

enum metrics_routes {
	METRICS_ROUTES_SOME, /* all if there are at most METRICS_ROUTES_MAX, else those with connections in two minutes
	                      */
	METRICS_ROUTES_ALL,
	METRICS_ROUTES_NONE,
};
enum { METRICS_ROUTES_MAX = 1000 };

/* A scrape; mends the order of names that control keeps, and changes nothing else. Free it with its own `free`. */
struct api_source *metrics_create(struct control *control, bool openmetrics, enum metrics_routes routes);

/* Does the value of an Accept header field prefer OpenMetrics? NULL: there is none. */
bool metrics_prefer_openmetrics(const char *accept);

/* The endpoint. */
struct api_reply get_metrics(struct call *call);

/* ---- its parts ---- */

void metrics_add_control(struct metrics_text *text, const struct control *control);
void metrics_add_dataplane(struct metrics_text *text, const struct control *control);
void metrics_add_workers(struct metrics_text *text, const struct control *control);
void metrics_add_clusters(struct metrics_text *text, const struct control *control);
void metrics_add_hosts(struct metrics_text *text, const struct control *control);

#endif
