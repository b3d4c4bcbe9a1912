/* weight: every step of the order, with its origin and its reason. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "control/state/weight.h"

static struct cluster_spec cluster;
static struct pair pair;

static int setup(void **state)
{
	cluster = (struct cluster_spec){.state = CLUSTER_ACTIVE, .source = SOURCE_WATCH, .default_weight = 70};
	pair = (struct pair){.present = true};
	return 0;
}

/* Weights in whole numbers. */
static void assert_weight(unsigned value, unsigned given, enum weight_origin origin, enum weight_bar bar)
{
	char text[WEIGHT_WHY_MAX];
	struct weight weight = weight_of(&cluster, &pair);
	assert_int_equal(weight.value, value * HUNDREDTHS);
	assert_int_equal(weight.given, given * HUNDREDTHS);
	assert_int_equal(weight.origin, origin);
	assert_int_equal(weight.bar, bar);
	assert_int_equal(strlen(weight_why(weight, &cluster, text)) > 0, bar != WEIGHT_FREE);
}

static void the_default_comes_last(void **state)
{
	assert_weight(70, 70, WEIGHT_DEFAULT, WEIGHT_FREE);
}

static void the_word_of_the_owner(void **state)
{
	pair.weight_given = true;
	pair.weight = 20;
	assert_weight(20, 20, WEIGHT_ANNOTATION, WEIGHT_FREE);
	cluster.source = SOURCE_PUSH;
	assert_weight(20, 20, WEIGHT_PUSH, WEIGHT_FREE);
	cluster.source = SOURCE_STATIC;
	assert_weight(20, 20, WEIGHT_STATIC, WEIGHT_FREE);
}

static void parked_without_an_annotation(void **state)
{
	pair.parked = true;
	assert_weight(0, 70, WEIGHT_DEFAULT, WEIGHT_PARKED);
	pair.weight_given = true;
	pair.weight = 5;
	assert_weight(5, 5, WEIGHT_ANNOTATION, WEIGHT_FREE);
}

static void in_conflict_whatever_the_annotation(void **state)
{
	pair.conflict = pair.parked = pair.weight_given = true;
	pair.weight = 100;
	assert_weight(0, 100, WEIGHT_ANNOTATION, WEIGHT_CONFLICT);
}

static void an_override_wins(void **state)
{
	pair.conflict = pair.parked = pair.weight_given = pair.overridden = true;
	pair.weight = 100;
	pair.override = 3 * HUNDREDTHS;
	assert_weight(3, 3, WEIGHT_OVERRIDE, WEIGHT_FREE);
	pair.override = 0;
	assert_weight(0, 0, WEIGHT_OVERRIDE, WEIGHT_FREE);
	pair.override = 1; /* 0.01 */
	assert_int_equal(weight_of(&cluster, &pair).value, 1);
}

static void only_an_active_cluster_serves(void **state)
{
	static const enum cluster_state states[] = {CLUSTER_STAGED, CLUSTER_DRAINING, CLUSTER_OFFLINE};
	char text[WEIGHT_WHY_MAX];
	pair.overridden = true;
	pair.override = HUNDREDTHS_ALL;
	for (unsigned i = 0; i < 3; i++) {
		cluster.state = states[i];
		assert_weight(0, 100, WEIGHT_OVERRIDE, WEIGHT_NOT_ACTIVE);
		assert_non_null(
		    strstr(weight_why(weight_of(&cluster, &pair), &cluster, text), cluster_state_name(states[i])));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(the_default_comes_last, setup),
	    cmocka_unit_test_setup(the_word_of_the_owner, setup),
	    cmocka_unit_test_setup(parked_without_an_annotation, setup),
	    cmocka_unit_test_setup(in_conflict_whatever_the_annotation, setup),
	    cmocka_unit_test_setup(an_override_wins, setup),
	    cmocka_unit_test_setup(only_an_active_cluster_serves, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
