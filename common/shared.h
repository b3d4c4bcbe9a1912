/* The shared memory of dataplane and control: one memzone, SHARED_ZONE, made by the dataplane at start and looked
 * up by control. Layout and messages carry a version; a mismatch is refused with one line.
 *
 * Who writes what: the header's first part and the ports, the dataplane's main thread; control_start and the
 * directory, control; a worker's block, that worker. Everything that changes is a relaxed or release atomic. */
#ifndef PM_SHARED_H
#define PM_SHARED_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "counters.h"
#include "message.h"
#include "vips.h"

#define SHARED_ZONE  "pm_shared"
#define SHARED_MAGIC 0x706f696e74736d6eULL /* "pointsmn" */

enum {
	SHARED_VERSION = 3,
	PORTS_MAX = 16,
	WORKERS_MAX = 64,
	CACHE_LINE = 64,
};

/* Names of the rings, with the worker's number: control -> worker (struct message), worker -> control (struct event,
 * struct record). */
#define SHARED_RING_MESSAGES "pm_msg_%u"
#define SHARED_RING_EVENTS   "pm_evt_%u"
#define SHARED_RING_RECORDS  "pm_rec_%u"

typedef _Atomic uint64_t shared_u64;

struct shared_port {
	char interface[16];
	shared_u64 rx_packets, rx_bytes, tx_packets, tx_bytes;
	shared_u64 rx_ring_full; /* dropped because the receive ring or the fill queue was empty-handed */
	shared_u64 rx_errors, tx_errors;
	shared_u64 link_up;
};

struct shared_host_counters {
	shared_u64 active;  /* gauge: attempts and connections */
	shared_u64 total;   /* connections spliced */
	shared_u64 refused; /* attempts that failed */
};

struct shared_pair_counters {
	shared_u64 active, total;
};

/* A worker's block: this struct, then host counters, then pair counters. */
struct shared_worker {
	_Alignas(CACHE_LINE) shared_u64 applied_start; /* start number whose sync was applied last; 0: none yet */
	shared_u64 applied_revision;
	shared_u64 mbufs_available;
	shared_u64 mbufs_total;
	_Alignas(CACHE_LINE) shared_u64 counters[counter_count];
};

/* Control's memory of who has which slot; it survives control. An entry with a wrong CRC is in use by nobody
 * knows whom: its slot is not given away until active is 0 on all workers. */
struct shared_directory_entry {
	uint64_t id; /* 0: never used */
	uint32_t generation;
	uint32_t crc;                      /* CRC-32C of the entry with this field 0 */
	uint64_t base_total, base_refused; /* what the slot's counters showed when its owner got it */
};

struct shared_header {
	uint64_t magic;
	uint32_t version;
	uint32_t message_version;
	uint32_t header_size; /* sizeof(struct shared_header): catches another build */
	uint32_t counter_total;
	uint64_t size; /* of the whole zone, bytes */
	uint32_t worker_count, port_count, reserved;
	uint32_t hosts_max, pairs_max, routes_max;
	uint64_t tsc_hz;
	uint64_t started_at;                   /* Unix time, ms */
	uint64_t worker_offset, worker_stride; /* from the start of the zone */
	uint64_t host_directory_offset, pair_directory_offset;
	shared_u64 control_start;      /* announced by control before its SYNC_BEGIN */
	shared_u64 config_print;       /* of the file that runs: config_print */
	shared_u64 config_refused;     /* of the last file that was refused; its errors are in the log */
	struct vip_table vips;         /* vips_publish: the main thread writes, control reads; workers have their own */
	shared_u64 vip_held[VIPS_MAX]; /* 1: the kernel holds the address (main thread writes, workers read) */
	struct shared_port ports[PORTS_MAX];
};

static inline struct shared_worker *shared_worker_at(struct shared_header *shared, unsigned worker)
{
	return (struct shared_worker *)((char *)shared + shared->worker_offset + worker * shared->worker_stride);
}

static inline struct shared_host_counters *shared_hosts_of(struct shared_worker *worker)
{
	return (struct shared_host_counters *)(worker + 1);
}

static inline struct shared_pair_counters *shared_pairs_of(const struct shared_header *shared,
                                                           struct shared_worker *worker)
{
	return (struct shared_pair_counters *)(shared_hosts_of(worker) + shared->hosts_max);
}

static inline struct shared_directory_entry *shared_host_directory(struct shared_header *shared)
{
	return (struct shared_directory_entry *)((char *)shared + shared->host_directory_offset);
}

static inline struct shared_directory_entry *shared_pair_directory(struct shared_header *shared)
{
	return (struct shared_directory_entry *)((char *)shared + shared->pair_directory_offset);
}

static inline size_t shared_worker_size(uint32_t hosts_max, uint32_t pairs_max)
{
	size_t size = sizeof(struct shared_worker) + hosts_max * sizeof(struct shared_host_counters) +
	              pairs_max * sizeof(struct shared_pair_counters);
	return (size + CACHE_LINE - 1) & ~(size_t)(CACHE_LINE - 1);
}

/* Bytes that the zone needs, and its layout written into a zeroed zone. */
static inline size_t shared_size(uint32_t workers, uint32_t hosts_max, uint32_t pairs_max)
{
	size_t header = (sizeof(struct shared_header) + CACHE_LINE - 1) & ~(size_t)(CACHE_LINE - 1);
	return header + workers * shared_worker_size(hosts_max, pairs_max) +
	       (hosts_max + (size_t)pairs_max) * sizeof(struct shared_directory_entry);
}

static inline void shared_layout(struct shared_header *shared, uint32_t workers, uint32_t hosts_max, uint32_t pairs_max)
{
	shared->magic = SHARED_MAGIC;
	shared->version = SHARED_VERSION;
	shared->message_version = MESSAGE_VERSION;
	shared->header_size = sizeof(*shared);
	shared->counter_total = counter_count;
	shared->size = shared_size(workers, hosts_max, pairs_max);
	shared->worker_count = workers;
	shared->hosts_max = hosts_max;
	shared->pairs_max = pairs_max;
	shared->worker_offset = (sizeof(*shared) + CACHE_LINE - 1) & ~(uint64_t)(CACHE_LINE - 1);
	shared->worker_stride = shared_worker_size(hosts_max, pairs_max);
	shared->host_directory_offset = shared->worker_offset + workers * shared->worker_stride;
	shared->pair_directory_offset =
	    shared->host_directory_offset + hosts_max * sizeof(struct shared_directory_entry);
}

static inline void shared_add(shared_u64 *value, uint64_t n)
{
	atomic_store_explicit(value, atomic_load_explicit(value, memory_order_relaxed) + n, memory_order_relaxed);
}

static inline uint64_t shared_get(const shared_u64 *value)
{
	return atomic_load_explicit(value, memory_order_relaxed);
}

static inline void shared_set(shared_u64 *value, uint64_t n)
{
	atomic_store_explicit(value, n, memory_order_relaxed);
}

#endif
