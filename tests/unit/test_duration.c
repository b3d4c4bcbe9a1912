/* duration: what is a span of time and what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "control/drain.h"
#include "control/duration.h"

static void texts(void **state)
{
	static const struct {
		const char *text;
		uint64_t seconds; /* 0: none */
	} cases[] = {{"30m", 1800},    {"90s", 90}, {"2h", 7200},     {"2h30m", 9000}, {"1h1m1s", 3661}, {"1d", 86400},
	             {"30d", 2592000}, {"1s", 1},   {"31d", 0},       {"0s", 0},       {"", 0},          {"30", 0},
	             {"m", 0},         {"30x", 0},  {"30m30m", 0},    {"30s2m", 0},    {"-1s", 0},       {"1.5h", 0},
	             {" 1s", 0},       {"1s ", 0},  {"999999999s", 0}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t ms = 7;
		bool good = duration_parse(cases[i].text, &ms);
		if (good != (cases[i].seconds > 0))
			print_error("%s\n", cases[i].text);
		assert_int_equal(good, cases[i].seconds > 0);
		assert_int_equal(ms, good ? cases[i].seconds * 1000 : 7);
	}
}

static bool read_value(json_t *value, uint64_t *ms, size_t *fault_count)
{
	struct json_faults faults = {0};
	struct reader reader;
	json_t *object = value ? json_pack("{s:o}", "timeout", value) : json_object();
	reader_open(&reader, object, &faults, "$");
	bool good = duration_read(&reader, "timeout", ms);
	*fault_count = faults.count;
	if (faults.count > 0)
		assert_string_equal(faults.list[0].path, "$.timeout");
	json_faults_free(&faults);
	json_decref(object);
	return good;
}

static void fields(void **state)
{
	uint64_t ms = 0;
	size_t faults;
	assert_true(read_value(json_string("30m"), &ms, &faults));
	assert_int_equal(ms, 1800000);
	assert_true(read_value(json_integer(5), &ms, &faults));
	assert_int_equal(ms, 5000);
	assert_true(read_value(json_real(1.5), &ms, &faults));
	assert_int_equal(ms, 1500);
	assert_false(read_value(NULL, &ms, &faults));
	assert_int_equal(faults, 0);
	json_t *wrong[] = {json_integer(0), json_real(0.5),      json_integer(2592001),
	                   json_true(),     json_string("soon"), json_null()};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_false(read_value(wrong[i], &ms, &faults));
		assert_int_equal(faults, 1);
	}
	assert_int_equal(ms, 1500);
}

static void for_people(void **state)
{
	static const struct {
		uint64_t ms;
		const char *text;
	} cases[] = {{500, "500ms"},  {1000, "1s"},       {90000, "1m30s"},  {1800000, "30m"},
	             {7200000, "2h"}, {9000000, "2h30m"}, {3661000, "61m1s"}};
	char text[DRAIN_TEXT_MAX];
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(drain_span(cases[i].ms, text), cases[i].text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(texts), cmocka_unit_test(fields),
	                                   cmocka_unit_test(for_people)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
