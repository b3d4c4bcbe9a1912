/* Numbers with at most 2 decimals: see the header. */
#include "control/state/hundredths.h"

#include <stdio.h>

static const char expected[] = "a number from 0 to 100 with at most 2 decimals";

bool hundredths_of(const json_t *value, uint16_t *out)
{
	double number = json_number_value(value);
	if (!json_is_number(value) || !(number >= 0 && number <= 100))
		return false;
	uint16_t nearest = (uint16_t)(number * HUNDREDTHS + 0.5);
	/* 12.34 * 100 is not 1234 exactly, but nearer than any third decimal. */
	double error = number * HUNDREDTHS - nearest;
	if (error > 1e-6 || error < -1e-6)
		return false;
	*out = nearest;
	return true;
}

bool hundredths_read(struct reader *reader, const char *field, bool required, uint16_t *out)
{
	const json_t *value = reader_field(reader, field);
	if (!value && required)
		reader_fault(reader, field, expected, "is missing");
	if (!value || hundredths_of(value, out))
		return value != NULL;
	if (json_is_integer(value))
		reader_fault(reader, field, expected, "%lld is out of range", (long long)json_integer_value(value));
	else if (!json_is_number(value))
		reader_fault(reader, field, expected, "is %s", json_kind(value));
	else if (json_real_value(value) < 0 || json_real_value(value) > 100)
		reader_fault(reader, field, expected, "%.12g is out of range", json_real_value(value));
	else
		reader_fault(reader, field, expected, "%.12g has more than 2 decimals", json_real_value(value));
	return false;
}

json_t *hundredths_json(unsigned hundredths)
{
	if (hundredths % HUNDREDTHS == 0)
		return json_integer(hundredths / HUNDREDTHS);
	return json_real((double)hundredths / HUNDREDTHS);
}

const char *hundredths_text(unsigned hundredths, char text[static HUNDREDTHS_TEXT_MAX])
{
	unsigned whole = hundredths / HUNDREDTHS, rest = hundredths % HUNDREDTHS;
	if (rest == 0)
		snprintf(text, HUNDREDTHS_TEXT_MAX, "%u", whole);
	else if (rest % 10 == 0)
		snprintf(text, HUNDREDTHS_TEXT_MAX, "%u.%u", whole, rest / 10);
	else
		snprintf(text, HUNDREDTHS_TEXT_MAX, "%u.%02u", whole, rest);
	return text;
}
