/* Sizes, seal and check of the messages of message.h. */
#include "common/message.h"

#include <stddef.h>
#include <string.h>

#include "common/crc32c.h"

static const uint16_t body_sizes[] = {
    [MESSAGE_SYNC_BEGIN] = 0,
    [MESSAGE_HOST] = sizeof(struct message_host),
    [MESSAGE_HOST_GONE] = sizeof(struct message_host_gone),
    [MESSAGE_ROUTE] = sizeof(struct message_route),
    [MESSAGE_ROUTE_GONE] = sizeof(struct message_route_gone),
    [MESSAGE_LISTENER] = sizeof(struct message_listener),
    [MESSAGE_SYNC_END] = sizeof(struct message_end),
    [MESSAGE_BATCH_END] = sizeof(struct message_end),
    [MESSAGE_LOG] = sizeof(struct message_log),
    [MESSAGE_CONNECTIONS] = sizeof(struct message_connections),
    [MESSAGE_EXPLAIN] = sizeof(struct message_explain),
};

uint32_t message_size(uint16_t type)
{
	if (type < MESSAGE_SYNC_BEGIN || type > MESSAGE_EXPLAIN)
		return 0;
	return (uint32_t)offsetof(struct message, end) + body_sizes[type];
}

static uint32_t message_crc(const struct message *message)
{
	return crc32c((const uint8_t *)message + sizeof(message->crc),
	              message_size(message->type) - sizeof(message->crc));
}

void message_seal(struct message *message, uint64_t start, uint32_t sequence)
{
	message->version = MESSAGE_VERSION;
	message->start = start;
	message->sequence = sequence;
	message->reserved = 0;
	message->crc = message_crc(message);
}

static bool host_valid(const struct message_host *host)
{
	return host->cluster < CLUSTER_NUMBERS && host->healthy <= 1 && (host->http_port || host->https_port);
}

/* In the form in which names are compared. */
static bool name_valid(const struct hostname *name)
{
	struct hostname normal;
	return name->len <= HOSTNAME_MAX && hostname_set(&normal, (const uint8_t *)name->text, name->len) &&
	       normal.len == name->len && memcmp(normal.text, name->text, name->len + 1u) == 0;
}

static bool route_valid(const struct message_route *route)
{
	if (route->wildcard > 1 || route->share_count > ROUTE_CLUSTERS_MAX || !name_valid(&route->name))
		return false;
	for (unsigned i = 0; i < route->share_count; i++) {
		const struct message_share *share = &route->shares[i];
		if (share->cluster >= CLUSTER_NUMBERS || share->weight > 10000 || share->http > 1 || share->https > 1)
			return false;
	}
	return true;
}

static bool listener_valid(const struct message_listener *listener)
{
	return listener->listener < LISTENERS_MAX &&
	       (listener->cluster < CLUSTER_NUMBERS || listener->cluster == CLUSTER_NONE);
}

static bool connections_valid(const struct message_connections *connections)
{
	return connections->query != 0 && connections->action <= CONNECTIONS_CLOSE &&
	       connections->client_length <= 128 && connections->states < 1 << CONNECTION_STATES &&
	       (connections->cluster < CLUSTER_NUMBERS || connections->cluster == CLUSTER_NONE);
}

static bool explain_valid(const struct message_explain *explain)
{
	return explain->query != 0 && explain->listener < LISTENERS_MAX &&
	       (explain->name.len ? name_valid(&explain->name) : explain->name.text[0] == '\0');
}

static bool body_valid(const struct message *message)
{
	switch (message->type) {
	case MESSAGE_HOST:
		return host_valid(&message->host);
	case MESSAGE_ROUTE:
		return route_valid(&message->route);
	case MESSAGE_ROUTE_GONE:
		return message->route_gone.wildcard <= 1 && name_valid(&message->route_gone.name);
	case MESSAGE_LISTENER:
		return listener_valid(&message->listener);
	case MESSAGE_CONNECTIONS:
		return connections_valid(&message->connections);
	case MESSAGE_EXPLAIN:
		return explain_valid(&message->explain);
	default:
		return true;
	}
}

enum message_fault message_check(const struct message *message)
{
	if (message->version != MESSAGE_VERSION)
		return MESSAGE_BAD_VERSION;
	if (message_size(message->type) == 0)
		return MESSAGE_BAD_TYPE;
	if (message->crc != message_crc(message))
		return MESSAGE_BAD_CRC;
	return body_valid(message) ? MESSAGE_OK : MESSAGE_BAD_VALUE;
}
