/* The admin API: finds the endpoint for a request and checks what all have in common: identity, role, query, revision.
 * Knows requests as plain values; sockets, header fields and the wait for a body are admin_http's. What each endpoint
 * does stands in api_*.c (endpoint.h). */
#ifndef PM_API_H
#define PM_API_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/address.h"
#include "control/api/role.h"
#include "control/api/tokens.h"

struct config;
struct control;

enum {
	API_BODY_MAX = 16 << 20,
	API_BODY_SMALL_MAX = 64 << 10, /* where nothing large is said */
	API_BODY_LEAST_MAX = 4 << 10,  /* where nobody has to say who he is, or nobody reads it */
};
enum { API_ALLOW_MAX = 40, API_QUERIES_MAX = 16, API_WHO_MAX = 127, API_COOKIE_MAX = 300 };

/* Who asks. */
struct identity {
	enum role role; /* ROLE_NONE: nobody known */
	char name[64];  /* of the token, or "loopback"; "" : nobody */
	enum { BY_NOTHING, BY_TOKEN, BY_SESSION, BY_LOOPBACK } by;
	char token[TOKEN_ID_MAX + 1]; /* id of the token, also of a session; "": none */
	int64_t expires_at;           /* Unix ms, of a session; 0: never */
};

struct api_query {
	const char *name, *value; /* value "" if there is none */
};

struct api_request {
	const char *method, *path;
	/* Header fields; NULL: not there. */
	const char *content_type, *authorization, *cookie, *if_match, *if_none_match, *accept;
	bool foreign_host, foreign_origin; /* a Host or Origin that is none of ours: to be refused */
	bool browser;                      /* Origin or Sec-Fetch-Site is there: a page asks, not a program */
	bool same_origin;                  /* and they say: a page of ours */
	bool forwarded;                    /* a proxy says so: the peer is not who asks */
	bool tls;
	uint64_t announced_len; /* of the body, as far as it is known before the body comes */
	unsigned query_count;   /* above API_QUERIES_MAX: too many were given */
	struct api_query queries[API_QUERIES_MAX];
	struct address peer;
	const char *body;
	size_t body_len;
};

/* An answer that is not there yet: given by an endpoint, awaited by admin_http. */
struct api_later;

/* A long text that is made while it is sent. */
struct api_source {
	/* The next bytes, at most `size`; 0: that was all. Called from the loop, between other things. */
	size_t (*read)(struct api_source *source, char *out, size_t size);
	void (*free)(struct api_source *source);
};

struct api_reply {
	unsigned status;
	json_t *json;              /* owned by the caller; NULL: one of the texts */
	const char *text;          /* lives on */
	char *owned;               /* text to be freed; instead of `text` */
	struct api_source *source; /* owned; instead of `text` */
	const void *bytes;         /* a file, `len` bytes, lives on; instead of `text` */
	size_t len;
	const char *type;          /* Content-Type of text and bytes; NULL: plain text */
	const char *etag;          /* of a file, with quotes; NULL: `revision` */
	char allow[API_ALLOW_MAX]; /* 405: what is allowed */
	unsigned retry_after;      /* 429: seconds */
	uint64_t revision;         /* the ETag; 0: none */
	bool write; /* something was changed: the answer says whether the workers have applied `revision` */
	char cookie[API_COOKIE_MAX]; /* Set-Cookie; "": none */
	bool upgrade;                /* 101: this connection becomes a WebSocket of `identity` */
	struct identity identity;
	struct api_later *later; /* all else is empty */
};

/* Is it in admin.allow_from? */
bool api_peer_in_allow_from(const struct config *config, const struct address *peer);
/* May a connection of this peer say anything at all: is it in allow_from, metrics_from or the push_from of a cluster?
 * What it may ask for, api_accept looks at. */
bool api_peer_admitted(const struct control *control, const struct address *peer);
/* Looks at a request before its body: is there such an address, may the method be used, by this peer, in this form?
 * False: `reply` says why not. */
bool api_accept(struct control *control, const struct api_request *request, struct api_reply *reply);
/* The longest body that the address takes; and the refusal of a longer one. */
size_t api_body_max(const struct api_request *request);
struct api_reply api_body_too_long(size_t max);
/* Does what an accepted request asks. */
struct api_reply api_handle(struct control *control, const struct api_request *request);

/* A refusal that has nothing to do with the address. */
struct api_reply api_problem(unsigned status, const char *detail);
void api_reply_free(struct api_reply *reply);

/* ---- answers that come later ---- */

struct api_later *api_later_create(void);
/* The answer as an endpoint returns it. */
static inline struct api_reply api_later_reply(struct api_later *later)
{
	return (struct api_reply){.later = later};
}
/* Gives the answer, once; `later` is gone. Nobody may be waiting any more: then the reply is freed. */
void api_later_answer(struct api_later *later, struct api_reply reply);
/* admin_http: calls `done` when the answer is there, perhaps at once; the reply is the callee's then. */
void api_later_await(struct api_later *later, void (*done)(void *context, struct api_reply reply), void *context);
/* admin_http: nobody waits any more. */
void api_later_forget(struct api_later *later);

#endif
