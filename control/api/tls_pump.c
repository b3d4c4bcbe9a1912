/* TLS in front of the admin API: see the header. "Outer" is the client's side, "inner" the plain one. */
#include "control/api/tls_pump.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	PIECE = 16 << 10,    /* a TLS record's most */
	PUMPS_MAX = 1024,    /* those that linger included */
	LINGER_MS = 2000,    /* for the other side to take our last bytes and close */
	FIRST_BYTE_TLS = 22, /* a handshake record (RFC 8446 5.1) */
};

enum state { BEGINNING, HANDSHAKE, OPEN, LINGERING, OVER };

struct way {
	uint8_t bytes[PIECE];
	size_t from, to; /* what is still to be passed on */
	bool ended;      /* nothing more comes */
	bool told;       /* and the other side knows */
};

struct pump {
	struct pump *next, *previous;
	struct tls_pumps *pumps;
	enum state state;
	struct event_fd outer, inner;
	uint32_t outer_events, inner_events; /* that are waited for */
	bool inner_added;
	bool outer_full, inner_full; /* the last write found no room */
	gnutls_session_t session;
	struct tls_certificate *certificate;
	struct way in, out; /* from the client, to the client */
	uint64_t linger_until;
};

struct tls_pumps {
	struct event_loop *loop;
	struct pump list; /* head */
	unsigned count;
	struct event_timer timer; /* ends what lingers and forgets what is over */
};

/* ---- the end ---- */

static void forget_soon(struct tls_pumps *pumps, uint64_t at)
{
	if (!pumps->timer.armed || pumps->timer.at > at)
		event_timer_set(pumps->loop, &pumps->timer, at);
}

static void leave_inner(struct pump *pump)
{
	if (pump->inner_added)
		event_loop_remove(pump->pumps->loop, &pump->inner);
	pump->inner_added = false;
}

/* Nothing more happens; the memory goes later, since a callback may be running. */
static void end(struct pump *pump)
{
	if (pump->state == OVER)
		return;
	pump->state = OVER;
	event_loop_remove(pump->pumps->loop, &pump->outer);
	leave_inner(pump);
	close(pump->outer.fd);
	close(pump->inner.fd);
	forget_soon(pump->pumps, clock_monotonic_ms());
}

static void forget(struct pump *pump)
{
	pump->next->previous = pump->previous;
	pump->previous->next = pump->next;
	pump->pumps->count--;
	gnutls_deinit(pump->session);
	tls_release(pump->certificate);
	free(pump);
}

static void timer_fire(void *context)
{
	struct tls_pumps *pumps = context;
	uint64_t now = clock_monotonic_ms(), next = UINT64_MAX;
	for (struct pump *pump = pumps->list.next, *after; pump != &pumps->list; pump = after) {
		after = pump->next;
		if (pump->state == LINGERING && now >= pump->linger_until)
			end(pump);
		if (pump->state == LINGERING && pump->linger_until < next)
			next = pump->linger_until;
		if (pump->state == OVER)
			forget(pump);
	}
	if (next != UINT64_MAX)
		event_timer_set(pumps->loop, &pumps->timer, next);
	else
		event_timer_cancel(pumps->loop, &pumps->timer);
}

/* Our last bytes are out. What still comes is thrown away until the client closes: a close before that could take them
 * back (RST). */
static void linger(struct pump *pump)
{
	pump->state = LINGERING;
	leave_inner(pump);
	pump->linger_until = clock_monotonic_ms() + LINGER_MS;
	shutdown(pump->outer.fd, SHUT_WR);
	forget_soon(pump->pumps, pump->linger_until);
}

static void drain(struct pump *pump)
{
	ssize_t len;
	do
		len = recv(pump->outer.fd, pump->in.bytes, PIECE, MSG_DONTWAIT);
	while (len > 0);
	if (len == 0 || (errno != EAGAIN && errno != EINTR))
		end(pump);
}

/* ---- the beginning ---- */

/* Whoever speaks plain HTTP here is told so in plain HTTP. */
static void begin(struct pump *pump)
{
	static const char answer[] = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n"
	                             "Content-Length: 40\r\n\r\nthis port speaks HTTPS: use https://...\n";
	uint8_t first;
	ssize_t len = recv(pump->outer.fd, &first, 1, MSG_PEEK | MSG_DONTWAIT);
	if (len < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (len <= 0) {
		end(pump);
	} else if (first == FIRST_BYTE_TLS) {
		pump->state = HANDSHAKE;
	} else {
		send(pump->outer.fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
		linger(pump);
	}
}

static void shake_hands(struct pump *pump)
{
	int result;
	do
		result = gnutls_handshake(pump->session);
	while (result == GNUTLS_E_INTERRUPTED || result == GNUTLS_E_WARNING_ALERT_RECEIVED);
	pump->outer_full = result == GNUTLS_E_AGAIN && gnutls_record_get_direction(pump->session) == 1;
	if (result == 0) {
		pump->state = OPEN;
	} else if (result != GNUTLS_E_AGAIN) {
		gnutls_alert_send_appropriate(pump->session, result);
		linger(pump);
	}
}

/* ---- bytes ---- */

/* True if something has moved. */
static bool read_outer(struct pump *pump)
{
	struct way *way = &pump->in;
	if (way->ended || way->from < way->to)
		return false;
	ssize_t len = gnutls_record_recv(pump->session, way->bytes, PIECE);
	if (len == GNUTLS_E_AGAIN || len == GNUTLS_E_INTERRUPTED)
		return false;
	way->from = 0;
	way->to = len > 0 ? (size_t)len : 0;
	way->ended = len <= 0; /* a good-bye, an error, or somebody who wants to renegotiate */
	return true;
}

static bool write_inner(struct pump *pump)
{
	struct way *way = &pump->in;
	if (way->from == way->to) {
		bool tell = way->ended && !way->told;
		if (tell)
			shutdown(pump->inner.fd, SHUT_WR);
		way->told |= tell;
		return tell;
	}
	ssize_t len = send(pump->inner.fd, way->bytes + way->from, way->to - way->from, MSG_NOSIGNAL | MSG_DONTWAIT);
	pump->inner_full = len < 0 && errno == EAGAIN;
	if (len < 0 && errno != EAGAIN && errno != EINTR) {
		way->from = way->to = 0;
		way->ended = way->told = true;
	}
	way->from += len > 0 ? (size_t)len : 0;
	return len > 0;
}

static bool read_inner(struct pump *pump)
{
	struct way *way = &pump->out;
	if (way->ended || way->from < way->to)
		return false;
	ssize_t len = recv(pump->inner.fd, way->bytes, PIECE, MSG_DONTWAIT);
	if (len < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	way->from = 0;
	way->to = len > 0 ? (size_t)len : 0;
	way->ended = len <= 0;
	return true;
}

static bool write_outer(struct pump *pump)
{
	struct way *way = &pump->out;
	if (way->from == way->to)
		return false;
	ssize_t len = gnutls_record_send(pump->session, way->bytes + way->from, way->to - way->from);
	pump->outer_full = len == GNUTLS_E_AGAIN;
	if (len == GNUTLS_E_AGAIN || len == GNUTLS_E_INTERRUPTED)
		return false;
	if (len < 0) {
		end(pump);
		return false;
	}
	way->from += (size_t)len;
	return true;
}

static void move(struct pump *pump)
{
	bool moved = true;
	while (moved && pump->state == OPEN) {
		moved = read_outer(pump);
		moved |= write_inner(pump);
		moved |= read_inner(pump);
		moved |= write_outer(pump);
		if (pump->state == OPEN && pump->out.ended && pump->out.from == pump->out.to) {
			gnutls_bye(pump->session, GNUTLS_SHUT_WR);
			linger(pump);
		}
	}
}

/* ---- events ---- */

static void want(struct pump *pump, struct event_fd *source, uint32_t *now, uint32_t events)
{
	if (*now == events)
		return;
	*now = events;
	event_loop_change(pump->pumps->loop, source, events);
}

static void step(struct pump *pump)
{
	if (pump->state == BEGINNING)
		begin(pump);
	if (pump->state == HANDSHAKE)
		shake_hands(pump);
	if (pump->state == OPEN)
		move(pump);
	if (pump->state == LINGERING)
		drain(pump);
	if (pump->state == OVER)
		return;
	bool reads = pump->state != OPEN || (!pump->in.ended && pump->in.from == pump->in.to);
	want(pump, &pump->outer, &pump->outer_events,
	     (reads ? EPOLLIN : 0) | (pump->outer_full && pump->state != LINGERING ? EPOLLOUT : 0));
	/* While nothing is read there only its end is seen, which epoll tells in any case. */
	bool passes = pump->state == OPEN && !pump->out.ended && pump->out.from == pump->out.to;
	if (pump->inner_added)
		want(pump, &pump->inner, &pump->inner_events,
		     (passes ? EPOLLIN : 0) | (pump->inner_full && pump->state == OPEN ? EPOLLOUT : 0));
}

static void outer_ready(void *context, uint32_t events)
{
	struct pump *pump = context;
	step(pump);
	/* Both directions are shut: nothing will ever be read or written, and level-triggered events would not end. */
	if ((events & (EPOLLHUP | EPOLLERR)) != 0)
		end(pump);
}

static void inner_ready(void *context, uint32_t events)
{
	struct pump *pump = context;
	step(pump);
	if (pump->state == OVER || (events & (EPOLLHUP | EPOLLERR)) == 0)
		return;
	/* The plain side is gone; what it had said may still be on its way out. */
	if (pump->state == OPEN)
		leave_inner(pump);
	else if (pump->state != LINGERING)
		end(pump);
}

/* ---- all ---- */

struct tls_pumps *tls_pumps_create(struct event_loop *loop)
{
	struct tls_pumps *pumps = calloc(1, sizeof(*pumps));
	if (!pumps)
		abort();
	pumps->loop = loop;
	pumps->list.next = pumps->list.previous = &pumps->list;
	pumps->timer = (struct event_timer){.fire = timer_fire, .context = pumps};
	return pumps;
}

/* True if there is room for one more; the oldest one that lingers goes for it. */
static bool make_room(struct tls_pumps *pumps)
{
	struct pump *pump = pumps->list.next;
	if (pumps->count < PUMPS_MAX)
		return true;
	while (pump != &pumps->list && pump->state != LINGERING && pump->state != OVER)
		pump = pump->next;
	if (pump == &pumps->list)
		return false;
	end(pump);
	forget(pump);
	return true;
}

int tls_pumps_add(struct tls_pumps *pumps, struct tls *tls, int fd)
{
	int pair[2];
	if (!make_room(pumps)) {
		close(fd);
		return -1;
	}
	struct pump *pump = calloc(1, sizeof(*pump));
	if (!pump)
		abort();
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0) {
		free(pump);
		close(fd);
		return -1;
	}
	*pump = (struct pump){.pumps = pumps, .certificate = tls_take(tls)};
	pump->session = tls_session(pump->certificate);
	if (!pump->session)
		abort();
	gnutls_transport_set_int(pump->session, fd);
	pump->outer = (struct event_fd){.fd = fd, .ready = outer_ready, .context = pump};
	pump->inner = (struct event_fd){.fd = pair[0], .ready = inner_ready, .context = pump};
	pump->next = &pumps->list;
	pump->previous = pumps->list.previous;
	pump->previous->next = pump;
	pumps->list.previous = pump;
	pumps->count++;
	pump->outer_events = EPOLLIN;
	pump->inner_added = true;
	if (!event_loop_add(pumps->loop, &pump->outer, EPOLLIN) || !event_loop_add(pumps->loop, &pump->inner, 0))
		end(pump);
	return pair[1];
}

unsigned tls_pumps_count(const struct tls_pumps *pumps)
{
	return pumps->count;
}

void tls_pumps_flush(struct tls_pumps *pumps)
{
	for (struct pump *pump = pumps->list.next; pump != &pumps->list; pump = pump->next)
		if (pump->state == OPEN)
			move(pump);
}

void tls_pumps_destroy(struct tls_pumps *pumps)
{
	if (!pumps)
		return;
	tls_pumps_flush(pumps);
	while (pumps->list.next != &pumps->list) {
		end(pumps->list.next);
		forget(pumps->list.next);
	}
	event_timer_cancel(pumps->loop, &pumps->timer);
	free(pumps);
}
