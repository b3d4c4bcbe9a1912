/* cli/top_view, cli/spark and cli/terminal's keys: frames of every size, hostile names, order of hosts. */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "control/cli/spark.h"
#include "control/cli/terminal.h"
#include "control/cli/text.h"
#include "control/cli/top_view.h"

enum { ROWS_MAX = 60 };

static struct top_data data;

static json_t *parse(const char *text)
{
	json_error_t error;
	json_t *json = json_loads(text, 0, &error);
	if (!json)
		fail_msg("%s", error.text);
	return json;
}

static json_t *points(int value)
{
	json_t *array = json_array();
	for (int i = 0; i < 120; i++)
		json_array_append_new(array, i < 60 ? json_null() : json_integer(value + i));
	return array;
}

static int setup(void **state)
{
	data = (struct top_data){0};
	data.status =
	    parse("{\"dataplane\": {\"state\": \"ready\"}, \"control\": {\"revision\": 7}, \"applied_revision\": 7}");
	data.stats = json_pack("{s:{s:o, s:o, s:o, s:o, s:o}}", "totals", "active", points(1000), "new", points(0),
	                       "refused", points(0), "healthy_hosts", points(0), "unhealthy_hosts", points(0));
	data.clusters =
	    parse("{\"clusters\": [{\"name\": \"v1\", \"state\": \"active\", \"hosts\": 2, \"healthy_hosts\": 2}]}");
	data.hosts = parse("{\"hosts\": [{\"cluster\": \"v1\", \"name\": \"r1\", \"address\": \"203.0.113.1\", "
	                   "\"state\": \"active\", \"healthy\": "
	                   "true, \"active\": 5, \"total\": 100, \"refused\": 0, \"new_per_second\": 40}, "
	                   "{\"cluster\": \"v1\", \"name\": "
	                   "\"r2\", \"address\": "
	                   "\"203.0.113.2\", \"state\": \"active\", \"healthy\": false, \"active\": 9, \"total\": 50, "
	                   "\"refused\": 3}]}");
	data.routes =
	    parse("{\"routes\": [{\"host\": \"<img>\\u001b[2Jevil.ch\", \"active\": 3, \"recent\": 4, \"clusters\": "
	          "[{\"cluster\": \"v1\", \"planned_share\": 100, \"real_share\": 99.5}]}]}");
	return 0;
}

static int teardown(void **state)
{
	json_decref(data.status);
	json_decref(data.stats);
	json_decref(data.clusters);
	json_decref(data.hosts);
	json_decref(data.routes);
	return 0;
}

static char *frame(struct top_view *view)
{
	view->data = &data;
	view->url = "http://127.0.0.1:8089";
	return top_frame(view);
}

/* What a frame without colours leaves on the screen, row by row. */
static void draw(const char *text, const struct top_view *view, char rows[ROWS_MAX][1000])
{
	unsigned row = 0;
	size_t used = 0;
	memset(rows, 0, (size_t)ROWS_MAX * 1000);
	while (*text != '\0') {
		unsigned number;
		int len = 0;
		if (strncmp(text, "\033[K", 3) == 0 || strncmp(text, "\033[J", 3) == 0 ||
		    strncmp(text, "\033[H", 3) == 0)
			text += 3;
		else if (sscanf(text, "\033[%u;1H%n", &number, &len) == 1 && len > 0) {
			row = number - 1;
			used = 0;
			text += len;
		} else if (strncmp(text, "\r\n", 2) == 0) {
			row++;
			used = 0;
			text += 2;
			assert_true(row < view->rows); /* no line end in the last row: it would scroll */
		} else {
			assert_true((unsigned char)*text >= ' ');
			rows[row][used++] = *text++;
		}
	}
}

static void every_size_is_filled_and_not_exceeded(void **state)
{
	static char rows[ROWS_MAX][1000];
	for (unsigned height = 2; height < 50; height += 3)
		for (unsigned width = 1; width < 140; width += 7) {
			struct top_view view = {.rows = height, .columns = width};
			char *text = frame(&view);
			draw(text, &view, rows);
			for (unsigned i = 0; i < height; i++)
				assert_in_range(text_width(rows[i]), 0, width);
			free(text);
		}
}

static void a_small_terminal_shows_what_matters(void **state)
{
	static char rows[ROWS_MAX][1000];
	struct top_view view = {.rows = 24, .columns = 80};
	char *text = frame(&view);
	draw(text, &view, rows);
	assert_non_null(strstr(rows[0], "dataplane ready, revision 7"));
	assert_non_null(strstr(rows[1], "active       1,119  "));
	assert_int_equal(text_width(rows[1]), 80); /* 120 points in 60 columns */
	assert_non_null(strstr(rows[6], "CLUSTER"));
	assert_non_null(strstr(rows[10], "v1/r2  203.0.113.2  unhealthy")); /* most connections first */
	assert_non_null(strstr(rows[11], "v1/r1  203.0.113.1  healthy"));
	assert_non_null(strstr(rows[11], " 40 ")); /* new_per_second */
	assert_non_null(strstr(rows[14], "<img>?[2Jevil.ch"));
	assert_non_null(strstr(rows[23], "q quit"));
	free(text);
}

static void hosts_are_sorted_as_wished(void **state)
{
	static char rows[ROWS_MAX][1000];
	static const char *const first[TOP_SORTS] = {"v1/r2", "v1/r1", "v1/r2", "v1/r1"};
	for (enum top_sort sort = 0; sort < TOP_SORTS; sort++) {
		struct top_view view = {.rows = 24, .columns = 80, .sort = sort};
		char *text = frame(&view);
		draw(text, &view, rows);
		assert_memory_equal(rows[10], first[sort], 5);
		free(text);
	}
	assert_string_equal(top_route_sort(TOP_BY_NEW), "recent");
}

static void scrolling_ends_at_the_end(void **state)
{
	static char rows[ROWS_MAX][1000];
	struct top_view view = {.rows = 10, .columns = 80, .scroll = SIZE_MAX / 2};
	char *text = frame(&view);
	draw(text, &view, rows);
	assert_int_equal(view.scroll, 9 - 3); /* nine lines, three of them fit */
	assert_non_null(strstr(rows[8], "evil.ch"));
	assert_non_null(strstr(rows[9], "7-9 of 9 lines"));
	free(text);
}

static void an_old_picture_says_so(void **state)
{
	struct top_view view = {.rows = 24, .columns = 80};
	strcpy(data.error, "Connection refused");
	char *text = frame(&view);
	assert_non_null(strstr(text, "no answer, what is shown is old: Connection refused"));
	free(text);
	data.error[0] = '\0';
}

static void nothing_at_all_can_be_drawn(void **state)
{
	struct top_data empty = {0};
	struct top_view view = {.rows = 24, .columns = 80, .data = &empty, .url = ""};
	free(top_frame(&view));
}

/* ---- bars ---- */

static void assert_spark(const char *numbers, unsigned columns, const char *expected)
{
	json_t *json = parse(numbers);
	char *text = spark_make(json, columns);
	assert_string_equal(text, expected);
	free(text);
	json_decref(json);
}

static void bars_are_as_high_as_their_numbers(void **state)
{
	assert_spark("[]", 10, "");
	assert_spark("[0, 0]", 10, "▁▁");
	assert_spark("[0, 1, 4, 8]", 10, "▁▂▅█");
	assert_spark("[null, 1, null]", 10, " █ ");
	assert_spark("[1, 1000]", 10, "▂█"); /* little is not nothing */
	assert_spark("[1, 2]", 0, "");
	assert_spark("[\"x\", 1]", 10, " █");
}

static void many_numbers_share_columns(void **state)
{
	assert_spark("[8, 0, 0, 4]", 2, "█▅");
	assert_spark("[8, 0, 0, 0, 4]", 3, "█▁▅"); /* the newest column is a whole one */
	assert_spark("[1, 2, 3, 4]", 1, "█");
}

static void without_utf8_bars_are_letters(void **state)
{
	setlocale(LC_CTYPE, "C");
	assert_spark("[0, 4, 8]", 10, "_=#");
	setlocale(LC_CTYPE, "C.UTF-8");
}

/* ---- keys ---- */

static void assert_key(const char *bytes, size_t len, enum key key, size_t expected)
{
	size_t used;
	assert_int_equal(terminal_decode(bytes, len, &used), key);
	assert_int_equal(used, expected);
}

static void keys_are_told_apart(void **state)
{
	assert_key("q", 1, KEY_QUIT, 1);
	assert_key("pq", 2, KEY_PAUSE, 1);
	assert_key("\033[A", 3, KEY_UP, 3);
	assert_key("\033OB", 3, KEY_DOWN, 3);
	assert_key("\033[5~q", 5, KEY_PAGE_UP, 4);
	assert_key("\033[6~", 4, KEY_PAGE_DOWN, 4);
	assert_key("\033[1;5Cq", 7, KEY_NONE, 6); /* Ctrl-right */
	assert_key("\033[15~q", 6, KEY_NONE, 5);  /* F5 */
	assert_key("\033", 1, KEY_NONE, 1);
	assert_key("\033[", 2, KEY_NONE, 2);
	assert_key("x", 1, KEY_NONE, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(every_size_is_filled_and_not_exceeded, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_small_terminal_shows_what_matters, setup, teardown),
	    cmocka_unit_test_setup_teardown(hosts_are_sorted_as_wished, setup, teardown),
	    cmocka_unit_test_setup_teardown(scrolling_ends_at_the_end, setup, teardown),
	    cmocka_unit_test_setup_teardown(an_old_picture_says_so, setup, teardown),
	    cmocka_unit_test(nothing_at_all_can_be_drawn),
	    cmocka_unit_test(bars_are_as_high_as_their_numbers),
	    cmocka_unit_test(many_numbers_share_columns),
	    cmocka_unit_test(without_utf8_bars_are_letters),
	    cmocka_unit_test(keys_are_told_apart),
	};
	setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
