/* From the complete head to the router host's SYN-ACK: elect, connect, and on failure the next router host, while the
 * client waits and notices nothing.
 *
 * The connection to the router host starts with the client's own ISN, so that the client's numbers need no rewriting.
 * The trap is a router host that has the source port in TIME_WAIT: it answers our SYN with an ACK. A RST with exactly
 * that acknowledgement number ends its TIME_WAIT, and the same SYN is sent once more. */
#include "dataplane/core.h"

#include "common/tcp_seq.h"

static uint32_t earlier(uint32_t a, uint32_t b)
{
	return seq_before(a, b) ? a : b;
}

static void set_timer(struct worker *worker, struct flow *flow)
{
	const struct young *young = flow_young(worker, flow);
	uint32_t at = earlier(young->resend_at, young->attempt_ends);
	flow_timer_at(worker, flow, earlier(at, young->connect_started + worker->config->timeouts.connect_total));
}

/* What the client can take, and the way to it. */
static uint16_t syn_mss(const struct worker *worker, const struct flow *flow, const struct young *young)
{
	uint16_t mtu = l3_port_mtu(worker->l3, flow->client_port_in);
	uint16_t most = mtu ? (uint16_t)(mtu - IPV4_HEADER_LEN - TCP_HEADER_LEN) : young->client_mss;
	return young->client_mss < most ? young->client_mss : most;
}

static void send_syn(struct worker *worker, struct flow *flow)
{
	struct young *young = flow_young(worker, flow);
	struct tcp_syn_options ours = {
	    .mss = syn_mss(worker, flow, young),
	    .window_scale = young->client_wscale,
	    .sack_permitted = young->client_sack,
	};
	uint8_t options[12];
	uint8_t options_len = tcp_options_write_syn(options, &ours);
	uint32_t window = (uint32_t)young->client_window << flow->client_scale;
	emit(worker, flow, SIDE_ROUTER, TCP_SYN, young->client_isn, 0, window > 65535 ? 65535 : (uint16_t)window,
	     options, options_len, NULL, 0, counter_tx_syn);
	young->resend_at = worker->now + young->resend_after;
	set_timer(worker, flow);
}

static void first_syn(struct worker *worker, struct flow *flow, bool trial)
{
	struct young *young = flow_young(worker, flow);
	/* A trial costs its client a quarter of the time. */
	uint32_t limit = worker->config->timeouts.connect_attempt;
	young->attempt_ends = worker->now + (trial ? limit / 4 : limit);
	young->resend_after = SYN_RTO_MS;
	young->syn_again = false;
	send_syn(worker, flow);
}

static enum answer answer_for(const struct young *young, enum election result)
{
	if (young->tried_count)
		return ANSWER_CONNECT_FAILED;
	switch (result) {
	case ELECTION_UNKNOWN:
		return young->name.len ? ANSWER_UNKNOWN_NAME : ANSWER_NO_NAME;
	case ELECTION_NOT_SERVED:
		return ANSWER_NOT_SERVED;
	default:
		return ANSWER_UNHEALTHY;
	}
}

/* Elects until a router host can be bound; without one the client gets its answer. */
static void attempt(struct worker *worker, struct flow *flow)
{
	struct young *young = flow_young(worker, flow);
	struct elected elected;
	enum election result = ELECTION_UNHEALTHY;
	while (young->tried_count < YOUNG_TRIED_MAX) {
		result = elect(worker, flow, &elected);
		if (result != ELECTED)
			break;
		young->tried[young->tried_count++] = elected.host;
		young->cluster = elected.cluster;
		if (flow_bind_router(worker, flow, elected.host, elected.share_pair)) {
			first_syn(worker, flow, elected.trial);
			return;
		}
	}
	answer_start(worker, flow, answer_for(young, result));
}

void connect_start(struct worker *worker, struct flow *flow)
{
	struct young *young = flow_young(worker, flow);
	young->connect_started = worker->now;
	flow_set_state(worker, flow, FLOW_CONNECTING);
	attempt(worker, flow);
	if (flow->state == FLOW_CONNECTING)
		count(worker, counter_connections_elected);
}

void connect_failed(struct worker *worker, struct flow *flow, bool silent)
{
	host_failed(worker, flow->host, silent);
	flow_unbind_router(worker, flow);
	if (flow->state != FLOW_CONNECTING)
		flow_set_state(worker, flow, FLOW_CONNECTING);
	attempt(worker, flow);
	if (flow->state == FLOW_CONNECTING)
		count(worker, counter_connections_retried);
}

/* The same router host from another source port. */
static void change_port(struct worker *worker, struct flow *flow)
{
	uint32_t host = flow->host, share_pair = flow->share_pair;
	const struct table_host *now = &worker->tables.active->hosts[host];
	bool same = now->present && address_equal(&now->address, &flow->router);
	flow_unbind_router(worker, flow);
	if (same && flow_bind_router(worker, flow, host, share_pair)) {
		struct young *young = flow_young(worker, flow);
		young->resend_after = SYN_RTO_MS;
		young->syn_again = false;
		send_syn(worker, flow);
		return;
	}
	attempt(worker, flow);
}

static void receive_client(struct worker *worker, struct flow *flow, struct frame *frame, const struct packet *packet)
{
	struct young *young = flow_young(worker, flow);
	if (!young_accept(worker, flow, frame, packet, young->cookie + 1))
		return;
	switch (head_take(worker, young, packet)) {
	case HEAD_NOTHING:
	case HEAD_GREW:
	case HEAD_HELD:
		frame_absorb(worker, frame);
		break;
	case HEAD_DUPLICATE:
		frame_drop(worker, frame, counter_drop_duplicate);
		break;
	case HEAD_BEYOND:
		frame_drop(worker, frame, counter_drop_beyond_window);
		break;
	case HEAD_PIECES:
	case HEAD_NO_BUFFER:
		frame_drop(worker, frame, counter_drop_no_room);
		break;
	}
}

/* An ACK in answer to our SYN: an old connection of this port lives there (RFC 9293 3.10.7.3, 3.5.1). */
static void receive_old_connection(struct worker *worker, struct flow *flow, struct frame *frame,
                                   const struct packet *packet)
{
	struct young *young = flow_young(worker, flow);
	uint32_t ack = packet->ack;
	frame_absorb(worker, frame);
	if (young->syn_again) {
		change_port(worker, flow);
		return;
	}
	count(worker, counter_port_time_wait);
	emit_rst(worker, flow, SIDE_ROUTER, ack);
	young->syn_again = true;
	young->resend_after = SYN_RTO_MS;
	send_syn(worker, flow);
}

/* RFC 9293 3.10.7.3, SYN-SENT. */
static void receive_router(struct worker *worker, struct flow *flow, struct frame *frame, const struct packet *packet)
{
	const struct young *young = flow_young(worker, flow);
	bool acceptable = (packet->flags & TCP_ACK) && packet->ack == young->client_isn + 1;
	if (packet->flags & TCP_RST) {
		if (!acceptable) {
			frame_drop(worker, frame, counter_drop_rst_out_of_window);
			return;
		}
		frame_absorb(worker, frame);
		connect_failed(worker, flow, false);
	} else if (!(packet->flags & TCP_SYN) && (packet->flags & TCP_ACK)) {
		receive_old_connection(worker, flow, frame, packet);
	} else if ((packet->flags & TCP_SYN) && acceptable) {
		join_start(worker, flow, packet);
		frame_absorb(worker, frame);
	} else if (packet->flags & TCP_SYN) {
		/* A wrong acknowledgement, or a simultaneous open, which no router host does. */
		reply_rst(worker, frame, packet);
	} else {
		frame_drop(worker, frame, counter_drop_no_ack);
	}
}

void connect_receive(struct worker *worker, struct flow *flow, enum side side, struct frame *frame,
                     const struct packet *packet)
{
	if (side == SIDE_CLIENT)
		receive_client(worker, flow, frame, packet);
	else
		receive_router(worker, flow, frame, packet);
}

static bool passed(const struct worker *worker, uint32_t at)
{
	return (int32_t)(worker->now - at) >= 0;
}

void connect_timer(struct worker *worker, struct flow *flow)
{
	struct young *young = flow_young(worker, flow);
	if (!worker->vips[flow->vip].held) {
		/* The answers are not ours now. Either it comes back and this attempt begins anew, or this ends with
		 * its VIP. */
		young->resend_after = 0;
		flow_timer_at(worker, flow, worker->now + SYN_RTO_MS);
	} else if (young->resend_after == 0) {
		first_syn(worker, flow, false);
	} else if (passed(worker, young->connect_started + worker->config->timeouts.connect_total)) {
		/* This one may just have been asked. */
		if (young->resend_after > SYN_RTO_MS)
			host_failed(worker, flow->host, true);
		answer_start(worker, flow, ANSWER_CONNECT_FAILED);
	} else if (passed(worker, young->attempt_ends)) {
		connect_failed(worker, flow, true);
	} else if (young->syn_again) {
		change_port(worker, flow);
	} else {
		host_suspect(worker, flow->host);
		young->resend_after *= 2;
		send_syn(worker, flow);
	}
}
