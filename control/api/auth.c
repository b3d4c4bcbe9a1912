/* Who asks, and how often: see the header. */
#include "control/api/auth.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/config.h"
#include "common/log.h"
#include "control/control.h"
#include "control/event_loop.h"
#include "control/observe/journal.h"
#include "control/api/ended_sessions.h"
#include "control/api/peers.h"
#include "control/api/session.h"

enum {
	LOOK_MS = 1000,      /* how often the file of tokens is looked at while nobody asks */
	BURST_SECONDS = 5,   /* a page and what it needs come at once */
	BURST_LOOPBACK = 10, /* scripts, and many browsers behind one forwarder */
	AUTH_PATH_MAX = CONFIG_PATH_MAX + 32,
};

struct auth {
	struct event_loop *loop;
	struct journal *journal;
	struct event_timer timer;
	char path[AUTH_PATH_MAX]; /* of the tokens */
	struct stat seen;         /* the file as it was read; all zero: there was none */
	bool broken;
	struct tokens tokens;
	struct session_key key;
	struct ended_sessions ended;
	char ended_path[AUTH_PATH_MAX];
	int64_t last_expiry; /* Unix ms, of the session that has begun last */
	struct peers peers;
};

static const char *const how_to_begin = "there is no token yet, so only admin.loopback lets anybody in: make one with "
                                        "\"pointsman token create NAME --role admin --local --file %s\"";

/* ---- the file of tokens ---- */

static void note(const struct auth *auth, enum journal_level level, const char *kind, const struct actor *actor,
                 const char *name, const char *text)
{
	if (auth->journal)
		journal_add(auth->journal, &(struct journal_entry){.level = level,
		                                                   .kind = kind,
		                                                   .who = actor ? actor->who : NULL,
		                                                   .reason = actor ? actor->reason : NULL,
		                                                   .object = "token",
		                                                   .name = name,
		                                                   .text = text});
	else
		log_write(level == JOURNAL_INFO ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING, "%s", text);
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mode == b->st_mode && a->st_uid == b->st_uid && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec && a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
	       a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* When each token was used is remembered here alone. */
static void keep_uses(struct tokens *tokens, const struct tokens *before)
{
	for (size_t i = 0; i < tokens->count; i++) {
		const struct token *old = tokens_find_id(before, tokens->list[i].id);
		tokens->list[i].last_used_at = old ? old->last_used_at : 0;
	}
}

static void take(struct auth *auth, struct tokens *tokens)
{
	keep_uses(tokens, &auth->tokens);
	tokens_free(&auth->tokens);
	auth->tokens = *tokens;
}

static void read_again(struct auth *auth)
{
	struct tokens tokens = {0};
	char why[TOKENS_TEXT_MAX], text[TOKENS_TEXT_MAX + 80];
	enum tokens_result result = tokens_read(auth->path, &tokens, why);
	if (result == TOKENS_BROKEN) {
		snprintf(text, sizeof(text), "%s; the tokens from before still count", why);
		note(auth, JOURNAL_ERROR, "tokens_broken", NULL, NULL, text);
		auth->broken = true;
		return;
	}
	if (auth->broken)
		note(auth, JOURNAL_INFO, "tokens_mended", NULL, NULL, "the file of tokens can be read again");
	auth->broken = false;
	take(auth, &tokens);
}

void auth_refresh(struct auth *auth)
{
	struct stat now;
	if (stat(auth->path, &now) != 0)
		now = (struct stat){0};
	if (same_file(&now, &auth->seen))
		return;
	auth->seen = now;
	read_again(auth);
	log_info("%zu tokens in %s", auth->tokens.count, auth->path);
}

static void look(void *context)
{
	struct auth *auth = context;
	auth_refresh(auth);
	event_timer_set(auth->loop, &auth->timer, clock_monotonic_ms() + LOOK_MS);
}

void auth_configure(struct auth *auth, const struct config *config)
{
	if (config->admin.tokens[0] != '\0')
		snprintf(auth->path, sizeof(auth->path), "%s", config->admin.tokens);
	else
		snprintf(auth->path, sizeof(auth->path), "%s/tokens", config->paths.state);
	auth_refresh(auth);
}

/* The key, and what has ended of what was signed with it. Without that nobody knows which cookies still count: a new
 * key ends all. */
static void open_sessions(struct auth *auth, const struct config *config)
{
	char path[AUTH_PATH_MAX], why[SESSION_WHY_MAX], reason[ENDED_SESSIONS_TEXT_MAX];
	snprintf(path, sizeof(path), "%s/session.key", config->paths.state);
	snprintf(auth->ended_path, sizeof(auth->ended_path), "%s/sessions.ended", config->paths.state);
	if (!ended_sessions_read(auth->ended_path, &auth->ended, reason)) {
		log_warning("%s; everybody has to log in again", reason);
		unlink(path);
		unlink(auth->ended_path);
	}
	if (!session_key_open(path, &auth->key, why))
		log_warning("%s", why);
}

struct auth *auth_open(const struct config *config, struct event_loop *loop, struct journal *journal)
{
	struct siphash_key key;
	struct auth *auth = calloc(1, sizeof(*auth));
	if (!auth || getrandom(&key, sizeof(key), 0) != sizeof(key))
		abort();
	auth->loop = loop;
	auth->journal = journal;
	auth->timer = (struct event_timer){.fire = look, .context = auth};
	peers_init(&auth->peers, key);
	open_sessions(auth, config);
	auth_configure(auth, config);
	if (auth->tokens.count == 0 && !auth->broken)
		log_warning(how_to_begin, auth->path);
	event_timer_set(loop, &auth->timer, clock_monotonic_ms() + LOOK_MS);
	return auth;
}

void auth_close(struct auth *auth)
{
	if (!auth)
		return;
	event_timer_cancel(auth->loop, &auth->timer);
	tokens_free(&auth->tokens);
	ended_sessions_free(&auth->ended);
	free(auth);
}

const struct tokens *auth_tokens(const struct auth *auth)
{
	return &auth->tokens;
}

/* ---- limits ---- */

unsigned auth_admit(struct auth *auth, const struct config *config, const struct address *peer)
{
	uint32_t rate = config->admin.requests_per_second;
	uint32_t seconds = config_address_is_loopback(peer) ? BURST_LOOPBACK : BURST_SECONDS;
	return auth ? peers_take(&auth->peers, peer, rate, rate * seconds, clock_monotonic_ms()) : 0;
}

static void failed(struct auth *auth, const struct address *peer)
{
	char address[ADDRESS_TEXT_MAX], text[200];
	if (!peers_failed(&auth->peers, peer, clock_monotonic_ms()))
		return;
	snprintf(text, sizeof(text), "%s has given wrong tokens again and again: it has to wait %u s",
	         address_format(peer, address), peers_wait(&auth->peers, peer, clock_monotonic_ms()));
	note(auth, JOURNAL_WARNING, "token_refused", &(struct actor){.who = address}, NULL, text);
}

/* ---- identity ---- */

static void identity_of(const struct token *token, struct identity *identity)
{
	*identity = (struct identity){.role = token->role, .by = BY_TOKEN};
	strcpy(identity->name, token->name);
	strcpy(identity->token, token->id);
}

static enum auth_result by_secret(struct auth *auth, const struct address *peer, const char *secret, bool count,
                                  struct identity *identity, unsigned *wait)
{
	struct token *token;
	if (!auth)
		return AUTH_WRONG;
	*wait = count ? peers_wait(&auth->peers, peer, clock_monotonic_ms()) : 0;
	if (*wait > 0)
		return AUTH_SLOW;
	token = tokens_find_secret(&auth->tokens, secret);
	if (token) {
		token->last_used_at = clock_unix_ms();
		peers_succeeded(&auth->peers, peer, clock_monotonic_ms());
		identity_of(token, identity);
		return AUTH_KNOWN;
	}
	if (count)
		failed(auth, peer);
	return AUTH_WRONG;
}

/* The token of "Bearer TOKEN" (RFC 6750 2.1); NULL: something else was given. */
static const char *bearer(const char *authorization)
{
	if (strncasecmp(authorization, "Bearer", 6) != 0 || (authorization[6] != ' ' && authorization[6] != '\0'))
		return NULL;
	return authorization + 6 + strspn(authorization + 6, " ");
}

static bool by_session(struct auth *auth, const char *cookies, struct identity *identity)
{
	size_t len;
	char id[TOKEN_ID_MAX + 1];
	int64_t expires;
	const char *value = auth ? session_find(cookies, &len) : NULL;
	if (!value || !session_read(&auth->key, value, len, clock_unix_ms(), id, &expires))
		return false;
	struct token *token = tokens_find_id(&auth->tokens, id);
	if (!token || ended_sessions_has(&auth->ended, id, expires))
		return false;
	token->last_used_at = clock_unix_ms();
	identity_of(token, identity);
	identity->by = BY_SESSION;
	identity->expires_at = expires;
	return true;
}

static bool by_loopback(const struct config *config, const struct api_request *request, struct identity *identity)
{
	if (config->admin.loopback == ROLE_NONE || request->forwarded || !config_address_is_loopback(&request->peer))
		return false;
	*identity = (struct identity){.role = config->admin.loopback, .name = "loopback", .by = BY_LOOPBACK};
	return true;
}

enum auth_result auth_identify(struct auth *auth, const struct config *config, const struct api_request *request,
                               bool count, struct identity *identity, unsigned *wait)
{
	*identity = (struct identity){0};
	*wait = 0;
	if (auth)
		auth_refresh(auth);
	if (request->authorization) {
		const char *secret = bearer(request->authorization);
		return secret ? by_secret(auth, &request->peer, secret, count, identity, wait) : AUTH_WRONG;
	}
	if (by_session(auth, request->cookie, identity) || by_loopback(config, request, identity))
		return AUTH_KNOWN;
	return AUTH_NOBODY;
}

/* No two sessions expire in the same millisecond: so each is known by that. */
static int64_t next_expiry(struct auth *auth)
{
	int64_t expires = clock_unix_ms() + SESSION_SECONDS * INT64_C(1000);
	/* Unless the clock was put back. */
	if (expires <= auth->last_expiry && auth->last_expiry - expires < LOOK_MS)
		expires = auth->last_expiry + 1;
	return auth->last_expiry = expires;
}

enum auth_result auth_login(struct auth *auth, const struct address *peer, const char *secret,
                            struct identity *identity, unsigned *wait)
{
	*identity = (struct identity){0};
	if (auth)
		auth_refresh(auth);
	enum auth_result result = by_secret(auth, peer, secret, true, identity, wait);
	if (result != AUTH_KNOWN)
		return result;
	char address[ADDRESS_TEXT_MAX], who[API_WHO_MAX + 1], text[200];
	identity->by = BY_SESSION;
	identity->expires_at = next_expiry(auth);
	snprintf(who, sizeof(who), "%s@%s", identity->name, address_format(peer, address));
	snprintf(text, sizeof(text), "%s has logged in as %s", who, role_name(identity->role));
	note(auth, JOURNAL_INFO, "login", &(struct actor){.who = who}, identity->name, text);
	return AUTH_KNOWN;
}

void auth_logout(struct auth *auth, const struct address *peer, const char *cookies)
{
	char address[ADDRESS_TEXT_MAX], who[API_WHO_MAX + 1], text[200], why[ENDED_SESSIONS_TEXT_MAX];
	struct identity identity;
	if (!by_session(auth, cookies, &identity))
		return;
	ended_sessions_add(&auth->ended, identity.token, identity.expires_at, clock_unix_ms());
	if (!ended_sessions_write(auth->ended_path, &auth->ended, why))
		log_error("%s; sessions that were ended count again after a restart", why);
	snprintf(who, sizeof(who), "%s@%s", identity.name, address_format(peer, address));
	snprintf(text, sizeof(text), "%s has logged out", who);
	note(auth, JOURNAL_INFO, "logout", &(struct actor){.who = who}, identity.name, text);
}

void auth_cookie(const struct auth *auth, const struct identity *identity, bool tls, char out[static API_COOKIE_MAX])
{
	char value[SESSION_TEXT_MAX] = "";
	if (identity)
		session_make(&auth->key, identity->token, identity->expires_at, value);
	snprintf(out, API_COOKIE_MAX, SESSION_COOKIE "=%s; Path=/; HttpOnly; SameSite=Strict; Max-Age=%d%s", value,
	         identity ? SESSION_SECONDS : 0, tls ? "; Secure" : "");
}

bool auth_still(const struct auth *auth, const struct config *config, const struct identity *identity)
{
	if (identity->by == BY_LOOPBACK)
		return config->admin.loopback == identity->role;
	if (!auth || (identity->expires_at > 0 && clock_unix_ms() >= identity->expires_at))
		return false;
	if (identity->by == BY_SESSION && ended_sessions_has(&auth->ended, identity->token, identity->expires_at))
		return false;
	const struct token *token = tokens_find_id(&auth->tokens, identity->token);
	return token && token->role == identity->role;
}

/* ---- changing the tokens ---- */

/* The file as it is now is what is changed: another program may have written it. -1: `status` and `why`. */
static int begin_change(struct auth *auth, struct tokens *tokens, unsigned *status, char why[static TOKENS_TEXT_MAX])
{
	int lock = tokens_lock(auth->path, why);
	*status = 503;
	if (lock < 0)
		return -1;
	if (tokens_read(auth->path, tokens, why) != TOKENS_BROKEN)
		return lock;
	*status = 507;
	tokens_unlock(lock);
	return -1;
}

static bool end_change(struct auth *auth, struct tokens *tokens, int lock, unsigned *status,
                       char why[static TOKENS_TEXT_MAX])
{
	bool good = tokens_write(auth->path, tokens, why);
	/* While nobody else can write it: what comes next is to be read. */
	if (good && stat(auth->path, &auth->seen) != 0)
		auth->seen = (struct stat){0};
	tokens_unlock(lock);
	if (!good) {
		*status = 507;
		tokens_free(tokens);
		return false;
	}
	take(auth, tokens);
	return true;
}

const struct token *auth_create_token(struct auth *auth, const char *name, enum role role, const struct actor *actor,
                                      char secret[static TOKEN_SECRET_MAX + 1], unsigned *status,
                                      char why[static TOKENS_TEXT_MAX])
{
	struct tokens tokens = {0};
	char text[200];
	int lock = begin_change(auth, &tokens, status, why);
	if (lock < 0)
		return NULL;
	if (!tokens_add(&tokens, name, role, clock_unix_ms(), secret, why)) {
		*status = token_name_valid(name) ? 409 : 400;
		tokens_unlock(lock);
		tokens_free(&tokens);
		return NULL;
	}
	if (!end_change(auth, &tokens, lock, status, why))
		return NULL;
	snprintf(text, sizeof(text), "token %s made, role %s", name, role_name(role));
	note(auth, JOURNAL_INFO, "token_created", actor, name, text);
	return tokens_find_name(&auth->tokens, name);
}

bool auth_remove_token(struct auth *auth, const char *name, const struct actor *actor, unsigned *status,
                       char why[static TOKENS_TEXT_MAX])
{
	struct tokens tokens = {0};
	char text[200];
	int lock = begin_change(auth, &tokens, status, why);
	if (lock < 0)
		return false;
	if (!tokens_remove(&tokens, name)) {
		*status = 404;
		snprintf(why, TOKENS_TEXT_MAX, "there is no token of this name; GET /api/v1/tokens lists them");
		tokens_unlock(lock);
		tokens_free(&tokens);
		return false;
	}
	if (!end_change(auth, &tokens, lock, status, why))
		return false;
	snprintf(text, sizeof(text), "token %s removed; its sessions end", name);
	note(auth, JOURNAL_INFO, "token_removed", actor, name, text);
	return true;
}
