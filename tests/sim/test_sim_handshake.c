/* Cookies under loss, age and attack: lost handshake ACKs and first segments, a SYN repeated across a change of the
 * epoch, random ACKs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/cookie.h"
#include "sim_app.h"

enum { EPOCH = 8 * SIM_SECOND };

/* Loses the first transmission of the handshake's ACK and of the first `segments` data segments. */
struct first_loss {
	bool ack;
	unsigned segments;
	uint32_t lost_to; /* sequence numbers before it were lost once */
	bool seen_data, seen_ack;
};

static void lose_first(void *context, struct sim_link *link, const struct sim_segment *segment, unsigned ordinal,
                       struct sim_verdict *verdict)
{
	struct first_loss *loss = context;
	if (!segment || (segment->flags & SIM_SYN))
		return;
	if (segment->payload_len == 0 && !loss->seen_ack) {
		loss->seen_ack = true;
		verdict->drop = loss->ack;
	} else if (segment->payload_len > 0 && loss->segments > 0 &&
	           (!loss->seen_data || (int32_t)(segment->seq - loss->lost_to) >= 0)) {
		loss->seen_data = true;
		loss->lost_to = segment->seq + segment->payload_len;
		loss->segments--;
		verdict->drop = true;
	}
}

static void run_first_loss(unsigned number, bool tls, bool ack, unsigned segments)
{
	if (!sim_wanted(20, number))
		return;
	struct rig *rig = rig_new(sim_seed(20, number));
	struct first_loss loss = {.ack = ack, .segments = segments};
	snprintf(rig->sim->label, sizeof(rig->sim->label), "handshake ACK %s, first %u segments lost",
	         ack ? "lost" : "arrives", segments);
	rig->north_in.filter = lose_first;
	rig->north_in.filter_context = &loss;
	rig_start(rig);
	struct app_plan plan = {.name = "only1.ch",
	                        .tls = tls,
	                        .head_len = 4500,
	                        .up = 3000,
	                        .down = 3000,
	                        .write_size = number % 2 ? 900 : 0};
	app_start(rig, &plan);
	rig_run_all(rig, 20 * SIM_SECOND);
	rig_expect(rig, counter_connections, 1);
	if (ack && segments > 0 && rig_counter(rig, counter_drop_cookie_stale) == 0)
		sim_fail(rig->sim, "later segments were not recognized as such");
	rig_expect(rig, counter_answered_rst, 0);
	rig_end(rig, 5 * SIM_SECOND);
}

static void test_first_segments_lost(void **state)
{
	for (unsigned tls = 0; tls < 2; tls++)
		for (unsigned ack = 0; ack < 2; ack++)
			for (unsigned segments = 0; segments <= 3; segments++)
				for (unsigned i = 0; i < 4; i++)
					run_first_loss(((tls * 2 + ack) * 4 + segments) * 4 + i, tls, ack, segments);
}

/* Holds back or loses SYN-ACKs, so that the client repeats its SYN. */
struct syn_ack_fate {
	unsigned lost;       /* so many at first */
	uint64_t first_late; /* delay of the first that is not lost */
	unsigned seen;
};

static void delay_syn_ack(void *context, struct sim_link *link, const struct sim_segment *segment, unsigned ordinal,
                          struct sim_verdict *verdict)
{
	struct syn_ack_fate *fate = context;
	if (!segment || !(segment->flags & SIM_SYN))
		return;
	unsigned n = fate->seen++;
	verdict->drop = n < fate->lost;
	if (n == fate->lost)
		verdict->delay_us = fate->first_late;
}

/* The client starts `before` the change of the epoch; its SYN is repeated after 1 s. */
static void run_epoch(unsigned number, uint64_t before, unsigned lost, uint64_t late)
{
	if (!sim_wanted(21, number))
		return;
	struct rig *rig = rig_new(sim_seed(21, number));
	struct syn_ack_fate fate = {.lost = lost, .first_late = late};
	snprintf(rig->sim->label, sizeof(rig->sim->label),
	         "SYN %llu us before a new epoch, %u SYN-ACKs lost, then %llu us late", (unsigned long long)before,
	         lost, (unsigned long long)late);
	rig->north_out.filter = delay_syn_ack;
	rig->north_out.filter_context = &fate;
	rig_start(rig);
	uint64_t next = (rig->sim->now + before) / EPOCH * EPOCH + EPOCH - before;
	rig_run(rig, next - rig->sim->now);
	struct app_plan plan = {.name = "only2.ch", .down = 2000};
	app_start(rig, &plan);
	rig_run_all(rig, 60 * SIM_SECOND);
	rig_expect(rig, counter_connections, 1);
	rig_end(rig, 5 * SIM_SECOND);
}

static void test_epoch_change(void **state)
{
	static const uint64_t before[] = {1, 150, 250, 400, 1000, 500000, 999900, 1000050, 1000150, 1500000, 7900000};
	static const uint64_t late[] = {0, 50, 999000, 1000000, 1001000, 2500000, 6500000};
	for (unsigned b = 0; b < 11; b++)
		for (unsigned l = 0; l < 7; l++)
			for (unsigned lost = 0; lost < 3; lost++)
				run_epoch((b * 7 + l) * 3 + lost, before[b], lost, late[l]);
}

/* True if `seen` lies within 5 standard deviations of a rare event that is expected `want` times. */
static bool plausible(double seen, double want)
{
	return (seen - want) * (seen - want) <= 25 * want + 9;
}

/* ACKs that nobody has earned: of 2^23 one is believed, 1 in 2^11 of the others looks like a later segment of a real
 * handshake; all others get RST. */
static void swallow(void *context, const uint8_t *frame, uint16_t len, bool corrupted)
{
}

static void test_random_acks(void **state)
{
	unsigned count = 1000000 * sim_factor();
	if (count > 100000000)
		count = 100000000;
	struct rig *rig = rig_new(sim_seed(22, 0));
	snprintf(rig->sim->label, sizeof(rig->sim->label), "%u random ACKs", count);
	rig->north_out.deliver = swallow;
	rig->sent_limit = 2ULL * count;
	rig->wild_births = true;
	rig_start(rig);
	struct sim_segment segment = {
	    .destination = RIG_VIP,
	    .destination_port = 80,
	    .flags = SIM_ACK,
	    .window = 500,
	    .window_scale = SIM_NO_SCALE,
	    .source_mac = rig->client.mac,
	    .destination_mac = rig->client.gateway_mac,
	};
	for (unsigned i = 0; i < count; i++) {
		uint8_t frame[SIM_FRAME_MAX];
		uint64_t random = sim_random(rig->sim);
		segment.source = RIG_CLIENTS | (uint32_t)(random & 0x1ffff);
		segment.source_port = (uint16_t)(1024 + (random >> 17) % 60000);
		segment.seq = (uint32_t)sim_random(rig->sim);
		segment.ack = (uint32_t)sim_random(rig->sim);
		rig_inject(rig, 0, frame, sim_segment_write(frame, &segment));
		if (i % 32 == 31)
			rig_run(rig, 150);
	}
	rig_run(rig, 10 * SIM_MS);
	double believed = (double)rig_counter(rig, counter_connections),
	       stale = (double)rig_counter(rig, counter_drop_cookie_stale);
	double want = count / 8388608.0, want_stale = count / 2048.0;
	printf("%u random ACKs: %.0f believed (%.1f expected), %.0f later segments (%.1f)\n", count, believed, want,
	       stale, want_stale);
	if (!plausible(believed, want) || !plausible(stale, want_stale))
		sim_fail(rig->sim, "this is not the share of a 23-bit hash");
	rig_expect(rig, counter_answered_rst, count - (uint64_t)believed - (uint64_t)stale);
	rig_run(rig, 10 * SIM_MS);
	rig_drop(rig);
}

/* The hash by itself, which is much faster: both parts by chance, and a right cookie in its own epoch and the next. */
static void test_cookie_alone(void **state)
{
	struct siphash_key secret = {0x0123456789abcdef, 0xfedcba9876543210};
	struct cookie_tuple tuple = {.client_port = 4000, .vip_port = 80};
	struct cookie_options options = {1460, 7, true}, read;
	unsigned valid = 0, stale = 0, count = 2000000 * (sim_factor() < 100 ? sim_factor() : 100);
	struct sim *sim = sim_create(sim_seed(23, 0));
	tuple.client = address_from_v4(0x010012c6);
	tuple.vip = address_from_v4(0x0a6433c6);
	for (unsigned i = 0; i < count; i++) {
		uint64_t random = sim_random(sim);
		enum cookie_verdict verdict =
		    cookie_check(&secret, &tuple, (uint32_t)random, (uint32_t)(random >> 32), i >> 12, &read);
		valid += verdict == COOKIE_VALID;
		stale += verdict == COOKIE_STALE;
	}
	sim_check(sim, plausible(stale, count / 2048.0));
	sim_check(sim, plausible(valid, count / 8388608.0));
	for (uint64_t epoch = 5; epoch < 40; epoch++) {
		uint32_t cookie = cookie_make(&secret, &tuple, 77, &options, epoch);
		sim_check(sim, cookie_check(&secret, &tuple, 77, cookie, epoch, &read) == COOKIE_VALID);
		sim_check(sim, read.mss == 1460);
		sim_check(sim, read.window_scale == 7);
		sim_check(sim, read.sack_permitted);
		sim_check(sim, cookie_check(&secret, &tuple, 77, cookie, epoch + 1, &read) == COOKIE_VALID);
		sim_check(sim, cookie_check(&secret, &tuple, 77, cookie, epoch + 2, &read) != COOKIE_VALID);
		sim_check(sim, cookie_check(&secret, &tuple, 77, cookie, epoch - 1, &read) != COOKIE_VALID);
	}
	sim_destroy(sim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_first_segments_lost),
	    cmocka_unit_test(test_epoch_change),
	    cmocka_unit_test(test_random_acks),
	    cmocka_unit_test(test_cookie_alone),
	};
	return sim_run_tests(tests);
}
