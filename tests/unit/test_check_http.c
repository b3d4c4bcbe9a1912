/* check_http: each kind of answer against a real socket on loopback, each with its own result. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <curl/curl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/health/check_http.h"
#include "control/event_loop.h"

/* What the server does with one connection. */
struct script {
	const char *answer; /* NULL: never accepts; "": says nothing */
	size_t len;
	bool hang;  /* keeps the connection open until the client closes it */
	bool reset; /* ends with RST */
	char request[1000];
	int listener;
	uint16_t port;
};

static struct event_loop *loop;
static struct checker *checker;
static struct check_result results[10];
static uint64_t ids[10];
static unsigned result_count;

static void on_result(void *context, uint64_t id, struct check_result result)
{
	ids[result_count] = id;
	results[result_count++] = result;
}

static int setup(void **state)
{
	loop = event_loop_create();
	checker = checker_create(loop, on_result, NULL);
	result_count = 0;
	return loop && checker ? 0 : -1;
}

static int teardown(void **state)
{
	checker_destroy(checker);
	event_loop_destroy(loop);
	return 0;
}

static void listen_on_loopback(struct script *script, int backlog)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	script->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(script->listener, (struct sockaddr *)&address, len), 0);
	assert_int_equal(listen(script->listener, backlog), 0);
	assert_int_equal(getsockname(script->listener, (struct sockaddr *)&address, &len), 0);
	script->port = ntohs(address.sin_port);
}

static void *serve(void *context)
{
	struct script *script = context;
	int fd = accept(script->listener, NULL, NULL);
	ssize_t len = recv(fd, script->request, sizeof(script->request) - 1, 0);
	script->request[len > 0 ? len : 0] = '\0';
	for (size_t sent = 0; sent < script->len;) {
		ssize_t n = send(fd, script->answer + sent, script->len - sent, MSG_NOSIGNAL);
		if (n <= 0)
			break;
		sent += (size_t)n;
	}
	char byte;
	if (script->hang)
		while (recv(fd, &byte, 1, 0) > 0)
			;
	struct linger linger = {.l_onoff = 1};
	if (script->reset)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(fd);
	return NULL;
}

static void start(uint64_t id, uint16_t port, uint32_t timeout_ms)
{
	struct address loopback = address_from_v4(htonl(INADDR_LOOPBACK));
	checker_start(checker, id, &loopback, port, "/healthz/ready?x=1", timeout_ms);
}

static void await(unsigned count)
{
	while (result_count < count)
		event_loop_turn(loop, 5000);
}

static struct check_result check(struct script *script)
{
	pthread_t thread;
	listen_on_loopback(script, 10);
	if (script->len == 0)
		script->len = strlen(script->answer);
	pthread_create(&thread, NULL, serve, script);
	start(42, script->port, script->hang ? 100 : 5000);
	await(1);
	pthread_join(thread, NULL);
	close(script->listener);
	assert_int_equal(ids[0], 42);
	return results[0];
}

#define CHECK(kind_wanted, detail_wanted, ...)                                                                         \
	do {                                                                                                           \
		struct script script = {__VA_ARGS__};                                                                  \
		result_count = 0;                                                                                      \
		struct check_result result = check(&script);                                                           \
		assert_int_equal(result.kind, kind_wanted);                                                            \
		assert_int_equal(result.detail, detail_wanted);                                                        \
	} while (0)

static void good_answers(void **state)
{
	CHECK(CHECK_OK, 200, .answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	CHECK(CHECK_OK, 200, .answer = "HTTP/1.0 200 OK\r\n\r\nok until the end");
	CHECK(CHECK_OK, 200,
	      .answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX: y\r\n\r\n");
	CHECK(CHECK_OK, 200, .answer = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
}

static void other_statuses(void **state)
{
	CHECK(CHECK_STATUS, 500, .answer = "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n");
	CHECK(CHECK_STATUS, 204, .answer = "HTTP/1.1 204 No\r\n\r\n");
	CHECK(CHECK_REDIRECT, 302,
	      .answer = "HTTP/1.1 302 F\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n");
}

static void what_is_not_http(void **state)
{
	CHECK(CHECK_NOT_HTTP, 0, .answer = "SSH-2.0-OpenSSH_9.2\r\n");
	CHECK(CHECK_NOT_HTTP, 0, .answer = "\0\1\2\3 rubbish \r\n\r\n", .len = 16);
}

static void half_answers(void **state)
{
	CHECK(CHECK_INCOMPLETE, 0, .answer = "");
	CHECK(CHECK_INCOMPLETE, 0, .answer = "HTTP/1.1 200 OK\r\nContent-Le");
	CHECK(CHECK_INCOMPLETE, 0, .answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n");
	CHECK(CHECK_INCOMPLETE, 0, .answer = "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nhalf");
	CHECK(CHECK_INCOMPLETE, 0, .answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20\r\nhal");
	CHECK(CHECK_INCOMPLETE, 0, .answer = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nCont");
}

static void time_outs_after_the_connect(void **state)
{
	CHECK(CHECK_ANSWER_TIMEOUT, 0, .answer = "", .hang = true);
	CHECK(CHECK_ANSWER_TIMEOUT, 0, .answer = "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nhalf", .hang = true);
}

static void reset_and_too_large(void **state)
{
	static char large[200000] = "HTTP/1.1 200 OK\r\nContent-Length: 199000\r\n\r\n";
	memset(large + strlen(large), 'x', sizeof(large) - strlen(large));
	CHECK(CHECK_RESET, 0, .answer = "HTTP/1.1 200 OK\r\n", .reset = true);
	CHECK(CHECK_TOO_LARGE, 0, .answer = large, .len = sizeof(large), .reset = true);
}

static void refused(void **state)
{
	struct script script = {0};
	listen_on_loopback(&script, 1);
	close(script.listener); /* nobody listens on this port now */
	start(7, script.port, 5000);
	await(1);
	assert_int_equal(results[0].kind, CHECK_REFUSED);
}

/* A listener whose queue is full answers no SYN. */
static void no_answer_to_the_connect(void **state)
{
	struct script script = {0};
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fds[4];
	listen_on_loopback(&script, 0);
	address.sin_port = htons(script.port);
	for (int i = 0; i < 4; i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		connect(fds[i], (struct sockaddr *)&address, sizeof(address));
	}
	start(7, script.port, 200);
	await(1);
	assert_int_equal(results[0].kind, CHECK_CONNECT_TIMEOUT);
	for (int i = 0; i < 4; i++)
		close(fds[i]);
	close(script.listener);
}

static void the_request(void **state)
{
	struct script script = {.answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"};
	setenv("http_proxy", "http://192.0.2.1:3128", 1); /* not for us */
	check(&script);
	unsetenv("http_proxy");
	assert_ptr_equal(strstr(script.request, "GET /healthz/ready?x=1 HTTP/1.1\r\n"), script.request);
	assert_non_null(strstr(script.request, "User-Agent: pointsman-control\r\n"));
}

static void many_at_once_and_some_left_running(void **state)
{
	struct script hanging = {0}, gone = {0};
	listen_on_loopback(&hanging, 10);
	listen_on_loopback(&gone, 10);
	close(gone.listener);
	for (uint64_t id = 1; id <= 3; id++)
		start(id, hanging.port, 60000);
	for (uint64_t id = 4; id <= 6; id++)
		start(id, gone.port, 60000);
	await(3);
	for (int i = 0; i < 3; i++)
		assert_true(ids[i] >= 4 && results[i].kind == CHECK_REFUSED);
	close(hanging.listener);
	/* The others end with the checker, without a result. */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(good_answers, setup, teardown),
	    cmocka_unit_test_setup_teardown(other_statuses, setup, teardown),
	    cmocka_unit_test_setup_teardown(what_is_not_http, setup, teardown),
	    cmocka_unit_test_setup_teardown(half_answers, setup, teardown),
	    cmocka_unit_test_setup_teardown(time_outs_after_the_connect, setup, teardown),
	    cmocka_unit_test_setup_teardown(reset_and_too_large, setup, teardown),
	    cmocka_unit_test_setup_teardown(refused, setup, teardown),
	    cmocka_unit_test_setup_teardown(no_answer_to_the_connect, setup, teardown),
	    cmocka_unit_test_setup_teardown(the_request, setup, teardown),
	    cmocka_unit_test_setup_teardown(many_at_once_and_some_left_running, setup, teardown),
	};
	curl_global_init(CURL_GLOBAL_DEFAULT);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	curl_global_cleanup();
	return failed;
}
