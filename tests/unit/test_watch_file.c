/* watch_file: every field written and read back, and texts that are something else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/watch_file.h"
#include "control_fixture.h"

static struct state state, again;

static void add_cluster(struct state *to)
{
	state_put(to, fixture_cluster("{'name': 'a', 'source': 'watch', 'watch': {'server': 'https://a'}}"), 0, 0);
}

static int setup(void **unused)
{
	add_cluster(&state);
	add_cluster(&again);
	return 0;
}

static int teardown(void **unused)
{
	state_free(&state);
	state_free(&again);
	return 0;
}

static struct pair *pair_of(struct state *of, const char *text, bool make)
{
	struct hostname host;
	bool wildcard;
	assert_true(name_parse(text, &host, &wildcard));
	struct name *name =
	    make ? names_add(&of->names, &host, wildcard) : names_find_host(&of->names, &host, wildcard);
	return make ? names_pair_add(&of->names, name, 0) : name ? names_pair(name, 0) : NULL;
}

static void serve(const char *text, struct pair facts)
{
	struct hostname host;
	bool wildcard;
	struct pair *pair = pair_of(&state, text, true);
	*pair = facts;
	name_parse(text, &host, &wildcard);
	names_pair_set_present(&state.names, names_find_host(&state.names, &host, wildcard), pair, true);
}

static bool read_back(void)
{
	size_t len;
	const char *why;
	char *text = watch_file_write(&state, state.clusters[0], &len);
	assert_int_equal(strlen(text), len);
	json_t *value = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(value);
	bool good = watch_file_read(&again, again.clusters[0], value, 500, &why);
	json_decref(value);
	free(text);
	return good;
}

static void every_field_of_a_route(void **unused)
{
	struct pair facts = {.http = true,
	                     .weight_given = true,
	                     .weight = 12,
	                     .conflict = true,
	                     .initial = true,
	                     .hold = {HOLD_MANY, 77, 88},
	                     .created = 1700000000123,
	                     .termination = TERMINATION_PASSTHROUGH,
	                     .insecure = INSECURE_REDIRECT,
	                     .namespace = "shop"};
	serve("app.ch", facts);
	names_pair_warn(pair_of(&state, "app.ch", false), "odd \"quote\" \n\xc3\xa9");
	state.revision = 44;
	serve("*.wild.ch", (struct pair){.https = true, .parked = true});
	assert_true(read_back());
	assert_true(again.clusters[0]->known);
	assert_int_equal(again.revision, 44);
	assert_int_equal(again.names.of_cluster[0], 2);
	const struct pair *app = pair_of(&again, "app.ch", false), *wild = pair_of(&again, "*.wild.ch", false);
	assert_true(app->present && app->http && !app->https && app->weight_given && app->conflict && app->initial);
	assert_false(app->parked);
	assert_int_equal(app->weight, 12);
	assert_int_equal(app->hold.reason, HOLD_MANY);
	assert_int_equal(app->hold.since, 77);
	assert_int_equal(app->hold.listed, 88);
	assert_int_equal(app->created, 1700000000123);
	assert_string_equal(app->namespace, "shop");
	assert_int_equal(app->termination, TERMINATION_PASSTHROUGH);
	assert_int_equal(app->insecure, INSECURE_REDIRECT);
	assert_string_equal(app->warning, "odd \"quote\" \n\xc3\xa9");
	assert_true(wild->parked && !wild->http && wild->https && !wild->weight_given && !wild->conflict);
	assert_null(wild->warning);
}

static void every_field_of_a_host(void **unused)
{
	struct host_spec *hosts = calloc(2, sizeof(*hosts)); /* zero between the fields too: all bytes are compared */
	memcpy(hosts[0].name, "w1", 3);
	hosts[0].http_port = 80;
	hosts[0].https_port = 443;
	hosts[0].check_port = 1937;
	hosts[0].pods = 2;
	hosts[0].state = HOST_DRAINING;
	memcpy(hosts[1].name, "w2", 3);
	hosts[1].https_port = 8443;
	hosts[1].hold.reason = HOLD_ALL;
	hosts[1].hold.since = 5;
	address_parse("192.0.2.1", &hosts[0].address);
	address_parse("192.0.2.2", &hosts[1].address);
	hosts[0].id = cluster_host_id("a", &hosts[0]);
	hosts[1].id = cluster_host_id("a", &hosts[1]);
	state_set_hosts(&state, state.clusters[0], hosts, 2, 0);
	assert_true(read_back());
	const struct cluster_spec *spec = again.clusters[0]->spec;
	assert_int_equal(spec->host_count, 2);
	assert_memory_equal(&spec->hosts[0], &hosts[0], sizeof(*hosts));
	assert_memory_equal(&spec->hosts[1], &hosts[1], sizeof(*hosts));
	assert_int_equal(again.host_count, 2);
}

static void overrides_that_were_read_before_stay(void **unused)
{
	serve("app.ch", (struct pair){.http = true});
	struct pair *pair = pair_of(&again, "app.ch", true);
	struct hostname host;
	bool wildcard;
	name_parse("app.ch", &host, &wildcard);
	names_pair_override(&again.names, names_find_host(&again.names, &host, wildcard), pair, 9);
	assert_true(read_back());
	pair = pair_of(&again, "app.ch", false);
	assert_true(pair->present && pair->overridden && pair->override == 9);
}

static void what_is_no_such_file(void **unused)
{
	static const char *const texts[] = {
	    "[]",
	    "{}",
	    "{\"cluster\":\"b\",\"hosts\":[],\"routes\":[]}",
	    "{\"cluster\":\"a\",\"hosts\":[]}",
	    "{\"cluster\":\"a\",\"hosts\":{},\"routes\":[]}",
	};
	for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		const char *why = NULL;
		json_t *value = json_loads(texts[i], 0, NULL);
		assert_false(watch_file_read(&again, again.clusters[0], value, 0, &why));
		assert_non_null(why);
		assert_false(again.clusters[0]->known);
		json_decref(value);
	}
}

static void wrong_entries_are_left_out(void **unused)
{
	static const char text[] =
	    "{\"cluster\":\"a\",\"hosts\":[1,{},{\"name\":\"x\",\"address\":\"nowhere\",\"http_port\":80,"
	    "\"https_port\":0,\"check_port\":0,\"state\":0,\"pods\":1},{\"name\":\"x\",\"address\":\"192.0.2.1\","
	    "\"http_port\":80,\"https_port\":0,\"check_port\":0,\"state\":9,\"pods\":1}],\"routes\":[7,{},"
	    "{\"host\":\"a..b\",\"http\":true,\"https\":true,\"created\":1},"
	    "{\"host\":\"w.ch\",\"weight\":101,\"http\":true,\"https\":true,\"created\":1},"
	    "{\"host\":\"good.ch\",\"http\":true,\"https\":true,\"created\":1}]}";
	const char *why;
	json_t *value = json_loads(text, 0, NULL);
	assert_true(watch_file_read(&again, again.clusters[0], value, 0, &why));
	assert_int_equal(again.names.of_cluster[0], 1);
	assert_int_equal(again.clusters[0]->spec->host_count, 0);
	json_decref(value);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(every_field_of_a_route), TEST(every_field_of_a_host),      TEST(overrides_that_were_read_before_stay),
	    TEST(what_is_no_such_file),   TEST(wrong_entries_are_left_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
