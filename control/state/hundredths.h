/* Numbers with at most 2 decimals, kept as whole hundredths: the operator's weights, shares and percents. In JSON they
 * are plain numbers: 12.5 is 1250 here. Knows no meaning of them. */
#ifndef PM_HUNDREDTHS_H
#define PM_HUNDREDTHS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/json_reader.h"

enum { HUNDREDTHS = 100, HUNDREDTHS_ALL = 100 * HUNDREDTHS };

/* The field of an object: 0 to 100. False and `*out` left alone if it is absent, which is a fault if it is required, or
 * wrong, which always is one. */
bool hundredths_read(struct reader *reader, const char *field, bool required, uint16_t *out);
/* The same from a value alone. */
bool hundredths_of(const json_t *value, uint16_t *out);
/* A new reference: an integer if there are no decimals. */
json_t *hundredths_json(unsigned hundredths);
/* "12.5", for people. */
enum { HUNDREDTHS_TEXT_MAX = 16 };
const char *hundredths_text(unsigned hundredths, char text[static HUNDREDTHS_TEXT_MAX]);

#endif
