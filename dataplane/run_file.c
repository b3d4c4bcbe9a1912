/* Run file and process identity. The run file is JSON, so that people and scripts can read it. */
#include "dataplane/run_file.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STAT_FIELDS_BEHIND_NAME = 19 }; /* field 22 is the 20th behind the name, which is field 2 */

bool process_parse_stat(const char *line, uint64_t *start_time)
{
	const char *at = strrchr(line, ')'); /* the name ends at the last one */
	for (int field = 0; at && field <= STAT_FIELDS_BEHIND_NAME; field++)
		at = strchr(at + 1, ' ');
	if (!at || !isdigit((unsigned char)at[1]))
		return false;
	char state = strrchr(line, ')')[2];
	if (state == 'Z' || state == 'X')
		return false;
	*start_time = strtoull(at + 1, NULL, 10);
	return true;
}

bool process_find(int32_t pid, struct process_id *out)
{
	char path[64], line[1024];
	snprintf(path, sizeof(path), "/proc/%" PRId32 "/stat", pid);
	FILE *file = pid > 0 ? fopen(path, "re") : NULL;
	if (!file)
		return false;
	bool found = fgets(line, sizeof(line), file) && process_parse_stat(line, &out->start_time);
	fclose(file);
	out->pid = pid;
	return found;
}

bool process_alive(const struct process_id *process)
{
	struct process_id now;
	return process_find(process->pid, &now) && now.start_time == process->start_time;
}

static void path_of(const char *directory, const char *suffix, char path[static 512])
{
	snprintf(path, 512, "%s/" RUN_FILE_NAME "%s", directory, suffix);
}

bool run_file_write(const char *directory, const struct run_file *file)
{
	char path[512], draft[512];
	path_of(directory, "", path);
	path_of(directory, ".new", draft);
	json_t *json =
	    json_pack("{s:i, s:I, s:s, s:s}", "pid", (int)file->process.pid, "start_time",
	              (json_int_t)file->process.start_time, "file_prefix", file->file_prefix, "version", file->version);
	bool written = json && json_dump_file(json, draft, JSON_INDENT(2)) == 0 && rename(draft, path) == 0;
	int error = errno;
	json_decref(json);
	errno = error;
	return written;
}

bool run_file_read(const char *directory, struct run_file *out)
{
	char path[512];
	int pid;
	json_int_t start_time;
	const char *prefix, *version;

	path_of(directory, "", path);
	json_t *json = json_load_file(path, 0, NULL);
	bool complete = json && json_unpack(json, "{s:i, s:I, s:s, s:s}", "pid", &pid, "start_time", &start_time,
	                                    "file_prefix", &prefix, "version", &version) == 0;
	complete = complete && strlen(prefix) < sizeof(out->file_prefix) && strlen(version) < sizeof(out->version);
	if (complete) {
		out->process = (struct process_id){.pid = pid, .start_time = (uint64_t)start_time};
		strcpy(out->file_prefix, prefix);
		strcpy(out->version, version);
	}
	json_decref(json);
	return complete;
}

void run_file_remove(const char *directory)
{
	char path[512];
	path_of(directory, "", path);
	unlink(path);
}

void file_prefix_make(const struct process_id *process, char prefix[static RUN_FILE_PREFIX_MAX + 1])
{
	snprintf(prefix, RUN_FILE_PREFIX_MAX + 1, "pm-%" PRId32 "-%" PRIu64, process->pid, process->start_time);
}

bool file_prefix_parse(const char *name, struct process_id *out)
{
	if (sscanf(name, "pm-%" SCNd32 "-%" SCNu64, &out->pid, &out->start_time) != 2)
		return false;
	/* sscanf takes signs and spaces; only what file_prefix_make writes is ours. */
	char prefix[RUN_FILE_PREFIX_MAX + 1];
	file_prefix_make(out, prefix);
	return out->pid > 0 && strncmp(name, prefix, strlen(prefix)) == 0 &&
	       !isdigit((unsigned char)name[strlen(prefix)]);
}
