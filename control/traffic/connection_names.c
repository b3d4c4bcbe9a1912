/* Names for the numbers in a record: see the header. */
#include "control/traffic/connection_names.h"

#include <stdio.h>
#include <string.h>

#include "control/control.h"

/* The counters' slot says which of the possible routes it was, even when that has gone; without a slot the state does.
 */
static bool route_is(const struct control *control, uint64_t pair, const struct hostname *name, bool wildcard,
                     const char *cluster)
{
	uint64_t id = cluster_name_id(name, wildcard);
	if (pair != 0)
		return cluster_pair_id(id, cluster) == pair;
	return names_find(&control->state.names, id) != NULL;
}

static uint64_t pair_of(const struct control *control, uint32_t slot)
{
	return control->shared && slot < control->pairs.count ? control->pairs.entries[slot].id : 0;
}

static void find_route(const struct control *control, const struct record_connection *connection,
                       struct connection_names *names)
{
	char text[ROUTE_TEXT_MAX];
	const struct hostname *name = &connection->name;
	uint64_t pair = pair_of(control, connection->pair);
	const char *dot = memchr(name->text, '.', name->len);
	struct hostname parent = {0};
	if (dot) {
		parent.len = (uint8_t)(name->len - (dot + 1 - name->text));
		memcpy(parent.text, dot + 1, parent.len);
	}
	if (name->len > 0 && route_is(control, pair, name, false, names->cluster))
		snprintf(names->route, sizeof(names->route), "%s", name_format(name, false, text));
	else if (parent.len > 0 && route_is(control, pair, &parent, true, names->cluster))
		snprintf(names->route, sizeof(names->route), "%s", name_format(&parent, true, text));
	else if (names->listener && pair == cluster_default_pair_id(names->listener, names->cluster))
		snprintf(names->route, sizeof(names->route), "default cluster %s", names->cluster);
}

static void find_host(const struct control *control, const struct record_connection *connection,
                      struct connection_names *names)
{
	struct cluster *cluster;
	struct host_spec *host;
	if (!control->shared || connection->host >= control->hosts.count)
		return;
	const struct shared_directory_entry *entry = &control->hosts.entries[connection->host];
	if (entry->generation != connection->host_generation)
		return;
	if (state_host(&control->state, entry->id, &cluster, &host)) {
		names->host_id = entry->id;
		names->host = host->name;
	}
}

void connection_names(const struct control *control, const struct record_connection *connection,
                      struct connection_names *names)
{
	*names = (struct connection_names){0};
	if (connection->listener < control->config->listener_count)
		names->listener = control->config->listeners[connection->listener].name;
	const struct cluster *cluster = state_cluster_numbered(&control->state, connection->cluster);
	if (!cluster)
		return;
	names->cluster = cluster->spec->name;
	find_route(control, connection, names);
	find_host(control, connection, names);
}

const char *endpoint_format(const struct address *address, uint16_t port, char text[static ENDPOINT_TEXT_MAX])
{
	char host[ADDRESS_TEXT_MAX];
	const char *form = address_is_v4(address) ? "%s:%u" : "[%s]:%u";
	snprintf(text, ENDPOINT_TEXT_MAX, form, address_format(address, host), port);
	return text;
}
