/* The endpoint's life, its sending half and its timers. What it does with what it receives is in sim_tcp_input.c. */
#include "sim_tcp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
	RTO_FIRST = 1000 * SIM_MS,
	RTO_MIN = 200 * SIM_MS,
	RTO_MAX = 120 * SIM_SECOND,
	FIN_WAIT_2_MAX = 60 * SIM_SECOND,
	INITIAL_WINDOW = 10, /* segments (RFC 6928) */
	SYN_RETRIES = 6,
};

/* ---- life ---- */

static unsigned bucket_of(uint32_t local, uint16_t local_port, uint32_t remote, uint16_t remote_port)
{
	uint32_t h =
	    local * 0x9e3779b1u ^ remote * 0x85ebca6bu ^ ((uint32_t)local_port << 16 | remote_port) * 0xc2b2ae35u;
	return (h ^ h >> 15) % 1024;
}

static void fire_timer(void *context);
static void fire_ack_timer(void *context);

struct sim_tcp *sim_tcp_new(struct sim_host *host, const struct sim_tcp_params *params,
                            const struct sim_tcp_events *events, void *context)
{
	struct sim_tcp *tcp = calloc(1, sizeof(*tcp));
	assert_non_null(tcp);
	tcp->host = host;
	tcp->params = *params;
	if (tcp->params.retries == 0)
		tcp->params.retries = 15;
	tcp->events = events;
	tcp->context = context;
	tcp->rto = RTO_FIRST;
	tcp->peer_mss = 536;
	tcp->peer_scale = SIM_NO_SCALE;
	tcp->timer = (struct sim_event){.fire = fire_timer, .context = tcp};
	tcp->ack_timer = (struct sim_event){.fire = fire_ack_timer, .context = tcp};
	tcp->next = host->all;
	host->all = tcp;
	return tcp;
}

struct sim_tcp *sim_tcp_find(const struct sim_host *host, uint32_t local, uint16_t local_port, uint32_t remote,
                             uint16_t remote_port)
{
	struct sim_tcp *tcp = host->buckets[bucket_of(local, local_port, remote, remote_port)];
	while (tcp && (tcp->local != local || tcp->remote != remote || tcp->local_port != local_port ||
	               tcp->remote_port != remote_port))
		tcp = tcp->next_in_bucket;
	return tcp;
}

void sim_tcp_insert(struct sim_tcp *tcp)
{
	unsigned bucket = bucket_of(tcp->local, tcp->local_port, tcp->remote, tcp->remote_port);
	tcp->next_in_bucket = tcp->host->buckets[bucket];
	tcp->host->buckets[bucket] = tcp;
}

void sim_tcp_remove(struct sim_tcp *tcp)
{
	unsigned bucket = bucket_of(tcp->local, tcp->local_port, tcp->remote, tcp->remote_port);
	for (struct sim_tcp **at = &tcp->host->buckets[bucket]; *at; at = &(*at)->next_in_bucket)
		if (*at == tcp) {
			*at = tcp->next_in_bucket;
			break;
		}
	sim_cancel(tcp->host->sim, &tcp->timer);
	sim_cancel(tcp->host->sim, &tcp->ack_timer);
	tcp->state = SIM_CLOSED;
}

static void free_buffers(struct sim_tcp *tcp)
{
	free(tcp->in);
	free(tcp->out);
	tcp->in = tcp->out = NULL;
	tcp->in_room = tcp->out_room = 0;
}

void sim_tcp_close(struct sim_tcp *tcp, enum sim_tcp_end end)
{
	if (tcp->state != SIM_CLOSED)
		sim_tcp_remove(tcp);
	if (tcp->end != SIM_END_NONE)
		return;
	tcp->end = end;
	tcp->closed_at = tcp->host->sim->now;
	if (tcp->events->closed)
		tcp->events->closed(tcp, tcp->context, end);
}

void sim_tcp_enter_time_wait(struct sim_tcp *tcp)
{
	tcp->state = SIM_TIME_WAIT;
	tcp->challenged_at = 0;
	sim_cancel(tcp->host->sim, &tcp->ack_timer);
	sim_schedule(tcp->host->sim, &tcp->timer, tcp->host->sim->now + tcp->host->time_wait_us);
	if (tcp->end != SIM_END_NONE)
		return;
	tcp->end = SIM_END_NORMAL;
	tcp->closed_at = tcp->host->sim->now;
	if (tcp->events->closed)
		tcp->events->closed(tcp, tcp->context, SIM_END_NORMAL);
}

void sim_host_close(struct sim_host *host)
{
	while (host->all) {
		struct sim_tcp *tcp = host->all;
		host->all = tcp->next;
		sim_cancel(host->sim, &tcp->timer);
		sim_cancel(host->sim, &tcp->ack_timer);
		free_buffers(tcp);
		free(tcp);
	}
	memset(host->buckets, 0, sizeof(host->buckets));
}

/* ---- segments ---- */

static void send_segment(struct sim_host *host, struct sim_segment *segment)
{
	uint8_t frame[SIM_FRAME_MAX];
	if (host->silent)
		return;
	segment->source_mac = host->mac;
	segment->destination_mac = host->gateway_mac;
	uint16_t len = sim_segment_write(frame, segment);
	sim_link_send(host->out, frame, len);
}

void sim_host_reset(struct sim_host *host, const struct sim_segment *segment)
{
	bool ack = segment->flags & SIM_ACK;
	uint32_t len = segment->payload_len + !!(segment->flags & SIM_SYN) + !!(segment->flags & SIM_FIN);
	struct sim_segment reset = {
	    .source = segment->destination,
	    .destination = segment->source,
	    .source_port = segment->destination_port,
	    .destination_port = segment->source_port,
	    .seq = ack ? segment->ack : 0,
	    .ack = ack ? 0 : segment->seq + len,
	    .flags = ack ? SIM_RST : SIM_RST | SIM_ACK,
	    .window_scale = SIM_NO_SCALE,
	};
	host->resets_sent++;
	send_segment(host, &reset);
}

/* The field that offers the window, and the edge that it offers (which never moves left). */
static uint16_t offer(struct sim_tcp *tcp, bool syn)
{
	int64_t space = sim_max(tcp->params.receive_buffer - (tcp->rcv_nxt - tcp->consumed), 0);
	bool scaled = !syn && tcp->params.window_scale != SIM_NO_SCALE && tcp->peer_scale != SIM_NO_SCALE;
	unsigned shift = scaled ? tcp->params.window_scale : 0;
	int64_t standing = tcp->rcv_adv - tcp->rcv_nxt;
	int64_t field = space >> shift;
	if (field << shift < standing)
		field = (standing + (1 << shift) - 1) >> shift;
	if (field > 65535)
		field = 65535;
	tcp->rcv_adv = sim_max(tcp->rcv_adv, tcp->rcv_nxt + (field << shift));
	return (uint16_t)field;
}

static struct sim_segment segment_of(struct sim_tcp *tcp, uint8_t flags, int64_t seq)
{
	return (struct sim_segment){
	    .source = tcp->local,
	    .destination = tcp->remote,
	    .source_port = tcp->local_port,
	    .destination_port = tcp->remote_port,
	    .seq = tcp->iss + (uint32_t)seq,
	    .ack = flags & SIM_ACK ? tcp->irs + (uint32_t)tcp->rcv_nxt : 0,
	    .flags = flags,
	    .window_scale = SIM_NO_SCALE,
	};
}

/* D-SACK first (RFC 2883), then the range received last, then the others (RFC 2018 4). */
static void put_sack(struct sim_tcp *tcp, struct sim_segment *segment)
{
	segment->sack_shift = tcp->params.sack_shift;
	if (!tcp->peer_sack)
		return;
	if (tcp->dsack_right > 0) {
		segment->sack[0].left = tcp->irs + (uint32_t)tcp->dsack_left;
		segment->sack[0].right = tcp->irs + (uint32_t)tcp->dsack_right;
		segment->sack_count = 1;
		tcp->dsack_right = 0;
	}
	for (int pass = 0; pass < 2; pass++)
		for (unsigned i = tcp->held.count; i-- > 0 && segment->sack_count < SIM_SACK_MAX;) {
			int64_t left = tcp->held.at[i].left, right = tcp->held.at[i].right;
			bool recent = left <= tcp->recent_left && tcp->recent_left < right;
			if (recent != (pass == 0))
				continue;
			segment->sack[segment->sack_count].left = tcp->irs + (uint32_t)left;
			segment->sack[segment->sack_count++].right = tcp->irs + (uint32_t)right;
		}
}

static void acknowledged(struct sim_tcp *tcp)
{
	tcp->ack_owed = 0;
	tcp->ack_now = false;
	sim_cancel(tcp->host->sim, &tcp->ack_timer);
}

void sim_tcp_acknowledge(struct sim_tcp *tcp)
{
	struct sim_segment segment = segment_of(tcp, SIM_ACK, tcp->snd_max);
	segment.window = offer(tcp, false);
	put_sack(tcp, &segment);
	acknowledged(tcp);
	send_segment(tcp->host, &segment);
}

void sim_tcp_send_syn(struct sim_tcp *tcp)
{
	bool passive = tcp->state == SIM_SYN_RECEIVED;
	struct sim_segment segment = segment_of(tcp, passive ? SIM_SYN | SIM_ACK : SIM_SYN, 0);
	segment.mss = tcp->params.mss;
	bool scale = tcp->params.window_scale != SIM_NO_SCALE && (!passive || tcp->peer_scale != SIM_NO_SCALE);
	segment.window_scale = scale ? tcp->params.window_scale : SIM_NO_SCALE;
	segment.sack_permitted = tcp->params.sack && (!passive || tcp->peer_sack);
	segment.window = offer(tcp, true);
	if (tcp->snd_max == 0) {
		tcp->rtt_seq = 1;
		tcp->rtt_at = tcp->host->sim->now;
	}
	tcp->snd_nxt = tcp->snd_max = 1;
	send_segment(tcp->host, &segment);
}

/* SACK blocks cost room for data (RFC 6691). */
static int64_t segment_room(const struct sim_tcp *tcp)
{
	int64_t mss = tcp->peer_mss < 1460 ? tcp->peer_mss : 1460;
	unsigned blocks = tcp->held.count + (tcp->dsack_right > 0);
	if (tcp->peer_sack && blocks > 0)
		mss -= (tcp->params.sack_shift + 2 + 3) / 4 * 4 + 8 * (blocks < SIM_SACK_MAX ? blocks : SIM_SACK_MAX);
	return mss;
}

static void transmit(struct sim_tcp *tcp, int64_t from, int64_t len, bool fin)
{
	struct sim_segment segment = segment_of(tcp, SIM_ACK, from);
	bool last = from + len == sim_tcp_data_end(tcp);
	segment.flags |= (fin ? SIM_FIN : 0) | (len > 0 && last ? SIM_PSH : 0);
	segment.payload = len > 0 ? tcp->out + from - 1 : NULL;
	segment.payload_len = (uint16_t)len;
	segment.window = offer(tcp, false);
	put_sack(tcp, &segment);
	acknowledged(tcp);
	if (from < tcp->snd_max) {
		tcp->retransmits++;
		if (tcp->rtt_seq > from)
			tcp->rtt_seq = 0; /* Karn's rule */
	} else if (tcp->rtt_seq == 0) {
		tcp->rtt_seq = from + len + fin;
		tcp->rtt_at = tcp->host->sim->now;
	}
	send_segment(tcp->host, &segment);
}

int64_t sim_tcp_retransmit(struct sim_tcp *tcp, int64_t from)
{
	int64_t end = sim_tcp_data_end(tcp), limit = sim_min(end, tcp->snd_max);
	for (unsigned i = 0; i < tcp->sacked.count; i++)
		if (tcp->sacked.at[i].left > from) {
			limit = sim_min(limit, tcp->sacked.at[i].left);
			break;
		}
	int64_t len = sim_max(sim_min(segment_room(tcp), limit - from), 0);
	int64_t room = tcp->snd_una + tcp->snd_wnd - from;
	if (room > 0)
		len = sim_min(len, room); /* the peer has shrunk its window */
	bool fin = tcp->fin_queued && from + len == end && tcp->snd_max > end;
	transmit(tcp, from, len, fin);
	return from + len + fin;
}

static void skip_sacked(struct sim_tcp *tcp)
{
	for (unsigned i = 0; i < tcp->sacked.count; i++)
		if (tcp->sacked.at[i].left <= tcp->snd_nxt && tcp->snd_nxt < tcp->sacked.at[i].right)
			tcp->snd_nxt = tcp->sacked.at[i].right;
}

/* What may be sent at snd_nxt now; false: nothing. */
static bool next_segment(struct sim_tcp *tcp, int64_t *len, bool *fin)
{
	skip_sacked(tcp);
	int64_t end = sim_tcp_data_end(tcp), unsent = end - tcp->snd_nxt, room_mss = segment_room(tcp);
	int64_t in_flight = tcp->snd_nxt - tcp->snd_una;
	int64_t room = sim_min(tcp->snd_wnd, tcp->cwnd) - in_flight;
	if (unsent < 0 || room <= 0)
		return false;
	*len = sim_min(sim_min(unsent, room_mss), room);
	*fin = tcp->fin_queued && *len == unsent && room > *len;
	if (*len == 0 && !*fin)
		return false;
	bool part = *len < room_mss;
	if (part && *len < unsent && in_flight > 0)
		return false; /* the window cuts it: wait for more (RFC 9293 3.8.6.2.1) */
	if (part && tcp->params.nagle && !*fin && in_flight > 0 && tcp->snd_nxt == tcp->snd_max)
		return false;
	return true;
}

static bool may_send_data(const struct sim_tcp *tcp)
{
	return tcp->state >= SIM_ESTABLISHED && tcp->state <= SIM_LAST_ACK;
}

void sim_tcp_output(struct sim_tcp *tcp)
{
	int64_t len;
	bool fin, idle = tcp->snd_una == tcp->snd_max;
	if (!may_send_data(tcp) || tcp->vanished)
		return;
	while (next_segment(tcp, &len, &fin)) {
		transmit(tcp, tcp->snd_nxt, len, fin);
		tcp->snd_nxt += len + fin;
		tcp->snd_max = sim_max(tcp->snd_max, tcp->snd_nxt);
		if (fin && tcp->state == SIM_ESTABLISHED)
			tcp->state = SIM_FIN_WAIT_1;
		else if (fin && tcp->state == SIM_CLOSE_WAIT)
			tcp->state = SIM_LAST_ACK;
	}
	sim_tcp_set_timer(tcp, idle && tcp->snd_una < tcp->snd_max);
}

/* ---- timers ---- */

static bool wants_probe(const struct sim_tcp *tcp)
{
	int64_t last = sim_tcp_data_end(tcp) + tcp->fin_queued;
	return tcp->snd_una == tcp->snd_max && tcp->snd_max < last;
}

void sim_tcp_set_timer(struct sim_tcp *tcp, bool restart)
{
	struct sim *sim = tcp->host->sim;
	if (tcp->state == SIM_TIME_WAIT || tcp->state == SIM_CLOSED)
		return;
	bool wanted = tcp->snd_una < tcp->snd_max || (may_send_data(tcp) && wants_probe(tcp));
	if (!wanted && tcp->state == SIM_FIN_WAIT_2) {
		if (restart || tcp->timer.place == 0)
			sim_schedule(sim, &tcp->timer, sim->now + FIN_WAIT_2_MAX);
	} else if (!wanted)
		sim_cancel(sim, &tcp->timer);
	else if (restart || tcp->timer.place == 0)
		sim_schedule(sim, &tcp->timer, sim->now + tcp->rto);
}

static void back_off(struct sim_tcp *tcp)
{
	tcp->rto = tcp->rto * 2 < RTO_MAX ? tcp->rto * 2 : RTO_MAX;
	sim_tcp_set_timer(tcp, true);
}

static void probe(struct sim_tcp *tcp)
{
	struct sim_segment segment = segment_of(tcp, SIM_ACK, tcp->snd_una - 1);
	segment.window = offer(tcp, false);
	send_segment(tcp->host, &segment);
}

static void retransmission_timeout(struct sim_tcp *tcp)
{
	int64_t in_flight = tcp->snd_max - tcp->snd_una;
	tcp->ssthresh = sim_max(in_flight / 2, 2 * (int64_t)tcp->peer_mss);
	tcp->cwnd = tcp->peer_mss;
	tcp->recovering = false;
	tcp->recover = tcp->snd_max;
	tcp->dup_acks = 0;
	tcp->sacked.count = 0;
	tcp->timeouts++;
	tcp->snd_nxt = sim_tcp_retransmit(tcp, tcp->snd_una);
}

static void fire_timer(void *context)
{
	struct sim_tcp *tcp = context;
	if (tcp->state == SIM_TIME_WAIT) {
		sim_tcp_remove(tcp);
		return;
	}
	if (tcp->state == SIM_FIN_WAIT_2 && tcp->snd_una == tcp->snd_max) {
		sim_tcp_close(tcp, SIM_END_TIMEOUT);
		return;
	}
	unsigned limit = tcp->state <= SIM_SYN_RECEIVED ? SYN_RETRIES : tcp->params.retries;
	if (++tcp->attempts > limit) {
		sim_tcp_close(tcp, SIM_END_TIMEOUT);
		return;
	}
	if (tcp->state == SIM_SYN_SENT || tcp->state == SIM_SYN_RECEIVED) {
		tcp->rtt_seq = 0;
		sim_tcp_send_syn(tcp);
	} else if (tcp->snd_una < tcp->snd_max)
		retransmission_timeout(tcp);
	else
		probe(tcp);
	back_off(tcp);
}

static void fire_ack_timer(void *context)
{
	sim_tcp_acknowledge(context);
}

void sim_tcp_measure(struct sim_tcp *tcp, int64_t acknowledged_to)
{
	tcp->attempts = 0;
	if (tcp->rtt_seq > 0 && acknowledged_to >= tcp->rtt_seq) {
		uint64_t sample = tcp->host->sim->now - tcp->rtt_at;
		uint64_t error = sample > tcp->srtt ? sample - tcp->srtt : tcp->srtt - sample;
		tcp->rttvar = tcp->srtt ? (3 * tcp->rttvar + error) / 4 : sample / 2;
		tcp->srtt = tcp->srtt ? (7 * tcp->srtt + sample) / 8 : sample;
		tcp->rtt_seq = 0;
	}
	uint64_t margin = 4 * tcp->rttvar;
	tcp->rto = tcp->srtt ? tcp->srtt + (margin > RTO_MIN ? margin : RTO_MIN) : RTO_FIRST;
}

/* ---- what applications call ---- */

struct sim_tcp *sim_tcp_connect(struct sim_host *host, uint32_t local, uint16_t local_port, uint32_t remote,
                                uint16_t remote_port, uint32_t iss, const struct sim_tcp_params *params,
                                const struct sim_tcp_events *events, void *context)
{
	struct sim_tcp *tcp = sim_tcp_new(host, params, events, context);
	tcp->local = local;
	tcp->local_port = local_port;
	tcp->remote = remote;
	tcp->remote_port = remote_port;
	tcp->iss = iss;
	tcp->state = SIM_SYN_SENT;
	sim_tcp_insert(tcp);
	sim_tcp_send_syn(tcp);
	sim_tcp_set_timer(tcp, true);
	return tcp;
}

void sim_tcp_write(struct sim_tcp *tcp, const uint8_t *bytes, size_t len)
{
	if (tcp->fin_queued || tcp->end != SIM_END_NONE || len == 0)
		return;
	if (tcp->out_len + len > tcp->out_room) {
		tcp->out_room = 2 * tcp->out_room > tcp->out_len + len ? 2 * tcp->out_room : tcp->out_len + len;
		tcp->out = realloc(tcp->out, tcp->out_room);
		assert_non_null(tcp->out);
	}
	memcpy(tcp->out + tcp->out_len, bytes, len);
	tcp->out_len += len;
	sim_tcp_output(tcp);
}

void sim_tcp_shutdown(struct sim_tcp *tcp)
{
	if (tcp->fin_queued || tcp->end != SIM_END_NONE)
		return;
	tcp->fin_queued = true;
	sim_tcp_output(tcp);
}

void sim_tcp_send_raw(struct sim_tcp *tcp, uint8_t flags, uint32_t seq, uint32_t ack, const uint8_t *payload,
                      uint16_t len)
{
	struct sim_segment segment = segment_of(tcp, flags, 0);
	segment.seq = seq;
	segment.ack = ack;
	segment.window = offer(tcp, false);
	segment.payload = payload;
	segment.payload_len = len;
	send_segment(tcp->host, &segment);
}

void sim_tcp_abort(struct sim_tcp *tcp)
{
	if (tcp->end != SIM_END_NONE)
		return;
	if (tcp->state != SIM_SYN_SENT) {
		tcp->host->resets_sent++;
		sim_tcp_send_raw(tcp, SIM_RST | SIM_ACK, tcp->iss + (uint32_t)tcp->snd_max,
		                 tcp->irs + (uint32_t)tcp->rcv_nxt, NULL, 0);
	}
	sim_tcp_close(tcp, SIM_END_ABORTED);
}

void sim_tcp_vanish(struct sim_tcp *tcp)
{
	tcp->vanished = true;
	sim_cancel(tcp->host->sim, &tcp->timer);
	sim_cancel(tcp->host->sim, &tcp->ack_timer);
	if (tcp->end != SIM_END_NONE)
		return;
	tcp->end = SIM_END_ABORTED;
	tcp->closed_at = tcp->host->sim->now;
	if (tcp->events->closed)
		tcp->events->closed(tcp, tcp->context, SIM_END_ABORTED);
}

bool sim_tcp_all_acknowledged(const struct sim_tcp *tcp)
{
	return tcp->snd_una >= sim_tcp_data_end(tcp) + tcp->fin_queued;
}
