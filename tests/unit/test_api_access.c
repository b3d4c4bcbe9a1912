/* api_access and the checks before every endpoint: the order of refusals, roles, sessions and pages of others, tokens.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/api/api.h"
#include "control/api/auth.h"
#include "control/control.h"
#include "control/api/page.h"
#include "control_fixture.h"

static char directory[] = "/tmp/pm-test-access-XXXXXX";
static struct event_loop *loop;
static struct config *config;
static struct control control;
static char secrets[4][TOKEN_SECRET_MAX + 1]; /* by role */
static struct api_request request;            /* the next one */
static struct api_reply reply;                /* the last one */

static void remove_files(void)
{
	char command[100];
	snprintf(command, sizeof(command), "rm -rf %s/*", directory);
	assert_int_equal(system(command), 0);
}

static void reset(void)
{
	request = (struct api_request){.content_type = "application/json"};
	address_parse("192.0.2.7", &request.peer);
}

static int setup(void **state)
{
	unsigned status;
	char why[TOKENS_TEXT_MAX];
	remove_files();
	loop = event_loop_create();
	config =
	    fixture_config(directory, directory,
	                   "'clusters': [" FIXTURE_OSE1 "], 'admin': {'allow_from': ['192.0.2.0/24', '127.0.0.0/8'], "
	                   "'metrics_from': ['203.0.113.200']}");
	config->admin.loopback = ROLE_NONE;
	if (!control_init(&control, config, loop))
		return -1;
	control.auth = auth_open(config, loop, control.journal);
	control_start(&control);
	for (enum role role = ROLE_VIEWER; role <= ROLE_ADMIN; role++)
		assert_non_null(auth_create_token(control.auth, role_name(role), role, &fixture_actor, secrets[role],
		                                  &status, why));
	reset();
	return 0;
}

static int teardown(void **state)
{
	api_reply_free(&reply);
	control_stop(&control);
	auth_close(control.auth);
	config_free(config);
	event_loop_destroy(loop);
	return 0;
}

/* The status of the answer, which is in `reply`. A " in the body is written as '. */
static unsigned call(const char *method, const char *path, const char *body)
{
	char text[1000];
	snprintf(text, sizeof(text), "%s", body ? body : "");
	for (char *c = text; *c != '\0'; c++)
		if (*c == '\'')
			*c = '"';
	request.method = method;
	request.path = path;
	api_reply_free(&reply);
	if (api_accept(&control, &request, &reply)) {
		request.body = text;
		request.body_len = strlen(text);
		reply = api_handle(&control, &request);
	}
	request.body = NULL;
	request.body_len = 0;
	return reply.status;
}

/* Requests have the token of this role from now on. */
static void be(enum role role)
{
	static char text[TOKEN_SECRET_MAX + 10];
	snprintf(text, sizeof(text), "Bearer %.*s", TOKEN_SECRET_MAX, secrets[role]);
	request.authorization = role == ROLE_NONE ? NULL : text;
}

static const char *field(const char *name)
{
	const char *text = json_string_value(json_object_get(reply.json, name));
	return text ? text : "";
}

/* As a page: the cookie of this role's session. */
static void log_in(enum role role)
{
	static char cookie[API_COOKIE_MAX];
	char body[200];
	request.authorization = NULL;
	snprintf(body, sizeof(body), "{'token':'%s'}", secrets[role]);
	assert_int_equal(call("POST", "/api/v1/login", body), 200);
	strcpy(cookie, reply.cookie);
	*strchr(cookie, ';') = '\0';
	request.cookie = cookie;
}

static void refusals_have_their_order(void **state)
{
	/* peer, Host, Origin, identity, address, method, role, query, size, type, revision: each hides what follows. */
	char many[] = "x";
	request.query_count = 1;
	request.queries[0] = (struct api_query){"foo", many};
	request.announced_len = 1ULL << 40;
	request.content_type = "text/plain";
	request.if_match = "\"99\"";
	request.foreign_host = request.foreign_origin = true;
	address_parse("198.51.100.1", &request.peer);
	assert_int_equal(call("GET", "/api/v1/nix", NULL), 403);
	assert_non_null(strstr(field("detail"), "allow_from"));
	address_parse("192.0.2.7", &request.peer);
	assert_int_equal(call("GET", "/api/v1/nix", NULL), 403);
	assert_non_null(strstr(field("detail"), "Host"));
	request.foreign_host = false;
	assert_int_equal(call("GET", "/api/v1/nix", NULL), 403);
	assert_non_null(strstr(field("detail"), "Origin"));
	request.foreign_origin = false;
	assert_int_equal(call("GET", "/api/v1/nix", NULL), 401);
	assert_int_equal(call("DELETE", "/api/v1/status", NULL), 401);
	assert_int_equal(call("PUT", "/api/v1/clusters/x", NULL), 401);
	request.authorization = "Bearer pm_wrong";
	assert_int_equal(call("GET", "/api/v1/nix", NULL), 401);
	be(ROLE_VIEWER);
	assert_int_equal(call("GET", "/api/v1/nix", NULL), 404);
	assert_int_equal(call("DELETE", "/api/v1/status", NULL), 405);
	assert_string_equal(reply.allow, "GET");
	assert_int_equal(call("PUT", "/api/v1/clusters/x", NULL), 403);
	assert_non_null(strstr(field("detail"), "needs the role admin; viewer has viewer"));
	be(ROLE_ADMIN);
	assert_int_equal(call("PUT", "/api/v1/clusters/x", NULL), 400);
	assert_non_null(strstr(field("detail"), "\"foo\""));
	request.query_count = 0;
	assert_int_equal(call("PUT", "/api/v1/clusters/x", NULL), 413);
	request.announced_len = 2;
	assert_int_equal(call("PUT", "/api/v1/clusters/x", NULL), 415);
	request.content_type = "application/json";
	assert_int_equal(call("PUT", "/api/v1/clusters/x", NULL), 412);
	request.if_match = NULL;
	assert_int_equal(call("PUT", "/api/v1/clusters/x", "{"), 400);
	assert_int_equal(control.state.revision, 1);
}

static void every_role_may_what_the_ones_before_may(void **state)
{
	static const struct {
		const char *method, *path;
		enum role least;
	} cases[] = {
	    {"GET", "/api/v1/status", ROLE_VIEWER}, {"GET", "/api/v1/whoami", ROLE_VIEWER},
	    {"GET", "/api/v1", ROLE_VIEWER},        {"POST", "/api/v1/clusters/ose1/held/confirm", ROLE_OPERATOR},
	    {"GET", "/api/v1/tokens", ROLE_ADMIN},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (enum role role = ROLE_NONE; role <= ROLE_ADMIN; role++) {
			be(role);
			unsigned wanted = role == ROLE_NONE ? 401 : role < cases[i].least ? 403 : 200;
			assert_int_equal(call(cases[i].method, cases[i].path, NULL), wanted);
		}
	}
}

static void the_page_is_open(void **state)
{
	assert_int_equal(call("GET", "/", NULL), 200);
	assert_ptr_equal(reply.bytes, page_find("/")->data);
	assert_int_equal(reply.len, page_find("/")->length);
	assert_non_null(strstr(reply.type, "text/html"));
	const char *tag = reply.etag;
	request.if_none_match = tag;
	assert_int_equal(call("GET", "/", NULL), 304);
	assert_ptr_equal(reply.etag, tag);
	request.if_none_match = NULL;
	assert_int_equal(call("HEAD", "/", NULL), 200);
	/* A token of yesterday must not keep the page from loading. */
	request.authorization = "Bearer old";
	assert_int_equal(call("GET", "/", NULL), 200);
	be(ROLE_VIEWER);
	assert_int_equal(call("POST", "/", NULL), 405);
	static const char *const wrong[] = {"/..",          "/../etc/passwd", "/./",       "//",
	                                    "/index.html/", "/%2e",           "/\\app.js", ""};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(call("GET", wrong[i], NULL), 404);
	/* But for whom it is not meant. */
	address_parse("198.51.100.1", &request.peer);
	assert_int_equal(call("GET", "/", NULL), 403);
}

static void who_am_i(void **state)
{
	be(ROLE_OPERATOR);
	assert_int_equal(call("GET", "/api/v1/whoami", NULL), 200);
	assert_string_equal(field("name"), "operator");
	assert_string_equal(field("role"), "operator");
	assert_string_equal(field("by"), "token");
	assert_true(json_is_null(json_object_get(reply.json, "expires_at")));
	log_in(ROLE_VIEWER);
	assert_int_equal(call("GET", "/api/v1/whoami", NULL), 200);
	assert_string_equal(field("by"), "session");
	assert_true(json_is_string(json_object_get(reply.json, "expires_at")));
	request.cookie = NULL;
	config->admin.loopback = ROLE_ADMIN;
	address_parse("127.0.0.1", &request.peer);
	assert_int_equal(call("GET", "/api/v1/whoami", NULL), 200);
	assert_string_equal(field("by"), "loopback");
}

static void logging_in_and_out(void **state)
{
	request.tls = true;
	log_in(ROLE_ADMIN);
	assert_string_equal(field("role"), "admin");
	assert_non_null(strstr(reply.cookie, "; HttpOnly; SameSite=Strict; Max-Age=43200; Secure"));
	assert_int_equal(call("POST", "/api/v1/logout", NULL), 200);
	assert_non_null(strstr(reply.cookie, "pointsman_session=; Path=/"));
	assert_non_null(strstr(reply.cookie, "Max-Age=0"));
	assert_int_equal(call("POST", "/api/v1/login", "{'token':'pm_wrong'}"), 401);
	assert_string_equal(reply.cookie, "");
	assert_int_equal(call("POST", "/api/v1/login", "{}"), 400);
	assert_int_equal(call("POST", "/api/v1/login", "{'token':5}"), 400);
	assert_int_equal(call("POST", "/api/v1/login", "{'token':'x','user':'y'}"), 400);
	request.content_type = "text/plain"; /* what a form of another page could send */
	assert_int_equal(call("POST", "/api/v1/login", "{'token':'x'}"), 415);
}

static void a_copied_cookie_is_worth_nothing_after_the_logout(void **state)
{
	log_in(ROLE_ADMIN);
	assert_int_equal(call("GET", "/api/v1/status", NULL), 200);
	assert_int_equal(call("POST", "/api/v1/logout", NULL), 200);
	assert_int_equal(call("GET", "/api/v1/status", NULL), 401);
	request.browser = request.same_origin = true;
	assert_int_equal(call("GET", "/api/v1/stream", NULL), 401);
	assert_int_equal(call("POST", "/api/v1/logout", NULL), 200);
	/* A page of somebody else cannot end one. */
	log_in(ROLE_ADMIN);
	request.same_origin = false;
	assert_int_equal(call("POST", "/api/v1/logout", NULL), 403);
	assert_int_equal(call("GET", "/api/v1/status", NULL), 200);
}

static void pages_of_others_write_nothing(void **state)
{
	static const char path[] = "/api/v1/clusters/ose1/held/confirm";
	log_in(ROLE_ADMIN);
	assert_int_equal(call("GET", "/api/v1/status", NULL), 200);
	assert_int_equal(call("POST", path, NULL), 403); /* no word of an Origin */
	request.browser = true;
	assert_int_equal(call("POST", path, NULL), 403);
	assert_int_equal(call("GET", "/api/v1/stream", NULL), 403);
	request.same_origin = true;
	assert_int_equal(call("POST", path, NULL), 200);
	/* Nor does a page where loopback needs no token. */
	reset();
	config->admin.loopback = ROLE_ADMIN;
	address_parse("127.0.0.1", &request.peer);
	assert_int_equal(call("POST", path, NULL), 200); /* curl */
	request.browser = true;
	assert_int_equal(call("POST", path, NULL), 403);
	assert_int_equal(call("GET", "/api/v1/stream", NULL), 403);
	assert_int_equal(call("POST", "/api/v1/login", "{'token':'x'}"), 403);
	request.same_origin = true;
	assert_int_equal(call("POST", path, NULL), 200);
	/* Whoever has the token itself is no page. */
	reset();
	be(ROLE_ADMIN);
	request.browser = true;
	assert_int_equal(call("POST", path, NULL), 200);
}

static void metrics_and_pushes_have_peers_of_their_own(void **state)
{
	address_parse("203.0.113.200", &request.peer);
	unsigned status = call("GET", "/metrics", NULL);
	assert_true(status == 200 || status == 403); /* 403 as long as there is no such address */
	assert_int_equal(call("GET", "/api/v1/status", NULL), 403);
	assert_int_equal(call("GET", "/", NULL), 403);
	assert_int_equal(call("POST", "/api/cluster/ose1", "{}"), 403);
	address_parse("198.51.100.1", &request.peer);
	assert_int_equal(call("GET", "/metrics", NULL), 403);
}

static void too_many_requests(void **state)
{
	unsigned taken = 0;
	config->admin.requests_per_second = 2;
	be(ROLE_VIEWER);
	while (call("GET", "/api/v1/whoami", NULL) == 200)
		taken++;
	assert_int_equal(reply.status, 429);
	assert_int_equal(reply.retry_after, 1);
	assert_in_range(taken, 10, 11);
	address_parse("192.0.2.8", &request.peer);
	assert_int_equal(call("GET", "/api/v1/whoami", NULL), 200);
}

static void wrong_tokens(void **state)
{
	request.authorization = "Bearer pm_guess";
	for (int i = 0; i < 5; i++)
		assert_int_equal(call("GET", "/api/v1/status", NULL), 401);
	assert_int_equal(call("GET", "/api/v1/status", NULL), 429);
	assert_int_equal(reply.retry_after, 1);
	be(ROLE_ADMIN);
	assert_int_equal(call("GET", "/api/v1/status", NULL), 429);
	request.authorization = NULL;
	assert_int_equal(call("POST", "/api/v1/login", "{'token':'x'}"), 429);
	assert_int_equal(reply.retry_after, 1);
	assert_int_equal(call("GET", "/", NULL), 200);
}

static void tokens(void **state)
{
	be(ROLE_ADMIN);
	assert_int_equal(call("POST", "/api/v1/tokens", "{'name':'carl','role':'operator'}"), 201);
	char secret[100];
	snprintf(secret, sizeof(secret), "Bearer %s", field("token"));
	assert_int_equal(strncmp(secret, "Bearer pm_", 10), 0);
	assert_int_equal(strlen(field("id")), TOKEN_ID_MAX);
	request.authorization = secret;
	assert_int_equal(call("GET", "/api/v1/whoami", NULL), 200);
	assert_string_equal(field("name"), "carl");
	be(ROLE_ADMIN);
	assert_int_equal(call("GET", "/api/v1/tokens", NULL), 200);
	char *text = json_dumps(reply.json, 0);
	assert_int_equal(json_array_size(json_object_get(reply.json, "tokens")), 4);
	assert_null(strstr(text, "pm_"));
	assert_null(strstr(text, "sha"));
	free(text);
	assert_int_equal(call("POST", "/api/v1/tokens", "{'name':'carl','role':'viewer'}"), 409);
	assert_int_equal(call("POST", "/api/v1/tokens", "{'name':'a\\r\\nSet-Cookie: b','role':'viewer'}"), 400);
	assert_int_equal(call("POST", "/api/v1/tokens", "{'name':'dora','role':'none'}"), 400);
	assert_int_equal(call("POST", "/api/v1/tokens", "{'name':'dora'}"), 400);
	assert_int_equal(call("DELETE", "/api/v1/tokens/carl", NULL), 200);
	assert_int_equal(call("DELETE", "/api/v1/tokens/carl", NULL), 404);
	request.authorization = secret;
	assert_int_equal(call("GET", "/api/v1/whoami", NULL), 401);
}

static void a_token_of_the_command_line_is_listed_at_once(void **state)
{
	struct tokens list = {0};
	char path[200], why[TOKENS_TEXT_MAX], secret[TOKEN_SECRET_MAX + 1];
	be(ROLE_ADMIN);
	assert_int_equal(call("GET", "/api/v1/tokens", NULL), 200);
	snprintf(path, sizeof(path), "%s/tokens", directory);
	assert_int_equal(tokens_read(path, &list, why), TOKENS_OK);
	assert_true(tokens_add(&list, "carl", ROLE_VIEWER, 0, secret, why));
	assert_true(tokens_write(path, &list, why));
	tokens_free(&list);
	assert_int_equal(call("GET", "/api/v1/tokens", NULL), 200);
	assert_int_equal(json_array_size(json_object_get(reply.json, "tokens")), 4);
}

static void a_dry_run_makes_no_token(void **state)
{
	be(ROLE_ADMIN);
	request.query_count = 1;
	request.queries[0] = (struct api_query){"dry_run", "true"};
	assert_int_equal(call("POST", "/api/v1/tokens", "{'name':'carl','role':'operator'}"), 200);
	assert_null(json_object_get(reply.json, "token"));
	assert_true(json_is_true(json_object_get(reply.json, "dry_run")));
	assert_int_equal(call("DELETE", "/api/v1/tokens/viewer", NULL), 200);
	assert_int_equal(call("DELETE", "/api/v1/tokens/admin", NULL), 409);
	request.query_count = 0;
	assert_int_equal(call("GET", "/api/v1/tokens", NULL), 200);
	assert_int_equal(json_array_size(json_object_get(reply.json, "tokens")), 3);
}

static void nobody_locks_himself_out(void **state)
{
	be(ROLE_ADMIN);
	assert_int_equal(call("DELETE", "/api/v1/tokens/admin", NULL), 409);
	assert_non_null(strstr(field("detail"), "last token of an admin"));
	assert_int_equal(call("POST", "/api/v1/tokens", "{'name':'root2','role':'admin'}"), 201);
	assert_int_equal(call("DELETE", "/api/v1/tokens/root2", NULL), 200);
	config->admin.loopback = ROLE_ADMIN;
	assert_int_equal(call("DELETE", "/api/v1/tokens/admin", NULL), 200);
}

static void the_index(void **state)
{
	be(ROLE_VIEWER);
	assert_int_equal(call("GET", "/api/v1", NULL), 200);
	static const char *const parts[] = {"GET    /api/v1/status ", "PUT    /api/v1/clusters/{cluster} ",
	                                    "POST   /api/cluster/{key} ", "DELETE /api/v1/tokens/{name} ",
	                                    "admin dry_run= reason="};
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		assert_non_null(strstr(reply.owned, parts[i]));
	assert_null(strstr(reply.owned, "{}"));
}

static void a_token_that_goes_while_the_body_comes(void **state)
{
	unsigned status;
	char why[TOKENS_TEXT_MAX];
	be(ROLE_ADMIN);
	request.method = "PUT";
	request.path = "/api/v1/clusters/new";
	assert_true(api_accept(&control, &request, &reply));
	assert_true(auth_remove_token(control.auth, "admin", &fixture_actor, &status, why));
	request.body = "{\"source\":\"static\"}";
	request.body_len = strlen(request.body);
	reply = api_handle(&control, &request);
	assert_int_equal(reply.status, 401);
	assert_int_equal(control.state.revision, 1);
}

static void answers_that_come_later(void **state)
{
	/* Nobody waits any more: the answer is freed. */
	struct api_later *later = api_later_create();
	api_later_forget(later);
	api_later_answer(later, (struct api_reply){.status = 200, .json = json_object()});
	later = api_later_create();
	struct api_reply promise = api_later_reply(later);
	assert_ptr_equal(promise.later, later);
	api_later_forget(later);
	api_later_answer(later, (struct api_reply){.status = 200, .owned = strdup("text")});
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(refusals_have_their_order),
	    TEST(every_role_may_what_the_ones_before_may),
	    TEST(the_page_is_open),
	    TEST(who_am_i),
	    TEST(logging_in_and_out),
	    TEST(a_copied_cookie_is_worth_nothing_after_the_logout),
	    TEST(pages_of_others_write_nothing),
	    TEST(metrics_and_pushes_have_peers_of_their_own),
	    TEST(too_many_requests),
	    TEST(wrong_tokens),
	    TEST(tokens),
	    TEST(a_token_of_the_command_line_is_listed_at_once),
	    TEST(a_dry_run_makes_no_token),
	    TEST(nobody_locks_himself_out),
	    TEST(the_index),
	    TEST(a_token_that_goes_while_the_body_comes),
	    TEST(answers_that_come_later),
	};
	if (!mkdtemp(directory))
		return 1;
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	remove_files();
	rmdir(directory);
	return failed;
}
