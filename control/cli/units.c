/* Numbers, durations and times: see the header. */
#include "control/cli/units.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MINUTE = 60, HOUR = 60 * MINUTE, DAY = 24 * HOUR, DURATION_MAX = 366 * DAY };

/* The seconds of a unit, 0 if it is none. */
static int64_t unit_seconds(char unit)
{
	switch (unit) {
	case 's':
		return 1;
	case 'm':
		return MINUTE;
	case 'h':
		return HOUR;
	case 'd':
		return DAY;
	default:
		return 0;
	}
}

bool duration_parse(const char *text, int64_t *seconds)
{
	int64_t sum = 0, last_unit = INT64_MAX;
	if (*text == '\0')
		return false;
	while (*text != '\0') {
		int64_t number = 0;
		size_t digits = strspn(text, "0123456789");
		if (digits == 0 || digits > 9)
			return false;
		for (size_t i = 0; i < digits; i++)
			number = number * 10 + (text[i] - '0');
		text += digits;
		/* A bare number counts seconds, but only by itself: "1h30" would be a guess. */
		int64_t unit = *text == '\0' && last_unit == INT64_MAX ? 1 : unit_seconds(*text);
		if (unit == 0 || unit >= last_unit)
			return false;
		text += *text != '\0';
		last_unit = unit;
		sum += number * unit;
	}
	*seconds = sum;
	return sum <= DURATION_MAX;
}

const char *duration_format(int64_t seconds, char out[static UNITS_TEXT_MAX])
{
	if (seconds < MINUTE)
		snprintf(out, UNITS_TEXT_MAX, "%ds", (int)(seconds > 0 ? seconds : 0));
	else if (seconds < HOUR)
		snprintf(out, UNITS_TEXT_MAX, "%dm%02ds", (int)(seconds / MINUTE), (int)(seconds % MINUTE));
	else if (seconds < DAY)
		snprintf(out, UNITS_TEXT_MAX, "%dh%02dm", (int)(seconds / HOUR), (int)(seconds % HOUR / MINUTE));
	else
		snprintf(out, UNITS_TEXT_MAX, "%lldd%02dh", (long long)(seconds / DAY), (int)(seconds % DAY / HOUR));
	return out;
}

bool percent_parse(const char *text, double *value)
{
	size_t whole = strspn(text, "0123456789");
	const char *rest = text + whole;
	size_t decimals = *rest == '.' ? strspn(rest + 1, "0123456789") : 0;
	if (whole == 0 || whole > 3 || (*rest == '.' && (decimals == 0 || decimals > 2)))
		return false;
	if (rest[*rest == '.' ? 1 + decimals : 0] != '\0')
		return false;
	*value = strtod(text, NULL);
	return *value <= 100;
}

const char *percent_format(double value, char out[static UNITS_TEXT_MAX])
{
	int len = snprintf(out, UNITS_TEXT_MAX, "%.2f", value);
	while (len > 1 && out[len - 1] == '0')
		out[--len] = '\0';
	if (len > 1 && out[len - 1] == '.')
		out[--len] = '\0';
	return out;
}

bool number_parse(const char *text, uint64_t most, uint64_t *value)
{
	size_t digits = strspn(text, "0123456789");
	if (digits == 0 || digits > 18 || text[digits] != '\0')
		return false;
	*value = strtoull(text, NULL, 10);
	return *value <= most;
}

const char *count_format(int64_t value, char out[static UNITS_TEXT_MAX])
{
	char digits[UNITS_TEXT_MAX];
	int len = snprintf(digits, sizeof(digits), "%lld", (long long)value), used = 0;
	for (int i = 0; i < len; i++) {
		if (i > 0 && digits[i - 1] != '-' && (len - i) % 3 == 0)
			out[used++] = ',';
		out[used++] = digits[i];
	}
	out[used] = '\0';
	return out;
}

const char *short_format(double value, char out[static UNITS_TEXT_MAX])
{
	static const char units[] = " kMGTP";
	size_t unit = 0;
	while (value >= 999.5 && unit < sizeof(units) - 2) {
		value /= 1000;
		unit++;
	}
	if (unit == 0)
		snprintf(out, UNITS_TEXT_MAX, "%.0f", value);
	else
		snprintf(out, UNITS_TEXT_MAX, value < 9.95 ? "%.1f%c" : "%.0f%c", value, units[unit]);
	return out;
}

int64_t time_parse(const char *text)
{
	struct tm parts = {0};
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &parts);
	if (!rest)
		return -1;
	int64_t milliseconds = 0;
	if (*rest == '.') {
		size_t digits = strspn(++rest, "0123456789");
		for (size_t i = 0; i < 3; i++)
			milliseconds = milliseconds * 10 + (i < digits ? rest[i] - '0' : 0);
		rest += digits;
	}
	return strcmp(rest, "Z") == 0 ? (int64_t)timegm(&parts) * 1000 + milliseconds : -1;
}

const char *time_format(int64_t unix_ms, char out[static UNITS_TEXT_MAX])
{
	struct tm parts;
	time_t seconds = (time_t)(unix_ms / 1000);
	if (unix_ms < 0 || !localtime_r(&seconds, &parts))
		strcpy(out, "-");
	else
		strftime(out, UNITS_TEXT_MAX, "%Y-%m-%d %H:%M:%S", &parts);
	return out;
}
