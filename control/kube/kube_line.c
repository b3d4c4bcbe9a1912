/* Lines and events of a watch: see the header. */
#include "control/kube/kube_line.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEPT_SIZE = 64 * 1024 }; /* a larger buffer is given back after its line */

void kube_lines_clear(struct kube_lines *lines)
{
	free(lines->bytes);
	*lines = (struct kube_lines){0};
}

static bool append(struct kube_lines *lines, const char *bytes, size_t len)
{
	if (len > KUBE_LINE_MAX - lines->len) {
		kube_lines_clear(lines);
		lines->too_long = true;
		return false;
	}
	if (lines->len + len > lines->size) {
		size_t size = lines->size ? lines->size : 4096;
		while (size < lines->len + len)
			size *= 2;
		lines->bytes = realloc(lines->bytes, size);
		if (!lines->bytes)
			abort();
		lines->size = size;
	}
	memcpy(lines->bytes + lines->len, bytes, len);
	lines->len += len;
	return true;
}

static bool hand_over(const char *text, size_t len, bool (*line)(void *context, const char *text, size_t len),
                      void *context)
{
	if (len > 0 && text[len - 1] == '\r')
		len--;
	return len == 0 || line(context, text, len);
}

bool kube_lines_feed(struct kube_lines *lines, const char *bytes, size_t len,
                     bool (*line)(void *context, const char *text, size_t len), void *context)
{
	const char *end = bytes + len, *newline;
	for (; (newline = memchr(bytes, '\n', (size_t)(end - bytes))); bytes = newline + 1) {
		bool more;
		if (lines->len == 0 && newline - bytes <= KUBE_LINE_MAX) {
			more = hand_over(bytes, (size_t)(newline - bytes), line, context);
		} else {
			if (!append(lines, bytes, (size_t)(newline - bytes)))
				return false;
			more = hand_over(lines->bytes, lines->len, line, context);
			lines->len = 0;
			if (lines->size > KEPT_SIZE)
				kube_lines_clear(lines);
		}
		if (!more)
			return false;
	}
	return bytes == end || append(lines, bytes, (size_t)(end - bytes));
}

static enum kube_type type_of(const char *name)
{
	static const char *const names[] = {"ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"};
	for (int i = 0; i < KUBE_TYPE_UNKNOWN; i++)
		if (strcmp(name, names[i]) == 0)
			return (enum kube_type)i;
	return KUBE_TYPE_UNKNOWN;
}

bool kube_event_decode(const char *text, size_t len, struct kube_event *out, char why[static KUBE_WHY_MAX])
{
	json_t *root = kube_json_parse(text, len, why);
	if (!root)
		return false;
	const char *type = kube_text(root, "type");
	json_t *object = json_object_get(root, "object");
	bool good = type && json_is_object(object);
	if (good)
		*out = (struct kube_event){.type = type_of(type), .object = json_incref(object)};
	else
		snprintf(why, KUBE_WHY_MAX, "is JSON without %s", type ? "an object" : "a type");
	json_decref(root);
	return good;
}
