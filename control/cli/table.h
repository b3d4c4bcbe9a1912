/* Tables for people: columns as wide as their widest cell; on a terminal the flexible ones are cut so that each row
 * fits into one line. Into a pipe nothing is cut. */
#ifndef PM_CLI_TABLE_H
#define PM_CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "control/cli/output.h"

struct column {
	const char *title;
	bool right;    /* numbers */
	bool flexible; /* may be cut to fit */
	bool below;    /* whole, in lines below the row, where it does not fit beside it; the last column only */
};

struct table;

/* `columns` must live as long. */
struct table *table_new(const struct column *columns, size_t count);
void table_free(struct table *table);

/* The next cell, from left to right, row after row; cleaned. */
void table_cell(struct table *table, enum tone tone, const char *format, ...) __attribute__((format(printf, 3, 4)));

size_t table_rows(const struct table *table);

/* Titles and all rows. */
void table_print(const struct table *table, const struct output *output);

#endif
