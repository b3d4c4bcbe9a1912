/* A control that is attached to a dataplane of memory, for tests of what it asks and tells about single connections:
 * calls of the API, the queries that workers got, and their answers, which the test gives. */
#ifndef PM_TRAFFIC_FIXTURE_H
#define PM_TRAFFIC_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "control/api/api.h"
#include "control/control.h"
#include "fake_link.h"

struct traffic {
	struct event_loop *loop;
	struct config *config;
	struct control control;
	char directory[64];
};

extern struct traffic traffic;

/* Control with the clusters ose1 (r1 203.0.113.11, r2 203.0.113.12) and ose2 (r1 203.0.113.21) of control_fixture.h,
 * all router hosts up; `sections` is further JSON of the configuration, beginning with a comma, or "". Its workers have
 * applied all. */
void traffic_begin(const char *sections);
/* The same without a dataplane. */
void traffic_begin_alone(const char *sections);
void traffic_end(void);
/* Turns of the loop. */
void traffic_turns(unsigned count);

#define TRAFFIC_AWAIT(condition)                                                                                       \
	do {                                                                                                           \
		for (int turn = 0; !(condition); turn++) {                                                             \
			assert_true(turn < 2000);                                                                      \
			event_loop_turn(traffic.loop, 5);                                                              \
		}                                                                                                      \
	} while (0)

/* Waits for the n-th query that the workers have got since fake_link_forget; its number is `query`. */
const struct message *traffic_asked(enum message_type type, unsigned n, uint32_t *query);
/* What a worker answers. `record` needs its type and body. */
void traffic_answer(unsigned worker, uint32_t query, struct record record);
void traffic_end_query(unsigned worker, uint32_t query, uint64_t matched, uint64_t closed);
/* A connection as workers would tell it, spliced, from 192.0.2.7 to router host r1 of cluster ose1. */
struct record traffic_connection(uint64_t id, const char *name);
uint32_t traffic_host_slot(const char *cluster, unsigned host);
uint32_t traffic_pair_slot(const char *route, const char *cluster);

/* A call from loopback by an admin; in the body ' stands for ". Gives the answer when it is there: while it comes
 * later, `reply.later` is set, and traffic_await has it. */
struct api_reply traffic_call(const char *method, const char *path, const char *body);
struct api_reply traffic_await(struct api_reply reply);
/* The text or number at a path such as "hosts.0.why"; fails if there is none. */
const char *traffic_text(const json_t *json, const char *path);
long long traffic_number(const json_t *json, const char *path);

#endif
