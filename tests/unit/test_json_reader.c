/* json_reader: every fault with path, reason and expected form; unknown fields with the nearest name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "common/json_reader.h"

static json_t *parse(const char *text)
{
	struct json_faults faults = {0};
	json_t *value = json_text_parse(text, strlen(text), &faults);
	assert_non_null(value);
	return value;
}

static void assert_fault(const struct json_faults *faults, size_t i, const char *path, const char *reason,
                         const char *expected)
{
	assert_true(i < faults->count);
	assert_string_equal(faults->list[i].path, path);
	assert_string_equal(faults->list[i].reason, reason);
	assert_string_equal(faults->list[i].expected, expected);
}

static void syntax_error_names_line_and_column(void **state)
{
	struct json_faults faults = {0};
	assert_null(json_text_parse("{\n \"a\": x}", 10, &faults));
	assert_int_equal(faults.count, 1);
	assert_string_equal(faults.list[0].path, "$");
	assert_non_null(strstr(faults.list[0].reason, "line 2, column"));
	json_faults_free(&faults);
}

static void no_text_is_said_to_be_empty(void **state)
{
	struct json_faults faults = {0};
	assert_null(json_text_parse(NULL, 0, &faults));
	assert_int_equal(faults.count, 1);
	assert_fault(&faults, 0, "$", "is empty", "a JSON object");
	json_faults_free(&faults);
}

static void double_keys_are_refused(void **state)
{
	struct json_faults faults = {0};
	const char *text = "{\"a\":1,\"a\":2}";
	assert_null(json_text_parse(text, strlen(text), &faults));
	assert_non_null(strstr(faults.list[0].reason, "duplicate"));
	json_faults_free(&faults);
}

static void numbers(void **state)
{
	struct json_faults faults = {0};
	struct reader reader;
	json_t *value = parse("{\"a\":5,\"b\":11,\"c\":-1,\"d\":\"5\",\"e\":1.5}");
	uint64_t number = 77;
	reader_open(&reader, value, &faults, "$.x[%d]", 3);
	assert_true(reader_number(&reader, "a", 5, 10, &number));
	assert_int_equal(number, 5);
	assert_false(reader_number(&reader, "b", 5, 10, &number));
	assert_false(reader_number(&reader, "c", 0, 10, &number));
	assert_false(reader_number(&reader, "d", 0, 10, &number));
	assert_false(reader_number(&reader, "e", 0, 10, &number));
	assert_false(reader_number(&reader, "absent", 0, 10, &number));
	assert_int_equal(number, 5);
	reader_close(&reader);
	assert_int_equal(faults.count, 4);
	assert_fault(&faults, 0, "$.x[3].b", "11 is out of range", "a number from 5 to 10");
	assert_fault(&faults, 1, "$.x[3].c", "-1 is out of range", "a number from 0 to 10");
	assert_fault(&faults, 2, "$.x[3].d", "is a string", "a number from 0 to 10");
	assert_fault(&faults, 3, "$.x[3].e", "is a number with a fraction", "a number from 0 to 10");
	json_faults_free(&faults);
	json_decref(value);
}

static void strings_choices_and_flags(void **state)
{
	static const char *const choices[] = {"http", "tls", NULL};
	struct json_faults faults = {0};
	struct reader reader;
	json_t *value = parse("{\"a\":\"abc\",\"b\":\"\",\"c\":\"tls\",\"d\":\"tcp\",\"e\":true,\"f\":1}");
	const char *text = NULL;
	int choice = 0;
	bool flag = false;
	reader_open(&reader, value, &faults, "$");
	assert_true(reader_string(&reader, "a", 3, true, &text));
	assert_string_equal(text, "abc");
	assert_false(reader_string(&reader, "a", 2, true, &text));
	assert_false(reader_string(&reader, "b", 3, false, &text));
	assert_false(reader_string(&reader, "none", 3, true, &text));
	assert_true(reader_choice(&reader, "c", choices, true, &choice));
	assert_int_equal(choice, 1);
	assert_false(reader_choice(&reader, "d", choices, true, &choice));
	assert_false(reader_choice(&reader, "none", choices, true, &choice));
	assert_true(reader_bool(&reader, "e", &flag));
	assert_true(flag);
	assert_false(reader_bool(&reader, "f", &flag));
	reader_close(&reader);
	assert_int_equal(faults.count, 6);
	assert_fault(&faults, 0, "$.a", "has 3 bytes", "a string of 1 to 2 bytes");
	assert_fault(&faults, 1, "$.b", "has 0 bytes", "a string of 1 to 3 bytes");
	assert_fault(&faults, 2, "$.none", "is missing", "a string of 1 to 3 bytes");
	assert_fault(&faults, 3, "$.d", "\"tcp\" is not known", "\"http\" or \"tls\"");
	assert_fault(&faults, 4, "$.none", "is missing", "\"http\" or \"tls\"");
	assert_fault(&faults, 5, "$.f", "is a number", "true or false");
	json_faults_free(&faults);
	json_decref(value);
}

static void arrays(void **state)
{
	struct json_faults faults = {0};
	struct reader reader;
	json_t *value = parse("{\"a\":[1,2],\"b\":{}}");
	reader_open(&reader, value, &faults, "$");
	assert_int_equal(json_array_size(reader_array(&reader, "a", 1, 2, "things")), 2);
	assert_null(reader_array(&reader, "a", 3, 4, "things"));
	assert_null(reader_array(&reader, "b", 0, 4, "things"));
	assert_null(reader_array(&reader, "c", 0, 4, "things"));
	assert_null(reader_array(&reader, "c", 1, 4, "things"));
	reader_close(&reader);
	assert_int_equal(faults.count, 3);
	assert_fault(&faults, 0, "$.a", "has 2 elements", "an array of 3 to 4 things");
	assert_fault(&faults, 1, "$.b", "is an object", "an array of 0 to 4 things");
	assert_fault(&faults, 2, "$.c", "is missing", "an array of 1 to 4 things");
	json_faults_free(&faults);
	json_decref(value);
}

static void unknown_fields(void **state)
{
	struct json_faults faults = {0};
	struct reader reader;
	json_t *value = parse("{\"listners\":1,\"zebra\":2,\"port\":3}");
	reader_open(&reader, value, &faults, "$");
	reader_field(&reader, "listeners");
	reader_field(&reader, "port");
	reader_close(&reader);
	assert_int_equal(faults.count, 2);
	assert_fault(&faults, 0, "$", "unknown field \"listners\"", "\"listeners\"");
	assert_fault(&faults, 1, "$", "unknown field \"zebra\"", "one of listeners, port");
	json_faults_free(&faults);
	json_decref(value);
}

static void what_is_no_object_is_one_fault(void **state)
{
	struct json_faults faults = {0};
	struct reader reader;
	json_t *value = parse("[1]");
	const char *text;
	reader_open(&reader, value, &faults, "$.a");
	assert_false(reader_string(&reader, "b", 3, true, &text));
	assert_null(reader_array(&reader, "c", 1, 3, "things"));
	reader_close(&reader);
	assert_int_equal(faults.count, 1);
	assert_fault(&faults, 0, "$.a", "is an array", "an object");
	json_faults_free(&faults);
	json_decref(value);
}

static void many_faults_are_counted_not_kept(void **state)
{
	struct json_faults faults = {0};
	for (int i = 0; i < JSON_FAULTS_MAX + 7; i++)
		json_faults_add(&faults, "$", "x", "y %d", i);
	assert_int_equal(faults.count, JSON_FAULTS_MAX);
	assert_int_equal(faults.more, 7);
	json_faults_free(&faults);
	assert_int_equal(faults.count, 0);
}

static void quoting_keeps_one_line(void **state)
{
	char text[READER_TEXT_MAX], longer[300];
	assert_string_equal(json_quote("a\nb\x7f", text), "\"a?b?\"");
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	json_quote(longer, text);
	assert_true(strlen(text) < READER_TEXT_MAX);
	assert_non_null(strstr(text, "...\""));
	assert_string_equal(json_quote("\xc3\xa9\xff", text), "\"???\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(syntax_error_names_line_and_column),
	    cmocka_unit_test(no_text_is_said_to_be_empty),
	    cmocka_unit_test(double_keys_are_refused),
	    cmocka_unit_test(numbers),
	    cmocka_unit_test(strings_choices_and_flags),
	    cmocka_unit_test(arrays),
	    cmocka_unit_test(unknown_fields),
	    cmocka_unit_test(what_is_no_object_is_one_fault),
	    cmocka_unit_test(many_faults_are_counted_not_kept),
	    cmocka_unit_test(quoting_keeps_one_line),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
