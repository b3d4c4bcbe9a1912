/* A line for people that is put together piece by piece in a buffer of fixed size; what does not fit is left out. */
#ifndef PM_TEXT_H
#define PM_TEXT_H

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

struct text {
	char *bytes; /* the caller's, always terminated */
	size_t len, size;
};

/* An empty line in `bytes`. `size` above 0. */
static inline struct text text_begin(char *bytes, size_t size)
{
	bytes[0] = '\0';
	return (struct text){.bytes = bytes, .size = size};
}

__attribute__((format(printf, 2, 3))) static inline void text_add(struct text *text, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	int len = vsnprintf(text->bytes + text->len, text->size - text->len, format, args);
	va_end(args);
	size_t left = text->size - 1 - text->len;
	text->len += len < 0 ? 0 : (size_t)len < left ? (size_t)len : left;
}

#endif
