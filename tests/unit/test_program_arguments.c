/* program_arguments: help and version end well, everything wrong is named in one line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/program_arguments.h"

enum { ARGUMENTS_MAX = 5 };

static const struct program some = {.name = "prog", .version = "1.2.3", .about = "Does this.", .checks = true},
                            other = {.name = "other", .version = "1", .about = "Does that."};

static char *out, *err;

static struct program_arguments ask(const struct program *program, const char *first, const char *second,
                                    const char *third)
{
	size_t size;
	char *argv[ARGUMENTS_MAX] = {(char *)"x", (char *)first, (char *)second, (char *)third};
	int argc = 1;
	while (argv[argc])
		argc++;
	free(out);
	free(err);
	FILE *to = open_memstream(&out, &size), *errors = open_memstream(&err, &size);
	struct program_arguments arguments = program_arguments_read(program, argc, argv, to, errors);
	fclose(to);
	fclose(errors);
	return arguments;
}

static void assert_ends(struct program_arguments arguments, int status, const char *said, const char *complained)
{
	assert_int_equal(arguments.action, PROGRAM_END);
	assert_int_equal(arguments.status, status);
	assert_null(arguments.path);
	assert_string_equal(out, said);
	assert_string_equal(err, complained);
}

static void a_file_is_run_or_checked(void **state)
{
	struct program_arguments arguments = ask(&some, "--config", "/a", NULL);
	assert_int_equal(arguments.action, PROGRAM_RUN);
	assert_string_equal(arguments.path, "/a");
	arguments = ask(&some, "--check", "/b", NULL);
	assert_int_equal(arguments.action, PROGRAM_CHECK);
	assert_string_equal(arguments.path, "/b");
	assert_int_equal(strlen(out) + strlen(err), 0);
}

static void questions_are_answered(void **state)
{
	assert_ends(ask(&some, "--version", NULL, NULL), 0, "prog 1.2.3\n", "");
	struct program_arguments arguments = ask(&some, "--help", NULL, NULL);
	assert_int_equal(arguments.action, PROGRAM_END);
	assert_int_equal(arguments.status, 0);
	static const char *const parts[] = {"usage: prog --config FILE\n       prog --check FILE\n\nDoes this.\n",
	                                    "  --config FILE  ", "  --check FILE   ", "  -h, --help     ",
	                                    "  --version      "};
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		assert_non_null(strstr(out, parts[i]));
	ask(&other, "-h", NULL, NULL);
	assert_non_null(strstr(out, "usage: other --config FILE\n\nDoes that.\n"));
	assert_null(strstr(out, "--check"));
}

static void what_is_wrong_is_named(void **state)
{
	assert_ends(ask(&some, NULL, NULL, NULL), 2, "", "prog: --config FILE is missing; see prog --help\n");
	assert_ends(ask(&some, "--frob", NULL, NULL), 2, "", "prog: unknown option --frob; see prog --help\n");
	assert_ends(ask(&some, "a.json", NULL, NULL), 2, "", "prog: a.json is not expected here; see prog --help\n");
	assert_ends(ask(&some, "--config", NULL, NULL), 2, "", "prog: --config needs a FILE; see prog --help\n");
	assert_ends(ask(&some, "--config", "/a", "--frob"), 2, "", "prog: unknown option --frob; see prog --help\n");
	assert_ends(ask(&some, "--check", "/a", "b"), 2, "", "prog: b is not expected here; see prog --help\n");
	assert_ends(ask(&other, "--check", "/a", NULL), 2, "", "other: unknown option --check; see other --help\n");
}

static int end(void **state)
{
	free(out);
	free(err);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_file_is_run_or_checked),
	    cmocka_unit_test(questions_are_answered),
	    cmocka_unit_test(what_is_wrong_is_named),
	};
	return cmocka_run_group_tests(tests, NULL, end);
}
