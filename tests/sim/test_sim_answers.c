/* Answers of our own, to the byte: HTTP statuses and TLS alerts, when they come, and that they arrive whole under loss,
 * with small segments and while the client still sends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim_app.h"

/* An answer as the documents have it. */
static size_t write_http(char *out, size_t room, const char *status, const char *reason)
{
	bool retry = strncmp(status, "503", 3) == 0;
	return (size_t)snprintf(
	    out, room,
	    "HTTP/1.1 %s\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\nConnection: close\r\n"
	    "Cache-Control: no-store\r\n%s\r\npointsman: %s\n",
	    status, strlen(reason) + 12, retry ? "Retry-After: 5\r\n" : "", reason);
}

static const uint8_t unrecognized_name[] = {21, 3, 3, 0, 2, 2, 112}, internal_error[] = {21, 3, 3, 0, 2, 2, 80},
                     decode_error[] = {21, 3, 3, 0, 2, 2, 50};

/* What is wrong with the tables in a case. */
enum trouble { NONE, ALL_UNHEALTHY, ALL_REFUSE, ALL_GONE };

struct answer_case {
	const char *what;
	const char *name;
	bool tls;
	const char *request; /* NULL: the usual one */
	enum trouble trouble;
	enum counter counter;
	const char *status, *reason; /* HTTP */
	const uint8_t *alert;        /* TLS */
};

static const struct answer_case cases[] = {
    {"unknown name", "nobody.ch", false, NULL, NONE, counter_answer_unknown_name, "404 Not Found",
     "no route has the host name nobody.ch", NULL},
    {"unknown name, written oddly", "nobody.ch", false, "GET / HTTP/1.1\r\nHost: NoBody.CH.:8080\r\n\r\n", NONE,
     counter_answer_unknown_name, "404 Not Found", "no route has the host name nobody.ch", NULL},
    {"two labels before a wildcard", "a.b.wild.ch", false, NULL, NONE, counter_answer_unknown_name, "404 Not Found",
     "no route has the host name a.b.wild.ch", NULL},
    {"the wildcard's own name", "wild.ch", false, NULL, NONE, counter_answer_unknown_name, "404 Not Found",
     "no route has the host name wild.ch", NULL},
    {"no name", "", false, "GET / HTTP/1.0\r\n\r\n", NONE, counter_answer_no_name, "404 Not Found",
     "the request names no host", NULL},
    {"not served on this port", "secure.ch", false, NULL, NONE, counter_answer_not_served, "503 Service Unavailable",
     "no cluster serves on this port the host name secure.ch", NULL},
    {"nothing healthy", "app1.ch", false, NULL, ALL_UNHEALTHY, counter_answer_unhealthy, "503 Service Unavailable",
     "no healthy router serves the host name app1.ch", NULL},
    {"no router hosts", "app1.ch", false, NULL, ALL_GONE, counter_answer_unhealthy, "503 Service Unavailable",
     "no healthy router serves the host name app1.ch", NULL},
    {"all refuse", "app1.ch", false, NULL, ALL_REFUSE, counter_answer_connect_failed, "503 Service Unavailable",
     "no router accepted a connection for the host name app1.ch", NULL},
    {"garbage", "", false, "\001\002 garbage\r\n\r\n", NONE, counter_answer_malformed, "400 Bad Request",
     "the request is malformed", NULL},
    {"two Host fields", "", false, "GET / HTTP/1.1\r\nHost: app1.ch\r\nHost: app1.ch\r\n\r\n", NONE,
     counter_answer_malformed, "400 Bad Request", "the request is malformed", NULL},
    {"no Host field", "", false, "GET / HTTP/1.1\r\nAccept: *\r\n\r\n", NONE, counter_answer_malformed,
     "400 Bad Request", "the request is malformed", NULL},
    {"TLS to the HTTP port", "", false, "\026\003\001\002", NONE, counter_answer_malformed, "400 Bad Request",
     "the request is malformed", NULL},
    {"unknown SNI", "nobody.ch", true, NULL, NONE, counter_answer_unknown_name, NULL, NULL, unrecognized_name},
    {"no SNI", "", true, NULL, NONE, counter_answer_no_name, NULL, NULL, unrecognized_name},
    {"unhealthy, TLS", "app1.ch", true, NULL, ALL_UNHEALTHY, counter_answer_unhealthy, NULL, NULL, internal_error},
    {"all refuse, TLS", "app1.ch", true, NULL, ALL_REFUSE, counter_answer_connect_failed, NULL, NULL, internal_error},
    {"HTTP to the TLS port", "", true, "GET / HTTP/1.1\r\n", NONE, counter_answer_malformed, NULL, NULL, decode_error},
    {"SNI is an address", "192.0.2.1", true, NULL, NONE, counter_answer_malformed, NULL, NULL, decode_error},
};
enum { CASES = sizeof(cases) / sizeof(cases[0]) };

static void make_trouble(struct rig *rig, enum trouble trouble)
{
	for (unsigned i = 0; i < RIG_ROUTERS; i++) {
		rig->routers[i].healthy = trouble != ALL_UNHEALTHY;
		rig->routers[i].known = trouble != ALL_GONE;
		rig->routers[i].mode = trouble == ALL_REFUSE ? RIG_ROUTER_REFUSES : RIG_ROUTER_SERVES;
	}
}

static void check_answer(struct rig *rig, const struct exchange *exchange, const struct answer_case *one)
{
	char want[1024];
	size_t len = sizeof(unrecognized_name);
	if (one->alert)
		memcpy(want, one->alert, len);
	else
		len = write_http(want, sizeof(want), one->status, one->reason);
	if (exchange->answer_len != len || memcmp(exchange->answer, want, len) != 0)
		sim_fail(rig->sim, "the answer is wrong: %zu bytes, \"%.*s\"", exchange->answer_len,
		         (int)exchange->answer_len, exchange->answer);
	if (!exchange->client_has_fin || exchange->client_end != SIM_END_NORMAL)
		sim_fail(rig->sim, "the answer does not end with FIN");
}

static struct app_plan plan_of(const struct answer_case *one)
{
	struct app_plan plan = {.name = one->name, .tls = one->tls, .answer = true};
	if (one->request) {
		plan.request = (const uint8_t *)one->request;
		plan.request_len = strlen(one->request);
	}
	return plan;
}

static void run_case(unsigned test, unsigned number, const struct answer_case *one, unsigned loss,
                     const struct sim_tcp_params *params, size_t more)
{
	if (!sim_wanted(test, number))
		return;
	struct rig *rig = rig_new(sim_seed(test, number));
	snprintf(rig->sim->label, sizeof(rig->sim->label), "answer to: %s", one->what);
	rig_impair(rig, loss, 0, loss ? 1000 : 0, 0);
	make_trouble(rig, one->trouble);
	rig->sent_limit = 200;
	rig_start(rig);
	struct app_plan plan = plan_of(one);
	plan.up = more;
	if (params)
		plan.client_params = *params;
	struct exchange *exchange = app_start(rig, &plan);
	rig_run_all(rig, 600 * (uint64_t)SIM_SECOND);
	if (loss == 0) {
		check_answer(rig, exchange, one);
		rig_expect(rig, one->counter, 1);
		if (exchange->finished_at - exchange->started_at > 20 * SIM_MS)
			sim_fail(rig->sim, "the answer takes %llu us",
			         (unsigned long long)(exchange->finished_at - exchange->started_at));
	} else if (exchange->client_end == SIM_END_NORMAL)
		check_answer(rig, exchange, one);
	rig_end(rig, 20 * SIM_SECOND);
}

static void test_exact(void **state)
{
	for (unsigned i = 0; i < CASES; i++)
		run_case(60, i, &cases[i], 0, NULL, 0);
}

static void test_loss(void **state)
{
	for (unsigned n = 0; n < sim_runs(200); n++)
		run_case(61, n, &cases[n % CASES], 1500, NULL, 0);
}

/* Small segments, small windows, and a client that goes on sending what nobody reads. */
static void test_small_and_busy(void **state)
{
	static const struct sim_tcp_params small = {.mss = 88, .window_scale = SIM_NO_SCALE, .receive_buffer = 65535};
	static const struct sim_tcp_params narrow = {.mss = 536, .window_scale = 0, .receive_buffer = 150};
	for (unsigned i = 0; i < CASES; i++) {
		run_case(62, i, &cases[i], 0, &small, 0);
		run_case(63, i, &cases[i], 0, &narrow, 0);
		if (cases[i].request == NULL)
			run_case(64, i, &cases[i], 0, NULL, 20000);
	}
}

/* A head that never ends, or never begins. */
static void run_slow(unsigned number, bool tls, size_t bytes, uint64_t gap, const char *answer, enum counter counter,
                     uint32_t limit_ms)
{
	if (!sim_wanted(65, number))
		return;
	struct rig *rig = rig_new(sim_seed(65, number));
	static uint8_t request[64] = "GET / HTTP/1.1\r\nHost: app1.ch\r\nX: 1234567890123456789";
	uint8_t hello[512];
	snprintf(rig->sim->label, sizeof(rig->sim->label), "slow head: %zu bytes, TLS %d", bytes, tls);
	rig->config.timeouts.head = limit_ms;
	rig_start(rig);
	app_client_hello(hello, sizeof(hello), "app1.ch", 0, 0, 1);
	struct app_plan plan = {
	    .name = "",
	    .tls = tls,
	    .answer = true,
	    .request = tls ? hello : request,
	    .request_len = bytes,
	    .write_size = 1,
	    .write_gap_us = gap,
	};
	struct exchange *exchange = app_start(rig, &plan);
	rig_run_all(rig, 30 * SIM_SECOND);
	uint64_t took = exchange->finished_at - exchange->established_at;
	if (exchange->answer_len != strlen(answer) || memcmp(exchange->answer, answer, exchange->answer_len) != 0)
		sim_fail(rig->sim, "the answer is \"%.*s\"", (int)exchange->answer_len, exchange->answer);
	if (exchange->client_end != SIM_END_NORMAL || !exchange->client_has_fin)
		sim_fail(rig->sim, "the connection was not closed in order");
	if (took < limit_ms * 1000ULL - 2 * SIM_MS || took > limit_ms * 1000ULL + 20 * SIM_MS)
		sim_fail(rig->sim, "closed after %llu us, the limit is %u ms", (unsigned long long)took, limit_ms);
	rig_expect(rig, counter, 1);
	rig_end(rig, 20 * SIM_SECOND);
}

static void test_slow(void **state)
{
	char timeout[512];
	write_http(timeout, sizeof(timeout), "408 Request Timeout", "the request head did not come in time");
	run_slow(0, false, 0, 0, "", counter_closed_silent, 10000);
	run_slow(1, true, 0, 0, "", counter_closed_silent, 10000);
	run_slow(2, false, 1, 0, timeout, counter_answer_timeout, 10000);
	run_slow(3, false, 50, 150 * SIM_MS, timeout, counter_answer_timeout, 10000);
	run_slow(4, true, 20, 100 * SIM_MS, "", counter_answer_timeout, 10000);
	run_slow(5, false, 20, 10 * SIM_MS, timeout, counter_answer_timeout, 300);
	run_slow(6, true, 0, 0, "", counter_closed_silent, 300);
}

/* A head up to the limit is served, one byte more is not. */
static void run_size(unsigned number, bool tls, size_t len, bool scaled)
{
	if (!sim_wanted(66, number))
		return;
	struct rig *rig = rig_new(sim_seed(66, number));
	bool too_large = len > rig->config.limits.head_bytes;
	snprintf(rig->sim->label, sizeof(rig->sim->label), "head of %zu bytes, TLS %d", len, tls);
	rig_start(rig);
	struct app_plan plan = {
	    .name = "only1.ch", .tls = tls, .head_len = len, .record_size = 8000, .down = 10, .answer = too_large};
	plan.client_params = app_usual_params();
	if (!scaled)
		plan.client_params.window_scale = SIM_NO_SCALE, plan.client_params.receive_buffer = 65535;
	struct exchange *exchange = app_start(rig, &plan);
	if (exchange->head_len != len)
		sim_fail(rig->sim, "the head has %zu bytes", exchange->head_len);
	rig_run_all(rig, 30 * SIM_SECOND);
	struct answer_case large = {
	    .status = "400 Bad Request",
	    .reason = "the request head is too large",
	    .alert = tls ? decode_error : NULL,
	};
	if (too_large) {
		check_answer(rig, exchange, &large);
		rig_expect(rig, counter_answer_too_large, 1);
	}
	rig_end(rig, 5 * SIM_SECOND);
}

static void test_size(void **state)
{
	static const size_t sizes[] = {2040,  2047,  2048,  2049,  4096,  16000, 16383,
	                               16384, 16385, 16511, 16512, 16513, 20000};
	for (unsigned i = 0; i < 13; i++)
		for (unsigned tls = 0; tls < 2; tls++)
			for (unsigned scaled = 0; scaled < 2; scaled++)
				run_size((i * 2 + tls) * 2 + scaled, tls, sizes[i], scaled);
}

/* Unknown and missing names go to the default cluster where there is one. */
static void test_default_cluster(void **state)
{
	struct rig *rig = rig_new(sim_seed(67, 0));
	strcpy(rig->sim->label, "default cluster");
	rig->default_cluster[0] = 1;
	rig_start(rig);
	struct app_plan plan = {.name = "nobody.ch", .down = 100};
	struct exchange *exchange = app_start(rig, &plan);
	rig_run_all(rig, SIM_SECOND);
	sim_check(rig->sim, app_router(exchange) >= 2);
	plan.tls = plan.answer = true;
	exchange = app_start(rig, &plan);
	rig_run_all(rig, SIM_SECOND);
	sim_check(rig->sim, exchange->answer_len == 7);
	plan = (struct app_plan){
	    .name = "", .request = (const uint8_t *)"GET / HTTP/1.0\r\n\r\n", .request_len = 18, .down = 9};
	exchange = app_start(rig, &plan);
	rig_run_all(rig, SIM_SECOND);
	sim_check(rig->sim, app_router(exchange) >= 2);
	rig_end(rig, 5 * SIM_SECOND);
}

/* Nobody is there to take the answer: it is repeated a few times, then the client is reset and forgotten. */
static void test_nobody_listens(void **state)
{
	struct rig *rig = rig_new(sim_seed(69, 0));
	strcpy(rig->sim->label, "answer to a vanished client");
	rig_start(rig);
	struct app_plan plan = {.name = "nobody.ch", .answer = true};
	struct exchange *exchange = app_start(rig, &plan);
	rig_run(rig, 250);
	app_client_vanish(exchange);
	rig_run(rig, 4900 * SIM_MS);
	rig_expect(rig, counter_flows, 1);
	if (rig_counter(rig, counter_tx_answer) < 4 || rig_counter(rig, counter_tx_answer) > 6)
		sim_fail(rig->sim, "the answer is sent %llu times",
		         (unsigned long long)rig_counter(rig, counter_tx_answer));
	rig_run(rig, 200 * SIM_MS);
	rig_expect(rig, counter_tx_rst, 1);
	rig_end(rig, 0);
}

/* Before the first tables, and while the VIP is elsewhere, nothing is said. */
static void test_not_ready(void **state)
{
	struct rig *rig = rig_new(sim_seed(68, 0));
	strcpy(rig->sim->label, "VIP not held");
	rig_start(rig);
	shared_set(&rig->shared->vip_held[0], 0);
	rig_run(rig, 5 * SIM_MS);
	struct app_plan plan = {.name = "app1.ch", .answer = true};
	struct exchange *exchange = app_start(rig, &plan);
	rig_run(rig, 500 * SIM_MS);
	sim_check(rig->sim, rig->sent == 0);
	rig_expect(rig, counter_drop_vip_not_held, 1);
	shared_set(&rig->shared->vip_held[0], 1);
	exchange->plan.answer = false;
	rig_run_all(rig, 5 * SIM_SECOND);
	rig_end(rig, 5 * SIM_SECOND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_exact),          cmocka_unit_test(test_loss),
	    cmocka_unit_test(test_small_and_busy), cmocka_unit_test(test_slow),
	    cmocka_unit_test(test_size),           cmocka_unit_test(test_default_cluster),
	    cmocka_unit_test(test_nobody_listens), cmocka_unit_test(test_not_ready),
	};
	return sim_run_tests(tests);
}
