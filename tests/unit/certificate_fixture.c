/* See the header. */
#include "certificate_fixture.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void must(int result)
{
	if (result >= 0)
		return;
	fprintf(stderr, "certificate: %s\n", gnutls_strerror(result));
	abort();
}

static void add_names(gnutls_x509_crt_t crt, const char *names)
{
	char *copy = strdup(names), *rest = copy, *name;
	while ((name = strsep(&rest, " ")))
		if (name[0] != '\0')
			must(gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, name, (unsigned)strlen(name),
			                                          GNUTLS_FSAN_APPEND));
	free(copy);
}

void certificate_make(struct certificate_fixture *certificate, const char *common_name, const char *names, int64_t from,
                      int64_t to)
{
	gnutls_x509_crt_t crt;
	gnutls_x509_privkey_t key;
	size_t size = sizeof(certificate->pem);
	time_t now = time(NULL);
	must(gnutls_x509_crt_init(&crt));
	must(gnutls_x509_privkey_init(&key));
	must(gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0));
	must(gnutls_x509_crt_set_version(crt, 3));
	must(gnutls_x509_crt_set_serial(crt, "\x01", 1));
	must(gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, common_name,
	                                   (unsigned)strlen(common_name)));
	add_names(crt, names);
	must(gnutls_x509_crt_set_activation_time(crt, now + from));
	must(gnutls_x509_crt_set_expiration_time(crt, now + to));
	must(gnutls_x509_crt_set_key(crt, key));
	must(gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0));
	must(gnutls_x509_crt_export(crt, GNUTLS_X509_FMT_PEM, certificate->pem, &size));
	size = sizeof(certificate->key);
	must(gnutls_x509_privkey_export(key, GNUTLS_X509_FMT_PEM, certificate->key, &size));
	gnutls_x509_crt_deinit(crt);
	gnutls_x509_privkey_deinit(key);
}
