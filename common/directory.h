/* What a rename needs to outlive a loss of power. Knows nothing of what the files hold. */
#ifndef PM_DIRECTORY_H
#define PM_DIRECTORY_H

#include <stdbool.h>

/* Returns when the disk has the names in the directory that holds `path`. False: errno. */
bool directory_sync(const char *path);

#endif
