/* The admin API: who one is, sessions, tokens, and the way to the WebSocket. */
#include <string.h>

#include "control/api/auth.h"
#include "control/api/endpoint.h"
#include "control/api/view.h"

static struct api_reply reply_slow(unsigned wait)
{
	struct api_reply reply = reply_problem(429, "too many wrong tokens from this address: wait %u s", wait);
	reply.retry_after = wait;
	return reply;
}

static json_t *expiry(const struct identity *identity)
{
	return view_time(identity->expires_at);
}

/* The token of the body; NULL: `reply`. The caller lets go of `*body`. */
static const char *read_secret(struct call *call, json_t **body, struct api_reply *reply)
{
	const char *secret = NULL;
	struct json_faults faults = {0};
	struct reader reader;
	*body = call_body(call, reply);
	if (!*body)
		return NULL;
	reader_open(&reader, *body, &faults, "$");
	reader_string(&reader, "token", 200, true, &secret);
	reader_close(&reader);
	if (faults.count == 0)
		return secret;
	*reply = reply_faulty(&faults);
	return NULL;
}

static struct api_reply post_login(struct call *call)
{
	struct control *control = call->control;
	struct identity identity;
	struct api_reply reply;
	unsigned wait = 0;
	json_t *body;
	const char *secret = read_secret(call, &body, &reply);
	enum auth_result result =
	    secret ? auth_login(control->auth, &call->request->peer, secret, &identity, &wait) : AUTH_NOBODY;
	json_decref(body);
	if (!secret)
		return reply;
	if (result == AUTH_SLOW)
		return reply_slow(wait);
	if (result != AUTH_KNOWN)
		return reply_problem(401, "this token is not known here");
	reply = (struct api_reply){.status = 200,
	                           .json = json_pack("{s:s, s:s, s:o}", "name", identity.name, "role",
	                                             role_name(identity.role), "expires_at", expiry(&identity))};
	auth_cookie(control->auth, &identity, call->request->tls, reply.cookie);
	return reply;
}

static struct api_reply post_logout(struct call *call)
{
	struct api_reply reply = {.status = 200, .json = json_object()};
	auth_logout(call->control->auth, &call->request->peer, call->request->cookie);
	auth_cookie(call->control->auth, NULL, call->request->tls, reply.cookie);
	return reply;
}

static struct api_reply get_whoami(struct call *call)
{
	static const char *const ways[] = {"nothing", "token", "session", "loopback"};
	const struct identity *identity = &call->identity;
	return (struct api_reply){.status = 200,
	                          .json = json_pack("{s:s, s:s, s:s, s:o}", "name", identity->name, "role",
	                                            role_name(identity->role), "by", ways[identity->by], "expires_at",
	                                            expiry(identity))};
}

/* ---- tokens ---- */

static struct api_reply reply_no_tokens(void)
{
	return reply_problem(503, "tokens are not served here");
}

static struct api_reply get_tokens(struct call *call)
{
	if (!call->control->auth)
		return reply_no_tokens();
	const struct tokens *tokens = auth_tokens(call->control->auth);
	json_t *list = json_array();
	for (size_t i = 0; i < tokens->count; i++) {
		const struct token *token = &tokens->list[i];
		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:o, s:o}", "name", token->name, "role",
		                                      role_name(token->role), "id", token->id, "created_at",
		                                      view_time(token->created_at), "last_used_at",
		                                      view_time(token->last_used_at)));
	}
	return (struct api_reply){.status = 200, .json = json_pack("{s:o}", "tokens", list)};
}

/* Name and role of the body, copied. False: `reply`. */
static bool read_token(struct call *call, char name[static TOKEN_NAME_MAX + 1], enum role *role,
                       struct api_reply *reply)
{
	static const char *const roles[] = {"viewer", "operator", "admin", NULL};
	static const char expected[] = "1 to 63 letters, digits, '-', '_' or '.', beginning with a letter or digit";
	struct json_faults faults = {0};
	struct reader reader;
	const char *text;
	int choice = 0;
	json_t *body = call_body(call, reply);
	if (!body)
		return false;
	reader_open(&reader, body, &faults, "$");
	if (reader_string(&reader, "name", 1000, true, &text)) {
		char quoted[READER_TEXT_MAX];
		if (token_name_valid(text))
			strcpy(name, text);
		else
			reader_fault(&reader, "name", expected, "%s is not a name", json_quote(text, quoted));
	}
	reader_choice(&reader, "role", roles, true, &choice);
	reader_close(&reader);
	json_decref(body);
	*role = ROLE_VIEWER + (unsigned)choice;
	if (faults.count == 0)
		return true;
	*reply = reply_faulty(&faults);
	return false;
}

static struct api_reply post_token(struct call *call)
{
	char name[TOKEN_NAME_MAX + 1], secret[TOKEN_SECRET_MAX + 1], why[TOKENS_TEXT_MAX];
	enum role role;
	unsigned status;
	struct api_reply reply;
	struct auth *auth = call->control->auth;
	if (!read_token(call, name, &role, &reply))
		return reply;
	if (!auth)
		return reply_no_tokens();
	if (tokens_find_name(auth_tokens(auth), name))
		return reply_problem(409, "there is a token %s already: remove it first, or take another name", name);
	if (call->dry_run)
		return reply_written(call, 200, true, json_pack("{s:s, s:s}", "name", name, "role", role_name(role)));
	const struct token *token = auth_create_token(auth, name, role, &call->actor, secret, &status, why);
	if (!token)
		return reply_problem(status, "%s", why);
	reply = reply_written(call, 201, true,
	                      json_pack("{s:s, s:s, s:s, s:s}", "name", token->name, "role", role_name(role), "id",
	                                token->id, "token", secret));
	reply.write = false; /* the workers know nothing of tokens */
	memset(secret, 0, sizeof(secret));
	return reply;
}

/* Who removes the last token of an admin must be let in otherwise, else nobody can make another one. */
static bool locks_out(const struct call *call, const struct token *token)
{
	const struct tokens *tokens = auth_tokens(call->control->auth);
	return token->role == ROLE_ADMIN && tokens_count_role(tokens, ROLE_ADMIN) == 1 &&
	       call->control->config->admin.loopback != ROLE_ADMIN;
}

static struct api_reply delete_token(struct call *call)
{
	char why[TOKENS_TEXT_MAX], quoted[READER_TEXT_MAX];
	unsigned status;
	struct auth *auth = call->control->auth;
	if (!auth)
		return reply_no_tokens();
	const struct token *token = tokens_find_name(auth_tokens(auth), call->names[0]);
	if (!token)
		return reply_problem(404, "there is no token %s; GET /api/v1/tokens lists them",
		                     json_quote(call->names[0], quoted));
	if (locks_out(call, token))
		return reply_problem(409,
		                     "%s is the last token of an admin: make another one first, or set admin.loopback",
		                     token->name);
	if (call->dry_run)
		return reply_written(call, 200, true, NULL);
	if (!auth_remove_token(auth, call->names[0], &call->actor, &status, why))
		return reply_problem(status, "%s", why);
	struct api_reply reply = reply_written(call, 200, true, NULL);
	reply.write = false;
	return reply;
}

/* ---- the WebSocket ---- */

static struct api_reply get_stream(struct call *call)
{
	if (!call->control->websockets)
		return reply_problem(503, "the stream is not served here");
	return (struct api_reply){.status = 101, .upgrade = true, .identity = call->identity};
}

static const struct endpoint endpoints[] = {
    {"/api/v1/login", "POST", ROLE_NONE, ENDPOINT_OPEN | ENDPOINT_BODY, NULL, post_login, NULL},
    {"/api/v1/logout", "POST", ROLE_NONE, ENDPOINT_OPEN, NULL, post_logout, NULL},
    {"/api/v1/whoami", "GET", ROLE_VIEWER, 0, NULL, get_whoami, NULL},
    {"/api/v1/tokens", "GET", ROLE_ADMIN, 0, NULL, get_tokens, NULL},
    {"/api/v1/tokens", "POST", ROLE_ADMIN, ENDPOINT_WRITE | ENDPOINT_BODY, NULL, post_token, NULL},
    {"/api/v1/tokens/{}", "DELETE", ROLE_ADMIN, ENDPOINT_WRITE, NULL, delete_token, NULL},
    {"/api/v1/stream", "GET", ROLE_VIEWER, ENDPOINT_STREAM, NULL, get_stream, NULL},
};

const struct endpoint_table api_access_table = {endpoints, sizeof(endpoints) / sizeof(endpoints[0])};
