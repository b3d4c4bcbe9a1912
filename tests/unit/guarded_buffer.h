/* A buffer whose last byte is followed by an unreadable page: reading one byte too many ends the test. It works for
 * buffers that no sanitizer knows of, and without sanitizers. */
#ifndef PM_GUARDED_BUFFER_H
#define PM_GUARDED_BUFFER_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { GUARDED_PAGE = 4096, GUARDED_MAX = 256 * GUARDED_PAGE };

struct guarded_buffer {
	uint8_t *start;
};

static inline struct guarded_buffer guarded_create(void)
{
	size_t size = GUARDED_MAX + GUARDED_PAGE;
	void *start = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (start == MAP_FAILED || mprotect((uint8_t *)start + GUARDED_MAX, GUARDED_PAGE, PROT_NONE) != 0)
		abort();
	return (struct guarded_buffer){start};
}

/* Where `len` bytes begin that end at the unreadable page. */
static inline uint8_t *guarded_place(const struct guarded_buffer *buffer, size_t len)
{
	if (len > GUARDED_MAX)
		abort();
	return buffer->start + GUARDED_MAX - len;
}

/* A copy of `len` bytes there. */
static inline uint8_t *guarded_copy(const struct guarded_buffer *buffer, const void *bytes, size_t len)
{
	return memcpy(guarded_place(buffer, len), bytes, len);
}

static inline void guarded_destroy(struct guarded_buffer *buffer)
{
	munmap(buffer->start, GUARDED_MAX + GUARDED_PAGE);
}

#endif
