/* Errors of the API as people need them: what is wrong, where, and the way out. */
#ifndef PM_CLI_PROBLEM_H
#define PM_CLI_PROBLEM_H

struct answer;
struct cli;
struct request;

/* Of a call that failed or was refused, on stderr. With 412 it asks the API what has changed since. */
void problem_print(struct cli *cli, const struct request *request, const struct answer *answer);

#endif
