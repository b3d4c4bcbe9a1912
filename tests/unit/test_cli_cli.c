/* cli/cli: the program as a whole against a stand-in of the API: what is printed, what is sent, exit statuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "cli_server.h"

static int setup(void **state)
{
	cli_server_reset();
	unsetenv("POINTSMAN_TOKEN");
	return 0;
}

static const char clusters[] =
    "{\"revision\": 7, \"clusters\": [{\"name\": \"v1\", \"state\": \"active\", \"source\": \"watch\", \"hosts\": 2,"
    " \"healthy_hosts\": 1, \"routes\": 1200, \"active\": 34, \"new_per_second\": 5, \"held\": 3, \"stale\": true}]}\n";

static void people_get_a_table(void **state)
{
	cli_server_say("GET", "/api/v1/clusters", 200, clusters, 0);
	cli_expect(0,
	           "CLUSTER  STATE   SOURCE  HOSTS  ROUTES  ACTIVE  NEW/S  NOTES\n"
	           "v1       active  watch     1/2   1,200      34      5  not listed since the start; 3 held\n",
	           "", "clusters", NULL);
}

static void programs_get_the_answer_as_it_came(void **state)
{
	static const char odd[] = "{\"b\" : 1.10,\n \"a\":\"\\u001b\"}"; /* order, spaces, decimals, escapes */
	cli_server_say("GET", "/api/v1/clusters", 200, odd, 0);
	struct cli_result result = cli_result_of("clusters", "--json", NULL);
	assert_int_equal(result.status, 0);
	assert_memory_equal(result.out, odd, strlen(odd));
	assert_string_equal(result.out + strlen(odd), "\n");
	cli_result_free(&result);
}

static void the_token_is_shown(void **state)
{
	setenv("POINTSMAN_TOKEN", "pm_secret", 1);
	cli_server_say("GET", "/api/v1/whoami", 200, "{\"name\": \"anna\", \"role\": \"admin\", \"by\": \"token\"}", 0);
	cli_expect(0, "anna, admin by token", "", "whoami", NULL);
	assert_string_equal(cli_server_call(0)->authorization, "Bearer pm_secret");
}

static void pages_are_put_together(void **state)
{
	cli_server_say("GET", "/api/v1/held?limit=10000", 200,
	               "{\"total\": 2, \"offset\": 0, \"held\": [{\"cluster\": \"v1\", \"name\": \"a.ch\"}]}", 0);
	cli_server_say("GET", "/api/v1/held?limit=10000&offset=1", 200,
	               "{\"total\": 2, \"offset\": 1, \"held\": [{\"cluster\": \"v1\", \"name\": \"b.ch\"}]}", 0);
	struct cli_result result = cli_result_of("held", NULL);
	assert_non_null(strstr(result.out, "a.ch"));
	assert_non_null(strstr(result.out, "b.ch"));
	assert_int_equal(cli_server_calls(), 2);
	cli_result_free(&result);
}

static void one_page_is_what_was_asked_for(void **state)
{
	cli_server_say("GET", "/api/v1/held?limit=1&offset=5", 200,
	               "{\"total\": 20, \"offset\": 5, \"held\": [{\"cluster\": \"v1\", \"name\": \"f.ch\"}]}", 0);
	cli_expect(0, "1 of 20 held deletions; --limit and --offset choose others", "", "held", "--limit", "1",
	           "--offset", "5", NULL);
	assert_int_equal(cli_server_calls(), 1);
}

/* ---- errors ---- */

static void a_problem_is_told_with_its_faults(void **state)
{
	static const char problem[] =
	    "{\"title\": \"Bad Request\", \"status\": 400, \"detail\": \"the body is wrong\", \"errors\": [{\"path\": "
	    "\"$.weight\", \"reason\": \"101 is out of range\", \"expected\": \"0 to 100\"}], \"more_errors\": 2}";
	cli_server_say("PUT", "/api/v1/routes/a.ch/clusters/v1/weight", 400, problem, 0);
	cli_expect(
	    1, "",
	    "pointsman: the body is wrong (400 Bad Request)\n  $.weight: 101 is out of range; expected 0 to 100\n"
	    "  and 2 more\n",
	    "route", "weight", "a.ch", "v1", "100", NULL);
	/* Programs get it, too. */
	cli_expect(1, problem, "the body is wrong", "route", "weight", "a.ch", "v1", "100", "--json", NULL);
}

static void names_in_errors_are_cleaned(void **state)
{
	cli_server_say("GET", "/api/v1/routes/a.ch", 404,
	               "{\"title\": \"Not Found\", \"detail\": \"no \\u001b[2J\\nroute\"}", 0);
	cli_expect(1, "", "pointsman: no ?[2J?route (404 Not Found)\n", "route", "show", "a.ch", NULL);
}

static void without_a_token_the_way_to_one_is_told(void **state)
{
	cli_server_say("GET", "/api/v1/status", 401, "{\"title\": \"Unauthorized\", \"detail\": \"no token\"}", 0);
	cli_expect(1, "", "POINTSMAN_TOKEN", "status", NULL);
	cli_expect(1, "", "pointsman token create NAME --role admin --local", "status", NULL);
	setenv("POINTSMAN_TOKEN", "pm_old", 1);
	cli_expect(1, "", "The token of POINTSMAN_TOKEN is not known there", "status", NULL);
}

static void a_changed_revision_is_told_with_what_changed(void **state)
{
	cli_server_say("POST", "/api/v1/routes/a.ch/rollback", 412,
	               "{\"title\": \"Precondition Failed\", \"detail\": \"the revision is 9, not 7\"}", 0);
	cli_server_say(
	    "GET", "/api/v1/events", 200,
	    "{\"events\": [{\"at\": \"2026-01-31T09:00:00Z\", \"who\": \"bob\", \"text\": \"v2 drained\", "
	    "\"revision\": 9},"
	    " {\"at\": \"2026-01-31T08:00:00Z\", \"who\": \"ann\", \"text\": \"older\", \"revision\": 7},"
	    " {\"at\": \"2026-01-31T08:00:00Z\", \"who\": \"x\", \"text\": \"health\", \"revision\": null}]}",
	    0);
	struct cli_result result = cli_result_of("rollback", "a.ch", "--if-revision", "7", NULL);
	assert_int_equal(result.status, 1);
	assert_non_null(strstr(result.err, "Changed since revision 7"));
	assert_non_null(strstr(result.err, "bob  v2 drained"));
	assert_null(strstr(result.err, "older"));
	assert_null(strstr(result.err, "health"));
	cli_result_free(&result);
	assert_string_equal(cli_server_call(0)->if_match, "\"7\"");
}

static void a_refused_plan_is_shown(void **state)
{
	cli_server_say(
	    "POST", "/api/v1/routes/a.ch/shift", 409,
	    "{\"title\": \"Conflict\", \"detail\": \"a.ch is red. Mend that first, or force it\", \"forceable\": true, "
	    "\"plan\": "
	    "{\"routes\": 1, \"red\": 1, \"changes\": "
	    "[{\"host\": \"a.ch\", \"level\": \"red\", \"notes\": [\"no healthy router host on v2\"], \"before\": "
	    "[{\"cluster\": \"v1\", \"share\": 100}], \"after\": [{\"cluster\": \"v2\", \"share\": 100}]}]}}",
	    0);
	cli_expect(1, "",
	           "red    a.ch   v1 100%  v2 100%  no healthy router host on v2\n1 route, 1 red\n  --force does it "
	           "all the same.\n",
	           "shift", "a.ch", "--to", "v2", "--percent", "100", NULL);
}

/* What to type here, not what a program would send. */
static void refusals_name_commands(void **state)
{
	cli_server_say(
	    "DELETE", "/api/v1/clusters/v1", 409,
	    "{\"title\": \"Conflict\", \"forceable\": true, \"detail\": \"cluster v1 has 2 connections. Drain "
	    "it and wait (POST /api/v1/clusters/v1/drain), or close them (POST /api/v1/clusters/v1/offline "
	    "with {\\\"close\\\": true}), or force it\"}",
	    0);
	cli_expect(1, "",
	           "Drain it and wait (pointsman cluster drain v1), or close them (pointsman cluster offline v1 "
	           "--close), or force it (409 Conflict)\n  --force does it all the same.\n",
	           "cluster", "remove", "v1", NULL);
	cli_server_say("PATCH", "/api/v1/clusters/v1", 409,
	               "{\"title\": \"Conflict\", \"forceable\": true, \"detail\": \"no\"}", 0);
	cli_expect(1, "", "no (409 Conflict)\n  --force does it all the same.\n", "cluster", "set", "v1",
	           "state=draining", NULL);
}

static void nobody_at_the_address(void **state)
{
	cli_expect(1, "", "no answer from http://127.0.0.1:1: ", "--url", "http://127.0.0.1:1", "status", NULL);
	cli_expect(1, "", "--url URL, POINTSMAN_URL, or url = URL in /nonexistent/.config/pointsman/config", "--url",
	           "http://127.0.0.1:1", "status", NULL);
}

static void somebody_else_at_the_address(void **state)
{
	cli_server_say("GET", "/api/v1/status", 200, "<html>hello</html>", 0);
	cli_expect(1, "", "this is not pointsman's API", "status", NULL);
	cli_server_reset();
	cli_server_say("GET", "/api/v1/status", 301, "", 0);
	cli_expect(1, "", "with status 301 and no JSON", "status", NULL);
	cli_server_reset();
	cli_server_say("GET", "/api/v1/status", 400, "", 0); /* as a server does that expects TLS */
	cli_expect(1, "", "Perhaps it speaks TLS: try --url https://...", "status", NULL);
}

/* ---- writes ---- */

static void options_of_writes_are_sent(void **state)
{
	cli_server_say("PUT", "/api/v1/routes/%2A", 200, "{}", 0);
	cli_server_say("PUT", "/api/v1/routes/*.wild.ch/clusters/v1/weight", 200,
	               "{\"revision\": 7, \"changed\": true, \"applied\": false, \"dry_run\": true}", 0);
	cli_expect(0, "This would change it; nothing was done (--plan), revision 7", "", "route", "weight", "*.wild.ch",
	           "v1", "33.33", "--plan", "--reason", "CHG 1&2", "--if-revision", "7", NULL);
	const struct cli_call *call = cli_server_call(0);
	assert_string_equal(call->target,
	                    "/api/v1/routes/*.wild.ch/clusters/v1/weight?dry_run=true&reason=CHG%201%262");
	assert_string_equal(call->body, "{\"weight\":33.33}");
	assert_string_equal(call->if_match, "\"7\"");
}

static void outcomes_are_told_apart(void **state)
{
	static const struct {
		const char *answer, *line;
	} cases[] = {
	    {"{\"revision\": 8, \"changed\": true, \"applied\": true}", "Done, revision 8"},
	    {"{\"revision\": 8, \"changed\": false, \"applied\": true}",
	     "Nothing to change: it is so already, revision 8"},
	    {"{\"revision\": 8, \"changed\": true, \"applied\": false}",
	     "Saved as revision 8, but the workers have not"},
	    {"{\"revision\": 8, \"changed\": false, \"dry_run\": true}", "Nothing would change (--plan), revision 8"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cli_server_reset();
		cli_server_say("DELETE", "/api/v1/routes/a.ch/clusters/v1/weight", 200, cases[i].answer, 0);
		cli_expect(0, cases[i].line, "", "route", "weight", "a.ch", "v1", "default", NULL);
	}
}

static void a_red_plan_is_a_failure(void **state)
{
	static const char red[] =
	    "{\"revision\": 7, \"changed\": true, \"dry_run\": true, \"plan\": {\"routes\": 2, \"red\": 1, "
	    "\"missing\": 0, \"changes\": []}}";
	cli_server_say("POST", "/api/v1/clusters/v1/shift", 200, red, 0);
	cli_expect(1, "1 red route would be left out; --force includes it", "", "shift", "--all", "--from", "v1",
	           "--to", "v2", "--percent", "10", "--namespace", "shop", "--plan", NULL);
	assert_string_equal(cli_server_call(0)->body, "{\"to\":\"v2\",\"percent\":10.0,\"namespace\":\"shop\"}");
	cli_server_say("POST", "/api/v1/routes/a.ch/shift", 200, "{}", 0);
	cli_expect(0, "", "", "shift", "a.ch", "--from", "v1", "--to", "v2", "--percent", "2.5%", NULL);
	assert_string_equal(cli_server_call(1)->body, "{\"from\":\"v1\",\"to\":\"v2\",\"percent\":2.5}");
	cli_expect(0, "", "", "shift", "--all", "--from", "v1", "--to", "v2", "--percent", "10", "--plan", "--force",
	           NULL);
	assert_non_null(strstr(cli_server_call(2)->body, "\"force\":true"));
}

static void a_plan_that_is_refused_says_why(void **state)
{
	cli_server_say("POST", "/api/v1/hosts/v1/r1/drain", 200,
	               "{\"revision\": 7, \"changed\": false, \"dry_run\": true, \"plan\": {\"routes\": 1, \"red\": "
	               "1, \"refused\": true, \"forceable\": true, \"level\": \"red\", \"notes\": [\"the last one\"], "
	               "\"changes\": []}}",
	               0);
	cli_expect(1, "\nRefused: the last one\n  --force does it all the same.\n", "", "host", "drain", "v1/r1",
	           "--plan", NULL);
	cli_expect(1, "\"refused\": true", "", "--json", "host", "drain", "v1/r1", "--plan", NULL);
}

/* ---- usage ---- */

static void wrong_usage_asks_nothing(void **state)
{
	cli_expect(64, "", "did you mean status?", "stauts", NULL);
	cli_expect(64, "", "which routes?", "shift", "--to", "v2", "--percent", "1", NULL);
	cli_expect(64, "", "--all needs --from", "shift", "--all", "--to", "v2", "--percent", "1", NULL);
	cli_expect(64, "", "--from and --to are both v1", "shift", "a.ch", "--from", "v1", "--to", "v1", "--percent",
	           "1", NULL);
	cli_expect(64, "", "are needed", "shift", "a.ch", "--to", "v2", NULL);
	cli_expect(64, "", "expected 0 to 100", "shift", "a.ch", "--to", "v2", "--percent", "1.234", NULL);
	cli_expect(64, "", "expected 0 to 100", "shift", "a.ch", "--to", "v2", "--percent", "%", NULL);
	cli_expect(64, "", "or default", "route", "weight", "a.ch", "v1", "none", NULL);
	cli_expect(64, "", "expected CLUSTER/HOST", "host", "drain", "r1", NULL);
	cli_expect(64, "", "expected a duration", "host", "drain", "v1/r1", "--timeout", "soon", NULL);
	cli_expect(64, "", "which ones?", "conns", "close", NULL);
	cli_expect(64, "", "one or the other", "conns", "close", "1", "--route", "a.ch", NULL);
	cli_expect(64, "", "expected a number", "reload", "--if-revision", "x", NULL);
	cli_expect(64, "", "usage: pointsman", NULL, NULL);
	assert_int_equal(cli_server_calls(), 0);
}

static void help_tells_of_exit_statuses(void **state)
{
	cli_expect(0, "--wait waited long enough", "", "--help", NULL);
	cli_expect(0, "failed or refused; of status, diff, cluster check, probe", "", "--help", NULL);
	cli_expect(0, "status 1 if something is red", "", "status", "--help", NULL);
	cli_expect(0, "usage: pointsman shift", "", "help", "shift", NULL);
	cli_expect(0, "--percent P", "", "shift", "--help", NULL);
	cli_expect(0, "pointsman 0", "", "--version", NULL);
	cli_expect(64, "", "no command frob", "help", "frob", NULL);
}

static int start(void **state)
{
	cli_server_start();
	return 0;
}

static int stop(void **state)
{
	cli_server_stop();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(people_get_a_table, setup),
	    cmocka_unit_test_setup(programs_get_the_answer_as_it_came, setup),
	    cmocka_unit_test_setup(the_token_is_shown, setup),
	    cmocka_unit_test_setup(pages_are_put_together, setup),
	    cmocka_unit_test_setup(one_page_is_what_was_asked_for, setup),
	    cmocka_unit_test_setup(a_problem_is_told_with_its_faults, setup),
	    cmocka_unit_test_setup(names_in_errors_are_cleaned, setup),
	    cmocka_unit_test_setup(without_a_token_the_way_to_one_is_told, setup),
	    cmocka_unit_test_setup(a_changed_revision_is_told_with_what_changed, setup),
	    cmocka_unit_test_setup(a_refused_plan_is_shown, setup),
	    cmocka_unit_test_setup(refusals_name_commands, setup),
	    cmocka_unit_test_setup(nobody_at_the_address, setup),
	    cmocka_unit_test_setup(somebody_else_at_the_address, setup),
	    cmocka_unit_test_setup(options_of_writes_are_sent, setup),
	    cmocka_unit_test_setup(outcomes_are_told_apart, setup),
	    cmocka_unit_test_setup(a_red_plan_is_a_failure, setup),
	    cmocka_unit_test_setup(a_plan_that_is_refused_says_why, setup),
	    cmocka_unit_test_setup(wrong_usage_asks_nothing, setup),
	    cmocka_unit_test_setup(help_tells_of_exit_statuses, setup),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
