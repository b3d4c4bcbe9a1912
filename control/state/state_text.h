/* The saved form of the state as text, as it goes into files: written without a tree, because the loop waits. What it
 * says is read by state_read. Pure. */
#ifndef PM_STATE_TEXT_H
#define PM_STATE_TEXT_H

#include <stddef.h>

struct state;
struct state_change;

enum state_form {
	STATE_SAVED,            /* state.h: of the state file */
	STATE_DOCUMENT,         /* state_document.h */
	STATE_DOCUMENT_WATCHED, /* the same with what the APIs of watched clusters have shown */
};

/* As it will be after the change (NULL: as it is). Terminated, `*len` without that; the caller frees it. */
char *state_text(const struct state *state, const struct state_change *change, enum state_form form, size_t *len);

#endif
