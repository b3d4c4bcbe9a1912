/* connection_log: the lines, escaped whatever comes, full and sampled, and the counts over files. */
#include "traffic_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/traffic/connection_log.h"

static char path[] = "/tmp/pm-test-connection-log-XXXXXX";

/* `log` is further JSON of that section. */
static void begin(const char *log)
{
	char *sections;
	assert_int_equal(truncate(path, 0), 0);
	assert_true(asprintf(&sections, ", 'log': {'connections_file': '%s', %s}", path, log) > 0);
	traffic_begin(sections);
	free(sections);
}

static int teardown(void **state)
{
	traffic_end();
	return 0;
}

static uint64_t written(void)
{
	return connection_log_counts(&traffic.control).written;
}

static const char *content(void)
{
	static char text[1 << 16];
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	return text;
}

static struct record ended(uint64_t id, const char *name)
{
	struct record record = traffic_connection(id, name);
	record.type = RECORD_ENDED;
	record.connection.why = RECORD_FIN;
	record.connection.bytes_in = 100;
	record.connection.bytes_out = 5000000000;
	record.connection.age = 1234;
	record.connection.head = 5;
	record.connection.connect = 2;
	record.connection.attempts = 1;
	record.connection.pair = traffic_pair_slot("app1.ch", "ose1");
	return record;
}

static void a_line_of_text(void **state)
{
	begin("'connections': 'full'");
	struct record record = ended(17, "app1.ch");
	fake_link_record(0, &record);
	TRAFFIC_AWAIT(written() == 1);
	const char *line = content();
	assert_int_equal(strncmp(line, "at=20", 5), 0);
	const char *rest = strchr(line, ' ');
	assert_string_equal(rest, " id=17 client=192.0.2.7:40000 listener=http name=app1.ch route=app1.ch cluster=ose1 "
	                          "host=r1 router=203.0.113.11:80 bytes_in=100 bytes_out=5000000000 duration_ms=1234 "
	                          "head_ms=5 connect_ms=2 attempts=1 why=fin\n");
}

static void a_line_of_json(void **state)
{
	begin("'connections': 'full', 'format': 'json'");
	struct record record = ended(17, "app1.ch");
	fake_link_record(0, &record);
	TRAFFIC_AWAIT(written() == 1);
	json_t *line = json_loads(content(), 0, NULL);
	assert_non_null(line);
	assert_int_equal(traffic_number(line, "id"), 17);
	assert_int_equal(traffic_number(line, "bytes_out"), 5000000000);
	assert_string_equal(traffic_text(line, "host"), "r1");
	assert_string_equal(traffic_text(line, "why"), "fin");
	assert_string_equal(traffic_text(line, "text"), "connection");
	assert_int_equal(strlen(traffic_text(line, "at")), strlen("2026-01-01T00:00:00.000Z"));
	json_decref(line);
}

/* A record that a broken worker might give: no name of a route has such bytes. */
static const char evil[] = "a\" why=fin\n<6>x=\\ \x7f\xff{}";

static void names_cannot_break_out_of_text(void **state)
{
	begin("'connections': 'full'");
	struct record record = ended(1, evil);
	fake_link_record(0, &record);
	TRAFFIC_AWAIT(written() == 1);
	assert_non_null(strstr(content(), " name=\"a\\\" why=fin\\u000a<6>x=\\\\ \\u007f\\u00ff{}\" route="));
	assert_ptr_equal(strchr(content(), '\n'), strrchr(content(), '\n'));
}

static void names_cannot_break_out_of_json(void **state)
{
	begin("'connections': 'full', 'format': 'json'");
	struct record record = ended(1, evil);
	fake_link_record(0, &record);
	TRAFFIC_AWAIT(written() == 1);
	json_t *line = json_loads(content(), 0, NULL);
	assert_non_null(line);
	assert_string_equal(traffic_text(line, "name"), "a\" why=fin\n<6>x=\\ \x7f\xc3\xbf{}");
	json_decref(line);
}

static void refused_ones_are_lines_too(void **state)
{
	begin("'connections': 'full'");
	struct record record = {.type = RECORD_REFUSED, .connection = {.id = 5, .cluster = CLUSTER_NONE}};
	record.connection.why = RECORD_MALFORMED;
	record.connection.pair = record.connection.host = SLOT_NONE;
	address_parse("2001:db8::1", &record.connection.client);
	fake_link_record(1, &record);
	TRAFFIC_AWAIT(written() == 1);
	assert_non_null(strstr(content(), " client=[2001:db8::1]:0 listener=http name=- route=- cluster=- host=- "
	                                  "router=- bytes_in=0"));
	assert_non_null(strstr(content(), " why=malformed\n"));
}

static void a_sample_of_the_refused_ones(void **state)
{
	begin("'connections': 'sampled', 'sample': 10");
	for (unsigned i = 0; i < 100; i++) {
		struct record record = ended(i + 1, "nobody.ch");
		record.type = RECORD_REFUSED;
		record.connection.why = RECORD_UNKNOWN_NAME;
		fake_link_record(0, &record);
	}
	/* The workers choose among those that ended. */
	struct record record = ended(1000, "app1.ch");
	fake_link_record(1, &record);
	TRAFFIC_AWAIT(written() == 11);
	assert_non_null(strstr(content(), "id=1 "));
	assert_non_null(strstr(content(), "id=91 "));
	assert_null(strstr(content(), "id=100 "));
}

static void a_new_file_when_it_is_asked_for(void **state)
{
	begin("'connections': 'full'");
	struct record record = ended(1, "app1.ch");
	fake_link_record(0, &record);
	TRAFFIC_AWAIT(written() == 1);
	assert_int_equal(unlink(path), 0);
	connection_log_reopen(traffic.control.connection_log);
	fake_link_record(0, &record);
	TRAFFIC_AWAIT(written() == 2);
	assert_non_null(strstr(content(), "id=1 "));
}

static void off(void **state)
{
	begin("'connections': 'off'");
	struct record record = ended(1, "app1.ch");
	fake_link_record(0, &record);
	TRAFFIC_AWAIT(traffic.control.records.taken == 1);
	traffic_turns(40);
	assert_int_equal(written(), 0);
	assert_string_equal(content(), "");
	assert_string_equal(connection_log_why(traffic.control.connection_log), "");
}

static void counts_go_on_over_a_change_of_the_configuration(void **state)
{
	begin("'connections': 'full'");
	struct record record = ended(1, "app1.ch");
	fake_link_record(0, &record);
	TRAFFIC_AWAIT(traffic.control.records.taken == 1);
	connection_log_configure(traffic.control.connection_log, &traffic.control);
	assert_int_equal(written(), 1); /* nothing that waited is lost */
	strcpy(traffic.config->log.connections_file, "/nowhere/log");
	connection_log_configure(traffic.control.connection_log, &traffic.control);
	fake_link_record(0, &record);
	TRAFFIC_AWAIT(traffic.control.records.taken == 2);
	TRAFFIC_AWAIT(connection_log_why(traffic.control.connection_log)[0] != '\0');
	connection_log_configure(traffic.control.connection_log, &traffic.control);
	struct connection_log_counts counts = connection_log_counts(&traffic.control);
	assert_int_equal(counts.written, 1);
	assert_int_equal(counts.lost_writing, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(a_line_of_text, teardown),
	    cmocka_unit_test_teardown(a_line_of_json, teardown),
	    cmocka_unit_test_teardown(names_cannot_break_out_of_text, teardown),
	    cmocka_unit_test_teardown(names_cannot_break_out_of_json, teardown),
	    cmocka_unit_test_teardown(refused_ones_are_lines_too, teardown),
	    cmocka_unit_test_teardown(a_sample_of_the_refused_ones, teardown),
	    cmocka_unit_test_teardown(a_new_file_when_it_is_asked_for, teardown),
	    cmocka_unit_test_teardown(off, teardown),
	    cmocka_unit_test_teardown(counts_go_on_over_a_change_of_the_configuration, teardown),
	};
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	return failed;
}
