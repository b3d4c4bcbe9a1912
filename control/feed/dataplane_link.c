/* The connection to the dataplane: see the header. Everything of EAL that may wait (its start, looking up what the
 * primary made) happens in one helper thread; the loop's thread only puts into rings and takes out of them, which never
 * waits. */
#include "control/feed/dataplane_link.h"

#include <errno.h>
#include <pthread.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_memzone.h>
#include <rte_ring.h>
#include <rte_ring_elem.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "common/run_file.h"
#include "control/event_loop.h"

enum {
	LOOK_MS = 100,     /* for a run file */
	ZONE_LOOK_MS = 20, /* for the shared memory of a dataplane that is still starting */
	RETRY_MS = 2000,   /* after EAL could not start, until the process is replaced */
	WHY_MAX = 300,
};

/* What the helper thread finds; read by the loop after the eventfd. */
struct attachment {
	int eal_errno; /* 0: EAL runs */
	struct shared_header *shared;
	size_t size;
	struct rte_ring *messages[WORKERS_MAX], *events[WORKERS_MAX], *records[WORKERS_MAX];
};

struct dataplane_link {
	struct event_loop *loop;
	struct link_handler handler;
	char path[256]; /* of the run file */
	enum link_state state;
	char why[WHY_MAX];
	struct run_file run;
	bool eal_started;
	bool attaching;           /* the helper thread runs */
	struct event_timer timer; /* the next look, or the restart */
	struct event_fd death;    /* pidfd of the dataplane */
	struct event_fd attached; /* eventfd of the helper thread */
	struct attachment attachment;
};

enum link_state dataplane_link_state(const struct dataplane_link *link)
{
	return link->state;
}

pid_t dataplane_link_pid(const struct dataplane_link *link)
{
	return link->state == LINK_ABSENT ? 0 : link->run.pid;
}

const char *dataplane_link_why(const struct dataplane_link *link)
{
	return link->why;
}

unsigned dataplane_link_send(struct dataplane_link *link, unsigned worker, const struct message *messages,
                             unsigned count)
{
	/* Single producer whatever the ring was made for: in a multi-producer ring one that was killed inside an
	 * enqueue would be waited for. */
	return rte_ring_sp_enqueue_burst_elem(link->attachment.messages[worker], messages, sizeof(*messages), count,
	                                      NULL);
}

bool dataplane_link_drained(const struct dataplane_link *link, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (!rte_ring_empty(link->attachment.messages[i]))
			return false;
	return true;
}

unsigned dataplane_link_receive(struct dataplane_link *link, unsigned worker, struct event *events, unsigned max)
{
	return rte_ring_sc_dequeue_burst_elem(link->attachment.events[worker], events, sizeof(*events), max, NULL);
}

unsigned dataplane_link_receive_records(struct dataplane_link *link, unsigned worker, struct record *records,
                                        unsigned max)
{
	return rte_ring_sc_dequeue_burst_elem(link->attachment.records[worker], records, sizeof(*records), max, NULL);
}

/* ---- the helper thread ---- */

/* One lcore that floats over the CPUs this process may use: EAL pins nothing and makes no threads for others. */
static void format_lcores(char *text, size_t size)
{
	cpu_set_t cpus;
	size_t len = (size_t)snprintf(text, size, "--lcores=0@(");
	if (sched_getaffinity(0, sizeof(cpus), &cpus) != 0)
		CPU_ZERO(&cpus);
	bool first = true;
	for (int cpu = 0; cpu < CPU_SETSIZE && len < size; cpu++) {
		if (!CPU_ISSET(cpu, &cpus))
			continue;
		len += (size_t)snprintf(text + len, size - len, "%s%d", first ? "" : ",", cpu);
		first = false;
	}
	if (len < size)
		snprintf(text + len, size - len, ")");
}

static bool start_eal(const char *file_prefix)
{
	char program[] = "pointsman-control", type[] = "--proc-type=secondary", no_pci[] = "--no-pci";
	char address[] = "--base-virtaddr=0x200000000000", telemetry[] = "--no-telemetry",
	     level[] = "--log-level=error";
	char prefix[RUN_FILE_PREFIX_MAX + 20], lcores[6 * CPU_SETSIZE];
	snprintf(prefix, sizeof(prefix), "--file-prefix=%s", file_prefix);
	format_lcores(lcores, sizeof(lcores));
	char *argv[] = {program, type, prefix, address, no_pci, telemetry, level, lcores, NULL};
	return rte_eal_init(sizeof(argv) / sizeof(argv[0]) - 1, argv) >= 0;
}

static void find_rings(struct attachment *attachment)
{
	uint32_t count = attachment->shared->worker_count;
	for (uint32_t i = 0; i < count && i < WORKERS_MAX; i++) {
		char name[RTE_RING_NAMESIZE];
		snprintf(name, sizeof(name), SHARED_RING_MESSAGES, i);
		attachment->messages[i] = rte_ring_lookup(name);
		snprintf(name, sizeof(name), SHARED_RING_EVENTS, i);
		attachment->events[i] = rte_ring_lookup(name);
		snprintf(name, sizeof(name), SHARED_RING_RECORDS, i);
		attachment->records[i] = rte_ring_lookup(name);
	}
}

static void *attach(void *context)
{
	struct dataplane_link *link = context;
	struct attachment *attachment = &link->attachment;
	const struct timespec pause = {.tv_nsec = ZONE_LOOK_MS * 1000000};
	if (start_eal(link->run.file_prefix)) {
		const struct rte_memzone *zone;
		while (!(zone = rte_memzone_lookup(SHARED_ZONE)))
			nanosleep(&pause, NULL);
		attachment->shared = zone->addr;
		attachment->size = zone->len;
		find_rings(attachment);
	} else {
		attachment->eal_errno = rte_errno ? rte_errno : EIO;
	}
	eventfd_write(link->attached.fd, 1);
	return NULL;
}

/* ---- the loop's side ---- */

__attribute__((format(printf, 3, 4))) static void set_state(struct dataplane_link *link, enum link_state state,
                                                            const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(link->why, sizeof(link->why), format, args);
	va_end(args);
	link->state = state;
}

static const char *missing_ring(const struct attachment *attachment)
{
	for (uint32_t i = 0; i < attachment->shared->worker_count; i++)
		if (!attachment->messages[i] || !attachment->events[i] || !attachment->records[i])
			return "its rings are not there";
	return NULL;
}

static void attach_done(void *context, uint32_t events)
{
	struct dataplane_link *link = context;
	struct attachment *attachment = &link->attachment;
	link->attaching = false;
	event_loop_remove(link->loop, &link->attached);
	close(link->attached.fd);
	if (attachment->eal_errno) {
		set_state(link, LINK_STARTING, "EAL could not attach to the dataplane (pid %d): %s", link->run.pid,
		          strerror(attachment->eal_errno));
		log_warning("%s; trying again", link->why);
		event_timer_set(link->loop, &link->timer, clock_monotonic_ms() + RETRY_MS);
		return;
	}
	const char *why = link->handler.ready(link->handler.context, attachment->shared, attachment->size);
	if (!why)
		why = missing_ring(attachment);
	if (why) {
		set_state(link, LINK_INCOMPATIBLE, "the dataplane (pid %d) cannot be used: %s", link->run.pid, why);
		log_error("%s", link->why);
		return;
	}
	set_state(link, LINK_READY, "ready");
}

static void begin_attach(struct dataplane_link *link)
{
	pthread_t thread;
	pthread_attr_t detached;
	link->attached.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	event_loop_add(link->loop, &link->attached, EPOLLIN);
	link->eal_started = link->attaching = true;
	set_state(link, LINK_STARTING, "attaching to the dataplane (pid %d)", link->run.pid);
	pthread_attr_init(&detached);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	if (link->attached.fd < 0 || pthread_create(&thread, &detached, attach, link) != 0)
		abort();
	pthread_attr_destroy(&detached);
}

/* The living process that the run file names: its pidfd, or -1. */
static int open_dataplane(const struct run_file *run)
{
	int fd = (int)syscall(SYS_pidfd_open, run->pid, 0);
	/* Looked at while the pidfd holds the pid: it cannot be used again in between. */
	if (fd >= 0 && process_start_time(run->pid) == run->start_time)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

static void look(struct dataplane_link *link)
{
	int fd = run_file_read(link->path, &link->run) ? open_dataplane(&link->run) : -1;
	if (fd < 0) {
		event_timer_set(link->loop, &link->timer, clock_monotonic_ms() + LOOK_MS);
		return;
	}
	link->death.fd = fd;
	event_loop_add(link->loop, &link->death, EPOLLIN);
	if (link->run.version == SHARED_VERSION) {
		begin_attach(link);
		return;
	}
	set_state(link, LINK_INCOMPATIBLE,
	          "the dataplane (pid %d) has version %u of shared memory, this control %d: run both programs from one "
	          "release",
	          link->run.pid, link->run.version, SHARED_VERSION);
	log_error("%s", link->why);
}

static void timer_fire(void *context)
{
	struct dataplane_link *link = context;
	if (link->eal_started)
		link->handler.restart(link->handler.context);
	else
		look(link);
}

static void dataplane_died(void *context, uint32_t events)
{
	struct dataplane_link *link = context;
	log_warning("the dataplane (pid %d) has ended", link->run.pid);
	event_loop_remove(link->loop, &link->death);
	close(link->death.fd);
	link->death.fd = -1;
	set_state(link, LINK_ABSENT, "no dataplane is running");
	event_timer_set(link->loop, &link->timer, clock_monotonic_ms());
}

struct dataplane_link *dataplane_link_create(struct event_loop *loop, const char *path,
                                             const struct link_handler *handler)
{
	struct dataplane_link *link = calloc(1, sizeof(*link));
	if (!link)
		abort();
	*link = (struct dataplane_link){.loop = loop, .handler = *handler};
	snprintf(link->path, sizeof(link->path), "%s", path);
	set_state(link, LINK_ABSENT, "no dataplane is running");
	link->timer = (struct event_timer){.fire = timer_fire, .context = link};
	link->death = (struct event_fd){.fd = -1, .ready = dataplane_died, .context = link};
	link->attached = (struct event_fd){.fd = -1, .ready = attach_done, .context = link};
	look(link);
	return link;
}

void dataplane_link_destroy(struct dataplane_link *link)
{
	event_timer_cancel(link->loop, &link->timer);
	/* A helper thread that still waits uses the link until the process ends, which is now. */
	if (!link->attaching)
		free(link);
}
