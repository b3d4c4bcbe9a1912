/* Sessions of browsers: a cookie that says which token has logged in and until when, signed with HMAC-SHA256 and a key
 * in a file. Nothing is kept of a session that goes on: it ends when its time is over, its token goes, it logs
 * out (ended_sessions), or the key file is removed. Pure but for the key file. */
#ifndef PM_SESSION_H
#define PM_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/api/tokens.h"

#define SESSION_COOKIE "pointsman_session"

enum { SESSION_KEY_LEN = 32, SESSION_TEXT_MAX = 80, SESSION_WHY_MAX = 400 };

struct session_key {
	uint8_t bytes[SESSION_KEY_LEN];
};

/* Reads the key, or makes a new one if there is none or it is not one. False: it cannot be kept, `why`; the key is good
 * all the same, until this process ends. */
bool session_key_open(const char *path, struct session_key *key, char why[static SESSION_WHY_MAX]);

/* The value of the cookie: "ID.EXPIRES.SIGNATURE". `expires` in Unix ms. */
void session_make(const struct session_key *key, const char *id, int64_t expires, char out[static SESSION_TEXT_MAX]);
/* False: it is not one of ours, or it has expired at `now` (Unix ms). */
bool session_read(const struct session_key *key, const char *text, size_t len, int64_t now,
                  char id[static TOKEN_ID_MAX + 1], int64_t *expires);
/* The value of our cookie in a Cookie header field; NULL: it is not there. */
const char *session_find(const char *cookies, size_t *len);

#endif
