/* One worker between a client's network (port NORTH) and that of the router hosts (port SOUTH), driven by a test as a
 * packet script: what a peer sends, and exactly which frames leave, in order. Time stands still unless the test moves
 * it.
 *
 *     struct conn *c = conn_new(x, 40000);
 *     client_sends(c, "S 0 win 64240 mss 1460 sackok ws 7");
 *     expect_client(c, "S. 0 ack 1 win 16384 mss 1460 ws 7 sackok");
 *
 * Numbers count from the initial sequence numbers of the side that the frame comes from or goes to, so that a frame
 * that goes through reads the same on both sides. Payload is not written: the client's byte N is conn->say[N - 1] (a
 * fixed pattern behind its end), the router host's byte N a pattern; what leaves is compared with it. Of each frame
 * that leaves everything is checked: lengths, checksums, addresses, ports, MACs.
 *
 * A frame that a test does not expect fails it at the next step. exchange_end checks that no frame was lost, that every
 * frame is accounted for, and that ending all flows gives everything back. */
#ifndef PM_EXCHANGE_H
#define PM_EXCHANGE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/record.h"
#include "dataplane/core.h"

enum { NORTH, SOUTH };

enum {
	EXCHANGE_HOSTS = 4, /* slots 0 and 1 are of cluster 0, 2 and 3 of cluster 1 */
	EXCHANGE_FRAME_ROOM = 2048,
	EXCHANGE_QUEUE = 2048,
	EXCHANGE_NOTES = 64,
	EXCHANGE_RECORDS = 1024,
	REQUEST_LEN = 100,
	HELLO_MAX = 512,
};

#define EXCHANGE_VIP "198.51.100.10" /* port 80 http, 443 TLS */

/* The names that the tables have at first. */
#define ONE_NAME    "one.test"    /* cluster 0 alone */
#define APP_NAME    "app.test"    /* cluster 0 and 1 at 1000:8000 */
#define SECURE_NAME "secure.test" /* cluster 0, https only */
#define WILD_NAME   "wild.test"   /* wildcard, cluster 1 */

/* A request for ONE_NAME of exactly REQUEST_LEN bytes. */
extern const char request[REQUEST_LEN + 1];

struct sent_frame {
	uint8_t port;
	uint16_t len;
	uint8_t data[EXCHANGE_FRAME_ROOM];
};

struct exchange {
	/* To be changed between setup and exchange_start. */
	struct config config;
	uint16_t mtu[2];
	uint64_t now_us;
	unsigned index, count; /* this worker, all workers */

	bool checked;        /* frames come with verified checksums */
	unsigned frames_max; /* that the pool has */
	uint16_t room;       /* of the frames that the worker gets for its own segments */
	bool event_refused, ask_refused, hand_over_refused;
	unsigned record_room; /* that the ring of records has left */

	struct worker *worker;
	struct l3 *l3;
	struct shared_header *shared;
	struct sent_frame *sent;
	unsigned sent_first, sent_count;
	unsigned frames_out; /* of the pool */
	uint64_t received, sent_total, handed_total;
	unsigned handed_to; /* the last */
	struct event events[EXCHANGE_NOTES];
	unsigned event_count;   /* may be more than are kept, as below */
	struct record *records; /* EXCHANGE_RECORDS */
	unsigned record_count, record_read;
	struct {
		struct address address;
		bool managed;
	} asks[EXCHANGE_NOTES];
	unsigned ask_count;
	struct conn *conns;

	/* Control: of the next message. */
	uint64_t start;
	uint32_t sequence;
	uint64_t revision;
};

/* A client's connection, and the one to the router host when there is one. */
struct conn {
	struct exchange *x;
	struct conn *next;
	/* To be changed before the first segment. */
	struct address client;
	uint16_t client_port, vip_port;
	uint8_t port;          /* NORTH or SOUTH */
	uint8_t client_mac[6]; /* that the client sends from */
	uint8_t way_mac[6];    /* that frames to it must have */
	uint32_t client_isn, router_isn;
	const char *client_options, *router_options; /* of their SYNs */
	uint16_t client_window, router_window;       /* fields, of SYN and others */
	const uint8_t *say;
	size_t say_len;

	/* Learned from what leaves. */
	uint32_t our_isn;
	struct address local, router;
	uint16_t local_port, router_port;
	bool router_talks; /* has sent something: payload to the client is its */
	char answer[1024]; /* payload to the client before that */
	size_t answer_len;
	uint8_t own_say[HELLO_MAX];
};

/* cmocka's setup and teardown. */
int exchange_setup(void **state);
int exchange_teardown(void **state);
/* Makes the worker; tells it nothing. */
void exchange_create(struct exchange *x);
/* The same, and the default tables. */
void exchange_start(struct exchange *x);
/* exchange_start with everything as it is. */
struct exchange *exchange_begin(void **state);
void exchange_end(struct exchange *x);

/* ---- packets ---- */

struct conn *conn_new(struct exchange *x, uint16_t client_port);
/* From another address: on the port where the route to it leads. */
struct conn *conn_from(struct exchange *x, const char *address, uint16_t client_port);

void client_sends(struct conn *c, const char *text);
void router_sends(struct conn *c, const char *text);
/* The same with other bytes than the pattern has. */
void client_sends_bytes(struct conn *c, const char *text, const void *bytes);
/* An ICMP error about a segment that was sent to `about`, quoting the number `seq` (relative). */
void network_sends_icmp(struct conn *c, enum side about, uint8_t type, uint8_t code, uint16_t mtu, int32_t seq);
/* Any frame. */
void frame_arrives(struct exchange *x, uint8_t port, const uint8_t *bytes, uint16_t len);
/* The frame of a segment, without sending it; returns its length. */
uint16_t client_frame(struct conn *c, uint8_t frame[static EXCHANGE_FRAME_ROOM], const char *text, const void *bytes);
uint16_t router_frame(struct conn *c, uint8_t frame[static EXCHANGE_FRAME_ROOM], const char *text);

/* The next frame that leaves. An ICMP error reads "icmp TYPE/CODE mtu N seq N". */
#define expect_client(c, text)      exchange_expect(c, SIDE_CLIENT, text, __FILE__, __LINE__)
#define expect_router(c, text)      exchange_expect(c, SIDE_ROUTER, text, __FILE__, __LINE__)
#define expect_silence(x)           exchange_expect_silence(x, __FILE__, __LINE__)
#define expect_count(x, counter, n) exchange_expect_count(x, counter, #counter, n, __FILE__, __LINE__)
#define expect_state(c, state)      exchange_expect_state(c, state, __FILE__, __LINE__)
void exchange_expect(struct conn *c, enum side side, const char *text, const char *file, int line);
void exchange_expect_silence(struct exchange *x, const char *file, int line);
void exchange_expect_count(struct exchange *x, enum counter counter, const char *name, uint64_t n, const char *file,
                           int line);
/* FLOW_FREE: the worker has no flow of this connection. */
void exchange_expect_state(struct conn *c, enum flow_state state, const char *file, int line);
/* Takes the next frame, whatever it is. */
struct sent_frame exchange_take(struct exchange *x);
/* Takes the SYN to a router host that must come next, and returns the host's slot. */
unsigned expect_syn(struct conn *c);
struct flow *conn_flow(struct conn *c);
void exchange_describe(const struct sent_frame *sent);

/* ---- common beginnings ---- */

/* SYN, SYN-ACK, ACK: a flow in FLOW_HEAD. */
void conn_handshake(struct conn *c);
/* And the request (or what `say` has) in one segment, which completes the head: FLOW_CONNECTING, the SYN is taken. */
void conn_request(struct conn *c);
/* And the router host's SYN-ACK and the held bytes: FLOW_JOINING. */
void conn_join(struct conn *c);
/* And its acknowledgement: FLOW_SPLICED. The client is at 101, the router host at 1. */
void conn_splice(struct conn *c);
/* All of this on a new connection. */
struct conn *conn_spliced(struct exchange *x, uint16_t client_port);
/* Before the handshake: chooses the client's port and ISN so that our ISN is one of the last 128, and a client without
 * window scaling. The epoch must be odd. */
void conn_wrap(struct conn *c);
/* A request for this name from the handshake on; returns the slot of the router host that gets the SYN. */
unsigned conn_elect(struct exchange *x, uint16_t client_port, const char *name);

/* A GET for `name`, `len` bytes long with its empty line. */
void request_write(char *out, const char *name, size_t len);
/* A ClientHello for `name` (NULL: without SNI); returns its length. */
size_t hello_write(uint8_t out[static HELLO_MAX], const char *name);

/* ---- time ---- */

/* In steps of 1 ms, with a tick after each. */
void pass_ms(struct exchange *x, uint32_t ms);
/* Until something is sent; returns how long that took. Fails after `limit_ms`. */
uint32_t pass_until_sent(struct exchange *x, uint32_t limit_ms);

/* ---- control ---- */

struct message host_message(unsigned slot, bool healthy);
struct message route_message(uint64_t id, const char *name, unsigned share_count, const struct message_share *shares);
struct message plain_message(enum message_type type);
/* Seals it as the next one and gives it to the worker. */
void tell(struct exchange *x, struct message message);
void tell_end(struct exchange *x, enum message_type type);
void tell_host(struct exchange *x, unsigned slot, bool healthy);
/* A full resync with the default tables. */
void tell_everything(struct exchange *x);

/* Record each Nth connection that ends, and so many refused ones a second. */
void tell_log(struct exchange *x, uint32_t every, uint32_t refused_per_second);

/* The next record that the worker has made, which must be of this type. */
#define expect_record(x, type) exchange_expect_record(x, type, __FILE__, __LINE__)
#define expect_no_record(x)    assert_int_equal((x)->record_read, (x)->record_count)
const struct record *exchange_expect_record(struct exchange *x, enum record_type type, const char *file, int line);

struct address ip(const char *text);
struct address exchange_host(unsigned slot);
void exchange_host_mac(unsigned slot, uint8_t mac[6]);
extern const uint8_t exchange_port_macs[2][6];

#endif
