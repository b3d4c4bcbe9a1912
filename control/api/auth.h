/* Who asks, and how often: tokens, sessions, the role of loopback; limits for each peer address. One thread. Knows
 * requests as plain values, no sockets. */
#ifndef PM_AUTH_H
#define PM_AUTH_H

#include <stdbool.h>
#include <stdint.h>

#include "control/api/api.h"
#include "control/api/tokens.h"

struct auth;
struct config;
struct event_loop;
struct journal;

enum { SESSION_SECONDS = 12 * 3600 };

/* Reads the tokens and the key of sessions, and looks at each request, and each second, whether the file of tokens has
 * changed. `journal` may be NULL. Never NULL; what cannot be read is logged, and nobody is let in by it. */
struct auth *auth_open(const struct config *config, struct event_loop *loop, struct journal *journal);
void auth_close(struct auth *auth);
/* The configuration was read again. */
void auth_configure(struct auth *auth, const struct config *config);
/* Reads the tokens again if their file has changed. */
void auth_refresh(struct auth *auth);
const struct tokens *auth_tokens(const struct auth *auth);

enum auth_result {
	AUTH_KNOWN,
	AUTH_NOBODY, /* nothing was given that says who it is */
	AUTH_WRONG,  /* a token was given, and it is none of ours */
	AUTH_SLOW,   /* too many wrong ones: nothing was looked at */
};

/* One more request of this peer. Seconds that it has to wait; 0: it may go on. */
unsigned auth_admit(struct auth *auth, const struct config *config, const struct address *peer);
/* Who it is: token, else session, else the role of loopback. `auth` may be NULL: there are no tokens. `count`: a wrong
 * token is a failed try. AUTH_SLOW: `*wait` seconds. */
enum auth_result auth_identify(struct auth *auth, const struct config *config, const struct api_request *request,
                               bool count, struct identity *identity, unsigned *wait);
/* The token of a login, in the same way; the identity is that of the session that begins. */
enum auth_result auth_login(struct auth *auth, const struct address *peer, const char *secret,
                            struct identity *identity, unsigned *wait);
/* Ends the session of the cookie, if there is one. `auth` may be NULL. */
void auth_logout(struct auth *auth, const struct address *peer, const char *cookies);
/* Fields for Set-Cookie: the session of an identity by auth_login, or (`identity` NULL) the end of it. */
void auth_cookie(const struct auth *auth, const struct identity *identity, bool tls, char out[static API_COOKIE_MAX]);
/* Is this still true: the token is there with this role, the session goes on? */
bool auth_still(const struct auth *auth, const struct config *config, const struct identity *identity);

/* Makes or removes a token, saved. NULL or false: `status` and `why`. */
const struct token *auth_create_token(struct auth *auth, const char *name, enum role role, const struct actor *actor,
                                      char secret[static TOKEN_SECRET_MAX + 1], unsigned *status,
                                      char why[static TOKENS_TEXT_MAX]);
bool auth_remove_token(struct auth *auth, const char *name, const struct actor *actor, unsigned *status,
                       char why[static TOKENS_TEXT_MAX]);

#endif
