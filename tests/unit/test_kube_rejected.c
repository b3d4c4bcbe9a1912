/* kube_rejected: one reason for each object, lists, the limit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "control/kube/kube_rejected.h"

static struct kube_rejected rejected;

static int teardown(void **state)
{
	kube_rejected_free(&rejected);
	return 0;
}

static void one_reason_for_each_object(void **state)
{
	assert_null(kube_rejected_why(&rejected, 7));
	kube_rejected_set(&rejected, 0, "u1", 7, "first");
	kube_rejected_set(&rejected, 0, "u1", 8, "second");
	assert_null(kube_rejected_why(&rejected, 7));
	assert_string_equal(kube_rejected_why(&rejected, 8), "second");
	kube_rejected_set(&rejected, 1, "u1", 9, "of another watch");
	kube_rejected_drop(&rejected, 0, "u1");
	kube_rejected_drop(&rejected, 0, "u1");
	assert_null(kube_rejected_why(&rejected, 8));
	assert_string_equal(kube_rejected_why(&rejected, 9), "of another watch");
}

static void around_a_list(void **state)
{
	kube_rejected_set(&rejected, 0, "u1", 1, "mended");
	kube_rejected_set(&rejected, 0, "u2", 2, "stays");
	kube_rejected_set(&rejected, 1, "u3", 3, "other");
	kube_rejected_list_begin(&rejected, 0);
	kube_rejected_set(&rejected, 0, "u2", 2, "stays");
	assert_non_null(kube_rejected_why(&rejected, 1)); /* until it is complete */
	kube_rejected_list_end(&rejected, 0);
	assert_null(kube_rejected_why(&rejected, 1));
	assert_string_equal(kube_rejected_why(&rejected, 2), "stays");
	assert_string_equal(kube_rejected_why(&rejected, 3), "other");
}

static void the_limit(void **state)
{
	char uid[20];
	for (unsigned i = 0; i < KUBE_REJECTED_MAX + 5; i++) {
		snprintf(uid, sizeof(uid), "u%u", i);
		kube_rejected_set(&rejected, 0, uid, i + 1, "why");
	}
	assert_int_equal(rejected.count, KUBE_REJECTED_MAX);
	assert_non_null(kube_rejected_why(&rejected, KUBE_REJECTED_MAX));
	assert_null(kube_rejected_why(&rejected, KUBE_REJECTED_MAX + 1));
	kube_rejected_set(&rejected, 0, "u5", 6, "known ones are kept right");
	assert_string_equal(kube_rejected_why(&rejected, 6), "known ones are kept right");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(one_reason_for_each_object, teardown),
	    cmocka_unit_test_teardown(around_a_list, teardown),
	    cmocka_unit_test_teardown(the_limit, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
