/* config_check: both parts of a file, with all errors at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/config_check.h"

#define MACHINE                                                                                                        \
	"\"ports\":[{\"interface\":\"north\"}],\"listeners\":[{\"name\":\"http\",\"mode\":\"http\",\"addresses\":["    \
	"\"198.51.100.10\"]}],\"source_pool\":{\"prefixes\":[\"203.0.113.64/28\"]}"

static char path[] = "/tmp/pm-test-check-XXXXXX";
static struct config_errors errors;
static char summary[200];

static bool check(const char *text)
{
	FILE *file = fopen(path, "w");
	fputs(text, file);
	fclose(file);
	config_errors_free(&errors);
	return config_check(path, &errors, summary, sizeof(summary));
}

static void assert_lines(size_t count, const char *const *lines)
{
	for (size_t i = 0; i < errors.count && errors.count != count; i++)
		print_error("%s\n", errors.lines[i]);
	assert_int_equal(errors.count, count);
	for (size_t i = 0; i < count; i++)
		assert_ptr_equal(strstr(errors.lines[i], lines[i]), errors.lines[i]);
}

static void a_good_file(void **state)
{
	assert_true(
	    check("{" MACHINE ",\"clusters\":[{\"name\":\"a\",\"source\":\"static\",\"hosts\":[{\"name\":\"r\","
	          "\"address\":\"192.0.2.1\"}],\"routes\":[{\"host\":\"x.ch\"},{\"host\":\"y.ch\"}]},{\"name\":\"b\","
	          "\"source\":\"push\"}]}"));
	assert_string_equal(summary, "good: 1 ports, 1 listeners, 2 clusters with 1 router hosts and 2 routes");
	assert_true(check("{" MACHINE "}"));
}

static void errors_of_both_parts(void **state)
{
	static const char *const lines[] = {"$.ports: is missing", "$.listeners: is missing",
	                                    "$.source_pool: is missing", "$.clusters[0].name: is missing",
	                                    "$.clusters[1].source: is missing"};
	assert_false(check("{\"clusters\":[{\"source\":\"static\"},{\"name\":\"x\"}]}"));
	assert_lines(5, lines);
}

static void clusters_that_do_not_fit_together(void **state)
{
	static const char *const lines[] = {
	    "$.clusters[0].hosts[0].address: belongs to a listener",
	    "$.clusters[1].hosts: would make 2 router hosts in all; expected at most 1 (limits.hosts",
	    "$.clusters[1].routes: would make 2 host names in all; expected at most 1 (limits.routes"};
	assert_false(check(
	    "{" MACHINE ",\"limits\":{\"hosts\":1,\"routes\":1},\"clusters\":[{\"name\":\"a\",\"source\":\"static\","
	    "\"hosts\":[{\"name\":\"r\",\"address\":\"198.51.100.10\"}],\"routes\":[{\"host\":\"x.ch\"}]},"
	    "{\"name\":\"b\",\"source\":\"static\",\"hosts\":[{\"name\":\"r\",\"address\":\"192.0.2.1\"}],"
	    "\"routes\":[{\"host\":\"y.ch\"}]}]}"));
	assert_lines(3, lines);
}

static void what_is_no_json(void **state)
{
	assert_false(check("{"));
	assert_int_equal(errors.count, 1);
	assert_non_null(strstr(errors.lines[0], "line 1, column"));
	config_errors_free(&errors);
	assert_false(config_check("/nonexistent", &errors, summary, sizeof(summary)));
	assert_int_equal(errors.count, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_good_file),
	    cmocka_unit_test(errors_of_both_parts),
	    cmocka_unit_test(clusters_that_do_not_fit_together),
	    cmocka_unit_test(what_is_no_json),
	};
	close(mkstemp(path));
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	config_errors_free(&errors);
	unlink(path);
	return failed;
}
