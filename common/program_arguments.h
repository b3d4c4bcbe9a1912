/* The arguments of pointsman-dataplane and pointsman-control: one file, or a question about the program itself. Not
 * those of the command line (control/cli). */
#ifndef PM_PROGRAM_ARGUMENTS_H
#define PM_PROGRAM_ARGUMENTS_H

#include <stdbool.h>
#include <stdio.h>

struct program {
	const char *name, *version;
	const char *about; /* one line of the help */
	bool checks;       /* takes --check FILE, too */
};

enum { PROGRAM_USAGE_STATUS = 2 }; /* exit status after wrong arguments */

struct program_arguments {
	enum { PROGRAM_RUN, PROGRAM_CHECK, PROGRAM_END } action;
	const char *path; /* of the configuration; NULL: PROGRAM_END */
	int status;       /* PROGRAM_END: the exit status */
};

/* Help and version go to `out`, one line about what is wrong to `err`; both are PROGRAM_END. */
struct program_arguments program_arguments_read(const struct program *program, int argc, char **argv, FILE *out,
                                                FILE *err);

#endif
