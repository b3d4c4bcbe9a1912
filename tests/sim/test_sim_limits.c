/* Running out of something refuses new connections in a defined way, counted by its reason, and harms no existing one;
 * what comes back can be used again. Source ports are in test_sim_time_wait.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim_app.h"

static struct rig *make_rig(unsigned number, const char *what)
{
	struct rig *rig = rig_new(sim_seed(140, number));
	snprintf(rig->sim->label, sizeof(rig->sim->label), "%s", what);
	return rig;
}

/* A connection that must be refused with RST. */
static void expect_refusal(struct rig *rig, enum counter counter)
{
	uint64_t before = rig_counter(rig, counter);
	struct app_plan plan = {.name = "only1.ch", .client = 60000, .answer = true};
	struct exchange *exchange = app_start(rig, &plan);
	rig_run(rig, 10 * SIM_MS);
	if (exchange->client_end != SIM_END_RESET || exchange->answer_len != 0)
		sim_fail(rig->sim, "one connection too many ends with %d", exchange->client_end);
	sim_check(rig->sim, rig_counter(rig, counter) > before);
}

static void test_flows(void **state)
{
	struct rig *rig = make_rig(0, "flow table full");
	rig->config.limits.connections = 16;
	rig_start(rig);
	for (unsigned i = 0; i < 16; i++) {
		struct app_plan plan = {
		    .name = "only1.ch", .client = i, .up = 4000, .down = 4000, .think_us = 3 * SIM_SECOND};
		app_start(rig, &plan);
		rig_run(rig, SIM_MS);
	}
	rig_expect(rig, counter_flows, 16);
	expect_refusal(rig, counter_refused_flows);
	rig_run_all(rig, 10 * SIM_SECOND);
	rig_run(rig, 3 * SIM_SECOND);
	struct app_plan plan = {.name = "only1.ch", .down = 100};
	app_start(rig, &plan);
	rig_run_all(rig, SIM_SECOND);
	rig_end(rig, 5 * SIM_SECOND);
}

static void test_young(void **state)
{
	struct rig *rig = make_rig(1, "too many connections before the splice");
	rig->config.limits.young = 8;
	rig_start(rig);
	struct app_plan spliced = {.name = "only1.ch", .down = 100000, .think_us = 3 * SIM_SECOND};
	app_start(rig, &spliced);
	rig_run(rig, 10 * SIM_MS);
	for (unsigned i = 0; i < 8; i++) {
		struct app_plan plan = {
		    .name = "only1.ch", .client = i, .down = 100, .write_size = 20, .write_gap_us = SIM_SECOND};
		app_start(rig, &plan);
		rig_run(rig, SIM_MS);
	}
	rig_expect(rig, counter_flows_young, 8);
	expect_refusal(rig, counter_refused_young);
	rig_run_all(rig, 10 * SIM_SECOND);
	rig_expect(rig, counter_connections_spliced, 9);
	rig_end(rig, 5 * SIM_SECOND);
}

static void test_large_heads(void **state)
{
	struct rig *rig = make_rig(2, "no large head buffer left");
	rig->config.limits.large_heads = 2;
	rig_start(rig);
	struct app_plan plan = {
	    .name = "only1.ch", .head_len = 6000, .write_size = 3000, .write_gap_us = SIM_SECOND, .down = 100};
	for (unsigned i = 0; i < 2; i++) {
		plan.client = i;
		app_start(rig, &plan);
	}
	rig_run(rig, 10 * SIM_MS);
	rig_expect(rig, counter_heads_large, 2);
	plan.may_fail = true;
	struct exchange *refused = app_start(rig, &plan);
	plan.may_fail = false;
	plan.head_len = 1500; /* a small one is still served */
	plan.write_gap_us = 0;
	app_start(rig, &plan);
	rig_run(rig, 100 * SIM_MS);
	sim_check(rig->sim, refused->client_end == SIM_END_RESET);
	rig_expect(rig, counter_refused_heads, 1);
	rig_run_all(rig, 10 * SIM_SECOND);
	rig_expect(rig, counter_connections_spliced, 3);
	rig_end(rig, 5 * SIM_SECOND);
}

/* Births are remembered for 16 s: so many new connections, and no more, in any 16 s. */
static void test_rate(void **state)
{
	struct rig *rig = make_rig(3, "more than the configured rate");
	rig->config.limits.connection_rate = 2;
	rig_start(rig);
	for (unsigned i = 0; i < 32; i++) {
		struct app_plan plan = {.name = "only1.ch", .client = i, .down = 100};
		app_start(rig, &plan);
		rig_run(rig, 10 * SIM_MS);
	}
	rig_run_all(rig, SIM_SECOND);
	rig_expect(rig, counter_tombstones, 32);
	expect_refusal(rig, counter_refused_tombstones);
	rig_run(rig, 16 * SIM_SECOND);
	rig_expect(rig, counter_tombstones, 0);
	struct app_plan plan = {.name = "only1.ch", .down = 100};
	app_start(rig, &plan);
	rig_run_all(rig, SIM_SECOND);
	rig_end(rig, 5 * SIM_SECOND);
}

/* No packet buffers: the worker can make no segment of its own, and goes on when there are some again. */
static void test_frames(void **state)
{
	struct rig *rig = make_rig(4, "no packet buffers");
	rig_start(rig);
	for (unsigned i = 0; i < 20; i++) {
		struct app_plan plan = {.name = "only1.ch", .tls = i % 2, .client = i, .up = 20000, .down = 20000};
		app_start(rig, &plan);
		rig->frames_max = i % 4; /* what is received takes its own buffer */
		rig_run(rig, 300 * SIM_MS);
		rig->frames_max = 4096;
		rig_run(rig, 2 * SIM_SECOND);
	}
	rig_run_all(rig, 60 * SIM_SECOND);
	rig_end(rig, 20 * SIM_SECOND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_flows), cmocka_unit_test(test_young),  cmocka_unit_test(test_large_heads),
	    cmocka_unit_test(test_rate),  cmocka_unit_test(test_frames),
	};
	return sim_run_tests(tests);
}
