/* The certificate of the admin API: see the header. */
#include "control/api/tls.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PEM_MAX = 1 << 20, TLS_PATH_MAX = 256 };

/* What GnuTLS holds to be secure, of the versions that have no known flaws. */
static const char priority[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2";

struct tls_certificate {
	unsigned references;
	gnutls_certificate_credentials_t credentials;
};

struct tls {
	struct tls_certificate *current;
	char certificate[TLS_PATH_MAX], key[TLS_PATH_MAX];
	struct stat certificate_seen, key_seen;
};

/* ---- reading ---- */

/* The bytes of a file; false: `why`. */
static bool load(const char *path, gnutls_datum_t *out, char why[static TLS_WHY_MAX])
{
	FILE *file = fopen(path, "re");
	if (!file) {
		snprintf(why, TLS_WHY_MAX, "%s: cannot be opened: %s", path, strerror(errno));
		return false;
	}
	out->data = malloc(PEM_MAX);
	if (!out->data)
		abort();
	out->size = (unsigned)fread(out->data, 1, PEM_MAX, file);
	bool good = !ferror(file) && out->size < PEM_MAX;
	fclose(file);
	if (good)
		return true;
	snprintf(why, TLS_WHY_MAX, "%s: cannot be read, or has more than 1 MiB", path);
	free(out->data);
	return false;
}

static bool read_chain(const char *path, gnutls_x509_crt_t **chain, unsigned *count, char why[static TLS_WHY_MAX])
{
	gnutls_datum_t pem;
	if (!load(path, &pem, why))
		return false;
	int result = gnutls_x509_crt_list_import2(chain, count, &pem, GNUTLS_X509_FMT_PEM,
	                                          GNUTLS_X509_CRT_LIST_FAIL_IF_UNSORTED);
	free(pem.data);
	if (result < 0)
		snprintf(why, TLS_WHY_MAX,
		         "%s: %s; expected PEM, the server's certificate first, then those that signed it", path,
		         gnutls_strerror(result));
	return result >= 0;
}

static bool read_key(const char *path, gnutls_x509_privkey_t key, char why[static TLS_WHY_MAX])
{
	gnutls_datum_t pem;
	if (!load(path, &pem, why))
		return false;
	int result = gnutls_x509_privkey_import2(key, &pem, GNUTLS_X509_FMT_PEM, NULL, 0);
	gnutls_memset(pem.data, 0, pem.size);
	free(pem.data);
	if (result < 0)
		snprintf(why, TLS_WHY_MAX, "%s: %s; expected a private key in PEM without a password", path,
		         gnutls_strerror(result));
	return result >= 0;
}

static struct tls_certificate *certificate_create(gnutls_x509_crt_t *chain, unsigned count, gnutls_x509_privkey_t key)
{
	struct tls_certificate *certificate = calloc(1, sizeof(*certificate));
	if (!certificate || gnutls_certificate_allocate_credentials(&certificate->credentials) != 0)
		abort();
	certificate->references = 1;
	if (gnutls_certificate_set_x509_key(certificate->credentials, chain, (int)count, key) >= 0)
		return certificate;
	tls_release(certificate);
	return NULL;
}

static struct tls_certificate *read_pair(const char *certificate_path, const char *key_path,
                                         char why[static TLS_WHY_MAX])
{
	gnutls_x509_crt_t *chain;
	gnutls_x509_privkey_t key;
	unsigned count;
	struct tls_certificate *certificate = NULL;
	if (!read_chain(certificate_path, &chain, &count, why))
		return NULL;
	if (gnutls_x509_privkey_init(&key) != 0)
		abort();
	if (read_key(key_path, key, why)) {
		certificate = certificate_create(chain, count, key);
		if (!certificate)
			snprintf(why, TLS_WHY_MAX, "%s is not the key of %s", key_path, certificate_path);
	}
	gnutls_x509_privkey_deinit(key);
	for (unsigned i = 0; i < count; i++)
		gnutls_x509_crt_deinit(chain[i]);
	gnutls_free(chain);
	return certificate;
}

/* ---- changes ---- */

static void look_at(const char *path, struct stat *out)
{
	if (stat(path, out) != 0)
		*out = (struct stat){0};
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* True if the files are not those that were read last. */
static bool moved(struct tls *tls, const char *certificate, const char *key)
{
	struct stat certificate_now, key_now;
	look_at(certificate, &certificate_now);
	look_at(key, &key_now);
	if (strcmp(certificate, tls->certificate) == 0 && strcmp(key, tls->key) == 0 &&
	    same_file(&certificate_now, &tls->certificate_seen) && same_file(&key_now, &tls->key_seen))
		return false;
	snprintf(tls->certificate, sizeof(tls->certificate), "%s", certificate);
	snprintf(tls->key, sizeof(tls->key), "%s", key);
	tls->certificate_seen = certificate_now;
	tls->key_seen = key_now;
	return true;
}

struct tls *tls_open(const char *certificate, const char *key, char why[static TLS_WHY_MAX])
{
	struct tls *tls = calloc(1, sizeof(*tls));
	if (!tls)
		abort();
	moved(tls, certificate, key);
	tls->current = read_pair(certificate, key, why);
	if (tls->current)
		return tls;
	free(tls);
	return NULL;
}

enum tls_result tls_refresh(struct tls *tls, const char *certificate, const char *key, char why[static TLS_WHY_MAX])
{
	if (!moved(tls, certificate, key))
		return TLS_SAME;
	struct tls_certificate *pair = read_pair(certificate, key, why);
	if (!pair)
		return TLS_BROKEN;
	tls_release(tls->current);
	tls->current = pair;
	return TLS_CHANGED;
}

void tls_close(struct tls *tls)
{
	if (!tls)
		return;
	tls_release(tls->current);
	free(tls);
}

/* ---- use ---- */

struct tls_certificate *tls_take(struct tls *tls)
{
	tls->current->references++;
	return tls->current;
}

void tls_release(struct tls_certificate *certificate)
{
	if (--certificate->references > 0)
		return;
	gnutls_certificate_free_credentials(certificate->credentials);
	free(certificate);
}

gnutls_certificate_credentials_t tls_credentials(const struct tls_certificate *certificate)
{
	return certificate->credentials;
}

gnutls_session_t tls_session(const struct tls_certificate *certificate)
{
	gnutls_session_t session;
	if (gnutls_init(&session, GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL) != 0)
		return NULL;
	if (gnutls_priority_set_direct(session, priority, NULL) == 0 &&
	    gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, certificate->credentials) == 0)
		return session;
	gnutls_deinit(session);
	return NULL;
}
