/* Messages of control into the worker's tables: which are believed, when they are applied, and what a worker does when
 * a router host is new. See common/message.h for the protocol. */
#include "dataplane/core.h"

static void want_resync(struct worker *worker)
{
	struct event event = {.version = MESSAGE_VERSION, .type = EVENT_RESYNC_WANTED, .slot = SLOT_NONE};
	worker->tables.lost = true;
	if (!worker->io.event(worker->io.context, &event))
		count(worker, counter_event_lost);
}

static bool is_unchanged(const struct table_host *known, const struct message_host *host)
{
	return known->present && known->generation == host->generation && known->healthy == host->healthy &&
	       address_equal(&known->address, &host->address);
}

/* A router host is new, changed, or checked again: what was suspected of it is forgotten. In a resync an unchanged one
 * says nothing new. */
static void learn_host(struct worker *worker, const struct message_host *host)
{
	struct tables *tables = &worker->tables;
	struct host_health *health = &worker->health[host->slot];
	if (!tables->filling || !is_unchanged(&tables->active->hosts[host->slot], host)) {
		uint16_t mss = health->generation == host->generation ? health->mss : 0;
		*health = (struct host_health){.generation = host->generation, .mss = mss};
		if (!worker->io.ask(worker->io.context, &host->address, true))
			count(worker, counter_ask_lost);
	}
}

static void apply(struct worker *worker, struct table *table, const struct message *message)
{
	if (!table_apply(&worker->tables, table, message)) {
		count(worker, counter_message_discarded);
		return;
	}
	if (message->type == MESSAGE_HOST)
		learn_host(worker, &message->host);
	count(worker, counter_message_applied);
}

static void acknowledge(struct worker *worker, uint64_t revision)
{
	hosts_refresh_mss(worker);
	shared_set(&worker->block->applied_revision, revision);
	atomic_store_explicit(&worker->block->applied_start, worker->tables.start, memory_order_release);
}

static void begin_sync(struct worker *worker, const struct message *message)
{
	struct tables *tables = &worker->tables;
	if (message->start != tables->start)
		queries_drop(worker);
	tables->filling = tables->active == &tables->table[0] ? &tables->table[1] : &tables->table[0];
	table_clear(tables->filling);
	tables->start = message->start;
	tables->next_sequence = message->sequence + 1;
	tables->lost = false;
	tables->batch_count = 0;
}

static void apply_batch(struct worker *worker)
{
	struct tables *tables = &worker->tables;
	for (unsigned i = 0; i < tables->batch_count; i++)
		apply(worker, tables->active, &tables->batch[i]);
	tables->batch_count = 0;
}

static void obey(struct worker *worker, const struct message *command)
{
	if (command->type == MESSAGE_LOG)
		recording_log(worker, &command->log);
	else
		queries_take(worker, command);
	count(worker, counter_message_applied);
}

static void take(struct worker *worker, const struct message *message)
{
	struct tables *tables = &worker->tables;
	if (message_is_command(message->type)) {
		obey(worker, message);
	} else if (message->type == MESSAGE_SYNC_END && tables->filling) {
		tables_swap(tables);
		acknowledge(worker, message->end.revision);
	} else if (tables->filling) {
		apply(worker, tables->filling, message);
	} else if (message->type == MESSAGE_BATCH_END) {
		apply_batch(worker);
		acknowledge(worker, message->end.revision);
	} else if (tables->batch_count < MESSAGE_BATCH_MAX) {
		tables->batch[tables->batch_count++] = *message;
	} else {
		want_resync(worker);
	}
}

void worker_message(struct worker *worker, const struct message *message, uint64_t now_us)
{
	struct tables *tables = &worker->tables;
	worker->now_us = now_us;
	bool sound = message_check(message) == MESSAGE_OK;
	bool announced = message->start == shared_get(&worker->shared->control_start);
	if (sound && announced && message->type == MESSAGE_SYNC_BEGIN) {
		begin_sync(worker, message);
		return;
	}
	if (sound && announced && message->start == tables->start && !tables->lost &&
	    message->sequence == tables->next_sequence) {
		tables->next_sequence++;
		take(worker, message);
		return;
	}
	count(worker, counter_message_discarded);
	bool ours = announced && message->start == tables->start;
	if (!tables->lost && (!sound || ours))
		want_resync(worker);
}
