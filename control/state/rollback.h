/* What a route's overrides were before the operator's last change of them, so that this can be taken back: kept by the
 * name, and saved. Knows neither why nor what a change does. */
#ifndef PM_ROLLBACK_H
#define PM_ROLLBACK_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/json_reader.h"
#include "control/api/role.h"
#include "control/state/json_text.h"

struct name;
struct names;

/* One change of any number of routes, which share it. */
struct rollback_change {
	unsigned users;    /* gone with the last one */
	uint64_t revision; /* that it made */
	int64_t at;        /* Unix ms */
	char *by, *reason; /* owned; reason NULL: none was given */
	/* While it is being saved: its routes, and the next change. */
	struct json_text saved;
	struct rollback_change *next;
};

/* Of one cluster, before. */
struct rollback_entry {
	uint16_t cluster;
	int16_t weight; /* the override in hundredths; below 0: none */
	bool parked;
};

/* Of one route. */
struct rollback {
	struct rollback_change *change;
	unsigned count;
	struct rollback_entry entries[]; /* by cluster */
};

/* The caller is a user until it releases it. */
struct rollback_change *rollback_change_create(uint64_t revision, int64_t at, const struct actor *actor);
void rollback_change_release(struct rollback_change *change);

/* What the name's overrides are now. Never NULL. */
struct rollback *rollback_make(const struct name *name, struct rollback_change *change);
/* NULL: nothing to do. */
void rollback_free(struct rollback *rollback);
/* The cluster is gone: its number may become another's. What says nothing any more goes, too. */
void rollback_forget_cluster(struct name *name, uint16_t cluster);

/* The saved form of all: each name is given to rollback_gather, in a walk that others may share. All zero to begin
 * with. */
struct rollback_gathered {
	struct rollback_change *first, *last;
};
void rollback_gather(struct rollback_gathered *gathered, const struct name *name);
void rollback_forget_gathered(struct rollback_gathered *gathered);
/* The member "rollbacks", an array of changes, into an object that has a member already; nothing if there are none. */
void rollback_write(struct json_text *text, const struct rollback_gathered *gathered);
/* And back; what is not right is left out, and what is about a cluster whose bit is not set in `clusters`. */
void rollback_read(struct reader *reader, struct names *names, uint64_t clusters);

#endif
