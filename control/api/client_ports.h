/* Which ports of the dataplane clients come in by, so that bytes from clients and to clients can be told from those of
 * router hosts: those whose kernel interface holds a VIP. If no interface of a port does (the VIPs are on a loopback,
 * or another machine holds them), or all ports are on one interface, it is all ports; then what router hosts send
 * counts as coming in, too. Asks the kernel for its addresses. */
#ifndef PM_CLIENT_PORTS_H
#define PM_CLIENT_PORTS_H

#include <stdint.h>

struct config;
struct shared_header;

/* A bit for each port of the shared memory. `before`: the answer of last time, which stays while no VIP is here; 0. */
uint32_t client_ports(const struct config *config, const struct shared_header *shared, uint32_t before);

#endif
