/* Spans of time: see the header. */
#include "control/duration.h"

#include <string.h>

static const uint64_t max_seconds = (uint64_t)DURATION_MAX_DAYS * 24 * 3600;
static const char form[] = "a time from 1 s to 30 days, such as \"30m\", \"90s\", \"2h\", or a number of seconds";

/* Seconds in a unit; 0: there is no such one. */
static uint64_t unit_of(char unit)
{
	static const struct {
		char unit;
		uint64_t seconds;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 24 * 3600}};
	for (unsigned i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (units[i].unit == unit)
			return units[i].seconds;
	return 0;
}

/* "2h30m": numbers with units, each smaller than the one before. */
bool duration_parse(const char *text, uint64_t *ms)
{
	uint64_t sum = 0, before = UINT64_MAX;
	if (*text == '\0')
		return false;
	while (*text != '\0') {
		uint64_t number = 0;
		size_t digits = strspn(text, "0123456789");
		if (digits == 0 || digits > 8)
			return false;
		for (; digits > 0; digits--)
			number = number * 10 + (uint64_t)(*text++ - '0');
		uint64_t unit = unit_of(*text);
		if (unit == 0 || unit >= before)
			return false;
		sum += number * unit;
		before = unit;
		text++;
	}
	if (sum == 0 || sum > max_seconds)
		return false;
	*ms = sum * 1000;
	return true;
}

bool duration_read(struct reader *reader, const char *field, uint64_t *ms)
{
	char quoted[READER_TEXT_MAX];
	const json_t *value = reader_field(reader, field);
	if (!value)
		return false;
	if (json_is_string(value)) {
		if (duration_parse(json_string_value(value), ms))
			return true;
		reader_fault(reader, field, form, "%s is none", json_quote(json_string_value(value), quoted));
		return false;
	}
	if (!json_is_number(value)) {
		reader_fault(reader, field, form, "is %s", json_kind(value));
		return false;
	}
	double seconds = json_number_value(value);
	if (!(seconds >= 1) || seconds > (double)max_seconds) {
		reader_fault(reader, field, form, "%g is out of range", seconds);
		return false;
	}
	*ms = (uint64_t)(seconds * 1000);
	return true;
}
