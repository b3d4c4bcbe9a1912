/* EAL arguments, hugepages and left-over files. */
#include "dataplane/eal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "dataplane/process.h"

#define RUNTIME_DIRECTORY "/var/run/dpdk" /* where the EAL of root keeps a directory for each prefix */
#define PAGES_DIRECTORY   "/sys/kernel/mm/hugepages"

enum {
	OWN_ARGUMENTS = 12,
	ARGUMENT_MAX = 256,
	HUGEPAGE_WAIT_MS = 10000,
	HUGEPAGE_STEP_MS = 200,
};

/* ---- files ---- */

/* `own` NULL: is it of a prefix of ours whose process is dead? Else: is it of this prefix? */
static bool may_be_removed(const char *name, const char *own)
{
	struct process_id process;
	char prefix[RUN_FILE_PREFIX_MAX + 1];
	if (!file_prefix_parse(name, &process))
		return false;
	file_prefix_make(&process, prefix);
	return own ? strcmp(prefix, own) == 0 : !process_alive(&process);
}

static void remove_directory(int parent, const char *name)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
	if (!directory)
		return;
	for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
		if (entry->d_type != DT_DIR)
			unlinkat(fd, entry->d_name, 0);
	closedir(directory);
	unlinkat(parent, name, AT_REMOVEDIR);
}

static void remove_in(const char *path, const char *own)
{
	DIR *directory = opendir(path);
	if (!directory)
		return;
	for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
		if (!may_be_removed(entry->d_name, own))
			continue;
		if (entry->d_type == DT_DIR)
			remove_directory(dirfd(directory), entry->d_name);
		else
			unlinkat(dirfd(directory), entry->d_name, 0);
	}
	closedir(directory);
}

/* Calls `visit`, when given, with each mounted hugetlbfs. Returns how many there are. */
static unsigned visit_hugetlbfs(void (*visit)(const char *path, const char *own), const char *own)
{
	unsigned count = 0;
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	if (!mounts)
		return 0;
	for (struct mntent *mount; (mount = getmntent(mounts)) != NULL;) {
		if (strcmp(mount->mnt_type, "hugetlbfs") != 0)
			continue;
		count++;
		if (visit)
			visit(mount->mnt_dir, own);
	}
	endmntent(mounts);
	return count;
}

void eal_remove_dead(void)
{
	visit_hugetlbfs(remove_in, NULL);
	remove_in(RUNTIME_DIRECTORY, NULL);
}

void eal_remove_own(const char *prefix)
{
	visit_hugetlbfs(remove_in, prefix);
	remove_in(RUNTIME_DIRECTORY, prefix);
}

/* ---- hugepages ---- */

static uint64_t read_number(const char *directory, const char *name, const char *file)
{
	char path[512];
	unsigned long long number = 0;
	snprintf(path, sizeof(path), "%s/%s/%s", directory, name, file);
	FILE *stream = fopen(path, "re");
	if (!stream)
		return 0;
	if (fscanf(stream, "%llu", &number) != 1)
		number = 0;
	fclose(stream);
	return number;
}

/* Megabytes that are free and not promised to anybody, over all page sizes. */
static uint64_t free_hugepages_mb(void)
{
	uint64_t sum_kb = 0;
	DIR *directory = opendir(PAGES_DIRECTORY);
	if (!directory)
		return 0;
	for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
		unsigned long long page_kb;
		if (sscanf(entry->d_name, "hugepages-%llukB", &page_kb) != 1)
			continue;
		uint64_t free_pages = read_number(PAGES_DIRECTORY, entry->d_name, "free_hugepages");
		uint64_t promised = read_number(PAGES_DIRECTORY, entry->d_name, "resv_hugepages");
		if (free_pages > promised)
			sum_kb += (free_pages - promised) * page_kb;
	}
	closedir(directory);
	return sum_kb / 1024;
}

/* SIGTERM and SIGINT are blocked during the start. */
static bool told_to_stop(void)
{
	sigset_t pending;
	return sigpending(&pending) == 0 && (sigismember(&pending, SIGTERM) || sigismember(&pending, SIGINT));
}

/* The pages of a predecessor come free when control, too, has noticed that it is dead. */
static bool wait_for_hugepages(unsigned wanted_mb)
{
	static const struct timespec step = {.tv_nsec = HUGEPAGE_STEP_MS * 1000000L};
	uint64_t free_mb = 0;

	if (visit_hugetlbfs(NULL, NULL) == 0) {
		log_error("no hugetlbfs is mounted: run `mount -t hugetlbfs none /dev/hugepages`");
		return false;
	}
	for (int waited = 0; waited <= HUGEPAGE_WAIT_MS; waited += HUGEPAGE_STEP_MS) {
		eal_remove_dead();
		free_mb = free_hugepages_mb();
		if (free_mb >= wanted_mb)
			return true;
		if (waited == 0)
			log_warning("%u MB of hugepages are wanted (dataplane.memory_mb) and %llu MB are free: waiting "
			            "up to %d s",
			            wanted_mb, (unsigned long long)free_mb, HUGEPAGE_WAIT_MS / 1000);
		nanosleep(&step, NULL);
		if (told_to_stop())
			return false;
	}
	log_error("not enough hugepages: %u MB are wanted (dataplane.memory_mb) and %llu MB are free: raise "
	          "`sysctl vm.nr_hugepages` by %llu",
	          wanted_mb, (unsigned long long)free_mb, (unsigned long long)(wanted_mb - free_mb + 1) / 2);
	return false;
}

/* ---- start ---- */

static bool chooses_pci_devices(const struct config *config)
{
	static const char *const choices[] = {"-a", "--allow", "-b", "--block"};
	for (unsigned i = 0; i < config->dataplane.eal_arg_count; i++)
		for (unsigned j = 0; j < sizeof(choices) / sizeof(*choices); j++)
			if (strncmp(config->dataplane.eal_args[i], choices[j], strlen(choices[j])) == 0)
				return true;
	return false;
}

bool eal_start(const struct config *config, const char *prefix)
{
	/* The EAL keeps pointers to its arguments. */
	static char own[OWN_ARGUMENTS][ARGUMENT_MAX];
	static char *arguments[OWN_ARGUMENTS + CONFIG_EAL_ARGS_MAX + 1];
	int count = 0;

	if (!wait_for_hugepages(config->dataplane.memory_mb))
		return false;
	snprintf(own[count++], ARGUMENT_MAX, "pointsman-dataplane");
	snprintf(own[count++], ARGUMENT_MAX, "--proc-type=primary");
	snprintf(own[count++], ARGUMENT_MAX, "--file-prefix=%s", prefix);
	snprintf(own[count++], ARGUMENT_MAX, "--lcores=%s", config->dataplane.lcores);
	/* The same in control; lies outside AddressSanitizer's shadow. */
	snprintf(own[count++], ARGUMENT_MAX, "--base-virtaddr=0x200000000000");
	/* The AF_XDP driver wants the packet buffers in one piece. */
	snprintf(own[count++], ARGUMENT_MAX, "--iova-mode=va");
	/* All memory is taken now: later growth would have to be agreed with control. */
	snprintf(own[count++], ARGUMENT_MAX, "--socket-mem=%u", config->dataplane.memory_mb);
	snprintf(own[count++], ARGUMENT_MAX, "--socket-limit=%u", config->dataplane.memory_mb);
	snprintf(own[count++], ARGUMENT_MAX, "--no-telemetry");
	snprintf(own[count++], ARGUMENT_MAX, "--log-level=warning");
	if (!chooses_pci_devices(config))
		snprintf(own[count++], ARGUMENT_MAX, "--no-pci");
	for (int i = 0; i < count; i++)
		arguments[i] = own[i];
	for (unsigned i = 0; i < config->dataplane.eal_arg_count; i++)
		arguments[count++] = config->dataplane.eal_args[i];

	if (rte_eal_init(count, arguments) >= 0)
		return true;
	log_error("DPDK does not start: %s; see the lines before, and dataplane.lcores, memory_mb and eal_args",
	          rte_strerror(rte_errno));
	return false;
}
