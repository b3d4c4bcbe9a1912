/* From tables to messages: the difference of two tables as batches, or a whole table as a resync. Pure; knows no rings,
 * no start numbers and no sequence. */
#ifndef PM_PUBLISH_H
#define PM_PUBLISH_H

#include <stddef.h>

#include "common/message.h"
#include "control/feed/table.h"

struct message_list {
	size_t count, room;
	struct message *messages; /* owned; not sealed */
};

/* A new one at the end: its type is set, everything else is 0. Valid until the next is appended. */
struct message *message_list_append(struct message_list *list, enum message_type type);
void message_list_free(struct message_list *list);

/* Appends a resync: SYNC_BEGIN, all of the table, SYNC_END. */
void publish_sync(const struct table *table, struct message_list *list);

/* Appends what turns `before` into `after`, which is partial: batches of at most MESSAGE_BATCH_MAX messages, of which
 * the last ends with the new revision; its BATCH_END alone if nothing differs. */
void publish_difference(const struct table *before, const struct table *after, struct message_list *list);

#endif
