/* The shared memory and the rings through which control speaks with the workers: made here before the first packet, and
 * never changed in size or number. What stands in them is common/shared.h, common/message.h and
 * common/record.h. */
#ifndef PM_SHARED_ZONE_H
#define PM_SHARED_ZONE_H

#include <rte_ring.h>
#include <stdbool.h>

#include "common/config.h"
#include "common/shared.h"

enum {
	RECORDS_COUNT = 4096, /* 1.7 MB of hugepage memory for each worker */
};

struct shared_zone {
	struct shared_header *shared;
	struct rte_ring *messages[WORKERS_MAX]; /* control -> worker */
	struct rte_ring *events[WORKERS_MAX];   /* worker -> control */
	struct rte_ring *records[WORKERS_MAX];  /* worker -> control */
};

/* Needs the EAL. False: logged. */
bool shared_zone_create(struct shared_zone *zone, const struct config *config, unsigned workers);

/* (listener, address) pairs of the configuration: the length of shared_header.vip_held. */
unsigned vips_of(const struct config *config);

#endif
