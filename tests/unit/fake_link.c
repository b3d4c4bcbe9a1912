/* A dataplane that is only memory: see the header. */
#include "fake_link.h"

#include <stdlib.h>
#include <string.h>

#include "control/event_loop.h"

struct fake_link fake_link;

void fake_link_reset(uint32_t hosts_max, uint32_t pairs_max, uint32_t routes_max)
{
	fake_link_free();
	size_t size = shared_size(FAKE_WORKERS, hosts_max, pairs_max);
	fake_link.shared = aligned_alloc(CACHE_LINE, (size + CACHE_LINE - 1) & ~(size_t)(CACHE_LINE - 1));
	if (!fake_link.shared)
		abort();
	memset(fake_link.shared, 0, size);
	shared_layout(fake_link.shared, FAKE_WORKERS, hosts_max, pairs_max);
	fake_link.shared->routes_max = routes_max;
	fake_link.room = FAKE_MESSAGES_MAX;
	fake_link.acknowledge = true;
}

void fake_link_free(void)
{
	free(fake_link.shared);
	memset(&fake_link, 0, sizeof(fake_link));
}

const char *fake_link_appear(void)
{
	const char *why = fake_link.handler.ready(fake_link.handler.context, fake_link.shared, fake_link.shared->size);
	fake_link.state = why ? LINK_INCOMPATIBLE : LINK_READY;
	return why;
}

void fake_link_forget(void)
{
	for (unsigned i = 0; i < FAKE_WORKERS; i++)
		fake_link.workers[i].count = 0;
}

const struct message *fake_link_message(enum message_type type, unsigned n)
{
	const struct fake_worker *worker = &fake_link.workers[0];
	for (unsigned i = 0; i < worker->count; i++)
		if (worker->messages[i].type == type && n-- == 0)
			return &worker->messages[i];
	return NULL;
}

void fake_link_event(unsigned worker, enum event_type type, uint32_t slot, uint32_t generation)
{
	struct fake_worker *from = &fake_link.workers[worker];
	from->events[from->event_count++] =
	    (struct event){.version = MESSAGE_VERSION, .type = (uint16_t)type, .slot = slot, .generation = generation};
}

static void take(unsigned index, const struct message *message)
{
	struct fake_worker *worker = &fake_link.workers[index];
	struct shared_worker *block = shared_worker_at(fake_link.shared, index);
	if (message->type == MESSAGE_SYNC_BEGIN)
		worker->next_sequence = message->sequence;
	if (message_check(message) != MESSAGE_OK || message->sequence != worker->next_sequence++ ||
	    message->start != shared_get(&fake_link.shared->control_start))
		worker->faults++;
	worker->messages[worker->count++] = *message;
	if (!fake_link.acknowledge || (message->type != MESSAGE_SYNC_END && message->type != MESSAGE_BATCH_END))
		return;
	shared_set(&block->applied_revision, message->end.revision);
	shared_set(&block->applied_start, message->start);
}

unsigned dataplane_link_send(struct dataplane_link *link, unsigned worker, const struct message *messages,
                             unsigned count)
{
	unsigned taken = count < fake_link.room ? count : fake_link.room;
	for (unsigned i = 0; i < taken; i++)
		take(worker, &messages[i]);
	return taken;
}

bool dataplane_link_drained(const struct dataplane_link *link, unsigned count)
{
	return !fake_link.unread;
}

unsigned dataplane_link_receive(struct dataplane_link *link, unsigned worker, struct event *events, unsigned max)
{
	struct fake_worker *from = &fake_link.workers[worker];
	unsigned count = from->event_count < max ? from->event_count : max;
	memcpy(events, from->events, count * sizeof(*events));
	from->event_count = 0;
	return count;
}

void fake_link_record(unsigned worker, const struct record *record)
{
	struct fake_worker *from = &fake_link.workers[worker];
	if (from->record_count == FAKE_RECORDS_MAX)
		abort();
	struct record *made = &from->records[from->record_count++];
	*made = *record;
	made->version = RECORD_VERSION;
	made->at_us = made->at_us ? made->at_us : clock_monotonic_ms() * 1000;
}

unsigned dataplane_link_receive_records(struct dataplane_link *link, unsigned worker, struct record *records,
                                        unsigned max)
{
	struct fake_worker *from = &fake_link.workers[worker];
	unsigned count = from->record_count < max ? from->record_count : max;
	memcpy(records, from->records, count * sizeof(*records));
	memmove(from->records, from->records + count, (from->record_count - count) * sizeof(*records));
	from->record_count -= count;
	return count;
}

struct dataplane_link *dataplane_link_create(struct event_loop *loop, const char *path,
                                             const struct link_handler *handler)
{
	fake_link.handler = *handler;
	fake_link.state = LINK_ABSENT;
	return (struct dataplane_link *)&fake_link;
}

void dataplane_link_destroy(struct dataplane_link *link)
{
	fake_link.state = LINK_ABSENT;
}

enum link_state dataplane_link_state(const struct dataplane_link *link)
{
	return fake_link.state;
}

pid_t dataplane_link_pid(const struct dataplane_link *link)
{
	return fake_link.state == LINK_ABSENT ? 0 : fake_link.pid != 0 ? fake_link.pid : 4711;
}

const char *dataplane_link_why(const struct dataplane_link *link)
{
	return fake_link.state == LINK_ABSENT ? "no dataplane is running" : "another version";
}
