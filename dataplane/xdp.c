/* Finds, checks and fills what belongs to our XDP program, through libbpf. IPv4 only, as the program is. */
#include "dataplane/xdp.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "dataplane/xdp_filter.h"

/* The map in which the owner of an interface stands. The program does not use it, it is only bound to it: both live
 * and die together. */
#define OWNER_MAP "pm_owner"

enum { MAPS_MAX = 16 };

static const uint32_t present = 1; /* the value of every set-like map */

/* The map of this name that the program has; the file descriptor is the caller's. */
static bool find_map(int program, const char *name, int *map)
{
	uint32_t ids[MAPS_MAX];
	struct bpf_prog_info info = {.nr_map_ids = MAPS_MAX, .map_ids = (uintptr_t)ids};
	uint32_t size = sizeof(info);

	if (bpf_obj_get_info_by_fd(program, &info, &size) != 0)
		return false;
	for (uint32_t i = 0; i < info.nr_map_ids && i < MAPS_MAX; i++) {
		struct bpf_map_info map_info = {0};
		size = sizeof(map_info);
		int fd = bpf_map_get_fd_by_id(ids[i]);
		if (fd < 0)
			continue;
		if (bpf_obj_get_info_by_fd(fd, &map_info, &size) == 0 && strcmp(map_info.name, name) == 0) {
			*map = fd;
			return true;
		}
		close(fd);
	}
	return false;
}

static bool read_owner(int program, struct process_id *process)
{
	struct xdp_owner owner;
	uint32_t first = 0;
	int map;
	if (!find_map(program, OWNER_MAP, &map))
		return false;
	bool read = bpf_map_lookup_elem(map, &first, &owner) == 0;
	close(map);
	*process = (struct process_id){.pid = (int32_t)owner.pid, .start_time = owner.start_time};
	return read;
}

static bool write_owner(int program, const struct process_id *process)
{
	struct xdp_owner owner = {.pid = (uint64_t)process->pid, .start_time = process->start_time};
	uint32_t first = 0;
	int map = bpf_map_create(BPF_MAP_TYPE_ARRAY, OWNER_MAP, sizeof(first), sizeof(owner), 1, NULL);
	bool written = map >= 0 && bpf_map_update_elem(map, &first, &owner, BPF_ANY) == 0 &&
	               bpf_prog_bind_map(program, map, NULL) == 0;
	if (map >= 0)
		close(map);
	return written;
}

/* Opens the interface's program. 0: there is none; -1: it cannot be looked at, logged; 1: it is open. */
static int open_program(const char *interface, uint32_t ifindex, struct bpf_prog_info *info, int *program)
{
	uint32_t id = 0, size = sizeof(*info);

	memset(info, 0, sizeof(*info));
	int error = bpf_xdp_query_id((int)ifindex, 0, &id);
	if (error == 0 && id == 0)
		return 0;
	*program = error == 0 ? bpf_prog_get_fd_by_id(id) : -1;
	if (*program >= 0 && bpf_obj_get_info_by_fd(*program, info, &size) == 0)
		return 1;
	log_error("interface %s: its XDP program cannot be looked at: %s", interface, strerror(errno));
	return -1;
}

static bool detach_program(uint32_t ifindex, int program)
{
	LIBBPF_OPTS(bpf_xdp_attach_opts, options, .old_prog_fd = program);
	return bpf_xdp_detach((int)ifindex, XDP_FLAGS_REPLACE, &options) == 0;
}

bool xdp_clear(const char *interface, uint32_t ifindex)
{
	struct bpf_prog_info info;
	struct process_id owner;
	int program;

	int found = open_program(interface, ifindex, &info, &program);
	if (found <= 0)
		return found == 0;
	bool clear = false;
	if (strcmp(info.name, XDP_PROGRAM_NAME) != 0) {
		log_error(
		    "interface %s carries a foreign XDP program, \"%s\" (id %u): stop what uses it, or take it off "
		    "with `ip link set dev %s xdp off`",
		    interface, info.name, info.id, interface);
	} else if (read_owner(program, &owner) && process_alive(&owner)) {
		log_error("interface %s is served by another pointsman-dataplane, process %d: stop that one first",
		          interface, owner.pid);
	} else {
		clear = detach_program(ifindex, program);
		if (clear)
			log_info("interface %s: the XDP program of a dataplane that is dead was taken off", interface);
		else
			log_error("interface %s: the XDP program of a dataplane that is dead cannot be taken off: %s",
			          interface, strerror(errno));
	}
	close(program);
	return clear;
}

bool xdp_open(const char *interface, uint32_t ifindex, const struct process_id *owner, struct xdp_maps *out)
{
	struct bpf_prog_info info;
	int program;

	*out = (struct xdp_maps){.ifindex = ifindex, .services = -1, .vips = -1, .pool = -1};
	if (open_program(interface, ifindex, &info, &program) != 1)
		return false;
	bool complete = find_map(program, "services", &out->services) && find_map(program, "vips", &out->vips) &&
	                find_map(program, "pool", &out->pool);
	if (!complete)
		log_error("interface %s: its XDP program \"%s\" lacks the maps services, vips and pool: "
		          "dataplane.xdp_program names another program, or one of another version",
		          interface, info.name);
	else if (!(complete = write_owner(program, owner)))
		log_error("interface %s: the XDP program takes no owner: %s", interface, strerror(errno));
	close(program);
	return complete;
}

/* Puts the key into the map, or out of it; what is so already is fine. */
static bool set(const struct xdp_maps *maps, int map, const void *key, bool on)
{
	bool done = on ? bpf_map_update_elem(map, key, &present, BPF_ANY) == 0
	               : bpf_map_delete_elem(map, key) == 0 || errno == ENOENT;
	if (!done)
		log_error("interface index %u: a map of the XDP program cannot be changed: %s", maps->ifindex,
		          strerror(errno));
	return done;
}

bool xdp_set_service(const struct xdp_maps *maps, const struct address *address, uint16_t port, bool on)
{
	struct xdp_service key = {.address = address_v4(address), .port = htons(port)};
	return set(maps, maps->services, &key, on);
}

bool xdp_set_vip(const struct xdp_maps *maps, const struct address *address, bool on)
{
	uint32_t key = address_v4(address);
	return set(maps, maps->vips, &key, on);
}

bool xdp_add_pool(const struct xdp_maps *maps, const struct prefix *prefix)
{
	struct xdp_pool_prefix key = {.length = prefix->length - 96u, .address = address_v4(&prefix->address)};
	return set(maps, maps->pool, &key, true);
}

void xdp_detach(uint32_t ifindex)
{
	struct bpf_prog_info info = {0};
	uint32_t id, size = sizeof(info);
	int program = bpf_xdp_query_id((int)ifindex, 0, &id) == 0 && id != 0 ? bpf_prog_get_fd_by_id(id) : -1;
	if (program < 0)
		return;
	if (bpf_obj_get_info_by_fd(program, &info, &size) == 0 && strcmp(info.name, XDP_PROGRAM_NAME) == 0)
		detach_program(ifindex, program);
	close(program);
}

void xdp_close(struct xdp_maps *maps)
{
	close(maps->services);
	close(maps->vips);
	close(maps->pool);
}
