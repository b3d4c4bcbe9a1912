/* What an explanation is made of, as far as its parts share it: one worker's answer with control's names for it. The
 * inside of explain.h. */
#ifndef PM_EXPLAIN_VIEW_H
#define PM_EXPLAIN_VIEW_H

#include "control/state/cluster.h"
#include "control/traffic/explain.h"
#include "control/health/health.h"
#include "control/state/names.h"
#include "control/text.h"
#include "control/state/weight.h"

enum { EXPLAIN_WHY_MAX = 500 };

/* What one worker has said. */
struct explain_answer {
	bool decided;
	struct record_explain decision;
	unsigned share_count;
	struct record_explain_share shares[ROUTE_CLUSTERS_MAX];
	size_t host_count, host_room;
	struct record_explain_host *hosts; /* owned */
};

/* A cluster of the route, both sides together. */
struct explain_share {
	const struct record_explain_share *record;
	const struct cluster *cluster; /* NULL: it has gone */
	const struct pair *pair;       /* NULL: by default, or it has gone */
	struct weight weight;          /* with a pair */
	char why[EXPLAIN_WHY_MAX];     /* why it takes no connection; "" : it can */
};

struct explain_host {
	const struct record_explain_host *record;
	const struct cluster *cluster;
	const struct host_spec *spec; /* NULL: it has gone */
	const struct health *health;
	char why[EXPLAIN_WHY_MAX]; /* why it is not used, or hardly; "" : nothing is wrong */
};

struct explain_view {
	const struct control *control;
	const struct explain_question *question;
	const struct explain_answer *answer;
	const struct config_listener *listener;
	const struct name *name; /* the route; NULL: none, by default, or it has gone */
	struct explain_share shares[ROUTE_CLUSTERS_MAX];
	struct explain_host *hosts; /* owned */
};

void explain_view_make(struct explain_view *view, const struct control *control,
                       const struct explain_question *question, const struct explain_answer *answer);
void explain_view_free(struct explain_view *view);

/* The route as it is shown: "app1.ch", "*.wild.ch", "default cluster ose2"; "" : none. */
enum { EXPLAIN_ROUTE_MAX = ROUTE_TEXT_MAX + CLUSTER_NAME_MAX };
const char *explain_route(const struct explain_view *view, char text[static EXPLAIN_ROUTE_MAX]);
/* The elected router host; NULL: none. */
const struct explain_host *explain_elected(const struct explain_view *view);
const char *explain_cluster_name(const struct cluster *cluster);

/* The sentence. */
void explain_say(struct text *text, const struct explain_view *view);

/* Why a router host gets no connection, as control sees it; "" : it may. */
void explain_host_why(struct text *why, const struct cluster *cluster, const struct host_spec *host,
                      const struct health *health, bool https);

#endif
