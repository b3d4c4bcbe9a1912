/* claims: who is parked or in conflict, in which order names come, and when it ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "control/state/claims.h"
#include "control/state/state.h"
#include "control/state/weight.h"
#include "control_fixture.h"

static struct state state;

static int setup(void **unused)
{
	static const char *const texts[] = {
	    "{'name': 'a', 'source': 'watch', 'watch': {'server': 'https://a'}}",
	    "{'name': 'b', 'source': 'watch', 'watch': {'server': 'https://b'}}",
	    "{'name': 'c', 'source': 'watch', 'watch': {'server': 'https://c'}}",
	};
	for (unsigned i = 0; i < 3; i++)
		state_put(&state, fixture_cluster(texts[i]), 0, 0);
	return 0;
}

static int teardown(void **unused)
{
	state_free(&state);
	return 0;
}

static struct name *app(void)
{
	struct hostname host;
	bool wildcard;
	name_parse("app.ch", &host, &wildcard);
	return names_add(&state.names, &host, wildcard);
}

/* The name on a cluster, as the watch finds it. */
static struct pair *appears(uint16_t cluster, const char *namespace, int64_t created, int weight, bool initial)
{
	struct name *name = app();
	struct pair *pair = names_pair_add(&state.names, name, cluster);
	pair->weight_given = weight >= 0;
	pair->weight = weight >= 0 ? (uint8_t)weight : 0;
	pair->created = created;
	pair->initial = initial;
	strcpy(pair->namespace, namespace);
	names_pair_set_present(&state.names, name, pair, true);
	claims_judge(&state, name, cluster);
	return names_pair(name, cluster);
}

static unsigned weight(uint16_t cluster)
{
	return weight_of(state.clusters[cluster]->spec, names_pair(app(), cluster)).value / HUNDREDTHS;
}

static void the_second_is_parked(void **unused)
{
	appears(0, "shop", 1, -1, false);
	assert_true(appears(1, "shop", 2, -1, false)->parked);
	assert_int_equal(weight(0), 100);
	assert_int_equal(weight(1), 0);
}

static void an_annotation_serves_at_once(void **unused)
{
	appears(0, "shop", 1, -1, false);
	assert_false(appears(1, "shop", 2, 30, false)->parked);
	assert_int_equal(weight(1), 30);
}

static void nobody_is_parked_behind_one_that_serves_nothing(void **unused)
{
	appears(0, "shop", 1, 0, false);
	assert_false(appears(1, "shop", 2, -1, false)->parked);
	state.clusters[0]->spec->state = CLUSTER_STAGED;
	assert_false(appears(2, "shop", 2, 0, false)->parked);
}

static void a_cluster_may_take_new_routes(void **unused)
{
	appears(0, "shop", 1, -1, false);
	state.clusters[1]->spec->parks_routes = false;
	assert_false(appears(1, "shop", 2, -1, false)->parked);
}

static void initial_lists_park_nothing(void **unused)
{
	appears(0, "shop", 1, -1, true);
	assert_false(appears(1, "shop", 2, -1, true)->parked);
	assert_int_equal(weight(0) + weight(1), 200);
}

static void a_foreign_namespace_gets_nothing_whatever_its_weight(void **unused)
{
	appears(0, "shop", 5, -1, false);
	assert_true(appears(1, "mallory", 1, 100, false)->conflict);
	assert_int_equal(weight(0), 100);
	assert_int_equal(weight(1), 0);
	struct pair *pair = names_pair(app(), 1);
	pair->overridden = true;
	pair->override = 9 * HUNDREDTHS;
	assert_int_equal(weight(1), 9);
	pair->overridden = false;
	assert_int_equal(weight(1), 0);
}

static void an_unknown_namespace_is_no_conflict(void **unused)
{
	appears(0, "", 0, -1, false);
	assert_false(appears(1, "shop", 1, 50, false)->conflict);
}

/* The order of initial lists does not matter. */
static void of_initial_lists_the_older_owns(void **unused)
{
	appears(0, "late", 9, -1, true);
	assert_false(appears(1, "early", 3, -1, true)->conflict);
	assert_true(names_pair(app(), 0)->conflict);
	assert_int_equal(weight(0), 0);
	assert_int_equal(weight(1), 100);
	assert_true(appears(2, "later", 11, -1, true)->conflict);
}

static void what_was_overridden_is_not_displaced(void **unused)
{
	struct pair *pair = appears(0, "late", 9, -1, true);
	pair->overridden = true;
	pair->override = 50 * HUNDREDTHS;
	assert_true(appears(1, "early", 3, -1, true)->conflict);
}

static void parking_ends_with_the_last_other_cluster(void **unused)
{
	appears(0, "shop", 1, -1, false);
	appears(1, "shop", 2, -1, false);
	appears(2, "shop", 3, -1, false);
	state_drop_route(&state, app(), 0);
	/* The older of two that were parked; the other stays so. */
	assert_int_equal(weight(1), 100);
	assert_int_equal(weight(2), 0);
	state_drop_route(&state, app(), 1);
	assert_int_equal(weight(2), 100);
}

static void it_does_not_end_while_another_serves_or_could(void **unused)
{
	appears(0, "shop", 1, -1, false);
	appears(1, "shop", 2, -1, false);
	state.clusters[0]->spec->state = CLUSTER_OFFLINE;
	claims_settle(&state, app());
	assert_int_equal(weight(1), 0);
}

static void a_conflict_ends_with_its_other_side(void **unused)
{
	appears(0, "shop", 1, -1, false);
	appears(1, "other", 2, 70, false);
	state_drop_route(&state, app(), 0);
	assert_false(names_pair(app(), 1)->conflict);
	assert_int_equal(weight(1), 70);
}

/* The heir's own namespace is no stranger any more, but neither does it serve by itself. */
static void others_of_the_heirs_namespace_are_parked(void **unused)
{
	appears(0, "shop", 1, -1, false);
	appears(1, "other", 2, -1, false);
	appears(2, "other", 3, -1, false);
	state_drop_route(&state, app(), 0);
	assert_int_equal(weight(1), 100);
	assert_int_equal(weight(2), 0);
	assert_true(names_pair(app(), 2)->parked && !names_pair(app(), 2)->conflict);
}

static void a_deleted_cluster_frees_the_others(void **unused)
{
	appears(0, "shop", 1, -1, false);
	appears(1, "shop", 2, -1, false);
	state_delete(&state, "a");
	assert_int_equal(weight(1), 100);
}

/* Whose pair it is, not who brought the change. */
static void who_is_changed_is_unsaved(void **unused)
{
	appears(0, "shop", 1, -1, false);
	appears(1, "shop", 2, -1, false);
	assert_true(state.clusters[1]->unsaved && state.clusters[1]->urgent);
	assert_false(state.clusters[0]->unsaved || state.unsaved);
	state.clusters[1]->unsaved = state.clusters[1]->urgent = false;
	assert_false(claims_settle(&state, app()) || claims_settle_all(&state));
	assert_false(state.clusters[1]->unsaved);
	state_drop_route(&state, app(), 0);
	assert_true(state.clusters[1]->unsaved && state.clusters[1]->urgent);
	/* Of others the state file says it. */
	state_put(&state, fixture_cluster("{'name': 's', 'source': 'static', 'routes': [{'host': 'app.ch'}]}"), 0, 0);
	names_pair(app(), 3)->parked = true;
	assert_false(state.unsaved);
	state_drop_route(&state, app(), 1);
	assert_int_equal(weight(3), 100);
	assert_true(state.unsaved);
	assert_false(state.clusters[3]->unsaved);
}

static void a_displaced_owner_is_unsaved(void **unused)
{
	appears(0, "late", 9, -1, true);
	appears(1, "early", 3, -1, true);
	assert_true(names_pair(app(), 0)->conflict && state.clusters[0]->unsaved);
}

/* From a file of before. */
static void a_weight_or_an_override_ends_the_parking(void **unused)
{
	appears(0, "shop", 1, -1, false);
	appears(1, "shop", 2, -1, false);
	appears(2, "shop", 3, 7, false)->parked = true;
	names_pair_override(&state.names, app(), names_pair(app(), 1), 5 * HUNDREDTHS);
	assert_true(claims_settle_all(&state));
	assert_false(names_pair(app(), 1)->parked || names_pair(app(), 2)->parked);
	names_pair_override(&state.names, app(), names_pair(app(), 1), -1);
	assert_int_equal(weight(1), 100);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(the_second_is_parked),
	    TEST(an_annotation_serves_at_once),
	    TEST(nobody_is_parked_behind_one_that_serves_nothing),
	    TEST(a_cluster_may_take_new_routes),
	    TEST(initial_lists_park_nothing),
	    TEST(a_foreign_namespace_gets_nothing_whatever_its_weight),
	    TEST(an_unknown_namespace_is_no_conflict),
	    TEST(of_initial_lists_the_older_owns),
	    TEST(what_was_overridden_is_not_displaced),
	    TEST(parking_ends_with_the_last_other_cluster),
	    TEST(it_does_not_end_while_another_serves_or_could),
	    TEST(a_conflict_ends_with_its_other_side),
	    TEST(others_of_the_heirs_namespace_are_parked),
	    TEST(a_deleted_cluster_frees_the_others),
	    TEST(who_is_changed_is_unsaved),
	    TEST(a_displaced_owner_is_unsaved),
	    TEST(a_weight_or_an_override_ends_the_parking),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
