/* The loop of a worker core: control's messages, a burst from each queue, frames handed over, timers, sending.
 *
 * A port may have fewer queues than there are workers (veth has one). A worker without a queue of its own on a port
 * gets its frames through a ring from the worker that receives them, and sends through a ring to the worker that owns
 * the queue: every pair of workers has two rings, each with one producer and one consumer. */
#include "dataplane/worker_loop.h"

#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_pause.h>
#include <rte_prefetch.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <time.h>

#include "common/log.h"
#include "common/record.h"
#include "dataplane/tsc_clock.h"
#include "dataplane/worker.h"

enum {
	MESSAGES_PER_LOOP = 16,
	OUTPUT_BURST = 32,
	TICK_US = 200,
	EMPTY_LOOPS_BEFORE_IDLE = 1000,
	IDLE_SLEEP_NS = 50000,
	RECLAIM_US = 100000,
	RECLAIMS = 2,
	PAIR_RING_COUNT = 2048, /* a worker on a shared core may have to wait for some ms */
	ASK_RING_COUNT = 4096,
	ASKS_PER_SECOND = 1000,
	US_PER_SECOND = 1000000,
	LOOK_TICKS_MAX = 100000, /* some 30 us */
	LOOP_QUEUES_MAX = PORTS_MAX * PORT_QUEUES_MAX,
};

struct input {
	uint16_t port_id; /* DPDK's */
	uint16_t queue;
	uint8_t port; /* ours */
};

/* The way out by one port: a transmit queue of this worker's, or the worker that has one. */
struct output {
	uint16_t port_id, queue;
	unsigned owner; /* worker */
	uint16_t count;
	uint8_t reclaims; /* still to be made: the driver may hold buffers that were sent */
	struct rte_mbuf *frames[OUTPUT_BURST];
};

struct worker_loop {
	_Alignas(CACHE_LINE) struct worker_loops *all;
	struct worker *worker;
	struct shared_worker *block;
	unsigned index;
	struct rte_mempool *pool;
	struct rte_ring *messages, *events, *records, *asks;
	struct tsc_clock clock;

	unsigned input_count, output_count;
	struct input *inputs;
	struct output outputs[PORTS_MAX];      /* by port of ours */
	struct rte_ring *handed[WORKERS_MAX];  /* by worker: frames that it received and that are ours */
	struct rte_ring *relayed[WORKERS_MAX]; /* by worker: its frames, to be sent by us */

	uint64_t now_us, ticked_us, reclaimed_us;
	unsigned empty_loops;
	uint64_t ask_second; /* the second that asks_left is for */
	unsigned asks_left;
	enum order obeyed_before;

	/* Read by the main thread. */
	_Atomic int obeyed; /* enum order */
	const struct running *_Atomic running;
	_Atomic uint64_t partial_checksum[PORTS_MAX], oversize[PORTS_MAX];
};

struct worker_loops {
	struct worker_loops_params params;
	unsigned count;
	_Atomic int order;                     /* enum order */
	const struct running *_Atomic running; /* NULL: as at the start */
	_Atomic bool ask_pending;              /* the eventfd is written, the main thread has not looked yet */
	struct worker_loop *loops;
};

/* ---- time ---- */

static uint64_t monotonic_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * US_PER_SECOND + (uint64_t)now.tv_nsec / 1000;
}

/* Returns the TSC. If we were interrupted between the two looks, the next turn looks again. */
static uint64_t clock_follow(struct tsc_clock *clock)
{
	uint64_t before = rte_rdtsc(), us = monotonic_us(), after = rte_rdtsc();
	if (after - before <= LOOK_TICKS_MAX)
		tsc_clock_follow(clock, after, us);
	return after;
}

/* ---- out ---- */

static void output_flush(struct worker_loop *loop, struct output *output)
{
	uint16_t sent = rte_eth_tx_burst(output->port_id, output->queue, output->frames, output->count);
	output->reclaims = RECLAIMS;
	if (unlikely(sent < output->count)) {
		shared_add(&loop->block->counters[counter_tx_ring_full], (uint64_t)(output->count - sent));
		rte_pktmbuf_free_bulk(output->frames + sent, output->count - sent);
	}
	output->count = 0;
}

static inline void output_push(struct worker_loop *loop, struct output *output, struct rte_mbuf *mbuf)
{
	output->frames[output->count++] = mbuf;
	if (output->count == OUTPUT_BURST)
		output_flush(loop, output);
}

/* Frames of another worker that leave by a queue of ours. */
static bool send_relayed(struct worker_loop *loop)
{
	bool work = false;
	for (unsigned i = 0; i < loop->all->count; i++) {
		struct rte_mbuf *frames[OUTPUT_BURST];
		if (!loop->relayed[i])
			continue;
		unsigned n = rte_ring_sc_dequeue_burst(loop->relayed[i], (void **)frames, OUTPUT_BURST, NULL);
		for (unsigned k = 0; k < n; k++)
			output_push(loop, &loop->outputs[frames[k]->port], frames[k]);
		work |= n > 0;
	}
	return work;
}

static void flush_all(struct worker_loop *loop)
{
	for (unsigned port = 0; port < loop->output_count; port++)
		if (loop->outputs[port].count > 0)
			output_flush(loop, &loop->outputs[port]);
}

/* The AF_XDP driver takes sent buffers back only when it is called to send: without this the last ones before a silence
 * would look like a leak. */
static void reclaim(struct worker_loop *loop)
{
	if (loop->now_us < loop->reclaimed_us + RECLAIM_US)
		return;
	loop->reclaimed_us = loop->now_us;
	for (unsigned port = 0; port < loop->output_count; port++) {
		struct output *output = &loop->outputs[port];
		if (output->reclaims == 0)
			continue;
		output->reclaims--;
		rte_eth_tx_burst(output->port_id, output->queue, NULL, 0);
	}
}

/* ---- what the worker asks of us (struct worker_io) ---- */

static bool io_alloc(void *context, struct frame *frame)
{
	struct worker_loop *loop = context;
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(loop->pool);
	if (unlikely(!mbuf))
		return false;
	*frame = (struct frame){
	    .data = rte_pktmbuf_mtod(mbuf, uint8_t *),
	    .room = rte_pktmbuf_tailroom(mbuf),
	    .handle = mbuf,
	};
	return true;
}

static void io_send(void *context, struct frame *frame)
{
	struct worker_loop *loop = context;
	struct output *output = &loop->outputs[frame->port];
	struct rte_mbuf *mbuf = frame->handle;

	mbuf->data_off = (uint16_t)(frame->data - (uint8_t *)mbuf->buf_addr);
	mbuf->data_len = frame->len;
	mbuf->pkt_len = frame->len;
	if (likely(output->owner == loop->index)) {
		output_push(loop, output, mbuf);
		return;
	}
	mbuf->port = frame->port;
	if (rte_ring_sp_enqueue(loop->all->loops[output->owner].relayed[loop->index], mbuf) != 0) {
		shared_add(&loop->block->counters[counter_tx_ring_full], 1);
		rte_pktmbuf_free(mbuf);
	}
}

static void io_drop(void *context, struct frame *frame)
{
	rte_pktmbuf_free(frame->handle);
}

static bool io_hand_over(void *context, struct frame *frame, unsigned worker)
{
	struct worker_loop *loop = context;
	struct rte_mbuf *mbuf = frame->handle;
	mbuf->port = frame->port;
	return rte_ring_sp_enqueue(loop->all->loops[worker].handed[loop->index], mbuf) == 0;
}

static bool io_event(void *context, const struct event *event)
{
	struct worker_loop *loop = context;
	return rte_ring_sp_enqueue_elem(loop->events, (void *)(uintptr_t)event, sizeof(*event)) == 0;
}

/* Answers to queries leave room for what happens meanwhile: they wait, which that cannot. */
static bool io_record(void *context, const struct record *record)
{
	struct worker_loop *loop = context;
	if (record->query != 0 && rte_ring_free_count(loop->records) < RECORDS_COUNT / 2)
		return false;
	return rte_ring_sp_enqueue_elem(loop->records, (void *)(uintptr_t)record, sizeof(*record)) == 0;
}

static bool io_ask(void *context, const struct address *destination, bool managed)
{
	struct worker_loop *loop = context;
	struct ask ask = {.destination = *destination, .managed = managed};

	if (loop->ask_second != loop->now_us / US_PER_SECOND) {
		loop->ask_second = loop->now_us / US_PER_SECOND;
		loop->asks_left = ASKS_PER_SECOND;
	}
	if (!managed && loop->asks_left == 0)
		return false;
	if (rte_ring_sp_enqueue_elem(loop->asks, &ask, sizeof(ask)) != 0)
		return false;
	loop->asks_left -= loop->asks_left > 0;
	/* One system call until the main thread has looked, however many questions there are. */
	if (!atomic_exchange(&loop->all->ask_pending, true))
		eventfd_write(loop->all->params.ask_event, 1);
	return true;
}

/* ---- in ---- */

static inline void frame_of(struct rte_mbuf *mbuf, uint8_t port, struct frame *frame)
{
	const uint64_t mask = RTE_MBUF_F_RX_IP_CKSUM_MASK | RTE_MBUF_F_RX_L4_CKSUM_MASK;
	*frame = (struct frame){
	    .data = rte_pktmbuf_mtod(mbuf, uint8_t *),
	    .len = mbuf->data_len,
	    .room = (uint16_t)(mbuf->buf_len - mbuf->data_off),
	    .port = port,
	    .checked = (mbuf->ol_flags & mask) == (RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD),
	    .handle = mbuf,
	};
}

static inline void count_longest(shared_u64 *longest, uint64_t ticks)
{
	if (ticks > shared_get(longest))
		shared_set(longest, ticks);
}

static bool receive_messages(struct worker_loop *loop)
{
	struct message messages[MESSAGES_PER_LOOP];
	uint64_t begin = rte_rdtsc();
	unsigned n =
	    rte_ring_sc_dequeue_burst_elem(loop->messages, messages, sizeof(*messages), MESSAGES_PER_LOOP, NULL);
	if (n == 0)
		return false;
	for (unsigned i = 0; i < n; i++)
		worker_message(loop->worker, &messages[i], loop->now_us);
	count_longest(&loop->block->counters[counter_message_ticks_max], rte_rdtsc() - begin);
	return true;
}

/* One burst of one port. The counters of two faults are compared before and after, so that the port is known. */
static bool receive_burst(struct worker_loop *loop, const struct input *input)
{
	struct rte_mbuf *mbufs[WORKER_BURST_MAX];
	struct frame frames[WORKER_BURST_MAX];
	const shared_u64 *partial = &loop->block->counters[counter_rx_partial_checksum];
	const shared_u64 *oversize = &loop->block->counters[counter_rx_oversize];

	uint16_t n = rte_eth_rx_burst(input->port_id, input->queue, mbufs, WORKER_BURST_MAX);
	if (n == 0)
		return false;
	for (uint16_t i = 0; i < n; i++) {
		rte_prefetch0(rte_pktmbuf_mtod(mbufs[i], void *));
		frame_of(mbufs[i], input->port, &frames[i]);
	}
	uint64_t partial_before = shared_get(partial), oversize_before = shared_get(oversize);
	worker_receive(loop->worker, frames, n, loop->now_us);
	if (unlikely(shared_get(partial) != partial_before))
		shared_add(&loop->partial_checksum[input->port], shared_get(partial) - partial_before);
	if (unlikely(shared_get(oversize) != oversize_before))
		shared_add(&loop->oversize[input->port], shared_get(oversize) - oversize_before);
	return true;
}

static bool receive_handed(struct worker_loop *loop)
{
	bool work = false;
	for (unsigned i = 0; i < loop->all->count; i++) {
		struct rte_mbuf *mbufs[WORKER_BURST_MAX];
		struct frame frames[WORKER_BURST_MAX];
		if (!loop->handed[i])
			continue;
		unsigned n = rte_ring_sc_dequeue_burst(loop->handed[i], (void **)mbufs, WORKER_BURST_MAX, NULL);
		for (unsigned k = 0; k < n; k++)
			frame_of(mbufs[k], (uint8_t)mbufs[k]->port, &frames[k]);
		if (n > 0)
			worker_receive(loop->worker, frames, n, loop->now_us);
		work |= n > 0;
	}
	return work;
}

/* ---- the loop ---- */

static void obey(struct worker_loop *loop, enum order order)
{
	if (order >= ORDER_REFUSE_NEW && loop->obeyed_before < ORDER_REFUSE_NEW)
		worker_refuse_new(loop->worker);
	if (order >= ORDER_RESET_ALL && loop->obeyed_before < ORDER_RESET_ALL)
		worker_reset_all(loop->worker, loop->now_us);
	loop->obeyed_before = order;
}

static bool run_once(struct worker_loop *loop)
{
	bool work = receive_messages(loop);
	for (unsigned i = 0; i < loop->input_count; i++)
		work |= receive_burst(loop, &loop->inputs[i]);
	work |= receive_handed(loop);
	if (loop->now_us >= loop->ticked_us + TICK_US) {
		loop->ticked_us = loop->now_us;
		work |= worker_tick(loop->worker, loop->now_us);
	}
	work |= send_relayed(loop);
	flush_all(loop);
	return work;
}

static void count_busy(struct worker_loop *loop, uint64_t ticks)
{
	shared_u64 *counters = loop->block->counters;
	shared_add(&counters[counter_loops_busy], 1);
	shared_add(&counters[counter_busy_ticks], ticks);
	count_longest(&counters[counter_loop_ticks_max], ticks);
}

static void idle(struct worker_loop *loop, enum idle_mode mode)
{
	static const struct timespec pause = {.tv_nsec = IDLE_SLEEP_NS};
	reclaim(loop);
	if (++loop->empty_loops < EMPTY_LOOPS_BEFORE_IDLE || mode == IDLE_POLL) {
		rte_pause();
		return;
	}
	if (mode == IDLE_YIELD)
		sched_yield();
	else
		nanosleep(&pause, NULL);
}

static int run(void *argument)
{
	struct worker_loop *loop = argument;
	enum idle_mode mode = loop->all->params.config->dataplane.idle;
	const struct running *running = NULL;
	uint64_t tsc = rte_rdtsc();

	prctl(PR_SET_TIMERSLACK, 1UL); /* 50 us are 50 us */
	for (;;) {
		enum order order = atomic_load_explicit(&loop->all->order, memory_order_relaxed);
		loop->now_us = tsc_clock_us(&loop->clock, tsc);
		if (unlikely(loop->now_us >= loop->clock.followed_us + US_PER_SECOND))
			tsc = clock_follow(&loop->clock);
		if (unlikely(order != loop->obeyed_before))
			obey(loop, order);
		const struct running *wanted = atomic_load_explicit(&loop->all->running, memory_order_acquire);
		if (unlikely(wanted != running)) {
			running = wanted;
			mode = running->config->dataplane.idle;
			worker_reconfigure(loop->worker, running->config, &running->vips);
			atomic_store(&loop->running, running);
		}
		bool work = run_once(loop);
		uint64_t end = rte_rdtsc();
		if (work) {
			count_busy(loop, end - tsc);
			loop->empty_loops = 0;
		}
		if (unlikely(atomic_load_explicit(&loop->obeyed, memory_order_relaxed) != (int)order))
			atomic_store(&loop->obeyed, order);
		if (unlikely(order == ORDER_STOP))
			return 0;
		if (!work) {
			idle(loop, mode);
			end = rte_rdtsc();
		}
		tsc = end;
	}
}

/* ---- start and end ---- */

/* The queues of all ports, dealt out in turn. */
static void deal_queues(struct worker_loops *loops)
{
	unsigned turn = 0;
	for (unsigned number = 0; number < loops->params.config->port_count; number++) {
		const struct port *port = &loops->params.ports[number];
		for (unsigned i = 0; i < loops->count; i++)
			loops->loops[i].outputs[number].port_id = port->id;
		for (uint16_t queue = 0; queue < port->queue_count; queue++) {
			struct worker_loop *loop = &loops->loops[turn++ % loops->count];
			loop->inputs[loop->input_count++] =
			    (struct input){.port_id = port->id, .queue = queue, .port = (uint8_t)number};
		}
	}
}

/* Index in `loop->inputs` of a queue of the port; -1: it has none. */
static int queue_of(const struct worker_loop *loop, unsigned port)
{
	for (unsigned i = 0; i < loop->input_count; i++)
		if (loop->inputs[i].port == port)
			return loop->inputs[i].queue;
	return -1;
}

/* Each worker sends by a queue whose receiving half is its own too, or through the worker that has one. */
static void choose_outputs(struct worker_loops *loops)
{
	for (unsigned i = 0; i < loops->count; i++) {
		struct worker_loop *loop = &loops->loops[i];
		loop->output_count = loops->params.config->port_count;
		for (unsigned port = 0; port < loop->output_count; port++) {
			unsigned owner = i;
			while (queue_of(&loops->loops[owner], port) < 0)
				owner = (owner + 1) % loops->count;
			loop->outputs[port].owner = owner;
			loop->outputs[port].queue = (uint16_t)queue_of(&loops->loops[owner], port);
		}
	}
}

static struct rte_ring *pair_ring(char kind, unsigned from, unsigned to)
{
	char name[RTE_RING_NAMESIZE];
	snprintf(name, sizeof(name), "pm_%c_%u_%u", kind, from, to);
	return rte_ring_create(name, PAIR_RING_COUNT, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
}

static bool make_rings(struct worker_loops *loops)
{
	for (unsigned to = 0; to < loops->count; to++) {
		struct worker_loop *loop = &loops->loops[to];
		char name[RTE_RING_NAMESIZE];
		snprintf(name, sizeof(name), "pm_ask_%u", to);
		loop->asks = rte_ring_create_elem(name, sizeof(struct ask), ASK_RING_COUNT, SOCKET_ID_ANY,
		                                  RING_F_SP_ENQ | RING_F_SC_DEQ);
		if (!loop->asks)
			return false;
		for (unsigned from = 0; from < loops->count; from++) {
			if (from == to)
				continue;
			loop->handed[from] = pair_ring('h', from, to);
			loop->relayed[from] = pair_ring('r', from, to);
			if (!loop->handed[from] || !loop->relayed[from])
				return false;
		}
	}
	return true;
}

static bool make_worker(struct worker_loop *loop, const struct worker_params *common)
{
	struct worker_params params = *common;
	params.index = loop->index;
	params.now_us = tsc_clock_us(&loop->clock, rte_rdtsc());
	params.io = (struct worker_io){
	    .context = loop,
	    .alloc = io_alloc,
	    .send = io_send,
	    .drop = io_drop,
	    .hand_over = io_hand_over,
	    .event = io_event,
	    .record = io_record,
	    .ask = io_ask,
	};
	loop->worker = worker_create(&params);
	return loop->worker != NULL;
}

static bool fill(struct worker_loops *loops)
{
	const struct worker_loops_params *params = &loops->params;
	struct worker_params common = {
	    .count = loops->count,
	    .config = params->config,
	    .shared = params->zone->shared,
	    .l3 = params->l3,
	};
	struct tsc_clock clock;

	tsc_clock_start(&clock, rte_rdtsc(), monotonic_us(), rte_get_tsc_hz());
	if (getrandom(&common.cookie_secret, sizeof(common.cookie_secret), 0) != sizeof(common.cookie_secret))
		return false;
	for (unsigned i = 0; i < loops->count; i++) {
		struct worker_loop *loop = &loops->loops[i];
		memset(loop, 0, sizeof(*loop));
		loop->all = loops;
		loop->index = i;
		loop->clock = clock;
		loop->pool = params->pool;
		loop->messages = params->zone->messages[i];
		loop->events = params->zone->events[i];
		loop->records = params->zone->records[i];
		loop->block = shared_worker_at(params->zone->shared, i);
		loop->inputs = calloc(LOOP_QUEUES_MAX, sizeof(*loop->inputs));
		if (!loop->inputs ||
		    getrandom(&common.table_secret, sizeof(common.table_secret), 0) != sizeof(common.table_secret) ||
		    !make_worker(loop, &common))
			return false;
	}
	deal_queues(loops);
	choose_outputs(loops);
	return make_rings(loops);
}

struct worker_loops *worker_loops_create(const struct worker_loops_params *params)
{
	struct worker_loops *loops = calloc(1, sizeof(*loops));
	if (loops) {
		loops->params = *params;
		loops->count = params->workers;
		loops->loops = aligned_alloc(CACHE_LINE, loops->count * sizeof(*loops->loops));
	}
	if (loops && loops->loops && fill(loops))
		return loops;
	/* The process ends now: nothing is taken apart. */
	log_error("no memory for %u workers: lower the configuration's limits, or raise dataplane.memory_mb",
	          params->workers);
	return NULL;
}

void worker_loops_launch(struct worker_loops *loops)
{
	unsigned lcore, i = 0;
	RTE_LCORE_FOREACH_WORKER(lcore)
	rte_eal_remote_launch(run, &loops->loops[i++], lcore);
}

void worker_loops_order(struct worker_loops *loops, enum order order)
{
	atomic_store(&loops->order, order);
}

void worker_loops_reconfigure(struct worker_loops *loops, const struct running *running)
{
	atomic_store(&loops->running, running);
}

bool worker_loops_reconfigured(struct worker_loops *loops)
{
	const struct running *running = atomic_load(&loops->running);
	for (unsigned i = 0; i < loops->count; i++)
		if (atomic_load(&loops->loops[i].running) != running)
			return false;
	return true;
}

bool worker_loops_obeyed(struct worker_loops *loops)
{
	int order = atomic_load(&loops->order);
	for (unsigned i = 0; i < loops->count; i++)
		if (atomic_load(&loops->loops[i].obeyed) != order)
			return false;
	return true;
}

void worker_loops_wait(struct worker_loops *loops)
{
	rte_eal_mp_wait_lcore();
}

/* ---- for the main thread ---- */

bool worker_loops_next_ask(struct worker_loops *loops, struct ask *out)
{
	/* Before looking: what comes later rings again. */
	atomic_store(&loops->ask_pending, false);
	for (unsigned i = 0; i < loops->count; i++)
		if (rte_ring_sc_dequeue_elem(loops->loops[i].asks, out, sizeof(*out)) == 0)
			return true;
	return false;
}

struct port_faults worker_loops_faults(const struct worker_loops *loops, unsigned port)
{
	struct port_faults sum = {0};
	for (unsigned i = 0; i < loops->count; i++) {
		sum.partial_checksum += shared_get(&loops->loops[i].partial_checksum[port]);
		sum.oversize += shared_get(&loops->loops[i].oversize[port]);
	}
	return sum;
}
