/* The files of the web page, as they are inside the binary: found by their address. Who may have them, and the headers
 * around them, is the HTTP server's business (control/admin_http.h). */
#ifndef CONTROL_PAGE_H
#define CONTROL_PAGE_H

#include <stddef.h>

struct page_file {
	const char *path;         /* "/" or "/name" */
	const char *content_type; /* of the Content-Type header */
	const char *etag;         /* of the ETag header, in its quotes; changes with the content */
	const unsigned char *data;
	size_t length; /* bytes */
};

/* All of them, in no order; made when building. */
extern const struct page_file page_files[];
extern const size_t page_file_count;

/* The file with this address, or NULL. A query is no part of it. Any thread. */
const struct page_file *page_find(const char *path);

#endif
