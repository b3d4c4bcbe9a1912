/* Start of DPDK's environment (EAL): its arguments, its hugepage memory, and the files that it leaves behind. Each
 * start uses a file prefix of its own, because a living control process keeps the memory of a dead dataplane locked. */
#ifndef PM_EAL_H
#define PM_EAL_H

#include <stdbool.h>

#include "common/config.h"

/* Waits up to 10 s for hugepages, then starts the EAL; from then on this is the main lcore. False: logged. `prefix` and
 * `config` must live on. */
bool eal_start(const struct config *config, const char *prefix);

/* Removes the files of dataplanes that are dead: their hugepages come free as soon as nobody maps them. */
void eal_remove_dead(void);
/* Removes the files of this prefix: the last act of a dataplane. Nothing of DPDK is called. */
void eal_remove_own(const char *prefix);

#endif
