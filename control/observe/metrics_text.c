/* The text of a scrape: see the header. */
#include "control/observe/metrics_text.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/utf8.h"

static void put(struct metrics_text *text, const char *bytes, size_t len)
{
	if (text->room - text->len < len) {
		text->room = text->room * 2 > text->len + len ? text->room * 2 : text->len + len + 4096;
		text->bytes = realloc(text->bytes, text->room);
		if (!text->bytes)
			abort();
	}
	memcpy(text->bytes + text->len, bytes, len);
	text->len += len;
}

static void put_string(struct metrics_text *text, const char *string)
{
	put(text, string, strlen(string));
}

/* A label's value, in quotes. */
static void put_quoted(struct metrics_text *text, const char *value)
{
	size_t left = strlen(value);
	put(text, "\"", 1);
	while (left > 0) {
		size_t step = utf8_length(value, left);
		if (*value == '\n')
			put(text, "\\n", 2);
		else if (*value == '"' || *value == '\\')
			put(text, *value == '"' ? "\\\"" : "\\\\", 2);
		else
			put(text, step > 0 ? value : "?", step > 0 ? step : 1);
		value += step > 0 ? step : 1;
		left -= step > 0 ? step : 1;
	}
	put(text, "\"", 1);
}

/* What samples have behind the name of the family. */
static const char *suffix_of(enum metric_type type)
{
	return type == METRIC_COUNTER ? "_total" : type == METRIC_INFO ? "_info" : "";
}

void metrics_family(struct metrics_text *text, const char *name, enum metric_type type, const char *unit,
                    const char *help)
{
	static const char *const types[] = {"counter", "gauge", "info"};
	/* The older format knows no info, and names a family as its samples are named. */
	const char *suffix = text->openmetrics ? "" : suffix_of(type);
	const char *word = types[type == METRIC_INFO && !text->openmetrics ? METRIC_GAUGE : type];
	char lines[1024];
	int len =
	    snprintf(lines, sizeof(lines), "# HELP %s%s %s\n# TYPE %s%s %s\n", name, suffix, help, name, suffix, word);
	put(text, lines, (size_t)len < sizeof(lines) ? (size_t)len : sizeof(lines) - 1);
	if (unit && text->openmetrics) {
		len = snprintf(lines, sizeof(lines), "# UNIT %s %s\n", name, unit);
		put(text, lines, (size_t)len);
	}
	text->name = name;
	text->type = type;
}

static void put_head(struct metrics_text *text, const struct metric_label *labels, unsigned count)
{
	put_string(text, text->name);
	put_string(text, suffix_of(text->type));
	for (unsigned i = 0; i < count; i++) {
		put(text, i == 0 ? "{" : ",", 1);
		put_string(text, labels[i].name);
		put(text, "=", 1);
		put_quoted(text, labels[i].value);
	}
	put_string(text, count > 0 ? "} " : " ");
}

void metrics_sample(struct metrics_text *text, const struct metric_label *labels, unsigned count, uint64_t value)
{
	char number[32];
	put_head(text, labels, count);
	put(text, number, (size_t)snprintf(number, sizeof(number), "%" PRIu64 "\n", value));
}

void metrics_sample_real(struct metrics_text *text, const struct metric_label *labels, unsigned count, double value)
{
	char number[40];
	if (!isfinite(value))
		return;
	put_head(text, labels, count);
	put(text, number, (size_t)snprintf(number, sizeof(number), "%.17g\n", value));
}

void metrics_end(struct metrics_text *text)
{
	if (text->openmetrics)
		put_string(text, "# EOF\n");
}
