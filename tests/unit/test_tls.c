/* tls: certificates that change while a handshake may be under way, and files that are broken in every way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "control/tls.h"

static char directory[] = "/tmp/pm-test-tls-XXXXXX";
static char certificate[100], key[100];

static void write_file(const char *path, const void *bytes, size_t len)
{
	char temporary[120];
	snprintf(temporary, sizeof(temporary), "%s.new", path);
	FILE *file = fopen(temporary, "w");
	assert_int_equal(fwrite(bytes, 1, len, file), len);
	fclose(file);
	assert_int_equal(rename(temporary, path), 0); /* another inode: a change within one tick of the clock is seen */
}

static void write_text(const char *path, const char *text)
{
	write_file(path, text, strlen(text));
}

/* A certificate signed by itself, with this serial number, and its key, each into a file if there is a path. */
static void make_pair(uint8_t serial, const char *certificate_path, const char *key_path)
{
	gnutls_x509_privkey_t private;
	gnutls_x509_crt_t crt;
	gnutls_datum_t pem;
	gnutls_x509_privkey_init(&private);
	gnutls_x509_privkey_generate(private, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
	gnutls_x509_crt_init(&crt);
	gnutls_x509_crt_set_version(crt, 3);
	gnutls_x509_crt_set_serial(crt, &serial, 1);
	gnutls_x509_crt_set_activation_time(crt, time(NULL) - 60);
	gnutls_x509_crt_set_expiration_time(crt, time(NULL) + 3600);
	gnutls_x509_crt_set_dn(crt, "CN=test", NULL);
	gnutls_x509_crt_set_key(crt, private);
	assert_int_equal(gnutls_x509_crt_sign2(crt, crt, private, GNUTLS_DIG_SHA256, 0), 0);
	if (certificate_path) {
		assert_int_equal(gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &pem), 0);
		write_file(certificate_path, pem.data, pem.size);
		gnutls_free(pem.data);
	}
	if (key_path) {
		assert_int_equal(gnutls_x509_privkey_export2(private, GNUTLS_X509_FMT_PEM, &pem), 0);
		write_file(key_path, pem.data, pem.size);
		gnutls_free(pem.data);
	}
	gnutls_x509_crt_deinit(crt);
	gnutls_x509_privkey_deinit(private);
}

/* The serial number of the certificate that a handshake would get now; 0: none. */
static uint8_t served_serial(void)
{
	gnutls_pcert_st *chain;
	gnutls_ocsp_data_st *ocsp;
	gnutls_privkey_t private;
	gnutls_x509_crt_t crt;
	unsigned count, ocsp_count, flags;
	uint8_t serial[8] = {0};
	size_t len = sizeof(serial);
	if (tls_retrieve(NULL, NULL, &chain, &count, &ocsp, &ocsp_count, &private, &flags) != 0)
		return 0;
	assert_int_equal(count, 1);
	assert_int_equal(flags, 0);
	assert_non_null(private);
	assert_int_equal(gnutls_pcert_export_x509(chain, &crt), 0);
	assert_int_equal(gnutls_x509_crt_get_serial(crt, serial, &len), 0);
	gnutls_x509_crt_deinit(crt);
	return serial[0];
}

static void reads_and_serves(void **state)
{
	char why[TLS_WHY_MAX];
	make_pair(1, certificate, key);
	assert_int_equal(served_serial(), 0);
	struct tls *tls = tls_open(certificate, key, why);
	assert_non_null(tls);
	tls_serve(tls);
	assert_int_equal(served_serial(), 1);
	assert_int_equal(tls_refresh(tls, certificate, key, 0, why), TLS_SAME);
	tls_close(tls);
	assert_int_equal(served_serial(), 0);
	tls_close(NULL);
}

static void changes(void **state)
{
	char why[TLS_WHY_MAX], other[120], other_key[120];
	gnutls_pcert_st *chain;
	gnutls_ocsp_data_st *ocsp;
	gnutls_privkey_t private;
	unsigned count, ocsp_count, flags;
	make_pair(1, certificate, key);
	struct tls *tls = tls_open(certificate, key, why);
	tls_serve(tls);
	/* A handshake has begun with the first one: it must be there for a while, even after the second has come. */
	assert_int_equal(tls_retrieve(NULL, NULL, &chain, &count, &ocsp, &ocsp_count, &private, &flags), 0);
	make_pair(2, certificate, key);
	assert_int_equal(tls_refresh(tls, certificate, key, 1000, why), TLS_CHANGED);
	assert_int_equal(served_serial(), 2);
	gnutls_x509_crt_t crt;
	assert_int_equal(gnutls_pcert_export_x509(chain, &crt), 0);
	gnutls_x509_crt_deinit(crt);
	assert_int_equal(tls_refresh(tls, certificate, key, 1000 + 60001, why), TLS_SAME);
	/* Other paths in the configuration. */
	snprintf(other, sizeof(other), "%s/other", directory);
	snprintf(other_key, sizeof(other_key), "%s/other.key", directory);
	make_pair(3, other, other_key);
	assert_int_equal(tls_refresh(tls, other, other_key, 2000, why), TLS_CHANGED);
	assert_int_equal(served_serial(), 3);
	unlink(other);
	unlink(other_key);
	assert_int_equal(tls_refresh(tls, other, other_key, 3000, why), TLS_BROKEN);
	assert_int_equal(served_serial(), 3);
	tls_close(tls);
}

static void broken_files_keep_the_one_before(void **state)
{
	char why[TLS_WHY_MAX];
	make_pair(1, certificate, key);
	struct tls *tls = tls_open(certificate, key, why);
	tls_serve(tls);
	/* One file is there, the other not yet: no pair. */
	make_pair(2, certificate, NULL);
	assert_int_equal(tls_refresh(tls, certificate, key, 0, why), TLS_BROKEN);
	assert_non_null(strstr(why, "is not the key of"));
	assert_int_equal(tls_refresh(tls, certificate, key, 0, why), TLS_SAME); /* told once */
	write_text(certificate, "");
	assert_int_equal(tls_refresh(tls, certificate, key, 0, why), TLS_BROKEN);
	assert_non_null(strstr(why, certificate));
	write_text(certificate, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
	assert_int_equal(tls_refresh(tls, certificate, key, 0, why), TLS_BROKEN);
	unlink(certificate);
	assert_int_equal(tls_refresh(tls, certificate, key, 0, why), TLS_BROKEN);
	assert_non_null(strstr(why, "cannot be opened"));
	make_pair(3, certificate, NULL);
	write_text(key, "no key");
	assert_int_equal(tls_refresh(tls, certificate, key, 0, why), TLS_BROKEN);
	assert_non_null(strstr(why, "private key in PEM"));
	assert_int_equal(served_serial(), 1);
	make_pair(4, certificate, key);
	assert_int_equal(tls_refresh(tls, certificate, key, 0, why), TLS_CHANGED);
	assert_int_equal(served_serial(), 4);
	tls_close(tls);
}

static void it_does_not_begin_with_broken_files(void **state)
{
	char why[TLS_WHY_MAX];
	assert_null(tls_open("/nonexistent/c", "/nonexistent/k", why));
	assert_string_equal(why, "/nonexistent/c: cannot be opened: No such file or directory");
	make_pair(1, certificate, key);
	assert_null(tls_open(certificate, certificate, why));
	assert_null(tls_open(key, key, why));
	assert_null(tls_open(directory, key, why));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reads_and_serves),
	    cmocka_unit_test(changes),
	    cmocka_unit_test(broken_files_keep_the_one_before),
	    cmocka_unit_test(it_does_not_begin_with_broken_files),
	};
	if (!mkdtemp(directory))
		return 1;
	snprintf(certificate, sizeof(certificate), "%s/c.pem", directory);
	snprintf(key, sizeof(key), "%s/k.pem", directory);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(certificate);
	unlink(key);
	rmdir(directory);
	return failed;
}
