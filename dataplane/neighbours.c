/* Next hops and the questions about them.
 *
 * A neighbour that the kernel forgets (`ip neigh flush`, garbage collection) keeps its last MAC in l3, and one that
 * stops to answer keeps it for FAILED_GRACE: frames to an old MAC lose nothing that dropping them would have saved. */
#include "dataplane/neighbours.h"

#include <stdlib.h>
#include <string.h>

#include "common/log.h"

enum {
	HOSTS_LIMIT = 4096, /* router hosts; the oldest is forgotten */
	KEPT_LIMIT = 4096,  /* their next hops, and gateways */
	FIXED_LIMIT = 1024, /* neighbours written by hand */
	FAILED_LIMIT = 1024,
	ASKS_PER_SECOND = 1000,

	/* ms */
	KEEP_INTERVAL = 20000, /* where the kernel does not keep neighbours resolved by itself (before 5.16) */
	LOST_DELAY = 100,      /* before a forgotten neighbour is asked for again: `ip neigh flush` runs in rounds */
	RETRY_INTERVAL = 1000,
	VERIFY_INTERVAL = 5000,
	FAILED_GRACE = 3000,
	IDLE_INTERVAL = 1000,
};

static const uint64_t never = UINT64_MAX;

struct next_hop {
	struct address address;
	uint32_t ifindex;
};

/* A next hop that is to stay resolved. */
struct kept {
	struct next_hop hop;
	uint64_t due;      /* when the kernel is asked again */
	uint64_t verified; /* when it was made to look anew */
	bool news;         /* that came too soon after that: it is made to look anew VERIFY_INTERVAL later */
};

/* A neighbour that has failed and keeps its MAC until `end`. */
struct failed {
	struct next_hop hop;
	uint64_t end;
};

struct neighbours {
	struct l3 *l3;
	neighbour_send *send;
	void *context;
	bool full_said;

	uint64_t asks_second; /* the second that asks_left is for */
	unsigned asks_left;

	unsigned host_count, host_oldest, kept_count, fixed_count, failed_count;
	struct address hosts[HOSTS_LIMIT];
	struct kept kept[KEPT_LIMIT];
	struct next_hop fixed[FIXED_LIMIT]; /* never asked for: that would undo what was written by hand */
	struct failed failed[FAILED_LIMIT];
};

struct neighbours *neighbours_create(struct l3 *l3, neighbour_send *send, void *context)
{
	struct neighbours *neighbours = calloc(1, sizeof(*neighbours));
	if (!neighbours)
		return NULL;
	neighbours->l3 = l3;
	neighbours->send = send;
	neighbours->context = context;
	return neighbours;
}

void neighbours_destroy(struct neighbours *neighbours)
{
	free(neighbours);
}

static bool same_hop(const struct next_hop *a, const struct next_hop *b)
{
	return a->ifindex == b->ifindex && address_equal(&a->address, &b->address);
}

/* ---- asking ---- */

static bool is_fixed(const struct neighbours *neighbours, const struct next_hop *hop)
{
	for (unsigned i = 0; i < neighbours->fixed_count; i++)
		if (same_hop(&neighbours->fixed[i], hop))
			return true;
	return false;
}

static void send(struct neighbours *neighbours, enum neighbour_request kind, const struct next_hop *hop)
{
	if (!is_fixed(neighbours, hop))
		neighbours->send(neighbours->context, kind, hop->ifindex, &hop->address);
}

static struct kept *find_kept(struct neighbours *neighbours, const struct next_hop *hop)
{
	for (unsigned i = 0; i < neighbours->kept_count; i++)
		if (same_hop(&neighbours->kept[i].hop, hop))
			return &neighbours->kept[i];
	return NULL;
}

/* The next hop to a router host or gateway stays resolved. NULL: there is no way to it now. */
static struct kept *keep(struct neighbours *neighbours, const struct address *host, uint64_t now)
{
	struct next_hop hop;
	if (!l3_route_to(neighbours->l3, host, &hop.address, &hop.ifindex))
		return NULL;
	struct kept *kept = find_kept(neighbours, &hop);
	if (!kept && neighbours->kept_count < KEPT_LIMIT) {
		kept = &neighbours->kept[neighbours->kept_count++];
		*kept = (struct kept){.hop = hop, .due = now, .verified = now};
	}
	return kept;
}

/* Something is new about a router host, perhaps that it is silent, and that may be because it has moved to another MAC:
 * the kernel may believe in the old one for a minute. It forgets it and looks anew; meanwhile the workers go on with
 * the old one. */
static void verify(struct neighbours *neighbours, struct kept *kept, uint64_t now)
{
	kept->news = now < kept->verified + VERIFY_INTERVAL;
	if (kept->news)
		return;
	kept->verified = now;
	send(neighbours, NEIGHBOUR_FORGET, &kept->hop);
	send(neighbours, NEIGHBOUR_KEEP, &kept->hop);
}

static void add_host(struct neighbours *neighbours, const struct address *host)
{
	for (unsigned i = 0; i < neighbours->host_count; i++)
		if (address_equal(&neighbours->hosts[i], host))
			return;
	if (neighbours->host_count < HOSTS_LIMIT) {
		neighbours->hosts[neighbours->host_count++] = *host;
	} else {
		neighbours->hosts[neighbours->host_oldest] = *host;
		neighbours->host_oldest = (neighbours->host_oldest + 1) % HOSTS_LIMIT;
	}
}

static void ask_once(struct neighbours *neighbours, const struct address *destination, uint64_t now)
{
	struct next_hop hop;
	if (neighbours->asks_second != now / 1000) {
		neighbours->asks_second = now / 1000;
		neighbours->asks_left = ASKS_PER_SECOND;
	}
	if (neighbours->asks_left == 0 || !l3_route_to(neighbours->l3, destination, &hop.address, &hop.ifindex))
		return;
	neighbours->asks_left--;
	send(neighbours, NEIGHBOUR_RESOLVE, &hop);
}

void neighbours_ask(struct neighbours *neighbours, const struct address *destination, bool managed, uint64_t now)
{
	if (!managed) {
		ask_once(neighbours, destination, now);
		return;
	}
	add_host(neighbours, destination);
	unsigned known = neighbours->kept_count;
	struct kept *kept = keep(neighbours, destination, now);
	/* A gateway is the kernel's own, too: it is never forgotten for the sake of one router host behind it. */
	if (kept && neighbours->kept_count == known && address_equal(&kept->hop.address, destination))
		verify(neighbours, kept, now);
}

/* Router hosts may have other next hops now. What is not needed any more stays: it costs the kernel one small question
 * now and then. */
void neighbours_routes_changed(struct neighbours *neighbours, const struct l3_route *routes, unsigned count,
                               uint64_t now)
{
	static const struct address on_link;
	for (unsigned i = 0; i < neighbours->kept_count; i++)
		if (neighbours->kept[i].due != never)
			neighbours->kept[i].due = now; /* its interface may have come up */
	for (unsigned i = 0; i < count; i++)
		if (!address_equal(&routes[i].gateway, &on_link))
			keep(neighbours, &routes[i].gateway, now);
	for (unsigned i = 0; i < neighbours->host_count; i++)
		keep(neighbours, &neighbours->hosts[i], now);
}

/* ---- hearing ---- */

static void forget_failed(struct neighbours *neighbours, const struct next_hop *hop)
{
	for (unsigned i = 0; i < neighbours->failed_count; i++)
		if (same_hop(&neighbours->failed[i].hop, hop))
			neighbours->failed[i--] = neighbours->failed[--neighbours->failed_count];
}

static void note_failed(struct neighbours *neighbours, const struct next_hop *hop, uint64_t now)
{
	for (unsigned i = 0; i < neighbours->failed_count; i++)
		if (same_hop(&neighbours->failed[i].hop, hop))
			return;
	if (neighbours->failed_count == FAILED_LIMIT)
		l3_set_neighbour(neighbours->l3, hop->ifindex, &hop->address, NULL);
	else
		neighbours->failed[neighbours->failed_count++] = (struct failed){*hop, now + FAILED_GRACE};
}

static void note_fixed(struct neighbours *neighbours, const struct next_hop *hop, bool fixed)
{
	for (unsigned i = 0; i < neighbours->fixed_count; i++) {
		if (!same_hop(&neighbours->fixed[i], hop))
			continue;
		if (!fixed)
			neighbours->fixed[i] = neighbours->fixed[--neighbours->fixed_count];
		return;
	}
	if (fixed && neighbours->fixed_count < FIXED_LIMIT)
		neighbours->fixed[neighbours->fixed_count++] = *hop;
}

static void set_mac(struct neighbours *neighbours, const struct next_hop *hop, const uint8_t *mac)
{
	if (l3_set_neighbour(neighbours->l3, hop->ifindex, &hop->address, mac) || neighbours->full_said)
		return;
	log_warning("limits.neighbours is reached: further clients on the same network are reached by the MAC of their "
	            "frames only");
	neighbours->full_said = true;
}

static void reschedule(struct kept *kept, const struct netlink_neighbour *event, bool deleted, uint64_t now)
{
	if (deleted)
		kept->due = now + LOST_DELAY;
	else if (event->managed)
		kept->due = never;
	else if (event->failed)
		kept->due = now + RETRY_INTERVAL;
}

void neighbours_take(struct neighbours *neighbours, const struct netlink_neighbour *event, bool deleted, uint64_t now)
{
	struct next_hop hop = {event->address, event->ifindex};
	struct kept *kept = find_kept(neighbours, &hop);

	note_fixed(neighbours, &hop, event->fixed && !deleted);
	if (event->valid && !deleted)
		set_mac(neighbours, &hop, event->mac);
	if (event->valid || deleted)
		forget_failed(neighbours, &hop);
	else if (event->failed)
		note_failed(neighbours, &hop, now);
	if (kept)
		reschedule(kept, event, deleted, now);
}

void neighbours_begin_all(struct neighbours *neighbours)
{
	neighbours->fixed_count = 0;
}

/* ---- time ---- */

uint64_t neighbours_work(struct neighbours *neighbours, uint64_t now)
{
	uint64_t next = now + IDLE_INTERVAL;

	for (unsigned i = 0; i < neighbours->failed_count; i++) {
		struct failed *failed = &neighbours->failed[i];
		if (failed->end <= now) {
			l3_set_neighbour(neighbours->l3, failed->hop.ifindex, &failed->hop.address, NULL);
			neighbours->failed[i--] = neighbours->failed[--neighbours->failed_count];
		} else if (failed->end < next) {
			next = failed->end;
		}
	}
	for (unsigned i = 0; i < neighbours->kept_count; i++) {
		struct kept *kept = &neighbours->kept[i];
		if (kept->due <= now) {
			kept->due = now + KEEP_INTERVAL;
			send(neighbours, NEIGHBOUR_KEEP, &kept->hop);
		}
		if (kept->news)
			verify(neighbours, kept, now);
		if (kept->news && kept->verified + VERIFY_INTERVAL < next)
			next = kept->verified + VERIFY_INTERVAL;
		if (kept->due < next)
			next = kept->due;
	}
	return next;
}
