/* A source pool so small that every port is used again while the router host has it in TIME_WAIT: no connection fails,
 * none is slow, and no connection gets bytes of another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim_app.h"

enum { PORTS = 64 };

static struct rig *small_pool(unsigned test, unsigned number, const char *what)
{
	struct rig *rig = rig_new(sim_seed(test, number));
	snprintf(rig->sim->label, sizeof(rig->sim->label), "%s", what);
	rig->config.pool.prefixes[0].length = 128; /* one address */
	rig->config.pool.port_first = 5000;
	rig->config.pool.port_last = 5000 + PORTS - 1;
	return rig;
}

static unsigned sum_challenges(const struct rig *rig)
{
	unsigned sum = 0;
	for (unsigned i = 0; i < RIG_ROUTERS; i++)
		sum += rig->routers[i].host.time_wait_challenges;
	return sum;
}

/* One connection after the other, `gap` apart, the server always closing first. */
static void run(unsigned number, uint64_t gap, unsigned connections, unsigned loss)
{
	if (!sim_wanted(90, number))
		return;
	struct rig *rig = small_pool(90, number, "ports in TIME_WAIT");
	rig_impair(rig, loss, 0, 0, 0);
	for (unsigned i = 0; i < RIG_ROUTERS; i++)
		rig->routers[i].host.lenient = loss > 0;
	rig_start(rig);
	uint64_t slowest = 0;
	for (unsigned i = 0; i < connections; i++) {
		struct app_plan plan = {
		    .name = "only1.ch",
		    .tls = number % 2,
		    .client = i,
		    .up = i % 5 * 300,
		    .down = 500 + i % 7 * 1000,
		    .closing = APP_SERVER_FIRST,
		};
		app_start(rig, &plan);
		rig_run(rig, gap);
	}
	rig_run_all(rig, 60 * SIM_SECOND);
	for (const struct exchange *exchange = rig->exchanges; exchange; exchange = exchange->next)
		if (exchange->finished_at - exchange->started_at > slowest)
			slowest = exchange->finished_at - exchange->started_at;
	if (loss == 0 && slowest > 20 * SIM_MS)
		sim_fail(rig->sim, "the slowest connection took %llu us", (unsigned long long)slowest);
	rig_expect(rig, counter_connections_spliced, connections);
	if (loss == 0)
		rig_expect(rig, counter_connections_retried, 0);
	if (rig_counter(rig, counter_port_reused_early) < connections - 2 * PORTS)
		sim_fail(rig->sim, "ports were not used again");
	/* Half of all SYNs fall below what the old connection has seen. */
	unsigned challenges = sum_challenges(rig), reused = connections - 2 * PORTS;
	if (challenges < reused / 4 || (loss == 0 && rig_counter(rig, counter_port_time_wait) != challenges))
		sim_fail(rig->sim, "%u challenges of %u in TIME_WAIT, %llu noted", challenges, reused,
		         (unsigned long long)rig_counter(rig, counter_port_time_wait));
	rig_end(rig, 10 * SIM_SECOND);
}

static void test_sequence(void **state)
{
	for (unsigned i = 0; i < 4 * sim_factor(); i++)
		run(i, 34 * SIM_MS + i % 4 * SIM_MS, 400, 0);
}

static void test_loss(void **state)
{
	for (unsigned i = 0; i < 2 * sim_factor(); i++)
		run(100000 + i, 80 * SIM_MS, 300, 200);
}

/* Old ports rest as long as they can: the oldest is taken first. */
static void note_port(void *context, struct sim_link *link, const struct sim_segment *segment, unsigned ordinal,
                      struct sim_verdict *verdict)
{
	uint64_t *last_used = context;
	if (!segment || !(segment->flags & SIM_SYN))
		return;
	uint64_t *used = &last_used[segment->source_port - 5000];
	for (unsigned i = 0; i < PORTS; i++)
		if (last_used[i] < *used)
			sim_fail(link->sim, "port %u is used again before port %u", segment->source_port, 5000 + i);
	*used = link->sim->now;
}

static void test_oldest_first(void **state)
{
	struct rig *rig = small_pool(91, 0, "oldest port first");
	uint64_t last_used[PORTS] = {0};
	rig->south_out.filter = note_port;
	rig->south_out.filter_context = last_used;
	rig->routers[1].known = false; /* one router host: one order */
	for (unsigned i = 0; i < RIG_ROUTERS; i++)
		rig->routers[i].host.time_wait_us = 1; /* no SYN twice */
	rig_start(rig);
	for (unsigned i = 0; i < 5 * PORTS; i++) {
		struct app_plan plan = {.name = "only1.ch", .client = i, .down = 100, .closing = APP_SERVER_FIRST};
		app_start(rig, &plan);
		rig_run(rig, 50 * SIM_MS);
	}
	rig_run_all(rig, 10 * SIM_SECOND);
	rig_expect(rig, counter_connections_spliced, 5 * PORTS);
	rig_end(rig, 10 * SIM_SECOND);
}

/* The SYN that is repeated after the end of a TIME_WAIT gets no answer, on one port of each connection. */
struct second_syn {
	bool reset[PORTS];
	uint16_t dead_port;
};

static void lose_second_syn(void *context, struct sim_link *link, const struct sim_segment *segment, unsigned ordinal,
                            struct sim_verdict *verdict)
{
	struct second_syn *state = context;
	if (!segment)
		return;
	if (segment->flags & SIM_RST)
		state->reset[segment->source_port - 5000] = true;
	if (!(segment->flags & SIM_SYN) || !state->reset[segment->source_port - 5000])
		return;
	if (state->dead_port == 0)
		state->dead_port = segment->source_port;
	verdict->drop = segment->source_port == state->dead_port;
}

/* It takes another port then, after 200 ms. */
static void test_other_port(void **state)
{
	struct rig *rig = small_pool(93, 0, "another port");
	struct second_syn syn;
	rig->south_out.filter = lose_second_syn;
	rig->south_out.filter_context = &syn;
	rig_start(rig);
	for (unsigned i = 0; i < 4 * PORTS; i++) {
		struct app_plan plan = {.name = "only1.ch", .client = i, .down = 100, .closing = APP_SERVER_FIRST};
		memset(&syn, 0, sizeof(syn));
		const struct exchange *exchange = app_start(rig, &plan);
		rig_run_all(rig, 5 * SIM_SECOND);
		if (exchange->finished_at - exchange->started_at > 220 * SIM_MS)
			sim_fail(rig->sim, "connection %u takes %llu us", i,
			         (unsigned long long)(exchange->finished_at - exchange->started_at));
		rig_run(rig, 40 * SIM_MS);
	}
	sim_check(rig->sim, rig_counter(rig, counter_port_time_wait) > 10);
	rig_expect(rig, counter_connections_retried, 0);
	rig_end(rig, 10 * SIM_SECOND);
}

/* Router hosts that keep TIME_WAIT against a RST: the second ACK says so, and another port is taken at once. */
static void test_stubborn(void **state)
{
	struct rig *rig = small_pool(94, 0, "TIME_WAIT that ignores RST");
	for (unsigned i = 0; i < RIG_ROUTERS; i++)
		rig->routers[i].host.stubborn = true;
	rig->sent_limit = 10000;
	rig_start(rig);
	for (unsigned i = 0; i < 4 * PORTS; i++) {
		struct app_plan plan = {.name = "only1.ch", .client = i, .down = 100, .closing = APP_SERVER_FIRST};
		const struct exchange *exchange = app_start(rig, &plan);
		rig_run_all(rig, 5 * SIM_SECOND);
		if (exchange->finished_at - exchange->started_at > 20 * SIM_MS)
			sim_fail(rig->sim, "connection %u takes %llu us", i,
			         (unsigned long long)(exchange->finished_at - exchange->started_at));
		rig_run(rig, 40 * SIM_MS);
	}
	rig_end(rig, 10 * SIM_SECOND);
}

/* All ports in use: refused in a defined way, and those that live are not harmed. */
static void test_exhausted(void **state)
{
	struct rig *rig = small_pool(92, 0, "no port left");
	rig_start(rig);
	struct exchange *exchanges[2 * PORTS];
	for (unsigned i = 0; i < 2 * PORTS; i++) {
		struct app_plan plan = {
		    .name = "only1.ch", .client = i, .down = 5000, .up = 5000, .think_us = 3 * SIM_SECOND};
		exchanges[i] = app_start(rig, &plan);
		rig_run(rig, SIM_MS);
	}
	rig_expect(rig, counter_ports_in_use, 2 * PORTS); /* two router hosts */
	struct app_plan plan = {.name = "only1.ch", .client = 9999, .answer = true};
	struct exchange *refused = app_start(rig, &plan);
	rig_run(rig, 20 * SIM_MS);
	if (refused->answer_len < 12 || memcmp(refused->answer, "HTTP/1.1 503", 12) != 0)
		sim_fail(rig->sim, "the answer is %zu bytes", refused->answer_len);
	sim_check(rig->sim, rig_counter(rig, counter_refused_ports) > 0);
	rig_run_all(rig, 20 * SIM_SECOND);
	for (unsigned i = 0; i < 2 * PORTS; i++)
		sim_check(rig->sim, app_complete(exchanges[i]));
	rig_end(rig, 10 * SIM_SECOND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_sequence),   cmocka_unit_test(test_loss),     cmocka_unit_test(test_oldest_first),
	    cmocka_unit_test(test_other_port), cmocka_unit_test(test_stubborn), cmocka_unit_test(test_exhausted),
	};
	return sim_run_tests(tests);
}
