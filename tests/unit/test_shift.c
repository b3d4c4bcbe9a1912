/* shift: sums are exact, the others keep their proportions, and each thing that speaks against a shift is found. */
#include <stdlib.h>
#include <string.h>

#include "control/state/rollback.h"
#include "control/state/shift.h"
#include "control_fixture.h"
#include "route_fixture.h"
#include "seeded_random.h"

static struct shift_plan plan;

static const char *const serving[] = {
    "{'name':'ose1','source':'static','hosts':[{'name':'r1','address':'203.0.113.11'}],"
    "'routes':[{'host':'app.ch','weight':90},{'host':'only.ch'}]}",
    "{'name':'ose2','source':'static','hosts':[{'name':'r1','address':'203.0.113.21'}],"
    "'routes':[{'host':'app.ch','weight':10}]}",
    "{'name':'ose3','source':'static','hosts':[{'name':'r1','address':'203.0.113.31'}],"
    "'routes':[{'host':'app.ch','weight':0}]}",
};

static int setup(void **state)
{
	fixture_setup(state);
	for (unsigned i = 0; i < 3; i++)
		fixture_put(serving[i]);
	fixture_health("ose1", HEALTH_UP);
	fixture_health("ose2", HEALTH_UP);
	fixture_health("ose3", HEALTH_UP);
	return 0;
}

/* `from` NULL: of all others. */
static void make_from(const char *route, const char *from, const char *to, uint16_t percent)
{
	static struct share_view view;
	const struct state *state = &fixture_control.state;
	share_view_make(&view, state);
	shift_plan_make(&plan, &view, fixture_route(route), state_cluster(state, to),
	                from ? state_cluster(state, from) : NULL, percent);
}

static void make(const char *route, const char *to, uint16_t percent)
{
	make_from(route, NULL, to, percent);
}

static void assert_weights(int32_t first, int32_t second, int32_t third)
{
	assert_int_equal(plan.weights[0], first);
	assert_int_equal(plan.weights[1], second);
	assert_int_equal(plan.weights[2], third);
}

/* The plan has this level, and its first note contains the text; "" for none. */
static void assert_found(enum shift_level level, const char *text)
{
	const char *note = plan.note_count > 0 ? plan.notes[0] : "";
	if (plan.level != level || !strstr(note, text))
		print_error("level %d: %s\n", plan.level, note);
	assert_int_equal(plan.level, level);
	assert_int_equal(plan.note_count > 0, text[0] != '\0');
	assert_non_null(strstr(note, text));
}

static void the_others_share_the_rest(void **state)
{
	make("app.ch", "ose2", 100);
	assert_weights(9900, 100, 0);
	assert_found(SHIFT_GREEN, "");
	assert_int_equal(plan.before.pair[0].planned, 9000);
	assert_int_equal(plan.after[1], 100);
	make("app.ch", "ose3", 5000);
	assert_weights(4500, 500, 5000);
	make("app.ch", "ose3", HUNDREDTHS_ALL);
	assert_weights(0, 0, HUNDREDTHS_ALL);
	make("app.ch", "ose1", 0);
	assert_weights(0, HUNDREDTHS_ALL, 0);
	make("app.ch", "ose2", 3333);
	assert_weights(6667, 3333, 0);
}

static void override_on(const char *cluster, uint16_t weight)
{
	struct pair *pair = fixture_pair("app.ch", cluster);
	pair->overridden = true;
	pair->override = weight;
}

static void from_one_cluster(void **state)
{
	make_from("app.ch", "ose1", "ose3", 5000);
	assert_weights(4000, 1000, 5000);
	assert_found(SHIFT_GREEN, "");
	make_from("app.ch", "ose1", "ose3", 9000);
	assert_weights(0, 1000, 9000);
	make_from("app.ch", "ose2", "ose1", 9500);
	assert_weights(9500, 500, 0);
	make_from("app.ch", "ose1", "ose2", 400); /* less than it has: the other one takes it */
	assert_weights(9600, 400, 0);
	override_on("ose1", 3); /* weights that are no percentages */
	override_on("ose2", 1);
	make_from("app.ch", "ose1", "ose3", 2500);
	assert_weights(5000, 2500, 2500);
}

static void too_little_to_give(void **state)
{
	make_from("app.ch", "ose1", "ose3", 9001);
	assert_true(plan.possible); /* with force, as much as there is */
	assert_found(SHIFT_RED, "cluster ose1 has only 90 % to give: cluster ose3 would get 90 % instead of 90.01 %");
	assert_weights(0, 1000, 9000);
	make_from("app.ch", "ose3", "ose1", HUNDREDTHS_ALL);
	assert_false(plan.possible);
	assert_found(SHIFT_RED, "cluster ose3 has no share of it to give");
	make_from("only.ch", "ose2", "ose1", 1000);
	assert_found(SHIFT_RED, "cluster ose2 does not have this route");
	assert_false(plan.possible);
}

/* The cluster has nothing, and is to get what the other one loses. */
static void back_to_one_cluster(void **state)
{
	make_from("app.ch", "ose3", "ose1", 8000);
	assert_weights(8000, 1000, 1000);
	fixture_pair("app.ch", "ose3")->weight_given = false;
	fixture_pair("app.ch", "ose3")->parked = true;
	make_from("app.ch", "ose3", "ose1", 8000);
	assert_weights(8000, 1000, 1000);
	assert_found(SHIFT_YELLOW, "parked on cluster ose3: the shift ends that");
	make_from("app.ch", "ose3", "ose1", 9000); /* nothing to take: it stays parked */
	assert_weights(9000, 1000, -1);
	fixture_health("ose3", HEALTH_DOWN);
	make_from("app.ch", "ose3", "ose1", 8000);
	assert_false(plan.possible);
	assert_found(SHIFT_RED, "cluster ose3 has no share of it, and cannot take one");
}

/* Nobody serves it: there is nothing to give and nothing to keep. */
static void from_one_when_nobody_has_a_share(void **state)
{
	override_on("ose1", 0);
	override_on("ose2", 0);
	make_from("app.ch", "ose1", "ose3", HUNDREDTHS_ALL);
	assert_true(plan.possible);
	assert_weights(0, 0, HUNDREDTHS_ALL);
}

static void random_weights(void **state)
{
	struct seeded_random random = {.state = 5};
	for (unsigned round = 0; round < 5000; round++) {
		uint32_t sum = 0, before = 0, value[3];
		uint16_t percent = (uint16_t)(random_next(&random) % (HUNDREDTHS_ALL + 1));
		unsigned target = (unsigned)(random_next(&random) % 3);
		for (unsigned i = 0; i < 3; i++) {
			struct pair *pair = &fixture_route("app.ch")->pairs[i];
			value[i] = (uint32_t)(random_next(&random) % (HUNDREDTHS_ALL + 1));
			pair->overridden = true;
			pair->override = (uint16_t)value[i];
			before += i == target ? 0 : value[i];
		}
		make("app.ch", fixture_control.state.clusters[target]->spec->name, percent);
		if (before == 0 && percent < HUNDREDTHS_ALL) {
			assert_false(plan.possible);
			continue;
		}
		assert_true(plan.possible);
		for (unsigned i = 0; i < 3; i++) {
			sum += (uint32_t)plan.weights[i];
			assert_int_equal(plan.after[i], plan.weights[i]);
			/* less than a hundredth from the exact value */
			int64_t off =
			    (int64_t)plan.weights[i] * before - (int64_t)value[i] * (HUNDREDTHS_ALL - percent);
			assert_true(i == target || before == 0 || (off < before && off > -(int64_t)before));
		}
		assert_int_equal(sum, HUNDREDTHS_ALL);
		assert_int_equal(plan.weights[target], percent);
	}
}

/* From 0 to 100 % step by step: no other cluster ever gets more than before, but for the rounding of a hundredth. */
static void only_the_target_grows(void **state)
{
	int32_t before[3] = {HUNDREDTHS_ALL, 0, HUNDREDTHS_ALL};
	fixture_pair("app.ch", "ose3")->weight = 33;
	for (unsigned percent = 0; percent <= HUNDREDTHS_ALL; percent++) {
		make("app.ch", "ose2", (uint16_t)percent);
		assert_int_equal(plan.weights[1], percent);
		assert_true(plan.weights[0] <= before[0] + 1 && plan.weights[2] <= before[2] + 1);
		memcpy(before, plan.weights, sizeof(before));
	}
}

static void nowhere_to_go(void **state)
{
	make("only.ch", "ose1", 5000);
	assert_false(plan.possible);
	assert_found(SHIFT_RED,
	             "no other cluster has a weight above 0 here, so the other 50 % would have nowhere to go");
	assert_int_equal(plan.weights[0], -1);
	make("only.ch", "ose1", HUNDREDTHS_ALL);
	assert_true(plan.possible);
	make("only.ch", "ose2", 1000);
	assert_false(plan.possible);
	assert_found(SHIFT_RED, "cluster ose2 does not have this route");
}

static void a_target_without_hosts(void **state)
{
	fixture_health("ose2", HEALTH_DOWN);
	make("app.ch", "ose2", 5000);
	assert_found(SHIFT_RED, "cluster ose2 has no healthy router host for http");
	/* Away from it, or as it is: always. */
	make("app.ch", "ose2", 500);
	assert_found(SHIFT_YELLOW, "cluster ose2 has no healthy router host for http");
	make("app.ch", "ose2", 1000);
	assert_int_equal(plan.level, SHIFT_YELLOW);
	make("app.ch", "ose2", 0);
	assert_int_equal(plan.level, SHIFT_YELLOW);
}

static void nobody_would_be_left(void **state)
{
	fixture_health("ose1", HEALTH_DOWN);
	make("app.ch", "ose2", 0);
	assert_found(SHIFT_RED, "no cluster with a healthy router host would be left for it on http and https");
	fixture_health("ose2", HEALTH_DOWN);
	make("app.ch", "ose2", 0); /* nobody is now either */
	assert_int_equal(plan.level, SHIFT_YELLOW);
}

static void a_target_that_is_not_active(void **state)
{
	state_cluster(&fixture_control.state, "ose2")->spec->state = CLUSTER_STAGED;
	make("app.ch", "ose2", 5000);
	assert_found(SHIFT_RED, "cluster ose2 is staged: it gets no connections until it is active");
	assert_weights(5000, 5000, 0);
	assert_int_equal(plan.after[0], HUNDREDTHS_ALL); /* as long as it is not */
	state_cluster(&fixture_control.state, "ose2")->spec->state = CLUSTER_ACTIVE;
	/* Another one that is not has no part. */
	state_cluster(&fixture_control.state, "ose1")->spec->state = CLUSTER_DRAINING;
	make("app.ch", "ose3", 2000);
	assert_weights(0, 8000, 2000);
}

static void other_listeners(void **state)
{
	fixture_pair("app.ch", "ose3")->http = false;
	make("app.ch", "ose3", 5000);
	assert_found(SHIFT_RED, "cluster ose3 does not serve it on http");
	make("app.ch", "ose3", HUNDREDTHS_ALL);
	assert_int_equal(plan.note_count, 2);
	fixture_pair("app.ch", "ose1")->http = fixture_pair("app.ch", "ose2")->http = false;
	make("app.ch", "ose3", 5000);
	assert_found(SHIFT_GREEN, "");
}

static void parked_and_in_conflict(void **state)
{
	struct pair *second = fixture_pair("app.ch", "ose2"), *third = fixture_pair("app.ch", "ose3");
	third->weight_given = false;
	third->parked = true;
	make("app.ch", "ose3", 1000);
	assert_found(SHIFT_YELLOW, "parked on cluster ose3: the shift ends that");
	assert_weights(8100, 900, 1000);
	make("app.ch", "ose2", 2000);
	assert_weights(8000, 2000, -1); /* stays parked */
	second->conflict = true;
	strcpy(second->namespace, "mallory");
	make("app.ch", "ose2", 2000);
	assert_found(SHIFT_RED, "in conflict on cluster ose2: it is of namespace mallory there");
	make("app.ch", "ose3", 2000);
	assert_weights(8000, -1, 2000);
}

static void other_findings(void **state)
{
	struct pair *first = fixture_pair("app.ch", "ose1"), *second = fixture_pair("app.ch", "ose2");
	first->termination = TERMINATION_PASSTHROUGH;
	make("app.ch", "ose2", 2000);
	assert_found(SHIFT_GREEN, ""); /* of the other nothing is known */
	second->termination = TERMINATION_EDGE;
	make("app.ch", "ose2", 2000);
	assert_found(SHIFT_YELLOW, "TLS termination is edge on cluster ose2, but passthrough on ose1");
	second->termination = TERMINATION_PASSTHROUGH;
	second->hold.reason = HOLD_MANY;
	make("app.ch", "ose2", 2000);
	assert_found(SHIFT_YELLOW, "held on cluster ose2");
	second->hold.reason = HOLD_NONE;
	strcpy(second->namespace, "openshift-console");
	make("app.ch", "ose2", 2000);
	assert_found(SHIFT_YELLOW, "a route of the cluster itself (namespace openshift-console)");
}

static void as_json(void **state)
{
	fixture_health("ose2", HEALTH_DOWN);
	make("app.ch", "ose2", 5000);
	json_t *json = shift_plan_json(&plan);
	char *text = json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(15));
	assert_string_equal(
	    text,
	    "{\"host\":\"app.ch\",\"level\":\"red\",\"notes\":[\"cluster ose2 has no healthy router host for "
	    "http\",\"cluster ose2 has no healthy router host for https\"],\"before\":[{\"cluster\":\"ose1\","
	    "\"weight\":90,\"share\":90},{\"cluster\":\"ose2\",\"weight\":10,\"share\":10},{\"cluster\":\"ose3\","
	    "\"weight\":0,\"share\":0}],\"after\":[{\"cluster\":\"ose1\",\"weight\":50,\"share\":50},{\"cluster\":"
	    "\"ose2\",\"weight\":50,\"share\":50},{\"cluster\":\"ose3\",\"weight\":0,\"share\":0}]}");
	free(text);
	json_decref(json);
}

static void a_rollback(void **state)
{
	struct share_view view;
	struct name *name = fixture_route("app.ch");
	struct rollback_change *change = rollback_change_create(1, 1, &fixture_actor);
	name->rollback = rollback_make(name, change);
	rollback_change_release(change);
	name->rollback->entries[2].parked = true;
	name->rollback->entries[1].weight = 5000;
	name->pairs[2].weight_given = false;
	for (unsigned i = 0; i < 3; i++) {
		name->pairs[i].overridden = true;
		name->pairs[i].override = 100;
	}
	fixture_health("ose2", HEALTH_DOWN);
	share_view_make(&view, &fixture_control.state);
	shift_plan_rollback(&plan, &view, name);
	assert_weights(9000, 5000, 0); /* parked again */
	assert_int_equal(plan.before.pair[2].planned, 3333);
	assert_int_equal(plan.after[0], 6429);
	assert_int_equal(plan.after[1], 3571);
	assert_found(SHIFT_YELLOW, "cluster ose2 has no healthy router host");
	assert_true(name->pairs[2].overridden); /* nothing was changed */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
	    TEST(the_others_share_the_rest),
	    TEST(from_one_cluster),
	    TEST(too_little_to_give),
	    TEST(back_to_one_cluster),
	    TEST(from_one_when_nobody_has_a_share),
	    TEST(random_weights),
	    TEST(only_the_target_grows),
	    TEST(nowhere_to_go),
	    TEST(a_target_without_hosts),
	    TEST(nobody_would_be_left),
	    TEST(a_target_that_is_not_active),
	    TEST(other_listeners),
	    TEST(parked_and_in_conflict),
	    TEST(other_findings),
	    TEST(as_json),
	    TEST(a_rollback),
	};
	return fixture_run_tests(tests, sizeof(tests) / sizeof(tests[0]));
}
