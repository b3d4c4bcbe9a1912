/* view: the small forms that all views share. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "control/control.h"
#include "control/api/view.h"

static void assert_form(json_t *json, const char *wanted)
{
	char *text = json_dumps(json, JSON_ENCODE_ANY | JSON_COMPACT);
	assert_string_equal(text, wanted);
	free(text);
	json_decref(json);
}

static void times(void **state)
{
	assert_form(view_time(0), "null");
	assert_form(view_time(1), "\"1970-01-01T00:00:00.001Z\"");
	assert_form(view_time(1700000000123), "\"2023-11-14T22:13:20.123Z\"");
}

static void numbers_and_holds(void **state)
{
	const struct hold hold = {HOLD_MANY, 1000, 0};
	assert_form(view_number(77), "77");
	assert_form(view_hold(&hold),
	            "{\"reason\":\"too many would go at once\",\"since\":\"1970-01-01T00:00:01.000Z\"}");
}

static void pages(void **state)
{
	const struct api_page page = {.offset = 2, .limit = 3};
	static struct control control;
	control.state.revision = 9;
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(view_in_page(page, i), i >= 2 && i < 5);
	assert_false(view_in_page((struct api_page){0, 0}, 0));
	assert_form(view_page(&control, page, 8, "routes", json_array()),
	            "{\"revision\":9,\"total\":8,\"offset\":2,\"routes\":[]}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(times),
	    cmocka_unit_test(numbers_and_holds),
	    cmocka_unit_test(pages),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
