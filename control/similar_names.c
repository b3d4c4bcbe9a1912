/* Similar names: see the header. */
#include "control/similar_names.h"

#include <string.h>

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* One row of the table of distances (Damerau and Levenshtein, neighbours swapped), only near its diagonal: what lies
 * farther from it is above `max` anyway. Returns the least of the row. */
static unsigned fill_row(const struct hostname *a, const struct hostname *b, unsigned i, unsigned max,
                         unsigned rows[3][HOSTNAME_MAX + 2])
{
	unsigned *row = rows[i % 3], *before = rows[(i + 2) % 3], *before_that = rows[(i + 1) % 3];
	unsigned from = i > max ? i - max : 1, to = least(b->len, i + max), best = max + 1;
	row[from - 1] = from == 1 ? i : max + 1;
	row[to + 1] = max + 1;
	for (unsigned j = from; j <= to; j++) {
		bool same = a->text[i - 1] == b->text[j - 1];
		unsigned distance = before[j - 1] + !same;
		distance = least(distance, least(row[j - 1], before[j]) + 1);
		if (i > 1 && j > 1 && a->text[i - 1] == b->text[j - 2] && a->text[i - 2] == b->text[j - 1])
			distance = least(distance, before_that[j - 2] + 1);
		row[j] = least(distance, max + 1);
		best = least(best, row[j]);
	}
	return from == 1 ? least(best, i) : best;
}

unsigned similar_distance(const struct hostname *a, const struct hostname *b, unsigned max)
{
	unsigned rows[3][HOSTNAME_MAX + 2];
	unsigned apart = a->len > b->len ? a->len - b->len : b->len - a->len;
	if (apart > max)
		return max + 1;
	for (unsigned j = 0; j <= b->len + 1u; j++)
		rows[0][j] = least(j, max + 1);
	for (unsigned i = 1; i <= a->len; i++)
		if (fill_row(a, b, i, max, rows) > max)
			return max + 1;
	return rows[a->len % 3][b->len];
}

/* "app1.ch" and "www.app1.ch", either way. */
static bool is_below(const struct hostname *a, const struct hostname *b)
{
	return a->len > b->len && a->text[a->len - b->len - 1] == '.' && memchr(b->text, '.', b->len) &&
	       memcmp(a->text + a->len - b->len, b->text, b->len) == 0;
}

static unsigned distance_of(const struct hostname *wanted, const struct hostname *other)
{
	if (is_below(wanted, other) || is_below(other, wanted))
		return SIMILAR_DISTANCE_MAX;
	return similar_distance(wanted, other, SIMILAR_DISTANCE_MAX);
}

static void keep(struct similar_names *similar, const struct name *name, unsigned distance)
{
	size_t place = similar->shown;
	while (place > 0 && similar->distances[place - 1] > distance)
		place--;
	if (place == SIMILAR_SHOWN_MAX)
		return;
	if (similar->shown < SIMILAR_SHOWN_MAX)
		similar->shown++;
	for (size_t i = similar->shown - 1; i > place; i--) {
		similar->names[i] = similar->names[i - 1];
		similar->distances[i] = similar->distances[i - 1];
	}
	similar->names[place] = name;
	similar->distances[place] = distance;
}

void similar_names_find(const struct names *names, const struct hostname *wanted, struct similar_names *similar)
{
	*similar = (struct similar_names){0};
	for (const struct name *name = names_next(names, NULL); name; name = names_next(names, name)) {
		if (!names_is_served(name))
			continue;
		unsigned distance = distance_of(wanted, &name->host);
		if (distance > SIMILAR_DISTANCE_MAX)
			continue;
		similar->count++;
		keep(similar, name, distance);
	}
}
