/* Arguments of the programs: see the header. */
#include "common/program_arguments.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static void print_help(const struct program *program, FILE *out)
{
	fprintf(out, "usage: %s --config FILE\n", program->name);
	if (program->checks)
		fprintf(out, "       %s --check FILE\n", program->name);
	fprintf(out, "\n%s\n\n  --config FILE  run with this configuration; needs root\n", program->about);
	if (program->checks)
		fputs("  --check FILE   name all mistakes of a configuration; needs no privileges\n", out);
	fputs("  -h, --help     this text\n  --version      print the version\n", out);
}

static struct program_arguments done(void)
{
	return (struct program_arguments){.action = PROGRAM_END, .status = EXIT_SUCCESS};
}

__attribute__((format(printf, 3, 4))) static struct program_arguments wrong(const struct program *program, FILE *err,
                                                                            const char *format, ...)
{
	va_list list;
	fprintf(err, "%s: ", program->name);
	va_start(list, format);
	vfprintf(err, format, list);
	va_end(list);
	fprintf(err, "; see %s --help\n", program->name);
	return (struct program_arguments){.action = PROGRAM_END, .status = PROGRAM_USAGE_STATUS};
}

struct program_arguments program_arguments_read(const struct program *program, int argc, char **argv, FILE *out,
                                                FILE *err)
{
	const char *option = argc > 1 ? argv[1] : NULL;
	if (!option)
		return wrong(program, err, "--config FILE is missing");
	if (strcmp(option, "--help") == 0 || strcmp(option, "-h") == 0) {
		print_help(program, out);
		return done();
	}
	if (strcmp(option, "--version") == 0) {
		fprintf(out, "%s %s\n", program->name, program->version);
		return done();
	}
	bool check = program->checks && strcmp(option, "--check") == 0;
	if (!check && strcmp(option, "--config") != 0)
		return wrong(program, err, option[0] == '-' ? "unknown option %.80s" : "%.80s is not expected here",
		             option);
	if (argc < 3)
		return wrong(program, err, "%s needs a FILE", option);
	if (argc > 3)
		return wrong(program, err, argv[3][0] == '-' ? "unknown option %.80s" : "%.80s is not expected here",
		             argv[3]);
	return (struct program_arguments){.action = check ? PROGRAM_CHECK : PROGRAM_RUN, .path = argv[2]};
}
