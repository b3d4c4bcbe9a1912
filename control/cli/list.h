/* Lists of the API as tables: all pages of them, unless --limit or --offset ask for one. */
#ifndef PM_CLI_LIST_H
#define PM_CLI_LIST_H

#include <jansson.h>

#include "control/cli/table.h"

struct cli;

struct list {
	const char *items; /* the field that holds them */
	const char *page;  /* how many are asked for at once; NULL: as many as most lists give */
	bool one_page;     /* the API gives the first page only */
	const char *noun;  /* one of them, for the line under the table; many are noun + "s" */
	const struct column *columns;
	size_t column_count;
	void (*row)(struct cli *cli, struct table *table, const json_t *item);
	/* NULL, or what the last page says besides, after the table; with --json it may print nothing. Returns the exit
	 * status. */
	int (*end)(struct cli *cli, const json_t *page);
};

/* Gets `target` (taken) page by page and prints one table; with --json the first page as it came. */
int list_show(struct cli *cli, char *target, const struct list *list);

/* Of an array that is there already. */
void list_print(struct cli *cli, const json_t *items, const struct list *list);

#endif
