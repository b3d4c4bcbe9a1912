/* UTF-8: see the header. */
#include "common/utf8.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static size_t tail_length(const unsigned char *bytes, size_t count, uint32_t *character)
{
	for (size_t i = 0; i < count; i++) {
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
		*character = *character << 6 | (bytes[i] & 0x3f);
	}
	return count;
}

size_t utf8_length(const char *text, size_t len)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char *bytes = (const unsigned char *)text;
	if (len == 0)
		return 0;
	if (bytes[0] < 0x80)
		return 1;
	size_t want = bytes[0] >= 0xf0 ? 4 : bytes[0] >= 0xe0 ? 3 : bytes[0] >= 0xc0 ? 2 : 0;
	uint32_t character = bytes[0] & (0x7fU >> want);
	if (want == 0 || bytes[0] >= 0xf8 || want > len || tail_length(bytes + 1, want - 1, &character) != want - 1)
		return 0;
	bool surrogate = character >= 0xd800 && character < 0xe000;
	return character >= least[want] && character <= 0x10ffff && !surrogate ? want : 0;
}

size_t utf8_copy(char *out, size_t size, const char *text)
{
	size_t at = 0, left = strlen(text);
	while (left > 0) {
		size_t step = utf8_length(text, left);
		bool shown = step > 1 || (step == 1 && (unsigned char)*text >= 0x20 && *text != 0x7f);
		if (at + (shown ? step : 1) >= size)
			break;
		if (shown)
			memcpy(out + at, text, step);
		else
			out[at] = '?';
		at += shown ? step : 1;
		text += step > 0 ? step : 1;
		left -= step > 0 ? step : 1;
	}
	out[at] = '\0';
	return at;
}
