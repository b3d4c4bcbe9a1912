/* Numbers of the listeners' pairs: see the header. */
#include "common/vips.h"

#include "common/config.h"

int vips_find(const struct vip_table *table, const struct address *address, uint16_t port)
{
	uint64_t count = __atomic_load_n(&table->count, __ATOMIC_ACQUIRE);
	for (unsigned i = 0; i < count; i++)
		if (table->entries[i].port == port && address_equal(&table->entries[i].address, address))
			return (int)i;
	return -1;
}

bool vips_update(struct vip_table *table, const struct config *config)
{
	struct vip_table next = *table;
	for (unsigned i = 0; i < next.count; i++)
		next.entries[i].listener = VIP_CLOSED;
	for (unsigned l = 0; l < config->listener_count; l++) {
		const struct config_listener *listener = &config->listeners[l];
		for (unsigned a = 0; a < listener->address_count; a++) {
			int found = vips_find(&next, &listener->addresses[a], listener->port);
			if (found < 0 && next.count == VIPS_MAX)
				return false;
			next.entries[found >= 0 ? (unsigned)found : next.count++] = (struct vip_entry){
			    .address = listener->addresses[a],
			    .port = listener->port,
			    .listener = (uint16_t)l,
			    .tls = listener->mode == LISTENER_TLS,
			};
		}
	}
	*table = next;
	return true;
}

void vips_publish(struct vip_table *table, const struct vip_table *next)
{
	for (uint64_t i = 0; i < table->count; i++) {
		table->entries[i].listener = next->entries[i].listener;
		table->entries[i].tls = next->entries[i].tls;
	}
	for (uint64_t i = table->count; i < next->count; i++)
		table->entries[i] = next->entries[i];
	__atomic_store_n(&table->count, next->count, __ATOMIC_RELEASE);
}
