/* Text forms of addresses and prefixes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/address.h"

static struct address address_of(const char *text)
{
	struct address a;

	assert_true(address_parse(text, &a));
	return a;
}

static void ipv4_is_mapped(void **state)
{
	static const uint8_t mapped[16] = {[10] = 0xff, [11] = 0xff, [12] = 203, [13] = 0, [14] = 113, [15] = 1};
	struct address a = address_of("203.0.113.1"), same = address_of("::ffff:203.0.113.1");

	assert_memory_equal(a.bytes, mapped, sizeof(mapped));
	assert_true(address_is_v4(&a));
	assert_true(address_equal(&a, &same));
	struct address back = address_from_v4(address_v4(&a));
	assert_true(address_equal(&a, &back));
}

static void ipv6_is_not_ipv4(void **state)
{
	const char *texts[] = {"2001:db8::1",        "::", "::1", "::203.0.113.1", "::fffe:203.0.113.1",
	                       "1::ffff:203.0.113.1"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct address a = address_of(texts[i]);
		assert_false(address_is_v4(&a));
	}
}

static void wrong_addresses_are_refused(void **state)
{
	const char *texts[] = {"",
	                       "203.0.113",
	                       "203.0.113.256",
	                       "203.0.113.1 ",
	                       " 203.0.113.1",
	                       "203.0.113.1/32",
	                       "app1.ch",
	                       "1",
	                       "2001:db8::g",
	                       ":",
	                       "[::1]",
	                       "fe80::1%eth0",
	                       "1:2:3:4:5:6:7:8:9"};
	struct address a;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_false(address_parse(texts[i], &a));
}

static void text_comes_back(void **state)
{
	const char *texts[] = {"0.0.0.0",     "203.0.113.1", "255.255.255.255",
	                       "2001:db8::1", "::",          "2001:db8:1111:2222:3333:4444:5555:6666"};
	char text[ADDRESS_TEXT_MAX];

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct address a = address_of(texts[i]);
		assert_ptr_equal(address_format(&a, text), text);
		assert_string_equal(text, texts[i]);
	}
}

static void prefixes(void **state)
{
	static const struct {
		const char *text;
		int length; /* -1: refused */
	} cases[] = {
	    {"203.0.113.64/28", 124},
	    {"203.0.113.64", 128},
	    {"203.0.113.64/32", 128},
	    {"0.0.0.0/0", 96},
	    {"198.18.0.0/15", 111},
	    {"2001:db8::/32", 32},
	    {"2001:db8::1", 128},
	    {"::/0", 0},
	    {"::ffff:203.0.113.0/120", 120},
	    {"203.0.113.65/28", -1},
	    {"0.0.0.1/0", -1},
	    {"198.19.0.0/15", -1},
	    {"2001:db8:8000::/32", -1},
	    {"203.0.113.64/33", -1},
	    {"2001:db8::/129", -1},
	    {"203.0.113.64/", -1},
	    {"203.0.113.64/-1", -1},
	    {"203.0.113.64/ 28", -1},
	    {"203.0.113.64/28 ", -1},
	    {"203.0.113.64/28/28", -1},
	    {"203.0.113.64/0028", -1},
	    {"/28", -1},
	    {"", -1},
	    {"2001:db8:1111:2222:3333:4444:5555:6666:7777:8888/64", -1},
	};
	struct prefix p;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool right = prefix_parse(cases[i].text, &p);
		if (right != (cases[i].length >= 0) || (right && p.length != cases[i].length))
			fail_msg("\"%s\": %s, length %d", cases[i].text, right ? "accepted" : "refused", p.length);
	}
}

static void containment(void **state)
{
	static const struct {
		const char *prefix, *address;
		bool inside;
	} cases[] = {
	    {"203.0.113.64/28", "203.0.113.64", true},
	    {"203.0.113.64/28", "203.0.113.79", true},
	    {"203.0.113.64/28", "203.0.113.80", false},
	    {"203.0.113.64/28", "203.0.113.63", false},
	    {"203.0.113.64", "203.0.113.64", true},
	    {"203.0.113.64", "203.0.113.65", false},
	    {"0.0.0.0/0", "255.0.0.1", true},
	    {"0.0.0.0/0", "2001:db8::1", false},
	    {"198.18.0.0/15", "198.19.255.255", true},
	    {"198.18.0.0/15", "198.20.0.0", false},
	    {"::/0", "203.0.113.1", true},
	    {"2001:db8::/33", "2001:db8:7fff::1", true},
	    {"2001:db8::/33", "2001:db8:8000::", false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct address a = address_of(cases[i].address);
		struct prefix p;
		assert_true(prefix_parse(cases[i].prefix, &p));
		if (prefix_contains(&p, &a) != cases[i].inside)
			fail_msg("%s in %s", cases[i].address, cases[i].prefix);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ipv4_is_mapped),
	    cmocka_unit_test(ipv6_is_not_ipv4),
	    cmocka_unit_test(wrong_addresses_are_refused),
	    cmocka_unit_test(text_comes_back),
	    cmocka_unit_test(prefixes),
	    cmocka_unit_test(containment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
