/* Files with a checked header: see state_file.h. */
#include "control/state/state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/crc32c.h"
#include "common/directory.h"

enum { FILE_MAX = 1 << 30, HEADER_MAX = 80 };

static const char header_format[] = "pointsman-state %u %zu %08x\n";

__attribute__((format(printf, 2, 3))) static void explain(char why[static STATE_FILE_TEXT_MAX], const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(why, STATE_FILE_TEXT_MAX, format, args);
	va_end(args);
}

/* All bytes of the file with a zero behind them. NULL: errno. */
static char *read_all(const char *path, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	struct stat info;
	char *bytes = NULL;
	if (fstat(fd, &info) == 0 && info.st_size < FILE_MAX)
		bytes = malloc((size_t)info.st_size + 1);
	ssize_t got = 0;
	*len = 0;
	while (bytes && (got = read(fd, bytes + *len, (size_t)info.st_size - *len)) > 0)
		*len += (size_t)got;
	int error = bytes && got < 0 ? errno : bytes ? 0 : EFBIG;
	close(fd);
	if (error) {
		free(bytes);
		errno = error;
		return NULL;
	}
	bytes[*len] = '\0';
	return bytes;
}

static enum state_file_result parse(const char *bytes, size_t len, json_t **out, char why[static STATE_FILE_TEXT_MAX])
{
	unsigned version, crc;
	size_t body_len;
	char header[HEADER_MAX];
	const char *body = memchr(bytes, '\n', len);
	bool valid = body && sscanf(bytes, header_format, &version, &body_len, &crc) == 3;
	/* sscanf is generous with spaces and zeros. */
	int header_len = valid ? snprintf(header, sizeof(header), header_format, version, body_len, crc) : 0;
	if (!valid || header_len != body - bytes + 1 || memcmp(bytes, header, (size_t)header_len) != 0) {
		explain(why, "it has no header of a state file");
		return STATE_FILE_BROKEN;
	}
	if (version < STATE_FILE_VERSION_OLDEST || version > STATE_FILE_VERSION) {
		explain(why, "it has version %u, this program reads versions %d to %d", version,
		        STATE_FILE_VERSION_OLDEST, STATE_FILE_VERSION);
		return STATE_FILE_VERSION_MISMATCH;
	}
	body++;
	size_t left = len - (size_t)(body - bytes);
	if (left != body_len || crc32c(body, left) != crc) {
		explain(why, "its checksum is wrong (%zu of %zu bytes)", left, body_len);
		return STATE_FILE_BROKEN;
	}
	*out = json_loadb(body, left, JSON_REJECT_DUPLICATES, NULL);
	if (!*out)
		explain(why, "it is not JSON");
	return *out ? STATE_FILE_OK : STATE_FILE_BROKEN;
}

enum state_file_result state_file_read(const char *path, json_t **out, char why[static STATE_FILE_TEXT_MAX])
{
	size_t len;
	char *bytes = read_all(path, &len);
	if (!bytes) {
		explain(why, "%s", strerror(errno));
		return errno == ENOENT ? STATE_FILE_NONE : STATE_FILE_UNREADABLE;
	}
	enum state_file_result result = parse(bytes, len, out, why);
	free(bytes);
	return result;
}

static bool write_all(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t written = write(fd, bytes, len);
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return false;
		bytes += written;
		len -= (size_t)written;
	}
	return true;
}

static bool write_file(const char *path, const char *body, size_t body_len, bool durable)
{
	char header[HEADER_MAX];
	int header_len =
	    snprintf(header, sizeof(header), header_format, STATE_FILE_VERSION, body_len, crc32c(body, body_len));
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return false;
	bool good =
	    write_all(fd, header, (size_t)header_len) && write_all(fd, body, body_len) && (!durable || fsync(fd) == 0);
	int error = errno;
	close(fd);
	errno = error;
	return good;
}

/* The present file becomes the previous one; there is a present one at every moment. */
static bool keep_previous(const char *path)
{
	char previous[PATH_MAX], temporary[PATH_MAX];
	snprintf(previous, sizeof(previous), "%s.previous", path);
	snprintf(temporary, sizeof(temporary), "%s.keep", path);
	unlink(temporary);
	if (link(path, temporary) != 0)
		return errno == ENOENT;
	return rename(temporary, previous) == 0;
}

bool state_file_write_text(const char *path, const char *text, size_t len, bool durable, bool previous,
                           char why[static STATE_FILE_TEXT_MAX])
{
	char temporary[PATH_MAX];
	snprintf(temporary, sizeof(temporary), "%s.new", path);
	bool good = write_file(temporary, text, len, durable) && (!previous || keep_previous(path)) &&
	            rename(temporary, path) == 0;
	if (!good) {
		explain(why, "%s cannot be written: %s", path, strerror(errno));
		unlink(temporary);
	}
	/* The rename is done: a directory that cannot be synced is a disk that fails later, not a write that failed. */
	if (good && durable && !directory_sync(path))
		explain(why, "the directory of %s cannot be synced: %s", path, strerror(errno));
	return good;
}

bool state_file_write(const char *path, const json_t *value, bool durable, char why[static STATE_FILE_TEXT_MAX])
{
	char *text = json_dumps(value, JSON_INDENT(1) | JSON_REAL_PRECISION(15));
	if (!text)
		abort();
	bool good = state_file_write_text(path, text, strlen(text), durable, durable, why);
	free(text);
	return good;
}

bool state_file_set_aside(const char *path)
{
	char bad[PATH_MAX];
	snprintf(bad, sizeof(bad), "%s.bad", path);
	return rename(path, bad) == 0;
}
