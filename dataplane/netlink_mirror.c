/* The mirror's two sockets: events come in on one, on the other the mirror asks and reads whole tables.
 *
 * Links, addresses and routes are read anew, as a whole, when an event says that something changed: Linux drops the
 * IPv4 routes of an interface that goes down without saying so. Neighbours are followed event by event. An overrun of
 * the event socket (ENOBUFS) has everything read anew. */
#include "dataplane/netlink_mirror.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "common/log.h"
#include "dataplane/neighbours.h"
#include "dataplane/netlink_decode.h"

enum {
	ADDRESSES_LIMIT = 4096,
	ROUTES_LIMIT = 4096, /* what l3_set_routes takes */
	BUFFER_SIZE = 64 * 1024,
	EVENT_BUFFER = 4 << 20,
	START_TRIES = 20, /* to read everything once, while it changes */

	/* ms */
	ROUTES_INTERVAL = 100, /* between two readings of all routes */
};

struct netlink_mirror {
	const struct config *config;
	struct l3 *l3;
	void (*addresses_changed)(void *context);
	void *context;

	struct mnl_socket *events, *requests;
	uint32_t sequence;
	char *buffer; /* BUFFER_SIZE */

	struct netlink_link links[PORTS_MAX]; /* by port; ifindex 0: gone */
	struct address *addresses, *reading;  /* sorted; and the next set while it is read */
	unsigned address_count, reading_count;
	struct l3_route *routes;
	unsigned route_count;
	bool too_many_routes;

	bool links_stale, addresses_stale, routes_stale, neighbours_stale;
	uint64_t routes_read;

	struct neighbours *neighbours;

	const struct prefix *wanted; /* by netlink_mirror_is_local */
	bool wanted_found;
};

static bool is_port(const struct netlink_mirror *mirror, uint32_t ifindex)
{
	for (unsigned port = 0; port < mirror->config->port_count; port++)
		if (mirror->links[port].ifindex == ifindex)
			return true;
	return false;
}

/* ---- neighbours ---- */

static void send_request(void *context, enum neighbour_request kind, uint32_t ifindex, const struct address *address)
{
	struct netlink_mirror *mirror = context;
	char message[NETLINK_REQUEST_MAX];
	size_t len;
	if (kind == NEIGHBOUR_FORGET)
		len = netlink_encode_forget(message, ++mirror->sequence, ifindex, address);
	else
		len = netlink_encode_neighbour(message, ++mirror->sequence, ifindex, address, kind == NEIGHBOUR_KEEP);
	mnl_socket_sendto(mirror->requests, message, len);
	/* An error, such as an interface that is down, is no more than no answer. */
	while (recv(mnl_socket_get_fd(mirror->requests), mirror->buffer, BUFFER_SIZE, MSG_DONTWAIT) > 0)
		;
}

void netlink_mirror_ask(struct netlink_mirror *mirror, const struct address *destination, bool managed, uint64_t now)
{
	neighbours_ask(mirror->neighbours, destination, managed, now);
}

static void take_neighbour(struct netlink_mirror *mirror, const struct nlmsghdr *message, uint64_t now)
{
	struct netlink_neighbour neighbour;
	if (netlink_decode_neighbour(message, &neighbour) && is_port(mirror, neighbour.ifindex))
		neighbours_take(mirror->neighbours, &neighbour, message->nlmsg_type == RTM_DELNEIGH, now);
}

/* ---- reading whole tables ---- */

typedef void take_message(struct netlink_mirror *mirror, const struct nlmsghdr *message, uint64_t now);

enum reading { READ_FAILED, READ_INTERRUPTED, READ_ALL };

/* Asks for all of one kind and passes each to `take`, to the last one. READ_INTERRUPTED: the kernel's table has changed
 * meanwhile, and some may be missing. */
static enum reading read_once(struct netlink_mirror *mirror, uint16_t type, uint32_t table, take_message *take,
                              uint64_t now)
{
	char request[NETLINK_REQUEST_MAX];
	uint32_t sequence = ++mirror->sequence;
	size_t len = netlink_encode_dump(request, sequence, type, table);
	enum reading result = READ_ALL;

	if (mnl_socket_sendto(mirror->requests, request, len) < 0)
		return READ_FAILED;
	for (;;) {
		ssize_t received = mnl_socket_recvfrom(mirror->requests, mirror->buffer, BUFFER_SIZE);
		int left = (int)received;
		if (received <= 0)
			return READ_FAILED;
		for (const struct nlmsghdr *message = (const void *)mirror->buffer; mnl_nlmsg_ok(message, left);
		     message = mnl_nlmsg_next(message, &left)) {
			if (message->nlmsg_seq != sequence)
				continue; /* the error of an earlier request */
			if (message->nlmsg_flags & NLM_F_DUMP_INTR)
				result = READ_INTERRUPTED;
			if (message->nlmsg_type == NLMSG_DONE)
				return result;
			if (message->nlmsg_type == NLMSG_ERROR)
				return READ_FAILED;
			take(mirror, message, now);
		}
	}
}

static void take_link(struct netlink_mirror *mirror, const struct nlmsghdr *message, uint64_t now)
{
	struct netlink_link link;
	if (!netlink_decode_link(message, &link))
		return;
	for (unsigned port = 0; port < mirror->config->port_count; port++)
		if (strcmp(mirror->config->ports[port].interface, link.name) == 0)
			mirror->links[port] = link;
}

static void take_address(struct netlink_mirror *mirror, const struct nlmsghdr *message, uint64_t now)
{
	struct address address;
	if (netlink_decode_address(message, &address) && mirror->reading_count < ADDRESSES_LIMIT)
		mirror->reading[mirror->reading_count++] = address;
}

static void take_route(struct netlink_mirror *mirror, const struct nlmsghdr *message, uint64_t now)
{
	struct l3_route route;
	if (!netlink_decode_route(message, RT_TABLE_MAIN, &route))
		return;
	if (mirror->route_count < ROUTES_LIMIT)
		mirror->routes[mirror->route_count++] = route;
	else
		mirror->too_many_routes = true;
}

static bool read_links(struct netlink_mirror *mirror)
{
	struct netlink_link before[PORTS_MAX];
	memcpy(before, mirror->links, sizeof(before));
	memset(mirror->links, 0, sizeof(mirror->links));
	if (read_once(mirror, RTM_GETLINK, 0, take_link, 0) != READ_ALL) {
		memcpy(mirror->links, before, sizeof(before));
		return false;
	}
	for (unsigned port = 0; port < mirror->config->port_count; port++) {
		const struct netlink_link *link = &mirror->links[port];
		uint16_t mtu = link->mtu > UINT16_MAX ? UINT16_MAX : (uint16_t)link->mtu;
		l3_set_port(mirror->l3, (uint8_t)port, link->ifindex, link->mac, mtu);
	}
	return true;
}

static int compare_addresses(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct address));
}

static bool read_addresses(struct netlink_mirror *mirror)
{
	struct address *before = mirror->addresses;
	unsigned count_before = mirror->address_count;

	mirror->reading_count = 0;
	if (read_once(mirror, RTM_GETADDR, 0, take_address, 0) != READ_ALL)
		return false;
	qsort(mirror->reading, mirror->reading_count, sizeof(struct address), compare_addresses);
	mirror->addresses = mirror->reading;
	mirror->address_count = mirror->reading_count;
	mirror->reading = before;
	if (mirror->addresses_changed &&
	    (count_before != mirror->address_count ||
	     memcmp(before, mirror->addresses, count_before * sizeof(struct address)) != 0))
		mirror->addresses_changed(mirror->context);
	return true;
}

static bool read_routes(struct netlink_mirror *mirror, uint64_t now)
{
	bool too_many_before = mirror->too_many_routes;

	mirror->routes_read = now;
	mirror->route_count = 0;
	mirror->too_many_routes = false;
	if (read_once(mirror, RTM_GETROUTE, RT_TABLE_MAIN, take_route, now) != READ_ALL)
		return false;
	if (mirror->too_many_routes && !too_many_before)
		log_error("the kernel's main table has more than %d routes: those beyond are not seen; "
		          "keep the table of this machine small",
		          ROUTES_LIMIT);
	l3_set_routes(mirror->l3, mirror->routes, mirror->route_count);
	neighbours_routes_changed(mirror->neighbours, mirror->routes, mirror->route_count, now);
	return true;
}

static bool read_neighbours(struct netlink_mirror *mirror, uint64_t now)
{
	neighbours_begin_all(mirror->neighbours);
	return read_once(mirror, RTM_GETNEIGH, 0, take_neighbour, now) == READ_ALL;
}

static void all_stale(struct netlink_mirror *mirror)
{
	mirror->links_stale = mirror->addresses_stale = mirror->routes_stale = mirror->neighbours_stale = true;
}

static bool any_stale(const struct netlink_mirror *mirror)
{
	return mirror->links_stale || mirror->addresses_stale || mirror->routes_stale || mirror->neighbours_stale;
}

/* Reads anew what is stale. What could not be read, or changed meanwhile, stays stale
 * and is read again the next time. */
static void refresh(struct netlink_mirror *mirror, uint64_t now)
{
	if (mirror->links_stale)
		mirror->links_stale = !read_links(mirror);
	if (mirror->addresses_stale)
		mirror->addresses_stale = !read_addresses(mirror);
	if (mirror->routes_stale && now >= mirror->routes_read + ROUTES_INTERVAL)
		mirror->routes_stale = !read_routes(mirror, now);
	if (mirror->neighbours_stale)
		mirror->neighbours_stale = !read_neighbours(mirror, now);
}

/* ---- events ---- */

static void take_event(struct netlink_mirror *mirror, const struct nlmsghdr *message, uint64_t now)
{
	switch (message->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		mirror->links_stale = mirror->routes_stale = true;
		break;
	case RTM_NEWADDR:
	case RTM_DELADDR:
		mirror->addresses_stale = mirror->routes_stale = true;
		break;
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		mirror->routes_stale = true;
		break;
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		take_neighbour(mirror, message, now);
		break;
	}
}

void netlink_mirror_receive(struct netlink_mirror *mirror, uint64_t now)
{
	for (;;) {
		ssize_t len = recv(mnl_socket_get_fd(mirror->events), mirror->buffer, BUFFER_SIZE, MSG_DONTWAIT);
		int left = (int)len;
		if (len == 0 || (len < 0 && errno != ENOBUFS))
			break;
		if (len < 0) {
			log_warning("netlink events were lost: everything is read anew");
			all_stale(mirror);
			continue;
		}
		for (const struct nlmsghdr *message = (const void *)mirror->buffer; mnl_nlmsg_ok(message, left);
		     message = mnl_nlmsg_next(message, &left))
			take_event(mirror, message, now);
	}
	refresh(mirror, now);
}

int netlink_mirror_work(struct netlink_mirror *mirror, uint64_t now)
{
	refresh(mirror, now);
	uint64_t next = neighbours_work(mirror->neighbours, now);
	if (any_stale(mirror) && next > now + ROUTES_INTERVAL)
		next = now + ROUTES_INTERVAL;
	return next <= now ? 1 : (int)(next - now);
}

/* ---- start and end ---- */

static struct mnl_socket *open_socket(bool strict)
{
	struct timeval limit = {.tv_sec = 2};
	int on = 1;
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!socket)
		return NULL;
	/* Strict checking lets the kernel filter a dump by routing table; without it all tables come and are
	 * filtered here. */
	if (strict)
		mnl_socket_setsockopt(socket, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
	setsockopt(mnl_socket_get_fd(socket), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) == 0)
		return socket;
	mnl_socket_close(socket);
	return NULL;
}

static bool subscribe(struct mnl_socket *socket)
{
	static const int groups[] = {RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV4_ROUTE, RTNLGRP_NEIGH};
	int size = EVENT_BUFFER;
	setsockopt(mnl_socket_get_fd(socket), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	for (unsigned i = 0; i < sizeof(groups) / sizeof(*groups); i++) {
		int group = groups[i];
		if (mnl_socket_setsockopt(socket, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
			return false;
	}
	return true;
}

static bool allocate(struct netlink_mirror *mirror)
{
	mirror->buffer = malloc(BUFFER_SIZE);
	mirror->addresses = calloc(ADDRESSES_LIMIT, sizeof(*mirror->addresses));
	mirror->reading = calloc(ADDRESSES_LIMIT, sizeof(*mirror->reading));
	mirror->routes = calloc(ROUTES_LIMIT, sizeof(*mirror->routes));
	mirror->neighbours = neighbours_create(mirror->l3, send_request, mirror);
	return mirror->buffer && mirror->addresses && mirror->reading && mirror->routes && mirror->neighbours;
}

static bool ports_are_there(const struct netlink_mirror *mirror)
{
	bool complete = true;
	for (unsigned port = 0; port < mirror->config->port_count; port++) {
		if (mirror->links[port].ifindex != 0)
			continue;
		log_error(
		    "$.ports[%u].interface: there is no Ethernet interface %s here: `ip link` lists what there is",
		    port, mirror->config->ports[port].interface);
		complete = false;
	}
	return complete;
}

/* Ports before routes before neighbours: the later need the earlier. */
static bool read_everything(struct netlink_mirror *mirror, uint64_t now)
{
	all_stale(mirror);
	for (int i = 0; i < START_TRIES && any_stale(mirror); i++) {
		mirror->routes_read = 0;
		refresh(mirror, now);
	}
	return !any_stale(mirror);
}

struct netlink_mirror *netlink_mirror_create(const struct netlink_mirror_params *params, uint64_t now)
{
	struct netlink_mirror *mirror = calloc(1, sizeof(*mirror));
	if (!mirror)
		return NULL;
	mirror->config = params->config;
	mirror->l3 = params->l3;
	mirror->events = open_socket(false);
	mirror->requests = open_socket(true);
	bool ready = mirror->events && mirror->requests && allocate(mirror) && subscribe(mirror->events);
	if (!ready || !read_everything(mirror, now)) {
		log_error("the kernel's interfaces, addresses and routes cannot be read: %s", strerror(errno));
		netlink_mirror_destroy(mirror);
		return NULL;
	}
	if (!ports_are_there(mirror)) {
		netlink_mirror_destroy(mirror);
		return NULL;
	}
	mirror->addresses_changed = params->addresses_changed;
	mirror->context = params->context;
	return mirror;
}

void netlink_mirror_destroy(struct netlink_mirror *mirror)
{
	if (mirror->events)
		mnl_socket_close(mirror->events);
	if (mirror->requests)
		mnl_socket_close(mirror->requests);
	free(mirror->buffer);
	free(mirror->addresses);
	free(mirror->reading);
	free(mirror->routes);
	neighbours_destroy(mirror->neighbours);
	free(mirror);
}

/* ---- questions ---- */

int netlink_mirror_fd(const struct netlink_mirror *mirror)
{
	return mnl_socket_get_fd(mirror->events);
}

bool netlink_mirror_holds(const struct netlink_mirror *mirror, const struct address *address)
{
	return bsearch(address, mirror->addresses, mirror->address_count, sizeof(struct address), compare_addresses);
}

uint32_t netlink_mirror_ifindex(const struct netlink_mirror *mirror, unsigned port)
{
	return mirror->links[port].ifindex;
}

bool netlink_mirror_is_up(const struct netlink_mirror *mirror, unsigned port)
{
	return mirror->links[port].up;
}

static void take_local_route(struct netlink_mirror *mirror, const struct nlmsghdr *message, uint64_t now)
{
	struct prefix local;
	if (netlink_decode_local_route(message, &local) && local.length <= mirror->wanted->length &&
	    prefix_contains(&local, &mirror->wanted->address))
		mirror->wanted_found = true;
}

bool netlink_mirror_is_local(struct netlink_mirror *mirror, const struct prefix *prefix)
{
	mirror->wanted = prefix;
	mirror->wanted_found = false;
	read_once(mirror, RTM_GETROUTE, RT_TABLE_LOCAL, take_local_route, 0);
	return mirror->wanted_found;
}
