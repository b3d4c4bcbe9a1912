/* cli/table: columns, cutting at the width, colours. */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "control/cli/table.h"

static const struct column columns[] = {
    {.title = "NAME", .flexible = true}, {.title = "N", .right = true}, {.title = "NOTES", .flexible = true}};

static struct table *make(void)
{
	struct table *table = table_new(columns, 3);
	table_cell(table, TONE_PLAIN, "short");
	table_cell(table, TONE_PLAIN, "%d", 1234);
	table_cell(table, TONE_BAD, "ill");
	table_cell(table, TONE_PLAIN, "a-very-long-name-of-a-route.example.ch");
	table_cell(table, TONE_PLAIN, "%d", 5);
	table_cell(table, TONE_PLAIN, "%s", "");
	return table;
}

static char *print(unsigned width, bool colour)
{
	char *text;
	size_t size;
	struct table *table = make();
	struct output output = {.colour = colour, .width = width, .file = open_memstream(&text, &size)};
	assert_int_equal(table_rows(table), 2);
	table_print(table, &output);
	fclose(output.file);
	table_free(table);
	return text;
}

static void assert_printed(unsigned width, bool colour, const char *expected)
{
	char *text = print(width, colour);
	assert_string_equal(text, expected);
	free(text);
}

static void a_pipe_gets_everything(void **state)
{
	assert_printed(0, false,
	               "NAME                                       N  NOTES\n"
	               "short                                   1234  ill\n"
	               "a-very-long-name-of-a-route.example.ch     5\n");
}

static void a_terminal_gets_what_fits(void **state)
{
	assert_printed(30, false,
	               "NAME                  N  NOTES\n"
	               "short              1234  ill\n"
	               "a-very-long-name…     5\n");
	/* No column gives more than it may: what does not fit is left out. */
	assert_printed(12, false,
	               "NAME       N\n"
	               "short     1…\n"
	               "a-very-…   5\n");
}

static void no_line_is_wider_than_the_terminal(void **state)
{
	for (unsigned width = 1; width < 60; width++) {
		char *text = print(width, false), *rest = text, *line;
		while ((line = strsep(&rest, "\n"))) {
			char *dots = strstr(line, "…"); /* three bytes, one column */
			assert_in_range(strlen(line) - (dots ? 2 : 0), 0, width);
		}
		free(text);
	}
}

static void colours_do_not_change_widths(void **state)
{
	assert_printed(0, true,
	               "\033[1mNAME\033[0m                                       \033[1mN\033[0m  \033[1mNOTES\033[0m\n"
	               "short                                   1234  \033[31mill\033[0m\n"
	               "a-very-long-name-of-a-route.example.ch     5\n");
}

static void notes_go_below_where_they_do_not_fit(void **state)
{
	static const struct column two[] = {{.title = "NAME", .flexible = true}, {.title = "NOTES", .below = true}};
	char *text;
	size_t size;
	struct table *table = table_new(two, 2);
	struct output output = {.width = 20, .file = open_memstream(&text, &size)};
	table_cell(table, TONE_PLAIN, "a.ch");
	table_cell(table, TONE_PLAIN, "twelve chars");
	table_cell(table, TONE_PLAIN, "long.name.ch");
	table_cell(table, TONE_PLAIN, "that is too much for a line");
	table_cell(table, TONE_PLAIN, "b.ch");
	table_cell(table, TONE_PLAIN, "%s", "");
	table_print(table, &output);
	output.width = 0;
	table_print(table, &output);
	fclose(output.file);
	assert_string_equal(text, "NAME          NOTES\n"
	                          "a.ch\n"
	                          "    twelve chars\n"
	                          "long.name.ch\n"
	                          "    that is too much\n"
	                          "    for a line\n"
	                          "b.ch\n"
	                          "NAME          NOTES\n"
	                          "a.ch          twelve chars\n"
	                          "long.name.ch  that is too much for a line\n"
	                          "b.ch\n");
	table_free(table);
	free(text);
}

static void names_cannot_move_the_cursor(void **state)
{
	static const struct column one[] = {{.title = "NAME"}};
	char *text;
	size_t size;
	struct table *table = table_new(one, 1);
	struct output output = {.file = open_memstream(&text, &size)};
	table_cell(table, TONE_PLAIN, "%s", "evil\n\033[2J.ch");
	table_print(table, &output);
	fclose(output.file);
	assert_string_equal(text, "NAME\nevil??[2J.ch\n");
	table_free(table);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_pipe_gets_everything),
	    cmocka_unit_test(a_terminal_gets_what_fits),
	    cmocka_unit_test(no_line_is_wider_than_the_terminal),
	    cmocka_unit_test(colours_do_not_change_widths),
	    cmocka_unit_test(notes_go_below_where_they_do_not_fit),
	    cmocka_unit_test(names_cannot_move_the_cursor),
	};
	setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
