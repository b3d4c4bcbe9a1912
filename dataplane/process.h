/* A process by pid and start time, and the file prefix of DPDK that is made of both: from the name of a file that was
 * left behind one can tell whether the dataplane that made it still lives. */
#ifndef PM_PROCESS_H
#define PM_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/run_file.h"

struct process_id {
	pid_t pid;
	uint64_t start_time; /* as process_start_time gives it */
};

struct process_id process_self(void);
/* It runs, and it is no other process that got the same pid later. */
bool process_alive(const struct process_id *process);

/* EAL's file prefix of a process, "pm-PID-STARTTIME". */
void file_prefix_make(const struct process_id *process, char prefix[static RUN_FILE_PREFIX_MAX + 1]);
/* And back; `name` may go on behind the prefix with anything but a digit, as the names of hugepage files do. False: it
 * does not begin with a prefix of ours. */
bool file_prefix_parse(const char *name, struct process_id *out);

#endif
