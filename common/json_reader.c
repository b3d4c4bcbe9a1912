/* Reading of JSON objects with all faults collected: see the header. */
#include "common/json_reader.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add(struct json_faults *faults, const char *path, const char *expected, const char *reason, va_list args)
{
	if (faults->count >= JSON_FAULTS_MAX) {
		faults->more++;
		return;
	}
	struct json_fault *list = realloc(faults->list, (faults->count + 1) * sizeof(*list));
	if (!list)
		abort();
	faults->list = list;
	struct json_fault *fault = &list[faults->count];
	fault->path = strdup(path);
	fault->expected = strdup(expected);
	if (!fault->path || !fault->expected || vasprintf(&fault->reason, reason, args) < 0)
		abort();
	faults->count++;
}

void json_faults_add(struct json_faults *faults, const char *path, const char *expected, const char *reason, ...)
{
	va_list args;
	va_start(args, reason);
	add(faults, path, expected, reason, args);
	va_end(args);
}

void json_faults_free(struct json_faults *faults)
{
	for (size_t i = 0; i < faults->count; i++) {
		free(faults->list[i].path);
		free(faults->list[i].reason);
		free(faults->list[i].expected);
	}
	free(faults->list);
	*faults = (struct json_faults){0};
}

json_t *json_text_parse(const char *text, size_t len, struct json_faults *faults)
{
	json_error_t error;
	if (len == 0) {
		json_faults_add(faults, "$", "a JSON object", "is empty");
		return NULL;
	}
	json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
	if (!root) {
		char quoted[READER_TEXT_MAX];
		json_quote(error.text, quoted);
		json_faults_add(faults, "$", "a JSON object", "line %d, column %d: %.*s", error.line, error.column,
		                (int)strlen(quoted) - 2, quoted + 1);
	}
	return root;
}

const char *json_kind(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return "an object";
	case JSON_ARRAY:
		return "an array";
	case JSON_STRING:
		return "a string";
	case JSON_INTEGER:
		return "a number";
	case JSON_REAL:
		return "a number with a fraction";
	case JSON_TRUE:
	case JSON_FALSE:
		return "true or false";
	default:
		return "null";
	}
}

const char *json_quote(const char *value, char text[static READER_TEXT_MAX])
{
	size_t len = 0;
	text[len++] = '"';
	for (; *value != '\0' && len < READER_TEXT_MAX - 5; value++)
		text[len++] = *value >= 0x20 && *value < 0x7f ? *value : '?';
	snprintf(text + len, READER_TEXT_MAX - len, "%s\"", *value != '\0' ? "..." : "");
	return text;
}

void reader_open(struct reader *reader, json_t *value, struct json_faults *faults, const char *path, ...)
{
	*reader = (struct reader){.faults = faults};
	va_list args;
	va_start(args, path);
	vsnprintf(reader->path, sizeof(reader->path), path, args);
	va_end(args);
	if (json_is_object(value))
		reader->object = value;
	else if (value)
		json_faults_add(faults, reader->path, "an object", "is %s", json_kind(value));
}

/* Levenshtein distance, for names of up to 31 bytes; longer ones are as far as can be. */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[32];
	size_t a_len = strlen(a), b_len = strlen(b);
	if (a_len > 31 || b_len > 31)
		return 64;
	for (unsigned j = 0; j <= b_len; j++)
		row[j] = j;
	for (unsigned i = 1; i <= a_len; i++) {
		unsigned diagonal = row[0];
		row[0] = i;
		for (unsigned j = 1; j <= b_len; j++) {
			unsigned change = diagonal + (a[i - 1] != b[j - 1]);
			diagonal = row[j];
			unsigned step = (row[j - 1] < row[j] ? row[j - 1] : row[j]) + 1;
			row[j] = change < step ? change : step;
		}
	}
	return row[b_len];
}

static const char *nearest(const struct reader *reader, const char *name)
{
	const char *best = NULL;
	unsigned best_distance = 1 + (unsigned)strlen(name) / 3;
	for (unsigned i = 0; i < reader->known_count; i++) {
		unsigned d = distance(name, reader->known[i]);
		if (d <= best_distance && (!best || d < best_distance)) {
			best = reader->known[i];
			best_distance = d;
		}
	}
	return best;
}

static void list_known(const struct reader *reader, char *text, size_t size)
{
	size_t len = (size_t)snprintf(text, size, "one of");
	for (unsigned i = 0; i < reader->known_count && len < size; i++)
		len += (size_t)snprintf(text + len, size - len, "%s %s", i > 0 ? "," : "", reader->known[i]);
}

static bool known(const struct reader *reader, const char *name)
{
	for (unsigned i = 0; i < reader->known_count; i++)
		if (strcmp(reader->known[i], name) == 0)
			return true;
	return false;
}

void reader_close(struct reader *reader)
{
	const char *name;
	json_t *value;
	json_object_foreach(reader->object, name, value)
	{
		if (known(reader, name))
			continue;
		char quoted[READER_TEXT_MAX], expected[512];
		const char *meant = nearest(reader, name);
		if (meant)
			snprintf(expected, sizeof(expected), "\"%s\"", meant);
		else
			list_known(reader, expected, sizeof(expected));
		json_faults_add(reader->faults, reader->path, expected, "unknown field %s", json_quote(name, quoted));
	}
}

json_t *reader_field(struct reader *reader, const char *name)
{
	if (!known(reader, name)) {
		if (reader->known_count == READER_FIELDS_MAX)
			abort();
		reader->known[reader->known_count++] = name;
	}
	return json_object_get(reader->object, name);
}

void reader_fault(struct reader *reader, const char *name, const char *expected, const char *reason, ...)
{
	char path[READER_PATH_MAX + 64];
	snprintf(path, sizeof(path), "%s.%s", reader->path, name);
	va_list args;
	va_start(args, reason);
	add(reader->faults, path, expected, reason, args);
	va_end(args);
}

bool reader_number(struct reader *reader, const char *name, uint64_t min, uint64_t max, uint64_t *out)
{
	json_t *value = reader_field(reader, name);
	if (!value)
		return false;
	char expected[80];
	snprintf(expected, sizeof(expected), "a number from %" PRIu64 " to %" PRIu64, min, max);
	if (!json_is_integer(value)) {
		reader_fault(reader, name, expected, "is %s", json_kind(value));
		return false;
	}
	json_int_t number = json_integer_value(value);
	if (number < 0 || (uint64_t)number < min || (uint64_t)number > max) {
		reader_fault(reader, name, expected, "%" JSON_INTEGER_FORMAT " is out of range", number);
		return false;
	}
	*out = (uint64_t)number;
	return true;
}

bool reader_bool(struct reader *reader, const char *name, bool *out)
{
	json_t *value = reader_field(reader, name);
	if (!value)
		return false;
	if (!json_is_boolean(value)) {
		reader_fault(reader, name, "true or false", "is %s", json_kind(value));
		return false;
	}
	*out = json_is_true(value);
	return true;
}

bool reader_string(struct reader *reader, const char *name, size_t max_len, bool required, const char **out)
{
	json_t *value = reader_field(reader, name);
	if (!value && !required)
		return false;
	char expected[64];
	snprintf(expected, sizeof(expected), "a string of 1 to %zu bytes", max_len);
	if (!value) {
		if (reader->object)
			reader_fault(reader, name, expected, "is missing");
		return false;
	}
	if (!json_is_string(value)) {
		reader_fault(reader, name, expected, "is %s", json_kind(value));
		return false;
	}
	size_t len = json_string_length(value);
	if (len == 0 || len > max_len) {
		reader_fault(reader, name, expected, "has %zu bytes", len);
		return false;
	}
	*out = json_string_value(value);
	return true;
}

bool reader_choice(struct reader *reader, const char *name, const char *const *choices, bool required, int *out)
{
	char expected[200];
	size_t len = 0;
	for (unsigned i = 0; choices[i] && len < sizeof(expected); i++)
		len += (size_t)snprintf(expected + len, sizeof(expected) - len, "%s\"%s\"", i > 0 ? " or " : "",
		                        choices[i]);
	json_t *value = reader_field(reader, name);
	if (!value) {
		if (required && reader->object)
			reader_fault(reader, name, expected, "is missing");
		return false;
	}
	if (!json_is_string(value)) {
		reader_fault(reader, name, expected, "is %s", json_kind(value));
		return false;
	}
	for (int i = 0; choices[i]; i++) {
		if (strcmp(choices[i], json_string_value(value)) == 0) {
			*out = i;
			return true;
		}
	}
	char quoted[READER_TEXT_MAX];
	reader_fault(reader, name, expected, "%s is not known", json_quote(json_string_value(value), quoted));
	return false;
}

json_t *reader_array(struct reader *reader, const char *name, size_t min, size_t max, const char *what)
{
	char expected[120];
	snprintf(expected, sizeof(expected), "an array of %zu to %zu %s", min, max, what);
	json_t *value = reader_field(reader, name);
	if (!value) {
		if (min > 0 && reader->object)
			reader_fault(reader, name, expected, "is missing");
		return NULL;
	}
	if (!json_is_array(value)) {
		reader_fault(reader, name, expected, "is %s", json_kind(value));
		return NULL;
	}
	size_t count = json_array_size(value);
	if (count < min || count > max) {
		reader_fault(reader, name, expected, "has %zu elements", count);
		return NULL;
	}
	return value;
}
