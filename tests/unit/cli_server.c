/* A stand-in of the admin API: see the header. */
#include "cli_server.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/cli/cli.h"

#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

struct saying {
	const char *method, *target, *body;
	int status;
	unsigned times;
	bool limited;
};

static struct {
	struct MHD_Daemon *daemon;
	pthread_mutex_t lock;
	struct saying sayings[CLI_CALLS_MAX];
	size_t saying_count;
	struct cli_call calls[CLI_CALLS_MAX];
	size_t call_count;
} server = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* A request while it is read. */
struct request_state {
	char target[512], *body;
	bool begun;
};

static void *on_target(void *context, const char *target, struct MHD_Connection *connection)
{
	struct request_state *state = calloc(1, sizeof(*state));
	snprintf(state->target, sizeof(state->target), "%s", target);
	return state;
}

static struct saying *find(const char *method, const char *target)
{
	struct saying *best = NULL;
	for (size_t i = 0; i < server.saying_count; i++) {
		struct saying *saying = &server.sayings[i];
		if ((saying->limited && saying->times == 0) || strcmp(saying->method, method) != 0 ||
		    strncmp(target, saying->target, strlen(saying->target)) != 0)
			continue;
		if (!best || strlen(saying->target) > strlen(best->target))
			best = saying;
	}
	return best;
}

static void keep_call(struct MHD_Connection *connection, const char *method, struct request_state *state)
{
	if (server.call_count == CLI_CALLS_MAX)
		return;
	struct cli_call *call = &server.calls[server.call_count++];
	const char *authorization = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Authorization");
	const char *if_match = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "If-Match");
	snprintf(call->method, sizeof(call->method), "%s", method);
	snprintf(call->target, sizeof(call->target), "%s", state->target);
	snprintf(call->authorization, sizeof(call->authorization), "%s", authorization ? authorization : "");
	snprintf(call->if_match, sizeof(call->if_match), "%s", if_match ? if_match : "");
	call->body = state->body ? state->body : strdup("");
	state->body = NULL;
}

static enum MHD_Result answer(struct MHD_Connection *connection, const char *method, struct request_state *state)
{
	static char missing[] =
	    "{\"status\": 404, \"title\": \"Not Found\", \"detail\": \"the test has no such answer\"}";
	pthread_mutex_lock(&server.lock);
	struct saying *saying = find(method, state->target);
	const char *body = saying ? saying->body : missing;
	unsigned status = saying ? (unsigned)saying->status : 404;
	if (saying && saying->limited)
		saying->times--;
	keep_call(connection, method, state);
	pthread_mutex_unlock(&server.lock);
	struct MHD_Response *response =
	    MHD_create_response_from_buffer(strlen(body), (void *)body, MHD_RESPMEM_PERSISTENT);
	MHD_add_response_header(response, "ETag", "\"7\"");
	enum MHD_Result result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url, const char *method,
                                  const char *version, const char *data, size_t *size, void **request)
{
	struct request_state *state = *request;
	if (*size == 0) {
		/* The first call brings the head only; a body, if there is one, is still to come. */
		if (state->begun)
			return answer(connection, method, state);
		state->begun = true;
		return MHD_YES;
	}
	size_t have = state->body ? strlen(state->body) : 0;
	state->body = realloc(state->body, have + *size + 1);
	memcpy(state->body + have, data, *size);
	state->body[have + *size] = '\0';
	*size = 0;
	return MHD_YES;
}

static void on_end(void *context, struct MHD_Connection *connection, void **request,
                   enum MHD_RequestTerminationCode why)
{
	struct request_state *state = *request;
	if (state)
		free(state->body);
	free(state);
	*request = NULL;
}

void cli_server_start(void)
{
	char url[64];
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	server.daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL, on_request, NULL,
	                                 MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_URI_LOG_CALLBACK, on_target, NULL,
	                                 MHD_OPTION_NOTIFY_COMPLETED, on_end, NULL, MHD_OPTION_END);
	assert_non_null(server.daemon);
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(server.daemon, MHD_DAEMON_INFO_BIND_PORT);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u", info->port);
	setenv("POINTSMAN_URL", url, 1);
	setenv("HOME", "/nonexistent", 1);
	unsetenv("XDG_CONFIG_HOME");
	unsetenv("POINTSMAN_TOKEN");
}

void cli_server_reset(void)
{
	pthread_mutex_lock(&server.lock);
	for (size_t i = 0; i < server.call_count; i++)
		free(server.calls[i].body);
	server.call_count = server.saying_count = 0;
	pthread_mutex_unlock(&server.lock);
}

void cli_server_stop(void)
{
	MHD_stop_daemon(server.daemon);
	cli_server_reset();
}

void cli_server_say(const char *method, const char *target, int status, const char *body, unsigned times)
{
	pthread_mutex_lock(&server.lock);
	assert_true(server.saying_count < CLI_CALLS_MAX);
	server.sayings[server.saying_count++] = (struct saying){
	    .method = method, .target = target, .body = body, .status = status, .times = times, .limited = times > 0};
	pthread_mutex_unlock(&server.lock);
}

size_t cli_server_calls(void)
{
	pthread_mutex_lock(&server.lock);
	size_t count = server.call_count;
	pthread_mutex_unlock(&server.lock);
	return count;
}

const struct cli_call *cli_server_call(size_t index)
{
	assert_true(index < cli_server_calls());
	return &server.calls[index];
}

static struct cli_result run(const char *word, va_list list)
{
	enum { WORDS = 32 };
	char *argv[WORDS + 1] = {(char *)"pointsman"};
	int argc = 1;
	struct cli_result result;
	size_t size;
	for (; word && argc < WORDS; word = va_arg(list, const char *))
		argv[argc++] = (char *)word;
	FILE *out = open_memstream(&result.out, &size), *err = open_memstream(&result.err, &size);
	result.status = cli_run(argc, argv, out, err);
	fclose(out);
	fclose(err);
	return result;
}

struct cli_result cli_result_of(const char *word, ...)
{
	va_list list;
	va_start(list, word);
	struct cli_result result = run(word, list);
	va_end(list);
	return result;
}

void cli_result_free(struct cli_result *result)
{
	free(result->out);
	free(result->err);
}

void cli_expect(int status, const char *out, const char *err, const char *word, ...)
{
	va_list list;
	va_start(list, word);
	struct cli_result result = run(word, list);
	va_end(list);
	if (result.status != status || (out && !strstr(result.out, out)) || (err && !strstr(result.err, err))) {
		print_message("expected status %d, \"%s\", \"%s\"; status %d\nstdout: %s\nstderr: %s\n", status,
		              out ? out : "(any)", err ? err : "(any)", result.status, result.out, result.err);
		cli_result_free(&result);
		fail();
	}
	cli_result_free(&result);
}
