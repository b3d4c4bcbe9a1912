/* ClientHellos that a builder makes, field by field, right and wrong, in records of any size; and recorded ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "common/bytes.h"
#include "common/tls_sni.h"
#include "guarded_buffer.h"
#include "seeded_random.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum {
	BYTES_MAX = 1 << 19,
	RANDOM_AT = 4 + 2, /* in the handshake message */
	SESSION_ID_AT = RANDOM_AT + 32,
	CIPHERS_AT = SESSION_ID_AT + 1 + 32,
	COMPRESSION_AT = CIPHERS_AT + 2 + 4,
	EXTENSIONS_AT = COMPRESSION_AT + 2,
	GREASE = 0x4a4a,
	KEY_SHARE = 51,
	PADDING = 21,
	ECH = 0xfe0d,
};

struct bytes {
	size_t len;
	uint8_t at[BYTES_MAX];
};

static struct guarded_buffer guarded;
static struct bytes extensions, hello, stream; /* what goes into a hello, the message, the message in records */

static void add(struct bytes *b, size_t width, size_t value)
{
	while (width-- > 0)
		b->at[b->len++] = (uint8_t)(value >> (8 * width));
}

static void add_raw(struct bytes *b, const void *raw, size_t len)
{
	memcpy(b->at + b->len, raw, len);
	b->len += len;
}

static void add_extension(uint16_t type, const void *body, size_t len)
{
	add(&extensions, 2, type);
	add(&extensions, 2, len);
	add_raw(&extensions, body, len);
}

static void add_filler(uint16_t type, size_t len)
{
	static uint8_t filler[65536];

	add_extension(type, filler, len);
}

static void add_name(const char *name)
{
	static struct bytes body;
	size_t len = strlen(name);

	body.len = 0;
	add(&body, 2, len + 3);
	add(&body, 1, 0);
	add(&body, 2, len);
	add_raw(&body, name, len);
	add_extension(0, body.at, body.len);
}

/* The message around `extensions`, or without that block. */
static void build_hello(bool with_extensions)
{
	hello.len = 0;
	add(&hello, 4, 0x01000000); /* its length comes below */
	add(&hello, 2, 0x0303);
	hello.len += 32;
	add(&hello, 1, 32);
	hello.len += 32;
	add(&hello, 2, 4);
	add(&hello, 4, 0x13011302);
	add(&hello, 2, 0x0100);
	if (with_extensions) {
		add(&hello, 2, extensions.len);
		add_raw(&hello, extensions.at, extensions.len);
	}
	put_be32(hello.at, 0x01000000 | (uint32_t)(hello.len - 4));
	extensions.len = 0;
}

static void add_record(const uint8_t *body, size_t len)
{
	add(&stream, 1, 22);
	add(&stream, 2, 0x0301);
	add(&stream, 2, len);
	add_raw(&stream, body, len);
}

static void build_stream(size_t record_len)
{
	stream.len = 0;
	for (size_t done = 0; done < hello.len; done += record_len)
		add_record(hello.at + done, hello.len - done < record_len ? hello.len - done : record_len);
}

static void build_named(const char *name, size_t record_len)
{
	add_name(name);
	build_hello(true);
	build_stream(record_len);
}

static enum peek_result peek(size_t len, size_t *scanned, struct hostname *name)
{
	return tls_sni_peek(guarded_copy(&guarded, stream.at, len), len, scanned, name);
}

static void expect_whole(const char *what, enum peek_result expected, const char *expected_name)
{
	struct hostname name;
	enum peek_result result = peek(stream.len, &(size_t){0}, &name);

	if (result != expected)
		fail_msg("%s: result %d", what, result);
	if (result == PEEK_FOUND)
		assert_string_equal(name.text, expected_name);
}

/* Whole, at every cut, in two parts and byte by byte. `deciding` bytes decide, less must say "need more". */
static void expect_everywhere(const char *what, size_t deciding, enum peek_result expected, const char *expected_name)
{
	size_t kept = 0, count_alone = 0;
	struct hostname name;

	for (size_t len = 0; len <= stream.len; len++) {
		enum peek_result now = len < deciding ? PEEK_NEED_MORE : expected;
		size_t cut = 0;
		if (peek(len, &(size_t){0}, &name) != now || peek(len, &kept, &name) != now ||
		    peek(len, &count_alone, &name) != now)
			fail_msg("%s: wrong after %zu bytes", what, len);
		if (now == PEEK_NEED_MORE &&
		    (peek(len, &cut, &name) != now || peek(stream.len, &cut, &name) != expected))
			fail_msg("%s: wrong when cut at %zu", what, len);
		count_alone = (uint32_t)count_alone;
	}
	if (expected == PEEK_FOUND)
		assert_string_equal(name.text, expected_name);
}

static void names(void **state)
{
	static const struct {
		const char *sent, *name; /* NULL: malformed */
	} cases[] = {
	    {"app1.ch", "app1.ch"},
	    {"App1.CH.", "app1.ch"},
	    {"a", "a"},
	    {"_x.xn--bcher-kva.example", "_x.xn--bcher-kva.example"},
	    {"", NULL},
	    {".", NULL},
	    {"app1..ch", NULL},
	    {"*.wild.ch", NULL},
	    {"app1.ch:443", NULL},
	    {"app1.ch ", NULL},
	    {"198.51.100.10", NULL},
	    {"198.51.100.10.", NULL},
	    {"::1", NULL},
	    {"[::1]", NULL},
	    {"b\xc3\xbc"
	     "cher.example",
	     NULL},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		build_named(cases[i].sent, 16384);
		expect_whole(cases[i].sent, cases[i].name ? PEEK_FOUND : PEEK_MALFORMED, cases[i].name);
	}
}

static void longest_names(void **state)
{
	char name[256];

	for (size_t len = 250; len < 256; len++) {
		memset(name, 'a', len);
		for (size_t i = 60; i < len; i += 60)
			name[i] = '.';
		name[len] = '\0';
		build_named(name, 16384);
		expect_whole("long name", len <= 253 ? PEEK_FOUND : PEEK_MALFORMED, name);
	}
	name[253] = '.';
	name[254] = '\0';
	build_named(name, 16384);
	name[253] = '\0';
	expect_whole("253 and a dot", PEEK_FOUND, name);
}

static void at_every_cut(void **state)
{
	build_named("app1.ch", 16384);
	expect_everywhere("one record", stream.len, PEEK_FOUND, "app1.ch");
	add_filler(GREASE, 1);
	build_hello(true);
	build_stream(16384);
	expect_everywhere("no name", stream.len, PEEK_NO_NAME, NULL);
}

static void in_records_of_every_size(void **state)
{
	for (size_t size = 1; size < 140; size++) {
		build_named("app1.ch", size);
		expect_everywhere("small records", stream.len, PEEK_FOUND, "app1.ch");
	}
}

/* What a browser sends today: more than one segment of TCP. */
static void a_large_hello(void **state)
{
	static const size_t sizes[] = {1, 7, 100, 512, 16384};

	for (size_t i = 0; i < COUNT(sizes); i++) {
		add_filler(GREASE, 0);
		add_filler(KEY_SHARE, 1700);
		add_name("secure.ch");
		add_filler(ECH, 250);
		add_filler(GREASE + 0x1010, 1);
		add_filler(PADDING, 100);
		build_hello(true);
		build_stream(sizes[i]);
		expect_everywhere("large hello", stream.len, PEEK_FOUND, "secure.ch");
	}
}

static void hellos_without_a_name(void **state)
{
	build_hello(false);
	build_stream(16384);
	expect_everywhere("no extension block", stream.len, PEEK_NO_NAME, NULL);
	build_hello(true);
	build_stream(16384);
	expect_everywhere("empty extension block", stream.len, PEEK_NO_NAME, NULL);
	add_filler(KEY_SHARE, 0);
	build_hello(true);
	build_stream(1);
	expect_everywhere("other extensions", stream.len, PEEK_NO_NAME, NULL);
}

static void what_follows_is_not_read(void **state)
{
	build_named("app1.ch", 50);
	add_raw(&stream, "\x14\x03\x03\x00\x00\x01\x17\x00\xff", 9);
	expect_whole("early data", PEEK_FOUND, "app1.ch");

	add_name("app1.ch");
	build_hello(true);
	add_raw(&hello, "\x02junk", 5);
	build_stream(16384);
	expect_whole("in the same record", PEEK_FOUND, "app1.ch");
}

static void server_name_bodies(void **state)
{
	static const struct {
		const char *what, *body;
		size_t len;
		bool right;
	} cases[] = {
	    {"one name", "\0\4\0\0\1a", 6, true},
	    {"empty body", "", 0, false},
	    {"one byte", "\0", 1, false},
	    {"empty list", "\0\0", 2, false},
	    {"empty list and more", "\0\0\0\0\1a", 6, false},
	    {"list shorter than the body", "\0\3\0\0\1a", 6, false},
	    {"list longer than the body", "\0\5\0\0\1a", 6, false},
	    {"type alone", "\0\1\0", 3, false},
	    {"name type 1", "\0\4\1\0\1a", 6, false},
	    {"name type 255", "\0\4\377\0\1a", 6, false},
	    {"empty name", "\0\3\0\0\0", 5, false},
	    {"name longer than the list", "\0\4\0\0\2a", 6, false},
	    {"name shorter than the list", "\0\5\0\0\1ab", 7, false},
	    {"name of 65535", "\0\4\0\377\377a", 6, false},
	    {"two names", "\0\10\0\0\1a\0\0\1b", 10, false},
	    {"NUL in the name", "\0\6\0\0\3a\0b", 8, false},
	    {"NUL at its end", "\0\5\0\0\2a\0", 7, false},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		add_extension(0, cases[i].body, cases[i].len);
		build_hello(true);
		build_stream(16384);
		expect_everywhere(cases[i].what, stream.len, cases[i].right ? PEEK_FOUND : PEEK_MALFORMED, "a");
	}
}

static void two_server_name_extensions(void **state)
{
	add_name("app1.ch");
	add_filler(GREASE, 3);
	add_name("app1.ch");
	build_hello(true);
	build_stream(16384);
	expect_whole("two extensions", PEEK_MALFORMED, NULL);
}

/* One byte of a hello with the name "app1.ch" replaced. */
static void lengths_that_lie(void **state)
{
	static const struct {
		const char *what;
		size_t at;
		uint8_t value;
	} cases[] = {
	    {"session id of 33", SESSION_ID_AT, 33},
	    {"session id of 255", SESSION_ID_AT, 255},
	    {"no cipher suites", CIPHERS_AT + 1, 0},
	    {"odd cipher suites", CIPHERS_AT + 1, 3},
	    {"too many cipher suites", CIPHERS_AT, 255},
	    {"no compression methods", COMPRESSION_AT, 0},
	    {"too many compression methods", COMPRESSION_AT, 255},
	    {"extensions one too short", EXTENSIONS_AT + 1, 15},
	    {"extensions one too long", EXTENSIONS_AT + 1, 17},
	    {"extensions of 65k", EXTENSIONS_AT, 255},
	    {"extension one too short", EXTENSIONS_AT + 5, 11},
	    {"extension one too long", EXTENSIONS_AT + 5, 13},
	    {"extension of 65k", EXTENSIONS_AT + 4, 255},
	    {"list one too short", EXTENSIONS_AT + 7, 9},
	    {"list one too long", EXTENSIONS_AT + 7, 11},
	    {"name one too short", EXTENSIONS_AT + 10, 6},
	    {"name one too long", EXTENSIONS_AT + 10, 8},
	    {"message one too short", 3, 92},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		add_name("app1.ch");
		build_hello(true);
		assert_int_equal(hello.at[EXTENSIONS_AT + 1], 16);
		assert_int_equal(hello.at[EXTENSIONS_AT + 10], 7);
		assert_int_equal(hello.at[3], 93);
		hello.at[cases[i].at] = cases[i].value;
		build_stream(16384);
		expect_whole(cases[i].what, PEEK_MALFORMED, NULL);
	}
	hello.at[3] = 94;
	build_stream(16384);
	expect_whole("message one too long", PEEK_NEED_MORE, NULL);
}

/* The bytes of an extension that is too long for its block are not read as extensions of their own. */
static void an_unknown_extension_that_lies(void **state)
{
	add(&extensions, 2, GREASE);
	add(&extensions, 2, 17);
	add_name("app1.ch");
	build_hello(true);
	build_stream(16384);
	expect_everywhere("lying extension", stream.len, PEEK_MALFORMED, NULL);
}

/* Extension blocks that end inside an extension's header. */
static void cut_extension_headers(void **state)
{
	for (size_t rest = 1; rest < 4; rest++) {
		add_name("app1.ch");
		add(&extensions, rest, 0);
		build_hello(true);
		build_stream(16384);
		expect_everywhere("cut header", stream.len, PEEK_MALFORMED, NULL);
	}
}

/* Texts that end at the byte that decides. */
static void not_a_client_hello(void **state)
{
	static const struct {
		const char *what, *bytes;
		size_t len;
	} cases[] = {
	    {"SSL 2", "\x80", 1},
	    {"HTTP", "G", 1},
	    {"NUL", "\0", 1},
	    {"alert", "\x15", 1},
	    {"application data", "\x17", 1},
	    {"version 2", "\x16\x02", 2},
	    {"version 4", "\x16\x04", 2},
	    {"DTLS", "\x16\xfe", 2},
	    {"empty record", "\x16\x03\x01\x00\x00", 5},
	    {"record of 16385", "\x16\x03\x01\x40\x01", 5},
	    {"record of 65535", "\x16\x03\x01\xff\xff", 5},
	    {"ServerHello", "\x16\x03\x01\x00\x64\x02", 6},
	    {"HelloRequest", "\x16\x03\x01\x00\x64\x00", 6},
	    {"length 65536", "\x16\x03\x01\x00\x64\x01\x01\x00\x00", 9},
	    {"length 0xffffff", "\x16\x03\x01\x00\x64\x01\xff\xff\xff", 9},
	    {"the same in small records", "\x16\x03\x01\0\1\x01\x16\x03\x01\0\2\xff\xff\x16\x03\x01\0\1\xff", 19},
	    {"empty second record", "\x16\x03\x01\0\1\x01\x16\x03\x01\0\0", 11},
	    {"second record an alert", "\x16\x03\x01\0\1\x01\x15", 7},
	    {"second record of version 2", "\x16\x03\x01\0\1\x01\x16\x02", 8},
	    {"too short for its fields", "\x16\x03\x01\0\4\x01\0\0\0", 9},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		stream.len = 0;
		add_raw(&stream, cases[i].bytes, cases[i].len);
		expect_everywhere(cases[i].what, stream.len, PEEK_MALFORMED, NULL);
	}
}

static void every_record_version_3(void **state)
{
	for (int minor = 0; minor < 256; minor++) {
		build_named("app1.ch", 16384);
		stream.at[2] = (uint8_t)minor;
		expect_whole("version", PEEK_FOUND, "app1.ch");
	}
}

/* Cut off after any field, with its own length put right. */
static void shortened_messages(void **state)
{
	for (size_t len = 4; len < EXTENSIONS_AT + 18; len++) {
		add_name("app1.ch");
		build_hello(true);
		hello.len = len;
		put_be32(hello.at, 0x01000000 | (uint32_t)(len - 4));
		build_stream(16384);
		expect_whole("shortened", len == EXTENSIONS_AT ? PEEK_NO_NAME : PEEK_MALFORMED, NULL);
	}
}

/* The largest message in records of one byte, byte by byte: with quadratic cost this takes minutes. */
static void linear_time(void **state)
{
	struct hostname name;
	size_t scanned = 0;

	add_filler(PADDING, 65535 - (EXTENSIONS_AT - 4) - 2 - 4 - 16);
	build_named("app1.ch", 1);
	assert_int_equal(hello.len, 65535 + 4);
	uint8_t *bytes = guarded_copy(&guarded, stream.at, stream.len);
	for (size_t len = 0; len < stream.len; len++)
		assert_int_equal(tls_sni_peek(bytes, len, &scanned, &name), PEEK_NEED_MORE);
	assert_int_equal(tls_sni_peek(bytes, stream.len, &scanned, &name), PEEK_FOUND);
	assert_string_equal(name.text, "app1.ch");
}

static void random_changes(void **state)
{
	struct seeded_random seed = {8};
	struct hostname name;

	for (int n = 0; n < 200000; n++) {
		build_named("app1.ch", 1 + random_next(&seed) % 40);
		for (uint64_t flips = random_next(&seed) % 4; flips > 0; flips--)
			stream.at[random_next(&seed) % stream.len] = (uint8_t)random_next(&seed);
		size_t len = random_next(&seed) % (stream.len + 1), kept = 0;
		enum peek_result result = peek(stream.len, &(size_t){0}, &name);
		enum peek_result part = peek(len, &kept, &name);
		assert_int_equal(part == PEEK_NEED_MORE ? peek(stream.len, &kept, &name) : part, result);
	}
}

static void recorded_hellos(void **state)
{
	static const struct {
		const char *file, *name; /* NULL: none in it */
	} cases[] = {
	    {"data/hello_openssl.bin", "app1.ch"},    {"data/hello_openssl_tls12.bin", "app1.ch"},
	    {"data/hello_openssl_no_name.bin", NULL}, {"data/hello_curl.bin", "secure.ch"},
	    {"data/hello_gnutls.bin", "localhost"},   {"data/hello_python.bin", "a.wild.ch"},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		FILE *file = fopen(cases[i].file, "rb");
		if (file == NULL)
			fail_msg("cannot open %s: run this in the folder tests", cases[i].file);
		stream.len = fread(stream.at, 1, BYTES_MAX, file);
		fclose(file);
		expect_everywhere(cases[i].file, stream.len, cases[i].name ? PEEK_FOUND : PEEK_NO_NAME, cases[i].name);
		hello.len = 0;
		add_raw(&hello, stream.at + 5, stream.len - 5);
		build_stream(1);
		expect_everywhere(cases[i].file, stream.len, cases[i].name ? PEEK_FOUND : PEEK_NO_NAME, cases[i].name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names),
	    cmocka_unit_test(longest_names),
	    cmocka_unit_test(at_every_cut),
	    cmocka_unit_test(in_records_of_every_size),
	    cmocka_unit_test(a_large_hello),
	    cmocka_unit_test(hellos_without_a_name),
	    cmocka_unit_test(what_follows_is_not_read),
	    cmocka_unit_test(server_name_bodies),
	    cmocka_unit_test(two_server_name_extensions),
	    cmocka_unit_test(lengths_that_lie),
	    cmocka_unit_test(an_unknown_extension_that_lies),
	    cmocka_unit_test(cut_extension_headers),
	    cmocka_unit_test(not_a_client_hello),
	    cmocka_unit_test(every_record_version_3),
	    cmocka_unit_test(shortened_messages),
	    cmocka_unit_test(linear_time),
	    cmocka_unit_test(random_changes),
	    cmocka_unit_test(recorded_hellos),
	};

	guarded = guarded_create();
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	guarded_destroy(&guarded);
	return failed;
}
