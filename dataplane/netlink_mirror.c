/* The mirror's two sockets: events come in on one, on the other the mirror asks and reads whole tables.
 *
 * Links, addresses and routes are read anew, as a whole, when an event says that something changed: Linux drops the
 * IPv4 routes of an interface that goes down without saying so. Neighbours are followed event by event. An overrun of
 * the event socket (ENOBUFS) has everything read anew.
 *
 * A neighbour that the kernel forgets (`ip neigh flush`, garbage collection) keeps its last MAC here, and one that
 * stops to answer keeps it for FAILED_GRACE: frames to an old MAC lose nothing that dropping them would have saved. */
#include "dataplane/netlink_mirror.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "common/log.h"
#include "dataplane/netlink_decode.h"

enum {
	ADDRESSES_LIMIT = 4096,
	ROUTES_LIMIT = 4096, /* what l3_set_routes takes */
	FIXED_LIMIT = 1024,  /* neighbours written by hand */
	HOSTS_LIMIT = 4096,  /* router hosts; the oldest is forgotten */
	KEPT_LIMIT = 4096,   /* their next hops, and gateways */
	FAILED_LIMIT = 1024,
	BUFFER_SIZE = 64 * 1024,
	EVENT_BUFFER = 4 << 20,
	START_TRIES = 20, /* to read everything once, while it changes */
	ASKS_PER_SECOND = 1000,

	/* ms */
	ROUTES_INTERVAL = 100, /* between two readings of all routes */
	KEEP_INTERVAL = 20000, /* where the kernel does not keep neighbours resolved by itself */
	LOST_DELAY = 100,      /* before a forgotten neighbour is asked for again: `ip neigh flush` runs in rounds */
	RETRY_INTERVAL = 1000,
	FAILED_GRACE = 3000,
	IDLE_INTERVAL = 1000,
};

static const uint64_t never = UINT64_MAX;

/* A next hop. */
struct next_hop {
	struct address address;
	uint32_t ifindex;
};

/* A next hop that is to stay resolved. */
struct kept {
	struct next_hop hop;
	uint64_t due; /* when the kernel is asked again */
};

/* A neighbour that has failed and keeps its MAC until `end`. */
struct failed {
	struct next_hop hop;
	uint64_t end;
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

	struct next_hop *fixed;
	unsigned fixed_count;
	struct address *hosts;
	unsigned host_count, host_oldest;
	struct kept *kept;
	unsigned kept_count;
	struct failed *failed;
	unsigned failed_count;

	const struct prefix *wanted; /* by netlink_mirror_is_local */
	bool wanted_found;

	uint64_t asks_second; /* the second that asks_left is for */
	unsigned asks_left;
};

static bool same_hop(const struct next_hop *a, const struct next_hop *b)
{
	return a->ifindex == b->ifindex && address_equal(&a->address, &b->address);
}

static int port_of(const struct netlink_mirror *mirror, uint32_t ifindex)
{
	for (unsigned port = 0; port < mirror->config->port_count; port++)
		if (mirror->links[port].ifindex == ifindex && ifindex != 0)
			return (int)port;
	return -1;
}

/* ---- asking the kernel ---- */

static bool is_fixed(const struct netlink_mirror *mirror, const struct next_hop *hop)
{
	for (unsigned i = 0; i < mirror->fixed_count; i++)
		if (same_hop(&mirror->fixed[i], hop))
			return true;
	return false;
}

/* Asks for a neighbour's MAC. The answer comes as an event; an error, such as an interface that is down, is no more
 * than no answer. */
static void request(struct netlink_mirror *mirror, const struct next_hop *hop, bool managed)
{
	char message[NETLINK_REQUEST_MAX];
	if (is_fixed(mirror, hop))
		return; /* to ask for it would undo what was written by hand */
	size_t len = netlink_encode_neighbour(message, ++mirror->sequence, hop->ifindex, &hop->address, managed);
	mnl_socket_sendto(mirror->requests, message, len);
	while (recv(mnl_socket_get_fd(mirror->requests), mirror->buffer, BUFFER_SIZE, MSG_DONTWAIT) > 0)
		;
}

static struct kept *find_kept(struct netlink_mirror *mirror, const struct next_hop *hop)
{
	for (unsigned i = 0; i < mirror->kept_count; i++)
		if (same_hop(&mirror->kept[i].hop, hop))
			return &mirror->kept[i];
	return NULL;
}

static void keep(struct netlink_mirror *mirror, const struct next_hop *hop)
{
	if (port_of(mirror, hop->ifindex) >= 0 && !find_kept(mirror, hop) && mirror->kept_count < KEPT_LIMIT)
		mirror->kept[mirror->kept_count++] = (struct kept){.hop = *hop};
}

/* The next hop to a router host stays resolved. */
static void keep_host(struct netlink_mirror *mirror, const struct address *host)
{
	struct next_hop hop;
	if (l3_route_to(mirror->l3, host, &hop.address, &hop.ifindex))
		keep(mirror, &hop);
}

/* After a change of routes or ports: router hosts may have other next hops, and there may be other gateways. What is
 * not needed any more stays; it costs the kernel one small question now and then. */
static void keep_all(struct netlink_mirror *mirror)
{
	static const struct address on_link;
	for (unsigned i = 0; i < mirror->kept_count; i++)
		if (mirror->kept[i].due != never)
			mirror->kept[i].due = 0; /* its interface may have come up */
	for (unsigned i = 0; i < mirror->route_count; i++) {
		struct next_hop gateway = {mirror->routes[i].gateway, mirror->routes[i].ifindex};
		if (!address_equal(&gateway.address, &on_link))
			keep(mirror, &gateway);
	}
	for (unsigned i = 0; i < mirror->host_count; i++)
		keep_host(mirror, &mirror->hosts[i]);
}

static void add_host(struct netlink_mirror *mirror, const struct address *host)
{
	for (unsigned i = 0; i < mirror->host_count; i++)
		if (address_equal(&mirror->hosts[i], host))
			return;
	if (mirror->host_count < HOSTS_LIMIT) {
		mirror->hosts[mirror->host_count++] = *host;
	} else {
		mirror->hosts[mirror->host_oldest] = *host;
		mirror->host_oldest = (mirror->host_oldest + 1) % HOSTS_LIMIT;
	}
}

void netlink_mirror_ask(struct netlink_mirror *mirror, const struct address *destination, bool managed, uint64_t now)
{
	struct next_hop hop;
	if (managed) {
		add_host(mirror, destination);
		keep_host(mirror, destination);
		return;
	}
	if (mirror->asks_second != now / 1000) {
		mirror->asks_second = now / 1000;
		mirror->asks_left = ASKS_PER_SECOND;
	}
	if (mirror->asks_left == 0 || !l3_route_to(mirror->l3, destination, &hop.address, &hop.ifindex))
		return;
	mirror->asks_left--;
	request(mirror, &hop, false);
}

/* ---- neighbours ---- */

static void forget_failed(struct netlink_mirror *mirror, const struct next_hop *hop)
{
	for (unsigned i = 0; i < mirror->failed_count; i++)
		if (same_hop(&mirror->failed[i].hop, hop))
			mirror->failed[i--] = mirror->failed[--mirror->failed_count];
}

static void note_failed(struct netlink_mirror *mirror, const struct next_hop *hop, uint64_t now)
{
	for (unsigned i = 0; i < mirror->failed_count; i++)
		if (same_hop(&mirror->failed[i].hop, hop))
			return;
	if (mirror->failed_count == FAILED_LIMIT)
		l3_set_neighbour(mirror->l3, hop->ifindex, &hop->address, NULL);
	else
		mirror->failed[mirror->failed_count++] = (struct failed){*hop, now + FAILED_GRACE};
}

static void note_fixed(struct netlink_mirror *mirror, const struct next_hop *hop, bool fixed)
{
	for (unsigned i = 0; i < mirror->fixed_count; i++) {
		if (!same_hop(&mirror->fixed[i], hop))
			continue;
		if (!fixed)
			mirror->fixed[i] = mirror->fixed[--mirror->fixed_count];
		return;
	}
	if (fixed && mirror->fixed_count < FIXED_LIMIT)
		mirror->fixed[mirror->fixed_count++] = *hop;
}

static void take_neighbour(struct netlink_mirror *mirror, const struct nlmsghdr *message, uint64_t now)
{
	struct netlink_neighbour neighbour;
	if (!netlink_decode_neighbour(message, &neighbour) || port_of(mirror, neighbour.ifindex) < 0)
		return;
	struct next_hop hop = {neighbour.address, neighbour.ifindex};
	struct kept *kept = find_kept(mirror, &hop);
	bool deleted = message->nlmsg_type == RTM_DELNEIGH;

	note_fixed(mirror, &hop, neighbour.fixed && !deleted);
	if (neighbour.valid) {
		if (!l3_set_neighbour(mirror->l3, hop.ifindex, &hop.address, neighbour.mac))
			log_warning("limits.neighbours is reached: a new neighbour is not seen");
		forget_failed(mirror, &hop);
	} else if (deleted) {
		forget_failed(mirror, &hop);
	} else if (neighbour.failed) {
		note_failed(mirror, &hop, now);
	}

	if (kept && deleted)
		kept->due = now + LOST_DELAY;
	else if (kept && neighbour.managed)
		kept->due = never;
	else if (kept && neighbour.failed)
		kept->due = now + RETRY_INTERVAL;
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
	keep_all(mirror);
	return true;
}

static bool read_neighbours(struct netlink_mirror *mirror, uint64_t now)
{
	mirror->fixed_count = 0;
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
	uint64_t next = now + (any_stale(mirror) ? ROUTES_INTERVAL : IDLE_INTERVAL);

	for (unsigned i = 0; i < mirror->failed_count; i++) {
		struct failed *failed = &mirror->failed[i];
		if (failed->end <= now) {
			l3_set_neighbour(mirror->l3, failed->hop.ifindex, &failed->hop.address, NULL);
			mirror->failed[i--] = mirror->failed[--mirror->failed_count];
		} else if (failed->end < next) {
			next = failed->end;
		}
	}
	for (unsigned i = 0; i < mirror->kept_count; i++) {
		struct kept *kept = &mirror->kept[i];
		if (kept->due <= now) {
			kept->due = now + KEEP_INTERVAL;
			request(mirror, &kept->hop, true);
		}
		if (kept->due < next)
			next = kept->due;
	}
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
	mirror->fixed = calloc(FIXED_LIMIT, sizeof(*mirror->fixed));
	mirror->hosts = calloc(HOSTS_LIMIT, sizeof(*mirror->hosts));
	mirror->kept = calloc(KEPT_LIMIT, sizeof(*mirror->kept));
	mirror->failed = calloc(FAILED_LIMIT, sizeof(*mirror->failed));
	return mirror->buffer && mirror->addresses && mirror->reading && mirror->routes && mirror->fixed &&
	       mirror->hosts && mirror->kept && mirror->failed;
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
	free(mirror->fixed);
	free(mirror->hosts);
	free(mirror->kept);
	free(mirror->failed);
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
