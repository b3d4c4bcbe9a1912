/* Records of the workers: see the header. */
#include "control/traffic/records.h"

#include <stdlib.h>
#include <time.h>

#include "common/record.h"
#include "control/traffic/connection_log.h"
#include "control/control.h"
#include "control/traffic/probe.h"
#include "control/traffic/queries.h"
#include "control/traffic/unknown_names.h"

enum { RECORDS_AT_ONCE = 32 };

static uint32_t every(const struct config *config)
{
	switch (config->log.connections) {
	case CONNECTION_LOG_FULL:
		return 1;
	case CONNECTION_LOG_SAMPLED:
		return config->log.sample;
	default:
		return 0;
	}
}

void records_init(struct control *control)
{
	control->queries = queries_create(control);
	control->unknown_names = unknown_names_create();
	control->connection_log = connection_log_create();
	connection_log_configure(control->connection_log, control);
	control->prober = prober_create(control->loop);
	if (!control->prober)
		abort();
}

void records_end(struct control *control)
{
	prober_destroy(control->prober);
	queries_destroy(control->queries);
	unknown_names_free(control->unknown_names);
	connection_log_free(control->connection_log);
}

static void tell_workers(struct control *control)
{
	struct message message = {.type = MESSAGE_LOG};
	message.log = (struct message_log){every(control->config), REFUSED_RECORDS_PER_SECOND};
	control->records.log_due = control->shared && !feed_command(&control->feed, &message);
}

void records_tell(struct control *control)
{
	connection_log_configure(control->connection_log, control);
	tell_workers(control);
}

static const char *listener_name(const struct config *config, unsigned listener)
{
	return listener < config->listener_count ? config->listeners[listener].name : "-";
}

static void hand_on(struct control *control, unsigned worker, const struct record *record)
{
	struct records *records = &control->records;
	records->taken++;
	if (!record_valid(record)) {
		records->invalid++;
	} else if (record->query != 0) {
		if (record->start == control->feed.start)
			queries_take(control->queries, worker, record);
		else
			records->stale++;
	} else if (record->type == RECORD_REFUSED) {
		unknown_names_take(control->unknown_names, &record->connection,
		                   listener_name(control->config, record->connection.listener),
		                   records_unix_ms(record->at_us));
		connection_log_take(control->connection_log, control, record);
	} else if (record->type == RECORD_ENDED) {
		connection_log_take(control->connection_log, control, record);
	}
}

/* True: the ring may have more. */
static bool take_from(struct control *control, unsigned worker)
{
	struct record records[RECORDS_AT_ONCE];
	for (unsigned taken = 0; taken < RECORDS_PER_TURN; taken += RECORDS_AT_ONCE) {
		unsigned count = dataplane_link_receive_records(control->link, worker, records, RECORDS_AT_ONCE);
		for (unsigned i = 0; i < count; i++)
			hand_on(control, worker, &records[i]);
		if (count < RECORDS_AT_ONCE)
			return false;
	}
	return true;
}

bool records_take(struct control *control)
{
	bool more = false;
	if (control->records.log_due)
		tell_workers(control);
	for (unsigned i = 0; i < control->shared->worker_count; i++)
		more |= take_from(control, i);
	return more;
}

uint64_t records_lost(const struct control *control)
{
	uint64_t lost = 0;
	for (unsigned i = 0; control->shared && i < control->shared->worker_count; i++)
		lost += shared_get(&shared_worker_at(control->shared, i)->counters[counter_record_lost]);
	return lost;
}

int64_t records_unix_ms(uint64_t monotonic_us)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	uint64_t now_us = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
	uint64_t ago = now_us > monotonic_us ? now_us - monotonic_us : 0;
	return clock_unix_ms() - (int64_t)(ago / 1000);
}
