/* Reads a kubeconfig (YAML, of which JSON is a part): where the API of a context is and what to show to it. Pure:
 * opens none of the files that it names. */
#ifndef PM_KUBECONFIG_H
#define PM_KUBECONFIG_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/json_reader.h"

/* Strings are owned, NULL: not given. Of inline data and a file the data counts, of a token file and a token the file.
 */
struct kubeconfig {
	char *server; /* without a slash at the end */
	char *tls_server_name;
	bool insecure_skip_tls_verify;
	char *ca_file, *ca_data;     /* data is decoded: PEM */
	char *cert_file, *cert_data; /* client certificate, with key */
	char *key_file, *key_data;
	char *token_file, *token;
};

/* `directory`: where the kubeconfig lies, for relative paths. `context`: NULL for current-context. What cannot be used
 * (exec, auth-provider, user and password, a proxy) is a fault that says so. NULL with at least one fault; none of them
 * shows a secret. */
struct kubeconfig *kubeconfig_parse(const char *text, size_t len, const char *directory, const char *context,
                                    struct json_faults *faults);
void kubeconfig_free(struct kubeconfig *config);

/* The URL of an API server: https://HOST[:PORT][/PATH], or http for one on this machine. Cuts slashes at its end. NULL:
 * good, else what is expected. */
const char *kube_server_check(char *url);

#endif
