/* kube_yaml: what becomes of mappings, sequences and scalars, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "control/kube/kube_yaml.h"

static void good(void **state)
{
	static const struct {
		const char *yaml, *json;
	} cases[] = {
	    {"a: b\n", "{\"a\":\"b\"}"},
	    {"a: {b: [c, 'd', \"e\"]}\n", "{\"a\":{\"b\":[\"c\",\"d\",\"e\"]}}"},
	    {"a:\n- b: 1\n  c: 2.5\n- d:\n", "{\"a\":[{\"b\":\"1\",\"c\":\"2.5\"},{\"d\":null}]}"},
	    {"a: true\nb: \"true\"\nc: False\nd: yes\ne: ~\nf: null\ng: ''\n",
	     "{\"a\":true,\"b\":\"true\",\"c\":false,\"d\":\"yes\",\"e\":null,\"f\":null,\"g\":\"\"}"},
	    {"{\"kind\": \"Config\", \"x\": [true, null]}", "{\"kind\":\"Config\",\"x\":[true,null]}"},
	    {"# c\n---\na: |\n  x\n  y\n...\n", "{\"a\":\"x\\ny\\n\"}"},
	    {"a: \xc3\xa9\n", "{\"a\":\"\xc3\xa9\"}"},
	    {"- a\n", "[\"a\"]"},
	    {"just text", "\"just text\""},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct json_faults faults = {0};
		json_t *root = kube_yaml_parse(cases[i].yaml, strlen(cases[i].yaml), &faults);
		if (!root)
			fail_msg("%s: %s", cases[i].yaml, faults.list[0].reason);
		assert_int_equal(faults.count, 0);
		char *text = json_dumps(root, JSON_COMPACT | JSON_ENCODE_ANY);
		assert_string_equal(text, cases[i].json);
		free(text);
		json_decref(root);
	}
}

static void refused(void **state)
{
	static const struct {
		const char *yaml, *reason;
	} cases[] = {
	    {"", "is empty"},
	    {"# nothing\n", "is empty"},
	    {"a: &x {b: c}\nd: *x\n", "line 2, column 4: an alias (*name), write out what it stands for"},
	    {"a: 1\nb: 2\na: 3\n", "line 3, column 4: the same key twice"},
	    {"a: b\n---\nc: d\n", "line 2, column 1: a second document"},
	    {"? [a]\n: b\n", "line 1, column 3: a key that is no text"},
	    {"a: [b\n", NULL},
	    {"a: b: c\n", NULL},
	    {"a: \"\\q\"\n", NULL},
	    {"\"a\\0b\": c\n", "line 1, column 1: a key with odd bytes"},
	    {"a: \xff\n", NULL},
	    {"\t- a\n\t\t: {", NULL},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct json_faults faults = {0};
		assert_null(kube_yaml_parse(cases[i].yaml, strlen(cases[i].yaml), &faults));
		assert_int_equal(faults.count, 1);
		if (cases[i].reason)
			assert_string_equal(faults.list[0].reason, cases[i].reason);
		json_faults_free(&faults);
	}
}

static void depth(void **state)
{
	for (unsigned levels = KUBE_YAML_DEPTH_MAX; levels <= KUBE_YAML_DEPTH_MAX + 1; levels++) {
		char text[200] = "";
		struct json_faults faults = {0};
		for (unsigned i = 0; i < levels; i++)
			strcat(text, "[");
		for (unsigned i = 0; i < levels; i++)
			strcat(text, "]");
		json_t *root = kube_yaml_parse(text, strlen(text), &faults);
		assert_int_equal(root != NULL, levels == KUBE_YAML_DEPTH_MAX);
		if (!root)
			assert_non_null(strstr(faults.list[0].reason, "too many levels"));
		json_faults_free(&faults);
		json_decref(root);
	}
}

/* The text may hold secrets: faults show places, not content. */
static void nothing_is_shown(void **state)
{
	static const char *const texts[] = {"a: SECRET: SECRET\n", "SECRET: 1\nSECRET: 2\n", "[SECRET", "%SECRET\n"};
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct json_faults faults = {0};
		assert_null(kube_yaml_parse(texts[i], strlen(texts[i]), &faults));
		assert_null(strstr(faults.list[0].reason, "SECRET"));
		json_faults_free(&faults);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(good),
	    cmocka_unit_test(refused),
	    cmocka_unit_test(depth),
	    cmocka_unit_test(nothing_is_shown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
