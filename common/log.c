/* Lines on standard error. Each is written by one write(), so lines of several threads never mix. */
#include "common/log.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/utf8.h"

enum {
	TEXT_LINE_MAX = 1024,
	JSON_LINE_MAX = PIPE_BUF, /* what a pipe takes whole */
	JSON_TAIL = 3,            /* quote, brace, newline: there is always room for them */
};

static const char *program_name = "pointsman";
static bool as_json;

void log_init(const char *program)
{
	program_name = program;
}

void log_format(bool json)
{
	as_json = json;
}

static void put_line(char *line, size_t len)
{
	line[len] = '\n';
	if (write(STDERR_FILENO, line, len + 1) < 0)
		return; /* nobody is left to tell */
}

/* What stands in a message may come from the network or from a file: no byte of it may begin a line of its own. */
static void blot_control_bytes(char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			text[i] = '?';
}

/* ---- JSON ---- */

struct json_line {
	char bytes[JSON_LINE_MAX];
	size_t len;
};

static bool has_room(const struct json_line *line, size_t more)
{
	return line->len + more + JSON_TAIL <= sizeof(line->bytes);
}

static void put(struct json_line *line, const char *bytes, size_t len)
{
	memcpy(line->bytes + line->len, bytes, len);
	line->len += len;
}

/* One character of `text` in its escaped form; returns how many bytes of the text that was, 0: no room. */
static size_t put_character(struct json_line *line, const char *text, size_t left)
{
	static const char unknown[] = "\xef\xbf\xbd"; /* U+FFFD */
	unsigned char first = (unsigned char)*text;
	size_t step = utf8_length(text, left);
	char escaped[8];
	const char *out = text;
	size_t len = step;
	if (step == 0) {
		out = unknown;
		len = sizeof(unknown) - 1;
	} else if (first == '"' || first == '\\') {
		escaped[0] = '\\';
		escaped[1] = *text;
		out = escaped;
		len = 2;
	} else if (first < 0x20 || first == 0x7f) {
		out = escaped;
		len = (size_t)snprintf(escaped, sizeof(escaped), "\\u%04x", first);
	}
	if (!has_room(line, len))
		return 0;
	put(line, out, len);
	return step > 0 ? step : 1;
}

/* The characters of a string that fit. */
static void put_text(struct json_line *line, const char *text)
{
	size_t left = strlen(text), step;
	for (; left > 0 && (step = put_character(line, text, left)) > 0; left -= step)
		text += step;
}

/* ,"name":"value" if there is room for at least the name; a number only whole. */
static void put_member(struct json_line *line, const char *name, const char *value, bool is_number)
{
	char head[64];
	int len = snprintf(head, sizeof(head), "%s\"%s\":%s", line->len > 1 ? "," : "", name, is_number ? "" : "\"");
	if (!has_room(line, (size_t)len + (is_number ? strlen(value) : 1)))
		return;
	put(line, head, (size_t)len);
	if (is_number) {
		put(line, value, strlen(value));
		return;
	}
	put_text(line, value);
	line->bytes[line->len++] = '"';
}

static void put_time(struct json_line *line)
{
	char text[40];
	struct timespec now;
	struct tm parts;
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &parts);
	size_t len = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
	snprintf(text + len, sizeof(text) - len, ".%03dZ", (int)(now.tv_nsec / 1000000));
	put_member(line, "at", text, false);
}

static void write_json(enum log_level level, const char *text, const struct log_field *fields, unsigned count)
{
	struct json_line line = {.bytes = "{", .len = 1};
	put_time(&line);
	put_member(&line, "level",
	           level == LOG_LEVEL_ERROR     ? "error"
	           : level == LOG_LEVEL_WARNING ? "warning"
	                                        : "info",
	           false);
	put_member(&line, "program", program_name, false);
	put_member(&line, "text", text, false);
	for (unsigned i = 0; i < count; i++)
		if (fields[i].value)
			put_member(&line, fields[i].name, fields[i].value, fields[i].is_number);
	line.bytes[line.len++] = '}';
	put_line(line.bytes, line.len);
}

/* ---- both ---- */

static void write_text(enum log_level level, const char *text)
{
	char line[TEXT_LINE_MAX];
	int len = snprintf(line, sizeof(line), "<%d>%s: %s", level, program_name, text);
	if (len >= TEXT_LINE_MAX)
		len = TEXT_LINE_MAX - 1;
	blot_control_bytes(line, (size_t)len);
	put_line(line, (size_t)len);
}

void log_fields(enum log_level level, const char *text, const struct log_field *fields, unsigned count)
{
	if (as_json)
		write_json(level, text, fields, count);
	else
		write_text(level, text);
}

void log_write(enum log_level level, const char *format, ...)
{
	char text[TEXT_LINE_MAX];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	log_fields(level, text, NULL, 0);
}
