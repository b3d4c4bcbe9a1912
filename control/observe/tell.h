/* One line for the journal, written like a log line: what happened goes in as format and arguments. */
#ifndef PM_TELL_H
#define PM_TELL_H

#include <stddef.h>

#include "control/observe/journal.h"
#include "control/api/role.h"

/* Adds `entry` with this text; who and why come from `actor` (NULL: control itself). Without a journal nothing
 * is told. `entry` needs kind, level and object, and what is known of cluster, name and revision. */
__attribute__((format(printf, 4, 5))) void tell(struct journal *journal, const struct actor *actor,
                                                struct journal_entry entry, const char *format, ...);

/* The end of the noun that is counted. */
static inline const char *plural(size_t count)
{
	return count == 1 ? "" : "s";
}

#endif
