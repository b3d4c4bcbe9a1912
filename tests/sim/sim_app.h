/* What clients and servers of a rig say: an exchange is one client connection with a request (an HTTP head or a TLS
 * ClientHello, then bytes), a response, and a way of closing; both sides verify every byte. A router host knows whose
 * connection it got by the ISN, which is the client's own. */
#ifndef PM_SIM_APP_H
#define PM_SIM_APP_H

#include "sim_rig.h"

enum app_closing {
	APP_CLIENT_FIRST, /* the client, when it has everything */
	APP_SERVER_FIRST, /* the server, behind its last byte */
	APP_BOTH,         /* both at the same microsecond, when both have everything */
	APP_CLIENT_HALF,  /* the client right behind its request; only then the server responds */
	APP_SERVER_HALF,  /* the server responds and closes; only then the client sends the rest */
	APP_NOBODY,       /* a test does it */
};

enum app_from {
	APP_FAR,    /* from the clients' network, through the gateway */
	APP_NEAR,   /* on the client network */
	APP_ROUTER, /* router host 0 itself, on port 1 */
};

/* Zeroes are a good plan, apart from `name`. */
struct app_plan {
	const char *name; /* host name */
	bool tls;
	enum app_from from;
	uint32_t client;        /* which client address */
	uint16_t port;          /* of the client; 0: the next one */
	size_t head_len;        /* padded to this; 0: as it comes */
	unsigned write_size;    /* the head is written in pieces of so many bytes; 0: at once */
	uint64_t write_gap_us;  /* between pieces */
	unsigned record_size;   /* ClientHello in TLS records of so many bytes; 0: one */
	const uint8_t *request; /* sent instead of a head made from the plan; never compared */
	size_t request_len;
	size_t up, down;   /* bytes behind the head, bytes of the response */
	uint64_t think_us; /* of the server, before the response */
	enum app_closing closing;
	struct sim_tcp_params client_params; /* receive_buffer 0: usual ones */
	uint32_t iss;                        /* 0: by chance, often close to the wrap */
	bool answer;   /* an answer of the balancer is awaited: bytes are kept, not compared, nobody must be reached */
	bool may_fail; /* ends of all kinds are noted, not judged */
};

struct exchange {
	struct rig *rig;
	struct exchange *next, *next_by_iss;
	struct app_plan plan;
	unsigned number;
	int route;
	uint8_t *up, *down; /* the whole content of both directions, head included */
	size_t head_len, up_len, down_len;
	struct sim_tcp *client, *server;

	size_t written; /* of `up` */
	bool wrote_all, responded, closing;
	size_t client_bytes, server_bytes;
	bool client_has_fin, server_has_fin;
	enum sim_tcp_end client_end, server_end;
	bool finished, server_aborted;
	unsigned syns, connections, served; /* at router hosts */
	uint64_t started_at, established_at, first_byte_at, finished_at;
	unsigned ended_count;           /* records of its end */
	struct record_connection ended; /* the last one */
	bool answered;                  /* by the balancer, though the plan hoped for more (may_fail) */
	uint8_t answer[2048];
	size_t answer_len;
};

struct exchange *app_start(struct rig *rig, const struct app_plan *plan);
/* All bytes both ways and both FINs. */
bool app_complete(const struct exchange *exchange);
/* The client gives up: RST, or nothing at all. */
void app_client_abort(struct exchange *exchange);
void app_client_vanish(struct exchange *exchange);
void app_server_abort(struct exchange *exchange);
/* Usual options of a client: MSS 1460, scale 7, SACK. */
struct sim_tcp_params app_usual_params(void);

/* The router host of an exchange's connection; -1: none was made. */
int app_router(const struct exchange *exchange);

/* ---- for the rig ---- */

void app_listen(struct rig_router *router);
void app_free(struct rig *rig);
/* A client has used this initial sequence number. */
bool app_has_isn(const struct rig *rig, uint32_t isn);
__attribute__((noreturn)) void app_fail_unfinished(struct rig *rig);

/* ---- content (sim_content.c) ---- */

enum { APP_HEAD_ROOM = 40000 };

/* `len` bytes that depend on `key` and their place. */
void app_fill(uint8_t *at, size_t len, uint64_t key);
/* The head that the exchange's plan wants; returns its length, at most APP_HEAD_ROOM. */
size_t app_http_head(uint8_t *out, const struct exchange *exchange);
/* Writes a ClientHello of at least `want` bytes for `name` ("": no SNI) in records of `record_size`; returns its
 * length. */
size_t app_client_hello(uint8_t *out, size_t room, const char *name, size_t want, unsigned record_size, uint64_t seed);

#endif
