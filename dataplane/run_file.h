/* How processes of pointsman know each other: the run file names the living dataplane, and a process is known by its
 * pid and start time, so that a pid used again means nobody. Knows no DPDK. */
#ifndef PM_RUN_FILE_H
#define PM_RUN_FILE_H

#include <stdbool.h>
#include <stdint.h>

enum { RUN_FILE_PREFIX_MAX = 63 };

#define RUN_FILE_NAME "dataplane.run"

struct process_id {
	int32_t pid;
	uint64_t start_time; /* clock ticks since boot, field 22 of /proc/PID/stat */
};

/* The process that runs now under this pid; false: none. */
bool process_find(int32_t pid, struct process_id *out);
/* It runs, and it is no other process that got the same pid later. */
bool process_alive(const struct process_id *process);
/* Field 22 of a line of /proc/PID/stat; the command's name in it may hold anything. False: malformed, or the process
 * has ended and only waits for its parent to notice. */
bool process_parse_stat(const char *line, uint64_t *start_time);

struct run_file {
	struct process_id process;
	char file_prefix[RUN_FILE_PREFIX_MAX + 1]; /* EAL --file-prefix */
	char version[32];
};

/* Writes `<directory>/dataplane.run` at once (another file, then renamed). False with errno. */
bool run_file_write(const char *directory, const struct run_file *file);
/* False: none, or none that can be read. */
bool run_file_read(const char *directory, struct run_file *out);
void run_file_remove(const char *directory);

/* EAL's file prefix of a process, "pm-PID-STARTTIME", and back; false: no prefix of ours. */
void file_prefix_make(const struct process_id *process, char prefix[static RUN_FILE_PREFIX_MAX + 1]);
/* `name` may go on behind the prefix with anything but a digit, as the names of hugepage files do. */
bool file_prefix_parse(const char *name, struct process_id *out);

#endif
