/* A captured first data segment (or the whole beginning of a connection), played again after the connection has ended,
 * never reaches a router host: no request is served twice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim_app.h"

struct capture {
	uint8_t frames[8][SIM_FRAME_MAX]; /* of the client: handshake ACK and what follows */
	uint16_t lens[8];
	unsigned count;
	bool done;
};

static void capture_first(void *context, struct sim_link *link, const struct sim_segment *segment, unsigned ordinal,
                          struct sim_verdict *verdict)
{
	struct capture *capture = context;
	if (!segment || capture->done || capture->count == 8 || (segment->flags & (SIM_SYN | SIM_RST | SIM_FIN)))
		return;
	capture->lens[capture->count] = sim_segment_write(capture->frames[capture->count], segment);
	capture->count++;
	capture->done = segment->payload_len > 0 && capture->count >= 2;
}

enum ending { BY_CLIENT_FIN, BY_SERVER_FIN, BY_BOTH_FINS, BY_CLIENT_RST, BY_SERVER_RST, BY_ANSWER, ENDINGS };
static const char *const ending_names[] = {"client's FIN", "server's FIN", "both FINs",
                                           "client's RST", "server's RST", "an answer"};

static void end_it(struct rig *rig, struct exchange *exchange, enum ending ending)
{
	if (ending == BY_CLIENT_RST || ending == BY_SERVER_RST) {
		rig_run(rig, exchange->plan.think_us + 100 * SIM_MS);
		if (exchange->served != 1)
			sim_fail(rig->sim, "the request was not served");
		if (ending == BY_CLIENT_RST)
			app_client_abort(exchange);
		else
			app_server_abort(exchange);
		rig_run(rig, SIM_MS);
	} else
		rig_run_all(rig, 30 * SIM_SECOND);
}

static void replay(struct rig *rig, const struct capture *capture, uint64_t gap)
{
	for (unsigned i = 0; i < capture->count; i++) {
		rig_inject(rig, 0, capture->frames[i], capture->lens[i]);
		if (gap)
			rig_run(rig, gap);
	}
}

static void run(unsigned number, enum ending ending, uint64_t delay, bool tls, unsigned age_s)
{
	if (!sim_wanted(30, number))
		return;
	struct rig *rig = rig_new(sim_seed(30, number));
	struct capture capture = {0};
	snprintf(rig->sim->label, sizeof(rig->sim->label), "replay %llu ms after the end by %s, connection lasts %u s",
	         (unsigned long long)delay / 1000, ending_names[ending], age_s);
	rig->north_in.filter = capture_first;
	rig->north_in.filter_context = &capture;
	rig_start(rig);
	static const enum app_closing closings[] = {APP_CLIENT_FIRST, APP_SERVER_FIRST, APP_BOTH,
	                                            APP_NOBODY,       APP_NOBODY,       APP_CLIENT_FIRST};
	struct app_plan plan = {
	    .name = ending == BY_ANSWER ? "unknown.ch" : "only1.ch",
	    .tls = tls,
	    .down = 700,
	    .think_us = age_s * (uint64_t)SIM_SECOND,
	    .closing = closings[ending],
	    .answer = ending == BY_ANSWER,
	    .may_fail = ending == BY_CLIENT_RST || ending == BY_SERVER_RST,
	};
	struct exchange *exchange = app_start(rig, &plan);
	end_it(rig, exchange, ending);
	unsigned syns = exchange->syns;
	rig_run(rig, delay);
	unsigned sent = rig->south_out.frames;
	uint64_t births = rig_counter(rig, counter_connections);
	sim_note(rig->sim, "replay");
	replay(rig, &capture, number % 2 ? 100 : 0);
	rig_run(rig, 500 * SIM_MS);
	if (rig->south_out.frames != sent || exchange->syns != syns)
		sim_fail(rig->sim, "the replay reaches a router host");
	if (rig_counter(rig, counter_connections) != births)
		sim_fail(rig->sim, "the replay opens a connection");
	rig_end(rig, 5 * SIM_SECOND);
}

static void test_replay(void **state)
{
	static const unsigned delays_ms[] = {10,   50,   150,  199,  201,  400,  1000,  1900,  1999,  2001,
	                                     2500, 4000, 6000, 7999, 8001, 9999, 12000, 15900, 16100, 20000};
	unsigned number = 0;
	for (unsigned ending = 0; ending < ENDINGS; ending++)
		for (unsigned i = 0; i < 20; i++)
			for (unsigned tls = 0; tls < 2; tls++)
				for (unsigned age = 0; age < 3; age++, number++)
					run(number, ending, delays_ms[i] * (uint64_t)SIM_MS, tls, age * 7);
}

/* The same while a new connection of the same client address and port is under way. */
static void run_reused(unsigned number, uint64_t delay)
{
	if (!sim_wanted(31, number))
		return;
	struct rig *rig = rig_new(sim_seed(31, number));
	struct capture capture = {0};
	snprintf(rig->sim->label, sizeof(rig->sim->label), "replay into a new connection of the same port");
	rig->north_in.filter = capture_first;
	rig->north_in.filter_context = &capture;
	rig->client.time_wait_us = 1; /* a client that does not wait */
	rig_start(rig);
	rig->client.lenient = true;
	rig->client.in_order = false;
	for (unsigned i = 0; i < RIG_ROUTERS; i++) {
		rig->routers[i].host.lenient = true;
		rig->routers[i].host.in_order = false;
	}
	struct app_plan plan = {.name = "only1.ch", .down = 700, .port = 33333, .closing = APP_SERVER_FIRST};
	struct exchange *first = app_start(rig, &plan);
	rig_run_all(rig, 5 * SIM_SECOND);
	rig_run(rig, delay);
	capture.done = true;
	plan.iss = first->plan.iss + 50000000; /* far beyond the first's numbers, as RFC 6528 has it */
	plan.up = 20000;
	plan.think_us = 300 * SIM_MS;
	struct exchange *second = app_start(rig, &plan);
	rig_run(rig, 10 * SIM_MS);
	sim_check(rig->sim, second->served == 1);
	for (unsigned i = 0; i < 10; i++) {
		replay(rig, &capture, 37);
		rig_run(rig, 50 * SIM_MS);
	}
	rig_run_all(rig, 10 * SIM_SECOND);
	if (second->served != 1 || second->connections != 1)
		sim_fail(rig->sim, "the second connection was served %u times", second->served);
	rig_expect(rig, counter_connections, 2);
	rig_end(rig, 5 * SIM_SECOND);
}

static void test_reused_port(void **state)
{
	for (unsigned i = 0; i < 60; i++)
		run_reused(i, i * i * 5 * (uint64_t)SIM_MS + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_replay),
	    cmocka_unit_test(test_reused_port),
	};
	return sim_run_tests(tests);
}
