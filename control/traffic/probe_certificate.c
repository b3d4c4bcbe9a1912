/* Certificates, read with GnuTLS: see the header. */
#include "control/traffic/probe_certificate.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>

#include "common/utf8.h"

/* It comes from a stranger. */
static void copy_text(char *to, size_t size, const unsigned char *from, size_t len)
{
	char text[2 * CERTIFICATE_DN_MAX];
	len = len < sizeof(text) ? len : sizeof(text) - 1;
	for (size_t i = 0; i < len; i++)
		text[i] = (char)(from[i] < 0x20 || from[i] == 0x7f ? '?' : from[i]);
	text[len] = '\0';
	utf8_copy(to, size, text);
}

static void read_dn(gnutls_x509_crt_t crt, int (*get)(gnutls_x509_crt_t, gnutls_datum_t *, unsigned), char *to)
{
	gnutls_datum_t dn = {0};
	if (get(crt, &dn, 0) == GNUTLS_E_SUCCESS)
		copy_text(to, CERTIFICATE_DN_MAX, dn.data, dn.size);
	gnutls_free(dn.data);
}

static void read_names(gnutls_x509_crt_t crt, struct probe_certificate *certificate)
{
	for (unsigned i = 0; certificate->name_count < CERTIFICATE_NAMES_MAX; i++) {
		unsigned char name[CERTIFICATE_DN_MAX];
		size_t size = sizeof(name);
		int type = gnutls_x509_crt_get_subject_alt_name(crt, i, name, &size, NULL);
		if (type == GNUTLS_E_SHORT_MEMORY_BUFFER)
			continue;
		if (type < 0)
			break;
		if (type == GNUTLS_SAN_DNSNAME)
			copy_text(certificate->names[certificate->name_count++], sizeof(certificate->names[0]), name,
			          size);
	}
}

static bool import_pem(gnutls_x509_crt_t crt, const char *pem)
{
	const gnutls_datum_t data = {.data = (unsigned char *)(uintptr_t)pem, .size = (unsigned)strlen(pem)};
	return gnutls_x509_crt_import(crt, &data, GNUTLS_X509_FMT_PEM) == GNUTLS_E_SUCCESS;
}

bool probe_certificate_read(const char *pem, const char *host, struct probe_certificate *certificate)
{
	gnutls_x509_crt_t crt;
	*certificate = (struct probe_certificate){0};
	if (gnutls_x509_crt_init(&crt) != GNUTLS_E_SUCCESS)
		abort();
	bool good = import_pem(crt, pem);
	if (good) {
		read_dn(crt, gnutls_x509_crt_get_dn3, certificate->subject);
		read_dn(crt, gnutls_x509_crt_get_issuer_dn3, certificate->issuer);
		read_names(crt, certificate);
		certificate->not_before = (int64_t)gnutls_x509_crt_get_activation_time(crt) * 1000;
		certificate->not_after = (int64_t)gnutls_x509_crt_get_expiration_time(crt) * 1000;
		certificate->matches = gnutls_x509_crt_check_hostname(crt, host) != 0;
	}
	gnutls_x509_crt_deinit(crt);
	return good;
}
