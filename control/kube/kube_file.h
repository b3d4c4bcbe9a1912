/* A small file that somebody else renews: token, CA, key, kubeconfig. Read when it has changed. A file that cannot be
 * read leaves what was read before. */
#ifndef PM_KUBE_FILE_H
#define PM_KUBE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

enum { KUBE_FILE_MAX = 1024 * 1024, KUBE_FILE_WHY_MAX = 200 };

struct kube_file {
	char *path;    /* owned */
	char *content; /* owned, with a NUL behind it; NULL: never read */
	size_t len;
	struct stat seen; /* as of the last attempt to read */
	bool tried;
	char why[KUBE_FILE_WHY_MAX + 1]; /* why the last attempt failed, "": it did not */
};

void kube_file_open(struct kube_file *file, const char *path);
void kube_file_close(struct kube_file *file);

/* True if the file is not the one that was read last (time, size, inode): worth kube_file_refresh. Costs one stat. */
bool kube_file_changed(const struct kube_file *file);
/* Reads it if it has changed, or anyway. True if `content` is different from before. */
bool kube_file_refresh(struct kube_file *file, bool anyway);

#endif
