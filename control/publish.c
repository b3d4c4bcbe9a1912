/* From tables to messages: see the header. */
#include "control/publish.h"

#include <stdlib.h>
#include <string.h>

static struct message *append(struct message_list *list, enum message_type type)
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
	append(list, MESSAGE_HOST)->host = host->message;
}

static void append_host_gone(struct message_list *list, const struct table_host *host)
{
	append(list, MESSAGE_HOST_GONE)->host_gone =
	    (struct message_host_gone){.slot = host->message.slot, .generation = host->message.generation};
}

static void append_end(struct message_list *list, enum message_type type, uint64_t revision)
{
	append(list, type)->end.revision = revision;
}

void publish_sync(const struct table *table, struct message_list *list)
{
	append(list, MESSAGE_SYNC_BEGIN);
	for (size_t i = 0; i < table->host_count; i++)
		append_host(list, &table->hosts[i]);
	for (size_t i = 0; i < table->route_count; i++)
		append(list, MESSAGE_ROUTE)->route = table->routes[i];
	for (unsigned i = 0; i < table->listener_count; i++)
		append(list, MESSAGE_LISTENER)->listener = table->listeners[i];
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

static void routes_gone(const struct table *before, const struct table *after, struct message_list *list)
{
	size_t j = 0;
	for (size_t i = 0; i < before->route_count; i++) {
		const struct message_route *old = &before->routes[i];
		while (j < after->route_count && after->routes[j].id < old->id)
			j++;
		if (j == after->route_count || after->routes[j].id != old->id)
			append(list, MESSAGE_ROUTE_GONE)->route_gone =
			    (struct message_route_gone){.id = old->id, .wildcard = old->wildcard, .name = old->name};
	}
}

static void routes_new(const struct table *before, const struct table *after, struct message_list *list)
{
	size_t j = 0;
	for (size_t i = 0; i < after->route_count; i++) {
		const struct message_route *route = &after->routes[i];
		while (j < before->route_count && before->routes[j].id < route->id)
			j++;
		if (j == before->route_count || memcmp(&before->routes[j], route, sizeof(*route)) != 0)
			append(list, MESSAGE_ROUTE)->route = *route;
	}
}

void publish_difference(const struct table *before, const struct table *after, struct message_list *list)
{
	size_t count_before = list->count;
	hosts_gone(before, after, list);
	routes_gone(before, after, list);
	hosts_new(before, after, list);
	routes_new(before, after, list);
	for (unsigned i = 0; i < after->listener_count; i++)
		if (i >= before->listener_count ||
		    memcmp(&before->listeners[i], &after->listeners[i], sizeof(after->listeners[i])) != 0)
			append(list, MESSAGE_LISTENER)->listener = after->listeners[i];
	if (list->count - count_before <= MESSAGE_BATCH_MAX) {
		append_end(list, MESSAGE_BATCH_END, after->revision);
		return;
	}
	list->count = count_before;
	publish_sync(after, list);
}
