/* Sessions that were ended before their time, by a logout: a cookie alone does not know of it. Kept until the session
 * would have expired anyway, in a file, so that a restart does not bring them back. Knows a session by the id of its
 * token and its end, which no two of one token share. One thread. */
#ifndef PM_ENDED_SESSIONS_H
#define PM_ENDED_SESSIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/api/tokens.h"

/* Of one token; one more ends all its sessions that began until then, so that nobody can make the list long. */
enum { ENDED_SESSIONS_TOKEN_MAX = 100, ENDED_SESSIONS_TEXT_MAX = 500 };

struct ended_session {
	char token[TOKEN_ID_MAX + 1];
	bool earlier;       /* those of this token that expire before it have ended, too */
	int64_t expires_at; /* Unix ms */
};

/* Starts as all zero. */
struct ended_sessions {
	size_t count;
	struct ended_session *list; /* owned */
};

void ended_sessions_free(struct ended_sessions *ended);
/* Adds one, and forgets those that have expired at `now` (Unix ms). */
void ended_sessions_add(struct ended_sessions *ended, const char *token, int64_t expires_at, int64_t now);
bool ended_sessions_has(const struct ended_sessions *ended, const char *token, int64_t expires_at);

/* Reads the file into `out`, which must be empty; none is an empty list. False: it cannot be believed, `why`. */
bool ended_sessions_read(const char *path, struct ended_sessions *out, char why[static ENDED_SESSIONS_TEXT_MAX]);
/* Replaces the file. It is not forced to the disk: whoever has a token could keep the disk busy. False: `why`. */
bool ended_sessions_write(const char *path, const struct ended_sessions *ended,
                          char why[static ENDED_SESSIONS_TEXT_MAX]);

#endif
