/* Ports over DPDK's ethdev.
 *
 * Of the AF_XDP driver (DPDK 22.11) one must know:
 * - The packet buffers are its UMEM, so they must lie in one piece of memory, and frames pass between two ports with
 * the same pool without a copy inside the driver.
 * - Headers of the buffer and 2 x headroom leave FRAME_MAX bytes for a frame; the kernel drops longer ones, which shows
 *   only in the socket's own statistics, and so does a full ring.
 * - "Busy polling" makes every empty poll a system call. Without it, a poll of an interface whose driver wants to be
 *   woken up may block for a second: real NICs have it on; veth and the like, which never want that, have it off.
 * - Sent buffers come back only with the next transmit call. */
#include "dataplane/port.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_xdp.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"

enum {
	DESCRIPTORS = 2048, /* of each ring; the driver's fill queue takes 2,048 whatever stands here */
	BUFFERS_PER_QUEUE = 3 * DESCRIPTORS, /* receiving, sending, and sent but not given back yet */
	POOL_CACHE = 256,
	KERNEL_HEADROOM = 256, /* XDP_PACKET_HEADROOM: the kernel keeps it free in front of each frame */
	FRAME_MAX = RTE_MBUF_DEFAULT_DATAROOM - KERNEL_HEADROOM,
	ETHERNET_HEADER = 14,
	DESCRIPTORS_SEEN = 1024, /* file descriptors, among which the driver's sockets are looked for */
};

struct rte_mempool *port_make_pool(const struct config *config)
{
	struct rte_mempool *pool = rte_pktmbuf_pool_create("pm_frames", config->dataplane.mbufs, POOL_CACHE, 0,
	                                                   RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	if (pool && pool->nb_mem_chunks == 1)
		return pool;
	log_error("the %u packet buffers of dataplane.mbufs take about %u MB in one piece, and dataplane.memory_mb = "
	          "%u leaves "
	          "no room for them: raise it",
	          config->dataplane.mbufs, config->dataplane.mbufs / 1024 * 5 / 2, config->dataplane.memory_mb);
	return NULL;
}

/* ---- the kernel interface ---- */

static bool ethtool(const char *interface, void *command)
{
	struct ifreq request = {.ifr_data = command};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
	bool done = ioctl(fd, SIOCETHTOOL, &request) == 0;
	close(fd);
	return done;
}

/* Receive queues that the kernel may use now. `combined`: those that the AF_XDP driver can serve. */
static unsigned receive_queues(const char *interface, unsigned *combined)
{
	struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
	*combined = 1;
	if (!ethtool(interface, &channels))
		return 1; /* no channels to choose: one queue */
	if (channels.max_combined > 0)
		*combined = channels.combined_count;
	unsigned all = channels.combined_count + channels.rx_count;
	return all > 0 ? all : 1;
}

static bool is_hardware(const char *interface)
{
	char path[64];
	snprintf(path, sizeof(path), "/sys/class/net/%s/device", interface);
	return access(path, F_OK) == 0;
}

/* ---- AF_XDP ---- */

/* Frames on a queue that nobody serves would be answered by the kernel with RST. */
static bool serve_all_queues(struct port *port)
{
	const char *interface = port->config->interface;
	unsigned served, all = receive_queues(interface, &served);
	if (all != served) {
		log_error(
		    "interface %s has %u receive queues, of which AF_XDP can serve %u: make it one with `ethtool -L %s "
		    "rx 1 tx 1`, or combined ones with `ethtool -L %s rx 0 tx 0 combined N`",
		    interface, all, served, interface, interface);
		return false;
	}
	if (all > PORT_QUEUES_MAX) {
		log_error("interface %s has %u queues, of which at most %d can be served: `ethtool -L %s combined %d`",
		          interface, all, PORT_QUEUES_MAX, interface, PORT_QUEUES_MAX);
		return false;
	}
	port->queue_count = (uint16_t)all;
	return true;
}

static bool make_af_xdp(struct port *port, const struct port_params *params)
{
	const char *interface = port->config->interface;
	char name[32], arguments[512];

	if (params->mtu + ETHERNET_HEADER > FRAME_MAX) {
		log_error("interface %s has MTU %u; with AF_XDP at most %d is possible: `ip link set %s mtu 1500`",
		          interface, params->mtu, FRAME_MAX - ETHERNET_HEADER, interface);
		return false;
	}
	if (!serve_all_queues(port))
		return false;
	snprintf(name, sizeof(name), "net_af_xdp%u", params->number);
	snprintf(arguments, sizeof(arguments), "iface=%s,xdp_prog=%s,start_queue=0,queue_count=%u%s", interface,
	         params->xdp_program, port->queue_count, is_hardware(interface) ? "" : ",busy_budget=0");
	errno = 0; /* the driver reads it without setting it */
	if (rte_eal_hotplug_add("vdev", name, arguments) != 0 || rte_eth_dev_get_port_by_name(name, &port->id) != 0) {
		log_error("interface %s: DPDK's AF_XDP driver does not take it (%s)", interface, arguments);
		return false;
	}
	return true;
}

/* Which file descriptors of this process are AF_XDP sockets. */
static void list_sockets(bool sockets[static DESCRIPTORS_SEEN])
{
	for (int fd = 0; fd < DESCRIPTORS_SEEN; fd++) {
		int domain = 0;
		socklen_t size = sizeof(domain);
		sockets[fd] = getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_XDP;
	}
}

/* ---- every port ---- */

static bool configure(struct port *port, unsigned workers)
{
	struct rte_eth_conf conf = {0};
	struct rte_eth_dev_info info;

	if (rte_eth_dev_info_get(port->id, &info) != 0)
		return false;
	if (!port->af_xdp) {
		unsigned most = RTE_MIN(info.max_rx_queues, info.max_tx_queues);
		port->queue_count = (uint16_t)RTE_MIN(RTE_MIN(workers, most), (unsigned)PORT_QUEUES_MAX);
	}
	conf.rxmode.offloads = info.rx_offload_capa & (RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_TCP_CKSUM);
	conf.txmode.offloads = info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE;
	if (port->queue_count > 1 && info.flow_type_rss_offloads != 0) {
		conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		conf.rx_adv_conf.rss_conf.rss_hf =
		    info.flow_type_rss_offloads & (RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_NONFRAG_IPV6_TCP);
	}
	return rte_eth_dev_configure(port->id, port->queue_count, port->queue_count, &conf) == 0;
}

static bool set_up_queues(struct port *port, struct rte_mempool *pool)
{
	bool before[DESCRIPTORS_SEEN], after[DESCRIPTORS_SEEN];
	for (uint16_t queue = 0; queue < port->queue_count; queue++) {
		list_sockets(before);
		int error = rte_eth_rx_queue_setup(port->id, queue, DESCRIPTORS, SOCKET_ID_ANY, NULL, pool);
		if (error == 0)
			error = rte_eth_tx_queue_setup(port->id, queue, DESCRIPTORS, SOCKET_ID_ANY, NULL);
		if (error != 0)
			return false;
		list_sockets(after);
		for (int fd = 0; fd < DESCRIPTORS_SEEN; fd++)
			if (after[fd] && !before[fd])
				port->sockets[queue] = fd;
	}
	return true;
}

static bool enough_buffers(const struct port *port, const struct port_params *params)
{
	unsigned queues = params->queues_before + port->queue_count;
	if (params->pool->size >= queues * BUFFERS_PER_QUEUE)
		return true;
	log_error("dataplane.mbufs: %u packet buffers are too few for %u queues: set at least %u", params->pool->size,
	          queues, queues * BUFFERS_PER_QUEUE);
	return false;
}

static bool start(struct port *port, const struct port_params *params)
{
	const char *interface = port->config->interface;

	if (!configure(port, params->workers)) {
		log_error("interface %s: DPDK does not configure its port: %s", interface, rte_strerror(rte_errno));
		return false;
	}
	if (!enough_buffers(port, params))
		return false;
	if (!set_up_queues(port, params->pool) || rte_eth_dev_start(port->id) != 0) {
		log_error(
		    "interface %s: its queues do not start; see the lines before. Does another program use it with "
		    "AF_XDP?",
		    interface);
		return false;
	}
	return !port->af_xdp || xdp_open(interface, params->ifindex, &params->owner, &port->maps);
}

bool port_start(struct port *port, const struct config_port *config, const struct port_params *params)
{
	*port = (struct port){.config = config, .ifindex = params->ifindex, .af_xdp = config->device[0] == '\0'};
	memset(port->sockets, -1, sizeof(port->sockets));
	if (!port->af_xdp && rte_eth_dev_get_port_by_name(config->device, &port->id) != 0) {
		log_error(
		    "$.ports[%u].device: DPDK has no port %s: dataplane.eal_args must make it (--vdev=...) or allow it "
		    "(-a ...)",
		    params->number, config->device);
		return false;
	}
	if (port->af_xdp && !make_af_xdp(port, params))
		return false;
	if (start(port, params))
		return true;
	if (port->af_xdp)
		xdp_detach(port->ifindex);
	return false;
}

void port_stop(struct port *port)
{
	if (!port->af_xdp)
		return;
	xdp_detach(port->ifindex);
	xdp_close(&port->maps);
}

/* ---- counters ---- */

/* Adds what only the sockets know. */
static void count_sockets(const struct port *port, uint64_t *ring_full, uint64_t *errors)
{
	for (unsigned i = 0; i < port->queue_count; i++) {
		struct xdp_statistics statistics = {0};
		socklen_t size = sizeof(statistics);
		if (port->sockets[i] < 0 ||
		    getsockopt(port->sockets[i], SOL_XDP, XDP_STATISTICS, &statistics, &size) != 0)
			continue;
		/* A frame that finds the fill queue empty is in rx_dropped as well. */
		uint64_t no_buffer = statistics.rx_fill_ring_empty_descs;
		*ring_full += statistics.rx_ring_full + no_buffer;
		*errors += statistics.rx_invalid_descs;
		*errors += statistics.rx_dropped > no_buffer ? statistics.rx_dropped - no_buffer : 0;
	}
}

void port_count(const struct port *port, struct shared_port *shared)
{
	struct rte_eth_stats stats;
	uint64_t ring_full = 0, errors = 0;

	if (rte_eth_stats_get(port->id, &stats) != 0)
		return;
	if (port->af_xdp) {
		count_sockets(port, &ring_full, &errors);
	} else {
		ring_full = stats.imissed + stats.rx_nombuf;
		errors = stats.ierrors;
	}
	shared_set(&shared->rx_packets, stats.ipackets);
	shared_set(&shared->rx_bytes, stats.ibytes);
	shared_set(&shared->tx_packets, stats.opackets);
	shared_set(&shared->tx_bytes, stats.obytes);
	shared_set(&shared->rx_ring_full, ring_full);
	shared_set(&shared->rx_errors, errors);
	shared_set(&shared->tx_errors, stats.oerrors);
}
