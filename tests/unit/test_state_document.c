/* state_document: what stays of clusters that are there, what begins anew, and that what was saved is what is applied.
 */
#include "control/state/state_document.h"
#include "control/state/cluster_json.h"
#include "control_fixture.h"
#include "route_fixture.h"

static struct state *now(void)
{
	return &fixture_control.state;
}

static void apply(const json_t *document)
{
	struct json_faults faults = {0};
	if (!state_document_check(&fixture_control, document, "$", &faults))
		print_error("%s: %s\n", faults.list[0].path, faults.list[0].reason);
	assert_int_equal(faults.count, 0);
	assert_true(state_document_apply(&fixture_control, document, now()->revision + 1));
}

static void nothing_changes_with_its_own_document(void **state)
{
	fixture_written(true, "PUT", "/api/v1/routes/app1.ch/clusters/ose1/weight", "{'weight': 0.5}");
	json_t *document = state_document(now(), true);
	apply(document);
	json_t *again = state_document(now(), true);
	json_object_del(document, "revision");
	json_object_del(again, "revision");
	assert_true(json_equal(document, again));
	json_decref(document);
	json_decref(again);
	fixture_saved();
}

static void clusters_that_stay_keep_their_number(void **state)
{
	fixture_put("{'name': 'ose3', 'source': 'static', 'routes': [{'host': 'three.ch'}]}");
	json_t *document = state_document(now(), false);
	fixture_written(true, "DELETE", "/api/v1/clusters/ose1?force=true", NULL);
	fixture_put("{'name': 'ose4', 'source': 'static', 'routes': [{'host': 'four.ch'}]}");
	assert_int_equal(state_cluster(now(), "ose4")->number, 3);
	uint16_t second = state_cluster(now(), "ose2")->index, third = state_cluster(now(), "ose3")->index;
	apply(document);
	assert_int_equal(state_cluster(now(), "ose2")->index, second);
	assert_int_equal(state_cluster(now(), "ose3")->index, third);
	assert_null(state_cluster(now(), "ose4"));
	assert_int_equal(state_cluster(now(), "ose1")->number, 0); /* its connections are its own again */
	assert_int_equal(state_number(now(), "ose4"), 3);
	assert_true(fixture_pair("app1.ch", "ose1")->present);
	assert_true(fixture_pair("three.ch", "ose3")->present);
	fixture_saved();
	json_decref(document);
}

static void another_source_is_another_cluster(void **state)
{
	json_t *document = state_document(now(), false);
	fixture_written(true, "DELETE", "/api/v1/clusters/ose2?force=true", NULL);
	fixture_put("{'name': 'ose2', 'source': 'push', 'key': 'K2', 'routes': [{'host': 'pushed.ch'}]}");
	apply(document);
	assert_int_equal(state_cluster(now(), "ose2")->spec->source, SOURCE_STATIC);
	assert_true(fixture_pair("app1.ch", "ose2")->present);
	assert_null(fixture_route("pushed.ch") ? names_pair(fixture_route("pushed.ch"), 1) : NULL);
	fixture_saved();
	json_decref(document);
}

static void what_was_pushed_stays(void **state)
{
	struct cluster_spec *pushed;
	fixture_put("{'name': 'p', 'source': 'push', 'default_weight': 7}");
	pushed =
	    fixture_cluster("{'name': 'p', 'source': 'push', 'default_weight': 7, 'routes': [{'host': 'old.ch'}]}");
	assert_true(control_put(&fixture_control, pushed, 100, &fixture_actor));
	json_t *document = state_document(now(), false);
	pushed = fixture_cluster("{'name': 'p', 'source': 'push', 'default_weight': 9, 'routes': [{'host': 'new.ch'}], "
	                         "'hosts': [{'name': 'h', 'address': '192.0.2.1'}]}");
	assert_true(control_put(&fixture_control, pushed, 200, &fixture_actor));
	apply(document);
	const struct cluster *cluster = state_cluster(now(), "p");
	assert_int_equal(cluster->spec->default_weight, 7); /* the operator's */
	assert_int_equal(cluster->pushed_at, 200);
	assert_int_equal(cluster->spec->host_count, 1);
	assert_true(fixture_pair("new.ch", "p")->present);
	fixture_saved();
	/* Of one that is gone the document has the last push. */
	fixture_written(true, "DELETE", "/api/v1/clusters/p?force=true", NULL);
	apply(document);
	assert_true(fixture_pair("old.ch", "p")->present);
	assert_int_equal(state_cluster(now(), "p")->pushed_at, 100);
	fixture_saved();
	json_decref(document);
}

static void old_drains_begin_anew(void **state)
{
	fixture_written(true, "POST", "/api/v1/clusters/ose1/drain", "{'timeout': 100, 'force': true}");
	fixture_written(true, "POST", "/api/v1/hosts/ose2/r1/disable", "{'close': true, 'force': true}");
	json_t *document = state_document(now(), false);
	json_t *drain = json_object_get(json_array_get(json_object_get(document, "clusters"), 0), "drain");
	json_object_set_new(drain, "since", json_integer(1000)); /* long ago */
	json_object_set_new(drain, "deadline", json_integer(101000));
	fixture_written(true, "POST", "/api/v1/hosts/ose2/r1/enable", NULL);
	int64_t before = clock_unix_ms();
	apply(document);
	const struct cluster *first = state_cluster(now(), "ose1"), *second = state_cluster(now(), "ose2");
	assert_true(first->drain.since >= before);
	assert_int_equal(first->drain.deadline, first->drain.since + 100000);
	assert_int_equal(second->modes.count, 1);
	assert_int_equal(second->modes.list[0].drain.deadline, 0); /* nothing is closed by this */
	fixture_saved();
	json_decref(document);
}

static void parked_again(void **state)
{
	fixture_put("{'name': 'ose3', 'source': 'static', 'state': 'staged', 'routes': [{'host': 'app1.ch'}]}");
	fixture_written(true, "POST", "/api/v1/clusters/ose3/activate", NULL);
	assert_true(fixture_pair("app1.ch", "ose3")->parked);
	json_t *document = state_document(now(), false);
	fixture_written(true, "PUT", "/api/v1/routes/app1.ch/clusters/ose3/weight", "{'weight': 10}");
	assert_false(fixture_pair("app1.ch", "ose3")->parked);
	apply(document);
	assert_true(fixture_pair("app1.ch", "ose3")->parked);
	assert_false(fixture_pair("app1.ch", "ose3")->overridden);
	fixture_saved();
	json_decref(document);
}

/* The document is from before the push that ended the parking: nobody would serve the name. */
static void parked_behind_nobody(void **state)
{
	static const char push[] = "{'name': 'p', 'source': 'push', 'routes': [{'host': '%s'}]}";
	char with[100], without[100];
	snprintf(with, sizeof(with), push, "pushed.ch");
	snprintf(without, sizeof(without), push, "other.ch");
	fixture_put(with);
	fixture_put("{'name': 'ose3', 'source': 'static', 'state': 'staged', 'routes': [{'host': 'pushed.ch'}]}");
	fixture_written(true, "POST", "/api/v1/clusters/ose3/activate", NULL);
	assert_true(fixture_pair("pushed.ch", "ose3")->parked);
	json_t *document = state_document(now(), false);
	assert_true(control_put(&fixture_control, fixture_cluster(without), 100, &fixture_actor));
	assert_false(fixture_pair("pushed.ch", "ose3")->parked);
	apply(document);
	assert_false(fixture_pair("pushed.ch", "ose3")->parked);
	fixture_saved();
	json_decref(document);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
	    TEST(nothing_changes_with_its_own_document),
	    TEST(clusters_that_stay_keep_their_number),
	    TEST(another_source_is_another_cluster),
	    TEST(what_was_pushed_stays),
	    TEST(old_drains_begin_anew),
	    TEST(parked_again),
	    TEST(parked_behind_nobody),
	};
	return fixture_run_tests(tests, sizeof(tests) / sizeof(tests[0]));
}
