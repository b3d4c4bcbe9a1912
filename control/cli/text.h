/* Text that may come from a cluster, made fit for a terminal, and measured in columns. What is printed passes here: a
 * name can neither move the cursor nor hide or reverse what stands beside it. Knows no colours and no output. */
#ifndef PM_CLI_TEXT_H
#define PM_CLI_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* A copy (to be freed) in which all that is not printable in the present locale is a '?': control characters, ESC, line
 * ends, C1 controls, bytes that are not UTF-8, marks of writing direction and of no width. */
char *text_clean(const char *text);

/* Columns of a clean text. */
unsigned text_width(const char *text);

/* How many bytes of a clean text fit into so many columns; `columns` is lowered by what they take. */
size_t text_fit(const char *text, unsigned *columns);

/* The locale's character set is UTF-8: lines and blocks may be drawn. */
bool text_is_utf8(void);

#endif
