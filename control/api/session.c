/* Sessions of browsers: see the header. */
#include "control/api/session.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_LEN_MAX = 300, MAC_LEN = 32, MAC_TEXT_LEN = 43, EXPIRES_DIGITS_MAX = 15 };

/* ---- the key ---- */

static bool read_key(const char *path, struct session_key *key)
{
	struct stat status;
	uint8_t bytes[SESSION_KEY_LEN + 1];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return false;
	/* One that others may read is not a secret. */
	bool good = fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && (status.st_mode & 077) == 0 &&
	            read(fd, bytes, sizeof(bytes)) == SESSION_KEY_LEN;
	close(fd);
	if (good)
		memcpy(key->bytes, bytes, SESSION_KEY_LEN);
	return good;
}

static bool write_key(const char *path, const struct session_key *key, char why[static SESSION_WHY_MAX])
{
	char temporary[PATH_LEN_MAX];
	snprintf(temporary, sizeof(temporary), "%s.new", path);
	unlink(temporary);
	int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	bool good = fd >= 0 && write(fd, key->bytes, SESSION_KEY_LEN) == SESSION_KEY_LEN && fsync(fd) == 0;
	int error = errno;
	if (fd >= 0)
		close(fd);
	if (good && rename(temporary, path) == 0)
		return true;
	snprintf(why, SESSION_WHY_MAX, "%s: cannot be written: %s; everybody has to log in again after a restart", path,
	         strerror(good ? errno : error));
	unlink(temporary);
	return false;
}

bool session_key_open(const char *path, struct session_key *key, char why[static SESSION_WHY_MAX])
{
	if (read_key(path, key))
		return true;
	if (getrandom(key->bytes, SESSION_KEY_LEN, 0) != SESSION_KEY_LEN)
		abort();
	return write_key(path, key, why);
}

/* ---- the cookie ---- */

static void sign(const struct session_key *key, const char *text, size_t len, char out[static MAC_TEXT_LEN + 1])
{
	uint8_t mac[MAC_LEN];
	if (gnutls_hmac_fast(GNUTLS_MAC_SHA256, key->bytes, SESSION_KEY_LEN, text, len, mac) != 0)
		abort();
	tokens_base64url(mac, sizeof(mac), out);
}

void session_make(const struct session_key *key, const char *id, int64_t expires, char out[static SESSION_TEXT_MAX])
{
	char mac[MAC_TEXT_LEN + 1];
	int len = snprintf(out, SESSION_TEXT_MAX, "%s.%" PRId64, id, expires);
	sign(key, out, (size_t)len, mac);
	snprintf(out + len, SESSION_TEXT_MAX - (size_t)len, ".%s", mac);
}

bool session_read(const struct session_key *key, const char *text, size_t len, int64_t now,
                  char id[static TOKEN_ID_MAX + 1], int64_t *expires)
{
	char mac[MAC_TEXT_LEN + 1], digits[EXPIRES_DIGITS_MAX + 1];
	if (len < TOKEN_ID_MAX + 1 + 1 + 1 + MAC_TEXT_LEN || len >= SESSION_TEXT_MAX)
		return false;
	size_t signed_len = len - MAC_TEXT_LEN - 1, digits_len = signed_len - TOKEN_ID_MAX - 1;
	if (digits_len > EXPIRES_DIGITS_MAX || text[TOKEN_ID_MAX] != '.' || text[signed_len] != '.')
		return false;
	sign(key, text, signed_len, mac);
	if (gnutls_memcmp(mac, text + signed_len + 1, MAC_TEXT_LEN) != 0)
		return false;
	/* From here on it is what session_make has written. */
	memcpy(id, text, TOKEN_ID_MAX);
	id[TOKEN_ID_MAX] = '\0';
	memcpy(digits, text + TOKEN_ID_MAX + 1, digits_len);
	digits[digits_len] = '\0';
	*expires = strtoll(digits, NULL, 10);
	return now < *expires;
}

const char *session_find(const char *cookies, size_t *len)
{
	static const char name[] = SESSION_COOKIE "=";
	while (cookies && *cookies != '\0') {
		cookies += strspn(cookies, "; \t");
		size_t part = strcspn(cookies, ";");
		if (part >= sizeof(name) - 1 && strncmp(cookies, name, sizeof(name) - 1) == 0) {
			*len = part - (sizeof(name) - 1);
			return cookies + sizeof(name) - 1;
		}
		cookies += part;
	}
	return NULL;
}
