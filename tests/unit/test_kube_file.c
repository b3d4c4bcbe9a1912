/* kube_file: read, read again when it changes, and kept when it cannot be read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/kube/kube_file.h"

static char directory[] = "/tmp/pm_kube_file_XXXXXX";
static char path[64];

static int setup(void **state)
{
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/token", directory);
	return 0;
}

static int teardown(void **state)
{
	unlink(path);
	return rmdir(directory);
}

/* As who renews secrets does it: a new file takes the place of the old one. */
static void write_file(const char *text, size_t len)
{
	char other[80];
	snprintf(other, sizeof(other), "%s.new", path);
	FILE *file = fopen(other, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(rename(other, path), 0);
}

static void renewed(void **state)
{
	struct kube_file file;
	kube_file_open(&file, path);
	assert_true(kube_file_changed(&file));
	assert_false(kube_file_refresh(&file, false));
	assert_null(file.content);
	assert_non_null(strstr(file.why, "token does not exist"));
	assert_false(kube_file_changed(&file));
	write_file("one", 3);
	assert_true(kube_file_changed(&file));
	assert_true(kube_file_refresh(&file, false));
	assert_string_equal(file.content, "one");
	assert_int_equal(file.len, 3);
	assert_string_equal(file.why, "");
	assert_false(kube_file_refresh(&file, false));
	write_file("two", 3);
	assert_true(kube_file_refresh(&file, false));
	assert_string_equal(file.content, "two");
	write_file("two", 3); /* another file, the same content */
	assert_true(kube_file_changed(&file));
	assert_false(kube_file_refresh(&file, false));
	assert_false(kube_file_changed(&file));
	kube_file_close(&file);
}

/* A change that leaves size and time as they were shows only to who reads anyway. */
static void read_anyway(void **state)
{
	struct kube_file file;
	struct stat before;
	kube_file_open(&file, path);
	write_file("one", 3);
	assert_true(kube_file_refresh(&file, false));
	assert_int_equal(stat(path, &before), 0);
	int fd = open(path, O_WRONLY);
	assert_int_equal(write(fd, "two", 3), 3);
	assert_int_equal(futimens(fd, (struct timespec[]){before.st_atim, before.st_mtim}), 0);
	close(fd);
	assert_false(kube_file_refresh(&file, false));
	assert_true(kube_file_refresh(&file, true));
	assert_string_equal(file.content, "two");
	kube_file_close(&file);
}

static void bad_files_keep_the_old(void **state)
{
	static char large[KUBE_FILE_MAX + 1];
	struct kube_file file;
	kube_file_open(&file, path);
	write_file("good", 4);
	assert_true(kube_file_refresh(&file, false));
	write_file("", 0);
	assert_false(kube_file_refresh(&file, false));
	assert_non_null(strstr(file.why, "token is empty"));
	memset(large, 'x', sizeof(large));
	write_file(large, sizeof(large));
	assert_false(kube_file_refresh(&file, false));
	assert_non_null(strstr(file.why, "token is larger than 1 MiB"));
	write_file(large, KUBE_FILE_MAX);
	assert_true(kube_file_refresh(&file, false));
	assert_string_equal(file.why, "");
	write_file("good", 4);
	assert_true(kube_file_refresh(&file, false));
	unlink(path);
	assert_true(kube_file_changed(&file));
	assert_false(kube_file_refresh(&file, false));
	assert_string_equal(file.content, "good");
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_false(kube_file_refresh(&file, false)); /* and does not hang */
	assert_non_null(strstr(file.why, "token is no file"));
	assert_string_equal(file.content, "good");
	kube_file_close(&file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(renewed),
	    cmocka_unit_test(read_anyway),
	    cmocka_unit_test(bad_files_keep_the_old),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
