/* The file of tokens: who may use the admin API, with which role. A line for each token, a JSON object: {"name":
 * "anna", "role": "admin", "id": "5f2b1c7e9a0d3344", "sha256": "<64 hex digits>", "created_at":
 * "2026-01-31T08:00:00Z"}. The token itself stands nowhere: it is shown once, when it is made. Knows no HTTP and
 * nothing of control, so that the command line can write the first token. One thread; other processes are kept out by
 * tokens_lock. */
#ifndef PM_TOKENS_H
#define PM_TOKENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/api/role.h"

enum {
	TOKENS_MAX = 1000,
	TOKEN_NAME_MAX = 63,
	TOKEN_ID_MAX = 16,     /* hex digits */
	TOKEN_SECRET_MAX = 46, /* "pm_" and 32 bytes as base64url */
	TOKEN_HASH_LEN = 32,
	TOKENS_TEXT_MAX = 400,
};

struct token {
	char name[TOKEN_NAME_MAX + 1];
	enum role role; /* never ROLE_NONE */
	char id[TOKEN_ID_MAX + 1];
	uint8_t hash[TOKEN_HASH_LEN]; /* SHA-256 of the token */
	int64_t created_at;           /* Unix ms, whole seconds */
	int64_t last_used_at;         /* Unix ms, 0: never; not in the file */
};

/* Starts as all zero. */
struct tokens {
	size_t count;
	struct token *list; /* owned */
};

void tokens_free(struct tokens *tokens);

enum tokens_result { TOKENS_OK, TOKENS_NONE, TOKENS_BROKEN };

/* Reads the file into `out`, which must be empty. TOKENS_NONE: there is no file. TOKENS_BROKEN: `why` says what is
 * wrong (one line names the file), `out` is empty. A file that others may write is broken. */
enum tokens_result tokens_read(const char *path, struct tokens *out, char why[static TOKENS_TEXT_MAX]);
/* The same from text. */
bool tokens_parse(const char *text, size_t len, const char *path, struct tokens *out, char why[static TOKENS_TEXT_MAX]);
/* Replaces the file, mode 0600, and returns when the disk has it: a reader sees the old one or the new one, also after
 * a loss of power. False: `why`. */
bool tokens_write(const char *path, const struct tokens *tokens, char why[static TOKENS_TEXT_MAX]);

/* Keeps other writers out until tokens_unlock; does not wait. -1: `why`. */
int tokens_lock(const char *path, char why[static TOKENS_TEXT_MAX]);
void tokens_unlock(int lock);

/* 1 to 63 letters, digits, '-', '_' or '.', beginning with a letter or digit. */
bool token_name_valid(const char *name);
/* Adds a token with a new secret, which is written to `secret`. False: `why` (the name is taken or wrong, too many). */
bool tokens_add(struct tokens *tokens, const char *name, enum role role, int64_t now_ms,
                char secret[static TOKEN_SECRET_MAX + 1], char why[static TOKENS_TEXT_MAX]);
/* False: there is no such name. */
bool tokens_remove(struct tokens *tokens, const char *name);

/* NULL: none. Valid until the list changes. tokens_find_secret looks at all tokens, whatever it finds. */
struct token *tokens_find_secret(const struct tokens *tokens, const char *secret);
struct token *tokens_find_name(const struct tokens *tokens, const char *name);
struct token *tokens_find_id(const struct tokens *tokens, const char *id);
size_t tokens_count_role(const struct tokens *tokens, enum role role);

/* `size` bytes as base64url without padding; `out` has room for them and a zero. */
void tokens_base64url(const uint8_t *bytes, size_t size, char *out);

#endif
