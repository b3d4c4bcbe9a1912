/* HTTP checks over libcurl's multi interface: see the header. */
#include "control/health/check_http.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "control/event_loop.h"

enum { ANSWER_MAX = 64 * 1024 };

struct check {
	struct check *next, *previous;
	CURL *easy;
	uint64_t id;
	size_t bytes;    /* of the answer so far */
	bool head_ended; /* the empty line behind the header fields has come */
	bool too_large;
};

/* A socket of libcurl's in the loop. */
struct watch {
	struct event_fd source;
	struct checker *checker;
};

struct checker {
	struct event_loop *loop;
	CURLM *multi;
	struct event_timer timer;
	struct check checks; /* head of the list of running ones */
	void (*done)(void *context, uint64_t id, struct check_result);
	void *context;
};

static struct check_result connect_result(long os_error)
{
	switch (os_error) {
	case ECONNREFUSED:
		return (struct check_result){CHECK_REFUSED, 0};
	case EHOSTUNREACH:
	case ENETUNREACH:
	case EHOSTDOWN:
		return (struct check_result){CHECK_UNREACHABLE, 0};
	case ETIMEDOUT:
		return (struct check_result){CHECK_CONNECT_TIMEOUT, 0};
	case ECONNRESET:
		return (struct check_result){CHECK_RESET, 0};
	default:
		return (struct check_result){CHECK_FAILED, CURLE_COULDNT_CONNECT};
	}
}

static struct check_result answer_result(const struct check *check)
{
	long status = 0;
	curl_easy_getinfo(check->easy, CURLINFO_RESPONSE_CODE, &status);
	/* libcurl is content with a head that was cut short. */
	if (!check->head_ended)
		return (struct check_result){CHECK_INCOMPLETE, 0};
	if (status == 200)
		return (struct check_result){CHECK_OK, 200};
	return (struct check_result){status >= 300 && status < 400 ? CHECK_REDIRECT : CHECK_STATUS, (int)status};
}

static struct check_result result_of(const struct check *check, CURLcode code)
{
	long os_error = 0;
	curl_off_t connected = 0;
	curl_easy_getinfo(check->easy, CURLINFO_OS_ERRNO, &os_error);
	curl_easy_getinfo(check->easy, CURLINFO_CONNECT_TIME_T, &connected);
	switch (code) {
	case CURLE_OK:
		return answer_result(check);
	case CURLE_COULDNT_CONNECT:
		return connect_result(os_error);
	case CURLE_OPERATION_TIMEDOUT:
		return (struct check_result){connected > 0 ? CHECK_ANSWER_TIMEOUT : CHECK_CONNECT_TIMEOUT, 0};
	case CURLE_GOT_NOTHING:
	case CURLE_PARTIAL_FILE:
		return (struct check_result){CHECK_INCOMPLETE, 0};
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
		return (struct check_result){CHECK_RESET, 0};
	case CURLE_UNSUPPORTED_PROTOCOL: /* "HTTP/0.9", that is no status line */
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_BAD_CONTENT_ENCODING:
		return (struct check_result){CHECK_NOT_HTTP, 0};
	case CURLE_WRITE_ERROR:
		return (struct check_result){check->too_large ? CHECK_TOO_LARGE : CHECK_NOT_HTTP, 0};
	default:
		return (struct check_result){CHECK_FAILED, (int)code};
	}
}

static void check_free(struct checker *checker, struct check *check)
{
	curl_multi_remove_handle(checker->multi, check->easy);
	curl_easy_cleanup(check->easy);
	check->next->previous = check->previous;
	check->previous->next = check->next;
	free(check);
}

static void collect(struct checker *checker)
{
	int left;
	CURLMsg *message;
	while ((message = curl_multi_info_read(checker->multi, &left))) {
		struct check *check;
		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&check);
		struct check_result result = result_of(check, message->data.result);
		uint64_t id = check->id;
		check_free(checker, check);
		checker->done(checker->context, id, result);
	}
}

static void timer_fired(void *context)
{
	struct checker *checker = context;
	int running;
	curl_multi_socket_action(checker->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	collect(checker);
}

static int set_timer(CURLM *multi, long timeout_ms, void *context)
{
	struct checker *checker = context;
	if (timeout_ms < 0)
		event_timer_cancel(checker->loop, &checker->timer);
	else
		event_timer_set(checker->loop, &checker->timer, clock_monotonic_ms() + (uint64_t)timeout_ms);
	return 0;
}

static void socket_ready(void *context, uint32_t events)
{
	struct watch *watch = context;
	struct checker *checker = watch->checker;
	int mask = (events & EPOLLIN ? CURL_CSELECT_IN : 0) | (events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
	           (events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
	int running;
	curl_multi_socket_action(checker->multi, watch->source.fd, mask, &running);
	collect(checker);
}

static int set_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *socket_context)
{
	struct checker *checker = context;
	struct watch *watch = socket_context;
	if (what == CURL_POLL_REMOVE) {
		if (watch) {
			event_loop_remove(checker->loop, &watch->source);
			free(watch);
		}
		return 0;
	}
	uint32_t events = (what & CURL_POLL_IN ? EPOLLIN : 0) | (what & CURL_POLL_OUT ? EPOLLOUT : 0);
	if (watch) {
		event_loop_change(checker->loop, &watch->source, events);
		return 0;
	}
	watch = calloc(1, sizeof(*watch));
	if (!watch)
		abort();
	*watch = (struct watch){.source = {.fd = fd, .ready = socket_ready, .context = watch}, .checker = checker};
	event_loop_add(checker->loop, &watch->source, events);
	curl_multi_assign(checker->multi, fd, watch);
	return 0;
}

static size_t take_bytes(struct check *check, size_t len)
{
	check->bytes += len;
	check->too_large |= check->bytes > ANSWER_MAX;
	return check->too_large ? 0 : len;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *context)
{
	return take_bytes(context, size * count);
}

static size_t on_header(char *line, size_t size, size_t count, void *context)
{
	struct check *check = context;
	size_t len = size * count;
	/* A final answer may follow a 1xx, and trailers may follow the body: each status line begins a head. */
	if (len > 5 && memcmp(line, "HTTP/", 5) == 0)
		check->head_ended = false;
	else if ((len == 2 && memcmp(line, "\r\n", 2) == 0) || (len == 1 && line[0] == '\n'))
		check->head_ended = true;
	return take_bytes(check, len);
}

struct checker *checker_create(struct event_loop *loop, void (*done)(void *context, uint64_t id, struct check_result),
                               void *context)
{
	struct checker *checker = calloc(1, sizeof(*checker));
	if (!checker)
		abort();
	*checker = (struct checker){.loop = loop, .done = done, .context = context};
	checker->timer = (struct event_timer){.fire = timer_fired, .context = checker};
	checker->checks.next = checker->checks.previous = &checker->checks;
	checker->multi = curl_multi_init();
	if (!checker->multi) {
		free(checker);
		return NULL;
	}
	curl_multi_setopt(checker->multi, CURLMOPT_SOCKETFUNCTION, set_socket);
	curl_multi_setopt(checker->multi, CURLMOPT_SOCKETDATA, checker);
	curl_multi_setopt(checker->multi, CURLMOPT_TIMERFUNCTION, set_timer);
	curl_multi_setopt(checker->multi, CURLMOPT_TIMERDATA, checker);
	return checker;
}

void checker_destroy(struct checker *checker)
{
	if (!checker)
		return;
	while (checker->checks.next != &checker->checks)
		check_free(checker, checker->checks.next);
	curl_multi_cleanup(checker->multi);
	event_timer_cancel(checker->loop, &checker->timer);
	free(checker);
}

static void set_options(struct check *check, const char *url, uint32_t timeout_ms)
{
	CURL *easy = check->easy;
	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, check);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http");
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_HTTP09_ALLOWED, 0L);
	curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(easy, CURLOPT_PROXY, ""); /* not even the environment's */
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "pointsman-control");
	curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
	curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)timeout_ms);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, check);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, check);
}

void checker_start(struct checker *checker, uint64_t id, const struct address *address, uint16_t port, const char *path,
                   uint32_t timeout_ms)
{
	char url[ADDRESS_TEXT_MAX + 300], text[ADDRESS_TEXT_MAX];
	bool v4 = address_is_v4(address);
	snprintf(url, sizeof(url), "http://%s%s%s:%u%s", v4 ? "" : "[", address_format(address, text), v4 ? "" : "]",
	         port, path);
	struct check *check = calloc(1, sizeof(*check));
	if (!check)
		abort();
	check->id = id;
	check->easy = curl_easy_init();
	if (!check->easy)
		abort();
	check->next = &checker->checks;
	check->previous = checker->checks.previous;
	check->previous->next = check;
	checker->checks.previous = check;
	set_options(check, url, timeout_ms);
	curl_multi_add_handle(checker->multi, check->easy); /* sets the timer, which starts it */
}
