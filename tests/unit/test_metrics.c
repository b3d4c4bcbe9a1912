/* A scrape of a control with a dataplane that is only memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/counters.h"
#include "control/control.h"
#include "control/observe/history.h"
#include "control/observe/metrics.h"
#include "control/observe/sampler.h"
#include "control_fixture.h"
#include "fake_checker.h"
#include "fake_link.h"

static char directory[64];
static struct event_loop *loop;
static struct config *config;
static struct control control;

static void begin(const char *clusters)
{
	char sections[100000];
	snprintf(sections, sizeof(sections), "'clusters': [%s]", clusters);
	snprintf(directory, sizeof(directory), "/tmp/pm-metrics-XXXXXX");
	assert_non_null(mkdtemp(directory));
	fake_link_reset(16, 4096, 4096);
	fake_link.shared->port_count = 1;
	fake_link.shared->tsc_hz = 1000000000;
	memcpy(fake_link.shared->ports[0].interface, "north", 6);
	loop = event_loop_create();
	config = fixture_config(directory, directory, sections);
	assert_true(control_init(&control, config, loop));
	control_start(&control);
}

static int setup(void **state)
{
	begin(FIXTURE_OSE1 ", " FIXTURE_OSE2);
	return 0;
}

static int teardown(void **state)
{
	char command[128];
	control_stop(&control);
	config_free(config);
	event_loop_destroy(loop);
	fake_link_free();
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	return system(command);
}

static void appear(void)
{
	assert_null(fake_link_appear());
	for (int turn = 0; control.applied < control.state.revision; turn++) {
		assert_true(turn < 5000);
		event_loop_turn(loop, 2);
	}
}

/* All of it, read in blocks of this size. To be freed. */
static char *scrape(bool openmetrics, enum metrics_routes routes, size_t block)
{
	struct api_source *source = metrics_create(&control, openmetrics, routes);
	char *text = NULL;
	size_t len = 0, got;
	do {
		text = realloc(text, len + block + 1);
		assert_non_null(text);
		got = source->read(source, text + len, block);
		assert_true(got <= block);
		len += got;
	} while (got > 0);
	text[len] = '\0';
	source->free(source);
	return text;
}

static void assert_line(const char *text, const char *line)
{
	char wanted[400];
	snprintf(wanted, sizeof(wanted), "\n%s\n", line);
	if (!strstr(text, wanted))
		fail_msg("no line %s", line);
}

static void everything_of_the_state_is_there(void **state)
{
	char *text = scrape(false, METRICS_ROUTES_SOME, 1000);
	assert_non_null(strstr(text, "pointsman_build_info{version=\""));
	assert_line(text, "pointsman_revision 1");
	assert_line(text, "pointsman_state_file_good 1");
	assert_line(text, "pointsman_dataplane_state{state=\"absent\"} 1");
	assert_line(text, "pointsman_dataplane_state{state=\"ready\"} 0");
	assert_line(text, "pointsman_cluster_hosts{cluster=\"ose1\"} 2");
	assert_line(text, "pointsman_cluster_state{cluster=\"ose2\",state=\"active\"} 1");
	assert_line(text, "pointsman_host_healthy{cluster=\"ose1\",host=\"r2\",address=\"203.0.113.12:80\"} 0");
	assert_line(
	    text, "pointsman_host_admin{cluster=\"ose1\",host=\"r2\",address=\"203.0.113.12:80\",admin=\"enabled\"} 1");
	assert_line(text, "pointsman_route_weight{route=\"app1.ch\",cluster=\"ose1\"} 10");
	assert_line(text, "pointsman_route_active{route=\"*.wild.ch\",cluster=\"ose1\"} 0");
	assert_line(text, "pointsman_limit{limit=\"routes\"} 10000");
	assert_null(strstr(text, "# EOF"));
	assert_null(strstr(text, "pointsman_packets_dropped_total"));
	free(text);
}

/* Whatever the status says to the operator counts, here of a default cluster that is not there. */
static void messages_of_the_status_are_counted(void **state)
{
	char *text = scrape(false, METRICS_ROUTES_SOME, 1000);
	assert_line(text, "pointsman_notices 0");
	free(text);
	teardown(NULL);
	begin(FIXTURE_OSE1);
	text = scrape(false, METRICS_ROUTES_SOME, 1000);
	assert_line(text, "pointsman_notices 1");
	free(text);
}

static void every_counter_of_every_worker_is_there(void **state)
{
	static const char *const names[] = {
#define X(symbol, help) #symbol,
	    COUNTERS_OUTCOMES(X) COUNTERS_OTHERS(X) COUNTERS_GAUGES(X)
#undef X
	};
	appear();
	for (unsigned i = 0; i < FAKE_WORKERS; i++)
		for (int j = 0; j < counter_count; j++)
			shared_set(&shared_worker_at(fake_link.shared, i)->counters[j],
			           1000000u * (i + 1) + (unsigned)j);
	char *text = scrape(true, METRICS_ROUTES_NONE, 65536);
	for (unsigned i = 0; i < FAKE_WORKERS; i++) {
		for (int j = 0; j < counter_count; j++) {
			char value[40];
			bool ticks = strstr(names[j], "ticks") != NULL;
			uint64_t number = 1000000u * (i + 1) + (unsigned)j;
			if (ticks)
				snprintf(value, sizeof(value), "} %.17g\n", (double)number / 1e9);
			else
				snprintf(value, sizeof(value), "} %llu\n", (unsigned long long)number);
			if (!strstr(text, value))
				fail_msg("%s of worker %u is not there", names[j], i);
		}
	}
	uint64_t ttl = 1000000u + counter_drop_ttl, full = 2000000u + counter_rx_oversize;
	char line[200];
	snprintf(line, sizeof(line), "pointsman_packets_dropped_total{worker=\"0\",reason=\"ttl\"} %llu",
	         (unsigned long long)ttl);
	assert_line(text, line);
	snprintf(line, sizeof(line), "pointsman_packets_dropped_total{worker=\"1\",reason=\"oversize\"} %llu",
	         (unsigned long long)full);
	assert_line(text, line);
	assert_string_equal(text + strlen(text) - 6, "# EOF\n");
	assert_null(strstr(text, "pointsman_route_active"));
	free(text);
}

/* Each family in one piece, with its TYPE, and no sample twice. */
static void assert_well_formed(char *text)
{
	char seen[400][100], family[100] = "";
	unsigned count = 0;
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		if (strncmp(line, "# TYPE ", 7) == 0) {
			snprintf(family, sizeof(family), "%.*s", (int)strcspn(line + 7, " "), line + 7);
			for (unsigned i = 0; i < count; i++)
				assert_string_not_equal(seen[i], family);
			assert_true(count < 400);
			strcpy(seen[count++], family);
		}
		if (line[0] == '#')
			continue;
		assert_int_equal(strncmp(line, family, strlen(family)), 0);
		assert_true(strspn(line, "abcdefghijklmnopqrstuvwxyz0123456789_") == strcspn(line, "{ "));
	}
	assert_true(count > 60);
}

static void families_are_whole(void **state)
{
	appear();
	char *text = scrape(false, METRICS_ROUTES_ALL, 777);
	assert_well_formed(text);
	free(text);
	text = scrape(true, METRICS_ROUTES_ALL, 1);
	assert_well_formed(text);
	free(text);
}

static void of_many_routes_only_the_busy_ones_are_shown(void **state)
{
	static char clusters[90000];
	size_t len = (size_t)snprintf(clusters, sizeof(clusters),
	                              "{'name': 'ose1', 'source': 'static', 'hosts': [{'name': 'r1', 'address': "
	                              "'203.0.113.11'}], 'routes': [{'host': 'busy.ch'}");
	for (int i = 0; i < METRICS_ROUTES_MAX; i++)
		len += (size_t)snprintf(clusters + len, sizeof(clusters) - len, ", {'host': 'app%d.ch'}", i);
	snprintf(clusters + len, sizeof(clusters) - len, "]}");
	begin(clusters);
	appear();
	struct hostname host;
	bool wildcard;
	assert_true(name_parse("busy.ch", &host, &wildcard));
	uint64_t id = cluster_pair_id(cluster_name_id(&host, wildcard), "ose1");
	struct shared_worker *worker = shared_worker_at(fake_link.shared, 0);
	shared_set(&shared_pairs_of(fake_link.shared, worker)[slots_find(&control.pairs, id)].active, 3);
	sampler_take(control.sampler, clock_unix_ms() / 1000 + 2);
	char *text = scrape(false, METRICS_ROUTES_SOME, 65536);
	assert_line(text, "pointsman_routes 1001");
	assert_line(text, "pointsman_route_active{route=\"busy.ch\",cluster=\"ose1\"} 3");
	assert_null(strstr(text, "app7.ch"));
	free(text);
	text = scrape(false, METRICS_ROUTES_ALL, 65536);
	assert_line(text, "pointsman_route_active{route=\"app7.ch\",cluster=\"ose1\"} 0");
	assert_line(text, "pointsman_route_weight{route=\"app999.ch\",cluster=\"ose1\"} 100");
	free(text);
}

static void routes_that_go_while_it_is_read_are_left_out(void **state)
{
	char part[64];
	struct api_source *source = metrics_create(&control, false, METRICS_ROUTES_ALL);
	const struct actor actor = {.who = "test"};
	assert_true(source->read(source, part, sizeof(part)) > 0);
	assert_true(control_delete(&control, "ose1", &actor));
	assert_true(control_delete(&control, "ose2", &actor));
	names_clean(&control.state.names);
	while (source->read(source, part, sizeof(part)) > 0)
		;
	source->free(source);
}

static void the_accept_field_chooses(void **state)
{
	assert_false(metrics_prefer_openmetrics(NULL));
	assert_false(metrics_prefer_openmetrics("*/*"));
	assert_false(metrics_prefer_openmetrics("text/plain"));
	assert_false(metrics_prefer_openmetrics(""));
	assert_false(metrics_prefer_openmetrics(",,;q=,"));
	assert_true(metrics_prefer_openmetrics("application/openmetrics-text"));
	assert_true(metrics_prefer_openmetrics(
	    "application/openmetrics-text;version=1.0.0;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"));
	assert_false(metrics_prefer_openmetrics("application/openmetrics-text; q=0.3, text/plain; q=0.5"));
	assert_false(metrics_prefer_openmetrics("application/openmetrics-text;q=0"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(everything_of_the_state_is_there, setup, teardown),
	    cmocka_unit_test_setup_teardown(messages_of_the_status_are_counted, setup, teardown),
	    cmocka_unit_test_setup_teardown(every_counter_of_every_worker_is_there, setup, teardown),
	    cmocka_unit_test_setup_teardown(families_are_whole, setup, teardown),
	    cmocka_unit_test_teardown(of_many_routes_only_the_busy_ones_are_shown, teardown),
	    cmocka_unit_test_setup_teardown(routes_that_go_while_it_is_read_are_left_out, setup, teardown),
	    cmocka_unit_test(the_accept_field_chooses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
