/* cli/change and the commands that use it: the bodies that are sent, and backup. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "cli_server.h"

static const char done[] = "{\"revision\": 8, \"changed\": true, \"applied\": true}";
static char path[] = "/tmp/test_cli_change.XXXXXX";

static int setup(void **state)
{
	cli_server_reset();
	return 0;
}

static void write_path(const char *text)
{
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void a_cluster_is_added_by_its_api(void **state)
{
	cli_server_say("GET", "/api/v1/clusters/v2", 404, "{\"detail\": \"none\"}", 0);
	cli_server_say("PUT", "/api/v1/clusters/v2", 201, done, 0);
	cli_expect(0, "Done, revision 8", "", "cluster", "add", "v2", "--api", "https://api.v2.ch:6443", "--token-file",
	           "/etc/v2.token", "--ca", "/etc/v2.pem", "--state", "staged", NULL);
	assert_string_equal(cli_server_call(1)->body,
	                    "{\"source\":\"watch\",\"watch\":{\"server\":\"https://api.v2.ch:6443\",\"token_file\":"
	                    "\"/etc/v2.token\",\"ca_file\":\"/etc/v2.pem\"},\"state\":\"staged\"}");
}

static void a_cluster_is_not_replaced_by_accident(void **state)
{
	cli_server_say("GET", "/api/v1/clusters/v2", 200, "{}", 0);
	cli_server_say("PUT", "/api/v1/clusters/v2", 200, done, 0);
	write_path("{\"source\": \"static\"}");
	cli_expect(1, "", "there is a cluster v2 already", "cluster", "add", "v2", "--file", path, NULL);
	cli_expect(0, "Done", "", "cluster", "add", "v2", "--file", path, "--force", NULL);
	assert_string_equal(cli_server_call(1)->target, "/api/v1/clusters/v2?force=true");
	assert_int_equal(cli_server_calls(), 2);
	assert_string_equal(cli_server_call(1)->body, "{\"source\":\"static\"}");
}

static void what_is_missing_for_a_cluster_is_said(void **state)
{
	cli_expect(64, "", "Give either --api URL", "cluster", "add", "v2", NULL);
	cli_expect(64, "", "Give either --api URL", "cluster", "add", "v2", "--api", "x", "--file", "y", NULL);
	cli_expect(64, "", "--api needs --token-file", "cluster", "add", "v2", "--api", "https://x", NULL);
	cli_expect(1, "", "/nonexistent cannot be read: No such file", "cluster", "add", "v2", "--file", "/nonexistent",
	           NULL);
	write_path("{\"source\": }");
	cli_expect(1, "", ":1:12: ", "cluster", "add", "v2", "--file", path, NULL);
	write_path("[1]");
	cli_expect(1, "", "expected one cluster as a JSON object", "cluster", "add", "v2", "--file", path, NULL);
}

static void small_fields_are_patched(void **state)
{
	cli_server_say("PATCH", "/api/v1/clusters/v2", 200, done, 0);
	cli_expect(0, "Done", "", "cluster", "set", "v2", "default_weight=50", "new_routes=active", NULL);
	assert_string_equal(cli_server_call(0)->target, "/api/v1/clusters/v2");
	assert_string_equal(cli_server_call(0)->body, "{\"default_weight\":50,\"new_routes\":\"active\"}");
	cli_expect(0, "Done", "", "cluster", "set", "v2", "state=offline", "--force", NULL);
	assert_string_equal(cli_server_call(1)->target, "/api/v1/clusters/v2?force=true");
}

static void other_fields_are_put_if_nobody_was_faster(void **state)
{
	cli_server_say("GET", "/api/v1/clusters/v2", 200, "{\"source\": \"static\", \"health\": {\"port\": 1936}}", 0);
	cli_server_say("PUT", "/api/v1/clusters/v2", 200, done, 0);
	cli_expect(0, "Done", "", "cluster", "set", "v2", "health.interval=2000", "health.path=/healthz",
	           "hold_minutes=0", NULL);
	assert_string_equal(cli_server_call(1)->if_match, "\"7\"");
	assert_string_equal(cli_server_call(1)->body,
	                    "{\"source\":\"static\",\"health\":{\"port\":1936,\"interval\":2000,"
	                    "\"path\":\"/healthz\"},\"hold_minutes\":0}");
	cli_expect(64, "", "expected FIELD=VALUE", "cluster", "set", "v2", "health", NULL);
	cli_expect(0, "Done", "", "cluster", "set", "v2", "hosts=[]", "--force", NULL);
	assert_string_equal(cli_server_call(3)->target, "/api/v1/clusters/v2?force=true");
}

static void modes_carry_their_options(void **state)
{
	cli_server_say("POST", "/api/v1/clusters/v1/offline", 200, done, 0);
	cli_server_say("POST", "/api/v1/hosts/v1/node7/drain", 200, done, 0);
	cli_expect(0, "Done", "", "cluster", "offline", "v1", "--close", NULL);
	cli_expect(0, "Done", "", "host", "drain", "v1/node7", "--timeout", "30m", NULL);
	assert_string_equal(cli_server_call(0)->body, "{\"close\":true}");
	assert_string_equal(cli_server_call(1)->body, "{\"timeout\":1800}");
	cli_expect(0, "Done", "", "cluster", "offline", "v1", "--force", NULL);
	assert_string_equal(cli_server_call(2)->body, "{\"force\":true}");
}

/* What would become of the thing itself, then of its routes. */
static void plans_say_what_would_change(void **state)
{
	cli_server_say(
	    "PATCH", "/api/v1/clusters/v2?dry_run=true", 200,
	    "{\"revision\": 7, \"changed\": true, \"dry_run\": true, \"plan\": {\"routes\": 3, \"changed\": 0, "
	    "\"red\": 0, \"differs\": [\"cluster v2: default_weight 100 -> 50\"], \"changes\": []}}",
	    0);
	cli_expect(0,
	           "Would change:\n  cluster v2: default_weight 100 -> 50\n0 of 3 routes change\nThis would change it; "
	           "nothing was done (--plan), revision 7\n",
	           "", "cluster", "set", "v2", "default_weight=50", "--plan", NULL);
	cli_server_say(
	    "PUT", "/api/v1/clusters/v3?force=true&dry_run=true", 200,
	    "{\"revision\": 7, \"changed\": true, \"dry_run\": true, \"plan\": {\"routes\": 0, \"changed\": 0, "
	    "\"red\": 0, \"differs\": [\"cluster v3 would be added: active, source static\"], \"changes\": []}}",
	    0);
	write_path("{\"source\": \"static\"}");
	cli_expect(0, "Would change:\n  cluster v3 would be added: active, source static\nThis would change it", "",
	           "cluster", "add", "v3", "--file", path, "--force", "--plan", NULL);
	cli_server_say(
	    "POST", "/api/v1/revisions/3/rollback?dry_run=true", 200,
	    "{\"revision\": 7, \"changed\": true, \"dry_run\": true, \"differs\": [\"cluster v2 would be gone\"]}", 0);
	cli_expect(0, "Would change:\n  cluster v2 would be gone\nThis would change it", "", "revision", "rollback",
	           "3", "--plan", NULL);
}

static void plans_of_router_hosts(void **state)
{
	static const char plan[] =
	    "{\"revision\": 7, \"changed\": true, \"dry_run\": true, \"active\": 1200, \"plan\": {\"routes\": 0, "
	    "\"changed\": 0, \"red\": 0, \"changes\": []}, \"host\": {\"cluster\": \"v1\", \"name\": \"r1\", "
	    "\"admin\": "
	    "\"enabled\"}}";
	cli_server_say("POST", "/api/v1/hosts/v1/r1/drain", 200, plan, 0);
	cli_server_say("POST", "/api/v1/hosts/v1/r1/disable", 200, plan, 0);
	cli_expect(
	    0,
	    "Would change:\n  router host v1/r1: enabled -> draining; open connections there: 1,200, closed after "
	    "2h\nThis would change it",
	    "", "host", "drain", "v1/r1", "--timeout", "2h", "--plan", NULL);
	cli_expect(0, "  router host v1/r1: enabled -> disabled; open connections there: 1,200, closed at once\n", "",
	           "host", "disable", "v1/r1", "--close", "--plan", NULL);
}

static void connections_are_chosen_and_closed(void **state)
{
	cli_server_say("POST", "/api/v1/connections/close", 200, "{\"closed\": 3}", 0);
	cli_server_say("GET", "/api/v1/connections", 200, "{\"total\": 0, \"connections\": []}", 0);
	cli_expect(0, "3 connections closed", "", "conns", "close", "--host", "v1/r1", "--min-age", "2h", NULL);
	cli_expect(0, "3 connections closed", "", "conns", "close", "17", "9007199254740991", NULL);
	cli_expect(0, "no connections", "", "conns", "--client", "10.0.0.0/8", "-c", "v1", NULL);
	assert_string_equal(cli_server_call(0)->body, "{\"cluster\":\"v1\",\"host\":\"r1\",\"min_age\":7200}");
	assert_string_equal(cli_server_call(1)->body, "{\"ids\":[17,9007199254740991]}");
	cli_expect(64, "", "x is no id of a connection", "conns", "close", "x", NULL);
	assert_string_equal(cli_server_call(2)->target, "/api/v1/connections?cluster=v1&client=10.0.0.0%2F8&limit=100");
	cli_expect(0, "no connections", "", "conns", "--state", "lingering", NULL);
	assert_string_equal(cli_server_call(3)->target, "/api/v1/connections?state=lingering&limit=100");
}

static void a_check_fails_unless_all_is_well(void **state)
{
	cli_server_say(
	    "POST", "/api/v1/clusters/v2/check", 200,
	    "{\"name\": \"v2\", \"state\": \"staged\", \"hosts\": 2, \"healthy_hosts\": 2, \"stale\": false}", 1);
	cli_server_say("POST", "/api/v1/clusters/v2/check", 200,
	               "{\"name\": \"v2\", \"state\": \"staged\", \"hosts\": 2, \"healthy_hosts\": 1}", 2);
	cli_server_say(
	    "POST", "/api/v1/clusters/v2/check", 200,
	    "{\"name\": \"v2\", \"hosts\": 1, \"healthy_hosts\": 1, \"watches\": [{\"failing\": true, \"error\": "
	    "\"401\"}]}",
	    1);
	cli_server_say("GET", "/api/v1/hosts?cluster=v2", 200, "{\"hosts\": []}", 0);
	cli_expect(0, "v2: 2 of 2 router hosts healthy", "", "cluster", "check", "v2", NULL);
	cli_expect(1, "v2: 1 of 2 router hosts healthy", "", "cluster", "check", "v2", NULL);
	cli_expect(1, "\"healthy_hosts\"", "", "cluster", "check", "v2", "--json", NULL);
	cli_expect(1, "its API fails", "", "cluster", "check", "v2", NULL);
}

static void a_difference_that_is_red_fails(void **state)
{
	static const char red[] =
	    "{\"from\": \"v1\", \"to\": \"v2\", \"red\": 1, \"yellow\": 0, \"same\": 9, \"total\": 1, "
	    "\"differences\": [{\"host\": \"a.ch\", \"level\": \"red\", \"kind\": \"missing\"}]}";
	cli_server_say("GET", "/api/v1/diff?from=v1&to=v2", 200, red, 2);
	cli_server_say("GET", "/api/v1/diff?from=v1&to=v2", 200,
	               "{\"from\": \"v1\", \"to\": \"v2\", \"red\": 0, \"total\": 0, \"differences\": []}", 0);
	cli_expect(1, "v1 -> v2: 1 red, 0 yellow, 9 the same", "", "diff", "v1", "v2", NULL);
	cli_expect(1, red, "", "diff", "v1", "v2", "--json", NULL);
	cli_expect(0, "0 red", "", "diff", "v1", "v2", NULL);
}

static void a_backup_comes_back_as_it_was(void **state)
{
	static const char document[] =
	    "{\"format\": \"pointsman-state\", \"revision\": 7,\n  \"state\": {\"weight\": 33.33}}";
	char text[200] = "";
	struct stat status;
	cli_server_say("GET", "/api/v1/export", 200, document, 0);
	cli_server_say("POST", "/api/v1/import", 200, done, 0);
	chmod(path, 0644);
	cli_expect(0, "", "Revision 7 written to", "export", path, NULL);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
	FILE *file = fopen(path, "r");
	assert_int_equal(fread(text, 1, sizeof(text) - 1, file), strlen(document));
	fclose(file);
	assert_string_equal(text, document);
	cli_expect(0, document, "", "export", NULL);
	cli_expect(0, "Done", "", "import", path, NULL);
	assert_string_equal(cli_server_call(2)->body, document);
	cli_expect(1, "", "cannot be written", "export", "/nonexistent/file", NULL);
}

static int start(void **state)
{
	cli_server_start();
	return mkstemp(path) >= 0 ? 0 : -1;
}

static int stop(void **state)
{
	cli_server_stop();
	return unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(a_cluster_is_added_by_its_api, setup),
	    cmocka_unit_test_setup(a_cluster_is_not_replaced_by_accident, setup),
	    cmocka_unit_test_setup(what_is_missing_for_a_cluster_is_said, setup),
	    cmocka_unit_test_setup(small_fields_are_patched, setup),
	    cmocka_unit_test_setup(other_fields_are_put_if_nobody_was_faster, setup),
	    cmocka_unit_test_setup(modes_carry_their_options, setup),
	    cmocka_unit_test_setup(plans_say_what_would_change, setup),
	    cmocka_unit_test_setup(plans_of_router_hosts, setup),
	    cmocka_unit_test_setup(connections_are_chosen_and_closed, setup),
	    cmocka_unit_test_setup(a_check_fails_unless_all_is_well, setup),
	    cmocka_unit_test_setup(a_difference_that_is_red_fails, setup),
	    cmocka_unit_test_setup(a_backup_comes_back_as_it_was, setup),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
