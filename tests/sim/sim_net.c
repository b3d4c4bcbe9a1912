/* Event queue (a binary heap), chance (xoshiro256**), links, trace. */
#include "sim_net.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { TRACE_RING = 8192, TRACE_SHORT = 60 };

static uint64_t splitmix(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15ULL);
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

struct sim *sim_create(uint64_t seed)
{
	struct sim *sim = calloc(1, sizeof(*sim));
	assert_non_null(sim);
	sim->seed = seed;
	for (unsigned i = 0; i < 4; i++)
		sim->random_state[i] = splitmix(&seed);
	sim->queue_room = 256;
	sim->queue = calloc(sim->queue_room, sizeof(struct sim_event *));
	sim->trace = malloc(TRACE_RING * sizeof(*sim->trace));
	assert_non_null(sim->queue);
	assert_non_null(sim->trace);
	return sim;
}

/* ---- queue: places count from 1 ---- */

static bool earlier(const struct sim_event *a, const struct sim_event *b)
{
	return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void place(struct sim *sim, struct sim_event *event, unsigned at)
{
	sim->queue[at - 1] = event;
	event->place = at;
}

static void sift_up(struct sim *sim, struct sim_event *event, unsigned at)
{
	for (; at > 1 && earlier(event, sim->queue[at / 2 - 1]); at /= 2)
		place(sim, sim->queue[at / 2 - 1], at);
	place(sim, event, at);
}

static void sift_down(struct sim *sim, struct sim_event *event, unsigned at)
{
	for (;;) {
		unsigned child = 2 * at;
		if (child > sim->queued)
			break;
		if (child < sim->queued && earlier(sim->queue[child], sim->queue[child - 1]))
			child++;
		if (!earlier(sim->queue[child - 1], event))
			break;
		place(sim, sim->queue[child - 1], at);
		at = child;
	}
	place(sim, event, at);
}

void sim_cancel(struct sim *sim, struct sim_event *event)
{
	unsigned at = event->place;
	if (at == 0)
		return;
	event->place = 0;
	struct sim_event *last = sim->queue[--sim->queued];
	if (last == event)
		return;
	if (at > 1 && earlier(last, sim->queue[at / 2 - 1]))
		sift_up(sim, last, at);
	else
		sift_down(sim, last, at);
}

void sim_schedule(struct sim *sim, struct sim_event *event, uint64_t at)
{
	sim_cancel(sim, event);
	event->at = at > sim->now ? at : sim->now;
	event->order = sim->scheduled++;
	if (sim->queued == sim->queue_room) {
		sim->queue_room *= 2;
		sim->queue = realloc(sim->queue, sim->queue_room * sizeof(struct sim_event *));
		assert_non_null(sim->queue);
	}
	sift_up(sim, event, ++sim->queued);
}

bool sim_step(struct sim *sim)
{
	if (sim->queued == 0)
		return false;
	struct sim_event *event = sim->queue[0];
	sim_cancel(sim, event);
	sim->now = event->at;
	event->fire(event->context);
	return true;
}

/* An event that frees itself; `fire` of its event tells it apart from events that live in their owners. */
struct call {
	struct sim_event event;
	void (*fire)(void *context);
	void *context;
};

static void fire_call(void *context)
{
	struct call call = *(struct call *)context;
	free(context);
	call.fire(call.context);
}

void sim_call_in(struct sim *sim, uint64_t delay, void (*fire)(void *context), void *context)
{
	struct call *call = calloc(1, sizeof(*call));
	assert_non_null(call);
	*call = (struct call){.event = {.fire = fire_call, .context = call}, .fire = fire, .context = context};
	sim_schedule(sim, &call->event, sim->now + delay);
}

/* ---- chance ---- */

static uint64_t rotate(uint64_t x, int k)
{
	return x << k | x >> (64 - k);
}

uint64_t sim_random(struct sim *sim)
{
	uint64_t *s = sim->random_state;
	uint64_t result = rotate(s[1] * 5, 7) * 9, t = s[1] << 17;
	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotate(s[3], 45);
	return result;
}

uint32_t sim_below(struct sim *sim, uint32_t n)
{
	return (uint32_t)((sim_random(sim) >> 32) * n >> 32);
}

bool sim_chance(struct sim *sim, unsigned per_10000)
{
	return per_10000 != 0 && sim_below(sim, 10000) < per_10000;
}

/* ---- trace ---- */

static void trace(struct sim *sim, const char *link, const char *fate, const uint8_t *frame, uint16_t len)
{
	struct sim_trace_entry *entry = &sim->trace[sim->traced++ % TRACE_RING];
	entry->at = sim->now;
	entry->link = link;
	entry->fate = fate;
	entry->len = len;
	memcpy(entry->bytes, frame, len < sizeof(entry->bytes) ? len : sizeof(entry->bytes));
}

void sim_note(struct sim *sim, const char *text)
{
	trace(sim, "*", text, (const uint8_t *)"", 0);
}

static void print_address(const uint8_t *ip, const uint8_t *port)
{
	fprintf(stderr, "%u.%u.%u.%u:%u", ip[0], ip[1], ip[2], ip[3], port[0] << 8 | port[1]);
}

static uint32_t read32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void print_options(const uint8_t *at, const uint8_t *end)
{
	for (; at < end && *at != 0; at += *at == 1 ? 1 : at[1]) {
		if (*at == 1)
			continue;
		if (end - at < 2 || at[1] < 2 || at[1] > end - at)
			break;
		if (*at == 2)
			fprintf(stderr, " mss %u", at[2] << 8 | at[3]);
		else if (*at == 3)
			fprintf(stderr, " ws %u", at[2]);
		else if (*at == 4)
			fprintf(stderr, " sackok");
		else if (*at == 5)
			for (const uint8_t *edge = at + 2; edge + 8 <= at + at[1]; edge += 8)
				fprintf(stderr, " sack %u-%u", read32(edge), read32(edge + 4));
	}
}

static void print_entry(const struct sim_trace_entry *entry)
{
	fprintf(stderr, "%12.6f %-9s ", (double)entry->at / 1e6, entry->link);
	const uint8_t *ip = entry->bytes + 14, *tcp = ip + 20;
	if (entry->len == 0) {
		fprintf(stderr, "-- %s\n", entry->fate);
		return;
	}
	if (entry->len < 54 || ip[0] != 0x45 || ip[9] != 6) {
		fprintf(stderr, "no TCP, %u bytes, protocol %u, type %u %s\n", entry->len, ip[9], tcp[0], entry->fate);
		return;
	}
	print_address(ip + 12, tcp);
	fprintf(stderr, " > ");
	print_address(ip + 16, tcp + 2);
	static const char names[] = "FSRPAUEC";
	fprintf(stderr, " [");
	for (unsigned i = 0; i < 8; i++)
		if (tcp[13] & 1u << i)
			fputc(names[i], stderr);
	unsigned header = (unsigned)(tcp[12] >> 4) * 4, payload = (unsigned)(ip[2] << 8 | ip[3]) - 20 - header;
	fprintf(stderr, "] seq %u ack %u win %u len %u", read32(tcp + 4), read32(tcp + 8), tcp[14] << 8 | tcp[15],
	        payload);
	const uint8_t *end = tcp + header;
	if (end > entry->bytes + sizeof(entry->bytes))
		end = entry->bytes + sizeof(entry->bytes);
	print_options(tcp + 20, end);
	fprintf(stderr, " %s\n", entry->fate);
}

void sim_fail(struct sim *sim, const char *format, ...)
{
	const char *wish = getenv("PM_TRACE");
	uint64_t shown = wish && *wish == '1' ? TRACE_RING : TRACE_SHORT;
	if (shown > sim->traced)
		shown = sim->traced;
	for (uint64_t i = sim->traced - shown; i < sim->traced; i++)
		print_entry(&sim->trace[i % TRACE_RING]);
	char text[512];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	fprintf(stderr, "at %.6f s: %s\nrun: %s; again with PM_TRACE=1 PM_SEED=%llu\n", (double)sim->now / 1e6, text,
	        sim->label, (unsigned long long)sim->seed);
	fflush(NULL);
	_exit(1);
}

unsigned sim_factor(void)
{
	const char *text = getenv("PM_FACTOR");
	long factor = text ? atol(text) : 1;
	return factor > 1 ? (unsigned)factor : 1;
}

unsigned sim_runs(unsigned short_form)
{
	return getenv("PM_SEED") ? 1000000 : short_form * sim_factor();
}

uint64_t sim_seed(unsigned test, unsigned run)
{
	return test * 10000000ULL + run + 1;
}

bool sim_wanted(unsigned test, unsigned run)
{
	const char *text = getenv("PM_SEED");
	return !text || strtoull(text, NULL, 10) == sim_seed(test, run);
}

/* ---- links ---- */

struct flight {
	struct sim_event event;
	struct sim_link *link;
	bool corrupted;
	uint16_t len;
	uint8_t bytes[];
};

static void arrive(void *context)
{
	struct flight *flight = context;
	flight->link->deliver(flight->link->deliver_context, flight->bytes, flight->len, flight->corrupted);
	free(flight);
}

void sim_destroy(struct sim *sim)
{
	for (unsigned i = 0; i < sim->queued; i++)
		if (sim->queue[i]->fire == arrive || sim->queue[i]->fire == fire_call)
			free(sim->queue[i]->context);
	free(sim->queue);
	free(sim->trace);
	free(sim);
}

/* One flipped bit behind the Ethernet header: no Internet checksum misses it, and no frame check covers it here. */
static void corrupt(struct sim *sim, struct flight *flight)
{
	uint32_t at = 14 + sim_below(sim, flight->len - 14u);
	flight->bytes[at] ^= (uint8_t)(1u << sim_below(sim, 8));
	flight->corrupted = true;
}

static void launch(struct sim_link *link, const uint8_t *frame, uint16_t len, uint64_t delay)
{
	struct sim *sim = link->sim;
	struct flight *flight = malloc(sizeof(*flight) + len);
	assert_non_null(flight);
	*flight = (struct flight){.event = {.fire = arrive, .context = flight}, .link = link, .len = len};
	memcpy(flight->bytes, frame, len);
	if (sim_chance(sim, link->corrupt))
		corrupt(sim, flight);
	uint64_t at = sim->now + link->latency_us + delay;
	if (delay == 0) {
		if (at < link->last_at)
			at = link->last_at;
		link->last_at = at;
	}
	trace(sim, link->name, flight->corrupted ? "CORRUPTED" : delay ? "delayed" : "", flight->bytes, len);
	sim_schedule(sim, &flight->event, at);
}

void sim_link_send(struct sim_link *link, const uint8_t *frame, uint16_t len)
{
	struct sim *sim = link->sim;
	struct sim_verdict verdict = {.copies = 1};
	verdict.drop = sim_chance(sim, link->loss);
	if (sim_chance(sim, link->duplicate))
		verdict.copies = 2;
	if (sim_chance(sim, link->reorder))
		verdict.delay_us = 1 + sim_below(sim, (uint32_t)link->reorder_us);
	unsigned ordinal = link->frames++;
	if (link->filter) {
		struct sim_segment segment;
		bool tcp = sim_segment_read(frame, len, &segment) == NULL;
		link->filter(link->filter_context, link, tcp ? &segment : NULL, ordinal, &verdict);
	}
	if (verdict.drop) {
		trace(sim, link->name, "LOST", frame, len);
		return;
	}
	for (unsigned i = 0; i < verdict.copies; i++)
		launch(link, frame, len, verdict.delay_us);
}

bool sim_link_in_order(const struct sim_link *link)
{
	return link->duplicate == 0 && link->reorder == 0;
}
