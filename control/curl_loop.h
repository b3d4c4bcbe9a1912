/* libcurl's multi interface in the event loop: its sockets and its timer. Knows no requests. */
#ifndef PM_CURL_LOOP_H
#define PM_CURL_LOOP_H

#include <curl/curl.h>

struct curl_loop;
struct event_loop;

/* `done` is called from the loop when a transfer has ended; the handle is out of the multi by then and its owner may
 * free it, or add others. NULL: libcurl has no memory. */
struct curl_loop *curl_loop_create(struct event_loop *loop, void (*done)(void *context, CURL *easy, CURLcode code),
                                   void *context);
/* All handles must have been removed. NULL is fine. */
void curl_loop_destroy(struct curl_loop *curl_loop);

/* Starts a transfer, in the next turn of the loop. */
void curl_loop_add(struct curl_loop *curl_loop, CURL *easy);
/* Ends one without `done`. Not from inside a callback of libcurl's. */
void curl_loop_remove(struct curl_loop *curl_loop, CURL *easy);

#endif
