/* hundredths: every value through JSON and back, and what is refused with which words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/state/hundredths.h"

static void every_value_comes_back(void **state)
{
	for (unsigned value = 0; value <= HUNDREDTHS_ALL; value++) {
		uint16_t again = UINT16_MAX;
		char text[HUNDREDTHS_TEXT_MAX];
		json_t *json = hundredths_json(value);
		assert_int_equal(json_is_integer(json), value % 100 == 0);
		assert_true(hundredths_of(json, &again));
		assert_int_equal(again, value);
		json_decref(json);
		json = json_loads(hundredths_text(value, text), JSON_DECODE_ANY, NULL);
		assert_true(hundredths_of(json, &again));
		assert_int_equal(again, value);
		json_decref(json);
	}
}

static void texts(void **state)
{
	char text[HUNDREDTHS_TEXT_MAX];
	assert_string_equal(hundredths_text(0, text), "0");
	assert_string_equal(hundredths_text(1, text), "0.01");
	assert_string_equal(hundredths_text(1250, text), "12.5");
	assert_string_equal(hundredths_text(9999, text), "99.99");
	assert_string_equal(hundredths_text(10000, text), "100");
}

/* The fault for {"weight": value}; "" for none. Free it. */
static char *fault_of(const char *value, bool required, uint16_t *out)
{
	char text[100];
	struct json_faults faults = {0};
	struct reader reader;
	snprintf(text, sizeof(text), value ? "{\"weight\": %s}" : "{}", value);
	json_t *object = json_loads(text, 0, NULL);
	reader_open(&reader, object, &faults, "$");
	bool good = hundredths_read(&reader, "weight", required, out);
	reader_close(&reader);
	char *reason = strdup(faults.count > 0 ? faults.list[0].reason : "");
	assert_true(faults.count <= 1);
	if (faults.count > 0) {
		assert_false(good);
		assert_string_equal(faults.list[0].path, "$.weight");
		assert_string_equal(faults.list[0].expected, "a number from 0 to 100 with at most 2 decimals");
	}
	json_faults_free(&faults);
	json_decref(object);
	return reason;
}

static void what_is_refused(void **state)
{
	static const struct {
		const char *value, *reason;
	} wrong[] = {
	    {"12.345", "12.345 has more than 2 decimals"},
	    {"0.001", "0.001 has more than 2 decimals"},
	    {"101", "101 is out of range"},
	    {"100.01", "100.01 is out of range"},
	    {"-1", "-1 is out of range"},
	    {"-0.5", "-0.5 is out of range"},
	    {"1e300", "1e+300 is out of range"},
	    {"\"5\"", "is a string"},
	    {"null", "is null"},
	    {"true", "is true or false"},
	    {NULL, "is missing"},
	};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		uint16_t out = 77;
		char *reason = fault_of(wrong[i].value, true, &out);
		assert_string_equal(reason, wrong[i].reason);
		assert_int_equal(out, 77);
		free(reason);
	}
}

static void what_is_taken(void **state)
{
	uint16_t out = 77;
	free(fault_of("33.30", true, &out));
	assert_int_equal(out, 3330);
	free(fault_of("1e1", true, &out));
	assert_int_equal(out, 1000);
	char *reason = fault_of(NULL, false, &out);
	assert_string_equal(reason, "");
	assert_int_equal(out, 1000);
	free(reason);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_value_comes_back),
	    cmocka_unit_test(texts),
	    cmocka_unit_test(what_is_refused),
	    cmocka_unit_test(what_is_taken),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
