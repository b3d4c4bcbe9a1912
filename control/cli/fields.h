/* Reading answers of the API: a field that is missing or of another type reads as nothing, so that a newer or older
 * control shows a gap and not a failure. */
#ifndef PM_CLI_FIELDS_H
#define PM_CLI_FIELDS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* `path`: names with dots between them, "control.version". NULL if there is none, or it is null. */
json_t *field(const json_t *object, const char *path);
/* "" if it is no string. */
const char *field_text(const json_t *object, const char *path);
/* 0 if it is no number. */
int64_t field_int(const json_t *object, const char *path);
double field_real(const json_t *object, const char *path);
bool field_true(const json_t *object, const char *path);
/* A time as RFC 3339: milliseconds of Unix time, -1 for none. */
int64_t field_time(const json_t *object, const char *path);

#endif
