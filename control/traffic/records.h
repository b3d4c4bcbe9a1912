/* What the workers tell about single connections (common/record.h): told what to record when control attaches, taken
 * out of their rings in the turns of control's feed, and handed on: answers to queries.h, refused names to
 * unknown_names.h, ended connections to connection_log.h. Knows no meaning beyond that. One thread. */
#ifndef PM_RECORDS_H
#define PM_RECORDS_H

#include <stdbool.h>
#include <stdint.h>

struct control;

enum {
	RECORDS_PER_TURN = 1024,          /* of each worker: the loop has other things to do */
	REFUSED_RECORDS_PER_SECOND = 200, /* of each worker: enough for people to see what is asked for */
};

/* All zero to begin with. */
struct records {
	bool log_due;     /* the workers are still to be told what to record */
	uint64_t taken;   /* records */
	uint64_t invalid; /* not understood and left alone */
	uint64_t stale;   /* answers to questions of a control before */
};

/* Makes the readers (of control: queries, unknown_names, connection_log, prober). */
void records_init(struct control *control);
/* Ends them: whoever waits for an answer gets one. */
void records_end(struct control *control);

/* Attached to a dataplane, or the configuration has changed: the workers are told what to record, the log follows. */
void records_tell(struct control *control);
/* Takes what is there, up to RECORDS_PER_TURN of each worker. True: there may be more. */
bool records_take(struct control *control);

/* Of the workers' rings, since the start of the dataplane: records that found them full. */
uint64_t records_lost(const struct control *control);

/* Wall clock, Unix ms, of a time of CLOCK_MONOTONIC that has passed. */
int64_t records_unix_ms(uint64_t monotonic_us);

#endif
