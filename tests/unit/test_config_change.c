/* config_change: nothing differs from itself; each field is found by its path, and whether it needs a restart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/config_change.h"

#define PORTS     "'ports':[{'interface':'north'}]"
#define LISTENERS "'listeners':[{'name':'web','mode':'http','addresses':['198.51.100.10']}]"
#define POOL      "'source_pool':{'prefixes':['203.0.113.64/28'],'ports':[2000,2999]}"
#define MACHINE   PORTS "," LISTENERS "," POOL

static struct config *parse(const char *text)
{
	struct config_errors errors = {0};
	char *copy = strdup(text);
	for (char *c = copy; *c != '\0'; c++)
		if (*c == '\'')
			*c = '"';
	struct config *config = config_parse(copy, strlen(copy), "test", &errors);
	for (size_t i = 0; i < errors.count; i++)
		print_error("%s\n", errors.lines[i]);
	assert_non_null(config);
	free(copy);
	return config;
}

/* The other file differs in exactly this. */
static void assert_change(const char *other, const char *path, bool restart)
{
	struct config_changes changes;
	struct config *running = parse("{" MACHINE "}"), *wanted = parse(other);
	config_compare(running, wanted, &changes);
	assert_int_equal(changes.count, 1);
	assert_string_equal(changes.list[0].path, path);
	assert_int_equal(changes.list[0].restart, restart);
	assert_int_equal(changes.restart, restart);
	assert_int_equal(changes.list[0].why != NULL, restart);
	assert_true(running->print != wanted->print);
	config_free(running);
	config_free(wanted);
}

static void nothing_differs(void **state)
{
	static const char text[] = "{" MACHINE ",'admin':{'allow_from':['192.0.2.0/24'],'allowed_hosts':['lb.example'],"
	                           "'metrics_from':['192.0.2.1']},'timeouts':{'idle':5000},'clusters':[]}";
	struct config_changes changes;
	struct config *a = parse(text), *b = parse(text);
	config_compare(a, b, &changes);
	assert_int_equal(changes.count, 0);
	assert_false(changes.restart);
	assert_true(a->print == b->print);
	config_free(a);
	config_free(b);
}

static void what_changes_while_running(void **state)
{
	static const char *const sections[][2] = {
	    {"'timeouts':{'head':5000}", "$.timeouts.head"},
	    {"'timeouts':{'idle':5000}", "$.timeouts.idle"},
	    {"'timeouts':{'shutdown_grace':5000}", "$.timeouts.shutdown_grace"},
	    {"'limits':{'client_mss':1200}", "$.limits.client_mss"},
	    {"'dataplane':{'idle':'sleep'}", "$.dataplane.idle"},
	    {"'admin':{'allow_from':['192.0.2.0/24']}", "$.admin.allow_from"},
	    {"'admin':{'metrics_from':['192.0.2.0/24']}", "$.admin.metrics_from"},
	    {"'admin':{'allowed_hosts':['lb.example']}", "$.admin.allowed_hosts"},
	    {"'admin':{'loopback':'admin'}", "$.admin.loopback"},
	    {"'admin':{'tokens':'/etc/tokens'}", "$.admin.tokens"},
	    {"'log':{'format':'json'}", "$.log.format"},
	    {"'log':{'connections':'full'}", "$.log.connections"},
	};
	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
		char text[400];
		snprintf(text, sizeof(text), "{" MACHINE ",%s}", sections[i][0]);
		assert_change(text, sections[i][1], false);
	}
	assert_change("{" PORTS "," POOL ",'listeners':[{'name':'web','mode':'http','addresses':['198.51.100.11']}]}",
	              "$.listeners[0]", false);
	assert_change("{" PORTS "," POOL ",'listeners':[{'name':'web','mode':'http','addresses':['198.51.100.10']},"
	              "{'name':'more','mode':'tls','addresses':['198.51.100.10']}]}",
	              "$.listeners[1]", false);
}

static void what_needs_a_restart(void **state)
{
	static const char *const sections[][2] = {
	    {"'limits':{'connections':131072}", "$.limits.connections"},
	    {"'limits':{'routes':5}", "$.limits.routes"},
	    {"'limits':{'head_bytes':8192}", "$.limits.head_bytes"},
	    {"'dataplane':{'lcores':'0,1,2'}", "$.dataplane.lcores"},
	    {"'dataplane':{'mbufs':65536}", "$.dataplane.mbufs"},
	    {"'dataplane':{'eal_args':['--no-huge']}", "$.dataplane.eal_args"},
	    {"'admin':{'listen':'127.0.0.1:9000'}", "$.admin.listen"},
	    {"'paths':{'state':'/srv/state'}", "$.paths.state"},
	};
	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
		char text[400];
		snprintf(text, sizeof(text), "{" MACHINE ",%s}", sections[i][0]);
		assert_change(text, sections[i][1], true);
	}
	assert_change("{'ports':[{'interface':'south'}]," LISTENERS "," POOL "}", "$.ports", true);
	assert_change("{" PORTS "," LISTENERS ",'source_pool':{'prefixes':['203.0.113.64/28'],'ports':[2000,2998]}}",
	              "$.source_pool", true);
	assert_change("{" PORTS "," LISTENERS ",'source_pool':{'prefixes':['203.0.113.64/27'],'ports':[2000,2999]}}",
	              "$.source_pool", true);
}

/* Clusters belong to the state file. */
static void clusters_do_not_count(void **state)
{
	struct config_changes changes;
	struct config *a = parse("{" MACHINE "}"), *b = parse("{" MACHINE ",'clusters':[{'name':'ose1'}]}");
	config_compare(a, b, &changes);
	assert_int_equal(changes.count, 0);
	config_free(a);
	config_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nothing_differs),
	    cmocka_unit_test(what_changes_while_running),
	    cmocka_unit_test(what_needs_a_restart),
	    cmocka_unit_test(clusters_do_not_count),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
