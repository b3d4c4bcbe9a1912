/* cli/text: nothing that moves the cursor or hides gets through, and columns are counted right. */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "control/cli/text.h"

static void assert_clean(const char *text, const char *expected)
{
	char *clean = text_clean(text);
	assert_string_equal(clean, expected);
	free(clean);
}

static void plain_text_stays(void **state)
{
	assert_clean("", "");
	assert_clean("app1.ch <img src=x onerror=alert(1)>", "app1.ch <img src=x onerror=alert(1)>");
	assert_clean("Zürich 東京 ▁▂█ …", "Zürich 東京 ▁▂█ …");
}

static void control_characters_go(void **state)
{
	assert_clean("a\033[31mred\033[0m", "a?[31mred?[0m");
	assert_clean("a\nb\rc\td\ae\bf\177g", "a?b?c?d?e?f?g");
	assert_clean("\033]0;title\007", "?]0;title?");
	assert_clean("csi \302\233 31m", "csi ? 31m");                 /* C1 as UTF-8 */
	assert_clean("raw \233 31m", "raw ? 31m");                     /* C1 as a byte */
	assert_clean("user\342\200\256moc.elgoog", "user?moc.elgoog"); /* right to left */
	assert_clean("a\342\200\213b\357\273\277c", "a?b?c");          /* no width */
	assert_clean("a\342\201\246b", "a?b");
}

static void what_is_no_utf8_goes(void **state)
{
	assert_clean("a\377b", "a?b");
	assert_clean("a\302", "a?");         /* cut off */
	assert_clean("a\342\202", "a??");    /* cut off later */
	assert_clean("\300\200", "??");      /* overlong NUL */
	assert_clean("\355\240\200x", "?x"); /* a surrogate */
	assert_clean("\364\220\200\200", "?");
}

static void width_counts_columns(void **state)
{
	assert_int_equal(text_width(""), 0);
	assert_int_equal(text_width("abc"), 3);
	assert_int_equal(text_width("Zürich"), 6);
	assert_int_equal(text_width("東京"), 4);
	assert_int_equal(text_width("e\314\201"), 1); /* a combining accent */
}

static void a_wide_letter_is_not_cut_in_two(void **state)
{
	unsigned columns = 3;
	assert_int_equal(text_fit("東京", &columns), 3);
	assert_int_equal(columns, 1);
	columns = 4;
	assert_int_equal(text_fit("東京", &columns), 6);
	assert_int_equal(columns, 0);
	columns = 10;
	assert_int_equal(text_fit("abc", &columns), 3);
	assert_int_equal(columns, 7);
}

static void another_character_set_gets_question_marks(void **state)
{
	setlocale(LC_CTYPE, "C");
	assert_false(text_is_utf8());
	assert_clean("Zürich", "Z?rich");
	setlocale(LC_CTYPE, "C.UTF-8");
	assert_true(text_is_utf8());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(plain_text_stays),
	    cmocka_unit_test(control_characters_go),
	    cmocka_unit_test(what_is_no_utf8_goes),
	    cmocka_unit_test(width_counts_columns),
	    cmocka_unit_test(a_wide_letter_is_not_cut_in_two),
	    cmocka_unit_test(another_character_set_gets_question_marks),
	};
	setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
