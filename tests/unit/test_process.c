/* process.c: who is alive, and which files are ours. */
#include "dataplane/process.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void a_process_is_alive_until_it_ends(void **state)
{
	(void)state;
	struct process_id self = process_self(), later = self, nobody = {0, 0}, group = {-1, 0};
	assert_true(process_alive(&self));
	later.start_time++;
	assert_false(process_alive(&later));
	assert_false(process_alive(&nobody));
	assert_false(process_alive(&group));

	pid_t pid = fork();
	if (pid == 0)
		for (;;)
			pause();
	struct process_id child = {pid, process_start_time(pid)};
	assert_true(process_alive(&child));
	kill(pid, SIGKILL);
	siginfo_t ended;
	assert_int_equal(waitid(P_PID, (id_t)pid, &ended, WEXITED | WNOWAIT), 0);
	assert_false(process_alive(&child)); /* dead, though its parent has not looked yet */
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_false(process_alive(&child));
}

static void a_prefix_names_its_process(void **state)
{
	(void)state;
	static const char *const names[] = {"pm-4711-8801", "pm-4711-8801map_0", "pm-4711-8801_x"};
	struct process_id process = {4711, 8801}, out;
	char prefix[RUN_FILE_PREFIX_MAX + 1];
	file_prefix_make(&process, prefix);
	assert_string_equal(prefix, "pm-4711-8801");
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		memset(&out, 0, sizeof(out));
		assert_true(file_prefix_parse(names[i], &out));
		assert_int_equal(out.pid, 4711);
		assert_int_equal(out.start_time, 8801);
	}
}

static void other_names_are_not_ours(void **state)
{
	(void)state;
	static const char *const names[] = {
	    "",         "rte",        "rtemap_0",     "pm-",           "pm-4711",          "pm-4711-",
	    "pm--1-88", "pm-0-88",    "pm-x",         "pm-1-x",        "pm- 4711-1",       "pm-+4711-1",
	    "xpm-1-2",  "pm-4711- 1", "pm-04711-881", "pm-4711-+8801", "pm-99999999999-1", "pm-1-02",
	};
	struct process_id out;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		assert_false(file_prefix_parse(names[i], &out));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_process_is_alive_until_it_ends),
	    cmocka_unit_test(a_prefix_names_its_process),
	    cmocka_unit_test(other_names_are_not_ours),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
