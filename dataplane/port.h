/* A port: a kernel interface served over AF_XDP, or any other port of DPDK by its name. Starts it, says which queues it
 * has, and counts. Sending and receiving is for the workers (worker_loop.c); no TCP in here. */
#ifndef PM_PORT_H
#define PM_PORT_H

#include <rte_mempool.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/config.h"
#include "common/shared.h"
#include "dataplane/xdp.h"

enum { PORT_QUEUES_MAX = 64 };

struct port {
	const struct config_port *config;
	uint16_t id;          /* DPDK's number */
	uint16_t queue_count; /* of receive queues, all served; as many transmit queues */
	bool af_xdp;
	uint32_t ifindex;             /* of the kernel interface */
	int sockets[PORT_QUEUES_MAX]; /* of AF_XDP, by queue: the driver's, only to be asked for statistics; or -1 */
	struct xdp_maps maps;         /* of AF_XDP */
};

/* What a port needs to know from the rest of the dataplane. */
struct port_params {
	unsigned number;  /* index in the configuration */
	uint32_t ifindex; /* of the kernel interface */
	unsigned mtu;
	unsigned workers;
	unsigned queues_before;  /* of the ports before it: they share the buffers */
	const char *xdp_program; /* path of the object file */
	struct process_id owner;
	struct rte_mempool *pool;
};

/* The packet buffers of all ports. NULL: logged. */
struct rte_mempool *port_make_pool(const struct config *config);

/* Sets it up and starts it; needs the EAL. False: logged. */
bool port_start(struct port *port, const struct config_port *config, const struct port_params *params);

/* Takes the XDP program off. Calls nothing of DPDK: a stopped control process may hold DPDK's locks for ever. The
 * sockets close with the process. */
void port_stop(struct port *port);

/* Copies the port's counters into the shared memory. */
void port_count(const struct port *port, struct shared_port *shared);

#endif
