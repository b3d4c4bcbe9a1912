/* Why a connection would go where it would go: the workers' decision, taken by the code that decides for connections,
 * together with what control knows: where weights come from, why a cluster or a router host is out, who drains it.
 * Gathers the records of all workers (each has its own turn among the clusters; the first one that answers speaks, the
 * others are named beside it). Asks nobody. */
#ifndef PM_EXPLAIN_H
#define PM_EXPLAIN_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/address.h"
#include "common/record.h"

struct control;
struct explain;

enum { EXPLAIN_TEXT_MAX = 1200 };

struct explain_question {
	struct hostname name; /* len 0: none is given */
	uint16_t listener;    /* index in the configuration's order */
	bool has_client;
	struct address client;
};

/* The listener on which such a name is looked for if nobody names one: the first on which it is served, else the first
 * one that there is. */
uint16_t explain_listener(const struct control *control, const struct hostname *name);

struct explain *explain_create(const struct control *control, const struct explain_question *question);
void explain_free(struct explain *explain);
/* A record that answers the question. */
void explain_add(struct explain *explain, unsigned worker, const struct record *record);
/* The answer as the API gives it, new reference; NULL: no worker has answered. */
json_t *explain_json(const struct explain *explain);

/* What can be said without the workers: who would serve the name, in one line. */
const char *explain_alone(const struct control *control, const struct explain_question *question,
                          char text[static EXPLAIN_TEXT_MAX]);

#endif
