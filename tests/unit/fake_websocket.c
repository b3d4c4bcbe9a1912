/* WebSockets that are only memory: see the header. */
#include "fake_websocket.h"

#include <stdlib.h>
#include <string.h>

enum { CLIENTS_MAX = 300 };

struct websockets {
	struct websocket_hub hub;
	struct websocket_client *clients[CLIENTS_MAX];
};

struct websocket_text {
	unsigned references;
	size_t len;
	char *bytes;
};

static unsigned texts;

unsigned fake_websocket_texts(void)
{
	return texts;
}

struct websockets *websockets_create(const struct control *control)
{
	return calloc(1, sizeof(struct websockets));
}

void websockets_set_hub(struct websockets *sockets, const struct websocket_hub *hub)
{
	sockets->hub = *hub;
}

unsigned websockets_count(const struct websockets *sockets)
{
	unsigned count = 0;
	for (unsigned i = 0; i < CLIENTS_MAX; i++)
		count += sockets->clients[i] != NULL;
	return count;
}

struct websocket_client *fake_websocket_open(struct websockets *sockets, enum role role, const char *name)
{
	struct websocket_client *client = calloc(1, sizeof(*client));
	unsigned i = 0;
	while (sockets->clients[i])
		i++;
	sockets->clients[i] = client;
	client->open = true;
	client->identity.role = role;
	strcpy(client->identity.name, name);
	sockets->hub.opened(sockets->hub.context, client);
	return client;
}

void fake_websocket_say(struct websockets *sockets, struct websocket_client *client, const char *text)
{
	sockets->hub.message(sockets->hub.context, client, text, strlen(text));
}

static void free_client(struct websockets *sockets, unsigned i)
{
	struct websocket_client *client = sockets->clients[i];
	sockets->hub.closed(sockets->hub.context, client);
	for (unsigned j = 0; j < client->sent; j++)
		free(client->texts[j]);
	free(client);
	sockets->clients[i] = NULL;
}

void fake_websocket_close(struct websockets *sockets, struct websocket_client *client)
{
	for (unsigned i = 0; i < CLIENTS_MAX; i++)
		if (sockets->clients[i] == client)
			free_client(sockets, i);
}

void websockets_close_all(struct websockets *sockets)
{
	for (unsigned i = 0; i < CLIENTS_MAX; i++)
		if (sockets->clients[i])
			free_client(sockets, i);
}

void websockets_destroy(struct websockets *sockets)
{
	free(sockets);
}

const struct identity *websocket_identity(const struct websocket_client *client)
{
	return &client->identity;
}

void websocket_set_data(struct websocket_client *client, void *data)
{
	client->data = data;
}

void *websocket_data(const struct websocket_client *client)
{
	return client->data;
}

void websocket_send(struct websocket_client *client, const char *text, size_t len)
{
	if (client->sent == FAKE_SENT_MAX)
		abort();
	client->texts[client->sent++] = strndup(text, len);
}

void websocket_close(struct websocket_client *client, unsigned code, const char *reason)
{
	client->open = false;
}

struct websocket_text *websocket_text_create(const char *text, size_t len)
{
	struct websocket_text *shared = calloc(1, sizeof(*shared));
	*shared = (struct websocket_text){.references = 1, .len = len, .bytes = strndup(text, len)};
	texts++;
	return shared;
}

void websocket_text_release(struct websocket_text *text)
{
	free(text->bytes);
	free(text);
	texts--;
}

void websocket_send_text(struct websocket_client *client, struct websocket_text *text)
{
	websocket_send(client, text->bytes, text->len);
}

void websockets_broadcast(struct websockets *sockets, struct websocket_text *text)
{
	for (unsigned i = 0; i < CLIENTS_MAX; i++)
		if (sockets->clients[i])
			websocket_send_text(sockets->clients[i], text);
}

json_t *fake_websocket_sent(const struct websocket_client *client, unsigned from, const char *type)
{
	for (unsigned i = from; i < client->sent; i++) {
		json_t *message = json_loads(client->texts[i], JSON_REJECT_DUPLICATES, NULL);
		if (!message)
			abort();
		if (strcmp(json_string_value(json_object_get(message, "type")), type) == 0)
			return message;
		json_decref(message);
	}
	return NULL;
}
