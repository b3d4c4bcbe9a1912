/* cli/units: every form that is taken, and what is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

#include "control/cli/units.h"

static void assert_duration(const char *text, int64_t expected)
{
	int64_t seconds = -2;
	bool good = duration_parse(text, &seconds);
	if (expected < 0)
		assert_false(good);
	else {
		assert_true(good);
		assert_int_equal(seconds, expected);
	}
}

static void durations_are_read(void **state)
{
	assert_duration("0", 0);
	assert_duration("90", 90);
	assert_duration("90s", 90);
	assert_duration("30m", 1800);
	assert_duration("2h", 7200);
	assert_duration("1d", 86400);
	assert_duration("1h30m", 5400);
	assert_duration("1d2h3m4s", 93784);
	assert_duration("366d", 366 * 86400);
	assert_duration("367d", -1);
	static const char *const bad[] = {"",   "m",    "h1",  "1x",  "1h30", "30m1h",      "1h1h",
	                                  "-1", "1.5h", " 1h", "1h ", "1 h",  "9999999999", "1ms"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_duration(bad[i], -1);
}

static void durations_are_written(void **state)
{
	char text[UNITS_TEXT_MAX];
	assert_string_equal(duration_format(-5, text), "0s");
	assert_string_equal(duration_format(59, text), "59s");
	assert_string_equal(duration_format(60, text), "1m00s");
	assert_string_equal(duration_format(3599, text), "59m59s");
	assert_string_equal(duration_format(3660, text), "1h01m");
	assert_string_equal(duration_format(86399, text), "23h59m");
	assert_string_equal(duration_format(90000, text), "1d01h");
}

static void percents_have_two_decimals(void **state)
{
	static const char *const bad[] = {"",    ".5",    "5.",  "100.01", "101", "1000", "-1", "+1", "1e1",
	                                  "0x1", "1.234", "1,5", "nan",    "inf", "5%",   " 5", "5 ", "00001"};
	double value;
	char text[UNITS_TEXT_MAX];
	assert_true(percent_parse("0", &value) && value == 0);
	assert_true(percent_parse("100", &value) && value == 100);
	assert_true(percent_parse("100.00", &value) && value == 100);
	assert_true(percent_parse("33.33", &value));
	assert_string_equal(percent_format(value, text), "33.33");
	assert_true(percent_parse("0.5", &value));
	assert_string_equal(percent_format(value, text), "0.5");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(percent_parse(bad[i], &value));
	assert_string_equal(percent_format(100, text), "100");
	assert_string_equal(percent_format(10, text), "10");
	assert_string_equal(percent_format(0, text), "0");
	assert_string_equal(percent_format(0.01, text), "0.01");
	assert_string_equal(percent_format(66.666666, text), "66.67");
}

static void numbers_have_a_limit(void **state)
{
	uint64_t value;
	assert_true(number_parse("0", 10, &value) && value == 0);
	assert_true(number_parse("10", 10, &value) && value == 10);
	assert_false(number_parse("11", 10, &value));
	assert_false(number_parse("", 10, &value));
	assert_false(number_parse("1a", 10, &value));
	assert_false(number_parse("-1", 10, &value));
	assert_false(number_parse("9999999999999999999", UINT64_MAX, &value));
}

static void counts_are_grouped(void **state)
{
	char text[UNITS_TEXT_MAX];
	assert_string_equal(count_format(0, text), "0");
	assert_string_equal(count_format(999, text), "999");
	assert_string_equal(count_format(1000, text), "1,000");
	assert_string_equal(count_format(1234567, text), "1,234,567");
	assert_string_equal(count_format(-123456, text), "-123,456");
	assert_string_equal(count_format(INT64_MIN, text), "-9,223,372,036,854,775,808");
}

static void large_numbers_are_short(void **state)
{
	char text[UNITS_TEXT_MAX];
	assert_string_equal(short_format(0, text), "0");
	assert_string_equal(short_format(999, text), "999");
	assert_string_equal(short_format(1000, text), "1.0k");
	assert_string_equal(short_format(9960, text), "10k");
	assert_string_equal(short_format(999600, text), "1.0M");
	assert_string_equal(short_format(4.5e9, text), "4.5G");
}

static void times_are_read_and_shown(void **state)
{
	char text[UNITS_TEXT_MAX];
	setenv("TZ", "UTC", 1);
	tzset();
	assert_int_equal(time_parse("1970-01-01T00:00:01.250Z"), 1250);
	assert_int_equal(time_parse("2026-01-31T09:00:00Z"), 1769850000000);
	assert_int_equal(time_parse("2026-01-31T09:00:00.1Z"), 1769850000100);
	assert_int_equal(time_parse(""), -1);
	assert_int_equal(time_parse("2026-01-31"), -1);
	assert_int_equal(time_parse("2026-01-31T09:00:00"), -1);
	assert_int_equal(time_parse("2026-01-31T09:00:00+01:00"), -1);
	assert_string_equal(time_format(1769850000000, text), "2026-01-31 09:00:00");
	assert_string_equal(time_format(-1, text), "-");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(durations_are_read),         cmocka_unit_test(durations_are_written),
	    cmocka_unit_test(percents_have_two_decimals), cmocka_unit_test(numbers_have_a_limit),
	    cmocka_unit_test(counts_are_grouped),         cmocka_unit_test(large_numbers_are_short),
	    cmocka_unit_test(times_are_read_and_shown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
