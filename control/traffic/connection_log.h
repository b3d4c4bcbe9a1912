/* The connection log: a line for each connection that has ended, and for each that was refused, as `log.connections` of
 * the configuration says: text (key=value) or JSON, to `log.connections_file` or standard error. Never waits: what
 * cannot be written is counted. One thread. */
#ifndef PM_CONNECTION_LOG_H
#define PM_CONNECTION_LOG_H

#include <stdint.h>

#include "common/record.h"

struct connection_log;
struct control;

struct connection_log_counts {
	uint64_t written;      /* lines */
	uint64_t lost_writing; /* lines for which there was no room */
	uint64_t lost_ring; /* records of any kind that the workers' rings did not take, since the dataplane's start */
};

struct connection_log *connection_log_create(void);
void connection_log_free(struct connection_log *log);
/* As control's configuration says now; opens the file anew. */
void connection_log_configure(struct connection_log *log, const struct control *control);

/* The file was moved: a new one is begun. (Within a second that is seen anyway.) */
void connection_log_reopen(struct connection_log *log);

/* A record RECORD_ENDED or RECORD_REFUSED. */
void connection_log_take(struct connection_log *log, const struct control *control, const struct record *record);

struct connection_log_counts connection_log_counts(const struct control *control);
/* Why lines cannot be written now; "" : they can. */
const char *connection_log_why(const struct connection_log *log);

#endif
