/* Which (VIP, port) pairs are served now: those whose address the kernel holds, from the moment when every worker has
 * full tables. Tells the workers (shared memory) and the XDP programs (maps). For the main thread. */
#ifndef PM_SERVICES_H
#define PM_SERVICES_H

#include <stdbool.h>

#include "common/config.h"
#include "common/shared.h"
#include "dataplane/netlink_mirror.h"
#include "dataplane/port.h"

struct services {
	const struct config *config;
	struct shared_header *shared;
	const struct netlink_mirror *mirror;
	const struct port *ports; /* config->port_count */
	bool ready;               /* all workers have full tables; stays so */
	bool served[VIPS_MAX];    /* in the maps; by number of the pair */
};

/* The source pool goes into the maps once and for all. False: logged. */
bool services_add_pool(const struct services *services);
/* Makes the maps and the shared memory say what is so now. Cheap when nothing has changed. */
void services_update(struct services *services);

#endif
