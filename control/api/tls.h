/* The certificate of the admin API: read from PEM files, and read again when they change; a connection keeps the one
 * that it began with. What is broken is not taken: the one before goes on. */
#ifndef PM_TLS_H
#define PM_TLS_H

#include <gnutls/gnutls.h>
#include <stdbool.h>

struct tls;

enum { TLS_WHY_MAX = 600 };

/* Reads both files. NULL: `why` names the file, what is wrong and how to mend it. */
struct tls *tls_open(const char *certificate, const char *key, char why[static TLS_WHY_MAX]);
/* Connections that have begun may outlive it. */
void tls_close(struct tls *tls);

enum tls_result { TLS_SAME, TLS_CHANGED, TLS_BROKEN };
/* Reads the files again if they (or their paths) have changed; to be called now and then. TLS_BROKEN: `why`, told once
 * for each change. */
enum tls_result tls_refresh(struct tls *tls, const char *certificate, const char *key, char why[static TLS_WHY_MAX]);

/* One certificate with its key, shared by the connections that began with it. */
struct tls_certificate;
struct tls_certificate *tls_take(struct tls *tls);
void tls_release(struct tls_certificate *certificate);
gnutls_certificate_credentials_t tls_credentials(const struct tls_certificate *certificate);
/* A server's session with it: TLS 1.2 or 1.3, non-blocking, not yet bound to a socket. NULL: no memory. */
gnutls_session_t tls_session(const struct tls_certificate *certificate);

#endif
