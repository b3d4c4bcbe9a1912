/* Process identity and file prefixes. */
#include "dataplane/process.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct process_id process_self(void)
{
	return (struct process_id){.pid = getpid(), .start_time = process_start_time(getpid())};
}

bool process_alive(const struct process_id *process)
{
	uint64_t now = process->pid > 0 ? process_start_time(process->pid) : 0;
	return now != 0 && now == process->start_time;
}

void file_prefix_make(const struct process_id *process, char prefix[static RUN_FILE_PREFIX_MAX + 1])
{
	snprintf(prefix, RUN_FILE_PREFIX_MAX + 1, "pm-%d-%" PRIu64, process->pid, process->start_time);
}

bool file_prefix_parse(const char *name, struct process_id *out)
{
	char prefix[RUN_FILE_PREFIX_MAX + 1];
	if (sscanf(name, "pm-%d-%" SCNu64, &out->pid, &out->start_time) != 2 || out->pid <= 0)
		return false;
	/* sscanf takes signs, spaces and zeros in front; ours is only what file_prefix_make writes. */
	file_prefix_make(out, prefix);
	size_t len = strlen(prefix);
	return strncmp(name, prefix, len) == 0 && !isdigit((unsigned char)name[len]);
}
