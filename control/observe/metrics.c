/* GET /metrics: see the header. Order: what is made at once, routes block by block, the choice of the format. */
#include "control/observe/metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "control/control.h"
#include "control/api/endpoint.h"
#include "control/observe/history.h"
#include "control/state/weight.h"

enum { NAMES_PER_BLOCK = 200 };

static const struct route_family {
	const char *name, *help;
	enum metric_type type;
} route_families[] = {
    {"pointsman_route_active", "Connections of the host name on the cluster now.", METRIC_GAUGE},
    {"pointsman_route_connections", "Connections of the host name on the cluster.", METRIC_COUNTER},
    {"pointsman_route_weight", "Weight of the host name on the cluster that counts now, 0 to 100.", METRIC_GAUGE},
};

enum { ROUTE_FAMILIES = sizeof(route_families) / sizeof(route_families[0]) };

struct scrape {
	struct api_source source;
	const struct control *control;
	struct metrics_text text; /* made and not sent yet */
	size_t sent;
	enum metrics_routes routes;
	/* The names as they were at the start, by id: those that go meanwhile are left out. */
	size_t name_count;
	uint64_t *names;
	int family;  /* of route_families */
	size_t next; /* name */
	bool ended;
};

/* ---- routes ---- */

static void list_names(struct scrape *scrape, struct control *control)
{
	if (scrape->routes == METRICS_ROUTES_SOME && control->state.names.count <= METRICS_ROUTES_MAX)
		scrape->routes = METRICS_ROUTES_ALL;
	if (scrape->routes == METRICS_ROUTES_SOME)
		scrape->names = history_names(control->history, &scrape->name_count);
	if (scrape->routes != METRICS_ROUTES_ALL)
		return;
	struct name *const *names = names_ordered(&control->state.names, &scrape->name_count);
	scrape->names = malloc((scrape->name_count + 1) * sizeof(*scrape->names));
	if (!scrape->names)
		abort();
	for (size_t i = 0; i < scrape->name_count; i++)
		scrape->names[i] = names[i]->id;
}

/* Only those that had connections at the start or in the two minutes before. The choice must not change between the
 * families, but a pair that comes or goes within a scrape does no harm. */
static bool is_wanted(const struct scrape *scrape, const struct pair *pair, uint64_t pair_id)
{
	return pair->present &&
	       (scrape->routes == METRICS_ROUTES_ALL || history_has(scrape->control->history, HISTORY_PAIR, pair_id));
}

static void add_pair(struct scrape *scrape, const struct cluster_spec *cluster, const struct pair *pair,
                     uint64_t pair_id, const char *route)
{
	const struct metric_label labels[] = {{"route", route}, {"cluster", cluster->name}};
	if (scrape->family == 2)
		metrics_sample_real(&scrape->text, labels, 2,
		                    (double)weight_of(cluster, pair).value * 100 / HUNDREDTHS_ALL);
	else if (scrape->family == 1)
		metrics_sample(&scrape->text, labels, 2, control_pair_usage(scrape->control, pair_id).total);
	else
		metrics_sample(&scrape->text, labels, 2, control_pair_usage(scrape->control, pair_id).active);
}

static void add_name(struct scrape *scrape, const struct name *name)
{
	char text[ROUTE_TEXT_MAX];
	for (unsigned i = 0; i < name->pair_count; i++) {
		const struct pair *pair = &name->pairs[i];
		const struct cluster_spec *cluster = scrape->control->state.clusters[pair->cluster]->spec;
		uint64_t pair_id = cluster_pair_id(name->id, cluster->name);
		if (is_wanted(scrape, pair, pair_id))
			add_pair(scrape, cluster, pair, pair_id, name_format(&name->host, name->wildcard, text));
	}
}

/* The next names of the present family. */
static void add_names(struct scrape *scrape)
{
	const struct route_family *family = &route_families[scrape->family];
	if (scrape->next == 0)
		metrics_family(&scrape->text, family->name, family->type, NULL, family->help);
	for (int i = 0; i < NAMES_PER_BLOCK && scrape->next < scrape->name_count; i++) {
		const struct name *name = names_find(&scrape->control->state.names, scrape->names[scrape->next++]);
		if (name)
			add_name(scrape, name);
	}
	if (scrape->next == scrape->name_count) {
		scrape->next = 0;
		scrape->family++;
	}
}

/* ---- the scrape ---- */

/* Makes more text. False: there is no more. */
static bool make_more(struct scrape *scrape)
{
	if (scrape->ended)
		return false;
	scrape->text.len = 0;
	scrape->sent = 0;
	if (scrape->names && scrape->family < ROUTE_FAMILIES)
		add_names(scrape);
	else {
		metrics_end(&scrape->text);
		scrape->ended = true;
	}
	return true;
}

static size_t read_scrape(struct api_source *source, char *out, size_t size)
{
	struct scrape *scrape = (struct scrape *)source;
	while (scrape->sent == scrape->text.len)
		if (!make_more(scrape))
			return 0;
	size_t left = scrape->text.len - scrape->sent, len = left < size ? left : size;
	memcpy(out, scrape->text.bytes + scrape->sent, len);
	scrape->sent += len;
	return len;
}

static void free_scrape(struct api_source *source)
{
	struct scrape *scrape = (struct scrape *)source;
	free(scrape->text.bytes);
	free(scrape->names);
	free(scrape);
}

struct api_source *metrics_create(struct control *control, bool openmetrics, enum metrics_routes routes)
{
	struct scrape *scrape = calloc(1, sizeof(*scrape));
	if (!scrape)
		abort();
	*scrape = (struct scrape){.source = {read_scrape, free_scrape}, .control = control, .routes = routes};
	scrape->text.openmetrics = openmetrics;
	metrics_add_control(&scrape->text, control);
	metrics_add_dataplane(&scrape->text, control);
	metrics_add_workers(&scrape->text, control);
	metrics_add_clusters(&scrape->text, control);
	metrics_add_hosts(&scrape->text, control);
	list_names(scrape, control);
	return &scrape->source;
}

/* ---- the endpoint ---- */

static const char open_type[] = "application/openmetrics-text";

/* The weight of a media range in an Accept field, 0 to 1000; what is not readable counts fully. */
static int quality(const char *range, size_t len)
{
	for (size_t i = 0; i + 2 < len; i++)
		if (range[i] == ';' && strncasecmp(range + i + 1 + strspn(range + i + 1, " "), "q=", 2) == 0)
			return (int)(strtod(range + i + 3 + strspn(range + i + 1, " "), NULL) * 1000);
	return 1000;
}

bool metrics_prefer_openmetrics(const char *accept)
{
	int open = 0, plain = 0;
	for (const char *at = accept; at && *at != '\0';) {
		size_t len = strcspn(at, ","), space = strspn(at, " \t");
		const char *range = at + (space < len ? space : len);
		size_t range_len = len - (size_t)(range - at);
		if (strncasecmp(range, open_type, sizeof(open_type) - 1) == 0)
			open = quality(range, range_len);
		else if (strncasecmp(range, "text/plain", 10) == 0)
			plain = quality(range, range_len);
		at += len;
		at += *at == ',';
	}
	return open > 0 && open >= plain;
}

struct api_reply get_metrics(struct call *call)
{
	const char *wanted = call_query(call, "routes");
	enum metrics_routes routes = METRICS_ROUTES_SOME;
	if (wanted && strcmp(wanted, "true") != 0 && strcmp(wanted, "false") != 0)
		return reply_problem(400, "routes must be true or false");
	if (wanted)
		routes = strcmp(wanted, "true") == 0 ? METRICS_ROUTES_ALL : METRICS_ROUTES_NONE;
	bool openmetrics = metrics_prefer_openmetrics(call->request->accept);
	return (struct api_reply){
	    .status = 200,
	    .source = metrics_create(call->control, openmetrics, routes),
	    .type = openmetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
	                        : "text/plain; version=0.0.4; charset=utf-8",
	};
}
