/* Who gets a connection: weights, fewest connections, health, and what happens when the elected router host refuses, is
 * silent or unreachable. The client of a route that has a living router host never notices. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim_app.h"

static struct rig *make_rig(unsigned test, unsigned number, const char *what)
{
	struct rig *rig = rig_new(sim_seed(test, number));
	snprintf(rig->sim->label, sizeof(rig->sim->label), "%s", what);
	return rig;
}

static struct exchange *request(struct rig *rig, const char *name, bool tls)
{
	struct app_plan plan = {.name = name, .tls = tls, .client = rig->exchange_count, .down = 500};
	struct exchange *exchange = app_start(rig, &plan);
	uint64_t until = rig->sim->now + 10 * SIM_SECOND;
	while (!exchange->finished && rig->sim->now < until)
		sim_step(rig->sim);
	if (!exchange->finished)
		sim_fail(rig->sim, "a request is not finished");
	return exchange;
}

static struct exchange *hold(struct rig *rig, const char *name)
{
	struct app_plan plan = {
	    .name = name, .client = rig->exchange_count, .down = 50, .closing = APP_NOBODY, .may_fail = true};
	struct exchange *exchange = app_start(rig, &plan);
	rig_run(rig, 5 * SIM_MS);
	if (app_router(exchange) < 0)
		sim_fail(rig->sim, "a connection to be held is not made");
	return exchange;
}

static void let_go(struct rig *rig, struct exchange *exchange)
{
	sim_tcp_shutdown(exchange->client);
	rig_run(rig, 2 * SIM_MS);
	sim_tcp_shutdown(exchange->server);
	rig_run(rig, 2 * SIM_MS);
}

/* ---- weights ---- */

/* Of any 9 connections in a row at 1:8 exactly one goes to the first cluster; a resync in between changes nothing. */
static void run_weights(unsigned number, bool resync)
{
	struct rig *rig = make_rig(100, number, resync ? "weights 1:8 with resyncs" : "weights 1:8");
	rig_start(rig);
	bool first[90];
	for (unsigned i = 0; i < 90; i++) {
		first[i] = app_router(request(rig, "app1.ch", number % 2)) < 2;
		if (resync && i % 2)
			rig_sync(rig);
		if (resync && i % 5 == 0)
			rig_tell_router(rig, i % RIG_ROUTERS);
		rig_run(rig, 50 * SIM_MS);
	}
	for (unsigned i = 0; i + 9 <= 90; i++) {
		unsigned sum = 0;
		for (unsigned k = 0; k < 9; k++)
			sum += first[i + k];
		if (sum != 1)
			sim_fail(rig->sim, "of 9 connections from number %u on, %u go to the first cluster", i, sum);
	}
	if (shared_get(&rig_pair_counters(rig, 0, 0)->total) != 10 ||
	    shared_get(&rig_pair_counters(rig, 0, 1)->total) != 80)
		sim_fail(rig->sim, "the pairs' counters are wrong");
	rig_end(rig, 5 * SIM_SECOND);
}

static void test_weights(void **state)
{
	for (unsigned i = 0; i < 4; i++)
		run_weights(i, i >= 2);
}

static void test_changed_weights(void **state)
{
	struct rig *rig = make_rig(101, 0, "weights changed by a batch");
	rig_start(rig);
	int route = rig_route_of(rig, "app1.ch");
	rig_set_weight(rig, (unsigned)route, 1, 0);
	for (unsigned i = 0; i < 20; i++)
		sim_check(rig->sim, app_router(request(rig, "app1.ch", false)) < 2);
	rig_set_weight(rig, (unsigned)route, 0, 0);
	struct app_plan plan = {.name = "app1.ch", .answer = true};
	struct exchange *refused = app_start(rig, &plan);
	rig_run_all(rig, SIM_SECOND);
	sim_check(rig->sim, memcmp(refused->answer, "HTTP/1.1 503", 12) == 0);
	rig_set_weight(rig, (unsigned)route, 1, 1);
	for (unsigned i = 0; i < 20; i++)
		sim_check(rig->sim, app_router(request(rig, "app1.ch", false)) >= 2);
	rig_end(rig, 5 * SIM_SECOND);
}

/* ---- fewest connections ---- */

static void test_fewest(void **state)
{
	struct rig *rig = make_rig(102, 0, "fewest connections");
	struct exchange *held[30];
	rig_start(rig);
	for (unsigned i = 0; i < 30; i++)
		held[i] = hold(rig, "only1.ch");
	unsigned first = rig->routers[0].active, second = rig->routers[1].active;
	sim_check(rig->sim, first == 15);
	sim_check(rig->sim, second == 15);
	for (unsigned i = 0; i < 30; i++) /* close those of one host */
		if (app_router(held[i]) == 1)
			let_go(rig, held[i]);
	sim_check(rig->sim, rig->routers[1].active == 0);
	for (unsigned i = 0; i < 15; i++)
		sim_check(rig->sim, app_router(hold(rig, "only1.ch")) == 1);
	for (unsigned i = 0; i < 20; i++) {
		hold(rig, "only1.ch");
		int differ = (int)rig->routers[0].active - (int)rig->routers[1].active;
		if (differ > 1 || differ < -1)
			sim_fail(rig->sim, "%u and %u connections", rig->routers[0].active, rig->routers[1].active);
	}
	sim_check(rig->sim, shared_get(&rig_host_counters(rig, 0)->active) == rig->routers[0].active);
	sim_check(rig->sim, shared_get(&rig_host_counters(rig, 1)->active) == rig->routers[1].active);
	worker_reset_all(rig->worker, rig->sim->now);
	rig_end(rig, SIM_SECOND);
}

/* Many at the same microsecond: attempts count, so they spread evenly too. */
static void test_burst(void **state)
{
	struct rig *rig = make_rig(103, 0, "a burst of connections");
	rig_start(rig);
	for (unsigned i = 0; i < 60; i++) {
		struct app_plan plan = {.name = "both.ch", .client = i, .down = 5000, .think_us = 100 * SIM_MS};
		app_start(rig, &plan);
	}
	rig_run_all(rig, 5 * SIM_SECOND);
	for (unsigned i = 0; i < RIG_ROUTERS; i++)
		if (rig->routers[i].accepted != 15 || rig->routers[i].active_max != 15)
			sim_fail(rig->sim, "router %u served %u, %u at once", i, rig->routers[i].accepted,
			         rig->routers[i].active_max);
	rig_end(rig, 5 * SIM_SECOND);
}

/* One after the other: ties are broken in turn. */
static void test_turns(void **state)
{
	struct rig *rig = make_rig(104, 0, "ties in turn");
	rig_start(rig);
	for (unsigned i = 0; i < 40; i++) {
		request(rig, "only2.ch", i % 3 == 0);
		rig_run(rig, 3 * SIM_SECOND);
	}
	sim_check(rig->sim, rig->routers[2].accepted == 20);
	sim_check(rig->sim, rig->routers[3].accepted == 20);
	rig_end(rig, 5 * SIM_SECOND);
}

/* ---- hosts that fail ---- */

static void test_refused(void **state)
{
	static const enum rig_router_mode modes[] = {RIG_ROUTER_REFUSES, RIG_ROUTER_UNREACHABLE,
	                                             RIG_ROUTER_RESETS_EARLY};
	for (unsigned m = 0; m < 3; m++) {
		struct rig *rig = make_rig(105, m, "one router host refuses");
		rig->routers[0].mode = modes[m];
		rig_start(rig);
		for (unsigned i = 0; i < 50; i++) {
			struct exchange *exchange = request(rig, "only1.ch", i % 2);
			if (app_router(exchange) != 1 || exchange->finished_at - exchange->started_at > 10 * SIM_MS)
				sim_fail(rig->sim, "router %d after %llu us", app_router(exchange),
				         (unsigned long long)(exchange->finished_at - exchange->started_at));
		}
		sim_check(rig->sim, rig->event_count[EVENT_HOST_FAILING] > 0);
		sim_check(rig->sim, shared_get(&rig_host_counters(rig, 0)->refused) > 0);
		rig_end(rig, 5 * SIM_SECOND);
	}
}

/* All of the first cluster refuse: the second one serves, because the route goes there too. */
static void test_next_cluster(void **state)
{
	struct rig *rig = make_rig(106, 0, "a cluster refuses");
	rig->routers[2].mode = rig->routers[3].mode = RIG_ROUTER_REFUSES;
	rig_start(rig);
	for (unsigned i = 0; i < 30; i++)
		sim_check(rig->sim, app_router(request(rig, "app1.ch", false)) < 2);
	/* but never where the route does not go */
	struct app_plan plan = {.name = "only2.ch", .answer = true};
	rig->routers[2].mode = rig->routers[3].mode = RIG_ROUTER_REFUSES;
	struct exchange *refused = app_start(rig, &plan);
	rig_run_all(rig, 10 * SIM_SECOND);
	sim_check(rig->sim, memcmp(refused->answer, "HTTP/1.1 503", 12) == 0);
	sim_check(rig->sim, refused->syns == 2);
	rig_end(rig, 5 * SIM_SECOND);
}

static unsigned count_slow(const struct rig *rig, uint64_t limit_us)
{
	unsigned slow = 0;
	for (const struct exchange *exchange = rig->exchanges; exchange; exchange = exchange->next)
		slow += exchange->finished_at - exchange->started_at > limit_us;
	return slow;
}

/* One of two hosts drops SYNs: of 1,000 connections in 5 s at most 10 take longer than 200 ms (as many as are open on
 * the other host at a time go to it before the first one fails, and then one trial a second), later at most one per
 * second (the trial); when it answers again, it gets its share again. */
static void test_silent(void **state)
{
	for (unsigned i = 0; i < 2; i++) {
		struct rig *rig = make_rig(107, i, "one router host is silent");
		rig->config.limits.connections = 2048;
		rig->config.pool.port_last = 8000;
		rig->routers[0].mode = RIG_ROUTER_IGNORES;
		rig_start(rig);
		for (unsigned n = 0; n < 1000; n++) {
			struct app_plan plan = {
			    .name = "only1.ch", .client = n, .down = 300, .think_us = i ? 15 * SIM_MS : 0};
			app_start(rig, &plan);
			rig_run(rig, 5 * SIM_MS);
		}
		rig_run_all(rig, 10 * SIM_SECOND);
		unsigned slow = count_slow(rig, 200 * SIM_MS);
		if (slow > 10)
			sim_fail(rig->sim, "%u of 1,000 connections are slow", slow);
		sim_check(rig->sim, rig_counter(rig, counter_host_suspected) >= 1);
		sim_check(rig->sim, rig->event_count[EVENT_HOST_FAILING] >= 1);
		unsigned before = rig->routers[0].syns;
		for (unsigned n = 0; n < 100; n++) {
			struct app_plan plan = {.name = "only1.ch", .client = n, .down = 300};
			app_start(rig, &plan);
			rig_run(rig, 100 * SIM_MS);
		}
		rig_run_all(rig, 10 * SIM_SECOND);
		if (count_slow(rig, 200 * SIM_MS) - slow > 11)
			sim_fail(rig->sim, "%u of 100 connections are slow, trials included",
			         count_slow(rig, 200 * SIM_MS) - slow);
		if (rig->routers[0].syns - before > 11 * 3)
			sim_fail(rig->sim, "%u SYNs to a suspected host in 10 s", rig->routers[0].syns - before);
		rig->routers[0].mode = RIG_ROUTER_SERVES;
		rig_run(rig, 1100 * SIM_MS);
		request(rig, "only1.ch", false);
		unsigned served = rig->routers[0].accepted;
		for (unsigned n = 0; n < 20; n++)
			request(rig, "only1.ch", false);
		if (rig->routers[0].accepted - served < 9)
			sim_fail(rig->sim, "the host that answers again gets %u of 20",
			         rig->routers[0].accepted - served);
		rig_end(rig, 5 * SIM_SECOND);
	}
}

/* A suspected host is elected if it is the only one left. */
static void test_suspected_is_all_that_is_left(void **state)
{
	struct rig *rig = make_rig(108, 0, "only a suspected router host is left");
	rig->routers[0].mode = rig->routers[1].mode = RIG_ROUTER_IGNORES;
	rig_start(rig);
	struct app_plan plan = {.name = "only1.ch", .answer = true};
	struct exchange *failed = app_start(rig, &plan);
	rig_run_all(rig, 10 * SIM_SECOND);
	sim_check(rig->sim, memcmp(failed->answer, "HTTP/1.1 503", 12) == 0);
	uint64_t took = failed->finished_at - failed->started_at;
	if (took < 1900 * SIM_MS || took > 2100 * SIM_MS)
		sim_fail(rig->sim, "the answer took %llu us", (unsigned long long)took);
	rig->routers[0].mode = rig->routers[1].mode = RIG_ROUTER_SERVES;
	for (unsigned i = 0; i < 10; i++)
		request(rig, "only1.ch", false);
	rig_end(rig, 5 * SIM_SECOND);
}

/* Attempts take 5 s together, however many hosts there are to try. */
static void test_total_limit(void **state)
{
	struct rig *rig = make_rig(109, 0, "everybody is silent");
	rig->config.timeouts.connect_attempt = 2000;
	for (unsigned i = 0; i < RIG_ROUTERS; i++)
		rig->routers[i].mode = RIG_ROUTER_IGNORES;
	rig_start(rig);
	struct app_plan plan = {.name = "both.ch", .answer = true};
	struct exchange *failed = app_start(rig, &plan);
	rig_run_all(rig, 10 * SIM_SECOND);
	sim_check(rig->sim, memcmp(failed->answer, "HTTP/1.1 503", 12) == 0);
	uint64_t took = failed->finished_at - failed->started_at;
	if (took < 4990 * SIM_MS || took > 5050 * SIM_MS || failed->syns < 6)
		sim_fail(rig->sim, "the answer took %llu us and %u SYNs", (unsigned long long)took, failed->syns);
	rig_end(rig, 5 * SIM_SECOND);
}

/* ---- what control says ---- */

static void test_health(void **state)
{
	struct rig *rig = make_rig(110, 0, "health from control");
	rig_start(rig);
	struct exchange *old = hold(rig, "only1.ch");
	unsigned at = (unsigned)app_router(old);
	rig->routers[at].healthy = false;
	rig_tell_router(rig, at);
	unsigned accepted = rig->routers[at].accepted;
	for (unsigned i = 0; i < 20; i++)
		request(rig, "only1.ch", false);
	sim_check(rig->sim, rig->routers[at].accepted == accepted);
	rig->routers[at].known = false; /* gone altogether: its connection lives on */
	rig_tell_router(rig, at);
	rig_sync(rig);
	for (unsigned i = 0; i < 5; i++)
		request(rig, "only1.ch", false);
	sim_check(rig->sim, rig->routers[at].accepted == accepted);
	let_go(rig, old);
	sim_check(rig->sim, old->client_end == SIM_END_NORMAL);
	sim_check(rig->sim, old->server_end == SIM_END_NORMAL);
	rig->routers[at].known = rig->routers[at].healthy = true;
	rig_sync(rig);
	for (unsigned i = 0; i < 20; i++)
		request(rig, "only1.ch", false);
	sim_check(rig->sim, rig->routers[at].accepted >= accepted + 9);
	rig_end(rig, 5 * SIM_SECOND);
}

/* Ports: a name that is served on 443 alone, and the wildcard. */
static void test_ports_and_wildcards(void **state)
{
	struct rig *rig = make_rig(111, 0, "ports and wildcards");
	rig_start(rig);
	unsigned first = 0;
	for (unsigned i = 0; i < 20; i++)
		first += app_router(request(rig, "secure.ch", true)) < 2;
	sim_check(rig->sim, first == 10);
	struct app_plan plan = {.name = "secure.ch", .answer = true};
	struct exchange *refused = app_start(rig, &plan);
	rig_run_all(rig, SIM_SECOND);
	sim_check(rig->sim, memcmp(refused->answer, "HTTP/1.1 503", 12) == 0);
	for (unsigned i = 0; i < 10; i++)
		sim_check(rig->sim, app_router(request(rig, "x.wild.ch", i % 2)) < 2);
	rig_end(rig, 5 * SIM_SECOND);
}

/* A control that dies in the middle of a resync: the last tables stay; its successor tells everything again. */
static void test_torn_sync(void **state)
{
	struct rig *rig = make_rig(112, 0, "torn resync");
	rig_start(rig);
	uint64_t start = rig->start;
	rig_sync_begun(rig);
	sim_check(rig->sim, rig->start == start + 1);
	for (unsigned i = 0; i < 10; i++)
		request(rig, "app1.ch", false);
	rig->routers[2].healthy = rig->routers[3].healthy = false;
	rig_sync(rig);
	for (unsigned i = 0; i < 10; i++)
		sim_check(rig->sim, app_router(request(rig, "app1.ch", false)) < 2);
	rig_end(rig, 5 * SIM_SECOND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_weights),
	    cmocka_unit_test(test_changed_weights),
	    cmocka_unit_test(test_fewest),
	    cmocka_unit_test(test_burst),
	    cmocka_unit_test(test_turns),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_next_cluster),
	    cmocka_unit_test(test_silent),
	    cmocka_unit_test(test_suspected_is_all_that_is_left),
	    cmocka_unit_test(test_total_limit),
	    cmocka_unit_test(test_health),
	    cmocka_unit_test(test_ports_and_wildcards),
	    cmocka_unit_test(test_torn_sync),
	};
	return sim_run_tests(tests);
}
