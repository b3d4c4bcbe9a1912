/* A row of numbers as a line of small bars: see the header. */
#include "control/cli/spark.h"

#include <stdio.h>
#include <stdlib.h>

#include "control/cli/text.h"

enum { LEVELS = 8 };

/* The largest of some numbers; -1 if none is known. */
static double largest(const json_t *numbers, size_t from, size_t to)
{
	double most = -1;
	for (size_t i = from; i < to; i++) {
		const json_t *number = json_array_get(numbers, i);
		if (json_is_number(number) && json_number_value(number) > most)
			most = json_number_value(number);
	}
	return most;
}

static void put_bar(FILE *out, double value, double most)
{
	static const char *const blocks[LEVELS] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
	static const char letters[LEVELS + 1] = "_.-:=+*#";
	int level = most > 0 ? (int)(value * LEVELS / most) : 0;
	if (value < 0) {
		fputc(' ', out);
		return;
	}
	if (level == 0 && value > 0)
		level = 1; /* little is not nothing */
	if (level >= LEVELS)
		level = LEVELS - 1;
	if (text_is_utf8())
		fputs(blocks[level], out);
	else
		fputc(letters[level], out);
}

char *spark_make(const json_t *numbers, unsigned columns)
{
	char *text = NULL;
	size_t size, count = json_array_size(numbers);
	size_t step = columns > 0 ? (count + columns - 1) / columns : 0;
	FILE *out = open_memstream(&text, &size);
	if (!out)
		abort();
	double most = largest(numbers, 0, count);
	/* Counted from the right, so that the newest column is always a whole one. */
	for (size_t left = step > 0 ? (count + step - 1) / step : 0; left > 0; left--) {
		size_t to = count - (left - 1) * step, from = to > step ? to - step : 0;
		put_bar(out, largest(numbers, from, to), most);
	}
	if (fclose(out) != 0)
		abort();
	return text;
}
