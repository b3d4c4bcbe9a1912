/* The run file of the dataplane, <paths.run>/dataplane.run: which process is the DPDK primary and how it is found. The
 * dataplane writes it when everything that control attaches to exists; control reads it. JSON:
 * {"pid": 4711, "start_time": 123456, "file_prefix": "pointsman-4711", "version": 1}. Knows no DPDK. */
#ifndef PM_RUN_FILE_H
#define PM_RUN_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define RUN_FILE_NAME "dataplane.run"

enum { RUN_FILE_PREFIX_MAX = 63 };

struct run_file {
	pid_t pid;
	uint64_t start_time; /* of the process, as process_start_time gives it: a pid may be used again */
	char file_prefix[RUN_FILE_PREFIX_MAX + 1]; /* EAL --file-prefix */
	uint32_t version;                          /* SHARED_VERSION */
};

/* Writes the file at `path` so that a reader sees the old one or the new one, never a part. False: errno. */
bool run_file_write(const char *path, const struct run_file *run);
/* False: there is none, or it is not a run file. */
bool run_file_read(const char *path, struct run_file *out);

/* When a process was started, in clock ticks after boot; 0 if there is no such process, or only a zombie. */
uint64_t process_start_time(pid_t pid);

#endif
