/* The (address, port) pairs of all listeners. A pair keeps its number for the life of a dataplane, over changes of the
 * configuration: flows, shared memory and maps know it by that. One that no listener has any more is closed: it takes
 * no new connection, old ones go on. Pure. */
#ifndef PM_VIPS_H
#define PM_VIPS_H

#include <stdbool.h>
#include <stdint.h>

#include "address.h"

struct config;

enum { VIPS_MAX = 256, VIP_CLOSED = 0xffff };

struct vip_entry {
	struct address address;
	uint16_t port;     /* host byte order */
	uint16_t listener; /* index in the configuration's order, or VIP_CLOSED */
	uint32_t tls;      /* 1: mode tls; stays as it was when closed */
};

struct vip_table {
	uint64_t count;
	struct vip_entry entries[VIPS_MAX];
};

/* The pairs of the configuration: known ones keep their numbers, new ones get the next. An empty table is all zero.
 * False: there would be more than VIPS_MAX, closed ones included; nothing has changed. */
bool vips_update(struct vip_table *table, const struct config *config);
/* Shows `next`, which is `table` after vips_update, to readers of `table` in other threads and processes: they find a
 * new pair when all of it is there, and known ones throughout. `listener` and `tls` are for the writer's thread alone.
 */
void vips_publish(struct vip_table *table, const struct vip_table *next);
/* Its number, or -1. Any thread or process. */
int vips_find(const struct vip_table *table, const struct address *address, uint16_t port);

#endif
