/* What the API says to its callers, in the words of the command line: its messages name the call that helps, and a
 * person who reads them here must see what to type. Knows no output. */
#ifndef PM_CLI_WORDING_H
#define PM_CLI_WORDING_H

/* A copy (to be freed) in which calls of the API, and fields of its requests, have become commands and options. */
char *wording_make(const char *text);

#endif
