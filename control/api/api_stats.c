/* The admin API: statistics, events and metrics. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "control/api/endpoint.h"
#include "control/observe/history.h"
#include "control/observe/journal.h"
#include "control/observe/metrics.h"
#include "control/observe/stats_json.h"

/* ---- the last two minutes ---- */

static struct api_reply reply_stats(const struct call *call, json_t *more)
{
	return (struct api_reply){.status = 200, .json = stats_frame(call->control, more)};
}

static struct api_reply get_stats(struct call *call)
{
	const struct control *control = call->control;
	return reply_stats(call, json_pack("{s:o, s:I}", "totals", stats_totals(control), "routes_left_out",
	                                   (json_int_t)history_left_out(control->history)));
}

static struct api_reply get_cluster_stats(struct call *call)
{
	struct api_reply reply;
	const struct cluster *cluster = call_cluster(call, 0, &reply);
	return cluster ? reply_stats(call, stats_of_cluster(call->control, cluster)) : reply;
}

static struct api_reply get_host_stats(struct call *call)
{
	struct api_reply reply;
	struct cluster *cluster;
	struct host_spec host;
	if (!call_host(call, &cluster, &host, &reply))
		return reply;
	return reply_stats(call, stats_of_host(call->control, &host));
}

static struct api_reply get_route_stats(struct call *call)
{
	struct api_reply reply;
	const struct name *name = call_route(call, &reply);
	if (!name)
		return reply;
	return reply_stats(call, json_pack("{s:o}", "clusters", stats_of_route(call->control, name)));
}

/* ---- events ---- */

struct event_filter {
	uint64_t since;
	const char *kind, *object, *search;
};

/* The object of an entry as people write it: "route", "app1.ch", "ose1", "ose1/r1". */
static bool is_object(const struct journal_entry *entry, const char *wanted)
{
	char both[READER_TEXT_MAX];
	snprintf(both, sizeof(both), "%s/%s", entry->cluster ? entry->cluster : "", entry->name ? entry->name : "");
	return (entry->object && strcmp(entry->object, wanted) == 0) ||
	       (entry->name && strcasecmp(entry->name, wanted) == 0) ||
	       (entry->cluster && strcmp(entry->cluster, wanted) == 0) ||
	       (entry->cluster && entry->name && strcmp(both, wanted) == 0);
}

static bool contains(const char *text, const char *part)
{
	return text && strcasestr(text, part);
}

static bool has_text(const struct journal_entry *entry, const char *part)
{
	return contains(entry->text, part) || contains(entry->who, part) || contains(entry->reason, part) ||
	       contains(entry->kind, part) || contains(entry->cluster, part) || contains(entry->name, part);
}

static bool matches(const struct journal_entry *entry, const struct event_filter *filter)
{
	return (!filter->kind || strcmp(entry->kind, filter->kind) == 0) &&
	       (!filter->object || is_object(entry, filter->object)) &&
	       (!filter->search || has_text(entry, filter->search));
}

static bool read_since(const char *text, uint64_t *out)
{
	size_t len = text ? strlen(text) : 0;
	*out = text ? strtoull(text, NULL, 10) : 0;
	return !text || (len > 0 && len <= 18 && strspn(text, "0123456789") == len);
}

static struct api_reply get_events(struct call *call)
{
	struct api_page page;
	struct api_reply reply;
	const struct journal *journal = call->control->journal;
	struct event_filter filter = {0, call_query(call, "kind"), call_query(call, "object"),
	                              call_query(call, "search")};
	if (!call_page(call, &page, &reply))
		return reply;
	if (!read_since(call_query(call, "since"), &filter.since))
		return reply_problem(400, "since must be the id of an event: a number");
	json_t *events = json_array();
	for (uint64_t id = journal_last(journal);
	     id > filter.since && id >= journal_oldest(journal) && json_array_size(events) < page.limit; id--) {
		const struct journal_entry *entry = journal_find(journal, id);
		if (entry && matches(entry, &filter))
			json_array_append_new(events, stats_event(entry));
	}
	return (struct api_reply){.status = 200,
	                          .json = json_pack("{s:o, s:I, s:I}", "events", events, "last",
	                                            (json_int_t)journal_last(journal), "oldest",
	                                            (json_int_t)journal_oldest(journal))};
}

static const struct endpoint endpoints[] = {
    {"/api/v1/stats", "GET", ROLE_VIEWER, 0, NULL, get_stats, NULL},
    {"/api/v1/stats/clusters/{}", "GET", ROLE_VIEWER, 0, NULL, get_cluster_stats, NULL},
    {"/api/v1/stats/hosts/{}/{}", "GET", ROLE_VIEWER, 0, NULL, get_host_stats, NULL},
    {"/api/v1/stats/routes/{}", "GET", ROLE_VIEWER, 0, NULL, get_route_stats, NULL},
    {"/api/v1/events", "GET", ROLE_VIEWER, 0, "since limit kind object search", get_events, NULL},
    {"/metrics", "GET", ROLE_VIEWER, ENDPOINT_METRICS, "routes", get_metrics, NULL},
};

const struct endpoint_table api_stats_table = {endpoints, sizeof(endpoints) / sizeof(endpoints[0])};
