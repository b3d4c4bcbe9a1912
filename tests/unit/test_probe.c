/* probe: real requests to servers of the test, good and bad ones, the limits, and that nobody else is asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "certificate_fixture.h"
#include "control/event_loop.h"
#include "control/traffic/probe.h"

enum { DAY = 24 * 3600, LARGE = 1 << 20 };

static struct event_loop *loop;
static struct prober *prober;
static struct probe_result *results; /* of the last probe that has ended */
static size_t result_count;
static unsigned ends;

/* The server's side; its thread writes, the test reads when the answer is there. */
static struct MHD_Daemon *server;
static char seen_host[300], seen_agent[100];

static void done(void *context, struct probe_result *got, size_t count)
{
	free(results);
	results = got;
	result_count = count;
	ends++;
}

static int setup(void **state)
{
	loop = event_loop_create();
	prober = prober_create(loop);
	ends = 0;
	return 0;
}

static int teardown(void **state)
{
	prober_destroy(prober);
	event_loop_destroy(loop);
	if (server)
		MHD_stop_daemon(server);
	server = NULL;
	free(results);
	results = NULL;
	return 0;
}

static enum MHD_Result answer(void *context, struct MHD_Connection *connection, const char *url, const char *method,
                              const char *version, const char *upload, size_t *upload_size, void **request)
{
	static char body[LARGE];
	const char *host = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Host");
	const char *agent = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "User-Agent");
	snprintf(seen_host, sizeof(seen_host), "%s", host ? host : "");
	snprintf(seen_agent, sizeof(seen_agent), "%s", agent ? agent : "");
	bool large = strcmp(url, "/large") == 0;
	struct MHD_Response *response =
	    MHD_create_response_from_buffer(large ? LARGE : 2, large ? body : (void *)"ok", MHD_RESPMEM_PERSISTENT);
	MHD_add_response_header(response, "Location", "http://192.0.2.1/elsewhere");
	unsigned status = large ? 200 : (unsigned)atoi(url + 1);
	enum MHD_Result result = MHD_queue_response(connection, status > 0 ? status : 200, response);
	MHD_destroy_response(response);
	return result;
}

/* Returns its port on 127.0.0.1. */
static uint16_t serve(const struct certificate_fixture *certificate)
{
	unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | (certificate ? MHD_USE_TLS : 0);
	if (certificate)
		server = MHD_start_daemon(flags, 0, NULL, NULL, answer, NULL, MHD_OPTION_HTTPS_MEM_CERT,
		                          certificate->pem, MHD_OPTION_HTTPS_MEM_KEY, certificate->key, MHD_OPTION_END);
	else
		server = MHD_start_daemon(flags, 0, NULL, NULL, answer, NULL, MHD_OPTION_END);
	assert_non_null(server);
	return MHD_get_daemon_info(server, MHD_DAEMON_INFO_BIND_PORT)->port;
}

static struct probe_result *hosts(size_t count, uint16_t port)
{
	struct probe_result *made = calloc(count, sizeof(*made));
	for (size_t i = 0; i < count; i++) {
		snprintf(made[i].name, sizeof(made[i].name), "r%zu", i);
		address_parse("127.0.0.1", &made[i].address);
		made[i].port = port;
	}
	return made;
}

#define AWAIT(condition)                                                                                               \
	do {                                                                                                           \
		for (int turn = 0; !(condition); turn++) {                                                             \
			assert_true(turn < 2000);                                                                      \
			event_loop_turn(loop, 10);                                                                     \
		}                                                                                                      \
	} while (0)

static const struct probe_result *probe(const char *host, const char *path, bool https, uint16_t port)
{
	const struct probe_request request = {host, path, https};
	unsigned before = ends;
	assert_true(prober_start(prober, &request, hosts(1, port), 1, done, NULL));
	assert_int_equal(ends, before); /* never from inside */
	AWAIT(ends == before + 1);
	assert_int_equal(result_count, 1);
	return results;
}

static void over_http(void **state)
{
	const struct probe_result *result = probe("app1.ch", "/", false, serve(NULL));
	assert_true(probe_result_ok(result));
	assert_int_equal(result->status, 200);
	assert_string_equal(result->error, "");
	assert_false(result->has_certificate);
	assert_true(result->connect_us > 0 && result->connect_us <= result->first_byte_us);
	assert_true(result->first_byte_us <= result->time_us && result->time_us < 5000000);
	assert_string_equal(seen_host, "app1.ch");
	assert_string_equal(seen_agent, "pointsman-control");
	assert_string_equal(result->name, "r0");
}

static void answers_that_are_good_and_that_are_not(void **state)
{
	uint16_t port = serve(NULL);
	const struct probe_result *result = probe("app1.ch", "/302", false, port);
	assert_int_equal(result->status, 302); /* nobody follows it */
	assert_true(probe_result_ok(result));
	assert_true(probe_result_ok(probe("app1.ch", "/404", false, port)));
	result = probe("app1.ch", "/503", false, port);
	assert_int_equal(result->status, 503);
	assert_false(probe_result_ok(result));
	assert_string_equal(result->error, "status 503");
	result = probe("app1.ch", "/large", false, port);
	assert_true(probe_result_ok(result)); /* there is enough of it */
	assert_int_equal(result->status, 200);
}

static void over_https(void **state)
{
	struct certificate_fixture certificate;
	certificate_make(&certificate, "apps", "app1.ch *.wild.ch", -DAY, 30 * DAY);
	uint16_t port = serve(&certificate);
	const struct probe_result *result = probe("app1.ch", "/", true, port);
	assert_true(probe_result_ok(result));
	assert_true(result->has_certificate && result->certificate.matches);
	assert_string_equal(result->certificate.subject, "CN=apps");
	assert_string_equal(seen_host, "app1.ch");
	assert_true(probe_result_ok(probe("x.wild.ch", "/", true, port)));
	result = probe("other.ch", "/", true, port);
	assert_false(probe_result_ok(result));
	assert_int_equal(result->status, 200);
	assert_string_equal(result->error, "the certificate is not for other.ch");
}

static void certificates_out_of_their_time(void **state)
{
	struct certificate_fixture certificate;
	certificate_make(&certificate, "app1.ch", "app1.ch", -30 * DAY, -DAY);
	const struct probe_result *result = probe("app1.ch", "/", true, serve(&certificate));
	assert_string_equal(result->error, "the certificate has expired");
	assert_int_equal(result->status, 200);
	MHD_stop_daemon(server);
	certificate_make(&certificate, "app1.ch", "app1.ch", DAY, 30 * DAY);
	result = probe("app1.ch", "/", true, serve(&certificate));
	assert_string_equal(result->error, "the certificate is not valid yet");
}

/* A socket that listens; the test does the rest. */
static int listen_raw(uint16_t *port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 128), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	*port = ntohs(address.sin_port);
	return fd;
}

static void what_is_no_answer(void **state)
{
	uint16_t port, plain = serve(NULL);
	int fd = listen_raw(&port);
	const struct probe_request request = {"app1.ch", "/", false};
	assert_string_equal(probe("app1.ch", "/", false, 0)->error, "it has no port for http");
	assert_string_equal(probe("app1.ch", "/", true, 0)->error, "it has no port for https");
	assert_true(probe("app1.ch", "/", true, plain)->error[0] != '\0'); /* no TLS there */
	assert_int_equal(results->status, 0);
	assert_true(prober_start(prober, &request, hosts(1, port), 1, done, NULL));
	int client = -1;
	AWAIT((client = accept(fd, NULL, NULL)) >= 0);
	close(fd);
	unsigned before = ends;
	char bytes[1000];
	AWAIT(recv(client, bytes, sizeof(bytes), MSG_DONTWAIT) > 0);
	close(client);
	AWAIT(ends == before + 1);
	assert_string_equal(results->error, "the connection was closed without an answer");
	assert_false(probe_result_ok(results));
	assert_string_equal(probe("app1.ch", "/", false, port)->error, "the connect was refused");
}

static void silence_ends_at_the_limit(void **state)
{
	uint16_t port;
	int fd = listen_raw(&port);
	uint64_t before = clock_monotonic_ms();
	assert_string_equal(probe("app1.ch", "/", false, port)->error, "no complete answer within 5 s");
	assert_in_range(clock_monotonic_ms() - before, PROBE_LIMIT_MS - 100, PROBE_LIMIT_MS + 1500);
	close(fd);
}

static void only_so_many_at_once(void **state)
{
	uint16_t port;
	unsigned accepted = 0;
	int fd = listen_raw(&port), clients[PROBES_AT_ONCE + 8], client;
	const struct probe_request request = {"app1.ch", "/", false};
	assert_true(prober_start(prober, &request, hosts(PROBES_AT_ONCE + 8, port), PROBES_AT_ONCE + 8, done, NULL));
	for (int i = 0; i < 20; i++) {
		event_loop_turn(loop, 5);
		while ((client = accept(fd, NULL, NULL)) >= 0)
			clients[accepted++] = client;
	}
	assert_int_equal(accepted, PROBES_AT_ONCE);
	for (unsigned i = 0; i < PROBES_AT_ONCE; i++)
		close(clients[i]);
	AWAIT((client = accept(fd, NULL, NULL)) >= 0 && (clients[accepted++] = client, accepted == PROBES_AT_ONCE + 8));
	for (unsigned i = PROBES_AT_ONCE; i < accepted; i++)
		close(clients[i]);
	AWAIT(ends == 1);
	assert_int_equal(result_count, PROBES_AT_ONCE + 8);
	for (size_t i = 0; i < result_count; i++)
		assert_true(results[i].error[0] != '\0');
	close(fd);
}

static void too_many_probes_are_not_taken_and_the_end_of_control_ends_all(void **state)
{
	uint16_t port;
	int fd = listen_raw(&port);
	const struct probe_request request = {"app1.ch", "/", false};
	for (unsigned i = 0; i < PROBES_WAITING_MAX; i++)
		assert_true(prober_start(prober, &request, hosts(2, port), 2, done, NULL));
	struct probe_result *more = hosts(1, port);
	assert_false(prober_start(prober, &request, more, 1, done, NULL));
	free(more);
	event_loop_turn(loop, 5);
	prober_destroy(prober);
	prober = NULL;
	assert_int_equal(ends, PROBES_WAITING_MAX);
	assert_string_equal(results[1].error, "control has ended");
	close(fd);
}

static void paths(void **state)
{
	char path[PROBE_PATH_MAX + 2];
	assert_true(probe_path_valid("/"));
	assert_true(probe_path_valid("/a?b=c&d=%20"));
	assert_false(probe_path_valid(""));
	assert_false(probe_path_valid("a"));
	assert_false(probe_path_valid("/a b"));
	assert_false(probe_path_valid("/\r\nHost: x"));
	assert_false(probe_path_valid("/a#b"));
	assert_false(probe_path_valid("/\xc3\xa4"));
	assert_false(probe_path_valid("/\x7f"));
	memset(path, 'a', sizeof(path));
	path[0] = '/';
	path[PROBE_PATH_MAX + 1] = '\0';
	assert_false(probe_path_valid(path));
	path[PROBE_PATH_MAX] = '\0';
	assert_true(probe_path_valid(path));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(over_http, setup, teardown),
	    cmocka_unit_test_setup_teardown(answers_that_are_good_and_that_are_not, setup, teardown),
	    cmocka_unit_test_setup_teardown(over_https, setup, teardown),
	    cmocka_unit_test_setup_teardown(certificates_out_of_their_time, setup, teardown),
	    cmocka_unit_test_setup_teardown(what_is_no_answer, setup, teardown),
	    cmocka_unit_test_setup_teardown(silence_ends_at_the_limit, setup, teardown),
	    cmocka_unit_test_setup_teardown(only_so_many_at_once, setup, teardown),
	    cmocka_unit_test_setup_teardown(too_many_probes_are_not_taken_and_the_end_of_control_ends_all, setup,
	                                    teardown),
	    cmocka_unit_test(paths),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
