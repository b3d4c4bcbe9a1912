/* Saved states of the past: what the operator had said about clusters, router hosts and weights, kept in files of their
 * own (paths.state/revisions) before every large change, or under a name. What the APIs of watched clusters show is no
 * part of it, except of clusters that a removal, a rollback or an import may take away. The way back to one is
 * state_document.h's. One thread. */
#ifndef PM_REVISIONS_H
#define PM_REVISIONS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/api/role.h"
#include "control/state/state_file.h"

struct control;
struct revisions;

enum {
	REVISIONS_AUTOMATIC_MAX = 50, /* the oldest one goes */
	REVISIONS_NAMED_MAX = 100,    /* more are refused */
	REVISION_NAME_MAX = 63,
	REVISION_WHAT_MAX = 160,
};

/* What is known of one; texts are never NULL, reason and name are "" if there is none. */
struct revision {
	uint64_t id;       /* 1 up, never used again */
	uint64_t revision; /* of the state */
	int64_t at;        /* Unix ms */
	bool automatic;
	char name[REVISION_NAME_MAX + 1];
	char what[REVISION_WHAT_MAX + 1]; /* of an automatic one: "before cluster ose1 was removed" */
	char by[128], reason[201];
};

/* Reads the list of what is in the directory. Never NULL. */
struct revisions *revisions_open(const char *state_directory);
void revisions_close(struct revisions *revisions);

size_t revisions_count(const struct revisions *revisions);
/* Newest first; valid until the next change. */
const struct revision *revisions_at(const struct revisions *revisions, size_t index);
const struct revision *revisions_find(const struct revisions *revisions, uint64_t id);

/* Keeps the present state because `what` is about to happen; nothing if the last automatic one is the same. `watched`:
 * with what the APIs of watched clusters show. False: it could not be saved, so nothing may be changed;
 * control->state_file says why. */
bool revisions_before(struct control *control, const struct actor *actor, const char *what, bool watched);
/* Keeps the present state under a name. 0: it could not be saved, `why`. */
uint64_t revisions_save(struct control *control, const struct actor *actor, const char *name,
                        char why[static STATE_FILE_TEXT_MAX]);
/* Its saved state, a new reference; NULL: `why`. */
json_t *revisions_load(const struct revisions *revisions, uint64_t id, char why[static STATE_FILE_TEXT_MAX]);
/* False: `why`. */
bool revisions_delete(struct revisions *revisions, uint64_t id, char why[static STATE_FILE_TEXT_MAX]);

/* How many there are of each kind. */
size_t revisions_named(const struct revisions *revisions);

#endif
