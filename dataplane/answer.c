/* Answers of our own, where no router host can be had: an HTTP status or a TLS alert, then FIN. A small TCP sender with
 * one buffer; what the client still sends is acknowledged and thrown away, so that no RST overtakes the answer. */
#include "dataplane/core.h"

#include <stdio.h>
#include <string.h>

#include "common/tcp_seq.h"

static const struct {
	enum counter counter;
	const char *status; /* of HTTP; NULL: no answer, just FIN */
	const char *reason;
	uint8_t alert; /* of TLS (RFC 8446 6); 0: no answer, just FIN */
} answers[ANSWER_COUNT] = {
    [ANSWER_UNKNOWN_NAME] = {counter_answer_unknown_name, "404 Not Found", "no route has the host name", 112},
    [ANSWER_NO_NAME] = {counter_answer_no_name, "404 Not Found", "the request names no host", 112},
    [ANSWER_NOT_SERVED] = {counter_answer_not_served, "503 Service Unavailable",
                           "no cluster serves on this port the host name", 112},
    [ANSWER_UNHEALTHY] = {counter_answer_unhealthy, "503 Service Unavailable", "no healthy router serves the host name",
                          80},
    [ANSWER_CONNECT_FAILED] = {counter_answer_connect_failed, "503 Service Unavailable",
                               "no router accepted a connection for the host name", 80},
    [ANSWER_MALFORMED] = {counter_answer_malformed, "400 Bad Request", "the request is malformed", 50},
    [ANSWER_TOO_LARGE] = {counter_answer_too_large, "400 Bad Request", "the request head is too large", 50},
    [ANSWER_TIMEOUT] = {counter_answer_timeout, "408 Request Timeout", "the request head did not come in time", 0},
    [ANSWER_SILENT] = {counter_closed_silent, NULL, NULL, 0},
};

static uint16_t write_http(uint8_t *out, enum answer answer, const char *name)
{
	char body[384];
	int body_len =
	    snprintf(body, sizeof(body), "pointsman: %s%s%s\n", answers[answer].reason, *name ? " " : "", name);
	bool retry = strncmp(answers[answer].status, "503", 3) == 0;
	int len = snprintf((char *)out, ANSWER_MAX,
	                   "HTTP/1.1 %s\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: close\r\n"
	                   "Cache-Control: no-store\r\n%s\r\n%s",
	                   answers[answer].status, body_len, retry ? "Retry-After: 5\r\n" : "", body);
	return (uint16_t)len;
}

static uint16_t write_alert(uint8_t *out, enum answer answer)
{
	const uint8_t alert[7] = {21, 3, 3, 0, 2, 2, answers[answer].alert}; /* record, TLS 1.2, length, fatal */
	memcpy(out, alert, sizeof(alert));
	return sizeof(alert);
}

static uint16_t write_answer(const struct worker *worker, const struct flow *flow, struct young *young)
{
	enum answer answer = young->answer;
	if (worker->vips[flow->vip].tls)
		return answers[answer].alert ? write_alert(young->small, answer) : 0;
	bool named = answer == ANSWER_UNKNOWN_NAME || answer == ANSWER_NOT_SERVED || answer == ANSWER_UNHEALTHY ||
	             answer == ANSWER_CONNECT_FAILED;
	young->name.text[young->name.len] = '\0';
	return answers[answer].status ? write_http(young->small, answer, named ? young->name.text : "") : 0;
}

/* Sends from offset `from` on, as far as the client's window goes; the FIN is the last byte. */
static void send_answer(struct worker *worker, struct flow *flow, uint32_t from)
{
	struct young *young = flow_young(worker, flow);
	uint32_t edge = young->answer_acked + ((uint32_t)young->client_window << flow->client_scale);
	uint32_t to = edge < young->answer_len ? edge : young->answer_len;
	if (to < from)
		to = from;
	do {
		uint32_t length = to - from < young->client_mss ? to - from : young->client_mss;
		bool last = from + length >= young->answer_len;
		if (from > young->answer_len || (length == 0 && !last))
			break;
		emit(worker, flow, SIDE_CLIENT, TCP_ACK | (last ? TCP_PSH | TCP_FIN : 0), young->cookie + 1 + from,
		     head_next(young), head_window(worker, young), NULL, 0, young->small + from, (uint16_t)length,
		     counter_tx_answer);
		from += length + last;
	} while (from < to);
	if (from > young->answer_sent)
		young->answer_sent = (uint16_t)from;
	uint32_t limit = young->answer_started + ANSWER_LIMIT_MS, again = worker->now + young->resend_after;
	flow_timer_at(worker, flow, seq_before(again, limit) ? again : limit);
}

void answer_start(struct worker *worker, struct flow *flow, enum answer answer)
{
	struct young *young = flow_young(worker, flow);
	count(worker, answers[answer].counter);
	flow_unbind_router(worker, flow);
	flow_set_state(worker, flow, FLOW_ANSWER);
	young->answer = (uint8_t)answer;
	young->answer_len = young->answer_acked = young->answer_sent = 0;
	recording_refused(worker, flow);
	young->answer_len = write_answer(worker, flow, young);
	young->answer_started = worker->now;
	young->resend_after = SYN_RTO_MS;
	/* From now on everything in order is acknowledged and thrown away, and nothing is held. */
	young->discards = true;
	young->range_count = 0;
	young->fin_seen = young->fin_seen && young->fin_at == young->received;
	send_answer(worker, flow, 0);
}

/* Takes what is in order, without keeping it. */
static bool discard(struct young *young, const struct packet *packet)
{
	uint32_t next = head_next(young);
	uint32_t end = packet->seq + packet->payload_len;
	bool fin = packet->flags & TCP_FIN;
	if (packet->payload_len == 0 && !fin)
		return false;
	if (!young->fin_seen && seq_before_eq(packet->seq, next) && seq_before_eq(next, end)) {
		young->received = end - (young->client_isn + 1);
		young->fin_seen = fin;
		young->fin_at = young->received;
	}
	return true;
}

void answer_receive(struct worker *worker, struct flow *flow, struct frame *frame, const struct packet *packet)
{
	struct young *young = flow_young(worker, flow);
	if (!young_accept(worker, flow, frame, packet, young->cookie + 1 + young->answer_sent))
		return;
	uint16_t acked = (uint16_t)(packet->ack - (young->cookie + 1));
	bool news = acked > young->answer_acked;
	if (news)
		young->answer_acked = acked;
	bool everything = young->answer_acked == young->answer_len + 1;
	if (discard(young, packet))
		reply_ack(worker, frame, packet, young->cookie + 1 + young->answer_sent, head_next(young),
		          head_window(worker, young));
	else
		frame_absorb(worker, frame);
	if (everything && young->fin_seen)
		flow_destroy(worker, flow);
	else if (news && young->answer_sent <= young->answer_len)
		send_answer(worker, flow, young->answer_sent);
}

void answer_timer(struct worker *worker, struct flow *flow)
{
	struct young *young = flow_young(worker, flow);
	if (worker->now - young->answer_started >= ANSWER_LIMIT_MS) {
		emit_rst(worker, flow, SIDE_CLIENT, young->cookie + 1 + young->answer_acked);
		flow_destroy(worker, flow);
		return;
	}
	if (young->answer_acked == young->answer_len + 1) {
		flow_timer_at(worker, flow, young->answer_started + ANSWER_LIMIT_MS);
		return;
	}
	young->resend_after *= 2;
	send_answer(worker, flow, young->answer_acked);
}
