/* Feeding the workers: see the header. */
#include "control/feed/feed.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { LIST_KEPT = 4096 }; /* messages: memory of longer lists is given back */

static bool layout_fits(const struct shared_header *shared)
{
	struct shared_header expected = {0};
	if (shared->worker_count < 1 || shared->worker_count > WORKERS_MAX || shared->port_count > PORTS_MAX ||
	    shared->vips.count > VIPS_MAX || shared->hosts_max > UINT32_MAX / 2 || shared->pairs_max > UINT32_MAX / 2)
		return false;
	shared_layout(&expected, shared->worker_count, shared->hosts_max, shared->pairs_max);
	return shared->size == expected.size && shared->worker_offset == expected.worker_offset &&
	       shared->worker_stride == expected.worker_stride &&
	       shared->host_directory_offset == expected.host_directory_offset &&
	       shared->pair_directory_offset == expected.pair_directory_offset;
}

bool feed_shared_valid(const struct shared_header *shared, size_t size, char why[static FEED_WHY_MAX])
{
	if (size < sizeof(*shared) || shared->magic != SHARED_MAGIC)
		snprintf(why, FEED_WHY_MAX, "its shared memory is not pointsman's");
	else if (shared->version != SHARED_VERSION || shared->message_version != MESSAGE_VERSION)
		snprintf(why, FEED_WHY_MAX,
		         "it speaks version %" PRIu32 ".%" PRIu32
		         " of shared memory and messages, this control %d.%d: run both programs from one release",
		         shared->version, shared->message_version, SHARED_VERSION, MESSAGE_VERSION);
	else if (shared->header_size != sizeof(*shared) || shared->counter_total != counter_count ||
	         shared->size > size || !layout_fits(shared))
		snprintf(why, FEED_WHY_MAX, "its shared memory has another layout: run both programs from one build");
	else
		return true;
	return false;
}

void feed_begin(struct feed *feed, struct shared_header *shared, uint64_t start,
                unsigned (*send)(void *context, unsigned worker, const struct message *messages, unsigned count),
                void *context)
{
	*feed = (struct feed){
	    .shared = shared, .send = send, .context = context, .start = start, .next_sequence = 1, .resync = true};
	atomic_store_explicit(&shared->control_start, start, memory_order_release);
}

void feed_end(struct feed *feed)
{
	table_free(feed->table);
	message_list_free(&feed->list);
	message_list_free(&feed->waiting);
	*feed = (struct feed){0};
}

bool feed_idle(const struct feed *feed)
{
	for (unsigned i = 0; i < feed->shared->worker_count; i++)
		if (feed->sent[i] < feed->list.count)
			return false;
	return true;
}

bool feed_wants_all(const struct feed *feed)
{
	return feed->resync || !feed->table;
}

/* Everything in the list is in the rings: it begins anew. */
static void begin_list(struct feed *feed)
{
	if (feed->list.room > LIST_KEPT)
		message_list_free(&feed->list);
	feed->list.count = 0;
	feed->commands = 0;
	memset(feed->sent, 0, sizeof(feed->sent));
}

static void append_command(struct message_list *list, const struct message *command)
{
	*message_list_append(list, (enum message_type)command->type) = *command;
}

/* Behind a resync: the log as it was, then what has waited. */
static void append_waiting(struct feed *feed)
{
	if (feed->has_log)
		append_command(&feed->list, &feed->log);
	for (size_t i = 0; i < feed->waiting.count; i++)
		append_command(&feed->list, &feed->waiting.messages[i]);
	feed->commands = (unsigned)feed->waiting.count;
	feed->waiting.count = 0;
}

/* From `first` on. */
static void seal(struct feed *feed, size_t first)
{
	for (size_t i = first; i < feed->list.count; i++)
		message_seal(&feed->list.messages[i], feed->start, feed->next_sequence++);
}

void feed_table(struct feed *feed, struct table *table)
{
	begin_list(feed);
	if (!table->partial) {
		publish_sync(table, &feed->list);
		feed->resync = false;
		append_waiting(feed);
	} else {
		publish_difference(feed->table, table, &feed->list);
	}
	seal(feed, 0);
	table_free(feed->table);
	table_forget_routes(table);
	feed->table = table;
	feed_pump(feed);
}

bool feed_command(struct feed *feed, const struct message *message)
{
	bool waits = feed_wants_all(feed);
	if (feed_idle(feed))
		begin_list(feed);
	if ((waits ? feed->waiting.count : feed->commands) >= FEED_COMMANDS_MAX)
		return false;
	if (message->type == MESSAGE_LOG) {
		feed->log = *message;
		feed->has_log = true;
	}
	if (waits) {
		/* The log is sent there anyway. */
		if (message->type != MESSAGE_LOG)
			append_command(&feed->waiting, message);
		return true;
	}
	append_command(&feed->list, message);
	feed->commands++;
	seal(feed, feed->list.count - 1);
	feed_pump(feed);
	return true;
}

void feed_pump(struct feed *feed)
{
	for (unsigned i = 0; i < feed->shared->worker_count; i++) {
		size_t left = feed->list.count - feed->sent[i];
		if (left > 0)
			feed->sent[i] +=
			    feed->send(feed->context, i, &feed->list.messages[feed->sent[i]], (unsigned)left);
	}
}

uint64_t feed_worker_applied(const struct feed *feed, unsigned worker)
{
	struct shared_worker *block = shared_worker_at(feed->shared, worker);
	/* The worker stores the revision first. */
	if (atomic_load_explicit(&block->applied_start, memory_order_acquire) != feed->start)
		return 0;
	return shared_get(&block->applied_revision);
}

uint64_t feed_applied(const struct feed *feed)
{
	uint64_t lowest = UINT64_MAX;
	for (unsigned i = 0; i < feed->shared->worker_count; i++) {
		uint64_t applied = feed_worker_applied(feed, i);
		lowest = applied < lowest ? applied : lowest;
	}
	return lowest;
}
