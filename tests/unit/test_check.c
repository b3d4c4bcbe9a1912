/* check: every result has a name, which leads back to it, and a text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "control/health/check.h"

static void names_lead_back(void **state)
{
	for (int i = 0; i < check_kind_count; i++)
		assert_int_equal(check_kind_from_name(check_kind_name((enum check_kind)i)), i);
	assert_int_equal(check_kind_from_name("nonsense"), CHECK_NONE);
}

static void texts(void **state)
{
	char text[CHECK_TEXT_MAX], other[CHECK_TEXT_MAX];
	for (int i = 0; i < check_kind_count; i++) {
		check_result_text((struct check_result){(enum check_kind)i, 503}, text);
		assert_true(strlen(text) > 3);
		assert_null(strchr(text, '%'));
		for (int j = 0; j < i; j++)
			assert_string_not_equal(
			    text, check_result_text((struct check_result){(enum check_kind)j, 503}, other));
	}
	assert_string_equal(check_result_text((struct check_result){CHECK_STATUS, 503}, text),
	                    "status 503 instead of 200");
	assert_string_equal(check_result_text((struct check_result){CHECK_REDIRECT, 302}, text),
	                    "redirect (status 302), not followed");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names_lead_back),
	    cmocka_unit_test(texts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
