/* How connections end: FIN in every order, RST that is believed and RST that is not, silence, and ends before the
 * splice. What is left of a flow afterwards is checked by rig_end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim_app.h"

enum { LINGER = 2 * SIM_SECOND };

static struct rig *make_rig(unsigned test, unsigned number, const char *what)
{
	struct rig *rig = rig_new(sim_seed(test, number));
	snprintf(rig->sim->label, sizeof(rig->sim->label), "%s", what);
	return rig;
}

static void expect_ends(struct rig *rig, const struct exchange *exchange, enum sim_tcp_end client,
                        enum sim_tcp_end server)
{
	if (exchange->client_end != client || exchange->server_end != server)
		sim_fail(rig->sim, "the client's end is %d, expected %d; the server's %d, expected %d",
		         exchange->client_end, client, exchange->server_end, server);
}

/* A connection that has carried `up` and `down` bytes and stays open. */
static struct exchange *open_connection(struct rig *rig, size_t up, size_t down)
{
	struct app_plan plan = {.name = "only1.ch", .up = up, .down = down, .closing = APP_NOBODY, .may_fail = true};
	struct exchange *exchange = app_start(rig, &plan);
	rig_run(rig, SIM_SECOND);
	if (exchange->server_bytes != exchange->up_len || exchange->client_bytes != exchange->down_len)
		sim_fail(rig->sim, "the connection does not get so far");
	rig_expect(rig, counter_flows_spliced, 1);
	return exchange;
}

/* ---- FIN ---- */

static void test_fin_orders(void **state)
{
	static const char *const names[] = {"client first", "server first", "both at once", "client half",
	                                    "server half"};
	for (unsigned i = 0; i < 5 * 4; i++) {
		struct rig *rig = make_rig(70, i, names[i % 5]);
		rig_start(rig);
		struct app_plan plan = {
		    .name = "app1.ch",
		    .tls = i / 5 % 2,
		    .up = 5000,
		    .down = 7000,
		    .closing = (enum app_closing)(i % 5),
		    .think_us = i >= 10 ? 700 * SIM_MS : 0,
		};
		app_start(rig, &plan);
		rig_run_all(rig, 5 * SIM_SECOND);
		rig_expect(rig, counter_ended_fin, 1);
		rig_expect(rig, counter_flows_lingering, 1);
		rig_run(rig, LINGER - 10 * SIM_MS);
		rig_expect(rig, counter_flows, 1);
		rig_run(rig, 20 * SIM_MS);
		rig_expect(rig, counter_flows, 0);
		rig_end(rig, 0);
	}
}

/* Loses what comes after the connection's `from`-th FIN, so many frames, on one link. */
struct last_loss {
	unsigned count;
	bool fin_seen;
};

static void lose_after_fin(void *context, struct sim_link *link, const struct sim_segment *segment, unsigned ordinal,
                           struct sim_verdict *verdict)
{
	struct last_loss *loss = context;
	if (!segment)
		return;
	if (segment->flags & SIM_FIN) {
		loss->fin_seen = true;
	} else if (loss->fin_seen && loss->count > 0) {
		loss->count--;
		verdict->drop = true;
	}
}

/* The acknowledgements behind a FIN are lost on each of the four links, once and twice: the endpoints repair it. */
static void test_lost_last_ack(void **state)
{
	for (unsigned i = 0; i < 4 * 5 * 2; i++) {
		struct rig *rig = make_rig(71, i, "lost last ACK");
		struct sim_link *links[] = {&rig->north_in, &rig->north_out, &rig->south_in, &rig->south_out};
		struct last_loss loss = {.count = 1 + i / 20};
		links[i % 4]->filter = lose_after_fin;
		links[i % 4]->filter_context = &loss;
		rig_start(rig);
		struct app_plan plan = {.name = "app1.ch", .down = 100, .closing = (enum app_closing)(i / 4 % 5)};
		app_start(rig, &plan);
		rig_run_all(rig, 5 * SIM_SECOND);
		rig_expect(rig, counter_ended_fin, 1);
		rig_end(rig, 5 * SIM_SECOND);
	}
}

/* ---- RST ---- */

static void test_believed_rst(void **state)
{
	for (unsigned i = 0; i < 6; i++) {
		struct rig *rig = make_rig(72, i, i % 2 ? "RST of the server" : "RST of the client");
		rig_start(rig);
		struct exchange *exchange = open_connection(rig, 3000 * (i / 2), 5000 * (i / 2));
		if (i % 2)
			app_server_abort(exchange);
		else
			app_client_abort(exchange);
		rig_run(rig, 2 * SIM_MS);
		expect_ends(rig, exchange, i % 2 ? SIM_END_RESET : SIM_END_ABORTED,
		            i % 2 ? SIM_END_ABORTED : SIM_END_RESET);
		rig_expect(rig, counter_ended_rst, 1);
		rig_expect(rig, counter_flows_lingering, 1);
		rig_run(rig, 210 * SIM_MS);
		rig_expect(rig, counter_flows, 0);
		rig_end(rig, 0);
	}
}

/* The client aborts with data on the way: its RST is at the end of what was forwarded, not where the server is. */
static void test_rst_behind_lost_data(void **state)
{
	struct rig *rig = make_rig(73, 0, "RST behind lost data");
	rig_start(rig);
	struct exchange *exchange = open_connection(rig, 0, 100);
	uint8_t more[1000] = {0};
	rig->south_out.loss = 10000;
	sim_tcp_write(exchange->client, more, sizeof(more));
	rig_run(rig, SIM_MS);
	rig->south_out.loss = 0;
	app_client_abort(exchange);
	rig_run(rig, 100 * SIM_MS);
	rig_expect(rig, counter_ended_rst, 1);
	/* the server challenges, the client's host answers that with the right RST */
	expect_ends(rig, exchange, SIM_END_ABORTED, SIM_END_RESET);
	rig_end(rig, SIM_SECOND);
}

/* Out of the window: dropped. Inside but not exact: forwarded, answered by a challenge ACK, and the connection lives.
 */
static void run_foreign_rst(unsigned number, bool from_client, int64_t offset, bool forwarded)
{
	struct rig *rig = make_rig(74, number, "RST with another number");
	rig_start(rig);
	struct exchange *exchange = open_connection(rig, 2000, 3000);
	struct sim_tcp *sender = from_client ? exchange->client : exchange->server;
	struct sim_host *receiver = from_client ? exchange->server->host : &rig->client;
	sim_tcp_send_raw(sender, SIM_RST, sender->iss + (uint32_t)(sender->snd_max + offset), 0, NULL, 0);
	rig_run(rig, 5 * SIM_MS);
	if (receiver->resets_received != forwarded)
		sim_fail(rig->sim, "a RST at offset %lld was %sforwarded", (long long)offset, forwarded ? "not " : "");
	rig_expect(rig, counter_drop_rst_out_of_window, !forwarded);
	expect_ends(rig, exchange, SIM_END_NONE, SIM_END_NONE);
	/* both go on, and the doubt is over */
	sim_tcp_write(exchange->client, exchange->up, 0);
	rig_run(rig, 3 * SIM_SECOND);
	sim_tcp_shutdown(exchange->client);
	rig_run(rig, 5 * SIM_MS);
	sim_tcp_shutdown(exchange->server);
	rig_run(rig, 5 * SIM_MS);
	expect_ends(rig, exchange, SIM_END_NORMAL, SIM_END_NORMAL);
	rig_end(rig, 5 * SIM_SECOND);
}

static void test_foreign_rst(void **state)
{
	static const int64_t inside[] = {1, 1000, 60000}, outside[] = {-1, -5000, 300000, 1 << 30, -(1 << 30)};
	for (unsigned i = 0; i < 2; i++) {
		for (unsigned n = 0; n < 3; n++)
			run_foreign_rst(i * 10 + n, i == 0, inside[n], true);
		for (unsigned n = 0; n < 5; n++)
			run_foreign_rst(i * 10 + 3 + n, i == 0, outside[n], false);
	}
}

/* Somebody who cannot see the connection, but knows addresses and ports: no pair of segments with numbers of his own
 * choice ends it, or shortens its idle limit. */
static void run_blind(unsigned number, bool as_client, uint32_t offset, uint8_t first_flags)
{
	struct rig *rig = make_rig(89, number, "blind reset");
	rig->config.timeouts.idle = 20000;
	rig->config.timeouts.half_closed = 3000;
	rig_start(rig);
	struct exchange *exchange = open_connection(rig, 2000, 3000);
	struct sim_tcp *sender = as_client ? exchange->client : exchange->server;
	rig->client.lenient = true;
	exchange->server->host->lenient = true;
	uint32_t seq = sender->iss + (uint32_t)sender->snd_max + offset;
	uint32_t ack = sender->irs + (uint32_t)sender->rcv_nxt;
	sim_tcp_send_raw(sender, first_flags, seq, ack, NULL, 0);
	rig_run(rig, SIM_MS);
	sim_tcp_send_raw(sender, SIM_RST, seq + (first_flags & SIM_FIN), 0, NULL, 0);
	rig_run(rig, SIM_MS);
	sim_tcp_send_raw(sender, SIM_RST, seq, 0, NULL, 0);
	rig_run(rig, 6 * SIM_SECOND);
	rig_expect(rig, counter_flows_spliced, 1);
	expect_ends(rig, exchange, SIM_END_NONE, SIM_END_NONE);
	sim_tcp_shutdown(exchange->client);
	rig_run(rig, 5 * SIM_MS);
	sim_tcp_shutdown(exchange->server);
	rig_run(rig, 5 * SIM_MS);
	expect_ends(rig, exchange, SIM_END_NORMAL, SIM_END_NORMAL);
	rig_end(rig, 5 * SIM_SECOND);
}

static void test_blind(void **state)
{
	static const uint32_t offsets[] = {300000, 5000000, 1 << 30, 0x7fff0000, 0x80010000, 0xfff00000};
	static const uint8_t flags[] = {SIM_ACK, SIM_ACK | SIM_FIN};
	for (unsigned i = 0; i < 6 * 2 * 2; i++)
		run_blind(i, i / 6 % 2, offsets[i % 6], flags[i / 12]);
}

/* A RST in the window and then silence: after 10 s the flow is gone, and both sides are told. */
static void test_doubtful_rst(void **state)
{
	struct rig *rig = make_rig(75, 0, "RST in the window, then silence");
	rig_start(rig);
	struct exchange *exchange = open_connection(rig, 2000, 3000);
	rig->south_in.loss = rig->north_out.loss = 10000; /* the challenge ACK gets lost */
	sim_tcp_send_raw(exchange->client, SIM_RST, exchange->client->iss + (uint32_t)exchange->client->snd_max + 77, 0,
	                 NULL, 0);
	rig_run(rig, SIM_SECOND);
	rig->south_in.loss = rig->north_out.loss = 0;
	rig_run(rig, 8900 * SIM_MS);
	rig_expect(rig, counter_flows_spliced, 1);
	rig_run(rig, 200 * SIM_MS);
	rig_expect(rig, counter_flows, 0);
	expect_ends(rig, exchange, SIM_END_RESET, SIM_END_RESET);
	rig_expect(rig, counter_answered_rst, 0);
	rig_end(rig, 0);
}

/* ---- silence ---- */

/* Idle connections end with a RST to each side that it believes at once: exact numbers, whatever was under way. */
static void test_idle(void **state)
{
	for (unsigned i = 0; i < 8; i++) {
		struct rig *rig = make_rig(76, i, "idle");
		rig->config.timeouts.idle = 20000;
		rig->config.timeouts.half_closed = 5000;
		rig_start(rig);
		struct exchange *exchange = open_connection(rig, 1000 * i, 900 * i);
		if (i % 4 == 1)
			sim_tcp_shutdown(exchange->client);
		if (i % 4 == 2)
			sim_tcp_shutdown(exchange->server);
		rig_run(rig, SIM_MS);
		uint64_t limit = (i % 4 == 1 || i % 4 == 2 ? 5 : 20) * (uint64_t)SIM_SECOND;
		rig_run(rig, limit - (i % 4 == 0 || i % 4 == 3 ? SIM_SECOND : 0) - 100 * SIM_MS);
		rig_expect(rig, counter_flows_spliced, 1);
		rig_run(rig, 200 * SIM_MS);
		rig_expect(rig, counter_flows, 0);
		rig_expect(rig, counter_ended_idle, 1);
		rig_expect(rig, counter_tx_rst, 2);
		rig_expect(rig, counter_answered_rst, 0); /* the first RST was exact: nobody asked */
		expect_ends(rig, exchange, SIM_END_RESET, SIM_END_RESET);
		rig_end(rig, 0);
	}
}

/* As long as something comes now and then, nothing ends. */
static void test_not_idle(void **state)
{
	struct rig *rig = make_rig(77, 0, "seldom a packet");
	rig->config.timeouts.idle = 5000;
	rig_start(rig);
	struct exchange *exchange = open_connection(rig, 10, 10);
	for (unsigned i = 0; i < 10; i++) {
		rig_run(rig, (i ? 4900 : 3900) * SIM_MS);
		struct sim_tcp *tcp = i % 2 ? exchange->client : exchange->server;
		sim_tcp_send_raw(tcp, SIM_ACK, tcp->iss + (uint32_t)tcp->snd_max, tcp->irs + (uint32_t)tcp->rcv_nxt,
		                 NULL, 0);
	}
	rig_expect(rig, counter_flows_spliced, 1);
	rig_run(rig, 5100 * SIM_MS);
	rig_expect(rig, counter_flows, 0);
	rig_end(rig, 0);
}

/* A client without power, at every stage of its life. */
static void test_vanished_client(void **state)
{
	static const uint64_t when[] = {150, 250, 350, 450, 550, 650, 800, 1200, 2000, 5000, 100000};
	for (unsigned i = 0; i < 11 * 3; i++) {
		struct rig *rig = make_rig(78, i, "vanished client");
		rig->config.timeouts.idle = 20000;
		rig->sent_limit = 5000;
		rig_start(rig);
		struct app_plan plan = {.name = "app1.ch",
		                        .up = 20000 * (i / 11),
		                        .down = 300000,
		                        .may_fail = true,
		                        .write_size = i / 11 * 20};
		struct exchange *exchange = app_start(rig, &plan);
		for (unsigned r = 0; r < RIG_ROUTERS; r++)
			rig->routers[r].params.retries = 6;
		rig_run(rig, when[i % 11]);
		app_client_vanish(exchange);
		rig_run(rig, 2 * SIM_SECOND);
		rig_end(rig, 300 * (uint64_t)SIM_SECOND);
	}
}

/* ---- before the splice ---- */

/* A client that ends its connection at any moment of the joining exchange. */
static void test_client_ends_early(void **state)
{
	for (unsigned i = 0; i < 3 * 60; i++) {
		struct rig *rig = make_rig(79, i, i % 3 == 0 ? "early FIN" : "early RST");
		rig_start(rig);
		struct app_plan plan = {
		    .name = "app1.ch",
		    .tls = i % 2,
		    .down = 2000,
		    .up = 3000,
		    .write_size = i % 3 == 1 ? 20 : 0,
		    .write_gap_us = i % 3 == 1 ? 60 : 0,
		    .may_fail = true,
		    .closing = APP_NOBODY,
		};
		struct exchange *exchange = app_start(rig, &plan);
		rig_run(rig, 200 + i / 3 * 20);
		if (i % 3 == 0) {
			sim_tcp_shutdown(exchange->client);
			rig_run(rig, 20 * SIM_MS);
			if (exchange->server)
				sim_tcp_shutdown(exchange->server);
		} else
			app_client_abort(exchange);
		rig_run(rig, 20 * SIM_MS);
		if (exchange->server && exchange->server_end == SIM_END_NONE)
			sim_fail(rig->sim, "the server is left alone in state %d", exchange->server->state);
		rig_end(rig, 20 * SIM_SECOND);
	}
}

static void delay_syn_ack(void *context, struct sim_link *link, const struct sim_segment *segment, unsigned ordinal,
                          struct sim_verdict *verdict)
{
	if (segment && (segment->flags & SIM_SYN))
		verdict->delay_us = 50 * SIM_MS;
}

/* The router host's SYN-ACK comes when the client has gone: it gets RST. */
static void test_rst_while_connecting(void **state)
{
	struct rig *rig = make_rig(80, 0, "RST while connecting");
	rig->south_in.filter = delay_syn_ack;
	rig_start(rig);
	struct app_plan plan = {.name = "only1.ch", .may_fail = true};
	struct exchange *exchange = app_start(rig, &plan);
	rig_run(rig, 10 * SIM_MS);
	app_client_abort(exchange);
	rig_run(rig, 100 * SIM_MS);
	rig_expect(rig, counter_closed_by_client, 1);
	rig_expect(rig, counter_answered_rst, 1);
	rig_expect(rig, counter_flows, 0);
	sim_check(rig->sim, exchange->connections == 0);
	for (unsigned i = 0; i < 2; i++)
		for (struct sim_tcp *tcp = rig->routers[i].host.all; tcp; tcp = tcp->next)
			sim_check(rig->sim, tcp->end == SIM_END_REFUSED);
	rig_end(rig, 0);
}

/* A RST before anything was acknowledged is a refusal: the next router host serves, the client notices nothing. */
static void test_early_rst_of_server(void **state)
{
	for (unsigned i = 0; i < 12; i++) {
		struct rig *rig = make_rig(81, i, "RST of the server before it has acknowledged anything");
		for (unsigned r = 0; r < RIG_ROUTERS; r++)
			rig->routers[r].mode = r == i % RIG_ROUTERS ? RIG_ROUTER_SERVES : RIG_ROUTER_RESETS_EARLY;
		rig_start(rig);
		struct app_plan plan = {
		    .name = "app1.ch", .tls = i % 2, .up = 4000 * (i / 4), .down = 2000, .write_size = i / 4 * 15};
		struct exchange *exchange = app_start(rig, &plan);
		rig_run_all(rig, SIM_SECOND);
		if (app_router(exchange) != (int)(i % RIG_ROUTERS))
			sim_fail(rig->sim, "served by router %d", app_router(exchange));
		rig_end(rig, 5 * SIM_SECOND);
	}
}

static void test_early_fin_of_server(void **state)
{
	for (unsigned i = 0; i < 4; i++) {
		struct rig *rig = make_rig(82, i, "FIN of the server before it has acknowledged anything");
		for (unsigned r = 0; r < RIG_ROUTERS; r++)
			rig->routers[r].mode = RIG_ROUTER_CLOSES_EARLY;
		rig_start(rig);
		struct app_plan plan = {.name = "app1.ch", .up = 3000 * (i / 2), .write_size = i % 2 * 10};
		app_start(rig, &plan);
		rig_run_all(rig, 5 * SIM_SECOND);
		rig_end(rig, 5 * SIM_SECOND);
	}
}

/* A server that aborts after it has acknowledged something: no retry, the client gets the RST. */
static void test_late_rst_of_server(void **state)
{
	for (unsigned i = 0; i < 40; i++) {
		struct rig *rig = make_rig(83, i, "RST of the server while joining");
		rig_start(rig);
		struct app_plan plan = {
		    .name = "app1.ch", .up = 30000, .down = 50000, .may_fail = true, .write_size = i % 2 * 9};
		struct exchange *exchange = app_start(rig, &plan);
		while (exchange->server_bytes == 0 && sim_step(rig->sim))
			;
		rig_run(rig, i * 15);
		app_server_abort(exchange);
		rig_run(rig, 300 * SIM_MS);
		if (exchange->client_end != SIM_END_RESET || exchange->connections != 1)
			sim_fail(rig->sim, "the client's end is %d, %u connections", exchange->client_end,
			         exchange->connections);
		rig_end(rig, 5 * SIM_SECOND);
	}
}

/* ---- a client that has forgotten ---- */

/* It uses the port of a connection that is still open here: challenge ACK, RST, and its next SYN succeeds. */
static void test_forgetful_client(void **state)
{
	for (unsigned i = 0; i < 3; i++) {
		struct rig *rig = make_rig(84, i, "the client has forgotten a live connection");
		rig_start(rig);
		struct app_plan plan = {
		    .name = "only1.ch", .port = 5555, .down = 10, .closing = APP_NOBODY, .may_fail = true};
		if (i == 1)
			plan.request = (const uint8_t *)"GET", plan.request_len = 3;
		if (i == 2)
			plan.think_us = 20 * SIM_SECOND;
		struct exchange *old = app_start(rig, &plan);
		rig_run(rig, SIM_SECOND);
		app_client_vanish(old);
		struct app_plan again = {.name = "only1.ch", .port = 5555, .down = 1000};
		rig->client.lenient = true;
		struct exchange *fresh = app_start(rig, &again);
		uint64_t until = rig->sim->now + 5 * SIM_SECOND;
		while (!fresh->finished && rig->sim->now < until)
			sim_step(rig->sim);
		if (!fresh->finished)
			sim_fail(rig->sim, "the second connection does not succeed");
		rig_end(rig, 5 * SIM_SECOND);
	}
}

/* ---- the end of the worker, of the VIP ---- */

static void test_shutdown(void **state)
{
	struct rig *rig = make_rig(85, 0, "shutdown");
	rig_start(rig);
	struct exchange *old = open_connection(rig, 500, 500);
	worker_refuse_new(rig->worker);
	struct app_plan plan = {.name = "only1.ch", .answer = true};
	struct exchange *refused = app_start(rig, &plan);
	rig_run(rig, 10 * SIM_MS);
	sim_check(rig->sim, refused->client_end == SIM_END_REFUSED);
	expect_ends(rig, old, SIM_END_NONE, SIM_END_NONE);
	uint64_t answered = rig_counter(rig, counter_answered_rst);
	worker_reset_all(rig->worker, rig->sim->now);
	rig_run(rig, 10 * SIM_MS);
	expect_ends(rig, old, SIM_END_RESET, SIM_END_RESET);
	rig_expect(rig, counter_answered_rst, answered);
	rig_end(rig, 0);
}

/* Every state of a flow is reset with numbers that the endpoints believe. */
static void test_reset_all_at_any_time(void **state)
{
	for (unsigned i = 0; i < 120; i++) {
		struct rig *rig = make_rig(86, i, "reset of all");
		rig_start(rig);
		struct app_plan plan = {.name = "app1.ch",
		                        .tls = i % 2,
		                        .up = 3000,
		                        .down = 30000,
		                        .may_fail = true,
		                        .write_size = i % 3 * 17,
		                        .write_gap_us = 40};
		struct exchange *exchange = app_start(rig, &plan);
		rig_run(rig, 205 + i * 10);
		worker_reset_all(rig->worker, rig->sim->now);
		rig_expect(rig, counter_flows, 0);
		rig_run(rig, 5 * SIM_SECOND);
		if (exchange->client_end == SIM_END_NONE || (exchange->server && exchange->server_end == SIM_END_NONE))
			sim_fail(rig->sim, "somebody was not told: client %d, server %d", exchange->client_end,
			         exchange->server_end);
		rig_end(rig, 60 * SIM_SECOND);
	}
}

static void test_vip_moves_away(void **state)
{
	struct rig *rig = make_rig(87, 0, "the VIP moves away");
	rig_start(rig);
	struct exchange *exchange = open_connection(rig, 500, 500);
	shared_set(&rig->shared->vip_held[0], 0);
	rig_run(rig, 2 * SIM_MS);
	unsigned sent = rig->north_out.frames;
	uint8_t byte = 1;
	sim_tcp_write(exchange->server, &byte, 1);
	rig_run(rig, 2900 * SIM_MS);
	rig_expect(rig, counter_flows_spliced, 1);
	rig_run(rig, 200 * SIM_MS);
	rig_expect(rig, counter_flows, 0);
	rig_expect(rig, counter_ended_vip_lost, 1);
	sim_check(rig->sim, rig->north_out.frames == sent);
	expect_ends(rig, exchange, SIM_END_NONE, SIM_END_RESET);
	rig_end(rig, 0);
}

static void test_vip_comes_back(void **state)
{
	struct rig *rig = make_rig(88, 0, "the VIP comes back in time");
	rig_start(rig);
	struct app_plan plan = {.name = "only1.ch", .up = 100000, .down = 100000, .think_us = 500 * SIM_MS};
	app_start(rig, &plan);
	rig_run(rig, 1200);
	shared_set(&rig->shared->vip_held[0], 0);
	rig_run(rig, 2900 * SIM_MS);
	shared_set(&rig->shared->vip_held[0], 1);
	rig_run_all(rig, 60 * SIM_SECOND);
	rig_end(rig, 5 * SIM_SECOND);
}

/* ---- by the operator ---- */

/* A RST that was lost is not repeated; but whoever speaks again gets one. */
static void speak_again(struct rig *rig)
{
	for (struct exchange *exchange = rig->exchanges; exchange; exchange = exchange->next) {
		if (exchange->ended.why != RECORD_CLOSED)
			continue;
		if (exchange->client_end == SIM_END_NONE)
			sim_tcp_acknowledge(exchange->client);
		if (exchange->server && exchange->server_end == SIM_END_NONE)
			sim_tcp_acknowledge(exchange->server);
	}
}

/* At any moment of any connection, on a good network and on a bad one: both endpoints are told, each connection has one
 * record, and the others go on. */
static void test_closing_in_the_middle_of_traffic(void **state)
{
	for (unsigned i = 0; i < sim_runs(60); i++) {
		struct rig *rig = make_rig(90, i, "closed by the operator");
		struct sim *sim = rig->sim;
		if (i % 2)
			rig_impair(rig, 200, 100, 1000, 0);
		rig->client.lenient = true;
		for (unsigned k = 0; k < RIG_ROUTERS; k++)
			rig->routers[k].host.lenient = true;
		rig->records.full = i % 3 ? 0 : 5000;
		rig_start(rig);
		for (unsigned k = 0; k < 20; k++) {
			struct app_plan plan = {
			    .name = k % 2 ? "only1.ch" : "only2.ch",
			    .tls = k / 2 % 2,
			    .client = k,
			    .up = sim_below(sim, 300000),
			    .down = sim_below(sim, 300000),
			    .think_us = sim_below(sim, 20000),
			    .closing = (enum app_closing)sim_below(sim, APP_NOBODY),
			    .may_fail = k % 2,
			};
			app_start(rig, &plan);
			rig_run(rig, sim_below(sim, 2000));
		}
		rig_run(rig, sim_below(sim, 30000));
		rig_query(rig, CONNECTIONS_CLOSE, 0); /* the router hosts of only1.ch */
		rig_query(rig, CONNECTIONS_CLOSE, 1);
		rig_run(rig, 10 * SIM_SECOND);
		for (unsigned k = 0; i % 2 && k < 10; k++) {
			speak_again(rig);
			rig_run(rig, SIM_SECOND);
		}
		rig_run_all(rig, 120 * SIM_SECOND); /* all of only2.ch must be complete */
		unsigned closed = 0;
		for (const struct exchange *exchange = rig->exchanges; exchange; exchange = exchange->next)
			closed += exchange->ended.why == RECORD_CLOSED;
		if (closed > rig_counter(rig, counter_ended_closed))
			sim_fail(sim, "%u records of closed connections, %llu closed", closed,
			         (unsigned long long)rig_counter(rig, counter_ended_closed));
		rig_end(rig, 5 * SIM_SECOND);
	}
}

/* Nothing is said on them: the RST itself must be the right one. */
static void test_closing_silent_connections(void **state)
{
	for (unsigned i = 0; i < 4; i++) {
		struct rig *rig = make_rig(91, i, "closed by the operator");
		rig_start(rig);
		struct exchange *exchange = open_connection(rig, i & 1 ? 5000 : 0, i & 2 ? 7000 : 100);
		rig_query(rig, CONNECTIONS_CLOSE, -1);
		rig_run(rig, 5 * SIM_MS);
		expect_ends(rig, exchange, SIM_END_RESET, SIM_END_RESET);
		rig_expect(rig, counter_ended_closed, 1);
		if (rig->records.end.matched != 1 || rig->records.end.closed != 1)
			sim_fail(rig->sim, "one connection was closed, and the answer says otherwise");
		rig_end(rig, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_fin_orders),
	    cmocka_unit_test(test_lost_last_ack),
	    cmocka_unit_test(test_believed_rst),
	    cmocka_unit_test(test_rst_behind_lost_data),
	    cmocka_unit_test(test_foreign_rst),
	    cmocka_unit_test(test_blind),
	    cmocka_unit_test(test_doubtful_rst),
	    cmocka_unit_test(test_idle),
	    cmocka_unit_test(test_not_idle),
	    cmocka_unit_test(test_vanished_client),
	    cmocka_unit_test(test_client_ends_early),
	    cmocka_unit_test(test_rst_while_connecting),
	    cmocka_unit_test(test_early_rst_of_server),
	    cmocka_unit_test(test_early_fin_of_server),
	    cmocka_unit_test(test_late_rst_of_server),
	    cmocka_unit_test(test_forgetful_client),
	    cmocka_unit_test(test_shutdown),
	    cmocka_unit_test(test_reset_all_at_any_time),
	    cmocka_unit_test(test_vip_moves_away),
	    cmocka_unit_test(test_vip_comes_back),
	    cmocka_unit_test(test_closing_in_the_middle_of_traffic),
	    cmocka_unit_test(test_closing_silent_connections),
	};
	return sim_run_tests(tests);
}
