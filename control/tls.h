/* The certificate of the admin API: read from PEM files, and read again when they change; handshakes under way keep the
 * one that they began with. What is broken is not taken: the one before goes on. */
#ifndef PM_TLS_H
#define PM_TLS_H

#include <gnutls/abstract.h>
#include <stdbool.h>
#include <stdint.h>

struct tls;

enum { TLS_WHY_MAX = 600 };

/* TLS 1.2 and 1.3, with what GnuTLS holds to be secure. */
#define TLS_PRIORITY "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

/* Reads both files. NULL: `why` names the file, what is wrong and how to mend it. */
struct tls *tls_open(const char *certificate, const char *key, char why[static TLS_WHY_MAX]);
void tls_close(struct tls *tls);

enum tls_result { TLS_SAME, TLS_CHANGED, TLS_BROKEN };
/* Reads the files again if they (or their paths) have changed; to be called now and then. TLS_BROKEN: `why`, told once
 * for each change. `now`: monotonic ms. */
enum tls_result tls_refresh(struct tls *tls, const char *certificate, const char *key, uint64_t now,
                            char why[static TLS_WHY_MAX]);

/* For GnuTLS (gnutls_certificate_retrieve_function3): the present certificate. The session pointer of the session is
 * not used; there is one admin API in a process. */
int tls_retrieve(gnutls_session_t session, const struct gnutls_cert_retr_st *info, gnutls_pcert_st **certificates,
                 unsigned *count, gnutls_ocsp_data_st **ocsp, unsigned *ocsp_count, gnutls_privkey_t *key,
                 unsigned *flags);
/* The one that tls_retrieve gives; NULL: none, so that every handshake fails. */
void tls_serve(struct tls *tls);

#endif
