/* What runs on each worker core: takes messages and frames in, drives one worker (worker.h), sends its frames out. One
 * struct worker_loop belongs to one core; loops meet only in rings. The main thread reads counters and gives orders
 * through atomics. Knows no TCP and no netlink. */
#ifndef PM_WORKER_LOOP_H
#define PM_WORKER_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "common/config.h"
#include "dataplane/l3.h"
#include "dataplane/port.h"
#include "dataplane/shared_zone.h"

/* A worker's question for the kernel's neighbour table. */
struct ask {
	struct address destination;
	uint64_t managed;
};

/* What can change while the workers run. */
struct running {
	struct config *config;
	struct vip_table vips;
};

/* What the main thread wants; each includes the ones before. */
enum order {
	ORDER_RUN,
	ORDER_REFUSE_NEW, /* SYNs get RST */
	ORDER_RESET_ALL,  /* RST to both sides of every connection */
	ORDER_STOP,       /* send what is left, leave */
};

struct worker_loops;

struct worker_loops_params {
	const struct config *config;
	const struct shared_zone *zone;
	const struct l3 *l3;
	struct port *ports; /* started; `config->port_count` */
	struct rte_mempool *pool;
	unsigned workers;
	int ask_event; /* eventfd, written when there are questions */
};

/* Takes all memory, the workers' too. NULL: logged. */
struct worker_loops *worker_loops_create(const struct worker_loops_params *params);
/* Starts one on each worker lcore. */
void worker_loops_launch(struct worker_loops *loops);

/* The workers go over to this; both live until all have gone over to another one. */
void worker_loops_reconfigure(struct worker_loops *loops, const struct running *running);
/* All have. */
bool worker_loops_reconfigured(struct worker_loops *loops);

void worker_loops_order(struct worker_loops *loops, enum order order);
/* All workers have carried out the last order. */
bool worker_loops_obeyed(struct worker_loops *loops);
/* Waits for the end of all, after ORDER_STOP. */
void worker_loops_wait(struct worker_loops *loops);

/* The next question of any worker; false: none left. Main thread. */
bool worker_loops_next_ask(struct worker_loops *loops, struct ask *out);

/* Frames of a port that were dropped for one of two reasons that only the operator can mend, since the start. */
struct port_faults {
	uint64_t partial_checksum, oversize;
};
struct port_faults worker_loops_faults(const struct worker_loops *loops, unsigned port);

#endif
