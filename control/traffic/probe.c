/* Probes over libcurl: see the header. */
#include "control/traffic/probe.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/utf8.h"
#include "control/curl_loop.h"
#include "control/event_loop.h"

/* One probe: all its router hosts. */
struct probe {
	struct probe *next;
	char host[HOSTNAME_MAX + 1], path[PROBE_PATH_MAX + 1];
	bool https;
	size_t count, begun, ended;
	struct probe_result *results; /* owned until the end */
	void (*done)(void *context, struct probe_result *results, size_t count);
	void *context;
};

/* One request. */
struct transfer {
	struct transfer *next;
	struct probe *probe;
	struct probe_result *result;
	CURL *easy;
	struct curl_slist *connect_to;
	size_t bytes;
	bool cut; /* there was enough of the body */
	char error[CURL_ERROR_SIZE];
};

struct prober {
	struct curl_loop *curl_loop;
	struct event_loop *loop;
	struct event_timer timer; /* ends probes that need no request */
	unsigned probe_count, transfer_count;
	struct probe *probes; /* in the order in which they came */
	struct transfer *transfers;
};

bool probe_path_valid(const char *path)
{
	if (path[0] != '/' || strlen(path) > PROBE_PATH_MAX)
		return false;
	for (; *path != '\0'; path++)
		if (*path <= ' ' || *path > '~' || *path == '#')
			return false;
	return true;
}

/* ---- the end ---- */

static void free_transfer(struct prober *prober, struct transfer *transfer)
{
	struct transfer **link = &prober->transfers;
	while (*link != transfer)
		link = &(*link)->next;
	*link = transfer->next;
	prober->transfer_count--;
	curl_easy_cleanup(transfer->easy);
	curl_slist_free_all(transfer->connect_to);
	free(transfer);
}

static struct probe *take_ended(struct prober *prober)
{
	for (struct probe **link = &prober->probes; *link; link = &(*link)->next) {
		struct probe *probe = *link;
		if (probe->ended < probe->count)
			continue;
		*link = probe->next;
		prober->probe_count--;
		return probe;
	}
	return NULL;
}

/* The callee may start others. */
static void tell_ended(struct prober *prober)
{
	struct probe *probe;
	while ((probe = take_ended(prober))) {
		probe->done(probe->context, probe->results, probe->count);
		free(probe);
	}
}

/* ---- results ---- */

static uint64_t time_of(CURL *easy, CURLINFO info)
{
	curl_off_t us = 0;
	curl_easy_getinfo(easy, info, &us);
	return us > 0 ? (uint64_t)us : 0;
}

static const char *connect_error(long os_error)
{
	switch (os_error) {
	case ECONNREFUSED:
		return "the connect was refused";
	case EHOSTUNREACH:
	case ENETUNREACH:
	case EHOSTDOWN:
		return "it cannot be reached";
	case ETIMEDOUT:
		return "the connect was not answered";
	default:
		return "the connect failed";
	}
}

static void fill_error(const struct transfer *transfer, CURLcode code, struct probe_result *result)
{
	const char *fallback = transfer->error[0] != '\0' ? transfer->error : curl_easy_strerror(code);
	long os_error = 0;
	curl_easy_getinfo(transfer->easy, CURLINFO_OS_ERRNO, &os_error);
	if (code == CURLE_COULDNT_CONNECT)
		snprintf(result->error, sizeof(result->error), "%s", connect_error(os_error));
	else if (code == CURLE_OPERATION_TIMEDOUT)
		snprintf(result->error, sizeof(result->error), "no %s within %d s",
		         result->connect_us > 0 ? "complete answer" : "answer to the connect", PROBE_LIMIT_MS / 1000);
	else if (code == CURLE_GOT_NOTHING)
		snprintf(result->error, sizeof(result->error), "the connection was closed without an answer");
	else if (code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR)
		snprintf(result->error, sizeof(result->error), "the connection was reset");
	else
		utf8_copy(result->error, sizeof(result->error), fallback);
}

static void read_certificate(const struct transfer *transfer, struct probe_result *result)
{
	struct curl_certinfo *info = NULL;
	if (curl_easy_getinfo(transfer->easy, CURLINFO_CERTINFO, &info) != CURLE_OK || !info || info->num_of_certs < 1)
		return;
	for (const struct curl_slist *line = info->certinfo[0]; line; line = line->next)
		if (strncmp(line->data, "Cert:", 5) == 0)
			result->has_certificate =
			    probe_certificate_read(line->data + 5, transfer->probe->host, &result->certificate);
}

static void check_certificate(const struct probe *probe, struct probe_result *result)
{
	const struct probe_certificate *certificate = &result->certificate;
	int64_t now = clock_unix_ms();
	if (!result->has_certificate || result->error[0] != '\0')
		return;
	if (!certificate->matches)
		snprintf(result->error, sizeof(result->error), "the certificate is not for %.*s", HOSTNAME_MAX,
		         probe->host);
	else if (now > certificate->not_after)
		snprintf(result->error, sizeof(result->error), "the certificate has expired");
	else if (now < certificate->not_before)
		snprintf(result->error, sizeof(result->error), "the certificate is not valid yet");
}

static void fill_result(const struct transfer *transfer, CURLcode code)
{
	struct probe_result *result = transfer->result;
	long status = 0;
	curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
	result->status = (unsigned)status;
	result->connect_us = time_of(transfer->easy, CURLINFO_CONNECT_TIME_T);
	result->first_byte_us = time_of(transfer->easy, CURLINFO_STARTTRANSFER_TIME_T);
	result->time_us = time_of(transfer->easy, CURLINFO_TOTAL_TIME_T);
	bool complete = code == CURLE_OK || (code == CURLE_WRITE_ERROR && transfer->cut);
	if (!complete)
		fill_error(transfer, code, result);
	else if (status >= 500)
		snprintf(result->error, sizeof(result->error), "status %ld", status);
	read_certificate(transfer, result);
	check_certificate(transfer->probe, result);
}

/* ---- requests ---- */

static size_t take_body(char *bytes, size_t size, size_t count, void *context)
{
	struct transfer *transfer = context;
	transfer->bytes += size * count;
	transfer->cut = transfer->bytes > PROBE_BODY_MAX;
	return transfer->cut ? 0 : size * count;
}

static void set_options(struct transfer *transfer, const char *url)
{
	CURL *easy = transfer->easy;
	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
	curl_easy_setopt(easy, CURLOPT_CONNECT_TO, transfer->connect_to);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_HTTP09_ALLOWED, 0L);
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(easy, CURLOPT_PROXY, ""); /* not even the environment's */
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "pointsman-control");
	curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
	curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_SESSIONID_CACHE, 0L); /* a resumed session shows no certificate */
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);      /* it is shown, whatever it is */
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
	curl_easy_setopt(easy, CURLOPT_CERTINFO, 1L);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)PROBE_LIMIT_MS);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)PROBE_LIMIT_MS);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->error);
}

static void begin_transfer(struct prober *prober, struct probe *probe, struct probe_result *result)
{
	char url[sizeof("https://") + HOSTNAME_MAX + PROBE_PATH_MAX + 1], place[ADDRESS_TEXT_MAX + 16];
	char address[ADDRESS_TEXT_MAX];
	struct transfer *transfer = calloc(1, sizeof(*transfer));
	if (!transfer)
		abort();
	/* Whatever name and port the request is for, the connection goes there. */
	snprintf(place, sizeof(place), address_is_v4(&result->address) ? "::%s:%u" : "::[%s]:%u",
	         address_format(&result->address, address), result->port);
	snprintf(url, sizeof(url), "%s://%s%s", probe->https ? "https" : "http", probe->host, probe->path);
	*transfer = (struct transfer){.probe = probe, .result = result, .next = prober->transfers};
	transfer->easy = curl_easy_init();
	transfer->connect_to = curl_slist_append(NULL, place);
	if (!transfer->easy || !transfer->connect_to)
		abort();
	prober->transfers = transfer;
	prober->transfer_count++;
	set_options(transfer, url);
	curl_loop_add(prober->curl_loop, transfer->easy);
}

/* Begins as many requests as may run at once. */
static void begin(struct prober *prober)
{
	for (struct probe *probe = prober->probes; probe; probe = probe->next) {
		while (probe->begun < probe->count && prober->transfer_count < PROBES_AT_ONCE) {
			struct probe_result *result = &probe->results[probe->begun++];
			if (result->port != 0) {
				begin_transfer(prober, probe, result);
				continue;
			}
			snprintf(result->error, sizeof(result->error), "it has no port for %s",
			         probe->https ? "https" : "http");
			probe->ended++;
		}
	}
}

static void look(void *context)
{
	tell_ended(context);
}

static void transfer_done(void *context, CURL *easy, CURLcode code)
{
	struct prober *prober = context;
	struct transfer *transfer;
	curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&transfer);
	fill_result(transfer, code);
	transfer->probe->ended++;
	free_transfer(prober, transfer);
	begin(prober);
	tell_ended(prober);
}

bool prober_start(struct prober *prober, const struct probe_request *request, struct probe_result *results,
                  size_t count, void (*done)(void *context, struct probe_result *results, size_t count), void *context)
{
	if (prober->probe_count >= PROBES_WAITING_MAX)
		return false;
	struct probe **end = &prober->probes, *probe = calloc(1, sizeof(*probe));
	if (!probe)
		abort();
	*probe = (struct probe){
	    .https = request->https, .count = count, .results = results, .done = done, .context = context};
	snprintf(probe->host, sizeof(probe->host), "%s", request->host);
	snprintf(probe->path, sizeof(probe->path), "%s", request->path);
	while (*end)
		end = &(*end)->next;
	*end = probe;
	prober->probe_count++;
	begin(prober);
	event_timer_set(prober->loop, &prober->timer, clock_monotonic_ms());
	return true;
}

/* ---- life ---- */

static void cancel(struct probe *probe)
{
	for (size_t i = 0; i < probe->count; i++)
		if (probe->results[i].status == 0 && probe->results[i].error[0] == '\0')
			snprintf(probe->results[i].error, sizeof(probe->results[i].error), "control has ended");
	probe->ended = probe->count;
}

struct prober *prober_create(struct event_loop *loop)
{
	struct prober *prober = calloc(1, sizeof(*prober));
	if (!prober)
		abort();
	*prober = (struct prober){.loop = loop, .timer = {.fire = look, .context = prober}};
	prober->curl_loop = curl_loop_create(loop, transfer_done, prober);
	if (prober->curl_loop)
		return prober;
	free(prober);
	return NULL;
}

void prober_destroy(struct prober *prober)
{
	if (!prober)
		return;
	while (prober->transfers) {
		curl_loop_remove(prober->curl_loop, prober->transfers->easy);
		free_transfer(prober, prober->transfers);
	}
	for (struct probe *probe = prober->probes; probe; probe = probe->next)
		cancel(probe);
	tell_ended(prober);
	event_timer_cancel(prober->loop, &prober->timer);
	curl_loop_destroy(prober->curl_loop);
	free(prober);
}
