/* --wait: until the workers have a change, or until the last connection of what is drained has ended. Shows how far it
 * is: one line that is redrawn on a terminal, else a line now and then. */
#ifndef PM_CLI_WAIT_H
#define PM_CLI_WAIT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct cli;

/* `answer`: of a change. CLI_DONE at once if it was a plan or is applied; CLI_LATE after half a minute. */
int wait_applied(struct cli *cli, const json_t *answer);

struct drain {
	const char *cluster;
	const char *host; /* NULL: the whole cluster */
	int64_t timeout;  /* seconds after which the rest is closed; -1: never */
};

/* CLI_DONE when no connection is left, CLI_LATE when the time was over before, CLI_FAILED when somebody has called it
 * off, when the API does not answer any more, or at an interrupt: the drain itself goes on then. */
int wait_drained(struct cli *cli, const struct drain *drain);

/* One second, or until SIGINT or SIGTERM has come (true). wait_interrupts_begin makes these two only be noted. */
void wait_interrupts_begin(void);
void wait_interrupts_end(void);
bool wait_second(void);

#endif
