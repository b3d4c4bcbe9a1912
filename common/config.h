/* The configuration file: what the machine is. Both programs read it; the dataplane leaves `clusters` alone.
 * docs/configuration.md describes every field for the operator. */
#ifndef PM_CONFIG_H
#define PM_CONFIG_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "address.h"
#include "message.h"
#include "shared.h"

enum {
	CONFIG_LISTENER_ADDRESSES_MAX = 16,
	CONFIG_POOL_PREFIXES_MAX = 16,
	CONFIG_CIDRS_MAX = 32,
	CONFIG_EAL_ARGS_MAX = 32,
	CONFIG_NAME_MAX = 63,
	CONFIG_PATH_MAX = 255,
};

enum listener_mode { LISTENER_HTTP, LISTENER_TLS };
enum idle_mode { IDLE_POLL, IDLE_YIELD, IDLE_SLEEP };

/* `ports[]`: {"interface": "north"} is served over AF_XDP; with "device" it is the DPDK port of that name, made by
 * the EAL arguments, and `interface` is the kernel interface that stands for it. */
struct config_port {
	char interface[16];
	char device[CONFIG_NAME_MAX + 1]; /* "" : AF_XDP on the interface */
};

struct config_listener {
	char name[CONFIG_NAME_MAX + 1];
	enum listener_mode mode;
	uint16_t port; /* host byte order */
	unsigned address_count;
	struct address addresses[CONFIG_LISTENER_ADDRESSES_MAX];
	char default_cluster[CONFIG_NAME_MAX + 1]; /* for unknown and missing names; "" : reject */
};

struct config {
	unsigned port_count;
	struct config_port ports[PORTS_MAX];
	unsigned listener_count;
	struct config_listener listeners[LISTENERS_MAX];

	struct { /* "source_pool": {"prefixes": ["203.0.113.64/28"], "ports": [1024, 65535]} */
		unsigned prefix_count;
		struct prefix prefixes[CONFIG_POOL_PREFIXES_MAX];
		uint16_t port_first, port_last;
	} pool;

	struct {                  /* "dataplane": {...} */
		char lcores[128]; /* EAL --lcores; the first is the main thread, each other one a worker */
		enum idle_mode idle;
		unsigned memory_mb; /* hugepage memory, all taken at start */
		unsigned mbufs;     /* packet buffers for all ports */
		unsigned eal_arg_count;
		char *eal_args[CONFIG_EAL_ARGS_MAX];
		char xdp_program[CONFIG_PATH_MAX + 1]; /* "": as built or installed */
	} dataplane;

	struct {                          /* "timeouts", all in ms */
		uint32_t head;            /* 10,000: from the handshake to a complete head */
		uint32_t connect_attempt; /* 1,000: one router host may be silent that long */
		uint32_t connect_total;   /* 5,000: all attempts for one client */
		uint32_t idle;            /* 3,900,000: spliced, no packet */
		uint32_t half_closed;     /* 60,000: one FIN acknowledged, no packet */
		uint32_t linger;          /* 2,000: both FINs acknowledged, still translating */
		uint32_t shutdown_grace;  /* 0: how long old connections go on after SIGTERM */
	} timeouts;

	struct {                          /* "limits", each for one worker except hosts, routes, pairs */
		uint32_t head_bytes;      /* 16,384 */
		uint16_t client_mss;      /* 1,460: largest MSS offered to clients */
		uint32_t connections;     /* 65,536 */
		uint32_t young;           /* 8,192: connections before the splice */
		uint32_t large_heads;     /* 1,024: heads over 2 KiB at once */
		uint32_t connection_rate; /* 20,000 new connections per second, remembered for 16 s */
		uint32_t hosts;           /* 1,024 router hosts of all clusters */
		uint32_t routes;          /* 10,000 host names */
		uint32_t pairs;           /* 20,000 (host name, cluster) */
		uint32_t neighbours;      /* 65,536 next hops */
	} limits;

	struct {                 /* "admin" */
		char listen[80]; /* "127.0.0.1:8089" */
		struct address listen_address;
		uint16_t listen_port;
		unsigned allow_from_count;
		struct prefix allow_from[CONFIG_CIDRS_MAX];
		unsigned allowed_host_count;
		char *allowed_hosts[CONFIG_CIDRS_MAX];
		unsigned metrics_from_count; /* who may read /metrics without a token */
		struct prefix metrics_from[CONFIG_CIDRS_MAX];
		unsigned loopback;                /* enum role that a peer on loopback has without a token; 0: none */
		char tokens[CONFIG_PATH_MAX + 1]; /* the file of tokens; "": tokens in paths.state */
		char tls_certificate[CONFIG_PATH_MAX + 1]; /* PEM, "": no TLS */
		char tls_key[CONFIG_PATH_MAX + 1];
		uint32_t requests_per_second; /* 200: of one peer address */
	} admin;

	struct {           /* "log" */
		bool json; /* "format": "text" or "json" */
		enum { CONNECTION_LOG_OFF, CONNECTION_LOG_SAMPLED, CONNECTION_LOG_FULL } connections;
		uint32_t sample;                            /* 100: of "sampled", each so many-th connection */
		char connections_file[CONFIG_PATH_MAX + 1]; /* "": standard error */
	} log;

	struct {                                 /* "paths" */
		char run[CONFIG_PATH_MAX + 1];   /* "/run/pointsman": run file, sockets */
		char state[CONFIG_PATH_MAX + 1]; /* "/var/lib/pointsman": state file */
	} paths;

	uint64_t print; /* of the file's bytes: the same number for the same file, never 0 */

	json_t *clusters; /* as read, an array; owned; never NULL */
};

/* All errors of a configuration at once: "$.listeners[0].port: 70000 is out of range; expected a number from 1 to
 * 65535". */
struct config_errors {
	size_t count;
	char **lines; /* owned */
};

__attribute__((format(printf, 3, 4))) void config_error(struct config_errors *errors, const char *json_path,
                                                        const char *format, ...);
void config_errors_free(struct config_errors *errors);
struct json_faults;
/* Takes over what a reader found, one line per fault. */
void config_faults(struct config_errors *errors, const struct json_faults *faults);

/* Reads and checks the machine's part of the file. NULL with at least one error. Unknown fields are errors (with the
 * nearest known name). `clusters` is only checked to be an array. Free with config_free. */
struct config *config_read(const char *path, struct config_errors *errors);
/* The bytes of the file, for config_parse; NULL with one error. Free them. */
char *config_load(const char *path, size_t *len, struct config_errors *errors);
/* The same as config_read from JSON text; `name` stands in syntax errors. */
struct config *config_parse(const char *text, size_t len, const char *name, struct config_errors *errors);
void config_free(struct config *config);

/* 127.0.0.0/8 and ::1 */
bool config_address_is_loopback(const struct address *address);
/* An address that a host may have toward others: not 0/8, 127/8, multicast, 240/4, "::". */
bool config_address_is_host(const struct address *address);

#endif
