/* The endpoint and the acknowledgements that it receives: what they confirm, SACK, duplicates and recovery, the peer's
 * window; and the ranges in which both halves remember what is out of order. */
#include "sim_tcp.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void sim_tcp_wrong(const struct sim_tcp *tcp, const char *format, ...)
{
	char text[256];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	sim_fail(tcp->host->sim, "%s port %u, peer port %u (iss %u irs %u): %s", tcp->host->name, tcp->local_port,
	         tcp->remote_port, tcp->iss, tcp->irs, text);
}

/* ---- ranges ---- */

bool sim_range_add(struct sim_ranges *ranges, int64_t left, int64_t right)
{
	unsigned first = 0;
	while (first < ranges->count && ranges->at[first].right < left)
		first++;
	unsigned last = first;
	while (last < ranges->count && ranges->at[last].left <= right) {
		left = sim_min(left, ranges->at[last].left);
		right = sim_max(right, ranges->at[last].right);
		last++;
	}
	if (first == last && ranges->count == SIM_RANGES_MAX)
		return false;
	memmove(&ranges->at[first + 1], &ranges->at[last], (ranges->count - last) * sizeof(ranges->at[0]));
	ranges->count = ranges->count - (last - first) + 1;
	ranges->at[first].left = left;
	ranges->at[first].right = right;
	return true;
}

void sim_ranges_cut(struct sim_ranges *ranges, int64_t to)
{
	unsigned gone = 0;
	while (gone < ranges->count && ranges->at[gone].right <= to)
		gone++;
	memmove(&ranges->at[0], &ranges->at[gone], (ranges->count - gone) * sizeof(ranges->at[0]));
	ranges->count -= gone;
	if (ranges->count > 0)
		ranges->at[0].left = sim_max(ranges->at[0].left, to);
}

/* ---- acknowledgements ---- */

static void sample_sack(struct sim_tcp *tcp, const struct sim_view *view)
{
	const struct sim_segment *segment = view->segment;
	if (segment->sack_count > 0 && !tcp->peer_sack)
		sim_tcp_wrong(tcp, "SACK blocks that were not negotiated");
	for (unsigned i = 0; i < segment->sack_count; i++) {
		int64_t left = sim_relative(segment->sack[i].left, tcp->iss, tcp->snd_una);
		int64_t right = sim_relative(segment->sack[i].right, tcp->iss, tcp->snd_una);
		if (left < 0 || right <= left || right > tcp->snd_max)
			sim_tcp_wrong(tcp, "SACK block %lld-%lld, but sent was up to %lld", (long long)left,
			              (long long)right, (long long)tcp->snd_max);
		if (right > view->ack)
			sim_range_add(&tcp->sacked, sim_max(left, view->ack), right);
	}
}

static bool is_dsack(const struct sim_tcp *tcp, const struct sim_view *view)
{
	return view->segment->sack_count > 0 &&
	       sim_relative(view->segment->sack[0].right, tcp->iss, tcp->snd_una) <= view->ack;
}

/* The next byte to repeat during recovery: a hole under what SACK says, or the first byte. */
static void repair(struct sim_tcp *tcp)
{
	int64_t from = sim_max(tcp->hole_next, tcp->snd_una);
	if (tcp->sacked.count == 0) {
		if (from == tcp->snd_una)
			sim_tcp_retransmit(tcp, from);
		tcp->hole_next = tcp->snd_una + 1;
		return;
	}
	for (unsigned i = 0; i < tcp->sacked.count; i++) {
		if (from < tcp->sacked.at[i].left) {
			sim_tcp_retransmit(tcp, from);
			tcp->hole_next = sim_min(from + tcp->peer_mss, tcp->sacked.at[i].left);
			return;
		}
		from = sim_max(from, tcp->sacked.at[i].right);
	}
}

static void duplicate_ack(struct sim_tcp *tcp)
{
	tcp->dup_acks++;
	if (tcp->recovering) {
		tcp->cwnd += tcp->peer_mss;
		repair(tcp);
	} else if (tcp->dup_acks == 3 && tcp->snd_una > tcp->recover) {
		int64_t in_flight = tcp->snd_max - tcp->snd_una;
		tcp->ssthresh = sim_max(in_flight / 2, 2 * (int64_t)tcp->peer_mss);
		tcp->recover = tcp->snd_max;
		tcp->recovering = true;
		tcp->cwnd = tcp->ssthresh + 3 * (int64_t)tcp->peer_mss;
		tcp->hole_next = tcp->snd_una;
		repair(tcp);
	}
}

static void advance(struct sim_tcp *tcp, int64_t ack)
{
	int64_t gained = ack - tcp->snd_una;
	tcp->snd_una = ack;
	tcp->snd_nxt = sim_max(tcp->snd_nxt, ack);
	tcp->dup_acks = 0;
	sim_ranges_cut(&tcp->sacked, ack);
	sim_tcp_measure(tcp, ack);
	if (tcp->recovering && ack >= tcp->recover) {
		tcp->recovering = false;
		tcp->cwnd = tcp->ssthresh;
	} else if (tcp->recovering) {
		tcp->cwnd = sim_max(tcp->cwnd - gained + tcp->peer_mss, tcp->peer_mss);
		if (tcp->hole_next <= ack || tcp->sacked.count == 0) {
			tcp->hole_next = ack;
			repair(tcp);
		}
	} else if (tcp->cwnd < tcp->ssthresh)
		tcp->cwnd += sim_min(gained, 2 * (int64_t)tcp->peer_mss);
	else
		tcp->cwnd += sim_max((int64_t)tcp->peer_mss * tcp->peer_mss / tcp->cwnd, 1);
	sim_tcp_set_timer(tcp, true);
}

/* The peer may round its window down to a multiple of its unit, and the balancer to one of its own. */
static void check_right_edge(struct sim_tcp *tcp, const struct sim_view *view, int64_t window)
{
	int64_t unit = tcp->peer_scale == SIM_NO_SCALE ? 1 : (int64_t)1 << tcp->peer_scale;
	int64_t edge = view->ack + window;
	if (tcp->host->in_order &&
	    edge + sim_max(unit, SIM_WINDOW_ROUNDING) + tcp->host->shrink_allowed < tcp->right_seen)
		sim_tcp_wrong(tcp, "the window shrinks: right edge was %lld, is %lld", (long long)tcp->right_seen,
		              (long long)edge);
	tcp->right_seen = sim_max(tcp->right_seen, edge);
}

void sim_tcp_take_ack(struct sim_tcp *tcp, const struct sim_view *view)
{
	const struct sim_segment *segment = view->segment;
	bool scaled = tcp->peer_scale != SIM_NO_SCALE && tcp->params.window_scale != SIM_NO_SCALE;
	int64_t window = (int64_t)segment->window << (scaled ? tcp->peer_scale : 0);
	if (view->ack > tcp->snd_max) {
		if (tcp->host->lenient)
			return;
		sim_tcp_wrong(tcp, "acknowledges %lld, but sent was up to %lld", (long long)view->ack,
		              (long long)tcp->snd_max);
	}
	if (view->ack < tcp->snd_una && tcp->host->in_order)
		sim_tcp_wrong(tcp, "acknowledgement goes back from %lld to %lld", (long long)tcp->snd_una,
		              (long long)view->ack);
	if (view->ack < tcp->snd_una) {
		sample_sack(tcp, view);
		return;
	}
	check_right_edge(tcp, view, window);
	sample_sack(tcp, view);
	bool bare = segment->payload_len == 0 && !(segment->flags & (SIM_FIN | SIM_SYN));
	bool same = view->ack == tcp->snd_una && window == tcp->snd_wnd;
	if (view->ack > tcp->snd_una)
		advance(tcp, view->ack);
	else if (tcp->snd_una == tcp->snd_max)
		tcp->attempts = 0; /* an answer to a window probe */
	else if (bare && same && !is_dsack(tcp, view)) {
		tcp->pure_duplicate_acks += segment->sack_count == 0;
		duplicate_ack(tcp);
	}
	if (view->left > tcp->wl_seq || view->ack > tcp->wl_ack ||
	    (view->left == tcp->wl_seq && window > tcp->snd_wnd)) {
		tcp->snd_wnd = window;
		tcp->wl_seq = view->left;
		tcp->wl_ack = view->ack;
	}
}
