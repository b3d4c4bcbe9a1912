/* Queries of control: their queue, and the walk over the connections. See the header. */
#include "dataplane/query.h"

#include <string.h>

#include "dataplane/core.h"

enum {
	/* Of one step, so that it takes less than 20 us: flows looked at, and what more one costs that is told, or
	 * ended: 16 of them, whose RSTs are a burst. */
	STEP_COST = 512,
	LISTED_COST = 8,
	CLOSED_COST = 32,
	/* A worker without a step for so long stood still: less than control waits before it gives up. */
	STOPPED_US = 1000000,
	DISTRUST_US = 100000, /* it then takes what lay in the ring */
};

/* ---- connections ---- */

static void walk_begin(struct worker *worker, struct query_walk *walk, const struct message_connections *filter)
{
	*walk = (struct query_walk){.filter = *filter, .end = worker->config->limits.connections};
	if (filter->id != 0)
		walk->end = recording_place(worker, filter->id, &walk->next) ? walk->next + 1 : walk->next;
}

static bool fits(const struct worker *worker, const struct flow *flow, const struct message_connections *filter)
{
	const struct prefix clients = {filter->client, filter->client_length};
	uint32_t place;
	return flow->state != FLOW_FREE && (filter->states == 0 || filter->states & 1 << recording_state(flow)) &&
	       (filter->host == SLOT_NONE || filter->host == flow->host) &&
	       (filter->pair == SLOT_NONE || filter->pair == flow->share_pair) &&
	       prefix_contains(&clients, &flow->client) &&
	       (filter->cluster == CLUSTER_NONE || filter->cluster == recording_cluster(worker, flow)) &&
	       (filter->min_age == 0 || filter->min_age <= recording_age(worker, flow)) &&
	       (filter->id == 0 || recording_place(worker, filter->id, &place));
}

/* One flow that fits. What it costs; 0: its record has to wait. */
static unsigned visit(struct worker *worker, const struct query *query, struct query_walk *walk, struct flow *flow)
{
	if (walk->filter.action == CONNECTIONS_CLOSE && flow->state != FLOW_LINGERING) {
		flow_reset(worker, flow, RECORD_CLOSED);
		walk->closed++;
		return CLOSED_COST;
	}
	if (walk->filter.action == CONNECTIONS_LIST && walk->listed < walk->filter.limit) {
		if (!recording_listed(worker, query, flow))
			return 0;
		walk->listed++;
		return LISTED_COST;
	}
	return 1;
}

/* Returns true when all flows were looked at. */
static bool walk_step(struct worker *worker, const struct query *query, struct query_walk *walk)
{
	for (unsigned cost = 0; cost < STEP_COST && walk->next < walk->end; walk->next++) {
		struct flow *flow = &worker->flows[walk->next];
		cost++;
		if (!fits(worker, flow, &walk->filter))
			continue;
		unsigned more = visit(worker, query, walk, flow);
		if (more == 0)
			return false;
		cost += more;
		walk->matched++;
	}
	return walk->next >= walk->end;
}

/* ---- the queue ---- */

static bool finish(struct worker *worker, const struct query *query, bool refused)
{
	struct record record = {.type = RECORD_QUERY_END, .end.refused = refused};
	if (query->type == MESSAGE_CONNECTIONS) {
		record.end.matched = query->walk.matched;
		record.end.closed = query->walk.closed;
	}
	return recording_answer(worker, query, &record);
}

static uint32_t number_of(const struct message *message)
{
	return message->type == MESSAGE_CONNECTIONS ? message->connections.query : message->explain.query;
}

static bool stood_still(const struct worker *worker)
{
	return worker->now_us - worker->queries.stepped_us > STOPPED_US;
}

static bool is_close(const struct message *message)
{
	return message->type == MESSAGE_CONNECTIONS && message->connections.action == CONNECTIONS_CLOSE;
}

static bool possible(const struct worker *worker, const struct message *message)
{
	const struct queries *queries = &worker->queries;
	bool may_be_old = stood_still(worker) || worker->now_us < queries->distrusts_us;
	return queries->count < QUERIES_AT_ONCE + QUERIES_WAITING && !(is_close(message) && may_be_old) &&
	       (message->type != MESSAGE_EXPLAIN || message->explain.listener < worker->config->listener_count);
}

static void refuse(struct worker *worker, const struct query *query)
{
	if (!finish(worker, query, true))
		count(worker, counter_record_lost);
}

void queries_take(struct worker *worker, const struct message *message)
{
	struct query query = {.start = message->start, .number = number_of(message), .type = message->type};
	if (!possible(worker, message)) {
		refuse(worker, &query);
		return;
	}
	if (message->type == MESSAGE_CONNECTIONS)
		walk_begin(worker, &query.walk, &message->connections);
	else
		query.explanation.ask = message->explain;
	worker->queries.list[worker->queries.count++] = query;
}

static void drop(struct queries *queries, unsigned index)
{
	queries->count--;
	memmove(&queries->list[index], &queries->list[index + 1], (queries->count - index) * sizeof(*queries->list));
}

/* Orders to close that were begun end where they are. */
static void look_for_stop(struct worker *worker)
{
	struct queries *queries = &worker->queries;
	if (stood_still(worker)) {
		queries->distrusts_us = worker->now_us + DISTRUST_US;
		for (unsigned i = queries->count; i-- > 0;) {
			const struct query *query = &queries->list[i];
			if (query->type != MESSAGE_CONNECTIONS || query->walk.filter.action != CONNECTIONS_CLOSE)
				continue;
			refuse(worker, query);
			drop(queries, i);
		}
	}
	queries->stepped_us = worker->now_us;
}

bool queries_step(struct worker *worker)
{
	struct queries *queries = &worker->queries;
	look_for_stop(worker);
	if (queries->count == 0)
		return false;
	unsigned at_work = queries->count < QUERIES_AT_ONCE ? queries->count : QUERIES_AT_ONCE;
	unsigned index = queries->turn % at_work;
	struct query *query = &queries->list[index];
	bool done = query->type == MESSAGE_CONNECTIONS ? walk_step(worker, query, &query->walk)
	                                               : explain_step(worker, query, &query->explanation);
	queries->turn = index + 1;
	if (done && finish(worker, query, false)) {
		drop(queries, index);
		queries->turn = index;
	}
	return true;
}

void queries_drop(struct worker *worker)
{
	worker->queries.count = 0;
}
