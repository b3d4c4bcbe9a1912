/* The ports of clients: see the header. */
#include "control/api/client_ports.h"

#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "common/config.h"
#include "common/shared.h"

static bool is_vip(const struct config *config, const struct address *address)
{
	for (unsigned i = 0; i < config->listener_count; i++)
		for (unsigned j = 0; j < config->listeners[i].address_count; j++)
			if (memcmp(&config->listeners[i].addresses[j], address, sizeof(*address)) == 0)
				return true;
	return false;
}

static bool read_address(const struct sockaddr *socket_address, struct address *out)
{
	if (!socket_address)
		return false;
	if (socket_address->sa_family == AF_INET) {
		*out = address_from_v4(((const struct sockaddr_in *)socket_address)->sin_addr.s_addr);
		return true;
	}
	if (socket_address->sa_family == AF_INET6) {
		memcpy(out, &((const struct sockaddr_in6 *)socket_address)->sin6_addr, sizeof(*out));
		return true;
	}
	return false;
}

static uint32_t ports_on(const struct shared_header *shared, const char *interface)
{
	uint32_t ports = 0;
	for (unsigned i = 0; i < shared->port_count && i < PORTS_MAX; i++)
		if (strncmp(shared->ports[i].interface, interface, sizeof(shared->ports[i].interface)) == 0)
			ports |= 1U << i;
	return ports;
}

uint32_t client_ports(const struct config *config, const struct shared_header *shared, uint32_t before)
{
	struct ifaddrs *list = NULL;
	struct address address;
	uint32_t ports = 0;
	if (getifaddrs(&list) == 0)
		for (const struct ifaddrs *entry = list; entry; entry = entry->ifa_next)
			if (read_address(entry->ifa_addr, &address) && is_vip(config, &address))
				ports |= ports_on(shared, entry->ifa_name);
	freeifaddrs(list);
	uint32_t all = (uint32_t)((1ULL << (shared->port_count < PORTS_MAX ? shared->port_count : PORTS_MAX)) - 1);
	return ports ? ports : before ? before & all : all;
}
