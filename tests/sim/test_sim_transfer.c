/* Bytes arrive as they were sent, both ways, whatever the endpoints' options and the network do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim_app.h"

static const uint16_t mss_values[] = {1460, 1460, 1400, 1360, 1200, 536, 88, 0, 1459, 999};

static struct sim_tcp_params random_params(struct sim *sim)
{
	struct sim_tcp_params params = {
	    .mss = mss_values[sim_below(sim, 10)],
	    .window_scale = (uint8_t)sim_below(sim, 16),
	    .sack = sim_chance(sim, 7000),
	    .sack_shift = (uint8_t)sim_below(sim, 4),
	    .nagle = sim_chance(sim, 5000),
	    .ack_with_data = sim_chance(sim, 3000),
	    .receive_buffer = 32768u << sim_below(sim, 4),
	    .delayed_ack_us = sim_chance(sim, 5000) ? 40 * SIM_MS : 0,
	};
	if (params.window_scale == SIM_NO_SCALE && params.receive_buffer > 65535)
		params.receive_buffer = 65535;
	return params;
}

static size_t random_size(struct sim *sim, unsigned max_log)
{
	return sim_below(sim, 1u << (1 + sim_below(sim, max_log)));
}

static struct app_plan random_plan(struct sim *sim, unsigned max_log)
{
	static const char *const names[] = {"app1.ch", "only1.ch", "only2.ch", "a.wild.ch"};
	struct app_plan plan = {
	    .name = names[sim_below(sim, 4)],
	    .tls = sim_chance(sim, 5000),
	    .from = (enum app_from)sim_below(sim, 3),
	    .client = sim_below(sim, 100000),
	    .head_len = sim_chance(sim, 3000) ? 100 + sim_below(sim, 12000) : 0,
	    .write_size = sim_chance(sim, 3000) ? 1 + sim_below(sim, 700) : 0,
	    .write_gap_us = sim_chance(sim, 5000) ? sim_below(sim, 5000) : 0,
	    .up = random_size(sim, max_log),
	    .down = random_size(sim, max_log),
	    .think_us = sim_chance(sim, 3000) ? sim_below(sim, 300000) : 0,
	    .closing = (enum app_closing)sim_below(sim, APP_NOBODY),
	    .client_params = random_params(sim),
	};
	if (plan.tls && sim_chance(sim, 3000))
		plan.record_size = 1 + sim_below(sim, 400);
	if (plan.record_size && plan.head_len > 2000)
		plan.head_len = 2000;
	return plan;
}

static void vary_routers(struct rig *rig)
{
	for (unsigned i = 0; i < RIG_ROUTERS; i++) {
		rig->routers[i].params = random_params(rig->sim);
		rig->routers[i].params.mss = 1460; /* what is offered to clients before any router host is known */
	}
}

static void one_run(uint64_t seed, unsigned loss, unsigned duplicate, unsigned reorder, unsigned corrupt,
                    unsigned count, unsigned max_log)
{
	struct rig *rig = rig_new(seed);
	snprintf(rig->sim->label, sizeof(rig->sim->label), "transfer, loss %u dup %u reorder %u corrupt %u", loss,
	         duplicate, reorder, corrupt);
	rig_impair(rig, loss, duplicate, reorder, corrupt);
	rig->config.timeouts.head = 120000; /* time enough to lose much */
	rig->config.timeouts.connect_attempt = 5000;
	rig->config.timeouts.connect_total = 20000;
	vary_routers(rig);
	rig_start(rig);
	for (unsigned i = 0; i < count; i++) {
		struct app_plan plan = random_plan(rig->sim, max_log);
		app_start(rig, &plan);
		rig_run(rig, sim_below(rig->sim, 20000));
	}
	rig_run_all(rig, 600 * (uint64_t)SIM_SECOND);
	rig_end(rig, 150 * (uint64_t)SIM_SECOND);
}

static void test_random(void **state)
{
	for (unsigned i = 0; i < sim_runs(80); i++)
		if (sim_wanted(1, i))
			one_run(sim_seed(1, i), 0, 0, 0, 0, 4, 17);
}

static void test_loss(void **state)
{
	static const unsigned loss[] = {100, 500, 1000};
	for (unsigned i = 0; i < sim_runs(100); i++)
		if (sim_wanted(2, i))
			one_run(sim_seed(2, i), loss[i % 3], 0, 0, 0, 3, 16);
}

static void test_loss_reorder_duplicate(void **state)
{
	static const unsigned loss[] = {0, 100, 500, 1000};
	for (unsigned i = 0; i < sim_runs(80); i++)
		if (sim_wanted(3, i))
			one_run(sim_seed(3, i), loss[i % 4], 100, 2500, 0, 3, 16);
}

static void test_corruption(void **state)
{
	for (unsigned i = 0; i < sim_runs(20); i++)
		if (sim_wanted(4, i))
			one_run(sim_seed(4, i), 0, 0, 0, 200, 3, 15);
}

static void test_large(void **state)
{
	for (unsigned i = 0; i < sim_runs(4); i++)
		if (sim_wanted(5, i))
			one_run(sim_seed(5, i), i % 2 ? 100 : 0, i % 2 ? 100 : 0, i % 2 ? 2500 : 0, 0, 1, 21);
}

/* A plan of a kind: both ways, one way, heads about as long as a segment, heads in pieces (at once, one after the
 * other). */
static struct app_plan clean_plan(unsigned kind, unsigned n)
{
	static const size_t sizes[] = {0, 1, 1459, 1460, 1461, 20000, 200000};
	struct app_plan plan = {.name = "app1.ch", .up = sizes[n], .down = sizes[n]};
	if (kind == 1)
		plan.up = 0;
	if (kind == 2)
		plan.down = 0;
	if (kind == 3)
		plan.head_len = 1400 + 20 * n;
	if (kind >= 4) {
		plan.head_len = 1000 * (1 + n);
		plan.write_size = 300;
		plan.write_gap_us = kind == 5 ? 150 : 0;
	}
	return plan;
}

/* In a clean network nobody repeats, nobody sees a duplicate acknowledgement, and nothing waits for a timer. */
static void run_clean(unsigned number, unsigned kind, unsigned n, bool tls)
{
	if (!sim_wanted(6, number))
		return;
	struct rig *rig = rig_new(sim_seed(6, number));
	snprintf(rig->sim->label, sizeof(rig->sim->label), "clean transfer of kind %u", kind);
	for (unsigned i = 0; i < RIG_ROUTERS; i++)
		rig->routers[i].sleepy = kind >= 4;
	rig_start(rig);
	struct app_plan plan = clean_plan(kind, n);
	plan.tls = tls;
	const struct exchange *exchange = app_start(rig, &plan);
	rig_run_all(rig, SIM_SECOND);
	const struct sim_tcp *client = exchange->client, *server = exchange->server;
	if (client->pure_duplicate_acks || client->retransmits || server->pure_duplicate_acks || server->retransmits)
		sim_fail(rig->sim, "duplicate ACKs %u and %u, retransmits %u and %u", client->pure_duplicate_acks,
		         server->pure_duplicate_acks, client->retransmits, server->retransmits);
	if (exchange->finished_at - exchange->started_at > 100 * SIM_MS)
		sim_fail(rig->sim, "took %llu us", (unsigned long long)(exchange->finished_at - exchange->started_at));
	rig_expect(rig, counter_connections_spliced, 1);
	rig_expect(rig, counter_ended_fin, 1);
	rig_end(rig, 3 * SIM_SECOND);
}

static void test_clean(void **state)
{
	for (unsigned i = 0; i < 6 * 7 * 2; i++)
		run_clean(i, i / 14, i % 7, i / 7 % 2);
}

/* Every pair of window scales: a wrong translation shows as a stall, a shrinking window or too much data. */
static void test_window_scales(void **state)
{
	for (unsigned scale = 0; scale <= SIM_NO_SCALE; scale++) {
		if (!sim_wanted(7, scale))
			continue;
		struct rig *rig = rig_new(sim_seed(7, scale));
		snprintf(rig->sim->label, sizeof(rig->sim->label), "window scale of router hosts %u", scale);
		for (unsigned i = 0; i < RIG_ROUTERS; i++) {
			rig->routers[i].params.window_scale = (uint8_t)scale;
			rig->routers[i].params.receive_buffer = scale == 0 || scale == SIM_NO_SCALE ? 65535 : 131072;
		}
		rig_start(rig);
		for (unsigned client = 0; client <= SIM_NO_SCALE; client++) {
			struct app_plan plan = {.name = "app1.ch", .up = 150000, .down = 150000, .client = client};
			plan.client_params = app_usual_params();
			plan.client_params.window_scale = (uint8_t)client;
			plan.client_params.receive_buffer = client == 0 || client == SIM_NO_SCALE ? 65535 : 131072;
			app_start(rig, &plan);
		}
		rig_run_all(rig, 3 * SIM_SECOND);
		for (const struct exchange *exchange = rig->exchanges; exchange; exchange = exchange->next)
			if (exchange->finished_at - exchange->started_at > 300 * SIM_MS)
				sim_fail(rig->sim, "client scale %u took %llu us",
				         exchange->plan.client_params.window_scale,
				         (unsigned long long)(exchange->finished_at - exchange->started_at));
		rig_end(rig, 3 * SIM_SECOND);
	}
}

struct reader {
	struct exchange *exchange;
	bool server, paused;
	uint64_t period;
};

static void toggle(void *context)
{
	struct reader *reader = context;
	struct sim_tcp *tcp = reader->server ? reader->exchange->server : reader->exchange->client;
	if (reader->exchange->finished)
		return;
	reader->paused = !reader->paused;
	if (tcp)
		sim_tcp_pause(tcp, reader->paused);
	sim_call_in(reader->exchange->rig->sim, reader->period, toggle, reader);
}

/* A reader that stops and goes on: the window closes, is probed, and opens again. */
static void test_zero_window(void **state)
{
	for (unsigned i = 0; i < sim_runs(12); i++) {
		if (!sim_wanted(8, i))
			continue;
		struct rig *rig = rig_new(sim_seed(8, i));
		snprintf(rig->sim->label, sizeof(rig->sim->label), "zero window, slow %s", i % 2 ? "server" : "client");
		if (i % 4 >= 2)
			rig_impair(rig, 300, 100, 1000, 0);
		rig_start(rig);
		struct app_plan plan = {.name = "only1.ch", .up = 300000, .down = 300000};
		plan.client_params = app_usual_params();
		plan.client_params.receive_buffer = 40000;
		for (unsigned r = 0; r < RIG_ROUTERS; r++)
			rig->routers[r].params.receive_buffer = 40000;
		struct reader reader = {app_start(rig, &plan), i % 2, false,
		                        200 * SIM_MS + sim_below(rig->sim, 1500 * SIM_MS)};
		sim_call_in(rig->sim, 2 * SIM_MS, toggle, &reader);
		rig_run_all(rig, 300 * (uint64_t)SIM_SECOND);
		rig_run(rig, 2 * SIM_SECOND);
		rig_end(rig, 5 * SIM_SECOND);
	}
}

/* Smaller frames on the clients' side: the router hosts never send what does not fit. */
static void test_mss(void **state)
{
	struct rig *rig = rig_new(sim_seed(9, 0));
	strcpy(rig->sim->label, "MSS classes");
	rig_start(rig);
	for (uint16_t mss = 88; mss <= 1460; mss += 7) {
		struct app_plan plan = {.name = "app1.ch", .up = 5000, .down = 20000, .client = mss};
		plan.client_params = app_usual_params();
		plan.client_params.mss = mss;
		plan.client_params.sack = mss % 2;
		app_start(rig, &plan);
		rig_run(rig, 5 * SIM_MS);
	}
	rig_run_all(rig, 5 * SIM_SECOND);
	rig_end(rig, 3 * SIM_SECOND);
}

/* Router hosts that take small segments only: what we held and send ourselves is cut for them, and the next client
 * is told. */
static void test_small_router_mss(void **state)
{
	struct rig *rig = rig_new(sim_seed(9, 1));
	strcpy(rig->sim->label, "small MSS of router hosts");
	rig->config.limits.client_mss = 700;
	for (unsigned i = 0; i < RIG_ROUTERS; i++)
		rig->routers[i].params.mss = 700;
	rig_start(rig);
	struct app_plan plan = {.name = "only1.ch", .head_len = 5000, .up = 5000, .down = 5000};
	app_start(rig, &plan);
	rig_run_all(rig, SIM_SECOND);
	for (unsigned i = 0; i < RIG_ROUTERS; i++)
		rig->routers[i].params.mss = 600;
	plan.head_len = 0;
	plan.up = 100; /* goes well, and teaches */
	app_start(rig, &plan);
	app_start(rig, &plan);
	rig_run_all(rig, SIM_SECOND);
	plan.up = 5000;
	const struct exchange *exchange = app_start(rig, &plan);
	rig_run_all(rig, SIM_SECOND);
	sim_check(rig->sim, exchange->client->syn_mss == 600);
	rig_end(rig, 3 * SIM_SECOND);
}

/* Windows below 128 bytes, which is the unit that clients are told: small, but never shown as closed. */
static void test_tiny_window(void **state)
{
	for (unsigned i = 0; i < 6; i++) {
		struct rig *rig = rig_new(sim_seed(9, 2 + i));
		strcpy(rig->sim->label, "tiny window of router hosts");
		for (unsigned r = 0; r < RIG_ROUTERS; r++) {
			rig->routers[r].params.receive_buffer = 60 + 10 * i;
			rig->routers[r].params.window_scale = i % 2 ? 0 : SIM_NO_SCALE;
		}
		rig_start(rig);
		rig->client.shrink_allowed = 20000; /* the head was invited before */
		struct app_plan plan = {.name = "only1.ch", .head_len = i / 2 * 200, .up = 3000, .down = 3000};
		app_start(rig, &plan);
		rig_run_all(rig, 10 * SIM_SECOND);
		rig_end(rig, 3 * SIM_SECOND);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_clean),         cmocka_unit_test(test_random),
	    cmocka_unit_test(test_loss),          cmocka_unit_test(test_loss_reorder_duplicate),
	    cmocka_unit_test(test_corruption),    cmocka_unit_test(test_large),
	    cmocka_unit_test(test_window_scales), cmocka_unit_test(test_zero_window),
	    cmocka_unit_test(test_mss),           cmocka_unit_test(test_small_router_mss),
	    cmocka_unit_test(test_tiny_window),
	};
	return sim_run_tests(tests);
}
