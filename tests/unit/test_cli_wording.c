/* cli/wording: each call that a message of the API names becomes a command, and nothing else changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "control/cli/wording.h"

static void assert_worded(const char *text, const char *expected)
{
	char *worded = wording_make(text);
	assert_string_equal(worded, expected);
	free(worded);
}

static void calls_become_commands(void **state)
{
	assert_worded("there is no cluster \"x\"; GET /api/v1/clusters lists them",
	              "there is no cluster \"x\"; pointsman clusters lists them");
	assert_worded("GET /api/v1/hosts?cluster=v1 lists them", "pointsman hosts -c v1 lists them");
	assert_worded("GET /api/v1/hosts lists them", "pointsman hosts lists them");
	assert_worded("GET /api/v1/routes, GET /api/v1/revisions, GET /api/v1/tokens, GET /api/v1/connections.",
	              "pointsman routes, pointsman revision list, pointsman token list, pointsman conns.");
	assert_worded("GET /api/v1/diff?from=v1&to=v-2.x shows why", "pointsman diff v1 v-2.x shows why");
	assert_worded("activate it by POST /api/v1/clusters/v1/activate, which",
	              "activate it by pointsman cluster activate "
	              "v1, which");
	assert_worded("(POST /api/v1/clusters/v1/drain), (POST /api/v1/clusters/v1/offline with {\"close\": true})",
	              "(pointsman cluster drain v1), (pointsman cluster offline v1 --close)");
	assert_worded("(POST /api/v1/clusters/v1/held/confirm)", "(pointsman held confirm v1)");
}

static void fields_become_options(void **state)
{
	assert_worded("If-Match is \"3\", but the revision is 7 now: look (GET /api/v1/events) and try again with "
	              "If-Match: \"7\"",
	              "--if-revision is 3, but the revision is 7 now: look (pointsman events) and try again with "
	              "--if-revision 7");
	assert_worded("this needs a token: Authorization: Bearer TOKEN; pointsman token create makes one",
	              "this needs a token: --token-file FILE; pointsman token create makes one");
}

static void other_text_stays(void **state)
{
	static const char *const texts[] = {
	    "",
	    "app1.ch: cluster v2 has no healthy router host for http",
	    "GET /api/v1/clusters/v1/status", /* longer than a call of the table */
	    "GET /api/v1/hosts?limit=1",
	    "POST /api/v1/clusters//drain",
	    "POST /api/v1/clusters/v1",
	    "If-Match: ",
	    "{} \"{}\"",
	};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_worded(texts[i], texts[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(calls_become_commands),
	    cmocka_unit_test(fields_become_options),
	    cmocka_unit_test(other_text_stays),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
