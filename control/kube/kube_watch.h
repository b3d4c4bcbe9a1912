/* One resource of one API: lists it in pages, then watches it from there, for ever. When to list, watch, wait and try
 * again is decided here; what an object means, and what is kept of it, is the sink's business.
 *
 *   LISTING --complete--> CONNECTING --200--> WATCHING --ends or breaks--> CONNECTING (same resourceVersion)
 *      ^                      |                  |
 *      +-------- WAITING <----+--- trouble ------+   410, an API that was away, garbage, events out of order: the
 *                                                    version is of no use any more, list again
 *
 * After a connection broke in the middle of a stream, a list comes first, unless the last one has just been.
 * A list in between, as a safety net, ends the watch and begins another from its own version. If it fails, the watch
 * goes on from where it was, and the list is tried again later. */
#ifndef PM_KUBE_WATCH_H
#define PM_KUBE_WATCH_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "control/kube/kube_line.h"
#include "control/kube/kube_source.h"
#include "control/kube/kube_timing.h"

struct event_loop;
struct kube_client;
struct kube_watch;

enum { KUBE_PAGE_LIMIT = 500, KUBE_LIST_MAX = 1000000 /* objects */ };

/* Objects are borrowed. */
struct kube_watch_sink {
	/* A list begins; one that was not ended has failed and counts for nothing. */
	void (*list_begin)(void *context);
	/* One object of it; NULL: it could not be read, `why` says how. */
	void (*list_item)(void *context, json_t *item, const char *why);
	/* It is complete. */
	void (*list_end)(void *context);
	/* Added, modified, deleted or of an unknown type. */
	void (*event)(void *context, enum kube_type type, json_t *object);
};

/* Strings are borrowed for the watch's life. */
struct kube_watch_target {
	const char *cluster;   /* for log lines */
	const char *what;      /* "routes", for people */
	const char *path;      /* "/apis/route.openshift.io/v1/routes" */
	const char *list_kind; /* "RouteList" */
	const char *selector;  /* of labels; "": none */
	uint32_t relist_ms;
};

/* Begins to list. Never NULL. */
struct kube_watch *kube_watch_start(struct event_loop *loop, struct kube_client *client,
                                    const struct kube_timing *timing, const struct kube_watch_target *target,
                                    const struct kube_watch_sink *sink, void *context);
void kube_watch_stop(struct kube_watch *watch);

/* If it waits after trouble, it tries again now: a file with credentials has changed. */
void kube_watch_retry(struct kube_watch *watch);
bool kube_watch_is_waiting(const struct kube_watch *watch);

/* Everything but `objects`. */
void kube_watch_status(const struct kube_watch *watch, struct kube_watch_status *out);

#endif
