/* Any bytes behind the handshake of a WebSocket: every text that comes out is complete and ends with a zero, and the
 * client is gone at the end. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/control.h"
#include "control/api/websocket.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int open_clients;

static void opened(void *context, struct websocket_client *client)
{
	open_clients++;
}

static void message(void *context, struct websocket_client *client, const char *text, size_t len)
{
	if (len > WEBSOCKET_MESSAGE_MAX || text[len] != '\0')
		abort();
	websocket_send(client, text, len);
}

static void closed(void *context, struct websocket_client *client)
{
	open_clients--;
}

static void release(void *context)
{
	close(*(int *)context);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct config config;
	static struct control control;
	static struct websockets *sockets;
	const struct websocket_hub hub = {NULL, opened, message, closed};
	const struct identity identity = {.role = ROLE_VIEWER, .by = BY_LOOPBACK};
	const struct address peer = {0};
	int pair[2];
	if (!sockets) {
		config.admin.loopback = ROLE_VIEWER;
		control.config = &config;
		control.loop = event_loop_create();
		sockets = websockets_create(&control);
		websockets_set_hub(sockets, &hub);
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		return 0;
	websockets_adopt(sockets, pair[0], &identity, &peer, data, size, release, &pair[0]);
	websockets_close_all(sockets);
	if (open_clients != 0 || websockets_count(sockets) != 0)
		abort();
	close(pair[1]);
	return 0;
}
