/* libcurl in the event loop: see the header. */
#include "control/curl_loop.h"

#include <stdlib.h>
#include <sys/epoll.h>

#include "control/event_loop.h"

struct curl_loop {
	struct event_loop *loop;
	CURLM *multi;
	struct event_timer timer;
	void (*done)(void *context, CURL *easy, CURLcode code);
	void *context;
};

/* A socket of libcurl's. */
struct curl_fd {
	struct event_fd source;
	struct curl_loop *curl_loop;
};

static void collect(struct curl_loop *curl_loop)
{
	int left;
	CURLMsg *message;
	while ((message = curl_multi_info_read(curl_loop->multi, &left))) {
		if (message->msg != CURLMSG_DONE)
			continue;
		CURL *easy = message->easy_handle;
		CURLcode code = message->data.result;
		curl_multi_remove_handle(curl_loop->multi, easy);
		curl_loop->done(curl_loop->context, easy, code);
	}
}

static void timer_fired(void *context)
{
	struct curl_loop *curl_loop = context;
	int running;
	curl_multi_socket_action(curl_loop->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	collect(curl_loop);
}

static int set_timer(CURLM *multi, long timeout_ms, void *context)
{
	struct curl_loop *curl_loop = context;
	if (timeout_ms < 0)
		event_timer_cancel(curl_loop->loop, &curl_loop->timer);
	else
		event_timer_set(curl_loop->loop, &curl_loop->timer, clock_monotonic_ms() + (uint64_t)timeout_ms);
	return 0;
}

static void socket_ready(void *context, uint32_t events)
{
	struct curl_fd *fd = context;
	struct curl_loop *curl_loop = fd->curl_loop;
	int mask = (events & EPOLLIN ? CURL_CSELECT_IN : 0) | (events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
	           (events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
	int running;
	curl_multi_socket_action(curl_loop->multi, fd->source.fd, mask, &running);
	collect(curl_loop);
}

static int set_socket(CURL *easy, curl_socket_t number, int what, void *context, void *socket_context)
{
	struct curl_loop *curl_loop = context;
	struct curl_fd *fd = socket_context;
	if (what == CURL_POLL_REMOVE) {
		if (fd) {
			event_loop_remove(curl_loop->loop, &fd->source);
			free(fd);
		}
		return 0;
	}
	uint32_t events = (what & CURL_POLL_IN ? EPOLLIN : 0) | (what & CURL_POLL_OUT ? EPOLLOUT : 0);
	if (fd) {
		event_loop_change(curl_loop->loop, &fd->source, events);
		return 0;
	}
	fd = calloc(1, sizeof(*fd));
	if (!fd)
		abort();
	*fd = (struct curl_fd){{.fd = number, .ready = socket_ready, .context = fd}, curl_loop};
	event_loop_add(curl_loop->loop, &fd->source, events);
	curl_multi_assign(curl_loop->multi, number, fd);
	return 0;
}

struct curl_loop *curl_loop_create(struct event_loop *loop, void (*done)(void *context, CURL *easy, CURLcode code),
                                   void *context)
{
	struct curl_loop *curl_loop = calloc(1, sizeof(*curl_loop));
	if (!curl_loop)
		abort();
	*curl_loop = (struct curl_loop){.loop = loop, .done = done, .context = context};
	curl_loop->timer = (struct event_timer){.fire = timer_fired, .context = curl_loop};
	curl_loop->multi = curl_multi_init();
	if (!curl_loop->multi) {
		free(curl_loop);
		return NULL;
	}
	curl_multi_setopt(curl_loop->multi, CURLMOPT_SOCKETFUNCTION, set_socket);
	curl_multi_setopt(curl_loop->multi, CURLMOPT_SOCKETDATA, curl_loop);
	curl_multi_setopt(curl_loop->multi, CURLMOPT_TIMERFUNCTION, set_timer);
	curl_multi_setopt(curl_loop->multi, CURLMOPT_TIMERDATA, curl_loop);
	return curl_loop;
}

void curl_loop_destroy(struct curl_loop *curl_loop)
{
	if (!curl_loop)
		return;
	curl_multi_cleanup(curl_loop->multi);
	event_timer_cancel(curl_loop->loop, &curl_loop->timer);
	free(curl_loop);
}

void curl_loop_add(struct curl_loop *curl_loop, CURL *easy)
{
	curl_multi_add_handle(curl_loop->multi, easy); /* sets the timer, which starts it */
}

void curl_loop_remove(struct curl_loop *curl_loop, CURL *easy)
{
	curl_multi_remove_handle(curl_loop->multi, easy);
}
