/* What would be decided for a name, told with the numbers that decide it: the election itself is asked (election.c),
 * nothing is changed. */
#include "dataplane/core.h"

#include <string.h>

enum { STEP_RECORDS = 64 };

static struct elector elector_of(const struct worker *worker, const struct message_explain *ask)
{
	return (struct elector){
	    .name = &ask->name,
	    .listener = ask->listener,
	    .https = worker->config->listeners[ask->listener].mode == LISTENER_TLS,
	    .cluster = CLUSTER_NONE,
	};
}

static enum record_decision decision_of(enum election result)
{
	static const enum record_decision decisions[] = {
	    [ELECTED] = DECISION_ELECTED,
	    [ELECTION_UNKNOWN] = DECISION_UNKNOWN,
	    [ELECTION_NOT_SERVED] = DECISION_NOT_SERVED,
	    [ELECTION_UNHEALTHY] = DECISION_UNHEALTHY,
	};
	return decisions[result];
}

static void note_shares(const struct worker *worker, const struct elector *elector, const struct decision *decision,
                        struct query_explanation *explanation)
{
	const struct table_route *route = decision->route;
	explanation->decision.share_count = route->share_count;
	for (unsigned i = 0; i < route->share_count; i++) {
		const struct message_share *share = &route->shares[i];
		explanation->shares[i] = (struct record_explain_share){
		    .pair = share->pair,
		    .cluster = share->cluster,
		    .weight = share->weight,
		    .credit = tables_credit_now(&worker->tables, route, i),
		    .served = share_served(share, elector->https),
		    .usable = decision->usable >> i & 1,
		    .elected = decision->result == ELECTED && decision->share == i,
		};
	}
}

/* The one moment. */
static void decide_now(struct worker *worker, struct query_explanation *explanation)
{
	struct elector elector = elector_of(worker, &explanation->ask);
	struct decision decision;
	decide(worker, &elector, &decision);
	struct record_explain *out = &explanation->decision;
	*out = (struct record_explain){
	    .decision = (uint8_t)decision_of(decision.result), .cluster = CLUSTER_NONE, .host = SLOT_NONE};
	explanation->decided = true;
	if (!decision.route)
		return;
	out->by_default = decision.by_default;
	if (!decision.by_default) {
		out->wildcard = decision.route->wildcard;
		out->route_id = decision.route->id;
		out->route = decision.route->name;
	}
	note_shares(worker, &elector, &decision, explanation);
	if (decision.result == ELECTED) {
		out->cluster = decision.route->shares[decision.share].cluster;
		out->host = decision.host;
		out->host_generation = worker->tables.active->hosts[decision.host].generation;
	}
}

static struct record host_record(const struct worker *worker, const struct query_explanation *explanation,
                                 uint32_t slot)
{
	const struct elector elector = elector_of(worker, &explanation->ask);
	const struct table_host *host = &worker->tables.active->hosts[slot];
	const struct record_explain *decision = &explanation->decision;
	return (struct record){
	    .type = RECORD_EXPLAIN_HOST,
	    .host =
	        {
	            .address = host->address,
	            .slot = slot,
	            .generation = host->generation,
	            .cluster = host->cluster,
	            .port = elector.https ? host->https_port : host->http_port,
	            .healthy = host->healthy,
	            .suspected = worker->health[slot].suspected,
	            .usable = host_usable(worker, &elector, slot),
	            .elected = decision->host == slot && decision->host_generation == host->generation,
	            .active = host_active(worker, slot),
	        },
	};
}

/* The next record, and on to the one behind it when it is taken. False: there is none. */
static bool next(const struct worker *worker, struct query_explanation *explanation, struct record *record)
{
	const struct record_explain *decision = &explanation->decision;
	unsigned told = explanation->told;
	if (told == 0) {
		*record = (struct record){.type = RECORD_EXPLAIN, .explain = *decision};
		return true;
	}
	if (told <= decision->share_count) {
		*record = (struct record){.type = RECORD_EXPLAIN_SHARE, .share = explanation->shares[told - 1]};
		return true;
	}
	for (; explanation->share < decision->share_count; explanation->share++, explanation->host = 0) {
		uint16_t cluster = explanation->shares[explanation->share].cluster;
		const struct table_cluster *hosts = &worker->tables.active->clusters[cluster_place(cluster)];
		if (explanation->host < hosts->host_count) {
			*record = host_record(worker, explanation, hosts->hosts[explanation->host]);
			return true;
		}
	}
	return false;
}

static void advance(struct query_explanation *explanation)
{
	if (explanation->told <= explanation->decision.share_count)
		explanation->told++;
	else
		explanation->host++;
}

bool explain_step(struct worker *worker, const struct query *query, struct query_explanation *explanation)
{
	if (!explanation->decided)
		decide_now(worker, explanation);
	for (unsigned i = 0; i < STEP_RECORDS; i++) {
		struct record record;
		if (!next(worker, explanation, &record))
			return true;
		if (!recording_answer(worker, query, &record))
			return false;
		advance(explanation);
	}
	return false;
}
