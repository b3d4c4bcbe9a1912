/* A stand-in of the admin API for tests of the command line: says what the test told it, and keeps what was asked. With
 * it comes the program itself, run inside the test. */
#ifndef PM_CLI_SERVER_H
#define PM_CLI_SERVER_H

#include <stdbool.h>
#include <stddef.h>

enum { CLI_CALLS_MAX = 64 };

struct cli_call {
	char method[8], target[512], authorization[128], if_match[64];
	char *body; /* "" without one */
};

/* On a free port of 127.0.0.1; POINTSMAN_URL names it, HOME and the token variable are set to what gives no settings.
 */
void cli_server_start(void);
void cli_server_stop(void);

/* The answer to a method and a target that begins so; of several that fit the longest counts, of equals the first that
 * is left. `times` 0: for ever. Strings must live as long. */
void cli_server_say(const char *method, const char *target, int status, const char *body, unsigned times);
/* Forgets all answers and calls. */
void cli_server_reset(void);

/* What was asked, in order. */
size_t cli_server_calls(void);
const struct cli_call *cli_server_call(size_t index);

struct cli_result {
	int status;
	char *out, *err;
};

/* Runs `pointsman` with these words, ended by NULL. Free with cli_result_free. */
struct cli_result cli_result_of(const char *word, ...) __attribute__((sentinel));
void cli_result_free(struct cli_result *result);

/* The same, and fails the test if the exit status is another, or if stdout or stderr do not hold the text (NULL: any).
 */
void cli_expect(int status, const char *out, const char *err, const char *word, ...) __attribute__((sentinel));

#endif
