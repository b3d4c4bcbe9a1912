/* UTF-8 (RFC 3629), as far as text from elsewhere has to be cut and cleaned. Knows no characters' meaning. */
#ifndef PM_UTF8_H
#define PM_UTF8_H

#include <stddef.h>

/* Bytes of the valid sequence that `text` begins with; 0: there is none within `len` bytes. */
size_t utf8_length(const char *text, size_t len);

/* Copies text into `size` bytes, cut between characters; bytes that are not UTF-8, and control characters, become '?'.
 * Returns the length of the copy. */
size_t utf8_copy(char *out, size_t size, const char *text);

#endif
