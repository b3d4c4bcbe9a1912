/* JSON text that is put together piece by piece, in memory that grows: for what may have 100,000s of entries, of which
 * a tree of json_t takes seconds while the loop waits. Knows no meaning and checks nothing. */
#ifndef PM_JSON_TEXT_H
#define PM_JSON_TEXT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "common/hostname.h"

/* All zero to begin with. */
struct json_text {
	char *bytes; /* owned; not terminated */
	size_t len, room;
};

void json_text_free(struct json_text *text);

/* Room for so many bytes more. */
void json_text_grow(struct json_text *text, size_t more);

static inline void json_text_add(struct json_text *text, const char *bytes, size_t len)
{
	if (text->room - text->len < len)
		json_text_grow(text, len);
	memcpy(text->bytes + text->len, bytes, len);
	text->len += len;
}

static inline void json_text_put(struct json_text *text, const char *string)
{
	json_text_add(text, string, strlen(string));
}

/* A host name as name_format writes it, in quotes; it has nothing that must be escaped. */
static inline void json_text_host(struct json_text *text, const struct hostname *host, bool wildcard)
{
	json_text_put(text, wildcard ? "\"*." : "\"");
	json_text_add(text, host->text, host->len);
	json_text_put(text, "\"");
}

/* At most JSON_TEXT_PIECE_MAX bytes. */
enum { JSON_TEXT_PIECE_MAX = 120 };
__attribute__((format(printf, 2, 3))) void json_text_format(struct json_text *text, const char *format, ...);

void json_text_value(struct json_text *text, const json_t *value);

/* Into an object that has a member already: `,"NAME":VALUE`. Takes the reference; NULL: nothing. */
void json_text_member(struct json_text *text, const char *name, json_t *value);

/* Terminated; the caller frees it. The text is empty then. */
char *json_text_take(struct json_text *text, size_t *len);

#endif
