/* The certificate of the admin API: see the header. */
#include "control/tls.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
	CHAIN_MAX = 16,
	PEM_MAX = 1 << 20,
	RETIRED_MS = 60000, /* longer than any handshake may take */
	TLS_PATH_MAX = 256,
};

/* What was read at one time. */
struct pair {
	struct pair *next;
	uint64_t retired_at; /* monotonic ms */
	unsigned count;
	gnutls_pcert_st chain[CHAIN_MAX];
	gnutls_privkey_t key;
};

struct tls {
	struct pair *current, *retired;
	char certificate[TLS_PATH_MAX], key[TLS_PATH_MAX];
	struct stat certificate_seen, key_seen;
};

/* GnuTLS gives its callback nothing to tell several admin APIs apart, and a process has one. */
static struct tls *served;

static void pair_free(struct pair *pair)
{
	for (unsigned i = 0; i < pair->count; i++)
		gnutls_pcert_deinit(&pair->chain[i]);
	if (pair->key)
		gnutls_privkey_deinit(pair->key);
	free(pair);
}

/* The bytes of a file; NULL: `why`. */
static unsigned char *load(const char *path, gnutls_datum_t *out, char why[static TLS_WHY_MAX])
{
	FILE *file = fopen(path, "re");
	if (!file) {
		snprintf(why, TLS_WHY_MAX, "%s: cannot be opened: %s", path, strerror(errno));
		return NULL;
	}
	out->data = malloc(PEM_MAX);
	if (!out->data)
		abort();
	out->size = (unsigned)fread(out->data, 1, PEM_MAX, file);
	bool good = !ferror(file) && out->size < PEM_MAX;
	fclose(file);
	if (good)
		return out->data;
	snprintf(why, TLS_WHY_MAX, "%s: cannot be read, or has more than 1 MiB", path);
	free(out->data);
	return NULL;
}

static void forget(gnutls_datum_t *data)
{
	gnutls_memset(data->data, 0, data->size);
	free(data->data);
}

static bool read_chain(struct pair *pair, const char *path, char why[static TLS_WHY_MAX])
{
	gnutls_datum_t pem;
	unsigned count = CHAIN_MAX;
	if (!load(path, &pem, why))
		return false;
	int result = gnutls_pcert_list_import_x509_raw(pair->chain, &count, &pem, GNUTLS_X509_FMT_PEM,
	                                               GNUTLS_X509_CRT_LIST_FAIL_IF_UNSORTED);
	free(pem.data);
	if (result == 0)
		pair->count = count;
	else
		snprintf(why, TLS_WHY_MAX,
		         "%s: %s: it must be PEM, the server's certificate first, then those that signed it (%d at most)",
		         path, gnutls_strerror(result), CHAIN_MAX);
	return result == 0;
}

static bool read_key(struct pair *pair, const char *path, char why[static TLS_WHY_MAX])
{
	gnutls_datum_t pem;
	if (!load(path, &pem, why))
		return false;
	int result = gnutls_privkey_init(&pair->key);
	if (result == 0)
		result = gnutls_privkey_import_x509_raw(pair->key, &pem, GNUTLS_X509_FMT_PEM, NULL, 0);
	forget(&pem);
	if (result != 0)
		snprintf(why, TLS_WHY_MAX, "%s: %s: it must be a private key in PEM without a password", path,
		         gnutls_strerror(result));
	return result == 0;
}

/* Do key and certificate belong together? */
static bool fits(const struct pair *pair)
{
	unsigned char of_key[64], of_certificate[64];
	size_t key_len = sizeof(of_key), certificate_len = sizeof(of_certificate);
	gnutls_pubkey_t public;
	if (gnutls_pubkey_init(&public) != 0)
		abort();
	bool same =
	    gnutls_pubkey_import_privkey(public, pair->key, 0, 0) == 0 &&
	    gnutls_pubkey_get_key_id(public, GNUTLS_KEYID_USE_SHA256, of_key, &key_len) == 0 &&
	    gnutls_pubkey_get_key_id(pair->chain[0].pubkey, GNUTLS_KEYID_USE_SHA256, of_certificate,
	                             &certificate_len) == 0 &&
	    key_len == certificate_len && memcmp(of_key, of_certificate, key_len) == 0;
	gnutls_pubkey_deinit(public);
	return same;
}

static struct pair *read_pair(const char *certificate, const char *key, char why[static TLS_WHY_MAX])
{
	struct pair *pair = calloc(1, sizeof(*pair));
	if (!pair)
		abort();
	if (read_chain(pair, certificate, why) && read_key(pair, key, why)) {
		if (fits(pair))
			return pair;
		snprintf(why, TLS_WHY_MAX, "%s is not the key of %s", key, certificate);
	}
	pair_free(pair);
	return NULL;
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

static void free_retired(struct tls *tls, uint64_t before)
{
	struct pair **link = &tls->retired;
	while (*link) {
		struct pair *pair = *link;
		if (pair->retired_at > before) {
			link = &pair->next;
			continue;
		}
		*link = pair->next;
		pair_free(pair);
	}
}

enum tls_result tls_refresh(struct tls *tls, const char *certificate, const char *key, uint64_t now,
                            char why[static TLS_WHY_MAX])
{
	free_retired(tls, now > RETIRED_MS ? now - RETIRED_MS : 0);
	if (!moved(tls, certificate, key))
		return TLS_SAME;
	struct pair *pair = read_pair(certificate, key, why);
	if (!pair)
		return TLS_BROKEN;
	tls->current->retired_at = now;
	tls->current->next = tls->retired;
	tls->retired = tls->current;
	tls->current = pair;
	return TLS_CHANGED;
}

void tls_close(struct tls *tls)
{
	if (!tls)
		return;
	if (served == tls)
		served = NULL;
	free_retired(tls, UINT64_MAX);
	pair_free(tls->current);
	free(tls);
}

void tls_serve(struct tls *tls)
{
	served = tls;
}

int tls_retrieve(gnutls_session_t session, const struct gnutls_cert_retr_st *info, gnutls_pcert_st **certificates,
                 unsigned *count, gnutls_ocsp_data_st **ocsp, unsigned *ocsp_count, gnutls_privkey_t *key,
                 unsigned *flags)
{
	if (!served)
		return -1;
	*certificates = served->current->chain;
	*count = served->current->count;
	*key = served->current->key;
	*ocsp = NULL;
	*ocsp_count = 0;
	*flags = 0; /* they stay ours */
	return 0;
}
