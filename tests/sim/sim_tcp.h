/* A small TCP endpoint that behaves like Linux where it matters here (RFC 9293, 6298 with a minimum of 200 ms, 5681,
 * 2018 and 2883, 5961, TIME_WAIT), and that fails the test when it is sent something that no right peer sends: a wrong
 * checksum, an acknowledgement of what was never sent or that goes back, data beyond the offered window, bytes that
 * change when repeated, a window that shrinks, SACK blocks that make no sense, options that were not negotiated.
 * No timestamps, no urgent data, no simultaneous open. */
#ifndef PM_SIM_TCP_H
#define PM_SIM_TCP_H

#include "sim_net.h"

enum sim_tcp_state {
	SIM_CLOSED,
	SIM_SYN_SENT,
	SIM_SYN_RECEIVED,
	SIM_ESTABLISHED,
	SIM_FIN_WAIT_1,
	SIM_FIN_WAIT_2,
	SIM_CLOSE_WAIT,
	SIM_CLOSING,
	SIM_LAST_ACK,
	SIM_TIME_WAIT,
};

enum sim_tcp_end {
	SIM_END_NONE,
	SIM_END_NORMAL,  /* both FINs acknowledged */
	SIM_END_REFUSED, /* RST in answer to our SYN */
	SIM_END_RESET,   /* a RST that was believed */
	SIM_END_TIMEOUT, /* given up */
	SIM_END_ABORTED, /* by sim_tcp_abort or sim_tcp_vanish */
};

struct sim_tcp_params {
	uint16_t mss;         /* announced; 0: no option */
	uint8_t window_scale; /* 0 to 14, or SIM_NO_SCALE */
	bool sack;
	bool nagle;
	bool ack_with_data; /* no bare ACK ends the handshake: the first data does (TCP_DEFER_ACCEPT, quick clients) */
	uint8_t sack_shift; /* NOPs before SACK options, 0 to 3: its numbers need not be aligned */
	uint32_t receive_buffer;
	uint32_t delayed_ack_us; /* 0: every segment is acknowledged at once */
	unsigned retries;        /* of one segment, before the connection is given up; 0: 15 */
};

struct sim_tcp;

struct sim_tcp_events {
	void (*established)(struct sim_tcp *tcp, void *context);
	/* In order, each byte once. */
	void (*data)(struct sim_tcp *tcp, void *context, const uint8_t *bytes, size_t len);
	/* The peer's FIN, behind all of its data. */
	void (*finished)(struct sim_tcp *tcp, void *context);
	/* Nothing more will come; TIME_WAIT counts as closed. Once. */
	void (*closed)(struct sim_tcp *tcp, void *context, enum sim_tcp_end end);
};

enum { SIM_RANGES_MAX = 256 };

/* Disjoint ranges of relative sequence numbers in order. */
struct sim_ranges {
	unsigned count;
	struct {
		int64_t left, right;
	} at[SIM_RANGES_MAX];
};

/* Sequence numbers inside are relative to the initial one (SYN is 0, the first byte 1) and never wrap. */
struct sim_tcp {
	struct sim_host *host;
	struct sim_tcp *next_in_bucket, *next;
	uint32_t local, remote;
	uint16_t local_port, remote_port;
	enum sim_tcp_state state;
	enum sim_tcp_end end;
	struct sim_tcp_params params;
	const struct sim_tcp_events *events;
	void *context;
	bool vanished;

	/* what is sent */
	uint32_t iss;
	int64_t snd_una, snd_nxt, snd_max, snd_wnd, wl_seq, wl_ack;
	uint8_t *out;
	size_t out_len, out_room;
	bool fin_queued;
	uint16_t peer_mss;  /* of the SYN; 536 if it had none */
	uint8_t peer_scale; /* of the SYN, or SIM_NO_SCALE */
	bool peer_sack;     /* SACK was negotiated */
	int64_t right_seen; /* highest right edge of the peer's window */
	int64_t cwnd, ssthresh, recover, hole_next;
	bool recovering;
	unsigned dup_acks;
	struct sim_ranges sacked;
	uint64_t rto, srtt, rttvar, rtt_at;
	int64_t rtt_seq; /* 0: nothing is timed */
	unsigned attempts;

	/* what is received */
	uint32_t irs;
	int64_t rcv_nxt, rcv_adv, consumed, fin_at; /* fin_at 0: not known */
	uint8_t *in;
	size_t in_room;
	struct sim_ranges held;
	int64_t recent_left, dsack_left, dsack_right;
	bool paused, fin_told;
	unsigned ack_owed;
	bool ack_now;
	uint64_t challenged_at;

	struct sim_event timer, ack_timer;

	/* what happened */
	unsigned pure_duplicate_acks; /* received, saying nothing new, with data in flight */
	unsigned retransmits, timeouts;
	uint64_t established_at, closed_at;
	uint16_t syn_mss; /* as the peer's SYN had it, 0: absent */
	uint16_t syn_window;
};

enum sim_accept { SIM_ACCEPT, SIM_REFUSE, SIM_IGNORE };

/* A machine: some addresses, one way out. Lives in its owner, zeroed and filled; closed with sim_host_close. */
struct sim_host {
	struct sim *sim;
	const char *name;
	uint32_t address, mask; /* host byte order: it owns all addresses that equal `address` under `mask` */
	uint8_t mac[6], gateway_mac[6];
	struct sim_link *out;
	bool in_order;          /* nothing overtakes or repeats on the whole way: stricter checks */
	int64_t shrink_allowed; /* bytes by which a window may shrink; for tests with tiny buffers */
	bool lenient;           /* segments of former connections may come late: no check of what refers to them */
	bool moves;             /* its MAC changes: frames to another one may come and are not for it */
	bool silent;            /* drops all that comes, sends nothing */
	bool stubborn;          /* TIME_WAIT ignores RST (RFC 1337) and answers every SYN */
	uint64_t time_wait_us;
	/* Asked for a SYN to (address, port) without a connection; fills `params`, `events` and `context` on
	 * SIM_ACCEPT. NULL: refuses all. */
	enum sim_accept (*accept)(void *context, const struct sim_segment *syn, struct sim_tcp_params *params,
	                          const struct sim_tcp_events **events, void **connection_context);
	void *accept_context;
	/* Every right segment that arrives, before it is processed. May be NULL. */
	void (*observe)(void *context, const struct sim_segment *segment);
	struct sim_tcp *all;
	struct sim_tcp *buckets[1024];
	unsigned too_big_received;
	unsigned resets_received, resets_sent, time_wait_challenges, time_wait_killed;
};

void sim_host_close(struct sim_host *host);
/* A frame from the host's link. */
void sim_host_receive(struct sim_host *host, const uint8_t *frame, uint16_t len, bool corrupted);

/* Sends the SYN. Valid until sim_host_close. */
struct sim_tcp *sim_tcp_connect(struct sim_host *host, uint32_t local, uint16_t local_port, uint32_t remote,
                                uint16_t remote_port, uint32_t iss, const struct sim_tcp_params *params,
                                const struct sim_tcp_events *events, void *context);
/* Each call is one write; bytes are copied. Nothing happens on a connection that cannot send any more. */
void sim_tcp_write(struct sim_tcp *tcp, const uint8_t *bytes, size_t len);
/* FIN behind what was written. */
void sim_tcp_shutdown(struct sim_tcp *tcp);
/* RST, as a closed socket with unread data sends it. */
void sim_tcp_abort(struct sim_tcp *tcp);
/* Like a machine without power: nothing is sent or heard any more. */
void sim_tcp_vanish(struct sim_tcp *tcp);
/* A paused reader takes nothing: the window closes. */
void sim_tcp_pause(struct sim_tcp *tcp, bool paused);
/* A bare segment with any numbers (absolute), apart from the connection's own state. */
void sim_tcp_send_raw(struct sim_tcp *tcp, uint8_t flags, uint32_t seq, uint32_t ack, const uint8_t *payload,
                      uint16_t len);
/* All that was written is acknowledged. */
bool sim_tcp_all_acknowledged(const struct sim_tcp *tcp);

/* ---- between sim_tcp.c, sim_tcp_input.c and sim_tcp_ack.c ---- */

/* A scaled window may be rounded up to 1 << 7 (and never to 0) on its way through the balancer. */
enum { SIM_WINDOW_ROUNDING = 128 };

/* A segment in the connection's own numbers. */
struct sim_view {
	const struct sim_segment *segment;
	int64_t left, right; /* FIN and SYN counted */
	int64_t ack;
};

static inline int64_t sim_min(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static inline int64_t sim_max(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* The number that is next to `near`, of all that wrap to the same. */
static inline int64_t sim_relative(uint32_t number, uint32_t initial, int64_t near)
{
	return near + (int32_t)(number - (initial + (uint32_t)near));
}

/* Fails the test: the peer has done what no right peer does. */
__attribute__((format(printf, 2, 3), noreturn)) void sim_tcp_wrong(const struct sim_tcp *tcp, const char *format, ...);
/* False: too many pieces. */
bool sim_range_add(struct sim_ranges *ranges, int64_t left, int64_t right);
/* Takes away what lies before `to`. */
void sim_ranges_cut(struct sim_ranges *ranges, int64_t to);
void sim_tcp_take_ack(struct sim_tcp *tcp, const struct sim_view *view);

void sim_tcp_input(struct sim_host *host, const struct sim_segment *segment);
struct sim_tcp *sim_tcp_find(const struct sim_host *host, uint32_t local, uint16_t local_port, uint32_t remote,
                             uint16_t remote_port);
struct sim_tcp *sim_tcp_new(struct sim_host *host, const struct sim_tcp_params *params,
                            const struct sim_tcp_events *events, void *context);
void sim_tcp_insert(struct sim_tcp *tcp);
void sim_tcp_remove(struct sim_tcp *tcp);
void sim_tcp_output(struct sim_tcp *tcp);
/* A bare acknowledgement now. */
void sim_tcp_acknowledge(struct sim_tcp *tcp);
void sim_tcp_send_syn(struct sim_tcp *tcp);
/* One segment from `from` on once more, also into a closed window. Returns its end. */
int64_t sim_tcp_retransmit(struct sim_tcp *tcp, int64_t from);
void sim_tcp_set_timer(struct sim_tcp *tcp, bool restart);
/* Takes the timed sample if `acknowledged` covers it. */
void sim_tcp_measure(struct sim_tcp *tcp, int64_t acknowledged);
void sim_tcp_close(struct sim_tcp *tcp, enum sim_tcp_end end);
void sim_tcp_enter_time_wait(struct sim_tcp *tcp);
void sim_host_reset(struct sim_host *host, const struct sim_segment *segment);

static inline int64_t sim_tcp_data_end(const struct sim_tcp *tcp)
{
	return 1 + (int64_t)tcp->out_len;
}

#endif
