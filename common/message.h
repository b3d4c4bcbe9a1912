/* What control and the workers of the dataplane say to each other through rte_rings, by value. Objects are named
 * by slots and ids, never by pointers. This file knows no rings; both sides check what they receive with
 * message_check.
 *
 * control -> worker, one ring per worker: struct message. A resync is SYNC_BEGIN, any number of HOST, ROUTE and
 * LISTENER, SYNC_END: the worker fills a second table and swaps it in at SYNC_END; objects that did not come are
 * gone, unchanged ones keep counters, flows and election state. Outside a resync, up to MESSAGE_BATCH_MAX messages
 * end with BATCH_END and are applied together between two bursts; more is sent as a resync. The worker discards
 * (and counts) what is older than the announced start (struct shared_header.control_start) until the SYNC_BEGIN of
 * that start, and after a gap in the sequence, which it reports, until the next SYNC_BEGIN.
 *
 * LOG, CONNECTIONS and EXPLAIN ("commands") stand outside of tables, resyncs and batches: they take effect at once,
 * wherever they stand in the sequence, under the same rules about start and gaps. Every worker gets every query and
 * answers it by records (common/record.h), the last of which is RECORD_QUERY_END. A worker works on QUERIES_AT_ONCE
 * queries at a time, a little between two bursts; QUERIES_WAITING more wait in order, and those behind are refused in
 * their RECORD_QUERY_END. A query that falls into a gap of the sequence is never answered: who asks waits with a limit.
 * The SYNC_BEGIN of a new start drops all queries of the one before, unanswered.
 *
 * worker -> control, two rings per worker: struct event, struct record. A full ring drops the event, counted. */
#ifndef PM_MESSAGE_H
#define PM_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "address.h"
#include "hostname.h"

enum {
	MESSAGE_VERSION = 3,
	MESSAGE_BATCH_MAX = 64,
	QUERIES_AT_ONCE = 4,
	QUERIES_WAITING = 16,
	ROUTE_CLUSTERS_MAX = 16, /* clusters that serve one host name */
	CLUSTERS_MAX = 64,       /* at a time */
	CLUSTER_NUMBERS = 65472, /* of them over time, a multiple of CLUSTERS_MAX: see cluster_place */
	LISTENERS_MAX = 64,
	CONNECTION_STATES = 6, /* of enum record_state */
	CLUSTER_NONE = 0xffff,
	SLOT_NONE = 0xffffffff,
};

/* Where a cluster stands among those that there are at a time; no two of them have the same place. Its number also says
 * which one it is of all that have had that place: connections bear it longer than their cluster lives. */
static inline unsigned cluster_place(uint16_t number)
{
	return number % CLUSTERS_MAX;
}

enum message_type {
	MESSAGE_SYNC_BEGIN = 1, /* control -> worker: a full table follows */
	MESSAGE_HOST,           /* control -> worker: a router host is new or changed (health included) */
	MESSAGE_HOST_GONE,      /* control -> worker: no new connections; its flows live on */
	MESSAGE_ROUTE,          /* control -> worker: a host name is new or changed */
	MESSAGE_ROUTE_GONE,     /* control -> worker */
	MESSAGE_LISTENER,       /* control -> worker: default cluster of a listener */
	MESSAGE_SYNC_END,       /* control -> worker: swap the table in */
	MESSAGE_BATCH_END,      /* control -> worker: apply what came since the last end */
	MESSAGE_LOG,            /* control -> worker: which connections are recorded; at once, outside of tables */
	MESSAGE_CONNECTIONS,    /* control -> worker: list, count or close connections; answered by records */
	MESSAGE_EXPLAIN,        /* control -> worker: what would be decided for a name; answered by records */
};

struct message_end {
	uint64_t revision; /* acknowledged in struct shared_worker.applied_revision */
};

struct message_host {
	uint32_t slot;       /* index into the host counters */
	uint32_t generation; /* of the slot; echoed in events */
	struct address address;
	uint16_t http_port, https_port; /* host byte order; 0: does not serve this */
	uint16_t cluster;               /* number, below CLUSTER_NUMBERS */
	uint8_t healthy;                /* 0: gets no connection */
	uint8_t reserved;
};

struct message_host_gone {
	uint32_t slot;
	uint32_t generation;
};

/* One cluster that serves a host name. */
struct message_share {
	uint32_t pair; /* slot of (route, cluster): index into the pair counters */
	uint16_t cluster;
	uint16_t weight;     /* in hundredths, 0 to 10,000; 0: no new connection */
	uint8_t http, https; /* served on port 80 / on port 443 */
	uint8_t reserved[2];
};

struct message_route {
	uint64_t id;      /* of the host name, stable over restarts of control */
	uint8_t wildcard; /* 1: `name` stands for one label in front of it ("*.wild.ch" has name "wild.ch") */
	uint8_t share_count;
	uint8_t reserved[6];
	struct hostname name;
	uint8_t reserved_tail[1];
	struct message_share shares[ROUTE_CLUSTERS_MAX];
};

/* The name again, by which the worker finds it. */
struct message_route_gone {
	uint64_t id;
	uint8_t wildcard;
	struct hostname name;
};

struct message_listener {
	uint16_t listener; /* index in the configuration's order */
	uint16_t cluster;  /* where unknown and missing names go, or CLUSTER_NONE: rejected */
	uint32_t pair;     /* counters for it, or SLOT_NONE */
};

/* Which connections are recorded without being asked for. Nothing is, until the first one; a worker keeps what it was
 * told last when control goes. What is left out by these numbers does not count as lost. */
struct message_log {
	uint32_t every;              /* 0: no RECORD_ENDED; N: that of each Nth connection */
	uint32_t refused_per_second; /* at most so many RECORD_REFUSED a second of each worker; 0: none */
};

enum {
	CONNECTIONS_LIST,  /* a RECORD_LISTED for each, up to `limit` */
	CONNECTIONS_CLOSE, /* RST to both sides as at the idle limit; to the client alone before a router host is
	                    * joined. Ended ones that still translate (lingering) are left alone. No RECORD_LISTED. */
};

/* Which connections: all that fit every field that is set. */
struct message_connections {
	uint32_t query;        /* echoed; never 0 */
	uint8_t action;        /* CONNECTIONS_LIST or CONNECTIONS_CLOSE */
	uint8_t client_length; /* bits of the prefix `client`, 0 (any) to 128; an IPv4 /24 has 120 */
	uint16_t cluster;      /* of the elected router host; CLUSTER_NONE: any */
	uint32_t pair; /* slots; SLOT_NONE: any. A route is asked for by the pairs of its clusters, a query each */
	uint32_t host;
	uint32_t min_age; /* ms since the handshake */
	uint32_t limit;   /* RECORD_LISTED at most, in no order; the others that fit are only counted */
	struct address client;
	uint64_t id;    /* of one connection, see struct record_connection; 0: any */
	uint8_t states; /* 1 << enum record_state for each that fits; 0: any */
	uint8_t reserved[7];
};

/* What would a new connection with this name get, now? Changes nothing. */
struct message_explain {
	uint32_t query;    /* echoed; never 0 */
	uint16_t listener; /* index in the configuration's order */
	uint8_t reserved[2];
	struct address client; /* no rule of today looks at it */
	struct hostname name;  /* len 0: none is given */
	uint8_t reserved_tail[1];
};

struct message {
	uint32_t crc; /* CRC-32C of the bytes behind it, as many as message_size says */
	uint16_t version;
	uint16_t type;
	uint64_t start;    /* control's start number */
	uint32_t sequence; /* 1 up, per start and ring */
	uint32_t reserved;
	union {
		struct message_end end; /* SYNC_END, BATCH_END */
		struct message_host host;
		struct message_host_gone host_gone;
		struct message_route route;
		struct message_route_gone route_gone;
		struct message_listener listener;
		struct message_log log;
		struct message_connections connections;
		struct message_explain explain;
	};
};

_Static_assert(sizeof(struct hostname) == 255, "hostname has no padding");
_Static_assert(sizeof(struct message_share) == 12, "share has no hidden padding");
_Static_assert(sizeof(struct message_host) == 32, "host has no hidden padding");
_Static_assert(sizeof(struct message_connections) == 56, "connections has no hidden padding");
_Static_assert(sizeof(struct message_explain) == 280, "explain has no hidden padding");
_Static_assert(sizeof(struct message) % 8 == 0 && sizeof(struct message) <= 512, "a ring element");

/* Is it one that takes effect at once, outside of tables: MESSAGE_LOG, MESSAGE_CONNECTIONS, MESSAGE_EXPLAIN? */
static inline bool message_is_command(uint16_t type)
{
	return type >= MESSAGE_LOG && type <= MESSAGE_EXPLAIN;
}

/* Bytes of a message of this type, header included; 0 for an unknown type. */
uint32_t message_size(uint16_t type);

/* Fills version, start, sequence and CRC. `message->type` and the body are set; reserved bytes are 0. */
void message_seal(struct message *message, uint64_t start, uint32_t sequence);

enum message_fault {
	MESSAGE_OK,
	MESSAGE_BAD_VERSION,
	MESSAGE_BAD_TYPE,
	MESSAGE_BAD_CRC,
	MESSAGE_BAD_VALUE, /* a field out of its range: cluster, weight, share_count, name, flag */
};

/* Checks everything but start and sequence. Slots are the receiver's to check: it knows its limits. */
enum message_fault message_check(const struct message *message);

enum event_type {
	EVENT_HOST_FAILING = 1, /* worker -> control: three connects in a row failed */
	EVENT_RESYNC_WANTED,    /* worker -> control: a message was lost or broken */
};

struct event {
	uint16_t version;
	uint16_t type;
	uint32_t slot; /* of the host */
	uint32_t generation;
	uint32_t reserved;
};
_Static_assert(sizeof(struct event) == 16, "a ring element");

#endif
