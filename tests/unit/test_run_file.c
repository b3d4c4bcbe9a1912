/* run_file.c: who is alive, and which files are ours. */
#include "dataplane/run_file.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[] = "/tmp/test_run_file_XXXXXX";

static int make_directory(void **state)
{
	(void)state;
	return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
	(void)state;
	return rmdir(directory);
}

static void write_text(const char *text)
{
	char path[256];
	snprintf(path, sizeof(path), "%s/" RUN_FILE_NAME, directory);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void reads_what_it_wrote(void **state)
{
	(void)state;
	struct run_file read, written = {{4711, 123456789012345}, "pm-4711-123456789012345", "0.1.0"};
	assert_false(run_file_read(directory, &read));
	assert_true(run_file_write(directory, &written));
	assert_true(run_file_read(directory, &read));
	assert_int_equal(read.process.pid, 4711);
	assert_int_equal(read.process.start_time, 123456789012345);
	assert_string_equal(read.file_prefix, written.file_prefix);
	assert_string_equal(read.version, "0.1.0");
	run_file_remove(directory);
	assert_false(run_file_read(directory, &read));
}

static void refuses_what_is_no_run_file(void **state)
{
	(void)state;
	static const char *const texts[] = {
	    "",
	    "{",
	    "[]",
	    "{}",
	    "{\"pid\": 1, \"start_time\": 2, \"file_prefix\": \"x\"}",
	    "{\"pid\": \"1\", \"start_time\": 2, \"file_prefix\": \"x\", \"version\": \"1\"}",
	    "{\"pid\": 1, \"start_time\": 2, \"version\": \"1\", \"file_prefix\": "
	    "\"0123456789012345678901234567890123456789012345678901234567890123\"}",
	    "{\"pid\": 1, \"start_time\": 2, \"file_prefix\": \"x\", \"version\": "
	    "\"0123456789012345678901234567890123456789\"}",
	};
	struct run_file read;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		write_text(texts[i]);
		assert_false(run_file_read(directory, &read));
	}
	run_file_remove(directory);
}

static void cannot_write_into_nowhere(void **state)
{
	(void)state;
	struct run_file file = {{1, 2}, "pm-1-2", "0.1.0"};
	assert_false(run_file_write("/nonexistent/run", &file));
}

static void finds_the_start_time_behind_any_name(void **state)
{
	(void)state;
	static const char fields[] = "S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 %s 20\n";
	static const char *const names[] = {"7 (cat) ", "7 (a b c) ", "7 (x) 1 2 3 (y)) ", "7 ()) "};
	char rest[128], line[256];
	uint64_t start_time;
	snprintf(rest, sizeof(rest), fields, "8801");
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		snprintf(line, sizeof(line), "%s%s", names[i], rest);
		start_time = 0;
		assert_true(process_parse_stat(line, &start_time));
		assert_int_equal(start_time, 8801);
	}
	snprintf(line, sizeof(line), "7 (cat) %s", rest);
	*strchr(line, 'S') = 'Z';
	assert_false(process_parse_stat(line, &start_time));
	assert_false(process_parse_stat("", &start_time));
	assert_false(process_parse_stat("7 (cat", &start_time));
	assert_false(process_parse_stat("7 (cat) S 1 2 3", &start_time));
	snprintf(rest, sizeof(rest), fields, "x");
	snprintf(line, sizeof(line), "7 (cat) %s", rest);
	assert_false(process_parse_stat(line, &start_time));
}

static void a_process_is_alive_until_it_ends(void **state)
{
	(void)state;
	struct process_id self, child, later;
	assert_true(process_find(getpid(), &self));
	assert_true(process_alive(&self));
	later = self;
	later.start_time++;
	assert_false(process_alive(&later));
	assert_false(process_find(0, &later));
	assert_false(process_find(-1, &later));

	pid_t pid = fork();
	if (pid == 0)
		for (;;)
			pause();
	assert_true(process_find(pid, &child));
	assert_true(process_alive(&child));
	kill(pid, SIGKILL);
	siginfo_t ended;
	assert_int_equal(waitid(P_PID, (id_t)pid, &ended, WEXITED | WNOWAIT), 0);
	assert_false(process_alive(&child)); /* not reaped yet */
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_false(process_alive(&child));
}

static void prefixes_are_recognised(void **state)
{
	(void)state;
	struct process_id process = {4711, 8801}, out;
	char prefix[RUN_FILE_PREFIX_MAX + 1];
	file_prefix_make(&process, prefix);
	assert_string_equal(prefix, "pm-4711-8801");
	static const char *const ours[] = {"pm-4711-8801", "pm-4711-8801map_0", "pm-4711-8801_x"};
	for (size_t i = 0; i < sizeof(ours) / sizeof(*ours); i++) {
		memset(&out, 0, sizeof(out));
		assert_true(file_prefix_parse(ours[i], &out));
		assert_int_equal(out.pid, 4711);
		assert_int_equal(out.start_time, 8801);
	}
	static const char *const others[] = {
	    "",
	    "rte",
	    "pm-",
	    "pm-4711",
	    "pm-4711-",
	    "pm--1-8801",
	    "pm-x",
	    "pm-1-x",
	    "pm- 4711-1",
	    "pm-+4711-1",
	    "pm-4711- 8801",
	    "pm-04711-8801",
	    "xpm-4711-8801",
	    "pm-4711-+8801",
	    "pm-99999999999-1",
	};
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		assert_false(file_prefix_parse(others[i], &out));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reads_what_it_wrote),
	    cmocka_unit_test(refuses_what_is_no_run_file),
	    cmocka_unit_test(cannot_write_into_nowhere),
	    cmocka_unit_test(finds_the_start_time_behind_any_name),
	    cmocka_unit_test(a_process_is_alive_until_it_ends),
	    cmocka_unit_test(prefixes_are_recognised),
	};
	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
