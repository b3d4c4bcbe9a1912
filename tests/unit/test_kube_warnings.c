/* kube_warnings: new and known ones, lists, the limit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "control/kube/kube_warnings.h"

static const char *shown(const struct kube_warnings *warnings)
{
	static char text[1000];
	text[0] = '\0';
	for (size_t i = 0; i < warnings->count; i++) {
		strcat(text, warnings->list[i].text);
		strcat(text, "|");
	}
	return text;
}

static void one_for_each_object(void **state)
{
	struct kube_warnings warnings = {0};
	assert_true(kube_warnings_set(&warnings, 0, "u1", "a"));
	assert_false(kube_warnings_set(&warnings, 0, "u1", "a")); /* known */
	assert_true(kube_warnings_set(&warnings, 0, "u1", "b"));
	assert_true(kube_warnings_set(&warnings, 1, "u1", "c")); /* another watch */
	assert_string_equal(shown(&warnings), "b|c|");
	kube_warnings_drop(&warnings, 0, "u1");
	kube_warnings_drop(&warnings, 0, "u1");
	assert_string_equal(shown(&warnings), "c|");
	assert_true(kube_warnings_set(&warnings, 0, "", "x"));
	assert_true(kube_warnings_set(&warnings, 0, "", "y"));
	assert_false(kube_warnings_set(&warnings, 0, "", "x"));
	assert_string_equal(shown(&warnings), "c|x|y|");
	kube_warnings_free(&warnings);
	assert_int_equal(warnings.count, 0);
}

static void around_a_list(void **state)
{
	struct kube_warnings warnings = {0};
	kube_warnings_set(&warnings, 0, "u1", "mended");
	kube_warnings_set(&warnings, 0, "u2", "stays");
	kube_warnings_set(&warnings, 1, "u3", "other");
	kube_warnings_list_begin(&warnings, 0);
	assert_false(kube_warnings_set(&warnings, 0, "u2", "stays"));
	assert_string_equal(shown(&warnings), "mended|stays|other|"); /* until it is complete */
	kube_warnings_list_begin(&warnings, 0);                       /* it failed, another begins */
	assert_false(kube_warnings_set(&warnings, 0, "u2", "stays"));
	assert_true(kube_warnings_set(&warnings, 0, "u4", "new"));
	kube_warnings_list_end(&warnings, 0);
	assert_string_equal(shown(&warnings), "stays|other|new|");
	kube_warnings_free(&warnings);
}

static void limit(void **state)
{
	struct kube_warnings warnings = {0};
	for (unsigned i = 0; i < KUBE_WARNINGS_MAX + 5; i++) {
		char uid[16];
		snprintf(uid, sizeof(uid), "u%u", i);
		assert_int_equal(kube_warnings_set(&warnings, 2, uid, "x"), i < KUBE_WARNINGS_MAX);
	}
	assert_int_equal(warnings.count, KUBE_WARNINGS_MAX);
	assert_int_equal(kube_warnings_more(&warnings), 5);
	kube_warnings_list_begin(&warnings, 2);
	kube_warnings_list_end(&warnings, 2);
	assert_int_equal(warnings.count, 0);
	assert_int_equal(kube_warnings_more(&warnings), 0);
	kube_warnings_free(&warnings);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_for_each_object),
	    cmocka_unit_test(around_a_list),
	    cmocka_unit_test(limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
