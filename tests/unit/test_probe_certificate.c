/* probe_certificate: names, dates, whether it is for a host, and what strangers may write into one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "certificate_fixture.h"
#include "control/traffic/probe_certificate.h"

enum { DAY = 24 * 3600 };

static struct certificate_fixture made;
static struct probe_certificate read;

static bool matches(const char *host)
{
	assert_true(probe_certificate_read(made.pem, host, &read));
	return read.matches;
}

static void names_and_dates(void **state)
{
	certificate_make(&made, "app1.ch", "app1.ch *.wild.ch", -DAY, 30 * DAY);
	assert_true(matches("app1.ch"));
	assert_string_equal(read.subject, "CN=app1.ch");
	assert_string_equal(read.issuer, "CN=app1.ch");
	assert_int_equal(read.name_count, 2);
	assert_string_equal(read.names[1], "*.wild.ch");
	int64_t now = (int64_t)time(NULL) * 1000;
	assert_in_range(read.not_after - now, (30LL * DAY - 60) * 1000, 30LL * DAY * 1000);
	assert_in_range(now - read.not_before, (DAY - 60LL) * 1000, (DAY + 60LL) * 1000);
}

static void whether_it_is_for_a_host(void **state)
{
	certificate_make(&made, "other.ch", "app1.ch *.wild.ch", -DAY, DAY);
	assert_true(matches("app1.ch"));
	assert_true(matches("a.wild.ch"));
	assert_false(matches("wild.ch"));
	assert_false(matches("a.b.wild.ch"));
	assert_false(matches("app2.ch"));
	assert_false(matches("other.ch"));
	certificate_make(&made, "other.ch", "", -DAY, DAY);
	assert_true(matches("other.ch"));
	assert_int_equal(read.name_count, 0);
}

static void many_names(void **state)
{
	char names[2000] = "";
	for (int i = 0; i < 50; i++)
		snprintf(names + strlen(names), sizeof(names) - strlen(names), "n%d.ch ", i);
	certificate_make(&made, "x", names, -DAY, DAY);
	assert_true(matches("n49.ch"));
	assert_int_equal(read.name_count, CERTIFICATE_NAMES_MAX);
}

static void what_strangers_write(void **state)
{
	certificate_make(&made, "<img src=x>\n\x1b[31m", "app1.ch", -DAY, DAY);
	assert_true(matches("app1.ch"));
	for (const char *c = read.subject; *c != '\0'; c++)
		assert_true((unsigned char)*c >= 0x20 && *c != 0x7f);
	assert_non_null(strstr(read.subject, "img src=x"));
}

static void what_is_no_certificate(void **state)
{
	assert_false(probe_certificate_read("", "app1.ch", &read));
	assert_false(
	    probe_certificate_read("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "app1.ch", &read));
	assert_int_equal(read.name_count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names_and_dates),
	    cmocka_unit_test(whether_it_is_for_a_host),
	    cmocka_unit_test(many_names),
	    cmocka_unit_test(what_strangers_write),
	    cmocka_unit_test(what_is_no_certificate),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
