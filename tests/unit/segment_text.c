/* See segment_text.h. */
#include "segment_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/bytes.h"

static const char flag_letters[] = "FSRP.UEC"; /* by bit */

uint32_t plain_sum(uint32_t sum, const uint8_t *bytes, unsigned len)
{
	for (unsigned i = 0; i < len; i++)
		sum += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
	return sum;
}

uint16_t plain_fold(uint32_t sum)
{
	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* ---- from text ---- */

static void put(struct segment_line *line, uint32_t value, unsigned bytes)
{
	assert_true(line->options_len + bytes <= SEGMENT_OPTIONS_MAX);
	while (bytes-- > 0)
		line->options[line->options_len++] = (uint8_t)(value >> (8 * bytes));
}

static void read_flags(struct segment_line *line, const char *word)
{
	for (; *word && *word != '-'; word++) {
		const char *letter = strchr(flag_letters, *word);
		if (!letter)
			fail_msg("flag '%c' in a segment's text", *word);
		line->flags |= (uint8_t)(1 << (letter - flag_letters));
	}
}

static uint32_t number(const char *word)
{
	char *end;
	long value = word ? strtol(word, &end, 10) : 0;
	if (!word || *end != '\0')
		fail_msg("number '%s' in a segment's text", word ? word : "");
	return (uint32_t)value;
}

static void read_range(struct segment_line *line, char *word, const struct segment_bases *bases)
{
	char *colon = strchr(word, ':');
	if (colon)
		*colon++ = '\0';
	uint32_t first = number(word);
	line->seq = bases->seq + first;
	line->payload_len = (uint16_t)(colon ? number(colon) - first : 0);
}

static void read_sack(struct segment_line *line, char *word, const struct segment_bases *bases)
{
	unsigned at = line->options_len;
	put(line, 5 << 8, 2);
	char *save;
	for (char *block = strtok_r(word, ",", &save); block; block = strtok_r(NULL, ",", &save)) {
		char *dash = strchr(block + 1, '-');
		assert_non_null(dash);
		*dash = '\0';
		put(line, bases->sack + number(block), 4);
		put(line, bases->sack + number(dash + 1), 4);
	}
	line->options[at + 1] = (uint8_t)(line->options_len - at);
}

static void read_raw(struct segment_line *line, const char *hex)
{
	for (; hex[0] && hex[1]; hex += 2) {
		unsigned byte = 0;
		assert_int_equal(sscanf(hex, "%2x", &byte), 1);
		put(line, byte, 1);
	}
}

static void read_word(struct segment_line *line, const char *word, char **save, const struct segment_bases *bases)
{
	if (strcmp(word, "ack") == 0)
		line->ack = bases->ack + number(strtok_r(NULL, " ", save));
	else if (strcmp(word, "win") == 0)
		line->window = (uint16_t)number(strtok_r(NULL, " ", save));
	else if (strcmp(word, "ttl") == 0)
		line->ttl = (uint8_t)number(strtok_r(NULL, " ", save));
	else if (strcmp(word, "mss") == 0)
		put(line, 0x02040000 | number(strtok_r(NULL, " ", save)), 4);
	else if (strcmp(word, "ws") == 0)
		put(line, 0x030300 | number(strtok_r(NULL, " ", save)), 3);
	else if (strcmp(word, "sackok") == 0)
		put(line, 0x0402, 2);
	else if (strcmp(word, "sack") == 0)
		read_sack(line, strtok_r(NULL, " ", save), bases);
	else if (strcmp(word, "raw") == 0)
		read_raw(line, strtok_r(NULL, " ", save));
	else if (strncmp(word, "nop", 3) == 0)
		for (uint32_t n = word[3] ? number(word + 3) : 1; n > 0; n--)
			put(line, 1, 1);
	else
		fail_msg("'%s' in a segment's text", word);
}

struct segment_line segment_line_read(const char *text, const struct segment_bases *bases)
{
	struct segment_line line = {.ttl = SEGMENT_TTL_SENT};
	char copy[SEGMENT_TEXT_MAX], *save;
	assert_true(strlen(text) < sizeof(copy));
	strcpy(copy, text);
	read_flags(&line, strtok_r(copy, " ", &save));
	char *range = strtok_r(NULL, " ", &save);
	assert_non_null(range);
	read_range(&line, range, bases);
	for (char *word = strtok_r(NULL, " ", &save); word; word = strtok_r(NULL, " ", &save))
		read_word(&line, word, &save, bases);
	while (line.options_len % 4)
		put(&line, 1, 1);
	return line;
}

/* ---- to text ---- */

__attribute__((format(printf, 2, 3))) static void say(char *text, const char *format, ...)
{
	size_t used = strlen(text);
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text + used, SEGMENT_TEXT_MAX - used, format, arguments);
	va_end(arguments);
}

static void write_nops(char *text, unsigned count, bool last)
{
	if (count == 0 || (last && count < 4))
		return;
	say(text, count > 1 ? " nop%u" : " nop", count);
}

static void write_sack(char *text, const uint8_t *option, unsigned len, uint32_t base)
{
	say(text, " sack ");
	for (unsigned at = 2; at + 8 <= len; at += 8)
		say(text, "%s%d-%d", at > 2 ? "," : "", (int32_t)(get_be32(option + at) - base),
		    (int32_t)(get_be32(option + at + 4) - base));
}

static void write_option(char *text, const uint8_t *option, unsigned len, const struct segment_bases *bases)
{
	if (option[0] == 2 && len == 4)
		say(text, " mss %u", get_be16(option + 2));
	else if (option[0] == 3 && len == 3)
		say(text, " ws %u", option[2]);
	else if (option[0] == 4 && len == 2)
		say(text, " sackok");
	else if (option[0] == 5 && len % 8 == 2)
		write_sack(text, option, len, bases->sack);
	else {
		say(text, " raw ");
		for (unsigned i = 0; i < len; i++)
			say(text, "%02x", option[i]);
	}
}

static void write_options(char *text, const struct segment_line *line, const struct segment_bases *bases)
{
	unsigned at = 0, nops = 0;
	while (at < line->options_len) {
		const uint8_t *option = line->options + at;
		if (option[0] == 1) {
			nops++;
			at++;
			continue;
		}
		write_nops(text, nops, false);
		nops = 0;
		unsigned left = line->options_len - at;
		unsigned len = option[0] == 0 || left < 2 || option[1] < 2 || option[1] > left ? left : option[1];
		write_option(text, option, len, bases);
		at += len;
	}
	write_nops(text, nops, true);
}

void segment_line_write(char text[static SEGMENT_TEXT_MAX], const struct segment_line *line,
                        const struct segment_bases *bases)
{
	static const char order[] = "FSRPUEC.";
	text[0] = '\0';
	for (const char *letter = order; *letter; letter++)
		if (line->flags >> (strchr(flag_letters, *letter) - flag_letters) & 1)
			say(text, "%c", *letter);
	if (line->flags == 0)
		say(text, "-");
	int32_t first = (int32_t)(line->seq - bases->seq);
	say(text, " %d", first);
	if (line->payload_len)
		say(text, ":%d", first + line->payload_len);
	if (line->flags & 0x10)
		say(text, " ack %d", (int32_t)(line->ack - bases->ack));
	else if (line->ack)
		say(text, " ackfield %u", line->ack);
	say(text, " win %u", line->window);
	write_options(text, line, bases);
	if (line->ttl == SEGMENT_TTL_SENT - 1)
		say(text, " fwd");
	else if (line->ttl != SEGMENT_TTL_OWN)
		say(text, " ttl %u", line->ttl);
}
