/* Exchanges: clients and servers. */
#include "sim_app.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void make_content(struct exchange *exchange)
{
	static uint8_t head[APP_HEAD_ROOM];
	const struct app_plan *plan = &exchange->plan;
	if (plan->request) {
		memcpy(head, plan->request, plan->request_len);
		exchange->head_len = plan->request_len;
	} else if (plan->tls)
		exchange->head_len = app_client_hello(head, sizeof(head), plan->name, plan->head_len, plan->record_size,
		                                      exchange->number * 77u + 1);
	else
		exchange->head_len = app_http_head(head, exchange);
	exchange->up_len = exchange->head_len + plan->up;
	exchange->down_len = plan->down;
	exchange->up = malloc(exchange->up_len + 1);
	exchange->down = malloc(exchange->down_len + 1);
	assert_non_null(exchange->up);
	assert_non_null(exchange->down);
	memcpy(exchange->up, head, exchange->head_len);
	app_fill(exchange->up + exchange->head_len, plan->up, (uint64_t)exchange->number << 33 | 1);
	app_fill(exchange->down, exchange->down_len, (uint64_t)exchange->number << 33 | 1ULL << 32);
}

/* ---- the end ---- */

static struct sim *sim_of(const struct exchange *exchange)
{
	return exchange->rig->sim;
}

bool app_complete(const struct exchange *exchange)
{
	return exchange->client_bytes == exchange->down_len && exchange->server_bytes == exchange->up_len &&
	       exchange->client_has_fin && exchange->server_has_fin && exchange->client_end == SIM_END_NORMAL &&
	       exchange->server_end == SIM_END_NORMAL;
}

static void check_finished(struct exchange *exchange)
{
	if (exchange->finished || exchange->client_end == SIM_END_NONE)
		return;
	if (exchange->server && exchange->server_end == SIM_END_NONE && !exchange->server->vanished)
		return;
	exchange->finished = true;
	exchange->finished_at = sim_of(exchange)->now;
	exchange->rig->unfinished--;
	if (!exchange->plan.answer && !exchange->plan.may_fail && !app_complete(exchange))
		sim_fail(sim_of(exchange),
		         "exchange %u failed: client has %zu of %zu bytes, FIN %d, end %d; server %zu of %zu, FIN %d, "
		         "end %d",
		         exchange->number, exchange->client_bytes, exchange->down_len, exchange->client_has_fin,
		         exchange->client_end, exchange->server_bytes, exchange->up_len, exchange->server_has_fin,
		         exchange->server_end);
}

void app_fail_unfinished(struct rig *rig)
{
	for (struct exchange *exchange = rig->exchanges; exchange; exchange = exchange->next)
		if (!exchange->finished)
			sim_fail(rig->sim,
			         "exchange %u (%s) is not finished: client has %zu of %zu bytes, state %d, end %d; "
			         "server %zu of %zu, state %d, end %d",
			         exchange->number, exchange->plan.name, exchange->client_bytes, exchange->down_len,
			         exchange->client->state, exchange->client_end, exchange->server_bytes,
			         exchange->up_len, exchange->server ? (int)exchange->server->state : -1,
			         exchange->server_end);
	sim_fail(rig->sim, "unfinished exchanges are miscounted");
}

void app_client_abort(struct exchange *exchange)
{
	sim_note(sim_of(exchange), "client aborts");
	sim_tcp_abort(exchange->client);
}

void app_client_vanish(struct exchange *exchange)
{
	sim_note(sim_of(exchange), "client vanishes");
	sim_tcp_vanish(exchange->client);
}

void app_server_abort(struct exchange *exchange)
{
	sim_note(sim_of(exchange), "server aborts");
	exchange->server_aborted = true;
	if (exchange->server)
		sim_tcp_abort(exchange->server);
}

static void close_both(void *context)
{
	struct exchange *exchange = context;
	sim_tcp_shutdown(exchange->client);
	if (exchange->server)
		sim_tcp_shutdown(exchange->server);
}

static void close_when_done(struct exchange *exchange)
{
	bool all = exchange->client_bytes == exchange->down_len && exchange->server_bytes == exchange->up_len;
	if (exchange->plan.closing == APP_BOTH && all && exchange->responded && !exchange->closing) {
		exchange->closing = true;
		sim_call_in(sim_of(exchange), 5 * SIM_MS, close_both, exchange);
	}
}

/* ---- client ---- */

static void client_closes(struct exchange *exchange)
{
	enum app_closing closing = exchange->plan.closing;
	if (!exchange->wrote_all || closing == APP_NOBODY)
		return;
	bool has_all = exchange->client_bytes == exchange->down_len && !exchange->plan.answer && !exchange->answered;
	if (closing == APP_CLIENT_HALF || exchange->client_has_fin || (closing == APP_CLIENT_FIRST && has_all))
		sim_tcp_shutdown(exchange->client);
	close_when_done(exchange);
}

static void write_rest(struct exchange *exchange)
{
	if (exchange->plan.closing == APP_SERVER_HALF && !exchange->client_has_fin)
		return;
	size_t rest = exchange->up_len - exchange->written;
	exchange->wrote_all = true;
	exchange->written = exchange->up_len;
	sim_tcp_write(exchange->client, exchange->up + exchange->up_len - rest, rest);
	client_closes(exchange);
}

static void write_piece(void *context)
{
	struct exchange *exchange = context;
	size_t rest = exchange->head_len - exchange->written;
	size_t n = exchange->plan.write_size && exchange->plan.write_size < rest ? exchange->plan.write_size : rest;
	if (exchange->client_end != SIM_END_NONE)
		return;
	exchange->written += n;
	sim_tcp_write(exchange->client, exchange->up + exchange->written - n, n);
	if (exchange->written == exchange->head_len)
		write_rest(exchange);
	else if (exchange->plan.write_gap_us)
		sim_call_in(sim_of(exchange), exchange->plan.write_gap_us, write_piece, exchange);
	else
		write_piece(exchange);
}

static void client_established(struct sim_tcp *tcp, void *context)
{
	struct exchange *exchange = context;
	exchange->established_at = sim_of(exchange)->now;
	exchange->client = tcp;
	if (exchange->head_len > 0)
		write_piece(exchange);
}

static bool is_answer(const uint8_t *bytes, size_t len)
{
	return (len >= 10 && memcmp(bytes, "HTTP/1.1 ", 9) == 0 && (bytes[9] == '4' || bytes[9] == '5')) ||
	       (len == 7 && bytes[0] == 21 && bytes[1] == 3);
}

static void client_data(struct sim_tcp *tcp, void *context, const uint8_t *bytes, size_t len)
{
	struct exchange *exchange = context;
	if (exchange->client_bytes == 0) {
		exchange->first_byte_at = sim_of(exchange)->now;
		exchange->answered = exchange->plan.may_fail && is_answer(bytes, len);
	}
	if (exchange->plan.answer || exchange->answered) {
		size_t n = sizeof(exchange->answer) - exchange->answer_len;
		memcpy(exchange->answer + exchange->answer_len, bytes, n < len ? n : len);
		exchange->answer_len += n < len ? n : len;
	} else if (exchange->client_bytes + len > exchange->down_len ||
	           memcmp(exchange->down + exchange->client_bytes, bytes, len) != 0)
		sim_fail(sim_of(exchange), "exchange %u: the client gets wrong bytes at %zu: \"%.60s\"",
		         exchange->number, exchange->client_bytes, bytes);
	exchange->client_bytes += len;
	client_closes(exchange);
}

static void client_finished(struct sim_tcp *tcp, void *context)
{
	struct exchange *exchange = context;
	exchange->client_has_fin = true;
	if (!exchange->plan.answer && !exchange->plan.may_fail && exchange->client_bytes != exchange->down_len)
		sim_fail(sim_of(exchange), "exchange %u: FIN after %zu of %zu bytes", exchange->number,
		         exchange->client_bytes, exchange->down_len);
	if (exchange->plan.closing == APP_NOBODY)
		return;
	if (!exchange->wrote_all && exchange->plan.closing == APP_SERVER_HALF &&
	    exchange->written == exchange->head_len)
		write_rest(exchange);
	else if (exchange->plan.answer)
		sim_tcp_shutdown(tcp);
	else
		client_closes(exchange);
}

/* When both FINs are acknowledged, the balancer translates for a while and then forgets. A side that missed the last
 * acknowledgement several times may get a RST then: both applications have everything, neither notices. And much loss
 * may make joining take more than 5 s. */
static enum sim_tcp_end judge_end(struct exchange *exchange, const struct sim_tcp *tcp, enum sim_tcp_end end)
{
	bool all = exchange->client_bytes == exchange->down_len && exchange->server_bytes == exchange->up_len &&
	           exchange->client_has_fin && exchange->server_has_fin;
	if (end != SIM_END_RESET || !exchange->rig->lossy)
		return end;
	if (rig_counter(exchange->rig, counter_ended_join) > 0)
		exchange->plan.may_fail = true;
	return all && tcp->fin_queued ? SIM_END_NORMAL : end;
}

static void client_closed(struct sim_tcp *tcp, void *context, enum sim_tcp_end end)
{
	struct exchange *exchange = context;
	end = judge_end(exchange, tcp, end);
	exchange->client_end = end;
	if (!exchange->plan.answer && !exchange->plan.may_fail && end != SIM_END_NORMAL)
		sim_fail(sim_of(exchange), "exchange %u: the client's connection ended with %d", exchange->number, end);
	check_finished(exchange);
}

static const struct sim_tcp_events client_events = {client_established, client_data, client_finished, client_closed};

struct sim_tcp_params app_usual_params(void)
{
	return (struct sim_tcp_params){.mss = 1460, .window_scale = 7, .sack = true, .receive_buffer = 262144};
}

static struct exchange *find_iss(const struct rig *rig, uint32_t iss)
{
	struct exchange *exchange = rig->by_iss[iss % 256];
	while (exchange && exchange->plan.iss != iss)
		exchange = exchange->next_by_iss;
	return exchange;
}

bool app_has_isn(const struct rig *rig, uint32_t isn)
{
	return find_iss(rig, isn) != NULL;
}

static uint32_t choose_iss(struct rig *rig)
{
	uint32_t iss;
	do {
		iss = (uint32_t)sim_random(rig->sim);
		if (sim_chance(rig->sim, 2500))
			iss |= 0xffff0000; /* wraps soon */
	} while (iss == 0 || find_iss(rig, iss));
	return iss;
}

struct exchange *app_start(struct rig *rig, const struct app_plan *plan)
{
	struct exchange *exchange = calloc(1, sizeof(*exchange));
	assert_non_null(exchange);
	exchange->rig = rig;
	exchange->plan = *plan;
	exchange->number = rig->exchange_count++;
	exchange->route = rig_route_of(rig, plan->name);
	if (plan->iss == 0)
		exchange->plan.iss = choose_iss(rig);
	if (plan->client_params.receive_buffer == 0)
		exchange->plan.client_params = app_usual_params();
	make_content(exchange);
	exchange->next = rig->exchanges;
	rig->exchanges = exchange;
	exchange->next_by_iss = rig->by_iss[exchange->plan.iss % 256];
	rig->by_iss[exchange->plan.iss % 256] = exchange;
	rig->unfinished++;
	exchange->started_at = rig->sim->now;

	struct sim_host *host = plan->from == APP_FAR    ? &rig->client
	                        : plan->from == APP_NEAR ? &rig->near
	                                                 : &rig->routers[0].host;
	uint32_t local = host->address | (plan->from == APP_FAR ? plan->client + 1 : 0);
	uint16_t port = plan->port ? plan->port : rig->next_port++;
	if (rig->next_port < 1024)
		rig->next_port = 20000;
	exchange->client = sim_tcp_connect(host, local, port, RIG_VIP, plan->tls ? 443 : 80, exchange->plan.iss,
	                                   &exchange->plan.client_params, &client_events, exchange);
	return exchange;
}

/* ---- server ---- */

static void respond(void *context)
{
	struct exchange *exchange = context;
	if (exchange->responded || !exchange->server || exchange->server_end != SIM_END_NONE)
		return;
	exchange->responded = true;
	sim_tcp_write(exchange->server, exchange->down, exchange->down_len);
	enum app_closing closing = exchange->plan.closing;
	if (closing == APP_SERVER_HALF || (closing == APP_SERVER_FIRST && exchange->server_bytes == exchange->up_len) ||
	    (exchange->server_has_fin && closing != APP_NOBODY))
		sim_tcp_shutdown(exchange->server);
	close_when_done(exchange);
}

static void respond_soon(struct exchange *exchange)
{
	if (exchange->plan.think_us)
		sim_call_in(sim_of(exchange), exchange->plan.think_us, respond, exchange);
	else
		respond(exchange);
}

static struct rig_router *router_of(const struct sim_tcp *tcp)
{
	return tcp->host->accept_context;
}

int app_router(const struct exchange *exchange)
{
	return exchange->server ? (int)router_of(exchange->server)->index : -1;
}

static void wake_up(void *context)
{
	sim_tcp_pause(context, false);
}

static void server_established(struct sim_tcp *tcp, void *context)
{
	struct exchange *exchange = context;
	struct rig_router *router = router_of(tcp);
	if (exchange->server && exchange->server_end == SIM_END_NONE && !exchange->plan.may_fail)
		sim_fail(sim_of(exchange), "exchange %u has two connections to router hosts", exchange->number);
	exchange->server = tcp;
	exchange->server_bytes = 0;
	exchange->connections++;
	router->accepted++;
	router->active++;
	if (router->active > router->active_max)
		router->active_max = router->active;
	if (router->sleepy) {
		sim_tcp_pause(tcp, true);
		sim_call_in(sim_of(exchange), 50 * SIM_MS, wake_up, tcp);
	}
	if (router->mode == RIG_ROUTER_RESETS_EARLY)
		sim_tcp_abort(tcp);
	if (router->mode == RIG_ROUTER_CLOSES_EARLY) {
		exchange->responded = true;
		sim_tcp_shutdown(tcp);
	}
}

static void server_data(struct sim_tcp *tcp, void *context, const uint8_t *bytes, size_t len)
{
	struct exchange *exchange = context;
	if (exchange->server_bytes + len > exchange->up_len ||
	    memcmp(exchange->up + exchange->server_bytes, bytes, len) != 0)
		sim_fail(sim_of(exchange), "exchange %u: the server gets wrong bytes at %zu", exchange->number,
		         exchange->server_bytes);
	bool had_head = exchange->server_bytes >= exchange->head_len;
	exchange->server_bytes += len;
	if (!had_head && exchange->server_bytes >= exchange->head_len) {
		/* A router host whose acknowledgement and RST are both lost looks like one that refuses. */
		if (++exchange->served > 1 && !(exchange->server_aborted && exchange->rig->lossy))
			sim_fail(sim_of(exchange), "exchange %u is served twice", exchange->number);
		if (exchange->plan.closing != APP_CLIENT_HALF)
			respond_soon(exchange);
	}
	if (exchange->plan.closing == APP_SERVER_FIRST && exchange->responded &&
	    exchange->server_bytes == exchange->up_len)
		sim_tcp_shutdown(tcp);
	close_when_done(exchange);
}

static void server_finished(struct sim_tcp *tcp, void *context)
{
	struct exchange *exchange = context;
	exchange->server_has_fin = true;
	if (!exchange->plan.may_fail && exchange->server_bytes != exchange->up_len)
		sim_fail(sim_of(exchange), "exchange %u: FIN after %zu of %zu bytes", exchange->number,
		         exchange->server_bytes, exchange->up_len);
	if (exchange->plan.closing == APP_CLIENT_HALF)
		respond_soon(exchange);
	else if (exchange->responded && exchange->plan.closing != APP_NOBODY)
		sim_tcp_shutdown(tcp);
}

static void server_closed(struct sim_tcp *tcp, void *context, enum sim_tcp_end end)
{
	struct exchange *exchange = context;
	if (tcp->established_at)
		router_of(tcp)->active--;
	if (tcp != exchange->server)
		return;
	end = judge_end(exchange, tcp, end);
	bool early = router_of(tcp)->mode == RIG_ROUTER_RESETS_EARLY && exchange->served == 0;
	if (!exchange->plan.may_fail && end != SIM_END_NORMAL && !early)
		sim_fail(sim_of(exchange), "exchange %u: the server's connection ended with %d", exchange->number, end);
	if (early && end == SIM_END_ABORTED) {
		exchange->server = NULL; /* the next router host gets it */
		exchange->server_bytes = 0;
	} else
		exchange->server_end = end;
	check_finished(exchange);
}

static const struct sim_tcp_events server_events = {server_established, server_data, server_finished, server_closed};

/* ---- a SYN at a router host ---- */

static uint16_t mss_class(uint16_t mss)
{
	static const uint16_t classes[] = {1460, 1440, 1400, 1360, 1200, 536, 216, 88};
	unsigned i = 0;
	while (i < 7 && classes[i] > mss)
		i++;
	return classes[i];
}

static void check_syn(const struct rig_router *router, const struct exchange *exchange, const struct sim_segment *syn)
{
	struct sim *sim = router->rig->sim;
	const struct sim_tcp_params *client = &exchange->plan.client_params;
	uint16_t mss = mss_class(client->mss ? client->mss : 536);
	if (syn->mss != mss)
		sim_fail(sim, "SYN to router %u: MSS %u, the client's is %u", router->index, syn->mss, client->mss);
	if (syn->window_scale != client->window_scale)
		sim_fail(sim, "SYN to router %u: scale %u, the client's is %u", router->index, syn->window_scale,
		         client->window_scale);
	if (syn->sack_permitted != client->sack || syn->other_option)
		sim_fail(sim, "SYN to router %u: options differ from the client's", router->index);
	if (syn->destination_port != (exchange->plan.tls ? 443 : 80))
		sim_fail(sim, "SYN to port %u of router %u", syn->destination_port, router->index);
	if ((syn->source & 0xfffffffc) != RIG_POOL || syn->source_port < router->rig->config.pool.port_first ||
	    syn->source_port > router->rig->config.pool.port_last)
		sim_fail(sim, "SYN from outside the source pool");
}

/* Only a cluster that has the route, on this port, with a weight above 0 (or had it until a moment ago). */
static void check_elected(const struct rig_router *router, const struct exchange *exchange)
{
	struct rig *rig = router->rig;
	unsigned cluster = router->index / 2, listener = exchange->plan.tls;
	if (exchange->route < 0) {
		if (rig->default_cluster[listener] != cluster)
			sim_fail(rig->sim, "router %u is asked for a name that nobody has", router->index);
		return;
	}
	const struct rig_route *route = &rig->routes[exchange->route];
	for (unsigned i = 0; i < route->share_count; i++) {
		const struct rig_share *share = &route->shares[i];
		bool served = exchange->plan.tls ? share->https : share->http;
		uint64_t gone = route->weight_gone_at[i];
		bool just_gone = gone && rig->sim->now - gone < 6 * SIM_SECOND;
		if (share->cluster == cluster && served && (share->weight > 0 || just_gone))
			return;
	}
	sim_fail(rig->sim, "exchange %u for %s reaches router %u, whose cluster must not get it", exchange->number,
	         exchange->plan.name, router->index);
}

static void icmp_unreachable(struct rig_router *router, const struct sim_segment *syn)
{
	uint8_t about[SIM_FRAME_MAX], frame[SIM_FRAME_MAX];
	sim_segment_write(about, syn);
	uint16_t len = sim_icmp_write(frame, router->host.address, 3, 1, 0, about);
	sim_link_send(router->host.out, frame, len);
}

static enum sim_accept accept_syn(void *context, const struct sim_segment *syn, struct sim_tcp_params *params,
                                  const struct sim_tcp_events **events, void **connection_context)
{
	struct rig_router *router = context;
	struct sim *sim = router->rig->sim;
	struct exchange *exchange = find_iss(router->rig, syn->seq);
	if (!exchange)
		sim_fail(sim, "SYN to router %u with ISN %u, which no client has", router->index, syn->seq);
	check_syn(router, exchange, syn);
	check_elected(router, exchange);
	router->syns++;
	exchange->syns++;
	if (router->mode == RIG_ROUTER_UNREACHABLE)
		icmp_unreachable(router, syn);
	if (router->mode == RIG_ROUTER_IGNORES || router->mode == RIG_ROUTER_UNREACHABLE)
		return SIM_IGNORE;
	if (router->mode == RIG_ROUTER_REFUSES)
		return SIM_REFUSE;
	if (exchange->plan.answer)
		sim_fail(sim, "exchange %u reaches router %u instead of being answered", exchange->number,
		         router->index);
	*params = router->params;
	*events = &server_events;
	*connection_context = exchange;
	return SIM_ACCEPT;
}

void app_listen(struct rig_router *router)
{
	router->host.accept = accept_syn;
	router->host.accept_context = router;
}

void app_free(struct rig *rig)
{
	while (rig->exchanges) {
		struct exchange *exchange = rig->exchanges;
		rig->exchanges = exchange->next;
		free(exchange->up);
		free(exchange->down);
		free(exchange);
	}
}
