/* Where the admin API is and what to show to it: options, then environment, then the file
 * $XDG_CONFIG_HOME/pointsman/config (~/.config/pointsman/config) with lines "name = value". A token never comes from
 * the command line, where every user of the machine could read it. */
#ifndef PM_CLI_SETTINGS_H
#define PM_CLI_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "control/cli/arguments.h"
#include "control/cli/output.h"

#define SETTINGS_URL_DEFAULT "http://127.0.0.1:8089"

enum { SETTINGS_ERROR_MAX = 600 };

/* Strings are owned; NULL: not given. */
struct settings {
	char *url; /* without slashes at its end */
	char *token;
	char *token_from; /* for people: where the token was found */
	char *ca;         /* PEM file */
	bool insecure;    /* do not check the certificate */
	char *path;       /* of the configuration file, even if there is none; NULL without a home directory */
};

/* Warnings (a secret that others may read) go to `warnings`. False: `error` says which file or value is wrong. */
bool settings_read(struct settings *settings, const struct arguments *arguments, const struct output *warnings,
                   char error[static SETTINGS_ERROR_MAX]);
void settings_free(struct settings *settings);

/* The address is this machine's own: what goes there is seen by nobody on the way. */
bool settings_are_local(const struct settings *settings);

#endif
