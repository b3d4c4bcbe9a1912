/* One line per message to standard error, as systemd-journald reads it: "<level>program: what", or a JSON object. */
#ifndef PM_LOG_H
#define PM_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_ERROR = 3, LOG_LEVEL_WARNING = 4, LOG_LEVEL_INFO = 6 };

/* Set once at start; the program's name stands in every line. Any thread may log. */
void log_init(const char *program);
/* How lines look from here on: text (the default), or JSON: {"at","level","program","text"}. */
void log_format(bool json);
__attribute__((format(printf, 2, 3))) void log_write(enum log_level level, const char *format, ...);

/* A line with more to it. In JSON each field is a member of its own; the text form has `text` alone, so that has to say
 * all that people need. */
struct log_field {
	const char *name;  /* a plain word */
	const char *value; /* NULL: left out */
	bool is_number;    /* `value` is one, and stands there without quotes */
};
void log_fields(enum log_level level, const char *text, const struct log_field *fields, unsigned count);

#define log_error(...)   log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)    log_write(LOG_LEVEL_INFO, __VA_ARGS__)

#endif
