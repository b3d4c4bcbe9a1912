/* route_list: which routes a list has, and in which order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/control.h"
#include "control/state/override.h"
#include "control/api/route_list.h"
#include "control_fixture.h"
#include "fake_link.h"

static char directory[] = "/tmp/pm-test-route-list-XXXXXX";
static struct event_loop *loop;
static struct config *config;
static struct control control;

static void remove_state(void)
{
	fixture_empty(directory);
}

static int setup(void **state)
{
	remove_state();
	fake_link_reset(16, 16, 16);
	loop = event_loop_create();
	config = fixture_config(directory, directory, "'clusters': [" FIXTURE_OSE1 ", " FIXTURE_OSE2 "]");
	if (!control_init(&control, config, loop))
		return -1;
	control_start(&control);
	return 0;
}

static int teardown(void **state)
{
	control_stop(&control);
	config_free(config);
	event_loop_destroy(loop);
	fake_link_free();
	return 0;
}

static struct name *find(const char *text)
{
	struct hostname host;
	bool wildcard;
	assert_true(name_parse(text, &host, &wildcard));
	return names_find_host(&control.state.names, &host, wildcard);
}

static void assert_number(const json_t *object, const char *field, double wanted)
{
	assert_true(json_is_number(json_object_get(object, field)));
	assert_true(json_number_value(json_object_get(object, field)) == wanted);
}

/* The names of a list, apart by spaces, and the number of all. */
static void assert_list(struct route_filter filter, enum route_sort sort, struct api_page page, const char *wanted,
                        int total)
{
	char all[1000] = "";
	size_t i;
	json_t *route, *list = route_list(&control, &filter, sort, page);
	json_array_foreach(json_object_get(list, "routes"), i, route)
	{
		strcat(all, i > 0 ? " " : "");
		strcat(all, json_string_value(json_object_get(route, "host")));
	}
	assert_string_equal(all, wanted);
	assert_number(list, "total", total);
	assert_number(list, "offset", (double)page.offset);
	assert_number(list, "revision", (double)control.state.revision);
	json_decref(list);
}

static const struct api_page all = {0, 1000};

static void by_connections(void **state)
{
	assert_null(fake_link_appear());
	while (!control_applied(&control, 1))
		event_loop_turn(loop, 5);
	uint64_t slot = 0;
	for (unsigned i = 0; fake_link_message(MESSAGE_ROUTE, i); i++)
		if (!fake_link_message(MESSAGE_ROUTE, i)->route.wildcard)
			slot = fake_link_message(MESSAGE_ROUTE, i)->route.shares[1].pair;
	struct shared_worker *worker = shared_worker_at(fake_link.shared, 1);
	shared_set(&shared_pairs_of(fake_link.shared, worker)[slot].active, 7);
	assert_list((struct route_filter){0}, ROUTE_BY_ACTIVE, all, "app1.ch *.wild.ch", 2);
	shared_set(&shared_pairs_of(fake_link.shared, worker)[slot].active, 0);
	struct shared_worker *other = shared_worker_at(fake_link.shared, 0);
	for (unsigned i = 0; i < 16; i++)
		shared_set(&shared_pairs_of(fake_link.shared, other)[i].active, i == slot ? 0 : 1);
	assert_list((struct route_filter){0}, ROUTE_BY_ACTIVE, all, "app1.ch *.wild.ch", 2);
}

static const char many[] = "{'name': 'many', 'source': 'static', 'routes': [{'host': 'a.shop.ch'}, {'host': "
                           "'b.shop.ch', 'weight': 0}, {'host': "
                           "'c.mail.ch'}, {'host': '*.shop.ch'}, {'host': 'app1.ch'}]}";

static void filters(void **state)
{
	assert_true(control_put(&control, fixture_cluster(many), 0, &fixture_actor));
	const struct cluster *cluster = state_cluster(&control.state, "many");
	assert_list((struct route_filter){0}, ROUTE_BY_NAME, all,
	            "a.shop.ch app1.ch b.shop.ch c.mail.ch *.shop.ch *.wild.ch", 6);
	assert_list((struct route_filter){0}, ROUTE_BY_NAME, (struct api_page){1, 2}, "app1.ch b.shop.ch", 6);
	assert_list((struct route_filter){0}, ROUTE_BY_NAME, (struct api_page){6, 2}, "", 6);
	assert_list((struct route_filter){.search = "SHOP"}, ROUTE_BY_NAME, all, "a.shop.ch b.shop.ch *.shop.ch", 3);
	assert_list((struct route_filter){.search = "*.sh"}, ROUTE_BY_NAME, all, "*.shop.ch", 1);
	assert_list((struct route_filter){.search = "nix"}, ROUTE_BY_NAME, all, "", 0);
	assert_list((struct route_filter){.search = "shop"}, ROUTE_BY_NAME, (struct api_page){1, 1}, "b.shop.ch", 3);
	assert_list((struct route_filter){.cluster = cluster}, ROUTE_BY_NAME, (struct api_page){0, 2},
	            "a.shop.ch app1.ch", 5);
	assert_list((struct route_filter){.cluster = cluster, .search = "app"}, ROUTE_BY_NAME, all, "app1.ch", 1);
}

static void states(void **state)
{
	assert_true(control_put(&control, fixture_cluster(many), 0, &fixture_actor));
	const struct cluster *cluster = state_cluster(&control.state, "many");
	assert_list((struct route_filter){.state = ROUTE_OVERRIDE}, ROUTE_BY_NAME, all, "", 0);
	assert_true(control_override(&control, find("app1.ch"), 0, 5, &fixture_actor));
	assert_list((struct route_filter){.state = ROUTE_OVERRIDE}, ROUTE_BY_NAME, all, "app1.ch", 1);
	/* Of the cluster that is asked for, not of another one. */
	assert_list((struct route_filter){.state = ROUTE_OVERRIDE, .cluster = cluster}, ROUTE_BY_NAME, all, "", 0);
	names_pair(find("a.shop.ch"), cluster->index)->parked = true;
	assert_list((struct route_filter){.state = ROUTE_PARKED}, ROUTE_BY_NAME, all, "a.shop.ch", 1);
	names_pair(find("c.mail.ch"), cluster->index)->conflict = true;
	assert_list((struct route_filter){.state = ROUTE_CONFLICT}, ROUTE_BY_NAME, all, "c.mail.ch", 1);
	names_pair(find("*.shop.ch"), cluster->index)->hold.reason = HOLD_MANY;
	assert_list((struct route_filter){.state = ROUTE_HELD}, ROUTE_BY_NAME, all, "*.shop.ch", 1);
	control.state.clusters[0]->health[0].state = HEALTH_UP;
	assert_list((struct route_filter){.state = ROUTE_UNSERVED}, ROUTE_BY_NAME, all,
	            "a.shop.ch b.shop.ch c.mail.ch *.shop.ch", 4);
	strcpy(names_pair(find("b.shop.ch"), cluster->index)->namespace, "shop");
	assert_list((struct route_filter){.namespace = "shop"}, ROUTE_BY_NAME, all, "b.shop.ch", 1);
	assert_list((struct route_filter){.namespace = "shop", .cluster = control.state.clusters[0]}, ROUTE_BY_NAME,
	            all, "", 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(filters),
	    TEST(states),
	    TEST(by_connections),
	};
	if (!mkdtemp(directory))
		return 1;
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	remove_state();
	rmdir(directory);
	return failed;
}
