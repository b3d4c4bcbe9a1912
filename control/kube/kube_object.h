/* What is common to all objects of a Kubernetes API: JSON that is read without trust, metadata, and words for what is
 * wrong with an object. Knows neither Routes nor pods. Pure. */
#ifndef PM_KUBE_OBJECT_H
#define PM_KUBE_OBJECT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/kube/observed.h"

/* What a decoder says of an object. */
enum kube_verdict {
	KUBE_SERVES,     /* the result is filled in */
	KUBE_SERVES_NOT, /* it is understood and does not count: not admitted, no address yet, ... */
	KUBE_BROKEN,     /* it cannot be understood: what was known of it before stays */
};

enum { KUBE_WHY_MAX = OBSERVED_WARNING_MAX + 1 };

/* Parses a text that somebody else wrote: the last of double keys counts, NUL is taken in strings, and bytes that are
 * not UTF-8 are replaced. NULL: `why` says where it stops being JSON, without a byte of it (it may hold a TLS key). The
 * caller owns the result. */
json_t *kube_json_parse(const char *text, size_t len, char why[static KUBE_WHY_MAX]);

/* The field at the end of a path such as "spec.host"; the path itself is for messages, `object` is what holds the
 * field. Absent and null are NULL. False with words in `why` if it has another type; a string with NUL inside is none.
 * Borrowed. */
bool kube_get_text(const json_t *object, const char *path, const char **out, char why[static KUBE_WHY_MAX]);
bool kube_get_object(const json_t *object, const char *path, json_t **out, char why[static KUBE_WHY_MAX]);
bool kube_get_array(const json_t *object, const char *path, json_t **out, char why[static KUBE_WHY_MAX]);

/* A string field, or NULL if there is none of that type. */
const char *kube_text(const json_t *object, const char *field);
/* True if status.conditions or the like has {"type": type, "status": "True"}. */
bool kube_condition_true(const json_t *conditions, const char *type);
/* The condition itself; NULL: there is none. Borrowed. */
const json_t *kube_condition(const json_t *conditions, const char *type);

/* Strings are borrowed from the object. */
struct kube_meta {
	const char *uid, *namespace, *name; /* within the limits of observed.h, printable and without spaces */
	int64_t created;                    /* Unix ms */
	bool deleting;                      /* deletionTimestamp is set */
	json_t *annotations;                /* NULL: none */
};

/* False: `why` says what is missing or wrong. */
bool kube_meta_read(const json_t *object, struct kube_meta *out, char why[static KUBE_WHY_MAX]);
/* metadata.uid if it is there and usable, else NULL. */
const char *kube_object_uid(const json_t *object);
/* metadata.resourceVersion, or NULL. */
const char *kube_object_version(const json_t *object);

enum { KUBE_OBJECT_NAME_MAX = 2 * 100 + 2 };
/* "shop/web" for a message, with what is odd or missing replaced by "?". */
const char *kube_object_name(const json_t *object, char text[static KUBE_OBJECT_NAME_MAX]);

/* Takes off the half of a UTF-8 sequence that a cut has left at the end. */
void kube_words_trim(char *text);

/* RFC 3339 in UTC, as the API writes it: "2026-01-02T03:04:05Z", a fraction is taken too. */
bool kube_time_parse(const char *text, int64_t *unix_ms);

#endif
