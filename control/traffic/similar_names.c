/* Similar names: see the header. */
#include "control/traffic/similar_names.h"

#include <string.h>

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* What lies between a common beginning and a common end. */
struct middle {
	const char *text;
	unsigned len;
};

/* One row of the table of distances (Damerau and Levenshtein, neighbours swapped), only near its diagonal: what lies
 * farther from it is above `max` anyway. Returns the least of the row. */
static unsigned fill_row(const struct middle *a, const struct middle *b, unsigned i, unsigned max,
                         uint8_t rows[3][HOSTNAME_MAX + 2])
{
	uint8_t *row = rows[i % 3], *before = rows[(i + 2) % 3], *before_that = rows[(i + 1) % 3];
	unsigned from = i > max ? i - max : 1, to = least(b->len, i + max), best = max + 1;
	row[from - 1] = (uint8_t)(from == 1 ? least(i, max + 1) : max + 1);
	row[to + 1] = (uint8_t)(max + 1);
	for (unsigned j = from; j <= to; j++) {
		bool same = a->text[i - 1] == b->text[j - 1];
		unsigned distance = before[j - 1] + !same;
		distance = least(distance, least(row[j - 1], before[j]) + 1u);
		if (i > 1 && j > 1 && a->text[i - 1] == b->text[j - 2] && a->text[i - 2] == b->text[j - 1])
			distance = least(distance, before_that[j - 2] + 1u);
		row[j] = (uint8_t)least(distance, max + 1);
		best = least(best, row[j]);
	}
	return from == 1 ? least(best, i) : best;
}

static unsigned middle_distance(const struct middle *a, const struct middle *b, unsigned max)
{
	uint8_t rows[3][HOSTNAME_MAX + 2];
	for (unsigned j = 0; j <= least(b->len, max) + 1; j++)
		rows[0][j] = (uint8_t)least(j, max + 1);
	for (unsigned i = 1; i <= a->len; i++)
		if (fill_row(a, b, i, max, rows) > max)
			return max + 1;
	return rows[a->len % 3][b->len];
}

unsigned similar_distance(const struct hostname *a, const struct hostname *b, unsigned max)
{
	struct middle x = {a->text, a->len}, y = {b->text, b->len};
	if ((x.len > y.len ? x.len - y.len : y.len - x.len) > max)
		return max + 1;
	while (x.len > 0 && y.len > 0 && x.text[0] == y.text[0]) {
		x.text++;
		y.text++;
		x.len--;
		y.len--;
	}
	while (x.len > 0 && y.len > 0 && x.text[x.len - 1] == y.text[y.len - 1]) {
		x.len--;
		y.len--;
	}
	if (x.len == 0 || y.len == 0)
		return x.len + y.len;
	return middle_distance(&x, &y, max);
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
	size_t looked = 0;
	*similar = (struct similar_names){0};
	for (const struct name *name = names_next(names, NULL); name && looked < SIMILAR_LOOKED_MAX;
	     name = names_next(names, name), looked++) {
		unsigned distance = distance_of(wanted, &name->host);
		if (distance > SIMILAR_DISTANCE_MAX || !names_is_served(name))
			continue;
		similar->count++;
		keep(similar, name, distance);
	}
}
