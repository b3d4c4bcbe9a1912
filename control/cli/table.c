/* Tables for people: see the header. */
#include "control/cli/table.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "control/cli/text.h"

enum { GAP = 2, FLEXIBLE_MIN = 8, INDENT = 4 /* of what stands below a row */ };

struct cell {
	char *text;
	enum tone tone;
};

struct table {
	const struct column *columns;
	size_t column_count;
	struct cell *cells;
	size_t count, capacity;
};

struct table *table_new(const struct column *columns, size_t count)
{
	struct table *table = calloc(1, sizeof(*table));
	if (!table)
		abort();
	table->columns = columns;
	table->column_count = count;
	return table;
}

void table_free(struct table *table)
{
	for (size_t i = 0; i < table->count; i++)
		free(table->cells[i].text);
	free(table->cells);
	free(table);
}

void table_cell(struct table *table, enum tone tone, const char *format, ...)
{
	va_list list;
	char *text;
	va_start(list, format);
	if (vasprintf(&text, format, list) < 0)
		abort();
	va_end(list);
	if (table->count == table->capacity) {
		table->capacity = table->capacity > 0 ? table->capacity * 2 : 64;
		table->cells = realloc(table->cells, table->capacity * sizeof(*table->cells));
		if (!table->cells)
			abort();
	}
	table->cells[table->count++] = (struct cell){.text = text_clean(text), .tone = tone};
	free(text);
}

size_t table_rows(const struct table *table)
{
	return table->count / table->column_count;
}

static void measure(const struct table *table, unsigned *widths)
{
	for (size_t i = 0; i < table->column_count; i++)
		widths[i] = text_width(table->columns[i].title);
	for (size_t i = 0; i < table->count; i++) {
		unsigned width = text_width(table->cells[i].text);
		if (width > widths[i % table->column_count])
			widths[i % table->column_count] = width;
	}
}

static unsigned sum_of(const unsigned *widths, size_t count)
{
	unsigned sum = (unsigned)(count - 1) * GAP;
	for (size_t i = 0; i < count; i++)
		sum += widths[i];
	return sum;
}

/* Takes from the widest flexible column until a row fits, or none has more to give. */
static void shrink(const struct table *table, unsigned *widths, unsigned limit)
{
	unsigned sum = sum_of(widths, table->column_count);
	while (sum > limit) {
		unsigned *widest = NULL;
		for (size_t i = 0; i < table->column_count; i++)
			if (table->columns[i].flexible && widths[i] > FLEXIBLE_MIN && (!widest || widths[i] > *widest))
				widest = &widths[i];
		if (!widest)
			return;
		(*widest)--;
		sum--;
	}
}

static void print_spaces(const struct output *output, unsigned count)
{
	fprintf(output->file, "%*s", (int)count, "");
}

/* A text in `width` columns; the end of one that is cut says so. `last`: no spaces after it. */
static void print_cell(const struct output *output, struct cell cell, unsigned width, bool right, bool last)
{
	unsigned needed = text_width(cell.text);
	bool cut = needed > width;
	unsigned left = cut && width > 0 ? width - 1 : width;
	unsigned padding = cut ? 0 : width - needed;
	if (right)
		print_spaces(output, padding);
	size_t len = text_fit(cell.text, &left);
	output_piece(output, cell.tone, cell.text, len);
	if (cut)
		output_piece(output, TONE_DIM, text_is_utf8() ? "…" : "~", text_is_utf8() ? strlen("…") : 1);
	if (!right && !last)
		print_spaces(output, padding + (cut ? left : 0));
}

/* Some columns of a row. What stands beyond the width of the terminal is left out. */
static void print_row(const struct table *table, const struct output *output, const unsigned *widths, size_t count,
                      const struct cell *cells)
{
	unsigned room = output->width;
	while (count > 1 && cells[count - 1].text[0] == '\0') /* no spaces at the end */
		count--;
	for (size_t i = 0; i < count; i++) {
		unsigned width = widths[i];
		if (output->width > 0) {
			if (room < GAP + 1)
				break;
			if (width > room - (i > 0 ? GAP : 0))
				width = room - (i > 0 ? GAP : 0);
			room -= width + (i > 0 ? GAP : 0);
		}
		if (i > 0)
			print_spaces(output, GAP);
		print_cell(output, cells[i], width, table->columns[i].right, i + 1 == count);
	}
	fputc('\n', output->file);
}

/* A text in lines of its own, broken at spaces. */
static void print_below(const struct output *output, struct cell cell)
{
	const char *text = cell.text;
	while (*text != '\0') {
		unsigned room = output->width - INDENT;
		size_t len = text_fit(text, &room), end = len;
		while (text[len] != '\0' && end > 0 && text[end] != ' ')
			end--;
		if (end == 0)
			end = len > 0 ? len : strlen(text);
		print_spaces(output, INDENT);
		output_piece(output, cell.tone, text, end);
		fputc('\n', output->file);
		text += end + (text[end] == ' ');
	}
}

/* The last column beside the others, or below them. */
static void print_rows(const struct table *table, const struct output *output, const unsigned *widths)
{
	size_t count = table->column_count, last = count - 1;
	bool below = table->columns[last].below && output->width > INDENT;
	unsigned others = below && last > 0 ? sum_of(widths, last) + GAP : 0;
	unsigned room = output->width > others ? output->width - others : 0;
	for (size_t i = 0; i + count <= table->count; i += count) {
		const struct cell *cells = table->cells + i;
		bool fits = !below || text_width(cells[last].text) <= room;
		print_row(table, output, widths, fits ? count : last, cells);
		if (!fits)
			print_below(output, cells[last]);
	}
}

void table_print(const struct table *table, const struct output *output)
{
	unsigned widths[table->column_count];
	struct cell titles[table->column_count];
	size_t last = table->column_count - 1;
	assert(table->count % table->column_count == 0);
	measure(table, widths);
	/* A column that can go below takes no room from the others. */
	bool below = output->width > 0 && table->columns[last].below;
	if (below)
		widths[last] = 0;
	if (output->width > 0)
		shrink(table, widths, output->width);
	for (size_t i = 0; i <= last; i++)
		titles[i] = (struct cell){.text = (char *)table->columns[i].title, .tone = TONE_STRONG};
	if (below) /* print_row knows how much is left */
		widths[last] = output->width;
	bool fits = !below || sum_of(widths, last) + GAP + text_width(titles[last].text) <= output->width;
	print_row(table, output, widths, fits ? last + 1 : last, titles);
	print_rows(table, output, widths);
}
