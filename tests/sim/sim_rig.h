/* One worker of the dataplane between a simulated client network (port 0) and four simulated router hosts (port 1) of
 * two clusters, with configuration, tables, neighbours and a frame pool as the shell would give them. When a rig ends
 * it is checked that nothing leaked and that every frame is accounted for. What clients and servers say is in
 * sim_app.h. */
#ifndef PM_SIM_RIG_H
#define PM_SIM_RIG_H

#include "common/config.h"
#include "common/counters.h"
#include "common/record.h"
#include "common/shared.h"
#include "dataplane/l3.h"
#include "dataplane/worker.h"
#include "sim_tcp.h"

enum {
	RIG_ROUTERS = 4, /* 0 and 1 are of cluster 0, 2 and 3 of cluster 1 */
	RIG_CLUSTERS = 2,
	RIG_ROUTES_MAX = 16,
	RIG_RX_MAX = 1024,
	RIG_FRAME_ROOM = 2048,
	RIG_VIP = 0xc633640a,     /* 198.51.100.10 */
	RIG_CLIENTS = 0xc6120000, /* 198.18.0.0/15, behind a gateway on the client network */
	RIG_NEAR = 0xc6336403,    /* 198.51.100.3, on the client network itself */
	RIG_ROUTER = 0xcb00710b,  /* 203.0.113.11 and the following */
	RIG_POOL = 0xcb007140,    /* 203.0.113.64 */
};

/* How a router host treats new connections. */
enum rig_router_mode {
	RIG_ROUTER_SERVES,
	RIG_ROUTER_REFUSES,      /* RST */
	RIG_ROUTER_IGNORES,      /* drops SYNs */
	RIG_ROUTER_RESETS_EARLY, /* SYN-ACK, then RST before it has acknowledged anything */
	RIG_ROUTER_UNREACHABLE,  /* ICMP host unreachable */
	RIG_ROUTER_CLOSES_EARLY, /* FIN as soon as it is connected; reads, never responds */
};

struct rig_router {
	struct rig *rig;
	unsigned index;
	struct sim_host host;
	struct sim_tcp_params params;
	enum rig_router_mode mode;
	bool healthy; /* as control says */
	bool known;   /* control has told of it */
	bool sleepy;  /* its application reads nothing for the first 50 ms */
	unsigned syns, accepted;
	unsigned active, active_max; /* connections of exchanges */
};

struct rig_share {
	uint16_t cluster, weight; /* weight in hundredths */
	bool http, https;
};

struct rig_route {
	const char *name;
	bool wildcard;
	unsigned share_count;
	struct rig_share shares[RIG_CLUSTERS];
	uint64_t weight_gone_at[RIG_CLUSTERS]; /* when the weight became 0; connections elected before may still come */
};

struct exchange;

struct rig {
	struct sim *sim;
	/* To be changed between rig_new and rig_start. */
	struct config config;
	struct sim_link north_in, north_out, south_in, south_out; /* "in" leads to the worker */
	unsigned frames_max;                                      /* frames that the pool has */
	uint64_t tick_us;                                         /* 1,000 */
	bool lossy;                                               /* set by rig_impair: see judge_end in sim_app.c */
	bool checked; /* frames come with verified checksums: never with corrupting links */

	struct shared_header *shared;
	struct l3 *l3;
	struct worker *worker;
	struct siphash_key cookie_secret;
	struct sim_host client, near;
	struct rig_router routers[RIG_ROUTERS];
	struct rig_route routes[RIG_ROUTES_MAX];
	unsigned route_count;
	uint16_t default_cluster[2]; /* of listeners 0 (http) and 1 (tls), or CLUSTER_NONE */

	uint64_t start;
	uint32_t sequence;
	uint64_t revision;
	bool torn; /* a resync was begun and not ended: only another resync may follow */

	struct frame rx[2][RIG_RX_MAX];
	unsigned rx_count[2];
	struct sim_event poll, tick;
	uint64_t frames_out; /* of the pool, now */
	uint64_t received, sent, sent_limit, no_frame;
	unsigned event_count[4]; /* by type */
	struct {
		unsigned ended[record_state_count], refused, listed;
		uint32_t queries;            /* asked so far */
		unsigned open_queries;       /* not answered yet */
		struct record_query_end end; /* of the last one answered */
		unsigned full;               /* of 10,000 answers, so many find no room at first */
	} records;
	unsigned asked;
	bool wild_births; /* a test counts segments that look like the first of a connection by chance */
	bool strangers;   /* a test sends frames from addresses that nobody has: answers go nowhere */
	bool answer_asks; /* the "kernel" resolves what it is asked for */

	struct exchange *exchanges;
	struct exchange *by_iss[256];
	unsigned exchange_count, unfinished;
	uint16_t next_port;
};

/* An IPv4 address in host byte order as the dataplane has it. */
struct address rig_address(uint32_t host_order);

struct rig *rig_new(uint64_t seed);
/* Creates the worker and tells it the tables. */
void rig_start(struct rig *rig);
/* Lets all flows end (at most `limit_us`), checks gauges, pool and sums, frees everything. */
void rig_end(struct rig *rig, uint64_t limit_us);
/* Without waiting or checks of gauges: for tests that leave flows behind. */
void rig_drop(struct rig *rig);

/* Same loss, repetition and reordering (per 10,000) on all four links. */
void rig_impair(struct rig *rig, unsigned loss, unsigned duplicate, unsigned reorder, unsigned corrupt);

void rig_run(struct rig *rig, uint64_t us);
/* Until every exchange has finished; fails after `limit_us`. */
void rig_run_all(struct rig *rig, uint64_t limit_us);

/* ---- control (sim_control.c) ---- */

/* A full resync with what `routers` and `routes` say. */
void rig_sync(struct rig *rig);
/* The same, cut off before its end: as if control had died. */
void rig_sync_begun(struct rig *rig);
/* A batch: one router host, one route. After a torn resync a whole one. */
void rig_tell_router(struct rig *rig, unsigned router);
void rig_tell_route(struct rig *rig, unsigned route);
void rig_set_weight(struct rig *rig, unsigned route, unsigned share, uint16_t weight);
/* Every connection is recorded. */
void rig_tell_log(struct rig *rig);
/* Lists or closes connections: CONNECTIONS_LIST or CONNECTIONS_CLOSE, of a router host, or of all (-1). */
void rig_query(struct rig *rig, uint8_t action, int router);
void rig_explain(struct rig *rig, const char *name, bool tls);
/* Index of the route that serves the name, or -1. */
int rig_route_of(const struct rig *rig, const char *name);

/* The kernel forgets, or learns, all neighbours but the clients' gateway. */
void rig_forget_neighbours(struct rig *rig);
void rig_forget_router(struct rig *rig, unsigned router);
void rig_learn_neighbours(struct rig *rig);

/* ---- records (sim_record.c) ---- */

bool rig_record(struct rig *rig, const struct record *record);
/* With no connection left: each that was spliced has one record, with the bytes that its endpoints saw; and queries
 * were answered. */
void rig_check_records(struct rig *rig);

/* ---- looking ---- */

uint64_t rig_counter(const struct rig *rig, enum counter counter);
uint64_t rig_outcomes(const struct rig *rig);
/* Fails unless the counter has this value. */
void rig_expect(struct rig *rig, enum counter counter, uint64_t value);
/* Checks sums and, if `idle`, that nothing is in use. */
void rig_check(struct rig *rig, bool idle);
struct shared_host_counters *rig_host_counters(struct rig *rig, unsigned router);
struct shared_pair_counters *rig_pair_counters(struct rig *rig, unsigned route, unsigned share);

/* A frame from nowhere arrives on a port now. */
void rig_inject(struct rig *rig, uint8_t port, const uint8_t *frame, uint16_t len);

#endif
