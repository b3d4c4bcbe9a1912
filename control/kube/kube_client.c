/* GET requests to an API: see the header. */
#include "control/kube/kube_client.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "control/curl_loop.h"
#include "control/event_loop.h"

enum {
	ERROR_BODY_MAX = 64 * 1024,
	KEEPALIVE_SECONDS = 15,
	UNACKNOWLEDGED_MS = 60000, /* then the connection is dead */
};

struct kube_client {
	struct event_loop *loop;
	struct curl_loop *curl_loop;
	struct kube_credentials *credentials;
	const struct kube_timing *timing;
};

struct kube_call {
	struct kube_client *client;
	const struct kube_call_handler *handler;
	void *context;
	CURL *easy; /* NULL: there were no credentials */
	struct curl_slist *headers, *connect_to;
	struct event_timer refused; /* says so, when there were no credentials */
	bool stopped;               /* by the handler */
	char *body;                 /* of an answer that is not 200; owned */
	size_t body_len;
	char error[CURL_ERROR_SIZE];
};

static void free_call(struct kube_call *call)
{
	event_timer_cancel(call->client->loop, &call->refused);
	curl_easy_cleanup(call->easy);
	curl_slist_free_all(call->headers);
	curl_slist_free_all(call->connect_to);
	free(call->body);
	free(call);
}

/* --- what comes in ----------------------------------------------------------------------------------------------- */

static int status_of(const struct kube_call *call)
{
	long status = 0;
	curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
	return (int)status;
}

static bool hand_over(struct kube_call *call, const char *bytes, size_t len)
{
	call->stopped |= !call->handler->bytes(call->context, bytes, len);
	return !call->stopped;
}

static void keep_error_body(struct kube_call *call, const char *bytes, size_t len)
{
	if (len > ERROR_BODY_MAX - call->body_len)
		len = ERROR_BODY_MAX - call->body_len;
	call->body = realloc(call->body, call->body_len + len + 1);
	if (!call->body)
		abort();
	memcpy(call->body + call->body_len, bytes, len);
	call->body_len += len;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *context)
{
	struct kube_call *call = context;
	size_t len = size * count;
	if (status_of(call) == 200)
		return hand_over(call, bytes, len) ? len : CURL_WRITEFUNC_ERROR;
	keep_error_body(call, bytes, len);
	return len;
}

static size_t on_header(char *line, size_t size, size_t count, void *context)
{
	struct kube_call *call = context;
	size_t len = size * count;
	bool head_ends = len > 0 && (line[0] == '\r' || line[0] == '\n');
	if (head_ends && status_of(call) == 200)
		return hand_over(call, "", 0) ? len : CURL_WRITEFUNC_ERROR;
	return len;
}

/* --- how it ends ------------------------------------------------------------------------------------------------- */

/* Words for what libcurl says; NULL: its own will do. */
static const char *meaning_of(CURLcode code)
{
	switch (code) {
	case CURLE_PEER_FAILED_VERIFICATION:
		return "the certificate of the API is not trusted, check the CA";
	case CURLE_SSL_CACERT_BADFILE:
		return "the CA is no certificate";
	case CURLE_SSL_CERTPROBLEM:
		return "the client certificate or its key is no good";
	case CURLE_SSL_CONNECT_ERROR:
		return "no TLS with the API";
	case CURLE_COULDNT_CONNECT:
		return "no connection to the API";
	case CURLE_OPERATION_TIMEDOUT:
		return "no answer in time";
	case CURLE_PARTIAL_FILE:
	case CURLE_RECV_ERROR:
	case CURLE_GOT_NOTHING:
		return "the connection broke";
	default:
		return NULL;
	}
}

static void connection_trouble(const struct kube_call *call, CURLcode code, struct kube_trouble *out)
{
	const char *meaning = meaning_of(code),
	           *detail = call->error[0] != '\0' ? call->error : curl_easy_strerror(code);
	long os_error = 0;
	curl_easy_getinfo(call->easy, CURLINFO_OS_ERRNO, &os_error);
	if (code == CURLE_COULDNT_CONNECT && os_error != 0)
		detail = strerror((int)os_error); /* libcurl says only that it failed */
	kube_trouble_set(out, "%s%s%s", meaning ? meaning : "", meaning ? ": " : "", detail);
}

static void done(void *context, CURL *easy, CURLcode code)
{
	struct kube_call_result result = {.outcome = KUBE_CALL_COMPLETE};
	struct kube_call *call;
	curl_off_t retry_after = 0;
	curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&call);
	curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &retry_after);
	int status = status_of(call);
	if (call->stopped) {
		result.outcome = KUBE_CALL_STOPPED;
	} else if (status == 200 && code != CURLE_OK) {
		result.outcome = KUBE_CALL_CUT;
		connection_trouble(call, code, &result.trouble);
	} else if (status != 200) {
		/* With a status that is trouble, it does not matter whether its body came whole. */
		result.outcome = KUBE_CALL_FAILED;
		if (status < 200)
			connection_trouble(call, code, &result.trouble);
		else
			kube_answer_trouble(status, call->body, call->body_len, (uint64_t)retry_after, &result.trouble);
	}
	const struct kube_call_handler *handler = call->handler;
	void *owner = call->context;
	free_call(call);
	handler->done(owner, &result);
}

static void say_refused(void *context)
{
	struct kube_call *call = context;
	const struct kube_call_handler *handler = call->handler;
	void *owner = call->context;
	struct kube_call_result result = {.outcome = KUBE_CALL_FAILED};
	kube_trouble_set(&result.trouble, "%s", kube_credentials_complaint(call->client->credentials));
	result.trouble.kind = KUBE_DENIED; /* until a file changes */
	free_call(call);
	handler->done(owner, &result);
}

/* --- what goes out ----------------------------------------------------------------------------------------------- */

static int set_user_timeout(void *context, curl_socket_t fd, curlsocktype purpose)
{
	unsigned milliseconds = UNACKNOWLEDGED_MS;
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &milliseconds, sizeof(milliseconds));
	return CURL_SOCKOPT_OK;
}

static void set_blob(CURL *easy, CURLoption option, const char *text)
{
	struct curl_blob blob = {(void *)(uintptr_t)text, strlen(text), CURL_BLOB_COPY};
	curl_easy_setopt(easy, option, &blob);
}

static void set_tls(CURL *easy, const struct kube_access *access)
{
	curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, access->insecure ? 0L : 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, access->insecure ? 0L : 2L);
	if (access->ca) {
		set_blob(easy, CURLOPT_CAINFO_BLOB, access->ca);
		curl_easy_setopt(easy, CURLOPT_CAPATH, NULL); /* or the system's authorities would count, too */
	}
	if (access->cert && access->key) {
		set_blob(easy, CURLOPT_SSLCERT_BLOB, access->cert);
		set_blob(easy, CURLOPT_SSLKEY_BLOB, access->key);
	}
}

/* The server's certificate is to be for another name than the one we connect to: the URL gets that name, and libcurl
 * is told where it is. */
static void set_server_name(struct kube_call *call, CURLU *url, const char *name)
{
	char *host = NULL, *port = NULL, *entry;
	curl_url_get(url, CURLUPART_HOST, &host, 0);
	curl_url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT);
	if (asprintf(&entry, "%s:%s:%s:%s", name, port, host, port) < 0)
		abort();
	call->connect_to = curl_slist_append(NULL, entry);
	curl_url_set(url, CURLUPART_HOST, name, 0);
	curl_easy_setopt(call->easy, CURLOPT_CONNECT_TO, call->connect_to);
	free(entry);
	curl_free(host);
	curl_free(port);
}

static void set_url(struct kube_call *call, const struct kube_access *access, const char *path)
{
	char *text = NULL, *whole;
	if (asprintf(&whole, "%s%s", access->server, path) < 0)
		abort();
	CURLU *url = curl_url();
	curl_url_set(url, CURLUPART_URL, whole, 0);
	if (access->tls_server_name)
		set_server_name(call, url, access->tls_server_name);
	curl_url_get(url, CURLUPART_URL, &text, 0);
	curl_easy_setopt(call->easy, CURLOPT_URL, text);
	curl_free(text);
	curl_url_cleanup(url);
	free(whole);
}

static void set_token(struct kube_call *call, const char *token)
{
	char *line;
	if (asprintf(&line, "Authorization: Bearer %s", token) < 0)
		abort();
	call->headers = curl_slist_append(call->headers, line);
	explicit_bzero(line, strlen(line));
	free(line);
}

static void set_options(struct kube_call *call, const struct kube_access *access, uint32_t limit_ms)
{
	CURL *easy = call->easy;
	curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	/* One connection for each request in progress: what happens to one does not touch the other. */
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_HTTP09_ALLOWED, 0L);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");                      /* not even the environment's */
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "pointsman-control"); /* for curl's, an API indents its answers */
	curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* a slow name server must not hold up whoever cancels */
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)limit_ms);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)call->client->timing->connect);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, (long)KEEPALIVE_SECONDS);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, (long)KEEPALIVE_SECONDS);
	curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, set_user_timeout);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->error);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
	call->headers = curl_slist_append(NULL, "Accept: application/json");
	if (access->token)
		set_token(call, access->token);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, call->headers);
	set_tls(easy, access);
}

struct kube_call *kube_client_get(struct kube_client *client, const char *path, uint32_t limit_ms, bool anew,
                                  const struct kube_call_handler *handler, void *context)
{
	struct kube_call *call = calloc(1, sizeof(*call));
	if (!call)
		abort();
	*call = (struct kube_call){.client = client, .handler = handler, .context = context};
	call->refused = (struct event_timer){.fire = say_refused, .context = call};
	const struct kube_access *access = kube_credentials_get(client->credentials, anew);
	if (!access) {
		event_timer_set(client->loop, &call->refused, clock_monotonic_ms());
		return call;
	}
	call->easy = curl_easy_init();
	if (!call->easy)
		abort();
	set_options(call, access, limit_ms);
	set_url(call, access, path);
	curl_loop_add(client->curl_loop, call->easy);
	return call;
}

void kube_call_cancel(struct kube_call *call)
{
	if (!call)
		return;
	if (call->easy)
		curl_loop_remove(call->client->curl_loop, call->easy);
	free_call(call);
}

struct kube_client *kube_client_create(struct event_loop *loop, struct kube_credentials *credentials,
                                       const struct kube_timing *timing)
{
	struct kube_client *client = calloc(1, sizeof(*client));
	if (!client)
		abort();
	*client = (struct kube_client){.loop = loop, .credentials = credentials, .timing = timing};
	client->curl_loop = curl_loop_create(loop, done, client);
	if (client->curl_loop)
		return client;
	free(client);
	return NULL;
}

void kube_client_destroy(struct kube_client *client)
{
	if (!client)
		return;
	curl_loop_destroy(client->curl_loop);
	free(client);
}

char *kube_query_escape(const char *text)
{
	char *escaped = curl_easy_escape(NULL, text, 0);
	char *result = escaped ? strdup(escaped) : NULL;
	if (!result)
		abort();
	curl_free(escaped);
	return result;
}
