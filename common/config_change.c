/* Differences of configurations: see the header. */
#include "common/config_change.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

static const char memory[] = "its memory is taken at start";
static const char device[] = "ports are opened at start";

/* A field that is compared byte by byte. `restart` NULL: it can change while running. */
struct plain_field {
	const char *path;
	size_t offset, size;
	const char *restart;
};

#define FIELD(member, restart)                                                                                         \
	{                                                                                                              \
		"$." #member, offsetof(struct config, member), sizeof(((struct config *)0)->member), restart           \
	}

static const struct plain_field fields[] = {
    FIELD(dataplane.lcores, "cores are taken at start"),
    FIELD(dataplane.idle, NULL),
    FIELD(dataplane.memory_mb, memory),
    FIELD(dataplane.mbufs, memory),
    FIELD(dataplane.xdp_program, "it is loaded at start"),
    FIELD(timeouts.head, NULL),
    FIELD(timeouts.connect_attempt, NULL),
    FIELD(timeouts.connect_total, NULL),
    FIELD(timeouts.idle, NULL),
    FIELD(timeouts.half_closed, NULL),
    FIELD(timeouts.linger, NULL),
    FIELD(timeouts.shutdown_grace, NULL),
    FIELD(limits.client_mss, NULL),
    FIELD(limits.head_bytes, memory),
    FIELD(limits.connections, memory),
    FIELD(limits.young, memory),
    FIELD(limits.large_heads, memory),
    FIELD(limits.connection_rate, memory),
    FIELD(limits.hosts, memory),
    FIELD(limits.routes, memory),
    FIELD(limits.pairs, memory),
    FIELD(limits.neighbours, memory),
    FIELD(admin.listen, "the address is opened at start"),
    FIELD(admin.loopback, NULL),
    FIELD(admin.tokens, NULL),
    FIELD(admin.tls_certificate, NULL),
    FIELD(admin.tls_key, NULL),
    FIELD(admin.requests_per_second, NULL),
    FIELD(log.json, NULL),
    FIELD(log.connections, NULL),
    FIELD(log.sample, NULL),
    FIELD(log.connections_file, NULL),
    FIELD(paths.run, "both programs meet there"),
    FIELD(paths.state, "it is read at start"),
};

static void add(struct config_changes *changes, const char *path, const char *restart)
{
	changes->restart |= restart != NULL;
	if (changes->count == CONFIG_CHANGES_MAX)
		return;
	struct config_change *change = &changes->list[changes->count++];
	snprintf(change->path, sizeof(change->path), "%s", path);
	change->restart = restart != NULL;
	change->why = restart;
}

/* "$.admin.tls_key" is "$.admin.tls.key" in the file, "$.log.json" is "$.log.format". */
static const char *path_in_file(const char *path)
{
	static const char *const others[][2] = {
	    {"$.admin.tls_certificate", "$.admin.tls.certificate"},
	    {"$.admin.tls_key", "$.admin.tls.key"},
	    {"$.log.json", "$.log.format"},
	};
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (strcmp(path, others[i][0]) == 0)
			return others[i][1];
	return path;
}

static bool texts_equal(char *const *a, unsigned a_count, char *const *b, unsigned b_count)
{
	if (a_count != b_count)
		return false;
	for (unsigned i = 0; i < a_count; i++)
		if (strcmp(a[i], b[i]) != 0)
			return false;
	return true;
}

static bool prefixes_equal(const struct prefix *a, unsigned a_count, const struct prefix *b, unsigned b_count)
{
	if (a_count != b_count)
		return false;
	for (unsigned i = 0; i < a_count; i++)
		if (!address_equal(&a[i].address, &b[i].address) || a[i].length != b[i].length)
			return false;
	return true;
}

static bool listeners_equal(const struct config_listener *a, const struct config_listener *b)
{
	if (strcmp(a->name, b->name) != 0 || a->mode != b->mode || a->port != b->port ||
	    a->address_count != b->address_count || strcmp(a->default_cluster, b->default_cluster) != 0)
		return false;
	for (unsigned i = 0; i < a->address_count; i++)
		if (!address_equal(&a->addresses[i], &b->addresses[i]))
			return false;
	return true;
}

static void compare_listeners(const struct config *running, const struct config *wanted, struct config_changes *changes)
{
	unsigned most =
	    running->listener_count > wanted->listener_count ? running->listener_count : wanted->listener_count;
	for (unsigned i = 0; i < most; i++) {
		char path[CONFIG_CHANGE_PATH_MAX + 1];
		bool both = i < running->listener_count && i < wanted->listener_count;
		if (both && listeners_equal(&running->listeners[i], &wanted->listeners[i]))
			continue;
		snprintf(path, sizeof(path), "$.listeners[%u]", i);
		add(changes, path, NULL);
	}
}

void config_compare(const struct config *running, const struct config *wanted, struct config_changes *changes)
{
	*changes = (struct config_changes){0};
	if (running->port_count != wanted->port_count ||
	    memcmp(running->ports, wanted->ports, sizeof(running->ports)) != 0)
		add(changes, "$.ports", device);
	compare_listeners(running, wanted, changes);
	if (!prefixes_equal(running->pool.prefixes, running->pool.prefix_count, wanted->pool.prefixes,
	                    wanted->pool.prefix_count) ||
	    running->pool.port_first != wanted->pool.port_first || running->pool.port_last != wanted->pool.port_last)
		add(changes, "$.source_pool", "source ports are dealt out at start");
	if (!texts_equal(running->dataplane.eal_args, running->dataplane.eal_arg_count, wanted->dataplane.eal_args,
	                 wanted->dataplane.eal_arg_count))
		add(changes, "$.dataplane.eal_args", device);
	if (!texts_equal(running->admin.allowed_hosts, running->admin.allowed_host_count, wanted->admin.allowed_hosts,
	                 wanted->admin.allowed_host_count))
		add(changes, "$.admin.allowed_hosts", NULL);
	if (!prefixes_equal(running->admin.allow_from, running->admin.allow_from_count, wanted->admin.allow_from,
	                    wanted->admin.allow_from_count))
		add(changes, "$.admin.allow_from", NULL);
	if (!prefixes_equal(running->admin.metrics_from, running->admin.metrics_from_count, wanted->admin.metrics_from,
	                    wanted->admin.metrics_from_count))
		add(changes, "$.admin.metrics_from", NULL);
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (memcmp((const char *)running + fields[i].offset, (const char *)wanted + fields[i].offset,
		           fields[i].size) != 0)
			add(changes, path_in_file(fields[i].path), fields[i].restart);
}
