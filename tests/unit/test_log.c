/* What a log line looks like on standard error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <jansson.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"

/* Calls `log` with standard error replaced by a pipe, and reads what came out of it. */
static void capture(void (*log)(void), char *out, size_t size)
{
	int ends[2], old = dup(STDERR_FILENO);

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
	log();
	dup2(old, STDERR_FILENO);
	close(old);
	close(ends[1]);
	ssize_t len = read(ends[0], out, size - 1);
	close(ends[0]);
	assert_true(len >= 0);
	out[len] = '\0';
}

static void log_levels(void)
{
	log_error("port %s: no such interface", "north");
	log_warning("a");
	log_info("b");
}

static void log_two_lines(void)
{
	log_error("host \"%s\"", "a\n<3>forged\x1b[2J");
}

static void log_too_much(void)
{
	char text[5000];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	log_info("%s", text);
}

static void level_and_program_stand_in_front(void **state)
{
	char out[8192];

	log_init("pointsman-test");
	capture(log_levels, out, sizeof(out));
	assert_string_equal(out, "<3>pointsman-test: port north: no such interface\n"
	                         "<4>pointsman-test: a\n<6>pointsman-test: b\n");
}

static void a_message_is_one_line(void **state)
{
	char out[8192];

	capture(log_two_lines, out, sizeof(out));
	assert_ptr_equal(strchr(out, '\n'), out + strlen(out) - 1);
	assert_null(strchr(out, '\x1b'));
}

static void long_messages_are_cut(void **state)
{
	char out[8192];

	capture(log_too_much, out, sizeof(out));
	assert_int_equal(strlen(out), 1024);
	assert_int_equal(out[1023], '\n');
}

static void log_dirty(void)
{
	log_error("a \"quoted\" \\ \n \x7f \xff \xc3\xa4");
}

static void log_with_fields(void)
{
	const struct log_field fields[] = {
	    {"who", "anna\n", false},
	    {"absent", NULL, false},
	    {"revision", "7", true},
	};
	log_fields(LOG_LEVEL_WARNING, "set", fields, 3);
}

static void log_huge_fields(void)
{
	static char text[9000];
	memset(text, '"', sizeof(text) - 1);
	const struct log_field fields[] = {{"a", text, false}, {"b", text, false}, {"c", "1", true}, {"d", text, true}};
	log_fields(LOG_LEVEL_INFO, "huge", fields, 4);
}

static json_t *capture_json(void (*log)(void))
{
	char out[8192];
	log_format(true);
	capture(log, out, sizeof(out));
	log_format(false);
	assert_ptr_equal(strchr(out, '\n'), out + strlen(out) - 1);
	assert_true(strlen(out) <= 4096);
	json_t *line = json_loads(out, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(line);
	return line;
}

static const char *member(const json_t *line, const char *name)
{
	return json_string_value(json_object_get(line, name));
}

static void json_lines_are_json(void **state)
{
	log_init("pointsman-test");
	json_t *line = capture_json(log_dirty);
	assert_string_equal(member(line, "text"), "a \"quoted\" \\ \n \x7f \xef\xbf\xbd \xc3\xa4");
	assert_string_equal(member(line, "level"), "error");
	assert_string_equal(member(line, "program"), "pointsman-test");
	assert_int_equal(strlen(member(line, "at")), strlen("2026-01-01T00:00:00.000Z"));
	json_decref(line);
	json_decref(capture_json(log_too_much));
}

static void fields_are_members(void **state)
{
	char out[8192];
	json_t *line = capture_json(log_with_fields);
	assert_string_equal(member(line, "text"), "set");
	assert_string_equal(member(line, "who"), "anna\n");
	assert_null(json_object_get(line, "absent"));
	assert_int_equal(json_integer_value(json_object_get(line, "revision")), 7);
	json_decref(line);
	capture(log_with_fields, out, sizeof(out));
	assert_string_equal(out, "<4>pointsman-test: set\n");
}

static void fields_without_room_are_cut(void **state)
{
	json_t *line = capture_json(log_huge_fields);
	assert_string_equal(member(line, "text"), "huge");
	assert_non_null(member(line, "a"));
	json_decref(line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(level_and_program_stand_in_front),
	    cmocka_unit_test(a_message_is_one_line),
	    cmocka_unit_test(long_messages_are_cut),
	    cmocka_unit_test(json_lines_are_json),
	    cmocka_unit_test(fields_are_members),
	    cmocka_unit_test(fields_without_room_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
