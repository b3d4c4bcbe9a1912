/* A flow: one client connection and the connection to a router host that it is joined with.
 *
 * All sequence numbers are kept in the space of the router host's connection ("router space"): the client's own
 * numbers, because the router host got the client's ISN, and the router host's own numbers, from which the client's
 * view differs by `delta`. */
#ifndef PM_FLOW_H
#define PM_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/address.h"
#include "common/hostname.h"

enum side { SIDE_CLIENT, SIDE_ROUTER };

enum flow_state {
	FLOW_FREE,
	FLOW_HEAD,       /* young: collects the head */
	FLOW_ANSWER,     /* young: sends an answer of our own and closes */
	FLOW_CONNECTING, /* young: a router host is elected, its SYN-ACK is awaited */
	FLOW_JOINING,    /* young: both connected; the router host has not acknowledged yet what only we can repeat */
	FLOW_SPLICED,    /* packets are rewritten and forwarded, nothing else */
	FLOW_LINGERING,  /* ended, still translates */
};

enum flow_flag {
	FLOW_FIN_CLIENT = 0x01, /* a FIN of this side was forwarded, half.fin_end is set */
	FLOW_FIN_ROUTER = 0x02,
	FLOW_FIN_CLIENT_ACKED = 0x04,
	FLOW_FIN_ROUTER_ACKED = 0x08,
	FLOW_RST_DOUBT_CLIENT = 0x10, /* after a RST inside the window but not exact: not heard of since, this side */
	FLOW_RST_DOUBT_ROUTER = 0x20,
	FLOW_NO_SACK = 0x40,      /* the router host declined SACK: the client's blocks are blanked */
	FLOW_NO_SCALE = 0x80,     /* the router host declined scaling that the client uses */
	FLOW_SAME_WINDOW = 0x100, /* the router host's window fields suit the client as they are */
	FLOW_HTTPS = 0x200,       /* bound to the router host's HTTPS port; the VIP may have another mode by now */
};

/* What one side has sent, as far as it was forwarded; in router space. */
struct flow_half {
	uint32_t end;     /* highest sequence number forwarded, plus one */
	uint32_t acked;   /* last acknowledgement number that this side sent */
	uint32_t window;  /* last window that this side offered, bytes */
	uint32_t fin_end; /* sequence number behind this side's FIN */
};

struct flow {
	/* Line 1: the key of both sides and what rewriting reads. */
	struct address client;
	struct address router;
	uint16_t client_port, router_port; /* host byte order */
	uint16_t local_port;               /* host byte order; 0: not bound to a router host */
	uint16_t local_address;            /* index into the source pool's addresses */
	uint32_t delta;                    /* sequence number toward the client = router host's + delta */
	uint32_t client_hop, router_hop;   /* l3 next hops, L3_NONE while unknown */
	uint32_t last_seen;                /* ms */
	uint16_t address_diff; /* what the change of addresses and ports adds to a checksum, client to router host */
	uint16_t vip;          /* index of (address, port) */
	uint16_t routes_at;    /* worker.routes_at when the next hops were looked up */

	/* Line 2 */
	_Alignas(64) struct flow_half half[2]; /* by side */
	uint16_t flags;                        /* enum flow_flag */
	uint8_t state;                         /* enum flow_state; changed by flow_set_state only */
	uint8_t client_scale;                  /* shift of the window fields that the client sends */
	uint8_t router_scale;                  /* and the router host */
	uint8_t client_port_in; /* port and MAC of the client's first frame: used while the next hop is not known */
	uint8_t client_mac[6];
	uint32_t young;      /* index of its struct young, or none */
	uint32_t host;       /* host slot of the elected router host, SLOT_NONE before */
	uint32_t share_pair; /* pair counter slot, SLOT_NONE: not counted */
	uint32_t challenged; /* ms: when a challenge ACK was sent last */
};
_Static_assert(sizeof(struct flow) == 128, "two cache lines");

/* What records tell of a flow (recording.c), by itself so that packets need not read it: touched at birth, join and
 * end, and when 4 GB have passed. */
struct flow_past {
	uint64_t born;     /* us */
	uint32_t births;   /* in this place, this one included; comes round, never 0 */
	uint32_t first[2]; /* by side, router space: number of its first payload; from JOINING on */
	uint32_t wraps[2]; /* by side: how often half.end has passed 2^32 since then */
	/* From SPLICED on; before, it is in struct young. */
	uint32_t head, connect; /* ms, see struct record_connection */
	uint32_t host_generation;
	uint16_t cluster;
	uint8_t attempts;
	struct hostname name;
};

enum {
	YOUNG_NONE = 0xffffffff,
	YOUNG_RANGES = 8,
	YOUNG_SMALL_HEAD = 2048,
	YOUNG_TRIED_MAX = 16,
	ANSWER_MAX = 640,
};

/* Why an answer of our own is given; each has a counter. */
enum answer {
	ANSWER_UNKNOWN_NAME,
	ANSWER_NO_NAME,
	ANSWER_NOT_SERVED,
	ANSWER_UNHEALTHY,
	ANSWER_CONNECT_FAILED,
	ANSWER_MALFORMED,
	ANSWER_TOO_LARGE,
	ANSWER_TIMEOUT,
	ANSWER_SILENT,
	ANSWER_COUNT,
};

/* The part of a flow that exists until the splice. Offsets into the head count from the client's ISN + 1. */
struct young {
	uint32_t client_isn;
	uint32_t cookie;        /* our ISN toward the client */
	uint16_t client_mss;    /* class from the cookie */
	uint16_t client_window; /* field of the last segment */
	uint8_t client_wscale;  /* TCP_WINDOW_SCALE_NONE: no scaling */
	bool client_sack;
	bool fin_seen; /* the client's FIN was received, in order or not; it stands at fin_at */
	uint32_t fin_at;
	uint8_t range_count;
	struct {
		uint32_t first, end;
	} ranges[YOUNG_RANGES]; /* out of order: behind `received`, sorted, not touching */
	uint32_t received;      /* contiguous bytes from the start */
	uint32_t acknowledged;  /* of these, acknowledged by us to the client */
	size_t scanned;         /* by the parser */
	uint8_t *head;          /* `small` or a large buffer */
	uint32_t large;         /* index of the large buffer, or none */

	/* election and connect */
	struct hostname name;     /* len 0: none was given */
	uint16_t cluster;         /* of the present attempt, CLUSTER_NONE */
	uint32_t host_generation; /* of its router host */
	uint8_t tried_count;
	bool syn_again; /* the TIME_WAIT of the router host was ended, the same SYN sent once more */
	uint32_t tried[YOUNG_TRIED_MAX];
	uint32_t connect_started;         /* ms */
	uint32_t attempt_ends;            /* ms: without an answer by then, this router host is silent */
	uint32_t resend_at, resend_after; /* ms: of SYN, held bytes or answer */

	/* joining */
	uint32_t router_acked; /* bytes of the head that the router host acknowledged */
	uint32_t router_isn;
	uint32_t join_started;
	uint16_t router_mss;
	uint16_t shown_window; /* field of the last acknowledgement shown to the client while joining */
	uint32_t shown;        /* its acknowledgement, sequence number */

	/* answer */
	uint8_t answer;        /* enum answer */
	uint16_t answer_len;   /* bytes of `small` */
	uint16_t answer_acked; /* FIN counts as one */
	uint16_t answer_sent;  /* highest offset sent, FIN included */
	bool discards;         /* what the client sends is acknowledged and thrown away */
	uint32_t answer_started;

	uint8_t small[YOUNG_SMALL_HEAD];
};

#endif
