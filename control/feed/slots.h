/* The directory of counter slots in shared memory: which host, or which pair of route and cluster, has which slot. It
 * survives control, so an object keeps its slot, and its counters, over restarts of control and over being removed and
 * put back. A slot goes to another object only when no worker uses it: it is absent from the table that all workers
 * have applied, and active is 0 on all of them. Pure memory: shared memory and counters come in as pointers. */
#ifndef PM_SLOTS_H
#define PM_SLOTS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/shared.h"

/* Sums over all workers. */
struct slot_usage {
	uint64_t active, total, refused;
};

struct slots {
	struct shared_directory_entry *entries; /* shared memory */
	uint32_t count;
	struct slot_usage (*usage)(void *context, uint32_t slot);
	void *context;

	/* By slot: the last table that had it, SLOT_IN_TABLE for the present one; 0: none since slots_init. */
	uint64_t *revisions;
	uint64_t *notes; /* by slot: slots_note; 0: none */
	uint32_t *buckets, *next;
	uint32_t bucket_mask;
	uint32_t fresh; /* slots from here on may never have been used */
	uint32_t scan;  /* where the search for a used one goes on */

	/* Of the table that is being built. */
	uint64_t revision, applied;
	uint64_t before; /* of the table before it */
	bool exhausted;  /* the search has found nothing */
};

/* Reads the directory. Entries that are broken count as used by nobody knows whom. */
void slots_init(struct slots *slots, struct shared_directory_entry *entries, uint32_t count,
                struct slot_usage (*usage)(void *context, uint32_t slot), void *context);
void slots_free(struct slots *slots);

/* A table of this revision begins; it has only what is taken from here on. `applied`: the revision that all workers
 * have applied since slots_init, 0 if none. */
void slots_begin(struct slots *slots, uint64_t revision, uint64_t applied);
/* The same, but it has also what the table before had, until that is released. */
void slots_update(struct slots *slots, uint64_t revision, uint64_t applied);
/* The object is not in this table, unless it is taken again. */
void slots_release(struct slots *slots, uint64_t id);
/* The slot of an object in that table; a new object gets one. SLOT_NONE: no slot is free (now). */
uint32_t slots_take(struct slots *slots, uint64_t id);

/* What the caller wants to find again with the slot, until this process ends or the slot has another owner. */
void slots_note(struct slots *slots, uint32_t slot, uint64_t note);

/* The slot of an object, or SLOT_NONE. */
uint32_t slots_find(const struct slots *slots, uint64_t id);

/* The counters of a slot less what its former owner left. */
struct slot_usage slots_usage(const struct slots *slots, uint32_t slot);

#endif
