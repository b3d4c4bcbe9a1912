/* What workers tell control about single connections, by value through a ring of each worker (SHARED_RING_RECORDS):
 * connections that ended, names that were refused, and the answers to MESSAGE_CONNECTIONS and MESSAGE_EXPLAIN. Only for
 * people: nothing in the dataplane depends on a record being taken. What a full ring does not take is counted
 * (counter_record_lost); answers to queries wait for room instead, without holding up packets.
 *
 * A ring outlives control: the first records that a new one takes out may have been made for the one before. */
#ifndef PM_RECORD_H
#define PM_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "common/address.h"
#include "common/hostname.h"
#include "common/message.h"

enum { RECORD_VERSION = 2, LISTENER_NONE = 0xffff };

enum record_type {
	RECORD_ENDED = 1,     /* a connection that was joined with a router host has ended: struct record_connection */
	RECORD_REFUSED,       /* a connection got an answer of our own: the same */
	RECORD_LISTED,        /* a connection that a query asked for: the same */
	RECORD_EXPLAIN,       /* the decision: struct record_explain; comes first */
	RECORD_EXPLAIN_SHARE, /* one cluster of the route, in the route's order: struct record_explain_share */
	RECORD_EXPLAIN_HOST,  /* one router host of one of these clusters: struct record_explain_host */
	RECORD_QUERY_END,     /* nothing more comes for this query: struct record_query_end */
};

/* Why a connection is over, or where it stands (RECORD_LISTED). */
enum record_why {
	RECORD_OPEN,     /* listed, not ended */
	RECORD_FIN,      /* FIN on both sides */
	RECORD_RST,      /* by the client or the router host */
	RECORD_IDLE,     /* the idle limit */
	RECORD_CLOSED,   /* by the operator: MESSAGE_CONNECTIONS */
	RECORD_VIP_LOST, /* the VIP went away */
	RECORD_JOIN,     /* joining took too long */
	RECORD_SHUTDOWN, /* the dataplane has ended */
	/* The answers of our own, in the order of enum answer. */
	RECORD_UNKNOWN_NAME,
	RECORD_NO_NAME,
	RECORD_NOT_SERVED,
	RECORD_UNHEALTHY,
	RECORD_CONNECT_FAILED,
	RECORD_MALFORMED,
	RECORD_TOO_LARGE,
	RECORD_TIMEOUT,
	record_why_count,
};

/* Where a connection stands, or stood when it ended. */
enum record_state {
	RECORD_HEAD,
	RECORD_ANSWER,
	RECORD_CONNECTING,
	RECORD_JOINING,
	RECORD_SPLICED,
	RECORD_LINGERING, /* ended, and its record was made */
	record_state_count,
};
_Static_assert((int)record_state_count == (int)CONNECTION_STATES, "a bit for each in struct message_connections");

struct record_connection {
	uint64_t id;                   /* of the connection in this life of the dataplane; never 0, below 2^53 */
	struct address client, router; /* router: all zero if none was tried */
	uint16_t client_port, router_port, local_port; /* host byte order; local_port 0: no router host now */
	uint16_t listener;              /* index in the configuration's order; LISTENER_NONE: it has gone */
	uint16_t cluster;               /* CLUSTER_NONE: none was elected */
	uint8_t why;                    /* enum record_why */
	uint8_t state;                  /* enum record_state */
	uint32_t pair;                  /* counter slot of (route, cluster), SLOT_NONE: not counted */
	uint32_t host, host_generation; /* slot of the router host, the last one tried; SLOT_NONE */
	uint32_t age;                   /* ms since the handshake, at most UINT32_MAX */
	uint32_t head;                  /* ms from the handshake to the complete head; 0: not yet */
	uint32_t connect;               /* ms from there to the SYN-ACK of the router host that took it; 0: not yet */
	uint32_t idle;                  /* ms since the last packet */
	uint32_t attempts;              /* router hosts tried */
	/* Payload from the client, and to the client: each byte once, however often it was sent. Exact when `why` is
	 * RECORD_FIN; else what was sent last may not have arrived, and a FIN that was lost counts as a byte. */
	uint64_t bytes_in, bytes_out;
	struct hostname name; /* as the client gave it; len 0: none, or not known yet, or not readable */
	uint8_t reserved[1];
};

enum record_decision {
	DECISION_ELECTED,
	DECISION_UNKNOWN,    /* no route has this name, and the listener has no default cluster */
	DECISION_NOT_SERVED, /* no cluster serves it on this listener */
	DECISION_UNHEALTHY,  /* no usable router host */
};

struct record_explain {
	uint8_t decision;    /* enum record_decision */
	uint8_t wildcard;    /* the route is a wildcard: `route` stands behind "*." */
	uint8_t by_default;  /* no route has the name: the listener's default cluster decides */
	uint8_t share_count; /* RECORD_EXPLAIN_SHARE that follow */
	uint16_t cluster;    /* elected; CLUSTER_NONE: none */
	uint8_t reserved[2];
	uint32_t host, host_generation; /* elected; SLOT_NONE: none */
	uint64_t route_id;              /* as in MESSAGE_ROUTE; 0: none */
	struct hostname route;          /* the route's own name; len 0: none */
	uint8_t reserved_tail[1];
};

struct record_explain_share {
	uint32_t pair; /* counter slot, SLOT_NONE: not counted */
	uint16_t cluster;
	uint16_t weight; /* in hundredths */
	int32_t credit;  /* of smooth weighted round robin in this worker, before this decision */
	uint8_t served;  /* on this kind of listener */
	uint8_t usable;  /* served, weight above 0, and a usable router host */
	uint8_t elected;
	uint8_t reserved[1];
};

/* With many router hosts the last ones are read some ms after the decision. */
struct record_explain_host {
	struct address address;
	uint32_t slot, generation;
	uint16_t cluster, port; /* port 0: does not serve this kind of listener */
	uint8_t healthy;        /* as control said */
	uint8_t suspected;      /* by this worker: a SYN of it was not answered */
	uint8_t usable;         /* healthy, and serves this kind of listener */
	uint8_t elected;
	uint64_t active; /* attempts and connections of all workers */
};

struct record_query_end {
	uint64_t matched; /* connections of this worker that fit the filter */
	uint64_t closed;
	uint8_t refused; /* too many queries are waiting, or there is no such listener: nothing was done */
	uint8_t reserved[7];
};

struct record {
	uint16_t version, type;
	uint32_t query; /* of the message that is answered, else 0 */
	uint64_t start; /* of control that has asked, else 0: answers to a start that has gone are to be left alone */
	uint64_t at_us; /* CLOCK_MONOTONIC */
	union {
		struct record_connection connection;
		struct record_explain explain;
		struct record_explain_share share;
		struct record_explain_host host;
		struct record_query_end end;
	};
};
_Static_assert(sizeof(struct record_explain_share) == 16, "share has no hidden padding");
_Static_assert(sizeof(struct record_explain_host) == 40, "host has no hidden padding");
_Static_assert(sizeof(struct record) % 8 == 0 && sizeof(struct record) <= 512, "a ring element");

/* Version, type and the enums and lengths that a reader would follow. Slots are the receiver's to check. */
bool record_valid(const struct record *record);

/* "idle", as it stands in JSON and logs. */
const char *record_why_name(enum record_why why);
/* "spliced" */
const char *record_state_name(enum record_state state);

#endif
