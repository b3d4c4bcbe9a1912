/* Files that survive control: a header line with version, length and CRC-32C, then JSON. Written whole, made durable,
 * then renamed; the one before is kept. Knows nothing of what the JSON says. */
#ifndef PM_STATE_FILE_H
#define PM_STATE_FILE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* Each version added to what the ones before say, so all are read. */
enum { STATE_FILE_VERSION = 3, STATE_FILE_VERSION_OLDEST = 1, STATE_FILE_TEXT_MAX = 400 };

enum state_file_result {
	STATE_FILE_OK,
	STATE_FILE_NONE,   /* there is no such file */
	STATE_FILE_BROKEN, /* cut short, changed, or not a state file */
	STATE_FILE_VERSION_MISMATCH,
	STATE_FILE_UNREADABLE, /* permissions, I/O */
};

/* Reads `path`. With STATE_FILE_OK the caller owns `*out`; else `why` says what is wrong. */
enum state_file_result state_file_read(const char *path, json_t **out, char why[static STATE_FILE_TEXT_MAX]);

/* Writes `value` to `path`. `durable`: returns when the disk has it, and keeps the file before it as `path`.previous.
 * False: nothing has changed, `why` says what failed. */
bool state_file_write(const char *path, const json_t *value, bool durable, char why[static STATE_FILE_TEXT_MAX]);

/* The same with a text that is JSON. `previous`: keeps the file before it, durable or not. */
bool state_file_write_text(const char *path, const char *text, size_t len, bool durable, bool previous,
                           char why[static STATE_FILE_TEXT_MAX]);

/* Renames a broken file to `path`.bad, in place of an earlier one. */
bool state_file_set_aside(const char *path);

#endif
