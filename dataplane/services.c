/* Served pairs: the order of the steps is the point. What comes is first told to the workers and then let in; what goes
 * is first shut out, so that nobody answers for an address that is another machine's by now. */
#include "dataplane/services.h"

#include "common/log.h"

bool services_add_pool(const struct services *services)
{
	const struct config *config = services->config;
	for (unsigned port = 0; port < config->port_count; port++)
		for (unsigned i = 0; services->ports[port].af_xdp && i < config->pool.prefix_count; i++)
			if (!xdp_add_pool(&services->ports[port].maps, &config->pool.prefixes[i]))
				return false;
	return true;
}

static bool workers_are_full(struct services *services)
{
	for (unsigned i = 0; !services->ready && i < services->shared->worker_count; i++)
		if (shared_get(&shared_worker_at(services->shared, i)->applied_start) == 0)
			return false;
	services->ready = true;
	return true;
}

/* Some pair with this address is served. */
static bool address_is_served(const struct services *services, const struct address *address)
{
	const struct vip_table *vips = &services->shared->vips;
	for (unsigned vip = 0; vip < vips->count; vip++)
		if (services->served[vip] && address_equal(&vips->entries[vip].address, address))
			return true;
	return false;
}

static void set_maps(struct services *services, unsigned vip, const struct address *address, uint16_t tcp_port, bool on)
{
	services->served[vip] = on;
	for (unsigned port = 0; port < services->config->port_count; port++) {
		if (!services->ports[port].af_xdp)
			continue;
		xdp_set_service(&services->ports[port].maps, address, tcp_port, on);
		xdp_set_vip(&services->ports[port].maps, address, address_is_served(services, address));
	}
}

/* A closed one, too: its old connections go on. */
static void update_vip(struct services *services, unsigned vip, bool full)
{
	char text[ADDRESS_TEXT_MAX];
	const struct vip_entry *entry = &services->shared->vips.entries[vip];
	const struct address *address = &entry->address;
	bool held = netlink_mirror_holds(services->mirror, address);
	bool serve = held && full;

	if (held)
		shared_set(&services->shared->vip_held[vip], 1);
	if (serve != services->served[vip]) {
		set_maps(services, vip, address, entry->port, serve);
		log_info("%s:%u is %s", address_format(address, text), entry->port,
		         serve ? "served" : "not served any more: the kernel does not hold the address");
	}
	if (!held)
		shared_set(&services->shared->vip_held[vip], 0);
}

void services_update(struct services *services)
{
	bool full = workers_are_full(services);
	for (unsigned vip = 0; vip < services->shared->vips.count; vip++)
		update_vip(services, vip, full);
}
