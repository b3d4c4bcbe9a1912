/* tls_pump: a client with TLS on one side and plain bytes on the other; large amounts both ways, ends on each side, and
 * what is no TLS at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "control/api/tls_pump.h"

static char certificate[] = "/tmp/pm-test-pump-c-XXXXXX", key[] = "/tmp/pm-test-pump-k-XXXXXX";
static struct event_loop *loop;
static struct tls *tls;
static struct tls_pumps *pumps;
static gnutls_certificate_credentials_t trust_all;

/* ---- the client ---- */

static struct {
	int fd, plain; /* the client's socket, and the plain side of the pump */
	gnutls_session_t session;
} client;

static void write_file(char *path, const gnutls_datum_t *pem)
{
	int fd = mkstemp(path);
	assert_int_equal(write(fd, pem->data, pem->size), pem->size);
	close(fd);
}

static void make_files(void)
{
	gnutls_x509_privkey_t private;
	gnutls_x509_crt_t crt;
	gnutls_datum_t pem;
	uint8_t serial = 1;
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
	gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &pem);
	write_file(certificate, &pem);
	gnutls_free(pem.data);
	gnutls_x509_privkey_export2(private, GNUTLS_X509_FMT_PEM, &pem);
	write_file(key, &pem);
	gnutls_free(pem.data);
	gnutls_x509_crt_deinit(crt);
	gnutls_x509_privkey_deinit(private);
}

static int setup(void **state)
{
	int pair[2];
	char why[TLS_WHY_MAX];
	loop = event_loop_create();
	tls = tls_open(certificate, key, why);
	pumps = tls_pumps_create(loop);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0)
		return -1;
	client.fd = pair[0];
	client.plain = tls_pumps_add(pumps, tls, pair[1]);
	gnutls_certificate_allocate_credentials(&trust_all);
	gnutls_init(&client.session, GNUTLS_CLIENT | GNUTLS_NONBLOCK);
	gnutls_set_default_priority(client.session);
	gnutls_credentials_set(client.session, GNUTLS_CRD_CERTIFICATE, trust_all);
	gnutls_transport_set_int(client.session, client.fd);
	return client.plain >= 0 ? 0 : -1;
}

static int teardown(void **state)
{
	tls_pumps_destroy(pumps);
	tls_close(tls);
	gnutls_deinit(client.session);
	gnutls_certificate_free_credentials(trust_all);
	if (client.fd >= 0)
		close(client.fd);
	if (client.plain >= 0)
		close(client.plain);
	event_loop_destroy(loop);
	return 0;
}

static void turn(void)
{
	event_loop_turn(loop, 2);
}

static void shake_hands(void)
{
	int result;
	while ((result = gnutls_handshake(client.session)) == GNUTLS_E_AGAIN)
		turn();
	assert_int_equal(result, 0);
}

/* Waits until all pumps are gone. */
static void await_none(void)
{
	for (int i = 0; tls_pumps_count(pumps) > 0; i++) {
		assert_true(i < 3000);
		turn();
	}
}

/* The next bytes of the plain side; 0: its end. */
static size_t read_plain(void *out, size_t size)
{
	ssize_t len;
	while ((len = recv(client.plain, out, size, 0)) < 0) {
		assert_int_equal(errno, EAGAIN);
		turn();
	}
	return (size_t)len;
}

/* ---- tests ---- */

static void words_both_ways(void **state)
{
	char text[100];
	shake_hands();
	assert_int_equal(gnutls_record_send(client.session, "hello", 5), 5);
	assert_int_equal(read_plain(text, sizeof(text)), 5);
	assert_memory_equal(text, "hello", 5);
	assert_int_equal(send(client.plain, "world", 5, 0), 5);
	ssize_t len;
	while ((len = gnutls_record_recv(client.session, text, sizeof(text))) == GNUTLS_E_AGAIN)
		turn();
	assert_int_equal(len, 5);
	assert_memory_equal(text, "world", 5);
	assert_int_equal(tls_pumps_count(pumps), 1);
}

/* Both sides send before anybody reads: nothing is lost, and nothing waits for ever. */
static void much_both_ways(void **state)
{
	enum { SIZE = 5 << 20 };
	uint8_t *bytes = malloc(SIZE), buffer[20000];
	size_t up = 0, down = 0, up_read = 0, down_read = 0;
	for (size_t i = 0; i < SIZE; i++)
		bytes[i] = (uint8_t)(i * 7 + i / 251);
	shake_hands();
	for (int i = 0; up_read < SIZE || down_read < SIZE; i++) {
		assert_true(i < 200000);
		ssize_t len = up < SIZE ? gnutls_record_send(client.session, bytes + up, SIZE - up) : 0;
		up += len > 0 ? (size_t)len : 0;
		len = down < SIZE ? send(client.plain, bytes + down, SIZE - down, MSG_NOSIGNAL) : 0;
		down += len > 0 ? (size_t)len : 0;
		event_loop_turn(loop, 0);
		if (i % 3 != 0)
			continue;
		len = recv(client.plain, buffer, sizeof(buffer), 0);
		assert_true(len <= 0 || memcmp(buffer, bytes + up_read, (size_t)len) == 0);
		up_read += len > 0 ? (size_t)len : 0;
		len = gnutls_record_recv(client.session, buffer, sizeof(buffer));
		assert_true(len <= 0 || memcmp(buffer, bytes + down_read, (size_t)len) == 0);
		down_read += len > 0 ? (size_t)len : 0;
	}
	free(bytes);
}

static void the_client_ends(void **state)
{
	char text[10];
	shake_hands();
	gnutls_record_send(client.session, "bye", 3);
	gnutls_bye(client.session, GNUTLS_SHUT_WR);
	assert_int_equal(read_plain(text, sizeof(text)), 3);
	assert_int_equal(read_plain(text, sizeof(text)), 0);
	/* Our side may still answer. */
	assert_int_equal(send(client.plain, "ok", 2, 0), 2);
	close(client.plain);
	client.plain = -1;
	ssize_t len;
	while ((len = gnutls_record_recv(client.session, text, sizeof(text))) == GNUTLS_E_AGAIN)
		turn();
	assert_int_equal(len, 2);
	while ((len = gnutls_record_recv(client.session, text, sizeof(text))) == GNUTLS_E_AGAIN)
		turn();
	assert_int_equal(len, 0); /* a good-bye, not just the end of the socket */
	close(client.fd);
	client.fd = -1;
	await_none();
}

static void the_plain_side_ends_with_much_unsent(void **state)
{
	enum { SIZE = 150000 };
	static uint8_t bytes[SIZE], buffer[SIZE];
	size_t read = 0;
	memset(bytes, 'x', SIZE);
	shake_hands();
	size_t sent = 0;
	while (sent < SIZE) {
		ssize_t len = send(client.plain, bytes, SIZE - sent, MSG_NOSIGNAL);
		sent += len > 0 ? (size_t)len : 0;
		turn();
	}
	close(client.plain);
	client.plain = -1;
	ssize_t len;
	while (read < SIZE) {
		turn();
		len = gnutls_record_recv(client.session, buffer, sizeof(buffer));
		assert_true(len > 0 || len == GNUTLS_E_AGAIN);
		read += len > 0 ? (size_t)len : 0;
	}
	while ((len = gnutls_record_recv(client.session, buffer, sizeof(buffer))) == GNUTLS_E_AGAIN)
		turn();
	assert_int_equal(len, 0);
	await_none(); /* although the client does not close: it has two seconds */
}

static void plain_http_is_told(void **state)
{
	char text[400];
	size_t read = 0;
	ssize_t len = -1;
	assert_int_equal(send(client.fd, "GET / HTTP/1.1\r\n\r\n", 18, 0), 18);
	while (len != 0) {
		turn();
		len = recv(client.fd, text + read, sizeof(text) - 1 - read, 0);
		read += len > 0 ? (size_t)len : 0;
	}
	text[read] = '\0';
	assert_int_equal(strncmp(text, "HTTP/1.1 400 ", 13), 0);
	const char *length = strstr(text, "Content-Length: "), *body = strstr(text, "\r\n\r\n") + 4;
	assert_int_equal(strtoul(length + 16, NULL, 10), strlen(body));
	assert_non_null(strstr(body, "HTTPS"));
	close(client.fd);
	client.fd = -1;
	await_none();
}

static void broken_handshakes(void **state)
{
	static const uint8_t junk[] = {22, 3, 1, 0, 5, 1, 0, 0, 1, 0xff, 22, 3, 1};
	char text[10];
	assert_int_equal(send(client.fd, junk, sizeof(junk), 0), sizeof(junk));
	for (int i = 0; i < 20; i++)
		turn();
	close(client.fd);
	client.fd = -1;
	await_none();
	assert_int_equal(read_plain(text, sizeof(text)), 0);
}

static void whoever_waits_for_the_handshake_can_end_it(void **state)
{
	char text[10];
	send(client.fd, "\x16\x03", 2, 0);
	for (int i = 0; i < 5; i++)
		turn();
	assert_int_equal(tls_pumps_count(pumps), 1);
	close(client.plain);
	client.plain = -1;
	await_none();
	assert_int_equal(recv(client.fd, text, sizeof(text), 0), 0);
}

static void a_client_that_vanishes(void **state)
{
	char text[10];
	shake_hands();
	close(client.fd);
	client.fd = -1;
	assert_int_equal(read_plain(text, sizeof(text)), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(words_both_ways),
	    TEST(much_both_ways),
	    TEST(the_client_ends),
	    TEST(the_plain_side_ends_with_much_unsent),
	    TEST(plain_http_is_told),
	    TEST(broken_handshakes),
	    TEST(whoever_waits_for_the_handshake_can_end_it),
	    TEST(a_client_that_vanishes),
	};
	make_files();
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(certificate);
	unlink(key);
	return failed;
}
