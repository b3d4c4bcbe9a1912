/* JOINING: from the router host's SYN-ACK until it has acknowledged every byte that we acknowledged to the client
 * ourselves, and at least one byte of the head (until then a RST of it counts as refused).
 *
 * We repeat exactly the bytes that we acknowledged; what the client knows to be unacknowledged it repeats itself. The
 * acknowledgement shown to the client is never below ours and never goes back. At the change to SPLICED nothing is
 * sent. */
#include "dataplane/core.h"

#include "common/tcp_seq.h"

static uint32_t head_start(const struct young *young)
{
	return young->client_isn + 1;
}

/* Sends held bytes [from, to) as far as the router host's window allows; the client's FIN, if it is due. */
static void send_held(struct worker *worker, struct flow *flow, uint32_t from, uint32_t to, bool fin)
{
	struct young *young = flow_young(worker, flow);
	uint32_t limit = young->router_acked + flow->half[SIDE_ROUTER].window;
	uint16_t window = splice_window_to_router(flow, young->client_window);
	if (to > limit) {
		to = limit;
		fin = false;
	}
	do {
		uint32_t length = to - from < young->router_mss ? to - from : young->router_mss;
		uint8_t flags =
		    TCP_ACK | (from + length == to ? TCP_PSH : 0) | (fin && from + length == to ? TCP_FIN : 0);
		emit(worker, flow, SIDE_ROUTER, flags, head_start(young) + from, young->router_isn + 1, window, NULL, 0,
		     young->head + from, (uint16_t)length, length ? counter_tx_data : counter_tx_ack);
		from += length;
	} while (from < to);
	uint32_t end = head_start(young) + to + fin;
	flow_advance(worker, flow, SIDE_CLIENT, end);
	if (fin) {
		flow->flags |= FLOW_FIN_CLIENT;
		flow->half[SIDE_CLIENT].fin_end = end;
	}
}

static void learn_mss(struct worker *worker, uint32_t host, uint16_t mss)
{
	if (worker->health[host].mss == mss)
		return;
	worker->health[host].mss = mss;
	hosts_refresh_mss(worker);
}

static void agree(struct worker *worker, struct flow *flow, const struct packet *syn_ack)
{
	struct young *young = flow_young(worker, flow);
	struct tcp_syn_options router;
	tcp_options_read_syn(syn_ack->tcp, syn_ack->tcp_header_len, &router);
	young->router_mss = router.mss ? router.mss : 536;
	if (young->router_mss < COOKIE_MSS_MIN)
		young->router_mss = COOKIE_MSS_MIN;
	learn_mss(worker, flow->host, young->router_mss);
	uint16_t most = ports_mss(worker) < MSS_MAX ? ports_mss(worker) : MSS_MAX;
	if (young->router_mss > most)
		young->router_mss = most;
	if (young->client_sack && !router.sack_permitted)
		flow->flags |= FLOW_NO_SACK;
	if (young->client_wscale == TCP_WINDOW_SCALE_NONE)
		flow->flags |= FLOW_SAME_WINDOW;
	else if (router.window_scale == TCP_WINDOW_SCALE_NONE)
		flow->flags |= FLOW_NO_SCALE;
	else if (router.window_scale == CLIENT_SCALE)
		flow->flags |= FLOW_SAME_WINDOW;
	bool scaled = young->client_wscale != TCP_WINDOW_SCALE_NONE && router.window_scale != TCP_WINDOW_SCALE_NONE;
	flow->router_scale = scaled ? router.window_scale : 0;
}

void join_start(struct worker *worker, struct flow *flow, const struct packet *syn_ack)
{
	struct young *young = flow_young(worker, flow);
	flow->flags &= FLOW_HTTPS;
	agree(worker, flow, syn_ack);
	young->router_isn = syn_ack->seq;
	young->router_acked = 0;
	young->join_started = worker->now;
	young->shown = head_start(young) + young->acknowledged;
	young->shown_window = head_window(worker, young);
	flow->delta = young->cookie - young->router_isn;
	flow->half[SIDE_CLIENT] = (struct flow_half){
	    .end = head_start(young),
	    .acked = young->router_isn + 1,
	    .window = (uint32_t)young->client_window << flow->client_scale,
	};
	flow->half[SIDE_ROUTER] = (struct flow_half){
	    .end = young->router_isn + 1,
	    .acked = head_start(young),
	    .window = syn_ack->window, /* never scaled in a SYN */
	};
	recording_joins(worker, flow, head_start(young), young->router_isn + 1);
	flow_set_state(worker, flow, FLOW_JOINING);
	send_held(worker, flow, 0, young->received, young->fin_seen && young->fin_at == young->received);
	young->resend_after = SYN_RTO_MS;
	young->resend_at = worker->now + young->resend_after;
	flow_timer_at(worker, flow, young->resend_at);
}

static void receive_client(struct worker *worker, struct flow *flow, struct frame *frame, struct packet *packet)
{
	const struct young *young = flow_young(worker, flow);
	if (packet->flags & TCP_RST) {
		splice_reset(worker, flow, SIDE_CLIENT, frame, packet);
		return;
	}
	if (packet->flags & TCP_SYN) {
		challenge(worker, flow, frame, packet, flow->half[SIDE_ROUTER].end + flow->delta, young->shown,
		          counter_drop_stray_syn);
		return;
	}
	if (!(packet->flags & TCP_ACK)) {
		frame_drop(worker, frame, counter_drop_no_ack);
		return;
	}
	uint32_t ack = packet->ack - flow->delta;
	if (!seq_within(ack, young->router_isn + 1, flow->half[SIDE_ROUTER].end)) {
		frame_drop(worker, frame, counter_drop_ack_out_of_range);
		return;
	}
	uint32_t limit = head_start(young) + young->router_acked + flow->half[SIDE_ROUTER].window;
	if (packet->payload_len && seq_before(limit, packet->seq + packet->payload_len)) {
		frame_drop(worker, frame, counter_drop_beyond_window);
		return;
	}
	splice_note(worker, flow, SIDE_CLIENT, packet, ack, (uint32_t)packet->window << flow->client_scale);
	splice_forward(worker, flow, SIDE_CLIENT, frame, packet, ack, splice_window_to_router(flow, packet->window));
}

static bool joined(const struct young *young)
{
	return young->router_acked >= young->acknowledged && young->router_acked > 0;
}

/* The router host's window, as seen from the acknowledgement that the client is shown. */
static uint32_t shown_window(const struct young *young, uint32_t shown, uint32_t window)
{
	uint32_t edge = young->router_acked + window;
	uint32_t from = shown - head_start(young);
	return edge > from ? edge - from : 0;
}

static void forward_to_client(struct worker *worker, struct flow *flow, struct frame *frame, struct packet *packet)
{
	struct young *young = flow_young(worker, flow);
	uint32_t window = (uint32_t)packet->window << flow->router_scale;
	uint32_t shown = seq_max(head_start(young) + young->acknowledged, head_start(young) + young->router_acked);
	uint16_t field = splice_window_to_client(flow, shown_window(young, shown, window));
	bool pure = packet->payload_len == 0 && !(packet->flags & TCP_FIN);
	bool news = shown != young->shown || field != young->shown_window;
	splice_note(worker, flow, SIDE_ROUTER, packet, head_start(young) + young->router_acked, window);
	if (pure && !news) {
		frame_absorb(worker, frame);
	} else {
		young->shown = shown;
		young->shown_window = field;
		splice_forward(worker, flow, SIDE_ROUTER, frame, packet, shown, field);
	}
}

/* Refused after all: nothing was acknowledged, and the client has seen nothing of this router host. */
static bool is_late_refusal(const struct flow *flow, const struct young *young, const struct packet *packet)
{
	bool acks_head = (packet->flags & TCP_ACK) && packet->ack != head_start(young);
	return (packet->flags & TCP_RST) && !acks_head && young->router_acked == 0 &&
	       packet->seq == young->router_isn + 1 && flow->half[SIDE_ROUTER].end == young->router_isn + 1;
}

static void receive_router(struct worker *worker, struct flow *flow, struct frame *frame, struct packet *packet)
{
	struct young *young = flow_young(worker, flow);
	if (is_late_refusal(flow, young, packet)) {
		frame_absorb(worker, frame);
		connect_failed(worker, flow, false);
		return;
	}
	if (packet->flags & TCP_RST) {
		splice_reset(worker, flow, SIDE_ROUTER, frame, packet);
		return;
	}
	if (packet->flags & TCP_SYN) { /* our ACK was lost */
		reply_ack(worker, frame, packet, flow->half[SIDE_CLIENT].end, young->router_isn + 1,
		          splice_window_to_router(flow, young->client_window));
		return;
	}
	if (!(packet->flags & TCP_ACK)) {
		frame_drop(worker, frame, counter_drop_no_ack);
		return;
	}
	if (!seq_within(packet->ack, head_start(young), flow->half[SIDE_CLIENT].end)) {
		frame_drop(worker, frame, counter_drop_ack_out_of_range);
		return;
	}
	uint32_t acked = packet->ack - head_start(young);
	if (acked > young->router_acked)
		young->router_acked = acked;
	forward_to_client(worker, flow, frame, packet);
	if (joined(young)) {
		host_connected(worker, flow->host);
		flow_splice(worker, flow);
		splice_end_if_closed(worker, flow);
	}
}

void join_receive(struct worker *worker, struct flow *flow, enum side side, struct frame *frame, struct packet *packet)
{
	flow->last_seen = worker->now;
	if (packet->ttl <= 1)
		frame_drop(worker, frame, counter_drop_ttl);
	else if (side == SIDE_CLIENT)
		receive_client(worker, flow, frame, packet);
	else
		receive_router(worker, flow, frame, packet);
}

/* Too slow. The client can repeat everything itself: let it. Otherwise both sides are reset. */
static void give_up(struct worker *worker, struct flow *flow)
{
	const struct young *young = flow_young(worker, flow);
	if (young->router_acked >= young->acknowledged) {
		flow_splice(worker, flow);
		return;
	}
	flow_reset(worker, flow, RECORD_JOIN);
}

void join_timer(struct worker *worker, struct flow *flow)
{
	struct young *young = flow_young(worker, flow);
	if (worker->now - young->join_started >= JOIN_LIMIT_MS) {
		give_up(worker, flow);
		return;
	}
	if (young->router_acked < young->acknowledged)
		send_held(worker, flow, young->router_acked, young->acknowledged, false);
	young->resend_after *= 2;
	young->resend_at = worker->now + young->resend_after;
	uint32_t end = young->join_started + JOIN_LIMIT_MS;
	flow_timer_at(worker, flow, seq_before(young->resend_at, end) ? young->resend_at : end);
}
