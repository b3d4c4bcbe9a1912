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

#include "control/api/tls.h"

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

/* The serial number of the certificate that a connection would begin with now. */
static uint8_t serial_of(const struct tls_certificate *certificate)
{
	gnutls_datum_t der;
	gnutls_x509_crt_t crt;
	uint8_t serial[8] = {0};
	size_t len = sizeof(serial);
	assert_int_equal(gnutls_certificate_get_crt_raw(tls_credentials(certificate), 0, 0, &der), 0);
	assert_int_equal(gnutls_x509_crt_init(&crt), 0);
	assert_int_equal(gnutls_x509_crt_import(crt, &der, GNUTLS_X509_FMT_DER), 0);
	assert_int_equal(gnutls_x509_crt_get_serial(crt, serial, &len), 0);
	gnutls_x509_crt_deinit(crt);
	return serial[0];
}

static uint8_t present_serial(struct tls *tls)
{
	struct tls_certificate *certificate = tls_take(tls);
	uint8_t serial = serial_of(certificate);
	tls_release(certificate);
	return serial;
}

static void reads_and_serves(void **state)
{
	char why[TLS_WHY_MAX];
	make_pair(1, certificate, key);
	struct tls *tls = tls_open(certificate, key, why);
	assert_non_null(tls);
	assert_int_equal(present_serial(tls), 1);
	assert_int_equal(tls_refresh(tls, certificate, key, why), TLS_SAME);
	tls_close(tls);
	tls_close(NULL);
}

static void changes(void **state)
{
	char why[TLS_WHY_MAX], other[120], other_key[120];
	make_pair(1, certificate, key);
	struct tls *tls = tls_open(certificate, key, why);
	/* A connection has begun with the first one: it keeps it after the second has come, and after the end of all.
	 */
	struct tls_certificate *first = tls_take(tls);
	gnutls_session_t session = tls_session(first);
	assert_non_null(session);
	make_pair(2, certificate, key);
	assert_int_equal(tls_refresh(tls, certificate, key, why), TLS_CHANGED);
	assert_int_equal(present_serial(tls), 2);
	assert_int_equal(serial_of(first), 1);
	/* Other paths in the configuration. */
	snprintf(other, sizeof(other), "%s/other", directory);
	snprintf(other_key, sizeof(other_key), "%s/other.key", directory);
	make_pair(3, other, other_key);
	assert_int_equal(tls_refresh(tls, other, other_key, why), TLS_CHANGED);
	assert_int_equal(present_serial(tls), 3);
	unlink(other);
	unlink(other_key);
	assert_int_equal(tls_refresh(tls, other, other_key, why), TLS_BROKEN);
	assert_int_equal(present_serial(tls), 3);
	tls_close(tls);
	gnutls_deinit(session);
	assert_int_equal(serial_of(first), 1);
	tls_release(first);
}

static void broken_files_keep_the_one_before(void **state)
{
	char why[TLS_WHY_MAX];
	make_pair(1, certificate, key);
	struct tls *tls = tls_open(certificate, key, why);
	/* One file is there, the other not yet: no pair. */
	make_pair(2, certificate, NULL);
	assert_int_equal(tls_refresh(tls, certificate, key, why), TLS_BROKEN);
	assert_non_null(strstr(why, "is not the key of"));
	assert_int_equal(tls_refresh(tls, certificate, key, why), TLS_SAME); /* told once */
	write_text(certificate, "");
	assert_int_equal(tls_refresh(tls, certificate, key, why), TLS_BROKEN);
	assert_non_null(strstr(why, certificate));
	write_text(certificate, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
	assert_int_equal(tls_refresh(tls, certificate, key, why), TLS_BROKEN);
	unlink(certificate);
	assert_int_equal(tls_refresh(tls, certificate, key, why), TLS_BROKEN);
	assert_non_null(strstr(why, "cannot be opened"));
	make_pair(3, certificate, NULL);
	write_text(key, "no key");
	assert_int_equal(tls_refresh(tls, certificate, key, why), TLS_BROKEN);
	assert_non_null(strstr(why, "private key in PEM"));
	assert_int_equal(present_serial(tls), 1);
	make_pair(4, certificate, key);
	assert_int_equal(tls_refresh(tls, certificate, key, why), TLS_CHANGED);
	assert_int_equal(present_serial(tls), 4);
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
