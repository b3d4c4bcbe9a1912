/* MAC addresses come from the kernel's tables, and change: a client that is never resolved, tables flushed, a router
 * host with a new MAC, each in the middle of traffic. The hosts check the MACs of every frame. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim_app.h"

static struct rig *make_rig(unsigned number, const char *what)
{
	struct rig *rig = rig_new(sim_seed(150, number));
	snprintf(rig->sim->label, sizeof(rig->sim->label), "%s", what);
	return rig;
}

static void start_some(struct rig *rig, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct app_plan plan = {
		    .name = "app1.ch",
		    .tls = i % 2,
		    .from = (enum app_from)(i % 3),
		    .client = i,
		    .up = 30000,
		    .down = 30000,
		    .think_us = i * 30 * SIM_MS,
		};
		app_start(rig, &plan);
		rig_run(rig, 20 * SIM_MS);
	}
}

/* The kernel never says where an on-link client is: its packets go back the way that its own came. */
static void test_unresolved_client(void **state)
{
	struct rig *rig = make_rig(0, "unresolved client");
	rig_start(rig);
	rig->answer_asks = false;
	rig_run(rig, SIM_MS);
	rig_forget_router(rig, 0);
	for (unsigned i = 0; i < 8; i++) {
		struct app_plan plan = {
		    .name = i < 6 ? "only2.ch" : "nobody.ch",
		    .from = i % 2 ? APP_NEAR : APP_ROUTER,
		    .up = 9000,
		    .down = 9000,
		    .answer = i >= 6,
		};
		app_start(rig, &plan);
	}
	rig_run_all(rig, 5 * SIM_SECOND);
	sim_check(rig->sim, rig->asked > 0);
	rig_end(rig, 5 * SIM_SECOND);
}

/* Asked for once, not for each packet, and never for a SYN. */
static void test_asked_at_birth(void **state)
{
	struct rig *rig = make_rig(1, "questions to the kernel");
	rig_start(rig);
	unsigned asked = rig->asked;
	struct app_plan plan = {.name = "app1.ch", .from = APP_NEAR, .up = 9000, .down = 9000};
	rig->north_out.loss = 10000;
	app_start(rig, &plan);
	rig_run(rig, 500 * SIM_MS);
	sim_check(rig->sim, rig->asked == asked);
	rig->north_out.loss = 0;
	rig_run_all(rig, 5 * SIM_SECOND);
	sim_check(rig->sim, rig->asked == asked + 1);
	rig_end(rig, 5 * SIM_SECOND);
}

static void test_flushed(void **state)
{
	struct rig *rig = make_rig(2, "neighbour tables flushed");
	rig_start(rig);
	start_some(rig, 30);
	for (unsigned i = 0; i < 5; i++) {
		rig_forget_neighbours(rig);
		rig_run(rig, 30 * SIM_MS);
		rig_learn_neighbours(rig);
		rig_run(rig, 300 * SIM_MS);
	}
	rig_run_all(rig, 60 * SIM_SECOND);
	rig_end(rig, 5 * SIM_SECOND);
}

static void test_new_mac(void **state)
{
	struct rig *rig = make_rig(3, "new MACs of router hosts");
	rig_start(rig);
	for (unsigned i = 0; i < RIG_ROUTERS; i++)
		rig->routers[i].host.moves = true;
	start_some(rig, 30);
	for (unsigned i = 0; i < 8; i++) {
		rig->routers[i % RIG_ROUTERS].host.mac[4]++;
		rig_run(rig, 20 * SIM_MS);
		rig_learn_neighbours(rig);
		rig_run(rig, 200 * SIM_MS);
	}
	rig_run_all(rig, 60 * SIM_SECOND);
	rig_end(rig, 5 * SIM_SECOND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_unresolved_client),
	    cmocka_unit_test(test_asked_at_birth),
	    cmocka_unit_test(test_flushed),
	    cmocka_unit_test(test_new_mac),
	};
	return sim_run_tests(tests);
}
