/* What an API answered instead of what was asked for: the kind of trouble, when to ask again, and words for people.
 * Pure. */
#ifndef PM_KUBE_ANSWER_H
#define PM_KUBE_ANSWER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { KUBE_WORDS_MAX = 300 };

enum kube_trouble_kind {
	KUBE_AWAY,   /* no connection, no answer, 5xx, or an answer that makes no sense: try again soon */
	KUBE_BUSY,   /* 429: the same request again */
	KUBE_GONE,   /* 410, or a resourceVersion that is not known there: list again */
	KUBE_DENIED, /* 401, 403, 404 and other 4xx: it takes somebody to mend it */
};

struct kube_trouble {
	enum kube_trouble_kind kind;
	bool answered;           /* there was an answer over HTTP */
	bool unauthorized;       /* 401: the token is to be read again */
	uint32_t retry_after_ms; /* 0: not said */
	char words[KUBE_WORDS_MAX + 1];
};

/* Of an answer with another status than 200. The body need not be a Status object: 404 and 429 may be plain text.
 * `retry_after` is the field of that name in seconds, 0 if there is none. */
void kube_answer_trouble(int status, const char *body, size_t len, uint64_t retry_after, struct kube_trouble *out);
/* Of the Status object in an ERROR event. */
void kube_status_trouble(const json_t *status, struct kube_trouble *out);

/* Any other trouble: KUBE_AWAY with these words. */
__attribute__((format(printf, 2, 3))) void kube_trouble_set(struct kube_trouble *out, const char *format, ...);

#endif
