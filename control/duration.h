/* Spans of time in request bodies: "90s", "30m", "2h30m", or a number of seconds. */
#ifndef PM_DURATION_H
#define PM_DURATION_H

#include <stdbool.h>
#include <stdint.h>

#include "common/json_reader.h"

enum { DURATION_MAX_DAYS = 30 };

/* The field in ms, from 1 s to DURATION_MAX_DAYS. False and `*ms` left alone if it is absent, or wrong, which is a
 * fault. */
bool duration_read(struct reader *reader, const char *field, uint64_t *ms);
/* False: `text` is none. */
bool duration_parse(const char *text, uint64_t *ms);

#endif
