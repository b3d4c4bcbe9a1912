/* Routes, neighbours and ports as the workers see them: one writer, readers without locks.
 *
 * Routes stand in two tables, of which one is current; the writer fills the other one and makes it current. A reader
 * that was so slow that its table is being filled again sees that by the table's sequence number and starts over.
 * Within a table the prefixes are cut into disjoint ranges of addresses, so that a look-up is one binary search.
 *
 * Neighbours are only ever added; what changes of one is a single 64-bit word. */
#include "dataplane/l3.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/shared.h"
#include "common/siphash.h"

enum {
	ROUTES_LIMIT = 4096,
	RANGES_LIMIT = 2 * ROUTES_LIMIT + 1,
	DEPTH_LIMIT = 130, /* prefixes of 0 to 128 bits inside each other */
	NO_PORT = 0xff,
};

/* An address as a number, most significant half first. */
struct key {
	uint64_t high, low;
};

/* From `first` up to the next range's first, `route` is the one that counts (L3_NONE: none). */
struct range {
	_Atomic uint64_t high, low;
	_Atomic uint32_t route;
};

struct hop_of_route {
	_Atomic uint64_t gateway[2]; /* all zero: on link */
	_Atomic uint32_t ifindex;
};

struct route_table {
	_Atomic uint32_t sequence; /* odd while the writer fills the table */
	_Atomic uint32_t range_count;
	struct range ranges[RANGES_LIMIT];
	struct hop_of_route routes[ROUTES_LIMIT];
};

/* What may change of a neighbour, so that it changes at once. */
union hop {
	uint64_t word;
	struct {
		uint8_t mac[6];
		uint8_t known;
		uint8_t port; /* NO_PORT: the interface is none of ours */
	};
};

struct neighbour {
	struct address address; /* address and ifindex never change once the index shows the neighbour */
	uint32_t ifindex;
	_Atomic uint64_t hop; /* union hop */
};

union port_link {
	uint64_t word;
	struct {
		uint8_t mac[6];
		uint16_t mtu;
	};
};

struct l3 {
	_Atomic uint32_t current; /* route table */
	_Atomic uint16_t routes_at;
	struct route_table tables[2];

	_Atomic uint32_t port_ifindex[PORTS_MAX]; /* 0: not set */
	_Atomic uint64_t port_link[PORTS_MAX];    /* union port_link */

	struct siphash_key key;
	uint32_t neighbours_max, neighbour_count;
	uint32_t slot_mask;
	_Atomic uint32_t *slots; /* neighbour's index + 1, 0: empty; at most half full */
	struct neighbour *neighbours;
};

struct l3 *l3_create(uint32_t neighbours_max)
{
	struct l3 *l3 = calloc(1, sizeof(*l3));
	if (!l3)
		return NULL;
	uint32_t slots = 2;
	while (slots < 2 * neighbours_max)
		slots *= 2;
	l3->slot_mask = slots - 1;
	l3->neighbours_max = neighbours_max;
	l3->slots = calloc(slots, sizeof(*l3->slots));
	l3->neighbours = calloc(neighbours_max, sizeof(*l3->neighbours));
	if (!l3->slots || !l3->neighbours || getrandom(&l3->key, sizeof(l3->key), 0) != sizeof(l3->key)) {
		l3_destroy(l3);
		return NULL;
	}
	return l3;
}

void l3_destroy(struct l3 *l3)
{
	if (!l3)
		return;
	free(l3->slots);
	free(l3->neighbours);
	free(l3);
}

/* ---- ports ---- */

static uint8_t port_of(const struct l3 *l3, uint32_t ifindex)
{
	for (uint8_t port = 0; ifindex != 0 && port < PORTS_MAX; port++)
		if (atomic_load_explicit(&l3->port_ifindex[port], memory_order_relaxed) == ifindex)
			return port;
	return NO_PORT;
}

void l3_set_port(struct l3 *l3, uint8_t port, uint32_t ifindex, const uint8_t mac[6], uint16_t mtu)
{
	union port_link link = {.mtu = mtu};
	memcpy(link.mac, mac, sizeof(link.mac));
	atomic_store_explicit(&l3->port_link[port], link.word, memory_order_relaxed);
	if (atomic_exchange_explicit(&l3->port_ifindex[port], ifindex, memory_order_relaxed) == ifindex)
		return;
	for (uint32_t i = 0; i < l3->neighbour_count; i++) {
		struct neighbour *neighbour = &l3->neighbours[i];
		union hop hop = {.word = atomic_load_explicit(&neighbour->hop, memory_order_relaxed)};
		hop.port = port_of(l3, neighbour->ifindex);
		atomic_store_explicit(&neighbour->hop, hop.word, memory_order_relaxed);
	}
}

uint16_t l3_port_mtu(const struct l3 *l3, uint8_t port)
{
	union port_link link = {.word = atomic_load_explicit(&l3->port_link[port], memory_order_relaxed)};
	return link.mtu;
}

void l3_port_mac(const struct l3 *l3, uint8_t port, uint8_t mac[6])
{
	union port_link link = {.word = atomic_load_explicit(&l3->port_link[port], memory_order_relaxed)};
	memcpy(mac, link.mac, sizeof(link.mac));
}

/* ---- routes, writer ---- */

static struct key key_of(const struct address *address)
{
	return (struct key){.high = __builtin_bswap64(address->halves[0]),
	                    .low = __builtin_bswap64(address->halves[1])};
}

static int compare_keys(struct key a, struct key b)
{
	if (a.high != b.high)
		return a.high < b.high ? -1 : 1;
	return a.low == b.low ? 0 : a.low < b.low ? -1 : 1;
}

static struct key last_of(const struct prefix *prefix)
{
	struct key last = key_of(&prefix->address);
	if (prefix->length < 64)
		last.high |= UINT64_MAX >> prefix->length;
	if (prefix->length <= 64)
		last.low = UINT64_MAX;
	else if (prefix->length < 128)
		last.low |= UINT64_MAX >> (prefix->length - 64);
	return last;
}

/* The address behind `key`; there must be one. */
static struct key next_to(struct key key)
{
	return (struct key){.high = key.high + (key.low == UINT64_MAX), .low = key.low + 1};
}

/* By first address; of equal ones the wider prefix first, and of equal prefixes the best metric first. */
static int compare_routes(const void *left, const void *right)
{
	const struct l3_route *a = left, *b = right;
	int order = compare_keys(key_of(&a->destination.address), key_of(&b->destination.address));
	if (order != 0)
		return order;
	if (a->destination.length != b->destination.length)
		return a->destination.length < b->destination.length ? -1 : 1;
	return a->metric == b->metric ? 0 : a->metric < b->metric ? -1 : 1;
}

static bool same_prefix(const struct prefix *a, const struct prefix *b)
{
	return a->length == b->length && address_equal(&a->address, &b->address);
}

static void append_range(struct route_table *table, unsigned *count, struct key first, uint32_t route)
{
	unsigned at = *count;
	if (at > 0) {
		struct key last = {.high = table->ranges[at - 1].high, .low = table->ranges[at - 1].low};
		if (compare_keys(last, first) == 0)
			at--;
	}
	atomic_store_explicit(&table->ranges[at].high, first.high, memory_order_relaxed);
	atomic_store_explicit(&table->ranges[at].low, first.low, memory_order_relaxed);
	atomic_store_explicit(&table->ranges[at].route, route, memory_order_relaxed);
	*count = at + 1;
}

/* Cuts the sorted routes into ranges. `open` is the stack of the prefixes that the sweep is inside of. */
static unsigned cut_ranges(struct route_table *table, const struct l3_route *routes, unsigned count)
{
	static const struct key end_of_all = {.high = UINT64_MAX, .low = UINT64_MAX};
	uint32_t open[DEPTH_LIMIT];
	unsigned depth = 0, ranges = 0;

	append_range(table, &ranges, (struct key){0}, L3_NONE);
	for (unsigned i = 0; i <= count; i++) {
		if (i > 0 && i < count && same_prefix(&routes[i].destination, &routes[i - 1].destination))
			continue; /* its metric is not better */
		while (depth > 0) {
			struct key last = last_of(&routes[open[depth - 1]].destination);
			if (i < count && compare_keys(last, key_of(&routes[i].destination.address)) >= 0)
				break;
			depth--;
			if (compare_keys(last, end_of_all) != 0)
				append_range(table, &ranges, next_to(last), depth > 0 ? open[depth - 1] : L3_NONE);
		}
		if (i < count) {
			open[depth++] = i;
			append_range(table, &ranges, key_of(&routes[i].destination.address), i);
		}
	}
	return ranges;
}

bool l3_set_routes(struct l3 *l3, const struct l3_route *routes, unsigned count)
{
	if (count > ROUTES_LIMIT)
		return false;
	struct l3_route *sorted = malloc((count + 1) * sizeof(*sorted));
	if (!sorted)
		return false;
	if (count > 0)
		memcpy(sorted, routes, count * sizeof(*sorted));
	qsort(sorted, count, sizeof(*sorted), compare_routes);

	uint32_t other = 1 - atomic_load_explicit(&l3->current, memory_order_relaxed);
	struct route_table *table = &l3->tables[other];
	atomic_fetch_add_explicit(&table->sequence, 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	for (unsigned i = 0; i < count; i++) {
		struct hop_of_route *route = &table->routes[i];
		atomic_store_explicit(&route->gateway[0], sorted[i].gateway.halves[0], memory_order_relaxed);
		atomic_store_explicit(&route->gateway[1], sorted[i].gateway.halves[1], memory_order_relaxed);
		atomic_store_explicit(&route->ifindex, sorted[i].ifindex, memory_order_relaxed);
	}
	unsigned ranges = cut_ranges(table, sorted, count);
	atomic_store_explicit(&table->range_count, ranges, memory_order_relaxed);
	atomic_fetch_add_explicit(&table->sequence, 1, memory_order_release);
	atomic_store_explicit(&l3->current, other, memory_order_release);
	atomic_fetch_add_explicit(&l3->routes_at, 1, memory_order_release);
	free(sorted);
	return true;
}

/* ---- routes, readers ---- */

uint16_t l3_routes_at(const struct l3 *l3)
{
	return atomic_load_explicit(&l3->routes_at, memory_order_acquire);
}

/* Index of the route for `key`. May be nonsense while the writer fills the table, but in bounds. */
static uint32_t find_route(const struct route_table *table, struct key key)
{
	uint32_t low = 0, high = atomic_load_explicit(&table->range_count, memory_order_relaxed);
	if (high == 0)
		return L3_NONE;
	while (high - low > 1) {
		uint32_t middle = (low + high) / 2;
		struct key first = {
		    .high = atomic_load_explicit(&table->ranges[middle].high, memory_order_relaxed),
		    .low = atomic_load_explicit(&table->ranges[middle].low, memory_order_relaxed),
		};
		if (compare_keys(first, key) <= 0)
			low = middle;
		else
			high = middle;
	}
	return atomic_load_explicit(&table->ranges[low].route, memory_order_relaxed);
}

/* One attempt to read the table; false: it was changed meanwhile. `ifindex` 0: no route. */
static bool read_table(const struct route_table *table, struct key key, struct address *gateway, uint32_t *ifindex)
{
	uint32_t sequence = atomic_load_explicit(&table->sequence, memory_order_acquire);
	uint32_t route = find_route(table, key);
	*ifindex = 0;
	if (route != L3_NONE) {
		const struct hop_of_route *hop = &table->routes[route];
		gateway->halves[0] = atomic_load_explicit(&hop->gateway[0], memory_order_relaxed);
		gateway->halves[1] = atomic_load_explicit(&hop->gateway[1], memory_order_relaxed);
		*ifindex = atomic_load_explicit(&hop->ifindex, memory_order_relaxed);
	}
	atomic_thread_fence(memory_order_acquire);
	return sequence % 2 == 0 && atomic_load_explicit(&table->sequence, memory_order_relaxed) == sequence;
}

bool l3_route_to(const struct l3 *l3, const struct address *destination, struct address *next_hop, uint32_t *ifindex)
{
	static const struct address on_link;
	struct key key = key_of(destination);
	struct address gateway = {0};
	const struct route_table *table;
	do
		table = &l3->tables[atomic_load_explicit(&l3->current, memory_order_acquire)];
	while (!read_table(table, key, &gateway, ifindex));
	if (port_of(l3, *ifindex) == NO_PORT)
		return false;
	*next_hop = address_equal(&gateway, &on_link) ? *destination : gateway;
	return true;
}

/* ---- neighbours ---- */

/* The slot that holds the neighbour, or the empty one where it belongs. */
static uint32_t find_slot(const struct l3 *l3, const struct address *address, uint32_t ifindex, uint32_t *found)
{
	struct {
		struct address address;
		uint64_t ifindex;
	} key = {*address, ifindex};
	uint32_t slot = (uint32_t)siphash(&l3->key, &key, sizeof(key)) & l3->slot_mask;

	for (;; slot = (slot + 1) & l3->slot_mask) {
		uint32_t entry = atomic_load_explicit(&l3->slots[slot], memory_order_acquire);
		*found = entry - 1; /* 0: L3_NONE */
		if (entry == 0)
			return slot;
		const struct neighbour *neighbour = &l3->neighbours[entry - 1];
		if (neighbour->ifindex == ifindex && address_equal(&neighbour->address, address))
			return slot;
	}
}

bool l3_set_neighbour(struct l3 *l3, uint32_t ifindex, const struct address *address, const uint8_t *mac)
{
	uint32_t index, slot = find_slot(l3, address, ifindex, &index);
	if (index == L3_NONE && !mac)
		return true;
	if (index == L3_NONE && l3->neighbour_count == l3->neighbours_max)
		return false;

	struct neighbour *neighbour = &l3->neighbours[index == L3_NONE ? l3->neighbour_count : index];
	union hop hop = {.known = mac != NULL, .port = port_of(l3, ifindex)};
	if (mac)
		memcpy(hop.mac, mac, sizeof(hop.mac));
	atomic_store_explicit(&neighbour->hop, hop.word, memory_order_relaxed);
	if (index == L3_NONE) {
		neighbour->address = *address;
		neighbour->ifindex = ifindex;
		atomic_store_explicit(&l3->slots[slot], ++l3->neighbour_count, memory_order_release);
	}
	return true;
}

uint32_t l3_next_hop(const struct l3 *l3, const struct address *destination)
{
	struct address next_hop;
	uint32_t ifindex, index = L3_NONE;
	if (l3_route_to(l3, destination, &next_hop, &ifindex))
		find_slot(l3, &next_hop, ifindex, &index);
	return index;
}

bool l3_resolve(const struct l3 *l3, uint32_t index, struct l3_hop *out)
{
	if (index >= l3->neighbours_max)
		return false;
	union hop hop = {.word = atomic_load_explicit(&l3->neighbours[index].hop, memory_order_relaxed)};
	if (!hop.known || hop.port == NO_PORT)
		return false;
	out->port = hop.port;
	memcpy(out->destination_mac, hop.mac, sizeof(hop.mac));
	l3_port_mac(l3, hop.port, out->source_mac);
	return true;
}
