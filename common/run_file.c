/* The dataplane's run file: see the header. */
#include "common/run_file.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool run_file_write(const char *path, const struct run_file *run)
{
	char temporary[PATH_MAX];
	if (snprintf(temporary, sizeof(temporary), "%s.new", path) >= (int)sizeof(temporary)) {
		errno = ENAMETOOLONG;
		return false;
	}
	FILE *file = fopen(temporary, "we");
	if (!file)
		return false;
	fprintf(file, "{\"pid\": %d, \"start_time\": %llu, \"file_prefix\": \"%s\", \"version\": %u}\n", run->pid,
	        (unsigned long long)run->start_time, run->file_prefix, run->version);
	bool failed = ferror(file) != 0;
	failed |= fclose(file) != 0;
	if (!failed && rename(temporary, path) == 0)
		return true;
	int error = errno;
	unlink(temporary);
	errno = error;
	return false;
}

/* The prefix becomes part of an argument and of paths. */
static bool prefix_valid(const char *text)
{
	size_t len = strlen(text);
	return len > 0 && len <= RUN_FILE_PREFIX_MAX && text[0] != '.' &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == len;
}

bool run_file_read(const char *path, struct run_file *out)
{
	json_int_t pid, start_time, version;
	const char *prefix;
	json_t *root = json_load_file(path, 0, NULL);
	bool valid = json_unpack(root, "{s:I, s:I, s:s, s:I}", "pid", &pid, "start_time", &start_time, "file_prefix",
	                         &prefix, "version", &version) == 0 &&
	             pid > 0 && pid <= INT_MAX && start_time > 0 && version >= 0 && version <= UINT32_MAX &&
	             prefix_valid(prefix);
	if (valid) {
		*out = (struct run_file){
		    .pid = (pid_t)pid, .start_time = (uint64_t)start_time, .version = (uint32_t)version};
		memcpy(out->file_prefix, prefix, strlen(prefix) + 1);
	}
	json_decref(root);
	return valid;
}

uint64_t process_start_time(pid_t pid)
{
	char path[64], text[1024];
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	FILE *file = fopen(path, "re");
	if (!file)
		return 0;
	size_t len = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[len] = '\0';
	/* The name in the second field may contain anything; the last ')' ends it. Field 22 is the start time. */
	char *field = strrchr(text, ')');
	if (!field || field[1] != ' ' || field[2] == 'Z' || field[2] == 'X')
		return 0;
	for (int i = 2; i < 22 && field; i++)
		field = strchr(field + 1, ' ');
	return field ? strtoull(field, NULL, 10) : 0;
}
