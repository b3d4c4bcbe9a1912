/* The main thread's loop over epoll. */
#include "dataplane/main_loop.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "dataplane/reconfigure.h"

enum {
	SECOND = 1000,          /* ms */
	COUNT_INTERVAL = 100,   /* whoever reads the counters of ports each second sees what a second was */
	FEEDING_INTERVAL = 100, /* while the workers have no tables: how often to look whether they do */
	FAULT_LOG_INTERVAL = 60 * SECOND,
	EVENTS_PER_WAIT = 8,
};

/* What was said of a port's faults, and when. */
struct fault_log {
	struct port_faults said;
	uint64_t too_long_said;                  /* frames that the kernel dropped for their length */
	uint64_t checksum_again, oversize_again; /* ms: not before */
};

struct main_loop {
	struct dataplane *dataplane;
	int epoll;
	uint64_t next_count;
	struct fault_log faults[PORTS_MAX];
	bool stopping;
	uint64_t stop_at; /* ms, at the latest */
	bool failed;
};

uint64_t dataplane_now(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- now and then ---- */

static void log_faults(struct main_loop *loop, unsigned number, uint64_t now)
{
	const struct dataplane *dataplane = loop->dataplane;
	const char *interface = dataplane->config->ports[number].interface;
	struct fault_log *log = &loop->faults[number];
	struct port_faults faults = worker_loops_faults(dataplane->loops, number);
	uint64_t too_long = shared_get(&dataplane->zone.shared->ports[number].rx_errors);

	if (faults.partial_checksum > log->said.partial_checksum && now >= log->checksum_again) {
		log_warning(
		    "port %s: %llu frames without a TCP checksum were dropped (rx_partial_checksum): their sender "
		    "leaves it to a device that is not there; on the sender's side run `ethtool -K <peer> tx off`",
		    interface, (unsigned long long)(faults.partial_checksum - log->said.partial_checksum));
		log->said.partial_checksum = faults.partial_checksum;
		log->checksum_again = now + FAULT_LOG_INTERVAL;
	}
	uint64_t oversize = faults.oversize + too_long - log->said.oversize - log->too_long_said;
	if (oversize > 0 && now >= log->oversize_again) {
		log_warning(
		    "port %s: %llu frames larger than the MTU of %u were dropped (rx_oversize): on the sender's side "
		    "run `ethtool -K <peer> tso off gso off gro off`",
		    interface, (unsigned long long)oversize, l3_port_mtu(dataplane->l3, (uint8_t)number));
		log->said.oversize = faults.oversize;
		log->too_long_said = too_long;
		log->oversize_again = now + FAULT_LOG_INTERVAL;
	}
}

/* All ports share one pool: its numbers stand with the first worker. */
static void count_buffers(const struct dataplane *dataplane)
{
	struct shared_worker *first = shared_worker_at(dataplane->zone.shared, 0);
	shared_set(&first->mbufs_total, dataplane->pool->size);
	shared_set(&first->mbufs_available, rte_mempool_avail_count(dataplane->pool));
}

static void count_ports(struct main_loop *loop, uint64_t now)
{
	struct dataplane *dataplane = loop->dataplane;
	for (unsigned i = 0; i < dataplane->config->port_count; i++) {
		struct shared_port *shared = &dataplane->zone.shared->ports[i];
		port_count(&dataplane->ports[i], shared);
		shared_set(&shared->link_up, netlink_mirror_is_up(dataplane->mirror, i));
		log_faults(loop, i, now);
	}
	count_buffers(dataplane);
	loop->next_count = now + COUNT_INTERVAL;
}

/* ---- whenever something happens ---- */

static void answer_asks(struct dataplane *dataplane, uint64_t now)
{
	struct ask ask;
	eventfd_t rung;
	eventfd_read(dataplane->ask_event, &rung);
	while (worker_loops_next_ask(dataplane->loops, &ask))
		netlink_mirror_ask(dataplane->mirror, &ask.destination, ask.managed, now);
}

/* A port's socket is bound to the interface that it was opened on, not to its name. */
static void check_interfaces(struct main_loop *loop)
{
	const struct dataplane *dataplane = loop->dataplane;
	for (unsigned i = 0; i < dataplane->config->port_count; i++) {
		if (netlink_mirror_ifindex(dataplane->mirror, i) == dataplane->ports[i].ifindex)
			continue;
		log_error(
		    "interface %s has been removed: its port cannot be served any more; start again when it is back",
		    dataplane->config->ports[i].interface);
		loop->failed = true;
	}
}

static uint64_t flows_left(const struct dataplane *dataplane)
{
	uint64_t flows = 0;
	for (unsigned i = 0; i < dataplane->workers; i++)
		flows += shared_get(&shared_worker_at(dataplane->zone.shared, i)->counters[counter_flows]);
	return flows;
}

/* SIGHUP: the configuration has changed. Of the others the first begins the grace time, the second ends it. */
static void take_signal(struct main_loop *loop, uint64_t now)
{
	struct signalfd_siginfo info;
	struct dataplane *dataplane = loop->dataplane;

	if (read(dataplane->signals, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGHUP) {
		if (!loop->stopping)
			reconfigure(dataplane);
		return;
	}
	if (loop->stopping) {
		loop->stop_at = now;
		return;
	}
	loop->stopping = true;
	uint32_t grace = (dataplane->running ? dataplane->running->config : dataplane->config)->timeouts.shutdown_grace;
	loop->stop_at = now + grace;
	worker_loops_order(dataplane->loops, ORDER_REFUSE_NEW);
	log_info("%s: no new connections; %llu old ones may go on for %u ms", strsignal((int)info.ssi_signo),
	         (unsigned long long)flows_left(dataplane), grace);
}

static bool done(const struct main_loop *loop, uint64_t now)
{
	if (loop->failed)
		return true;
	return loop->stopping && (now >= loop->stop_at || flows_left(loop->dataplane) == 0);
}

static int until(uint64_t then, uint64_t now, int at_most)
{
	if (then <= now)
		return 0;
	return then - now < (uint64_t)at_most ? (int)(then - now) : at_most;
}

static void wait_and_act(struct main_loop *loop, int timeout)
{
	struct dataplane *dataplane = loop->dataplane;
	struct epoll_event events[EVENTS_PER_WAIT];

	int n = epoll_wait(loop->epoll, events, EVENTS_PER_WAIT, timeout);
	uint64_t now = dataplane_now();
	for (int i = 0; i < n; i++) {
		if (events[i].data.fd == dataplane->signals)
			take_signal(loop, now);
		else if (events[i].data.fd == dataplane->ask_event)
			answer_asks(dataplane, now);
		else
			netlink_mirror_receive(dataplane->mirror, now);
	}
}

static bool watch(const struct main_loop *loop, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
	return epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

bool main_loop_run(struct dataplane *dataplane)
{
	struct main_loop loop = {.dataplane = dataplane, .epoll = epoll_create1(EPOLL_CLOEXEC)};
	if (loop.epoll < 0 || !watch(&loop, dataplane->signals) || !watch(&loop, dataplane->ask_event) ||
	    !watch(&loop, netlink_mirror_fd(dataplane->mirror))) {
		log_error("epoll: %s", strerror(errno));
		return false;
	}
	for (uint64_t now = dataplane_now(); !done(&loop, now); now = dataplane_now()) {
		int timeout = netlink_mirror_work(dataplane->mirror, now);
		services_update(&dataplane->services);
		check_interfaces(&loop);
		if (now >= loop.next_count)
			count_ports(&loop, now);
		timeout = until(loop.next_count, now, timeout);
		if (!dataplane->services.ready || loop.stopping)
			timeout = timeout < FEEDING_INTERVAL ? timeout : FEEDING_INTERVAL;
		if (loop.stopping)
			timeout = until(loop.stop_at, now, timeout);
		wait_and_act(&loop, timeout);
	}
	close(loop.epoll);
	return !loop.failed;
}
