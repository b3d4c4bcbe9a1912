/* The served host names by name, exact names before wildcards, for lists: kept as it is and mended when it is asked
 * for, so that a page of 300,000 names costs a page. Knows names, not what they mean. Part of names.c. */
#ifndef PM_NAME_ORDER_H
#define PM_NAME_ORDER_H

#include <stddef.h>

struct name;

/* All zero to begin with. */
struct name_order {
	size_t count, room;
	struct name **list; /* owned */
	size_t moved_count, moved_room;
	struct name **moved; /* owned: may have come or gone since the list was right; each once */
};

void name_order_free(struct name_order *order);
/* The name is served, or is so no longer. */
void name_order_moved(struct name_order *order, struct name *name);
/* Makes the list right: before it is read, and before a name that has gone is freed. */
void name_order_mend(struct name_order *order);

#endif
