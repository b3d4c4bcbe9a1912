/* admin_listen: which Host and Origin are ours, texts with %XX, and the handing over of the listening socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/api/admin_listen.h"
#include "control_fixture.h"

static struct config *config;

static int setup(void **state)
{
	config = fixture_config("/tmp", "/tmp", "'admin': {'allowed_hosts': ['lb.example']}");
	config->admin.listen_port = 0; /* any */
	return 0;
}

static int teardown(void **state)
{
	config_free(config);
	return 0;
}

static uint16_t port_of(int fd)
{
	struct address address;
	uint16_t port;
	assert_true(admin_local_address(fd, &address, &port));
	assert_true(address_equal(&address, &config->admin.listen_address));
	return port;
}

static void host_fields(void **state)
{
	struct address loopback, other, v6;
	address_parse("127.0.0.1", &loopback);
	address_parse("192.0.2.1", &other);
	address_parse("::1", &v6);
	assert_true(admin_host_allowed(config, "127.0.0.1", &loopback));
	assert_true(admin_host_allowed(config, "192.0.2.1:8089", &other));
	assert_true(admin_host_allowed(config, "[::1]:8089", &v6));
	assert_true(admin_host_allowed(config, "localhost", &v6));
	assert_true(admin_host_allowed(config, "lb.example.", &other));
	assert_false(admin_host_allowed(config, "localhost", &other));
	assert_false(admin_host_allowed(config, "127.0.0.1", &other));
	assert_false(admin_host_allowed(config, "192.0.2.1.evil.example", &other));
	assert_false(admin_host_allowed(config, "evil.example@192.0.2.1", &other));
	assert_false(admin_host_allowed(config, "", &other));
	assert_false(admin_host_allowed(config, NULL, &other));
	assert_true(admin_origin_allowed(config, NULL, &other));
	assert_false(admin_origin_allowed(config, "", &other));
	assert_false(admin_origin_allowed(config, "file://", &other));
	assert_false(admin_origin_allowed(config, "http://192.0.2.1.evil.example", &other));
	assert_false(admin_origin_allowed(config, "ftp://192.0.2.1", &other));
	assert_false(admin_origin_allowed(config, "http://192.0.2.1/path", &other));
}

static void an_origin_is_exactly_the_host(void **state)
{
	static const struct {
		const char *origin, *host;
		bool plain, tls;
	} cases[] = {
	    {"http://lb.example:8089", "lb.example:8089", true, false},
	    {"https://lb.example:8089", "LB.example:8089", true, true}, /* TLS may end in front of us */
	    {"https://lb.example", "lb.example", true, true},
	    {"http://localhost:3000", "localhost:8089", false, false}, /* somebody else's page on this machine */
	    {"http://lb.example", "lb.example:8089", false, false},
	    {"http://lb.example:8089.evil", "lb.example:8089", false, false},
	    {"http://", "", true, false},
	    {"null", "lb.example", false, false},
	    {"", "", false, false},
	    {"ws://lb.example", "lb.example", false, false},
	    {NULL, "lb.example", false, false},
	    {"http://lb.example", NULL, false, false},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(admin_origin_same(cases[i].origin, cases[i].host, false), cases[i].plain);
		assert_int_equal(admin_origin_same(cases[i].origin, cases[i].host, true), cases[i].tls);
	}
}

static void escapes(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
	    {"/a%20b", "/a b"},
	    {"%41%4a%4A", "AJJ"},
	    {"%2e%2E%2f", "../"},
	    {"/status%00.css", "/status%00.css"},
	    {"%", "%"},
	    {"%4", "%4"},
	    {"%zz%41", "%zzA"},
	    {"100%", "100%"},
	    {"%%41", "%A"},
	    {"", ""},
	    {"%2541", "%41"},
	    {"%c3%a9", "\xc3\xa9"},
	    {"%0d%0aX: y", "\r\nX: y"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[40];
		strcpy(text, cases[i].in);
		assert_int_equal(admin_unescape(text), strlen(cases[i].out));
		assert_string_equal(text, cases[i].out);
	}
}

static void the_listening_socket_is_handed_over(void **state)
{
	char number[16];
	int first = admin_listen(config);
	config->admin.listen_port = port_of(first);
	snprintf(number, sizeof(number), "%d", first);
	setenv(ADMIN_FD_VARIABLE, number, 1);
	assert_int_equal(admin_listen(config), first);
	assert_null(getenv(ADMIN_FD_VARIABLE));
	assert_true(fcntl(first, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(admin_listen(config), -1); /* the address is in use */

	/* The configuration has changed meanwhile: the old socket is closed and a new one made. */
	setenv(ADMIN_FD_VARIABLE, number, 1);
	config->admin.listen_port = 0;
	int second = admin_listen(config);
	assert_true(second >= 0);
	close(second);
	static const char *const wrong[] = {"", "0", "2", "-1", "999", "x"};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		setenv(ADMIN_FD_VARIABLE, wrong[i], 1);
		int fd = admin_listen(config);
		assert_true(fd > 2);
		close(fd);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(host_fields),
	    TEST(an_origin_is_exactly_the_host),
	    TEST(escapes),
	    TEST(the_listening_socket_is_handed_over),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
