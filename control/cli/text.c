/* Text for a terminal: see the header. */
#include "control/cli/text.h"

#include <langinfo.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

/* The next character of UTF-8 text; `*len` is how many bytes it has, 1 for a byte that begins none. Returns 0 for that.
 */
static uint32_t decode(const char *text, size_t *len)
{
	const unsigned char *bytes = (const unsigned char *)text;
	size_t count = bytes[0] >= 0xf0 && bytes[0] < 0xf5   ? 4
	               : bytes[0] >= 0xe0 && bytes[0] < 0xf0 ? 3
	               : bytes[0] >= 0xc2 && bytes[0] < 0xe0 ? 2
	                                                     : 1;
	uint32_t value = count == 1 ? bytes[0] : bytes[0] & (0xffu >> (count + 1));
	*len = 1;
	if (count == 1)
		return bytes[0] < 0x80 ? value : 0;
	for (size_t i = 1; i < count; i++) {
		if ((bytes[i] & 0xc0) != 0x80) /* the terminator, too */
			return 0;
		value = value << 6 | (bytes[i] & 0x3f);
	}
	*len = count;
	return value;
}

/* Marks that change the direction of what follows, or that are not seen at all. */
static bool is_invisible(uint32_t character)
{
	return character == 0xad || character == 0x61c || (character >= 0x200b && character <= 0x200f) ||
	       (character >= 0x2028 && character <= 0x202e) || (character >= 0x2060 && character <= 0x206f) ||
	       character == 0xfeff || (character >= 0xe0000 && character <= 0xe0fff);
}

static bool is_printable(uint32_t character)
{
	return character >= 0x20 && character != 0x7f && !is_invisible(character) && wcwidth((wchar_t)character) >= 0;
}

char *text_clean(const char *text)
{
	size_t len, used = 0;
	char *clean = malloc(strlen(text) + 1);
	if (!clean)
		abort();
	for (; *text != '\0'; text += len) {
		if (!is_printable(decode(text, &len))) {
			clean[used++] = '?';
			continue;
		}
		memcpy(clean + used, text, len);
		used += len;
	}
	clean[used] = '\0';
	return clean;
}

static unsigned columns_of(const char *text, size_t *len)
{
	int width = wcwidth((wchar_t)decode(text, len));
	return width > 0 ? (unsigned)width : 0;
}

unsigned text_width(const char *text)
{
	unsigned width = 0;
	for (size_t len; *text != '\0'; text += len)
		width += columns_of(text, &len);
	return width;
}

size_t text_fit(const char *text, unsigned *columns)
{
	size_t used = 0, len;
	for (; text[used] != '\0'; used += len) {
		unsigned width = columns_of(text + used, &len);
		if (width > *columns)
			break;
		*columns -= width;
	}
	return used;
}

bool text_is_utf8(void)
{
	return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}
