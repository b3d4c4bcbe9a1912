/* Everything at once, by chance: transfers of all kinds, aborts at any moment, vanished clients, router hosts that
 * change their minds, changed tables, torn resyncs, queries, lost VIPs, lost neighbours, full tables, junk, and a bad
 * network. Each byte that arrives is right, no request is served twice or by a wrong cluster; afterwards nothing is
 * left, all frames are accounted for, and a healed network serves every connection. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>

#include "sim_app.h"

static struct sim_tcp_params random_params(struct sim *sim, bool client)
{
	static const uint16_t mss[] = {1460, 1460, 1360, 536, 0, 100};
	struct sim_tcp_params params = {
	    .mss = client ? mss[sim_below(sim, 6)] : 1460,
	    .window_scale = (uint8_t)sim_below(sim, 16),
	    .sack = sim_chance(sim, 7000),
	    .sack_shift = (uint8_t)sim_below(sim, 4),
	    .nagle = sim_chance(sim, 3000),
	    .ack_with_data = sim_chance(sim, 3000),
	    .receive_buffer = 32768,
	    .delayed_ack_us = sim_chance(sim, 5000) ? 40 * SIM_MS : 0,
	    .retries = 5,
	};
	return params;
}

static void start_exchange(struct rig *rig)
{
	static const char *const names[] = {"app1.ch", "only1.ch",  "only2.ch", "x.wild.ch",
	                                    "both.ch", "secure.ch", "nobody.ch"};
	struct sim *sim = rig->sim;
	struct app_plan plan = {
	    .name = names[sim_below(sim, 7)],
	    .tls = sim_chance(sim, 5000),
	    .from = (enum app_from)sim_below(sim, 3),
	    .client = sim_below(sim, 1000),
	    .head_len = sim_chance(sim, 2000) ? sim_below(sim, 17000) : 0,
	    .write_size = sim_chance(sim, 2000) ? 20 + sim_below(sim, 500) : 0,
	    .write_gap_us = sim_chance(sim, 3000) ? sim_below(sim, 200000) : 0,
	    .up = sim_chance(sim, 5000) ? sim_below(sim, 30000) : 0,
	    .down = sim_below(sim, 30000),
	    .think_us = sim_chance(sim, 3000) ? sim_below(sim, 6000000) : 0,
	    .closing = (enum app_closing)sim_below(sim, APP_NOBODY + 1),
	    .client_params = random_params(sim, true),
	    .may_fail = true,
	};
	if (plan.from == APP_ROUTER && rig->routers[0].host.silent)
		plan.from = APP_FAR;
	app_start(rig, &plan);
}

static struct exchange *random_exchange(struct rig *rig)
{
	unsigned skip = sim_below(rig->sim, rig->unfinished + 1);
	struct exchange *exchange = rig->exchanges;
	while (exchange && (exchange->finished || skip-- > 0))
		exchange = exchange->next;
	return exchange;
}

static void inject_junk(struct rig *rig)
{
	struct sim *sim = rig->sim;
	uint8_t frame[SIM_FRAME_MAX];
	uint8_t port = (uint8_t)sim_below(sim, 2);
	static const uint8_t payload[1400] = "GET / HTTP/1.1\r\nHost: app1.ch\r\n\r\n";
	struct sim_segment segment = {
	    .source = RIG_CLIENTS | 0x1f000 | sim_below(sim, 4096),
	    .destination = sim_chance(sim, 5000) ? RIG_VIP : RIG_POOL + sim_below(sim, 5),
	    .source_port = (uint16_t)sim_below(sim, 1024),
	    .destination_port = sim_chance(sim, 7000) ? (sim_chance(sim, 5000) ? 80 : 443) : (uint16_t)sim_random(sim),
	    .seq = (uint32_t)sim_random(sim),
	    .ack = (uint32_t)sim_random(sim),
	    .window = (uint16_t)sim_random(sim),
	    .flags = (uint8_t)sim_random(sim),
	    .mss = sim_chance(sim, 5000) ? (uint16_t)sim_below(sim, 2000) : 0,
	    .window_scale = (uint8_t)sim_below(sim, 16),
	    .payload = payload,
	    .payload_len = sim_chance(sim, 5000) ? (uint16_t)sim_below(sim, 1400) : 0,
	    .source_mac = rig->client.mac,
	    .destination_mac = rig->client.gateway_mac,
	};
	uint16_t len = sim_segment_write(frame, &segment);
	unsigned changes = sim_below(sim, 4);
	for (unsigned i = 0; i < changes; i++) /* addresses apart: the answer must find somebody */
		frame[sim_chance(sim, 5000) ? 14 + sim_below(sim, 12) : 34 + sim_below(sim, len - 34u)] =
		    (uint8_t)sim_random(sim);
	if (sim_chance(sim, 2000))
		len = (uint16_t)sim_below(sim, len + 1u);
	rig_inject(rig, port, frame, len);
}

/* An ICMP error about a packet that somebody may have sent. */
static void inject_icmp(struct rig *rig)
{
	struct sim *sim = rig->sim;
	uint8_t about[SIM_FRAME_MAX], frame[SIM_FRAME_MAX];
	struct exchange *exchange = random_exchange(rig);
	if (!exchange)
		return;
	const struct sim_tcp *tcp = exchange->client;
	struct sim_segment segment = {
	    .source = RIG_VIP,
	    .destination = tcp->local,
	    .source_port = tcp->remote_port,
	    .destination_port = tcp->local_port,
	    .seq = sim_chance(sim, 5000) ? tcp->irs + 1 : (uint32_t)sim_random(sim),
	    .window_scale = SIM_NO_SCALE,
	    .source_mac = rig->client.gateway_mac,
	    .destination_mac = rig->client.mac,
	};
	sim_segment_write(about, &segment);
	uint8_t code = (uint8_t)sim_below(sim, 16);
	if (code == 4)
		code = 3; /* "too big" would have to be understood by the endpoints */
	rig_inject(rig, 0, frame, sim_icmp_write(frame, 0xc6336402, 3, code, 0, about));
}

static void learn_again(void *context)
{
	struct rig *rig = context;
	rig_learn_neighbours(rig);
}

static void flush_neighbours(struct rig *rig)
{
	rig_forget_neighbours(rig);
	sim_call_in(rig->sim, sim_below(rig->sim, 200 * SIM_MS), learn_again, rig);
}

static void change_router(struct rig *rig)
{
	struct sim *sim = rig->sim;
	struct rig_router *router = &rig->routers[sim_below(sim, RIG_ROUTERS)];
	switch (sim_below(sim, 4)) {
	case 0:
		router->mode = (enum rig_router_mode)sim_below(sim, RIG_ROUTER_CLOSES_EARLY + 1);
		break;
	case 1:
		router->host.silent = !router->host.silent;
		break;
	case 2:
		router->healthy = !router->healthy;
		rig_tell_router(rig, router->index);
		break;
	default:
		router->known = !router->known;
		rig_tell_router(rig, router->index);
		break;
	}
}

static void change_tables(struct rig *rig)
{
	struct sim *sim = rig->sim;
	unsigned route = sim_below(sim, rig->route_count);
	switch (sim_below(sim, 4)) {
	case 0:
		rig_set_weight(rig, route, sim_below(sim, rig->routes[route].share_count),
		               (uint16_t)(sim_chance(sim, 3000) ? 0 : sim_below(sim, 10001)));
		break;
	case 1:
		rig_sync_begun(rig);
		if (sim_chance(sim, 5000))
			rig_sync(rig);
		break;
	default:
		rig_sync(rig);
		break;
	}
}

static void ask(struct rig *rig)
{
	struct sim *sim = rig->sim;
	if (sim_chance(sim, 4000))
		rig_query(rig, CONNECTIONS_LIST, (int)sim_below(sim, RIG_ROUTERS + 1) - 1);
	else if (sim_chance(sim, 3000))
		rig_query(rig, CONNECTIONS_CLOSE, (int)sim_below(sim, RIG_ROUTERS));
	else
		rig_explain(rig, sim_chance(sim, 5000) ? "app1.ch" : "x.wild.ch", sim_chance(sim, 5000));
}

static void act(struct rig *rig)
{
	struct sim *sim = rig->sim;
	struct exchange *exchange = random_exchange(rig);
	uint32_t choice = sim_below(sim, 1000);
	if (choice < 600)
		start_exchange(rig);
	else if (choice < 660 && exchange)
		app_client_abort(exchange);
	else if (choice < 720 && exchange)
		app_server_abort(exchange);
	else if (choice < 760 && exchange)
		app_client_vanish(exchange);
	else if (choice < 860)
		inject_junk(rig);
	else if (choice < 880)
		inject_icmp(rig);
	else if (choice < 930)
		change_router(rig);
	else if (choice < 960)
		change_tables(rig);
	else if (choice < 975)
		ask(rig);
	else if (choice < 985)
		shared_set(&rig->shared->vip_held[sim_below(sim, 2)], sim_below(sim, 2));
	else if (choice < 995)
		flush_neighbours(rig);
	else if (exchange)
		sim_tcp_shutdown(exchange->client);
}

static void configure(struct rig *rig)
{
	struct sim *sim = rig->sim;
	static const unsigned loss[] = {0, 0, 100, 500}, reorder[] = {0, 0, 2500};
	rig_impair(rig, loss[sim_below(sim, 4)], sim_below(sim, 2) * 100, reorder[sim_below(sim, 3)],
	           sim_below(sim, 3) * 50);
	rig->config.timeouts.idle = 8000;
	rig->config.timeouts.half_closed = 4000;
	rig->config.timeouts.head = 3000;
	rig->config.limits.connections = sim_chance(sim, 3000) ? 24 : 256;
	rig->config.limits.young = sim_chance(sim, 3000) ? 8 : 128;
	rig->config.limits.large_heads = sim_chance(sim, 3000) ? 1 : 32;
	rig->config.limits.connection_rate = sim_chance(sim, 2000) ? 4 : 100;
	rig->config.pool.port_last = (uint16_t)(rig->config.pool.port_first + (sim_chance(sim, 3000) ? 7 : 500));
	rig->frames_max = sim_chance(sim, 2000) ? 40 : 4096;
	rig->records.full = sim_chance(sim, 5000) ? 5000 : 0;
	rig->client.lenient = rig->near.lenient = true;
	for (unsigned i = 0; i < RIG_ROUTERS; i++) {
		rig->routers[i].params = random_params(sim, false);
		rig->routers[i].host.lenient = true;
		rig->routers[i].host.time_wait_us = (1 + sim_below(sim, 60)) * (uint64_t)SIM_SECOND;
	}
}

static void heal(struct rig *rig)
{
	rig_impair(rig, 0, 0, 0, 0);
	rig->lossy = true;
	rig->frames_max = 4096;
	shared_set(&rig->shared->vip_held[0], 1);
	shared_set(&rig->shared->vip_held[1], 1);
	rig_learn_neighbours(rig);
	for (unsigned i = 0; i < RIG_ROUTERS; i++) {
		rig->routers[i].mode = RIG_ROUTER_SERVES;
		rig->routers[i].host.silent = false;
		rig->routers[i].healthy = rig->routers[i].known = true;
	}
	for (unsigned i = 0; i < rig->route_count; i++)
		for (unsigned share = 0; share < rig->routes[i].share_count; share++)
			rig->routes[i].shares[share].weight = 5000;
	rig_sync(rig);
}

static void run(unsigned number)
{
	if (!sim_wanted(120, number))
		return;
	struct rig *rig = rig_new(sim_seed(120, number));
	snprintf(rig->sim->label, sizeof(rig->sim->label), "chaos");
	configure(rig);
	rig_start(rig);
	rig->strangers = true;
	rig->client.in_order = rig->near.in_order = false;
	for (unsigned i = 0; i < RIG_ROUTERS; i++)
		rig->routers[i].host.in_order = false;
	for (unsigned i = 0; i < 250; i++) {
		act(rig);
		rig_run(rig, sim_below(rig->sim, 100 * SIM_MS));
	}
	heal(rig);
	rig_run(rig, 30 * SIM_SECOND);
	rig_check(rig, false);
	for (unsigned i = 0; i < 20; i++) {
		struct app_plan plan = {.name = "app1.ch", .tls = i % 2, .client = 5000 + i, .up = 2000, .down = 9000};
		app_start(rig, &plan);
		rig_run(rig, SIM_SECOND);
	}
	rig_end(rig, 60 * SIM_SECOND);
}

static void test_chaos(void **state)
{
	for (unsigned i = 0; i < sim_runs(60); i++)
		run(i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_chaos),
	};
	return sim_run_tests(tests);
}
