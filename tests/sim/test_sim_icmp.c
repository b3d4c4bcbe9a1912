/* A narrow place behind the worker: its "fragmentation needed" reaches the sender whose packet it was, in the sender's
 * own terms, and the transfer goes on with smaller segments. Errors that quote what is not in flight do nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim_app.h"

enum { GATEWAY_NORTH = 0xc6336402, GATEWAY_SOUTH = 0xcb0071fe };

/* Drops what is longer than `mtu`, and says so to where it came from, which is the worker's port `port`. */
struct narrow {
	struct rig *rig;
	uint16_t mtu;
	uint8_t port;
	unsigned told;
};

static void narrow_down(void *context, struct sim_link *link, const struct sim_segment *segment, unsigned ordinal,
                        struct sim_verdict *verdict)
{
	struct narrow *narrow = context;
	uint8_t about[SIM_FRAME_MAX], error[SIM_FRAME_MAX];
	if (!segment || segment->payload_len + 40 <= narrow->mtu)
		return;
	verdict->drop = true;
	sim_segment_write(about, segment);
	uint16_t len = sim_icmp_write(error, narrow->port ? GATEWAY_SOUTH : GATEWAY_NORTH, 3, 4, narrow->mtu, about);
	sim_link_send(narrow->port ? &narrow->rig->south_in : &narrow->rig->north_in, error, len);
	narrow->told++;
}

static void run(unsigned number, bool south, uint16_t mtu, size_t head_len, bool tls)
{
	if (!sim_wanted(130, number))
		return;
	struct rig *rig = rig_new(sim_seed(130, number));
	snprintf(rig->sim->label, sizeof(rig->sim->label), "MTU %u %s, head of %zu bytes", mtu,
	         south ? "south" : "north", head_len);
	struct narrow narrow = {rig, mtu, south, 0};
	struct sim_link *link = south ? &rig->south_out : &rig->north_out;
	link->filter = narrow_down;
	link->filter_context = &narrow;
	rig_start(rig);
	struct app_plan plan = {
	    .name = "app1.ch", .tls = tls, .head_len = head_len, .record_size = 8000, .up = 50000, .down = 50000};
	struct exchange *exchange = app_start(rig, &plan);
	rig_run_all(rig, 60 * SIM_SECOND);
	const struct sim_host *sender = south ? &rig->client : exchange->server->host;
	sim_check(rig->sim, narrow.told > 0);
	sim_check(rig->sim, sender->too_big_received > 0);
	if (exchange->finished_at - exchange->started_at > 3 * SIM_SECOND)
		sim_fail(rig->sim, "the transfer takes %llu us",
		         (unsigned long long)(exchange->finished_at - exchange->started_at));
	rig_end(rig, 5 * SIM_SECOND);
}

static void test_too_big(void **state)
{
	static const uint16_t mtus[] = {1499, 1400, 1006, 576};
	static const size_t heads[] = {0, 1700, 9000};
	for (unsigned i = 0; i < 4 * 3 * 2 * 2; i++)
		run(i, i % 2, mtus[i / 4 % 4], heads[i / 16], i / 2 % 2);
}

/* Blind errors: wrong numbers, unknown tuples, other codes. */
static void test_not_in_flight(void **state)
{
	struct rig *rig = rig_new(sim_seed(131, 0));
	strcpy(rig->sim->label, "ICMP errors about nothing");
	rig_start(rig);
	struct app_plan plan = {.name = "only1.ch", .up = 100, .down = 100, .closing = APP_NOBODY, .may_fail = true};
	struct exchange *exchange = app_start(rig, &plan);
	rig_run(rig, 100 * SIM_MS);
	const struct sim_tcp *tcp = exchange->client;
	struct sim_segment quoted = {
	    .source = RIG_VIP,
	    .destination = tcp->local,
	    .source_port = 80,
	    .destination_port = tcp->local_port,
	    .seq = tcp->irs + 200000,
	    .source_mac = rig->client.gateway_mac,
	    .destination_mac = rig->client.mac,
	};
	uint8_t about[SIM_FRAME_MAX], error[SIM_FRAME_MAX];
	sim_segment_write(about, &quoted);
	rig_inject(rig, 0, error, sim_icmp_write(error, GATEWAY_NORTH, 3, 4, 600, about));
	rig_run(rig, SIM_MS);
	rig_expect(rig, counter_drop_icmp_not_in_flight, 1);
	quoted.seq = tcp->irs + 101;
	sim_segment_write(about, &quoted);
	rig_inject(rig, 0, error, sim_icmp_write(error, GATEWAY_NORTH, 3, 1, 0, about));
	rig_run(rig, SIM_MS);
	rig_expect(rig, counter_drop_icmp_soft, 1);
	quoted.destination_port++;
	sim_segment_write(about, &quoted);
	rig_inject(rig, 0, error, sim_icmp_write(error, GATEWAY_NORTH, 3, 4, 600, about));
	rig_run(rig, SIM_MS);
	rig_expect(rig, counter_drop_icmp_unmatched, 1);
	sim_check(rig->sim, exchange->server->host->too_big_received == 0);
	sim_tcp_shutdown(exchange->client);
	rig_run(rig, SIM_MS);
	sim_tcp_shutdown(exchange->server);
	rig_run(rig, SIM_MS);
	sim_check(rig->sim, app_complete(exchange));
	rig_end(rig, 5 * SIM_SECOND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_too_big),
	    cmocka_unit_test(test_not_in_flight),
	};
	return sim_run_tests(tests);
}
