/* From tables to messages: see the header. */
#include "control/feed/publish.h"

#include <stdlib.h>
#include <string.h>

struct message *message_list_append(struct message_list *list, enum message_type type)
{
	if (list->count == list->room) {
		list->room = list->room ? list->room * 2 : MESSAGE_BATCH_MAX + 1;
		list->messages = realloc(list->messages, list->room * sizeof(*list->messages));
		if (!list->messages)
			abort();
	}
	struct message *message = &list->messages[list->count++];
	memset(message, 0, sizeof(*message));
	message->type = (uint16_t)type;
	return message;
}

void message_list_free(struct message_list *list)
{
	free(list->messages);
	*list = (struct message_list){0};
}

static void append_host(struct message_list *list, const struct table_host *host)
{
	message_list_append(list, MESSAGE_HOST)->host = host->message;
}

static void append_host_gone(struct message_list *list, const struct table_host *host)
{
	message_list_append(list, MESSAGE_HOST_GONE)->host_gone =
	    (struct message_host_gone){.slot = host->message.slot, .generation = host->message.generation};
}

static void append_end(struct message_list *list, enum message_type type, uint64_t revision)
{
	message_list_append(list, type)->end.revision = revision;
}

void publish_sync(const struct table *table, struct message_list *list)
{
	message_list_append(list, MESSAGE_SYNC_BEGIN);
	for (size_t i = 0; i < table->host_count; i++)
		append_host(list, &table->hosts[i]);
	for (size_t i = 0; i < table->route_count; i++)
		message_list_append(list, MESSAGE_ROUTE)->route = table->routes[i];
	for (unsigned i = 0; i < table->listener_count; i++)
		message_list_append(list, MESSAGE_LISTENER)->listener = table->listeners[i];
	append_end(list, MESSAGE_SYNC_END, table->revision);
}

/* Gone ones first: a slot or a cluster's number may have a new owner already. */
static void hosts_gone(const struct table *before, const struct table *after, struct message_list *list)
{
	size_t j = 0;
	for (size_t i = 0; i < before->host_count; i++) {
		const struct table_host *old = &before->hosts[i];
		while (j < after->host_count && after->hosts[j].message.slot < old->message.slot)
			j++;
		if (j == after->host_count || after->hosts[j].message.slot != old->message.slot ||
		    after->hosts[j].message.generation != old->message.generation)
			append_host_gone(list, old);
	}
}

static void hosts_new(const struct table *before, const struct table *after, struct message_list *list)
{
	size_t j = 0;
	for (size_t i = 0; i < after->host_count; i++) {
		const struct table_host *host = &after->hosts[i];
		while (j < before->host_count && before->hosts[j].message.slot < host->message.slot)
			j++;
		if (host->announce || j == before->host_count ||
		    memcmp(&before->hosts[j].message, &host->message, sizeof(host->message)) != 0)
			append_host(list, host);
	}
}

static void routes_changed(const struct table *after, struct message_list *list)
{
	for (size_t i = 0; i < after->route_count; i++)
		message_list_append(list, MESSAGE_ROUTE)->route = after->routes[i];
}

static void routes_gone(const struct table *after, struct message_list *list)
{
	for (size_t i = 0; i < after->gone_count; i++)
		message_list_append(list, MESSAGE_ROUTE_GONE)->route_gone = after->gone[i];
}

static void listeners_changed(const struct table *before, const struct table *after, struct message_list *list)
{
	for (unsigned i = 0; i < after->listener_count; i++)
		if (i >= before->listener_count ||
		    memcmp(&before->listeners[i], &after->listeners[i], sizeof(after->listeners[i])) != 0)
			message_list_append(list, MESSAGE_LISTENER)->listener = after->listeners[i];
}

/* In batches: ends that are no news, and a last one. */
static void append_batches(struct message_list *list, const struct message_list *body, uint64_t before, uint64_t after)
{
	for (size_t i = 0; i < body->count; i++) {
		if (i > 0 && i % MESSAGE_BATCH_MAX == 0)
			append_end(list, MESSAGE_BATCH_END, before);
		*message_list_append(list, (enum message_type)body->messages[i].type) = body->messages[i];
	}
	append_end(list, MESSAGE_BATCH_END, after);
}

void publish_difference(const struct table *before, const struct table *after, struct message_list *list)
{
	struct message_list body = {0};
	hosts_gone(before, after, &body);
	routes_gone(after, &body);
	hosts_new(before, after, &body);
	routes_changed(after, &body);
	listeners_changed(before, after, &body);
	append_batches(list, &body, before->revision, after->revision);
	message_list_free(&body);
}
