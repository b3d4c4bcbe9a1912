/* The HTTP side of the admin API (libmicrohttpd, run by the one event loop): header fields, bodies, and answers that
 * wait for the workers or for something else. What a request does is api.h's; where connections come from,
 * admin_front's. */
#ifndef PM_ADMIN_HTTP_H
#define PM_ADMIN_HTTP_H

struct control;
struct event_loop;
struct admin_http;

/* Serves on `fd`, which is closed at the end. NULL: the reason was logged. */
struct admin_http *admin_http_start(struct control *control, struct event_loop *loop, int fd);
/* Answers what waits, then sends what can be sent without blocking. */
void admin_http_flush(struct admin_http *http);
/* control->websockets must be closed before. */
void admin_http_stop(struct admin_http *http);

#endif
