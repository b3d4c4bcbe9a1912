/* What a log line looks like on standard error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
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

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(level_and_program_stand_in_front),
	    cmocka_unit_test(a_message_is_one_line),
	    cmocka_unit_test(long_messages_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
