/* Files that are renewed: see the header. */
#include "control/kube/kube_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void kube_file_open(struct kube_file *file, const char *path)
{
	*file = (struct kube_file){.path = strdup(path)};
	if (!file->path)
		abort();
}

static void forget(char *content, size_t len)
{
	if (content)
		explicit_bzero(content, len);
	free(content);
}

void kube_file_close(struct kube_file *file)
{
	forget(file->content, file->len);
	free(file->path);
	*file = (struct kube_file){0};
}

bool kube_file_changed(const struct kube_file *file)
{
	struct stat now = {0};
	if (!file->tried)
		return true;
	if (stat(file->path, &now) != 0)
		memset(&now, 0, sizeof(now));
	return now.st_ino != file->seen.st_ino || now.st_size != file->seen.st_size ||
	       now.st_mtim.tv_sec != file->seen.st_mtim.tv_sec || now.st_mtim.tv_nsec != file->seen.st_mtim.tv_nsec;
}

static bool failed(struct kube_file *file, const char *what)
{
	snprintf(file->why, sizeof(file->why), "%.120s %s", file->path, what);
	return false;
}

/* The whole content, in `content` and `len`; `seen` is of the file that was read, also when its reading failed. */
static bool load(struct kube_file *file, char **content, size_t *len)
{
	char *buffer = NULL;
	ssize_t got = 0;
	*len = 0;
	memset(&file->seen, 0, sizeof(file->seen));
	int fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not hold us up */
	if (fd < 0)
		return failed(file, errno == ENOENT ? "does not exist" : strerror(errno));
	if (fstat(fd, &file->seen) != 0 || !S_ISREG(file->seen.st_mode)) {
		close(fd);
		return failed(file, "is no file");
	}
	if (file->seen.st_size <= KUBE_FILE_MAX) {
		buffer = malloc((size_t)file->seen.st_size + 1);
		if (!buffer)
			abort();
		while (*len < (size_t)file->seen.st_size &&
		       (got = read(fd, buffer + *len, (size_t)file->seen.st_size - *len)) > 0)
			*len += (size_t)got;
		buffer[*len] = '\0';
	}
	close(fd);
	if (buffer && got >= 0 && *len > 0) {
		*content = buffer;
		return true;
	}
	forget(buffer, *len);
	return failed(file, !buffer ? "is larger than 1 MiB" : got < 0 ? "cannot be read" : "is empty");
}

bool kube_file_refresh(struct kube_file *file, bool anyway)
{
	char *content;
	size_t len;
	if (!anyway && !kube_file_changed(file))
		return false;
	file->tried = true;
	if (!load(file, &content, &len))
		return false;
	file->why[0] = '\0';
	if (file->content && file->len == len && memcmp(file->content, content, len) == 0) {
		forget(content, len);
		return false;
	}
	forget(file->content, file->len);
	file->content = content;
	file->len = len;
	return true;
}
