/* The XDP program on an interface: whose it is, and the maps of our own. The program itself is loaded and attached by
 * DPDK's AF_XDP driver; here its maps are found from the interface's program and filled. All functions are for the
 * main thread, say what is wrong in one line of the log, and know no DPDK. */
#ifndef PM_XDP_H
#define PM_XDP_H

#include <stdbool.h>
#include <stdint.h>

#include "common/address.h"
#include "dataplane/process.h"

/* The maps of one interface. */
struct xdp_maps {
	uint32_t ifindex;
	uint32_t program;         /* id */
	int services, vips, pool; /* file descriptors */
};

/* Makes room for our program: one of ours whose process is dead (kill -9) is detached. False: the interface carries
 * somebody else's program, or one of a living dataplane. */
bool xdp_clear(const char *interface, uint32_t ifindex);

/* Finds the maps of our program, which the driver has attached, and writes `owner` beside it. */
bool xdp_open(const char *interface, uint32_t ifindex, const struct process_id *owner, struct xdp_maps *out);

/* From now on TCP to (address, port) is the dataplane's, or is not any more. `port` in host byte order. */
bool xdp_set_service(const struct xdp_maps *maps, const struct address *address, uint16_t port, bool on);
/* Fragments to this address, the same way. */
bool xdp_set_vip(const struct xdp_maps *maps, const struct address *address, bool on);
/* TCP to these addresses is the dataplane's. */
bool xdp_add_pool(const struct xdp_maps *maps, const struct prefix *prefix);

/* Takes a program of ours off the interface; somebody else's stays. */
void xdp_detach(uint32_t ifindex);
void xdp_close(struct xdp_maps *maps);

#endif
