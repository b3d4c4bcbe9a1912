/* The inside of struct worker, and the steps of a packet's way. Included by the files of the core only. They stand
 * here in the order in which a connection meets them. All are called by the thread that owns the worker. */
#ifndef PM_CORE_H
#define PM_CORE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/config.h"
#include "common/packet.h"
#include "common/record.h"
#include "common/shared.h"
#include "common/tcp_options.h"
#include "common/tcp_seq.h"
#include "dataplane/cookie.h"
#include "dataplane/flow.h"
#include "dataplane/flow_table.h"
#include "dataplane/l3.h"
#include "dataplane/query.h"
#include "dataplane/source_ports.h"
#include "dataplane/tables.h"
#include "dataplane/timer_wheel.h"
#include "dataplane/tombstones.h"
#include "dataplane/worker.h"

enum {
	MSS_MAX = 1460,   /* of our own segments: the largest class of a cookie */
	CLIENT_SCALE = 7, /* our window scale toward clients; RFC 7323 */
	SYN_RTO_MS = 200, /* RFC 6298 says 1 s; router hosts are near, documented deviation */
	JOIN_LIMIT_MS = 5000,
	ANSWER_LIMIT_MS = 5000,
	RST_LINGER_MS = 200,
	RST_DOUBT_MS = 10000,
	CHALLENGE_INTERVAL_MS = 500,
	PORT_TRIES = 4096,
	VIP_LOST_MS = 3000,
	SUSPECT_TRIAL_MS = 1000,
	FAILURES_TOLD = 3, /* connect failures in a row after which control is told */
};

/* One (address, port) of a listener. */
struct vip {
	struct address address;
	uint16_t port;
	uint16_t listener; /* VIP_CLOSED: no new connection */
	bool tls;
	bool held;
	uint32_t lost_at; /* ms, while not held */
	bool swept;       /* its flows were ended after VIP_LOST_MS */
};

/* What a worker learns about a router host by itself. */
struct host_health {
	uint32_t generation;
	bool suspected;
	bool told;         /* control knows: trials are a second apart from end to beginning, before from beginning */
	uint8_t failures;  /* in a row */
	uint16_t mss;      /* of its last SYN-ACK, 0: not known */
	uint32_t trial_at; /* ms: from then on one connection may try it again */
};

/* What is recorded without being asked for. */
struct recording {
	struct message_log log;
	uint32_t ended;             /* connections since the last one recorded */
	uint64_t tokens, tokens_at; /* for RECORD_REFUSED: millionths of a record, and when (us) */
};

struct worker {
	struct worker_io io;
	const struct config *config;
	const struct l3 *l3;
	struct shared_header *shared;
	struct shared_worker *block;
	struct shared_host_counters *hosts;
	struct shared_pair_counters *pairs;
	unsigned index, count;
	struct siphash_key cookie_secret, table_secret;
	bool refuse_new;
	uint32_t now; /* ms, wraps */
	uint64_t now_us;
	uint16_t routes_at; /* l3_routes_at, as of this burst: flows look their next hops up again when it has moved */

	struct vip vips[VIPS_MAX];
	unsigned vip_count;

	struct flow *flows;
	struct flow_past *pasts; /* by flow */
	uint32_t *free_flows;
	uint32_t free_flow_count;
	struct young *youngs;
	uint32_t *free_youngs;
	uint32_t free_young_count;
	uint8_t *large_heads; /* limits.head_bytes each */
	uint32_t *free_large;
	uint32_t free_large_count;
	uint32_t rearm_next; /* flows from here on have their idle timers of an earlier configuration */

	struct flow_table flow_table;
	struct timer_wheel timers;
	struct tombstones tombstones;
	struct source_pool pool;
	struct source_ports *source_ports; /* by host slot * 2 + (1: https) */

	struct tables tables;
	struct host_health *health; /* by host slot */
	uint16_t router_mss_min;    /* smallest MSS that a router host of the tables has sent */

	struct recording recording;
	struct queries queries;
};

/* ---- counting ---- */

static inline void count(struct worker *worker, enum counter counter)
{
	shared_add(&worker->block->counters[counter], 1);
}

static inline void gauge_move(struct worker *worker, enum counter counter, int64_t by)
{
	shared_add(&worker->block->counters[counter], (uint64_t)by);
}

/* Counts and gives the frame back. */
void frame_drop(struct worker *worker, struct frame *frame, enum counter reason);
/* The frame was taken by a young flow: counts and gives it back. */
static inline void frame_absorb(struct worker *worker, struct frame *frame)
{
	frame_drop(worker, frame, counter_rx_absorbed);
}

/* ---- receive.c: the fork in the road ---- */

uint64_t key_hash(const struct worker *worker, const struct address *remote, const struct address *local,
                  uint16_t remote_port, uint16_t local_port);
/* The flow that a packet from `remote` to `local` belongs to; NULL: none. */
struct flow *flow_find(struct worker *worker, uint64_t hash, const struct address *remote, const struct address *local,
                       uint16_t remote_port, uint16_t local_port, enum side *side);
/* Does the VIP take new connections? */
static inline bool vip_open(const struct worker *worker, unsigned vip)
{
	return !worker->refuse_new && worker->vips[vip].listener != VIP_CLOSED;
}
/* Index of the VIP (address, port), or -1. */
int vip_find(const struct worker *worker, const struct address *address, uint16_t port);
bool pool_contains(const struct worker *worker, const struct address *address);

/* ---- handshake.c: SYN -> cookie; ACK with a valid cookie -> a flow is born ---- */

/* The largest segment that every port's MTU takes. */
uint16_t ports_mss(const struct worker *worker);

void handshake_syn(struct worker *worker, struct frame *frame, const struct packet *packet);
/* A segment to a VIP that belongs to no living flow; `old` is a lingering flow with this 4-tuple, or NULL. Returns
 * false if it gives birth to nothing and `old` may have it; the frame is then still the caller's. */
bool handshake_ack(struct worker *worker, struct frame *frame, const struct packet *packet, unsigned vip,
                   struct flow *old);

/* ---- flow.c: birth, states, end ---- */

static inline uint32_t flow_index(const struct worker *worker, const struct flow *flow)
{
	return (uint32_t)(flow - worker->flows);
}

static inline struct young *flow_young(const struct worker *worker, const struct flow *flow)
{
	return &worker->youngs[flow->young];
}

/* NULL: a limit is reached, counted. The flow is in FLOW_HEAD, in the table by its client side. */
struct flow *flow_create(struct worker *worker, const struct packet *packet, unsigned vip, uint64_t hash);
/* The only place where a state changes; keeps the gauges right. */
void flow_set_state(struct worker *worker, struct flow *flow, enum flow_state state);
/* Ends it now: leaves the table, gives back everything. */
void flow_destroy(struct worker *worker, struct flow *flow);
/* Ended (RECORD_FIN or RECORD_RST), but translates for `linger` ms more: the router host counts it no longer. */
void flow_linger(struct worker *worker, struct flow *flow, uint32_t linger, enum record_why why);
/* Ends it now, counted and recorded: RST to both sides, or to the client alone before the router host is joined. */
void flow_reset(struct worker *worker, struct flow *flow, enum record_why why);
/* A side has sent up to here, as far as it was forwarded. The carry is a wrap. */
static inline void flow_advance(struct worker *worker, struct flow *flow, enum side side, uint32_t end)
{
	uint32_t *at = &flow->half[side].end, news = end - *at;
	if (__builtin_expect(__builtin_add_overflow(*at, (int32_t)news > 0 ? news : 0, at), 0))
		worker->pasts[flow_index(worker, flow)].wraps[side]++;
}
/* The young part is given back, the flow goes on as SPLICED. */
void flow_splice(struct worker *worker, struct flow *flow);
/* Binds the flow to a router host and a source port, into the table by its router side. False: counted. */
bool flow_bind_router(struct worker *worker, struct flow *flow, uint32_t host, uint32_t share_pair);
/* Takes that back: another router host is tried, or the flow ends. */
void flow_unbind_router(struct worker *worker, struct flow *flow);
/* Sets the flow's timer for `at` (ms, not before now). */
void flow_timer_at(struct worker *worker, struct flow *flow, uint32_t at);

/* ---- emit.c: segments of our own ---- */

/* Sends a segment to one side. `seq` and `ack` as that side knows them, `window` as the field, at most 60 - 20 bytes
 * of options. False (counted as tx_failed): no buffer, or no way there now. */
bool emit(struct worker *worker, struct flow *flow, enum side side, uint8_t flags, uint32_t seq, uint32_t ack,
          uint16_t window, const uint8_t *options, uint8_t options_len, const uint8_t *payload, uint16_t payload_len,
          enum counter counter);
/* RST to a side with exactly this sequence number. */
void emit_rst(struct worker *worker, struct flow *flow, enum side side, uint32_t seq);
/* Turns the frame round into an answer to itself; the Ethernet addresses are swapped. */
void reply_rst(struct worker *worker, struct frame *frame, const struct packet *packet);
void reply_ack(struct worker *worker, struct frame *frame, const struct packet *packet, uint32_t seq, uint32_t ack,
               uint16_t window);
/* Writes MACs and port for a packet to `side`; false: not known now. */
bool frame_route(struct worker *worker, struct flow *flow, enum side side, struct frame *frame);

/* ---- head.c: collects the client's first bytes ---- */

void head_receive(struct worker *worker, struct flow *flow, struct frame *frame, const struct packet *packet);
void head_timer(struct worker *worker, struct flow *flow);
/* A client's segment to a young flow, RFC 9293 3.10.7.4 steps 1 to 5: RST, SYN, ACK. `sent_end` is the highest
 * sequence number that the client may acknowledge. False: the frame and perhaps the flow are gone. */
bool young_accept(struct worker *worker, struct flow *flow, struct frame *frame, const struct packet *packet,
                  uint32_t sent_end);
/* Takes payload and FIN into the head as far as they fit the window. */
enum head_taken {
	HEAD_NOTHING, /* no payload, no FIN */
	HEAD_GREW,    /* the contiguous part is longer, or ends with a FIN now */
	HEAD_HELD,    /* out of order, kept */
	HEAD_DUPLICATE,
	HEAD_BEYOND,    /* behind the window */
	HEAD_PIECES,    /* out of order in too many pieces */
	HEAD_NO_BUFFER, /* no large buffer is left */
};
enum head_taken head_take(struct worker *worker, struct young *young, const struct packet *packet);
/* The next sequence number that is expected of the client, a FIN in order included. */
uint32_t head_next(const struct young *young);
/* What we have acknowledged to the client, as a sequence number. */
uint32_t head_acknowledged(const struct young *young);
/* Bytes of a head buffer. */
uint32_t head_capacity(const struct worker *worker);
/* Window field to offer: the right edge never moves. */
uint16_t head_window(const struct worker *worker, const struct young *young);

/* ---- connect.c: elects a router host and connects ---- */

void connect_start(struct worker *worker, struct flow *flow);
/* From either side while FLOW_CONNECTING. */
void connect_receive(struct worker *worker, struct flow *flow, enum side side, struct frame *frame,
                     const struct packet *packet);
void connect_timer(struct worker *worker, struct flow *flow);
/* This attempt failed: the next router host, or the answer. `silent`: by time-out. */
void connect_failed(struct worker *worker, struct flow *flow, bool silent);

/* ---- join.c: from the SYN-ACK to the splice ---- */

void join_start(struct worker *worker, struct flow *flow, const struct packet *syn_ack);
void join_receive(struct worker *worker, struct flow *flow, enum side side, struct frame *frame, struct packet *packet);
void join_timer(struct worker *worker, struct flow *flow);

/* ---- splice.c: the fast path ---- */

void splice_receive(struct worker *worker, struct flow *flow, enum side side, struct frame *frame,
                    struct packet *packet);
/* The same for an ended flow: what repairs its end passes, what repeats its beginning does not. */
void splice_receive_late(struct worker *worker, struct flow *flow, enum side side, struct frame *frame,
                         struct packet *packet);
/* The idle limit has changed: sets the flow's timer anew, if it is spliced. */
void splice_rearm(struct worker *worker, struct flow *flow);
/* Idle limit, doubt about a RST, end of lingering. */
void splice_timer(struct worker *worker, struct flow *flow);
/* Remembers what the packet says: `ack` in router space, `window` in bytes; FINs too. */
void splice_note(struct worker *worker, struct flow *flow, enum side side, const struct packet *packet, uint32_t ack,
                 uint32_t window);
/* Rewrites the packet from `side` for the other side, with this acknowledgement and window field, and sends it. */
void splice_forward(struct worker *worker, struct flow *flow, enum side side, struct frame *frame,
                    struct packet *packet, uint32_t ack, uint16_t window);
/* The window field for the client that stands for `window` bytes of the router host. */
uint16_t splice_window_to_client(const struct flow *flow, uint32_t window);
uint16_t splice_window_to_router(const struct flow *flow, uint16_t field);
/* Both FINs are acknowledged: the flow lingers. */
void splice_end_if_closed(struct worker *worker, struct flow *flow);
/* A RST in a JOINING, SPLICED or LINGERING flow: RFC 5961. */
void splice_reset(struct worker *worker, struct flow *flow, enum side side, struct frame *frame, struct packet *packet);

/* ---- answer.c: answers of our own ---- */

void answer_start(struct worker *worker, struct flow *flow, enum answer answer);
void answer_receive(struct worker *worker, struct flow *flow, struct frame *frame, const struct packet *packet);
void answer_timer(struct worker *worker, struct flow *flow);

/* ---- icmp.c ---- */

void icmp_receive(struct worker *worker, struct frame *frame, const struct packet *packet);

/* ---- recording.c: what control is told of connections ---- */

void recording_log(struct worker *worker, const struct message_log *log);
/* Notes, at the steps of a flow: it is born; it is JOINING, and these are the numbers of its first payload (router
 * space); its young part is about to be given back. */
void recording_born(struct worker *worker, const struct flow *flow);
void recording_joins(struct worker *worker, const struct flow *flow, uint32_t client_first, uint32_t router_first);
void recording_keep(struct worker *worker, const struct flow *flow);
/* RECORD_ENDED of a JOINING or SPLICED flow, if it is the turn of this one; before anything of it is given back. */
void recording_ended(struct worker *worker, const struct flow *flow, enum record_why why);
/* RECORD_REFUSED of a flow that has just become ANSWER. */
void recording_refused(struct worker *worker, const struct flow *flow);
/* For queries. False: the ring has no room for answers, nothing has happened. */
bool recording_listed(struct worker *worker, const struct query *query, const struct flow *flow);
/* Sends an answer whose type and body are set. */
bool recording_answer(struct worker *worker, const struct query *query, struct record *record);
/* The place in `flows` of the living connection with this id; false: it is not of this worker, or has gone. */
bool recording_place(const struct worker *worker, uint64_t id, uint32_t *place);
uint16_t recording_cluster(const struct worker *worker, const struct flow *flow);
enum record_state recording_state(const struct flow *flow);
/* ms since its birth */
uint32_t recording_age(const struct worker *worker, const struct flow *flow);

/* ---- election.c ---- */

enum election {
	ELECTED,
	ELECTION_UNKNOWN,    /* no route has this name, and no default cluster */
	ELECTION_NOT_SERVED, /* no cluster serves it on this port */
	ELECTION_UNHEALTHY,  /* no healthy router host, or all were tried */
};

/* For whom a router host is sought: a young flow, or an explanation. */
struct elector {
	const struct hostname *name; /* len 0: none was given */
	unsigned listener;           /* VIP_CLOSED: it has gone, and its default cluster with it */
	bool https;
	uint16_t cluster;      /* of the attempt before, CLUSTER_NONE */
	unsigned tried_count;  /* router hosts that are out of the question */
	const uint32_t *tried; /* slots */
};

/* What is decided, and from what. */
struct decision {
	enum election result;
	struct table_route *route; /* NULL with ELECTION_UNKNOWN */
	bool by_default;           /* `route` is the listener's default cluster */
	uint16_t usable;           /* shares that can take the connection, a bit each */
	bool stays;                /* a retry in the same cluster: the weights were not asked */
	/* ELECTED: */
	unsigned share, place; /* index in the route's shares, in the cluster's hosts */
	uint32_t host;         /* slot */
	bool trial;            /* of a suspected router host, though there is another one */
};

/* Decides by what is true now, and changes nothing: not the credits, nor the turn, nor the time of a trial. */
void decide(struct worker *worker, const struct elector *elector, struct decision *out);
/* May this router host be elected at all? */
bool host_usable(const struct worker *worker, const struct elector *elector, uint32_t slot);
/* Attempts and connections of all workers. */
uint64_t host_active(const struct worker *worker, uint32_t slot);
bool share_served(const struct message_share *share, bool https);

/* The next router host for a young flow, by its name and what was tried before: decides, and takes note. */
struct elected {
	uint32_t host; /* slot */
	uint32_t share_pair;
	uint16_t cluster;
	bool trial; /* as in struct decision */
};
enum election elect(struct worker *worker, struct flow *flow, struct elected *out);

/* ---- explain.c ---- */

/* Tells the next part of what would be decided. True: all is told. */
bool explain_step(struct worker *worker, const struct query *query, struct query_explanation *explanation);

/* ---- what is known of router hosts (election.c) ---- */

/* It has not answered a first SYN: others are elected before it, but for one trial per second, until a connect or a
 * check succeeds. */
void host_suspect(struct worker *worker, uint32_t host);
/* What an attempt has taught about the router host. */
void host_connected(struct worker *worker, uint32_t host);
void host_failed(struct worker *worker, uint32_t host, bool silent);
/* Finds router_mss_min anew: a router host has told another MSS, or the tables have changed. */
void hosts_refresh_mss(struct worker *worker);

/* ---- a segment of the client that is answered with an acknowledgement ---- */

/* RFC 9293 3.10.7.4 / RFC 5961: at most one per CHALLENGE_INTERVAL_MS and flow; else the frame is dropped as
 * `otherwise`. */
void challenge(struct worker *worker, struct flow *flow, struct frame *frame, const struct packet *packet, uint32_t seq,
               uint32_t ack, enum counter otherwise);

#endif
