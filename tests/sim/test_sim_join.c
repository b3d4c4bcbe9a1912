/* A connection survives the loss of every single packet, and of every pair of packets, of its whole life: handshake,
 * head, connect, join, response, close. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim_app.h"

/* Counts the frames of all four links together, and loses those whose turn it is. */
struct loss {
	unsigned seen;
	unsigned first, second; /* ordinals to lose */
};

static void lose(void *context, struct sim_link *link, const struct sim_segment *segment, unsigned ordinal,
                 struct sim_verdict *verdict)
{
	struct loss *loss = context;
	verdict->drop = loss->seen == loss->first || loss->seen == loss->second;
	loss->seen++;
}

struct shape {
	const char *name;
	struct app_plan plan;
};

static const struct shape shapes[] = {
    {"head in one segment", {.name = "app1.ch", .down = 3000}},
    {"head in two segments", {.name = "app1.ch", .write_size = 30, .down = 3000}},
    {"two segments, each waits", {.name = "app1.ch", .write_size = 30, .write_gap_us = 3000, .down = 1}},
    {"TLS over two full segments", {.name = "secure.ch", .tls = true, .head_len = 1700, .down = 3000}},
    {"head and body", {.name = "only1.ch", .up = 4000, .down = 10}},
    {"server closes first", {.name = "only2.ch", .down = 100, .closing = APP_SERVER_FIRST}},
    {"request with FIN", {.name = "only2.ch", .down = 100, .closing = APP_CLIENT_HALF}},
    {"ACK with data",
     {.name = "only2.ch",
      .down = 100,
      .client_params = {.mss = 1460,
                        .window_scale = 7,
                        .sack = true,
                        .nagle = false,
                        .ack_with_data = true,
                        .receive_buffer = 65535,
                        .delayed_ack_us = 0}}},
    {"delayed ACKs, Nagle",
     {.name = "app1.ch",
      .write_size = 25,
      .down = 5000,
      .client_params = {.mss = 1460,
                        .window_scale = 7,
                        .sack = true,
                        .nagle = true,
                        .ack_with_data = false,
                        .receive_buffer = 65535,
                        .delayed_ack_us = 40000}}},
};
enum { SHAPES = sizeof(shapes) / sizeof(shapes[0]), NOT = 0xffffffff };

/* Returns how many frames there were; 0: the run is not wanted. */
static unsigned run(unsigned test, unsigned number, const char *name, const struct app_plan *plan, unsigned first,
                    unsigned second)
{
	if (!sim_wanted(test, number))
		return 0;
	struct rig *rig = rig_new(sim_seed(test, number));
	struct loss loss = {0, first, second};
	snprintf(rig->sim->label, sizeof(rig->sim->label), "%s, frames %d and %d lost", name, (int)first, (int)second);
	struct sim_link *links[] = {&rig->north_in, &rig->north_out, &rig->south_in, &rig->south_out};
	rig_start(rig);
	for (unsigned i = 0; i < 4; i++) {
		links[i]->filter = lose;
		links[i]->filter_context = &loss;
	}
	struct exchange *exchange = app_start(rig, plan);
	rig_run_all(rig, 30 * SIM_SECOND);
	if (exchange->served != 1)
		sim_fail(rig->sim, "served %u times", exchange->served);
	unsigned seen = loss.seen;
	rig_end(rig, 10 * SIM_SECOND);
	return seen;
}

enum { MANY = 400 }; /* more than the frames of any run here */

/* The run without loss, which must be made in any case. */
static unsigned count_frames(const char *name, const struct app_plan *plan)
{
	char *wish = getenv("PM_SEED") ? strdup(getenv("PM_SEED")) : NULL;
	unsetenv("PM_SEED");
	unsigned frames = run(10, 9999999, name, plan, NOT, NOT);
	if (wish)
		setenv("PM_SEED", wish, 1);
	free(wish);
	return frames;
}

static void test_single(void **state)
{
	for (unsigned i = 0; i < SHAPES; i++) {
		unsigned frames = count_frames(shapes[i].name, &shapes[i].plan);
		for (unsigned first = 0; first < frames; first++)
			run(11, i * MANY + first, shapes[i].name, &shapes[i].plan, first, NOT);
	}
}

/* The second of a pair may be a repetition, so it goes beyond the number of frames of a run without loss. */
static void test_pairs(void **state)
{
	unsigned step = sim_factor() > 1 ? 1 : 2;
	for (unsigned i = 0; i < SHAPES; i++) {
		unsigned frames = count_frames(shapes[i].name, &shapes[i].plan);
		for (unsigned first = 0; first < frames; first++)
			for (unsigned second = first + 1; second < frames + 6; second++)
				if ((first + second) % step == 0 || second < first + 4)
					run(12, (i * MANY + first) * MANY + second, shapes[i].name, &shapes[i].plan,
					    first, second);
	}
}

/* A head in 1-byte segments: HTTP and TLS, with and without Nagle's algorithm. */
static void test_bytes(void **state)
{
	static const struct app_plan plans[] = {
	    {.name = "only1.ch", .write_size = 1, .write_gap_us = 50, .down = 500},
	    {.name = "only1.ch",
	     .write_size = 1,
	     .down = 500,
	     .client_params = {.mss = 1460,
	                       .window_scale = 7,
	                       .sack = true,
	                       .nagle = true,
	                       .ack_with_data = false,
	                       .receive_buffer = 65535,
	                       .delayed_ack_us = 40000}},
	    {.name = "only2.ch", .tls = true, .write_size = 1, .write_gap_us = 50, .record_size = 20, .down = 500},
	};
	for (unsigned i = 0; i < 3; i++) {
		unsigned frames = count_frames("1-byte segments", &plans[i]);
		unsigned step = frames > 100 && sim_factor() == 1 ? 5 : 1;
		for (unsigned first = 0; first < frames; first += step)
			run(13, i * 10 * MANY + first, "1-byte segments", &plans[i], first, NOT);
		for (unsigned n = 0; n < sim_runs(100) && n < 100000; n++) {
			unsigned first = (n * 2654435761u >> 8) % frames, second = (n * 40503u + 7) % (frames + 6);
			run(14, i * 100000 + n, "1-byte segments", &plans[i], first, second);
		}
	}
}

/* Everything of the joining exchange twice, or one after the other in the wrong order. */
static void disturb(void *context, struct sim_link *link, const struct sim_segment *segment, unsigned ordinal,
                    struct sim_verdict *verdict)
{
	struct loss *loss = context;
	if (loss->seen == loss->first)
		verdict->copies = 2;
	if (loss->seen == loss->second)
		verdict->delay_us = 700;
	loss->seen++;
}

static void run_disturbed(unsigned number, const struct shape *shape, unsigned twice, unsigned late)
{
	if (!sim_wanted(15, number))
		return;
	struct rig *rig = rig_new(sim_seed(15, number));
	struct loss loss = {0, twice, late};
	snprintf(rig->sim->label, sizeof(rig->sim->label), "%s, frame %u twice, %u late", shape->name, twice, late);
	struct sim_link *links[] = {&rig->north_in, &rig->north_out, &rig->south_in, &rig->south_out};
	rig_start(rig);
	rig->client.in_order = false;
	for (unsigned i = 0; i < RIG_ROUTERS; i++)
		rig->routers[i].host.in_order = false;
	for (unsigned i = 0; i < 4; i++) {
		links[i]->filter = disturb;
		links[i]->filter_context = &loss;
	}
	app_start(rig, &shape->plan);
	rig_run_all(rig, 30 * SIM_SECOND);
	rig_end(rig, 10 * SIM_SECOND);
}

static void test_repeated_and_late(void **state)
{
	for (unsigned i = 0; i < SHAPES; i++)
		for (unsigned twice = 0; twice < 40; twice++)
			for (unsigned late = twice % 3; late < 40; late += 3)
				run_disturbed((i * MANY + twice) * MANY + late, &shapes[i], twice, late);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_single),
	    cmocka_unit_test(test_pairs),
	    cmocka_unit_test(test_bytes),
	    cmocka_unit_test(test_repeated_and_late),
	};
	return sim_run_tests(tests);
}
