/* The parts of the running program, as the main thread sees them. main.c makes and ends them, main_loop.c looks after
 * them meanwhile. */
#ifndef PM_DATAPLANE_H
#define PM_DATAPLANE_H

#include <limits.h>

#include "common/config.h"
#include "dataplane/l3.h"
#include "dataplane/netlink_mirror.h"
#include "dataplane/port.h"
#include "dataplane/process.h"
#include "dataplane/services.h"
#include "dataplane/shared_zone.h"
#include "dataplane/worker_loop.h"

struct dataplane {
	struct config *config;      /* of the start; what cannot change is taken from here */
	struct running *running;    /* what runs since the last change; NULL: as at the start */
	char config_path[PATH_MAX]; /* absolute */
	struct process_id process;
	char file_prefix[RUN_FILE_PREFIX_MAX + 1];
	char xdp_program[512]; /* path of the object file */

	int lock;      /* file descriptor: held as long as this instance lives */
	int signals;   /* signalfd: SIGTERM, SIGINT, SIGHUP */
	int ask_event; /* eventfd: workers have questions */

	struct l3 *l3;
	struct netlink_mirror *mirror;
	unsigned workers;
	struct shared_zone zone;
	struct rte_mempool *pool;
	struct port ports[PORTS_MAX];
	struct worker_loops *loops;
	struct services services;
};

/* Monotonic milliseconds. */
uint64_t dataplane_now(void);

#endif
