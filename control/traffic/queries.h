/* Questions to the workers about connections and decisions: what is asked becomes messages to all of them
 * (MESSAGE_CONNECTIONS, MESSAGE_EXPLAIN) under numbers of their own, and their answers become one. Knows no JSON and
 * nothing of what is done with a record. One thread.
 *
 * Only a few messages are with the workers at once, so that these never refuse one; the others wait here. A worker that
 * says nothing for QUERY_SILENCE_MS, in which control's own loop went on, ends the question, as does the end of the
 * dataplane: every question that was taken has exactly one end. */
#ifndef PM_QUERIES_H
#define PM_QUERIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/address.h"
#include "common/hostname.h"
#include "common/record.h"

struct control;
struct queries;

enum {
	QUERY_SILENCE_MS = 2000,
	QUERY_TOTAL_MS = 10000,   /* for a whole question, however much comes */
	QUERIES_WAITING_MAX = 32, /* questions that have no end yet */
	QUERY_IDS_MAX = 1000,
	QUERY_LISTED_MAX = 200000, /* records of one worker; the connections behind are only counted */
	QUERY_WHY_MAX = 160,
};

/* Which connections: all that fit every field that is set; all zero: every one. */
struct queries_filter {
	const char *cluster; /* name; NULL: any */
	uint64_t host;       /* cluster_host_id; 0: any */
	uint64_t route; /* cluster_name_id; 0: any. Connections for which there was no counter are not found by it */
	struct prefix client; /* length 0: any */
	uint32_t min_age;     /* ms since the handshake */
	uint8_t states;       /* 1 << enum record_state for each that fits; 0: any */
	size_t id_count;      /* of single connections, each once, at most QUERY_IDS_MAX; 0: any */
	const uint64_t *ids;  /* struct record_connection; then no route is given */
};

/* How a question ended. */
struct queries_result {
	bool complete;           /* all workers have answered */
	uint64_t matched;        /* connections that fit */
	uint64_t closed;         /* of them, closed now */
	unsigned answered;       /* workers that have answered all of it */
	char why[QUERY_WHY_MAX]; /* not complete: why, for people */
};

struct queries_reader {
	/* A record that answers (not RECORD_QUERY_END); NULL: left alone. */
	void (*record)(void *context, unsigned worker, const struct record *record);
	/* The end, once, from the loop and never from inside the call that asked. `context` is not used afterwards. */
	void (*done)(void *context, const struct queries_result *result);
	void *context;
};

/* Each of these takes a question; the filter is copied. False: it was not taken, and nobody is called: there is no
 * dataplane, or QUERIES_WAITING_MAX others are waiting; `why` says which. */

/* A RECORD_LISTED for each connection, in no order. */
bool queries_list(struct control *control, const struct queries_filter *filter, const struct queries_reader *reader,
                  char why[static QUERY_WHY_MAX]);
/* Only how many there are. */
bool queries_count(struct control *control, const struct queries_filter *filter, const struct queries_reader *reader,
                   char why[static QUERY_WHY_MAX]);
/* Closes them, with RST to both sides. */
bool queries_close(struct control *control, const struct queries_filter *filter, const struct queries_reader *reader,
                   char why[static QUERY_WHY_MAX]);
/* What would a new connection get? `name` of length 0: none is given. */
bool queries_explain(struct control *control, uint16_t listener, const struct address *client,
                     const struct hostname *name, const struct queries_reader *reader, char why[static QUERY_WHY_MAX]);

/* ---- for control.c and records.c ---- */

struct queries *queries_create(struct control *control);
/* Ends what is asked, then frees. */
void queries_destroy(struct queries *queries);
/* The dataplane is gone: every question ends now. */
void queries_cancel(struct queries *queries, const char *why);
/* A valid record with a query number, made for this start of control. */
void queries_take(struct queries *queries, unsigned worker, const struct record *record);
/* Is an answer on its way? Then records are worth looking for sooner. */
bool queries_busy(const struct queries *queries);

#endif
