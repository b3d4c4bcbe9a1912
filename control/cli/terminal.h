/* The whole terminal for a live view: the alternate screen, keys one by one, the size. Whatever ends the program, the
 * terminal is as it was before: at return, at signals, and while it is stopped by Ctrl-Z. One per process. */
#ifndef PM_CLI_TERMINAL_H
#define PM_CLI_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>

enum key {
	KEY_NONE, /* the time is over, or something else has happened */
	KEY_QUIT,
	KEY_PAUSE,
	KEY_SORT,
	KEY_UP,
	KEY_DOWN,
	KEY_PAGE_UP,
	KEY_PAGE_DOWN,
	KEY_HOME,
	KEY_END,
};

/* False: stdin or stdout is no terminal. */
bool terminal_begin(void);
void terminal_end(void);

void terminal_size(unsigned *rows, unsigned *columns);

/* Waits for a key, for `fd` to become readable, for a change of size, or so long. */
enum key terminal_wait(int fd, int timeout_ms);

/* The first key of some bytes; `*used` is how many belong to it. KEY_NONE: they mean nothing. */
enum key terminal_decode(const char *bytes, size_t len, size_t *used);

#endif
