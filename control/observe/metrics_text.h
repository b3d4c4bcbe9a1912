/* The text of a scrape: metric families and samples in OpenMetrics 1.0 or in the older Prometheus text format 0.0.4.
 * Puts characters in order and nothing else; knows no metric. Memory grows as needed. */
#ifndef PM_METRICS_TEXT_H
#define PM_METRICS_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_INFO };

struct metrics_text {
	bool openmetrics;
	size_t len, room;
	char *bytes; /* owned */
	/* Of the family that was begun last. */
	const char *name;
	enum metric_type type;
};

/* Begins a family. `name` without "_total" or "_info", and ending with `unit` if there is one ("seconds", "bytes";
 * NULL: none). Both, and `help`, live on; help is plain text without quotes. Every sample of the family comes before
 * the next family. */
void metrics_family(struct metrics_text *text, const char *name, enum metric_type type, const char *unit,
                    const char *help);

/* A sample of the family with `count` labels. Values of labels may be any text; what is not UTF-8 becomes '?'. */
struct metric_label {
	const char *name, *value;
};
void metrics_sample(struct metrics_text *text, const struct metric_label *labels, unsigned count, uint64_t value);
/* The same with a fraction; not finite: left out. */
void metrics_sample_real(struct metrics_text *text, const struct metric_label *labels, unsigned count, double value);

/* The end of all. */
void metrics_end(struct metrics_text *text);

#endif
