/* Appends lines to a file, or to standard error, without ever waiting for it: lines wait in a buffer of bounded size
 * and are written in turns of the loop; what finds the buffer full is lost, and counted. A file that was moved or
 * removed (logrotate) is opened anew within a second. Knows no line's meaning. One thread. */
#ifndef PM_LINE_SINK_H
#define PM_LINE_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LINE_SINK_BUFFER = 4 << 20, LINE_SINK_LINE_MAX = 4096 };

struct event_loop;
struct line_sink;

struct line_sink_counts {
	uint64_t written; /* lines */
	uint64_t lost;    /* the buffer was full */
	uint64_t waiting; /* lines */
};

/* `path` "": standard error. The file is opened in the next turn of the loop; one that cannot be is tried again each
 * second. */
struct line_sink *line_sink_create(struct event_loop *loop, const char *path);
/* What still waits is lost: see line_sink_flush. NULL is fine. */
void line_sink_destroy(struct line_sink *sink);

/* A line of at most LINE_SINK_LINE_MAX bytes, with its newline. */
void line_sink_put(struct line_sink *sink, const char *line, size_t len);
/* Writes now what goes without waiting. */
void line_sink_flush(struct line_sink *sink);
/* Opens the file anew with the next line. */
void line_sink_reopen(struct line_sink *sink);
struct line_sink_counts line_sink_counts(const struct line_sink *sink);
/* Why nothing can be written now, for people; "" : all is well. */
const char *line_sink_why(const struct line_sink *sink);

#endif
