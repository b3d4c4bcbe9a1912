/* What counts as UTF-8, and how text is cut and cleaned. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "common/utf8.h"

static size_t length(const char *text)
{
	return utf8_length(text, strlen(text));
}

static void sequences_of_every_length(void **state)
{
	assert_int_equal(length("a"), 1);
	assert_int_equal(length("\xc3\xa4x"), 2);
	assert_int_equal(length("\xe2\x82\xac"), 3);
	assert_int_equal(length("\xf0\x9f\x98\x80"), 4);
	assert_int_equal(length("\xf4\x8f\xbf\xbf"), 4);
}

static void what_is_none(void **state)
{
	assert_int_equal(length(""), 0);
	assert_int_equal(length("\x80"), 0);             /* a tail alone */
	assert_int_equal(length("\xc3"), 0);             /* cut */
	assert_int_equal(length("\xc3z"), 0);            /* no tail */
	assert_int_equal(length("\xc0\xaf"), 0);         /* overlong */
	assert_int_equal(length("\xe0\x80\xaf"), 0);     /* overlong */
	assert_int_equal(length("\xed\xa0\x80"), 0);     /* surrogate */
	assert_int_equal(length("\xf4\x90\x80\x80"), 0); /* above U+10FFFF */
	assert_int_equal(length("\xff"), 0);
}

static void copies_are_clean(void **state)
{
	char out[32];
	assert_int_equal(utf8_copy(out, sizeof(out), "a\nb\x7f\xff\xc3\xa4"), 7);
	assert_string_equal(out, "a?b??\xc3\xa4");
}

static void copies_are_cut_between_characters(void **state)
{
	char out[5];
	assert_int_equal(utf8_copy(out, sizeof(out), "abc\xc3\xa4"), 3);
	assert_string_equal(out, "abc");
	assert_int_equal(utf8_copy(out, sizeof(out), "abcde"), 4);
	assert_string_equal(out, "abcd");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sequences_of_every_length),
	    cmocka_unit_test(what_is_none),
	    cmocka_unit_test(copies_are_clean),
	    cmocka_unit_test(copies_are_cut_between_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
