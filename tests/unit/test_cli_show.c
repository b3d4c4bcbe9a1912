/* The commands that show something (cli/show_state, cli/show_routes, cli/show_records, cli/connections, cli/probe,
 * cli/manage, cli/watch), each with an answer of the API's form, into a pipe. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "cli_server.h"

static int setup(void **state)
{
	cli_server_reset();
	return 0;
}

static void the_status_says_what_is_wrong(void **state)
{
	cli_server_say(
	    "GET", "/api/v1/status", 200,
	    "{\"control\": {\"version\": \"0.1.0\", \"revision\": 9}, \"applied_revision\": 8, \"dataplane\": "
	    "{\"state\": "
	    "\"absent\", \"detail\": \"no dataplane is running\"}, \"messages\": [\"listener x: odd\"], "
	    "\"state_file\": "
	    "{\"path\": \"/s\", \"good\": false, \"detail\": \"disk full\"}, \"vips\": [{\"listener\": \"http\", "
	    "\"address\": \"198.51.100.10\", \"port\": 80, \"held\": false}], \"ports\": [{\"interface\": \"north\", "
	    "\"link_up\": false}], \"counters\": {\"flows\": 30, \"flows_lingering\": 10, \"flows_spliced\": 15}}",
	    0);
	cli_server_say("GET", "/api/v1/clusters", 200, "{\"clusters\": []}", 0);
	struct cli_result result = cli_result_of("status", NULL);
	static const char *const lines[] = {
	    "dataplane    absent: no dataplane is running\n",
	    "revision     9, but the workers have 8\n",
	    "state file   /s: disk full\n",
	    "connections  20 open (15 spliced",
	    "http 198.51.100.10:80 (not served: the kernel does not hold the address)\n",
	    "port         north: no link\n",
	    "message      listener x: odd\n",
	    "no clusters\n",
	};
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (!strstr(result.out, lines[i]))
			fail_msg("no \"%s\" in\n%s", lines[i], result.out);
	cli_result_free(&result);
}

/* Red is what is wrong with this machine; who looks with --json gets the same exit status. */
static void a_red_status_is_a_failure(void **state)
{
	static const struct {
		const char *dataplane, *good, *link_up, *line;
		int status;
	} cases[] = {
	    {"ready", "true", "true", " (not served: the kernel does not hold the address)\n", 0}, /* a standby */
	    {"starting", "true", "true", "dataplane    starting\n", 1},
	    {"ready", "false", "true", "state file   /s: \n", 1},
	    {"ready", "true", "false", "port         south: no link\n", 1},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char answer[1000];
		snprintf(
		    answer, sizeof(answer),
		    "{\"control\": {\"revision\": 9}, \"applied_revision\": 8, \"messages\": [\"odd\"], "
		    "\"dataplane\": {\"state\": \"%s\"}, \"state_file\": {\"path\": \"/s\", \"good\": %s}, "
		    "\"vips\": [{\"listener\": \"http\", \"held\": false}], \"ports\": [{\"interface\": \"north\", "
		    "\"link_up\": true}, {\"interface\": \"south\", \"link_up\": %s}]}",
		    cases[i].dataplane, cases[i].good, cases[i].link_up);
		cli_server_reset();
		cli_server_say("GET", "/api/v1/status", 200, answer, 0);
		cli_server_say("GET", "/api/v1/clusters", 200, "{\"clusters\": []}", 0);
		cli_expect(cases[i].status, cases[i].line, "", "status", NULL);
		cli_expect(cases[i].status, answer, "", "status", "--json", NULL);
	}
}

static void hosts_say_why_they_get_nothing(void **state)
{
	cli_server_say(
	    "GET", "/api/v1/hosts?cluster=v1&limit=10000", 200,
	    "{\"total\": 2, \"hosts\": [{\"cluster\": \"v1\", \"name\": \"r1\", \"address\": \"203.0.113.1\", "
	    "\"state\": "
	    "\"active\", \"admin\": \"disabled\", \"drain\": {\"by\": \"anna\", \"reason\": \"CHG1\"}, \"healthy\": "
	    "true, "
	    "\"active\": 1234}, {\"cluster\": \"v1\", \"name\": \"r2\", \"address\": \"203.0.113.2\", \"state\": "
	    "\"active\", \"admin\": \"enabled\", \"healthy\": false, \"health\": {\"reason\": \"refused\"}}]}",
	    0);
	cli_expect(0,
	           "HOST   ADDRESS      MODE      HEALTH     ACTIVE  TOTAL  REFUSED  SINCE  NOTES\n"
	           "v1/r1  203.0.113.1  disabled  healthy     1,234      0        0      -  by anna: CHG1\n"
	           "v1/r2  203.0.113.2  active    unhealthy       0      0        0      -  refused\n",
	           "", "hosts", "-c", "v1", NULL);
}

static const char route[] =
    "{\"host\": \"a.ch\", \"rollback\": {\"revision\": 7, \"at\": \"2026-01-31T09:00:00.000Z\", \"by\": \"anna\", "
    "\"reason\": "
    "\"CHG1\"}, \"clusters\": [{\"cluster\": \"v1\", \"weight\": 90, \"weight_origin\": \"override\", "
    "\"planned_share\": 99.5, "
    "\"real_share\": 98.77, \"healthy_hosts\": 2, \"active\": 12, \"http\": true, \"https\": true, \"namespace\": "
    "\"shop\"}, "
    "{\"cluster\": \"v2\", \"weight\": 0, \"weight_origin\": \"default\", \"planned_share\": 0.5, \"real_share\": "
    "null, "
    "\"healthy_hosts\": 0, \"active\": 0, \"http\": false, \"https\": true, \"why\": \"parked\"}]}";

static void routes_have_a_line_for_each_cluster(void **state)
{
	char text[2000];
	snprintf(text, sizeof(text), "{\"total\": 1, \"routes\": [%s]}", route);
	cli_server_say("GET", "/api/v1/routes?search=a&state=override", 200, text, 0);
	cli_expect(0,
	           "ROUTE  CLUSTER  WEIGHT  FROM      PLANNED    REAL  HOSTS  ACTIVE  NOTES\n"
	           "a.ch   v1           90  override    99.5%  98.77%      2      12\n"
	           "a.ch   v2            0  default      0.5%       -      0       0  parked\n",
	           "", "routes", "--search", "a", "--state", "override", NULL);
}

static void a_route_tells_its_last_change(void **state)
{
	char text[2000];
	snprintf(text, sizeof(text), "{\"revision\": 7, \"route\": %s}", route);
	cli_server_say("GET", "/api/v1/routes/a.ch", 200, text, 0);
	cli_expect(0,
	           "v1 serves http and https, from namespace shop\n"
	           "v2 serves https only\n"
	           "Last change: revision 7, 2026-01-31 09:00:00, by anna: CHG1; back with: pointsman rollback a.ch\n",
	           "", "route", "show", "a.ch", NULL);
}

static void explanations_mark_what_is_elected(void **state)
{
	cli_server_say(
	    "GET", "/api/v1/explain?host=a.ch&from=192.0.2.1&listener=http", 200,
	    "{\"decision\": \"elected\", \"text\": \"a.ch goes to v1\", \"listener\": \"http\", \"route\": null, "
	    "\"worker\": 0, \"clusters\": [{\"cluster\": \"v1\", \"weight\": 10, \"weight_origin\": \"default\", "
	    "\"served\": true, \"usable\": true, \"credit\": -5, \"turn\": true, \"why\": null}], \"hosts\": "
	    "[{\"cluster\": "
	    "\"v1\", \"name\": \"r1\", \"address\": \"203.0.113.1\", \"port\": 80, \"healthy\": true, \"suspected\": "
	    "true, "
	    "\"active\": 3, \"usable\": false, \"why\": \"three connects failed\", \"elected\": false}]}",
	    0);
	cli_expect(0,
	           "a.ch goes to v1\nListener http, route none, worker 0\n"
	           "   CLUSTER  WEIGHT  FROM     SERVED  USABLE  CREDIT  WHY\n"
	           ">  v1           10  default  yes     yes         -5\n"
	           "  HOST   ADDRESS         HEALTH     ACTIVE  USABLE  WHY\n"
	           "  v1/r1  203.0.113.1:80  suspected       3  no      three connects failed\n",
	           "", "explain", "a.ch", "--from", "192.0.2.1", "--listener", "http", NULL);
}

static void events_read_downwards(void **state)
{
	cli_server_say(
	    "GET", "/api/v1/events?limit=100&object=a.ch", 200,
	    "{\"events\": [{\"id\": 2, \"at\": \"2026-01-31T09:00:01Z\", \"who\": \"bob\", \"text\": \"second\", "
	    "\"reason\": \"why\"}, {\"id\": 1, \"at\": \"2026-01-31T09:00:00Z\", \"who\": \"control\", \"text\": "
	    "\"first\", \"reason\": null}], \"last\": 2}",
	    0);
	cli_expect(0, "2026-01-31 09:00:00  first  (control)\n2026-01-31 09:00:01  second  (bob: why)\n", "", "events",
	           "--route", "a.ch", NULL);
}

static void events_are_chosen(void **state)
{
	cli_server_say("GET", "/api/v1/events?limit=100&object=v1&kind=host_down&search=x&since=41", 200,
	               "{\"events\": [{\"id\": 42, \"at\": \"2026-01-31T09:00:00Z\", \"text\": \"r1 is down\"}]}", 0);
	cli_expect(0, "2026-01-31 09:00:00  r1 is down\n", "", "events", "-c", "v1", "--kind", "host_down", "--search",
	           "x", "--since", "41", NULL);
	cli_expect(64, "", "--since 1h: expected the id of an event", "events", "--since", "1h", NULL);
	cli_expect(64, "", "--since : expected the id of an event", "events", "--since", "", NULL);
	cli_expect(64, "", "give --route or --cluster, not both", "events", "--route", "a.ch", "-c", "v1", NULL);
	assert_int_equal(cli_server_calls(), 1);
}

static void *interrupt_second_call(void *context)
{
	while (cli_server_calls() < 2)
		usleep(10000);
	kill(getpid(), SIGINT);
	return NULL;
}

/* Each further question begins where the last answer ended, not where the first one did. */
static void following_events_moves_on(void **state)
{
	pthread_t thread;
	cli_server_say("GET", "/api/v1/events?limit=100&kind=shifted&since=41", 200,
	               "{\"events\": [{\"id\": 42, \"text\": \"first\"}], \"last\": 50}", 0);
	cli_server_say("GET", "/api/v1/events?limit=100&kind=shifted&since=50", 200,
	               "{\"events\": [{\"id\": 51, \"text\": \"second\"}], \"last\": 51}", 0);
	assert_int_equal(pthread_create(&thread, NULL, interrupt_second_call, NULL), 0);
	struct cli_result result = cli_result_of("events", "--kind", "shifted", "--since", "41", "-f", NULL);
	pthread_cancel(thread); /* if there was no second call */
	pthread_join(thread, NULL);
	assert_int_equal(result.status, 0);
	assert_string_equal(result.out, "-  first\n-  second\n");
	cli_result_free(&result);
}

static void records_are_listed(void **state)
{
	cli_server_say("GET", "/api/v1/unknown", 200,
	               "{\"total\": 1, \"left_out\": 5, \"names\": [{\"name\": null, \"reason\": \"no_name\", "
	               "\"listener\": \"http\", "
	               "\"count\": 3, \"last_at\": \"2026-01-31T09:00:00Z\", \"last_client\": \"192.0.2.1\"}]}",
	               0);
	cli_server_say(
	    "GET", "/api/v1/held", 200,
	    "{\"total\": 1, \"held\": [{\"cluster\": \"v1\", \"kind\": \"route\", \"name\": \"a.ch\", \"since\": "
	    "\"2026-01-31T09:00:00Z\", \"goes_by_itself\": true, \"reason\": \"too many at once\"}]}",
	    0);
	cli_server_say("GET", "/api/v1/revisions", 200,
	               "{\"revisions\": [{\"id\": 3, \"revision\": 9, \"name\": null, \"what\": \"before v2 was "
	               "removed\", \"at\": "
	               "\"2026-01-31T09:00:00Z\", \"by\": \"anna\", \"reason\": null, \"automatic\": true}]}",
	               0);
	cli_expect(0, "2026-01-31 09:00:00      3  no_name  http      192.0.2.1    (none)\n5 more were not kept\n", "",
	           "unknown", NULL);
	cli_expect(0, "v1       route  a.ch  2026-01-31 09:00:00  yes             too many at once\n", "", "held",
	           NULL);
	cli_expect(0, " 3         9  2026-01-31 09:00:00  anna  before v2 was removed\n", "", "revision", "list", NULL);
}

static void connections_are_summed_by_route(void **state)
{
	cli_server_say(
	    "GET", "/api/v1/connections?limit=1", 200,
	    "{\"total\": 2, \"oldest_seconds\": 7200, \"connections\": [{\"id\": 9007199254740991, \"client\": "
	    "\"192.0.2.1:1025\", \"name\": \"a.ch\", \"cluster\": \"v1\", \"host\": \"r1\", \"state\": \"spliced\", "
	    "\"age_seconds\": 7200, \"idle_seconds\": 5, \"bytes_in\": 1500, \"bytes_out\": 2500000}], \"by_route\": "
	    "[{\"route\": \"a.ch\", \"cluster\": \"v1\", \"count\": 2, \"oldest_seconds\": 7200}]}",
	    0);
	cli_expect(0,
	           "9007199254740991  192.0.2.1:1025  a.ch  v1/r1  spliced  2h00m    5s  1.5k  2.5M\n"
	           "1 of 2 connections; --limit shows more\n"
	           "2 connections, the oldest for 2h00m\n"
	           "  2 a.ch -> v1, oldest 2h00m\n",
	           "", "conns", "--limit", "1", NULL);
}

static void a_probe_fails_with_one_host(void **state)
{
	cli_server_say(
	    "POST", "/api/v1/clusters/v1/probe", 200,
	    "{\"results\": [{\"host\": \"r1\", \"address\": \"203.0.113.1\", \"port\": 443, \"https\": true, \"ok\": "
	    "true, "
	    "\"status\": 200, \"error\": null, \"time_ms\": 12.4, \"connect_ms\": 0.6, \"first_byte_ms\": 9, "
	    "\"certificate\": {\"names\": [\"a.ch\", \"b.ch\"], \"issuer\": \"CA\", \"days_left\": 9, \"matches\": "
	    "true}}, "
	    "{\"host\": \"r2\", \"address\": \"203.0.113.2\", \"port\": 443, \"https\": true, \"ok\": false, "
	    "\"status\": "
	    "null, \"error\": \"connection refused\", \"certificate\": null}]}",
	    0);
	cli_expect(
	    1,
	    "r1    203.0.113.1:443  yes     200           1              9      12  a.ch,b.ch by CA, 9 days left\n"
	    "r2    203.0.113.2:443  yes       -           -              -       -  connection refused\n",
	    "", "probe", "v1", "a.ch", "--https", "--path", "/x", NULL);
	assert_string_equal(cli_server_call(0)->body, "{\"host\":\"a.ch\",\"path\":\"/x\",\"https\":true}");
}

static void watching_a_route_that_goes_ends(void **state)
{
	char text[2000];
	snprintf(text, sizeof(text), "{\"revision\": 7, \"route\": %s}", route);
	cli_server_say("GET", "/api/v1/routes/a.ch", 200, text, 1);
	cli_server_say("GET", "/api/v1/routes/a.ch", 404, "{\"detail\": \"no route a.ch\"}", 0);
	cli_server_say("GET", "/api/v1/stats/routes/a.ch", 200, "{\"clusters\": {\"v1\": {\"new\": [1, 2, 34]}}}", 0);
	cli_expect(1, " v1 99.5% planned, 98.77% real, 34/s, 12 active | v2 0.5% planned, - real, 0/s, 0 active\n",
	           "no route a.ch", "watch", "a.ch", NULL);
}

static void top_needs_a_terminal(void **state)
{
	cli_server_say("GET", "/api/v1/status", 200, "{}", 0);
	cli_expect(1, "", "top needs a terminal", "top", NULL);
	cli_expect(64, "", "top is for people", "top", "--json", NULL);
}

static int start(void **state)
{
	setenv("TZ", "UTC", 1);
	tzset();
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
	    cmocka_unit_test_setup(the_status_says_what_is_wrong, setup),
	    cmocka_unit_test_setup(a_red_status_is_a_failure, setup),
	    cmocka_unit_test_setup(hosts_say_why_they_get_nothing, setup),
	    cmocka_unit_test_setup(routes_have_a_line_for_each_cluster, setup),
	    cmocka_unit_test_setup(a_route_tells_its_last_change, setup),
	    cmocka_unit_test_setup(explanations_mark_what_is_elected, setup),
	    cmocka_unit_test_setup(events_read_downwards, setup),
	    cmocka_unit_test_setup(events_are_chosen, setup),
	    cmocka_unit_test_setup(following_events_moves_on, setup),
	    cmocka_unit_test_setup(records_are_listed, setup),
	    cmocka_unit_test_setup(connections_are_summed_by_route, setup),
	    cmocka_unit_test_setup(a_probe_fails_with_one_host, setup),
	    cmocka_unit_test_setup(watching_a_route_that_goes_ends, setup),
	    cmocka_unit_test_setup(top_needs_a_terminal, setup),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
