/* line_sink: whole lines, a file that is moved, readers that do not read, a disk that is full. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/event_loop.h"
#include "control/traffic/line_sink.h"

static struct event_loop *loop;
static struct line_sink *sink;
static char directory[] = "/tmp/pm-test-sink-XXXXXX", path[64], moved[64];

static int setup(void **state)
{
	loop = event_loop_create();
	snprintf(path, sizeof(path), "%s/log", directory);
	snprintf(moved, sizeof(moved), "%s/log.1", directory);
	sink = line_sink_create(loop, path);
	return 0;
}

static int teardown(void **state)
{
	line_sink_destroy(sink);
	event_loop_destroy(loop);
	unlink(path);
	unlink(moved);
	return 0;
}

static void put(const char *line)
{
	line_sink_put(sink, line, strlen(line));
}

static void put_many(unsigned count)
{
	static char line[1001];
	memset(line, 'x', sizeof(line) - 1);
	line[999] = '\n';
	for (unsigned i = 0; i < count; i++)
		put(line);
}

#define AWAIT(condition)                                                                                               \
	do {                                                                                                           \
		for (int turn = 0; !(condition); turn++) {                                                             \
			assert_true(turn < 1000);                                                                      \
			event_loop_turn(loop, 10);                                                                     \
		}                                                                                                      \
	} while (0)

static bool file_is(const char *name, const char *content)
{
	char text[256] = "";
	FILE *file = fopen(name, "r");
	if (!file)
		return false;
	size_t len = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	return len == strlen(content) && memcmp(text, content, len) == 0;
}

static size_t size_of(const char *name)
{
	struct stat status;
	return stat(name, &status) == 0 ? (size_t)status.st_size : 0;
}

static void appends_lines(void **state)
{
	put("one\n");
	put("two\n");
	assert_int_equal(line_sink_counts(sink).waiting, 2);
	AWAIT(file_is(path, "one\ntwo\n"));
	put("three\n");
	AWAIT(file_is(path, "one\ntwo\nthree\n"));
	struct line_sink_counts counts = line_sink_counts(sink);
	assert_int_equal(counts.written, 3);
	assert_int_equal(counts.waiting, 0);
	assert_int_equal(counts.lost, 0);
}

static void more_than_a_turn_takes(void **state)
{
	put_many(2000);
	AWAIT(size_of(path) == 2000 * 1000);
	assert_int_equal(line_sink_counts(sink).written, 2000);
}

static void a_moved_file_is_opened_anew(void **state)
{
	put("one\n");
	AWAIT(file_is(path, "one\n"));
	assert_int_equal(rename(path, moved), 0);
	/* Until it is seen, lines go to the old one. */
	for (int i = 0; i < 300 && size_of(path) == 0; i++) {
		put("two\n");
		event_loop_turn(loop, 10);
	}
	AWAIT(line_sink_counts(sink).waiting == 0);
	assert_true(size_of(path) > 0);
	assert_int_equal(size_of(path) + size_of(moved), 4 * line_sink_counts(sink).written);
	unlink(path);
	line_sink_reopen(sink);
	put("three\n");
	AWAIT(file_is(path, "three\n"));
}

static void what_finds_no_room_is_lost_and_counted(void **state)
{
	line_sink_destroy(sink);
	sink = line_sink_create(loop, "/nowhere/log");
	put_many(5000);
	event_loop_turn(loop, 200);
	struct line_sink_counts counts = line_sink_counts(sink);
	assert_int_equal(counts.waiting, LINE_SINK_BUFFER / 1000);
	assert_int_equal(counts.lost, 5000 - LINE_SINK_BUFFER / 1000);
	assert_int_equal(counts.written, 0);
	assert_non_null(strstr(line_sink_why(sink), "/nowhere/log cannot be opened: No such file"));
}

static void a_full_disk_keeps_lines_for_later(void **state)
{
	line_sink_destroy(sink);
	sink = line_sink_create(loop, "/dev/full");
	put("one\n");
	AWAIT(strstr(line_sink_why(sink), "cannot be written: No space left"));
	assert_int_equal(line_sink_counts(sink).waiting, 1);
}

/* Standard error is `fd` while `test` runs. */
static void with_standard_error(int fd, void (*test)(int), int context)
{
	int saved = dup(STDERR_FILENO);
	line_sink_destroy(sink);
	sink = line_sink_create(loop, "");
	dup2(fd, STDERR_FILENO);
	close(fd);
	test(context);
	dup2(saved, STDERR_FILENO);
	close(saved);
}

static size_t read_all(int fd)
{
	static char bytes[1 << 20];
	size_t sum = 0;
	for (ssize_t len; (len = read(fd, bytes, sizeof(bytes))) > 0;)
		sum += (size_t)len;
	return sum;
}

/* Nobody reads, then somebody does: the loop never waits, and nothing is lost or cut. */
static void slow_reader(int reader)
{
	size_t sum = 0;
	put_many(3000);
	uint64_t before = clock_monotonic_ms();
	for (int i = 0; i < 20; i++)
		event_loop_turn(loop, 10);
	assert_true(clock_monotonic_ms() - before < 1000);
	assert_true(line_sink_counts(sink).waiting > 2000);
	for (int i = 0; i < 2000 && sum < 3000 * 1000; i++) {
		sum += read_all(reader);
		event_loop_turn(loop, 5);
	}
	assert_int_equal(sum, 3000 * 1000);
	assert_int_equal(line_sink_counts(sink).written, 3000);
}

static void a_pipe_that_is_not_read(void **state)
{
	int ends[2];
	assert_int_equal(pipe2(ends, 0), 0);
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	with_standard_error(ends[1], slow_reader, ends[0]);
	close(ends[0]);
}

static void a_socket_that_is_not_read(void **state)
{
	int ends[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	with_standard_error(ends[1], slow_reader, ends[0]);
	close(ends[0]);
}

static void a_line_that_is_too_long_is_lost(void **state)
{
	static char line[LINE_SINK_LINE_MAX + 2];
	memset(line, 'x', sizeof(line) - 1);
	put(line);
	assert_int_equal(line_sink_counts(sink).lost, 1);
	put("one\n");
	AWAIT(file_is(path, "one\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(appends_lines, setup, teardown),
	    cmocka_unit_test_setup_teardown(more_than_a_turn_takes, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_moved_file_is_opened_anew, setup, teardown),
	    cmocka_unit_test_setup_teardown(what_finds_no_room_is_lost_and_counted, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_full_disk_keeps_lines_for_later, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_pipe_that_is_not_read, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_socket_that_is_not_read, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_line_that_is_too_long_is_lost, setup, teardown),
	};
	assert_non_null(mkdtemp(directory));
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(directory);
	return failed;
}
