/* Makes the memzone and the rings that control looks up by name. */
#include "dataplane/shared_zone.h"

#include <rte_cycles.h>
#include <rte_memzone.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/log.h"
#include "common/record.h"

enum {
	MESSAGES_COUNT = 1024, /* a full ring makes control wait */
	EVENTS_COUNT = 1024,
};

static uint64_t unix_time_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static struct shared_header *make_zone(const struct config *config, unsigned workers)
{
	size_t size = shared_size(workers, config->limits.hosts, config->limits.pairs);
	const struct rte_memzone *zone = rte_memzone_reserve(SHARED_ZONE, size, SOCKET_ID_ANY, 0);
	if (!zone)
		return NULL;
	struct shared_header *shared = zone->addr;
	memset(shared, 0, size);
	shared_layout(shared, workers, config->limits.hosts, config->limits.pairs);
	shared->routes_max = config->limits.routes;
	shared->port_count = config->port_count;
	vips_update(&shared->vips, config);
	shared_set(&shared->config_print, config->print);
	shared->tsc_hz = rte_get_tsc_hz();
	shared->started_at = unix_time_ms();
	for (unsigned i = 0; i < config->port_count; i++)
		memcpy(shared->ports[i].interface, config->ports[i].interface, sizeof(shared->ports[i].interface));
	return shared;
}

/* One producer, one consumer. */
static struct rte_ring *make_ring(const char *format, unsigned worker, size_t element, unsigned count)
{
	char name[RTE_RING_NAMESIZE];
	snprintf(name, sizeof(name), format, worker);
	return rte_ring_create_elem(name, (unsigned)element, count, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
}

bool shared_zone_create(struct shared_zone *zone, const struct config *config, unsigned workers)
{
	struct vip_table vips = {0};
	if (!vips_update(&vips, config)) {
		log_error("$.listeners: more than %d (address, port) pairs", VIPS_MAX);
		return false;
	}
	zone->shared = make_zone(config, workers);
	bool made = zone->shared != NULL;
	for (unsigned i = 0; made && i < workers; i++) {
		zone->messages[i] = make_ring(SHARED_RING_MESSAGES, i, sizeof(struct message), MESSAGES_COUNT);
		zone->events[i] = make_ring(SHARED_RING_EVENTS, i, sizeof(struct event), EVENTS_COUNT);
		zone->records[i] = make_ring(SHARED_RING_RECORDS, i, sizeof(struct record), RECORDS_COUNT);
		made = zone->messages[i] && zone->events[i] && zone->records[i];
	}
	if (!made)
		log_error("no memory for the tables shared with control: raise dataplane.memory_mb, which is %u",
		          config->dataplane.memory_mb);
	return made;
}
