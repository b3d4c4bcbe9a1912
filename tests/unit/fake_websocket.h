/* WebSockets that are only memory, for tests of what is said through them: implements control/websocket.h. */
#ifndef PM_FAKE_WEBSOCKET_H
#define PM_FAKE_WEBSOCKET_H

#include <jansson.h>

#include "control/api/websocket.h"

enum { FAKE_SENT_MAX = 200 };

struct websocket_client {
	struct identity identity;
	void *data;
	unsigned sent;
	char *texts[FAKE_SENT_MAX];
	bool open;
};

/* A new client, which the hub is told of. */
struct websocket_client *fake_websocket_open(struct websockets *sockets, enum role role, const char *name);
void fake_websocket_say(struct websockets *sockets, struct websocket_client *client, const char *text);
void fake_websocket_close(struct websockets *sockets, struct websocket_client *client);
/* What was sent from number `from` on with this type; NULL: nothing. New reference. */
json_t *fake_websocket_sent(const struct websocket_client *client, unsigned from, const char *type);
/* Shared texts that are not released. */
unsigned fake_websocket_texts(void);

#endif
