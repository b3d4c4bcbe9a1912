/* The rig: wiring, worker_io, control's messages, accounting. */
#include "sim_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>

#include "dataplane/core.h"
#include "sim_app.h"

static const uint8_t north_mac[6] = {2, 0, 0, 0, 1, 1}, south_mac[6] = {2, 0, 0, 0, 2, 1};
enum { NORTH_IFINDEX = 11, SOUTH_IFINDEX = 12 };

struct address rig_address(uint32_t host_order)
{
	return address_from_v4(htonl(host_order));
}

static struct prefix prefix_of(uint32_t host_order, uint8_t v4_length)
{
	return (struct prefix){.address = rig_address(host_order), .length = (uint8_t)(96 + v4_length)};
}

/* ---- frames ---- */

static bool frame_take(struct rig *rig, struct frame *frame)
{
	if (rig->frames_out >= rig->frames_max)
		return false;
	rig->frames_out++;
	*frame = (struct frame){.data = malloc(RIG_FRAME_ROOM), .room = RIG_FRAME_ROOM};
	assert_non_null(frame->data);
	frame->handle = frame->data;
	return true;
}

static void frame_give(struct rig *rig, struct frame *frame)
{
	if (rig->frames_out == 0 || frame->handle != frame->data)
		sim_fail(rig->sim, "a frame was given back that is none of the pool");
	rig->frames_out--;
	free(frame->data);
}

static bool io_alloc(void *context, struct frame *frame)
{
	return frame_take(context, frame);
}

static void io_drop(void *context, struct frame *frame)
{
	frame_give(context, frame);
}

static void io_send(void *context, struct frame *frame)
{
	struct rig *rig = context;
	if (frame->port > 1 || frame->len < 54 || frame->len > SIM_FRAME_MAX)
		sim_fail(rig->sim, "the worker sends %u bytes on port %u", frame->len, frame->port);
	if (++rig->sent > rig->sent_limit)
		sim_fail(rig->sim, "more than %llu frames sent: a storm", (unsigned long long)rig->sent_limit);
	sim_link_send(frame->port == 0 ? &rig->north_out : &rig->south_out, frame->data, frame->len);
	frame_give(rig, frame);
}

static bool io_hand_over(void *context, struct frame *frame, unsigned worker)
{
	struct rig *rig = context;
	sim_fail(rig->sim, "hand-over to worker %u, and there is only one", worker);
}

static bool io_event(void *context, const struct event *event)
{
	struct rig *rig = context;
	if (event->type >= 4 || event->version != MESSAGE_VERSION)
		sim_fail(rig->sim, "event of type %u", event->type);
	rig->event_count[event->type]++;
	return true;
}

struct ask {
	struct rig *rig;
	struct address address;
};

static void learn_neighbour(struct rig *rig, uint32_t host_order);

static void answer_ask(void *context)
{
	struct ask ask = *(struct ask *)context;
	free(context);
	struct address next_hop;
	uint32_t ifindex;
	if (!l3_route_to(ask.rig->l3, &ask.address, &next_hop, &ifindex))
		return;
	learn_neighbour(ask.rig, ntohl(address_v4(&next_hop)));
}

static bool io_record(void *context, const struct record *record)
{
	return rig_record(context, record);
}

static bool io_ask(void *context, const struct address *destination, bool managed)
{
	struct rig *rig = context;
	rig->asked++;
	if (!rig->answer_asks)
		return true;
	struct ask *ask = malloc(sizeof(*ask));
	assert_non_null(ask);
	*ask = (struct ask){.rig = rig, .address = *destination};
	sim_call_in(rig->sim, 300, answer_ask, ask);
	return true;
}

/* ---- from the links to the worker and to the hosts ---- */

/* One of some thousand later segments of a connection looks like a first one, as the length of the cookie's hash has it
 * (test_sim_handshake counts that). Long runs of chance must not stumble over it. */
static bool looks_first(struct rig *rig, const struct frame *frame, struct cookie_tuple *tuple)
{
	struct sim_segment segment;
	struct cookie_options options;
	if (sim_segment_read(frame->data, frame->len, &segment) != NULL || segment.destination != RIG_VIP ||
	    (segment.flags & (SIM_SYN | SIM_RST | SIM_ACK)) != SIM_ACK || app_has_isn(rig, segment.seq - 1))
		return false;
	*tuple = (struct cookie_tuple){
	    .client = rig_address(segment.source),
	    .vip = rig_address(segment.destination),
	    .client_port = segment.source_port,
	    .vip_port = segment.destination_port,
	};
	uint64_t epoch = rig->sim->now / 1000 / COOKIE_EPOCH_MS;
	return cookie_check(&rig->cookie_secret, tuple, segment.seq - 1, segment.ack - 1, epoch, &options) ==
	       COOKIE_VALID;
}

/* True if the worker would ask the cookie about the packet: no flow that lives is its own. The one place that looks
 * inside the worker. */
static bool has_no_flow(struct rig *rig, const struct cookie_tuple *tuple)
{
	enum side side;
	uint64_t hash = key_hash(rig->worker, &tuple->client, &tuple->vip, tuple->client_port, tuple->vip_port);
	const struct flow *flow =
	    flow_find(rig->worker, hash, &tuple->client, &tuple->vip, tuple->client_port, tuple->vip_port, &side);
	return !flow || flow->state == FLOW_LINGERING;
}

/* A burst, in one piece but for such segments: those get lost. */
static void receive_burst(struct rig *rig, struct frame *frames, unsigned count)
{
	struct cookie_tuple tuple;
	unsigned from = 0;
	for (unsigned i = 0; i < count && !rig->wild_births; i++) {
		if (!looks_first(rig, &frames[i], &tuple))
			continue;
		worker_receive(rig->worker, frames + from, i - from, rig->sim->now);
		from = i;
		if (has_no_flow(rig, &tuple)) {
			sim_note(rig->sim, "a later segment looks like a first one");
			frame_give(rig, &frames[from++]);
			rig->received--;
		}
	}
	worker_receive(rig->worker, frames + from, count - from, rig->sim->now);
}

static void poll_ports(void *context)
{
	struct rig *rig = context;
	for (unsigned port = 0; port < 2; port++) {
		unsigned count = rig->rx_count[port];
		rig->rx_count[port] = 0;
		struct frame burst[RIG_RX_MAX];
		memcpy(burst, rig->rx[port], count * sizeof(burst[0]));
		for (unsigned done = 0; done < count;) {
			unsigned n = count - done < WORKER_BURST_MAX ? count - done : WORKER_BURST_MAX;
			receive_burst(rig, burst + done, n);
			done += n;
		}
	}
}

void rig_inject(struct rig *rig, uint8_t port, const uint8_t *bytes, uint16_t len)
{
	struct frame *frame = &rig->rx[port][rig->rx_count[port]];
	if (rig->rx_count[port] == RIG_RX_MAX || !frame_take(rig, frame)) {
		rig->no_frame++;
		return;
	}
	memcpy(frame->data, bytes, len);
	frame->len = len;
	frame->port = port;
	frame->checked = rig->checked;
	rig->rx_count[port]++;
	rig->received++;
	if (rig->poll.place == 0)
		sim_schedule(rig->sim, &rig->poll, rig->sim->now + sim_below(rig->sim, 20));
}

static void arrive_north_in(void *context, const uint8_t *frame, uint16_t len, bool corrupted)
{
	rig_inject(context, 0, frame, len);
}

static void arrive_south_in(void *context, const uint8_t *frame, uint16_t len, bool corrupted)
{
	rig_inject(context, 1, frame, len);
}

static uint32_t destination_of(const uint8_t *frame)
{
	uint32_t address;
	memcpy(&address, frame + 30, 4);
	return ntohl(address);
}

static struct sim_host *north_host(struct rig *rig, uint32_t address)
{
	if ((address & rig->client.mask) == rig->client.address)
		return &rig->client;
	return address == rig->near.address ? &rig->near : NULL;
}

static struct sim_host *south_host(struct rig *rig, uint32_t address)
{
	for (unsigned i = 0; i < RIG_ROUTERS; i++)
		if (rig->routers[i].host.address == address)
			return &rig->routers[i].host;
	return NULL;
}

static void arrive_north_out(void *context, const uint8_t *frame, uint16_t len, bool corrupted)
{
	struct rig *rig = context;
	struct sim_host *host = north_host(rig, destination_of(frame));
	if (!host && !corrupted && !rig->strangers)
		sim_fail(rig->sim, "sent on port 0 to nobody who is there");
	if (host)
		sim_host_receive(host, frame, len, corrupted);
}

static void arrive_south_out(void *context, const uint8_t *frame, uint16_t len, bool corrupted)
{
	struct rig *rig = context;
	struct sim_host *host = south_host(rig, destination_of(frame));
	if (!host && !corrupted && !rig->strangers)
		sim_fail(rig->sim, "sent on port 1 to nobody who is there");
	if (host)
		sim_host_receive(host, frame, len, corrupted);
}

/* ---- making ---- */

static void set_link(struct rig *rig, struct sim_link *link, const char *name,
                     void (*deliver)(void *, const uint8_t *, uint16_t, bool))
{
	*link = (struct sim_link){
	    .sim = rig->sim,
	    .name = name,
	    .latency_us = 100,
	    .reorder_us = 3000,
	    .deliver = deliver,
	    .deliver_context = rig,
	};
}

static void set_config(struct config *config)
{
	config->port_count = 2;
	config->listener_count = 2;
	for (unsigned i = 0; i < 2; i++) {
		struct config_listener *listener = &config->listeners[i];
		strcpy(listener->name, i ? "tls" : "http");
		listener->mode = i ? LISTENER_TLS : LISTENER_HTTP;
		listener->port = i ? 443 : 80;
		listener->address_count = 1;
		listener->addresses[0] = rig_address(RIG_VIP);
	}
	strcpy(config->ports[0].interface, "north");
	strcpy(config->ports[1].interface, "south");
	config->pool.prefix_count = 1;
	config->pool.prefixes[0] = prefix_of(RIG_POOL, 30);
	config->pool.port_first = 1024;
	config->pool.port_last = 2047;
	config->timeouts.head = 10000;
	config->timeouts.connect_attempt = 1000;
	config->timeouts.connect_total = 5000;
	config->timeouts.idle = 3900000;
	config->timeouts.half_closed = 60000;
	config->timeouts.linger = 2000;
	config->limits.head_bytes = 16384;
	config->limits.client_mss = 1460;
	config->limits.connections = 512;
	config->limits.young = 256;
	config->limits.large_heads = 32;
	config->limits.connection_rate = 500;
	config->limits.hosts = 16;
	config->limits.routes = 64;
	config->limits.pairs = 64;
	config->limits.neighbours = 256;
}

static void set_host(struct rig *rig, struct sim_host *host, const char *name, uint32_t address, uint32_t mask,
                     uint8_t mac_end, bool north)
{
	*host = (struct sim_host){
	    .sim = rig->sim,
	    .name = name,
	    .address = address,
	    .mask = mask,
	    .out = north ? &rig->north_in : &rig->south_in,
	    .time_wait_us = 60 * SIM_SECOND,
	};
	memcpy(host->mac, (uint8_t[]){2, 0, 0, north ? 1 : 2, 3, mac_end}, 6);
	memcpy(host->gateway_mac, north ? north_mac : south_mac, 6);
}

static const struct rig_route default_routes[] = {
    {.name = "app1.ch", .share_count = 2, .shares = {{0, 1000, true, true}, {1, 8000, true, true}}},
    {.name = "only1.ch", .share_count = 1, .shares = {{0, 10000, true, true}}},
    {.name = "only2.ch", .share_count = 1, .shares = {{1, 10000, true, true}}},
    {.name = "secure.ch", .share_count = 2, .shares = {{0, 5000, false, true}, {1, 5000, false, true}}},
    {.name = "wild.ch", .wildcard = true, .share_count = 1, .shares = {{0, 10000, true, true}}},
    {.name = "both.ch", .share_count = 2, .shares = {{0, 5000, true, true}, {1, 5000, true, true}}},
};

static void tick(void *context)
{
	struct rig *rig = context;
	worker_tick(rig->worker, rig->sim->now);
	sim_schedule(rig->sim, &rig->tick, rig->sim->now + rig->tick_us);
}

struct rig *rig_new(uint64_t seed)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	assert_non_null(rig);
	rig->sim = sim_create(seed);
	rig->sim->now = 100 * (uint64_t)SIM_SECOND + sim_random(rig->sim) % (16 * SIM_SECOND);
	set_config(&rig->config);
	set_link(rig, &rig->north_in, "client>", arrive_north_in);
	set_link(rig, &rig->north_out, ">client", arrive_north_out);
	set_link(rig, &rig->south_in, "router>", arrive_south_in);
	set_link(rig, &rig->south_out, ">router", arrive_south_out);
	rig->frames_max = 4096;
	rig->tick_us = 1000;
	rig->sent_limit = 1000000;
	rig->answer_asks = true;
	rig->next_port = (uint16_t)(20000 + sim_below(rig->sim, 20000));
	rig->default_cluster[0] = rig->default_cluster[1] = CLUSTER_NONE;
	rig->route_count = sizeof(default_routes) / sizeof(default_routes[0]);
	memcpy(rig->routes, default_routes, sizeof(default_routes));
	set_host(rig, &rig->client, "client", RIG_CLIENTS, 0xfffe0000, 1, true);
	set_host(rig, &rig->near, "near client", RIG_NEAR, 0xffffffff, 2, true);
	static const char *const names[RIG_ROUTERS] = {"router 0", "router 1", "router 2", "router 3"};
	for (unsigned i = 0; i < RIG_ROUTERS; i++) {
		struct rig_router *router = &rig->routers[i];
		*router = (struct rig_router){.rig = rig, .index = i, .healthy = true, .known = true};
		set_host(rig, &router->host, names[i], RIG_ROUTER + i, 0xffffffff, (uint8_t)(10 + i), false);
		router->params =
		    (struct sim_tcp_params){.mss = 1460, .window_scale = 7, .sack = true, .receive_buffer = 262144};
		app_listen(router);
	}
	rig->poll = (struct sim_event){.fire = poll_ports, .context = rig};
	rig->tick = (struct sim_event){.fire = tick, .context = rig};
	return rig;
}

void rig_impair(struct rig *rig, unsigned loss, unsigned duplicate, unsigned reorder, unsigned corrupt)
{
	struct sim_link *links[] = {&rig->north_in, &rig->north_out, &rig->south_in, &rig->south_out};
	rig->lossy = loss || corrupt || reorder;
	for (unsigned i = 0; i < 4; i++) {
		links[i]->loss = loss;
		links[i]->duplicate = duplicate;
		links[i]->reorder = reorder;
		links[i]->corrupt = corrupt;
	}
}

static void learn_neighbour(struct rig *rig, uint32_t host_order)
{
	struct address address = rig_address(host_order);
	struct sim_host *host = NULL;
	uint32_t ifindex = NORTH_IFINDEX;
	if (host_order == 0xc6336402)
		host = &rig->client; /* the gateway to the clients' network */
	else if (host_order == rig->near.address)
		host = &rig->near;
	else if ((host = south_host(rig, host_order)))
		ifindex = SOUTH_IFINDEX;
	if (host)
		assert_true(l3_set_neighbour(rig->l3, ifindex, &address, host->mac));
}

void rig_forget_router(struct rig *rig, unsigned router)
{
	struct address address = rig_address(rig->routers[router].host.address);
	l3_set_neighbour(rig->l3, SOUTH_IFINDEX, &address, NULL);
}

void rig_forget_neighbours(struct rig *rig)
{
	struct address near = rig_address(rig->near.address);
	l3_set_neighbour(rig->l3, NORTH_IFINDEX, &near, NULL);
	for (unsigned i = 0; i < RIG_ROUTERS; i++)
		rig_forget_router(rig, i);
}

void rig_learn_neighbours(struct rig *rig)
{
	learn_neighbour(rig, rig->near.address);
	for (unsigned i = 0; i < RIG_ROUTERS; i++)
		learn_neighbour(rig, rig->routers[i].host.address);
}

static void make_l3(struct rig *rig)
{
	rig->l3 = l3_create(rig->config.limits.neighbours);
	assert_non_null(rig->l3);
	l3_set_port(rig->l3, 0, NORTH_IFINDEX, north_mac, 1500);
	l3_set_port(rig->l3, 1, SOUTH_IFINDEX, south_mac, 1500);
	struct l3_route routes[] = {
	    {.destination = prefix_of(0xc6336400, 24), .ifindex = NORTH_IFINDEX},
	    {.destination = prefix_of(0xcb007100, 24), .ifindex = SOUTH_IFINDEX},
	    {.destination = prefix_of(0, 0), .gateway = rig_address(0xc6336402), .ifindex = NORTH_IFINDEX},
	};
	assert_true(l3_set_routes(rig->l3, routes, 3));
	learn_neighbour(rig, 0xc6336402);
}

static void make_shared(struct rig *rig)
{
	const struct config *config = &rig->config;
	size_t size = shared_size(1, config->limits.hosts, config->limits.pairs);
	rig->shared = aligned_alloc(CACHE_LINE, (size + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE);
	assert_non_null(rig->shared);
	memset(rig->shared, 0, size);
	shared_layout(rig->shared, 1, config->limits.hosts, config->limits.pairs);
	rig->shared->routes_max = config->limits.routes;
	rig->shared->port_count = config->port_count;
	rig->shared->vips.count = 2;
	for (unsigned i = 0; i < VIPS_MAX; i++)
		shared_set(&rig->shared->vip_held[i], i < 2);
}

void rig_start(struct rig *rig)
{
	make_l3(rig);
	make_shared(rig);
	bool in_order = sim_link_in_order(&rig->north_in) && sim_link_in_order(&rig->north_out) &&
	                sim_link_in_order(&rig->south_in) && sim_link_in_order(&rig->south_out);
	rig->client.in_order = rig->near.in_order = in_order;
	for (unsigned i = 0; i < RIG_ROUTERS; i++)
		rig->routers[i].host.in_order = in_order;
	rig->cookie_secret = (struct siphash_key){sim_random(rig->sim), sim_random(rig->sim)};
	struct worker_params params = {
	    .index = 0,
	    .count = 1,
	    .config = &rig->config,
	    .cookie_secret = rig->cookie_secret,
	    .table_secret = {sim_random(rig->sim), sim_random(rig->sim)},
	    .shared = rig->shared,
	    .l3 = rig->l3,
	    .io = {rig, io_alloc, io_send, io_drop, io_hand_over, io_event, io_record, io_ask},
	    .now_us = rig->sim->now,
	};
	rig->worker = worker_create(&params);
	assert_non_null(rig->worker);
	sim_schedule(rig->sim, &rig->tick, rig->sim->now);
	rig_sync(rig);
	rig_tell_log(rig);
	rig_run(rig, 2 * SIM_MS);
}

static void close_all(struct rig *rig)
{
	worker_destroy(rig->worker);
	for (unsigned port = 0; port < 2; port++)
		for (unsigned i = 0; i < rig->rx_count[port]; i++)
			frame_give(rig, &rig->rx[port][i]);
	sim_host_close(&rig->client);
	sim_host_close(&rig->near);
	for (unsigned i = 0; i < RIG_ROUTERS; i++)
		sim_host_close(&rig->routers[i].host);
	app_free(rig);
	l3_destroy(rig->l3);
	free(rig->shared);
	sim_destroy(rig->sim);
	free(rig);
}

void rig_run(struct rig *rig, uint64_t us)
{
	struct sim *sim = rig->sim;
	uint64_t until = sim->now + us;
	while (sim->queued > 0 && sim->queue[0]->at <= until)
		sim_step(sim);
	sim->now = until;
}

void rig_run_all(struct rig *rig, uint64_t limit_us)
{
	uint64_t until = rig->sim->now + limit_us;
	while (rig->unfinished > 0) {
		if (rig->sim->now > until)
			app_fail_unfinished(rig);
		sim_step(rig->sim);
	}
}

void rig_end(struct rig *rig, uint64_t limit_us)
{
	uint64_t until = rig->sim->now + limit_us;
	while (rig_counter(rig, counter_flows) != 0 && rig->sim->now < until)
		sim_step(rig->sim);
	rig_run(rig, 10 * SIM_MS);
	rig_check(rig, true);
	close_all(rig);
}

void rig_drop(struct rig *rig)
{
	rig_check(rig, false);
	close_all(rig);
}

/* ---- looking ---- */

uint64_t rig_counter(const struct rig *rig, enum counter counter)
{
	return shared_get(&shared_worker_at(rig->shared, 0)->counters[counter]);
}

static const char *const counter_names[] = {
#define X(symbol, help) [counter_##symbol] = #symbol,
    COUNTERS_OUTCOMES(X) COUNTERS_OTHERS(X) COUNTERS_GAUGES(X)
#undef X
};

uint64_t rig_outcomes(const struct rig *rig)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < counter_outcomes_end; i++)
		sum += rig_counter(rig, i);
	return sum;
}

static void print_counters(const struct rig *rig)
{
	for (unsigned i = 0; i < counter_count; i++)
		if (rig_counter(rig, i) != 0)
			fprintf(stderr, "%s=%llu ", counter_names[i], (unsigned long long)rig_counter(rig, i));
	fputc('\n', stderr);
}

void rig_expect(struct rig *rig, enum counter counter, uint64_t value)
{
	if (rig_counter(rig, counter) == value)
		return;
	print_counters(rig);
	sim_fail(rig->sim, "counter %s is %llu, expected %llu", counter_names[counter],
	         (unsigned long long)rig_counter(rig, counter), (unsigned long long)value);
}

struct shared_host_counters *rig_host_counters(struct rig *rig, unsigned router)
{
	return shared_hosts_of(shared_worker_at(rig->shared, 0)) + router;
}

struct shared_pair_counters *rig_pair_counters(struct rig *rig, unsigned route, unsigned share)
{
	return shared_pairs_of(rig->shared, shared_worker_at(rig->shared, 0)) + route * RIG_CLUSTERS + share;
}

static void check_idle(struct rig *rig)
{
	static const enum counter gauges[] = {counter_flows,           counter_flows_young, counter_flows_spliced,
	                                      counter_flows_lingering, counter_heads_large, counter_ports_in_use};
	for (unsigned i = 0; i < sizeof(gauges) / sizeof(gauges[0]); i++)
		rig_expect(rig, gauges[i], 0);
	for (unsigned i = 0; i < RIG_ROUTERS; i++)
		if (shared_get(&rig_host_counters(rig, i)->active) != 0)
			sim_fail(rig->sim, "router %u still counts %llu active connections", i,
			         (unsigned long long)shared_get(&rig_host_counters(rig, i)->active));
	for (unsigned i = 0; i < rig->config.limits.pairs; i++)
		if (shared_get(&rig_pair_counters(rig, 0, i)->active) != 0)
			sim_fail(rig->sim, "pair %u still counts active connections", i);
	rig_check_records(rig);
}

void rig_check(struct rig *rig, bool idle)
{
	uint64_t waiting = rig->rx_count[0] + rig->rx_count[1];
	if (rig->frames_out != waiting)
		sim_fail(rig->sim, "%llu frames were not given back", (unsigned long long)(rig->frames_out - waiting));
	if (rig_outcomes(rig) != rig->received - waiting) {
		print_counters(rig);
		sim_fail(rig->sim, "%llu frames received, %llu outcomes", (unsigned long long)(rig->received - waiting),
		         (unsigned long long)rig_outcomes(rig));
	}
	static const enum counter made[] = {counter_rx_forwarded, counter_answered_syn, counter_answered_rst,
	                                    counter_answered_ack, counter_tx_syn,       counter_tx_ack,
	                                    counter_tx_data,      counter_tx_answer,    counter_tx_rst};
	uint64_t sum = 0;
	for (unsigned i = 0; i < sizeof(made) / sizeof(made[0]); i++)
		sum += rig_counter(rig, made[i]);
	if (sum != rig->sent) {
		print_counters(rig);
		sim_fail(rig->sim, "%llu frames sent, counted %llu", (unsigned long long)rig->sent,
		         (unsigned long long)sum);
	}
	if (idle)
		check_idle(rig);
}
