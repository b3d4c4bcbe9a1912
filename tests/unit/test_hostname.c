/* Which host names are right, and what they look like afterwards. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/hostname.h"
#include "guarded_buffer.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define LABEL_63     "abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghij123"
#define NAME_251     LABEL_63 "." LABEL_63 "." LABEL_63 ".abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghi"
#define NAME_253     NAME_251 ".a"

_Static_assert(sizeof(NAME_253) == HOSTNAME_MAX + 1, "the longest name");

struct name_case {
	const char *in, *out; /* NULL: malformed */
};

typedef bool setter(struct hostname *, const uint8_t *, size_t);

static void check(setter *set, const struct name_case *c)
{
	struct guarded_buffer guarded = guarded_create();
	size_t len = strlen(c->in);
	struct hostname name;

	bool right = set(&name, guarded_copy(&guarded, c->in, len), len);
	guarded_destroy(&guarded);
	if (right != (c->out != NULL))
		fail_msg("\"%s\" is %s", c->in, right ? "accepted" : "refused");
	if (!right)
		return;
	assert_string_equal(name.text, c->out);
	assert_int_equal(name.len, strlen(c->out));
}

/* Right or wrong in the same way, with a port or without. */
static void plain_names(void **state)
{
	static const struct name_case cases[] = {
	    {"app1.ch", "app1.ch"},
	    {"App1.CH", "app1.ch"},
	    {"app1.ch.", "app1.ch"},
	    {"localhost", "localhost"},
	    {"a", "a"},
	    {"xn--bcher-kva.example", "xn--bcher-kva.example"},
	    {"_dmarc.a_b.ch", "_dmarc.a_b.ch"},
	    {"0.1.ch", "0.1.ch"},
	    {"198.51.100.10", "198.51.100.10"},
	    {LABEL_63 ".ch", LABEL_63 ".ch"},
	    {NAME_253, NAME_253},
	    {NAME_253 ".", NAME_253},
	    {"", NULL},
	    {".", NULL},
	    {"..", NULL},
	    {"app1.ch..", NULL},
	    {".app1.ch", NULL},
	    {"app1..ch", NULL},
	    {"*.wild.ch", NULL},
	    {"app1 .ch", NULL},
	    {" app1.ch", NULL},
	    {"app1.ch\t", NULL},
	    {"b\xc3\xbc"
	     "cher.example",
	     NULL},
	    {"app1.ch/", NULL},
	    {"user@app1.ch", NULL},
	    {"app1,app2", NULL},
	    {"app1%2ech", NULL},
	    {LABEL_63 "x.ch", NULL},
	    {NAME_251 ".ab", NULL},
	    {NAME_251 ".ab.", NULL},
	    {NAME_253 "..", NULL},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		check(hostname_set, &cases[i]);
		check(hostname_set_authority, &cases[i]);
	}
}

static void ports_and_brackets(void **state)
{
	static const struct name_case cases[] = {
	    {"app1.ch:80", "app1.ch"},
	    {"App1.ch.:8080", "app1.ch"},
	    {"app1.ch:", "app1.ch"},
	    {"198.51.100.10:443", "198.51.100.10"},
	    {NAME_253 ".:65535", NAME_253},
	    {"[::1]", "[::1]"},
	    {"[::1]:80", "[::1]"},
	    {"[2001:DB8::A]:", "[2001:db8::a]"},
	    {"[::ffff:198.51.100.10]", "[::ffff:198.51.100.10]"},
	    {"[1111:2222:3333:4444:5555:6666:255.255.255.255]", "[1111:2222:3333:4444:5555:6666:255.255.255.255]"},
	    {":80", NULL},
	    {":", NULL},
	    {"app1.ch:80:80", NULL},
	    {"app1.ch:http", NULL},
	    {"app1.ch: 80", NULL},
	    {"app1.ch:-1", NULL},
	    {"app1.ch:80.", NULL},
	    {"::1", NULL},
	    {"2001:db8::a", NULL},
	    {"[", NULL},
	    {"[]", NULL},
	    {"[::1", NULL},
	    {"[::1]80", NULL},
	    {"[::1].", NULL},
	    {"[::1]]", NULL},
	    {"[::1]:x", NULL},
	    {"[app1.ch]", NULL},
	    {"[198.51.100.10]", NULL},
	    {"[fe80::1%25eth0]", NULL},
	    {"[1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb]", NULL},
	    {"a[::1]", NULL},
	};

	for (size_t i = 0; i < COUNT(cases); i++)
		check(hostname_set_authority, &cases[i]);
}

static void one_byte(void **state)
{
	const char *good = "abcdefghijklmnopqrstuvwxyz0123456789-_ABCDEFGHIJKLMNOPQRSTUVWXYZ";

	for (int c = 0; c < 256; c++) {
		uint8_t bytes[] = {'a', (uint8_t)c, 'b'};
		struct hostname name;
		bool expected = c == '.' || (c != 0 && strchr(good, c) != NULL);
		assert_int_equal(hostname_set(&name, bytes, sizeof(bytes)), expected);
		assert_int_equal(hostname_set_authority(&name, bytes, sizeof(bytes)), expected);
	}
}

static void nul_in_an_ipv6_literal(void **state)
{
	static const uint8_t bytes[] = "[::1\0]";
	struct hostname name;

	assert_false(hostname_set_authority(&name, bytes, sizeof(bytes) - 1));
}

static void ip_literals(void **state)
{
	static const struct {
		const char *name;
		bool literal;
	} cases[] = {
	    {"198.51.100.10", true},   {"198.51.100.10.", true},    {"0.0.0.0", true},  {"198.51.100", false},
	    {"198.51.100.256", false}, {"198.51.100.10.ch", false}, {"app1.ch", false}, {"1", false},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct hostname name;
		assert_true(hostname_set(&name, (const uint8_t *)cases[i].name, strlen(cases[i].name)));
		if (hostname_is_ip_literal(&name) != cases[i].literal)
			fail_msg("%s", cases[i].name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(plain_names), cmocka_unit_test(ports_and_brackets),
	    cmocka_unit_test(one_byte),    cmocka_unit_test(nul_in_an_ipv6_literal),
	    cmocka_unit_test(ip_literals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
