/* The stream of a watch: bytes to lines, and a line to an event. Knows neither HTTP nor what an object means. */
#ifndef PM_KUBE_LINE_H
#define PM_KUBE_LINE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "control/kube/kube_object.h"

enum { KUBE_LINE_MAX = 4 * 1024 * 1024 }; /* etcd takes objects of 1.5 MiB; what JSON adds to them fits in */

/* All zero to begin with. */
struct kube_lines {
	char *bytes; /* owned; what came of a line that has no end yet */
	size_t len, size;
	bool too_long; /* a line went over KUBE_LINE_MAX: the stream is of no use any more */
};

/* Calls `line` for each line that ends in these bytes, without its end; empty ones are left out. False as soon as
 * `line` says false or a line is too long; the rest of the bytes is then lost. */
bool kube_lines_feed(struct kube_lines *lines, const char *bytes, size_t len,
                     bool (*line)(void *context, const char *text, size_t len), void *context);
/* Forgets what has no end; can be used again. */
void kube_lines_clear(struct kube_lines *lines);

enum kube_type {
	KUBE_TYPE_ADDED,
	KUBE_TYPE_MODIFIED,
	KUBE_TYPE_DELETED,  /* the object as it was last, with the version of its deletion */
	KUBE_TYPE_BOOKMARK, /* nothing but a resourceVersion */
	KUBE_TYPE_ERROR,    /* the object is a Status */
	KUBE_TYPE_UNKNOWN,
};

struct kube_event {
	enum kube_type type;
	json_t *object; /* owned by the caller: json_decref */
};

/* {"type": ..., "object": {...}}. False: the line is not that, `why` says how, without a byte of it. */
bool kube_event_decode(const char *text, size_t len, struct kube_event *out, char why[static KUBE_WHY_MAX]);

#endif
