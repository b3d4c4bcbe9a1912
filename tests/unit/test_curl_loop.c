/* curl_loop: transfers side by side, ended by the server, by a timer and by their owner. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "control/curl_loop.h"
#include "control/event_loop.h"
#include "tests/unit/api_server.h"

struct fixture {
	struct event_loop *loop;
	struct api_server *server;
	struct curl_loop *curl_loop;
	unsigned ended;
	CURLcode codes[8];
};

static void done(void *context, CURL *easy, CURLcode code)
{
	struct fixture *fixture = context;
	fixture->codes[fixture->ended++] = code;
	curl_easy_cleanup(easy);
}

static int setup(void **state)
{
	static struct fixture fixture;
	fixture = (struct fixture){.loop = event_loop_create()};
	fixture.server = api_server_start(fixture.loop);
	fixture.curl_loop = curl_loop_create(fixture.loop, done, &fixture);
	*state = &fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;
	curl_loop_destroy(fixture->curl_loop);
	api_server_stop(fixture->server);
	event_loop_destroy(fixture->loop);
	return 0;
}

static CURL *get(struct fixture *fixture, const char *path, long limit_ms)
{
	char url[100];
	CURL *easy = curl_easy_init();
	snprintf(url, sizeof(url), "%s%s", api_server_url(fixture->server), path);
	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_NOBODY, 0L);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, limit_ms);
	curl_loop_add(fixture->curl_loop, easy);
	return easy;
}

static bool one_more(void *context)
{
	return ((struct fixture *)context)->ended > 0;
}

static CURLcode await_end(struct fixture *fixture)
{
	run_until(fixture->loop, one_more, fixture, "a transfer ends");
	return fixture->codes[--fixture->ended];
}

static void side_by_side(void **state)
{
	struct fixture *fixture = *state;
	get(fixture, "/a", 5000);
	get(fixture, "/b", 5000);
	struct api_call *a = api_await(fixture->server, "/a"), *b = api_await(fixture->server, "/b");
	api_reply(b, 204, "", "");
	assert_int_equal(await_end(fixture), CURLE_OK);
	api_reply(a, 204, "", "");
	assert_int_equal(await_end(fixture), CURLE_OK);
}

static void ends(void **state)
{
	struct fixture *fixture = *state;
	get(fixture, "/late", 50);
	struct api_call *late = api_await(fixture->server, "/late");
	assert_int_equal(await_end(fixture), CURLE_OPERATION_TIMEDOUT);
	api_await_close(late);
	CURL *mine = get(fixture, "/mine", 5000);
	struct api_call *call = api_await(fixture->server, "/mine");
	curl_loop_remove(fixture->curl_loop, mine);
	curl_easy_cleanup(mine);
	api_await_close(call);
	assert_int_equal(fixture->ended, 0);
	api_server_down(fixture->server);
	get(fixture, "/refused", 5000);
	assert_int_equal(await_end(fixture), CURLE_COULDNT_CONNECT);
	curl_loop_destroy(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(side_by_side, setup, teardown),
	    cmocka_unit_test_setup_teardown(ends, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
