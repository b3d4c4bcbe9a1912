/* The endpoint's receiving half: finds the connection, judges the segment, takes acknowledgement, data and FIN, in
 * the order of RFC 9293 3.10.7. What no right peer sends fails the test here. */
#include "sim_tcp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
	OUT_OF_WINDOW_LIMIT = 500 * SIM_MS, /* between two answers to what is out of the window, as Linux has it */
};

/* ---- a segment in the connection's own numbers ---- */

static struct sim_view look(const struct sim_tcp *tcp, const struct sim_segment *segment)
{
	struct sim_view view = {.segment = segment};
	view.left = sim_relative(segment->seq, tcp->irs, tcp->rcv_nxt);
	view.right = view.left + segment->payload_len + !!(segment->flags & SIM_FIN) + !!(segment->flags & SIM_SYN);
	view.ack = sim_relative(segment->ack, tcp->iss, tcp->snd_una);
	return view;
}

/* Answers what is out of the window, but never floods. */
static void challenge(struct sim_tcp *tcp)
{
	uint64_t now = tcp->host->sim->now;
	if (tcp->challenged_at != 0 && now - tcp->challenged_at < OUT_OF_WINDOW_LIMIT)
		return;
	tcp->challenged_at = now ? now : 1;
	sim_tcp_acknowledge(tcp);
}

static bool fin_acknowledged(const struct sim_tcp *tcp)
{
	return tcp->fin_queued && tcp->snd_una > sim_tcp_data_end(tcp);
}

/* False: the connection has ended with this acknowledgement. */
static bool leave_state_on_ack(struct sim_tcp *tcp)
{
	if (!fin_acknowledged(tcp))
		return true;
	if (tcp->state == SIM_FIN_WAIT_1) {
		tcp->state = SIM_FIN_WAIT_2;
		sim_tcp_set_timer(tcp, true);
	} else if (tcp->state == SIM_CLOSING) {
		sim_tcp_enter_time_wait(tcp);
		return false;
	} else if (tcp->state == SIM_LAST_ACK) {
		sim_tcp_close(tcp, SIM_END_NORMAL);
		return false;
	}
	return true;
}

/* ---- data ---- */

static void make_room(struct sim_tcp *tcp, int64_t end)
{
	size_t need = (size_t)end;
	if (need <= tcp->in_room)
		return;
	tcp->in_room = sim_max(end, 2 * (int64_t)tcp->in_room);
	tcp->in = realloc(tcp->in, tcp->in_room);
	assert_non_null(tcp->in);
}

/* Bytes that came before must be the same as now. */
static void compare(const struct sim_tcp *tcp, const struct sim_view *view, int64_t left, int64_t right)
{
	left = sim_max(left, view->left);
	right = sim_min(right, view->left + view->segment->payload_len);
	if (left < right &&
	    memcmp(tcp->in + left, view->segment->payload + (left - view->left), (size_t)(right - left)))
		sim_tcp_wrong(tcp, "bytes %lld-%lld are not what they were the first time", (long long)left,
		              (long long)right);
}

static void store(struct sim_tcp *tcp, const struct sim_view *view)
{
	int64_t left = sim_max(view->left, 1), right = view->left + view->segment->payload_len;
	if (right <= left)
		return;
	make_room(tcp, right);
	compare(tcp, view, 1, sim_min(tcp->rcv_nxt, tcp->fin_at ? tcp->fin_at : tcp->rcv_nxt));
	for (unsigned i = 0; i < tcp->held.count; i++)
		compare(tcp, view, tcp->held.at[i].left,
		        sim_min(tcp->held.at[i].right, tcp->fin_at ? tcp->fin_at : INT64_MAX));
	memcpy(tcp->in + left, view->segment->payload + (left - view->left), (size_t)(right - left));
}

/* Gives the application what is in order. False: it ended the connection. */
static bool deliver(struct sim_tcp *tcp)
{
	int64_t end = tcp->fin_at && tcp->rcv_nxt > tcp->fin_at ? tcp->fin_at : tcp->rcv_nxt;
	if (tcp->paused)
		return true;
	if (end > tcp->consumed) {
		int64_t from = tcp->consumed;
		tcp->consumed = end;
		tcp->events->data(tcp, tcp->context, tcp->in + from, (size_t)(end - from));
		if (tcp->end != SIM_END_NONE)
			return false;
	}
	if (tcp->fin_at && tcp->rcv_nxt > tcp->fin_at && !tcp->fin_told) {
		tcp->fin_told = true;
		tcp->consumed = tcp->rcv_nxt;
		if (tcp->events->finished)
			tcp->events->finished(tcp, tcp->context);
	}
	return tcp->end == SIM_END_NONE;
}

static void enter_after_fin(struct sim_tcp *tcp)
{
	if (tcp->state == SIM_ESTABLISHED)
		tcp->state = SIM_CLOSE_WAIT;
	else if (tcp->state == SIM_FIN_WAIT_1)
		tcp->state = SIM_CLOSING;
}

/* What is new of the segment goes into order; true if the FIN has come into order now. */
static bool put_in_order(struct sim_tcp *tcp, int64_t left, int64_t right)
{
	bool in_order = left <= tcp->rcv_nxt;
	if (!sim_range_add(&tcp->held, sim_max(left, tcp->rcv_nxt), right))
		return false;
	tcp->recent_left = sim_max(left, tcp->rcv_nxt);
	tcp->ack_owed++;
	if (!in_order || tcp->held.count > 1)
		tcp->ack_now = true;
	if (tcp->held.at[0].left > tcp->rcv_nxt)
		return false;
	tcp->rcv_nxt = tcp->held.at[0].right;
	sim_ranges_cut(&tcp->held, tcp->rcv_nxt);
	return tcp->fin_at && tcp->rcv_nxt > tcp->fin_at;
}

static void note_duplicate(struct sim_tcp *tcp, const struct sim_view *view)
{
	tcp->ack_now = true;
	tcp->dsack_left = sim_max(view->left, 0);
	tcp->dsack_right = sim_min(view->right, tcp->rcv_nxt);
}

static void note_fin(struct sim_tcp *tcp, const struct sim_view *view)
{
	int64_t end = view->left + view->segment->payload_len;
	if (view->segment->flags & SIM_FIN) {
		if ((tcp->fin_at && tcp->fin_at != end) || (!tcp->fin_at && end < tcp->rcv_nxt))
			sim_tcp_wrong(tcp, "FIN at %lld, before at %lld", (long long)end, (long long)tcp->fin_at);
		for (unsigned i = 0; i < tcp->held.count; i++)
			if (!tcp->fin_at && tcp->held.at[i].right > end)
				sim_tcp_wrong(tcp, "FIN at %lld, but data came up to %lld", (long long)end,
				              (long long)tcp->held.at[i].right);
		tcp->fin_at = end;
	} else if (tcp->fin_at && end > tcp->fin_at)
		sim_tcp_wrong(tcp, "data up to %lld behind the FIN at %lld", (long long)end, (long long)tcp->fin_at);
}

static void take_data(struct sim_tcp *tcp, const struct sim_view *view)
{
	if (view->left == view->right)
		return;
	if (view->right < 1) { /* of a former connection */
		tcp->ack_now = true;
		return;
	}
	uint16_t mss = tcp->params.mss ? tcp->params.mss : 536;
	if (view->segment->payload_len > mss)
		sim_tcp_wrong(tcp, "segment of %u bytes, our MSS is %u", view->segment->payload_len, mss);
	note_fin(tcp, view);
	store(tcp, view);
	if (view->right <= tcp->rcv_nxt) {
		note_duplicate(tcp, view);
		return;
	}
	if (view->left < tcp->rcv_nxt)
		note_duplicate(tcp, view);
	if (put_in_order(tcp, view->left, view->right)) {
		enter_after_fin(tcp);
		tcp->ack_now = true;
	}
	if (view->segment->payload_len >= mss && tcp->ack_owed >= 2)
		tcp->ack_now = true;
}

static void acknowledge_data(struct sim_tcp *tcp)
{
	struct sim *sim = tcp->host->sim;
	if (tcp->ack_owed == 0 && !tcp->ack_now)
		return;
	if (tcp->ack_now || tcp->params.delayed_ack_us == 0 || tcp->ack_owed >= 3)
		sim_tcp_acknowledge(tcp);
	else if (tcp->ack_timer.place == 0)
		sim_schedule(sim, &tcp->ack_timer, sim->now + tcp->params.delayed_ack_us);
}

void sim_tcp_pause(struct sim_tcp *tcp, bool paused)
{
	tcp->paused = paused;
	if (paused || tcp->end != SIM_END_NONE || !deliver(tcp))
		return;
	if (!tcp->fin_told && tcp->consumed + tcp->params.receive_buffer > tcp->rcv_adv)
		sim_tcp_acknowledge(tcp); /* the window opens */
	if (tcp->state == SIM_FIN_WAIT_2 && tcp->fin_told)
		sim_tcp_enter_time_wait(tcp);
}

/* ---- by state ---- */

/* False: nothing more to do with the segment. */
static bool acceptable(struct sim_tcp *tcp, const struct sim_view *view)
{
	uint8_t flags = view->segment->flags;
	bool in_window = view->right >= tcp->rcv_nxt && view->left <= sim_max(tcp->rcv_adv, tcp->rcv_nxt);
	if (flags & SIM_RST) {
		bool over = tcp->state == SIM_FIN_WAIT_2 && tcp->fin_at && tcp->rcv_nxt > tcp->fin_at;
		if (over)
			return false; /* TIME_WAIT, but for a reader who pauses */
		if (view->left == tcp->rcv_nxt)
			sim_tcp_close(tcp, tcp->state == SIM_SYN_RECEIVED ? SIM_END_REFUSED : SIM_END_RESET);
		else if (in_window && view->left >= tcp->rcv_nxt)
			challenge(tcp);
		return false;
	}
	if (flags & SIM_SYN) {
		challenge(tcp);
		return false;
	}
	if (!tcp->host->lenient && view->left < view->right && view->right > tcp->rcv_adv + SIM_WINDOW_ROUNDING)
		sim_tcp_wrong(tcp, "data up to %lld, the window ends at %lld", (long long)view->right,
		              (long long)tcp->rcv_adv);
	if (in_window)
		return true;
	if (view->segment->payload_len > 0 || (flags & SIM_FIN)) {
		if (view->right <= tcp->rcv_nxt) {
			sim_tcp_take_ack(tcp, view);
			take_data(tcp, view); /* only compares and notes the duplicate */
		}
		sim_tcp_acknowledge(tcp);
	} else
		challenge(tcp);
	return false;
}

static void synchronized(struct sim_tcp *tcp, const struct sim_segment *segment)
{
	struct sim_view view = look(tcp, segment);
	if (!acceptable(tcp, &view))
		return;
	if (!(segment->flags & SIM_ACK))
		sim_tcp_wrong(tcp, "segment without ACK");
	sim_tcp_take_ack(tcp, &view);
	if (!leave_state_on_ack(tcp) && tcp->state == SIM_CLOSED)
		return;
	take_data(tcp, &view);
	if (!deliver(tcp) && tcp->state == SIM_CLOSED)
		return;
	sim_tcp_output(tcp);
	acknowledge_data(tcp);
	if (tcp->state == SIM_FIN_WAIT_2 && tcp->fin_told)
		sim_tcp_enter_time_wait(tcp);
	else if (tcp->state == SIM_FIN_WAIT_2)
		sim_tcp_set_timer(tcp, true); /* the peer lives */
}

static void establish(struct sim_tcp *tcp, int64_t window)
{
	tcp->state = SIM_ESTABLISHED;
	tcp->established_at = tcp->host->sim->now;
	tcp->snd_una = 1;
	tcp->snd_wnd = window;
	tcp->wl_seq = tcp->rcv_nxt;
	tcp->wl_ack = 1;
	tcp->right_seen = 1 + window;
	tcp->cwnd = 10 * (int64_t)tcp->peer_mss;
	tcp->ssthresh = INT64_MAX / 4;
	sim_tcp_measure(tcp, 1);
	sim_tcp_set_timer(tcp, true);
}

static void read_syn(struct sim_tcp *tcp, const struct sim_segment *segment)
{
	tcp->irs = segment->seq;
	tcp->rcv_nxt = tcp->rcv_adv = tcp->consumed = 1;
	tcp->syn_mss = segment->mss;
	tcp->syn_window = segment->window;
	tcp->peer_mss = segment->mss ? segment->mss : 536;
	tcp->peer_scale = segment->window_scale;
	tcp->peer_sack = segment->sack_permitted && tcp->params.sack;
}

static void check_syn_ack(struct sim_tcp *tcp, const struct sim_segment *segment)
{
	if (segment->window_scale != SIM_NO_SCALE && tcp->params.window_scale == SIM_NO_SCALE)
		sim_tcp_wrong(tcp, "window scale that was not offered");
	if (segment->sack_permitted && !tcp->params.sack)
		sim_tcp_wrong(tcp, "SACK permitted that was not offered");
	if (segment->other_option)
		sim_tcp_wrong(tcp, "an option in the SYN-ACK that was not offered");
	if (segment->payload_len > 0)
		sim_tcp_wrong(tcp, "data in the SYN-ACK");
}

static void syn_sent(struct sim_tcp *tcp, const struct sim_segment *segment)
{
	bool ack = segment->flags & SIM_ACK;
	if (ack && segment->ack != tcp->iss + 1) {
		if (!(segment->flags & SIM_RST))
			sim_host_reset(tcp->host, segment);
		return;
	}
	if (segment->flags & SIM_RST) {
		if (ack)
			sim_tcp_close(tcp, SIM_END_REFUSED);
		return;
	}
	if (!(segment->flags & SIM_SYN) || !ack)
		sim_tcp_wrong(tcp, "neither SYN-ACK nor RST in answer to the SYN");
	check_syn_ack(tcp, segment);
	read_syn(tcp, segment);
	establish(tcp, segment->window);
	tcp->ack_now = true;
	if (!tcp->params.ack_with_data)
		sim_tcp_acknowledge(tcp);
	if (tcp->events->established)
		tcp->events->established(tcp, tcp->context);
	sim_tcp_output(tcp);
	if (tcp->end == SIM_END_NONE && tcp->ack_now)
		sim_tcp_acknowledge(tcp);
}

static void syn_received(struct sim_tcp *tcp, const struct sim_segment *segment)
{
	struct sim_view view = look(tcp, segment);
	if ((segment->flags & SIM_SYN) && !(segment->flags & SIM_ACK) && segment->seq == tcp->irs) {
		sim_tcp_send_syn(tcp);
		return;
	}
	if (!(segment->flags & (SIM_RST | SIM_SYN)) && (segment->flags & SIM_ACK)) {
		if (view.ack != 1) {
			sim_host_reset(tcp->host, segment);
			return;
		}
		bool scaled = tcp->peer_scale != SIM_NO_SCALE && tcp->params.window_scale != SIM_NO_SCALE;
		establish(tcp, (int64_t)segment->window << (scaled ? tcp->peer_scale : 0));
		if (tcp->events->established)
			tcp->events->established(tcp, tcp->context);
		if (tcp->state != SIM_CLOSED)
			synchronized(tcp, segment);
		return;
	}
	acceptable(tcp, &view);
}

static void listen_at(struct sim_host *host, const struct sim_segment *segment)
{
	struct sim_tcp_params params;
	const struct sim_tcp_events *events;
	void *context;
	enum sim_accept answer = SIM_REFUSE;
	if (host->accept && (segment->flags & (SIM_SYN | SIM_ACK | SIM_RST)) == SIM_SYN)
		answer = host->accept(host->accept_context, segment, &params, &events, &context);
	if (answer == SIM_REFUSE && !(segment->flags & SIM_RST))
		sim_host_reset(host, segment);
	if (answer != SIM_ACCEPT)
		return;
	struct sim_tcp *tcp = sim_tcp_new(host, &params, events, context);
	tcp->local = segment->destination;
	tcp->local_port = segment->destination_port;
	tcp->remote = segment->source;
	tcp->remote_port = segment->source_port;
	tcp->iss = (uint32_t)sim_random(host->sim);
	tcp->state = SIM_SYN_RECEIVED;
	read_syn(tcp, segment);
	sim_tcp_insert(tcp);
	sim_tcp_send_syn(tcp);
	sim_tcp_set_timer(tcp, true);
}

/* As Linux does it (RFC 6191 and RFC 1337 apart): a new SYN above rcv_nxt opens a new connection, another one is
 * answered with an ACK, an exact RST ends the state. */
static void time_wait(struct sim_tcp *tcp, const struct sim_segment *segment)
{
	struct sim_host *host = tcp->host;
	struct sim_view view = look(tcp, segment);
	uint8_t flags = segment->flags;
	if (view.left == tcp->rcv_nxt && (view.left == view.right || (flags & SIM_RST))) {
		if ((flags & SIM_RST) && host->stubborn)
			return;
		if (flags & SIM_RST) {
			host->time_wait_killed++;
			sim_tcp_remove(tcp);
		} else
			sim_schedule(host->sim, &tcp->timer, host->sim->now + host->time_wait_us);
		return;
	}
	if ((flags & (SIM_SYN | SIM_ACK | SIM_RST)) == SIM_SYN && view.left > tcp->rcv_nxt) {
		sim_tcp_remove(tcp);
		listen_at(host, segment);
		return;
	}
	if (flags & SIM_RST)
		return;
	if (flags & SIM_ACK)
		sim_schedule(host->sim, &tcp->timer, host->sim->now + host->time_wait_us);
	if (flags & SIM_SYN)
		host->time_wait_challenges++;
	if (segment->payload_len > 0 || (flags & SIM_FIN) || host->stubborn)
		sim_tcp_acknowledge(tcp);
	else
		challenge(tcp);
}

void sim_tcp_input(struct sim_host *host, const struct sim_segment *segment)
{
	struct sim_tcp *tcp =
	    sim_tcp_find(host, segment->destination, segment->destination_port, segment->source, segment->source_port);
	if (tcp && tcp->vanished)
		return;
	if (segment->flags & SIM_RST)
		host->resets_received++;
	if (!tcp)
		listen_at(host, segment);
	else if (tcp->state == SIM_SYN_SENT)
		syn_sent(tcp, segment);
	else if (tcp->state == SIM_SYN_RECEIVED)
		syn_received(tcp, segment);
	else if (tcp->state == SIM_TIME_WAIT)
		time_wait(tcp, segment);
	else
		synchronized(tcp, segment);
}

/* "Fragmentation needed" for something in flight: smaller segments from now on (RFC 1191). Other errors are soft. */
static void receive_icmp(struct sim_host *host, const struct sim_icmp *icmp)
{
	struct sim_tcp *tcp = sim_tcp_find(host, icmp->quoted_source, icmp->quoted_source_port,
	                                   icmp->quoted_destination, icmp->quoted_destination_port);
	if (icmp->type != 3 || icmp->code != 4)
		return;
	if (!tcp || icmp->destination != tcp->local)
		sim_fail(host->sim, "%s received \"fragmentation needed\" about no connection of its own", host->name);
	int64_t seq = sim_relative(icmp->quoted_seq, tcp->iss, tcp->snd_una);
	if (seq < 0 || seq >= tcp->snd_max)
		sim_tcp_wrong(tcp, "\"fragmentation needed\" about %lld, sent was up to %lld", (long long)seq,
		              (long long)tcp->snd_max);
	host->too_big_received++;
	if (seq < tcp->snd_una || icmp->mtu < 108 || tcp->peer_mss <= icmp->mtu - 40)
		return;
	tcp->peer_mss = (uint16_t)(icmp->mtu - 40);
	sim_tcp_retransmit(tcp, tcp->snd_una);
}

void sim_host_receive(struct sim_host *host, const uint8_t *frame, uint16_t len, bool corrupted)
{
	struct sim_segment segment;
	if (host->silent || corrupted || (host->moves && memcmp(frame, host->mac, 6) != 0))
		return;
	const char *fault;
	struct sim_icmp icmp;
	bool is_icmp = sim_icmp_read(frame, len, &icmp, &fault);
	if (!is_icmp)
		fault = sim_segment_read(frame, len, &segment);
	if (fault)
		sim_fail(host->sim, "%s received: %s", host->name, fault);
	if (is_icmp) {
		receive_icmp(host, &icmp);
		return;
	}
	if ((segment.destination & host->mask) != (host->address & host->mask))
		sim_fail(host->sim, "%s received a packet to another address", host->name);
	if (memcmp(segment.destination_mac, host->mac, 6) != 0 || memcmp(segment.source_mac, host->gateway_mac, 6) != 0)
		sim_fail(host->sim, "%s received wrong MAC addresses", host->name);
	if (segment.ttl != SIM_TTL - 1 && segment.ttl != 64)
		sim_fail(host->sim, "%s received TTL %u", host->name, segment.ttl);
	if (host->observe)
		host->observe(host->accept_context, &segment);
	sim_tcp_input(host, &segment);
}
