/* JSON text piece by piece: see the header. */
#include "control/state/json_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROOM_MIN = 4096 };

void json_text_free(struct json_text *text)
{
	free(text->bytes);
	*text = (struct json_text){0};
}

void json_text_grow(struct json_text *text, size_t more)
{
	size_t room = text->room > 0 ? text->room : ROOM_MIN;
	while (room - text->len < more)
		room *= 2;
	text->bytes = realloc(text->bytes, room);
	if (!text->bytes)
		abort();
	text->room = room;
}

void json_text_format(struct json_text *text, const char *format, ...)
{
	char piece[JSON_TEXT_PIECE_MAX + 1];
	va_list args;
	va_start(args, format);
	int len = vsnprintf(piece, sizeof(piece), format, args);
	va_end(args);
	if (len < 0 || len > JSON_TEXT_PIECE_MAX)
		abort();
	json_text_add(text, piece, (size_t)len);
}

static int add(const char *bytes, size_t len, void *text)
{
	json_text_add(text, bytes, len);
	return 0;
}

void json_text_value(struct json_text *text, const json_t *value)
{
	if (json_dump_callback(value, add, text, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15)) != 0)
		abort();
}

void json_text_member(struct json_text *text, const char *name, json_t *value)
{
	if (!value)
		return;
	json_text_format(text, ",\"%s\":", name);
	json_text_value(text, value);
	json_decref(value);
}

char *json_text_take(struct json_text *text, size_t *len)
{
	*len = text->len;
	json_text_add(text, "", 1);
	char *bytes = text->bytes;
	*text = (struct json_text){0};
	return bytes;
}
