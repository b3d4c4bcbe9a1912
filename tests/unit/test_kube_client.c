/* kube_client: what is sent, how answers end, and TLS: the CA given, no other, its name, a client certificate. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <gnutls/gnutls.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "control/event_loop.h"
#include "control/kube/kube_client.h"
#include "tests/unit/api_server.h"
#include "tests/unit/recorded.h"

/* One call and what became of it. */
struct seen {
	char body[100000];
	size_t len;
	unsigned heads; /* calls without bytes */
	bool stop;      /* at the first bytes */
	bool done;
	struct kube_call_result result;
};

static bool bytes(void *context, const char *data, size_t len)
{
	struct seen *seen = context;
	assert_false(seen->done);
	seen->heads += len == 0;
	assert_true(seen->len + len < sizeof(seen->body));
	memcpy(seen->body + seen->len, data, len);
	seen->len += len;
	seen->body[seen->len] = '\0';
	return !seen->stop || len == 0;
}

static void done(void *context, const struct kube_call_result *result)
{
	struct seen *seen = context;
	assert_false(seen->done);
	seen->done = true;
	seen->result = *result;
}

static const struct kube_call_handler handler = {bytes, done};

struct fixture {
	struct event_loop *loop;
	struct api_server *server;
	struct kube_spec spec;
	struct kube_timing timing;
	struct kube_credentials *credentials;
	struct kube_client *client;
	struct seen seen;
};

static int setup(void **state)
{
	static struct fixture fixture;
	fixture = (struct fixture){.timing = *kube_timing_default()};
	fixture.loop = event_loop_create();
	fixture.server = api_server_start(fixture.loop);
	strcpy(fixture.spec.server, api_server_url(fixture.server));
	*state = &fixture;
	return 0;
}

static void use_spec(struct fixture *fixture)
{
	kube_client_destroy(fixture->client);
	kube_credentials_free(fixture->credentials);
	fixture->credentials = kube_credentials_create(&fixture->spec);
	fixture->client = kube_client_create(fixture->loop, fixture->credentials, &fixture->timing);
	assert_non_null(fixture->client);
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;
	kube_client_destroy(fixture->client);
	kube_credentials_free(fixture->credentials);
	api_server_stop(fixture->server);
	event_loop_destroy(fixture->loop);
	return 0;
}

static struct kube_call *get(struct fixture *fixture, const char *path)
{
	fixture->seen = (struct seen){.stop = fixture->seen.stop};
	return kube_client_get(fixture->client, path, 5000, false, &handler, &fixture->seen);
}

static bool is_done(void *context)
{
	return ((struct seen *)context)->done;
}

static const struct kube_call_result *finish(struct fixture *fixture)
{
	run_until(fixture->loop, is_done, &fixture->seen, "the call ends");
	return &fixture->seen.result;
}

static void request_and_answer(void **state)
{
	struct fixture *fixture = *state;
	use_spec(fixture);
	get(fixture, "/api/v1/pods?limit=500");
	struct api_call *call = api_await(fixture->server, "/api/v1/pods");
	assert_string_equal(api_target(call), "/api/v1/pods?limit=500");
	assert_string_equal(api_field(call, "Accept"), "application/json");
	assert_string_equal(api_field(call, "Accept-Encoding"), "gzip");
	assert_string_equal(api_field(call, "User-Agent"), "pointsman-control");
	assert_null(api_field(call, "Authorization"));
	api_reply(call, 200, "", "{}");
	assert_int_equal(finish(fixture)->outcome, KUBE_CALL_COMPLETE);
	assert_string_equal(fixture->seen.body, "{}");
	assert_int_equal(fixture->seen.heads, 1);
	/* The connection is used again. */
	get(fixture, "/x");
	assert_ptr_equal(api_await(fixture->server, "/x"), call);
	api_reply(call, 200, "", "");
	assert_int_equal(finish(fixture)->outcome, KUBE_CALL_COMPLETE);
}

static void stream(void **state)
{
	struct fixture *fixture = *state;
	use_spec(fixture);
	struct kube_call *mine = get(fixture, "/watch");
	struct api_call *call = api_await(fixture->server, "/watch");
	api_stream(call);
	api_send(call, "one");
	while (fixture->seen.len < 3)
		event_loop_turn(fixture->loop, 10);
	api_send(call, "two");
	while (fixture->seen.len < 6)
		event_loop_turn(fixture->loop, 10);
	api_end(call);
	assert_int_equal(finish(fixture)->outcome, KUBE_CALL_COMPLETE);
	/* Cut in the middle. */
	get(fixture, "/cut");
	call = api_await(fixture->server, "/cut");
	api_stream(call);
	api_send(call, "half");
	api_cut(call);
	assert_int_equal(finish(fixture)->outcome, KUBE_CALL_CUT);
	assert_non_null(strstr(fixture->seen.result.trouble.words, "the connection broke: "));
	/* Ended by us, from inside and from outside. */
	fixture->seen.stop = true;
	get(fixture, "/stop");
	call = api_await(fixture->server, "/stop");
	api_stream(call);
	api_send(call, "enough");
	assert_int_equal(finish(fixture)->outcome, KUBE_CALL_STOPPED);
	api_await_close(call);
	mine = get(fixture, "/cancel");
	call = api_await(fixture->server, "/cancel");
	kube_call_cancel(mine);
	api_await_close(call);
	assert_false(fixture->seen.done);
	kube_call_cancel(NULL);
}

static void gzip(void **state)
{
	struct fixture *fixture = *state;
	struct recorded recorded = recorded_load("routes-list");
	unsigned char packed[20000];
	z_stream z = {.next_in = (unsigned char *)recorded.body,
	              .avail_in = (unsigned)recorded.body_len,
	              .next_out = packed,
	              .avail_out = sizeof(packed)};
	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	use_spec(fixture);
	get(fixture, "/list");
	struct api_call *call = api_await(fixture->server, "/list");
	char head[200];
	int len = snprintf(head, sizeof(head),
	                   "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %lu\r\n\r\n", z.total_out);
	char answer[25000];
	memcpy(answer, head, (size_t)len);
	memcpy(answer + len, packed, z.total_out);
	api_reply_raw(call, answer, (size_t)len + z.total_out);
	assert_int_equal(finish(fixture)->outcome, KUBE_CALL_COMPLETE);
	assert_int_equal(fixture->seen.len, recorded.body_len);
	assert_memory_equal(fixture->seen.body, recorded.body, recorded.body_len);
	recorded_free(&recorded);
}

/* Recorded answers, chunk framing and all, sent in two pieces that are read one after the other. */
static void every_cut(void **state)
{
	static const struct {
		const char *name;
		size_t step;
	} cases[] = {{"watch-too-old-410-event", 1}, {"routes-watch", 61}, {"routes-list-page1", 61}};
	struct fixture *fixture = *state;
	use_spec(fixture);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct recorded recorded = recorded_load(cases[i].name);
		for (size_t cut = 1; cut < recorded.len; cut += cases[i].step) {
			get(fixture, "/x");
			struct api_call *call = api_await(fixture->server, "/x");
			api_raw(call, recorded.bytes, cut);
			event_loop_turn(fixture->loop, 10);
			api_reply_raw(call, recorded.bytes + cut, recorded.len - cut);
			assert_int_equal(finish(fixture)->outcome, KUBE_CALL_COMPLETE);
			assert_int_equal(fixture->seen.len, recorded.body_len);
			assert_memory_equal(fixture->seen.body, recorded.body, recorded.body_len);
		}
		recorded_free(&recorded);
	}
}

static void other_statuses(void **state)
{
	struct fixture *fixture = *state;
	use_spec(fixture);
	get(fixture, "/a");
	api_reply(api_await(fixture->server, "/a"), 429, "Retry-After: 7\r\n", "slow down");
	assert_int_equal(finish(fixture)->outcome, KUBE_CALL_FAILED);
	assert_int_equal(fixture->seen.result.trouble.kind, KUBE_BUSY);
	assert_int_equal(fixture->seen.result.trouble.retry_after_ms, 7000);
	assert_int_equal(fixture->seen.len, 0);
	get(fixture, "/b");
	struct recorded recorded = recorded_load("forbidden-403");
	api_reply_raw(api_await(fixture->server, "/b"), recorded.bytes, recorded.len);
	assert_int_equal(finish(fixture)->trouble.kind, KUBE_DENIED);
	assert_non_null(strstr(fixture->seen.result.trouble.words, "pods is forbidden"));
	recorded_free(&recorded);
	get(fixture, "/c"); /* not followed */
	char where[200];
	snprintf(where, sizeof(where), "Location: %s/elsewhere\r\n", api_server_url(fixture->server));
	api_reply(api_await(fixture->server, "/c"), 302, where, "");
	assert_non_null(strstr(finish(fixture)->trouble.words, "status 302"));
	api_expect_none(fixture->server, "/elsewhere", 50);
	get(fixture, "/d"); /* more than is kept of an error */
	static char large[200000];
	memset(large, 'x', sizeof(large) - 1);
	api_reply(api_await(fixture->server, "/d"), 500, "", large);
	assert_string_equal(finish(fixture)->trouble.words, "status 500");
}

static void no_answer(void **state)
{
	struct fixture *fixture = *state;
	use_spec(fixture);
	get(fixture, "/garbage");
	api_reply_raw(api_await(fixture->server, "/garbage"), "SSH-2.0-OpenSSH\r\n", 17);
	assert_int_equal(finish(fixture)->outcome, KUBE_CALL_FAILED);
	assert_int_equal(fixture->seen.result.trouble.kind, KUBE_AWAY);
	get(fixture, "/empty");
	api_cut(api_await(fixture->server, "/empty"));
	assert_int_equal(finish(fixture)->outcome, KUBE_CALL_FAILED);
	fixture->seen = (struct seen){.len = 0};
	kube_client_get(fixture->client, "/late", 50, false, &handler, &fixture->seen);
	api_await(fixture->server, "/late");
	assert_int_equal(finish(fixture)->outcome, KUBE_CALL_FAILED);
	assert_non_null(strstr(fixture->seen.result.trouble.words, "no answer in time: "));
	api_server_down(fixture->server);
	get(fixture, "/refused");
	assert_int_equal(finish(fixture)->outcome, KUBE_CALL_FAILED);
	assert_non_null(strstr(fixture->seen.result.trouble.words, "no connection to the API: Connection refused"));
}

static char token_path[] = "/tmp/pm_kube_client_XXXXXX";

static void tokens(void **state)
{
	struct fixture *fixture = *state;
	int fd = mkstemp(token_path);
	assert_true(fd >= 0);
	strcpy(fixture->spec.token_file, token_path);
	use_spec(fixture);
	get(fixture, "/x"); /* the file is empty: nothing is sent */
	assert_int_equal(finish(fixture)->outcome, KUBE_CALL_FAILED);
	assert_non_null(strstr(fixture->seen.result.trouble.words, "is empty"));
	api_expect_none(fixture->server, "/", 50);
	kube_call_cancel(get(fixture, "/x"));
	assert_int_equal(write(fd, "secret\n", 7), 7);
	close(fd);
	get(fixture, "/y");
	struct api_call *call = api_await(fixture->server, "/y");
	assert_string_equal(api_field(call, "Authorization"), "Bearer secret");
	api_reply(call, 200, "", "");
	finish(fixture);
	unlink(token_path);
}

static void escaping(void **state)
{
	char *text = kube_query_escape("a=b,c in (d, \xc3\xa9)&x");
	assert_string_equal(text, "a%3Db%2Cc%20in%20%28d%2C%20%C3%A9%29%26x");
	free(text);
	text = kube_query_escape("");
	assert_string_equal(text, "");
	free(text);
}

/* --- TLS --------------------------------------------------------------------------------------------------------- */

static char *load(const char *name)
{
	char path[100];
	static char texts[4][4096];
	static unsigned turn;
	char *text = texts[turn++ % 4];
	snprintf(path, sizeof(path), "data/kube/%s", name);
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	text[fread(text, 1, 4095, file)] = '\0';
	fclose(file);
	return text;
}

/* Says whether the client has shown a certificate. */
static enum MHD_Result answer(void *context, struct MHD_Connection *connection, const char *url, const char *method,
                              const char *version, const char *data, size_t *len, void **call)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
	unsigned certificates = 0;
	gnutls_certificate_get_peers(info->tls_session, &certificates);
	const char *text = certificates > 0 ? "with" : "without";
	struct MHD_Response *response =
	    MHD_create_response_from_buffer(strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);
	enum MHD_Result result = MHD_queue_response(connection, 200, response);
	MHD_destroy_response(response);
	return result;
}

static struct MHD_Daemon *tls_start(uint16_t *port)
{
	struct MHD_Daemon *daemon =
	    MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_TLS, 0, NULL, NULL, answer, NULL,
	                     MHD_OPTION_HTTPS_MEM_KEY, load("server.key"), MHD_OPTION_HTTPS_MEM_CERT,
	                     load("server.pem"), MHD_OPTION_HTTPS_MEM_TRUST, load("ca.pem"), MHD_OPTION_END);
	assert_non_null(daemon);
	*port = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
	return daemon;
}

static const char *absolute(const char *name)
{
	static char path[1000];
	char here[500];
	assert_non_null(getcwd(here, sizeof(here)));
	snprintf(path, sizeof(path), "%s/data/kube/%s", here, name);
	return path;
}

static void tls_server(void **state)
{
	struct fixture *fixture = *state;
	uint16_t port;
	struct MHD_Daemon *daemon = tls_start(&port);
	static const struct {
		const char *host, *ca;
		bool insecure;
		const char *words; /* NULL: it works */
	} cases[] = {
	    {"127.0.0.1", "ca.pem", false, NULL},
	    {"localhost", "ca.pem", false, NULL},
	    {"127.0.0.1", "other-ca.pem", false, "the certificate of the API is not trusted"},
	    {"127.0.0.1", NULL, false, "the certificate of the API is not trusted"},
	    {"127.0.0.2", "ca.pem", false, "the certificate of the API is not trusted"}, /* another name */
	    {"127.0.0.2", NULL, true, NULL},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		fixture->spec = (struct kube_spec){.insecure_skip_tls_verify = cases[i].insecure};
		snprintf(fixture->spec.server, sizeof(fixture->spec.server), "https://%s:%u", cases[i].host, port);
		if (cases[i].ca)
			strcpy(fixture->spec.ca_file, absolute(cases[i].ca));
		use_spec(fixture);
		get(fixture, "/x");
		const struct kube_call_result *result = finish(fixture);
		if (cases[i].words && !strstr(result->trouble.words, cases[i].words))
			fail_msg("%s: %s", cases[i].host, result->trouble.words);
		if (!cases[i].words && result->outcome != KUBE_CALL_COMPLETE)
			fail_msg("%s: %s", cases[i].host, result->trouble.words);
		assert_string_equal(fixture->seen.body, cases[i].words ? "" : "without");
	}
	MHD_stop_daemon(daemon);
}

/* A name of its own for the certificate, and a client certificate, by kubeconfig. */
static void tls_names(void **state)
{
	struct fixture *fixture = *state;
	uint16_t port;
	struct MHD_Daemon *daemon = tls_start(&port);
	static char config_path[] = "/tmp/pm_kube_client_config_XXXXXX";
	static const char *const server_names[] = {"api.cluster1.test", "api.cluster2.test"};
	int fd = mkstemp(config_path);
	assert_true(fd >= 0);
	close(fd);
	for (unsigned i = 0; i < 2; i++) {
		FILE *file = fopen(config_path, "w");
		char client_key[1000];
		strcpy(client_key, absolute("client.key"));
		fprintf(file,
		        "current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\n"
		        "clusters: [{name: k, cluster: {server: 'https://127.0.0.2:%u', tls-server-name: %s, ",
		        port, server_names[i]);
		fprintf(file, "certificate-authority: %s}}]\n", absolute("ca.pem"));
		fprintf(file, "users: [{name: u, user: {client-key: %s, client-certificate: %s}}]\n", client_key,
		        absolute("client.pem"));
		fclose(file);
		fixture->spec = (struct kube_spec){.server = ""};
		strcpy(fixture->spec.kubeconfig, config_path);
		use_spec(fixture);
		get(fixture, "/x");
		const struct kube_call_result *result = finish(fixture);
		if (result->outcome != (i == 0 ? KUBE_CALL_COMPLETE : KUBE_CALL_FAILED))
			fail_msg("%s", result->trouble.words);
		assert_string_equal(fixture->seen.body, i == 0 ? "with" : "");
	}
	unlink(config_path);
	MHD_stop_daemon(daemon);
}

/* What is trusted is the file, as it is now. */
static void tls_ca_changes(void **state)
{
	struct fixture *fixture = *state;
	uint16_t port;
	struct MHD_Daemon *daemon = tls_start(&port);
	static char ca_path[] = "/tmp/pm_kube_client_ca_XXXXXX";
	int fd = mkstemp(ca_path);
	assert_true(fd >= 0);
	close(fd);
	snprintf(fixture->spec.server, sizeof(fixture->spec.server), "https://127.0.0.1:%u", port);
	strcpy(fixture->spec.ca_file, ca_path);
	use_spec(fixture);
	static const struct {
		const char *ca;
		bool good;
	} steps[] = {{"other-ca.pem", false}, {"ca.pem", true}, {"other-ca.pem", false}};
	for (unsigned i = 0; i < 3; i++) {
		FILE *file = fopen(ca_path, "w");
		fputs(load(steps[i].ca), file);
		fclose(file);
		get(fixture, "/x");
		if ((finish(fixture)->outcome == KUBE_CALL_COMPLETE) != steps[i].good)
			fail_msg("step %u: %s", i, fixture->seen.result.trouble.words);
	}
	unlink(ca_path);
	MHD_stop_daemon(daemon);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(request_and_answer, setup, teardown),
	    cmocka_unit_test_setup_teardown(stream, setup, teardown),
	    cmocka_unit_test_setup_teardown(gzip, setup, teardown),
	    cmocka_unit_test_setup_teardown(every_cut, setup, teardown),
	    cmocka_unit_test_setup_teardown(other_statuses, setup, teardown),
	    cmocka_unit_test_setup_teardown(no_answer, setup, teardown),
	    cmocka_unit_test_setup_teardown(tokens, setup, teardown),
	    cmocka_unit_test(escaping),
	    cmocka_unit_test_setup_teardown(tls_server, setup, teardown),
	    cmocka_unit_test_setup_teardown(tls_names, setup, teardown),
	    cmocka_unit_test_setup_teardown(tls_ca_changes, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
