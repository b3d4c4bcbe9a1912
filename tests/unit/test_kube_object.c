/* kube_object: JSON without trust, metadata, names and times. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "control/kube/kube_object.h"
#include "tests/unit/guarded_buffer.h"

static json_t *parse(const char *text, size_t len)
{
	struct guarded_buffer buffer = guarded_create();
	char why[KUBE_WHY_MAX] = "";
	json_t *root = kube_json_parse((const char *)guarded_copy(&buffer, text, len), len, why);
	assert_true((root == NULL) == (why[0] != '\0'));
	guarded_destroy(&buffer);
	return root;
}

static json_t *object_of(const char *text)
{
	json_t *root = parse(text, strlen(text));
	assert_non_null(root);
	return root;
}

static void odd_bytes_are_replaced(void **state)
{
	static const struct {
		const char *text, *read;
	} cases[] = {
	    {"{\"a\":\"x\xffy\"}", "x?y"},
	    {"{\"a\":\"\xc3\xa9\"}", "\xc3\xa9"},
	    {"{\"a\":\"\xc3\"}", "?"},
	    {"{\"a\":\"\xed\xa0\x80\"}", "???"},
	    {"{\"a\":\"\xf0\x9f\x98\x80\xf5\"}", "\xf0\x9f\x98\x80?"},
	    {"{\"a\":\"\xe0\x80\x80\xc0\x80\xf0\x80\x80\x80\xf4\x90\x80\x80\"}", "?????????????"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		json_t *root = object_of(cases[i].text);
		assert_string_equal(kube_text(root, "a"), cases[i].read);
		json_decref(root);
	}
}

static void what_is_no_json_is_not_shown(void **state)
{
	char why[KUBE_WHY_MAX];
	static const char text[] = "{\"key\":\"SECRET\", SECRET}";
	assert_null(kube_json_parse(text, strlen(text), why));
	assert_null(strstr(why, "SECRET"));
	assert_string_equal(why, "is no JSON from byte 23 of 24 on");
	assert_null(parse("", 0));
	assert_null(parse("{\"a\":1", 6));
	json_t *root = object_of("{\"a\":\"1\",\"a\":\"2\"}"); /* Go takes the last one, too */
	assert_string_equal(kube_text(root, "a"), "2");
	json_decref(root);
}

static void nul_in_a_string(void **state)
{
	json_t *root = object_of("{\"a\":\"x\\u0000y\"}");
	const char *text;
	char why[KUBE_WHY_MAX];
	assert_null(kube_text(root, "a"));
	assert_false(kube_get_text(root, "spec.a", &text, why));
	assert_string_equal(why, "spec.a has a NUL inside");
	json_decref(root);
}

static void types(void **state)
{
	json_t *root = object_of("{\"n\":1,\"s\":\"x\",\"o\":{},\"l\":[],\"null\":null}"), *out;
	const char *text;
	char why[KUBE_WHY_MAX];
	assert_true(kube_get_text(root, "x.s", &text, why));
	assert_string_equal(text, "x");
	assert_true(kube_get_text(root, "x.null", &text, why) && !text);
	assert_true(kube_get_text(root, "x.absent", &text, why) && !text);
	assert_true(kube_get_text(NULL, "x.absent", &text, why) && !text);
	assert_false(kube_get_text(root, "x.n", &text, why));
	assert_string_equal(why, "x.n is a number");
	assert_true(kube_get_object(root, "x.o", &out, why) && out);
	assert_true(kube_get_object(root, "x.null", &out, why) && !out);
	assert_false(kube_get_object(root, "x.l", &out, why));
	assert_string_equal(why, "x.l is an array");
	assert_true(kube_get_array(root, "x.l", &out, why) && out);
	assert_false(kube_get_array(root, "x.o", &out, why));
	assert_string_equal(why, "x.o is an object");
	json_decref(root);
}

static const char good[] = "{\"metadata\":{\"uid\":\"u-1\",\"namespace\":\"shop\",\"name\":\"web\","
                           "\"creationTimestamp\":\"2026-01-02T03:04:05Z\",\"resourceVersion\":\"7\"}}";

static void metadata(void **state)
{
	struct kube_meta meta;
	char why[KUBE_WHY_MAX], name[KUBE_OBJECT_NAME_MAX];
	json_t *root = object_of(good);
	assert_true(kube_meta_read(root, &meta, why));
	assert_string_equal(meta.uid, "u-1");
	assert_string_equal(meta.namespace, "shop");
	assert_string_equal(meta.name, "web");
	assert_int_equal(meta.created, 1767323045000);
	assert_false(meta.deleting);
	assert_null(meta.annotations);
	assert_string_equal(kube_object_uid(root), "u-1");
	assert_string_equal(kube_object_version(root), "7");
	assert_string_equal(kube_object_name(root, name), "shop/web");
	json_object_set_new(json_object_get(root, "metadata"), "deletionTimestamp",
	                    json_string("2026-01-02T03:04:05Z"));
	assert_true(kube_meta_read(root, &meta, why) && meta.deleting);
	json_decref(root);
}

static void broken_metadata(void **state)
{
	char long_text[300] = "";
	memset(long_text, 'a', 260);
	const struct {
		const char *field;
		json_t *value; /* NULL: absent */
		const char *why;
	} cases[] = {
	    {"uid", NULL, "metadata.uid is missing"},
	    {"uid", json_null(), "metadata.uid is missing"},
	    {"uid", json_integer(5), "metadata.uid is a number"},
	    {"uid", json_string(""), "metadata.uid is empty, longer than 63 bytes, or not plain"},
	    {"uid", json_string("a b"), "metadata.uid is empty, longer than 63 bytes, or not plain"},
	    {"namespace", json_string("a/b"), "metadata.namespace is empty, longer than 63 bytes, or not plain"},
	    {"name", json_string(long_text), "metadata.name is empty, longer than 253 bytes, or not plain"},
	    {"creationTimestamp", NULL, "metadata.creationTimestamp is missing"},
	    {"creationTimestamp", json_string("yesterday"), "metadata.creationTimestamp is no time"},
	    {"deletionTimestamp", json_true(), "metadata.deletionTimestamp is true or false"},
	    {"annotations", json_array(), "metadata.annotations is an array"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct kube_meta meta;
		char why[KUBE_WHY_MAX] = "";
		json_t *root = object_of(good), *metadata = json_object_get(root, "metadata");
		if (cases[i].value)
			json_object_set_new(metadata, cases[i].field, cases[i].value);
		else
			json_object_del(metadata, cases[i].field);
		assert_false(kube_meta_read(root, &meta, why));
		assert_string_equal(why, cases[i].why);
		if (strcmp(cases[i].field, "uid") == 0)
			assert_null(kube_object_uid(root));
		json_decref(root);
	}
	struct kube_meta meta;
	char why[KUBE_WHY_MAX];
	json_t *array = json_array();
	assert_false(kube_meta_read(array, &meta, why));
	assert_false(kube_meta_read(NULL, &meta, why));
	assert_string_equal(why, "is no object");
	json_decref(array);
}

static void names_for_messages(void **state)
{
	char name[KUBE_OBJECT_NAME_MAX];
	assert_string_equal(kube_object_name(NULL, name), "?/?");
	json_t *root = object_of("{\"metadata\":{\"namespace\":\"a\\nb\",\"name\":\"\"}}");
	assert_string_equal(kube_object_name(root, name), "a?b/?");
	json_decref(root);
	char text[2000] = "";
	memset(text, 'x', 1500);
	root = json_pack("{s:{s:s, s:s}}", "metadata", "namespace", text, "name", text);
	assert_true(strlen(kube_object_name(root, name)) < KUBE_OBJECT_NAME_MAX);
	json_decref(root);
}

static void conditions(void **state)
{
	json_t *list =
	    json_pack("[{s:s, s:s}, n, {s:s, s:s}]", "type", "A", "status", "False", "type", "B", "status", "True");
	assert_false(kube_condition_true(list, "A"));
	assert_true(kube_condition_true(list, "B"));
	assert_false(kube_condition_true(list, "C"));
	assert_false(kube_condition_true(NULL, "A"));
	json_decref(list);
}

static void times(void **state)
{
	int64_t ms;
	assert_true(kube_time_parse("1970-01-01T00:00:01Z", &ms));
	assert_int_equal(ms, 1000);
	assert_true(kube_time_parse("1970-01-01T00:00:01.25Z", &ms));
	assert_int_equal(ms, 1250);
	assert_true(kube_time_parse("1970-01-01T00:00:00.123456Z", &ms));
	assert_int_equal(ms, 123);
	assert_false(kube_time_parse("1970-01-01T00:00:01", &ms));
	assert_false(kube_time_parse("1970-01-01T00:00:01Zx", &ms));
	assert_false(kube_time_parse("1970-13-01T00:00:01Z", &ms));
	assert_false(kube_time_parse("", &ms));
}

static void cuts(void **state)
{
	char text[] = "ab\xc3\xa9", half[] = "ab\xe2\x82", plain[] = "ab", none[] = "";
	kube_words_trim(text);
	kube_words_trim(half);
	kube_words_trim(plain);
	kube_words_trim(none);
	assert_string_equal(text, "ab\xc3\xa9");
	assert_string_equal(half, "ab");
	assert_string_equal(plain, "ab");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(odd_bytes_are_replaced),
	    cmocka_unit_test(what_is_no_json_is_not_shown),
	    cmocka_unit_test(nul_in_a_string),
	    cmocka_unit_test(types),
	    cmocka_unit_test(metadata),
	    cmocka_unit_test(broken_metadata),
	    cmocka_unit_test(names_for_messages),
	    cmocka_unit_test(conditions),
	    cmocka_unit_test(times),
	    cmocka_unit_test(cuts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
