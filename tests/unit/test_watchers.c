/* watchers: which clusters are watched when, what their reports do, and their files; against APIs that are only memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/control.h"
#include "control/state/override.h"
#include "control/state/weight.h"
#include "control_fixture.h"
#include "fake_link.h"

/* ---- sources that show what a test says ---- */

enum { SOURCES_MAX = 8, SHOWN_MAX = 8 };

struct kube_source {
	bool running, complete;
	char cluster[CLUSTER_NAME_MAX + 1], server[100];
	kube_changed *changed;
	void *context;
	struct observed shown;
	struct observed_route routes[SHOWN_MAX];
	struct observed_router routers[SHOWN_MAX];
};

static struct kube_source sources[SOURCES_MAX];

struct kube_source *kube_source_start(struct event_loop *loop, const char *cluster, const struct kube_spec *spec,
                                      const struct kube_timing *timing, kube_changed *changed, void *context)
{
	for (unsigned i = 0; i < SOURCES_MAX; i++) {
		struct kube_source *source = &sources[i];
		if (source->running)
			continue;
		*source = (struct kube_source){.running = true, .changed = changed, .context = context};
		snprintf(source->cluster, sizeof(source->cluster), "%s", cluster);
		snprintf(source->server, sizeof(source->server), "%.90s", spec->server);
		return source;
	}
	return NULL;
}

void kube_source_stop(struct kube_source *source)
{
	if (source)
		source->running = false;
}

const struct observed *kube_source_observed(const struct kube_source *source)
{
	struct kube_source *own = (struct kube_source *)(uintptr_t)source;
	own->shown.routes = own->routes;
	own->shown.routers = own->routers;
	return source->complete ? &source->shown : NULL;
}

const char *kube_source_rejection(const struct kube_source *source, uint64_t name_id)
{
	return source->complete ? "rejected" : NULL;
}

void kube_source_status(const struct kube_source *source, struct kube_status *out)
{
	*out = (struct kube_status){.complete = source->complete};
}

/* The running source of the cluster, or NULL. */
static struct kube_source *source_of(const char *cluster)
{
	for (unsigned i = 0; i < SOURCES_MAX; i++)
		if (sources[i].running && strcmp(sources[i].cluster, cluster) == 0)
			return &sources[i];
	return NULL;
}

static struct observed_route *show_route(const char *cluster, const char *host)
{
	struct kube_source *source = source_of(cluster);
	struct observed_route *route = &source->routes[source->shown.route_count++];
	*route = (struct observed_route){.created = 1, .http = true};
	snprintf(route->uid, sizeof(route->uid), "%.60s", host);
	strcpy(route->namespace, "shop");
	assert_true(name_parse(host, &route->host, &route->wildcard));
	return route;
}

static void show_router(const char *cluster, const char *address)
{
	struct kube_source *source = source_of(cluster);
	struct observed_router *router = &source->routers[source->shown.router_count++];
	*router = (struct observed_router){.http_port = 80, .https_port = 443, .ready = true};
	snprintf(router->uid, sizeof(router->uid), "%s", address);
	snprintf(router->node, sizeof(router->node), "w%s", address);
	assert_true(address_parse(address, &router->address));
}

static void report(const char *cluster, enum kube_change change)
{
	struct kube_source *source = source_of(cluster);
	source->complete = true;
	source->changed(source->context, change);
}

/* ---- the rig ---- */

static char directory[] = "/tmp/pm-test-watchers-XXXXXX";
static struct event_loop *loop;
static struct config *config;
static struct control control;

#define WATCHED(name) "{'name': '" name "', 'source': 'watch', 'watch': {'server': 'https://" name "'}}"
#define CLUSTERS      "'clusters': [" WATCHED("a") ", " WATCHED("b") "]"

static const char *path_of(const char *name)
{
	static char path[200];
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

static void remove_state(void)
{
	fixture_empty(directory);
}

static void begin(void)
{
	loop = event_loop_create();
	config = fixture_config(directory, directory, CLUSTERS);
	assert_true(control_init(&control, config, loop));
	control_start(&control);
}

static void end(void)
{
	control_stop(&control);
	config_free(config);
	event_loop_destroy(loop);
}

/* As if it were killed: nothing is saved at the end. */
static void die(void)
{
	control.state.unsaved = false;
	for (unsigned i = 0; i < CLUSTERS_MAX; i++)
		if (control.state.clusters[i])
			control.state.clusters[i]->unsaved = false;
	end();
}

static int setup(void **state)
{
	remove_state();
	fake_link_reset(16, 16, 16);
	begin();
	return 0;
}

static int teardown(void **state)
{
	end();
	fake_link_free();
	return 0;
}

static struct cluster *cluster(const char *name)
{
	return state_cluster(&control.state, name);
}

static size_t routes_of(const char *name)
{
	return control.state.names.of_cluster[cluster(name)->index];
}

static int weight(const char *host, const char *name)
{
	struct hostname hostname;
	bool wildcard;
	name_parse(host, &hostname, &wildcard);
	const struct name *found = names_find_host(&control.state.names, &hostname, wildcard);
	const struct pair *pair = found ? names_pair(found, cluster(name)->index) : NULL;
	return pair && pair->present ? weight_of(cluster(name)->spec, pair).value / HUNDREDTHS : -1;
}

#define AWAIT(condition)                                                                                               \
	do {                                                                                                           \
		for (int turn = 0; !(condition); turn++) {                                                             \
			assert_true(turn < 2000);                                                                      \
			event_loop_turn(loop, 5);                                                                      \
		}                                                                                                      \
	} while (0)

/* ---- tests ---- */

static void a_report_is_adopted_and_saved(void **state)
{
	assert_false(cluster("a")->current);
	show_route("a", "app.ch");
	show_router("a", "203.0.113.11");
	report("a", KUBE_LIST);
	assert_true(cluster("a")->current);
	assert_int_equal(routes_of("a"), 1);
	assert_int_equal(cluster("a")->spec->host_count, 1);
	AWAIT(access(path_of("watch-a.state"), F_OK) == 0);
	assert_false(cluster("a")->unsaved);
	assert_int_not_equal(access(path_of("watch-b.state"), F_OK), 0);
}

static void a_restart_begins_with_the_last_good_state(void **state)
{
	show_route("a", "app.ch")->weight_given = true;
	show_route("a", "*.wild.ch");
	show_router("a", "203.0.113.11");
	report("a", KUBE_LIST);
	AWAIT(!cluster("a")->unsaved);
	die();
	begin();
	assert_true(cluster("a")->known && !cluster("a")->current);
	assert_int_equal(routes_of("a"), 2);
	assert_int_equal(weight("app.ch", "a"), 0);
	assert_int_equal(weight("*.wild.ch", "a"), 100);
	assert_int_equal(cluster("a")->spec->host_count, 1);
}

static void a_normal_end_saves(void **state)
{
	show_route("a", "app.ch");
	report("a", KUBE_LIST);
	end();
	begin();
	assert_int_equal(routes_of("a"), 1);
}

/* Whoever moves the state file away begins anew. */
static void without_a_state_file_nothing_is_known(void **state)
{
	show_route("a", "app.ch");
	report("a", KUBE_LIST);
	end();
	unlink(path_of("clusters.state"));
	unlink(path_of("clusters.state.previous"));
	begin();
	assert_int_equal(routes_of("a"), 0);
	assert_int_not_equal(access(path_of("watch-a.state"), F_OK), 0);
}

/* Parked or not: the same after a restart, in whatever order the lists come. */
static void the_order_of_lists_changes_nothing(void **state)
{
	show_route("a", "app.ch");
	report("a", KUBE_LIST);
	report("b", KUBE_LIST);
	show_route("b", "app.ch");
	report("b", KUBE_EVENT);
	assert_int_equal(weight("app.ch", "b"), 0);
	AWAIT(!cluster("a")->unsaved && !cluster("b")->unsaved);
	for (unsigned i = 0; i < 2; i++) {
		die();
		begin();
		show_route("a", "app.ch");
		show_route("b", "app.ch");
		report(i == 0 ? "b" : "a", KUBE_LIST);
		report(i == 0 ? "a" : "b", KUBE_LIST);
		assert_int_equal(weight("app.ch", "a"), 100);
		assert_int_equal(weight("app.ch", "b"), 0);
	}
}

static void the_very_first_lists_park_nothing(void **state)
{
	show_route("a", "app.ch");
	show_route("b", "app.ch");
	report("a", KUBE_LIST);
	AWAIT(!cluster("a")->unsaved);
	die(); /* b has not been listed yet */
	begin();
	show_route("b", "app.ch");
	report("b", KUBE_LIST);
	assert_int_equal(weight("app.ch", "b"), 100);
}

static void a_cluster_that_is_put_later_is_parked(void **state)
{
	assert_true(control_delete(&control, "b", &fixture_actor));
	assert_null(source_of("b"));
	show_route("a", "app.ch");
	report("a", KUBE_LIST);
	assert_true(control_put(&control, fixture_cluster(WATCHED("b")), 0, &fixture_actor));
	show_route("b", "app.ch");
	report("b", KUBE_LIST);
	assert_int_equal(weight("app.ch", "b"), 0);
}

static void a_deleted_cluster_leaves_no_file(void **state)
{
	report("a", KUBE_LIST);
	AWAIT(access(path_of("watch-a.state"), F_OK) == 0);
	assert_true(control_delete(&control, "a", &fixture_actor));
	assert_null(source_of("a"));
	assert_int_not_equal(access(path_of("watch-a.state"), F_OK), 0);
	assert_true(control_put(&control, fixture_cluster(WATCHED("a")), 0, &fixture_actor));
	assert_non_null(source_of("a"));
	assert_int_equal(routes_of("a"), 0);
}

static void another_watch_keeps_what_there_is(void **state)
{
	show_route("a", "app.ch");
	report("a", KUBE_LIST);
	struct cluster_spec *spec =
	    fixture_cluster("{'name': 'a', 'source': 'watch', 'watch': {'server': 'https://other'}}");
	assert_true(control_put(&control, spec, 0, &fixture_actor));
	assert_string_equal(source_of("a")->server, "https://other");
	assert_int_equal(routes_of("a"), 1);
	assert_false(cluster("a")->current);
	/* Settings alone do not disturb the watch. */
	struct kube_source *before = source_of("a");
	show_route("a", "app.ch");
	report("a", KUBE_LIST);
	spec = fixture_cluster(
	    "{'name': 'a', 'source': 'watch', 'default_weight': 5, 'watch': {'server': 'https://other'}}");
	assert_true(control_put(&control, spec, 0, &fixture_actor));
	assert_ptr_equal(source_of("a"), before);
	assert_true(before->complete && cluster("a")->current);
	assert_int_equal(weight("app.ch", "a"), 5);
}

static void overrides_survive_everything(void **state)
{
	struct hostname host;
	bool wildcard;
	show_route("a", "app.ch");
	show_route("a", "other.ch");
	report("a", KUBE_LIST);
	name_parse("app.ch", &host, &wildcard);
	struct name *name = names_find_host(&control.state.names, &host, wildcard);
	assert_true(control_override(&control, name, cluster("a")->index, 7 * HUNDREDTHS, &fixture_actor));
	die(); /* at once: the operator's word is on the disk */
	begin();
	show_route("a", "other.ch");
	report("a", KUBE_LIST); /* without it */
	assert_int_equal(weight("app.ch", "a"), -1);
	show_route("a", "app.ch");
	report("a", KUBE_EVENT);
	assert_int_equal(weight("app.ch", "a"), 7);
	assert_true(control_put(&control, fixture_cluster(WATCHED("a")), 0, &fixture_actor));
	assert_int_equal(weight("app.ch", "a"), 7);
}

static void a_broken_file_gives_way_to_the_one_before(void **state)
{
	show_route("a", "app.ch");
	report("a", KUBE_LIST);
	AWAIT(!cluster("a")->unsaved);
	show_route("a", "new.ch");
	report("a", KUBE_EVENT);
	AWAIT(!cluster("a")->unsaved);
	die();
	assert_int_equal(truncate(path_of("watch-a.state"), 100), 0);
	begin();
	assert_int_equal(routes_of("a"), 1);
	assert_int_equal(weight("app.ch", "a"), 100);
}

/* A host without pods goes when no connection is left; without a dataplane there is none. */
static void hosts_without_pods_are_reaped(void **state)
{
	show_router("a", "203.0.113.11");
	show_router("a", "203.0.113.12");
	report("a", KUBE_LIST);
	source_of("a")->shown.router_count = 1;
	report("a", KUBE_EVENT);
	assert_int_equal(cluster("a")->spec->host_count, 2);
	AWAIT(cluster("a")->spec->host_count == 1);
}

static void held_until_confirmed(void **state)
{
	size_t count;
	show_route("a", "app.ch");
	report("a", KUBE_LIST);
	source_of("a")->shown.route_count = 0;
	report("a", KUBE_LIST);
	assert_int_equal(weight("app.ch", "a"), 100);
	AWAIT(!cluster("a")->unsaved);
	die();
	begin();
	report("a", KUBE_LIST); /* still empty, still held */
	assert_int_equal(weight("app.ch", "a"), 100);
	assert_true(control_confirm(&control, cluster("a"), &fixture_actor, &count));
	assert_int_equal(count, 1);
	assert_int_equal(weight("app.ch", "a"), -1);
	report("a", KUBE_LIST);
	assert_int_equal(routes_of("a"), 0);
}

/* ---- what a change of one cluster does to another ---- */

/* app.ch is on a; b comes later and is parked; both are listed and saved. Each has a name of its own. */
static void park_on_b(void)
{
	show_route("a", "app.ch");
	show_route("a", "a.ch");
	report("a", KUBE_LIST);
	show_route("b", "b.ch");
	report("b", KUBE_LIST);
	show_route("b", "app.ch");
	report("b", KUBE_EVENT);
	assert_int_equal(weight("app.ch", "b"), 0);
	AWAIT(!cluster("a")->unsaved && !cluster("b")->unsaved);
}

static void swap_shown(const char *name)
{
	struct kube_source *source = source_of(name);
	source->routes[0] = source->routes[1];
	source->shown.route_count = 1;
}

static void restart_without_lists(void)
{
	die();
	begin();
}

static void the_end_of_parking_is_saved(void **state)
{
	park_on_b();
	swap_shown("a"); /* a.ch alone */
	report("a", KUBE_EVENT);
	assert_int_equal(weight("app.ch", "b"), 100);
	AWAIT(!cluster("a")->unsaved && !cluster("b")->unsaved);
	restart_without_lists();
	assert_int_equal(weight("app.ch", "a"), -1);
	assert_int_equal(weight("app.ch", "b"), 100);
	show_route("b", "app.ch");
	report("b", KUBE_LIST);
	assert_int_equal(weight("app.ch", "b"), 100);
}

static void the_end_of_a_conflict_is_saved(void **state)
{
	show_route("a", "app.ch");
	show_route("a", "a.ch");
	report("a", KUBE_LIST);
	report("b", KUBE_LIST);
	strcpy(show_route("b", "app.ch")->namespace, "other");
	report("b", KUBE_EVENT);
	assert_int_equal(weight("app.ch", "b"), 0);
	AWAIT(!cluster("b")->unsaved);
	swap_shown("a");
	report("a", KUBE_EVENT);
	AWAIT(!cluster("a")->unsaved && !cluster("b")->unsaved);
	restart_without_lists();
	assert_int_equal(weight("app.ch", "b"), 100);
}

/* Not each change is saved at once, but this one is before it is answered. */
static void a_removal_ends_parking_at_once(void **state)
{
	park_on_b();
	control.watchers.list[cluster("b")->index].save_at = UINT64_MAX;
	assert_true(control_delete(&control, "a", &fixture_actor));
	assert_false(cluster("b")->unsaved);
	restart_without_lists();
	assert_int_equal(weight("app.ch", "b"), 100);
}

static void a_confirmation_ends_parking_at_once(void **state)
{
	size_t count;
	park_on_b();
	source_of("a")->shown.route_count = 0;
	report("a", KUBE_LIST);
	assert_int_equal(weight("app.ch", "b"), 0);
	AWAIT(!cluster("a")->unsaved);
	control.watchers.list[cluster("a")->index].save_at = UINT64_MAX;
	control.watchers.list[cluster("b")->index].save_at = UINT64_MAX;
	assert_true(control_confirm(&control, cluster("a"), &fixture_actor, &count));
	restart_without_lists();
	assert_int_equal(weight("app.ch", "a"), -1);
	assert_int_equal(weight("app.ch", "b"), 100);
}

static void an_override_ends_parking_at_once(void **state)
{
	park_on_b();
	struct hostname host;
	bool wildcard;
	name_parse("app.ch", &host, &wildcard);
	struct name *name = names_find_host(&control.state.names, &host, wildcard);
	control.watchers.list[cluster("b")->index].save_at = UINT64_MAX;
	assert_true(control_override(&control, name, cluster("b")->index, 7 * HUNDREDTHS, &fixture_actor));
	restart_without_lists();
	assert_int_equal(weight("app.ch", "b"), 7);
	name = names_find_host(&control.state.names, &host, wildcard);
	assert_true(control_override(&control, name, cluster("b")->index, -1, &fixture_actor));
	assert_int_equal(weight("app.ch", "b"), 100);
}

/* On s, which is static, app.ch is parked behind a. */
static void park_on_s(void)
{
	show_route("a", "app.ch");
	show_route("a", "a.ch");
	report("a", KUBE_LIST);
	assert_true(control_put(&control,
	                        fixture_cluster("{'name': 's', 'source': 'static', 'state': 'staged', 'routes': "
	                                        "[{'host': 'app.ch'}]}"),
	                        0, &fixture_actor));
	struct cluster_settings settings = control_settings(cluster("s"));
	settings.state = CLUSTER_ACTIVE;
	assert_true(control_patch(&control, cluster("s"), &settings, &fixture_actor));
	assert_int_equal(weight("app.ch", "s"), 0);
}

/* The parking of a static cluster stands in the state file. */
static void a_watch_ends_the_parking_of_a_static_cluster(void **state)
{
	park_on_s();
	swap_shown("a");
	report("a", KUBE_EVENT);
	assert_int_equal(weight("app.ch", "s"), 100);
	AWAIT(!control.state.unsaved && !cluster("a")->unsaved);
	assert_int_not_equal(access(path_of("watch-s.state"), F_OK), 0);
	restart_without_lists();
	assert_int_equal(weight("app.ch", "s"), 100);
}

static void the_state_file_is_saved_later_if_it_cannot_be_now(void **state)
{
	park_on_s();
	assert_int_equal(mkdir(path_of("clusters.state.new"), 0700), 0);
	swap_shown("a");
	report("a", KUBE_EVENT);
	assert_true(control.state.unsaved);
	assert_true(control.watchers.state_save_at > clock_monotonic_ms() + 10000); /* the journal is not filled */
	rmdir(path_of("clusters.state.new"));
	end();
	begin();
	assert_int_equal(weight("app.ch", "s"), 100);
}

/* The file of the cluster was written, that of the state could not be: nothing is parked, nor after the next start. */
static void a_refused_activation_leaves_no_parking(void **state)
{
	struct cluster_settings settings = control_settings(cluster("b"));
	settings.state = CLUSTER_STAGED;
	assert_true(control_patch(&control, cluster("b"), &settings, &fixture_actor));
	show_route("a", "app.ch");
	report("a", KUBE_LIST);
	show_route("b", "app.ch");
	report("b", KUBE_LIST);
	AWAIT(!cluster("a")->unsaved && !cluster("b")->unsaved);
	assert_int_equal(mkdir(path_of("clusters.state.new"), 0700), 0);
	settings.state = CLUSTER_ACTIVE;
	assert_false(control_patch(&control, cluster("b"), &settings, &fixture_actor));
	rmdir(path_of("clusters.state.new"));
	assert_false(cluster("b")->unsaved);
	restart_without_lists();
	struct hostname host;
	bool wildcard;
	name_parse("app.ch", &host, &wildcard);
	assert_false(names_pair(names_find_host(&control.state.names, &host, wildcard), cluster("b")->index)->parked);
}

/* The change is done; what follows from it is tried again. */
static void what_follows_is_saved_later_if_it_cannot_be_now(void **state)
{
	park_on_b();
	assert_int_equal(mkdir(path_of("watch-b.state.new"), 0700), 0);
	assert_true(control_delete(&control, "a", &fixture_actor));
	assert_int_equal(weight("app.ch", "b"), 100);
	assert_true(cluster("b")->unsaved && cluster("b")->urgent);
	rmdir(path_of("watch-b.state.new"));
	AWAIT(!cluster("b")->unsaved);
	assert_false(cluster("b")->urgent);
	restart_without_lists();
	assert_int_equal(weight("app.ch", "b"), 100);
}

static void lose(const char *name)
{
	char previous[40];
	snprintf(previous, sizeof(previous), "%s.previous", name);
	unlink(path_of(name));
	unlink(path_of(previous));
}

/* b's file is from before: as soon as both APIs have said what there is now, and not before. */
static void an_older_file_heals(void **state)
{
	park_on_b();
	swap_shown("a");
	report("a", KUBE_EVENT);
	struct hostname host;
	bool wildcard;
	name_parse("app.ch", &host, &wildcard);
	names_pair(names_find_host(&control.state.names, &host, wildcard), cluster("b")->index)->parked = true;
	cluster("b")->unsaved = true;
	end();
	begin();
	show_route("b", "app.ch");
	report("b", KUBE_LIST);
	assert_int_equal(weight("app.ch", "b"), 0);
	uint64_t revision = control.state.revision;
	show_route("a", "a.ch");
	report("a", KUBE_LIST);
	assert_int_equal(weight("app.ch", "b"), 100);
	assert_true(control.state.revision > revision);
	AWAIT(!cluster("b")->unsaved);
	restart_without_lists();
	assert_int_equal(weight("app.ch", "b"), 100);
}

/* What a serves is in no file: its users stay there. */
static void a_lost_file_moves_nobody(void **state)
{
	park_on_b();
	die();
	lose("watch-a.state");
	begin();
	show_route("b", "app.ch");
	report("b", KUBE_LIST);
	assert_int_equal(weight("app.ch", "b"), 0);
	show_route("a", "app.ch");
	report("a", KUBE_LIST);
	assert_int_equal(weight("app.ch", "a"), 100);
	assert_int_equal(weight("app.ch", "b"), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(a_report_is_adopted_and_saved),
	    TEST(a_restart_begins_with_the_last_good_state),
	    TEST(a_normal_end_saves),
	    TEST(without_a_state_file_nothing_is_known),
	    TEST(the_order_of_lists_changes_nothing),
	    TEST(the_very_first_lists_park_nothing),
	    TEST(a_cluster_that_is_put_later_is_parked),
	    TEST(a_deleted_cluster_leaves_no_file),
	    TEST(another_watch_keeps_what_there_is),
	    TEST(overrides_survive_everything),
	    TEST(a_broken_file_gives_way_to_the_one_before),
	    TEST(hosts_without_pods_are_reaped),
	    TEST(held_until_confirmed),
	    TEST(the_end_of_parking_is_saved),
	    TEST(the_end_of_a_conflict_is_saved),
	    TEST(a_removal_ends_parking_at_once),
	    TEST(a_confirmation_ends_parking_at_once),
	    TEST(an_override_ends_parking_at_once),
	    TEST(a_watch_ends_the_parking_of_a_static_cluster),
	    TEST(the_state_file_is_saved_later_if_it_cannot_be_now),
	    TEST(a_refused_activation_leaves_no_parking),
	    TEST(what_follows_is_saved_later_if_it_cannot_be_now),
	    TEST(an_older_file_heals),
	    TEST(a_lost_file_moves_nobody),
	};
	if (!mkdtemp(directory))
		return 1;
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	remove_state();
	unlink(path_of("health.state"));
	rmdir(directory);
	return failed;
}
