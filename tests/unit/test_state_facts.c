/* state_facts: overrides and holds written and read back; nothing where there is nothing to say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/state/state_facts.h"
#include "control_fixture.h"

static struct names names, again;

static int teardown(void **state)
{
	names_free(&names);
	names_free(&again);
	return 0;
}

static struct reader open_reader(json_t *object, struct json_faults *faults)
{
	struct reader reader;
	reader_open(&reader, object, faults, "$");
	return reader;
}

/* What is saved of a cluster. */
static json_t *saved(uint16_t cluster)
{
	struct state_facts facts = {0};
	struct json_text text = {0};
	state_facts_gather(&facts, &names);
	json_text_put(&text, "{\"index\":0");
	state_facts_write_overrides(&text, &facts, cluster);
	state_facts_write_parked(&text, &facts, cluster);
	json_text_put(&text, "}");
	json_t *object = json_loadb(text.bytes, text.len, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(object);
	json_text_free(&text);
	state_facts_free(&facts);
	return object;
}

static void override(const char *text, uint16_t cluster, int weight)
{
	struct hostname host;
	bool wildcard;
	assert_true(name_parse(text, &host, &wildcard));
	struct name *name = names_add(&names, &host, wildcard);
	names_pair_override(&names, name, names_pair_add(&names, name, cluster), weight);
}

static int override_of(const struct names *of, const char *text, uint16_t cluster)
{
	struct hostname host;
	bool wildcard;
	name_parse(text, &host, &wildcard);
	const struct name *name = names_find_host(of, &host, wildcard);
	const struct pair *pair = name ? names_pair(name, cluster) : NULL;
	return pair && pair->overridden ? pair->override : -1;
}

static void overrides(void **state)
{
	struct json_faults faults = {0};
	override("app.ch", 2, 3025);
	override("*.wild.ch", 2, 0);
	override("other.ch", 3, 1);
	json_t *object = saved(2);
	assert_int_equal(json_object_size(json_object_get(object, "overrides")), 2);
	struct reader reader = open_reader(object, &faults);
	state_facts_read_overrides(&reader, &again, 5);
	assert_int_equal(override_of(&again, "app.ch", 5), 3025);
	assert_int_equal(override_of(&again, "*.wild.ch", 5), 0);
	assert_int_equal(again.overrides_of[5], 2);
	assert_int_equal(again.count, 0); /* not served for that */
	json_decref(object);
}

static struct pair *serve(struct names *in, const char *text, uint16_t cluster)
{
	struct hostname host;
	bool wildcard;
	assert_true(name_parse(text, &host, &wildcard));
	struct name *name = names_add(in, &host, wildcard);
	struct pair *pair = names_pair_add(in, name, cluster);
	names_pair_set_present(in, name, pair, true);
	return pair;
}

static void parked_routes(void **state)
{
	struct json_faults faults = {0};
	serve(&names, "app.ch", 2)->parked = true;
	serve(&names, "*.wild.ch", 2)->parked = true;
	serve(&names, "free.ch", 2);
	serve(&names, "other.ch", 3)->parked = true;
	json_t *object = saved(2);
	assert_int_equal(json_array_size(json_object_get(object, "parked")), 2);
	struct pair *app = serve(&again, "app.ch", 5), *wild = serve(&again, "*.wild.ch", 5);
	struct pair *free = serve(&again, "free.ch", 5);
	struct reader reader = open_reader(object, &faults);
	state_facts_read_parked(&reader, &again, 5);
	assert_true(app->parked && wild->parked && !free->parked);
	json_decref(object);
}

static void nothing_to_say(void **state)
{
	struct cluster_spec *spec = fixture_cluster(FIXTURE_OSE1);
	override("app.ch", 2, 30);
	override("app.ch", 2, -1);
	json_t *object = saved(2);
	state_facts_write_held(object, spec);
	assert_int_equal(json_object_size(object), 1);
	json_decref(object);
	cluster_free(spec);
}

static void wrong_overrides_are_left_out(void **state)
{
	struct json_faults faults = {0};
	json_t *object = json_loads(
	    "{\"overrides\":{\"a..b\":1,\"a.ch\":101,\"b.ch\":-1,\"c.ch\":\"5\",\"d.ch\":5,\"e.ch\":0.001}}", 0, NULL);
	struct reader reader = open_reader(object, &faults);
	state_facts_read_overrides(&reader, &again, 0);
	assert_int_equal(again.overrides_of[0], 1);
	assert_int_equal(override_of(&again, "d.ch", 0), 500); /* as it was saved before there were decimals */
	json_decref(object);
}

static void held_parts_of_a_push(void **state)
{
	struct json_faults faults = {0};
	json_t *object = json_object();
	struct cluster_spec *spec = fixture_cluster(FIXTURE_OSE1), *copy = fixture_cluster(FIXTURE_OSE1);
	spec->routes[1].hold = (struct hold){HOLD_MANY, 10, 20};
	spec->hosts[0].hold = (struct hold){HOLD_ALL, 30, 0};
	state_facts_write_held(object, spec);
	struct reader reader = open_reader(object, &faults);
	state_facts_read_held(&reader, copy);
	assert_int_equal(copy->routes[0].hold.reason, HOLD_NONE);
	assert_memory_equal(&copy->routes[1].hold, &spec->routes[1].hold, sizeof(struct hold));
	assert_memory_equal(&copy->hosts[0].hold, &spec->hosts[0].hold, sizeof(struct hold));
	assert_int_equal(copy->hosts[1].hold.reason, HOLD_NONE);
	json_decref(object);
	cluster_free(spec);
	cluster_free(copy);
}

static void a_hold_that_is_none(void **state)
{
	static const char *const texts[] = {"[]", "{}", "{\"reason\":\"why\",\"since\":1,\"listed\":1}",
	                                    "{\"reason\":\"all\",\"since\":\"1\",\"listed\":1}"};
	assert_int_equal(state_facts_read_hold(NULL).reason, HOLD_NONE);
	for (unsigned i = 0; i < 4; i++) {
		json_t *value = json_loads(texts[i], 0, NULL);
		assert_int_equal(state_facts_read_hold(value).reason, HOLD_NONE);
		json_decref(value);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(overrides, teardown),
	    cmocka_unit_test_teardown(parked_routes, teardown),
	    cmocka_unit_test_teardown(nothing_to_say, teardown),
	    cmocka_unit_test_teardown(wrong_overrides_are_left_out, teardown),
	    cmocka_unit_test_teardown(held_parts_of_a_push, teardown),
	    cmocka_unit_test_teardown(a_hold_that_is_none, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
