/* Sessions that were ended before their time: see the header. */
#include "control/api/ended_sessions.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/state/state_file.h"

void ended_sessions_free(struct ended_sessions *ended)
{
	free(ended->list);
	*ended = (struct ended_sessions){0};
}

static void append(struct ended_sessions *ended, const struct ended_session *session)
{
	struct ended_session *list = realloc(ended->list, (ended->count + 1) * sizeof(*list));
	if (!list)
		abort();
	ended->list = list;
	list[ended->count++] = *session;
}

/* Keeps those that have not expired and are not of `token` (NULL: of any). */
static void forget(struct ended_sessions *ended, const char *token, int64_t now)
{
	size_t kept = 0;
	for (size_t i = 0; i < ended->count; i++) {
		const struct ended_session *session = &ended->list[i];
		if (session->expires_at > now && (!token || strcmp(session->token, token) != 0))
			ended->list[kept++] = *session;
	}
	ended->count = kept;
}

void ended_sessions_add(struct ended_sessions *ended, const char *token, int64_t expires_at, int64_t now)
{
	size_t own = 0;
	struct ended_session session = {.expires_at = expires_at};
	snprintf(session.token, sizeof(session.token), "%s", token);
	forget(ended, NULL, now);
	for (size_t i = 0; i < ended->count; i++)
		own += strcmp(ended->list[i].token, token) == 0;
	if (own >= ENDED_SESSIONS_TOKEN_MAX) {
		for (size_t i = 0; i < ended->count; i++)
			if (strcmp(ended->list[i].token, token) == 0 && ended->list[i].expires_at > session.expires_at)
				session.expires_at = ended->list[i].expires_at;
		session.earlier = true;
		forget(ended, token, now);
	}
	append(ended, &session);
}

bool ended_sessions_has(const struct ended_sessions *ended, const char *token, int64_t expires_at)
{
	for (size_t i = 0; i < ended->count; i++) {
		const struct ended_session *session = &ended->list[i];
		bool fits = session->earlier ? expires_at <= session->expires_at : expires_at == session->expires_at;
		if (fits && strcmp(session->token, token) == 0)
			return true;
	}
	return false;
}

/* ---- the file ---- */

static bool read_entry(const json_t *value, struct ended_sessions *out)
{
	const char *token;
	json_int_t expires_at;
	int earlier;
	if (json_unpack((json_t *)value, "{s:s, s:I, s:b}", "token", &token, "expires_at", &expires_at, "earlier",
	                &earlier) != 0 ||
	    strlen(token) != TOKEN_ID_MAX)
		return false;
	struct ended_session session = {.earlier = earlier, .expires_at = expires_at};
	strcpy(session.token, token);
	append(out, &session);
	return true;
}

bool ended_sessions_read(const char *path, struct ended_sessions *out, char why[static ENDED_SESSIONS_TEXT_MAX])
{
	json_t *array, *value;
	size_t i;
	char reason[STATE_FILE_TEXT_MAX] = "";
	enum state_file_result result = state_file_read(path, &array, reason);
	if (result == STATE_FILE_NONE)
		return true;
	bool good = result == STATE_FILE_OK && json_is_array(array);
	if (result == STATE_FILE_OK) {
		json_array_foreach(array, i, value) good = good && read_entry(value, out);
		json_decref(array);
	}
	if (!good) {
		ended_sessions_free(out);
		snprintf(why, ENDED_SESSIONS_TEXT_MAX, "%s: %s", path,
		         reason[0] != '\0' ? reason : "it is not a list of sessions");
	}
	return good;
}

bool ended_sessions_write(const char *path, const struct ended_sessions *ended,
                          char why[static ENDED_SESSIONS_TEXT_MAX])
{
	json_t *array = json_array();
	for (size_t i = 0; i < ended->count; i++)
		json_array_append_new(array, json_pack("{s:s, s:I, s:b}", "token", ended->list[i].token, "expires_at",
		                                       (json_int_t)ended->list[i].expires_at, "earlier",
		                                       (int)ended->list[i].earlier));
	char reason[STATE_FILE_TEXT_MAX];
	bool good = state_file_write(path, array, false, reason);
	if (!good)
		snprintf(why, ENDED_SESSIONS_TEXT_MAX, "%s", reason);
	json_decref(array);
	return good;
}
