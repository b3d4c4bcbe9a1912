/* run_file.c: what is written is read again, and nothing else; when a process was started. */
#include "common/run_file.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[] = "/tmp/test_run_file_XXXXXX";
static char path[64];

static int make_directory(void **state)
{
	(void)state;
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/" RUN_FILE_NAME, directory);
	return 0;
}

static int remove_directory(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(directory); /* fails if a draft was left behind */
}

static void write_text(const char *text)
{
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void reads_what_was_written(void **state)
{
	(void)state;
	struct run_file read, first = {4711, 123456789012345, "pm-4711-123456789012345", 1}, second = {1, 2, "x", 0};
	assert_false(run_file_read(path, &read));
	assert_true(run_file_write(path, &first));
	assert_true(run_file_read(path, &read));
	assert_int_equal(read.pid, 4711);
	assert_int_equal(read.start_time, 123456789012345);
	assert_string_equal(read.file_prefix, first.file_prefix);
	assert_int_equal(read.version, 1);
	assert_true(run_file_write(path, &second));
	assert_true(run_file_read(path, &read));
	assert_int_equal(read.pid, 1);
	assert_string_equal(read.file_prefix, "x");
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
	    "{\"pid\": \"1\", \"start_time\": 2, \"file_prefix\": \"x\", \"version\": 1}",
	    "{\"pid\": 0, \"start_time\": 2, \"file_prefix\": \"x\", \"version\": 1}",
	    "{\"pid\": -1, \"start_time\": 2, \"file_prefix\": \"x\", \"version\": 1}",
	    "{\"pid\": 4294967297, \"start_time\": 2, \"file_prefix\": \"x\", \"version\": 1}",
	    "{\"pid\": 1, \"start_time\": 0, \"file_prefix\": \"x\", \"version\": 1}",
	    "{\"pid\": 1, \"start_time\": 2, \"file_prefix\": \"\", \"version\": 1}",
	    "{\"pid\": 1, \"start_time\": 2, \"file_prefix\": \"../x\", \"version\": 1}",
	    "{\"pid\": 1, \"start_time\": 2, \"file_prefix\": \"a b\", \"version\": 1}",
	    "{\"pid\": 1, \"start_time\": 2, \"file_prefix\": \"x\", \"version\": -1}",
	    ("{\"pid\": 1, \"start_time\": 2, \"version\": 1, \"file_prefix\": "
	     "\"0123456789012345678901234567890123456789012345678901234567890123\"}"),
	};
	struct run_file read;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		write_text(texts[i]);
		assert_false(run_file_read(path, &read));
	}
}

static void says_why_it_cannot_write(void **state)
{
	(void)state;
	struct run_file file = {1, 2, "x", 1};
	assert_false(run_file_write("/nonexistent/dataplane.run", &file));
	assert_int_equal(errno, ENOENT);
}

static void knows_when_a_process_was_started(void **state)
{
	(void)state;
	uint64_t self = process_start_time(getpid());
	assert_int_not_equal(self, 0);
	/* The name stands in the line that is read. */
	assert_int_equal(prctl(PR_SET_NAME, ") Z 1 2 (3)"), 0);
	assert_int_equal(process_start_time(getpid()), self);
	assert_int_equal(process_start_time(0x7fffffff), 0);

	pid_t pid = fork();
	if (pid == 0)
		for (;;)
			pause();
	assert_true(process_start_time(pid) >= self);
	kill(pid, SIGKILL);
	siginfo_t ended;
	assert_int_equal(waitid(P_PID, (id_t)pid, &ended, WEXITED | WNOWAIT), 0);
	assert_int_equal(process_start_time(pid), 0); /* a zombie */
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(process_start_time(pid), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reads_what_was_written),
	    cmocka_unit_test(refuses_what_is_no_run_file),
	    cmocka_unit_test(says_why_it_cannot_write),
	    cmocka_unit_test(knows_when_a_process_was_started),
	};
	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
