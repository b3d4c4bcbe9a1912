/* The file of tokens: see the header. */
#include "control/api/tokens.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/directory.h"

enum { FILE_MAX = 1 << 20, PATH_LEN_MAX = 300, SECRET_BYTES = 32, TIME_TEXT_MAX = 32 };

static const char secret_prefix[] = "pm_";

void tokens_free(struct tokens *tokens)
{
	free(tokens->list);
	*tokens = (struct tokens){0};
}

/* ---- texts ---- */

static void hex_write(const uint8_t *bytes, size_t size, char *out)
{
	for (size_t i = 0; i < size; i++)
		snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

static bool hex_read(const char *text, uint8_t *bytes, size_t size)
{
	if (strlen(text) != 2 * size || strspn(text, "0123456789abcdef") != 2 * size)
		return false;
	for (size_t i = 0; i < size; i++) {
		char pair[3] = {text[2 * i], text[2 * i + 1], '\0'};
		bytes[i] = (uint8_t)strtoul(pair, NULL, 16);
	}
	return true;
}

void tokens_base64url(const uint8_t *bytes, size_t size, char *out)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	for (size_t i = 0; i < size; i += 3) {
		size_t left = size - i;
		uint32_t group = (uint32_t)bytes[i] << 16 | (left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) |
		                 (left > 2 ? bytes[i + 2] : 0);
		*out++ = digits[group >> 18];
		*out++ = digits[group >> 12 & 63];
		if (left > 1)
			*out++ = digits[group >> 6 & 63];
		if (left > 2)
			*out++ = digits[group & 63];
	}
	*out = '\0';
}

static void time_write(int64_t unix_ms, char text[static TIME_TEXT_MAX])
{
	struct tm parts;
	time_t seconds = (time_t)(unix_ms / 1000);
	text[0] = '\0';
	if (gmtime_r(&seconds, &parts))
		strftime(text, TIME_TEXT_MAX, "%Y-%m-%dT%H:%M:%SZ", &parts);
}

static bool time_read(const char *text, int64_t *unix_ms)
{
	struct tm parts = {0};
	const char *end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &parts);
	if (!end || *end != '\0')
		return false;
	*unix_ms = (int64_t)timegm(&parts) * 1000;
	return true;
}

bool token_name_valid(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
	size_t len = strlen(name);
	return len >= 1 && len <= TOKEN_NAME_MAX && strspn(name, letters) == len && !strchr("-_.", name[0]);
}

/* ---- reading ---- */

static const char *text_field(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));
	return text ? text : "";
}

/* NULL: `token` is right; else what is wrong with the line. */
static const char *read_entry(const json_t *object, struct token *token)
{
	const char *name = text_field(object, "name"), *id = text_field(object, "id");
	uint8_t id_bytes[TOKEN_ID_MAX / 2];
	*token = (struct token){0};
	if (!json_is_object(object))
		return "is not a JSON object";
	if (!token_name_valid(name))
		return "has no right \"name\"";
	if (!role_parse(text_field(object, "role"), &token->role) || token->role == ROLE_NONE)
		return "has no \"role\" viewer, operator or admin";
	if (!hex_read(id, id_bytes, sizeof(id_bytes)))
		return "has no \"id\" of 16 hex digits";
	if (!hex_read(text_field(object, "sha256"), token->hash, sizeof(token->hash)))
		return "has no \"sha256\" of 64 hex digits";
	if (!time_read(text_field(object, "created_at"), &token->created_at))
		return "has no \"created_at\" such as \"2026-01-31T08:00:00Z\"";
	strcpy(token->name, name);
	strcpy(token->id, id);
	return NULL;
}

static void append(struct tokens *tokens, const struct token *token)
{
	struct token *list = realloc(tokens->list, (tokens->count + 1) * sizeof(*list));
	if (!list)
		abort();
	tokens->list = list;
	list[tokens->count++] = *token;
}

/* NULL: taken; else what is wrong with the line. */
static const char *take_line(struct tokens *tokens, const char *line, size_t len)
{
	struct token token;
	json_t *object = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	const char *fault = object ? read_entry(object, &token) : "is not JSON";
	json_decref(object);
	if (fault)
		return fault;
	if (tokens_find_name(tokens, token.name))
		return "has a name that an earlier line has";
	if (tokens_find_id(tokens, token.id))
		return "has an id that an earlier line has";
	if (tokens->count == TOKENS_MAX)
		return "is one token too many (1000 may be there)";
	append(tokens, &token);
	return NULL;
}

bool tokens_parse(const char *text, size_t len, const char *path, struct tokens *out, char why[static TOKENS_TEXT_MAX])
{
	unsigned number = 0;
	for (const char *line = text, *end = text + len; line < end; number++) {
		const char *stop = memchr(line, '\n', (size_t)(end - line));
		size_t line_len = (size_t)((stop ? stop : end) - line);
		const char *fault = line_len > 0 && line[0] != '#' ? take_line(out, line, line_len) : NULL;
		if (fault) {
			snprintf(why, TOKENS_TEXT_MAX, "%s: line %u %s", path, number + 1, fault);
			tokens_free(out);
			return false;
		}
		line = stop ? stop + 1 : end;
	}
	return true;
}

/* Somebody else who may write the file could make himself an admin. */
static bool file_safe(int fd, const char *path, struct stat *status, char why[static TOKENS_TEXT_MAX])
{
	if (fstat(fd, status) != 0 || !S_ISREG(status->st_mode))
		snprintf(why, TOKENS_TEXT_MAX, "%s: is not a file", path);
	else if (status->st_uid != 0 && status->st_uid != geteuid())
		snprintf(why, TOKENS_TEXT_MAX, "%s: belongs to another user: chown root it", path);
	else if ((status->st_mode & (S_IWGRP | S_IWOTH)) != 0)
		snprintf(why, TOKENS_TEXT_MAX, "%s: others may write it: chmod 600 it", path);
	else if (status->st_size > FILE_MAX)
		snprintf(why, TOKENS_TEXT_MAX, "%s: has more than 1 MiB", path);
	else
		return true;
	return false;
}

enum tokens_result tokens_read(const char *path, struct tokens *out, char why[static TOKENS_TEXT_MAX])
{
	struct stat status;
	/* O_NONBLOCK: a pipe of that name must not hold us up. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) {
		snprintf(why, TOKENS_TEXT_MAX, "%s: cannot be opened: %s", path, strerror(errno));
		return errno == ENOENT ? TOKENS_NONE : TOKENS_BROKEN;
	}
	if (!file_safe(fd, path, &status, why)) {
		close(fd);
		return TOKENS_BROKEN;
	}
	size_t size = (size_t)status.st_size;
	char *text = malloc(size + 1);
	if (!text)
		abort();
	ssize_t len = read(fd, text, size);
	bool good = len == (ssize_t)size;
	if (!good)
		snprintf(why, TOKENS_TEXT_MAX, "%s: cannot be read", path);
	good = good && tokens_parse(text, size, path, out, why);
	close(fd);
	free(text);
	return good ? TOKENS_OK : TOKENS_BROKEN;
}

/* ---- writing ---- */

static void put_line(FILE *file, const struct token *token)
{
	char hash[2 * TOKEN_HASH_LEN + 1], created[TIME_TEXT_MAX];
	hex_write(token->hash, TOKEN_HASH_LEN, hash);
	time_write(token->created_at, created);
	/* No field can hold a quote. */
	fprintf(file,
	        "{\"name\": \"%s\", \"role\": \"%s\", \"id\": \"%s\", \"sha256\": \"%s\", \"created_at\": \"%s\"}\n",
	        token->name, role_name(token->role), token->id, hash, created);
}

bool tokens_write(const char *path, const struct tokens *tokens, char why[static TOKENS_TEXT_MAX])
{
	char temporary[PATH_LEN_MAX];
	if (snprintf(temporary, sizeof(temporary), "%s.new", path) >= (int)sizeof(temporary)) {
		snprintf(why, TOKENS_TEXT_MAX, "the path of the tokens is too long");
		return false;
	}
	unlink(temporary); /* what an interrupted write has left; O_EXCL then follows no link of another */
	int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
	bool good = file != NULL;
	for (size_t i = 0; good && i < tokens->count; i++)
		put_line(file, &tokens->list[i]);
	good = good && fflush(file) == 0 && fsync(fd) == 0;
	int error = errno;
	if (file)
		good &= fclose(file) == 0;
	if (good && rename(temporary, path) == 0) {
		directory_sync(path); /* the rename is done: if this fails, it is the disk that fails */
		return true;
	}
	snprintf(why, TOKENS_TEXT_MAX, "%s: cannot be written: %s", path, strerror(good ? errno : error));
	unlink(temporary);
	return false;
}

int tokens_lock(const char *path, char why[static TOKENS_TEXT_MAX])
{
	char lock[PATH_LEN_MAX];
	int fd = -1;
	if (snprintf(lock, sizeof(lock), "%s.lock", path) < (int)sizeof(lock))
		fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	snprintf(why, TOKENS_TEXT_MAX, "%s.lock: %s", path,
	         errno == EWOULDBLOCK ? "somebody else changes the tokens just now: try again" : strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

void tokens_unlock(int lock)
{
	close(lock);
}

/* ---- the list ---- */

static void hash_secret(const char *secret, uint8_t hash[static TOKEN_HASH_LEN])
{
	if (gnutls_hash_fast(GNUTLS_DIG_SHA256, secret, strlen(secret), hash) != 0)
		abort();
}

static void random_bytes(uint8_t *out, size_t size)
{
	if (getrandom(out, size, 0) != (ssize_t)size)
		abort();
}

bool tokens_add(struct tokens *tokens, const char *name, enum role role, int64_t now_ms,
                char secret[static TOKEN_SECRET_MAX + 1], char why[static TOKENS_TEXT_MAX])
{
	struct token token = {.role = role, .created_at = now_ms / 1000 * 1000};
	uint8_t bytes[SECRET_BYTES], id[TOKEN_ID_MAX / 2];
	if (!token_name_valid(name)) {
		snprintf(why, TOKENS_TEXT_MAX,
		         "the name of a token is 1 to 63 letters, digits, '-', '_' or '.', beginning "
		         "with a letter or digit");
		return false;
	}
	if (tokens_find_name(tokens, name)) {
		snprintf(why, TOKENS_TEXT_MAX, "there is a token %s already: remove it first, or take another name",
		         name);
		return false;
	}
	if (tokens->count == TOKENS_MAX) {
		snprintf(why, TOKENS_TEXT_MAX, "there are %d tokens, which is the limit: remove some", TOKENS_MAX);
		return false;
	}
	random_bytes(bytes, sizeof(bytes));
	random_bytes(id, sizeof(id));
	strcpy(token.name, name);
	hex_write(id, sizeof(id), token.id);
	strcpy(secret, secret_prefix);
	tokens_base64url(bytes, sizeof(bytes), secret + sizeof(secret_prefix) - 1);
	hash_secret(secret, token.hash);
	append(tokens, &token);
	gnutls_memset(bytes, 0, sizeof(bytes));
	return true;
}

bool tokens_remove(struct tokens *tokens, const char *name)
{
	struct token *token = tokens_find_name(tokens, name);
	if (!token)
		return false;
	size_t after = (size_t)(tokens->list + tokens->count - (token + 1));
	memmove(token, token + 1, after * sizeof(*token));
	tokens->count--;
	return true;
}

struct token *tokens_find_secret(const struct tokens *tokens, const char *secret)
{
	uint8_t hash[TOKEN_HASH_LEN];
	struct token *found = NULL;
	hash_secret(secret, hash);
	for (size_t i = 0; i < tokens->count; i++)
		if (gnutls_memcmp(hash, tokens->list[i].hash, sizeof(hash)) == 0)
			found = &tokens->list[i];
	return found;
}

struct token *tokens_find_name(const struct tokens *tokens, const char *name)
{
	for (size_t i = 0; i < tokens->count; i++)
		if (strcmp(tokens->list[i].name, name) == 0)
			return &tokens->list[i];
	return NULL;
}

struct token *tokens_find_id(const struct tokens *tokens, const char *id)
{
	for (size_t i = 0; i < tokens->count; i++)
		if (strcmp(tokens->list[i].id, id) == 0)
			return &tokens->list[i];
	return NULL;
}

size_t tokens_count_role(const struct tokens *tokens, enum role role)
{
	size_t count = 0;
	for (size_t i = 0; i < tokens->count; i++)
		count += tokens->list[i].role == role;
	return count;
}
