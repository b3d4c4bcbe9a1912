/* Every request is read whole, cut at each byte, and byte by byte: each text below ends at the byte that decides, so
 * all that is shorter must say "need more". */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/http_host.h"
#include "guarded_buffer.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define REQUEST(text, ...)                                                                                             \
	{                                                                                                              \
		text, sizeof(text) - 1, __VA_ARGS__                                                                    \
	}

struct request {
	const char *text;
	size_t len;
	enum peek_result result;
	const char *name; /* if found */
};

static struct guarded_buffer guarded;

static const struct request requests[] = {
    /* plain */
    REQUEST("GET / HTTP/1.1\r\nHost: app1.ch\r\n\r\n", PEEK_FOUND, "app1.ch"),
    REQUEST("GET / HTTP/1.1\nHost: app1.ch\n\n", PEEK_FOUND, "app1.ch"),
    REQUEST("GET / HTTP/1.1\r\nHost: app1.ch\n\r\n", PEEK_FOUND, "app1.ch"),
    REQUEST("GET /a/b?c=d&e=%20 HTTP/1.1\r\nAccept: */*\r\nhOsT: app1.ch\r\nX: y\r\n\r\n", PEEK_FOUND, "app1.ch"),
    REQUEST("GET / HTTP/1.1\r\nHost:app1.ch\r\n\r\n", PEEK_FOUND, "app1.ch"),
    REQUEST("GET / HTTP/1.1\r\nHost: \t app1.ch \t \r\n\r\n", PEEK_FOUND, "app1.ch"),
    REQUEST("POST / HTTP/1.1\r\nContent-Length: 3\r\nHost: app1.ch\r\n\r\n", PEEK_FOUND, "app1.ch"),
    REQUEST("M-SEARCH / HTTP/1.1\r\nHost: app1.ch\r\n\r\n", PEEK_FOUND, "app1.ch"),
    REQUEST("OPTIONS * HTTP/1.1\r\nHost: app1.ch\r\n\r\n", PEEK_FOUND, "app1.ch"),
    REQUEST("GET  /  HTTP/1.1\r\nHost: app1.ch\r\n\r\n", PEEK_FOUND, "app1.ch"),
    REQUEST("GET / HTTP/1.0\r\nHost: app1.ch\r\n\r\n", PEEK_FOUND, "app1.ch"),
    REQUEST("GET / HTTP/1.2\r\nHost: app1.ch\r\n\r\n", PEEK_FOUND, "app1.ch"),
    REQUEST("\r\n\nGET / HTTP/1.1\r\nHost: app1.ch\r\n\r\n", PEEK_FOUND, "app1.ch"),
    REQUEST("GET / HTTP/1.1\r\nX:\r\nHost: app1.ch\r\nY: \x80\xff\t\x01\r\n\r\n", PEEK_FOUND, "app1.ch"),
    REQUEST("GET / HTTP/1.1\r\nX-Host: b\r\nHost2: c\r\nHos: d\r\nHost: app1.ch\r\n\r\n", PEEK_FOUND, "app1.ch"),
    REQUEST("GET / HTTP/1.1\r\nX: Host: b\r\nHost: app1.ch\r\n\r\n", PEEK_FOUND, "app1.ch"),
    /* names */
    REQUEST("GET / HTTP/1.1\r\nHost: App1.CH.:8080\r\n\r\n", PEEK_FOUND, "app1.ch"),
    REQUEST("GET / HTTP/1.1\r\nHost: app1.ch:\r\n\r\n", PEEK_FOUND, "app1.ch"),
    REQUEST("GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", PEEK_FOUND, "[::1]"),
    REQUEST("GET / HTTP/1.1\r\nHost: 198.51.100.10\r\n\r\n", PEEK_FOUND, "198.51.100.10"),
    REQUEST("GET / HTTP/1.1\r\nHost: xn--bcher-kva.example\r\n\r\n", PEEK_FOUND, "xn--bcher-kva.example"),
    REQUEST("GET / HTTP/1.1\r\nHost:\r\n", PEEK_MALFORMED, NULL),
    REQUEST("GET / HTTP/1.0\r\nHost: \r\n", PEEK_MALFORMED, NULL),
    REQUEST("GET / HTTP/1.1\r\nHost: .\r\n", PEEK_MALFORMED, NULL),
    REQUEST("GET / HTTP/1.1\r\nHost: *.wild.ch\r\n", PEEK_MALFORMED, NULL),
    REQUEST("GET / HTTP/1.1\r\nHost: app1.ch app2.ch\r\n", PEEK_MALFORMED, NULL),
    REQUEST("GET / HTTP/1.1\r\nHost: app1.ch, app2.ch\r\n", PEEK_MALFORMED, NULL),
    REQUEST("GET / HTTP/1.1\r\nHost: user@app1.ch\r\n", PEEK_MALFORMED, NULL),
    REQUEST("GET / HTTP/1.1\r\nHost: app1.ch:8o\r\n", PEEK_MALFORMED, NULL),
    REQUEST("GET / HTTP/1.1\r\nHost: http://app1.ch\r\n", PEEK_MALFORMED, NULL),
    REQUEST("GET / HTTP/1.1\r\nHost: b\xc3\xbc\x63her\r\n", PEEK_MALFORMED, NULL),
    REQUEST("GET / HTTP/1.1\r\nHost: a..b\n", PEEK_MALFORMED, NULL),
    REQUEST("GET / HTTP/1.1\r\nHost: [::1\n", PEEK_MALFORMED, NULL),
    /* no Host */
    REQUEST("GET / HTTP/1.1\r\n\r\n", PEEK_MALFORMED, NULL),
    REQUEST("GET / HTTP/1.1\r\nAccept: */*\r\n\r\n", PEEK_MALFORMED, NULL),
    REQUEST("GET http://app1.ch/ HTTP/1.1\r\n\r\n", PEEK_MALFORMED, NULL),
    REQUEST("GET / HTTP/1.0\r\n\r\n", PEEK_NO_NAME, NULL),
    REQUEST("GET / HTTP/1.0\nX: y\n\n", PEEK_NO_NAME, NULL),
    REQUEST("OPTIONS * HTTP/1.0\r\n\r\n", PEEK_NO_NAME, NULL),
    REQUEST("GET http://App1.ch:8080/ HTTP/1.0\r\n\r\n", PEEK_FOUND, "app1.ch"),
    /* two Host fields */
    REQUEST("GET / HTTP/1.1\r\nHost: app1.ch\r\nHost:", PEEK_MALFORMED, NULL),
    REQUEST("GET / HTTP/1.1\r\nHost: app1.ch\r\nX: y\r\nhost:", PEEK_MALFORMED, NULL),
    REQUEST("GET / HTTP/1.0\r\nHost: app1.ch\r\nHOST:", PEEK_MALFORMED, NULL),
    /* absolute form */
    REQUEST("GET http://app1.ch/ HTTP/1.1\r\nHost: app1.ch\r\n\r\n", PEEK_FOUND, "app1.ch"),
    REQUEST("GET http://app1.ch HTTP/1.1\r\nHost: app1.ch\r\n\r\n", PEEK_FOUND, "app1.ch"),
    REQUEST("GET HTTP://APP1.ch/ HTTP/1.1\r\nHost: app1.CH\r\n\r\n", PEEK_FOUND, "app1.ch"),
    REQUEST("GET http://app1.ch?q HTTP/1.1\r\nHost: app1.ch\r\n\r\n", PEEK_FOUND, "app1.ch"),
    REQUEST("GET http://app1.ch/#f HTTP/1.1\r\nHost: app1.ch\r\n\r\n", PEEK_FOUND, "app1.ch"),
    REQUEST("GET /#f HTTP/1.1\r\nHost: app1.ch\r\n\r\n", PEEK_FOUND, "app1.ch"),
    REQUEST("GET http://app1.ch/@b HTTP/1.1\r\nHost: app1.ch\r\n\r\n", PEEK_FOUND, "app1.ch"),
    REQUEST("GET http://app1.ch?@b HTTP/1.1\r\nHost: app1.ch\r\n\r\n", PEEK_FOUND, "app1.ch"),
    REQUEST("GET http://b:p@app1.ch/ HTTP/1.1\r\nHost: app1.ch\r\n\r\n", PEEK_FOUND, "app1.ch"),
    REQUEST("GET http://app1.ch:80/ HTTP/1.1\r\nHost: app1.ch\r\n\r\n", PEEK_FOUND, "app1.ch"),
    REQUEST("GET http://app1.ch/ HTTP/1.1\r\nHost: app1.ch:80\r\n\r\n", PEEK_FOUND, "app1.ch"),
    REQUEST("GET http://app1.ch:/ HTTP/1.1\r\nHost: app1.ch:80\r\n\r\n", PEEK_FOUND, "app1.ch"),
    REQUEST("GET http://app1.ch:8080/ HTTP/1.1\r\nHost: app1.ch:8080\r\n\r\n", PEEK_FOUND, "app1.ch"),
    REQUEST("GET https://app1.ch:443/ HTTP/1.1\r\nHost: app1.ch\r\n\r\n", PEEK_FOUND, "app1.ch"),
    REQUEST("GET http://[::1]/ HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", PEEK_FOUND, "[::1]"),
    REQUEST("GET http://[::1]:80/ HTTP/1.1\r\nHost: [::1]\r\n\r\n", PEEK_FOUND, "[::1]"),
    REQUEST("GET http://app1.ch/ HTTP/1.1\r\nHost: app2.ch\r\n", PEEK_MALFORMED, NULL),
    REQUEST("GET http://app1.ch/ HTTP/1.0\r\nHost: app2.ch\r\n", PEEK_MALFORMED, NULL),
    REQUEST("GET http://app1.ch/ HTTP/1.1\r\nHost: app1.ch:8080\r\n", PEEK_MALFORMED, NULL),
    REQUEST("GET http://app1.ch:8080/ HTTP/1.1\r\nHost: app1.ch\r\n", PEEK_MALFORMED, NULL),
    REQUEST("GET http://app1.ch:443/ HTTP/1.1\r\nHost: app1.ch\r\n", PEEK_MALFORMED, NULL),
    REQUEST("GET https://app1.ch:80/ HTTP/1.1\r\nHost: app1.ch\r\n", PEEK_MALFORMED, NULL),
    REQUEST("GET http://app1.ch@app2.ch/ HTTP/1.1\r\nHost: app1.ch\r\n", PEEK_MALFORMED, NULL),
    REQUEST("GET http://app2.ch?@app1.ch HTTP/1.1\r\nHost: app1.ch\r\n", PEEK_MALFORMED, NULL),
    REQUEST("GET http://a@b@app1.ch/ ", PEEK_MALFORMED, NULL),
    REQUEST("GET http://app1.ch#f ", PEEK_MALFORMED, NULL),
    REQUEST("GET http://app2.ch#@app1.ch/ ", PEEK_MALFORMED, NULL),
    REQUEST("GET http:/// ", PEEK_MALFORMED, NULL),
    REQUEST("GET http://:80/ ", PEEK_MALFORMED, NULL),
    REQUEST("GET http:/app1.ch/ ", PEEK_MALFORMED, NULL),
    REQUEST("GET http: ", PEEK_MALFORMED, NULL),
    REQUEST("GET ht_tp://app1.ch/ ", PEEK_MALFORMED, NULL),
    REQUEST("GET app1.ch ", PEEK_MALFORMED, NULL),
    REQUEST("GET app1.ch:80 ", PEEK_MALFORMED, NULL),
    REQUEST("GET app1.ch/http://app1.ch/ ", PEEK_MALFORMED, NULL),
    REQUEST("GET http://b\\app1.ch/ ", PEEK_MALFORMED, NULL),
    /* request lines */
    REQUEST("CONNECT ", PEEK_MALFORMED, NULL),
    REQUEST("GET * ", PEEK_MALFORMED, NULL),
    REQUEST("OPTIONS *x ", PEEK_MALFORMED, NULL),
    REQUEST("PRI * ", PEEK_MALFORMED, NULL),
    REQUEST("GET / HTTP/2", PEEK_MALFORMED, NULL),
    REQUEST("GET / HTTP/0", PEEK_MALFORMED, NULL),
    REQUEST("GET / h", PEEK_MALFORMED, NULL),
    REQUEST("GET / HTTP/1.x", PEEK_MALFORMED, NULL),
    REQUEST("GET / HTTP/1.10", PEEK_MALFORMED, NULL),
    REQUEST("GET / HTTP/1.1 ", PEEK_MALFORMED, NULL),
    REQUEST("GET / HTTP/1.\r", PEEK_MALFORMED, NULL),
    REQUEST("GET / x", PEEK_MALFORMED, NULL),
    REQUEST("GET / \r", PEEK_MALFORMED, NULL),
    REQUEST("GET /\r", PEEK_MALFORMED, NULL),
    REQUEST("GET /\n", PEEK_MALFORMED, NULL),
    REQUEST("GET /\t", PEEK_MALFORMED, NULL),
    REQUEST("GET /\0", PEEK_MALFORMED, NULL),
    REQUEST("GET /\x7f", PEEK_MALFORMED, NULL),
    REQUEST("GET /\xc3", PEEK_MALFORMED, NULL),
    REQUEST("GET\t", PEEK_MALFORMED, NULL),
    REQUEST("GET\r", PEEK_MALFORMED, NULL),
    REQUEST("G\0", PEEK_MALFORMED, NULL),
    REQUEST("GET http://app1.ch/ HTTP/1.1\r\nHost: app1.ch.:0\r\n", PEEK_MALFORMED, NULL),
    REQUEST("GET ?", PEEK_MALFORMED, NULL),
    REQUEST("GET :", PEEK_MALFORMED, NULL),
    REQUEST(" ", PEEK_MALFORMED, NULL),
    REQUEST(":", PEEK_MALFORMED, NULL),
    REQUEST("\x16", PEEK_MALFORMED, NULL),
    REQUEST("\0", PEEK_MALFORMED, NULL),
    REQUEST("\r\r", PEEK_MALFORMED, NULL),
    REQUEST("\rG", PEEK_MALFORMED, NULL),
    REQUEST("\r\n\r\n\r", PEEK_MALFORMED, NULL),
    REQUEST("\n\n\n", PEEK_MALFORMED, NULL),
    /* fields */
    REQUEST("GET / HTTP/1.1\r\n ", PEEK_MALFORMED, NULL),
    REQUEST("GET / HTTP/1.1\r\nHost: app1.ch\r\n ", PEEK_MALFORMED, NULL),
    REQUEST("GET / HTTP/1.1\r\nHost: app1.ch\r\n\t", PEEK_MALFORMED, NULL),
    REQUEST("GET / HTTP/1.1\r\nX: y\n ", PEEK_MALFORMED, NULL),
    REQUEST("GET / HTTP/1.1\r\nHost ", PEEK_MALFORMED, NULL),
    REQUEST("GET / HTTP/1.1\r\nHost\t", PEEK_MALFORMED, NULL),
    REQUEST("GET / HTTP/1.1\r\n:", PEEK_MALFORMED, NULL),
    REQUEST("GET / HTTP/1.1\r\nHost\r", PEEK_MALFORMED, NULL),
    REQUEST("GET / HTTP/1.1\r\nHost\n", PEEK_MALFORMED, NULL),
    REQUEST("GET / HTTP/1.1\r\nHo\0", PEEK_MALFORMED, NULL),
    REQUEST("GET / HTTP/1.1\r\nH\xc3", PEEK_MALFORMED, NULL),
    REQUEST("GET / HTTP/1.1\r\nX: \0", PEEK_MALFORMED, NULL),
    REQUEST("GET / HTTP/1.1\r\nHost: app1.ch\0", PEEK_MALFORMED, NULL),
    REQUEST("GET / HTTP/1.1\r\nX: y\rz", PEEK_MALFORMED, NULL),
    REQUEST("GET / HTTP/1.1\r\nX: y\r\r", PEEK_MALFORMED, NULL),
    REQUEST("GET / HTTP/1.1\r\nHost: app1.ch\rX", PEEK_MALFORMED, NULL),
    REQUEST("GET / HTTP/1.1\rH", PEEK_MALFORMED, NULL),
    REQUEST("GET / HTTP/1.1\r\nHost: app1.ch\r\n\rX", PEEK_MALFORMED, NULL),
};

static void check(const struct request *r, const char *how, size_t len, size_t *scanned)
{
	enum peek_result expected = len < r->len ? PEEK_NEED_MORE : r->result;
	struct hostname name;
	enum peek_result result = http_host_peek(guarded_copy(&guarded, r->text, len), len, scanned, &name);

	if (result != expected)
		fail_msg("\"%s\" %s: result %d after %zu bytes", r->text, how, result, len);
	if (result == PEEK_FOUND)
		assert_string_equal(name.text, r->name);
}

static void whole(void **state)
{
	for (size_t i = 0; i < COUNT(requests); i++)
		check(&requests[i], "whole", requests[i].len, &(size_t){0});
}

static void every_truncation(void **state)
{
	for (size_t i = 0; i < COUNT(requests); i++)
		for (size_t len = 0; len < requests[i].len; len++)
			check(&requests[i], "cut", len, &(size_t){0});
}

static void cut_in_two_at_every_byte(void **state)
{
	for (size_t i = 0; i < COUNT(requests); i++) {
		for (size_t cut = 0; cut < requests[i].len; cut++) {
			size_t scanned = 0;
			check(&requests[i], "first part", cut, &scanned);
			check(&requests[i], "both parts", requests[i].len, &scanned);
		}
	}
}

static void byte_by_byte(void **state)
{
	for (size_t i = 0; i < COUNT(requests); i++) {
		size_t scanned = 0;
		for (size_t len = 0; len <= requests[i].len; len++)
			check(&requests[i], "byte by byte", len, &scanned);
	}
}

/* A caller that keeps only 32 bits of `scanned` is slower, not wrong. */
static void byte_by_byte_with_the_count_alone(void **state)
{
	for (size_t i = 0; i < COUNT(requests); i++) {
		size_t scanned = 0;
		for (size_t len = 0; len <= requests[i].len; len++) {
			check(&requests[i], "with the count alone", len, &scanned);
			scanned = (uint32_t)scanned;
		}
	}
}

static void what_follows_the_head_is_not_read(void **state)
{
	for (size_t i = 0; i < COUNT(requests); i++) {
		uint8_t bytes[300];
		struct hostname name;
		size_t scanned = 0, len = requests[i].len;
		memcpy(bytes, requests[i].text, len);
		memcpy(bytes + len, "\0\r\nHost: b\r\n\r\n", 14);
		if (requests[i].result == PEEK_FOUND)
			assert_int_equal(http_host_peek(bytes, len + 14, &scanned, &name), PEEK_FOUND);
	}
}

/* `filler` `count` times between `front` and `back`, byte by byte: with quadratic cost this takes minutes. */
static void feed_long(const char *front, char filler, size_t count, const char *back, enum peek_result expected)
{
	size_t front_len = strlen(front), back_len = strlen(back), len = front_len + count + back_len, scanned = 0;
	uint8_t *bytes = guarded_place(&guarded, len);
	struct hostname name;

	memcpy(bytes, front, front_len);
	memset(bytes + front_len, filler, count);
	memcpy(bytes + front_len + count, back, back_len);
	for (size_t n = 0; n < len; n++)
		assert_int_equal(http_host_peek(bytes, n, &scanned, &name), PEEK_NEED_MORE);
	assert_int_equal(http_host_peek(bytes, len, &scanned, &name), expected);
}

static void long_parts_take_linear_time(void **state)
{
	enum { LONG = 1000000 };

	feed_long("", 'X', LONG, " / HTTP/1.1\r\nHost: a\r\n\r\n", PEEK_FOUND);
	feed_long("GET /", 'x', LONG, " HTTP/1.1\r\nHost: a\r\n\r\n", PEEK_FOUND);
	feed_long("GET ", ' ', LONG, "/ HTTP/1.1\r\nHost: a\r\n\r\n", PEEK_FOUND);
	feed_long("GET http://", 'x', LONG, " ", PEEK_MALFORMED);
	feed_long("GET / HTTP/1.1\r\n", 'x', LONG, ": y\r\nHost: a\r\n\r\n", PEEK_FOUND);
	feed_long("GET / HTTP/1.1\r\nX:", 'x', LONG, "\r\nHost: a\r\n\r\n", PEEK_FOUND);
	feed_long("GET / HTTP/1.1\r\nHost:", ' ', LONG, "a\r\n\r\n", PEEK_FOUND);
	feed_long("GET / HTTP/1.1\r\nHost:", 'x', LONG, "\n", PEEK_MALFORMED);
}

static void many_fields(void **state)
{
	enum { FIELDS = 100000, FIELD_LEN = 5 };
	static const char front[] = "GET / HTTP/1.1\r\n", back[] = "Host: app1.ch\r\n\r\n";
	size_t len = strlen(front) + FIELDS * FIELD_LEN + strlen(back), scanned = 0;
	uint8_t *bytes = guarded_place(&guarded, len), *p = bytes + strlen(front);
	struct hostname name;

	memcpy(bytes, front, strlen(front));
	for (int i = 0; i < FIELDS; i++, p += FIELD_LEN)
		memcpy(p, "a:b\r\n", FIELD_LEN);
	memcpy(p, back, strlen(back));
	for (size_t n = 0; n < len; n++)
		assert_int_equal(http_host_peek(bytes, n, &scanned, &name), PEEK_NEED_MORE);
	assert_int_equal(http_host_peek(bytes, len, &scanned, &name), PEEK_FOUND);
	assert_string_equal(name.text, "app1.ch");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(whole),
	    cmocka_unit_test(every_truncation),
	    cmocka_unit_test(cut_in_two_at_every_byte),
	    cmocka_unit_test(byte_by_byte),
	    cmocka_unit_test(byte_by_byte_with_the_count_alone),
	    cmocka_unit_test(what_follows_the_head_is_not_read),
	    cmocka_unit_test(long_parts_take_linear_time),
	    cmocka_unit_test(many_fields),
	};

	guarded = guarded_create();
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	guarded_destroy(&guarded);
	return failed;
}
