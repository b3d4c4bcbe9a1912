/* How to reach one API and what to show to it, from the spec and the files that it names; read again when they change.
 * Never written or logged anywhere. */
#ifndef PM_KUBE_CREDENTIALS_H
#define PM_KUBE_CREDENTIALS_H

#include <stdbool.h>
#include <stddef.h>

#include "control/kube/kube_spec.h"

/* Borrowed until the next kube_credentials_get. NULL: not given. */
struct kube_access {
	const char *server; /* "https://api.ose1:6443" */
	const char *tls_server_name;
	bool insecure;
	const char *ca;         /* PEM; NULL: the system's authorities */
	const char *cert, *key; /* PEM */
	const char *token;
};

struct kube_credentials;

/* Never NULL; opens nothing yet. */
struct kube_credentials *kube_credentials_create(const struct kube_spec *spec);
void kube_credentials_free(struct kube_credentials *credentials);

/* Reads what has changed, or everything if `anyway` (after a 401). A file that has become unreadable or wrong leaves
 * what was read before. NULL: something that is needed was never read. */
const struct kube_access *kube_credentials_get(struct kube_credentials *credentials, bool anyway);

/* What is wrong with which file, as of the last kube_credentials_get, also if something old is used in its place; ""
 * for nothing. */
const char *kube_credentials_complaint(const struct kube_credentials *credentials);

/* Whether the server's certificate is not checked, as far as is known. */
bool kube_credentials_insecure(const struct kube_credentials *credentials);

/* True if a file is not the one that was read last. */
bool kube_credentials_changed(const struct kube_credentials *credentials);

#endif
