/* What is said through the WebSockets of the admin API: to each new client the last two minutes, then each second a
 * tick, made once for all; events as they come; and routes that a client asks to be told of. Knows no frames and no
 * sockets (websocket.h). One thread. */
#ifndef PM_STREAM_H
#define PM_STREAM_H

struct control;
struct stream;

enum {
	STREAM_ROUTES_MAX = 8,    /* of a client */
	STREAM_TOPICS_MAX = 1000, /* routes of all clients */
	STREAM_EVENTS = 50,       /* in a hello */
};

/* Becomes the hub of control->websockets and listens to its journal and sampler, which must be there. */
struct stream *stream_create(struct control *control);
/* Closes all clients. */
void stream_destroy(struct stream *stream);

#endif
