/* pointsman-dataplane: start and end. The order is a table; what was started is stopped in reverse.
 *
 * What can fail cheaply comes first, so that a wrong interface does not cost a wait for hugepages. Control attaches
 * when the run file stands there, which is the last step. Once packets flow nothing of DPDK is called that takes a lock
 * or memory: the end, too, leaves DPDK as it is, takes the XDP programs off, removes the files and exits. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <rte_lcore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "common/program_arguments.h"
#include "dataplane/allocation_guard.h"
#include "dataplane/dataplane.h"
#include "dataplane/eal.h"
#include "dataplane/main_loop.h"

#define XDP_OBJECT "xdp_filter.bpf.o"

enum {
	PORTS_REST_S = 60, /* a source port rests that long */
	ORDER_WAIT_MS = 1000,
	LOCK_WAIT_MS = 2000,
	LOCK_STEP_MS = 10,
};

static void sleep_ms(long ms)
{
	struct timespec time = {.tv_nsec = ms * 1000000};
	nanosleep(&time, NULL);
}

/* ---- who we are, and whether we may ---- */

static bool check_root(struct dataplane *dataplane)
{
	if (geteuid() == 0)
		return true;
	log_error("this needs root, for hugepages, AF_XDP and netlink: run it with sudo or from its service unit");
	return false;
}

static bool take_signals(struct dataplane *dataplane)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	/* Before the EAL makes threads: they inherit it. */
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	dataplane->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	dataplane->ask_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return dataplane->signals >= 0 && dataplane->ask_event >= 0;
}

static void run_file_path(const char *run, char path[static PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/" RUN_FILE_NAME, run);
}

static void say_second_instance(const char *run)
{
	struct run_file other;
	char path[PATH_MAX];
	run_file_path(run, path);
	if (run_file_read(path, &other) && process_start_time(other.pid) == other.start_time)
		log_error("another pointsman-dataplane, process %d, runs with %s: stop it, or give this one another "
		          "paths.run",
		          other.pid, run);
	else
		log_error(
		    "another pointsman-dataplane that is just starting or ending uses %s: stop it, or give this one "
		    "another paths.run",
		    run);
}

static bool lock_instance(struct dataplane *dataplane)
{
	const char *run = dataplane->config->paths.run;
	char path[PATH_MAX];

	if (mkdir(run, 0755) != 0 && errno != EEXIST) {
		log_error("$.paths.run: the directory %s cannot be made: %s", run, strerror(errno));
		return false;
	}
	snprintf(path, sizeof(path), "%s/dataplane.lock", run);
	dataplane->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (dataplane->lock < 0) {
		log_error("%s cannot be opened: %s", path, strerror(errno));
		return false;
	}
	/* The kernel needs a moment to take a killed predecessor apart. */
	for (int waited = 0; flock(dataplane->lock, LOCK_EX | LOCK_NB) != 0; waited += LOCK_STEP_MS) {
		if (waited >= LOCK_WAIT_MS) {
			say_second_instance(run);
			return false;
		}
		sleep_ms(LOCK_STEP_MS);
	}
	run_file_path(run, path);
	unlink(path); /* of a predecessor that was killed */
	dataplane->process = process_self();
	file_prefix_make(&dataplane->process, dataplane->file_prefix);
	return true;
}

/* ---- the kernel's side ---- */

static bool start_network(struct dataplane *dataplane)
{
	struct netlink_mirror_params params = {.config = dataplane->config};
	params.l3 = dataplane->l3 = l3_create(dataplane->config->limits.neighbours);
	if (!dataplane->l3) {
		log_error("no memory for limits.neighbours = %u", dataplane->config->limits.neighbours);
		return false;
	}
	dataplane->mirror = netlink_mirror_create(&params, dataplane_now());
	return dataplane->mirror != NULL;
}

static void stop_network(struct dataplane *dataplane)
{
	netlink_mirror_destroy(dataplane->mirror);
	l3_destroy(dataplane->l3);
}

static bool clear_interfaces(struct dataplane *dataplane)
{
	bool clear = true;
	for (unsigned i = 0; i < dataplane->config->port_count; i++)
		if (dataplane->config->ports[i].device[0] == '\0')
			clear &= xdp_clear(dataplane->config->ports[i].interface,
			                   netlink_mirror_ifindex(dataplane->mirror, i));
	return clear;
}

/* A prefix of the configuration as people write it. */
static void format_prefix(const struct prefix *prefix, char text[static 64])
{
	char address[ADDRESS_TEXT_MAX];
	snprintf(text, 64, "%s/%u", address_format(&prefix->address, address),
	         prefix->length - (address_is_v4(&prefix->address) ? 96u : 0));
}

static bool check_pool(struct dataplane *dataplane)
{
	const struct config *config = dataplane->config;
	uint64_t addresses = 0, ports = (uint64_t)config->pool.port_last - config->pool.port_first + 1;
	bool local = true;

	for (unsigned i = 0; i < config->pool.prefix_count; i++) {
		char text[64];
		const struct prefix *prefix = &config->pool.prefixes[i];
		addresses += 1ULL << (128 - prefix->length);
		if (netlink_mirror_is_local(dataplane->mirror, prefix))
			continue;
		format_prefix(prefix, text);
		log_error("$.source_pool.prefixes[%u]: %s is no local route, so Linux would not answer ARP for it: run "
		          "`ip route add local %s dev lo`",
		          i, text, text);
		local = false;
	}
	if (local)
		log_info(
		    "source pool: %llu addresses x %llu ports: at most %llu connections at once and %llu new ones per "
		    "second to one address and port of a router host",
		    (unsigned long long)addresses, (unsigned long long)ports, (unsigned long long)(addresses * ports),
		    (unsigned long long)(addresses * ports / PORTS_REST_S));
	return local;
}

/* ---- DPDK's side ---- */

/* Next to the executable, where a build leaves it, or where an installation puts it. */
static bool find_xdp_program(struct dataplane *dataplane)
{
	char executable[PATH_MAX], *path = dataplane->xdp_program;
	const char *configured = dataplane->config->dataplane.xdp_program;
	const size_t size = sizeof(dataplane->xdp_program);

	ssize_t len = readlink("/proc/self/exe", executable, sizeof(executable) - 1);
	executable[len > 0 ? len : 0] = '\0';
	const char *directory = dirname(executable);
	if (configured[0] != '\0') {
		snprintf(path, size, "%s", configured);
	} else {
		snprintf(path, size, "%s/" XDP_OBJECT, directory);
		if (access(path, R_OK) != 0)
			snprintf(path, size, "%s/../lib/pointsman/" XDP_OBJECT, directory);
	}
	if (access(path, R_OK) == 0)
		return true;
	log_error("the XDP program %s cannot be read: %s; dataplane.xdp_program says where it is", path,
	          strerror(errno));
	return false;
}

static bool start_eal(struct dataplane *dataplane)
{
	if (!eal_start(dataplane->config, dataplane->file_prefix))
		return false;
	dataplane->workers = rte_lcore_count() - 1;
	if (dataplane->workers >= 1 && dataplane->workers <= WORKERS_MAX)
		return true;
	log_error("$.dataplane.lcores: \"%s\" names %u worker cores; expected 1 to %d behind the main thread's",
	          dataplane->config->dataplane.lcores, dataplane->workers, WORKERS_MAX);
	eal_remove_own(dataplane->file_prefix);
	return false;
}

static void stop_eal(struct dataplane *dataplane)
{
	eal_remove_own(dataplane->file_prefix);
}

static bool make_memory(struct dataplane *dataplane)
{
	if (!shared_zone_create(&dataplane->zone, dataplane->config, dataplane->workers))
		return false;
	dataplane->pool = port_make_pool(dataplane->config);
	return dataplane->pool != NULL;
}

static void stop_ports(struct dataplane *dataplane)
{
	for (unsigned i = 0; i < dataplane->config->port_count; i++)
		port_stop(&dataplane->ports[i]);
}

static bool start_ports(struct dataplane *dataplane)
{
	struct port_params params = {
	    .workers = dataplane->workers,
	    .xdp_program = dataplane->xdp_program,
	    .owner = dataplane->process,
	    .pool = dataplane->pool,
	};
	for (unsigned i = 0; i < dataplane->config->port_count; i++) {
		params.number = i;
		params.ifindex = netlink_mirror_ifindex(dataplane->mirror, i);
		params.mtu = l3_port_mtu(dataplane->l3, (uint8_t)i);
		if (!port_start(&dataplane->ports[i], &dataplane->config->ports[i], &params)) {
			while (i > 0)
				port_stop(&dataplane->ports[--i]);
			return false;
		}
		params.queues_before += dataplane->ports[i].queue_count;
	}
	return true;
}

/* The tables and flows have their pages from the beginning: a worker that touches one for the first time would wait
 * for the kernel, a tenth of a millisecond and more. */
static void keep_in_memory(void)
{
	if (mlockall(MCL_CURRENT) != 0)
		log_warning("the memory cannot be locked: %s; workers may be held up while their tables grow: give the "
		            "service CAP_IPC_LOCK or LimitMEMLOCK=infinity",
		            strerror(errno));
}

static bool start_workers(struct dataplane *dataplane)
{
	struct worker_loops_params params = {
	    .config = dataplane->config,
	    .zone = &dataplane->zone,
	    .l3 = dataplane->l3,
	    .ports = dataplane->ports,
	    .pool = dataplane->pool,
	    .workers = dataplane->workers,
	    .ask_event = dataplane->ask_event,
	};
	dataplane->loops = worker_loops_create(&params);
	if (!dataplane->loops)
		return false;
	keep_in_memory();
	worker_loops_launch(dataplane->loops);
	return true;
}

static void stop_workers(struct dataplane *dataplane)
{
	worker_loops_order(dataplane->loops, ORDER_RESET_ALL);
	for (int i = 0; i < ORDER_WAIT_MS && !worker_loops_obeyed(dataplane->loops); i++)
		sleep_ms(1);
	worker_loops_order(dataplane->loops, ORDER_STOP);
	worker_loops_wait(dataplane->loops);
}

/* ---- open ---- */

static bool open_services(struct dataplane *dataplane)
{
	struct run_file file = {
	    .pid = dataplane->process.pid,
	    .start_time = dataplane->process.start_time,
	    .version = SHARED_VERSION,
	};
	char path[PATH_MAX];
	strcpy(file.file_prefix, dataplane->file_prefix);
	dataplane->services = (struct services){
	    .config = dataplane->config,
	    .shared = dataplane->zone.shared,
	    .mirror = dataplane->mirror,
	    .ports = dataplane->ports,
	};
	if (!services_add_pool(&dataplane->services))
		return false;
	run_file_path(dataplane->config->paths.run, path);
	if (run_file_write(path, &file))
		return true;
	log_error("%s cannot be written: %s", path, strerror(errno));
	return false;
}

static void close_services(struct dataplane *dataplane)
{
	char path[PATH_MAX];
	run_file_path(dataplane->config->paths.run, path);
	unlink(path);
}

/* ---- the table ---- */

static const struct step {
	bool (*start)(struct dataplane *dataplane); /* false: has logged why, and left nothing behind */
	void (*stop)(struct dataplane *dataplane);
} steps[] = {
    {check_root, NULL},  {take_signals, NULL},      {lock_instance, NULL},         {start_network, stop_network},
    {check_pool, NULL},  {find_xdp_program, NULL},  {clear_interfaces, NULL},      {start_eal, stop_eal},
    {make_memory, NULL}, {start_ports, stop_ports}, {start_workers, stop_workers}, {open_services, close_services},
};

enum { STEPS = sizeof(steps) / sizeof(*steps) };

static const struct program program = {
    .name = "pointsman-dataplane",
    .version = POINTSMAN_VERSION,
    .about = "Forwards the connections of clients to router hosts.",
};

static struct config *read_config(const char *path)
{
	struct config_errors errors = {0};
	struct config *config = config_read(path, &errors);
	for (size_t i = 0; i < errors.count; i++)
		log_error("%s", errors.lines[i]);
	config_errors_free(&errors);
	return config;
}

int main(int argc, char **argv)
{
	static struct dataplane dataplane;
	unsigned started = 0;

	const struct program_arguments arguments = program_arguments_read(&program, argc, argv, stdout, stderr);
	if (arguments.action == PROGRAM_END)
		return arguments.status;
	log_init(program.name);
	dataplane.config = read_config(arguments.path);
	if (!dataplane.config || !realpath(arguments.path, dataplane.config_path))
		return EXIT_FAILURE;
	log_format(dataplane.config->log.json);
	while (started < STEPS && steps[started].start(&dataplane))
		started++;
	bool fine = started == STEPS;
	if (fine) {
		allocation_guard_arm();
		log_info("started: version " POINTSMAN_VERSION ", %u ports, %u workers", dataplane.config->port_count,
		         dataplane.workers);
		fine = main_loop_run(&dataplane);
	}
	while (started > 0)
		if (steps[--started].stop)
			steps[started].stop(&dataplane);
	if (fine)
		log_info("stopped");
	/* Not exit(): DPDK's own clean-up would wait for locks that a stopped control process may hold. */
	_exit(fine ? EXIT_SUCCESS : EXIT_FAILURE);
}
