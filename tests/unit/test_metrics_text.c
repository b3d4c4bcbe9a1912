/* The two text formats of a scrape, character by character. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "control/observe/metrics_text.h"

static struct metrics_text text;

static int begin(void **state)
{
	memset(&text, 0, sizeof(text));
	return 0;
}

static int end(void **state)
{
	free(text.bytes);
	return 0;
}

static void assert_text(const char *wanted)
{
	assert_int_equal(text.len, strlen(wanted));
	assert_memory_equal(text.bytes, wanted, text.len);
}

static void add_all(void)
{
	const struct metric_label labels[] = {{"worker", "0"}, {"reason", "ttl"}};
	metrics_family(&text, "pm_dropped", METRIC_COUNTER, NULL, "Frames dropped.");
	metrics_sample(&text, labels, 2, 18446744073709551615ULL);
	metrics_family(&text, "pm_memory_bytes", METRIC_GAUGE, "bytes", "Memory.");
	metrics_sample(&text, NULL, 0, 7);
	metrics_family(&text, "pm_build", METRIC_INFO, NULL, "Version.");
	metrics_sample(&text, &(struct metric_label){"version", "1"}, 1, 1);
	metrics_end(&text);
}

static void the_older_format_names_families_as_samples(void **state)
{
	add_all();
	assert_text("# HELP pm_dropped_total Frames dropped.\n# TYPE pm_dropped_total counter\n"
	            "pm_dropped_total{worker=\"0\",reason=\"ttl\"} 18446744073709551615\n"
	            "# HELP pm_memory_bytes Memory.\n# TYPE pm_memory_bytes gauge\npm_memory_bytes 7\n"
	            "# HELP pm_build_info Version.\n# TYPE pm_build_info gauge\npm_build_info{version=\"1\"} 1\n");
}

static void openmetrics_has_units_and_an_end(void **state)
{
	text.openmetrics = true;
	add_all();
	assert_text("# HELP pm_dropped Frames dropped.\n# TYPE pm_dropped counter\n"
	            "pm_dropped_total{worker=\"0\",reason=\"ttl\"} 18446744073709551615\n"
	            "# HELP pm_memory_bytes Memory.\n# TYPE pm_memory_bytes gauge\n# UNIT pm_memory_bytes bytes\n"
	            "pm_memory_bytes 7\n"
	            "# HELP pm_build Version.\n# TYPE pm_build info\npm_build_info{version=\"1\"} 1\n# EOF\n");
}

static void labels_are_escaped(void **state)
{
	text.name = "x";
	text.type = METRIC_GAUGE;
	metrics_sample(&text, &(struct metric_label){"a", "q\"b\\n\nu\xc3\xa4\xff<img>"}, 1, 0);
	assert_text("x{a=\"q\\\"b\\\\n\\nu\xc3\xa4?<img>\"} 0\n");
}

static void fractions_are_exact_and_finite(void **state)
{
	text.name = "x";
	text.type = METRIC_GAUGE;
	metrics_sample_real(&text, NULL, 0, 0.5);
	metrics_sample_real(&text, NULL, 0, NAN);
	metrics_sample_real(&text, NULL, 0, INFINITY);
	metrics_sample_real(&text, NULL, 0, 1700000000.125);
	assert_text("x 0.5\nx 1700000000.125\n");
}

static void the_text_grows(void **state)
{
	text.name = "x";
	text.type = METRIC_GAUGE;
	for (unsigned i = 0; i < 10000; i++)
		metrics_sample(&text, NULL, 0, 1);
	assert_int_equal(text.len, 10000 * strlen("x 1\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(the_older_format_names_families_as_samples, begin, end),
	    cmocka_unit_test_setup_teardown(openmetrics_has_units_and_an_end, begin, end),
	    cmocka_unit_test_setup_teardown(labels_are_escaped, begin, end),
	    cmocka_unit_test_setup_teardown(fractions_are_exact_and_finite, begin, end),
	    cmocka_unit_test_setup_teardown(the_text_grows, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
