/* api_system: revisions are made before changes and under names, the way back is complete, and a backup makes an empty
 * appliance the same. */
#include "control/state/cluster_json.h"
#include "control/observe/journal.h"
#include "control/state/revisions.h"
#include "control/state/state_document.h"
#include "control/watch_file.h"
#include "control/state/weight.h"
#include "control_fixture.h"
#include "route_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WEIGHT  "/api/v1/routes/app1.ch/clusters/ose1/weight"
#define WATCHED "{'source': 'watch', 'watch': {'server': 'https://127.0.0.1:1'}%s}"

static struct state *now(void)
{
	return &fixture_control.state;
}

static unsigned weight_on(const char *route, const char *cluster)
{
	return weight_of(state_cluster(now(), cluster)->spec, fixture_pair(route, cluster)).value;
}

/* The state as text, but for its revision, numbers of clusters, and the times of drains. */
static char *state_text(void)
{
	json_t *document = state_document(now(), false);
	const json_t *clusters = json_object_get(document, "clusters");
	json_object_del(document, "revision");
	for (size_t i = 0; i < json_array_size(clusters); i++) {
		const json_t *modes = json_object_get(json_array_get(clusters, i), "host_modes");
		json_object_del(json_array_get(clusters, i), "index");
		for (size_t j = 0; j < json_array_size(modes); j++)
			json_object_del(json_object_get(json_array_get(modes, j), "drain"), "since");
	}
	char *text = json_dumps(document, JSON_SORT_KEYS);
	json_decref(document);
	return text;
}

static void assert_state(const char *wanted)
{
	char *text = state_text();
	assert_string_equal(text, wanted);
	free(text);
}

static void named_ones(void **state)
{
	fixture_planned(true, "POST", "/api/v1/revisions?dry_run=true", "{'name': 'before-v2'}");
	fixture_ask(200, "GET", "/api/v1/revisions", NULL);
	assert_int_equal(json_array_size(fixture_at("revisions")), 0);
	fixture_ask(201, "POST", "/api/v1/revisions?reason=CHG1", "{'name': 'before-v2'}");
	assert_int_equal((int)fixture_number("id"), 1);
	fixture_journal("revision_saved", "the present state is saved as revision 1 \"before-v2\"", "CHG1");
	fixture_ask(200, "GET", "/api/v1/revisions", NULL);
	assert_string_equal(fixture_text("revisions[0].name"), "before-v2");
	assert_string_equal(fixture_text("revisions[0].reason"), "CHG1");
	assert_string_equal(fixture_text("revisions[0].by"), "loopback@127.0.0.1");
	assert_true(json_is_false(fixture_at("revisions[0].automatic")));
	assert_int_equal((int)fixture_number("revisions[0].revision"), 1);
	fixture_restart();
	fixture_ask(200, "GET", "/api/v1/revisions/1", NULL);
	assert_string_equal(fixture_text("name"), "before-v2");
	assert_int_equal(json_array_size(fixture_at("state.clusters")), 2);
	assert_int_equal(json_array_size(fixture_at("differs")), 0);
}

static void differences_in_words(void **state)
{
	fixture_ask(201, "POST", "/api/v1/revisions", "{'name': 'base'}");
	fixture_written(true, "PUT", WEIGHT, "{'weight': 77}");
	fixture_written(true, "PATCH", "/api/v1/clusters/ose2", "{'default_weight': 5}");
	fixture_written(true, "POST", "/api/v1/hosts/ose1/r1/drain?reason=x", "{'force': true}");
	fixture_written(true, "PUT", "/api/v1/clusters/new", "{'source': 'static'}");
	fixture_ask(200, "GET", "/api/v1/revisions/1", NULL);
	static const char *const lines[] = {"cluster ose1: router host r1 (203.0.113.11): draining -> enabled",
	                                    "cluster ose1: weight of route app1.ch would be gone",
	                                    "cluster ose2: default_weight 5 -> 80", "cluster new would be gone"};
	assert_int_equal(json_array_size(fixture_at("differs")), 4);
	for (unsigned i = 0; i < 4; i++) {
		char path[32];
		snprintf(path, sizeof(path), "differs[%u]", i);
		assert_string_equal(fixture_text(path), lines[i]);
	}
}

static void the_way_back(void **state)
{
	char *before = state_text();
	fixture_ask(201, "POST", "/api/v1/revisions", "{'name': 'base'}");
	fixture_written(true, "PUT", WEIGHT, "{'weight': 77}");
	fixture_written(true, "POST", "/api/v1/hosts/ose1/r1/disable", "{'force': true}");
	fixture_written(true, "PUT", "/api/v1/clusters/new", "{'source': 'static', 'routes': [{'host': 'new.ch'}]}");
	fixture_written(true, "DELETE", "/api/v1/clusters/ose2?force=true", NULL);
	fixture_written(true, "PUT", "/api/v1/clusters/ose1",
	                "{'source': 'static', 'default_weight': 3, 'hosts': [{'name': 'x', 'address': '192.0.2.99'}]}");
	char *after = state_text();
	fixture_planned(true, "POST", "/api/v1/revisions/1/rollback?dry_run=true", NULL);
	assert_state(after);
	uint64_t revision = now()->revision;
	fixture_written(true, "POST", "/api/v1/revisions/1/rollback?reason=sorry", NULL);
	assert_int_equal(now()->revision, revision + 1);
	assert_state(before);
	assert_int_equal(weight_on("app1.ch", "ose1"), 1000);
	assert_null(fixture_route("new.ch") ? fixture_pair("new.ch", "ose1") : NULL);
	fixture_restart(); /* the saved form says the same */
	assert_state(before);
	assert_int_equal(now()->revision, revision + 1);
	fixture_written(false, "POST", "/api/v1/revisions/1/rollback", NULL);
	/* What was there before the rollback was kept, too. */
	fixture_ask(200, "GET", "/api/v1/revisions", NULL);
	assert_string_equal(fixture_text("revisions[0].what"), "before rollback to revision 1 base");
	char path[80];
	snprintf(path, sizeof(path), "/api/v1/revisions/%d/rollback", (int)fixture_number("revisions[0].id"));
	fixture_written(true, "POST", path, NULL);
	assert_state(after);
	free(before);
	free(after);
}

static void every_large_change_is_kept_before(void **state)
{
	fixture_written(true, "PATCH", "/api/v1/clusters/ose2", "{'default_weight': 5}");
	fixture_written(true, "POST", "/api/v1/clusters/ose2/drain", NULL);
	fixture_written(false, "POST", "/api/v1/clusters/ose2/drain", NULL);
	fixture_planned(true, "POST", "/api/v1/clusters/ose2/enable?dry_run=true", NULL);
	fixture_written(true, "DELETE", "/api/v1/clusters/ose2?reason=old", NULL);
	fixture_ask(200, "GET", "/api/v1/revisions", NULL);
	assert_int_equal(json_array_size(fixture_at("revisions")), 3);
	assert_string_equal(fixture_text("revisions[0].what"), "before cluster ose2 was removed");
	assert_string_equal(fixture_text("revisions[0].reason"), "old");
	assert_string_equal(fixture_text("revisions[1].what"), "before cluster ose2 was draining");
	assert_string_equal(fixture_text("revisions[2].what"), "before cluster ose2 was changed");
	assert_true(json_is_true(fixture_at("revisions[2].automatic")));
	assert_true(json_is_null(fixture_at("revisions[2].name")));
}

static void only_so_many(void **state)
{
	char path[80], body[80];
	for (unsigned i = 0; i < REVISIONS_AUTOMATIC_MAX + 5; i++) {
		snprintf(body, sizeof(body), "{'default_weight': %u}", i % 2);
		fixture_written(true, "PATCH", "/api/v1/clusters/ose2", body);
	}
	assert_int_equal(revisions_count(fixture_control.revisions), REVISIONS_AUTOMATIC_MAX);
	for (unsigned i = 0; i < REVISIONS_NAMED_MAX; i++) {
		snprintf(body, sizeof(body), "{'name': 'n%u'}", i);
		fixture_ask(201, "POST", "/api/v1/revisions", body);
	}
	fixture_refused(409, "there are 100 named revisions already", "POST", "/api/v1/revisions", "{'name': 'x'}");
	fixture_restart();
	assert_int_equal(revisions_count(fixture_control.revisions), REVISIONS_AUTOMATIC_MAX + REVISIONS_NAMED_MAX);
	uint64_t id = revisions_at(fixture_control.revisions, 0)->id;
	snprintf(path, sizeof(path), "/api/v1/revisions/%d", (int)id);
	fixture_ask(200, "DELETE", path, NULL);
	fixture_ask(404, "GET", path, NULL);
	fixture_ask(201, "POST", "/api/v1/revisions", "{'name': 'x'}");
	assert_int_equal((int)fixture_number("id"), (int)id + 1); /* never used again */
}

static void wrong_calls(void **state)
{
	fixture_refused(404, "there is no saved revision \"7\"", "GET", "/api/v1/revisions/7", NULL);
	fixture_refused(404, "there is no saved revision \"1x\"", "POST", "/api/v1/revisions/1x/rollback", NULL);
	fixture_refused(404, "there is no saved revision", "DELETE", "/api/v1/revisions/0", NULL);
	fixture_refused(400, "$.name: is missing", "POST", "/api/v1/revisions", "{}");
	fixture_refused(400, "$.name", "POST", "/api/v1/revisions", "{'name': ''}");
}

/* ---- watched clusters ---- */

/* As if the API of the cluster had shown these routes. */
static void show(const char *cluster, const char *routes)
{
	const char *why;
	char *text;
	struct cluster *found = state_cluster(now(), cluster);
	assert_true(asprintf(&text, "{\"cluster\": \"%s\", \"revision\": 1, \"hosts\": [], \"routes\": [%s]}", cluster,
	                     routes) > 0);
	json_t *value = json_loads(text, 0, NULL);
	assert_true(watch_file_read(now(), found, value, 0, &why));
	found->unsaved = true;
	watchers_save(&fixture_control.watchers);
	json_decref(value);
	free(text);
}

#define ROUTE(host, more) "{\"host\": \"" host "\", \"http\": true, \"https\": true, \"created\": 5" more "}"

static void put_watched(const char *name, const char *more)
{
	char path[64], body[200];
	snprintf(path, sizeof(path), "/api/v1/clusters/%s", name);
	snprintf(body, sizeof(body), WATCHED, more);
	fixture_written(true, "PUT", path, body);
}

static void a_watched_cluster_keeps_what_its_api_shows(void **state)
{
	put_watched("ose9", "");
	show("ose9", ROUTE("a.ch", "") ", " ROUTE("b.ch", ", \"parked\": true"));
	fixture_ask(201, "POST", "/api/v1/revisions", "{'name': 'base'}");
	fixture_written(true, "PUT", "/api/v1/routes/b.ch/clusters/ose9/weight",
	                "{'weight': 10}"); /* ends the parking */
	show("ose9", ROUTE("new.ch", ""));
	fixture_written(true, "PATCH", "/api/v1/clusters/ose9", "{'default_weight': 7}");
	fixture_written(true, "POST", "/api/v1/revisions/2/rollback", NULL); /* the first one is from before the PUT */
	assert_true(fixture_pair("new.ch", "ose9")->present);
	assert_int_equal(weight_on("a.ch", "ose9"), 10000);
	assert_true(fixture_pair("b.ch", "ose9")->parked); /* as before the weight was set */
	assert_int_equal(weight_on("b.ch", "ose9"), 0);
	fixture_restart();
	assert_int_equal(weight_on("b.ch", "ose9"), 0);
}

/* The cluster's own file is not saved at each change, but before this one is answered: after a kill the newcomer would
 * serve with its default weight. */
static void a_rollback_that_parks_is_kept_at_once(void **state)
{
	put_watched("ose9", "");
	show("ose9", ROUTE("app1.ch", ", \"parked\": true"));
	fixture_written(true, "PUT", "/api/v1/routes/app1.ch/clusters/ose9/weight", "{'weight': 1}");
	fixture_control.watchers.list[state_cluster(now(), "ose9")->index].save_at = UINT64_MAX;
	fixture_written(true, "POST", "/api/v1/routes/app1.ch/rollback", NULL);
	assert_int_equal(weight_on("app1.ch", "ose9"), 0);
	assert_false(state_cluster(now(), "ose9")->unsaved);
	fixture_restart();
	assert_int_equal(weight_on("app1.ch", "ose9"), 0);
}

static void a_removed_watched_cluster_comes_back_whole(void **state)
{
	put_watched("ose9", "");
	show("ose9", ROUTE("a.ch", "") ", " ROUTE("app1.ch", ", \"parked\": true"));
	fixture_written(true, "DELETE", "/api/v1/clusters/ose9?force=true", NULL);
	assert_null(fixture_route("a.ch") && fixture_pair("a.ch", "ose1") ? fixture_route("a.ch") : NULL);
	fixture_ask(200, "GET", "/api/v1/revisions", NULL);
	char path[80];
	snprintf(path, sizeof(path), "/api/v1/revisions/%d/rollback", (int)fixture_number("revisions[0].id"));
	fixture_written(true, "POST", path, NULL);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(weight_on("a.ch", "ose9"), 10000);
		assert_int_equal(weight_on("app1.ch", "ose9"), 0);
		fixture_restart(); /* its file is there, too */
	}
}

/* ---- backup ---- */

static char *exported(void)
{
	fixture_ask(200, "GET", "/api/v1/export", NULL);
	assert_string_equal(fixture_text("format"), "pointsman-state");
	return json_dumps(fixture_at(""), 0);
}

static void make_empty(void)
{
	fixture_written(true, "DELETE", "/api/v1/clusters/ose1?force=true", NULL);
	fixture_written(true, "DELETE", "/api/v1/clusters/ose2?force=true", NULL);
	if (state_cluster(now(), "ose9"))
		fixture_written(true, "DELETE", "/api/v1/clusters/ose9?force=true", NULL);
}

static void a_backup_makes_an_empty_appliance_the_same(void **state)
{
	put_watched("ose9", ", 'new_routes': 'parked'");
	show("ose9", ROUTE("a.ch", "") ", " ROUTE("app1.ch", ", \"parked\": true"));
	fixture_written(true, "PUT", WEIGHT, "{'weight': 12.5}");
	fixture_written(true, "POST", "/api/v1/hosts/ose1/r1/disable", "{'force': true}");
	for (int i = 0; i < 10; i++) {
		char body[64];
		snprintf(body, sizeof(body), "{'default_weight': %d}", i + 1);
		fixture_written(true, "PATCH", "/api/v1/clusters/ose2", body);
	}
	uint64_t revision = now()->revision;
	char *before = state_text(), *backup = exported();
	fixture_teardown(NULL);
	fixture_setup(NULL); /* another machine */
	make_empty();
	fixture_planned(true, "POST", "/api/v1/import?dry_run=true", backup);
	fixture_ask(200, "POST", "/api/v1/import?reason=new%20box", backup);
	assert_int_equal(now()->revision, revision);
	fixture_journal("imported", "the operator's state was replaced: import of a saved state; 3 differences",
	                "new%20box");
	for (int i = 0; i < 2; i++) {
		assert_int_equal(now()->revision, revision);
		assert_int_equal(weight_on("a.ch", "ose9"), 10000);
		assert_int_equal(weight_on("app1.ch", "ose9"), 0);
		assert_int_equal(weight_on("app1.ch", "ose1"), 1250);
		assert_int_equal(state_cluster(now(), "ose1")->modes.count, 1);
		assert_int_equal(state_cluster(now(), "ose2")->spec->default_weight, 10);
		fixture_restart();
	}
	fixture_ask(200, "POST", "/api/v1/import", backup);
	assert_true(json_is_false(fixture_at("changed")));
	/* Where something is, an import is a change like others. */
	fixture_written(true, "PATCH", "/api/v1/clusters/ose2", "{'default_weight': 50}");
	fixture_written(true, "POST", "/api/v1/import", backup);
	assert_int_equal(now()->revision, revision + 2);
	free(before);
	free(backup);
}

static void a_fresh_appliance_with_its_configuration(void **state)
{
	fixture_written(true, "PATCH", "/api/v1/clusters/ose2", "{'default_weight': 5}");
	fixture_written(true, "PATCH", "/api/v1/clusters/ose2", "{'default_weight': 6}");
	char *backup = exported();
	fixture_teardown(NULL);
	fixture_setup(NULL);
	fixture_restart(); /* it is still fresh */
	fixture_ask(200, "POST", "/api/v1/import", backup);
	assert_int_equal(now()->revision, 3);
	assert_int_equal(state_cluster(now(), "ose2")->spec->default_weight, 6);
	/* It is not fresh any more. */
	fixture_written(true, "PATCH", "/api/v1/clusters/ose2", "{'default_weight': 7}");
	fixture_written(true, "POST", "/api/v1/import", backup);
	assert_int_equal(now()->revision, 5);
	free(backup);
}

/* Two fresh appliances at the same revision: what differs may not have the same number. */
static void a_fresh_appliance_at_the_same_revision(void **state)
{
	fixture_written(true, "PATCH", "/api/v1/clusters/ose2", "{'default_weight': 5}");
	fixture_written(true, "PATCH", "/api/v1/clusters/ose2", "{'default_weight': 6}");
	uint64_t revision = now()->revision;
	char *backup = exported();
	fixture_teardown(NULL);
	fixture_setup(NULL);
	make_empty();
	assert_int_equal(now()->revision, revision);
	fixture_written(true, "POST", "/api/v1/import", backup);
	assert_true(now()->revision > revision);
	free(backup);
}

static void a_saved_state_without_a_frame(void **state)
{
	json_t *saved = state_write(now(), NULL); /* as an older one: without what came since */
	char *text = json_dumps(saved, 0);
	json_decref(saved);
	fixture_written(true, "PATCH", "/api/v1/clusters/ose2", "{'default_weight': 50}");
	fixture_written(true, "POST", "/api/v1/import", text);
	assert_int_equal(state_cluster(now(), "ose2")->spec->default_weight, 80);
	free(text);
}

/* A fault is named by its path. */
static void assert_fault(const char *path, const char *state_json)
{
	char *body;
	assert_true(
	    asprintf(&body, "{'format': 'pointsman-state', 'version': 1, 'revision': 9, 'state': %s}", state_json) > 0);
	fixture_refused(400, "", "POST", "/api/v1/import", body);
	bool found = false;
	for (size_t i = 0; i < json_array_size(fixture_at("errors")); i++)
		found |= strcmp(json_string_value(json_object_get(json_array_get(fixture_at("errors"), i), "path")),
		                path) == 0;
	if (!found)
		print_error("%s\n", fixture_text("detail"));
	assert_true(found);
	free(body);
}

#define ENTRY(spec, more) "{'revision': 9, 'clusters': [{'index': 0, 'pushed_at': 0, 'cluster': " spec more "}]}"
#define PLAIN             "{'name': 'n', 'source': 'static'}"
#define DRAIN(timeout)                                                                                                 \
	"{'since': 5, 'deadline': 0, 'timeout': " timeout ", 'ended': 0, 'told': false, 'by': 'a', 'reason': ''}"

/* The next writes have room to count on, and are readable. */
static void the_revision_has_a_bound(void **state)
{
	static const char *const bodies[] = {
	    "{'revision': %s, 'clusters': []}",
	    "{'format': 'pointsman-state', 'version': 1, 'revision': %s, 'state': {'revision': 9, 'clusters': []}}"};
	static const char *const wrong[] = {"9223372036854775807", "4611686018427387904", "-1", "'5'", "1.5"};
	char body[200];
	for (unsigned i = 0; i < 2; i++) {
		for (unsigned j = 0; j < 5; j++) {
			now()->untouched = true;
			snprintf(body, sizeof(body), bodies[i], wrong[j]);
			fixture_refused(400, "$.revision: ", "POST", "/api/v1/import", body);
		}
	}
	snprintf(body, sizeof(body), bodies[0], "4611686018427387903");
	fixture_ask(200, "POST", "/api/v1/import", body);
	assert_int_equal(now()->revision, INT64_MAX / 2);
	fixture_written(true, "PUT", "/api/v1/clusters/c", "{'source': 'static'}");
	fixture_restart();
	assert_int_equal(now()->revision, INT64_MAX / 2 + 1);
	assert_non_null(state_cluster(now(), "c"));
}

/* What its own file says of a revision is of another appliance. */
static void the_revision_of_a_watched_cluster_is_left_alone(void **state)
{
	now()->untouched = true;
	for (unsigned i = 0; i < CLUSTERS_MAX; i++) /* the file is written before the state, and not again soon */
		fixture_control.watchers.list[i].save_at = UINT64_MAX;
	fixture_ask(200, "POST", "/api/v1/import",
	            "{'revision': 9, 'clusters': [{'index': 0, 'pushed_at': 0, 'cluster': {'name': 'ose9', 'source': "
	            "'watch', 'watch': {'server': 'https://127.0.0.1:1'}}, 'watched': {'cluster': 'ose9', 'revision': "
	            "9223372036854775807, 'hosts': [], 'routes': []}}]}");
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(now()->revision, 9);
		assert_true(state_cluster(now(), "ose9")->known);
		fixture_restart();
	}
}

static void wrong_documents(void **state)
{
	assert_fault("$.state", "[]");
	assert_fault("$.state.clusters", "{'revision': 1}");
	assert_fault("$.state.revision", "{'clusters': []}");
	assert_fault("$.state.clusters[0].cluster.source", ENTRY("{'name': 'n', 'source': 'x'}", ""));
	assert_fault(
	    "$.state.clusters[0].cluster.hosts[0].address",
	    ENTRY("{'name': 'n', 'source': 'static', 'hosts': [{'name': 'h', 'address': '198.51.100.10'}]}", ""));
	assert_fault("$.state.clusters[0].overrides[\"a b\"]", ENTRY(PLAIN, ", 'overrides': {'a b': 1}"));
	assert_fault("$.state.clusters[0].overrides[\"a.ch\"]", ENTRY(PLAIN, ", 'overrides': {'a.ch': 101}"));
	assert_fault("$.state.clusters[0].host_modes[0]", ENTRY(PLAIN, ", 'host_modes': [{'mode': 'off'}]"));
	assert_fault("$.state.clusters[0].drain", ENTRY(PLAIN, ", 'drain': 1"));
	assert_fault("$.state.clusters[0].drain", ENTRY(PLAIN, ", 'drain': " DRAIN("'1'")));
	assert_fault("$.state.clusters[0].drain.timeout", ENTRY(PLAIN, ", 'drain': " DRAIN("-1")));
	assert_fault("$.state.clusters[0].drain.timeout", ENTRY(PLAIN, ", 'drain': " DRAIN("999")));
	assert_fault("$.state.clusters[0].drain.timeout", ENTRY(PLAIN, ", 'drain': " DRAIN("2592000001")));
	assert_fault("$.state.clusters[0].host_modes[0].drain.timeout",
	             ENTRY(PLAIN,
	                   ", 'host_modes': [{'mode': 'draining', 'name': 'r', 'address': '192.0.2.1', 'http_port': "
	                   "80, 'https_port': 443, 'drain': " DRAIN("9223372036854775807") "}]"));
	assert_fault("$.state.clusters[0].parked[1]", ENTRY(PLAIN, ", 'parked': ['a.ch', 7]"));
	assert_fault("$.state.clusters[0].watched", ENTRY(PLAIN, ", 'watched': {'cluster': 'm'}"));
	assert_fault("$.state.clusters[0][\"pins\"]", ENTRY(PLAIN, ", 'pins': []"));
	fixture_refused(400, "$.format", "POST", "/api/v1/import", "{'state': {}}");
	fixture_refused(400, "$.version: 2 is out of range", "POST", "/api/v1/import",
	                "{'format': 'pointsman-state', 'version': 2, 'revision': 1, 'state': {}}");
	fixture_refused(400, "$.format: is another format", "POST", "/api/v1/import",
	                "{'format': 'x', 'version': 1, 'revision': 1, 'state': {}}");
	fixture_refused(400, "$.state: is missing", "POST", "/api/v1/import",
	                "{'format': 'pointsman-state', 'version': 1, 'revision': 1}");
	/* All at once. */
	fixture_refused(400, "", "POST", "/api/v1/import",
	                "{'format': 'pointsman-state', 'version': 1, 'revision': 9, 'state': " ENTRY(
	                    "{'name': 'n', 'source': 'x'}", ", 'overrides': {'a.ch': 101}, 'drain': 1") "}");
	assert_true(json_array_size(fixture_at("errors")) >= 3);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
	    TEST(named_ones),
	    TEST(differences_in_words),
	    TEST(the_way_back),
	    TEST(every_large_change_is_kept_before),
	    TEST(only_so_many),
	    TEST(wrong_calls),
	    TEST(a_watched_cluster_keeps_what_its_api_shows),
	    TEST(a_rollback_that_parks_is_kept_at_once),
	    TEST(a_removed_watched_cluster_comes_back_whole),
	    TEST(a_backup_makes_an_empty_appliance_the_same),
	    TEST(a_fresh_appliance_with_its_configuration),
	    TEST(a_fresh_appliance_at_the_same_revision),
	    TEST(a_saved_state_without_a_frame),
	    TEST(the_revision_has_a_bound),
	    TEST(the_revision_of_a_watched_cluster_is_left_alone),
	    TEST(wrong_documents),
	};
	return fixture_run_tests(tests, sizeof(tests) / sizeof(tests[0]));
}
