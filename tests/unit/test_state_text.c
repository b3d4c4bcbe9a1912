/* state_text: says what state_read takes back, and is made without a tree, however many routes there are. */
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
#include "control/control_store.h"
#include "control/state/cluster_json.h"
#include "control/state/rollback.h"
#include "control/state/state_file.h"
#include "control/state/state_text.h"
#include "control_fixture.h"

enum { MANY = 10000, OVERRIDDEN = MANY / 2 };

static struct control control;
static size_t allocations;

static void *counted(size_t size)
{
	allocations++;
	return malloc(size);
}

static struct name *name_of(struct state *in, unsigned i)
{
	struct hostname host;
	char text[32];
	int len = snprintf(text, sizeof(text), "app-%u.ch", i);
	hostname_set(&host, (const uint8_t *)text, (size_t)len);
	return names_find_host(&in->names, &host, i % 2);
}

/* A cluster with many routes, of which the first are overridden and may be rolled back, and the others are parked. */
static void fill(struct state *state)
{
	struct cluster_spec *spec = fixture_cluster(
	    "{'name': 'ose1', 'source': 'static', 'hosts': [{'name': 'r1', 'address': '203.0.113.11'}]}");
	free(spec->routes);
	spec->routes = calloc(MANY, sizeof(*spec->routes));
	assert_non_null(spec->routes);
	spec->route_count = MANY;
	for (unsigned i = 0; i < MANY; i++) {
		char text[32];
		struct route_spec *route = &spec->routes[i];
		int len = snprintf(text, sizeof(text), "app-%u.ch", i);
		assert_true(hostname_set(&route->name, (const uint8_t *)text, (size_t)len));
		route->wildcard = i % 2;
		route->http = i % 3 > 0;
		route->https = true;
		route->weight_given = i % 5 > 0;
		route->weight = (uint8_t)(route->weight_given ? i % 101 : 0);
	}
	state_put(state, spec, 0, 0);
	struct rollback_change *change = rollback_change_create(2, 1700000000000, &fixture_actor);
	for (unsigned i = 0; i < MANY; i++) {
		struct name *name = name_of(state, i);
		struct pair *pair = names_pair(name, 0);
		pair->parked = i >= OVERRIDDEN;
		if (pair->parked)
			continue;
		name->rollback = rollback_make(name, change);
		names_pair_override(&state->names, name, pair, (int)(i * 7 % 10001));
	}
	rollback_change_release(change);
}

static int setup(void **unused)
{
	static char directory[] = "/tmp/test_state_text.XXXXXX";
	memset(directory + sizeof(directory) - 7, 'X', 6);
	assert_non_null(mkdtemp(directory));
	snprintf(control.state_file.path, sizeof(control.state_file.path), "%s/clusters.state", directory);
	*unused = directory;
	fill(&control.state);
	return 0;
}

static int teardown(void **unused)
{
	state_free(&control.state);
	fixture_empty(*unused);
	rmdir(*unused);
	return 0;
}

static json_t *load(enum state_form form)
{
	size_t len;
	char *text = state_text(&control.state, NULL, form, &len);
	assert_int_equal(len, strlen(text));
	json_t *value = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(value);
	free(text);
	return value;
}

static void read_again(void **unused)
{
	struct state again = {0};
	struct json_faults faults = {0};
	json_t *saved = load(STATE_SAVED);
	assert_true(state_read(&again, saved, "$", 0, &faults));
	json_decref(saved);
	assert_true(cluster_equal(again.clusters[0]->spec, control.state.clusters[0]->spec));
	assert_int_equal(again.names.of_cluster[0], MANY);
	assert_int_equal(again.names.overrides_of[0], OVERRIDDEN);
	for (unsigned i = 0; i < MANY; i++) {
		const struct name *name = name_of(&again, i);
		const struct pair *pair = names_pair(name, 0);
		assert_int_equal(pair->overridden, i < OVERRIDDEN);
		assert_int_equal(pair->parked, i >= OVERRIDDEN);
		assert_int_equal(name->rollback != NULL, i < OVERRIDDEN);
		if (i < OVERRIDDEN)
			assert_int_equal(pair->override, i * 7 % 10001);
	}
	state_free(&again);
}

static void forms(void **unused)
{
	json_t *saved = load(STATE_SAVED), *document = load(STATE_DOCUMENT);
	assert_int_equal(json_array_size(json_object_get(saved, "rollbacks")), 1);
	assert_null(json_object_get(document, "rollbacks"));
	assert_true(json_equal(json_object_get(saved, "clusters"), json_object_get(document, "clusters")));
	json_decref(saved);
	json_decref(document);
	control.state.untouched = true;
	saved = load(STATE_SAVED);
	document = load(STATE_DOCUMENT);
	assert_true(json_is_true(json_object_get(saved, "untouched")));
	assert_null(json_object_get(document, "untouched"));
	json_decref(saved);
	json_decref(document);
	control.state.untouched = false;
}

/* The loop waits for it: a tree takes several times as long as the text. */
static void saved_without_a_tree(void **unused)
{
	json_t *value;
	char why[STATE_FILE_TEXT_MAX];
	json_malloc_t malloc_before;
	json_free_t free_before;
	json_get_alloc_funcs(&malloc_before, &free_before);
	allocations = 0;
	json_set_alloc_funcs(counted, free);
	bool good = control_save(&control, NULL);
	json_set_alloc_funcs(malloc_before, free_before);
	assert_true(good);
	assert_in_range(allocations, 1, 1000);
	assert_int_equal(state_file_read(control.state_file.path, &value, why), STATE_FILE_OK);
	json_t *now = state_write(&control.state, NULL);
	assert_true(json_equal(value, now));
	json_decref(now);
	json_decref(value);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(read_again),
	    cmocka_unit_test(forms),
	    cmocka_unit_test(saved_without_a_tree),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
