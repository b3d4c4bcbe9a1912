/* What the worker of a rig tells of connections, against what their endpoints saw. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>

#include "common/record.h"
#include "sim_app.h"

/* The exchange of this client's address and port that was there when the connection was born. */
static struct exchange *exchange_of(const struct rig *rig, const struct record *record)
{
	const struct record_connection *connection = &record->connection;
	uint64_t born = record->at_us - (uint64_t)connection->age * 1000;
	struct exchange *exchange = rig->exchanges; /* the latest first */
	while (exchange &&
	       (!exchange->client || exchange->client->local_port != connection->client_port ||
	        exchange->client->local != ntohl(address_v4(&connection->client)) || exchange->started_at > born))
		exchange = exchange->next;
	return exchange;
}

static void take_ended(struct rig *rig, const struct record *record)
{
	struct exchange *exchange = exchange_of(rig, record);
	rig->records.ended[record->connection.state]++;
	if (!exchange && !rig->wild_births && !rig->strangers)
		sim_fail(rig->sim, "a connection has ended that no client had: port %u",
		         record->connection.client_port);
	if (!exchange)
		return;
	if (exchange->ended_count++ > 0 && !rig->wild_births)
		sim_fail(rig->sim, "exchange %u has ended twice: %s, %s", exchange->number,
		         record_why_name(exchange->ended.why), record_why_name(record->connection.why));
	exchange->ended = record->connection;
}

static void take_end(struct rig *rig, const struct record *record)
{
	rig->records.open_queries--;
	rig->records.end = record->end;
	if (record->end.refused)
		sim_fail(rig->sim, "query %u was refused", record->query);
}

/* The ring has no room now and then, for answers to queries. */
bool rig_record(struct rig *rig, const struct record *record)
{
	if (!record_valid(record) || record->at_us != rig->sim->now)
		sim_fail(rig->sim, "record of type %u is not valid", record->type);
	if (record->start != (record->query ? rig->start : 0))
		sim_fail(rig->sim, "record of type %u for start %llu", record->type, (unsigned long long)record->start);
	if (record->query && sim_chance(rig->sim, rig->records.full))
		return false;
	switch (record->type) {
	case RECORD_ENDED:
		take_ended(rig, record);
		break;
	case RECORD_REFUSED:
		rig->records.refused++;
		break;
	case RECORD_LISTED:
		rig->records.listed++;
		break;
	case RECORD_QUERY_END:
		take_end(rig, record);
		break;
	}
	return true;
}

static uint64_t answers_of(const struct rig *rig)
{
	uint64_t sum = 0;
	for (enum counter i = counter_answer_unknown_name; i <= counter_answer_timeout; i++)
		sum += rig_counter(rig, i);
	return sum;
}

/* What lies behind a FIN that was lost on its way to the worker looks as if the FIN were a byte. */
static uint64_t sent_by(const struct sim_tcp *tcp)
{
	return tcp ? tcp->out_len + tcp->fin_queued : 0;
}

/* Each byte that an endpoint has got was counted, none twice; nothing is missing when everything has arrived. */
static void check_exchange(struct rig *rig, const struct exchange *exchange)
{
	const struct record_connection *ended = &exchange->ended;
	bool complete = app_complete(exchange);
	if (complete && exchange->ended_count != 1)
		sim_fail(rig->sim, "exchange %u is complete and has %u records", exchange->number,
		         exchange->ended_count);
	if (exchange->ended_count == 0 || exchange->answered || exchange->plan.answer)
		return;
	uint64_t up = exchange->server_bytes, down = exchange->client_bytes;
	uint64_t up_most = sent_by(exchange->client), down_most = sent_by(exchange->server);
	bool late = ended->why == RECORD_RST && rig->lossy; /* a RST may overtake data, which still passes */
	bool missed = !late && (ended->bytes_in < up || ended->bytes_out < down);
	bool invented = ended->bytes_in > up_most || ended->bytes_out > down_most;
	if (missed || invented || (complete && (ended->bytes_in != up || ended->bytes_out != down)))
		sim_fail(rig->sim,
		         "exchange %u (port %u, %s, state %s): %llu bytes in, %llu out; the endpoints got %zu and %zu, "
		         "of %llu "
		         "and %llu",
		         exchange->number, exchange->client->local_port, record_why_name(ended->why),
		         record_state_name(ended->state), (unsigned long long)ended->bytes_in,
		         (unsigned long long)ended->bytes_out, exchange->server_bytes, exchange->client_bytes,
		         (unsigned long long)up_most, (unsigned long long)down_most);
}

void rig_check_records(struct rig *rig)
{
	if (rig->records.ended[RECORD_SPLICED] != rig_counter(rig, counter_connections_spliced))
		sim_fail(rig->sim, "%llu connections spliced, %u records of their ends",
		         (unsigned long long)rig_counter(rig, counter_connections_spliced),
		         rig->records.ended[RECORD_SPLICED]);
	if (rig->records.refused != answers_of(rig))
		sim_fail(rig->sim, "%llu answers, %u records of them", (unsigned long long)answers_of(rig),
		         rig->records.refused);
	if (rig->records.open_queries != 0)
		sim_fail(rig->sim, "%u queries are not answered", rig->records.open_queries);
	rig_expect(rig, counter_record_lost, 0);
	for (const struct exchange *exchange = rig->exchanges; exchange && !rig->wild_births; exchange = exchange->next)
		check_exchange(rig, exchange);
}
