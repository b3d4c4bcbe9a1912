/* GET requests to one API over libcurl, without blocking. Knows URLs, TLS and the token, not what is asked or
 * answered. */
#ifndef PM_KUBE_CLIENT_H
#define PM_KUBE_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/kube/kube_answer.h"
#include "control/kube/kube_credentials.h"
#include "control/kube/kube_timing.h"

struct event_loop;
struct kube_client;
struct kube_call;
struct kube_call_result;

/* What becomes of a call; from the loop. */
struct kube_call_handler {
	/* Bytes of the body of an answer with status 200, unpacked; also once with none when its head is there. False
	 * ends the call: `done` with KUBE_CALL_STOPPED. No call may be started or cancelled in here. */
	bool (*bytes)(void *context, const char *bytes, size_t len);
	/* Once, at the end; the call is gone then. */
	void (*done)(void *context, const struct kube_call_result *result);
};

enum kube_call_outcome {
	KUBE_CALL_COMPLETE, /* status 200 and the end of the body as announced */
	KUBE_CALL_CUT,      /* status 200, then the connection broke: `trouble` says how */
	KUBE_CALL_STOPPED,  /* `bytes` said so */
	KUBE_CALL_FAILED,   /* anything else: `trouble` */
};

struct kube_call_result {
	enum kube_call_outcome outcome;
	struct kube_trouble trouble;
};

/* `credentials` must live as long. NULL: libcurl has no memory. */
struct kube_client *kube_client_create(struct event_loop *loop, struct kube_credentials *credentials,
                                       const struct kube_timing *timing);
/* All calls must have ended. NULL is fine. */
void kube_client_destroy(struct kube_client *client);

/* Asks for a path with its query, "/api/v1/...". `limit_ms` is for the whole call. `anew`: read the credentials' files
 * also if they look unchanged. Never NULL; without usable credentials `done` comes in the next turn of the loop. */
struct kube_call *kube_client_get(struct kube_client *client, const char *path, uint32_t limit_ms, bool anew,
                                  const struct kube_call_handler *handler, void *context);
/* Ends a call without `done`. NULL is fine. */
void kube_call_cancel(struct kube_call *call);

/* The text, escaped for a query. The caller frees it with free(). */
char *kube_query_escape(const char *text);

#endif
