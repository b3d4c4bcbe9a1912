/* What clients and servers send: bytes that depend on their place, HTTP heads, ClientHellos. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "sim_app.h"

void app_fill(uint8_t *at, size_t len, uint64_t key)
{
	for (size_t i = 0; i < len; i += 8) {
		uint64_t z = (key + i) * 0x9e3779b97f4a7c15ULL;
		z = (z ^ (z >> 29)) * 0xbf58476d1ce4e5b9ULL;
		z ^= z >> 32;
		memcpy(at + i, &z, len - i < 8 ? len - i : 8);
	}
}

size_t app_http_head(uint8_t *out, const struct exchange *exchange)
{
	size_t want = exchange->plan.head_len;
	int len = snprintf((char *)out, APP_HEAD_ROOM, "GET /%u HTTP/1.1\r\nHost: %s\r\n", exchange->number,
	                   exchange->plan.name);
	static const char pad[] = "X-Pad: ";
	size_t at = (size_t)len;
	if (want > at + sizeof(pad) - 1 + 4) {
		memcpy(out + at, pad, sizeof(pad) - 1);
		at += sizeof(pad) - 1;
		while (at < want - 4)
			out[at++] = 'x';
		memcpy(out + at, "\r\n", 2);
		at += 2;
	}
	memcpy(out + at, "\r\n", 2);
	return at + 2;
}

static uint8_t *put16(uint8_t *at, size_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
	return at + 2;
}

static uint8_t *put_extensions(uint8_t *at, uint8_t *body, const char *name, size_t want)
{
	uint8_t *lengths = at;
	at = put16(at + 2, 0x5a5a); /* GREASE */
	at = put16(at, 0);
	size_t len = strlen(name);
	if (len > 0) {
		at = put16(at, 0);
		at = put16(at, len + 5);
		at = put16(at, len + 3);
		*at++ = 0;
		at = put16(at, len);
		memcpy(at, name, len);
		at += len;
	}
	at = put16(at, 43); /* supported_versions: TLS 1.3 */
	at = put16(at, 3);
	*at++ = 2;
	at = put16(at, 0x0304);
	size_t now = (size_t)(at - body) + 4 + 4;
	size_t padding = want > now ? want - now : 0;
	at = put16(at, 21);
	at = put16(at, padding);
	memset(at, 0, padding);
	at += padding;
	put16(lengths, (size_t)(at - lengths) - 2);
	return at;
}

size_t app_client_hello(uint8_t *out, size_t room, const char *name, size_t want, unsigned record_size, uint64_t seed)
{
	static uint8_t message[APP_HEAD_ROOM];
	uint8_t *body = message + 4, *at = body;
	at = put16(at, 0x0303);
	app_fill(at, 32, seed);
	at += 32;
	*at++ = 32;
	app_fill(at, 32, seed ^ 0x55);
	at += 32;
	at = put16(at, 6);
	at = put16(put16(put16(at, 0x1301), 0x1302), 0xc02f);
	*at++ = 1;
	*at++ = 0;
	size_t records = 1;
	while (record_size && want > 5 * records && (want - 5 * records + record_size - 1) / record_size > records)
		records++;
	at = put_extensions(at, body, name, want > 5 * records ? want - 5 * records : 0);
	size_t len = (size_t)(at - body);
	message[0] = 1;
	message[1] = 0;
	put16(message + 2, len);
	len += 4;
	size_t piece = record_size ? record_size : len, written = 0;
	for (size_t i = 0; i < len; i += piece) {
		size_t n = len - i < piece ? len - i : piece;
		assert_true(written + n + 5 <= room);
		out[written] = 22;
		put16(out + written + 1, 0x0301);
		put16(out + written + 3, n);
		memcpy(out + written + 5, message + i, n);
		written += n + 5;
	}
	return written;
}
