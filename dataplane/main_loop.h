/* What the main thread does while the workers work: it sleeps, and wakes up for netlink, for questions of workers, once
 * a second to count, and to stop. It never touches a packet. */
#ifndef PM_MAIN_LOOP_H
#define PM_MAIN_LOOP_H

#include <stdbool.h>

#include "dataplane/dataplane.h"

/* Returns when the program is to end and new connections have been refused for the grace time. False: it cannot go
 * on, logged. */
bool main_loop_run(struct dataplane *dataplane);

#endif
