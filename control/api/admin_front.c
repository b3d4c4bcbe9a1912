/* Where connections of the admin API come in: see the header. */
#include "control/api/admin_front.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "common/log.h"
#include "control/api/admin_listen.h"
#include "control/api/api.h"
#include "control/control.h"
#include "control/observe/tell.h"
#include "control/api/tls.h"
#include "control/api/tls_pump.h"

enum { TICK_MS = 1000, ACCEPT_PER_TURN = 64, TELL_MS = 60000 };

struct admin_front {
	const struct control *control;
	admin_front_take *take;
	void *context;
	struct admin_connections connections;
	struct event_fd listening;
	bool accepting;  /* `listening` is in the loop */
	struct tls *tls; /* NULL: plain HTTP */
	bool complained; /* that there is no certificate */
	struct tls_pumps *pumps;
	unsigned strangers;      /* closed at once since `told_at` */
	uint64_t told_at;        /* monotonic ms; 0: never */
	struct event_timer tick; /* for connections that take too long, and the certificate */
};

/* ---- TLS ---- */

/* Connections that are open stay what they are. False: the certificate cannot be used, which was logged. */
static bool switch_tls(struct admin_front *front)
{
	char why[TLS_WHY_MAX];
	const struct config *config = front->control->config;
	if (config->admin.tls_certificate[0] == '\0') {
		tls_close(front->tls);
		front->tls = NULL;
		return true;
	}
	front->tls = tls_open(config->admin.tls_certificate, config->admin.tls_key, why);
	if (!front->tls && !front->complained)
		log_error("admin API: %s", why);
	front->complained = !front->tls;
	return front->tls != NULL;
}

/* The files, or the configuration, may have changed. */
static void refresh_tls(struct admin_front *front)
{
	char why[TLS_WHY_MAX];
	const struct config *config = front->control->config;
	bool wanted = config->admin.tls_certificate[0] != '\0';
	if (wanted != (front->tls != NULL)) {
		if (switch_tls(front))
			log_info("admin API: speaks %s from now on", wanted ? "HTTPS" : "HTTP");
		return;
	}
	if (!wanted)
		return;
	switch (tls_refresh(front->tls, config->admin.tls_certificate, config->admin.tls_key, why)) {
	case TLS_SAME:
		break;
	case TLS_CHANGED:
		log_info("admin API: new certificate from %s", config->admin.tls_certificate);
		break;
	case TLS_BROKEN:
		log_error("admin API: the certificate from before goes on: %s", why);
		break;
	}
}

/* ---- connections ---- */

/* A line a minute: anybody may try. */
static void tell_of_stranger(struct admin_front *front, const struct address *peer)
{
	char text[ADDRESS_TEXT_MAX];
	uint64_t now = clock_monotonic_ms();
	front->strangers++;
	if (front->told_at != 0 && now - front->told_at < TELL_MS)
		return;
	log_warning(
	    "admin API: %u connection%s closed at once, the last one from %s, which is neither in admin.allow_from or "
	    "admin.metrics_from of the configuration file nor in push_from of a cluster",
	    front->strangers, plural(front->strangers), address_format(peer, text));
	front->told_at = now;
	front->strangers = 0;
}

static void take_connection(struct admin_front *front, int fd, const struct sockaddr *from, socklen_t len)
{
	struct address peer, local;
	uint16_t port;
	int one = 1;
	bool known = admin_read_sockaddr(from, &peer, &port);
	bool admitted = known && api_peer_admitted(front->control, &peer);
	if (!admitted || !admin_local_address(fd, &local, &port) ||
	    !admin_connections_admit(&front->connections, &peer)) {
		close(fd);
		if (known && !admitted)
			tell_of_stranger(front, &peer);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (front->tls)
		fd = tls_pumps_add(front->pumps, front->tls, fd);
	if (fd < 0)
		return;
	struct admin_connection *connection =
	    admin_connections_add(&front->connections, &peer, &local, fd, clock_monotonic_ms());
	connection->tls = front->tls != NULL;
	if (!front->take(front->context, connection, from, len))
		admin_connections_remove(connection);
}

static void accept_again(struct admin_front *front)
{
	front->accepting = event_loop_add(front->control->loop, &front->listening, EPOLLIN);
}

static void stop_accepting(struct admin_front *front)
{
	if (front->accepting)
		event_loop_remove(front->control->loop, &front->listening);
	front->accepting = false;
}

static void ready(void *context, uint32_t events)
{
	struct admin_front *front = context;
	for (int i = 0; i < ACCEPT_PER_TURN; i++) {
		struct sockaddr_storage from;
		socklen_t len = sizeof(from);
		int fd = accept4(front->listening.fd, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			take_connection(front, fd, (const struct sockaddr *)&from, len);
		} else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			stop_accepting(front); /* it would be told again and again: the tick tries anew */
			return;
		} else if (errno == EAGAIN) {
			return;
		}
	}
}

static void tick(void *context)
{
	struct admin_front *front = context;
	refresh_tls(front);
	admin_connections_sweep(&front->connections, clock_monotonic_ms());
	if (!front->accepting)
		accept_again(front);
	event_timer_set(front->control->loop, &front->tick, clock_monotonic_ms() + TICK_MS);
}

/* ---- all ---- */

struct admin_front *admin_front_create(const struct control *control, int listening, admin_front_take *take,
                                       void *context)
{
	struct admin_front *front = calloc(1, sizeof(*front));
	if (!front)
		abort();
	front->control = control;
	front->take = take;
	front->context = context;
	if (!switch_tls(front)) {
		free(front);
		return NULL;
	}
	admin_connections_init(&front->connections);
	front->pumps = tls_pumps_create(control->loop);
	front->listening = (struct event_fd){.fd = listening, .ready = ready, .context = front};
	front->tick = (struct event_timer){.fire = tick, .context = front};
	accept_again(front);
	event_timer_set(control->loop, &front->tick, clock_monotonic_ms() + TICK_MS);
	return front;
}

void admin_front_flush(struct admin_front *front)
{
	tls_pumps_flush(front->pumps);
}

void admin_front_close(struct admin_front *front)
{
	stop_accepting(front);
	event_timer_cancel(front->control->loop, &front->tick);
	close(front->listening.fd);
}

void admin_front_destroy(struct admin_front *front)
{
	tls_pumps_destroy(front->pumps);
	tls_close(front->tls);
	free(front);
}
