/* directory: the one that holds a file is synced, whether the file is there or not; one that is not there is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/directory.h"

static struct stat synced;

/* In place of the library's. */
int fsync(int fd)
{
	if (fstat(fd, &synced) != 0)
		return -1;
	return (int)syscall(SYS_fsync, fd);
}

static void the_directory_that_holds_it(void **state)
{
	struct stat tmp;
	assert_int_equal(stat("/tmp", &tmp), 0);
	synced = (struct stat){0};
	assert_true(directory_sync("/tmp/no-such-file"));
	assert_true(S_ISDIR(synced.st_mode));
	assert_int_equal(synced.st_ino, tmp.st_ino);
	assert_true(directory_sync("here"));
	errno = 0;
	assert_false(directory_sync("/nonexistent/file"));
	assert_int_equal(errno, ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(the_directory_that_holds_it)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
