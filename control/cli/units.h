/* Numbers, durations and times as people write and read them. Pure. */
#ifndef PM_CLI_UNITS_H
#define PM_CLI_UNITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { UNITS_TEXT_MAX = 32 };

/* "90s", "30m", "2h", "1d", "1h30m", or a number of seconds; at most 366 days. False: it is none. */
bool duration_parse(const char *text, int64_t *seconds);
/* "45s", "12m", "3h05m", "2d04h": two units at most. Returns `out`. */
const char *duration_format(int64_t seconds, char out[static UNITS_TEXT_MAX]);

/* A weight or a share: 0 to 100 with at most two decimals. */
bool percent_parse(const char *text, double *value);
/* Up to two decimals, without zeros at the end: "12.5". */
const char *percent_format(double value, char out[static UNITS_TEXT_MAX]);

/* A whole number without sign, at most `most`. */
bool number_parse(const char *text, uint64_t most, uint64_t *value);

/* "1,234,567" */
const char *count_format(int64_t value, char out[static UNITS_TEXT_MAX]);
/* "999", "1.2k", "35k", "4.5M": at most four characters up to a thousand million million. */
const char *short_format(double value, char out[static UNITS_TEXT_MAX]);

/* RFC 3339 in UTC ("2026-01-31T09:00:00.250Z") to milliseconds of Unix time; -1 if it is none. */
int64_t time_parse(const char *text);
/* In the machine's time zone, "2026-01-31 10:00:00"; "-" for a negative time. */
const char *time_format(int64_t unix_ms, char out[static UNITS_TEXT_MAX]);

#endif
