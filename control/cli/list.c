/* Lists of the API as tables: see the header. */
#include "control/cli/list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/cli/cli.h"
#include "control/cli/fields.h"
#include "control/cli/units.h"

#define PAGE_LIMIT "10000"

static void add_rows(struct cli *cli, struct table *table, const json_t *items, const struct list *list)
{
	size_t i;
	const json_t *item;
	json_array_foreach(items, i, item)
	{
		list->row(cli, table, item);
	}
}

/* How many there are, if that is not plain from the table. */
static void print_count(const struct cli *cli, const struct list *list, size_t shown, int64_t total)
{
	char number[UNITS_TEXT_MAX];
	if (total > (int64_t)shown && shown > 0)
		output_toned(&cli->out, TONE_DIM, "%zu of %s %ss; %s", shown, count_format(total, number), list->noun,
		             list->one_page ? "--limit shows more" : "--limit and --offset choose others");
	else if (shown == 0)
		output_toned(&cli->out, TONE_DIM, "no %ss", list->noun);
	else if (cli->out.terminal && shown > 10)
		output_toned(&cli->out, TONE_DIM, "%zu %ss", shown, list->noun);
}

void list_print(struct cli *cli, const json_t *items, const struct list *list)
{
	struct table *table = table_new(list->columns, list->column_count);
	add_rows(cli, table, items, list);
	if (table_rows(table) > 0)
		table_print(table, &cli->out);
	print_count(cli, list, json_array_size(items), 0);
	table_free(table);
}

/* One page into the table, or printed as it came with --json. False: none came, and that was said. */
static bool get_page(struct cli *cli, const char *base, size_t offset, const struct list *list, struct table *table,
                     struct answer *answer)
{
	char offset_text[UNITS_TEXT_MAX];
	const char *limit = cli_option(cli, OPTION_LIMIT), *given = cli_option(cli, OPTION_OFFSET);
	snprintf(offset_text, sizeof(offset_text), "%zu", offset);
	char *target = target_add(strdup(base), "limit", limit ? limit : list->page ? list->page : PAGE_LIMIT);
	target = target_add(target, "offset", given ? given : offset > 0 ? offset_text : NULL);
	bool good = cli_get(cli, target, answer);
	if (good && cli_json(cli))
		cli_print_raw(cli, answer);
	else if (good)
		add_rows(cli, table, field(answer->json, list->items), list);
	free(target);
	return good;
}

/* Is there a further page that was asked for? */
static bool wants_more(const struct cli *cli, const struct list *list, const struct answer *answer, size_t *seen)
{
	size_t count = json_array_size(field(answer->json, list->items));
	*seen += count;
	return !list->one_page && count > 0 && (int64_t)*seen < field_int(answer->json, "total") && !cli_json(cli) &&
	       !cli_option(cli, OPTION_LIMIT) && !cli_option(cli, OPTION_OFFSET);
}

int list_show(struct cli *cli, char *target, const struct list *list)
{
	struct table *table = table_new(list->columns, list->column_count);
	struct answer answer = {0};
	size_t seen = 0;
	int status = CLI_DONE;
	bool good;
	do {
		answer_free(&answer);
		good = get_page(cli, target, seen, list, table, &answer);
	} while (good && wants_more(cli, list, &answer, &seen));
	if (good && !cli_json(cli)) {
		if (table_rows(table) > 0)
			table_print(table, &cli->out);
		print_count(cli, list, seen, field_int(answer.json, "total"));
	}
	if (good && list->end)
		status = list->end(cli, answer.json);
	answer_free(&answer);
	table_free(table);
	free(target);
	return good ? status : CLI_FAILED;
}
