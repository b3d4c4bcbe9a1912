/* An HTTP server for tests of the API client, in the same event loop and thread: the test awaits a request, looks at
 * it, and says byte by byte what comes back. Plain HTTP/1.1. */
#ifndef PM_API_SERVER_H
#define PM_API_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct api_server;
struct api_call; /* one connection with one request that is being answered */
struct event_loop;

/* On a free port of 127.0.0.1. */
struct api_server *api_server_start(struct event_loop *loop);
void api_server_stop(struct api_server *server);
/* "http://127.0.0.1:PORT" */
const char *api_server_url(const struct api_server *server);
/* Connections are refused from now on; those that are open end. The same port again with `up`. */
void api_server_down(struct api_server *server);
void api_server_up(struct api_server *server);

/* Runs the loop until a request has come whose target begins so; fails the test after some seconds. Requests for others
 * stay for later. */
struct api_call *api_await(struct api_server *server, const char *target);
/* Runs the loop for so long: nothing that begins so may be asked for. */
void api_expect_none(struct api_server *server, const char *target, unsigned milliseconds);

/* "/api/v1/...?limit=500", and a header field, NULL if there is none. */
const char *api_target(const struct api_call *call);
const char *api_field(const struct api_call *call, const char *name);

/* A whole answer with Content-Length; the connection stays open. `fields`: "Name: value\r\n...", may be "". */
void api_reply(struct api_call *call, int status, const char *fields, const char *body);
/* The bytes of a whole answer as they are, then the end of the connection. */
void api_reply_raw(struct api_call *call, const char *bytes, size_t len);
/* Bytes as they are. */
void api_raw(struct api_call *call, const char *bytes, size_t len);
/* The head of an answer 200 in chunks, chunks, and its end; or the end of the connection without one. */
void api_stream(struct api_call *call);
void api_send(struct api_call *call, const char *text);
void api_send_bytes(struct api_call *call, const char *bytes, size_t len);
void api_end(struct api_call *call);
void api_cut(struct api_call *call);
/* True once the client has closed the connection; runs the loop until then. */
void api_await_close(struct api_call *call);

/* Runs the loop until `true_now` says so; fails the test after some seconds. */
void run_until(struct event_loop *loop, bool (*true_now)(void *context), void *context, const char *what);

#endif
