/* Collects a client's first bytes, in any order and any pieces, until they name a host. What came is acknowledged while
 * the head is incomplete (a client with Nagle's algorithm waits for that); the segment that completes it is not, so
 * that the router host's acknowledgement travels back. Held bytes are copied out of the frames. */
#include "dataplane/core.h"

#include <string.h>

#include "common/http_host.h"
#include "common/tcp_seq.h"
#include "common/tls_sni.h"

/* A scaled window is rounded up to 128 bytes, and a head that was invited must fit. */
uint32_t head_capacity(const struct worker *worker)
{
	return worker->config->limits.head_bytes + (1u << CLIENT_SCALE);
}

uint16_t head_window(const struct worker *worker, const struct young *young)
{
	uint32_t limit = worker->config->limits.head_bytes;
	uint32_t left = young->acknowledged < limit ? limit - young->acknowledged : 0;
	if (young->discards)
		left = limit;
	if (young->client_wscale == TCP_WINDOW_SCALE_NONE)
		return (uint16_t)left;
	return (uint16_t)((left + (1u << CLIENT_SCALE) - 1) >> CLIENT_SCALE);
}

uint32_t head_next(const struct young *young)
{
	bool fin = young->fin_seen && young->fin_at == young->received;
	return young->client_isn + 1 + young->received + fin;
}

uint32_t head_acknowledged(const struct young *young)
{
	return young->discards ? head_next(young) : young->client_isn + 1 + young->acknowledged;
}

static bool grow(struct worker *worker, struct young *young, uint32_t end)
{
	if (end <= YOUNG_SMALL_HEAD || young->large != YOUNG_NONE)
		return true;
	if (worker->free_large_count == 0) {
		count(worker, counter_refused_heads);
		return false;
	}
	young->large = worker->free_large[--worker->free_large_count];
	gauge_move(worker, counter_heads_large, 1);
	young->head = worker->large_heads + (size_t)young->large * head_capacity(worker);
	memcpy(young->head, young->small, YOUNG_SMALL_HEAD);
	return true;
}

/* Copies what is not there yet: the first byte received for a place wins. */
static void copy_gaps(struct young *young, uint32_t start, uint32_t end, const uint8_t *bytes)
{
	uint32_t at = start;
	for (unsigned i = 0; i < young->range_count && at < end; i++) {
		uint32_t first = young->ranges[i].first < end ? young->ranges[i].first : end;
		if (at < first)
			memcpy(young->head + at, bytes + (at - start), first - at);
		if (young->ranges[i].end > at && first < end)
			at = young->ranges[i].end;
	}
	if (at < end)
		memcpy(young->head + at, bytes + (at - start), end - at);
}

/* Adds [start, end) to the sorted ranges; what it touches becomes one. False: too many pieces. */
static bool add_range(struct young *young, uint32_t start, uint32_t end)
{
	unsigned first = 0, last;
	while (first < young->range_count && young->ranges[first].end < start)
		first++;
	for (last = first; last < young->range_count && young->ranges[last].first <= end; last++) {
		if (young->ranges[last].first < start)
			start = young->ranges[last].first;
		if (young->ranges[last].end > end)
			end = young->ranges[last].end;
	}
	if (first == last && young->range_count == YOUNG_RANGES)
		return false;
	memmove(&young->ranges[first + 1], &young->ranges[last],
	        (young->range_count - last) * sizeof(young->ranges[0]));
	young->range_count = (uint8_t)(young->range_count + 1 - (last - first));
	young->ranges[first].first = start;
	young->ranges[first].end = end;
	return true;
}

static void advance(struct young *young, uint32_t end)
{
	young->received = end;
	unsigned gone = 0;
	while (gone < young->range_count && young->ranges[gone].first <= young->received) {
		if (young->ranges[gone].end > young->received)
			young->received = young->ranges[gone].end;
		gone++;
	}
	young->range_count = (uint8_t)(young->range_count - gone);
	memmove(&young->ranges[0], &young->ranges[gone], young->range_count * sizeof(young->ranges[0]));
}

static bool fits(const struct young *young, uint32_t start)
{
	return start <= young->received || young->range_count < YOUNG_RANGES;
}

enum head_taken head_take(struct worker *worker, struct young *young, const struct packet *packet)
{
	bool fin = packet->flags & TCP_FIN;
	if (packet->payload_len == 0 && !fin)
		return HEAD_NOTHING;
	/* 64 bits hold an offset before the start as well as one behind 2 GiB. */
	int64_t first = (int32_t)(packet->seq - (young->client_isn + 1));
	int64_t end = first + packet->payload_len;
	uint32_t known = head_next(young) - (young->client_isn + 1);
	if (end + fin <= known)
		return HEAD_DUPLICATE;
	if (first > head_capacity(worker) || (first == head_capacity(worker) && packet->payload_len))
		return HEAD_BEYOND;
	if (end > head_capacity(worker)) {
		end = head_capacity(worker);
		fin = false;
	}
	uint32_t start = first > young->received ? (uint32_t)first : young->received;
	if (!fits(young, start))
		return HEAD_PIECES;
	if (end > start && !grow(worker, young, (uint32_t)end))
		return HEAD_NO_BUFFER;
	if (fin) {
		young->fin_seen = true;
		young->fin_at = (uint32_t)end;
	}
	if (end > start) {
		copy_gaps(young, start, (uint32_t)end, packet->payload + (start - first));
		if (start > young->received)
			add_range(young, start, (uint32_t)end);
		else
			advance(young, (uint32_t)end);
	}
	return head_next(young) - (young->client_isn + 1) > known ? HEAD_GREW : HEAD_HELD;
}

bool young_accept(struct worker *worker, struct flow *flow, struct frame *frame, const struct packet *packet,
                  uint32_t sent_end)
{
	struct young *young = flow_young(worker, flow);
	uint32_t next = head_next(young), acked = head_acknowledged(young);
	flow->last_seen = worker->now;
	if (packet->flags & TCP_RST) {
		bool exact = packet->seq == next || packet->seq == acked;
		if (exact) {
			frame_absorb(worker, frame);
			count(worker, counter_closed_by_client);
			flow_destroy(worker, flow);
		} else if (seq_within(packet->seq, next, next + head_capacity(worker))) {
			challenge(worker, flow, frame, packet, sent_end, acked, counter_drop_rst_out_of_window);
		} else {
			frame_drop(worker, frame, counter_drop_rst_out_of_window);
		}
		return false;
	}
	if (packet->flags & TCP_SYN) {
		challenge(worker, flow, frame, packet, sent_end, acked, counter_drop_stray_syn);
		return false;
	}
	if (!(packet->flags & TCP_ACK)) {
		frame_drop(worker, frame, counter_drop_no_ack);
		return false;
	}
	if (!seq_within(packet->ack, young->cookie + 1, sent_end)) {
		challenge(worker, flow, frame, packet, sent_end, acked, counter_drop_ack_out_of_range);
		return false;
	}
	if (!seq_before(packet->seq, acked))
		young->client_window = packet->window;
	return true;
}

static enum peek_result peek(struct worker *worker, const struct flow *flow, struct young *young)
{
	uint32_t limit = worker->config->limits.head_bytes; /* the window may have let a few more in */
	uint32_t len = young->received < limit ? young->received : limit;
	if (worker->vips[flow->vip].tls)
		return tls_sni_peek(young->head, len, &young->scanned, &young->name);
	return http_host_peek(young->head, len, &young->scanned, &young->name);
}

/* The head is as long as it will get, and names no host yet: why this ends. ANSWER_COUNT: it does not. */
static enum answer hopeless(const struct worker *worker, const struct young *young)
{
	if (young->received >= worker->config->limits.head_bytes)
		return ANSWER_TOO_LARGE;
	if (young->fin_seen && young->fin_at == young->received)
		return young->received ? ANSWER_MALFORMED : ANSWER_SILENT;
	return ANSWER_COUNT;
}

/* The head has grown. */
static void look(struct worker *worker, struct flow *flow, struct frame *frame, const struct packet *packet)
{
	struct young *young = flow_young(worker, flow);
	enum peek_result result = young->received ? peek(worker, flow, young) : PEEK_NEED_MORE;
	enum answer answer = result == PEEK_MALFORMED   ? ANSWER_MALFORMED
	                     : result == PEEK_NEED_MORE ? hopeless(worker, young)
	                                                : ANSWER_COUNT;
	if (answer != ANSWER_COUNT) {
		frame_absorb(worker, frame);
		answer_start(worker, flow, answer);
	} else if (result == PEEK_NEED_MORE) {
		young->acknowledged = young->received;
		reply_ack(worker, frame, packet, young->cookie + 1, head_next(young), head_window(worker, young));
	} else {
		frame_absorb(worker, frame);
		if (result == PEEK_NO_NAME)
			young->name.len = 0;
		connect_start(worker, flow);
	}
}

void head_receive(struct worker *worker, struct flow *flow, struct frame *frame, const struct packet *packet)
{
	struct young *young = flow_young(worker, flow);
	if (!young_accept(worker, flow, frame, packet, young->cookie + 1))
		return;
	switch (head_take(worker, young, packet)) {
	case HEAD_GREW:
		look(worker, flow, frame, packet);
		break;
	case HEAD_NOTHING:
		if (packet->seq == head_next(young)) {
			frame_absorb(worker, frame);
			break;
		}
		/* A keepalive probe or an old segment: RFC 9293 3.10.7.4 first. */
		challenge(worker, flow, frame, packet, young->cookie + 1, head_next(young), counter_drop_duplicate);
		break;
	case HEAD_HELD:
	case HEAD_DUPLICATE:
	case HEAD_BEYOND:
		reply_ack(worker, frame, packet, young->cookie + 1, head_next(young), head_window(worker, young));
		break;
	case HEAD_PIECES:
		frame_drop(worker, frame, counter_drop_no_room);
		break;
	case HEAD_NO_BUFFER:
		frame_drop(worker, frame, counter_drop_no_room);
		emit_rst(worker, flow, SIDE_CLIENT, young->cookie + 1);
		flow_destroy(worker, flow);
		break;
	}
}

void head_timer(struct worker *worker, struct flow *flow)
{
	const struct young *young = flow_young(worker, flow);
	bool silent = young->received == 0 && young->range_count == 0;
	answer_start(worker, flow, silent ? ANSWER_SILENT : ANSWER_TIMEOUT);
}
