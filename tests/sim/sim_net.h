/* The simulated clock, its queue of events, seeded chance, links that lose, repeat, reorder and corrupt frames, and
 * the trace of packets. The same seed gives the same run to the microsecond. Knows no TCP.
 *
 * Environment: PM_SEED runs one seed alone, PM_FACTOR multiplies the number of runs, PM_TRACE=1 prints the whole
 * trace of a run that failed (otherwise its end), PM_TEST=<pattern> runs the tests of such names alone. */
#ifndef PM_SIM_NET_H
#define PM_SIM_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim_segment.h"

enum { SIM_MS = 1000, SIM_SECOND = 1000000 };

/* Something that happens at a time. Lives in its owner; zeroed at first. */
struct sim_event {
	uint64_t at;
	uint64_t order; /* of scheduling: equal times fire in this order */
	unsigned place; /* in the queue; 0: not queued */
	void (*fire)(void *context);
	void *context;
};

struct sim_trace_entry {
	uint64_t at;
	const char *link;
	const char *fate;
	uint16_t len;
	uint8_t bytes[96];
};

struct sim {
	uint64_t seed;
	uint64_t now; /* microseconds */
	uint64_t random_state[4];
	uint64_t scheduled; /* events so far */
	struct sim_event **queue;
	unsigned queued, queue_room;
	struct sim_trace_entry *trace; /* a ring */
	uint64_t traced;
	char label[160]; /* what this run is, for failures */
};

struct sim *sim_create(uint64_t seed);
/* Events still queued are forgotten, those of sim_call_in freed. */
void sim_destroy(struct sim *sim);

/* (Re)schedules; a time in the past fires next. */
void sim_schedule(struct sim *sim, struct sim_event *event, uint64_t at);
void sim_cancel(struct sim *sim, struct sim_event *event);
/* Calls once, with an event of its own. */
void sim_call_in(struct sim *sim, uint64_t delay, void (*fire)(void *context), void *context);
/* Fires the next event; false: there is none. */
bool sim_step(struct sim *sim);

uint64_t sim_random(struct sim *sim);
/* 0 to n - 1 */
uint32_t sim_below(struct sim *sim, uint32_t n);
bool sim_chance(struct sim *sim, unsigned per_10000);

/* Prints what is wrong, the seed, the label and the trace, and ends the program with 1: a broken run cannot be tidied
 * up, and what it would leak hides what is wrong. */
__attribute__((format(printf, 2, 3), noreturn)) void sim_fail(struct sim *sim, const char *format, ...);
/* Fails with the text of the condition. */
#define sim_check(sim, condition) ((condition) ? (void)0 : sim_fail(sim, "not true: %s", #condition))
/* A note among the packets of the trace; `text` is a constant. */
void sim_note(struct sim *sim, const char *text);

/* Runs cmocka tests under PM_TEST. */
#define sim_run_tests(tests) (cmocka_set_test_filter(getenv("PM_TEST")), cmocka_run_group_tests(tests, NULL, NULL))

/* PM_FACTOR, 1 without it. */
unsigned sim_factor(void);
/* How many runs a test makes that makes `short_form` in the short form. */
unsigned sim_runs(unsigned short_form);
/* The seed of a run, made from the test's own number and the run's. */
uint64_t sim_seed(unsigned test, unsigned run);
/* False: PM_SEED names another run. */
bool sim_wanted(unsigned test, unsigned run);

/* What a filter decides about a frame; set to the link's own decision before the call. */
struct sim_verdict {
	bool drop;
	unsigned copies;   /* 1: as sent, 2: repeated once */
	uint64_t delay_us; /* added to this frame alone, which others may then overtake */
};

struct sim_link {
	struct sim *sim;
	const char *name;
	uint64_t latency_us;
	unsigned loss, duplicate, reorder, corrupt; /* per 10,000 frames */
	uint64_t reorder_us;                        /* largest additional delay of a reordered frame */
	/* Sees every frame (NULL: none). `segment` is NULL for what is not TCP. `ordinal` counts from 0. */
	void (*filter)(void *context, struct sim_link *link, const struct sim_segment *segment, unsigned ordinal,
	               struct sim_verdict *verdict);
	void *filter_context;
	void (*deliver)(void *context, const uint8_t *frame, uint16_t len, bool corrupted);
	void *deliver_context;
	unsigned frames; /* so far */
	uint64_t last_at;
};

/* Takes a copy. */
void sim_link_send(struct sim_link *link, const uint8_t *frame, uint16_t len);
/* True if frames never overtake each other on it and none comes twice, whatever a filter does. */
bool sim_link_in_order(const struct sim_link *link);

#endif
