/* The command line against the table of commands: which command, its options and its words. Knows no command. Usage
 * errors are for people, with what was meant where that can be guessed. */
#ifndef PM_CLI_ARGUMENTS_H
#define PM_CLI_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>

enum { ARGUMENTS_MAX = 1024, ARGUMENTS_ERROR_MAX = 500, WORDS_MAX = 64 };

enum option {
	/* of every command; in front of the command, or behind it */
	OPTION_URL,
	OPTION_TOKEN_FILE,
	OPTION_CA,
	OPTION_INSECURE,
	OPTION_JSON,
	OPTION_HELP,
	OPTION_VERSION,
	OPTIONS_GLOBAL,
	/* of every command that changes something */
	OPTION_PLAN = OPTIONS_GLOBAL,
	OPTION_REASON,
	OPTION_WAIT,
	OPTION_IF_REVISION,
	OPTIONS_WRITE,
	/* of those that name them */
	OPTION_CLUSTER = OPTIONS_WRITE,
	OPTION_SEARCH,
	OPTION_NAMESPACE,
	OPTION_ROUTE_STATE,
	OPTION_SORT,
	OPTION_LIMIT,
	OPTION_OFFSET,
	OPTION_ROUTE,
	OPTION_HOST,
	OPTION_CLIENT,
	OPTION_MIN_AGE,
	OPTION_CONNECTION_STATE,
	OPTION_KIND,
	OPTION_SINCE,
	OPTION_FOLLOW,
	OPTION_TO,
	OPTION_FROM,
	OPTION_PERCENT,
	OPTION_ALL,
	OPTION_FORCE,
	OPTION_TIMEOUT,
	OPTION_CLOSE,
	OPTION_FROM_ADDRESS,
	OPTION_LISTENER,
	OPTION_PATH,
	OPTION_HTTPS,
	OPTION_ROUTER,
	OPTION_API,
	OPTION_API_TOKEN_FILE,
	OPTION_API_CA,
	OPTION_API_INSECURE,
	OPTION_CLUSTER_STATE,
	OPTION_FILE,
	OPTION_ROLE,
	OPTION_LOCAL,
	OPTION_TOKENS,
	OPTION_CONFIG,
	OPTIONS_END, /* also ends the list of a command */
};

/* An option of a name takes an argument with every command, or with none. */
struct option_spec {
	const char *name; /* without the dashes */
	char letter;      /* '-c', or '\0' */
	/* What stands for its argument in the help, NULL for a flag: a word in capitals, or all that it may be:
	 * "viewer|operator|admin". */
	const char *argument;
	const char *help;
};

extern const struct option_spec option_specs[OPTIONS_END];

struct cli;

struct command {
	const char *group; /* heading in the help; NULL: that of the one before */
	const char *words; /* "cluster add" */
	/* What follows: "CLUSTER", "[FILE]", "FIELD=VALUE...", separated by one space. */
	const char *arguments;
	const enum option *options; /* ended by OPTIONS_END; NULL: none of its own */
	bool writes;                /* takes the options of a write, too */
	bool offline;               /* asks no API */
	const char *help;           /* one line */
	const char *details;        /* further lines, NULL: none */
	int (*run)(struct cli *cli);
};

struct arguments {
	const struct command *command; /* NULL: none was given */
	const char *options[OPTIONS_END];
	const char *words[ARGUMENTS_MAX];
	size_t word_count;
};

/* Fills `out`, whose strings are those of argv and of the table. False: `error` says what is wrong. With --help,
 * --version or without any command words may be missing; then `command` may be NULL, and `group` (words given so far)
 * is set. */
bool arguments_parse(struct arguments *out, int argc, char **argv, const struct command *commands, size_t count,
                     char group[static WORDS_MAX], char error[static ARGUMENTS_ERROR_MAX]);

/* Does the command take this option? */
bool command_takes(const struct command *command, enum option option);

/* A word of a list such as "a|b|c"; the list is one of choices if it has no capitals. */
bool choices_are(const char *list);
bool choices_have(const char *list, const char *word);

#endif
