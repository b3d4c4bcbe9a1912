/* See exchange.h. */
#include "exchange.h"

#include <stdio.h>

#include "common/bytes.h"

enum { NORTH_IFINDEX = 11, SOUTH_IFINDEX = 12 };

#define CLIENT "198.51.100.2"

const uint8_t exchange_port_macs[2][6] = {{2, 0, 0, 0, 1, 1}, {2, 0, 0, 0, 2, 1}};
static const uint8_t client_mac[6] = {2, 0, 0, 0, 3, 1};
static const char *const host_addresses[EXCHANGE_HOSTS] = {"203.0.113.11", "203.0.113.12", "203.0.113.21",
                                                           "203.0.113.22"};

struct address ip(const char *text)
{
	struct address address;
	assert_true(address_parse(text, &address));
	return address;
}

struct address exchange_host(unsigned slot)
{
	return ip(host_addresses[slot]);
}

void exchange_host_mac(unsigned slot, uint8_t mac[6])
{
	memcpy(mac, ((const uint8_t[6]){2, 0, 0, 0, 4, (uint8_t)slot}), 6);
}

/* ---- worker_io ---- */

static bool frame_take(struct exchange *x, struct frame *frame)
{
	if (x->frames_out >= x->frames_max)
		return false;
	x->frames_out++;
	*frame = (struct frame){.data = malloc(EXCHANGE_FRAME_ROOM), .room = EXCHANGE_FRAME_ROOM};
	assert_non_null(frame->data);
	frame->handle = frame->data;
	return true;
}

static void frame_give(struct exchange *x, struct frame *frame)
{
	assert_true(x->frames_out > 0);
	assert_ptr_equal(frame->handle, frame->data);
	x->frames_out--;
	free(frame->data);
}

static bool io_alloc(void *context, struct frame *frame)
{
	struct exchange *x = context;
	if (!frame_take(x, frame))
		return false;
	frame->room = x->room;
	return true;
}

static void io_drop(void *context, struct frame *frame)
{
	frame_give(context, frame);
}

static void io_send(void *context, struct frame *frame)
{
	struct exchange *x = context;
	assert_true(x->sent_first + x->sent_count < EXCHANGE_QUEUE);
	struct sent_frame *sent = &x->sent[x->sent_first + x->sent_count++];
	sent->port = frame->port;
	sent->len = frame->len;
	memcpy(sent->data, frame->data, frame->len);
	x->sent_total++;
	frame_give(x, frame);
}

static bool io_hand_over(void *context, struct frame *frame, unsigned worker)
{
	struct exchange *x = context;
	if (x->hand_over_refused)
		return false;
	x->handed_total++;
	x->handed_to = worker;
	frame_give(x, frame);
	return true;
}

static bool io_event(void *context, const struct event *event)
{
	struct exchange *x = context;
	assert_int_equal(event->version, MESSAGE_VERSION);
	if (x->event_refused)
		return false;
	if (x->event_count < EXCHANGE_NOTES)
		x->events[x->event_count] = *event;
	x->event_count++;
	return true;
}

static bool io_record(void *context, const struct record *record)
{
	struct exchange *x = context;
	assert_true(record_valid(record));
	if (x->record_room == 0)
		return false;
	x->record_room--;
	assert_true(x->record_count < EXCHANGE_RECORDS);
	x->records[x->record_count++] = *record;
	return true;
}

static bool io_ask(void *context, const struct address *destination, bool managed)
{
	struct exchange *x = context;
	if (x->ask_refused)
		return false;
	if (x->ask_count < EXCHANGE_NOTES) {
		x->asks[x->ask_count].address = *destination;
		x->asks[x->ask_count].managed = managed;
	}
	x->ask_count++;
	return true;
}

/* ---- making ---- */

static void configure(struct config *config)
{
	config->port_count = 2;
	config->listener_count = 2;
	config->listeners[0] = (struct config_listener){.mode = LISTENER_HTTP, .port = 80, .address_count = 1};
	config->listeners[1] = (struct config_listener){.mode = LISTENER_TLS, .port = 443, .address_count = 1};
	config->listeners[0].addresses[0] = config->listeners[1].addresses[0] = ip(EXCHANGE_VIP);
	config->pool.prefix_count = 1;
	assert_true(prefix_parse("203.0.113.64/28", &config->pool.prefixes[0]));
	config->pool.port_first = 1024;
	config->pool.port_last = 65535;
	config->timeouts.head = 10000;
	config->timeouts.connect_attempt = 1000;
	config->timeouts.connect_total = 5000;
	config->timeouts.idle = 3900000;
	config->timeouts.half_closed = 60000;
	config->timeouts.linger = 2000;
	config->limits.head_bytes = 16384;
	config->limits.client_mss = 1460;
	config->limits.connections = 4096;
	config->limits.young = 2048;
	config->limits.large_heads = 8;
	config->limits.connection_rate = 1000;
	config->limits.hosts = 16;
	config->limits.routes = 16;
	config->limits.pairs = 16;
}

int exchange_setup(void **state)
{
	struct exchange *x = calloc(1, sizeof(*x));
	assert_non_null(x);
	x->sent = calloc(EXCHANGE_QUEUE, sizeof(*x->sent));
	assert_non_null(x->sent);
	x->records = calloc(EXCHANGE_RECORDS, sizeof(*x->records));
	assert_non_null(x->records);
	x->record_room = EXCHANGE_RECORDS;
	configure(&x->config);
	x->mtu[NORTH] = x->mtu[SOUTH] = 1500;
	x->now_us = 100000ULL * COOKIE_EPOCH_MS * 1000; /* an even epoch begins */
	x->count = 1;
	x->frames_max = 64;
	x->room = EXCHANGE_FRAME_ROOM;
	x->start = 77;
	*state = x;
	return 0;
}

static void fill_l3(struct exchange *x)
{
	struct l3_route routes[3] = {
	    {.ifindex = NORTH_IFINDEX}, {.ifindex = SOUTH_IFINDEX}, {.ifindex = NORTH_IFINDEX}};
	assert_true(prefix_parse("198.51.100.0/24", &routes[0].destination));
	assert_true(prefix_parse("203.0.113.0/24", &routes[1].destination));
	assert_true(prefix_parse("198.18.0.0/15", &routes[2].destination));
	routes[2].gateway = ip(CLIENT);
	x->l3 = l3_create(64);
	assert_non_null(x->l3);
	l3_set_port(x->l3, NORTH, NORTH_IFINDEX, exchange_port_macs[NORTH], x->mtu[NORTH]);
	l3_set_port(x->l3, SOUTH, SOUTH_IFINDEX, exchange_port_macs[SOUTH], x->mtu[SOUTH]);
	assert_true(l3_set_routes(x->l3, routes, 3));
	struct address address = ip(CLIENT);
	assert_true(l3_set_neighbour(x->l3, NORTH_IFINDEX, &address, client_mac));
	for (unsigned slot = 0; slot < EXCHANGE_HOSTS; slot++) {
		uint8_t mac[6];
		exchange_host_mac(slot, mac);
		address = exchange_host(slot);
		assert_true(l3_set_neighbour(x->l3, SOUTH_IFINDEX, &address, mac));
	}
}

void exchange_create(struct exchange *x)
{
	const struct config *config = &x->config;
	size_t size = shared_size(x->count, config->limits.hosts, config->limits.pairs);
	x->shared = aligned_alloc(CACHE_LINE, (size + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE);
	assert_non_null(x->shared);
	memset(x->shared, 0, size);
	shared_layout(x->shared, x->count, config->limits.hosts, config->limits.pairs);
	shared_set(&x->shared->control_start, x->start);
	for (unsigned i = 0; i < VIPS_MAX; i++)
		shared_set(&x->shared->vip_held[i], 1);
	fill_l3(x);
	struct worker_params params = {
	    .index = x->index,
	    .count = x->count,
	    .config = config,
	    .cookie_secret = {0x0706050403020100, 0x0f0e0d0c0b0a0908},
	    .table_secret = {0x1716151413121110, 0x1f1e1d1c1b1a1918},
	    .shared = x->shared,
	    .l3 = x->l3,
	    .io = {x, io_alloc, io_send, io_drop, io_hand_over, io_event, io_record, io_ask},
	    .now_us = x->now_us,
	};
	x->worker = worker_create(&params);
	assert_non_null(x->worker);
}

void exchange_start(struct exchange *x)
{
	exchange_create(x);
	tell_everything(x);
}

struct exchange *exchange_begin(void **state)
{
	exchange_start(*state);
	return *state;
}

/* ---- the end ---- */

static uint64_t counter_of(const struct exchange *x, enum counter counter)
{
	return shared_get(&x->worker->block->counters[counter]);
}

static void check_sums(struct exchange *x)
{
	static const enum counter senders[] = {
	    counter_rx_forwarded, counter_answered_syn, counter_answered_rst, counter_answered_ack, counter_tx_syn,
	    counter_tx_ack,       counter_tx_data,      counter_tx_answer,    counter_tx_rst,
	};
	uint64_t outcomes = 0, sent = 0;
	for (unsigned i = 0; i < counter_outcomes_end; i++)
		outcomes += counter_of(x, i);
	for (unsigned i = 0; i < sizeof(senders) / sizeof(senders[0]); i++)
		sent += counter_of(x, senders[i]);
	assert_int_equal(outcomes, x->received);
	assert_int_equal(sent, x->sent_total);
	assert_int_equal(counter_of(x, counter_rx_handed_over), x->handed_total);
	assert_int_equal(counter_of(x, counter_flows), counter_of(x, counter_flows_young) +
	                                                   counter_of(x, counter_flows_spliced) +
	                                                   counter_of(x, counter_flows_lingering));
	assert_int_equal(x->frames_out, 0);
}

static void check_idle(struct exchange *x)
{
	struct worker *worker = x->worker;
	assert_int_equal(counter_of(x, counter_flows), 0);
	assert_int_equal(counter_of(x, counter_heads_large), 0);
	assert_int_equal(counter_of(x, counter_ports_in_use), 0);
	assert_int_equal(worker->free_flow_count, x->config.limits.connections);
	assert_int_equal(worker->free_young_count, x->config.limits.young);
	assert_int_equal(worker->free_large_count, x->config.limits.large_heads);
	for (unsigned slot = 0; slot < x->config.limits.hosts; slot++)
		assert_int_equal(shared_get(&worker->hosts[slot].active), 0);
	for (unsigned pair = 0; pair < x->config.limits.pairs; pair++)
		assert_int_equal(shared_get(&worker->pairs[pair].active), 0);
	for (uint32_t i = 0; i < x->config.limits.connections; i++)
		assert_int_equal(worker->timers.nodes[i].next, i); /* stopped */
	for (uint32_t i = 0; i <= worker->flow_table.mask; i++)
		for (unsigned way = 0; way < FLOW_TABLE_WAYS; way++)
			assert_int_equal(worker->flow_table.buckets[i].refs[way], FLOW_TABLE_EMPTY);
}

void exchange_end(struct exchange *x)
{
	expect_silence(x);
	check_sums(x);
	worker_reset_all(x->worker, x->now_us);
	x->sent_first = x->sent_count = 0;
	check_sums(x);
	check_idle(x);
}

int exchange_teardown(void **state)
{
	struct exchange *x = *state;
	if (x->worker)
		worker_destroy(x->worker);
	if (x->l3)
		l3_destroy(x->l3);
	while (x->conns) {
		struct conn *next = x->conns->next;
		free(x->conns);
		x->conns = next;
	}
	free(x->shared);
	free(x->records);
	free(x->sent);
	free(x);
	return 0;
}

/* ---- frames ---- */

struct conn *conn_new(struct exchange *x, uint16_t client_port)
{
	struct conn *c = calloc(1, sizeof(*c));
	assert_non_null(c);
	*c = (struct conn){
	    .x = x,
	    .next = x->conns,
	    .client = ip(CLIENT),
	    .client_port = client_port,
	    .vip_port = 80,
	    .port = NORTH,
	    .client_isn = 0x10000000,
	    .router_isn = 0x70000000,
	    .client_options = "mss 1460 sackok ws 7",
	    .router_options = "mss 1460 sackok ws 7",
	    .client_window = 500,
	    .router_window = 400,
	    .say = (const uint8_t *)request,
	    .say_len = REQUEST_LEN,
	};
	memcpy(c->client_mac, client_mac, 6);
	memcpy(c->way_mac, client_mac, 6);
	x->conns = c;
	return c;
}

struct conn *conn_from(struct exchange *x, const char *address, uint16_t client_port)
{
	struct conn *c = conn_new(x, client_port);
	struct address next_hop;
	uint32_t ifindex;
	c->client = ip(address);
	assert_true(l3_route_to(x->l3, &c->client, &next_hop, &ifindex));
	c->port = ifindex == NORTH_IFINDEX ? NORTH : SOUTH;
	for (unsigned slot = 0; slot < EXCHANGE_HOSTS; slot++) {
		if (strcmp(host_addresses[slot], address) == 0) {
			exchange_host_mac(slot, c->client_mac);
			exchange_host_mac(slot, c->way_mac);
		}
	}
	return c;
}

void frame_arrives(struct exchange *x, uint8_t port, const uint8_t *bytes, uint16_t len)
{
	struct frame frame;
	expect_silence(x);
	assert_true(frame_take(x, &frame));
	memcpy(frame.data, bytes, len);
	frame.len = len;
	frame.port = port;
	frame.checked = x->checked;
	x->received++;
	worker_receive(x->worker, &frame, 1, x->now_us);
}

struct sent_frame exchange_take(struct exchange *x)
{
	assert_true(x->sent_count > 0);
	struct sent_frame sent = x->sent[x->sent_first++];
	if (--x->sent_count == 0)
		x->sent_first = 0;
	return sent;
}

void exchange_expect_silence(struct exchange *x, const char *file, int line)
{
	if (x->sent_count == 0)
		return;
	print_error("nothing was expected\n");
	while (x->sent_count > 0) {
		struct sent_frame sent = exchange_take(x);
		exchange_describe(&sent);
	}
	_fail(file, line);
}

void exchange_expect_count(struct exchange *x, enum counter counter, const char *name, uint64_t n, const char *file,
                           int line)
{
	if (counter_of(x, counter) == n)
		return;
	print_error("%s is %llu, expected %llu\n", name, (unsigned long long)counter_of(x, counter),
	            (unsigned long long)n);
	_fail(file, line);
}

struct flow *conn_flow(struct conn *c)
{
	struct address vip = ip(EXCHANGE_VIP);
	enum side side;
	uint64_t hash = key_hash(c->x->worker, &c->client, &vip, c->client_port, c->vip_port);
	return flow_find(c->x->worker, hash, &c->client, &vip, c->client_port, c->vip_port, &side);
}

void exchange_expect_state(struct conn *c, enum flow_state state, const char *file, int line)
{
	const struct flow *flow = conn_flow(c);
	enum flow_state seen = flow ? (enum flow_state)flow->state : FLOW_FREE;
	if (seen == state)
		return;
	print_error("the flow is in state %d, expected %d\n", seen, state);
	_fail(file, line);
}

/* ---- common beginnings ---- */

void conn_handshake(struct conn *c)
{
	char text[160];
	snprintf(text, sizeof(text), "S 0 win 64240 %s", c->client_options);
	client_sends(c, text);
	struct sent_frame syn_ack = exchange_take(c->x);
	assert_int_equal(syn_ack.data[47], TCP_SYN | TCP_ACK);
	c->our_isn = get_be32(syn_ack.data + 38);
	snprintf(text, sizeof(text), ". 1 ack 1 win %u", c->client_window);
	client_sends(c, text);
	expect_silence(c->x);
}

void conn_request(struct conn *c)
{
	char text[160];
	conn_handshake(c);
	snprintf(text, sizeof(text), "P. 1:%zu ack 1 win %u", 1 + c->say_len, c->client_window);
	client_sends(c, text);
	expect_syn(c);
	expect_state(c, FLOW_CONNECTING);
}

void conn_join(struct conn *c)
{
	char text[160];
	conn_request(c);
	snprintf(text, sizeof(text), "S. 0 ack 1 win 65535 %s", c->router_options);
	router_sends(c, text);
	snprintf(text, sizeof(text), "P. 1:%zu ack 1 win %u", 1 + c->say_len, c->client_window);
	expect_router(c, text);
	expect_state(c, FLOW_JOINING);
}

void conn_splice(struct conn *c)
{
	char text[160];
	conn_join(c);
	snprintf(text, sizeof(text), ". 1 ack %zu win %u", 1 + c->say_len, c->router_window);
	router_sends(c, text);
	struct sent_frame ack = exchange_take(c->x);
	assert_int_equal(ack.data[47], TCP_ACK);
	expect_silence(c->x);
	expect_state(c, FLOW_SPLICED);
}

struct conn *conn_spliced(struct exchange *x, uint16_t client_port)
{
	struct conn *c = conn_new(x, client_port);
	conn_splice(c);
	return c;
}

void conn_wrap(struct conn *c)
{
	/* Window scale none, MSS 1460, SACK and an odd epoch are all ones; the hash must be so by luck: one part of it
	 * depends on the port, the other on the ISN. */
	const struct cookie_options options = {1460, TCP_WINDOW_SCALE_NONE, true};
	struct cookie_tuple tuple = {c->client, ip(EXCHANGE_VIP), c->client_port, c->vip_port};
	uint64_t epoch = c->x->now_us / 1000 / COOKIE_EPOCH_MS;
	assert_int_equal(epoch % 2, 1);
	c->client_options = "mss 1460 sackok";
	c->client_window = 60000;
	while (cookie_make(&c->x->worker->cookie_secret, &tuple, c->client_isn, &options, epoch) < 0xffffff80) {
		tuple.client_port = tuple.client_port == UINT16_MAX ? 1024 : tuple.client_port + 1;
		c->client_isn++;
	}
	c->client_port = tuple.client_port;
}

unsigned conn_elect(struct exchange *x, uint16_t client_port, const char *name)
{
	struct conn *c = conn_new(x, client_port);
	conn_handshake(c);
	request_write((char *)c->own_say, name, REQUEST_LEN);
	c->say = c->own_say;
	client_sends(c, "P. 1:101 ack 1 win 500");
	return expect_syn(c);
}

/* ---- time ---- */

void pass_ms(struct exchange *x, uint32_t ms)
{
	while (ms-- > 0) {
		x->now_us += 1000;
		worker_tick(x->worker, x->now_us);
	}
}

uint32_t pass_until_sent(struct exchange *x, uint32_t limit_ms)
{
	uint32_t passed = 0;
	expect_silence(x);
	while (x->sent_count == 0 && passed < limit_ms) {
		pass_ms(x, 1);
		passed++;
	}
	assert_true(x->sent_count > 0);
	return passed;
}

/* ---- control ---- */

struct message plain_message(enum message_type type)
{
	struct message message;
	memset(&message, 0, sizeof(message));
	message.type = (uint16_t)type;
	return message;
}

struct message host_message(unsigned slot, bool healthy)
{
	struct message message = plain_message(MESSAGE_HOST);
	message.host = (struct message_host){
	    .slot = slot,
	    .generation = 1,
	    .address = exchange_host(slot % EXCHANGE_HOSTS),
	    .http_port = 80,
	    .https_port = 443,
	    .cluster = slot / 2,
	    .healthy = healthy,
	};
	return message;
}

struct message route_message(uint64_t id, const char *name, unsigned share_count, const struct message_share *shares)
{
	struct message message = plain_message(MESSAGE_ROUTE);
	message.route.id = id;
	message.route.share_count = (uint8_t)share_count;
	assert_true(hostname_set(&message.route.name, (const uint8_t *)name, strlen(name)));
	memcpy(message.route.shares, shares, share_count * sizeof(*shares));
	return message;
}

void tell(struct exchange *x, struct message message)
{
	message_seal(&message, x->start, ++x->sequence);
	worker_message(x->worker, &message, x->now_us);
}

void tell_end(struct exchange *x, enum message_type type)
{
	struct message message = plain_message(type);
	message.end.revision = ++x->revision;
	tell(x, message);
}

void tell_host(struct exchange *x, unsigned slot, bool healthy)
{
	tell(x, host_message(slot, healthy));
	tell_end(x, MESSAGE_BATCH_END);
}

void tell_log(struct exchange *x, uint32_t every, uint32_t refused_per_second)
{
	struct message message = plain_message(MESSAGE_LOG);
	message.log = (struct message_log){.every = every, .refused_per_second = refused_per_second};
	tell(x, message);
}

const struct record *exchange_expect_record(struct exchange *x, enum record_type type, const char *file, int line)
{
	const struct record *record = &x->records[x->record_read];
	if (x->record_read == x->record_count) {
		print_error("there is no record\n");
		_fail(file, line);
	} else if (record->type != type) {
		print_error("the record is of type %u, expected %u\n", record->type, type);
		_fail(file, line);
	}
	x->record_read++;
	return record;
}

void tell_everything(struct exchange *x)
{
	static const struct message_share one = {.pair = 0, .cluster = 0, .weight = 10000, .http = 1, .https = 1};
	static const struct message_share app[] = {
	    {.pair = 1, .cluster = 0, .weight = 1000, .http = 1, .https = 1},
	    {.pair = 2, .cluster = 1, .weight = 8000, .http = 1, .https = 1},
	};
	static const struct message_share secure = {.pair = 3, .cluster = 0, .weight = 10000, .https = 1};
	static const struct message_share wild = {.pair = 4, .cluster = 1, .weight = 10000, .http = 1, .https = 1};
	tell(x, plain_message(MESSAGE_SYNC_BEGIN));
	for (unsigned slot = 0; slot < EXCHANGE_HOSTS; slot++)
		tell(x, host_message(slot, true));
	tell(x, route_message(1, ONE_NAME, 1, &one));
	tell(x, route_message(2, APP_NAME, 2, app));
	tell(x, route_message(3, SECURE_NAME, 1, &secure));
	struct message message = route_message(4, WILD_NAME, 1, &wild);
	message.route.wildcard = 1;
	tell(x, message);
	tell_end(x, MESSAGE_SYNC_END);
}
