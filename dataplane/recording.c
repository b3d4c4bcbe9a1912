/* What is told of connections in records (common/record.h): their past is noted at birth, join and splice, apart from
 * what packets need, and made into a record at the end, or when a query asks. */
#include <stdlib.h>
#include <string.h>

#include "dataplane/core.h"

enum {
	US_PER_SECOND = 1000000,
	/* Parts of a connection's id, 53 bits in all, so that it is exact as a number in JSON. */
	ID_WORKER_BITS = 6,
	ID_PLACE_BITS = 24,
	ID_BIRTHS_MAX = (1 << 23) - 1,
};
_Static_assert((int)LISTENER_NONE == (int)VIP_CLOSED, "flows of a listener that has gone");
_Static_assert(WORKERS_MAX <= 1 << ID_WORKER_BITS, "a worker's number fits");
_Static_assert(RECORD_TIMEOUT == RECORD_UNKNOWN_NAME + ANSWER_TIMEOUT, "answers and their records have one order");

static struct flow_past *past_of(const struct worker *worker, const struct flow *flow)
{
	return &worker->pasts[flow_index(worker, flow)];
}

/* ---- what is noted ---- */

void recording_born(struct worker *worker, const struct flow *flow)
{
	struct flow_past *past = past_of(worker, flow);
	past->born = worker->now_us;
	past->births = past->births % ID_BIRTHS_MAX + 1;
}

void recording_joins(struct worker *worker, const struct flow *flow, uint32_t client_first, uint32_t router_first)
{
	struct flow_past *past = past_of(worker, flow);
	past->first[SIDE_CLIENT] = client_first;
	past->first[SIDE_ROUTER] = router_first;
	past->wraps[SIDE_CLIENT] = past->wraps[SIDE_ROUTER] = 0;
}

static uint32_t born_ms(const struct flow_past *past)
{
	return (uint32_t)(past->born / 1000);
}

static void copy_name(struct hostname *to, const struct hostname *from)
{
	to->len = from->len;
	memcpy(to->text, from->text, from->len);
	to->text[from->len] = '\0';
}

void recording_keep(struct worker *worker, const struct flow *flow)
{
	struct flow_past *past = past_of(worker, flow);
	const struct young *young = flow_young(worker, flow);
	past->head = young->connect_started - born_ms(past);
	past->connect = young->join_started - young->connect_started;
	past->host_generation = young->host_generation;
	past->cluster = young->cluster;
	past->attempts = young->tried_count;
	copy_name(&past->name, &young->name);
}

/* ---- what is told ---- */

static uint64_t id_of(const struct worker *worker, const struct flow *flow)
{
	uint64_t births = past_of(worker, flow)->births;
	return births << (ID_PLACE_BITS + ID_WORKER_BITS) | (uint64_t)flow_index(worker, flow) << ID_WORKER_BITS |
	       worker->index;
}

bool recording_place(const struct worker *worker, uint64_t id, uint32_t *place)
{
	*place = (uint32_t)(id >> ID_WORKER_BITS) & ((1u << ID_PLACE_BITS) - 1);
	return (id & ((1u << ID_WORKER_BITS) - 1)) == worker->index && *place < worker->config->limits.connections &&
	       worker->flows[*place].state != FLOW_FREE && id_of(worker, &worker->flows[*place]) == id;
}

static uint32_t age_of(const struct worker *worker, const struct flow_past *past)
{
	uint64_t age = (worker->now_us - past->born) / 1000;
	return age < UINT32_MAX ? (uint32_t)age : UINT32_MAX;
}

/* Payload of a side that was forwarded. Numbers are noted unchecked on the fast path, so they count only as far as the
 * receiver's window goes. */
static uint64_t bytes_of(const struct worker *worker, const struct flow *flow, enum side side)
{
	const struct flow_past *past = past_of(worker, flow);
	const struct flow_half *half = &flow->half[side], *receiver = &flow->half[!side];
	uint32_t last = half->end, edge = receiver->acked + receiver->window;
	if (flow->flags & (side == SIDE_CLIENT ? FLOW_FIN_CLIENT : FLOW_FIN_ROUTER))
		last = half->fin_end - 1;
	else if (seq_before(edge, last))
		last = edge;
	return ((uint64_t)past->wraps[side] << 32) + half->end - past->first[side] - (uint32_t)(half->end - last);
}

static bool has_complete_head(const struct flow *flow, const struct young *young)
{
	return flow->state == FLOW_CONNECTING || flow->state == FLOW_JOINING ||
	       (flow->state == FLOW_ANSWER && young->answer <= ANSWER_CONNECT_FAILED);
}

static void describe_young(const struct worker *worker, const struct flow *flow, struct record_connection *out)
{
	const struct young *young = flow_young(worker, flow);
	out->cluster = young->cluster;
	out->host_generation = young->host_generation;
	out->attempts = young->tried_count;
	if (has_complete_head(flow, young)) {
		out->head = young->connect_started - born_ms(past_of(worker, flow));
		copy_name(&out->name, &young->name);
	}
	if (flow->state == FLOW_JOINING) {
		out->connect = young->join_started - young->connect_started;
		return;
	}
	out->bytes_in = young->received;
	if (flow->state == FLOW_ANSWER)
		out->bytes_out = young->answer_sent < young->answer_len ? young->answer_sent : young->answer_len;
}

static void describe_past(const struct worker *worker, const struct flow *flow, struct record_connection *out)
{
	const struct flow_past *past = past_of(worker, flow);
	out->cluster = past->cluster;
	out->host_generation = past->host_generation;
	out->attempts = past->attempts;
	out->head = past->head;
	out->connect = past->connect;
	copy_name(&out->name, &past->name);
}

enum record_state recording_state(const struct flow *flow)
{
	static const enum record_state states[] = {
	    [FLOW_HEAD] = RECORD_HEAD,       [FLOW_ANSWER] = RECORD_ANSWER,   [FLOW_CONNECTING] = RECORD_CONNECTING,
	    [FLOW_JOINING] = RECORD_JOINING, [FLOW_SPLICED] = RECORD_SPLICED, [FLOW_LINGERING] = RECORD_LINGERING,
	};
	return states[flow->state];
}

static void describe(const struct worker *worker, const struct flow *flow, enum record_why why,
                     struct record_connection *out)
{
	*out = (struct record_connection){
	    .id = id_of(worker, flow),
	    .client = flow->client,
	    .client_port = flow->client_port,
	    .listener = worker->vips[flow->vip].listener,
	    .why = (uint8_t)why,
	    .state = (uint8_t)recording_state(flow),
	    .pair = flow->share_pair,
	    .host = flow->host,
	    .age = age_of(worker, past_of(worker, flow)),
	    .idle = worker->now - flow->last_seen,
	};
	if (flow->host != SLOT_NONE) {
		out->router = flow->router;
		out->router_port = flow->router_port;
		out->local_port = flow->local_port;
	}
	if (flow->young != YOUNG_NONE)
		describe_young(worker, flow, out);
	else
		describe_past(worker, flow, out);
	if (flow->state >= FLOW_JOINING) {
		out->bytes_in = bytes_of(worker, flow, SIDE_CLIENT);
		out->bytes_out = bytes_of(worker, flow, SIDE_ROUTER);
	}
}

uint16_t recording_cluster(const struct worker *worker, const struct flow *flow)
{
	return flow->young != YOUNG_NONE ? flow_young(worker, flow)->cluster : past_of(worker, flow)->cluster;
}

uint32_t recording_age(const struct worker *worker, const struct flow *flow)
{
	return age_of(worker, past_of(worker, flow));
}

static struct record begin(const struct worker *worker, enum record_type type)
{
	return (struct record){.version = RECORD_VERSION, .type = (uint16_t)type, .at_us = worker->now_us};
}

bool recording_answer(struct worker *worker, const struct query *query, struct record *record)
{
	record->version = RECORD_VERSION;
	record->query = query->number;
	record->start = query->start;
	record->at_us = worker->now_us;
	return worker->io.record(worker->io.context, record);
}

bool recording_listed(struct worker *worker, const struct query *query, const struct flow *flow)
{
	struct record record = begin(worker, RECORD_LISTED);
	describe(worker, flow, RECORD_OPEN, &record.connection);
	return recording_answer(worker, query, &record);
}

static void send(struct worker *worker, const struct flow *flow, enum record_type type, enum record_why why)
{
	struct record record = begin(worker, type);
	describe(worker, flow, why, &record.connection);
	if (!worker->io.record(worker->io.context, &record))
		count(worker, counter_record_lost);
}

void recording_ended(struct worker *worker, const struct flow *flow, enum record_why why)
{
	struct recording *recording = &worker->recording;
	if (recording->log.every == 0 || ++recording->ended < recording->log.every)
		return;
	recording->ended = 0;
	send(worker, flow, RECORD_ENDED, why);
}

/* A bucket that holds one second's worth. */
static bool take_token(struct worker *worker)
{
	struct recording *recording = &worker->recording;
	uint64_t rate = recording->log.refused_per_second, passed = worker->now_us - recording->tokens_at;
	recording->tokens += rate * (passed < US_PER_SECOND ? passed : US_PER_SECOND);
	recording->tokens_at = worker->now_us;
	if (recording->tokens > rate * US_PER_SECOND)
		recording->tokens = rate * US_PER_SECOND;
	if (recording->tokens < US_PER_SECOND)
		return false;
	recording->tokens -= US_PER_SECOND;
	return true;
}

void recording_refused(struct worker *worker, const struct flow *flow)
{
	enum answer answer = flow_young(worker, flow)->answer;
	if (answer != ANSWER_SILENT && take_token(worker))
		send(worker, flow, RECORD_REFUSED, (enum record_why)(RECORD_UNKNOWN_NAME + answer));
}

void recording_log(struct worker *worker, const struct message_log *log)
{
	struct recording *recording = &worker->recording;
	if (recording->log.every == log->every && recording->log.refused_per_second == log->refused_per_second)
		return; /* said again after a resync */
	*recording = (struct recording){
	    .log = *log,
	    .tokens = (uint64_t)log->refused_per_second * US_PER_SECOND,
	    .tokens_at = worker->now_us,
	};
}
