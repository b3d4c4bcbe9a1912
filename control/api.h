/* The admin API: what each method on each address does, and with which status it answers. Knows requests as plain
 * values; sockets, header fields and the wait for a body are admin_http's. */
#ifndef PM_API_H
#define PM_API_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/address.h"

struct control;

enum { API_BODY_MAX = 16 << 20, API_ALLOW_MAX = 32 };

struct api_request {
	const char *method, *path;
	const char *limit, *offset; /* of the query; NULL: not given */
	const char *content_type;   /* NULL: none */
	struct address peer;
	const char *body;
	size_t body_len;
};

struct api_reply {
	unsigned status;
	json_t *json;              /* owned by the caller; NULL: `text` */
	const char *text;          /* lives on */
	char allow[API_ALLOW_MAX]; /* 405: what is allowed */
	uint64_t revision;         /* a write: the answer says whether the workers have applied this; else 0 */
};

/* Looks at a request before its body: is there such an address, may the method be used, by this peer, in this form?
 * False: `reply` says why not. */
bool api_accept(struct control *control, const struct api_request *request, struct api_reply *reply);
/* Does what an accepted request asks. */
struct api_reply api_handle(struct control *control, const struct api_request *request);

/* A refusal that has nothing to do with the address. */
struct api_reply api_problem(unsigned status, const char *detail);

#endif
